/* The warehouse's telemetry endpoints over HTTP: access, every fault, and what the control endpoint tells (telemetry.md, appendix A). */
#include "test.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#if defined(DBSQL_HAVE_ZLIB)
#include <zlib.h>
#endif

#include "base/buf.h"
#include "warehouse_process.h"

static struct warehouse_process *warehouse;
static char printed[] = "/tmp/dbsql-telemetry-XXXXXX";

struct got {
  CURLcode code;
  long status;
  double seconds, first_byte;
  struct buf head, body;
};

static void got_free(struct got *got) {
  buf_free(&got->head);
  buf_free(&got->body);
}

static size_t keep(char *data, size_t size, size_t count, void *user) {
  buf_append(user, data, size * count);
  return size * count;
}

/* Headers end with NULL. A limit of bytes stops the transfer there (0: none). */
static struct got ask_with(const char *method, const char *path, struct slice body, const char *const *headers, curl_off_t limit) {
  struct got got = {.head = BUF_INIT, .body = BUF_INIT};
  char url[256];
  struct curl_slist *list = curl_slist_append(NULL, "Expect:");
  for (; headers && *headers; headers++) list = curl_slist_append(list, *headers);
  snprintf(url, sizeof url, "http://127.0.0.1:%d%s", warehouse_port(warehouse), path);
  CURL *curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "tests/1");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &got.body);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, keep);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &got.head);
  if (limit) curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, limit);
  if (body.data) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)body.data);
  }
  got.code = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &got.status);
  curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &got.seconds);
  curl_easy_getinfo(curl, CURLINFO_STARTTRANSFER_TIME, &got.first_byte);
  curl_easy_cleanup(curl);
  curl_slist_free_all(list);
  (void)buf_text(&got.head);
  (void)buf_text(&got.body);
  return got;
}

#define TOKEN "Authorization: Bearer secret-token"
#define JSON "Content-Type: application/json"

static const char entry[] =
    "{\"uploadTime\":1767225603000,\"items\":[],\"protoLogs\":[\"{\\\"frontend_log_event_id\\\":\\\"c1a2b3d4-0e5f-4a6b-8c7d-"
    "9e0f1a2b3c4d\\\","
    "\\\"context\\\":{\\\"client_context\\\":{\\\"timestamp_millis\\\":1767225602955,\\\"user_agent\\\":\\\"a/1\\\"}},\\\"entry\\\":"
    "{\\\"sql_driver_log\\\":{\\\"error_info\\\":{\\\"error_name\\\":\\\"marker\\\"}}}}\",\"{}\"]}";
#define FLAGS "/api/2.0/connector-service/feature-flags/ADBC/0.1.0"

static struct got send_ext(void) {
  const char *const headers[] = {TOKEN, JSON, NULL};
  return ask_with("POST", "/telemetry-ext", slice_text(entry), headers, 0);
}

static struct got read_flags(void) {
  const char *const headers[] = {TOKEN, NULL};
  return ask_with("GET", FLAGS, slice_of(NULL, 0), headers, 0);
}

static json_t *control(const char *method, const char *path, const char *body) {
  struct got got = ask_with(method, path, slice_text(body), NULL, 0);
  assert_int_equal(got.code, CURLE_OK);
  if (got.status != 200) fail_msg("%s %s: %ld %s", method, path, got.status, buf_text(&got.body));
  json_t *json = json_loads(buf_text(&got.body), 0, NULL);
  assert_non_null(json);
  got_free(&got);
  return json;
}

/* "telemetry-ext.accepted" */
static int64_t count_of(const char *endpoint, const char *what) {
  json_t *stats = control("GET", "/control/stats", NULL);
  const json_t *value = json_object_get(json_object_get(json_object_get(stats, "telemetry"), endpoint), what);
  assert_true(json_is_integer(value));
  int64_t count = json_integer_value(value);
  json_decref(stats);
  return count;
}

