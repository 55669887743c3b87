#include "session/connection.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/keepalive.h"
#include "session/sign_in.h"
#include "session/telemetry.h"
#include "session/user_agent.h"

enum { close_ms = 30000 };

dbsql_connection *connection_ref(dbsql_connection *connection) {
  atomic_fetch_add_explicit(&connection->refs, 1, memory_order_relaxed);
  return connection;
}

void connection_unref(dbsql_connection *connection) {
  if (!connection || atomic_fetch_sub_explicit(&connection->refs, 1, memory_order_acq_rel) != 1) return;
  telemetry_free(connection->telemetry);
  transfer_profile_free(connection->transfers);
  if (connection->backend) connection->backend->ops->free(connection->backend);
  authenticator_free(connection->authenticator);
  mem_free(connection->host);
  place_free(&connection->place);
  dbsql_config_free(connection->config);
  mem_free(connection);
}

static const char *text_or_null(const dbsql_config *config, enum option_id id) {
  const char *text = config_text(config, id);
  return *text ? text : NULL;
}

void connection_http_settings(const dbsql_config *config, const char *user_agent, struct http_settings *http) {
  *http = (struct http_settings){
      .user_agent = user_agent,
      .tls_verify = config_bool(config, OPTION_tls_verify),
      .tls_verify_hostname = config_bool(config, OPTION_tls_verify_hostname),
      .tls_system_store = config_bool(config, OPTION_tls_system_store),
      .tls_ca_file = text_or_null(config, OPTION_tls_ca_file),
      .tls_client_cert = text_or_null(config, OPTION_tls_client_cert),
      .tls_client_key = text_or_null(config, OPTION_tls_client_key),
      .tls_client_key_password = config_secret(config, OPTION_tls_client_key_password),
      .tls_min_version = config_text(config, OPTION_tls_min_version),
      .use_proxy = config_bool(config, OPTION_use_proxy),
      .proxy_url = text_or_null(config, OPTION_proxy_url),
      .proxy_user = config_secret(config, OPTION_proxy_user),
      .proxy_password = config_secret(config, OPTION_proxy_password),
      .no_proxy = text_or_null(config, OPTION_no_proxy),
      .ignore_environment = config_bool(config, OPTION_ignore_environment),
      .connect_timeout_ms = config_int(config, OPTION_connect_timeout_ms),
      .request_timeout_ms = config_int(config, OPTION_request_timeout_ms),
      .max_response_bytes = (size_t)config_int(config, OPTION_max_response_bytes),
      .retry_max = (int)config_int(config, OPTION_retry_max),
      .retry_min_wait_ms = config_int(config, OPTION_retry_min_wait_ms),
      .retry_max_wait_ms = config_int(config, OPTION_retry_max_wait_ms),
      .retry_total_ms = config_int(config, OPTION_retry_total_ms),
      .log = &config->log,
  };
}

static void files_settings_from(const dbsql_config *config, struct cloudfetch_settings *files) {
  *files = (struct cloudfetch_settings){
      .threads = (int)config_int(config, OPTION_cloudfetch_threads),
      .max_file_bytes = (size_t)config_int(config, OPTION_max_response_bytes),
      .usual_file = config_int(config, OPTION_max_bytes_per_file),
      .stall_ms = config_int(config, OPTION_cloudfetch_stall_timeout_ms),
      .total_ms = config_int(config, OPTION_request_timeout_ms),
      .straggler_ms = config_int(config, OPTION_cloudfetch_straggler_ms),
      .checksums = (enum checksum_rule)config_int(config, OPTION_verify_checksums),
      .retry = {(int)config_int(config, OPTION_retry_max), config_int(config, OPTION_retry_min_wait_ms),
                config_int(config, OPTION_retry_max_wait_ms), config_int(config, OPTION_retry_total_ms)},
      .log = &config->log,
  };
}

dbsql_status connection_transfers(void *user, struct transfer_profile **profile, dbsql_error **error) {
  dbsql_connection *connection = user;
  const dbsql_config *config = connection->config;
  dbsql_status status = DBSQL_OK;
  if (!connection->transfers) {
    struct buf user_agent = BUF_INIT;
    struct http_settings http;
    user_agent_append(&user_agent, config_text(config, OPTION_user_agent_entry), !config_bool(config, OPTION_ignore_environment));
    if (!buf_text(&user_agent)) {
      buf_free(&user_agent);
      return error_no_memory(error);
    }
    connection_http_settings(config, (const char *)user_agent.data, &http);
    const char *own_proxy = text_or_null(config, OPTION_cloudfetch_proxy_url);
    if (own_proxy) {
      http.use_proxy = true;
      http.proxy_url = own_proxy;
      http.proxy_user = http.proxy_password = NULL;
    }
    status = transfer_profile_new(&http, &connection->transfers, error);
    buf_free(&user_agent);
  }
  *profile = connection->transfers;
  return status;
}

/* Rows within an answer are in memory all at once. A server that is asked for too little sends a row at a time. */
static int64_t within_memory(const dbsql_config *config, enum option_id option) {
  enum { least = 8 << 20 };
  int64_t asked = config_int(config, option);
  int64_t ceiling = config_int(config, OPTION_max_memory_bytes);
  if (ceiling <= 0) return asked;
  if (ceiling < least) ceiling = least;
  return asked < ceiling ? asked : ceiling;
}

