#include "session/execution.h"

#include "base/error.h"

/* After a cancel or a timeout the server is still told, but the caller does not wait long for that. */
enum { abandon_ms = 700, close_ms = 10000 };

void execution_farewell(struct call *farewell, const struct call *call) {
  bool over = call && (dbsql_cancel_is_triggered(call->cancel) || call_remaining_ms(call) < abandon_ms);
  call_begin_internal(farewell, over ? abandon_ms : close_ms);
  if (over || !call) return;
  farewell->cancel = call->cancel;
  if (call->deadline_ns < farewell->deadline_ns) farewell->deadline_ns = call->deadline_ns;
}

/* Gives up on an operation after an error. One that the server may still be working on is cancelled first, unless its end is what we
 * were told; the caller waits no longer for either than the promise of dbsql_call allows. */
static void abandon(dbsql_connection *connection, struct backend_operation *operation, const struct call *call, dbsql_status status) {
  if (!operation) return;
  const struct backend_ops *ops = connection->backend->ops;
  struct call farewell;
  execution_farewell(&farewell, call);
  bool gave_up = status == DBSQL_ERROR_CANCELLED || status == DBSQL_ERROR_TIMEOUT;
  if (gave_up && !operation->has_ended) ops->cancel(connection->backend, &operation->key, &farewell, NULL);
  ops->close_operation(operation, atomic_load(&connection->is_open) ? &farewell : NULL);
}

static void note_operation(struct telemetry_statement *record, const struct backend_operation *operation) {
  if (!record->owner || !operation) return;
  telemetry_set_id(record, operation->key.guid);
  telemetry_polls(record, operation->polls, operation->poll_ns);
  telemetry_retried(record, operation->retries);
}

/* What executing took is in the operation. */
static void note_executed(struct execution *execution) {
  if (execution->is_executed) return;
  execution->is_executed = true;
  note_operation(&execution->record, execution->operation);
  telemetry_executed(&execution->record);
}

void execution_begin(struct execution *execution, dbsql_connection *connection, uint8_t operation) {
  execution->connection = connection;
  execution->operation = NULL;
  execution->verb = TRANSACTION_VERB_NONE;
  execution->ran = execution->is_executed = false;
  execution->is_metadata = operation != operation_type_EXECUTE_STATEMENT;
  telemetry_before_execute(connection->telemetry, &execution->record, operation,
                           execution->is_metadata ? statement_type_METADATA : statement_type_SQL);
}

dbsql_status execution_send(struct execution *execution, const struct backend_statement *statement, const struct call *call,
                            dbsql_error **error) {
  struct backend *backend = execution->connection->backend;
  execution->verb = transaction_verb(statement->sql);
  dbsql_status status = backend->ops->execute(backend, statement, call, &execution->operation, error);
  execution->ran = status == DBSQL_OK && execution->operation->has_ended;
  if (status == DBSQL_OK) transaction_accepted(execution->connection, execution->verb);
  return status;
}

dbsql_status execution_send_metadata(struct execution *execution, const struct backend_metadata *request, const struct call *call,
                                     dbsql_error **error) {
  struct backend *backend = execution->connection->backend;
  return backend->ops->metadata(backend, request, call, &execution->operation, error);
}

dbsql_status execution_wait(struct execution *execution, const struct call *call, dbsql_error **error) {
  dbsql_status status = execution->connection->backend->ops->wait(execution->operation, call, error);
  execution->ran = execution->ran || status == DBSQL_OK;
  return status;
}

dbsql_status execution_open(struct execution *execution, const struct call *call, dbsql_result **result, dbsql_error **error) {
  note_executed(execution);
  dbsql_status status = result_open(execution->connection, execution->operation, 0, call, result, error);
  if (status == DBSQL_OK) result_record(*result, &execution->record);
  return status;
}

dbsql_status execution_end(struct execution *execution, const struct call *call, const char *query_id, dbsql_status status,
                           dbsql_error **error) {
  dbsql_connection *connection = execution->connection;
  note_executed(execution);
  status = connection_end(connection, call, query_id, status, error);
  enum transaction_outcome outcome = transaction_outcome(status, execution->ran, execution->operation, *error);
  if (execution->is_metadata) {
    transaction_after_metadata(connection, outcome, *error);
  } else {
    transaction_after_statement(connection, execution->verb, outcome, *error);
  }
  if (status != DBSQL_OK) {
    telemetry_failed(&execution->record, status, *error, PLACE_STATEMENT);
    telemetry_after_execute(&execution->record);
    abandon(connection, execution->operation, call, status);
  }
  execution->operation = NULL;
  return status;
}
