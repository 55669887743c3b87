/* Sessions and statements against a server whose every answer is written here (thrift.md 2, 3, 5, 7, 8, 10). */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "thrift_server.h"

/* ---- the server's answers ---- */

static struct TStatus success = {.has_statusCode = true, .statusCode = TStatusCode_SUCCESS_STATUS};
static const uint8_t guid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const char guid_as_text[] = "01020304-0506-0708-090a-0b0c0d0e0f10";
static struct THandleIdentifier handle_id = {.has_guid = true, .guid = {guid, 16}, .has_secret = true, .secret = {guid, 16}};
static struct TSessionHandle session_handle = {.has_sessionId = true, .sessionId = &handle_id};
static struct TOperationHandle operation_handle = {
    .has_operationId = true, .operationId = &handle_id, .has_operationType = true, .has_hasResultSet = true, .hasResultSet = true};

static void reply_status(struct thrift_exchange *exchange, struct TStatus *status) {
  /* Every answer has its status as field 1, so that the first members of all of them look alike. */
  struct TCloseSessionResp response = {.has_status = true, .status = status};
  switch (exchange->method) {
    case TCLI_CloseSession: thrift_reply(exchange, &response); break;
    case TCLI_CloseOperation: {
      struct TCloseOperationResp close = {.has_status = true, .status = status};
      thrift_reply(exchange, &close);
      break;
    }
    case TCLI_CancelOperation: {
      struct TCancelOperationResp cancel = {.has_status = true, .status = status};
      thrift_reply(exchange, &cancel);
      break;
    }
    case TCLI_ExecuteStatement: {
      struct TExecuteStatementResp execute = {.has_status = true, .status = status};
      thrift_reply(exchange, &execute);
      break;
    }
    case TCLI_FetchResults: {
      struct TFetchResultsResp rows = {.has_status = true, .status = status};
      thrift_reply(exchange, &rows);
      break;
    }
    case TCLI_GetOperationStatus: {
      struct TGetOperationStatusResp state = {.has_status = true, .status = status};
      thrift_reply(exchange, &state);
      break;
    }
    default: exchange_reply(exchange->http, 500, NULL, "no such answer in this test");
  }
}

static void reply_state(struct thrift_exchange *exchange, int32_t state) {
  struct TGetOperationStatusResp response = {.has_status = true, .status = &success, .has_operationState = true, .operationState = state};
  thrift_reply(exchange, &response);
}

/* One BIGINT column "n". */
static struct TPrimitiveTypeEntry bigint = {.has_type = true, .type = TTypeId_BIGINT_TYPE};
static struct TTypeEntry bigint_entry = {.has_primitiveEntry = true, .primitiveEntry = &bigint};
static struct TTypeDesc bigint_description = {.has_types = true, .types = {1, &bigint_entry}};
static struct TColumnDesc bigint_column = {.has_columnName = true,
                                           .columnName = {(const uint8_t *)"n", 1},
                                           .has_typeDesc = true,
                                           .typeDesc = &bigint_description,
                                           .has_position = true,
                                           .position = 1};
static struct TTableSchema bigint_schema = {.has_columns = true, .columns = {1, &bigint_column}};

static void fill_metadata(struct TGetResultSetMetadataResp *metadata) {
  *metadata = (struct TGetResultSetMetadataResp){.has_status = true, .status = &success, .has_schema = true, .schema = &bigint_schema};
}

struct column_page {
  struct TFetchResultsResp response;
  struct TRowSet rows;
  struct TColumn column;
  struct TI64Column values;
  uint8_t bytes[8 * 64];
};

static void fill_page(struct column_page *page, int64_t first, uint32_t count, bool more) {
  memset(page, 0, sizeof *page);
  for (uint32_t i = 0; i < count; i++) {
    uint64_t value = (uint64_t)(first + i);
    for (int b = 0; b < 8; b++) page->bytes[8 * i + (uint32_t)b] = (uint8_t)(value >> (56 - 8 * b));
  }
  page->values = (struct TI64Column){
      .has_values = true, .values = {THRIFT_I64, count, {page->bytes, 8 * count}}, .has_nulls = true, .nulls = {(const uint8_t *)"", 1}};
  page->column = (struct TColumn){.has_i64Val = true, .i64Val = &page->values};
  page->rows = (struct TRowSet){
      .has_startRowOffset = true, .startRowOffset = first, .has_rows = true, .has_columns = true, .columns = {1, &page->column}};
  page->response = (struct TFetchResultsResp){
      .has_status = true, .status = &success, .has_hasMoreRows = true, .hasMoreRows = more, .has_results = true, .results = &page->rows};
}

static void reply_rows(struct thrift_exchange *exchange, int64_t first, uint32_t count, bool more) {
  struct column_page page;
  fill_page(&page, first, count, more);
  thrift_reply(exchange, &page.response);
}

static void reply_open(struct thrift_exchange *exchange, int32_t version) {
  struct TNamespace initial = {
      .has_catalogName = true, .catalogName = slice_text("main"), .has_schemaName = true, .schemaName = slice_text("default")};
  struct TOpenSessionResp response = {.has_status = true,
                                      .status = &success,
                                      .has_serverProtocolVersion = true,
                                      .serverProtocolVersion = version,
                                      .has_sessionHandle = true,
                                      .sessionHandle = &session_handle};
  if (version > 10) {
    response.has_initialNamespace = true;
    response.initialNamespace = &initial;
  }
  thrift_reply(exchange, &response);
}

/* The statement is accepted, and nothing is said of its state. */
static void reply_accepted(struct thrift_exchange *exchange) {
  struct TExecuteStatementResp response = {
      .has_status = true, .status = &success, .has_operationHandle = true, .operationHandle = &operation_handle};
  thrift_reply(exchange, &response);
}

