#include "session/statement.h"

#include "api/api.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/parameter_run.h"

dbsql_status dbsql_statement_new(dbsql_connection *connection, dbsql_statement **statement, dbsql_error **error) {
  API_REQUIRE(statement, error);
  *statement = NULL;
  API_REQUIRE(connection, error);
  dbsql_statement *made = mem_alloc_zero(1, sizeof *made);
  if (!made) return error_no_memory(error);
  made->connection = connection_ref(connection);
  made->query_timeout_s = -1;
  pthread_mutex_init(&made->lock, NULL);
  *statement = made;
  return DBSQL_OK;
}

void dbsql_statement_free(dbsql_statement *statement) {
  if (!statement) return;
  pthread_mutex_destroy(&statement->lock);
  query_tags_free(&statement->tags);
  statement_conf_free(&statement->conf);
  parameters_clear(&statement->parameters);
  connection_unref(statement->connection);
  mem_free(statement);
}

static dbsql_status set_number(int64_t *target, const char *name, const char *value, int64_t most, dbsql_error **error) {
  int64_t number;
  if (!text_parse_int64(value, strlen(value), &number) || number < 0 || number > most) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "%s: \"%s\" is not a whole number from 0 to %lld", name, value, (long long)most);
  }
  *target = number;
  return DBSQL_OK;
}

dbsql_status dbsql_statement_set(dbsql_statement *statement, const char *name, const char *value, dbsql_error **error) {
  API_REQUIRE(statement, error);
  API_REQUIRE(name, error);
  API_REQUIRE(value, error);
  if (text_equal_nocase(name, "query_timeout_s")) return set_number(&statement->query_timeout_s, name, value, INT32_MAX, error);
  if (text_equal_nocase(name, "max_rows")) return set_number(&statement->max_rows, name, value, INT64_MAX, error);
  if (text_equal_nocase(name, "query_tags")) return query_tags_parse(&statement->tags, value, error);
  if (text_has_prefix_nocase(name, "conf.")) return statement_conf_set(&statement->conf, name + strlen("conf."), value, error);
  if (text_equal_nocase(name, "telemetry")) {
    bool on = true;
    if (*value && !telemetry_parse_bool(value, &on)) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "%s: \"%s\" is neither true nor false", name, value);
    }
    statement->no_telemetry = !on;
    return DBSQL_OK;
  }
  if (text_equal_nocase(name, "trace_parent")) {
    struct trace_parent parent;
    if (!trace_parent_parse(value, &parent)) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "%s must be a W3C traceparent: 00-TRACE-SPAN-FLAGS in hexadecimal", name);
    }
    statement->trace_parent = parent;
    return DBSQL_OK;
  }
  static const char *const known[] = {"query_timeout_s", "max_rows", "query_tags", "conf.NAME", "telemetry", "trace_parent"};
  size_t nearest = 0, nearest_distance = SIZE_MAX;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    size_t distance = text_distance(name, known[i], 64);
    if (distance < nearest_distance) {
      nearest = i;
      nearest_distance = distance;
    }
  }
  return error_set(error, DBSQL_ERROR_DRIVER, "HY092", "statements have no option \"%s\"; did you mean \"%s\"?", name, known[nearest]);
}

dbsql_status dbsql_statement_execute(dbsql_statement *statement, const char *sql, size_t length, const dbsql_call *call,
                                     dbsql_result **result, dbsql_error **error) {
  API_REQUIRE(result, error);
  *result = NULL;
  API_REQUIRE(statement, error);
  API_REQUIRE(sql, error);
  API_BEGIN(error);
  struct slice text = slice_of(sql, length == SIZE_MAX ? strlen(sql) : length);
  API_END(statement->parameters.source == PARAMETERS_NONE ? statement_execute(statement, text, call, result, error)
                                                          : statement_execute_bound(statement, text, call, result, error));
}

dbsql_status dbsql_statement_cancel(dbsql_statement *statement, const dbsql_call *call, dbsql_error **error) {
  API_REQUIRE(statement, error);
  API_BEGIN(error);
  API_END(statement_cancel(statement, call, error));
}

const char *dbsql_statement_query_id(const dbsql_statement *statement) {
  return statement ? statement->query_id : "";
}

dbsql_status dbsql_execute(dbsql_connection *connection, const char *sql, size_t length, const dbsql_call *call, dbsql_result **result,
                           dbsql_error **error) {
  API_REQUIRE(result, error);
  *result = NULL;
  dbsql_statement *statement;
  dbsql_status status = dbsql_statement_new(connection, &statement, error);
  if (status != DBSQL_OK) return status;
  status = dbsql_statement_execute(statement, sql, length, call, result, error);
  dbsql_statement_free(statement);
  return status;
}
