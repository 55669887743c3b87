/* Profiles: sections of an INI file that the SDKs and the command line tool of Databricks share (auth.md 2.14). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/environment.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/config_internal.h"

enum { longest_file = 1024 * 1024 };

static struct slice trim(struct slice text) {
  while (text.size > 0 && text_is_space((char)text.data[0])) text = slice_of(text.data + 1, text.size - 1);
  while (text.size > 0 && text_is_space((char)text.data[text.size - 1])) text.size--;
  return text;
}

/* Without a comment, which begins after white space only: secrets may have '#' in them; without quotes around it. */
static struct slice clean_value(struct slice value) {
  for (size_t i = 1; i < value.size; i++) {
    if ((value.data[i] == '#' || value.data[i] == ';') && text_is_space((char)value.data[i - 1])) value.size = i;
  }
  value = trim(value);
  if (value.size >= 2 && (value.data[0] == '"' || value.data[0] == '\'') && value.data[value.size - 1] == value.data[0]) {
    value = slice_of(value.data + 1, value.size - 2);
  }
  return value;
}

/* The options that a profile may set, by the names that the SDKs give them; others are none of our business. */
static bool find_key(struct slice key, enum option_id *id) {
  static const struct {
    const char *key;
    enum option_id id;
  } keys[] = {
      {"host", OPTION_host},
      {"token", OPTION_access_token},
      {"auth_type", OPTION_auth_type},
      {"client_id", OPTION_client_id},
      {"client_secret", OPTION_client_secret},
      {"scopes", OPTION_scopes},
      {"account_id", OPTION_account_id},
      {"discovery_url", OPTION_discovery_url},
      {"oauth_callback_port", OPTION_oauth_redirect_port},
      {"azure_tenant_id", OPTION_azure_tenant_id},
      {"azure_client_id", OPTION_azure_client_id},
      {"azure_client_secret", OPTION_azure_client_secret},
      {"azure_workspace_resource_id", OPTION_azure_workspace_resource_id},
      {"oidc_token_env", OPTION_oidc_token_env},
      {"oidc_token_filepath", OPTION_oidc_token_file},
      {"databricks_id_token_filepath", OPTION_oidc_token_file},
      {"audience", OPTION_token_audience},
      {"token_audience", OPTION_token_audience},
      {"warehouse_id", OPTION_warehouse_id},
      {"http_path", OPTION_http_path},
      {"workspace_id", OPTION_org_id},
  };
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    if (!text_equal_nocase_n((const char *)key.data, key.size, keys[i].key, strlen(keys[i].key))) continue;
    *id = keys[i].id;
    return true;
  }
  return false;
}

static bool has_control(struct slice text) {
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] < ' ' || text.data[i] == 0x7F) return true;
  }
  return !utf8_is_valid(text.data, text.size, NULL);
}

static bool next_line(struct slice text, size_t *at, struct slice *line) {
  if (*at >= text.size) return false;
  const uint8_t *start = text.data + *at, *end = memchr(start, '\n', text.size - *at);
  size_t length = end ? (size_t)(end - start) : text.size - *at;
  *line = trim(slice_of(start, length));
  *at += length + 1;
  return true;
}

static bool is_section(struct slice line, struct slice *name) {
  if (line.size < 2 || line.data[0] != '[' || line.data[line.size - 1] != ']') return false;
  *name = trim(slice_of(line.data + 1, line.size - 2));
  return true;
}

/* "KEY = VALUE", also with ':'. */
static bool split(struct slice line, struct slice *key, struct slice *value) {
  for (size_t i = 0; i < line.size; i++) {
    if (line.data[i] != '=' && line.data[i] != ':') continue;
    *key = trim(slice_of(line.data, i));
    *value = clean_value(slice_of(line.data + i + 1, line.size - i - 1));
    return true;
  }
  return false;
}

/* `default_profile` of [__settings__]; empty if there is none. */
static struct slice default_profile(struct slice text) {
  struct slice line, section = slice_text("DEFAULT"), key, value;
  for (size_t at = 0; next_line(text, &at, &line);) {
    if (is_section(line, &section) || !split(line, &key, &value)) continue;
    if (slice_equal(section, slice_text("__settings__")) && slice_equal(key, slice_text("default_profile"))) return value;
  }
  return slice_of(NULL, 0);
}

/* Puts the section's settings into `settings`; `*found` if there is such a section with something in it. */
static dbsql_status collect(struct settings *settings, struct slice text, struct slice wanted, bool *found, dbsql_error **error) {
  struct slice line, section = slice_text("DEFAULT"), key, value;
  size_t number = 0;
  for (size_t at = 0; next_line(text, &at, &line);) {
    number++;
    if (line.size == 0 || line.data[0] == '#' || line.data[0] == ';' || is_section(line, &section)) continue;
    if (!slice_equal(section, wanted)) continue;
    *found = true;
    enum option_id id;
    if (!split(line, &key, &value) || value.size == 0 || !find_key(key, &id)) continue;
    const char *name = option_table[id].name;
    if (has_control(value))
      return settings_error(settings, "HY024", 0, error, "line %zu: the value of %s has a control character", number, name);
    dbsql_status status = settings_put_option(settings, id, name, value, 0, error);
    if (status != DBSQL_OK) return status;
    settings->values.values[id].from_profile = true;
  }
  return DBSQL_OK;
}

