/* Parameters against a server that only takes down what it is sent: the bytes, what is refused before, and how sets are cut into
 * statements. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "base/mem.h"
#include "thrift_server.h"

static struct TStatus success = {.has_statusCode = true, .statusCode = TStatusCode_SUCCESS_STATUS};
static const uint8_t guid[16] = {7};
static struct THandleIdentifier handle_id = {.has_guid = true, .guid = {guid, 16}, .has_secret = true, .secret = {guid, 16}};

/* What the last ExecuteStatement brought. */
static struct {
  struct buf parameters; /* encoded, each one as it came */
  uint32_t count;
  char sql[4096];
  struct buf overlay;
  int32_t version;
  int fail_at; /* this call of ExecuteStatement fails; 0: none */
} seen;

static void answer(struct thrift_exchange *exchange) {
  struct TSessionHandle session = {.has_sessionId = true, .sessionId = &handle_id};
  struct TOperationHandle operation = {
      .has_operationId = true, .operationId = &handle_id, .has_operationType = true, .has_hasResultSet = true};
  switch (exchange->method) {
    case TCLI_OpenSession: {
      struct TOpenSessionResp response = {
          .has_status = true, .status = &success, .has_serverProtocolVersion = true, .has_sessionHandle = true, .sessionHandle = &session};
      response.serverProtocolVersion = seen.version;
      thrift_reply(exchange, &response);
      break;
    }
    case TCLI_ExecuteStatement: {
      const struct TExecuteStatementReq *request = exchange->request;
      buf_reset(&seen.parameters);
      seen.count = request->has_parameters ? request->parameters.count : 0;
      for (uint32_t i = 0; i < seen.count; i++) thrift_encode(&TSparkParameter_type, &request->parameters.items[i], &seen.parameters);
      snprintf(seen.sql, sizeof seen.sql, "%.*s", (int)request->statement.size, (const char *)request->statement.data);
      buf_reset(&seen.overlay);
      for (uint32_t i = 0; request->has_confOverlay && i < request->confOverlay.count; i++) {
        buf_append_slice(&seen.overlay, request->confOverlay.items[i].key);
        buf_append_byte(&seen.overlay, '=');
        buf_append_slice(&seen.overlay, request->confOverlay.items[i].value);
        buf_append_byte(&seen.overlay, ';');
      }
      if (exchange->number + 1 == seen.fail_at) {
        struct TStatus failed = {.has_statusCode = true,
                                 .statusCode = TStatusCode_ERROR_STATUS,
                                 .has_errorMessage = true,
                                 .errorMessage = slice_text("[DIVIDE_BY_ZERO] no")};
        struct TExecuteStatementResp response = {.has_status = true, .status = &failed};
        thrift_reply(exchange, &response);
        break;
      }
      /* As many rows as there are opening brackets behind VALUES. */
      int64_t rows = 0;
      const char *at = strstr(seen.sql, "VALUES");
      for (; at && *at; at++) rows += *at == '(';
      struct TGetOperationStatusResp state = {.has_status = true,
                                              .status = &success,
                                              .has_operationState = true,
                                              .operationState = TOperationState_FINISHED_STATE,
                                              .has_numModifiedRows = true,
                                              .numModifiedRows = rows};
      struct TSparkDirectResults direct = {.has_operationStatus = true, .operationStatus = &state};
      struct TExecuteStatementResp response = {.has_status = true,
                                               .status = &success,
                                               .has_operationHandle = true,
                                               .operationHandle = &operation,
                                               .has_directResults = true,
                                               .directResults = &direct};
      thrift_reply(exchange, &response);
      break;
    }
    default: thrift_reply_closed(exchange);
  }
}

static struct thrift_server *server;
static dbsql_connection *connection;
static dbsql_statement *statement;

