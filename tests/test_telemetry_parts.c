/* Settings, tags, categories, batching, the ring and what is written: each alone. The lines are those of telemetry.md 10.3 and 10.4. */
#include "test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "telemetry/aggregator.h"
#include "telemetry/config.h"
#include "telemetry/errors.h"
#include "telemetry/otlp.h"
#include "telemetry/ring.h"
#include "telemetry/state.h"
#include "telemetry/wire.h"

/* ---- Settings ------------------------------------------------------------------------------------------------------------- */

static void set(struct telemetry_config *config, const char *name, const char *value) {
  dbsql_error *error = NULL;
  if (telemetry_config_set(config, name, value, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
}

static void refuses(const char *name, const char *value) {
  struct telemetry_config config;
  dbsql_error *error = NULL;
  telemetry_config_init(&config);
  if (telemetry_config_set(&config, name, value, &error) == DBSQL_OK) fail_msg("%s=%s was taken", name, value);
  assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), name));
  error_clear(&error);
  telemetry_config_free(&config);
}

/* DefaultConfig, "telemetry off by default" */
static void test_default_config(void **state) {
  (void)state;
  struct telemetry_config config;
  telemetry_config_init(&config);
  assert_int_equal(telemetry_config_choice(&config, false), CHOICE_OFF);
  assert_int_equal(telemetry_config_int(&config, SETTING_batch_size), 200);
  assert_int_equal(telemetry_config_int(&config, SETTING_flush_interval_ms), 30000);
  assert_int_equal(telemetry_config_int(&config, SETTING_close_timeout_ms), 2000);
  assert_int_equal(telemetry_config_int(&config, SETTING_exporter), TRACES_NONE);
  assert_true(telemetry_config_bool(&config, SETTING_process_name));
  assert_string_equal(telemetry_config_text(&config, SETTING_client_type), "ADBC");
}

/* EnabledTrue, Enabled1, EnabledFalse; IsTelemetryEnabled_ExplicitOptOut; the overlay: set, unset, precedence */
static void test_choice(void **state) {
  (void)state;
  static const struct {
    const char *enabled, *forced;
    bool killed;
    enum telemetry_choice choice;
  } cases[] = {
      {"", "", false, CHOICE_OFF},          {"true", "", false, CHOICE_FLAG},   {"1", "", false, CHOICE_FLAG},
      {"T", "", false, CHOICE_FLAG},        {"on", "", false, CHOICE_FLAG},     {"false", "", false, CHOICE_OFF},
      {"0", "", false, CHOICE_OFF},         {"", "true", false, CHOICE_FORCED}, {"true", "true", false, CHOICE_FORCED},
      {"false", "true", false, CHOICE_OFF}, {"", "false", false, CHOICE_OFF},   {"true", "false", false, CHOICE_FLAG},
      {"true", "", true, CHOICE_OFF},       {"true", "true", true, CHOICE_OFF}, {"", "true", true, CHOICE_OFF},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct telemetry_config config;
    telemetry_config_init(&config);
    set(&config, "telemetry", cases[i].enabled);
    set(&config, "telemetry_force", cases[i].forced);
    if (telemetry_config_choice(&config, cases[i].killed) != cases[i].choice) fail_msg("case %zu", i);
    set(&config, "telemetry", "");
    set(&config, "telemetry_force", "");
    assert_int_equal(telemetry_config_choice(&config, false), CHOICE_OFF);
    telemetry_config_free(&config);
  }
  static const char *const yes[] = {"1", "true", "YES", "on", "T"}, *const no[] = {"", "0", "false", "no", "nonsense"};
  for (size_t i = 0; i < 5; i++) {
    assert_true(telemetry_is_killed(yes[i]));
    assert_false(telemetry_is_killed(no[i]));
  }
  assert_false(telemetry_is_killed(NULL));
}

/* BatchSize, Invalid, Zero, Negative; FlushInterval, Invalid; AllParams. A bad value is an error that names it, here as everywhere. */
static void test_values(void **state) {
  (void)state;
  struct telemetry_config config;
  telemetry_config_init(&config);
  set(&config, "telemetry", "true");
  set(&config, "telemetry_batch_size", "50");
  set(&config, "telemetry_flush_interval_ms", "10s");
  set(&config, "telemetry_close_timeout_ms", "0");
  assert_int_equal(telemetry_config_int(&config, SETTING_batch_size), 50);
  assert_int_equal(telemetry_config_int(&config, SETTING_flush_interval_ms), 10000);
  assert_int_equal(telemetry_config_int(&config, SETTING_close_timeout_ms), 0);
  static const struct {
    const char *text;
    int64_t ms;
  } durations[] = {{"500ms", 500}, {"250", 250}, {"1m30s", 90000}, {"1.5s", 1500}, {"0.5h", 1800000}};
  for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
    set(&config, "telemetry_flush_interval_ms", durations[i].text);
    assert_int_equal(telemetry_config_int(&config, SETTING_flush_interval_ms), durations[i].ms);
  }
  telemetry_config_free(&config);
  static const char *const bad[] = {"invalid", "0", "-10", "1001", "5x", "99999999999999999999"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) refuses("telemetry_batch_size", bad[i]);
  static const char *const times[] = {"invalid", "0", "-5s", "99ms", "2h", "s", "1s2", "1e3", "."};
  for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) refuses("telemetry_flush_interval_ms", times[i]);
  refuses("telemetry", "maybe");
  refuses("telemetry_close_timeout_ms", "30001");
  refuses("traces_exporter", "jaeger");
  refuses("otlp_protocol", "udp");
  refuses("telemetry_dump", "a\nb");
  refuses("telemetry_nonsense", "1");
}

/* An option that nothing reads: each setting changes what is read of it. That the readers exist is what the linker and this file's
 * neighbours show; here, that no default is out of its own bounds and each can be set and taken back. */
