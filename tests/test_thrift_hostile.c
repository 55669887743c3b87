/* Bytes that are no proper message: each ends in an error that names what was wrong, with bounded memory, and nothing leaks. */
#include "test.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "test_thrift_fill.h"

/* ---- How much memory a decoder took -------------------------------------------------------------------------------------- */

static size_t taken; /* by all allocations since it was set to 0 */

static void *counting_allocate(void *user, size_t size) {
  (void)user;
  taken += size;
  return malloc(size);
}
static void *counting_reallocate(void *user, void *block, size_t size) {
  (void)user;
  taken += size;
  return realloc(block, size);
}
static void counting_release(void *user, void *block) {
  (void)user;
  free(block);
}

static int count_memory(void **state) {
  (void)state;
  static const dbsql_allocator allocator = {counting_allocate, counting_reallocate, counting_release, NULL};
  return mem_set_allocator(&allocator) ? 0 : -1;
}

/* ---- Helpers ------------------------------------------------------------------------------------------------------------- */

/* A copy of exactly that size, so that a sanitizer sees a read past its end. */
static struct slice exact_copy(struct slice bytes) {
  uint8_t *copy = malloc(bytes.size ? bytes.size : 1);
  assert_non_null(copy);
  if (bytes.size != 0) memcpy(copy, bytes.data, bytes.size);
  return slice_of(copy, bytes.size);
}

/* Takes the error. */
static void assert_malformed(dbsql_status status, dbsql_error **taken_error, const char *part) {
  dbsql_error *error = *taken_error;
  *taken_error = NULL;
  assert_int_equal(status, DBSQL_ERROR_DRIVER);
  assert_string_equal(dbsql_error_sqlstate(error), "08P01");
  if (!strstr(dbsql_error_message(error), part)) fail_msg("\"%s\" is not in \"%s\"", part, dbsql_error_message(error));
  dbsql_error_free(error);
}

/* Decodes a bare struct that must be refused with an error that has `part`. */
static void refuse(const struct thrift_struct *type, struct slice bytes, const char *part) {
  struct arena arena = ARENA_INIT;
  dbsql_error *error = NULL;
  void *value = fill_alloc(&arena, 1, type->size);
  struct slice copy = exact_copy(bytes);
  dbsql_status status = thrift_decode(type, copy, &arena, value, &error);
  assert_malformed(status, &error, part);
  free((void *)(uintptr_t)copy.data);
  arena_free(&arena);
}
#define REFUSE(type, bytes, part) refuse(&type##_type, slice_of(bytes, sizeof bytes - 1), part)

static void refuse_reply(const struct buf *message, const char *part) {
  struct arena arena = ARENA_INIT;
  dbsql_error *error = NULL;
  struct TGetInfoResp response;
  struct slice copy = exact_copy(buf_slice(message));
  dbsql_status status = tcli_decode_reply(TCLI_GetInfo, 7, copy, &arena, &response, &error);
  assert_malformed(status, &error, part);
  free((void *)(uintptr_t)copy.data);
  arena_free(&arena);
}

/* ---- Single faults ------------------------------------------------------------------------------------------------------- */

