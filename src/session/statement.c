#include "session/statement.h"

#include "base/error.h"
#include "base/text.h"
#include "session/telemetry.h"

enum { cancel_ms = 10000 };

static dbsql_status check_text(struct slice sql, dbsql_error **error) {
  size_t bad_at;
  const uint8_t *zero = sql.size ? memchr(sql.data, 0, sql.size) : NULL;
  if (!utf8_is_valid(sql.data, sql.size, &bad_at)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22021", "the statement is not valid UTF-8 at byte %zu", bad_at);
  }
  if (zero) {
    return error_set(error, DBSQL_ERROR_DRIVER, "42601", "the statement has a zero byte at position %zu", (size_t)(zero - sql.data));
  }
  return DBSQL_OK;
}

/* Notes the operation, so that another thread can cancel it; true if one has asked already. */
static bool publish(dbsql_statement *statement, const struct operation_key *key) {
  pthread_mutex_lock(&statement->lock);
  statement->key = *key;
  memcpy(statement->query_id, key->id, sizeof statement->query_id);
  bool cancel_asked = statement->cancel_asked;
  pthread_mutex_unlock(&statement->lock);
  return cancel_asked;
}

static void begin_running(dbsql_statement *statement) {
  pthread_mutex_lock(&statement->lock);
  statement->running = true;
  statement->cancel_asked = false;
  statement->key.id[0] = 0;
  statement->query_id[0] = 0;
  pthread_mutex_unlock(&statement->lock);
}

static bool end_running(dbsql_statement *statement) {
  pthread_mutex_lock(&statement->lock);
  statement->running = false;
  statement->key.id[0] = 0;
  bool cancel_asked = statement->cancel_asked;
  pthread_mutex_unlock(&statement->lock);
  return cancel_asked;
}

/* Ends the execution and the call that came to that. Servers tell a cancelled statement in several ways; we know
 * that we asked for it. */
static dbsql_status end(dbsql_statement *statement, const struct call *call, dbsql_status status, dbsql_error **error) {
  if (end_running(statement) && status == DBSQL_ERROR_EXECUTION) {
    if (error && *error && !(*error)->is_static) (*error)->kind = DBSQL_ERROR_CANCELLED;
    status = DBSQL_ERROR_CANCELLED;
  }
  return execution_end(&statement->execution, call, statement->query_id, status, error);
}

/* Gives the statement to the server. Everything that a statement is made of is read here. On failure the execution is to be ended. */
static dbsql_status start(dbsql_statement *statement, struct slice sql, const struct call *call, dbsql_error **error) {
  dbsql_connection *connection = statement->connection;
  struct execution *execution = &statement->execution;
  struct backend_statement request = {
      .sql = sql,
      .query_timeout_s =
          statement->query_timeout_s >= 0 ? statement->query_timeout_s : config_int(connection->config, OPTION_query_timeout_s),
      .max_rows = statement->max_rows,
      .query_tags = query_tags_text(&statement->tags),
      .conf = statement->conf.items,
      .conf_count = statement->conf.count,
      .parameters = statement->sent_parameters,
      .parameter_count = statement->sent_parameter_count,
  };
  execution_begin(execution, connection, operation_type_EXECUTE_STATEMENT);
  if (statement->no_telemetry) telemetry_opt_out(&execution->record);
  telemetry_set_parent(&execution->record, &statement->trace_parent);
  begin_running(statement);
  dbsql_status status = execution_send(execution, &request, call, error);
  bool cancel_asked = execution->operation && publish(statement, &execution->operation->key);
  if (status == DBSQL_OK && cancel_asked) {
    status = error_set(error, DBSQL_ERROR_CANCELLED, "HY008", "the statement was cancelled%s",
                       execution->operation->has_ended ? ", but the server had finished it already: what it was to change is changed" : "");
  }
  return status;
}

/* Waits for what start() has sent, and makes its result. On failure the execution is to be ended. */
static dbsql_status finish(dbsql_statement *statement, struct slice sql, const struct call *call, dbsql_result **result,
                           dbsql_error **error) {
  dbsql_status status = execution_wait(&statement->execution, call, error);
  if (status == DBSQL_OK) status = execution_open(&statement->execution, call, result, error);
  dbsql_connection *connection = statement->connection;
  if (status == DBSQL_OK) place_note(&connection->place, sql, connection->backend->protocol_version <= last_hive_protocol);
  return status;
}

dbsql_status statement_execute(dbsql_statement *statement, struct slice sql, const dbsql_call *user_call, dbsql_result **out,
                               dbsql_error **error) {
  struct call call;
  dbsql_status status = connection_begin(statement->connection, user_call, &call, error);
  if (status != DBSQL_OK) return status;
  status = check_text(sql, error);
  if (status != DBSQL_OK) return connection_end(statement->connection, &call, "", status, error);
  status = start(statement, sql, &call, error);
  if (status == DBSQL_OK) status = finish(statement, sql, &call, out, error);
  return end(statement, &call, status, error);
}

dbsql_status statement_cancel(dbsql_statement *statement, const dbsql_call *user_call, dbsql_error **error) {
  dbsql_connection *connection = statement->connection;
  dbsql_status valid = call_validate(user_call, error);
  if (valid != DBSQL_OK) return valid;
  struct operation_key key;
  pthread_mutex_lock(&statement->lock);
  if (statement->running) statement->cancel_asked = true;
  key = statement->key;
  bool known = statement->running && key.id[0] != 0;
  pthread_mutex_unlock(&statement->lock);
  /* While the server has not answered with a handle there is nothing to send: the executing thread sees the wish as soon as it has. */
  if (!known) return DBSQL_OK;
  struct call call;
  call_begin(&call, user_call, cancel_ms);
  int64_t started_ns = telemetry_now(connection->telemetry);
  dbsql_status status = connection->backend->ops->cancel(connection->backend, &key, &call, error);
  telemetry_operation(connection->telemetry, operation_type_CANCEL_STATEMENT, key.guid, started_ns, false, status, error ? *error : NULL,
                      PLACE_ANY);
  return connection_end(connection, &call, key.id, status, error);
}

dbsql_status connection_metadata(dbsql_connection *connection, const struct backend_metadata *request, const dbsql_call *user_call,
                                 dbsql_result **out, dbsql_error **error) {
  struct execution execution;
  struct call call;
  dbsql_status status = connection_begin(connection, user_call, &call, error);
  if (status != DBSQL_OK) return status;
  execution_begin(&execution, connection, session_telemetry_metadata(request->kind));
  status = execution_send_metadata(&execution, request, &call, error);
  if (status == DBSQL_OK) status = execution_wait(&execution, &call, error);
  char query_id[guid_text_size] = "";
  if (execution.operation) memcpy(query_id, execution.operation->key.id, sizeof query_id);
  if (status == DBSQL_OK) status = execution_open(&execution, &call, out, error);
  return execution_end(&execution, &call, query_id, status, error);
}
