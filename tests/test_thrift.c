/* The Thrift codec and TCLIService's messages: golden bytes, every struct, what is kept, what is printed, memory that fails. */
#include "test.h"

#include "base/error.h"
#include "base/mem.h"
#include "test_thrift_fill.h"

static const struct thrift_struct *const all_types[] = {
#define TCLI_STRUCT_BEGIN(S) &S##_type,
#define TCLI_STRUCT_END(S)
#define TCLI_UNION_BEGIN(S) &S##_type,
#define TCLI_UNION_END(S)
#define TCLI_FIELD(S, id, name, flags, c_type, kind, ...)
#include "thrift/tcli.def"
};
enum { type_count = sizeof all_types / sizeof all_types[0] };

static void assert_bytes(const struct buf *found, const void *expected, size_t size) {
  assert_false(buf_failed(found));
  assert_int_equal(found->size, size);
  assert_memory_equal(found->data, expected, size);
}

static void assert_contains(struct buf *text, const char *part) {
  const char *whole = buf_text(text);
  assert_non_null(whole);
  if (!strstr(whole, part)) fail_msg("\"%s\" is not in \"%s\"", part, whole);
}

/* ---- Golden bytes (thrift.md 11.1) --------------------------------------------------------------------------------------- */

#define GUID "\xe5\x3c\x9a\x75\x41\xe2\x45\x04\x86\xe1\x57\xdd\xf4\xdc\x5b\x70"
#define SECRET "\x5e\x0f\x45\x1e\x45\x37\x4b\x6c\xbc\x98\x2e\x9a\xc8\x67\xbd\x4e"

static const char close_session_request[] =
    "\x80\x01\x00\x01\x00\x00\x00\x0c"
    "CloseSession"
    "\x00\x00\x00\x02"
    "\x0c\x00\x01\x0c\x00\x01\x0c\x00\x01"
    "\x0b\x00\x01\x00\x00\x00\x10" GUID "\x0b\x00\x02\x00\x00\x00\x10" SECRET "\x00\x00\x00\x00";

static const char close_session_answer[] =
    "\x80\x01\x00\x02\x00\x00\x00\x0c"
    "CloseSession"
    "\x00\x00\x00\x02"
    "\x0c\x00\x00\x0c\x00\x01\x08\x00\x01\x00\x00\x00\x00\x00\x00\x00";

static const char open_session_request[] =
    "\x80\x01\x00\x01\x00\x00\x00\x0b"
    "OpenSession"
    "\x00\x00\x00\x01"
    "\x0c\x00\x01\x08\x00\x01\xff\xff\xff\xf9\x0d\x00\x04\x0b\x0b\x00\x00\x00\x00\x0a\x05\x02\x00\x00\x00\x00\x00\x00\xa5\x09"
    "\x0c\x05\x04\x0b\x00\x01\x00\x00\x00\x05"
    "SPARK"
    "\x0b\x00\x02\x00\x00\x00\x07"
    "default"
    "\x00\x02\x05\x05\x01\x00\x00";

static const char open_session_answer[] =
    "\x80\x01\x00\x02\x00\x00\x00\x0b"
    "OpenSession"
    "\x00\x00\x00\x01"
    "\x0c\x00\x00\x0c\x00\x01\x08\x00\x01\x00\x00\x00\x00\x00\x08\x00\x02\x00\x00\xa5\x08"
    "\x0c\x00\x03\x0c\x00\x01\x0b\x00\x01\x00\x00\x00\x10" GUID "\x0b\x00\x02\x00\x00\x00\x10" SECRET
    "\x06\x0d\x01\x00\x00\x00\x08\x0d\x01\x00\x00\xa5\x08\x00"
    "\x0d\x00\x04\x0b\x0b\x00\x00\x00\x00"
    "\x0c\x05\x04\x0b\x00\x01\x00\x00\x00\x05"
    "spark"
    "\x0b\x00\x02\x00\x00\x00\x07"
    "default"
    "\x00\x02\x05\x05\x01\x00\x00";

static struct slice literal(const char *bytes, size_t size_with_zero) {
  return slice_of(bytes, size_with_zero - 1);
}