static int reset(void **state) {
  (void)state;
  if (!warehouse) return 0;
  warehouse_clear_faults(warehouse);
  json_decref(control("DELETE", "/control/telemetry", NULL));
  json_decref(control("DELETE", "/control/flags", NULL));
  return 0;
}

static bool has(const struct buf *buf, const char *text) {
  return buf->size && strstr((const char *)buf->data, text);
}

/* ---- Without faults ----------------------------------------------------------------------------------------------------------------- */

static void test_access(void **state) {
  (void)state;
  static const struct {
    const char *method, *path, *headers[3];
    long status;
  } cases[] = {
      {"POST", "/telemetry-ext", {TOKEN, JSON}, 200},
      {"POST", "/telemetry-ext", {JSON}, 401},
      {"POST", "/telemetry-ext", {"Authorization: Bearer other", JSON}, 401},
      {"GET", "/telemetry-ext", {TOKEN}, 405},
      {"POST", "/telemetry-unauth", {JSON}, 200},
      {"POST", "/telemetry-unauth", {TOKEN, JSON}, 400},
      {"GET", FLAGS, {TOKEN}, 200},
      {"GET", FLAGS, {NULL}, 401},
      {"GET", FLAGS "-beta", {TOKEN}, 404},
      {"GET", FLAGS, {TOKEN, "x-databricks-org-id: login"}, 400},
      {"POST", "/telemetry-other", {TOKEN, JSON}, 404},
      {"POST", "/v1/traces", {"Content-Type: text/plain"}, 415},
      {"GET", "/v1/logs", {JSON}, 405},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool is_post = cases[i].method[0] == 'P';
    struct got got = ask_with(cases[i].method, cases[i].path, slice_text(is_post ? entry : NULL), cases[i].headers, 0);
    assert_int_equal(got.code, CURLE_OK);
    if (got.status != cases[i].status) fail_msg("%zu: %s %s: %ld", i, cases[i].method, cases[i].path, got.status);
    if (got.status == 401) assert_true(has(&got.head, "www-authenticate: Bearer"));
    assert_true(has(&got.head, "x-request-id: "));
    got_free(&got);
  }
}

static void test_what_control_tells(void **state) {
  (void)state;
  struct got got = send_ext();
  assert_int_equal(got.status, 200);
  assert_true(has(&got.head, "Content-Type: application/json"));
  json_t *json = json_loads(buf_text(&got.body), 0, NULL),
         *expected = json_pack("{s:[s], s:i, s:i, s:i}", "errors", "protoLogs[1]: frontend_log_event_id: missing", "numSuccess", 0,
                               "numProtoSuccess", 1, "numRealtimeSuccess", 0);
  assert_true(json_equal(json, expected));
  json_decref(json);
  json_decref(expected);
  got_free(&got);

  json_t *events = control("GET", "/control/telemetry", NULL);
  assert_int_equal(json_array_size(events), 1);
  assert_string_equal(json_string_value(json_object_get(json_array_get(events, 0), "endpoint")), "telemetry-ext");
  json_decref(events);
  json_t *requests = control("GET", "/control/telemetry/requests", NULL);
  assert_int_equal(json_array_size(requests), 1);
  const json_t *request = json_array_get(requests, 0), *headers = json_object_get(request, "headers");
  assert_int_equal(json_integer_value(json_object_get(request, "status")), 200);
  assert_int_equal(json_integer_value(json_object_get(request, "bytes")), sizeof entry - 1);
  assert_true(json_integer_value(json_object_get(request, "monotonic_ns")) > 0);
  assert_string_equal(json_string_value(json_object_get(headers, "user-agent")), "tests/1");
  assert_string_equal(json_string_value(json_object_get(headers, "authorization")), "(not shown)");
  json_decref(requests);
  assert_int_equal(count_of("telemetry-ext", "accepted"), 1);
  assert_int_equal(count_of("telemetry-ext", "rejected"), 1);

  json_t *found = control("POST", "/control/telemetry/search", "{\"texts\":[\"marker\",\"secret-token\"]}");
  assert_int_equal(json_integer_value(json_object_get(json_object_get(found, "found"), "marker")), 1);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(found, "found"), "secret-token")), 0);
  json_decref(found);

  json_decref(control("DELETE", "/control/telemetry", NULL));
  events = control("GET", "/control/telemetry", NULL);
  assert_int_equal(json_array_size(events), 0);
  json_decref(events);
  assert_int_equal(count_of("telemetry-ext", "accepted"), 0);

  /* what was printed meanwhile */
  char text[4096] = "";
  FILE *file = fopen(printed, "r");
  assert_non_null(file);
  size_t size = fread(text, 1, sizeof text - 1, file);
  text[size] = '\0';
  fclose(file);
  assert_non_null(strstr(text, "telemetry-ext error, error marker\n"));
  assert_non_null(strstr(text, "telemetry-ext REFUSED protoLogs[1]: frontend_log_event_id: missing\n"));
}