/* Everything in one answer: state, metadata, rows and, if `closed`, the end. */
static void reply_direct(struct thrift_exchange *exchange, uint32_t count, bool more, bool closed) {
  struct TGetOperationStatusResp state = {
      .has_status = true, .status = &success, .has_operationState = true, .operationState = TOperationState_FINISHED_STATE};
  struct TGetResultSetMetadataResp metadata;
  fill_metadata(&metadata);
  struct column_page page;
  fill_page(&page, 0, count, more);
  struct TCloseOperationResp close = {.has_status = true, .status = &success};
  struct TSparkDirectResults direct = {.has_operationStatus = true,
                                       .operationStatus = &state,
                                       .has_resultSetMetadata = true,
                                       .resultSetMetadata = &metadata,
                                       .has_resultSet = true,
                                       .resultSet = &page.response};
  if (closed) {
    direct.has_closeOperation = true;
    direct.closeOperation = &close;
  }
  struct TExecuteStatementResp response = {.has_status = true,
                                           .status = &success,
                                           .has_operationHandle = true,
                                           .operationHandle = &operation_handle,
                                           .has_directResults = true,
                                           .directResults = &direct};
  thrift_reply(exchange, &response);
}

/* What most tests want of the calls that they are not about. */
static void usual(struct thrift_exchange *exchange) {
  switch (exchange->method) {
    case TCLI_OpenSession: reply_open(exchange, 0xA508); break;
    case TCLI_ExecuteStatement: reply_direct(exchange, 3, false, true); break;
    case TCLI_GetOperationStatus: reply_state(exchange, TOperationState_FINISHED_STATE); break;
    case TCLI_GetResultSetMetadata: {
      struct TGetResultSetMetadataResp metadata;
      fill_metadata(&metadata);
      thrift_reply(exchange, &metadata);
      break;
    }
    case TCLI_GetInfo: {
      struct TGetInfoValue value = {.has_stringValue = true, .stringValue = slice_text("15.4")};
      struct TGetInfoResp response = {.has_status = true, .status = &success, .has_infoValue = true, .infoValue = &value};
      thrift_reply(exchange, &response);
      break;
    }
    default: reply_status(exchange, &success);
  }
}

/* ---- the client's side ---- */

