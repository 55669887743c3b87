/*
 * The whole client on what real servers answered: every recorded answer to ExecuteStatement (folder DBSQL_RECORDED) is given to a
 * connection as the answer to its statement, and everything in it is read through the public functions.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "thrift_server.h"

static struct buf recorded; /* the answer that comes next */

static void answer(struct thrift_exchange *exchange) {
  struct TStatus success = {.has_statusCode = true, .statusCode = TStatusCode_SUCCESS_STATUS};
  static const uint8_t guid[16] = {1};
  struct THandleIdentifier id = {.has_guid = true, .guid = {guid, 16}, .has_secret = true, .secret = {guid, 16}};
  struct TSessionHandle handle = {.has_sessionId = true, .sessionId = &id};
  switch (exchange->method) {
    case TCLI_OpenSession: {
      struct TOpenSessionResp response = {.has_status = true,
                                          .status = &success,
                                          .has_serverProtocolVersion = true,
                                          .serverProtocolVersion = 0xA508,
                                          .has_sessionHandle = true,
                                          .sessionHandle = &handle};
      thrift_reply(exchange, &response);
      break;
    }
    case TCLI_ExecuteStatement: {
      /* as recorded, but for the sequence id, which stands behind the name */
      struct buf bytes = BUF_INIT;
      buf_append_slice(&bytes, buf_slice(&recorded));
      size_t at = 8 + strlen("ExecuteStatement");
      memcpy(bytes.data + at, exchange->http->body + at, 4);
      exchange_reply_bytes(exchange->http, 200, "Content-Type: application/x-thrift\r\n", bytes.data, bytes.size);
      buf_free(&bytes);
      break;
    }
    default: thrift_reply_closed(exchange);
  }
}

static bool read_file(const char *path, struct buf *out) {
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  buf_reset(out);
  uint8_t piece[4096];
  size_t got;
  while ((got = fread(piece, 1, sizeof piece, file)) > 0) buf_append(out, piece, got);
  fclose(file);
  return true;
}

struct counts {
  int results, rows, errors, links;
  int types[DBSQL_TYPE_OBJECT + 1];
};

static uint32_t column_length(const struct TColumn *column) {
  if (column->boolVal) return column->boolVal->values.count;
  if (column->byteVal) return column->byteVal->values.count;
  if (column->i16Val) return column->i16Val->values.count;
  if (column->i32Val) return column->i32Val->values.count;
  if (column->i64Val) return column->i64Val->values.count;
  if (column->doubleVal) return column->doubleVal->values.count;
  if (column->stringVal) return column->stringVal->values.count;
  return column->binaryVal ? column->binaryVal->values.count : 0;
}

/* What the recorded answer itself says. */
static bool declared(int64_t *rows, bool *links, char *sqlstate) {
  struct arena arena = ARENA_INIT;
  struct TExecuteStatementResp response = {0};
  uint32_t sequence = thrift_load32(recorded.data + 8 + strlen("ExecuteStatement"));
  *rows = -1;
  *links = false;
  sqlstate[0] = 0;
  bool good = tcli_decode_reply(TCLI_ExecuteStatement, (int32_t)sequence, buf_slice(&recorded), &arena, &response, NULL) == DBSQL_OK;
  if (good && response.status->statusCode == TStatusCode_ERROR_STATUS) {
    memcpy(sqlstate, response.status->sqlState.data, 5);
    sqlstate[5] = 0;
  } else if (good && response.directResults && response.directResults->resultSet && response.directResults->resultSet->results) {
    const struct TRowSet *set = response.directResults->resultSet->results;
    *rows = 0;
    for (uint32_t i = 0; i < set->arrowBatches.count; i++) *rows += set->arrowBatches.items[i].rowCount;
    if (set->columns.count) *rows = column_length(&set->columns.items[0]);
    *links = set->resultLinks.count != 0;
  }
  arena_free(&arena);
  return good;
}