static void golden_requests_are_written(void **state) {
  (void)state;
  struct buf out = BUF_INIT;
  struct THandleIdentifier identifier = {0};
  struct TSessionHandle handle = {0};
  struct TCloseSessionReq close = {0};
  TCLI_SET(&identifier, guid, slice_of(GUID, 16));
  TCLI_SET(&identifier, secret, slice_of(SECRET, 16));
  TCLI_SET(&handle, sessionId, &identifier);
  TCLI_SET(&close, sessionHandle, &handle);
  tcli_encode_call(TCLI_CloseSession, 2, &close, &out);
  assert_int_equal(sizeof close_session_request - 1, 83);
  assert_bytes(&out, close_session_request, 83);

  struct TNamespace names = {0};
  struct TOpenSessionReq open = {0};
  TCLI_SET(&names, catalogName, slice_text("SPARK"));
  TCLI_SET(&names, schemaName, slice_text("default"));
  TCLI_SET(&open, client_protocol, TProtocolVersion_HIVE_JDBC_WORKAROUND);
  TCLI_SET(&open, client_protocol_i64, TProtocolVersion_SPARK_CLI_SERVICE_PROTOCOL_V9);
  open.has_configuration = true;
  TCLI_SET(&open, initialNamespace, &names);
  TCLI_SET(&open, canUseMultipleCatalogs, true);
  buf_reset(&out);
  tcli_encode_call(TCLI_OpenSession, 1, &open, &out);
  assert_bytes(&out, open_session_request, sizeof open_session_request - 1);

  struct TStatus ok = {0};
  struct TCloseSessionResp closed = {0};
  TCLI_SET(&ok, statusCode, TStatusCode_SUCCESS_STATUS);
  TCLI_SET(&closed, status, &ok);
  buf_reset(&out);
  tcli_encode_reply(TCLI_CloseSession, 2, &closed, &out);
  assert_int_equal(sizeof close_session_answer - 1, 40);
  assert_bytes(&out, close_session_answer, 40);
  buf_free(&out);
}

static void golden_answers_are_read(void **state) {
  (void)state;
  struct arena arena = ARENA_INIT;
  struct buf out = BUF_INIT;
  struct TOpenSessionResp open;
  assert_int_equal(sizeof open_session_answer - 1, 155);
  assert_int_equal(tcli_decode_reply(TCLI_OpenSession, 1, literal(open_session_answer, sizeof open_session_answer), &arena, &open, NULL),
                   DBSQL_OK);
  assert_true(open.has_status && open.status->has_statusCode);
  assert_int_equal(open.status->statusCode, TStatusCode_SUCCESS_STATUS);
  assert_int_equal(open.serverProtocolVersion, TProtocolVersion_SPARK_CLI_SERVICE_PROTOCOL_V8);
  assert_memory_equal(open.sessionHandle->sessionId->guid.data, GUID, 16);
  assert_memory_equal(open.sessionHandle->sessionId->secret.data, SECRET, 16);
  assert_int_equal(open.sessionHandle->sessionId->unknown->id, 0xD01);
  assert_int_equal(open.sessionHandle->sessionId->unknown->type, THRIFT_I16);
  assert_int_equal(open.sessionHandle->unknown->id, 0xD01);
  assert_true(open.has_configuration);
  assert_int_equal(open.configuration.count, 0);
  assert_true(slice_equal(open.initialNamespace->catalogName, slice_text("spark")));
  assert_true(open.canUseMultipleCatalogs);
  assert_false(open.has_getInfos);
  tcli_encode_reply(TCLI_OpenSession, 1, &open, &out);
  assert_bytes(&out, open_session_answer, 155);

  struct TCloseSessionResp closed;
  assert_int_equal(
      tcli_decode_reply(TCLI_CloseSession, 2, literal(close_session_answer, sizeof close_session_answer), &arena, &closed, NULL), DBSQL_OK);
  assert_int_equal(closed.status->statusCode, 0);

  struct tcli_call call;
  assert_int_equal(tcli_decode_call(literal(open_session_request, sizeof open_session_request), &arena, &call, NULL), DBSQL_OK);
  assert_int_equal(call.method, TCLI_OpenSession);
  assert_int_equal(call.sequence_id, 1);
  assert_true(slice_equal(call.name, slice_text("OpenSession")));
  const struct TOpenSessionReq *request = call.request;
  assert_int_equal(request->client_protocol, -7);
  assert_int_equal(request->client_protocol_i64, 42249);
  assert_true(slice_equal(request->initialNamespace->schemaName, slice_text("default")));
  arena_free(&arena);
  buf_free(&out);
}

