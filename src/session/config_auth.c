/* Which way to sign in: what is asked for, what there are credentials for, and whether both fit together (auth.md 2.14). */
#include <stdio.h>
#include <string.h>

#include "base/environment.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/config_internal.h"

static dbsql_status refuse(dbsql_error **error, const char *message) {
  return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: %s", message);
}

static const enum option_id credentials[] = {OPTION_access_token, OPTION_client_secret, OPTION_jwt_key_file, OPTION_refresh_token,
                                             OPTION_azure_client_secret};
enum { credential_count = sizeof credentials / sizeof credentials[0] };

bool config_is_credential(enum option_id id) {
  for (int i = 0; i < credential_count; i++) {
    if (credentials[i] == id) return true;
  }
  return false;
}

/* The word of an auth_type. */
static const char *word_of(enum auth_type type, char out[nearest_size]) {
  struct slice word = {NULL, 0};
  size_t at = 0;
  for (int i = 0; i <= (int)type; i++) text_next_piece(option_table[OPTION_auth_type].words, '|', &at, &word);
  memcpy(out, word.data, word.size);
  out[word.size] = 0;
  return out;
}

static dbsql_status choose(dbsql_config *config, enum auth_type type, dbsql_error **error) {
  char word[nearest_size];
  char *copy = mem_strdup(word_of(type, word));
  if (!copy) return error_no_memory(error);
  config_clear(config, OPTION_auth_type);
  config->values[OPTION_auth_type] = (struct option_value){.is_set = true, .number = type, .text = copy};
  return DBSQL_OK;
}

static bool is_set(const dbsql_config *config, enum option_id id) {
  return config_is_set(config, id);
}

dbsql_status config_resolve_sources(dbsql_config *config, dbsql_error **error) {
  bool by_default = config_is_set(config, OPTION_auth_type) && config_int(config, OPTION_auth_type) == AUTH_DEFAULT;
  dbsql_status status = DBSQL_OK;
  if (by_default) {
    /* `default` is the wish for whatever there is, and no way of its own: another one may come from environment or profile. */
    config_clear(config, OPTION_auth_type);
    status = dbsql_config_load_environment(config, error);
  }
  if (status == DBSQL_OK) status = config_load_profile(config, by_default, error);
  if (status == DBSQL_OK && by_default && !config_is_set(config, OPTION_auth_type)) status = choose(config, AUTH_DEFAULT, error);
  return status;
}

/* The option that says where tokens are asked for, if another source than the credential's has set it; NULL if none has. */
static const char *endpoint_from_elsewhere(const dbsql_config *config, const struct option_value *credential) {
  static const enum option_id endpoints[] = {OPTION_token_endpoint, OPTION_discovery_url};
  for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
    const struct option_value *value = &config->values[endpoints[i]];
    bool same = value->from_environment == credential->from_environment && value->from_profile == credential->from_profile;
    if (value->is_set && !same) return option_table[endpoints[i]].name;
  }
  return NULL;
}

enum { longest_origin = 320 };

static void show_origin(const char *host, int64_t port, bool tls, char out[longest_origin]) {
  bool v6 = strchr(host, ':') != NULL;
  snprintf(out, longest_origin, "%s://%s%s%s:%lld", tls ? "https" : "http", v6 ? "[" : "", host, v6 ? "]" : "", (long long)port);
}

/* Whether the connection is to the origin that credentials are for; otherwise both, for the error. Another port may be another program,
 * and without TLS it may be anybody. */
static bool is_bound(const struct bound_origin *bound, const dbsql_config *config, char theirs[longest_origin], char ours[longest_origin]) {
  const char *host = config_text(config, OPTION_host);
  int64_t port = config_int(config, OPTION_port);
  bool tls = config_bool(config, OPTION_tls);
  if (!bound->host) return true;
  if (!text_equal_nocase(bound->host, host)) {
    snprintf(theirs, longest_origin, "%s", bound->host);
    snprintf(ours, longest_origin, "%s", host);
    return false;
  }
  show_origin(bound->host, bound->port, bound->tls, theirs);
  show_origin(host, port, tls, ours);
  return bound->port == port && bound->tls == tls;
}

