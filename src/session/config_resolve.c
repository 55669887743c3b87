/* What only the whole of a configuration shows, and what follows from it. */
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/config_internal.h"

static dbsql_status refuse(dbsql_error **error, const char *message) {
  return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: %s", message);
}

static bool set_text(dbsql_config *config, enum option_id id, const char *text, size_t length) {
  char *copy = mem_strndup(text, length);
  if (!copy) return false;
  config_clear(config, id);
  config->values[id].text = copy;
  config->values[id].is_set = true;
  return true;
}

static bool set_word(dbsql_config *config, enum option_id id, const char *word, int64_t number) {
  if (!set_text(config, id, word, strlen(word))) return false;
  config->values[id].number = number;
  return true;
}

static bool is_loopback(const dbsql_config *config) {
  return config_is_loopback(config_text(config, OPTION_host));
}

/* The path, from http_path or warehouse_id. */
static dbsql_status resolve_path(dbsql_config *config, bool needs_path, dbsql_error **error) {
  const char *warehouse = config_text(config, OPTION_warehouse_id);
  const char *path = config_text(config, OPTION_http_path);
  if (*warehouse) {
    struct buf made = BUF_INIT;
    buf_printf(&made, "/sql/1.0/warehouses/%s", warehouse);
    const char *text = buf_text(&made);
    bool contradicts = text && *path && strcmp(path, text) != 0;
    bool ok = text && set_text(config, OPTION_http_path, text, strlen(text));
    buf_free(&made);
    if (contradicts) return refuse(error, "http_path and warehouse_id name different things");
    return ok ? DBSQL_OK : error_no_memory(error);
  }
  if (!*path && needs_path && !is_loopback(config)) return refuse(error, "missing HTTP path: http_path or warehouse_id must be set");
  return DBSQL_OK;
}

/* The workspace id in a path: `o=DIGITS` of its query, or else what follows /sql/protocolv1/o/ (thrift.md 1.3). */
static struct slice org_of_path(const char *path) {
  const char *query = strchr(path, '?');
  for (const char *at = query; at; at = strchr(at + 1, '&')) {
    if (at[1] != 'o' || at[2] != '=') continue;
    size_t length = strspn(at + 3, "0123456789");
    if (length > 0 && (at[3 + length] == 0 || at[3 + length] == '&')) return slice_of(at + 3, length);
  }
  static const char prefix[] = "/sql/protocolv1/o/";
  if (strncmp(path, prefix, sizeof prefix - 1) != 0) return slice_of(NULL, 0);
  const char *digits = path + sizeof prefix - 1;
  size_t length = strspn(digits, "0123456789");
  return digits[length] == '/' ? slice_of(digits, length) : slice_of(NULL, 0);
}

static dbsql_status resolve_org(dbsql_config *config, dbsql_error **error) {
  struct slice found = org_of_path(config_text(config, OPTION_http_path));
  if (found.size == 0) return DBSQL_OK;
  const char *given = config_text(config, OPTION_org_id);
  if (*given) {
    return slice_equal(found, slice_text(given)) ? DBSQL_OK : refuse(error, "org_id is not the workspace that http_path names");
  }
  if (found.size > 20) return refuse(error, "the workspace id in http_path is too long");
  return set_text(config, OPTION_org_id, (const char *)found.data, found.size) ? DBSQL_OK : error_no_memory(error);
}

static dbsql_status resolve_server(dbsql_config *config, dbsql_error **error) {
  if (config_int(config, OPTION_server) != SERVER_AUTO) return DBSQL_OK;
  const char *path = config_text(config, OPTION_http_path);
  size_t length = strcspn(path, "?");
  while (length > 0 && path[length - 1] == '/') length--;
  bool hive = text_equal_nocase_n(path, length, "/cliservice", 11);
  bool ok = hive ? set_word(config, OPTION_server, "hive", SERVER_HIVE) : set_word(config, OPTION_server, "databricks", SERVER_DATABRICKS);
  return ok ? DBSQL_OK : error_no_memory(error);
}

static dbsql_status check_tls(const dbsql_config *config, dbsql_error **error) {
  bool tls = config_bool(config, OPTION_tls);
  if (!tls && !config_bool(config, OPTION_allow_insecure_http) && !is_loopback(config)) {
    return refuse(error,
                  "http:// is for loopback hosts (localhost, 127.0.0.0/8, ::1): to send everything unencrypted to another host, set "
                  "allow_insecure_http=1");
  }
  bool certificate = config_is_set(config, OPTION_tls_client_cert), key = config_is_set(config, OPTION_tls_client_key);
  if (certificate != key) return refuse(error, "tls_client_cert and tls_client_key are only of use together");
  if (config_is_set(config, OPTION_tls_client_key_password) && !key) {
    return refuse(error, "tls_client_key_password is of no use without tls_client_key");
  }
  if (!tls && certificate) return refuse(error, "tls_client_cert is of no use over http://");
  if (tls && config_bool(config, OPTION_tls_verify) && !config_bool(config, OPTION_tls_system_store) &&
      !config_is_set(config, OPTION_tls_ca_file)) {
    return refuse(error, "with tls_system_store=0 nothing is trusted: tls_ca_file must be set");
  }
  return DBSQL_OK;
}

