/* What category an error falls into (telemetry.md 8), from one table: errors.def. The error itself is only read. */
#ifndef DBSQL_TELEMETRY_ERRORS_H
#define DBSQL_TELEMETRY_ERRORS_H

#include "base/error.h"

/* What was being done when it happened. */
enum error_place {
  PLACE_ANY, /* anything else */
  PLACE_SIGN_IN,
  PLACE_STATEMENT, /* sent, or waited for */
  PLACE_FETCH,
  PLACE_CHUNK, /* a file of the result */
  PLACE_CLOSE_STATEMENT,
  PLACE_CLOSE_SESSION
};

/* `error` NULL: out of memory if `status` says so, otherwise what the status alone tells. DBSQL_OK is CATEGORY_NONE. */
enum error_category errors_classify(dbsql_status status, const dbsql_error *error, enum error_place place);
/* Whether trying again cannot help: such a record is sent soon, others wait for their batch. */
bool errors_is_terminal(enum error_category category);

#endif