static void test_flags_are_set(void **state) {
  (void)state;
  json_decref(control("POST", "/control/flags", "{\"flags\":{\"a\":\"true\",\"b\":\"2\"},\"ttl_seconds\":60,\"client\":\"ADBC\"}"));
  struct got got = read_flags();
  assert_string_equal(buf_text(&got.body),
                      "{\"flags\":[{\"name\":\"a\",\"value\":\"true\"},{\"name\":\"b\",\"value\":\"2\"}],\"ttl_seconds\":60}");
  got_free(&got);
  assert_int_equal(count_of("feature-flags", "requests"), 1);
}

#if defined(DBSQL_HAVE_ZLIB)
static void test_compressed_otlp(void **state) {
  (void)state;
  static const char spans[] =
      "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"b7ad6b7169203331\","
      "\"name\":\"n\",\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":\"2\"}]}]}]}";
  static const char *const gzip[] = {JSON, "Content-Encoding: gzip", NULL}, *const both[] = {TOKEN, JSON, "Content-Encoding: gzip", NULL};
  unsigned char packed[1024];
  z_stream stream = {.next_in = (Bytef *)(uintptr_t)spans, .avail_in = sizeof spans - 1, .next_out = packed, .avail_out = sizeof packed};
  assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
  deflateEnd(&stream);
  struct got got = ask_with("POST", "/v1/traces", slice_of(packed, stream.total_out), gzip, 0);
  assert_int_equal(got.status, 200);
  assert_string_equal(buf_text(&got.body), "{}");
  got_free(&got);
  got = ask_with("POST", "/v1/traces", slice_of(packed, stream.total_out - 9), gzip, 0);
  assert_int_equal(got.status, 400);
  assert_true(has(&got.body, "the body is no gzip"));
  got_free(&got);
  got = ask_with("POST", "/telemetry-ext", slice_of(packed, stream.total_out), both, 0);
  assert_int_equal(got.status, 415);
  got_free(&got);
  assert_int_equal(count_of("otlp-traces", "accepted"), 1);
}
#endif

/* ---- Faults ------------------------------------------------------------------------------------------------------------------------- */

static void test_statuses(void **state) {
  (void)state;
  static const int statuses[] = {400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504};
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    char fault[200], header[64];
    const char *after = i % 2 ? "7" : "Wed, 21 Oct 2099 07:28:00 GMT";
    snprintf(fault, sizeof fault, "{\"name\":\"http-%d\",\"method\":\"telemetry\",\"retry_after\":\"%s\",\"count\":2}", statuses[i], after);
    snprintf(header, sizeof header, "Retry-After: %s\r\n", after);
    warehouse_fault(warehouse, fault);
    snprintf(fault, sizeof fault, "{\"name\":\"http-%d\",\"method\":\"feature-flags\"}", statuses[i]);
    warehouse_fault(warehouse, fault);
    for (int turn = 0; turn < 3; turn++) {
      struct got got = send_ext();
      assert_int_equal(got.code, CURLE_OK);
      assert_int_equal(got.status, turn < 2 ? statuses[i] : 200);
      assert_int_equal(has(&got.head, header), turn < 2);
      got_free(&got);
    }
    struct got got = read_flags();
    assert_int_equal(got.status, statuses[i]);
    got_free(&got);
  }
  assert_int_equal(count_of("telemetry-ext", "faults"), 22);
  assert_int_equal(count_of("telemetry-ext", "accepted"), 11); /* nothing was taken of what a fault answered */
  assert_int_equal(count_of("feature-flags", "faults"), 11);
}

