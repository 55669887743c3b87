/*
 * Configuration: one table of options (options.def) from which every grammar, the environment, the public description and
 * docs/options.md are made. auth.md 4 and 5 say where the names come from.
 */
#ifndef DBSQL_SESSION_CONFIG_H
#define DBSQL_SESSION_CONFIG_H

#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"

enum option_type { OPTION_STRING, OPTION_BOOL, OPTION_INT, OPTION_ENUM };

/* OPTION_host, OPTION_http_path ...: one for each line of the table. */
enum option_id {
#define OPTION(id, ...) OPTION_##id,
#include "session/options.def"
#undef OPTION
  OPTION_COUNT
};

struct session_parameter {
  char *name;
  char *value;
};

struct option_value {
  bool is_set;
  int64_t number;        /* INT, BOOL; the index of the word for ENUM */
  char *text;            /* STRING that is no secret, ENUM */
  struct secret *secret; /* STRING that is a secret */
};

struct dbsql_config {
  struct option_value values[OPTION_COUNT];
  struct session_parameter *parameters; /* in the order of their first setting */
  size_t parameter_count;
  struct log log;
};

/* What an option is: what was set, or the default. */
const char *config_text(const dbsql_config *config, enum option_id id); /* "" if there is neither; not for secrets */
int64_t config_int(const dbsql_config *config, enum option_id id);
bool config_bool(const dbsql_config *config, enum option_id id);
const struct secret *config_secret(const dbsql_config *config, enum option_id id); /* NULL if not set */
static inline bool config_is_set(const dbsql_config *config, enum option_id id) {
  return config->values[id].is_set;
}

dbsql_status config_copy(const dbsql_config *from, dbsql_config **to, dbsql_error **error);
/* Checks what only the whole shows: host and path present, http:// only where it may be, both or neither of certificate and key,
 * authentication that fits together, ... Fills in what follows from other options. Called by dbsql_connect() on its copy. */
dbsql_status config_resolve(dbsql_config *config, dbsql_error **error);
/* The URL of the Thrift endpoint, "https://HOST:PORT/PATH" (IPv6 in brackets), freed with mem_free(). After config_resolve(). */
dbsql_status config_endpoint(const dbsql_config *config, char **url, dbsql_error **error);

#endif
