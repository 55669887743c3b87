#include "telemetry_schema.h"

#include <string.h>

#define TEXT(name) \
  { name, SCHEMA_TEXT, NULL, NULL, false }
#define PRIVATE(name) \
  { name, SCHEMA_TEXT, NULL, NULL, true }
#define BOOL(name) \
  { name, SCHEMA_BOOL, NULL, NULL, false }
#define INT32(name) \
  { name, SCHEMA_INT32, NULL, NULL, false }
#define INT64(name) \
  { name, SCHEMA_INT64, NULL, NULL, false }
#define TEXTS(name) \
  { name, SCHEMA_TEXTS, NULL, NULL, false }
#define ENUM(name, values) \
  { name, SCHEMA_ENUM, values, NULL, false }
#define OBJECT(name, object) \
  { name, SCHEMA_OBJECT, NULL, &object, false }
#define END \
  { NULL, SCHEMA_TEXT, NULL, NULL, false }

/* telemetry.md 7.8 */
static const char *const modes[] = {"TYPE_UNSPECIFIED", "THRIFT", "SEA", NULL};
static const char *const statement_types[] = {"TYPE_UNSPECIFIED", "QUERY", "SQL", "UPDATE", "METADATA", "VOLUME", NULL};
static const char *const operation_types[] = {"TYPE_UNSPECIFIED",
                                              "CREATE_SESSION",
                                              "DELETE_SESSION",
                                              "EXECUTE_STATEMENT",
                                              "EXECUTE_STATEMENT_ASYNC",
                                              "CLOSE_STATEMENT",
                                              "CANCEL_STATEMENT",
                                              "LIST_TYPE_INFO",
                                              "LIST_CATALOGS",
                                              "LIST_SCHEMAS",
                                              "LIST_TABLES",
                                              "LIST_TABLE_TYPES",
                                              "LIST_COLUMNS",
                                              "LIST_FUNCTIONS",
                                              "LIST_PRIMARY_KEYS",
                                              "LIST_IMPORTED_KEYS",
                                              "LIST_EXPORTED_KEYS",
                                              "LIST_CROSS_REFERENCES",
                                              NULL};
static const char *const result_formats[] = {"FORMAT_UNSPECIFIED", "INLINE_ARROW",    "INLINE_JSON",
                                             "EXTERNAL_LINKS",     "COLUMNAR_INLINE", NULL};
static const char *const volume_operations[] = {"TYPE_UNSPECIFIED", "PUT", "GET", "DELETE", "LIST", "QUERY", NULL};
static const char *const proxy_auth_types[] = {"AUTH_UNSPECIFIED", "NONE", "BASIC", "SPNEGO", NULL};
static const char *const auth_mechs[] = {"TYPE_UNSPECIFIED", "OTHER", "PAT", "OAUTH", NULL};
static const char *const auth_flows[] = {"TYPE_UNSPECIFIED", "TOKEN_PASSTHROUGH", "CLIENT_CREDENTIALS", "BROWSER_BASED_AUTHENTICATION",
                                         NULL};

/* 7.5, in the order of the field numbers */
static const struct schema_object host_details = {
    "host_info", (const struct schema_field[]){TEXT("host_url"), INT32("port"), ENUM("proxy_auth_type", proxy_auth_types), END}};

static const struct schema_object connection_params = {"driver_connection_params",
                                                       (const struct schema_field[]){TEXT("http_path"),
                                                                                     ENUM("mode", modes),
                                                                                     OBJECT("host_info", host_details),
                                                                                     BOOL("use_proxy"),
                                                                                     ENUM("auth_mech", auth_mechs),
                                                                                     ENUM("auth_flow", auth_flows),
                                                                                     TEXT("auth_scope"),
                                                                                     BOOL("use_system_proxy"),
                                                                                     TEXTS("non_proxy_hosts"),
                                                                                     BOOL("use_cf_proxy"),
                                                                                     OBJECT("proxy_host_info", host_details),
                                                                                     OBJECT("cf_proxy_host_info", host_details),
                                                                                     BOOL("discovery_mode_enabled"),
                                                                                     TEXT("discovery_url"),
                                                                                     BOOL("use_empty_metadata"),
                                                                                     BOOL("support_many_parameters"),
                                                                                     TEXT("ssl_trust_store_type"),
                                                                                     BOOL("check_certificate_revocation"),
                                                                                     BOOL("accept_undetermined_certificate_revocation"),
                                                                                     PRIVATE("google_service_account"),
                                                                                     PRIVATE("google_credential_file_path"),
                                                                                     INT64("http_connection_pool_size"),
                                                                                     BOOL("enable_sea_hybrid_results"),
                                                                                     BOOL("enable_complex_datatype_support"),
                                                                                     BOOL("allow_self_signed_support"),
                                                                                     BOOL("use_system_trust_store"),
                                                                                     INT64("rows_fetched_per_block"),
                                                                                     PRIVATE("azure_workspace_resource_id"),
                                                                                     PRIVATE("azure_tenant_id"),
                                                                                     INT32("string_column_length"),
                                                                                     BOOL("enable_token_cache"),
                                                                                     TEXT("token_endpoint"),
                                                                                     TEXT("auth_endpoint"),
                                                                                     BOOL("enable_arrow"),
                                                                                     BOOL("enable_direct_results"),
                                                                                     BOOL("enable_jwt_assertion"),
                                                                                     PRIVATE("jwt_key_file"),
                                                                                     TEXT("jwt_algorithm"),
                                                                                     INT64("socket_timeout"),
                                                                                     PRIVATE("allowed_volume_ingestion_paths"),
                                                                                     INT64("async_poll_interval_millis"),
                                                                                     PRIVATE("query_tags"),
                                                                                     BOOL("enable_metric_view_metadata"),
                                                                                     BOOL("auto_commit"),
                                                                                     BOOL("fetch_auto_commit_from_server"),
                                                                                     BOOL("enable_geospatial_support"),
                                                                                     END}};