static void bad_values_are_named(void **state) {
  (void)state;
  REFUSE(TStatus, "", "malformed Thrift message at byte 0: it ends within a struct");
  REFUSE(TStatus, "\x08\x00", "it ends within an i16");
  REFUSE(TStatus, "\x08\x00\x01\x00\x00\x00", "TStatus.statusCode: ");
  REFUSE(TStatus, "\x0b\x00\x03\xff\xff\xff\xff\x00", "a string has the length -1");
  REFUSE(TStatus, "\x0b\x00\x03\x7f\xff\xff\xff\x00", "it ends within a string: 2147483647 bytes needed, 1 there");
  REFUSE(TStatus, "\x0f\x00\x02\x0b\x80\x00\x00\x00\x00",
         "TStatus.infoMessages: malformed Thrift message at byte 8: a list has the count -2147483648");
  REFUSE(TStatus, "\x0f\x00\x02\x0b\x00\x00\x00\x02\x00\x00\x00\x00\x00", "a list of 2 elements cannot be in the 5 bytes that are left");
  REFUSE(TStatus, "\x0f\x00\x02\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00", "list elements of type i32 where string is expected");
  REFUSE(TStatus, "\x0f\x00\x02\x07\x00\x00\x00\x01\x00", "a list has elements of the unknown type 7");
  REFUSE(TStatus, "\x05\x00\x02\x00", "a field has the unknown type 5");
  REFUSE(TStatus, "\x08\x00\x01\x00\x00\x00\x00\x08\x00\x01\x00\x00\x00\x00\x00",
         "TStatus.statusCode: malformed Thrift message at byte 10: the field is there twice");
  REFUSE(TStatus, "\x08\x00\x01\x00\x00\x00\x00\x00!", "1 bytes follow after TStatus");
  REFUSE(TNamespace, "\x0f\x00\x07\x0c\x00\x00\x00\x09\x00", "a list of 9 elements cannot be in the 1 bytes");
  REFUSE(TOpenSessionReq, "\x0d\x00\x04\x08\x0b\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00",
         "map keys of type i32 where string is expected");
  REFUSE(TOpenSessionReq, "\x0d\x00\x04\x0b\x0b\xff\xff\xff\xff\x00", "a map has the count -1");
  REFUSE(TOpenSessionReq, "\x0d\x00\x04\x0b\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00", "a map has values of the unknown type 1");
  REFUSE(TOpenSessionReq, "\x0d\x00\x04\x0b\x0b\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00",
         "a map of 2 elements cannot be in the 8 bytes");
  REFUSE(TGetInfoValue, "\x06\x00\x02\x00\x01\x08\x00\x03\x00\x00\x00\x01\x00",
         "TGetInfoValue: malformed Thrift message at byte 13: a union has 2 fields set");
  REFUSE(TI64Column, "\x0f\x00\x01\x0a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", "a list of 1 elements cannot be in the 7 bytes");
  REFUSE(TI64Column, "\x0f\x00\x01\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00", "values of type i32 where i64 is expected");
  REFUSE(TStringColumn, "\x0f\x00\x01\x0b\x00\x00\x00\x02\x00\x00\x00\x01x\xff\xff\xff\xff\x00",
         "TStringColumn.values: malformed Thrift message at byte 17: a string has the length -1");
  REFUSE(TStringColumn, "\x0f\x00\x01\x0b\x00\x00\x00\x01\x00\x00\x00\x04x\x00", "it ends within a string: 4 bytes needed, 2 there");
  REFUSE(TStringColumn, "\x0f\x00\x01\x0b\x00\x00\x00\x01\x00\x00\x00\x09x\x00", "it ends within a string: 9 bytes needed, 2 there");
}

static void bad_messages_are_named(void **state) {
  (void)state;
  struct buf message = BUF_INIT;
  struct slice name = slice_text("GetInfo");
  refuse_reply(&message, "answer to GetInfo: malformed Thrift message at byte 0: it ends within an i32");
  buf_append_text(&message, "<html><body>Bad gateway</body></html>");
  refuse_reply(&message, "it ends within a string");
  buf_reset(&message);
  thrift_write_i32(&message, (int32_t)0x82210002);
  refuse_reply(&message, "malformed Thrift message at byte 0: bad version 0x8221");
  buf_reset(&message);
  thrift_write_message(&message, THRIFT_CALL, name, 7);
  refuse_reply(&message, "message type 1 is no reply");
  buf_reset(&message);
  thrift_write_message(&message, THRIFT_REPLY, slice_text("GetInfo\x01"), 7);
  refuse_reply(&message, "it answers the method \"GetInfo?\"");
  buf_reset(&message);
  thrift_write_message(&message, THRIFT_REPLY, name, 8);
  refuse_reply(&message, "it answers call 8, not 7");
  buf_reset(&message);
  thrift_write_message(&message, THRIFT_REPLY, name, 7);
  thrift_write_stop(&message);
  refuse_reply(&message, "TGetInfoResp is missing");
  buf_reset(&message);
  thrift_write_message(&message, THRIFT_REPLY, name, 7);
  thrift_write_field(&message, THRIFT_I32, 0);
  thrift_write_i32(&message, 1);
  thrift_write_stop(&message);
  refuse_reply(&message, "TGetInfoResp is missing");
  buf_reset(&message);
  thrift_write_message(&message, THRIFT_REPLY, name, 7);
  thrift_write_field(&message, THRIFT_STRUCT, 0);
  thrift_write_stop(&message);
  thrift_write_field(&message, THRIFT_STRUCT, 0);
  thrift_write_stop(&message);
  thrift_write_stop(&message);
  refuse_reply(&message, "TGetInfoResp is there twice");
  buf_reset(&message);
  tcli_encode_reply(TCLI_GetInfo, 7, &(struct TGetInfoResp){0}, &message);
  thrift_write_byte(&message, 0);
  refuse_reply(&message, "1 bytes follow after the message");
  buf_free(&message);
}