static dbsql_status resolve_proxy(dbsql_config *config, dbsql_error **error) {
  bool url = config_is_set(config, OPTION_proxy_url), host = config_is_set(config, OPTION_proxy_host);
  bool port = config_is_set(config, OPTION_proxy_port);
  if (url && (host || port)) return refuse(error, "proxy_url and proxy_host with proxy_port are two ways to say the same: set one");
  if (host != port) return refuse(error, "proxy_host and proxy_port are only of use together");
  if (!config_bool(config, OPTION_use_proxy) && (url || host)) return refuse(error, "use_proxy=0 and a proxy contradict each other");
  if (config_is_set(config, OPTION_proxy_password) && !config_is_set(config, OPTION_proxy_user)) {
    return refuse(error, "proxy_password is of no use without proxy_user");
  }
  /* auth.md 5.2: never to a proxy that another source names. */
  if (config_is_set(config, OPTION_proxy_user) && !url && !host)
    return refuse(error, "proxy_user is of no use without proxy_url or proxy_host");
  if (!host) return DBSQL_OK;
  struct buf made = BUF_INIT;
  const char *name = config_text(config, OPTION_proxy_host);
  buf_printf(&made, strchr(name, ':') ? "http://[%s]:%lld" : "http://%s:%lld", name, (long long)config_int(config, OPTION_proxy_port));
  const char *text = buf_text(&made);
  bool ok = text && set_text(config, OPTION_proxy_url, text, strlen(text));
  buf_free(&made);
  if (!ok) return error_no_memory(error);
  config_clear(config, OPTION_proxy_host);
  config_clear(config, OPTION_proxy_port);
  return DBSQL_OK;
}

/* Adds what options say as parameters of the session. */
static dbsql_status resolve_parameters(dbsql_config *config, dbsql_error **error) {
  const struct {
    const char *option;
    const char *name;
    const char *value;
  } derived[] = {
      {"timezone", "timezone", config_text(config, OPTION_timezone)},
      {"query_tags", "QUERY_TAGS", config_text(config, OPTION_query_tags)},
      {"metric_view_metadata", "spark.sql.thriftserver.metadata.metricview.enabled",
       config_bool(config, OPTION_metric_view_metadata) ? "true" : ""},
  };
  struct settings settings;
  settings_init(&settings, "invalid configuration");
  dbsql_status status = DBSQL_OK;
  for (size_t i = 0; i < sizeof derived / sizeof derived[0] && status == DBSQL_OK; i++) {
    if (!*derived[i].value) continue;
    size_t at = config_find_pair(config->parameters, config->parameter_count, slice_text(derived[i].name));
    if (at < config->parameter_count && strcmp(config->parameters[at].value, derived[i].value) != 0) {
      status = error_set(error, DBSQL_ERROR_DRIVER, "HY024", "invalid configuration: %s and session.%s contradict each other",
                         derived[i].option, derived[i].name);
      break;
    }
    status = settings_put_parameter(&settings, slice_text(derived[i].name), slice_text(derived[i].value), 0, error);
  }
  if (status == DBSQL_OK) status = settings_apply(&settings, config, false, error);
  settings_free(&settings);
  return status;
}

static dbsql_status resolve(dbsql_config *config, bool needs_path, dbsql_error **error) {
  dbsql_status status = config_resolve_sources(config, error);
  if (status != DBSQL_OK) return status;
  if (!*config_text(config, OPTION_host)) return refuse(error, "missing hostname: host must be set");
  if (config_bool(config, OPTION_require_databricks_host) && !host_is_databricks(config_text(config, OPTION_host))) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024",
                     "invalid configuration: require_databricks_host is set, and %s is no host of Databricks",
                     config_text(config, OPTION_host));
  }
  status = resolve_path(config, needs_path, error);
  if (status == DBSQL_OK) status = resolve_org(config, error);
  if (status == DBSQL_OK) status = resolve_server(config, error);
  if (status == DBSQL_OK) status = config_resolve_auth(config, error);
  if (status == DBSQL_OK) status = check_tls(config, error);
  if (status == DBSQL_OK) status = resolve_proxy(config, error);
  if (status != DBSQL_OK) return status;
  if (config_int(config, OPTION_retry_min_wait_ms) > config_int(config, OPTION_retry_max_wait_ms)) {
    return refuse(error, "retry_min_wait_ms is more than retry_max_wait_ms");
  }
  if (config_int(config, OPTION_poll_min_ms) > config_int(config, OPTION_poll_max_ms)) {
    return refuse(error, "poll_min_ms is more than poll_max_ms");
  }
  return resolve_parameters(config, error);
}

dbsql_status config_resolve(dbsql_config *config, dbsql_error **error) {
  return resolve(config, true, error);
}

dbsql_status config_resolve_sign_in(dbsql_config *config, dbsql_error **error) {
  return resolve(config, false, error);
}

dbsql_status config_endpoint(const dbsql_config *config, char **url, dbsql_error **error) {
  struct buf out = BUF_INIT;
  const char *host = config_text(config, OPTION_host);
  bool brackets = strchr(host, ':') != NULL;
  buf_printf(&out, "%s://%s%s%s:%lld%s", config_bool(config, OPTION_tls) ? "https" : "http", brackets ? "[" : "", host, brackets ? "]" : "",
             (long long)config_int(config, OPTION_port), config_text(config, OPTION_http_path));
  *url = buf_take_text(&out);
  return *url ? DBSQL_OK : error_no_memory(error);
}

bool config_is_plain(const dbsql_config *config) {
  return config_int(config, OPTION_server) == SERVER_HIVE;
}