static void test_connections_that_break(void **state) {
  (void)state;
  static const struct {
    const char *fault;
    CURLcode code, or_code;
    long status;
    int64_t accepted;
  } cases[] = {
      {"{\"name\":\"reset-before\",\"method\":\"telemetry-ext\"}", CURLE_RECV_ERROR, CURLE_GOT_NOTHING, 0, 0},
      {"{\"name\":\"reset-after\",\"method\":\"telemetry-ext\"}", CURLE_RECV_ERROR, CURLE_GOT_NOTHING, 0, 1},
      {"{\"name\":\"reset-body\",\"method\":\"telemetry-ext\"}", CURLE_RECV_ERROR, CURLE_PARTIAL_FILE, 200, 1},
      {"{\"name\":\"truncated-body\",\"method\":\"telemetry-ext\"}", CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, 200, 1},
      {"{\"name\":\"stall\",\"method\":\"telemetry-ext\",\"delay_ms\":30}", CURLE_RECV_ERROR, CURLE_GOT_NOTHING, 0, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    reset(NULL);
    warehouse_fault(warehouse, cases[i].fault);
    struct got got = send_ext();
    if (got.code != cases[i].code && got.code != cases[i].or_code) fail_msg("%s: %s", cases[i].fault, curl_easy_strerror(got.code));
    assert_int_equal(got.status, cases[i].status);
    got_free(&got);
    assert_int_equal(count_of("telemetry-ext", "accepted"), cases[i].accepted);
    assert_int_equal(count_of("telemetry-ext", "faults"), 1);
  }
}

static void test_slow_and_large(void **state) {
  (void)state;
  warehouse_fault(warehouse, "{\"name\":\"delay\",\"method\":\"telemetry-ext\",\"delay_ms\":120}");
  struct got got = send_ext();
  assert_int_equal(got.status, 200);
  assert_true(got.first_byte >= 0.12);
  assert_true(has(&got.body, "\"numProtoSuccess\":1"));
  got_free(&got);
  warehouse_fault(warehouse, "{\"name\":\"slow-body\",\"method\":\"telemetry-ext\",\"delay_ms\":20,\"bytes\":10}");
  got = send_ext();
  assert_int_equal(got.status, 200);
  assert_true(got.seconds >= 0.2);
  assert_true(has(&got.body, "\"numProtoSuccess\":1"));
  got_free(&got);
  warehouse_fault(warehouse, "{\"name\":\"oversized-body\",\"method\":\"telemetry-ext\",\"bytes\":300000}");
  got = send_ext();
  assert_int_equal(got.status, 200);
  assert_int_equal(got.body.size, 300000);
  got_free(&got);
  warehouse_fault(warehouse, "{\"name\":\"oversized-body\",\"method\":\"feature-flags\"}");
  static const char *const headers[] = {TOKEN, NULL};
  got = ask_with("GET", FLAGS, slice_of(NULL, 0), headers, 1000);
  assert_int_equal(got.code, CURLE_FILESIZE_EXCEEDED); /* a gigabyte is announced */
  got_free(&got);
}

static void test_redirects(void **state) {
  (void)state;
  static const int statuses[] = {0, 301, 303, 307, 308};
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    char fault[200], status[32] = "";
    if (statuses[i]) snprintf(status, sizeof status, ",\"status\":%d", statuses[i]);
    snprintf(fault, sizeof fault, "{\"name\":\"redirect\",\"method\":\"telemetry-ext\",\"location\":\"http://other.example/x?y\"%s}",
             status);
    warehouse_fault(warehouse, fault);
    struct got got = send_ext();
    assert_int_equal(got.status, statuses[i] ? statuses[i] : 302);
    assert_true(has(&got.head, "Location: http://other.example/x?y\r\n"));
    got_free(&got);
  }
}

