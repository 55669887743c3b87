/* Statements: running SQL and metadata calls. */
#ifndef DBSQL_SESSION_STATEMENT_H
#define DBSQL_SESSION_STATEMENT_H

#include <pthread.h>

#include "session/execution.h"
#include "session/parameters.h"
#include "session/query_tags.h"

struct dbsql_statement {
  dbsql_connection *connection;
  int64_t query_timeout_s; /* -1: the connection's */
  int64_t max_rows;
  bool no_telemetry; /* Databricks is not told of it */
  struct trace_parent trace_parent;
  struct execution execution; /* what runs, if something does */
  struct query_tags tags;
  struct statement_conf conf;
  struct parameters parameters;                    /* what is bound */
  const struct backend_parameter *sent_parameters; /* what goes with the text that is being executed */
  size_t sent_parameter_count;
  /* What another thread may cancel. */
  pthread_mutex_t lock;
  bool running;
  bool cancel_asked;
  struct operation_key key; /* of the operation that runs; key.id "" while none is known */
  char query_id[guid_text_size];
};

dbsql_status statement_execute(dbsql_statement *statement, struct slice sql, const dbsql_call *user_call, dbsql_result **result,
                               dbsql_error **error);
dbsql_status statement_cancel(dbsql_statement *statement, const dbsql_call *user_call, dbsql_error **error);
dbsql_status connection_metadata(dbsql_connection *connection, const struct backend_metadata *request, const dbsql_call *user_call,
                                 dbsql_result **result, dbsql_error **error);

#endif