static void begin(int32_t version) {
  char dsn[128];
  dbsql_config *config;
  seen.version = version;
  seen.fail_at = 0;
  server = thrift_server_start(answer, NULL);
  snprintf(dsn, sizeof dsn, "http://token:t@127.0.0.1:%d/sql/1.0/warehouses/w", thrift_server_port(server));
  assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_parse(config, dsn, SIZE_MAX, NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_set(config, "session.ansi_mode", "true", NULL), DBSQL_OK);
  assert_int_equal(dbsql_connect(config, NULL, &connection, NULL), DBSQL_OK);
  dbsql_config_free(config);
  assert_int_equal(dbsql_statement_new(connection, &statement, NULL), DBSQL_OK);
}

static void end(void) {
  dbsql_statement_free(statement);
  dbsql_connection_close(connection, NULL, NULL);
  thrift_server_stop(server);
  buf_free(&seen.parameters);
  buf_free(&seen.overlay);
  seen.parameters = seen.overlay = (struct buf)BUF_INIT;
}

static dbsql_status execute(const char *sql, dbsql_error **error) {
  dbsql_result *result = NULL;
  dbsql_status status = dbsql_statement_execute(statement, sql, SIZE_MAX, NULL, &result, error);
  dbsql_result_free(result);
  return status;
}

static void assert_sent(const char *sql, const void *bytes, size_t size) {
  dbsql_error *error = NULL;
  if (execute(sql, &error) != DBSQL_OK) fail_msg("%s: %s", sql, dbsql_error_message(error));
  assert_int_equal(seen.parameters.size, size);
  assert_memory_equal(seen.parameters.data, bytes, size);
  dbsql_statement_clear_parameters(statement);
}

/* The bytes of recorded requests (prepared statements of the JDBC driver). */
static void bytes_are_those_of_recorded_requests(void **state) {
  (void)state;
#define SENT(sql, text) assert_sent(sql, text, sizeof text - 1)
  begin(0xA508);
  dbsql_bind_int32(statement, 1, NULL, 3, NULL);
  dbsql_bind_typed(statement, 2, NULL, "DECIMAL", "123.45", SIZE_MAX, NULL);
  SENT("VALUES (?, ?)",
       "\x08\x00\x01\x00\x00\x00\x01\x0b\x00\x03\x00\x00\x00\x03INT\x0c\x00\x04\x0b\x00\x01\x00\x00\x00\x01"
       "3\x00\x00"
       "\x08\x00\x01\x00\x00\x00\x02\x0b\x00\x03\x00\x00\x00\x0c"
       "DECIMAL(5,2)\x0c\x00\x04\x0b\x00\x01\x00\x00\x00\x06"
       "123.45\x00\x00");
  dbsql_bind_int32(statement, 1, NULL, 8, NULL);
  dbsql_bind_bool(statement, 2, NULL, true, NULL);
  SENT("VALUES (?, ?)",
       "\x08\x00\x01\x00\x00\x00\x01\x0b\x00\x03\x00\x00\x00\x03INT\x0c\x00\x04\x0b\x00\x01\x00\x00\x00\x01"
       "8\x00\x00"
       "\x08\x00\x01\x00\x00\x00\x02\x0b\x00\x03\x00\x00\x00\x07"
       "BOOLEAN\x0c\x00\x04\x0b\x00\x01\x00\x00\x00\x04true\x00\x00");
  dbsql_bind_int32(statement, 1, NULL, 6, NULL);
  dbsql_bind_null(statement, 2, NULL, "STRING", NULL);
  dbsql_bind_text(statement, 3, NULL, "value1", SIZE_MAX, NULL);
  SENT("VALUES (?, ?, ?)",
       "\x08\x00\x01\x00\x00\x00\x01\x0b\x00\x03\x00\x00\x00\x03INT\x0c\x00\x04\x0b\x00\x01\x00\x00\x00\x01"
       "6\x00\x00"
       "\x08\x00\x01\x00\x00\x00\x02\x0b\x00\x03\x00\x00\x00\x06STRING\x00"
       "\x08\x00\x01\x00\x00\x00\x03\x0b\x00\x03\x00\x00\x00\x06STRING\x0c\x00\x04\x0b\x00\x01\x00\x00\x00\x06value1\x00\x00");
  dbsql_bind_double(statement, 1, NULL, 1.236, NULL);
  SENT("VALUES (?)",
       "\x08\x00\x01\x00\x00\x00\x01\x0b\x00\x03\x00\x00\x00\x06"
       "DOUBLE\x0c\x00\x04\x0b\x00\x01\x00\x00\x00\x05"
       "1.236\x00\x00");
  /* By name there is no ordinal. */
  dbsql_bind_int32(statement, 0, ":x", 1, NULL);
  SENT("VALUES (:x)",
       "\x0b\x00\x02\x00\x00\x00\x01x\x0b\x00\x03\x00\x00\x00\x03INT\x0c\x00\x04\x0b\x00\x01\x00\x00\x00\x01"
       "1\x00\x00");
  end();
}