static dbsql_config *config_for(struct thrift_server *server, const char *path) {
  dbsql_config *config;
  char text[128];
  assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
  snprintf(text, sizeof text, "http://token:t0ken-s3cret@127.0.0.1:%d%s", thrift_server_port(server), path);
  assert_int_equal(dbsql_config_parse(config, text, strlen(text), NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_set(config, "retry_min_wait_ms", "1", NULL), DBSQL_OK);
  return config;
}

static dbsql_connection *connect_with(dbsql_config *config) {
  dbsql_connection *connection = NULL;
  dbsql_error *error = NULL;
  if (dbsql_connect(config, NULL, &connection, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  dbsql_config_free(config);
  return connection;
}

static dbsql_connection *connect_to(struct thrift_server *server) {
  return connect_with(config_for(server, "/sql/1.0/warehouses/w?o=42"));
}

/* Reads all rows, which must count up from 0. */
static int64_t count_rows(dbsql_result *result) {
  int64_t rows = 0;
  for (;;) {
    bool has_row;
    dbsql_error *error = NULL;
    if (dbsql_row_next(result, NULL, &has_row, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    if (!has_row) return rows;
    int64_t value;
    assert_int_equal(dbsql_get_int64(result, 0, &value, NULL), DBSQL_OK);
    assert_int_equal(value, rows);
    rows++;
    assert_int_equal(dbsql_result_rows_read(result), rows);
  }
}

static dbsql_result *execute(dbsql_connection *connection, const char *sql) {
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  if (dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return result;
}

static void assert_story(struct thrift_server *server, const char *expected) {
  char *story = thrift_server_story(server);
  assert_string_equal(story, expected);
  free(story);
}

/* ---- tests ---- */

static void check_open(struct thrift_exchange *exchange) {
  if (exchange->method == TCLI_OpenSession) {
    const struct TOpenSessionReq *request = exchange->request;
    assert_int_equal(request->client_protocol, -7);
    assert_int_equal(request->client_protocol_i64, 0xA508);
    assert_true(request->canUseMultipleCatalogs);
    assert_true(slice_equal(request->initialNamespace->catalogName, slice_text("main")));
    assert_int_equal(request->configuration.count, 1);
    assert_true(slice_equal(request->configuration.items[0].key, slice_text("ANSI_MODE")));
    assert_null(request->unknown); /* no internal field ids */
    char *header = exchange_header(exchange->http, "Authorization");
    assert_string_equal(header, "Bearer t0ken-s3cret");
    free(header);
    header = exchange_header(exchange->http, "x-databricks-org-id");
    assert_string_equal(header, "42");
    free(header);
    header = exchange_header(exchange->http, "User-Agent");
    assert_non_null(strstr(header, "dbsql/" DBSQL_VERSION " (my app)"));
    free(header);
    assert_string_equal(exchange->http->target, "/sql/1.0/warehouses/w?o=42");
  }
  usual(exchange);
}

static void opens_and_closes_a_session(void **state) {
  (void)state;
  struct thrift_server *server = thrift_server_start(check_open, NULL);
  dbsql_config *config = config_for(server, "/sql/1.0/warehouses/w?o=42&catalog=main&ANSI_MODE=true");
  assert_int_equal(dbsql_config_set(config, "user_agent_entry", "my app", NULL), DBSQL_OK);
  dbsql_connection *connection = connect_with(config);
  assert_string_equal(dbsql_connection_id(connection), guid_as_text);
  assert_int_equal(dbsql_connection_protocol_version(connection), 0xA508);
  assert_true(dbsql_connection_is_alive(connection));
  assert_int_equal(dbsql_connection_ping(connection, NULL, NULL), DBSQL_OK);
  char *version;
  assert_int_equal(dbsql_connection_get_info(connection, 18, NULL, &version, NULL), DBSQL_OK);
  assert_string_equal(version, "15.4");
  dbsql_free(version);
  assert_int_equal(dbsql_connection_close(connection, NULL, NULL), DBSQL_OK);
  assert_story(server, "OpenSession GetInfo*2 CloseSession");
  thrift_server_stop(server);
}

static void everything_in_one_answer_needs_one_call(void **state) {
  (void)state;
  struct thrift_server *server = thrift_server_start(usual, NULL);
  dbsql_connection *connection = connect_to(server);
  dbsql_result *result = execute(connection, "SELECT n");
  assert_string_equal(dbsql_result_query_id(result), guid_as_text);
  assert_int_equal(dbsql_result_affected_rows(result), -1);
  assert_int_equal(count_rows(result), 3);
  bool has_row = true;
  assert_int_equal(dbsql_row_next(result, NULL, &has_row, NULL), DBSQL_OK); /* the end stays the end */
  assert_false(has_row);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  assert_story(server, "OpenSession ExecuteStatement CloseSession");
  thrift_server_stop(server);
}

static void slowly(struct thrift_exchange *exchange) {
  switch (exchange->method) {
    case TCLI_ExecuteStatement: {
      const struct TExecuteStatementReq *request = exchange->request;
      assert_true(request->runAsync);
      assert_true(request->canReadArrowResult);
      assert_true(request->canDecompressLZ4Result);
      assert_true(request->canDownloadResult);
      assert_int_equal(request->maxBytesPerFile, 20971520);
      assert_int_equal(request->queryTimeout, 7);
      assert_int_equal(request->getDirectResults->maxRows, 100000);
      assert_true(request->useArrowNativeTypes->intervalTypesAsArrow);
      assert_true(slice_equal(request->confOverlay.items[0].value, slice_text("team:x")));
      assert_int_equal(request->resultRowLimit, 99);
      reply_accepted(exchange);
      break;
    }
    case TCLI_GetOperationStatus: {
      static const int32_t states[] = {TOperationState_INITIALIZED_STATE, TOperationState_PENDING_STATE, TOperationState_RUNNING_STATE,
                                       TOperationState_FINISHED_STATE};
      reply_state(exchange, states[exchange->number]);
      break;
    }
    case TCLI_FetchResults: {
      const struct TFetchResultsReq *request = exchange->request;
      static const int64_t offsets[] = {0, 5, 5, 6};
      assert_int_equal(request->startRowOffset, offsets[exchange->number]);
      if (exchange->number == 0) reply_rows(exchange, 0, 5, true);
      if (exchange->number == 1) reply_rows(exchange, 5, 0, true);
      if (exchange->number == 2) reply_rows(exchange, 5, 1, true);
      if (exchange->number == 3) reply_rows(exchange, 6, 2, false);
      break;
    }
    default: usual(exchange);
  }
}

static void polls_fetches_by_offset_and_closes_once(void **state) {
  (void)state;
  struct thrift_server *server = thrift_server_start(slowly, NULL);
  dbsql_connection *connection = connect_to(server);
  dbsql_statement *statement;
  assert_int_equal(dbsql_statement_new(connection, &statement, NULL), DBSQL_OK);
  assert_int_equal(dbsql_statement_set(statement, "query_timeout_s", "7", NULL), DBSQL_OK);
  assert_int_equal(dbsql_statement_set(statement, "max_rows", "99", NULL), DBSQL_OK);
  assert_int_equal(dbsql_statement_set(statement, "query_tags", "team:x", NULL), DBSQL_OK);
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_statement_set(statement, "max_row", "1", &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "did you mean \"max_rows\""));
  error_clear(&error);
  assert_int_equal(dbsql_statement_set(statement, "max_rows", "-1", NULL), DBSQL_ERROR_DRIVER);
  dbsql_result *result;
  assert_int_equal(dbsql_statement_execute(statement, "SELECT n", 8, NULL, &result, NULL), DBSQL_OK);
  assert_string_equal(dbsql_statement_query_id(statement), guid_as_text);
  dbsql_statement_free(statement); /* the result outlives it */
  assert_int_equal(count_rows(result), 8);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  assert_story(server, "OpenSession ExecuteStatement GetOperationStatus*4 GetResultSetMetadata FetchResults*4 CloseOperation CloseSession");
  thrift_server_stop(server);
}

static void a_result_that_is_not_read_is_closed(void **state) {
  (void)state;
  struct thrift_server *server = thrift_server_start(slowly, NULL);
  dbsql_connection *connection = connect_to(server);
  dbsql_statement *statement;
  assert_int_equal(dbsql_statement_new(connection, &statement, NULL), DBSQL_OK);
  dbsql_statement_set(statement, "query_timeout_s", "7", NULL);
  dbsql_statement_set(statement, "max_rows", "99", NULL);
  dbsql_statement_set(statement, "query_tags", "team:x", NULL);
  dbsql_result *result;
  assert_int_equal(dbsql_statement_execute(statement, "SELECT n", 8, NULL, &result, NULL), DBSQL_OK);
  /* A batch that is still held does not depend on the result. */
  struct ArrowArray batch;
  assert_int_equal(dbsql_result_next_batch(result, NULL, &batch, NULL), DBSQL_OK);
  dbsql_result_free(result);
  dbsql_statement_free(statement);
  dbsql_connection_close(connection, NULL, NULL);
  assert_int_equal(((const int64_t *)batch.children[0]->buffers[1])[4], 4);
  batch.release(&batch);
  assert_int_equal(thrift_server_calls(server, TCLI_CloseOperation), 1);
  thrift_server_stop(server);
}

static void as_a_stream(void **state) {
  (void)state;
  struct thrift_server *server = thrift_server_start(usual, NULL);
  dbsql_connection *connection = connect_to(server);
  dbsql_result *result = execute(connection, "SELECT n");
  struct ArrowArrayStream stream;
  dbsql_call call = DBSQL_CALL_INIT;
  char correlation[] = "corr";
  call.correlation_id = correlation;
  assert_int_equal(dbsql_result_stream(result, &call, &stream, NULL), DBSQL_OK);
  memset(correlation, 'x', 4); /* was copied */
  struct ArrowSchema schema;
  assert_int_equal(stream.get_schema(&stream, &schema), 0);
  assert_int_equal(stream.get_schema(&stream, &schema), (schema.release(&schema), 0));
  assert_string_equal(schema.children[0]->name, "n");
  schema.release(&schema);
  struct ArrowArray batch, end;
  assert_int_equal(stream.get_next(&stream, &batch), 0);
  assert_int_equal(batch.length, 3);
  assert_int_equal(stream.get_next(&stream, &end), 0);
  assert_null(end.release);
  stream.release(&stream);
  assert_null(stream.release);
  batch.release(&batch);
  dbsql_connection_close(connection, NULL, NULL);
  thrift_server_stop(server);
}

/* ---- errors ---- */

/* Where the failure is told: 0 status of ExecuteStatement, 1 direct results, 2 a poll, 3 a page. */
static int failing_place;

static void failing(struct thrift_exchange *exchange) {
  static const char text[] =
      "\n[TABLE_OR_VIEW_NOT_FOUND] The table `x` cannot be found. SQLSTATE: 42P01 (line 1, pos 14)\n\n== SQL ==\nSELECT";
  struct TStatus status = {.has_statusCode = true,
                           .statusCode = TStatusCode_ERROR_STATUS,
                           .has_displayMessage = true,
                           .displayMessage = slice_text(text),
                           .has_errorMessage = true,
                           .errorMessage = slice_text("org.apache.Long: x"),
                           .has_errorCode = true,
                           .errorCode = 0};
  struct TGetOperationStatusResp failed = {.has_status = true,
                                           .status = &success,
                                           .has_operationState = true,
                                           .operationState = TOperationState_ERROR_STATE,
                                           .has_sqlState = true,
                                           .sqlState = slice_text("42P01"),
                                           .has_displayMessage = true,
                                           .displayMessage = slice_text(text)};
  if (exchange->method == TCLI_ExecuteStatement) {
    struct TSparkDirectResults direct = {.has_operationStatus = true, .operationStatus = &failed};
    struct TExecuteStatementResp response = {.has_status = true,
                                             .status = &success,
                                             .has_operationHandle = true,
                                             .operationHandle = &operation_handle,
                                             .has_directResults = true,
                                             .directResults = &direct};
    if (failing_place == 0) return reply_status(exchange, &status);
    if (failing_place == 1) return thrift_reply(exchange, &response);
    return reply_accepted(exchange);
  }
  if (exchange->method == TCLI_GetOperationStatus && failing_place == 2) return thrift_reply(exchange, &failed);
  if (exchange->method == TCLI_FetchResults)
    return exchange->number == 0 ? reply_rows(exchange, 0, 2, true) : reply_status(exchange, &status);
  usual(exchange);
}

static void failed_statements_say_why(void **state) {
  (void)state;
  for (failing_place = 0; failing_place < 4; failing_place++) {
    struct thrift_server *server = thrift_server_start(failing, NULL);
    dbsql_connection *connection = connect_to(server);
    dbsql_call call = DBSQL_CALL_INIT;
    call.correlation_id = "corr-7";
    dbsql_result *result = NULL;
    dbsql_error *error = NULL;
    dbsql_status status = dbsql_execute(connection, "SELECT * FROM x", SIZE_MAX, &call, &result, &error);
    if (failing_place == 3) {
      assert_int_equal(status, DBSQL_OK);
      struct ArrowArray batch;
      assert_int_equal(dbsql_result_next_batch(result, &call, &batch, &error), DBSQL_OK);
      batch.release(&batch);
      status = dbsql_result_next_batch(result, &call, &batch, &error);
      assert_non_null(strstr(dbsql_error_message(error), "after 2 rows"));
    }
    assert_int_equal(status, DBSQL_ERROR_EXECUTION);
    assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_EXECUTION);
    assert_string_equal(dbsql_error_sqlstate(error), "42P01");
    assert_string_equal(dbsql_error_class(error), "TABLE_OR_VIEW_NOT_FOUND");
    assert_string_equal(dbsql_error_correlation_id(error), "corr-7");
    assert_string_equal(dbsql_error_connection_id(error), guid_as_text);
    assert_string_equal(dbsql_error_query_id(error), failing_place == 0 ? "" : guid_as_text);
    assert_string_equal(dbsql_error_host(error), "127.0.0.1");
    assert_non_null(strstr(dbsql_error_message(error), "The table `x` cannot be found"));
    assert_null(strstr(dbsql_error_message(error), "org.apache"));
    assert_false(dbsql_error_is_session_lost(error));
    error_clear(&error);
    dbsql_result_free(result);
    /* The server's record is freed where there is one, and the connection goes on. */
    assert_int_equal(thrift_server_calls(server, TCLI_CloseOperation), failing_place != 0);
    assert_true(dbsql_connection_is_alive(connection));
    dbsql_connection_close(connection, NULL, NULL);
    thrift_server_stop(server);
  }
}

static int lost_form;

static void losing(struct thrift_exchange *exchange) {
  if (exchange->method != TCLI_ExecuteStatement) return usual(exchange);
  static const char text[] = "Invalid SessionHandle: SessionHandle [01020304-0506-0708-090a-0b0c0d0e0f10]";
  struct TStatus status = {
      .has_statusCode = true, .statusCode = TStatusCode_ERROR_STATUS, .has_errorMessage = true, .errorMessage = slice_text(text)};
  if (lost_form == 0) return reply_status(exchange, &status);
  exchange_reply(exchange->http, 400, "X-Thriftserver-Error-Message: Invalid SessionHandle: SessionHandle [x]\r\n", "");
}

static void a_lost_session_is_told_and_remembered(void **state) {
  (void)state;
  for (lost_form = 0; lost_form < 2; lost_form++) {
    struct thrift_server *server = thrift_server_start(losing, NULL);
    dbsql_connection *connection = connect_to(server);
    dbsql_result *result;
    dbsql_error *error = NULL;
    assert_int_equal(dbsql_execute(connection, "SELECT 1", SIZE_MAX, NULL, &result, &error), DBSQL_ERROR_REQUEST);
    assert_true(dbsql_error_is_session_lost(error));
    assert_false(dbsql_connection_is_alive(connection));
    /* From now on an error without I/O; closing is silent. */
    error_clear(&error);
    assert_int_equal(dbsql_execute(connection, "SELECT 1", SIZE_MAX, NULL, &result, &error), DBSQL_ERROR_REQUEST);
    assert_string_equal(dbsql_error_sqlstate(error), "08003");
    assert_true(dbsql_error_is_session_lost(error));
    error_clear(&error);
    assert_int_equal(dbsql_connection_close(connection, NULL, NULL), DBSQL_OK);
    assert_story(server, "OpenSession ExecuteStatement");
    thrift_server_stop(server);
  }
}

/* What is refused may be sent again; what may have begun may not, unless it can be repeated (thrift.md 7.2). */
static int refuse_status;

static void refusing(struct thrift_exchange *exchange) {
  if (exchange->method == TCLI_ExecuteStatement) {
    if (exchange->number < 2) return exchange_reply(exchange->http, refuse_status, NULL, "");
    return reply_direct(exchange, 3, true, false);
  }
  if (exchange->method == TCLI_FetchResults) {
    const struct TFetchResultsReq *request = exchange->request;
    assert_int_equal(request->startRowOffset, 3);
    if (exchange->number == 0) return exchange_reply(exchange->http, 502, NULL, "");
    if (exchange->number == 1) return exchange_reset(exchange->http);
    return reply_rows(exchange, 3, 1, false);
  }
  usual(exchange);
}

static void retries_only_what_is_safe(void **state) {
  (void)state;
  static const int statuses[] = {503, 429, 500, 502};
  for (size_t i = 0; i < 4; i++) {
    refuse_status = statuses[i];
    struct thrift_server *server = thrift_server_start(refusing, NULL);
    dbsql_connection *connection = connect_to(server);
    dbsql_result *result = NULL;
    dbsql_error *error = NULL;
    dbsql_status status = dbsql_execute(connection, "INSERT", SIZE_MAX, NULL, &result, &error);
    if (i < 2) {
      assert_int_equal(status, DBSQL_OK);
      assert_int_equal(count_rows(result), 4);
      assert_int_equal(thrift_server_calls(server, TCLI_FetchResults), 3);
    } else {
      assert_int_equal(status, DBSQL_ERROR_REQUEST);
      assert_int_equal(dbsql_error_http_status(error), refuse_status);
      assert_int_equal(dbsql_error_attempts(error), 1);
      assert_int_equal(thrift_server_calls(server, TCLI_ExecuteStatement), 1);
    }
    error_clear(&error);
    dbsql_result_free(result);
    dbsql_connection_close(connection, NULL, NULL);
    thrift_server_stop(server);
  }
}

/* ---- answers that make no sense ---- */

static int nonsense;

static void nonsensical(struct thrift_exchange *exchange) {
  if (exchange->method == TCLI_OpenSession && nonsense < 5) {
    struct THandleIdentifier short_id = {.has_guid = true, .guid = {guid, 15}, .has_secret = true, .secret = {guid, 16}};
    struct TSessionHandle bad_handle = {.has_sessionId = true, .sessionId = &short_id};
    struct TOpenSessionResp response = {.has_status = true,
                                        .status = &success,
                                        .has_serverProtocolVersion = true,
                                        .serverProtocolVersion = 0xA508,
                                        .has_sessionHandle = true,
                                        .sessionHandle = &bad_handle};
    if (nonsense == 1) response.has_sessionHandle = false;
    if (nonsense == 2) response.has_serverProtocolVersion = false;
    if (nonsense == 3) response.has_status = false;
    if (nonsense == 4) return exchange_reply(exchange->http, 200, "Content-Type: text/html; charset=utf-8\r\n", "<html>Sign in</html>");
    return thrift_reply(exchange, &response);
  }
  if (exchange->method == TCLI_ExecuteStatement) {
    struct TExecuteStatementResp response = {.has_status = true, .status = &success};
    if (nonsense == 5) return thrift_reply(exchange, &response); /* no handle */
    if (nonsense == 6) return exchange_reply(exchange->http, 200, "Content-Type: application/x-thrift\r\n", "garbage");
    if (nonsense == 7) {
      exchange->call->sequence_id += 1;
      return reply_accepted(exchange);
    }
    return reply_accepted(exchange);
  }
  if (exchange->method == TCLI_GetOperationStatus && nonsense == 8) return reply_state(exchange, TOperationState_UKNOWN_STATE);
  if (exchange->method == TCLI_FetchResults) return reply_rows(exchange, 10, 2, false); /* rows 0 to 9 are missing */
  usual(exchange);
}

static void answers_without_sense_are_errors(void **state) {
  (void)state;
  static const char *const messages[] = {"15 and 16 bytes instead of 16 and 16",
                                         "no session handle",
                                         "no protocol version",
                                         "has no status",
                                         "text/html",
                                         "no operation handle",
                                         "Thrift",
                                         "it answers call 3, not 2",
                                         "invalid operation state",
                                         "rows are missing"};
  for (nonsense = 0; nonsense < 10; nonsense++) {
    struct thrift_server *server = thrift_server_start(nonsensical, NULL);
    dbsql_config *config = config_for(server, "/sql/1.0/warehouses/w");
    dbsql_connection *connection = NULL;
    dbsql_result *result = NULL;
    dbsql_error *error = NULL;
    dbsql_status status = dbsql_connect(config, NULL, &connection, &error);
    if (nonsense >= 5) {
      assert_int_equal(status, DBSQL_OK);
      status = dbsql_execute(connection, "SELECT 1", SIZE_MAX, NULL, &result, &error);
    }
    if (nonsense == 9) {
      struct ArrowArray batch;
      assert_int_equal(status, DBSQL_OK);
      status = dbsql_result_next_batch(result, NULL, &batch, &error);
    }
    assert_int_not_equal(status, DBSQL_OK);
    if (!strstr(dbsql_error_message(error), messages[nonsense]))
      fail_msg("%d: \"%s\" is not in \"%s\"", nonsense, messages[nonsense], dbsql_error_message(error));
    assert_null(strstr(dbsql_error_message(error), "s3cret"));
    error_clear(&error);
    dbsql_result_free(result);
    dbsql_connection_close(connection, NULL, NULL);
    dbsql_config_free(config);
    thrift_server_stop(server);
  }
}

static void bad_statements_are_refused_before_they_are_sent(void **state) {
  (void)state;
  struct thrift_server *server = thrift_server_start(usual, NULL);
  dbsql_connection *connection = connect_to(server);
  dbsql_result *result;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_execute(connection, "SELECT '\xff'", SIZE_MAX, NULL, &result, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "not valid UTF-8 at byte 8"));
  error_clear(&error);
  assert_int_equal(dbsql_execute(connection, "SELECT\0 1", 9, NULL, &result, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "zero byte at position 6"));
  error_clear(&error);
  assert_int_equal(dbsql_execute(connection, NULL, 0, NULL, &result, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  assert_int_equal(dbsql_execute(NULL, "x", 1, NULL, &result, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  dbsql_connection_close(connection, NULL, NULL);
  assert_story(server, "OpenSession CloseSession");
  thrift_server_stop(server);
}

/* ---- plain HiveServer2 ---- */

static void hive(struct thrift_exchange *exchange) {
  switch (exchange->method) {
    case TCLI_OpenSession: {
      const struct TOpenSessionReq *request = exchange->request;
      if (request->client_protocol != 7) {
        return thrift_reply_exception(exchange, "Required field 'client_protocol' is unset! Struct:TOpenSessionReq(client_protocol:null)");
      }
      assert_false(request->has_client_protocol_i64);
      assert_false(request->has_initialNamespace);
      char *header = exchange_header(exchange->http, "X-XSRF-HEADER");
      free(header);
      return reply_open(exchange, 7);
    }
    case TCLI_ExecuteStatement: {
      const struct TExecuteStatementReq *request = exchange->request;
      assert_false(request->has_getDirectResults);
      assert_false(request->has_canReadArrowResult);
      struct TOperationHandle no_rows = operation_handle;
      no_rows.hasResultSet = false;
      no_rows.has_modifiedRowCount = true;
      no_rows.modifiedRowCount = 12;
      struct TExecuteStatementResp response = {
          .has_status = true, .status = &success, .has_operationHandle = true, .operationHandle = &no_rows};
      if (slice_equal(request->statement, slice_text("INSERT"))) return thrift_reply(exchange, &response);
      return reply_accepted(exchange);
    }
    case TCLI_FetchResults: {
      const struct TFetchResultsReq *request = exchange->request;
      assert_false(request->has_startRowOffset);
      /* hasMoreRows lies, and so does the offset: only an empty page is the end */
      struct column_page page;
      fill_page(&page, exchange->number * 2, exchange->number < 3 ? 2 : 0, false);
      page.rows.startRowOffset = 0;
      return thrift_reply(exchange, &page.response);
    }
    default: usual(exchange);
  }
}

static void speaks_with_a_plain_hiveserver2(void **state) {
  (void)state;
  for (int known = 0; known < 2; known++) {
    struct thrift_server *server = thrift_server_start(hive, NULL);
    dbsql_connection *connection = connect_with(config_for(server, known ? "/cliservice" : "/sql/1.0/warehouses/w"));
    assert_int_equal(dbsql_connection_protocol_version(connection), 7);
    assert_int_equal(thrift_server_calls(server, TCLI_OpenSession), known ? 2 : 3);
    dbsql_result *result = execute(connection, "SELECT n");
    assert_int_equal(count_rows(result), 6);
    dbsql_result_free(result);
    result = execute(connection, "INSERT");
    assert_int_equal(dbsql_result_column_count(result), 0);
    assert_int_equal(dbsql_result_affected_rows(result), 12);
    assert_int_equal(count_rows(result), 0);
    dbsql_result_free(result);
    assert_int_equal(thrift_server_calls(server, TCLI_GetResultSetMetadata), 1);
    dbsql_connection_close(connection, NULL, NULL);
    thrift_server_stop(server);
  }
}

/* ---- time and cancelling ---- */

struct stall {
  struct test_event stalled;   /* the server has a call that it does not answer */
  struct test_event cancelled; /* CancelOperation has come */
};

static void stalling(struct thrift_exchange *exchange) {
  struct stall *stall = exchange->user;
  if (exchange->method == TCLI_ExecuteStatement) return reply_accepted(exchange);
  if (exchange->method == TCLI_CancelOperation) {
    test_event_set(&stall->cancelled);
    return usual(exchange);
  }
  if (exchange->method == TCLI_GetOperationStatus) {
    test_event_set(&stall->stalled);
    test_event_wait(&stall->cancelled);
    return reply_state(exchange, TOperationState_CANCELED_STATE);
  }
  usual(exchange);
}

static void *cancel_when_stalled(void *user) {
  void **pair = user;
  struct stall *stall = pair[0];
  test_event_wait(&stall->stalled);
  assert_int_equal(dbsql_statement_cancel(pair[1], NULL, NULL), DBSQL_OK);
  return NULL;
}

static void a_statement_is_cancelled_from_another_thread(void **state) {
  (void)state;
  struct stall stall = {TEST_EVENT_INIT, TEST_EVENT_INIT};
  struct thrift_server *server = thrift_server_start(stalling, &stall);
  dbsql_connection *connection = connect_to(server);
  dbsql_statement *statement;
  assert_int_equal(dbsql_statement_new(connection, &statement, NULL), DBSQL_OK);
  assert_int_equal(dbsql_statement_cancel(statement, NULL, NULL), DBSQL_OK); /* nothing runs: nothing to do */
  void *pair[] = {&stall, statement};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, cancel_when_stalled, pair), 0);
  dbsql_result *result;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_statement_execute(statement, "SELECT slow", SIZE_MAX, NULL, &result, &error), DBSQL_ERROR_CANCELLED);
  assert_string_equal(dbsql_error_sqlstate(error), "HY008");
  assert_string_equal(dbsql_error_query_id(error), guid_as_text);
  error_clear(&error);
  pthread_join(thread, NULL);
  assert_int_equal(thrift_server_calls(server, TCLI_CancelOperation), 1);
  assert_true(dbsql_connection_is_alive(connection));
  dbsql_statement_free(statement);
  dbsql_connection_close(connection, NULL, NULL);
  thrift_server_stop(server);
}

static void *trigger_when_stalled(void *user) {
  void **pair = user;
  struct stall *stall = pair[0];
  test_event_wait(&stall->stalled);
  dbsql_cancel_trigger(pair[1]);
  return NULL;
}

static void a_cancel_handle_ends_the_wait_and_tells_the_server(void **state) {
  (void)state;
  struct stall stall = {TEST_EVENT_INIT, TEST_EVENT_INIT};
  struct thrift_server *server = thrift_server_start(stalling, &stall);
  dbsql_connection *connection = connect_to(server);
  dbsql_call call = DBSQL_CALL_INIT;
  assert_int_equal(dbsql_cancel_new(&call.cancel, NULL), DBSQL_OK);
  void *pair[] = {&stall, call.cancel};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, trigger_when_stalled, pair), 0);
  dbsql_result *result;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_execute(connection, "SELECT slow", SIZE_MAX, &call, &result, &error), DBSQL_ERROR_CANCELLED);
  error_clear(&error);
  pthread_join(thread, NULL);
  test_event_wait(&stall.cancelled); /* the server knows */
  /* A handle that is triggered ends every call at once; after a reset it does not. */
  assert_int_equal(dbsql_execute(connection, "SELECT 1", SIZE_MAX, &call, &result, NULL), DBSQL_ERROR_CANCELLED);
  dbsql_cancel_reset(call.cancel);
  assert_int_equal(dbsql_connection_ping(connection, &call, NULL), DBSQL_OK);
  dbsql_cancel_free(call.cancel);
  dbsql_connection_close(connection, NULL, NULL);
  thrift_server_stop(server);
}

static void a_deadline_ends_the_wait_and_tells_the_server(void **state) {
  (void)state;
  struct stall stall = {TEST_EVENT_INIT, TEST_EVENT_INIT};
  struct thrift_server *server = thrift_server_start(stalling, &stall);
  dbsql_connection *connection = connect_to(server);
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = 100;
  dbsql_result *result;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_execute(connection, "SELECT slow", SIZE_MAX, &call, &result, &error), DBSQL_ERROR_TIMEOUT);
  assert_string_equal(dbsql_error_sqlstate(error), "HYT00");
  assert_string_equal(dbsql_error_host(error), "127.0.0.1");
  assert_true(dbsql_error_elapsed_ms(error) >= 100);
  error_clear(&error);
  test_event_wait(&stall.cancelled);
  dbsql_connection_close(connection, NULL, NULL);
  thrift_server_stop(server);
}

