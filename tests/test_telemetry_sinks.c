/* The user's own sinks: files, a collector in both encodings, a callback; none of them depends on what Databricks is told
 * (telemetry.md 11.3). */
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "telemetry/state.h"
#include "telemetry_endpoint.h"

static const int64_t ms = 1000000, second = 1000000000;
static int64_t blocks;

static int begin(void **state) {
  (void)state;
  exporter_test_no_threads = true;
  clock_test_begin(1000 * second, INT64_C(1767225600000000));
  blocks = mem_test_live_blocks();
  return 0;
}

static int end(void **state) {
  (void)state;
  telemetry_test_free();
  clock_test_end();
  assert_int_equal(mem_test_live_blocks(), blocks);
  return 0;
}

static void step(void) {
  struct telemetry_state *state = telemetry_state_now();
  for (int round = 0; round < 20; round++) {
    int64_t now = clock_now_ns(), next = INT64_MAX;
    for (int i = 0; i < WORKER_COUNT; i++) {
      int64_t at = exporter_step(state, (enum worker_id)i, now);
      if (at < next) next = at;
    }
    if (next > now) return;
  }
}

static void advance(int64_t by) {
  clock_test_advance(by);
  step();
}

/* ---- Files ------------------------------------------------------------------------------------------------------------------ */

static int list_files(const char *folder, char names[][256], int most) {
  DIR *open = opendir(folder);
  assert_non_null(open);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
    if (entry->d_name[0] != '.' && count < most) snprintf(names[count++], 256, "%s", entry->d_name);
  }
  closedir(open);
  return count;
}