static dbsql_status make_backend(dbsql_connection *connection, const struct telemetry_config *telemetry, dbsql_error **error) {
  const dbsql_config *config = connection->config;
  struct buf user_agent = BUF_INIT;
  char *url = NULL;
  struct http_header *headers = NULL;
  struct text_pair *parameters = NULL;
  bool plain = config_is_plain(config);
  dbsql_status status = config_endpoint(config, &url, error);
  if (status != DBSQL_OK) goto cleanup;
  user_agent_append(&user_agent, config_text(config, OPTION_user_agent_entry), !config_bool(config, OPTION_ignore_environment));
  headers = mem_alloc_zero(config->header_count + 3, sizeof *headers);
  parameters = mem_alloc_zero(config->parameter_count + 1, sizeof *parameters);
  if (!headers || !parameters || !buf_text(&user_agent)) {
    status = error_no_memory(error);
    goto cleanup;
  }
  size_t header_count = 0;
  bool org_given = false;
  for (size_t i = 0; i < config->header_count; i++) {
    headers[header_count++] = (struct http_header){config->headers[i].name, config->headers[i].value};
    org_given = org_given || text_equal_nocase(config->headers[i].name, "x-databricks-org-id");
  }
  /* A header of the caller's wins over the id from the path (thrift.md 1.3). */
  if (!org_given && *config_text(config, OPTION_org_id)) {
    headers[header_count++] = (struct http_header){"x-databricks-org-id", config_text(config, OPTION_org_id)};
  }
  if (plain) headers[header_count++] = (struct http_header){"X-XSRF-HEADER", "true"};
  const char *trace_parent = telemetry_config_text(telemetry, SETTING_trace_parent);
  if (*trace_parent && telemetry_config_bool(telemetry, SETTING_send_trace_parent)) {
    headers[header_count++] = (struct http_header){"traceparent", trace_parent};
  }
  for (size_t i = 0; i < config->parameter_count; i++) {
    parameters[i] = (struct text_pair){config->parameters[i].name, config->parameters[i].value};
  }
  struct http_settings http;
  connection_http_settings(config, (const char *)user_agent.data, &http);
  status = sign_in_authenticator(config, &http, &connection->authenticator, error);
  if (status != DBSQL_OK) goto cleanup;
  struct backend_settings settings = {
      .url = url,
      .http = &http,
      .authenticator = connection->authenticator,
      .headers = headers,
      .header_count = header_count,
      .catalog = config_text(config, OPTION_catalog),
      .schema = config_text(config, OPTION_schema),
      .parameters = parameters,
      .parameter_count = config->parameter_count,
      .plain = plain,
      .direct_results = config_bool(config, OPTION_direct_results),
      .direct_max_rows = config_int(config, OPTION_direct_results_max_rows),
      .direct_max_bytes = within_memory(config, OPTION_direct_results_max_bytes),
      .page_max_rows = config_int(config, OPTION_max_rows_per_fetch),
      .page_max_bytes = within_memory(config, OPTION_max_bytes_per_fetch),
      .arrow = config_bool(config, OPTION_arrow),
      .lz4 = config_bool(config, OPTION_lz4),
      .cloudfetch = config_bool(config, OPTION_cloudfetch),
      .max_bytes_per_file = config_int(config, OPTION_max_bytes_per_file),
      .native_timestamp = config_bool(config, OPTION_native_timestamp),
      .native_decimal = config_bool(config, OPTION_native_decimal),
      .native_complex = config_bool(config, OPTION_native_complex),
      .native_interval = config_bool(config, OPTION_native_interval),
      .native_null = config_bool(config, OPTION_native_null),
      .poll_min_ms = config_int(config, OPTION_poll_min_ms),
      .poll_max_ms = config_int(config, OPTION_poll_max_ms),
      .log = &config->log,
  };
  status = thrift_backend_new(&settings, &connection->backend, error);

cleanup:
  mem_free(url);
  mem_free(headers);
  mem_free(parameters);
  buf_free(&user_agent);
  return status;
}