static void keeping(struct thrift_exchange *exchange) {
  struct stall *stall = exchange->user;
  if (exchange->method == TCLI_GetInfo) test_event_set(&stall->stalled);
  if (exchange->method == TCLI_GetOperationStatus) test_event_set(&stall->cancelled);
  if (exchange->method == TCLI_ExecuteStatement) return reply_direct(exchange, 3, true, false);
  usual(exchange);
}

static void idle_sessions_and_open_results_are_kept_alive(void **state) {
  (void)state;
  struct stall stall = {TEST_EVENT_INIT, TEST_EVENT_INIT};
  struct thrift_server *server = thrift_server_start(keeping, &stall);
  dbsql_config *config = config_for(server, "/sql/1.0/warehouses/w");
  assert_int_equal(dbsql_config_set(config, "keepalive_interval_s", "1", NULL), DBSQL_OK);
  dbsql_connection *connection = connect_with(config);
  test_event_wait(&stall.stalled);
  dbsql_result *result = execute(connection, "SELECT n");
  test_event_wait(&stall.cancelled);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  thrift_server_stop(server);
}

/* ---- memory ---- */

/* Answers by bytes made beforehand, since a server that shares our allocator would fail with us. */
static struct buf canned[TCLI_METHOD_COUNT];

static void canned_answer(struct http_exchange *http, void *user) {
  (void)user;
  uint32_t name_length = thrift_load32((const uint8_t *)http->body + 4);
  const char *name = http->body + 8;
  for (int method = 0; method < TCLI_METHOD_COUNT; method++) {
    if (strlen(tcli_methods[method].name) != name_length || memcmp(tcli_methods[method].name, name, name_length) != 0) continue;
    char *copy = malloc(canned[method].size);
    memcpy(copy, canned[method].data, canned[method].size);
    memcpy(copy + 8 + name_length, http->body + 8 + name_length, 4); /* the sequence id */
    exchange_reply_bytes(http, 200, "Content-Type: application/x-thrift\r\n", copy, canned[method].size);
    free(copy);
    return;
  }
}

