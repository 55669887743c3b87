/* Telemetry through the whole library: SQL against the local warehouse, whose telemetry endpoints check every entry (docs/warehouse.md). */
#include "test.h"

#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "session/config_internal.h"
#include "telemetry/state.h"
#include "warehouse_process.h"

#define FLAG "databricks.partnerplatform.clientConfigsFeatureFlags.enableTelemetryForAdbc"

static struct warehouse_process *warehouse;

static int start_warehouse(void **state) {
  (void)state;
  if (warehouse_is_there()) warehouse = warehouse_start(NULL);
  return 0;
}

static int stop_warehouse(void **state) {
  (void)state;
  dbsql_telemetry_shutdown(5000);
  if (warehouse) assert_int_equal(warehouse_stop(warehouse), 0);
  return 0;
}

/* ---- The control endpoint -------------------------------------------------------------------------------------------------- */

struct text {
  char *data;
  size_t size;
};

static size_t collect(char *data, size_t size, size_t count, void *user) {
  struct text *text = user;
  text->data = realloc(text->data, text->size + size * count + 1);
  memcpy(text->data + text->size, data, size * count);
  text->size += size * count;
  text->data[text->size] = 0;
  return size * count;
}

static json_t *control(const char *method, const char *path, const char *body) {
  struct text answer = {calloc(1, 1), 0};
  char url[200];
  snprintf(url, sizeof url, "http://127.0.0.1:%d%s", warehouse_port(warehouse), path);
  CURL *curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  if (body) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  assert_int_equal(curl_easy_perform(curl), CURLE_OK);
  curl_easy_cleanup(curl);
  json_error_t why;
  json_t *root = json_loads(answer.data, 0, &why);
  if (!root) fail_msg("%s %s: %s", method, path, answer.data);
  free(answer.data);
  return root;
}

static void told(const char *method, const char *path, const char *body) {
  json_decref(control(method, path, body));
}

static int begin(void **state) {
  (void)state;
  if (!warehouse) return 0;
  telemetry_test_free(); /* also what is known of the flags */
  told("DELETE", "/control/telemetry", NULL);
  told("DELETE", "/control/flags", NULL);
  warehouse_clear_faults(warehouse);
  return 0;
}

static void allow(const char *value) {
  char body[300];
  snprintf(body, sizeof body, "{\"flags\":{\"" FLAG "\":\"%s\"}}", value);
  told("POST", "/control/flags", body);
}