static void old_header_is_read(void **state) {
  (void)state;
  struct arena arena = ARENA_INIT;
  struct buf message = BUF_INIT;
  struct tcli_call call;
  struct TCloseSessionResp closed;
  thrift_write_string(&message, slice_text("CloseSession"));
  thrift_write_byte(&message, THRIFT_CALL);
  thrift_write_i32(&message, 2);
  buf_append(&message, close_session_request + 24, sizeof close_session_request - 1 - 24);
  assert_int_equal(tcli_decode_call(buf_slice(&message), &arena, &call, NULL), DBSQL_OK);
  assert_int_equal(call.method, TCLI_CloseSession);
  assert_int_equal(call.sequence_id, 2);
  buf_reset(&message);
  thrift_write_string(&message, slice_text("CloseSession"));
  thrift_write_byte(&message, THRIFT_REPLY);
  thrift_write_i32(&message, 2);
  buf_append(&message, close_session_answer + 24, sizeof close_session_answer - 1 - 24);
  assert_int_equal(tcli_decode_reply(TCLI_CloseSession, 2, buf_slice(&message), &arena, &closed, NULL), DBSQL_OK);
  assert_true(closed.has_status);
  arena_free(&arena);
  buf_free(&message);
}

/* ---- Every struct -------------------------------------------------------------------------------------------------------- */

static void tables_are_in_order(void **state) {
  (void)state;
  assert_int_equal(type_count, 94);
  for (int i = 0; i < type_count; i++) {
    const struct thrift_struct *type = all_types[i];
    for (int at = 0; at < type->field_count; at++) {
      /* The encoder relies on it; and ids from 0xD01 on are not to be sent. */
      if (at > 0) assert_true(type->fields[at].id > type->fields[at - 1].id);
      assert_in_range(type->fields[at].id, 1, 0xD00);
      assert_true(type->fields[at].offset < type->size);
    }
  }
  for (int i = 0; i < TCLI_METHOD_COUNT; i++) {
    const char *name = tcli_methods[i].name;
    assert_int_equal(tcli_method_by_name(slice_text(name)), i);
    assert_memory_equal(tcli_methods[i].request->name + 1, name, strlen(name));
    assert_string_equal(tcli_methods[i].request->name + 1 + strlen(name), "Req");
    assert_string_equal(tcli_methods[i].response->name + 1 + strlen(name), "Resp");
  }
  assert_int_equal(tcli_method_by_name(slice_text("opensession")), TCLI_UNKNOWN_METHOD);
}