dbsql_status connection_open(const dbsql_config *config, const dbsql_call *user_call, dbsql_connection **out, dbsql_error **error) {
  dbsql_status valid = call_validate(user_call, error);
  if (valid != DBSQL_OK) return valid;
  dbsql_connection *connection = mem_alloc_zero(1, sizeof *connection);
  if (!connection) return error_no_memory(error);
  atomic_init(&connection->refs, 1);
  connection->owner = getpid();
  struct telemetry_config telemetry;
  telemetry_config_init(&telemetry);
  struct call call;
  call_begin(&call, user_call, 0);
  dbsql_status status = config_copy(config, &connection->config, error);
  if (status == DBSQL_OK) status = config_resolve(connection->config, error);
  if (status != DBSQL_OK) goto cleanup;
  connection->call_timeout_ms = config_int(connection->config, OPTION_call_timeout_ms);
  files_settings_from(connection->config, &connection->files);
  call_begin(&call, user_call, connection->call_timeout_ms);
  connection->host = mem_strdup(config_text(connection->config, OPTION_host));
  if (!connection->host) {
    status = error_no_memory(error);
    goto cleanup;
  }
  status = session_telemetry_config(connection->config, &telemetry, error);
  if (status != DBSQL_OK) goto cleanup;
  status = make_backend(connection, &telemetry, error);
  if (status == DBSQL_OK) {
    int64_t started_ns = clock_now_ns();
    status = connection->backend->ops->open_session(connection->backend, &call, error);
    session_telemetry_open(connection, &telemetry, started_ns, status, error ? *error : NULL);
  }
  if (status != DBSQL_OK) {
    error_prefix(error, "cannot connect to %s, port %lld, path %s", connection->host,
                 (long long)config_int(connection->config, OPTION_port), config_text(connection->config, OPTION_http_path));
    goto cleanup;
  }
  telemetry_config_free(&telemetry);
  atomic_store(&connection->is_open, true);
  atomic_store(&connection->used_ns, clock_now_ns());
  status = place_open(&connection->place, connection->backend->initial_catalog, connection->backend->initial_schema, error);
  int64_t keepalive_s = config_int(connection->config, OPTION_keepalive_interval_s);
  if (status == DBSQL_OK && keepalive_s > 0) status = keepalive_add(connection, keepalive_s * 1000, &connection->keepalive, error);
  if (status != DBSQL_OK) {
    status = connection_end(connection, &call, "", status, error);
    connection_close(connection, user_call, NULL);
    return status;
  }
  log_write(&connection->config->log, DBSQL_LOG_INFO, "session", "session opened", "connection_id", connection->backend->session_id, "host",
            connection->host, (char *)NULL);
  *out = connection;
  return DBSQL_OK;

cleanup:
  telemetry_config_free(&telemetry);
  error_set_host(error, connection->host);
  call_annotate(&call, error);
  connection_unref(connection);
  return status;
}

dbsql_status connection_close(dbsql_connection *connection, const dbsql_call *user_call, dbsql_error **error) {
  keepalive_remove(connection->keepalive);
  connection->keepalive = NULL;
  dbsql_status status = DBSQL_OK;
  /* A forked child has a copy; the session is its parent's. */
  bool ours = connection->owner == getpid();
  if (ours && atomic_load(&connection->is_open)) {
    struct call call;
    call_begin(&call, user_call, close_ms);
    transaction_close(connection);
    int64_t started_ns = telemetry_now(connection->telemetry);
    status = connection->backend->ops->close_session(connection->backend, &call, error);
    telemetry_operation(connection->telemetry, operation_type_DELETE_SESSION, NULL, started_ns, false, status, error ? *error : NULL,
                        PLACE_CLOSE_SESSION);
    status = connection_end(connection, &call, "", status, error);
    log_write(&connection->config->log, DBSQL_LOG_INFO, "session", "session closed", "connection_id", connection->backend->session_id,
              (char *)NULL);
  }
  atomic_store(&connection->is_open, false);
  telemetry_close(connection->telemetry);
  connection_unref(connection);
  return status;
}

dbsql_status connection_begin(dbsql_connection *connection, const dbsql_call *user_call, struct call *call, dbsql_error **error) {
  dbsql_status valid = call_validate(user_call, error);
  if (valid != DBSQL_OK) return valid;
  call_begin(call, user_call, connection->call_timeout_ms);
  if (!atomic_load(&connection->is_open)) {
    dbsql_status status =
        error_set(error, DBSQL_ERROR_REQUEST, "08003", "the session %s is gone: open a new connection", connection->backend->session_id);
    if (error && *error && !(*error)->is_static) (*error)->session_lost = true;
    error_set_connection_id(error, connection->backend->session_id);
    call_annotate(call, error);
    return status;
  }
  if (connection->transaction.broken) {
    dbsql_status status = error_set(error, DBSQL_ERROR_REQUEST, "08003",
                                    "the connection %s is broken, since the state of its transaction is not known: open a new one",
                                    connection->backend->session_id);
    error_set_connection_id(error, connection->backend->session_id);
    call_annotate(call, error);
    return status;
  }
  atomic_store(&connection->used_ns, clock_now_ns());
  dbsql_status status = call_check(call, "starting the call", error);
  if (status != DBSQL_OK) {
    error_set_connection_id(error, connection->backend->session_id);
    error_set_host(error, connection->host);
  }
  return status;
}

dbsql_status connection_end(dbsql_connection *connection, const struct call *call, const char *query_id, dbsql_status status,
                            dbsql_error **error) {
  atomic_store(&connection->used_ns, clock_now_ns());
  if (status == DBSQL_OK) return status;
  if (error && *error && dbsql_error_is_session_lost(*error)) atomic_store(&connection->is_open, false);
  error_set_connection_id(error, connection->backend->session_id);
  if (*query_id) error_set_query_id(error, query_id);
  if (error && *error && !(*error)->is_static && !(*error)->host) error_set_host(error, connection->host);
  call_annotate(call, error);
  return status;
}