static const json_t *at(const json_t *root, const char *path) {
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

static json_t *requests(void) {
  json_t *root = control("GET", "/control/telemetry/requests", NULL);
  json_t *list = json_is_array(root) ? json_incref(root) : json_incref(json_object_get(root, "requests"));
  json_decref(root);
  return list;
}

static json_t *events(void) {
  json_t *root = control("GET", "/control/telemetry", NULL);
  json_t *list = json_is_array(root) ? json_incref(root) : json_incref(json_object_get(root, "events"));
  json_decref(root);
  return list;
}

static const json_t *log_of(const json_t *event) {
  const json_t *entry = json_object_get(event, "event");
  const json_t *log = at(entry, "entry.sql_driver_log");
  if (!log) fail_msg("no event: %s", json_dumps(event, 0));
  return log;
}

static const char *operation_of(const json_t *event) {
  const char *text = json_string_value(at(log_of(event), "sql_operation.operation_detail.operation_type"));
  return text ? text : "";
}

static size_t count_of(const json_t *list, const char *operation) {
  size_t count = 0, i;
  json_t *event;
  json_array_foreach((json_t *)list, i, event) count += strcmp(operation_of(event), operation) == 0;
  return count;
}

/* No request had anything in it that the warehouse refuses or warns of. */
static void assert_clean(void) {
  json_t *list = requests();
  size_t i;
  json_t *request;
  json_array_foreach(list, i, request) {
    const json_t *errors = json_object_get(request, "errors"), *warnings = json_object_get(request, "warnings");
    if (json_array_size(errors) > 0 || json_array_size(warnings) > 0) fail_msg("%s", json_dumps(request, JSON_INDENT(1)));
  }
  json_decref(list);
}

/* ---- Connections ----------------------------------------------------------------------------------------------------------- */

#define NEEDS_WAREHOUSE \
  (void)state;          \
  if (!warehouse) skip()

static dbsql_connection *open_with(const char *const *pairs) {
  dbsql_config *config = warehouse_config(warehouse);
  for (; pairs && *pairs; pairs += 2) {
    dbsql_error *error = NULL;
    if (dbsql_config_set(config, pairs[0], pairs[1], &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  }
  return warehouse_connect(config);
}

static void run(dbsql_connection *connection, const char *sql) {
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  if (dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail_msg("%s: %s", sql, dbsql_error_message(error));
  bool has_row = true;
  while (has_row) assert_int_equal(dbsql_row_next(result, NULL, &has_row, NULL), DBSQL_OK);
  dbsql_result_free(result);
}

static void fails(dbsql_connection *connection, const char *sql) {
  dbsql_result *result = NULL;
  assert_int_not_equal(dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, NULL), DBSQL_OK);
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

/* "telemetry off by default through the real driver": unset, and telemetry=false, make no request at all */
static void test_off_by_default(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const settings[][3] = {{NULL}, {"telemetry", "false", NULL}, {"enableTelemetry", "0", NULL}};
  for (size_t i = 0; i < 3; i++) {
    dbsql_connection *connection = open_with(settings[i]);
    run(connection, "SELECT 1");
    dbsql_telemetry_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(dbsql_telemetry_get_stats(connection, &stats, NULL), DBSQL_OK);
    assert_string_equal(stats.state, "off");
    dbsql_connection_close(connection, NULL, NULL);
  }
  json_t *list = requests();
  assert_int_equal(json_array_size(list), 0);
  json_decref(list);
}

/* "opt-in priority through the real driver": the flag decides, force does not ask, no connection waits for the answer */
static void test_opt_in(void **state) {
  NEEDS_WAREHOUSE;
  static const struct {
    const char *flag, *option, *value;
    size_t sent;
  } cases[] = {{"true", "telemetry", "true", 3},
               {"false", "telemetry", "true", 0},
               {NULL, "enableTelemetry", "1", 0},
               {"false", "forceEnableTelemetry", "true", 3}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    begin(NULL);
    if (cases[i].flag) allow(cases[i].flag);
    const char *pairs[] = {cases[i].option, cases[i].value, NULL};
    dbsql_connection *connection = open_with(pairs);
    run(connection, "SELECT 1");
    dbsql_connection_close(connection, NULL, NULL);
    dbsql_telemetry_flush(10000);
    json_t *list = events();
    if (json_array_size(list) != cases[i].sent) fail_msg("case %zu: %zu events", i, json_array_size(list));
    json_decref(list);
    assert_clean();
  }
}

/* Rows_CloseCallback_ReceivesChunkCount, KernelConnectionTelemetry, KernelAuthMech, KernelE2EErrorTelemetryCategory, "capturing exporter
 * injected for end-to-end assertions on real queries": every public surface, one story */
static void test_story(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const pairs[] = {"telemetry_force", "true", NULL};
  dbsql_connection *connection = open_with(pairs);
  run(connection, "SELECT * FROM range(1000)");
  run(connection, "CREATE TABLE telemetry_t (a INT)");
  run(connection, "INSERT INTO telemetry_t VALUES (1), (2)");
  run(connection, "DROP TABLE telemetry_t");
  fails(connection, "SELEC 1");
  dbsql_result *result = NULL;
  assert_int_equal(dbsql_get_catalogs(connection, NULL, &result, NULL), DBSQL_OK);
  dbsql_result_free(result);
  assert_int_equal(dbsql_get_tables(connection, NULL, NULL, NULL, NULL, 0, NULL, &result, NULL), DBSQL_OK);
  dbsql_result_free(result);
  assert_int_equal(dbsql_connection_ping(connection, NULL, NULL), DBSQL_OK);
  char *session_id = strdup(dbsql_connection_id(connection));
  dbsql_connection_close(connection, NULL, NULL);
  assert_true(dbsql_telemetry_flush(10000));
  assert_clean();
  json_t *list = events();
  assert_int_equal(count_of(list, "CREATE_SESSION"), 1);
  assert_int_equal(count_of(list, "DELETE_SESSION"), 1);
  assert_int_equal(count_of(list, "EXECUTE_STATEMENT"), 5);
  assert_int_equal(count_of(list, "LIST_CATALOGS"), 1);
  assert_int_equal(count_of(list, "LIST_TABLES"), 1);
  assert_int_equal(json_array_size(list), 9);
  size_t i, failed = 0, rows = 0;
  json_t *event;
  json_array_foreach(list, i, event) {
    const json_t *log = log_of(event);
    assert_string_equal(json_string_value(at(log, "session_id")), session_id);
    const char *category = json_string_value(at(log, "error_info.error_name"));
    if (category) {
      failed++;
      assert_true(strcmp(category, "syntax_error") == 0 || strcmp(category, "execute_statement_failed") == 0);
    }
    if (at(log, "sql_operation.chunk_details.total_chunks_iterated")) rows++;
    if (strcmp(operation_of(event), "CREATE_SESSION") == 0) {
      assert_string_equal(json_string_value(at(log, "driver_connection_params.auth_mech")), "PAT");
      assert_string_equal(json_string_value(at(log, "driver_connection_params.mode")), "THRIFT");
      assert_string_equal(json_string_value(at(log, "auth_type")), "pat");
    }
    if (strcmp(operation_of(event), "EXECUTE_STATEMENT") == 0 && !category) assert_non_null(at(log, "sql_statement_id"));
  }
  assert_int_equal(failed, 1);
  assert_true(rows >= 3); /* the query, and both metadata calls */
  json_decref(list);
  free(session_id);
}

/* PrivacyCompliance_NoQueryText and the marker property: every text that a user can put in, in none of the bytes that leave. The
 * User-Agent's entry is meant to be told, and is told nowhere else. */
static void test_markers(void **state) {
  NEEDS_WAREHOUSE;
  allow("true");
  static const char *const pairs[] = {"telemetry",
                                      "true",
                                      "query_tags",
                                      "MARKERtag:MARKERvalue",
                                      "session.ansi_mode",
                                      "true",
                                      "http_header.x-marker",
                                      "MARKERheader",
                                      "user_agent_entry",
                                      "reporting",
                                      NULL};
  dbsql_connection *connection = open_with(pairs);
  run(connection, "SELECT 'MARKERsql' AS MARKERcolumn -- MARKERcomment");
  run(connection, "CREATE TABLE MARKERtable (MARKERfield INT)");
  run(connection, "INSERT INTO MARKERtable VALUES (471147147)");
  run(connection, "DROP TABLE MARKERtable");
  fails(connection, "SELECT * FROM MARKERmissing WHERE x = 'MARKERparameter'");
  fails(connection, "MARKERsyntax");
  fails(connection, "PUT '/tmp/MARKERfile' INTO '/Volumes/MARKERvolume/x'");
  dbsql_result *result = NULL;
  dbsql_get_columns(connection, "MARKERcatalog", "MARKERschema", "MARKERpattern", "MARKERcol", NULL, &result, NULL);
  dbsql_result_free(result);
  dbsql_call call = DBSQL_CALL_INIT;
  call.correlation_id = "MARKERcorrelation";
  dbsql_statement *statement = NULL;
  assert_int_equal(dbsql_statement_new(connection, &statement, NULL), DBSQL_OK);
  assert_int_equal(dbsql_statement_set(statement, "query_tags", "MARKERst:1", NULL), DBSQL_OK);
  if (dbsql_statement_execute(statement, "SELECT 'MARKERcalled'", SIZE_MAX, &call, &result, NULL) == DBSQL_OK) dbsql_result_free(result);
  dbsql_statement_free(statement);
  dbsql_connection_close(connection, NULL, NULL);
  assert_true(dbsql_telemetry_flush(10000));
  json_t *list = events();
  assert_true(json_array_size(list) >= 9);
  json_decref(list);
  /* The token too: it signs the request, and is nowhere in it (auth.md 6, T36). */
  char token[200], body[800];
  assert_int_equal(sscanf(warehouse_dsn(warehouse), "%*[^:]://token:%199[^@]", token), 1);
  snprintf(body, sizeof body,
           "{\"texts\":[\"dbsql-c\",\"MARKER\",\"marker\",\"471147147\",\"warehouses\",\"/tmp/\",\"127.0.0.1:%d/\",\"%s\"]}",
           warehouse_port(warehouse), token);
  json_t *found = control("POST", "/control/telemetry/search", body);
  char *text = json_dumps(found, 0);
  const char *key;
  json_t *value;
  const json_t *counts = json_object_get(found, "found");
  assert_true(json_is_true(json_object_get(found, "complete")));
  assert_true(json_integer_value(json_object_get(counts, "dbsql-c")) > 0); /* the search finds what is there */
  json_object_foreach((json_t *)counts, key, value) {
    if (json_integer_value(value) != 0 && strcmp(key, "dbsql-c") != 0) fail_msg("%s", text);
  }
  free(text);
  json_decref(found);
  assert_clean();
}

/* IsTelemetry... and 31: one statement that is not told */
static void test_statement_opt_out(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const pairs[] = {"telemetry_force", "true", NULL};
  dbsql_connection *connection = open_with(pairs);
  dbsql_statement *statement = NULL;
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_statement_new(connection, &statement, NULL), DBSQL_OK);
  assert_int_equal(dbsql_statement_set(statement, "telemetry", "perhaps", &error), DBSQL_ERROR_DRIVER);
  dbsql_error_free(error);
  assert_int_equal(dbsql_statement_set(statement, "trace_parent", "perhaps", NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_statement_set(statement, "telemetry", "false", NULL), DBSQL_OK);
  assert_int_equal(dbsql_statement_execute(statement, "SELECT 1", SIZE_MAX, NULL, &result, NULL), DBSQL_OK);
  dbsql_result_free(result);
  dbsql_statement_free(statement);
  run(connection, "SELECT 2");
  dbsql_connection_close(connection, NULL, NULL);
  assert_true(dbsql_telemetry_flush(10000));
  json_t *list = events();
  assert_int_equal(count_of(list, "EXECUTE_STATEMENT"), 1);
  json_decref(list);
}

/* What a failing endpoint does to a query: nothing. Each fault, for ever; results are right, and closing keeps its bound. */
static void test_faults_change_nothing(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const faults[] = {
      "{\"name\":\"stall\",\"method\":\"telemetry\",\"count\":-1,\"delay_ms\":4000}",
      "{\"name\":\"reset-before\",\"method\":\"telemetry\",\"count\":-1}",
      "{\"name\":\"reset-body\",\"method\":\"telemetry\",\"count\":-1}",
      "{\"name\":\"redirect\",\"method\":\"telemetry\",\"count\":-1,\"location\":\"http://127.0.0.1:1/\"}",
      "{\"name\":\"oversized-body\",\"method\":\"telemetry\",\"count\":-1,\"bytes\":10000000}",
      "{\"name\":\"malformed-json\",\"method\":\"telemetry\",\"count\":-1}",
      "{\"name\":\"lying-count\",\"method\":\"telemetry\",\"count\":-1}",
      "{\"name\":\"http-429\",\"method\":\"telemetry\",\"count\":-1,\"retry_after\":30}",
      "{\"name\":\"http-500\",\"method\":\"feature-flags\",\"count\":-1}",
      "{\"name\":\"stall\",\"method\":\"feature-flags\",\"count\":-1,\"delay_ms\":4000}",
  };
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    begin(NULL);
    allow("true");
    warehouse_fault(warehouse, faults[i]);
    static const char *const pairs[] = {"telemetry", "true", "telemetry_close_timeout_ms", "300", NULL};
    dbsql_connection *connection = open_with(pairs), *other = open_with(pairs);
    for (int n = 0; n < 3; n++) {
      dbsql_result *result = NULL;
      bool has_row = false;
      int64_t value = 0;
      assert_int_equal(dbsql_execute(connection, "SELECT CAST(42 AS BIGINT)", SIZE_MAX, NULL, &result, NULL), DBSQL_OK);
      assert_int_equal(dbsql_row_next(result, NULL, &has_row, NULL), DBSQL_OK);
      assert_int_equal(dbsql_get_int64(result, 0, &value, NULL), DBSQL_OK);
      assert_int_equal(value, 42);
      dbsql_result_free(result);
    }
    dbsql_connection_close(other, NULL, NULL);
    double before = now_ms();
    dbsql_connection_close(connection, NULL, NULL);
    if (now_ms() - before > 3000) fail_msg("fault %zu: closing took %.0f ms", i, now_ms() - before);
    dbsql_telemetry_shutdown(0);
  }
}

/* "several connections at once through the real driver", "many threads query at once: all events captured", test_concurrent_telemetry: what
 * the server accepted and what was dropped add up to what was done */
struct load {
  atomic_uint_fast64_t accepted;
};

static void *load_thread(void *user) {
  (void)user;
  static const char *const pairs[] = {"telemetry_force", "true", NULL};
  for (int c = 0; c < 5; c++) {
    dbsql_connection *connection = open_with(pairs);
    for (int i = 0; i < 4; i++) run(connection, "SELECT 1");
    dbsql_connection_close(connection, NULL, NULL);
  }
  return NULL;
}

static void test_many_connections(void **state) {
  NEEDS_WAREHOUSE;
  enum { threads = 8, expected = threads * 5 * 6 };
  dbsql_telemetry_stats before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
  static const char *const pairs[] = {"telemetry_force", "true", NULL};
  dbsql_connection *watcher = open_with(pairs);
  dbsql_telemetry_get_stats(watcher, &before, NULL);
  pthread_t thread[threads];
  for (int i = 0; i < threads; i++) pthread_create(&thread[i], NULL, load_thread, NULL);
  for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
  assert_true(dbsql_telemetry_flush(20000));
  dbsql_telemetry_get_stats(watcher, &after, NULL);
  json_t *list = events();
  assert_int_equal(json_array_size(list), after.accepted);
  assert_int_equal(after.accepted + after.rejected, expected + 1);
  assert_int_equal(after.dropped_pending + after.dropped_failed + after.dropped_breaker + after.dropped_unmade, 0);
  json_decref(list);
  json_t *all = requests();
  assert_true(json_array_size(all) <= 20); /* not one for each of 160 statements */
  json_decref(all);
  assert_clean();
  dbsql_connection_close(watcher, NULL, NULL);
}

/* The callback: the same records, on a thread of the library's, whatever Databricks is told */
struct seen {
  int total, statements, failed;
  int64_t rows;
  char query_id[40];
  char category[40];
};

static void see(void *user, const dbsql_telemetry_event *event) {
  struct seen *seen = user;
  seen->total++;
  seen->statements += strcmp(event->operation, "EXECUTE_STATEMENT") == 0;
  seen->failed += event->error_category[0] != 0;
  if (event->error_category[0]) snprintf(seen->category, sizeof seen->category, "%s", event->error_category);
  seen->rows += event->rows;
  if (event->query_id[0]) snprintf(seen->query_id, sizeof seen->query_id, "%s", event->query_id);
  assert_true(event->struct_size == sizeof *event && event->latency_us >= 0 && event->time_unix_us > 0);
}

static void test_callback(void **state) {
  NEEDS_WAREHOUSE;
  struct seen seen = {0};
  dbsql_config *config = warehouse_config(warehouse);
  dbsql_config_set_telemetry(config, see, &seen);
  dbsql_connection *connection = warehouse_connect(config);
  run(connection, "SELECT * FROM range(7)");
  fails(connection, "SELEC 1");
  dbsql_telemetry_stats stats = {.struct_size = sizeof stats};
  dbsql_connection_close(connection, NULL, NULL);
  assert_int_equal(seen.total, 4); /* no call comes later */
  assert_int_equal(seen.statements, 2);
  assert_int_equal(seen.failed, 1);
  assert_int_equal(seen.rows, 7);
  assert_int_equal(strlen(seen.query_id), 36);
  dbsql_telemetry_get_stats(NULL, &stats, NULL);
  assert_true(stats.recorded >= 4);
  json_t *list = requests();
  assert_int_equal(json_array_size(list), 0);
  json_decref(list);
  char *report = NULL;
  assert_int_equal(dbsql_telemetry_get_report(NULL, &report, NULL), DBSQL_OK);
  assert_non_null(strstr(report, "\"state\":\"off\""));
  dbsql_free(report);
}

/* "auth_type ... whatever fails" and failed connects: told once, without what is not known */
static void test_failed_connect(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_config *config = warehouse_config(warehouse);
  assert_int_equal(dbsql_config_set(config, "telemetry_force", "true", NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_set(config, "access_token", "wrong-token", NULL), DBSQL_OK);
  dbsql_connection *connection = NULL;
  assert_int_not_equal(dbsql_connect(config, NULL, &connection, NULL), DBSQL_OK);
  dbsql_config_free(config);
  assert_true(dbsql_telemetry_flush(10000));
  assert_clean();
  json_t *list = events();
  assert_int_equal(json_array_size(list), 1);
  assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "endpoint")), "telemetry-unauth");
  const json_t *log = log_of(json_array_get(list, 0));
  assert_string_equal(json_string_value(at(log, "error_info.error_name")), "auth_error");
  assert_null(at(log, "session_id"));
  json_decref(list);
  assert_clean();
}

/* Categories that only the place knows where an error arises */
static void test_categories_at_the_source(void **state) {
  NEEDS_WAREHOUSE;
  struct seen seen = {0};
  dbsql_config *config = warehouse_config(warehouse);
  dbsql_config_set_telemetry(config, see, &seen);
  assert_int_equal(dbsql_config_set(config, "tls", "true", NULL), DBSQL_OK); /* the other side speaks no TLS */
  assert_int_equal(dbsql_config_set(config, "retry_max", "0", NULL), DBSQL_OK);
  dbsql_connection *connection = NULL;
  assert_int_not_equal(dbsql_connect(config, NULL, &connection, NULL), DBSQL_OK);
  dbsql_config_free(config);
  assert_int_equal(seen.failed, 1);
  assert_string_equal(seen.category, "ssl_handshake_error");
}

/* Both tables say the same: a setting that no option leads to, or with other bounds, fails here */
static void test_options_agree(void **state) {
  (void)state;
  for (int i = 0; i < SETTING_COUNT; i++) {
    const struct setting *setting = &telemetry_settings[i];
    struct name_match match = config_find_name(slice_text(setting->name));
    if (match.kind != NAME_OPTION) fail_msg("there is no option %s", setting->name);
    const struct option *option = &option_table[match.option];
    assert_string_equal(option->name, setting->name);
    assert_string_equal(option->words, setting->words);
    if (setting->type != SETTING_BOOL || setting->default_text[0]) assert_string_equal(option->default_text, setting->default_text);
    assert_int_equal(option->min, setting->min);
    assert_int_equal(option->max, setting->max);
    assert_int_equal(option->secret, setting->type == SETTING_SECRET);
  }
}

#define TEST(name) cmocka_unit_test_setup(name, begin)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_options_agree),
      TEST(test_off_by_default),
      TEST(test_opt_in),
      TEST(test_story),
      TEST(test_markers),
      TEST(test_statement_opt_out),
      TEST(test_faults_change_nothing),
      TEST(test_many_connections),
      TEST(test_callback),
      TEST(test_failed_connect),
      TEST(test_categories_at_the_source),
  };
  return cmocka_run_group_tests(tests, start_warehouse, stop_warehouse);
}
