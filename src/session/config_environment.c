/* Options from DATABRICKS_* variables. */
#include <stdio.h>
#include <string.h>

#include "base/environment.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/config_internal.h"

static const char *from_process(void *user, const char *name) {
  (void)user;
  return environment_get(name);
}

dbsql_status dbsql_config_load_environment(dbsql_config *config, dbsql_error **error) {
  if (!config) return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "the configuration must not be NULL");
  return config_load_from(config, from_process, NULL, error);
}

/* What the variables of one option say goes into `settings`. */
static dbsql_status collect(struct settings *settings, enum option_id id, environment_function get, void *user, dbsql_error **error) {
  struct slice piece;
  for (size_t at = 0; text_next_piece(option_table[id].environment, ',', &at, &piece);) {
    char variable[nearest_size];
    snprintf(variable, sizeof variable, "%.*s", (int)piece.size, (const char *)piece.data);
    const char *value = get(user, variable);
    if (!value || !*value) continue;
    struct slice text = slice_text(value);
    for (size_t i = 0; i < text.size; i++) {
      if (text.data[i] < ' ' || text.data[i] == 0x7F) {
        return settings_error(settings, "HY024", 0, error, "%s has a control character in it", variable);
      }
    }
    if (!utf8_is_valid(text.data, text.size, NULL)) {
      return settings_error(settings, "HY024", 0, error, "%s is not valid UTF-8", variable);
    }
    dbsql_status status = settings_put_option(settings, id, variable, text, 0, error);
    if (status != DBSQL_OK) return status;
    settings->values.values[id].from_environment = true;
  }
  return DBSQL_OK;
}

dbsql_status config_load_from(dbsql_config *config, environment_function get, void *user, dbsql_error **error) {
  if (config_bool(config, OPTION_ignore_environment)) return DBSQL_OK;
  struct settings settings;
  settings_init(&settings, "invalid environment");
  dbsql_config *found = &settings.values;
  struct bound_origin bound = {NULL, 0, false};
  bool has_credential = config->provider != NULL;
  for (int id = 0; id < OPTION_COUNT; id++)
    has_credential = has_credential || (config->values[id].is_set && config_is_credential((enum option_id)id));
  dbsql_status status = DBSQL_OK;
  for (int id = 0; id < OPTION_COUNT && status == DBSQL_OK; id++) {
    /* What is set already needs no variable, and a bad one there hurts nobody; but the host is also what binds the token. */
    bool binds = id == OPTION_host && !has_credential;
    if (config->values[id].is_set && !binds) continue;
    /* Who brings credentials wants no others. */
    if (has_credential && (config_is_credential((enum option_id)id) || id == OPTION_auth_type)) continue;
    status = collect(&settings, (enum option_id)id, get, user, error);
  }
  if (status != DBSQL_OK) goto cleanup;
  status = config_bind(&bound, found, error);
  if (status != DBSQL_OK) goto cleanup;
  if (config_is_set(config, OPTION_host)) {
    /* Scheme and port came with the environment's host, and are not for another. */
    config_clear(found, OPTION_host);
    config_clear(found, OPTION_port);
    config_clear(found, OPTION_tls);
  }
  /* Two ways to say the same: the one that is set already is meant. */
  if (config_is_set(config, OPTION_http_path) || config_is_set(config, OPTION_warehouse_id)) {
    config_clear(found, OPTION_http_path);
    config_clear(found, OPTION_warehouse_id);
  }
  status = settings_apply(&settings, config, true, error);
  if (status == DBSQL_OK) config->environment_loaded = true;
  if (status == DBSQL_OK && bound.host) {
    mem_free(config->environment_origin.host);
    config->environment_origin = bound;
    bound.host = NULL;
  }

cleanup:
  mem_free(bound.host);
  settings_free(&settings);
  return status;
}