static void every_struct_round_trips(void **state) {
  (void)state;
  for (int i = 0; i < type_count * 8; i++) {
    const struct thrift_struct *type = all_types[i / 8];
    struct arena arena = ARENA_INIT;
    struct buf first = BUF_INIT, second = BUF_INIT, line = BUF_INIT, line_again = BUF_INIT;
    dbsql_error *error = NULL;
    void *value = filled(type, &arena, i % 8);
    void *decoded = fill_alloc(&arena, 1, type->size);
    thrift_encode(type, value, &first);
    assert_false(buf_failed(&first));
    if (thrift_decode(type, buf_slice(&first), &arena, decoded, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    thrift_encode(type, decoded, &second);
    assert_bytes(&second, first.data, first.size);
    /* All that was set is there. */
    thrift_print(type, value, &line);
    thrift_print(type, decoded, &line_again);
    assert_bytes(&line, line_again.data, line_again.size);
    assert_null(strstr(buf_text(&line), "s3cr3t"));
    if (!type->is_union) {
      for (int at = 0; at < type->field_count; at++) assert_contains(&line, type->fields[at].name);
    }
    arena_free(&arena);
    buf_free(&first);
    buf_free(&second);
    buf_free(&line);
    buf_free(&line_again);
  }
}

static void every_message_round_trips(void **state) {
  (void)state;
  for (int method = 0; method < TCLI_METHOD_COUNT; method++) {
    const struct tcli_method_info *info = &tcli_methods[method];
    struct arena arena = ARENA_INIT;
    struct buf first = BUF_INIT, second = BUF_INIT;
    struct tcli_call call;
    tcli_encode_call((enum tcli_method)method, -5, filled(info->request, &arena, 0), &first);
    assert_int_equal(tcli_decode_call(buf_slice(&first), &arena, &call, NULL), DBSQL_OK);
    assert_int_equal(call.method, method);
    assert_int_equal(call.sequence_id, -5);
    tcli_encode_call(call.method, call.sequence_id, call.request, &second);
    assert_bytes(&second, first.data, first.size);

    buf_reset(&first);
    buf_reset(&second);
    void *response = fill_alloc(&arena, 1, info->response->size);
    tcli_encode_reply((enum tcli_method)method, INT32_MAX, filled(info->response, &arena, 1), &first);
    assert_int_equal(tcli_decode_reply((enum tcli_method)method, INT32_MAX, buf_slice(&first), &arena, response, NULL), DBSQL_OK);
    tcli_encode_reply((enum tcli_method)method, INT32_MAX, response, &second);
    assert_bytes(&second, first.data, first.size);
    arena_free(&arena);
    buf_free(&first);
    buf_free(&second);
  }
}

static void raw_lists_are_read(void **state) {
  (void)state;
  static const uint8_t numbers[] = {0x80, 0, 0, 0, 0, 0, 0, 1, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0};
  struct thrift_raw_list list = {THRIFT_I64, 2, slice_of(numbers, sizeof numbers)};
  assert_true(raw_list_i64_at(&list, 0) == INT64_MIN + 1);
  assert_true(raw_list_double_at(&list, 1) == 1.5);
  assert_int_equal(raw_list_i32_at(&list, 1), 1);
  assert_int_equal(raw_list_i16_at(&list, 0), INT16_MIN);
  assert_int_equal(raw_list_byte_at(&list, 0), -128);
  assert_true(raw_list_bool_at(&list, 0));
  assert_false(raw_list_bool_at(&list, 1));

  static const char strings[] = "\x00\x00\x00\x02hi\x00\x00\x00\x00\x00\x00\x00\x01!";
  struct thrift_raw_list texts = {THRIFT_STRING, 3, literal(strings, sizeof strings)};
  struct raw_list_cursor cursor = raw_list_strings(&texts);
  struct slice value;
  assert_true(raw_list_next_string(&cursor, &value));
  assert_true(slice_equal(value, slice_text("hi")));
  assert_true(raw_list_next_string(&cursor, &value));
  assert_int_equal(value.size, 0);
  assert_true(raw_list_next_string(&cursor, &value));
  assert_true(slice_equal(value, slice_text("!")));
  assert_false(raw_list_next_string(&cursor, &value));
}

/* ---- What is not known --------------------------------------------------------------------------------------------------- */

static void unknown_fields_are_kept_in_order(void **state) {
  (void)state;
  struct arena arena = ARENA_INIT;
  struct buf wire = BUF_INIT, again = BUF_INIT, expected = BUF_INIT;
  struct TNamespace names;
  /* Out of order: 7 list<struct>, 2 known, -1 bool, 1 with another type than it should have, 3 map, 7 again. */
  static const char list[] = "\x0f\x00\x07\x0c\x00\x00\x00\x02\x00\x02\x00\x01\x01\x00";
  static const char known[] = "\x0b\x00\x02\x00\x00\x00\x01s";
  static const char negative[] = "\x02\xff\xff\x01";
  static const char other_type[] = "\x08\x00\x01\x00\x00\x00\x2a";
  static const char map[] = "\x0d\x00\x03\x0b\x0e\x00\x00\x00\x01\x00\x00\x00\x01k\x03\x00\x00\x00\x02\x08\x09";
  static const char second_seven[] = "\x04\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00";
#define APPEND(buf, bytes) buf_append_slice(buf, literal(bytes, sizeof bytes))
  APPEND(&wire, list);
  APPEND(&wire, known);
  APPEND(&wire, negative);
  APPEND(&wire, other_type);
  APPEND(&wire, map);
  APPEND(&wire, second_seven);
  thrift_write_stop(&wire);
  assert_int_equal(thrift_decode(&TNamespace_type, buf_slice(&wire), &arena, &names, NULL), DBSQL_OK);
  assert_false(names.has_catalogName);
  assert_true(slice_equal(names.schemaName, slice_text("s")));
  APPEND(&expected, negative);
  APPEND(&expected, other_type);
  APPEND(&expected, known);
  APPEND(&expected, map);
  APPEND(&expected, list);
  APPEND(&expected, second_seven);
  thrift_write_stop(&expected);
  thrift_encode(&TNamespace_type, &names, &again);
  assert_bytes(&again, expected.data, expected.size);
  buf_reset(&again);
  thrift_print(&TNamespace_type, &names, &again);
  assert_string_equal(buf_text(&again),
                      "TNamespace{schemaName: \"s\", 0xFFFF: <bool>, 0x1: <i32>, 0x3: <map>, 0x7: <list>, 0x7: <double>}");
  arena_free(&arena);
  buf_free(&wire);
  buf_free(&again);
  buf_free(&expected);
}

static void empty_lists_of_another_type_are_empty(void **state) {
  (void)state;
  struct arena arena = ARENA_INIT;
  struct TRowSet rows;
  struct TI32Column column;
  assert_int_equal(thrift_decode(&TRowSet_type, slice_of("\x0f\x00\x03\x00\x00\x00\x00\x00\x00", 9), &arena, &rows, NULL), DBSQL_OK);
  assert_true(rows.has_columns);
  assert_int_equal(rows.columns.count, 0);
  assert_int_equal(thrift_decode(&TI32Column_type, slice_of("\x0f\x00\x01\x0b\x00\x00\x00\x00\x00", 9), &arena, &column, NULL), DBSQL_OK);
  assert_true(column.has_values);
  assert_int_equal(column.values.element_type, THRIFT_I32);
  assert_int_equal(column.values.bytes.size, 0);
  arena_free(&arena);
}

/* ---- Printing ------------------------------------------------------------------------------------------------------------ */

static void printing_names_and_hides(void **state) {
  (void)state;
  struct buf line = BUF_INIT;
  struct TStatus status = {0};
  TCLI_SET(&status, statusCode, 77);
  thrift_print(&TStatus_type, &status, &line);
  assert_string_equal(buf_text(&line), "TStatus{statusCode: 77}");
  status.statusCode = TStatusCode_INVALID_HANDLE_STATUS;
  char long_text[1000];
  memset(long_text, 'x', sizeof long_text);
  TCLI_SET(&status, errorMessage, slice_of(long_text, sizeof long_text));
  buf_reset(&line);
  thrift_print(&TStatus_type, &status, &line);
  assert_contains(&line, "INVALID_HANDLE_STATUS");
  assert_contains(&line, "xxx... (1000 bytes)\"");
  assert_true(line.size < 300);

  struct THandleIdentifier identifier = {0};
  TCLI_SET(&identifier, guid, slice_of(GUID, 16));
  TCLI_SET(&identifier, secret, slice_of(SECRET, 16));
  buf_reset(&line);
  thrift_print(&THandleIdentifier_type, &identifier, &line);
  assert_string_equal(buf_text(&line), "THandleIdentifier{guid: e53c9a75-41e2-4504-86e1-57ddf4dc5b70, secret: ***}");
  identifier.guid = slice_of(long_text, sizeof long_text);
  buf_reset(&line);
  thrift_print(&THandleIdentifier_type, &identifier, &line);
  assert_contains(&line, "guid: <1000 bytes>");

  struct thrift_pair pairs[] = {{slice_text("timezone"), slice_text("UTC")}, {slice_text("password"), slice_text("s3cr3t")}};
  struct TOpenSessionReq open = {0};
  open.has_configuration = true;
  open.configuration.count = 2;
  open.configuration.items = pairs;
  TCLI_SET(&open, password, slice_text("s3cr3t"));
  buf_reset(&line);
  thrift_print(&TOpenSessionReq_type, &open, &line);
  assert_string_equal(buf_text(&line), "TOpenSessionReq{password: ***, configuration: {timezone=UTC, password=***}}");

  struct TSparkArrowResultLink link = {0};
  struct thrift_pair header[] = {{slice_text("x-amz-server-side-encryption-customer-key"), slice_text("s3cr3t")}};
  TCLI_SET(&link, fileLink, slice_text("https://bucket.example/a/b?X-Amz-Signature=s3cr3t"));
  link.has_httpHeaders = true;
  link.httpHeaders.count = 1;
  link.httpHeaders.items = header;
  buf_reset(&line);
  thrift_print(&TSparkArrowResultLink_type, &link, &line);
  assert_string_equal(buf_text(&line),
                      "TSparkArrowResultLink{fileLink: \"https://bucket.example/a/b?***\", httpHeaders: "
                      "{x-amz-server-side-encryption-customer-key=***}}");
  buf_free(&line);

  assert_string_equal(TOperationState_name(6), "UKNOWN_STATE");
  assert_null(TOperationState_name(9));
  assert_string_equal(TProtocolVersion_name(0xA508), "SPARK_CLI_SERVICE_PROTOCOL_V8");
}

/* ---- Memory that fails --------------------------------------------------------------------------------------------------- */

static bool core_path(void) {
  struct arena source = ARENA_INIT, arena = ARENA_INIT;
  struct buf out = BUF_INIT, line = BUF_INIT;
  dbsql_error *error = NULL;
  struct TExecuteStatementResp response;
  dbsql_status status = DBSQL_OK;
  struct TStatus ok = {0};
  struct TExecuteStatementResp small = {0};
  struct slice messages[200];
  for (int i = 0; i < 200; i++) messages[i] = slice_text("a message");
  TCLI_SET(&ok, statusCode, 1);
  ok.has_infoMessages = true;
  ok.infoMessages.count = 200;
  ok.infoMessages.items = messages;
  TCLI_SET(&small, status, &ok);
  tcli_encode_reply(TCLI_ExecuteStatement, 1, &small, &out);
  if (buf_failed(&out)) goto cleanup;
  status = tcli_decode_reply(TCLI_ExecuteStatement, 1, buf_slice(&out), &arena, &response, &error);
  assert_true(status == DBSQL_OK || status == DBSQL_ERROR_NO_MEMORY);
  assert_true((status == DBSQL_OK) == (error == NULL));
  if (status == DBSQL_OK) tcli_print(&TExecuteStatementResp_type, &response, &line);
  dbsql_error_free(error);
  error = NULL;
  /* An exception, too: its text is copied. */
  buf_reset(&out);
  tcli_encode_exception(slice_text("ExecuteStatement"), 1, TCLI_EXCEPTION_INTERNAL_ERROR, "something", &out);
  if (buf_failed(&out)) goto cleanup;
  status = tcli_decode_reply(TCLI_ExecuteStatement, 1, buf_slice(&out), &arena, &response, &error);
  assert_true(status == DBSQL_ERROR_REQUEST || status == DBSQL_ERROR_NO_MEMORY);
cleanup:
  dbsql_error_free(error);
  arena_free(&source);
  arena_free(&arena);
  buf_free(&out);
  buf_free(&line);
  return !mem_test_failed();
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  int64_t live = mem_test_live_blocks();
  int failures = 0;
  for (uint64_t n = 1;; n++) {
    mem_test_fail_at(n);
    bool whole = core_path();
    mem_test_fail_at(0);
    assert_int_equal(mem_test_live_blocks(), live);
    if (whole) break;
    failures++;
  }
  assert_true(failures > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(golden_requests_are_written),
      cmocka_unit_test(golden_answers_are_read),
      cmocka_unit_test(old_header_is_read),
      cmocka_unit_test(tables_are_in_order),
      cmocka_unit_test(every_struct_round_trips),
      cmocka_unit_test(every_message_round_trips),
      cmocka_unit_test(raw_lists_are_read),
      cmocka_unit_test(unknown_fields_are_kept_in_order),
      cmocka_unit_test(empty_lists_of_another_type_are_empty),
      cmocka_unit_test(printing_names_and_hides),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("thrift", tests, NULL, NULL);
}