static void remove_folder(const char *folder) {
  char names[64][256], path[600];
  int count = list_files(folder, names, 64);
  for (int i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  rmdir(folder);
}

static void test_files(void **state) {
  (void)state;
  char base[] = "/tmp/dbsql-traces-XXXXXX", folder[64], settings[300], names[64][256];
  assert_non_null(mkdtemp(base));
  snprintf(folder, sizeof folder, "%s/a/b", base);
  snprintf(settings, sizeof settings, "traces_exporter=adbcfile;traces_folder_path=%s;traces_max_file_kb=3;traces_max_files=4", folder);
  struct telemetry *handle = handle_open("https://one.example.com", settings);
  assert_null(handle->client);
  dbsql_error *error = NULL;
  error_set(&error, DBSQL_ERROR_EXECUTION, "42601", "MARKER");
  telemetry_error(handle, DBSQL_ERROR_EXECUTION, error, PLACE_ANY);
  error_clear(&error);
  step();
  assert_int_equal(list_files(folder, names, 64), 1);
  assert_int_equal(strncmp(names[0], "apache.arrow.adbc.databricks-2026-01-01-", 40), 0);
  char path[600];
  snprintf(path, sizeof path, "%s/%s", folder, names[0]);
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  FILE *file = fopen(path, "r");
  char line[16384];
  assert_non_null(fgets(line, sizeof line, file));
  fclose(file);
  json_error_t why;
  json_t *root = json_loads(line, 0, &why);
  const json_t *spans =
      json_object_get(json_array_get(json_object_get(json_array_get(json_object_get(root, "resourceSpans"), 0), "scopeSpans"), 0), "spans");
  assert_int_equal(json_array_size(spans), 1);
  assert_non_null(strstr(line, "\"42601\"")); /* what stays here may say more */
  assert_non_null(strstr(line, "\"server.address\""));
  assert_null(strstr(line, "MARKER"));
  json_decref(root);
  for (int i = 0; i < 60; i++) {
    handle_statement(handle, (uint8_t)i);
    clock_test_advance(ms);
    if (i % 5 == 0) step();
  }
  step();
  assert_int_equal(list_files(folder, names, 64), 4); /* the oldest have gone */
  assert_int_equal(handle->local_delivered, 61);
  assert_int_equal(handle->local_dropped, 0);
  handle_end(handle);
  remove_folder(folder);
  snprintf(path, sizeof path, "%s/a", base);
  rmdir(path);
  rmdir(base);
  /* A folder that cannot be: counted, and nothing else */
  handle = handle_open("https://one.example.com", "traces_exporter=adbcfile;traces_folder_path=/dev/null/x");
  handle_statement(handle, 1);
  step();
  assert_int_equal(handle->local_dropped, 1);
  handle_end(handle);
}

/* ---- A collector ------------------------------------------------------------------------------------------------------------ */

static const json_t *first_span(struct endpoint *endpoint, size_t post) {
  const json_t *resource = json_array_get(json_object_get(json_array_get(endpoint->traces, post), "resourceSpans"), 0);
  return json_array_get(json_object_get(json_array_get(json_object_get(resource, "scopeSpans"), 0), "spans"), 0);
}

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void test_collector(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  char settings[400];
  snprintf(settings, sizeof settings,
           "traces_exporter=otlp;otlp_protocol=http/json;otlp_endpoint=%s/v1/"
           "traces;otlp_headers=authorization=Basic%%20abc,x-team=a;trace_parent=" PARENT,
           http_server_url(endpoint.server));
  struct telemetry *handle = handle_open("https://one.example.com", settings);
  handle_statement(handle, 1);
  struct telemetry_statement statement;
  struct trace_parent own;
  assert_true(trace_parent_parse("00-11111111111111111111111111111111-2222222222222222-00", &own));
  telemetry_before_execute(handle, &statement, operation_type_EXECUTE_STATEMENT, statement_type_QUERY);
  telemetry_set_parent(&statement, &own);
  telemetry_after_execute(&statement);
  assert_true(telemetry_flush(60000));
  assert_int_equal(endpoint.trace_posts, 1);
  assert_int_equal(endpoint.posts, 0);
  assert_int_equal(endpoint.flag_requests, 0);
  assert_string_equal(endpoint.authorization, "Basic abc"); /* the collector's own, never the workspace's */
  const json_t *span = first_span(&endpoint, 0);
  assert_string_equal(json_string_value(json_object_get(span, "traceId")), "0af7651916cd43dd8448eb211c80319c");
  assert_string_equal(json_string_value(json_object_get(span, "parentSpanId")), "b7ad6b7169203331");
  assert_int_equal(json_integer_value(json_object_get(span, "flags")), 1);
  assert_non_null(strstr(endpoint.bytes, "11111111111111111111111111111111")); /* the statement's beats the connection's */
  assert_null(strstr(endpoint.bytes, "token-1"));
  assert_int_equal(handle->local_delivered, 2);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* 429, 502, 503, 504 and connections without an answer: once more; a refusal: off; anything else: given up. A dead collector does not
 * concern the path to Databricks, nor the other way round. */
static void test_collector_faults(void **state) {
  (void)state;
  static const struct { int status, posts; } cases[] = {{429, 2}, {502, 2}, {503, 2}, {504, 2}, {500, 1}, {400, 1}, {401, 1}, {404, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct endpoint collector, workspace;
    endpoint_start(&collector);
    endpoint_start(&workspace);
    endpoint_fail(&collector, FAULT_STATUS, -1, cases[i].status, NULL);
    char settings[300];
    snprintf(settings, sizeof settings, "telemetry_force=true;traces_exporter=otlp;otlp_endpoint=%s/v1/traces",
             http_server_url(collector.server));
    struct telemetry *handle = handle_open(http_server_url(workspace.server), settings);
    handle_statement(handle, 1);
    advance(31 * second);
    advance(5 * second);
    advance(500 * second);
    if (collector.trace_posts != cases[i].posts) fail_msg("%d: %d posts", cases[i].status, collector.trace_posts);
    assert_int_equal(handle->local_dropped, 1);
    assert_int_equal(handle_stats(handle).accepted, 1);
    assert_string_equal(handle_stats(handle).breaker, "closed");
    handle_end(handle);
    endpoint_stop(&collector);
    endpoint_stop(&workspace);
  }
  struct endpoint workspace;
  endpoint_start(&workspace);
  char settings[300];
  snprintf(settings, sizeof settings,
           "telemetry_force=true;traces_exporter=otlp;otlp_protocol=http/protobuf;otlp_endpoint=http://127.0.0.1:1/v1/traces");
  struct telemetry *handle = handle_open(http_server_url(workspace.server), settings);
  for (int i = 0; i < 50; i++) {
    handle_statement(handle, (uint8_t)i);
    advance(31 * second);
  }
  telemetry_flush(60000);
  assert_int_equal(handle_stats(handle).accepted, 50);
  assert_true(handle->local_dropped > 0);
  assert_int_equal(handle->local_received, 50);
  handle_end(handle);
  endpoint_stop(&workspace);
  /* gRPC is not there: nothing is sent, nothing breaks */
  assert_non_null(handle = handle_open("https://one.example.com", "traces_exporter=otlp;otlp_protocol=grpc"));
  handle_statement(handle, 1);
  step();
  handle_end(handle);
}

static void test_trace_parent_out(void **state) {
  (void)state;
  char text[trace_parent_size];
  struct telemetry *handle = handle_open("https://one.example.com", "trace_parent=" PARENT ";send_trace_parent=true");
  assert_true(telemetry_trace_parent(handle, text));
  assert_string_equal(text, PARENT);
  handle_end(handle);
  handle = handle_open("https://one.example.com", "telemetry_force=true;trace_parent=" PARENT);
  assert_false(telemetry_trace_parent(handle, text)); /* off unless asked for */
  handle_end(handle);
  assert_false(telemetry_trace_parent(NULL, text));
}

/* ---- The callback ----------------------------------------------------------------------------------------------------------- */

static int calls;
static void call_me(void *user, const dbsql_telemetry_event *event) {
  assert_ptr_equal(user, &calls);
  assert_string_equal(event->operation, "EXECUTE_STATEMENT");
  calls++;
}

static void test_callback(void **state) {
  (void)state;
  struct telemetry_target target;
  target_init(&target, "https://one.example.com");
  target.callback = call_me;
  target.callback_user = &calls;
  calls = 0;
  struct telemetry *handle = handle_open_to(&target, "telemetry=false");
  assert_null(handle->client);
  for (uint8_t i = 0; i < 10; i++) handle_statement(handle, i);
  struct telemetry_statement statement;
  telemetry_before_execute(handle, &statement, operation_type_EXECUTE_STATEMENT, statement_type_QUERY);
  telemetry_opt_out(&statement); /* of Databricks, not of this */
  telemetry_after_execute(&statement);
  assert_int_equal(calls, 0); /* never on the caller's thread's path */
  telemetry_close(handle);
  assert_int_equal(calls, 11);
  telemetry_free(handle);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_files), TEST(test_collector), TEST(test_collector_faults), TEST(test_trace_parent_out), TEST(test_callback),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