/* 7.4 */
static const struct schema_object system_configuration = {
    "system_configuration",
    (const struct schema_field[]){TEXT("driver_version"), TEXT("runtime_name"), TEXT("runtime_version"), TEXT("runtime_vendor"),
                                  TEXT("os_name"), TEXT("os_version"), TEXT("os_arch"), TEXT("driver_name"), TEXT("client_app_name"),
                                  TEXT("locale_name"), TEXT("char_set_encoding"), TEXT("process_name"), END}};

/* 7.6 */
static const struct schema_object chunk_details = {
    "chunk_details", (const struct schema_field[]){INT64("initial_chunk_latency_millis"), INT64("slowest_chunk_latency_millis"),
                                                   INT32("total_chunks_present"), INT32("total_chunks_iterated"),
                                                   INT64("sum_chunks_download_time_millis"), END}};
static const struct schema_object result_latency = {
    "result_latency",
    (const struct schema_field[]){INT64("result_set_ready_latency_millis"), INT64("result_set_consumption_latency_millis"), END}};
static const struct schema_object operation_detail = {
    "operation_detail", (const struct schema_field[]){INT32("n_operation_status_calls"), INT64("operation_status_latency_millis"),
                                                      ENUM("operation_type", operation_types), BOOL("is_internal_call"), END}};
static const struct schema_object sql_operation = {
    "sql_operation", (const struct schema_field[]){ENUM("statement_type", statement_types), BOOL("is_compressed"),
                                                   ENUM("execution_result", result_formats), INT64("chunk_id"), INT64("retry_count"),
                                                   OBJECT("chunk_details", chunk_details), OBJECT("result_latency", result_latency),
                                                   OBJECT("operation_detail", operation_detail), BOOL("java_uses_patched_arrow"), END}};

/* 7.7 */
static const struct schema_object vol_operation = {
    "vol_operation",
    (const struct schema_field[]){ENUM("volume_operation_type", volume_operations), PRIVATE("volume_path"), PRIVATE("local_file"), END}};

/* 7.3 */
static const struct schema_object error_info = {"error_info", (const struct schema_field[]){TEXT("error_name"), TEXT("stack_trace"), END}};
static const struct schema_object sql_driver_log = {
    "sql_driver_log", (const struct schema_field[]){
                          TEXT("session_id"), TEXT("sql_statement_id"), OBJECT("system_configuration", system_configuration),
                          OBJECT("driver_connection_params", connection_params), TEXT("auth_type"), OBJECT("vol_operation", vol_operation),
                          OBJECT("sql_operation", sql_operation), OBJECT("error_info", error_info), INT64("operation_latency_ms"), END}};

/* 7.2 */
static const struct schema_object client_context = {
    "client_context",
    (const struct schema_field[]){INT64("timestamp_millis"), TEXT("user_agent"), TEXT("client_type"), TEXT("client_version"), END}};
static const struct schema_object context = {
    "context", (const struct schema_field[]){OBJECT("client_context", client_context), INT64("timestamp_millis"), END}};
static const struct schema_object entry = {"entry", (const struct schema_field[]){OBJECT("sql_driver_log", sql_driver_log), END}};
const struct schema_object schema_entry = {"", (const struct schema_field[]){INT64("workspace_id"), TEXT("frontend_log_event_id"),
                                                                             OBJECT("context", context), OBJECT("entry", entry), END}};

const struct schema_object *const schema_objects[] = {&schema_entry,
                                                      &context,
                                                      &client_context,
                                                      &entry,
                                                      &sql_driver_log,
                                                      &error_info,
                                                      &system_configuration,
                                                      &connection_params,
                                                      &host_details,
                                                      &sql_operation,
                                                      &chunk_details,
                                                      &result_latency,
                                                      &operation_detail,
                                                      &vol_operation,
                                                      NULL};

const char *schema_stray(const char *object, const char *key) {
  static const struct {
    const char *object, *key, *who;
  } strays[] = {
      {"host_info", "non_proxy_hosts", "JDBC"},
      {"driver_connection_params", "identity_federation_client_id", "JDBC"},
      {"driver_connection_params", "retry_max_attempts", "Go"},
      {"driver_connection_params", "retry_overall_timeout_ms", "Go"},
      {"driver_connection_params", "max_chunks_in_memory", "Go"},
      {"error_info", "error_message", "nobody: its field is reserved"},
  };
  for (size_t i = 0; i < sizeof strays / sizeof *strays; i++) {
    if (strcmp(strays[i].object, object) == 0 && strcmp(strays[i].key, key) == 0) return strays[i].who;
  }
  return NULL;
}