static void exceptions_are_errors(void **state) {
  (void)state;
  struct arena arena = ARENA_INIT;
  struct buf message = BUF_INIT;
  struct TGetInfoResp response;
  dbsql_error *error = NULL;
  tcli_encode_exception(slice_text("GetInfo"), 7, TCLI_EXCEPTION_UNKNOWN_METHOD, "Invalid method name: 'GetInfo'", &message);
  assert_int_equal(tcli_decode_reply(TCLI_GetInfo, 7, buf_slice(&message), &arena, &response, &error), DBSQL_ERROR_REQUEST);
  assert_string_equal(dbsql_error_message(error),
                      "answer to GetInfo: the server answered with an exception: Invalid method name: 'GetInfo' (type 1, unknown method)");
  assert_string_equal(dbsql_error_sqlstate(error), "08P01");
  assert_int_equal(dbsql_error_vendor_code(error), 1);
  dbsql_error_free(error);
  error = NULL;

  /* Neither a secret nor a novel gets into the error. */
  struct buf text = BUF_INIT;
  buf_append_text(&text, "Authorization: Bearer abcdefghijklmnop ");
  for (int i = 0; i < 1000; i++) buf_append_text(&text, "at java.base/something ");
  buf_reset(&message);
  tcli_encode_exception(slice_text("another"), -1, (enum tcli_exception_type)99, buf_text(&text), &message);
  assert_int_equal(tcli_decode_reply(TCLI_GetInfo, 7, buf_slice(&message), &arena, &response, &error), DBSQL_ERROR_REQUEST);
  assert_null(strstr(dbsql_error_message(error), "abcdefghijklmnop"));
  assert_non_null(strstr(dbsql_error_message(error), "(type 99, unknown)"));
  assert_true(strlen(dbsql_error_message(error)) < 5000);
  dbsql_error_free(error);
  error = NULL;

  /* One without any field, and one that is cut off. */
  buf_reset(&message);
  thrift_write_message(&message, THRIFT_EXCEPTION, slice_text("GetInfo"), 7);
  assert_malformed(tcli_decode_reply(TCLI_GetInfo, 7, buf_slice(&message), &arena, &response, &error), &error, "TApplicationException: ");
  thrift_write_stop(&message);
  assert_int_equal(tcli_decode_reply(TCLI_GetInfo, 7, buf_slice(&message), &arena, &response, &error), DBSQL_ERROR_REQUEST);
  assert_non_null(strstr(dbsql_error_message(error), "(no text) (type 0, unknown)"));
  dbsql_error_free(error);
  buf_free(&text);
  buf_free(&message);
  arena_free(&arena);
}