static void refused(const char *sql, const char *sqlstate, const char *part) {
  dbsql_error *error = NULL;
  int before = thrift_server_calls(server, TCLI_ExecuteStatement);
  assert_int_equal(execute(sql, &error), DBSQL_ERROR_DRIVER);
  if (!strstr(dbsql_error_message(error), part)) fail_msg("%s is not in: %s", part, dbsql_error_message(error));
  assert_string_equal(dbsql_error_sqlstate(error), sqlstate);
  assert_int_equal(thrift_server_calls(server, TCLI_ExecuteStatement), before);
  dbsql_error_free(error);
}

static void what_does_not_fit_is_refused_before_anything_is_sent(void **state) {
  (void)state;
  begin(0xA508);
  dbsql_bind_int32(statement, 2, NULL, 1, NULL);
  refused("VALUES (?, ?)", "07002", "parameter 1 is not bound");
  refused("VALUES (?)", "07002", "1 parameter marker, but 2 parameters are bound");
  refused("SELECT 1", "07002", "0 parameter markers");
  refused("VALUES (:a, :b)", "07002", "named and positional parameters cannot be used simultaneously");
  refused("VALUES (:a, ?)", "07002", "named and positional parameters cannot be used simultaneously");
  dbsql_bind_int32(statement, 1, NULL, 1, NULL);
  refused("PUT '?' INTO '/Volumes/a/b/c' ", "HYC00", "PUT takes no parameters");
  refused("-- c\n remove ?", "HYC00", "REMOVE takes no parameters");
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_bind_int32(statement, 0, "a", 1, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "named and positional parameters cannot be used simultaneously"));
  dbsql_error_free(error);
  dbsql_statement_clear_parameters(statement);
  dbsql_bind_int32(statement, 0, "a", 1, NULL);
  refused("VALUES (:a, :b)", "07002", "the parameter :b is not bound");
  refused("VALUES (:b)", "07002", "the parameter :b is not bound");
  refused("SELECT ':a'", "07002", "the statement has no parameter :a");
  refused("SELECT raw:b", "07002", "the statement has no parameter :a");
  dbsql_bind_bytes(statement, 0, "a", "\x01", 1, NULL);
  refused("VALUES (:a)", "HYC00", "write unhex(:a)");
  /* Values. */
  static const char not_utf8[] = "a\xff";
  static const struct { dbsql_decimal value; } decimals[] = {{{INT64_MAX, 0, 0}}, {{0, 1, 39}}, {{0, 1, -1}}};
  error = NULL;
  assert_int_equal(dbsql_bind_text(statement, 0, "a", not_utf8, 2, &error), DBSQL_ERROR_DRIVER);
  assert_string_equal(dbsql_error_message(error), "parameter :a: the text is not valid UTF-8 at byte 1");
  dbsql_error_free(error);
  for (size_t i = 0; i < 3; i++) assert_int_equal(dbsql_bind_decimal(statement, 0, "a", &decimals[i].value, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_bind_typed(statement, 0, "a", "DECIMAL", "1E3", SIZE_MAX, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_bind_typed(statement, 0, "a", "DECIMAL", "", 0, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_bind_date(statement, 0, "a", -719163, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_bind_date(statement, 0, "a", 2932897, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_bind_timestamp(statement, 0, "a", INT64_MIN, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_bind_int32(statement, 0, NULL, 1, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_bind_int32(statement, 256, NULL, 1, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_bind_int32(statement, 1, "a", 1, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_bind_int32(statement, 0, ":", 1, NULL), DBSQL_ERROR_DRIVER);
  /* Tags and settings. */
  assert_int_equal(dbsql_statement_set_tag(statement, "a:b", "", NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_statement_set_tag(statement, "a,b", "", NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_statement_set_tag(statement, "", "", NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_statement_set(statement, "query_tags", "a,", NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_statement_set(statement, "conf.a b", "1", NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_statement_set(statement, "conf.", "1", NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_statement_set(statement, "conf.QUERY_TAGS", "a", NULL), DBSQL_ERROR_DRIVER);
  end();
}

static void old_servers_take_no_parameters(void **state) {
  (void)state;
  begin(0xA507);
  dbsql_bind_int32(statement, 1, NULL, 1, NULL);
  refused("VALUES (?)", "HYC00", "query parameters are not supported by this server");
  end();
}

static void the_overlay_is_the_statements_own(void **state) {
  (void)state;
  begin(0xA508);
  dbsql_statement_set_tag(statement, "url", "http://host:8080", NULL);
  dbsql_statement_set_tag(statement, "a", NULL, NULL);
  dbsql_statement_set_tag(statement, "b", "", NULL);
  dbsql_statement_set(statement, "conf.spark.x", "1", NULL);
  assert_int_equal(execute("SELECT 1", NULL), DBSQL_OK);
  assert_string_equal(buf_text(&seen.overlay), "spark.x=1;query_tags=a,b:,url:http\\://host\\:8080;");
  dbsql_statement_set(statement, "query_tags", "", NULL);
  dbsql_statement_set(statement, "conf.spark.x", "", NULL);
  assert_int_equal(execute("SELECT 1", NULL), DBSQL_OK);
  assert_int_equal(seen.overlay.size, 0);
  end();
}

/* `rows` rows of `columns` texts of `size` bytes. */
static void bind_texts(int64_t rows, int64_t columns, size_t size) {
  struct ArrowArray array;
  struct ArrowSchema schema;
  struct arrow_builder builder;
  char *text = malloc(size + 1);
  memset(text, 'x', size);
  assert_int_equal(arrow_schema_make(&schema, "+s", "", 0, columns, NULL), DBSQL_OK);
  for (int64_t i = 0; i < columns; i++) assert_int_equal(arrow_schema_make(schema.children[i], "u", "c", 0, 0, NULL), DBSQL_OK);
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t i = 0; i < columns; i++) arrow_builder_append_bytes(&builder.children[i], slice_of(text, size));
    arrow_builder_append_entry(&builder);
  }
  assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
  arrow_builder_free(&builder);
  free(text);
  assert_int_equal(dbsql_statement_bind(statement, &array, &schema, NULL), DBSQL_OK);
}

static void insert_of(int64_t columns, char *sql) {
  strcpy(sql, "INSERT INTO t VALUES (?");
  for (int64_t i = 1; i < columns; i++) strcat(sql, ",?");
  strcat(sql, ")");
}

static void sets_are_cut_at_the_limits(void **state) {
  (void)state;
  static const struct {
    int64_t rows, columns;
    size_t size;
    int statements;
  } cases[] = {{1, 254, 1, 1},
               {1, 255, 1, 1},
               {2, 127, 1, 1},
               {2, 128, 1, 2},
               {2, 255, 1, 2},
               {255, 1, 1, 1},
               {256, 1, 1, 2},
               {3, 85, 1, 1},
               {4, 85, 1, 2},
               /* about 1 MiB of values in a statement, but a row of its own may have more */
               {4, 1, 500000, 2},
               {3, 1, 2000000, 3},
               {1, 1, 16000000, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char sql[1024];
    dbsql_result *result;
    dbsql_error *error = NULL;
    begin(0xA508);
    bind_texts(cases[i].rows, cases[i].columns, cases[i].size);
    insert_of(cases[i].columns, sql);
    if (dbsql_statement_execute(statement, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    assert_int_equal(dbsql_result_affected_rows(result), cases[i].rows);
    assert_int_equal(dbsql_statement_sets_done(statement), cases[i].rows);
    assert_int_equal(thrift_server_calls(server, TCLI_ExecuteStatement), cases[i].statements);
    dbsql_result_free(result);
    end();
  }
  begin(0xA508);
  bind_texts(1, 1, 16 << 20);
  refused("INSERT INTO t VALUES (?)", "54000", "the server takes at most 16777216");
  bind_texts(1, 2, 1);
  refused("INSERT INTO t VALUES (?)", "07002", "1 parameter marker, but 2 parameters are bound");
  end();
  /* The second statement of three fails. */
  begin(0xA508);
  dbsql_error *error = NULL;
  seen.fail_at = 2;
  bind_texts(300, 2, 1);
  assert_int_equal(execute("INSERT INTO t VALUES (?, ?)", &error), DBSQL_ERROR_EXECUTION);
  assert_non_null(strstr(dbsql_error_message(error),
                         "parameter sets 128 to 254, one statement (nothing of it was done; done before: 127, rows changed: 127)"));
  assert_int_equal(dbsql_statement_sets_done(statement), 127);
  dbsql_error_free(error);
  end();
}

/* The test's own server is in the process too: where it was the one that had no memory, its answer is no answer. */
static void assert_end(uint64_t n, dbsql_status status, bool struck, dbsql_error *error) {
  if (status != DBSQL_OK && !struck) fail_msg("allocation %d: %s", (int)n, dbsql_error_message(error));
}

static void no_memory_is_an_error_without_leaks(void **state) {
  (void)state;
  int64_t live = mem_test_live_blocks();
  begin(0xA508);
  bind_texts(130, 2, 3);
  assert_int_equal(execute("INSERT INTO t VALUES (?, ?)", NULL), DBSQL_OK); /* the connection is warm */
  dbsql_statement_clear_parameters(statement);
  for (uint64_t n = 1;; n++) {
    dbsql_error *error = NULL;
    dbsql_decimal decimal = {0, 5, 1};
    mem_test_fail_at(n);
    dbsql_status status = dbsql_bind_decimal(statement, 0, "a", &decimal, &error);
    if (status == DBSQL_OK) status = dbsql_bind_bytes(statement, 0, "b", "xyz", 3, &error);
    if (status == DBSQL_OK) status = dbsql_statement_set_tag(statement, "k", "v", &error);
    if (status == DBSQL_OK) status = dbsql_statement_set_tag(statement, "j", NULL, &error);
    if (status == DBSQL_OK) status = dbsql_statement_set(statement, "conf.x", "1", &error);
    if (status == DBSQL_OK) status = execute("INSERT INTO t VALUES (:a, unhex(:b))", &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    assert_end(n, status, struck, error);
    dbsql_error_free(error);
    dbsql_statement_clear_parameters(statement);
    dbsql_statement_set(statement, "query_tags", "", NULL);
    dbsql_statement_set(statement, "conf.x", "", NULL);
    if (!struck) break;
  }
  for (uint64_t n = 1;; n++) {
    dbsql_error *error = NULL;
    bind_texts(130, 2, 3);
    mem_test_fail_at(n);
    dbsql_status status = execute("INSERT INTO t VALUES (?, ?)", &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    assert_end(n, status, struck, error);
    dbsql_error_free(error);
    dbsql_statement_clear_parameters(statement);
    if (!struck) break;
  }
  end();
  assert_int_equal(mem_test_live_blocks(), live);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_are_those_of_recorded_requests), cmocka_unit_test(what_does_not_fit_is_refused_before_anything_is_sent),
      cmocka_unit_test(old_servers_take_no_parameters),       cmocka_unit_test(the_overlay_is_the_statements_own),
      cmocka_unit_test(sets_are_cut_at_the_limits),           cmocka_unit_test(no_memory_is_an_error_without_leaks),
  };
  return cmocka_run_group_tests_name("parameters", tests, NULL, NULL);
}