/* A credential goes only where the source it came from says (T3). */
static dbsql_status check_bound(dbsql_config *config, dbsql_error **error) {
  bool wants_none = config_is_set(config, OPTION_auth_type) && config_int(config, OPTION_auth_type) == AUTH_NONE;
  for (int i = 0; i < credential_count; i++) {
    struct option_value *value = &config->values[credentials[i]];
    if (!value->is_set || !(value->from_environment || value->from_profile)) continue;
    if (wants_none || config->provider) {
      config_clear(config, credentials[i]);
      continue;
    }
    const struct bound_origin *bound = value->from_profile ? &config->profile_origin : &config->environment_origin;
    char theirs[longest_origin], ours[longest_origin];
    const char *name = credentials[i] == OPTION_access_token ? "access token" : option_table[credentials[i]].name;
    const char *source = value->from_profile ? "profile" : "environment";
    if (!bound->host && value->from_profile) {
      return error_set(error, DBSQL_ERROR_DRIVER, "28000",
                       "invalid configuration: the profile has a %s but no host that it is for: add `host` to the profile", name);
    }
    if (!is_bound(bound, config, theirs, ours)) {
      return error_set(error, DBSQL_ERROR_DRIVER, "28000",
                       "invalid configuration: the %s of the %s is for its own host (%s) and is not sent to %s: set %s, or auth_type=none",
                       name, source, theirs, ours, option_table[credentials[i]].name);
    }
    const char *elsewhere = credentials[i] == OPTION_access_token ? NULL : endpoint_from_elsewhere(config, value);
    if (elsewhere) {
      return error_set(error, DBSQL_ERROR_DRIVER, "28000",
                       "invalid configuration: the %s of the %s is not sent to a %s that was set elsewhere: set %s too", name, source,
                       elsewhere, name);
    }
  }
  return DBSQL_OK;
}

/* The first thing that a way to sign in needs and has not; NULL if it has everything. */
static const char *missing(const dbsql_config *config, enum auth_type type) {
  bool id = is_set(config, OPTION_client_id), secret = is_set(config, OPTION_client_secret), key = is_set(config, OPTION_jwt_key_file);
  switch (type) {
    case AUTH_PAT: return is_set(config, OPTION_access_token) ? NULL : "empty token: auth_type=pat needs an access_token";
    case AUTH_EXTERNAL: return config->provider ? NULL : "auth_type=external needs a token provider";
    case AUTH_OAUTH_M2M:
      return id && (secret || key) ? NULL
                                   : "clientId and clientSecret params required: auth_type=oauth-m2m needs client_id and client_secret";
    case AUTH_OAUTH_JWT: return id && key ? NULL : "auth_type=oauth-jwt needs client_id and jwt_key_file";
    case AUTH_REFRESH_TOKEN: return is_set(config, OPTION_refresh_token) ? NULL : "auth_type=refresh-token needs a refresh_token";
    case AUTH_AZURE_CLIENT_SECRET:
      return (is_set(config, OPTION_azure_client_id) || id) && (is_set(config, OPTION_azure_client_secret) || secret)
                 ? NULL
                 : "auth_type=azure-client-secret needs azure_client_id and azure_client_secret";
    case AUTH_FILE_OIDC: return is_set(config, OPTION_oidc_token_file) ? NULL : "auth_type=file-oidc needs an oidc_token_file";
    default: return NULL;
  }
}

/* What there are credentials for. More than one, and nobody has said which: an error (the unified rule of the SDKs). */
static dbsql_status infer(dbsql_config *config, enum auth_type *type, dbsql_error **error) {
  const struct {
    bool there;
    enum auth_type type;
    const char *name;
  } families[] = {
      {config->provider != NULL, AUTH_EXTERNAL, "a token provider"},
      {is_set(config, OPTION_access_token), AUTH_PAT, "access_token"},
      {is_set(config, OPTION_client_secret) && !is_set(config, OPTION_azure_client_secret), AUTH_OAUTH_M2M, "client_secret"},
      {is_set(config, OPTION_jwt_key_file), AUTH_OAUTH_JWT, "jwt_key_file"},
      {is_set(config, OPTION_refresh_token), AUTH_REFRESH_TOKEN, "refresh_token"},
      {is_set(config, OPTION_azure_client_secret), AUTH_AZURE_CLIENT_SECRET, "azure_client_secret"},
  };
  const char *first = NULL;
  *type = AUTH_NONE;
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
    if (!families[i].there) continue;
    /* A refreshing client may have a secret. */
    if (families[i].type == AUTH_REFRESH_TOKEN && *type == AUTH_OAUTH_M2M) first = NULL;
    if (first) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY024",
                       "invalid configuration: more than one way to sign in is configured: %s and %s: set one, or auth_type", first,
                       families[i].name);
    }
    first = families[i].name;
    *type = families[i].type;
  }
  return DBSQL_OK;
}