static void test_every_setting(void **state) {
  (void)state;
  for (int i = 0; i < SETTING_COUNT; i++) {
    const struct setting *setting = &telemetry_settings[i];
    struct telemetry_config config;
    telemetry_config_init(&config);
    const char *value = setting->default_text;
    char number[32];
    switch (setting->type) {
      case SETTING_BOOL: value = strcmp(value, "true") == 0 ? "false" : "true"; break;
      case SETTING_INT:
      case SETTING_DURATION:
        assert_in_range(telemetry_config_int(&config, (enum telemetry_setting)i), setting->min, setting->max);
        snprintf(number, sizeof number, "%lld", (long long)setting->max);
        value = number;
        break;
      case SETTING_WORD: value = strrchr(setting->words, '|') + 1; break;
      default: value = i == SETTING_trace_parent ? "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" : "something"; break;
    }
    int64_t before = telemetry_config_int(&config, (enum telemetry_setting)i);
    const char *text = telemetry_config_text(&config, (enum telemetry_setting)i);
    set(&config, setting->name, value);
    bool differs = telemetry_config_int(&config, (enum telemetry_setting)i) != before ||
                   strcmp(telemetry_config_text(&config, (enum telemetry_setting)i), text) != 0;
    if (!differs) fail_msg("%s changes nothing", setting->name);
    assert_true(strlen(setting->documentation) > 10);
    set(&config, setting->name, "");
    assert_int_equal(telemetry_config_int(&config, (enum telemetry_setting)i), before);
    telemetry_config_free(&config);
  }
}

static const char *variable(void *user, const char *name) {
  const char *const *pairs = user;
  for (; pairs[0]; pairs += 2) {
    if (strcmp(pairs[0], name) == 0) return pairs[1];
  }
  return NULL;
}

static int warnings;
static void count_warning(void *user, const dbsql_log_record *record) {
  (void)user;
  warnings += record->level == DBSQL_LOG_WARN;
}

/* The environment: below what is set; a bad value is ignored with one warning */
static void test_environment(void **state) {
  (void)state;
  const char *pairs[] = {"DATABRICKS_TELEMETRY_ENABLED",
                         "true",
                         "DATABRICKS_TELEMETRY_BATCH_SIZE",
                         "none",
                         "DATABRICKS_TELEMETRY_FLUSH_INTERVAL_MS",
                         "500",
                         "OTEL_TRACES_EXPORTER",
                         "otlp",
                         "OTEL_EXPORTER_OTLP_ENDPOINT",
                         "http://collector:4318/",
                         "OTEL_EXPORTER_OTLP_HEADERS",
                         "a=b",
                         NULL};
  struct telemetry_config config;
  struct log log = {DBSQL_LOG_WARN, count_warning, NULL};
  telemetry_config_init(&config);
  set(&config, "telemetry_flush_interval_ms", "700");
  warnings = 0;
  assert_int_equal(telemetry_config_environment(&config, variable, pairs, &log, NULL), DBSQL_OK);
  assert_int_equal(telemetry_config_choice(&config, false), CHOICE_FLAG);
  assert_int_equal(telemetry_config_int(&config, SETTING_batch_size), 200);
  assert_int_equal(telemetry_config_int(&config, SETTING_flush_interval_ms), 700);
  assert_int_equal(telemetry_config_int(&config, SETTING_exporter), TRACES_OTLP);
  assert_string_equal(telemetry_config_text(&config, SETTING_otlp_endpoint), "http://collector:4318/v1/traces");
  assert_string_equal(telemetry_config_text(&config, SETTING_otlp_headers), "a=b");
  assert_int_equal(warnings, 1);
  telemetry_config_free(&config);
  const char *exact[] = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/x", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://d", NULL};
  telemetry_config_init(&config);
  telemetry_config_environment(&config, variable, exact, NULL, NULL);
  assert_string_equal(telemetry_config_text(&config, SETTING_otlp_endpoint), "http://c/x");
  telemetry_config_free(&config);
}

