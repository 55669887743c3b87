/*
 * Configuration: one table of options (options.def) from which every grammar, the environment, the public description and
 * docs/options.md are made. auth.md 4 and 5 say where the names come from.
 */
#ifndef DBSQL_SESSION_CONFIG_H
#define DBSQL_SESSION_CONFIG_H

#include <pthread.h>

#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/shared.h"

enum option_type { OPTION_STRING, OPTION_BOOL, OPTION_INT, OPTION_ENUM };

/* OPTION_host, OPTION_http_path ...: one for each line of the table. */
enum option_id {
#define OPTION(id, ...) OPTION_##id,
#include "session/options.def"
#undef OPTION
  OPTION_COUNT
};

/* config_int() of the ENUM options: the index of the word. */
enum server_type { SERVER_AUTO, SERVER_DATABRICKS, SERVER_HIVE };
enum auth_type {
  AUTH_NONE,
  AUTH_PAT,
  AUTH_EXTERNAL,
  AUTH_OAUTH_M2M,
  AUTH_OAUTH_JWT,
  AUTH_OAUTH_U2M,
  AUTH_REFRESH_TOKEN,
  AUTH_AZURE_CLIENT_SECRET,
  AUTH_AZURE_MSI,
  AUTH_ENV_OIDC,
  AUTH_FILE_OIDC,
  AUTH_GITHUB_OIDC,
  AUTH_DEFAULT
};

struct session_parameter {
  char *name;
  char *value;
};

struct option_value {
  bool is_set;
  bool from_environment;
  bool from_profile;
  bool from_url;         /* proxy_user and proxy_password that stood in proxy_url */
  int64_t number;        /* INT, BOOL; the index of the word for ENUM */
  char *text;            /* STRING that is no secret, ENUM */
  struct secret *secret; /* STRING that is a secret */
};

/* What the connections of one configuration share: the provider that the last of them made, by what it was made from (sign_in.c). */
struct sign_in_slot {
  struct shared shared;
  pthread_mutex_t lock;
  struct shared *provider; /* a dbsql_token_provider; may be NULL */
  uint8_t made_from[32];
};

/* Scheme, host and port that credentials came with. */
struct bound_origin {
  char *host; /* NULL: none was named */
  int64_t port;
  bool tls;
};

struct dbsql_config {
  struct option_value values[OPTION_COUNT];
  struct session_parameter *parameters; /* in the order of their first setting */
  size_t parameter_count;
  struct session_parameter *headers; /* sent with every request: http_header.NAME; checked (auth.md 6, T8) */
  size_t header_count;
  struct bound_origin environment_origin; /* that the environment names: its credentials are for no other (T3) */
  struct bound_origin profile_origin;     /* and the profile */
  struct shared *provider;                /* a dbsql_token_provider, which the configuration itself knows nothing of; may be NULL */
  struct sign_in_slot *sign_in;           /* shared with the copies */
  dbsql_browser_function browser;         /* NULL: the system's */
  void *browser_user;
  bool environment_loaded; /* what the environment says counts, also for what only telemetry reads */
  dbsql_telemetry_function telemetry;
  void *telemetry_user;
  struct log log;
};

/* What an option is: what was set, or the default. */
const char *config_text(const dbsql_config *config, enum option_id id); /* "" if there is neither; STRING and ENUM, not for secrets */
int64_t config_int(const dbsql_config *config, enum option_id id);      /* INT, BOOL, ENUM */
bool config_bool(const dbsql_config *config, enum option_id id);
const struct secret *config_secret(const dbsql_config *config, enum option_id id); /* NULL if not set */
static inline bool config_is_set(const dbsql_config *config, enum option_id id) {
  return config->values[id].is_set;
}

/* True for the options that hold the credentials of one way to sign in. */
bool config_is_credential(enum option_id id);
/* Takes an owner's share of the provider (NULL: none). */
void config_set_provider(dbsql_config *config, struct shared *provider);

/* Freed with dbsql_config_free(). */
dbsql_status config_copy(const dbsql_config *from, dbsql_config **to, dbsql_error **error);
/* Checks what only the whole shows: host and path present, http:// only where it may be, both or neither of certificate and key,
 * authentication that fits together, ... Called by dbsql_connect() on its copy. Fills in what follows from other options, so that
 * afterwards
 *    auth_type and server are set, the former never to AUTH_DEFAULT, the latter never to SERVER_AUTO;
 *    http_path holds what warehouse_id said, org_id what the path says (unset if it says nothing);
 *    proxy_url holds what proxy_host and proxy_port said;
 *    the session's parameters hold what timezone, query_tags and metric_view_metadata said. */
dbsql_status config_resolve(dbsql_config *config, dbsql_error **error);
/* The same for who only signs in, which needs no path. */
dbsql_status config_resolve_sign_in(dbsql_config *config, dbsql_error **error);
/* The URL of the Thrift endpoint, "https://HOST:PORT/PATH" (IPv6 in brackets), freed with mem_free(). After config_resolve(). */
dbsql_status config_endpoint(const dbsql_config *config, char **url, dbsql_error **error);

/* Whether the server is to be spoken to as a plain HiveServer2 from the start. After config_resolve(). */
bool config_is_plain(const dbsql_config *config);

#endif
