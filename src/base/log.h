/* Logging: silent by default, one record with fields to the host's callback, secrets replaced before it is made. */
#ifndef DBSQL_BASE_LOG_H
#define DBSQL_BASE_LOG_H

#include <dbsql/dbsql.h>

#include "base/buf.h"

struct log {
  dbsql_log_level level; /* records above it are not made */
  dbsql_log_function function;
  void *user;
};

static inline bool log_wants(const struct log *log, dbsql_log_level level) {
  return log && log->function && level <= log->level;
}

/* `fields` are pairs of texts: key, value, ..., NULL. A value NULL leaves its pair out. */
void log_write(const struct log *log, dbsql_log_level level, const char *module, const char *message, ...);

/* Appends `text` to `out` with everything that looks like a secret replaced by "***": Authorization values, Databricks tokens, JWTs,
 * URL userinfo, signatures in query strings, the values of secret keys in k=v texts and JSON (auth.md 3.5). Control characters
 * become spaces. */
void redact_append(struct buf *out, const char *text, size_t length);

#endif