static void test_trace_parent(void **state) {
  (void)state;
  struct trace_parent parent;
  static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  char text[trace_parent_size];
  assert_true(trace_parent_parse(good, &parent) && parent.present);
  trace_parent_format(&parent, text);
  assert_string_equal(text, good);
  assert_true(trace_parent_parse("  ", &parent) && !parent.present);
  assert_true(trace_parent_parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", &parent));
  static const char *const bad[] = {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
                                    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                                    "00-0af7651916cd43dd8448eb211c80319c",
                                    "x"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_false(trace_parent_parse(bad[i], &parent));
    refuses("trace_parent", bad[i]);
  }
}

/* ---- Tags ----------------------------------------------------------------------------------------------------------------- */

static const struct tag *tag_named(const char *name) {
  for (size_t i = 0; i < tag_count; i++) {
    if (strcmp(tag_table[i].name, name) == 0) return &tag_table[i];
  }
  return NULL;
}

/* TagConstants_NonEmpty, and every tag of the original design is there */
static void test_tag_names(void **state) {
  (void)state;
  static const char *const original[] = {"workspace.id",
                                         "session.id",
                                         "driver.version",
                                         "driver.os",
                                         "driver.runtime",
                                         "feature.cloudfetch",
                                         "feature.lz4",
                                         "server.address",
                                         "statement.id",
                                         "result.format",
                                         "result.chunk_count",
                                         "result.bytes_downloaded",
                                         "result.compression_enabled",
                                         "poll.count",
                                         "poll.latency_ms",
                                         "error.type",
                                         "error.code",
                                         "feature.direct_results",
                                         "operation_type"};
  for (size_t i = 0; i < sizeof original / sizeof original[0]; i++) {
    if (!tag_named(original[i])) fail_msg("%s is missing", original[i]);
  }
  for (size_t i = 0; i < tag_count; i++) {
    const struct tag *tag = &tag_table[i];
    assert_true(tag->name[0] && tag->documentation[0] && tag->kinds);
    for (size_t j = i + 1; j < tag_count; j++) {
      assert_string_not_equal(tag->name, tag_table[j].name);
      assert_string_not_equal(tag->id, tag_table[j].id);
      if (tag->wire[0]) assert_string_not_equal(tag->wire, tag_table[j].wire);
      if (tag->number[0]) assert_string_not_equal(tag->number, tag_table[j].number);
      if (tag->otlp[0]) assert_string_not_equal(tag->otlp, tag_table[j].otlp);
    }
  }
}

/* The scopes hold: what is local has no way out, what is never kept has no place */
static void test_tag_scopes(void **state) {
  (void)state;
  const struct tag *address = tag_named("server.address");
  assert_int_equal(address->scope, SCOPE_LOCAL);
  for (size_t i = 0; i < tag_count; i++) {
    const struct tag *tag = &tag_table[i];
    for (unsigned kind = 1; kind <= 8; kind *= 2) {
      bool out = tag_may_go(tag, kind, TO_DATABRICKS);
      if (tag->source == SOURCE_NEVER || tag->scope == SCOPE_LOCAL || !(tag->kinds & kind)) assert_false(out);
      if (tag_may_go(tag, kind, TO_DATABRICKS_UNAUTH)) assert_true(out && tag->unauth);
      if (tag->source == SOURCE_NEVER) assert_false(tag_may_go(tag, kind, TO_LOCAL));
    }
    if (tag->source == SOURCE_NEVER) assert_int_equal(tag->scope, SCOPE_NONE);
    /* A scope without a key in the schema says so. */
    if ((tag->scope & SCOPE_DATABRICKS) && !tag->wire[0]) assert_non_null(strstr(tag->documentation, "no key for it"));
  }
  static const char *const never[] = {"db.statement", "error.message", "error.stack_trace", "connection.query_tags", "volume.path"};
  for (size_t i = 0; i < 5; i++) assert_int_equal(tag_named(never[i])->source, SOURCE_NEVER);
}

/* "every schema field exists with its name": the numbers and names of telemetry.md 7.3 to 7.6; CategoryStringValues; the closed enums */
static void test_schema(void **state) {
  (void)state;
  static const struct {
    const char *number, *wire;
  } fields[] = {{"1", "session_id"},
                {"2", "sql_statement_id"},
                {"3.1", "system_configuration.driver_version"},
                {"3.12", "system_configuration.process_name"},
                {"4.2", "driver_connection_params.mode"},
                {"4.3.1", "driver_connection_params.host_info.host_url"},
                {"4.28", "driver_connection_params.rows_fetched_per_block"},
                {"4.40", "driver_connection_params.socket_timeout"},
                {"4.47", "driver_connection_params.enable_geospatial_support"},
                {"5", "auth_type"},
                {"6.1", "vol_operation.volume_operation_type"},
                {"7.1", "sql_operation.statement_type"},
                {"7.6.5", "sql_operation.chunk_details.sum_chunks_download_time_millis"},
                {"7.7.2", "sql_operation.result_latency.result_set_consumption_latency_millis"},
                {"7.8.1", "sql_operation.operation_detail.n_operation_status_calls"},
                {"7.8.3", "sql_operation.operation_detail.operation_type"},
                {"8.1", "error_info.error_name"},
                {"9", "operation_latency_ms"}};
  int params = 0, system = 0;
  for (size_t i = 0; i < tag_count; i++) {
    params += strncmp(tag_table[i].number, "4.", 2) == 0;
    system += strncmp(tag_table[i].number, "3.", 2) == 0;
  }
  assert_int_equal(params, 47); /* 1 to 47 without 23; host_info counts twice */
  assert_int_equal(system, 12);
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    bool found = false;
    for (size_t j = 0; j < tag_count; j++) {
      if (strcmp(tag_table[j].number, fields[i].number) != 0) continue;
      assert_string_equal(tag_table[j].wire + strlen("entry.sql_driver_log."), fields[i].wire);
      found = true;
    }
    if (!found) fail_msg("field %s is missing", fields[i].number);
  }
  static const char *const categories[] = {"timeout",
                                           "cancelled",
                                           "connection_error",
                                           "auth_error",
                                           "permission_error",
                                           "not_found",
                                           "syntax_error",
                                           "invalid_request",
                                           "error",
                                           "chunk_download_error",
                                           "decompression_error",
                                           "arrow_schema_parsing_error",
                                           "result_set_error",
                                           "unsupported_operation",
                                           "rate_limit_exceeded",
                                           "ssl_handshake_error",
                                           "statement_execution_timeout",
                                           "execute_statement_failed",
                                           "execute_statement_cancelled",
                                           "session_closed",
                                           "statement_closed"};
  assert_int_equal(tag_names_category.count, 22);
  for (int i = 0; i < 21; i++) assert_string_equal(tag_names_category.texts[i + 1], categories[i]);
  assert_int_equal(operation_type_LIST_CROSS_REFERENCES, 17);
  assert_int_equal(execution_result_COLUMNAR_INLINE, 4);
  assert_int_equal(statement_type_VOLUME, 5);
  assert_int_equal(auth_flow_BROWSER_BASED_AUTHENTICATION, 3);
  assert_int_equal(tag_enum_value(&tag_names_mode, "SEA"), 2);
  assert_int_equal(tag_enum_value(&tag_names_mode, "sea"), 0);
  assert_int_equal(tag_enum_value(&tag_names_statement_type, "NONE"), 0); /* no member, whatever JDBC sends */
}

/* ---- Categories ----------------------------------------------------------------------------------------------------------- */

static enum error_category classified(dbsql_status kind, const char *sqlstate, int http, enum error_place place) {
  dbsql_error *error = NULL;
  error_set(&error, kind, sqlstate, "connection timeout: authentication not found");
  error->http_status = http;
  enum error_category category = errors_classify(kind, error, place);
  error_clear(&error);
  return category;
}