static void calls_that_cannot_be_served_are_named(void **state) {
  (void)state;
  struct arena arena = ARENA_INIT;
  struct buf message = BUF_INIT;
  struct tcli_call call;
  dbsql_error *error = NULL;

  /* A method that is not known is no error of the message. */
  thrift_write_message(&message, THRIFT_CALL, slice_text("GetQueryId"), 3);
  thrift_write_field(&message, THRIFT_STRUCT, 1);
  thrift_write_stop(&message);
  thrift_write_stop(&message);
  assert_int_equal(tcli_decode_call(buf_slice(&message), &arena, &call, &error), DBSQL_OK);
  assert_int_equal(call.method, TCLI_UNKNOWN_METHOD);
  assert_null(call.request);
  assert_int_equal(call.sequence_id, 3);
  assert_true(slice_equal(call.name, slice_text("GetQueryId")));
  thrift_write_byte(&message, 1);
  assert_malformed(tcli_decode_call(buf_slice(&message), &arena, &call, &error), &error, "1 bytes follow");

  buf_reset(&message);
  thrift_write_message(&message, THRIFT_ONEWAY, slice_text("GetInfo"), 4);
  assert_malformed(tcli_decode_call(buf_slice(&message), &arena, &call, &error), &error, "message type 4 is no call");
  assert_int_equal(call.message_type, THRIFT_ONEWAY);
  error = NULL;

  buf_reset(&message);
  thrift_write_message(&message, THRIFT_CALL, slice_text("GetInfo"), 5);
  thrift_write_stop(&message);
  assert_malformed(tcli_decode_call(buf_slice(&message), &arena, &call, &error), &error, "TGetInfoReq is missing");
  assert_int_equal(call.method, TCLI_GetInfo);
  assert_int_equal(call.sequence_id, 5);
  assert_null(call.request);
  error = NULL;

  assert_malformed(tcli_decode_call(slice_text("GET "), &arena, &call, &error), &error, "it ends within a string");
  assert_int_equal(call.name.size, 0);
  buf_free(&message);
  arena_free(&arena);
}

/* ---- Depth and memory ---------------------------------------------------------------------------------------------------- */

/* A TSparkParameterValueArg that contains itself `levels` times. */
static void nested_arguments(struct buf *out, int levels) {
  for (int i = 0; i < levels; i++) {
    thrift_write_field(out, THRIFT_LIST, 3);
    thrift_write_list(out, THRIFT_STRUCT, 1);
  }
  for (int i = 0; i <= levels; i++) thrift_write_stop(out);
}

static void depth_is_bounded(void **state) {
  (void)state;
  struct arena arena = ARENA_INIT;
  struct buf wire = BUF_INIT, again = BUF_INIT;
  struct TSparkParameterValueArg argument;
  nested_arguments(&wire, 30);
  assert_int_equal(thrift_decode(&TSparkParameterValueArg_type, buf_slice(&wire), &arena, &argument, NULL), DBSQL_OK);
  thrift_encode(&TSparkParameterValueArg_type, &argument, &again);
  assert_false(buf_failed(&again));
  assert_true(slice_equal(buf_slice(&wire), buf_slice(&again)));
  buf_reset(&wire);
  nested_arguments(&wire, 100000);
  refuse(&TSparkParameterValueArg_type, buf_slice(&wire), "it is nested too deeply");

  static const uint8_t levels[][8] = {
      {THRIFT_STRUCT, 0, 9},                    /* a struct's field */
      {THRIFT_LIST, 0, 0, 0, 1},                /* lists: type and count, again and again */
      {THRIFT_MAP, THRIFT_BOOL, 0, 0, 0, 1},    /* the keys of maps */
      {THRIFT_BOOL, THRIFT_MAP, 0, 0, 0, 1, 0}, /* the values of maps */
      {THRIFT_SET, 0, 0, 0, 1},
  };
  static const size_t sizes[] = {3, 5, 6, 7, 5};
  for (size_t kind = 0; kind < sizeof sizes / sizeof sizes[0]; kind++) {
    buf_reset(&wire);
    if (kind != 0) {
      static const uint8_t types[] = {0, THRIFT_LIST, THRIFT_MAP, THRIFT_MAP, THRIFT_SET};
      thrift_write_field(&wire, types[kind], 9);
    }
    for (int i = 0; i < 100000; i++) buf_append(&wire, levels[kind], sizes[kind]);
    buf_append(&wire, "\0\0\0\0\0\0\0\0", 8);
    refuse(&TNamespace_type, buf_slice(&wire), "it is nested too deeply");
  }

  /* Structs that the program nested too deeply itself. */
  struct TSparkParameterValueArg chain[200];
  memset(chain, 0, sizeof chain);
  for (int i = 0; i < 199; i++) {
    chain[i].has_arguments = true;
    chain[i].arguments.count = 1;
    chain[i].arguments.items = &chain[i + 1];
  }
  buf_reset(&again);
  thrift_encode(&TSparkParameterValueArg_type, chain, &again);
  assert_true(buf_failed(&again));
  buf_free(&again);
  thrift_print(&TSparkParameterValueArg_type, chain, &again);
  assert_false(buf_failed(&again));
  buf_free(&wire);
  buf_free(&again);
  arena_free(&arena);
}

