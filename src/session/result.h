/* What a statement or metadata call gives: its batches, the row cursor on them, and the operation on the server that they come from. */
#ifndef DBSQL_SESSION_RESULT_H
#define DBSQL_SESSION_RESULT_H

#include "arrow/column.h"
#include "result/result_reader.h"
#include "session/connection.h"
#include "telemetry/interceptor.h"

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

/* Makes the result of an operation that has finished, from row `first_row` on. Takes the operation over only on success. */
dbsql_status result_open(dbsql_connection *connection, struct backend_operation *operation, int64_t first_row, const struct call *call,
                         dbsql_result **result, dbsql_error **error);
/* The result goes on with the record of the statement it came from. What kind that was, its outcome tells. */
void result_record(dbsql_result *result, struct telemetry_statement *record);
/* Rows that the caller has seen. */
int64_t result_rows_read(const dbsql_result *result);
/* The next batch for the caller; at the end batch->release is NULL, and the operation has been closed. */
dbsql_status result_next(dbsql_result *result, const dbsql_call *user_call, struct ArrowArray *batch, dbsql_error **error);
void result_free(dbsql_result *result);

/* resume.c. The token is for mem_free_secret(). */
dbsql_status result_resume_token(dbsql_result *result, char **token, dbsql_error **error);
dbsql_status connection_resume(dbsql_connection *connection, const char *token, const dbsql_call *user_call, dbsql_result **result,
                               dbsql_error **error);

#endif