/* The chain of auth_type=default, in the order of the SDK for Go: the first way that is configured. A browser is never opened unasked. */
static dbsql_status infer_default(dbsql_config *config, enum auth_type *type, dbsql_error **error) {
  dbsql_status status = infer(config, type, error);
  if (status != DBSQL_OK || *type != AUTH_NONE) return status;
  bool look = !config_bool(config, OPTION_ignore_environment);
  if (look && environment_get("ACTIONS_ID_TOKEN_REQUEST_URL") && environment_get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")) {
    *type = AUTH_GITHUB_OIDC;
  } else if (look && environment_get(config_text(config, OPTION_oidc_token_env))) {
    *type = AUTH_ENV_OIDC;
  } else if (is_set(config, OPTION_oidc_token_file)) {
    *type = AUTH_FILE_OIDC;
  } else {
    return error_set(error, DBSQL_ERROR_DRIVER, "28000",
                     "invalid configuration: auth_type=default finds no credentials: neither in the options, nor in the environment "
                     "(DATABRICKS_TOKEN, DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET ...), nor in a profile");
  }
  return DBSQL_OK;
}

static dbsql_status check_federation(const dbsql_config *config, dbsql_error **error) {
  if (config_bool(config, OPTION_federation)) {
    return config_int(config, OPTION_auth_type) == AUTH_NONE ? refuse(error, "federation is of no use without a token") : DBSQL_OK;
  }
  if (is_set(config, OPTION_federation_client_id)) return refuse(error, "federation_client_id is of no use without federation=1");
  if (is_set(config, OPTION_federation_fallback)) return refuse(error, "federation_fallback is of no use without federation=1");
  return DBSQL_OK;
}

/* So do the identity tokens of the environment. */
static dbsql_status check_identity(const dbsql_config *config, enum auth_type type, dbsql_error **error) {
  bool is_of_environment = type == AUTH_ENV_OIDC || type == AUTH_GITHUB_OIDC;
  char theirs[longest_origin], ours[longest_origin];
  if (!is_of_environment || is_bound(&config->environment_origin, config, theirs, ours)) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "28000",
                   "invalid configuration: the identity token of the environment is for its own host (%s) and is not sent to %s", theirs,
                   ours);
}

dbsql_status config_resolve_auth(dbsql_config *config, dbsql_error **error) {
  dbsql_status status = check_bound(config, error);
  if (status != DBSQL_OK) return status;
  bool said = config_is_set(config, OPTION_auth_type);
  enum auth_type type = (enum auth_type)config_int(config, OPTION_auth_type);
  if (said && type == AUTH_NONE) {
    if (config->provider) return refuse(error, "auth_type=none and a token provider contradict each other");
    for (int i = 0; i < credential_count; i++) {
      if (is_set(config, credentials[i])) {
        return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: auth_type=none and an %s contradict each other",
                         option_table[credentials[i]].name);
      }
    }
  } else if (said && config->provider && type != AUTH_EXTERNAL) {
    return refuse(error, "a token provider and another auth_type than external contradict each other");
  } else if (said && type == AUTH_DEFAULT) {
    status = infer_default(config, &type, error);
  } else if (!said) {
    status = infer(config, &type, error);
  }
  if (status != DBSQL_OK) return status;
  const char *problem = missing(config, type);
  if (problem) return refuse(error, problem);
  status = check_identity(config, type, error);
  if (status != DBSQL_OK) return status;
  status = choose(config, type, error);
  return status == DBSQL_OK ? check_federation(config, error) : status;
}