static void memory_is_bounded(void **state) {
  (void)state;
  /* Items of one byte each, with C structs of a hundred and more: in one list, and in many small ones. */
  struct buf wire = BUF_INIT;
  size_t count = 1000000;
  thrift_write_field(&wire, THRIFT_LIST, 0x508);
  thrift_write_list(&wire, THRIFT_STRUCT, (uint32_t)count);
  for (size_t i = 0; i < count; i++) thrift_write_stop(&wire);
  thrift_write_stop(&wire);
  taken = 0;
  refuse(&TExecuteStatementReq_type, buf_slice(&wire), "1000000 items would take too much memory for a message of this size");
  assert_true(taken < wire.size);

  buf_reset(&wire);
  thrift_write_field(&wire, THRIFT_LIST, 2);
  thrift_write_list(&wire, THRIFT_STRUCT, 2000);
  for (int row = 0; row < 2000; row++) {
    thrift_write_field(&wire, THRIFT_LIST, 1);
    thrift_write_list(&wire, THRIFT_STRUCT, 500);
    for (int i = 0; i < 500; i++) thrift_write_stop(&wire);
    thrift_write_stop(&wire);
  }
  thrift_write_stop(&wire);
  taken = 0;
  refuse(&TRowSet_type, buf_slice(&wire), "500 items would take too much memory for a message of this size");
  /* An arena may leave up to half of a block empty. */
  assert_true(taken < 2 * (wire.size * thrift_memory_factor + thrift_memory_constant));

  /* Unknown fields are counted, too. */
  buf_reset(&wire);
  for (int i = 0; i <= thrift_max_unknown_fields; i++) {
    thrift_write_field(&wire, THRIFT_BOOL, (int16_t)(100 + i));
    thrift_write_bool(&wire, true);
  }
  thrift_write_stop(&wire);
  refuse(&TNamespace_type, buf_slice(&wire), "more than 64 unknown fields");

  /* Honest rows of NULLs are what takes most for its bytes, and must be accepted. */
  buf_reset(&wire);
  thrift_write_field(&wire, THRIFT_LIST, 2);
  thrift_write_list(&wire, THRIFT_STRUCT, 2000);
  for (int row = 0; row < 2000; row++) {
    thrift_write_field(&wire, THRIFT_LIST, 1);
    thrift_write_list(&wire, THRIFT_STRUCT, 500);
    for (int i = 0; i < 500; i++) {
      thrift_write_field(&wire, THRIFT_STRUCT, 7);
      thrift_write_stop(&wire);
      thrift_write_stop(&wire);
    }
    thrift_write_stop(&wire);
  }
  thrift_write_stop(&wire);
  struct arena arena = ARENA_INIT;
  struct TRowSet rows;
  assert_int_equal(thrift_decode(&TRowSet_type, buf_slice(&wire), &arena, &rows, NULL), DBSQL_OK);
  assert_true(rows.rows.items[1999].colVals.items[499].has_stringVal);
  assert_false(rows.rows.items[1999].colVals.items[499].stringVal->has_value);
  arena_free(&arena);
  buf_free(&wire);
}

/* ---- Many faults --------------------------------------------------------------------------------------------------------- */

/* What decodes must encode, and decode again to the same. */
static dbsql_status decode_any(const struct thrift_struct *type, struct slice bytes) {
  struct arena arena = ARENA_INIT;
  struct buf first = BUF_INIT, second = BUF_INIT;
  dbsql_error *error = NULL;
  void *value = fill_alloc(&arena, 1, type->size);
  dbsql_status status = thrift_decode(type, bytes, &arena, value, &error);
  assert_true((status == DBSQL_OK) == (error == NULL));
  if (status == DBSQL_OK) {
    thrift_encode(type, value, &first);
    assert_false(buf_failed(&first));
    assert_int_equal(thrift_decode(type, buf_slice(&first), &arena, value, NULL), DBSQL_OK);
    thrift_encode(type, value, &second);
    assert_true(slice_equal(buf_slice(&first), buf_slice(&second)));
    buf_reset(&second);
    thrift_print(type, value, &second);
  }
  dbsql_error_free(error);
  buf_free(&first);
  buf_free(&second);
  arena_free(&arena);
  return status;
}

