/* What dbsql.h promises of results, errors, logs, waiting and forking, against a server whose every answer is written here. */
#include "test.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arrow/builder.h"
#include "arrow/ipc_writer.h"
#include "base/buf.h"
#include "base/error.h"
#include "thrift_server.h"

/* Longer than any wait that a promise allows, shorter than any limit that would end it otherwise. */
enum { soon_ms = 5000 };

/* ---- the server's answers ---- */

static struct TStatus success = {.has_statusCode = true, .statusCode = TStatusCode_SUCCESS_STATUS};
static struct TStatus invalid_handle = {.has_statusCode = true, .statusCode = TStatusCode_INVALID_HANDLE_STATUS};
static const uint8_t guid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const char guid_as_text[] = "01020304-0506-0708-090a-0b0c0d0e0f10";
static struct THandleIdentifier handle_id = {.has_guid = true, .guid = {guid, 16}, .has_secret = true, .secret = {guid, 16}};
static struct TSessionHandle session_handle = {.has_sessionId = true, .sessionId = &handle_id};
static struct TOperationHandle operation_handle = {
    .has_operationId = true, .operationId = &handle_id, .has_operationType = true, .has_hasResultSet = true, .hasResultSet = true};

/* What the server has for ExecuteStatement: an Arrow schema, and batches. */
struct answer {
  struct TStatus *status; /* NULL: success */
  bool only_accepted;     /* no direct results: state, metadata and rows are asked for */
  bool no_result_set;     /* as the handle and the state say */
  bool staging;
  bool truncated;
  bool more;
  bool open; /* the server does not close the operation by itself */
  struct buf schema;
  struct buf batch;
  int64_t rows;
  /* What the test wants to be called with every exchange first; true: it has answered. */
  bool (*first)(struct thrift_exchange *exchange, struct answer *answer);
  struct test_event stalled, go_on;
};

static void fill_metadata(struct answer *answer, struct TGetResultSetMetadataResp *metadata) {
  *metadata = (struct TGetResultSetMetadataResp){.has_status = true,
                                                 .status = &success,
                                                 .has_arrowSchema = answer->schema.size != 0,
                                                 .arrowSchema = buf_slice(&answer->schema),
                                                 .has_isStagingOperation = true,
                                                 .isStagingOperation = answer->staging};
  static struct thrift_unknown truncated = {.id = 0xD11, .type = THRIFT_BOOL, .bytes = {(const uint8_t *)"\1", 1}};
  if (answer->truncated) metadata->unknown = &truncated;
}

struct arrow_page {
  struct TFetchResultsResp response;
  struct TRowSet rows;
  struct TSparkArrowBatch batch;
};

static void fill_page(struct answer *answer, struct arrow_page *page, bool more) {
  page->batch =
      (struct TSparkArrowBatch){.has_batch = true, .batch = buf_slice(&answer->batch), .has_rowCount = true, .rowCount = answer->rows};
  page->rows = (struct TRowSet){
      .has_startRowOffset = true, .has_rows = true, .has_arrowBatches = true, .arrowBatches = {answer->batch.size != 0, &page->batch}};
  page->response = (struct TFetchResultsResp){
      .has_status = true, .status = &success, .has_hasMoreRows = true, .hasMoreRows = more, .has_results = true, .results = &page->rows};
}

static void reply_execute(struct thrift_exchange *exchange, struct answer *answer) {
  struct TOperationHandle handle = operation_handle;
  handle.hasResultSet = !answer->no_result_set;
  struct TGetOperationStatusResp state = {.has_status = true,
                                          .status = &success,
                                          .has_operationState = true,
                                          .operationState = TOperationState_FINISHED_STATE,
                                          .has_hasResultSet = true,
                                          .hasResultSet = !answer->no_result_set};
  struct TGetResultSetMetadataResp metadata;
  fill_metadata(answer, &metadata);
  struct arrow_page page;
  fill_page(answer, &page, answer->more);
  struct TCloseOperationResp close = {.has_status = true, .status = &success};
  struct TSparkDirectResults direct = {.has_operationStatus = true,
                                       .operationStatus = &state,
                                       .has_resultSetMetadata = true,
                                       .resultSetMetadata = &metadata,
                                       .has_resultSet = true,
                                       .resultSet = &page.response,
                                       .has_closeOperation = !answer->open,
                                       .closeOperation = &close};
  bool failed = answer->status && answer->status->statusCode > TStatusCode_STILL_EXECUTING_STATUS;
  struct TExecuteStatementResp response = {.has_status = true,
                                           .status = answer->status ? answer->status : &success,
                                           .has_operationHandle = !failed,
                                           .operationHandle = &handle,
                                           .has_directResults = !failed && !answer->only_accepted,
                                           .directResults = &direct};
  thrift_reply(exchange, &response);
}

static void serve(struct thrift_exchange *exchange) {
  struct answer *answer = exchange->user;
  if (answer->first && answer->first(exchange, answer)) return;
  switch (exchange->method) {
    case TCLI_OpenSession: {
      struct TOpenSessionResp response = {.has_status = true,
                                          .status = &success,
                                          .has_serverProtocolVersion = true,
                                          .serverProtocolVersion = 0xA508,
                                          .has_sessionHandle = true,
                                          .sessionHandle = &session_handle};
      thrift_reply(exchange, &response);
      break;
    }
    case TCLI_ExecuteStatement: reply_execute(exchange, answer); break;
    case TCLI_GetOperationStatus: {
      struct TGetOperationStatusResp state = {
          .has_status = true, .status = &success, .has_operationState = true, .operationState = TOperationState_FINISHED_STATE};
      thrift_reply(exchange, &state);
      break;
    }
    case TCLI_GetResultSetMetadata: {
      struct TGetResultSetMetadataResp metadata;
      fill_metadata(answer, &metadata);
      thrift_reply(exchange, &metadata);
      break;
    }
    case TCLI_FetchResults: {
      struct arrow_page page;
      fill_page(answer, &page, false);
      thrift_reply(exchange, &page.response);
      break;
    }
    case TCLI_GetInfo: {
      struct TGetInfoValue value = {.has_stringValue = true, .stringValue = slice_text("15.4")};
      struct TGetInfoResp response = {.has_status = true, .status = &success, .has_infoValue = true, .infoValue = &value};
      thrift_reply(exchange, &response);
      break;
    }
    case TCLI_CancelOperation: {
      struct TCancelOperationResp response = {.has_status = true, .status = &success};
      thrift_reply(exchange, &response);
      break;
    }
    default: thrift_reply_closed(exchange);
  }
}

