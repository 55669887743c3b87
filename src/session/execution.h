/*
 * One statement or metadata call on its way: sent, waited for, and made into a result. Who executes synchronously takes the steps one after
 * the other within one call; who submits takes them in calls of their own, with as much time between them as wanted:
 *
 *   execution_send       the server has it, and its id is known
 *   execution_wait       it has finished
 *   execution_open       its result has taken the operation and the record over
 *   execution_end        after the last step, or one that failed: the transaction and the record learn of it, and the server too if it
 * failed
 */
#ifndef DBSQL_SESSION_EXECUTION_H
#define DBSQL_SESSION_EXECUTION_H

#include "session/connection.h"
#include "session/result.h"
#include "telemetry/interceptor.h"

/* May be moved only before it is sent and after it has ended: telemetry knows where `record` lies. */
struct execution {
  dbsql_connection *connection;        /* borrowed */
  struct backend_operation *operation; /* NULL: the server has accepted nothing, or it has come to its end */
  struct telemetry_statement record;
  enum transaction_verb verb; /* what its text does to transactions */
  bool is_metadata;
  bool ran;         /* the server has said that it went well */
  bool is_executed; /* the record knows that */
};

/* `operation`: enum tag_operation_type. */
void execution_begin(struct execution *execution, dbsql_connection *connection, uint8_t operation);
/* Once the server has accepted it, execution->operation is there, also if the function then fails. */
dbsql_status execution_send(struct execution *execution, const struct backend_statement *statement, const struct call *call,
                            dbsql_error **error);
dbsql_status execution_send_metadata(struct execution *execution, const struct backend_metadata *request, const struct call *call,
                                     dbsql_error **error);
/* Waits until it has finished. */
dbsql_status execution_wait(struct execution *execution, const struct call *call, dbsql_error **error);
/* After execution_wait(). */
dbsql_status execution_open(struct execution *execution, const struct call *call, dbsql_result **result, dbsql_error **error);
/* The end, and the end of the call that came to it: the error gets all it needs (connection_end()). Returns `status`. */
dbsql_status execution_end(struct execution *execution, const struct call *call, const char *query_id, dbsql_status status,
                           dbsql_error **error);

/* The call in which the server is told that something is no longer needed. It obeys the caller's call, but once that has ended it still
 * has a moment: within the second that a cancel handle promises. `call` NULL: there is none, the library's own limit counts. */
void execution_farewell(struct call *farewell, const struct call *call);

#endif