/* ClassifyErrorFallback: in C from facts, never from text (the text above would match five of Go's rules); UnsupportedOperation,
 * CategoryFromError, UntaggedDbErrorUsesFallback, ErrorHandlerRateLimitTag */
static void test_classification(void **state) {
  (void)state;
  static const struct {
    dbsql_status kind;
    const char *sqlstate;
    int http;
    enum error_place place;
    enum error_category category;
  } cases[] = {
      {DBSQL_ERROR_REQUEST, "08001", 0, PLACE_ANY, CATEGORY_CONNECTION},
      {DBSQL_ERROR_TIMEOUT, "HYT00", 0, PLACE_ANY, CATEGORY_TIMEOUT},
      {DBSQL_ERROR_REQUEST, "HY000", 408, PLACE_ANY, CATEGORY_TIMEOUT},
      {DBSQL_ERROR_REQUEST, "HY000", 504, PLACE_ANY, CATEGORY_TIMEOUT},
      {DBSQL_ERROR_REQUEST, "28000", 401, PLACE_ANY, CATEGORY_AUTH},
      {DBSQL_ERROR_REQUEST, "HY000", 400, PLACE_SIGN_IN, CATEGORY_AUTH},
      {DBSQL_ERROR_REQUEST, "42501", 403, PLACE_ANY, CATEGORY_PERMISSION},
      {DBSQL_ERROR_REQUEST, "HY000", 404, PLACE_ANY, CATEGORY_NOT_FOUND},
      {DBSQL_ERROR_REQUEST, "HY000", 400, PLACE_ANY, CATEGORY_INVALID_REQUEST},
      {DBSQL_ERROR_REQUEST, "HY000", 422, PLACE_ANY, CATEGORY_INVALID_REQUEST},
      {DBSQL_ERROR_REQUEST, "HY000", 429, PLACE_ANY, CATEGORY_RATE_LIMIT},
      {DBSQL_ERROR_REQUEST, "HY000", 503, PLACE_ANY, CATEGORY_CONNECTION},
      {DBSQL_ERROR_EXECUTION, "42601", 0, PLACE_STATEMENT, CATEGORY_SYNTAX},
      {DBSQL_ERROR_EXECUTION, "42P01", 0, PLACE_STATEMENT, CATEGORY_STATEMENT_FAILED},
      {DBSQL_ERROR_EXECUTION, "42501", 0, PLACE_STATEMENT, CATEGORY_PERMISSION},
      {DBSQL_ERROR_EXECUTION, "22012", 0, PLACE_STATEMENT, CATEGORY_STATEMENT_FAILED},
      {DBSQL_ERROR_TIMEOUT, "HYT00", 0, PLACE_STATEMENT, CATEGORY_STATEMENT_TIMEOUT},
      {DBSQL_ERROR_CANCELLED, "HY008", 0, PLACE_STATEMENT, CATEGORY_STATEMENT_CANCELLED},
      {DBSQL_ERROR_CANCELLED, "HY008", 0, PLACE_FETCH, CATEGORY_CANCELLED},
      {DBSQL_ERROR_REQUEST, "08S01", 0, PLACE_CHUNK, CATEGORY_CHUNK_DOWNLOAD},
      {DBSQL_ERROR_REQUEST, "HY000", 403, PLACE_CHUNK, CATEGORY_CHUNK_DOWNLOAD},
      {DBSQL_ERROR_CANCELLED, "HY008", 0, PLACE_CHUNK, CATEGORY_CANCELLED},
      {DBSQL_ERROR_DRIVER, "HY000", 0, PLACE_FETCH, CATEGORY_RESULT_SET},
      {DBSQL_ERROR_DRIVER, "HYC00", 0, PLACE_STATEMENT, CATEGORY_UNSUPPORTED},
      {DBSQL_ERROR_DRIVER, "HY009", 0, PLACE_ANY, CATEGORY_INVALID_REQUEST},
      {DBSQL_ERROR_DRIVER, "22021", 0, PLACE_STATEMENT, CATEGORY_INVALID_REQUEST},
      {DBSQL_ERROR_REQUEST, "HY000", 500, PLACE_CLOSE_SESSION, CATEGORY_SESSION_CLOSED},
      {DBSQL_ERROR_REQUEST, "HY000", 500, PLACE_CLOSE_STATEMENT, CATEGORY_STATEMENT_CLOSED},
      {DBSQL_ERROR_REQUEST, "08003", 0, PLACE_STATEMENT, CATEGORY_SESSION_CLOSED},
      {DBSQL_ERROR_DRIVER, "HY000", 0, PLACE_ANY, CATEGORY_GENERIC},
      {DBSQL_ERROR_NO_MEMORY, "HY001", 0, PLACE_FETCH, CATEGORY_GENERIC},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    enum error_category got = classified(cases[i].kind, cases[i].sqlstate, cases[i].http, cases[i].place);
    if (got != cases[i].category) fail_msg("case %zu: %s", i, tag_names_category.texts[got]);
  }
  assert_int_equal(errors_classify(DBSQL_ERROR_TIMEOUT, NULL, PLACE_ANY), CATEGORY_TIMEOUT);
}

/* ClassifyErrorNil */
static void test_no_error(void **state) {
  (void)state;
  assert_int_equal(errors_classify(DBSQL_OK, NULL, PLACE_STATEMENT), CATEGORY_NONE);
}

/* PrefersSourceCategory, SourceCategorySurvivesWrapping, CategoryFromError (the innermost counts), WithCategoryPreservesInterfaces,
 * TagStatementClosed: the error given to the caller is only read */
