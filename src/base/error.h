/* Errors: how internal code makes them. Every function that can fail returns a dbsql_status and takes `dbsql_error **error` last. */
#ifndef DBSQL_BASE_ERROR_H
#define DBSQL_BASE_ERROR_H

#include <stdarg.h>

#include <dbsql/dbsql.h>

#include "base/category.h"

struct dbsql_error {
  dbsql_status kind;
  char sqlstate[6];
  bool retryable;
  bool session_lost;
  uint8_t category; /* enum error_category; CATEGORY_NONE where nobody has told it */
  bool is_static;   /* the out-of-memory error: nothing to free, nothing to change */
  int32_t vendor_code;
  int http_status;
  int attempts;
  int64_t retry_after_ms;
  int64_t elapsed_ms;
  /* Each is NULL or owned. */
  char *message;
  char *error_class;
  char *query_id;
  char *connection_id;
  char *correlation_id;
  char *request_id;
  char *host;
};

/* Makes `*error` (if `error` is not NULL) a new error, in place of one that is there. Returns `kind`, or DBSQL_ERROR_NO_MEMORY if
 * the error itself could not be made. `sqlstate` NULL means HY000. */
dbsql_status error_set(dbsql_error **error, dbsql_status kind, const char *sqlstate, const char *format, ...) DBSQL_PRINTF(4, 5);
dbsql_status error_set_v(dbsql_error **error, dbsql_status kind, const char *sqlstate, const char *format, va_list args);
/* The static error. Returns DBSQL_ERROR_NO_MEMORY. */
dbsql_status error_no_memory(dbsql_error **error);
/* Puts "CONTEXT: " before the message of an error that is there: outer text first, then the cause, as in the Go driver. */
void error_prefix(dbsql_error **error, const char *format, ...) DBSQL_PRINTF(2, 3);
/* Replaces a secret wherever it stands in an error, by "***"; not one of less than four bytes, which is in any text. */
void error_hide(dbsql_error **error, const char *secret);
/* Copies a text into the error; each does nothing if there is no error, if it is the static one, or if `text` is NULL. */
void error_set_query_id(dbsql_error **error, const char *text);
void error_set_connection_id(dbsql_error **error, const char *text);
void error_set_correlation_id(dbsql_error **error, const char *text);
void error_set_request_id(dbsql_error **error, const char *text);
void error_set_host(dbsql_error **error, const char *text);
/* Only if nobody has told one: the innermost cause counts. */
void error_set_category(dbsql_error **error, enum error_category category);
void error_set_class(dbsql_error **error, const char *text, size_t length);

/* Frees `*error` and sets it to NULL. */
void error_clear(dbsql_error **error);
/* Hands `*from` on to the caller's `to` (in place of what is there), or frees it if `to` is NULL. `*from` is NULL afterwards. */
void error_move(dbsql_error **from, dbsql_error **to);

#endif
