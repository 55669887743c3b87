#include "session/telemetry.h"

#include <stdio.h>
#include <string.h>

#include "base/environment.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/sign_in.h"
#include "session/user_agent.h"

/* ---- Settings ------------------------------------------------------------------------------------------------------------- */

/* The same names in both tables; a test compares the rest. */
static const enum option_id options[SETTING_COUNT] = {
    [SETTING_enabled] = OPTION_telemetry,
    [SETTING_forced] = OPTION_telemetry_force,
    [SETTING_batch_size] = OPTION_telemetry_batch_size,
    [SETTING_flush_interval_ms] = OPTION_telemetry_flush_interval_ms,
    [SETTING_close_timeout_ms] = OPTION_telemetry_close_timeout_ms,
    [SETTING_include_endpoint] = OPTION_telemetry_include_endpoint,
    [SETTING_process_name] = OPTION_telemetry_process_name,
    [SETTING_every_close] = OPTION_telemetry_every_close,
    [SETTING_client_type] = OPTION_telemetry_client_type,
    [SETTING_flag] = OPTION_telemetry_flag,
    [SETTING_dump] = OPTION_telemetry_dump,
    [SETTING_exporter] = OPTION_traces_exporter,
    [SETTING_folder] = OPTION_traces_folder_path,
    [SETTING_file_kb] = OPTION_traces_max_file_kb,
    [SETTING_files] = OPTION_traces_max_files,
    [SETTING_trace_parent] = OPTION_trace_parent,
    [SETTING_send_trace_parent] = OPTION_send_trace_parent,
    [SETTING_otlp_endpoint] = OPTION_otlp_endpoint,
    [SETTING_otlp_headers] = OPTION_otlp_headers,
    [SETTING_otlp_protocol] = OPTION_otlp_protocol,
};

static const char *from_process(void *user, const char *name) {
  (void)user;
  return environment_get(name);
}

dbsql_status session_telemetry_config(const dbsql_config *config, struct telemetry_config *settings, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  telemetry_config_init(settings);
  for (int i = 0; i < SETTING_COUNT && status == DBSQL_OK; i++) {
    enum option_id id = options[i];
    char number[32];
    if (!config_is_set(config, id)) continue;
    const char *text = number;
    switch (telemetry_settings[i].type) {
      case SETTING_BOOL: text = config_bool(config, id) ? "true" : "false"; break;
      case SETTING_INT:
      case SETTING_DURATION: snprintf(number, sizeof number, "%lld", (long long)config_int(config, id)); break;
      case SETTING_WORD:
      case SETTING_TEXT: text = config_text(config, id); break;
      case SETTING_SECRET: text = secret_text(config_secret(config, id)); break;
    }
    status = telemetry_config_set(settings, telemetry_settings[i].name, text, error);
  }
  if (status == DBSQL_OK && config->environment_loaded) {
    status = telemetry_config_environment(settings, from_process, NULL, &config->log, error);
  }
  if (status != DBSQL_OK) telemetry_config_free(settings);
  return status;
}

/* ---- The sender ----------------------------------------------------------------------------------------------------------- */

/* What outlives the connection as long as something of it may be sent. */
struct sender {
  struct shared shared;
  dbsql_token_provider *provider; /* NULL: there are no credentials */
  struct auth_context *context;
  struct auth_stamp stamp; /* of the token that the session was opened with */
};

static void sender_destroy(struct shared *shared) {
  struct sender *sender = (struct sender *)(void *)shared;
  provider_drop(sender->provider);
  auth_context_drop(sender->context);
  mem_free(sender);
}

/* Nobody waits for it, and nobody is to be asked. */
static dbsql_status authorize(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  struct sender *sender = user;
  struct token_request request = {.context = sender->context, .call = call, .reason = DBSQL_TOKEN_INITIAL, .in_background = true};
  struct token *token = NULL;
  if (sender->provider->in_foreground) {
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s is to be asked only during calls", sender->provider->name);
  }
  dbsql_status status = provider_get(sender->provider, &request, &token, error);
  if (status != DBSQL_OK) return status;
  if (!token) return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s gave no token", sender->provider->name);
  buf_append(value, secret_text(token->header), secret_length(token->header));
  if (token->more) {
    buf_append_byte(value, 0);
    buf_append(value, secret_text(token->more), secret_length(token->more));
  }
  token_drop(token);
  return buf_failed(value) ? error_no_memory(error) : DBSQL_OK;
}