static void test_source_category(void **state) {
  (void)state;
  dbsql_error *error = NULL;
  error_set(&error, DBSQL_ERROR_REQUEST, "08001", "TLS");
  error_set_category(&error, CATEGORY_TLS);
  error_set_category(&error, CATEGORY_CONNECTION); /* an outer layer adds none if there is one inside */
  error_prefix(&error, "cannot connect");
  error_set_query_id(&error, "q");
  assert_int_equal(errors_classify(DBSQL_ERROR_REQUEST, error, PLACE_CLOSE_SESSION), CATEGORY_TLS);
  assert_string_equal(dbsql_error_sqlstate(error), "08001");
  assert_string_equal(dbsql_error_query_id(error), "q");
  assert_string_equal(dbsql_error_message(error), "cannot connect: TLS");
  error_clear(&error);
  error_set(&error, DBSQL_ERROR_EXECUTION, "HY000", "x");
  error->session_lost = true;
  assert_int_equal(errors_classify(DBSQL_ERROR_EXECUTION, error, PLACE_STATEMENT), CATEGORY_SESSION_CLOSED);
  error_clear(&error);
}

static void test_terminal(void **state) {
  (void)state;
  static const enum error_category waits[] = {CATEGORY_NONE, CATEGORY_TIMEOUT, CATEGORY_CONNECTION, CATEGORY_RATE_LIMIT,
                                              CATEGORY_CANCELLED};
  static const enum error_category goes[] = {CATEGORY_AUTH, CATEGORY_PERMISSION, CATEGORY_NOT_FOUND, CATEGORY_SYNTAX,
                                             CATEGORY_INVALID_REQUEST};
  for (size_t i = 0; i < 5; i++) {
    assert_false(errors_is_terminal(waits[i]));
    assert_true(errors_is_terminal(goes[i]));
  }
}

/* ---- Hosts ---------------------------------------------------------------------------------------------------------------- */

/* NormalizeHostKey; the deny list of "redaction catalogue and host deny list" */
static void test_host_keys(void **state) {
  (void)state;
  static const char *const same[] = {"example.databricks.com",        "example.databricks.com/",
                                     "example.databricks.com//",      "https://example.databricks.com",
                                     "http://example.databricks.com", "EXAMPLE.Databricks.COM",
                                     "  example.databricks.com \t",   "https://example.databricks.com:443/",
                                     "example.databricks.com.",       "HTTPS://example.databricks.com"};
  char key[host_key_size];
  for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
    assert_true(host_normalise(same[i], key));
    assert_string_equal(key, "example.databricks.com");
  }
  assert_true(host_normalise("example.com:8443", key));
  assert_string_equal(key, "example.com:8443");
  assert_true(host_normalise("", key));
  assert_string_equal(key, "");
  assert_true(host_normalise("http://[::1]:80", key));
  static const char *const bad[] = {"a b",
                                    "a\tb",
                                    "user@host",
                                    "https://user:pw@host",
                                    "host/path",
                                    "host?x",
                                    "host#x",
                                    "host\\x",
                                    "ho\xE2\x80\x8Bst",
                                    "h\xC3\xB6st",
                                    "169.254.169.254",
                                    "http://169.254.1.1:80",
                                    "metadata.google.internal",
                                    "[fe80::1]",
                                    "[fd00:ec2::254]",
                                    "100.100.100.200"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    if (host_normalise(bad[i], key)) fail_msg("%s was taken", bad[i]);
  }
  char longest[host_key_size + 10];
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  assert_false(host_normalise(longest, key));
}

/* ---- Batching ------------------------------------------------------------------------------------------------------------- */

static const int64_t ms = 1000000;
static const struct aggregator_settings batches = {.batch_size = 5, .interval_ms = 30000};

static struct pending *node_of(int number, enum error_category category, bool urgent) {
  struct pending *node = calloc(1, sizeof *node);
  node->event.tags.rows = number;
  node->event.tags.category = (uint8_t)category;
  node->event.urgent = urgent;
  return node;
}

static void drop_all(struct aggregator *aggregator) {
  size_t count;
  while (aggregator->first) {
    for (struct pending *node = aggregator_take(aggregator, 0, &count), *next; node; node = next) {
      next = node->next;
      free(node);
    }
  }
}

/* "batch flush by size and by time" */
static void test_due_by_count_age_and_size(void **state) {
  (void)state;
  struct aggregator aggregator;
  aggregator_init(&aggregator, &batches, 99);
  int64_t now = 1000000 * ms;
  assert_int_equal(aggregator_due_ns(&aggregator, false), INT64_MAX);
  aggregator_add(&aggregator, node_of(1, 0, false), pending_most, now);
  int64_t due = aggregator_due_ns(&aggregator, false);
  assert_true(due >= now && due < now + 30000 * ms); /* the first round begins anywhere within the interval */
  for (int i = 2; i <= 4; i++) aggregator_add(&aggregator, node_of(i, 0, false), pending_most, now + i);
  assert_int_equal(aggregator_due_ns(&aggregator, false), due);
  aggregator_add(&aggregator, node_of(5, 0, false), pending_most, now + 5);
  assert_true(aggregator_due_ns(&aggregator, false) <= now);
  drop_all(&aggregator);
  /* By bytes */
  aggregator.entry_bytes = batch_bytes / 2;
  aggregator.earliest_ns = INT64_MIN;
  aggregator_add(&aggregator, node_of(1, 0, false), pending_most, now);
  due = aggregator_due_ns(&aggregator, false);
  assert_true(due >= now + 27000 * ms && due <= now + 33000 * ms); /* later rounds: a tenth around the interval */
  aggregator_add(&aggregator, node_of(2, 0, false), pending_most, now);
  assert_true(aggregator_due_ns(&aggregator, false) <= now);
  drop_all(&aggregator);
}