static void every_truncation_is_refused(void **state) {
  (void)state;
  for (int method = 0; method < TCLI_METHOD_COUNT; method++) {
    struct arena arena = ARENA_INIT;
    struct buf call_bytes = BUF_INIT, reply_bytes = BUF_INIT;
    const struct tcli_method_info *info = &tcli_methods[method];
    void *response = fill_alloc(&arena, 1, info->response->size);
    struct tcli_call call;
    tcli_encode_call((enum tcli_method)method, 1, filled(info->request, &arena, 2), &call_bytes);
    tcli_encode_reply((enum tcli_method)method, 1, filled(info->response, &arena, 2), &reply_bytes);
    for (size_t size = 0; size < call_bytes.size; size++) {
      struct slice copy = exact_copy(slice_of(call_bytes.data, size));
      struct arena parts = ARENA_INIT;
      dbsql_error *error = NULL;
      assert_malformed(tcli_decode_call(copy, &parts, &call, &error), &error, "malformed");
      free((void *)(uintptr_t)copy.data);
      arena_free(&parts);
    }
    for (size_t size = 0; size < reply_bytes.size; size++) {
      struct slice copy = exact_copy(slice_of(reply_bytes.data, size));
      struct arena parts = ARENA_INIT;
      dbsql_error *error = NULL;
      assert_malformed(tcli_decode_reply((enum tcli_method)method, 1, copy, &parts, response, &error), &error, "malformed");
      free((void *)(uintptr_t)copy.data);
      arena_free(&parts);
    }
    buf_free(&call_bytes);
    buf_free(&reply_bytes);
    arena_free(&arena);
  }
}

static void every_flipped_bit_is_survived(void **state) {
  (void)state;
  static const struct thrift_struct *const types[] = {&TExecuteStatementReq_type,    &TFetchResultsResp_type, &TOpenSessionResp_type,
                                                      &TGetOperationStatusResp_type, &TTableSchema_type,      &TRow_type};
  int refused = 0, accepted = 0;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    struct arena arena = ARENA_INIT;
    struct buf wire = BUF_INIT;
    thrift_encode(types[i], filled(types[i], &arena, (int)i), &wire);
    assert_false(buf_failed(&wire));
    struct slice copy = exact_copy(buf_slice(&wire));
    uint8_t *bytes = (uint8_t *)(uintptr_t)copy.data;
    for (size_t bit = 0; bit < copy.size * 8; bit++) {
      bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
      if (decode_any(types[i], copy) == DBSQL_OK) {
        accepted++;
      } else {
        refused++;
      }
      bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_memory_equal(bytes, wire.data, wire.size);
    free(bytes);
    buf_free(&wire);
    arena_free(&arena);
  }
  assert_true(refused > 1000);
  assert_true(accepted > 1000);
}

static int nothing_is_left(void **state) {
  (void)state;
  return mem_test_live_blocks() == 0 ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(bad_values_are_named, nothing_is_left),
      cmocka_unit_test_teardown(bad_messages_are_named, nothing_is_left),
      cmocka_unit_test_teardown(exceptions_are_errors, nothing_is_left),
      cmocka_unit_test_teardown(calls_that_cannot_be_served_are_named, nothing_is_left),
      cmocka_unit_test_teardown(depth_is_bounded, nothing_is_left),
      cmocka_unit_test_teardown(memory_is_bounded, nothing_is_left),
      cmocka_unit_test_teardown(every_truncation_is_refused, nothing_is_left),
      cmocka_unit_test_teardown(every_flipped_bit_is_survived, nothing_is_left),
  };
  return cmocka_run_group_tests_name("thrift_hostile", tests, count_memory, NULL);
}
