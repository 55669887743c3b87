/* The metadata calls as the library promises them (docs/metadata.md): the server's call, or statements in its place; one kind of rows. */
#ifndef DBSQL_SESSION_METADATA_H
#define DBSQL_SESSION_METADATA_H

#include "session/metadata_rows.h"
#include "session/statement.h"

/* NULL arguments do not filter; "" matches what has no catalog, or no schema. */
dbsql_status metadata_get(dbsql_connection *connection, const struct backend_metadata *request, const dbsql_call *user_call,
                          dbsql_result **result, dbsql_error **error);

/* One call of the caller's, which becomes several of the server's under one deadline. */
struct metadata_work {
  dbsql_connection *connection;
  const struct backend_metadata *request;
  struct call whole;
  dbsql_call step; /* for the next call: see metadata_step() */
  struct metadata_rows rows;
  char query_id[guid_text_size]; /* of the last operation */
  bool counts_from_0;            /* the server numbers columns, or the columns of keys, from 0 */
};
const dbsql_call *metadata_step(struct metadata_work *work);
/* Completes the last row and says whether it is wanted. */
dbsql_status metadata_complete(void *work, struct metadata_rows *rows, bool *wanted, dbsql_error **error);

/* Runs a statement of the library's own, of which the result is read to its end by the caller. */
dbsql_status metadata_run(dbsql_connection *connection, const char *sql, const dbsql_call *call, dbsql_result **result,
                          dbsql_error **error);
/* Whether statements of our own may run now: never within a user's transaction, which a failing one would end (thrift.md 9.1). */
bool metadata_may_run(const dbsql_connection *connection);

/* metadata_show.c: the same by statements. */
dbsql_status metadata_show(struct metadata_work *work, dbsql_error **error);
/* Whether the error says that an object does not exist. */
bool metadata_is_missing(const dbsql_error *error);

/* metadata_types.c */
dbsql_status metadata_add_types(struct metadata_rows *rows, dbsql_error **error);
/* Fills in what follows from TYPE_NAME of the last row, a row of GetColumns. What is not known stays as it is. */
dbsql_status metadata_add_type_facts(struct metadata_rows *rows, dbsql_error **error);

/* describe.c: a result without rows, with the columns that the query would have. */
dbsql_status statement_describe(dbsql_statement *statement, struct slice sql, const dbsql_call *user_call, dbsql_result **result,
                                dbsql_error **error);
/* Where the session stands. With `ask` the server is asked for what is not known. Views into the connection; NULL: not known. */
dbsql_status connection_current(dbsql_connection *connection, bool ask, const dbsql_call *user_call, const char **catalog,
                                const char **schema, dbsql_error **error);

#endif