/* "terminal error flushes at once, retryable error waits for the statement" */
static void test_urgent_is_due_soon(void **state) {
  (void)state;
  struct aggregator aggregator;
  aggregator_init(&aggregator, &batches, 99);
  int64_t now = 1000000 * ms;
  aggregator.jitter_ns = 30000 * ms;
  aggregator_add(&aggregator, node_of(1, CATEGORY_TIMEOUT, false), pending_most, now);
  assert_int_equal(aggregator_due_ns(&aggregator, false), now + 30000 * ms);
  aggregator_add(&aggregator, node_of(2, CATEGORY_AUTH, true), pending_most, now + 10 * ms);
  assert_int_equal(aggregator_due_ns(&aggregator, false), now + 1010 * ms);
  aggregator_ask(&aggregator, now, 500);
  assert_int_equal(aggregator_due_ns(&aggregator, false), now + 500 * ms);
  assert_int_equal(aggregator_due_ns(&aggregator, true), INT64_MIN);
  size_t count;
  struct pending *list = aggregator_take(&aggregator, now, &count);
  assert_int_equal(count, 2);
  /* At most one batch a second, unless everything ends */
  aggregator_add(&aggregator, node_of(3, CATEGORY_AUTH, true), pending_most, now);
  aggregator_ask(&aggregator, now, 0);
  assert_int_equal(aggregator_due_ns(&aggregator, false), now + 1000 * ms);
  assert_int_equal(aggregator_due_ns(&aggregator, true), INT64_MIN);
  aggregator_put_back(&aggregator, list);
  assert_int_equal(aggregator.count, 3);
  assert_int_equal(aggregator.first->event.tags.rows, 1);
  assert_int_equal(aggregator.last->event.tags.rows, 3);
  drop_all(&aggregator);
}

/* "overflow drops the oldest records of the buffer", and errors last */
static void test_overflow_drops_the_oldest(void **state) {
  (void)state;
  struct aggregator aggregator;
  aggregator_init(&aggregator, &batches, 99);
  struct pending *gone;
  assert_null(aggregator_add(&aggregator, node_of(1, CATEGORY_AUTH, true), 3, 0));
  assert_null(aggregator_add(&aggregator, node_of(2, 0, false), 3, 0));
  assert_null(aggregator_add(&aggregator, node_of(3, 0, false), 3, 0));
  for (int expected = 2; expected <= 4; expected++) {
    gone = aggregator_add(&aggregator, node_of(expected + 2, CATEGORY_AUTH, true), 3, 0);
    assert_int_equal(gone->event.tags.rows, expected == 4 ? 1 : expected); /* then there are only errors: the oldest */
    free(gone);
  }
  assert_int_equal(aggregator.count, 3);
  assert_int_equal(aggregator.first->event.tags.rows, 4);
  assert_int_equal(aggregator.last->event.tags.rows, 6);
  gone = aggregator_add(&aggregator, node_of(7, 0, false), 3, 0); /* the newest itself is the oldest that is no error */
  assert_int_equal(gone->event.tags.rows, 7);
  assert_int_equal(aggregator.last->event.tags.rows, 6);
  free(gone);
  drop_all(&aggregator);
}

/* ---- The ring ------------------------------------------------------------------------------------------------------------- */

static bool push(struct ring *ring, int64_t number, bool matters) {
  uint64_t position;
  struct ring_cell *cell = ring_claim(ring, matters, &position);
  if (!cell) return false;
  memset(&cell->event, 0, sizeof cell->event);
  cell->event.started_ns = number;
  ring_publish(cell, position);
  return true;
}

static void test_ring(void **state) {
  (void)state;
  struct ring *ring = mem_alloc_aligned(sizeof *ring);
  ring_init(ring);
  assert_null(ring_peek(ring));
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < ring_size - ring_reserve; i++) assert_true(push(ring, i, false));
    assert_false(push(ring, 0, false)); /* the rest is for what matters */
    for (int i = 0; i < ring_reserve; i++) assert_true(push(ring, 10000 + i, true));
    assert_false(push(ring, 0, true));
    for (int i = 0; i < ring_size; i++) {
      struct ring_event *event = ring_peek(ring);
      assert_non_null(event);
      int place = i - (ring_size - ring_reserve);
      assert_int_equal(event->started_ns, place < 0 ? i : 10000 + place);
      ring_pop(ring);
    }
    assert_null(ring_peek(ring));
    assert_int_equal(ring_consumed(ring), ring_position(ring));
  }
  assert_true(sizeof(struct ring_cell) <= 256 && sizeof *ring <= 1310720);
  assert_true(sizeof(struct telemetry_statement) <= 320);
  mem_free_aligned(ring);
}

/* ---- What is written ------------------------------------------------------------------------------------------------------ */

static void full_record(struct tag_event *event, struct tag_connection *connection, struct tag_process *process) {
  memset(event, 0, sizeof *event);
  memset(connection, 0, sizeof *connection);
  memset(process, 0, sizeof *process);
  char *bases[] = {(char *)event, (char *)connection, (char *)process};
  for (size_t i = 0; i < tag_count; i++) {
    const struct tag *tag = &tag_table[i];
    if (tag->source == SOURCE_NEVER) continue;
    void *at = bases[tag->source] + tag->offset;
    switch (tag->type) {
      case TAG_TEXT: *(const char **)at = tag->name; break;
      case TAG_TEXT8: strcpy(at, "42601"); break;
      case TAG_GUID: memset(at, 0xA0 + (int)i % 16, 16); break;
      case TAG_COUNT: *(int64_t *)at = (int64_t)i + 1000; break;
      case TAG_COUNT32: *(int32_t *)at = (int32_t)i + 1000; break;
      case TAG_NUMBER: *(int64_t *)at = 0; break;
      case TAG_FLAG: *(uint8_t *)at = FLAG_FALSE; break;
      case TAG_ENUM: *(uint8_t *)at = 1; break;
    }
  }
}

/* What stands at a path of names with dots; NULL if nothing does. */
static const json_t *find(const json_t *root, const char *path) {
  char part[80];
  while (root && *path) {
    size_t length = strcspn(path, ".");
    memcpy(part, path, length);
    part[length] = 0;
    root = json_object_get(root, part);
    path += length + (path[length] == '.');
  }
  return root;
}

static size_t leaves(const json_t *root) {
  if (!json_is_object(root)) return 1;
  size_t count = 0;
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)root, key, value) count += leaves(value);
  return count;
}

