/* What a statement or a call fails with, in the words of a Databricks server: "[ERROR_CLASS] text. SQLSTATE: 42601". */
#ifndef DBSQL_WAREHOUSE_FAILURE_H
#define DBSQL_WAREHOUSE_FAILURE_H

#include <stdbool.h>

#include <dbsql/dbsql.h>

#include "engine.h"

struct failure {
  bool set;
  char sqlstate[6];
  char *error_class; /* owned; NULL if it has none */
  char *text;        /* owned; the display message */
};

void failure_clear(struct failure *failure);
/* Replaces what is there: "[CLASS] text SQLSTATE: xxxxx", or the bare text if `error_class` is NULL. Returns false. */
bool failure_set(struct failure *failure, const char *error_class, const char *sqlstate, const char *format, ...) DBSQL_PRINTF(4, 5);
/* Takes over an error of the library, and frees it. Returns false. */
bool failure_from_library(struct failure *failure, dbsql_error **error);
/* Puts what the engine said into the form of a Databricks server. `sql` is what the client sent: the place of a syntax error is looked
 * up in it. Returns false. */
bool failure_from_engine(struct failure *failure, const struct engine_error *error, const char *sql);
/* A syntax error at the `length` bytes at `offset` of the statement; 0 bytes: at its end. Returns false. */
bool failure_at(struct failure *failure, const char *sql, size_t offset, size_t length);

#endif
