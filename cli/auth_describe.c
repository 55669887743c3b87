#include "auth_describe.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* What plays a part in signing in. */
static const char *const shown[] = {"host",
                                    "profile",
                                    "config_file",
                                    "auth_type",
                                    "access_token",
                                    "client_id",
                                    "client_secret",
                                    "scopes",
                                    "token_endpoint",
                                    "authorization_endpoint",
                                    "discovery_url",
                                    "account_id",
                                    "jwt_key_file",
                                    "jwt_key_passphrase",
                                    "jwt_algorithm",
                                    "jwt_kid",
                                    "refresh_token",
                                    "oauth_redirect_port",
                                    "token_cache",
                                    "azure_tenant_id",
                                    "azure_client_id",
                                    "azure_client_secret",
                                    "azure_workspace_resource_id",
                                    "oidc_token_env",
                                    "oidc_token_file",
                                    "token_audience",
                                    "federation",
                                    "federation_client_id",
                                    "federation_fallback",
                                    NULL};

/* What the ways to sign in are inferred from, in words where it is no option. */
static const struct {
  const char *type;
  const char *options[3]; /* the first that is set is the reason */
  const char *otherwise;
} reasons[] = {
    {"pat", {"access_token"}, NULL},
    {"oauth-m2m", {"client_secret", "jwt_key_file"}, NULL},
    {"oauth-jwt", {"jwt_key_file"}, NULL},
    {"refresh-token", {"refresh_token"}, NULL},
    {"azure-client-secret", {"azure_client_secret"}, NULL},
    {"github-oidc", {NULL}, "this is a GitHub action that may have identity tokens"},
    {"env-oidc", {NULL}, "the variable with an identity token is in the environment"},
    {"file-oidc", {"oidc_token_file"}, NULL},
    {"none", {NULL}, "nothing is set to sign in with"},
};

static const char *source_of(const dbsql_config *config, const char *name) {
  return dbsql_config_source(config, name);
}

static bool is_set(const dbsql_config *config, const char *name) {
  const char *source = source_of(config, name);
  return *source != '\0' && strcmp(source, "default") != 0;
}

/* A sentence; freed by the caller. */
static char *reason_of(const dbsql_config *config, const dbsql_config *effective, const char *type) {
  char *asked = NULL;
  dbsql_config_get(config, "auth_type", &asked, NULL);
  bool chain = asked != NULL && strcmp(asked, "default") == 0;
  bool said = asked != NULL && !chain;
  dbsql_free(asked);
  if (said) return memory_print("auth_type is set (%s)", source_of(config, "auth_type"));
  const char *source = source_of(effective, "auth_type");
  if (strcmp(source, "profile") == 0 || strcmp(source, "environment") == 0) return memory_print("auth_type is set (%s)", source);
  const char *after = chain ? "; auth_type=default takes the first that there is" : "";
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
    if (strcmp(reasons[i].type, type) != 0) continue;
    for (size_t k = 0; k < 3 && reasons[i].options[k] != NULL; k++) {
      const char *name = reasons[i].options[k];
      if (is_set(effective, name)) return memory_print("%s is set (%s)%s", name, source_of(effective, name), after);
    }
    if (reasons[i].otherwise != NULL) return memory_print("%s%s", reasons[i].otherwise, after);
  }
  return memory_print("the options lead there%s", after);
}

static bool is_secret(const char *name) {
  dbsql_option_info info;
  for (size_t i = 0; dbsql_option_describe(i, &info); i++) {
    if (strcmp(info.name, name) == 0) return info.secret;
  }
  return true; /* what is not known is not shown */
}

static void print_options(struct output *output, const dbsql_config *config) {
  for (size_t i = 0; shown[i] != NULL; i++) {
    char *value = NULL;
    if (!is_set(config, shown[i]) || strcmp(shown[i], "auth_type") == 0) continue;
    bool hidden = is_secret(shown[i]) || dbsql_config_get(config, shown[i], &value, NULL) != DBSQL_OK;
    struct text line = TEXT_INIT;
    text_print(&line, "%s: ", shown[i]);
    for (const char *at = hidden || value == NULL ? "(hidden)" : value; *at != '\0'; at++) {
      unsigned char byte = (unsigned char)*at;
      if (byte < ' ' || byte == 127) { /* it must not steer the terminal */
        text_print(&line, "\\x%02X", byte);
      } else {
        text_append(&line, at, 1);
      }
    }
    text_print(&line, " (%s)\n", source_of(config, shown[i]));
    output_write(output, line.data, line.size);
    text_free(&line);
    dbsql_free(value);
  }
}

int auth_describe(struct shell *shell) {
  dbsql_config *effective = NULL;
  dbsql_error *error = NULL;
  char *type = NULL;
  dbsql_status status = dbsql_config_effective(shell->config, &effective, &error);
  if (status == DBSQL_OK) status = dbsql_config_get(effective, "auth_type", &type, &error);
  if (status == DBSQL_OK) {
    char *reason = reason_of(shell->config, effective, type == NULL ? "" : type);
    output_print(&shell->output, "auth_type: %s\nbecause: %s\n", type == NULL ? "" : type, reason);
    print_options(&shell->output, effective);
    free(reason);
  } else {
    report_error(NULL, error);
    dbsql_error_free(error);
  }
  dbsql_free(type);
  dbsql_config_free(effective);
  return status == DBSQL_OK ? EXIT_OK : EXIT_USAGE;
}