static json_t *entry_of(const struct tag_record *record, enum tag_destination destination) {
  struct buf out = BUF_INIT;
  wire_entry(&out, record, destination);
  json_error_t why;
  json_t *root = json_loadb((const char *)out.data, out.size, JSON_REJECT_DUPLICATES, &why);
  if (!root) fail_msg("%s: %.*s", why.text, (int)out.size, (const char *)out.data);
  buf_free(&out);
  return root;
}

/* TelemetryEventCorrectnessAllFields; "unset enums left out" */
static void test_entry_has_every_field(void **state) {
  (void)state;
  struct tag_event event;
  struct tag_connection connection;
  struct tag_process process;
  full_record(&event, &connection, &process);
  for (int destination = TO_DATABRICKS; destination <= TO_DATABRICKS_UNAUTH; destination++) {
    struct tag_record record = {15, &event, &connection, &process};
    json_t *root = entry_of(&record, (enum tag_destination)destination);
    size_t expected = 0;
    for (size_t i = 0; i < tag_count; i++) {
      const struct tag *tag = &tag_table[i];
      const json_t *value = tag->wire[0] ? find(root, tag->wire) : NULL;
      if (!tag_may_go(tag, 15, (enum tag_destination)destination)) {
        assert_true(!value);
        continue;
      }
      expected++;
      struct tag_value wanted;
      tag_read(tag, &record, &wanted);
      if (!value) fail_msg("%s is missing", tag->wire);
      if (wanted.text) {
        assert_string_equal(json_string_value(value), wanted.text);
      } else if (tag->type == TAG_FLAG) {
        assert_true(json_is_false(value));
      } else {
        assert_true(json_is_integer(value) && json_integer_value(value) == wanted.number);
      }
    }
    assert_int_equal(leaves(root), expected);
    json_decref(root);
  }
  /* An empty record: nothing but the latency */
  memset(&event, 0, sizeof event);
  memset(&connection, 0, sizeof connection);
  memset(&process, 0, sizeof process);
  struct tag_record record = {KIND_OPERATION, &event, &connection, &process};
  json_t *root = entry_of(&record, TO_DATABRICKS);
  assert_int_equal(leaves(root), 1);
  json_decref(root);
}

/* OperationLatencyMs_ZeroNotOmitted */
static void test_zero_latency_is_there(void **state) {
  (void)state;
  struct tag_event event = {.operation_type = operation_type_DELETE_SESSION};
  struct tag_connection connection = {0};
  struct tag_process process = {0};
  struct tag_record record = {KIND_OPERATION, &event, &connection, &process};
  struct buf out = BUF_INIT;
  wire_entry(&out, &record, TO_DATABRICKS);
  assert_string_equal(buf_text(&out),
                      "{\"entry\":{\"sql_driver_log\":{\"sql_operation\":{\"operation_detail\":{\"operation_type\":"
                      "\"DELETE_SESSION\"}},\"operation_latency_ms\":0}}}");
  buf_free(&out);
}

/* The envelope: strings in JSON, items there and empty */
static void test_envelope(void **state) {
  (void)state;
  struct buf out = BUF_INIT;
  wire_begin(&out, 1767225603000);
  wire_add(&out, slice_text("{\"a\":\"\\\"\"}"), true);
  wire_add(&out, slice_text("\x01\xC3\xBC\xFF\xED\xA0\x80"), false);
  wire_end(&out);
  json_error_t why;
  json_t *root = json_loadb((const char *)out.data, out.size, 0, &why);
  assert_non_null(root);
  assert_int_equal(json_integer_value(json_object_get(root, "uploadTime")), 1767225603000);
  assert_true(json_is_array(json_object_get(root, "items")) && json_array_size(json_object_get(root, "items")) == 0);
  const json_t *logs = json_object_get(root, "protoLogs");
  assert_string_equal(json_string_value(json_array_get(logs, 0)), "{\"a\":\"\\\"\"}");
  const char *second = json_string_value(json_array_get(logs, 1));
  assert_memory_equal(second, "\x01\xC3\xBC\xEF\xBF\xBD", 6);
  json_decref(root);
  buf_free(&out);
}

static void test_answers(void **state) {
  (void)state;
  struct wire_answer answer;
  wire_parse_answer(slice_text("{\"errors\":[],\"numSuccess\":0,\"numProtoSuccess\":3,\"numRealtimeSuccess\":0,\"new\":1}"), &answer);
  assert_true(answer.readable && answer.accepted == 3 && answer.errors == 0);
  wire_parse_answer(slice_text("{\"errors\":[\"a\",\"b\"]}"), &answer);
  assert_true(answer.readable && answer.accepted == -1 && answer.errors == 2);
  static const char *const bad[] = {"", "nonsense", "[1]", "{\"errors\":", "\"x\""};
  for (size_t i = 0; i < 5; i++) {
    wire_parse_answer(slice_text(bad[i]), &answer);
    assert_false(answer.readable);
  }
  wire_parse_answer(slice_text("{\"numProtoSuccess\":-4,\"errors\":7}"), &answer);
  assert_true(answer.readable && answer.accepted == -1 && answer.errors == 0);
  struct otlp_answer spans;
  otlp_parse_answer(slice_text("{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"x\"}}"), true, &spans);
  assert_int_equal(spans.rejected, 2);
  otlp_parse_answer(slice_text("nonsense"), true, &spans);
  assert_int_equal(spans.rejected, 0);
  otlp_parse_answer(slice_of("\x0A\x05\x08\x03\x12\x01x", 7), false, &spans);
  assert_int_equal(spans.rejected, 3);
  otlp_parse_answer(slice_of("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 11), false, &spans);
  assert_int_equal(spans.rejected, 0);
}

/* ---- OTLP ----------------------------------------------------------------------------------------------------------------- */

struct bytes {
  const uint8_t *at, *end;
};

static uint64_t varint(struct bytes *in) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    assert_true(in->at < in->end && shift < 64);
    value |= (uint64_t)(*in->at & 0x7F) << shift;
    if (!(*in->at++ & 0x80)) return value;
  }
}