static dbsql_status whole_story(dbsql_config *config, dbsql_error **error) {
  dbsql_connection *connection = NULL;
  dbsql_result *result = NULL;
  dbsql_status status = dbsql_connect(config, NULL, &connection, error);
  if (status == DBSQL_OK) status = dbsql_execute(connection, "SELECT n", SIZE_MAX, NULL, &result, error);
  bool has_row = status == DBSQL_OK;
  while (status == DBSQL_OK && has_row) {
    status = dbsql_row_next(result, NULL, &has_row, error);
    const char *text;
    if (status == DBSQL_OK && has_row) status = dbsql_get_text(result, 0, &text, NULL, error);
  }
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  return status;
}

static void log_nothing(void *user, const dbsql_log_record *record) {
  (void)user;
  (void)record;
}

static void without_memory_there_is_an_error_and_no_leak(void **state) {
  (void)state;
  struct TOpenSessionResp open = {.has_status = true,
                                  .status = &success,
                                  .has_serverProtocolVersion = true,
                                  .serverProtocolVersion = 0xA508,
                                  .has_sessionHandle = true,
                                  .sessionHandle = &session_handle};
  struct TExecuteStatementResp accepted = {
      .has_status = true, .status = &success, .has_operationHandle = true, .operationHandle = &operation_handle};
  struct TGetOperationStatusResp finished = {
      .has_status = true, .status = &success, .has_operationState = true, .operationState = TOperationState_FINISHED_STATE};
  struct TGetResultSetMetadataResp metadata;
  fill_metadata(&metadata);
  struct column_page page;
  fill_page(&page, 0, 3, false);
  struct TCloseOperationResp close_operation = {.has_status = true, .status = &success};
  struct TCloseSessionResp close_session = {.has_status = true, .status = &success};
  tcli_encode_reply(TCLI_OpenSession, 0, &open, &canned[TCLI_OpenSession]);
  tcli_encode_reply(TCLI_ExecuteStatement, 0, &accepted, &canned[TCLI_ExecuteStatement]);
  tcli_encode_reply(TCLI_GetOperationStatus, 0, &finished, &canned[TCLI_GetOperationStatus]);
  tcli_encode_reply(TCLI_GetResultSetMetadata, 0, &metadata, &canned[TCLI_GetResultSetMetadata]);
  tcli_encode_reply(TCLI_FetchResults, 0, &page.response, &canned[TCLI_FetchResults]);
  tcli_encode_reply(TCLI_CloseOperation, 0, &close_operation, &canned[TCLI_CloseOperation]);
  tcli_encode_reply(TCLI_CloseSession, 0, &close_session, &canned[TCLI_CloseSession]);
  struct http_server_settings settings = {.handler = canned_answer};
  struct http_server *server = http_server_start(&settings);
  dbsql_config *config;
  char text[128];
  assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
  snprintf(text, sizeof text, "http://token:t0ken@127.0.0.1:%d/sql/1.0/warehouses/w", http_server_port(server));
  assert_int_equal(dbsql_config_parse(config, text, strlen(text), NULL), DBSQL_OK);
  /* What keeps alive, and what logs, may lack memory too. */
  assert_int_equal(dbsql_config_set(config, "keepalive_interval_s", "3600", NULL), DBSQL_OK);
  dbsql_config_set_log(config, DBSQL_LOG_TRACE, log_nothing, NULL);
  int64_t live = mem_test_live_blocks();
  uint64_t n = 1;
  for (;; n++) {
    dbsql_error *error = NULL;
    mem_test_fail_at(n);
    dbsql_status status = whole_story(config, &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    if (!struck) {
      assert_int_equal(status, DBSQL_OK);
      break;
    }
    /* The closing calls may be the ones that fail, and they only inform. */
    if (status != DBSQL_OK) {
      if (status != DBSQL_ERROR_NO_MEMORY) fail_msg("allocation %llu: %s", (unsigned long long)n, dbsql_error_message(error));
      assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_NO_MEMORY);
    }
    error_clear(&error);
    assert_int_equal(mem_test_live_blocks(), live);
  }
  assert_true(n > 50);
  dbsql_config_free(config);
  http_server_stop(server);
  for (int method = 0; method < TCLI_METHOD_COUNT; method++) buf_free(&canned[method]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(opens_and_closes_a_session),
      cmocka_unit_test(everything_in_one_answer_needs_one_call),
      cmocka_unit_test(polls_fetches_by_offset_and_closes_once),
      cmocka_unit_test(a_result_that_is_not_read_is_closed),
      cmocka_unit_test(as_a_stream),
      cmocka_unit_test(failed_statements_say_why),
      cmocka_unit_test(a_lost_session_is_told_and_remembered),
      cmocka_unit_test(retries_only_what_is_safe),
      cmocka_unit_test(answers_without_sense_are_errors),
      cmocka_unit_test(bad_statements_are_refused_before_they_are_sent),
      cmocka_unit_test(speaks_with_a_plain_hiveserver2),
      cmocka_unit_test(a_statement_is_cancelled_from_another_thread),
      cmocka_unit_test(a_cancel_handle_ends_the_wait_and_tells_the_server),
      cmocka_unit_test(a_deadline_ends_the_wait_and_tells_the_server),
      cmocka_unit_test(idle_sessions_and_open_results_are_kept_alive),
      cmocka_unit_test(without_memory_there_is_an_error_and_no_leak),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