/* Takes out of what was found what has no place beside what is set already. */
static dbsql_status fit(dbsql_config *found, dbsql_config *config, dbsql_error **error) {
  bool has_credential = config->provider != NULL;
  for (int id = 0; id < OPTION_COUNT; id++) {
    has_credential = has_credential || (config_is_set(config, (enum option_id)id) && config_is_credential((enum option_id)id));
  }
  dbsql_status status = config_bind(&config->profile_origin, found, error);
  if (status != DBSQL_OK) return status;
  for (int id = 0; id < OPTION_COUNT && has_credential; id++) {
    if (config_is_credential((enum option_id)id) || id == OPTION_auth_type) config_clear(found, (enum option_id)id);
  }
  if (config_is_set(config, OPTION_host)) {
    config_clear(found, OPTION_host);
    config_clear(found, OPTION_port);
    config_clear(found, OPTION_tls);
  }
  if (config_is_set(config, OPTION_http_path) || config_is_set(config, OPTION_warehouse_id)) {
    config_clear(found, OPTION_http_path);
    config_clear(found, OPTION_warehouse_id);
  }
  return DBSQL_OK;
}

dbsql_status config_parse_profile(dbsql_config *config, struct slice text, const char *path, const char *profile, dbsql_error **error) {
  struct settings settings;
  struct slice wanted = profile ? slice_text(profile) : default_profile(text);
  bool must_exist = wanted.size > 0, found = false;
  if (!must_exist) wanted = slice_text("DEFAULT");
  if (slice_equal(wanted, slice_text("__settings__"))) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: __settings__ is no profile");
  }
  char prefix[256], name[nearest_size];
  struct buf where = BUF_INIT;
  buf_printf(&where, "profile %.*s of %s", (int)(wanted.size < sizeof name ? wanted.size : sizeof name - 1), (const char *)wanted.data,
             path);
  const char *shown = buf_text(&where);
  strncpy(prefix, shown ? shown : "profile", sizeof prefix - 1);
  prefix[sizeof prefix - 1] = 0;
  buf_free(&where);
  settings_init(&settings, prefix);
  dbsql_status status = collect(&settings, text, wanted, &found, error);
  if (status == DBSQL_OK && !found && must_exist) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: %s has no %.*s profile configured", path,
                       (int)(wanted.size < sizeof name ? wanted.size : sizeof name - 1), (const char *)wanted.data);
  }
  if (status == DBSQL_OK) status = fit(&settings.values, config, error);
  if (status == DBSQL_OK) status = settings_apply(&settings, config, true, error);
  settings_free(&settings);
  return status;
}

/* ---- The file ------------------------------------------------------------------------------------------------------------ */

static dbsql_status find_path(const dbsql_config *config, struct buf *out, dbsql_error **error) {
  const char *given = config_text(config, OPTION_config_file), *home = environment_get("HOME");
  if (!*given) given = "~/.databrickscfg";
  if (given[0] == '~' && given[1] == '/') {
    if (!home || config_bool(config, OPTION_ignore_environment)) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: there is no HOME to look for %s in: set config_file",
                       given);
    }
    buf_append_text(out, home);
    given++;
  }
  buf_append_text(out, given);
  return buf_text(out) ? DBSQL_OK : error_no_memory(error);
}

/* What others may read or write is not quite the user's own (T23). */
static dbsql_status check_file(const dbsql_config *config, const struct stat *info, const char *path, dbsql_error **error) {
  if (!S_ISREG(info->st_mode)) return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: %s is no file", path);
  if (info->st_mode & S_IWOTH) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: %s can be written by everybody: it is not used", path);
  }
  if (info->st_mode & (S_IRGRP | S_IWGRP | S_IROTH)) {
    log_write(&config->log, DBSQL_LOG_WARN, "session", "the profile file is open to others", "path", path, (char *)NULL);
  }
  return DBSQL_OK;
}

static dbsql_status read_all(const dbsql_config *config, int fd, const char *path, struct buf *out, dbsql_error **error) {
  struct stat info;
  if (fstat(fd, &info) != 0) return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: %s cannot be read", path);
  dbsql_status status = check_file(config, &info, path, error);
  ssize_t got = 1;
  while (status == DBSQL_OK && got > 0 && out->size <= longest_file) {
    if (!buf_reserve(out, 4096)) return error_no_memory(error);
    got = read(fd, out->data + out->size, 4096);
    if (got > 0) out->size += (size_t)got;
    if (got < 0)
      status = error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: %s cannot be read: %s", path, strerror(errno));
  }
  if (status == DBSQL_OK && got > 0) status = error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: %s is too long", path);
  return status;
}

dbsql_status config_load_profile(dbsql_config *config, bool default_too, dbsql_error **error) {
  bool named = config_is_set(config, OPTION_profile);
  if (!named && !default_too) return DBSQL_OK;
  struct buf path = BUF_INIT, text = BUF_SECRET;
  int fd = -1;
  dbsql_status status = find_path(config, &path, error);
  if (status != DBSQL_OK) {
    if (!named && status == DBSQL_ERROR_DRIVER && !config_is_set(config, OPTION_config_file)) {
      error_clear(error);
      status = DBSQL_OK;
    }
    goto cleanup;
  }
  fd = open((const char *)path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    if (named || config_is_set(config, OPTION_config_file)) {
      status = error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: the profile file %s cannot be opened: %s",
                         (const char *)path.data, strerror(errno));
    }
    goto cleanup;
  }
  status = read_all(config, fd, (const char *)path.data, &text, error);
  if (status == DBSQL_OK) {
    const char *profile = named ? config_text(config, OPTION_profile) : NULL;
    status = config_parse_profile(config, buf_slice(&text), (const char *)path.data, profile, error);
  }

cleanup:
  if (fd >= 0) close(fd);
  buf_free(&path);
  buf_free_secret(&text);
  return status;
}