/* The n-th occurrence of a field that holds bytes. */
static struct bytes field_of(struct bytes in, unsigned wanted, int n) {
  while (in.at < in.end) {
    uint64_t key = varint(&in);
    uint64_t length = 0;
    switch (key & 7) {
      case 0: varint(&in); continue;
      case 1: length = 8; break;
      case 2: length = varint(&in); break;
      case 5: length = 4; break;
      default: fail_msg("wire type %d", (int)(key & 7));
    }
    assert_true(length <= (uint64_t)(in.end - in.at));
    struct bytes found = {in.at, in.at + length};
    in.at += length;
    if (key >> 3 == wanted && n-- == 0) return found;
  }
  return (struct bytes){NULL, NULL};
}

static bool is_text(struct bytes bytes, const char *text) {
  return bytes.at && (size_t)(bytes.end - bytes.at) == strlen(text) && memcmp(bytes.at, text, strlen(text)) == 0;
}

static void test_otlp(void **state) {
  (void)state;
  struct tag_event event;
  struct tag_connection connection;
  struct tag_process process;
  full_record(&event, &connection, &process);
  event.operation_type = operation_type_EXECUTE_STATEMENT;
  struct otlp_span spans[2] = {{.record = {15, &event, &connection, &process},
                                .trace_id = {1, 2},
                                .span_id = {3},
                                .has_parent = true,
                                .parent_span = {4},
                                .trace_flags = 1,
                                .start_unix_ns = 1767225600123000000,
                                .end_unix_ns = 1767225600635000000}};
  spans[1] = spans[0];
  spans[1].has_parent = false;
  struct buf out = BUF_INIT;
  otlp_json(&out, spans, 2);
  json_error_t why;
  json_t *root = json_loadb((const char *)out.data, out.size, JSON_REJECT_DUPLICATES, &why);
  if (!root) fail_msg("%s", why.text);
  const json_t *resource = json_array_get(json_object_get(root, "resourceSpans"), 0);
  const json_t *list = json_object_get(json_array_get(json_object_get(resource, "scopeSpans"), 0), "spans");
  assert_int_equal(json_array_size(list), 2);
  const json_t *span = json_array_get(list, 0);
  assert_string_equal(json_string_value(json_object_get(span, "traceId")), "01020000000000000000000000000000");
  assert_string_equal(json_string_value(json_object_get(span, "spanId")), "0300000000000000");
  assert_string_equal(json_string_value(json_object_get(span, "parentSpanId")), "0400000000000000");
  assert_null(json_object_get(json_array_get(list, 1), "parentSpanId"));
  assert_string_equal(json_string_value(json_object_get(span, "name")), "DatabricksStatement.ExecuteQuery");
  assert_string_equal(json_string_value(json_object_get(span, "startTimeUnixNano")), "1767225600123000000");
  assert_int_equal(json_integer_value(json_object_get(json_object_get(span, "status"), "code")), 2);
  size_t wanted = 1;
  for (size_t i = 0; i < tag_count; i++) {
    const struct tag *tag = &tag_table[i];
    if (tag->otlp[0] && tag->source != SOURCE_PROCESS && tag_may_go(tag, 15, TO_LOCAL)) wanted++;
  }
  assert_int_equal(json_array_size(json_object_get(span, "attributes")), wanted);
  json_decref(root);

  /* The same, binary: "binary and JSON round trip" */
  buf_reset(&out);
  otlp_protobuf(&out, spans, 2);
  struct bytes all = {out.data, out.data + out.size};
  struct bytes scope = field_of(field_of(all, 1, 0), 2, 0);
  assert_true(is_text(field_of(field_of(scope, 1, 0), 1, 0), "apache.arrow.adbc.databricks"));
  for (int i = 0; i < 2; i++) {
    struct bytes one = field_of(scope, 2, i);
    assert_true(is_text(field_of(one, 5, 0), "DatabricksStatement.ExecuteQuery"));
    assert_memory_equal(field_of(one, 1, 0).at, spans[0].trace_id, 16);
    assert_memory_equal(field_of(one, 2, 0).at, spans[0].span_id, 8);
    assert_true((field_of(one, 4, 0).at != NULL) == (i == 0));
    assert_memory_equal(field_of(one, 7, 0).at, &spans[0].start_unix_ns, 8);
    size_t attributes = 0;
    while (field_of(one, 9, (int)attributes).at) attributes++;
    assert_int_equal(attributes, wanted);
  }
  assert_null(field_of(scope, 2, 2).at);
  assert_true(is_text(field_of(field_of(field_of(field_of(all, 1, 0), 1, 0), 1, 0), 1, 0), "service.name"));
  buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_default_config),
      cmocka_unit_test(test_choice),
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_every_setting),
      cmocka_unit_test(test_environment),
      cmocka_unit_test(test_trace_parent),
      cmocka_unit_test(test_tag_names),
      cmocka_unit_test(test_tag_scopes),
      cmocka_unit_test(test_schema),
      cmocka_unit_test(test_classification),
      cmocka_unit_test(test_no_error),
      cmocka_unit_test(test_source_category),
      cmocka_unit_test(test_terminal),
      cmocka_unit_test(test_host_keys),
      cmocka_unit_test(test_due_by_count_age_and_size),
      cmocka_unit_test(test_urgent_is_due_soon),
      cmocka_unit_test(test_overflow_drops_the_oldest),
      cmocka_unit_test(test_ring),
      cmocka_unit_test(test_entry_has_every_field),
      cmocka_unit_test(test_zero_latency_is_there),
      cmocka_unit_test(test_envelope),
      cmocka_unit_test(test_answers),
      cmocka_unit_test(test_otlp),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