static void replay(dbsql_connection *connection, const char *path, struct counts *counts) {
  int64_t rows;
  bool links;
  char sqlstate[6];
  assert_true(declared(&rows, &links, sqlstate));
  if (links) {
    counts->links++;
    return; /* the files are not where the links say */
  }
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  dbsql_status status = dbsql_execute(connection, "SELECT recorded", SIZE_MAX, NULL, &result, &error);
  if (sqlstate[0]) {
    assert_int_equal(status, DBSQL_ERROR_EXECUTION);
    assert_string_equal(dbsql_error_sqlstate(error), sqlstate);
    assert_true(strlen(dbsql_error_class(error)) > 0);
    assert_null(strstr(dbsql_error_message(error), "\n\tat "));
    counts->errors++;
    dbsql_error_free(error);
    return;
  }
  if (status != DBSQL_OK) fail_msg("%s: %s", path, dbsql_error_message(error));
  for (size_t i = 0; i < dbsql_result_column_count(result); i++) {
    dbsql_column column;
    assert_true(dbsql_result_column(result, i, &column));
    if (column.type == DBSQL_TYPE_UNKNOWN) fail_msg("%s: column %s has the type %s", path, column.name, column.type_text);
    counts->types[column.type]++;
  }
  int64_t read = 0;
  for (;;) {
    bool has_row;
    if (dbsql_row_next(result, NULL, &has_row, &error) != DBSQL_OK) fail_msg("%s: %s", path, dbsql_error_message(error));
    if (!has_row) break;
    read++;
    for (size_t i = 0; i < dbsql_result_column_count(result); i++) {
      const char *text, *json;
      if (dbsql_get_text(result, i, &text, NULL, &error) != DBSQL_OK) fail_msg("%s: %s", path, dbsql_error_message(error));
      if (dbsql_get_json(result, i, &json, NULL, &error) != DBSQL_OK) fail_msg("%s: %s", path, dbsql_error_message(error));
      assert_non_null(json);
    }
  }
  if (read != rows) fail_msg("%s: %lld rows read, %lld declared", path, (long long)read, (long long)rows);
  counts->results++;
  counts->rows += (int)read;
  dbsql_result_free(result);
}

static void every_recorded_answer_is_read(void **state) {
  (void)state;
  const char *folder = getenv("DBSQL_RECORDED");
  char path[8192], line[4096];
  snprintf(path, sizeof path, "%s/manifest.tsv", folder ? folder : "");
  FILE *manifest = fopen(path, "r");
  if (!manifest) {
    print_message("no recorded traffic in %s\n", folder ? folder : "(DBSQL_RECORDED is not set)");
    skip();
  }
  struct thrift_server *server = thrift_server_start(answer, NULL);
  dbsql_config *config;
  dbsql_connection *connection;
  char dsn[128];
  assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
  snprintf(dsn, sizeof dsn, "http://token:t@127.0.0.1:%d/sql/1.0/warehouses/w", thrift_server_port(server));
  assert_int_equal(dbsql_config_parse(config, dsn, strlen(dsn), NULL), DBSQL_OK);
  assert_int_equal(dbsql_connect(config, NULL, &connection, NULL), DBSQL_OK);
  dbsql_config_free(config);
  struct counts counts = {0};
  while (fgets(line, sizeof line, manifest)) {
    if (!strstr(line, "application/x-thrift")) continue;
    line[strcspn(line, "\t")] = 0;
    snprintf(path, sizeof path, "%s/%s.resp", folder, line);
    static const char name[] = "ExecuteStatement";
    if (read_file(path, &recorded) && recorded.size > 40 && memcmp(recorded.data + 8, name, sizeof name - 1) == 0)
      replay(connection, path, &counts);
  }
  fclose(manifest);
  dbsql_connection_close(connection, NULL, NULL);
  thrift_server_stop(server);
  buf_free(&recorded);
  int types = 0;
  for (int i = 0; i <= DBSQL_TYPE_OBJECT; i++) types += counts.types[i] != 0;
  print_message("recorded answers: %d results with %d rows and columns of %d types, %d errors, %d with links\n", counts.results,
                counts.rows, types, counts.errors, counts.links);
  assert_true(counts.results > 100);
  assert_true(counts.errors > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_recorded_answer_is_read)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