/* ---- both sides together ---- */

struct scene {
  struct answer answer;
  struct thrift_server *server;
  dbsql_config *config;
  dbsql_connection *connection;
};

static void prepare(struct scene *scene) {
  *scene = (struct scene){.answer = {.stalled = TEST_EVENT_INIT, .go_on = TEST_EVENT_INIT}};
  scene->server = thrift_server_start(serve, &scene->answer);
  char text[128];
  assert_int_equal(dbsql_config_new(&scene->config, NULL), DBSQL_OK);
  snprintf(text, sizeof text, "http://token:t0ken-s3cret@127.0.0.1:%d/sql/1.0/warehouses/w", thrift_server_port(scene->server));
  assert_int_equal(dbsql_config_parse(scene->config, text, SIZE_MAX, NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_set(scene->config, "retry_min_wait_ms", "1", NULL), DBSQL_OK);
}

static void connect_scene(struct scene *scene) {
  dbsql_error *error = NULL;
  if (dbsql_connect(scene->config, NULL, &scene->connection, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
}

static void begin(struct scene *scene) {
  prepare(scene);
  connect_scene(scene);
}

static void end(struct scene *scene) {
  dbsql_connection_close(scene->connection, NULL, NULL);
  dbsql_config_free(scene->config);
  thrift_server_stop(scene->server);
  buf_free(&scene->answer.schema);
  buf_free(&scene->answer.batch);
}

static dbsql_result *execute(struct scene *scene) {
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  if (dbsql_execute(scene->connection, "SELECT", SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return result;
}

static bool step(dbsql_result *result) {
  bool has_row;
  dbsql_error *error = NULL;
  if (dbsql_row_next(result, NULL, &has_row, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return has_row;
}

static void assert_error(dbsql_status status, dbsql_error **error, const char *sqlstate, const char *text) {
  assert_int_not_equal(status, DBSQL_OK);
  assert_int_equal(dbsql_error_kind(*error), status);
  assert_string_equal(dbsql_error_sqlstate(*error), sqlstate);
  if (!strstr(dbsql_error_message(*error), text)) fail_msg("\"%s\" is not in \"%s\"", text, dbsql_error_message(*error));
  error_clear(error);
}

/* ---- results to serve ---- */

static void make_schema(struct ArrowSchema *schema, int64_t count, const char *const *formats) {
  static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"};
  assert_int_equal(arrow_schema_make(schema, "+s", "", 0, count, NULL), DBSQL_OK);
  for (int64_t i = 0; i < count; i++) {
    assert_int_equal(arrow_schema_make(schema->children[i], formats[i], names[i], ARROW_FLAG_NULLABLE, 0, NULL), DBSQL_OK);
  }
}

/* Takes what was built for the root as the batch to serve. */
static void take_batch(struct answer *answer, struct ArrowSchema *schema, struct arrow_builder *root, int64_t rows) {
  struct ArrowArray array;
  dbsql_error *error = NULL;
  for (int64_t i = 0; i < rows; i++) arrow_builder_append_entry(root);
  if (arrow_builder_finish(root, &array, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  buf_reset(&answer->schema);
  buf_reset(&answer->batch);
  assert_int_equal(ipc_write_schema(schema, &answer->schema, NULL), DBSQL_OK);
  if (rows != 0) assert_int_equal(ipc_write_batch(schema, &array, &answer->batch, NULL), DBSQL_OK);
  answer->rows = rows;
  array.release(&array);
  arrow_builder_free(root);
  schema->release(schema);
}

/* `rows` rows of one BIGINT "a" that counts from 0. */
static void serve_numbers(struct answer *answer, int64_t rows) {
  struct ArrowSchema schema;
  struct arrow_builder root;
  make_schema(&schema, 1, (const char *const[]){"l"});
  assert_int_equal(arrow_builder_init(&root, &schema, NULL), DBSQL_OK);
  for (int64_t i = 0; i < rows; i++) arrow_builder_append_fixed(&root.children[0], &i);
  take_batch(answer, &schema, &root, rows);
}

enum { BOOL, INT, BIGINT, DOUBLE, TEXT, BINARY, DECIMAL, INSTANT, SECONDS, DAYTIME, MONTHS, UNSIGNED, NOTHING, COLUMNS };

/* A row of values, and a row of NULLs. */
static void serve_types(struct answer *answer) {
  static const char *const formats[COLUMNS] = {"b", "i", "l", "g", "u", "z", "d:20,2", "tsu:UTC", "tss:UTC", "tDu", "tiM", "L", "n"};
  struct ArrowSchema schema;
  struct arrow_builder root;
  make_schema(&schema, COLUMNS, formats);
  assert_int_equal(arrow_builder_init(&root, &schema, NULL), DBSQL_OK);
  int32_t narrow = -7, months = 14;
  int64_t wide = INT64_MIN, instant = 1500000, seconds = INT64_MAX / 1000, daytime = -1;
  uint64_t decimal[2] = {(uint64_t)-1234, UINT64_MAX}, large = UINT64_MAX;
  double number = 0.5;
  arrow_builder_append_bool(&root.children[BOOL], true);
  arrow_builder_append_fixed(&root.children[INT], &narrow);
  arrow_builder_append_fixed(&root.children[BIGINT], &wide);
  arrow_builder_append_fixed(&root.children[DOUBLE], &number);
  arrow_builder_append_bytes(&root.children[TEXT], slice_text("Gr\xc3\xbc\xc3\x9f \"e\""));
  arrow_builder_append_bytes(&root.children[BINARY], slice_of("\0\1", 2));
  arrow_builder_append_fixed(&root.children[DECIMAL], decimal);
  arrow_builder_append_fixed(&root.children[INSTANT], &instant);
  arrow_builder_append_fixed(&root.children[SECONDS], &seconds);
  arrow_builder_append_fixed(&root.children[DAYTIME], &daytime);
  arrow_builder_append_fixed(&root.children[MONTHS], &months);
  arrow_builder_append_fixed(&root.children[UNSIGNED], &large);
  arrow_builder_append_null(&root.children[NOTHING]);
  for (int i = 0; i < COLUMNS; i++) arrow_builder_append_null(&root.children[i]);
  take_batch(answer, &schema, &root, 2);
}

/* ---- the row cursor ---- */

static void typed_getters_read_their_kind(void **state) {
  (void)state;
  struct scene scene;
  begin(&scene);
  serve_types(&scene.answer);
  dbsql_result *result = execute(&scene);
  assert_true(step(result));
  bool truth;
  int64_t integer;
  double number;
  const void *bytes;
  const char *text;
  size_t length;
  dbsql_decimal decimal;
  assert_int_equal(dbsql_get_bool(result, BOOL, &truth, NULL), DBSQL_OK);
  assert_true(truth);
  static const struct {
    size_t column;
    int64_t value;
  } integers[] = {{INT, -7}, {BIGINT, INT64_MIN}, {INSTANT, 1500000}, {DAYTIME, -1}, {MONTHS, 14}, {NOTHING, 0}};
  for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
    assert_int_equal(dbsql_get_int64(result, integers[i].column, &integer, NULL), DBSQL_OK);
    assert_int_equal(integer, integers[i].value);
  }
  assert_int_equal(dbsql_get_double(result, DOUBLE, &number, NULL), DBSQL_OK);
  assert_true(number == 0.5);
  assert_int_equal(dbsql_get_bytes(result, TEXT, &bytes, &length, NULL), DBSQL_OK);
  assert_int_equal(length, 10);
  assert_memory_equal(bytes, "Gr\xc3\xbc\xc3\x9f \"e\"", 10);
  assert_int_equal(dbsql_get_bytes(result, BINARY, &bytes, &length, NULL), DBSQL_OK);
  assert_int_equal(length, 2);
  assert_memory_equal(bytes, "\0\1", 2);
  assert_int_equal(dbsql_get_decimal(result, DECIMAL, &decimal, NULL), DBSQL_OK);
  assert_int_equal(decimal.high, -1);
  assert_true(decimal.low == (uint64_t)-1234);
  assert_int_equal(decimal.scale, 2);
  assert_int_equal(dbsql_get_decimal(result, UNSIGNED, &decimal, NULL), DBSQL_OK);
  assert_true(decimal.high == 0 && decimal.low == UINT64_MAX && decimal.scale == 0);
  /* Any column as text and as JSON. */
  assert_int_equal(dbsql_get_text(result, DECIMAL, &text, &length, NULL), DBSQL_OK);
  assert_string_equal(text, "-12.34");
  assert_int_equal(length, 6);
  assert_int_equal(dbsql_get_text(result, UNSIGNED, &text, NULL, NULL), DBSQL_OK);
  assert_string_equal(text, "18446744073709551615");
  assert_int_equal(dbsql_get_json(result, TEXT, &text, &length, NULL), DBSQL_OK);
  assert_string_equal(text, "\"Gr\xc3\xbc\xc3\x9f \\\"e\\\"\"");
  assert_int_equal(length, strlen(text));
  assert_int_equal(dbsql_get_json(result, BIGINT, &text, NULL, NULL), DBSQL_OK);
  assert_string_equal(text, "-9223372036854775808");
  assert_int_equal(dbsql_get_json(result, NOTHING, &text, NULL, NULL), DBSQL_OK);
  assert_string_equal(text, "null");
  assert_false(dbsql_is_null(result, TEXT));
  assert_true(dbsql_is_null(result, NOTHING));
  assert_true(dbsql_is_null(result, COLUMNS));

  assert_true(step(result));
  for (size_t i = 0; i < COLUMNS; i++) {
    assert_true(dbsql_is_null(result, i));
    assert_int_equal(dbsql_get_text(result, i, &text, &length, NULL), DBSQL_OK);
    assert_null(text);
    assert_int_equal(length, 0);
    assert_int_equal(dbsql_get_json(result, i, &text, NULL, NULL), DBSQL_OK);
    assert_string_equal(text, "null");
  }
  truth = true;
  integer = 1;
  number = 1;
  assert_int_equal(dbsql_get_bool(result, BOOL, &truth, NULL), DBSQL_OK);
  assert_false(truth);
  assert_int_equal(dbsql_get_int64(result, SECONDS, &integer, NULL), DBSQL_OK);
  assert_int_equal(integer, 0);
  assert_int_equal(dbsql_get_double(result, DOUBLE, &number, NULL), DBSQL_OK);
  assert_true(number == 0);
  assert_int_equal(dbsql_get_bytes(result, TEXT, &bytes, &length, NULL), DBSQL_OK);
  assert_null(bytes);
  assert_int_equal(dbsql_get_decimal(result, DECIMAL, &decimal, NULL), DBSQL_OK);
  assert_true(decimal.high == 0 && decimal.low == 0);
  dbsql_result_free(result);
  end(&scene);
}

static void typed_getters_refuse_what_is_not_theirs(void **state) {
  (void)state;
  struct scene scene;
  begin(&scene);
  serve_types(&scene.answer);
  dbsql_result *result = execute(&scene);
  dbsql_error *error = NULL;
  bool truth;
  int64_t integer;
  double number;
  const void *bytes;
  const char *text;
  size_t length;
  dbsql_decimal decimal;
  /* Before the first row, and after the last. */
  for (int turn = 0; turn < 2; turn++) {
    assert_error(dbsql_get_bool(result, 0, &truth, &error), &error, "24000", "no current row");
    assert_error(dbsql_get_int64(result, 0, &integer, &error), &error, "24000", "no current row");
    assert_error(dbsql_get_double(result, 0, &number, &error), &error, "24000", "no current row");
    assert_error(dbsql_get_bytes(result, 0, &bytes, &length, &error), &error, "24000", "no current row");
    assert_error(dbsql_get_decimal(result, 0, &decimal, &error), &error, "24000", "no current row");
    assert_error(dbsql_get_text(result, 0, &text, NULL, &error), &error, "24000", "no current row");
    assert_error(dbsql_get_json(result, 0, &text, NULL, &error), &error, "24000", "no current row");
    assert_true(dbsql_is_null(result, 0));
    if (turn == 1) break;
    assert_true(step(result));
    assert_error(dbsql_get_bool(result, INT, &truth, &error), &error, "07006",
                 "column 1 (b) is INT and came as Arrow \"i\": dbsql_get_bool");
    assert_error(dbsql_get_int64(result, DOUBLE, &integer, &error), &error, "07006", "dbsql_get_int64 does not read it");
    assert_error(dbsql_get_int64(result, TEXT, &integer, &error), &error, "07006", "column 4 (e) is STRING");
    assert_error(dbsql_get_double(result, BIGINT, &number, &error), &error, "07006", "dbsql_get_double");
    assert_error(dbsql_get_bytes(result, DECIMAL, &bytes, &length, &error), &error, "07006", "DECIMAL(20,2)");
    assert_error(dbsql_get_decimal(result, DOUBLE, &decimal, &error), &error, "07006", "dbsql_get_decimal");
    assert_error(dbsql_get_int64(result, SECONDS, &integer, &error), &error, "22003", "column 8 (i): the value cannot be told exactly");
    assert_error(dbsql_get_int64(result, UNSIGNED, &integer, &error), &error, "22003", "64 bits");
    assert_int_equal(integer, 0);
    assert_error(dbsql_get_int64(result, COLUMNS, &integer, &error), &error, "07009", "no column 13: the result has 13");
    assert_error(dbsql_get_text(result, SIZE_MAX, &text, NULL, &error), &error, "07009", "the result has 13");
    assert_error(dbsql_get_int64(result, 0, NULL, &error), &error, "HY009", "value must not be NULL");
    assert_true(step(result));
    assert_error(dbsql_get_double(result, BIGINT, &number, &error), &error, "07006", "dbsql_get_double");
    assert_false(step(result));
  }
  dbsql_result_free(result);
  end(&scene);
}

static void rows_and_batches_do_not_mix(void **state) {
  (void)state;
  struct scene scene;
  begin(&scene);
  serve_numbers(&scene.answer, 3);
  dbsql_result *result = execute(&scene);
  dbsql_error *error = NULL;
  struct ArrowArray batch;
  struct ArrowArrayStream stream;
  assert_true(step(result));
  assert_error(dbsql_result_next_batch(result, NULL, &batch, &error), &error, "HY010", "row by row");
  assert_null(batch.release);
  assert_error(dbsql_result_stream(result, NULL, &stream, &error), &error, "HY010", "row by row");
  assert_null(stream.release);
  /* The result stays with the caller, and its cursor where it was. */
  assert_int_equal(dbsql_result_rows_read(result), 1);
  assert_true(step(result) && step(result));
  assert_false(step(result));
  assert_int_equal(dbsql_result_rows_read(result), 3);
  dbsql_result_free(result);
  end(&scene);
}

/* ---- streams ---- */

static bool failing_fetch(struct thrift_exchange *exchange, struct answer *answer) {
  if (exchange->method != TCLI_FetchResults) return false;
  (void)answer;
  struct TFetchResultsResp response = {.has_status = true, .status = &invalid_handle};
  thrift_reply(exchange, &response);
  return true;
}

static void a_stream_tells_its_errors(void **state) {
  (void)state;
  struct scene scene;
  begin(&scene);
  serve_numbers(&scene.answer, 3);
  scene.answer.more = scene.answer.open = true;
  scene.answer.first = failing_fetch;
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  assert_int_equal(dbsql_result_stream(execute(&scene), NULL, &stream, NULL), DBSQL_OK);
  assert_null(stream.get_last_error(&stream));
  assert_int_equal(stream.get_next(&stream, &batch), 0);
  assert_int_equal(batch.length, 3);
  batch.release(&batch);
  assert_int_equal(stream.get_next(&stream, &batch), EIO);
  const char *text = stream.get_last_error(&stream);
  assert_non_null(strstr(text, "after 3 rows"));
  assert_non_null(strstr(text, "no longer knows the statement"));
  assert_null(batch.release);
  /* It stays an error; a short result never looks like an end. */
  assert_int_not_equal(stream.get_next(&stream, &batch), 0);
  stream.release(&stream);
  /* The statement is gone, the session is not. */
  assert_true(dbsql_connection_is_alive(scene.connection));
  end(&scene);
}

/* ---- what a server may answer ---- */

static void staging_operations_are_refused(void **state) {
  (void)state;
  for (int direct = 0; direct < 2; direct++) {
    struct scene scene;
    begin(&scene);
    serve_numbers(&scene.answer, 1);
    scene.answer.staging = scene.answer.open = true;
    scene.answer.only_accepted = !direct;
    dbsql_result *result = NULL;
    dbsql_error *error = NULL;
    assert_error(dbsql_execute(scene.connection, "PUT", SIZE_MAX, NULL, &result, &error), &error, "HYC00", "PUT, GET and REMOVE");
    assert_null(result);
    assert_int_equal(thrift_server_calls(scene.server, TCLI_CloseOperation), 1);
    assert_int_equal(thrift_server_calls(scene.server, TCLI_FetchResults), 0);
    end(&scene);
  }
}

static void an_invalid_handle_for_the_session_is_a_lost_session(void **state) {
  (void)state;
  struct scene scene;
  begin(&scene);
  scene.answer.status = &invalid_handle;
  dbsql_result *result;
  /* Also if the caller wants no error. */
  assert_int_equal(dbsql_execute(scene.connection, "SELECT", SIZE_MAX, NULL, &result, NULL), DBSQL_ERROR_REQUEST);
  assert_false(dbsql_connection_is_alive(scene.connection));
  dbsql_error *error = NULL;
  assert_error(dbsql_connection_ping(scene.connection, NULL, &error), &error, "08003", "open a new connection");
  assert_int_equal(thrift_server_calls(scene.server, TCLI_ExecuteStatement), 1);
  end(&scene);
}

static void rows_that_were_promised_are_missed(void **state) {
  (void)state;
  struct scene scene;
  begin(&scene);
  serve_numbers(&scene.answer, 3);
  scene.answer.more = true; /* and closes the statement all the same */
  dbsql_result *result = execute(&scene);
  dbsql_error *error = NULL;
  bool has_row;
  assert_true(step(result) && step(result) && step(result));
  assert_error(dbsql_row_next(result, NULL, &has_row, &error), &error, "HY000", "after 3 rows the server said that more follow");
  dbsql_result_free(result);
  /* Rows count also where the server says that there is no result set. */
  scene.answer.no_result_set = scene.answer.open = true;
  result = execute(&scene);
  assert_true(step(result) && step(result) && step(result));
  assert_int_equal(dbsql_row_next(result, NULL, &has_row, &error), DBSQL_ERROR_DRIVER); /* the second page repeats the first */
  error_clear(&error);
  dbsql_result_free(result);
  end(&scene);
}

static void a_statement_without_a_result_set_has_no_columns(void **state) {
  (void)state;
  struct scene scene;
  begin(&scene);
  scene.answer.no_result_set = scene.answer.only_accepted = true;
  dbsql_result *result = execute(&scene);
  assert_int_equal(dbsql_result_column_count(result), 0);
  assert_int_equal(dbsql_result_affected_rows(result), -1);
  struct ArrowSchema schema;
  assert_int_equal(dbsql_result_schema(result, &schema, NULL), DBSQL_OK);
  assert_int_equal(schema.n_children, 0);
  schema.release(&schema);
  assert_false(step(result));
  dbsql_result_free(result);
  assert_int_equal(thrift_server_calls(scene.server, TCLI_GetResultSetMetadata), 0);
  assert_int_equal(thrift_server_calls(scene.server, TCLI_CloseOperation), 1);
  end(&scene);
}

static void results_of_every_shape(void **state) {
  (void)state;
  enum { many = 10000 };
  struct scene scene;
  begin(&scene);
  struct ArrowSchema schema;
  struct arrow_builder root;
  int64_t value;
  /* No columns, but rows. */
  make_schema(&schema, 0, NULL);
  assert_int_equal(arrow_builder_init(&root, &schema, NULL), DBSQL_OK);
  take_batch(&scene.answer, &schema, &root, 5);
  dbsql_result *result = execute(&scene);
  for (int i = 0; i < 5; i++) assert_true(step(result));
  assert_false(step(result));
  dbsql_result_free(result);
  /* Columns, but no rows. */
  serve_numbers(&scene.answer, 0);
  result = execute(&scene);
  assert_int_equal(dbsql_result_column_count(result), 1);
  assert_false(step(result));
  assert_int_equal(dbsql_result_rows_read(result), 0);
  dbsql_result_free(result);
  /* Ten thousand columns of one name. */
  assert_int_equal(arrow_schema_make(&schema, "+s", "", 0, many, NULL), DBSQL_OK);
  for (int64_t i = 0; i < many; i++) assert_int_equal(arrow_schema_make(schema.children[i], "l", "x", 0, 0, NULL), DBSQL_OK);
  assert_int_equal(arrow_builder_init(&root, &schema, NULL), DBSQL_OK);
  for (int64_t i = 0; i < many; i++) arrow_builder_append_fixed(&root.children[i], &i);
  take_batch(&scene.answer, &schema, &root, 1);
  result = execute(&scene);
  assert_int_equal(dbsql_result_column_count(result), many);
  assert_true(step(result));
  dbsql_column column;
  for (size_t i = 0; i < many; i++) {
    assert_int_equal(dbsql_get_int64(result, i, &value, NULL), DBSQL_OK);
    assert_int_equal(value, i);
    assert_true(dbsql_result_column(result, i, &column));
    assert_string_equal(column.name, "x");
    assert_string_equal(column.type_text, "BIGINT");
  }
  assert_false(dbsql_result_column(result, many, &column));
  assert_false(step(result));
  dbsql_result_free(result);
  end(&scene);
}

/* ---- errors and logs ---- */

static void errors_say_whose_they_are(void **state) {
  (void)state;
  struct TStatus failed = {.has_statusCode = true, .statusCode = TStatusCode_ERROR_STATUS, .has_errorCode = true, .errorCode = 42};
  struct scene scene;
  begin(&scene);
  dbsql_call call = DBSQL_CALL_INIT;
  call.correlation_id = "corr-1";
  dbsql_result *result;
  for (int turn = 0; turn < 2; turn++) {
    dbsql_error *error = NULL;
    scene.answer.status = &failed;
    dbsql_status status = dbsql_execute(scene.connection, turn ? "\xff" : "SELECT", SIZE_MAX, &call, &result, &error);
    assert_int_equal(status, turn ? DBSQL_ERROR_DRIVER : DBSQL_ERROR_EXECUTION);
    assert_string_equal(dbsql_error_connection_id(error), guid_as_text);
    assert_string_equal(dbsql_error_correlation_id(error), "corr-1");
    assert_string_equal(dbsql_error_host(error), "127.0.0.1");
    assert_string_equal(dbsql_error_request_id(error), turn ? "" : "r-1");
    assert_int_equal(dbsql_error_attempts(error), turn ? 0 : 1);
    assert_int_equal(dbsql_error_vendor_code(error), turn ? 0 : 42);
    error_clear(&error);
  }
  end(&scene);
}

static void a_call_that_was_not_begun_is_refused(void **state) {
  (void)state;
  struct scene scene;
  begin(&scene);
  serve_numbers(&scene.answer, 1);
  dbsql_call call = {0};
  call.timeout_ms = 100;
  dbsql_error *error = NULL;
  dbsql_result *result = execute(&scene);
  dbsql_result *other;
  dbsql_connection *connection;
  struct ArrowArrayStream stream;
  bool has_row;
  static const char text[] = "begin with DBSQL_CALL_INIT";
  assert_error(dbsql_connect(scene.config, &call, &connection, &error), &error, "HY009", text);
  assert_error(dbsql_execute(scene.connection, "SELECT", SIZE_MAX, &call, &other, &error), &error, "HY009", text);
  assert_error(dbsql_result_stream(result, &call, &stream, &error), &error, "HY009", text);
  assert_error(dbsql_row_next(result, &call, &has_row, &error), &error, "HY009", text);
  assert_true(step(result));
  dbsql_result_free(result);
  end(&scene);
}

struct journal {
  pthread_mutex_t lock;
  struct buf text;
};

static void note(void *user, const dbsql_log_record *record) {
  static const char *const levels[] = {"off", "error", "warn", "info", "debug", "trace"};
  struct journal *journal = user;
  pthread_mutex_lock(&journal->lock);
  buf_printf(&journal->text, "%s %s: %s", levels[record->level], record->module, record->message);
  for (size_t i = 0; i < record->field_count; i++) buf_printf(&journal->text, " %s=%s", record->fields[i].key, record->fields[i].value);
  buf_append_byte(&journal->text, '\n');
  pthread_mutex_unlock(&journal->lock);
}

static void calls_and_warnings_are_logged_and_secrets_are_not(void **state) {
  (void)state;
  struct slice warning = slice_text("the warehouse is tired");
  struct TStatus with_info = {
      .has_statusCode = true, .statusCode = TStatusCode_SUCCESS_WITH_INFO_STATUS, .has_infoMessages = true, .infoMessages = {1, &warning}};
  struct journal journal = {PTHREAD_MUTEX_INITIALIZER, BUF_INIT};
  struct scene scene;
  prepare(&scene);
  dbsql_config_set_log(scene.config, DBSQL_LOG_TRACE, note, &journal);
  connect_scene(&scene);
  serve_numbers(&scene.answer, 1);
  scene.answer.status = &with_info;
  scene.answer.only_accepted = true;
  dbsql_result_free(execute(&scene));
  /* Odd, but nothing is lost: more rows than are declared, and truncation by the server. */
  serve_numbers(&scene.answer, 5);
  scene.answer.rows = 3;
  scene.answer.only_accepted = false;
  scene.answer.truncated = true;
  dbsql_result *result = execute(&scene);
  assert_true(step(result) && step(result) && step(result));
  assert_false(step(result));
  dbsql_result_free(result);
  end(&scene);
  const char *text = buf_text(&journal.text);
  static const char *const lines[] = {
      "info session: session opened connection_id=01020304-0506-0708-090a-0b0c0d0e0f10 host=127.0.0.1\n",
      "debug thrift: call done method=ExecuteStatement duration_ms=",
      " attempts=1 request_id=r-1\n",
      "debug thrift: call done method=GetOperationStatus query_id=01020304-0506-0708-090a-0b0c0d0e0f10 duration_ms=",
      "warn backend: the server warns method=ExecuteStatement warning=the warehouse is tired\n",
      "trace thrift: request method=CloseOperation message=TCloseOperationReq{",
      "trace thrift: answer method=OpenSession message=TOpenSessionResp{",
      "warn result: an Arrow batch has more rows than are declared for it, which are dropped rows=2 next_row=0\n",
      "warn backend: the server has cut the result at its limit of bytes query_id=01020304",
      "info session: session closed connection_id=01020304-0506-0708-090a-0b0c0d0e0f10",
  };
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    if (!strstr(text, lines[i])) fail_msg("\"%s\" is not in\n%s", lines[i], text);
  }
  assert_null(strstr(text, "s3cret"));
  buf_free(&journal.text);
}

/* ---- waiting ---- */

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool stall_keepalive(struct thrift_exchange *exchange, struct answer *answer) {
  if (exchange->method != TCLI_GetInfo || exchange->number != 0) return false;
  test_event_set(&answer->stalled);
  test_event_wait(&answer->go_on);
  exchange_close(exchange->http);
  return true;
}

static void nobody_waits_for_the_keep_alive_thread(void **state) {
  (void)state;
  struct scene scene;
  prepare(&scene);
  scene.answer.first = stall_keepalive;
  assert_int_equal(dbsql_config_set(scene.config, "keepalive_interval_s", "1", NULL), DBSQL_OK);
  connect_scene(&scene);
  test_event_wait(&scene.answer.stalled);
  /* The thread now waits for an answer that does not come: its limit is half a minute. */
  int64_t start = now_ms();
  assert_int_equal(dbsql_connection_ping(scene.connection, NULL, NULL), DBSQL_OK);
  assert_int_equal(dbsql_connection_close(scene.connection, NULL, NULL), DBSQL_OK);
  scene.connection = NULL;
  assert_true(now_ms() - start < soon_ms);
  assert_int_equal(thrift_server_calls(scene.server, TCLI_CloseSession), 1);
  test_event_set(&scene.answer.go_on);
  end(&scene);
}

/* Everything after the statement has been accepted is never answered; or already the statement is not. */
static bool dead_from_execute(struct thrift_exchange *exchange, struct answer *answer) {
  if (exchange->method == TCLI_OpenSession) return false;
  test_event_set(&answer->stalled);
  test_event_wait(&answer->go_on);
  exchange_close(exchange->http);
  return true;
}

static bool dead_after_execute(struct thrift_exchange *exchange, struct answer *answer) {
  return exchange->method != TCLI_ExecuteStatement && dead_from_execute(exchange, answer);
}

struct trigger {
  struct test_event *when;
  dbsql_cancel *cancel;
};

static void *trigger_when(void *user) {
  struct trigger *trigger = user;
  test_event_wait(trigger->when);
  dbsql_cancel_trigger(trigger->cancel);
  return NULL;
}

static void a_cancelled_call_returns_though_the_network_is_dead(void **state) {
  (void)state;
  for (int accepted = 0; accepted < 2; accepted++) {
    struct scene scene;
    begin(&scene);
    scene.answer.first = accepted ? dead_after_execute : dead_from_execute;
    scene.answer.only_accepted = true;
    dbsql_call call = DBSQL_CALL_INIT;
    assert_int_equal(dbsql_cancel_new(&call.cancel, NULL), DBSQL_OK);
    struct trigger trigger = {&scene.answer.stalled, call.cancel};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, trigger_when, &trigger), 0);
    int64_t start = now_ms();
    dbsql_result *result;
    assert_int_equal(dbsql_execute(scene.connection, "SELECT", SIZE_MAX, &call, &result, NULL), DBSQL_ERROR_CANCELLED);
    assert_int_equal(dbsql_connection_close(scene.connection, &call, NULL), DBSQL_ERROR_CANCELLED);
    assert_true(now_ms() - start < soon_ms);
    scene.connection = NULL;
    pthread_join(thread, NULL);
    dbsql_cancel_free(call.cancel);
    test_event_set(&scene.answer.go_on);
    end(&scene);
  }
}

static void the_end_of_a_result_is_told_within_the_time_limit(void **state) {
  (void)state;
  struct scene scene;
  begin(&scene);
  serve_numbers(&scene.answer, 1);
  scene.answer.open = true;
  scene.answer.first = dead_after_execute;
  dbsql_result *result = execute(&scene);
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = 50;
  int64_t start = now_ms();
  bool has_row;
  assert_int_equal(dbsql_row_next(result, &call, &has_row, NULL), DBSQL_OK);
  assert_true(has_row);
  /* CloseOperation is not answered; the rows are complete all the same. */
  assert_int_equal(dbsql_row_next(result, &call, &has_row, NULL), DBSQL_OK);
  assert_false(has_row);
  assert_true(now_ms() - start < soon_ms);
  assert_int_equal(thrift_server_calls(scene.server, TCLI_CloseOperation), 1);
  dbsql_result_free(result);
  test_event_set(&scene.answer.go_on);
  end(&scene);
}

static void a_host_that_does_not_answer_can_be_given_up(void **state) {
  (void)state;
  /* Listens and never accepts: the connection is made, and then nothing. */
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(listener, 8), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
  for (int tls = 0; tls < 2; tls++) {
    dbsql_config *config;
    char text[128];
    assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
    snprintf(text, sizeof text, "http%s://token:t0ken-s3cret@127.0.0.1:%d/sql/1.0/warehouses/w", tls ? "s" : "", ntohs(address.sin_port));
    assert_int_equal(dbsql_config_parse(config, text, SIZE_MAX, NULL), DBSQL_OK);
    dbsql_call call = DBSQL_CALL_INIT;
    call.timeout_ms = 100;
    dbsql_connection *connection;
    dbsql_error *error = NULL;
    int64_t start = now_ms();
    assert_int_equal(dbsql_connect(config, &call, &connection, &error), DBSQL_ERROR_TIMEOUT);
    assert_null(connection);
    assert_true(dbsql_error_elapsed_ms(error) >= 100);
    assert_string_equal(dbsql_error_host(error), "127.0.0.1");
    error_clear(&error);
    struct test_event now = TEST_EVENT_INIT;
    assert_int_equal(dbsql_cancel_new(&call.cancel, NULL), DBSQL_OK);
    struct trigger trigger = {&now, call.cancel};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, trigger_when, &trigger), 0);
    call.timeout_ms = -1;
    test_event_set(&now);
    assert_int_equal(dbsql_connect(config, &call, &connection, &error), DBSQL_ERROR_CANCELLED);
    error_clear(&error);
    assert_true(now_ms() - start < soon_ms);
    pthread_join(thread, NULL);
    dbsql_cancel_free(call.cancel);
    dbsql_config_free(config);
  }
  close(listener);
}

static bool slow_execute(struct thrift_exchange *exchange, struct answer *answer) {
  if (exchange->method != TCLI_ExecuteStatement) return false;
  test_event_set(&answer->stalled);
  test_event_wait(&answer->go_on);
  return false;
}

struct cancelling {
  struct scene *scene;
  dbsql_statement *statement;
};

static void *cancel_when_sent(void *user) {
  struct cancelling *cancelling = user;
  test_event_wait(&cancelling->scene->answer.stalled);
  assert_int_equal(dbsql_statement_cancel(cancelling->statement, NULL, NULL), DBSQL_OK);
  test_event_set(&cancelling->scene->answer.go_on);
  return NULL;
}

/* Cancelled before the server has told the statement's id: it takes effect with the answer. */
static void a_cancel_that_comes_early_counts(void **state) {
  (void)state;
  for (int finished = 0; finished < 2; finished++) {
    struct scene scene;
    begin(&scene);
    serve_numbers(&scene.answer, 1);
    scene.answer.first = slow_execute;
    scene.answer.only_accepted = !finished;
    struct cancelling cancelling = {&scene, NULL};
    assert_int_equal(dbsql_statement_new(scene.connection, &cancelling.statement, NULL), DBSQL_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_sent, &cancelling), 0);
    dbsql_result *result;
    dbsql_error *error = NULL;
    dbsql_status status = dbsql_statement_execute(cancelling.statement, "INSERT", SIZE_MAX, NULL, &result, &error);
    assert_string_equal(dbsql_error_query_id(error), guid_as_text);
    /* Whoever reads it must not believe that nothing has happened. */
    assert_int_equal(strstr(dbsql_error_message(error), "had finished it already") != NULL, finished);
    assert_error(status, &error, "HY008", "the statement was cancelled");
    pthread_join(thread, NULL);
    assert_int_equal(thrift_server_calls(scene.server, TCLI_CancelOperation), !finished);
    assert_int_equal(thrift_server_calls(scene.server, TCLI_CloseOperation), !finished);
    dbsql_statement_free(cancelling.statement);
    end(&scene);
  }
}

/* ---- the order of freeing, and forks ---- */

static void what_outlives_its_connection_can_be_freed(void **state) {
  (void)state;
  struct scene scene;
  begin(&scene);
  serve_numbers(&scene.answer, 2);
  scene.answer.more = scene.answer.open = true;
  dbsql_result *result = execute(&scene);
  struct ArrowArrayStream stream;
  assert_int_equal(dbsql_result_stream(execute(&scene), NULL, &stream, NULL), DBSQL_OK);
  dbsql_statement *statement;
  assert_int_equal(dbsql_statement_new(scene.connection, &statement, NULL), DBSQL_OK);
  assert_int_equal(dbsql_connection_close(scene.connection, NULL, NULL), DBSQL_OK);
  scene.connection = NULL;
  struct ArrowArray batch;
  dbsql_error *error = NULL;
  assert_error(dbsql_result_next_batch(result, NULL, &batch, &error), &error, "08003", "open a new connection");
  assert_int_not_equal(stream.get_next(&stream, &batch), 0);
  dbsql_result *more;
  assert_error(dbsql_statement_execute(statement, "SELECT", SIZE_MAX, NULL, &more, &error), &error, "08003", "open a new connection");
  stream.release(&stream);
  dbsql_result_free(result);
  dbsql_statement_free(statement);
  char *story = thrift_server_story(scene.server);
  assert_string_equal(story, "OpenSession ExecuteStatement*2 CloseSession");
  free(story);
  end(&scene);
}

/* In the child: 0 if all is as the header says. No asserts: they would run the parent's tests on. */
static int child(struct scene *scene, dbsql_result *result) {
  dbsql_error *error = NULL;
  if (dbsql_connection_ping(scene->connection, NULL, &error) != DBSQL_ERROR_DRIVER) return 1;
  if (strcmp(dbsql_error_sqlstate(error), "08003") != 0 || !strstr(dbsql_error_message(error), "forked")) return 2;
  error_clear(&error);
  dbsql_result_free(result);
  if (dbsql_connection_close(scene->connection, NULL, &error) != DBSQL_OK) return 3;
#if !defined(__SANITIZE_THREAD__) /* which refuses to start threads after a fork */
  dbsql_connection *own;
  if (dbsql_connect(scene->config, NULL, &own, &error) != DBSQL_OK) return 4;
  if (dbsql_connection_ping(own, NULL, NULL) != DBSQL_OK) return 5;
  if (dbsql_connection_close(own, NULL, NULL) != DBSQL_OK) return 6;
#endif
  return 0;
}

static void a_fork_leaves_the_session_to_the_parent(void **state) {
  (void)state;
  struct scene scene;
  prepare(&scene);
  /* With the keep-alive thread at work: its lock may be held when the fork happens. */
  scene.answer.first = stall_keepalive;
  assert_int_equal(dbsql_config_set(scene.config, "keepalive_interval_s", "1", NULL), DBSQL_OK);
  connect_scene(&scene);
  serve_numbers(&scene.answer, 2);
  scene.answer.open = true;
  test_event_wait(&scene.answer.stalled);
  dbsql_result *result = execute(&scene);
  pid_t pid = fork();
  if (pid == 0) _exit(child(&scene, result));
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_int_equal(thrift_server_calls(scene.server, TCLI_CloseOperation), 0);
  int closed = thrift_server_calls(scene.server, TCLI_CloseSession); /* the child's own */
  assert_true(step(result) && step(result));
  assert_false(step(result));
  dbsql_result_free(result);
  assert_int_equal(dbsql_connection_ping(scene.connection, NULL, NULL), DBSQL_OK);
  assert_int_equal(dbsql_connection_close(scene.connection, NULL, NULL), DBSQL_OK);
  scene.connection = NULL;
  assert_int_equal(thrift_server_calls(scene.server, TCLI_CloseSession), closed + 1);
  test_event_set(&scene.answer.go_on);
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(typed_getters_read_their_kind),
      cmocka_unit_test(typed_getters_refuse_what_is_not_theirs),
      cmocka_unit_test(rows_and_batches_do_not_mix),
      cmocka_unit_test(a_stream_tells_its_errors),
      cmocka_unit_test(staging_operations_are_refused),
      cmocka_unit_test(an_invalid_handle_for_the_session_is_a_lost_session),
      cmocka_unit_test(rows_that_were_promised_are_missed),
      cmocka_unit_test(a_statement_without_a_result_set_has_no_columns),
      cmocka_unit_test(results_of_every_shape),
      cmocka_unit_test(errors_say_whose_they_are),
      cmocka_unit_test(a_call_that_was_not_begun_is_refused),
      cmocka_unit_test(calls_and_warnings_are_logged_and_secrets_are_not),
      cmocka_unit_test(nobody_waits_for_the_keep_alive_thread),
      cmocka_unit_test(a_cancelled_call_returns_though_the_network_is_dead),
      cmocka_unit_test(the_end_of_a_result_is_told_within_the_time_limit),
      cmocka_unit_test(a_host_that_does_not_answer_can_be_given_up),
      cmocka_unit_test(a_cancel_that_comes_early_counts),
      cmocka_unit_test(what_outlives_its_connection_can_be_freed),
      cmocka_unit_test(a_fork_leaves_the_session_to_the_parent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