static bool same_text(const char *a, const char *b) {
  return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_secret(const struct secret *a, const struct secret *b) {
  return same_text(a ? secret_text(a) : NULL, b ? secret_text(b) : NULL);
}

static bool same_way(const struct http_settings *a, const struct http_settings *b) {
  return a->tls_verify == b->tls_verify && a->tls_verify_hostname == b->tls_verify_hostname && a->tls_system_store == b->tls_system_store &&
         a->use_proxy == b->use_proxy && a->ignore_environment == b->ignore_environment && same_text(a->user_agent, b->user_agent) &&
         same_text(a->tls_ca_file, b->tls_ca_file) && same_text(a->tls_client_cert, b->tls_client_cert) &&
         same_text(a->tls_client_key, b->tls_client_key) && same_text(a->tls_min_version, b->tls_min_version) &&
         same_secret(a->tls_client_key_password, b->tls_client_key_password) && same_text(a->proxy_url, b->proxy_url) &&
         same_text(a->no_proxy, b->no_proxy) && same_secret(a->proxy_user, b->proxy_user) &&
         same_secret(a->proxy_password, b->proxy_password);
}

/* The same token, or tokens of the same provider, on the same way. */
static bool same_sender(struct shared *x, struct shared *y) {
  const struct sender *a = (struct sender *)(void *)x, *b = (struct sender *)(void *)y;
  bool token =
      a->stamp.has_token && b->stamp.has_token && memcmp(a->stamp.fingerprint, b->stamp.fingerprint, sizeof a->stamp.fingerprint) == 0;
  bool provider = a->provider == b->provider;
  return (token || provider) && same_way(&a->context->http, &b->context->http);
}

static struct sender *make_sender(dbsql_connection *connection, bool with_credentials) {
  const dbsql_config *config = connection->config;
  struct buf user_agent = BUF_INIT;
  struct sender *sender = mem_alloc_zero(1, sizeof *sender);
  if (!sender) return NULL;
  shared_init(&sender->shared, sender_destroy);
  authenticator_share(connection->authenticator, &sender->provider, &sender->context);
  if (!with_credentials) {
    provider_drop(sender->provider);
    sender->provider = NULL;
  }
  if (sender->provider) {
    struct buf header = BUF_INIT;
    struct call call;
    call_begin_internal(&call, 1);
    connection->authenticator->authorize(connection->authenticator, &call, &header, &sender->stamp, NULL);
    buf_free_secret(&header);
  }
  if (!sender->context) {
    struct http_settings http;
    user_agent_append(&user_agent, config_text(config, OPTION_user_agent_entry), !config_bool(config, OPTION_ignore_environment));
    const char *text = buf_text(&user_agent);
    connection_http_settings(config, text, &http);
    if (text) sign_in_context(config, &http, &sender->context, NULL);
  }
  buf_free(&user_agent);
  if (sender->context) return sender;
  sender_destroy(&sender->shared);
  return NULL;
}

/* ---- What a connection tells of itself -------------------------------------------------------------------------------------- */

static void describe_sign_in(const dbsql_config *config, struct tag_connection *tags) {
  tags->auth_type = config_text(config, OPTION_auth_type);
  switch ((enum auth_type)config_int(config, OPTION_auth_type)) {
    case AUTH_PAT: tags->auth_mech = auth_mech_PAT; break;
    case AUTH_EXTERNAL:
      tags->auth_mech = auth_mech_OTHER;
      tags->auth_flow = auth_flow_TOKEN_PASSTHROUGH;
      break;
    case AUTH_REFRESH_TOKEN:
      tags->auth_mech = auth_mech_OAUTH;
      tags->auth_flow = auth_flow_TOKEN_PASSTHROUGH;
      break;
    case AUTH_OAUTH_U2M:
      tags->auth_mech = auth_mech_OAUTH;
      tags->auth_flow = auth_flow_BROWSER_BASED_AUTHENTICATION;
      break;
    case AUTH_NONE: tags->auth_mech = auth_mech_OTHER; break;
    default:
      tags->auth_mech = auth_mech_OAUTH;
      tags->auth_flow = auth_flow_CLIENT_CREDENTIALS;
      break;
  }
}

static struct tag_connection describe(const dbsql_connection *connection, const struct http_settings *http) {
  const dbsql_config *config = connection->config;
  struct tag_connection tags = {
      .user_agent = http->user_agent,
      .session_id = connection->backend ? connection->backend->session_id : "",
      .driver_name = "dbsql-c",
      .http_path = config_text(config, OPTION_http_path),
      .mode = mode_THRIFT,
      .host_url = config_text(config, OPTION_host),
      .host_port = (int32_t)config_int(config, OPTION_port),
      .use_proxy = tag_flag(http->proxy_url != NULL),
      .use_system_proxy = tag_flag(http->use_proxy && !http->proxy_url && !http->ignore_environment),
      .discovery_mode_enabled = tag_flag(config_is_set(config, OPTION_discovery_url)),
      .check_certificate_revocation = FLAG_FALSE,
      .enable_complex_datatype_support = tag_flag(config_bool(config, OPTION_native_complex)),
      .allow_self_signed_support = tag_flag(!http->tls_verify),
      .use_system_trust_store = tag_flag(http->tls_system_store),
      .rows_fetched_per_block = config_int(config, OPTION_max_rows_per_fetch),
      .enable_token_cache = tag_flag(config_bool(config, OPTION_token_cache)),
      .enable_arrow = tag_flag(config_bool(config, OPTION_arrow)),
      .enable_direct_results = tag_flag(config_bool(config, OPTION_direct_results)),
      .socket_timeout = config_int(config, OPTION_request_timeout_ms) / 1000,
      .async_poll_interval_millis = config_int(config, OPTION_poll_max_ms),
      .enable_metric_view_metadata = tag_flag(config_bool(config, OPTION_metric_view_metadata)),
      .auto_commit = FLAG_TRUE,
      .feature_cloudfetch = tag_flag(config_bool(config, OPTION_cloudfetch)),
      .feature_lz4 = tag_flag(config_bool(config, OPTION_lz4)),
      .server_address = config_text(config, OPTION_host),
      .server_port = (int32_t)config_int(config, OPTION_port),
  };
  const char *org_id = config_text(config, OPTION_org_id);
  if (!text_parse_int64(org_id, strlen(org_id), &tags.workspace_id) || tags.workspace_id < 0) tags.workspace_id = 0;
  describe_sign_in(config, &tags);
  return tags;
}

void session_telemetry_open(dbsql_connection *connection, const struct telemetry_config *settings, int64_t started_ns, dbsql_status status,
                            const dbsql_error *failure) {
  const dbsql_config *config = connection->config;
  bool asked = telemetry_config_choice(settings, false) != CHOICE_OFF || config->telemetry ||
               telemetry_config_int(settings, SETTING_exporter) != TRACES_NONE;
  if (!asked || !connection->authenticator) return;
  enum error_category category = errors_classify(status, failure, PLACE_ANY);
  /* Credentials that the server refuses are of no use for telling that. */
  bool with_credentials = status == DBSQL_OK || (category != CATEGORY_AUTH && category != CATEGORY_PERMISSION);
  struct sender *sender = make_sender(connection, with_credentials);
  if (!sender) return;
  struct telemetry_target target = {
      .origin = sender->context->origin,
      .org_id = config_text(config, OPTION_org_id),
      .http = sender->context->http,
      .authorize = sender->provider ? authorize : NULL,
      .authorize_user = sender,
      .owner = &sender->shared,
      .same = same_sender,
      .tags = describe(connection, &sender->context->http),
      .callback = config->telemetry,
      .callback_user = config->telemetry_user,
      .log = &config->log,
      .no_vendor = config_is_plain(config), /* not a workspace */
  };
  telemetry_open(&target, settings, &connection->telemetry, NULL);
  shared_drop(&sender->shared);
  telemetry_operation(connection->telemetry, operation_type_CREATE_SESSION, NULL, started_ns, false, status, failure, PLACE_ANY);
}

uint8_t session_telemetry_metadata(enum metadata_kind kind) {
  switch (kind) {
    case METADATA_CATALOGS: return operation_type_LIST_CATALOGS;
    case METADATA_SCHEMAS: return operation_type_LIST_SCHEMAS;
    case METADATA_TABLES: return operation_type_LIST_TABLES;
    case METADATA_TABLE_TYPES: return operation_type_LIST_TABLE_TYPES;
    case METADATA_COLUMNS: return operation_type_LIST_COLUMNS;
    case METADATA_FUNCTIONS: return operation_type_LIST_FUNCTIONS;
    case METADATA_TYPE_INFO: return operation_type_LIST_TYPE_INFO;
    case METADATA_PRIMARY_KEYS: return operation_type_LIST_PRIMARY_KEYS;
    case METADATA_CROSS_REFERENCE: return operation_type_LIST_CROSS_REFERENCES;
  }
  return operation_type_TYPE_UNSPECIFIED;
}
