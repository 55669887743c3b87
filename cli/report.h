/* What is said on standard error. */
#ifndef DBSQL_CLI_REPORT_H
#define DBSQL_CLI_REPORT_H

#include <stddef.h>

#include <dbsql/dbsql.h>

/* Where a statement stands, for messages. */
struct place {
  const char *file; /* NULL: no file */
  size_t line;
};

/* "error: ..." with what follows from printf(). Control characters are shown as escapes, line ends are kept. */
void report_message(const struct place *place, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line without "error:", such as a notice. */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The message of the library, its SQLSTATE, the query's id, and a hint where there is one. */
void report_error(const struct place *place, const dbsql_error *error);
/* A hint for the common ones; NULL if there is none. */
const char *report_hint(const dbsql_error *error);

#endif