/* What is said is not what is so. */
static void test_answers_that_lie(void **state) {
  (void)state;
  static const struct {
    const char *fault, *body;
    int64_t accepted;
  } cases[] = {
      {"{\"name\":\"lying-count\",\"method\":\"telemetry\",\"accepted\":1000}", "\"numProtoSuccess\":1000,", 1},
      {"{\"name\":\"lying-count\",\"method\":\"telemetry\"}", "\"numProtoSuccess\":0,", 1},
      {"{\"name\":\"partial-success\",\"method\":\"telemetry\"}", "protoLogs[0]: not taken, by the fault partial-success", 0},
      {"{\"name\":\"extra-keys\",\"method\":\"telemetry\"}", "\"numBatched\":1", 1},
      {"{\"name\":\"wrong-types\",\"method\":\"telemetry\"}", "\"numProtoSuccess\":\"many\"", 1},
      {"{\"name\":\"malformed-json\",\"method\":\"telemetry\"}", "{\"errors\":", 1},
      {"{\"name\":\"html-body\",\"method\":\"telemetry\"}", "<!DOCTYPE html>", 0},
      {"{\"name\":\"garbage-body\",\"method\":\"telemetry\"}", "these bytes are no", 0},
      {"{\"name\":\"empty-body\",\"method\":\"telemetry\"}", NULL, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    reset(NULL);
    warehouse_fault(warehouse, cases[i].fault);
    struct got got = send_ext();
    assert_int_equal(got.status, 200);
    if (cases[i].body && !has(&got.body, cases[i].body)) fail_msg("%s: %s", cases[i].fault, buf_text(&got.body));
    if (!cases[i].body) assert_int_equal(got.body.size, 0);
    json_t *json = json_loadb((const char *)got.body.data, got.body.size, 0, NULL);
    assert_int_equal(json != NULL, i < 5);
    json_decref(json);
    got_free(&got);
    assert_int_equal(count_of("telemetry-ext", "accepted"), cases[i].accepted);
  }
  static const struct {
    const char *fault, *body;
  } flags[] = {
      {"{\"name\":\"extra-keys\",\"method\":\"feature-flags\"}", "\"serverHint\":"},
      {"{\"name\":\"wrong-types\",\"method\":\"feature-flags\"}", "{\"flags\":{\"wrong\":true},\"ttl_seconds\":\"many\"}"},
      {"{\"name\":\"malformed-json\",\"method\":\"feature-flags\"}", "{\"flags\":"},
  };
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    warehouse_fault(warehouse, flags[i].fault);
    struct got got = read_flags();
    assert_int_equal(got.status, 200);
    if (!has(&got.body, flags[i].body)) fail_msg("%s: %s", flags[i].fault, buf_text(&got.body));
    got_free(&got);
  }
}

static void test_faults_that_are_refused(void **state) {
  (void)state;
  static const char *const faults[][2] = {
      {"{\"name\":\"empty-page\",\"method\":\"telemetry\"}", "cannot strike"},
      {"{\"name\":\"lying-count\"}", "cannot strike"},
      {"{\"name\":\"lying-count\",\"method\":\"otlp\"}", "cannot strike"},
      {"{\"name\":\"partial-success\",\"method\":\"feature-flags\"}", "cannot strike"},
      {"{\"name\":\"redirect\",\"method\":\"telemetry\"}", "location"},
      {"{\"name\":\"delay\",\"method\":\"telemetry\",\"location\":\"x\"}", "location"},
      {"{\"name\":\"redirect\",\"method\":\"telemetry\",\"location\":\"x\",\"status\":404}", "300 to 308"},
      {"{\"name\":\"http-500\",\"method\":\"telemetry\",\"status\":302}", "300 to 308"},
      {"{\"name\":\"partial-success\",\"method\":\"telemetry\",\"accepted\":-1}", "whole number"},
  };
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    struct got got = ask_with("POST", "/control/faults", slice_text(faults[i][0]), NULL, 0);
    assert_int_equal(got.status, 400);
    if (!has(&got.body, faults[i][1])) fail_msg("%s: %s", faults[i][0], buf_text(&got.body));
    got_free(&got);
  }
}

