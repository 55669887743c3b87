/* Statements: running SQL and metadata calls, and the results that come of them. */
#ifndef DBSQL_SESSION_STATEMENT_H
#define DBSQL_SESSION_STATEMENT_H

#include <pthread.h>

#include "arrow/column.h"
#include "result/result_reader.h"
#include "session/connection.h"
#include "session/parameters.h"
#include "session/query_tags.h"
#include "telemetry/interceptor.h"

struct dbsql_statement {
  dbsql_connection *connection;
  int64_t query_timeout_s; /* -1: the connection's */
  int64_t max_rows;
  bool no_telemetry; /* Databricks is not told of it */
  struct trace_parent trace_parent;
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

struct dbsql_result {
  dbsql_connection *connection;
  struct backend_operation *operation; /* NULL once it is closed */
  struct result_schema *schema;
  struct result_reader reader;
  char query_id[guid_text_size];
  int64_t affected_rows;
  int64_t first_row;       /* of the server's result: 0 unless this is the rest of one */
  bool is_detached;        /* somebody else may go on with it: it stays open on the server */
  struct ArrowArray ahead; /* a batch that was looked at before the caller asked for it; release NULL if there is none */
  int64_t rows_handed_out;
  bool at_end;
  struct telemetry_statement record;
  /* The row cursor. */
  struct arrow_column *columns; /* NULL until the first row is asked for */
  size_t readable;              /* columns that can be read: all of them while there is a current row, otherwise none */
  struct ArrowArray batch;      /* the cursor stands in it */
  int64_t row;                  /* -1 before the first */
  int64_t row_count;
  struct buf *texts; /* one for each column */
};

dbsql_status statement_execute(dbsql_statement *statement, struct slice sql, const dbsql_call *user_call, dbsql_result **result,
                               dbsql_error **error);
dbsql_status statement_cancel(dbsql_statement *statement, const dbsql_call *user_call, dbsql_error **error);
dbsql_status connection_metadata(dbsql_connection *connection, const struct backend_metadata *request, const dbsql_call *user_call,
                                 dbsql_result **result, dbsql_error **error);

/* Makes the result of an operation that has finished, from row `first_row` on. Takes the operation over only on success. */
dbsql_status result_open(dbsql_connection *connection, struct backend_operation *operation, int64_t first_row, const struct call *call,
                         dbsql_result **result, dbsql_error **error);
/* Rows that the caller has seen. */
int64_t result_rows_read(const dbsql_result *result);
/* resume.c. The token is for mem_free_secret(). */
dbsql_status result_resume_token(dbsql_result *result, char **token, dbsql_error **error);
dbsql_status connection_resume(dbsql_connection *connection, const char *token, const dbsql_call *user_call, dbsql_result **result,
                               dbsql_error **error);

/* The next batch for the caller; at the end batch->release is NULL, and the operation has been closed. */
dbsql_status result_next(dbsql_result *result, const dbsql_call *user_call, struct ArrowArray *batch, dbsql_error **error);
void result_free(dbsql_result *result);

#endif