/* Faults of telemetry leave statements alone, those of statements leave telemetry alone. */
static void test_faults_keep_apart(void **state) {
  (void)state;
  static const char *const headers[] = {TOKEN, "Content-Type: application/x-thrift", NULL};
  warehouse_fault(warehouse, "{\"name\":\"http-503\",\"method\":\"telemetry\"}");
  struct got got = ask_with("POST", "/sql/1.0/warehouses/local", slice_text("x"), headers, 0);
  assert_int_equal(got.status, 200);
  got_free(&got);
  got = ask_with("POST", "/v1/traces", slice_text("{}"), (const char *const[]){JSON, NULL}, 0);
  assert_int_equal(got.status, 200);
  got_free(&got);
  warehouse_clear_faults(warehouse);
  warehouse_fault(warehouse, "{\"name\":\"http-503\"}");
  got = send_ext();
  assert_int_equal(got.status, 200);
  got_free(&got);
  got = ask_with("POST", "/sql/1.0/warehouses/local", slice_text("x"), headers, 0);
  assert_int_equal(got.status, 503);
  got_free(&got);
}

static void test_partial_success_of_otlp(void **state) {
  (void)state;
#define LOG "{\"timeUnixNano\":\"1\"}"
  static const char logs[] = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[" LOG "," LOG "," LOG "]}]}]}";
  warehouse_fault(warehouse, "{\"name\":\"partial-success\",\"method\":\"otlp\",\"accepted\":1}");
  struct got got = ask_with("POST", "/v1/logs", slice_text(logs), (const char *const[]){JSON, NULL}, 0);
  assert_int_equal(got.status, 200);
  assert_true(has(&got.body, "{\"partialSuccess\":{\"rejectedLogRecords\":\"2\","));
  got_free(&got);
  assert_int_equal(count_of("otlp-logs", "accepted"), 1);
  assert_int_equal(count_of("otlp-logs", "rejected"), 2);
}

static int start(void **state) {
  (void)state;
  if (!warehouse_is_there()) return 0;
  int fd = mkstemp(printed);
  if (fd < 0) return -1;
  close(fd);
  const char *const arguments[] = {"--token", "secret-token", "--print-telemetry", printed, NULL};
  warehouse = warehouse_start(arguments);
  return 0;
}

static int stop(void **state) {
  (void)state;
  if (!warehouse) return 0;
  int code = warehouse_stop(warehouse);
  unlink(printed);
  return code;
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(test_access, reset),
    cmocka_unit_test_setup(test_what_control_tells, reset),
    cmocka_unit_test_setup(test_flags_are_set, reset),
#if defined(DBSQL_HAVE_ZLIB)
    cmocka_unit_test_setup(test_compressed_otlp, reset),
#endif
    cmocka_unit_test_setup(test_statuses, reset),
    cmocka_unit_test_setup(test_connections_that_break, reset),
    cmocka_unit_test_setup(test_slow_and_large, reset),
    cmocka_unit_test_setup(test_redirects, reset),
    cmocka_unit_test_setup(test_answers_that_lie, reset),
    cmocka_unit_test_setup(test_faults_that_are_refused, reset),
    cmocka_unit_test_setup(test_faults_keep_apart, reset),
    cmocka_unit_test_setup(test_partial_success_of_otlp, reset),
  };
  curl_global_init(CURL_GLOBAL_DEFAULT);
  if (!warehouse_is_there()) return 0;
  int failed = cmocka_run_group_tests(tests, start, stop);
  curl_global_cleanup();
  return failed;
}
