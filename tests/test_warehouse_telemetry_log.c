/* Feature flags (telemetry.md 3), and what the warehouse keeps, finds and prints of the telemetry that it received. */
#include "telemetry_ask.h"

#include <pthread.h>

/* ---- Feature flags ------------------------------------------------------------------------------------------------------------------ */

static struct reply flags(struct telemetry *telemetry, const char *path, const char *org) {
  const char *const headers[] = {"x-databricks-org-id", org, NULL};
  return ask(telemetry, TELEMETRY_FLAGS, "GET", path, "", true, org ? headers : NULL, &no_fault);
}

static void assert_flags(struct telemetry *telemetry, const char *path, const char *org, const char *expected) {
  struct reply reply = flags(telemetry, path, org);
  json_t *json = parse(expected);
  assert_int_equal(reply.status, 200);
  if (!json_equal(reply.json, json)) fail_msg("%s: not %s but %s", path, expected, json_dumps(reply.json, 0));
  json_decref(json);
  json_decref(reply.json);
}

static int control(struct telemetry *telemetry, const char *method, const char *path, const char *body, char text[200]) {
  struct buf out = BUF_INIT;
  int status = telemetry_control(telemetry, method, path, slice_text(body), &out);
  snprintf(text, 200, "%s", buf_text(&out));
  buf_free(&out);
  return status;
}

static void test_flags(void **state) {
  (void)state;
  struct telemetry telemetry;
  char text[200];
  telemetry_init(&telemetry, 1 << 20, NULL);
#define FLAGS "/api/2.0/connector-service/feature-flags/"
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", NULL, "{'flags':[],'ttl_seconds':900}");
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{\"a\":\"true\",\"b\":\"x\"},\"ttl_seconds\":60}", text), 200);
  assert_int_equal(
      control(&telemetry, "POST", "/control/flags", "{\"flags\":[{\"name\":\"c\",\"value\":\"1\"}],\"client\":\"ADBC\"}", text), 200);
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{},\"org\":\"7\",\"ttl_seconds\":null}", text), 200);
  assert_int_equal(
      control(&telemetry, "POST", "/control/flags", "{\"flags\":{\"d\":\"2\"},\"org\":\"7\",\"client\":\"ADBC\",\"ttl_seconds\":-1}", text),
      200);
  assert_flags(&telemetry, FLAGS "GOLANG/1.12.0", NULL,
               "{'flags':[{'name':'a','value':'true'},{'name':'b','value':'x'}],'ttl_seconds':60}");
  assert_flags(&telemetry, "/2.0/connector-service/feature-flags/JDBC/1.0.7", NULL,
               "{'flags':[{'name':'a','value':'true'},{'name':'b','value':'x'}],'ttl_seconds':60}");
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", "8", "{'flags':[{'name':'c','value':'1'}],'ttl_seconds':900}");
  assert_flags(&telemetry, FLAGS "GOLANG/1.12.0", "7", "{'flags':[]}");
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", "7", "{'flags':[{'name':'d','value':'2'}],'ttl_seconds':-1}");
  /* a set takes the place of the one before */
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{\"c\":\"3\"},\"client\":\"ADBC\"}", text), 200);
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", NULL, "{'flags':[{'name':'c','value':'3'}],'ttl_seconds':900}");
  /* whatever the order */
  assert_int_equal(control(&telemetry, "DELETE", "/control/flags", "", text), 200);
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{\"c\":\"1\"},\"client\":\"ADBC\"}", text), 200);
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{},\"org\":\"7\"}", text), 200);
  assert_int_equal(control(&telemetry, "POST", "/control/flags", "{\"flags\":{}}", text), 200);
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", "7", "{'flags':[{'name':'c','value':'1'}],'ttl_seconds':900}");
  static const char *const bad[][2] = {{"[]", "is a JSON object"},
                                       {"{\"ttl_seconds\":1}", "\\\"flags\\\" is missing"},
                                       {"{\"flags\":{\"a\":true}}", "both texts"},
                                       {"{\"flags\":[{\"name\":\"a\"}]}", "and nothing else"},
                                       {"{\"flags\":1}", "must be an object or an array"},
                                       {"{\"flags\":{},\"ttl\":1}", "there is no member"},
                                       {"{\"flags\":{},\"ttl_seconds\":\"1\"}", "must be an integer"},
                                       {"{\"flags\":{},\"client\":5}", "must be a text"},
                                       {"{", "no JSON"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(control(&telemetry, "POST", "/control/flags", bad[i][0], text), 400);
    if (!strstr(text, bad[i][1])) fail_msg("\"%s\" is not in \"%s\"", bad[i][1], text);
  }
  assert_int_equal(control(&telemetry, "DELETE", "/control/flags", "", text), 200);
  assert_string_equal(text, "[]");
  assert_flags(&telemetry, FLAGS "ADBC/0.1.0", NULL, "{'flags':[],'ttl_seconds':900}");

  static const struct {
    const char *path;
    int status;
  } paths[] = {{FLAGS "ADBC/0.1.0-oss", 404}, {FLAGS "ADBC/0.1", 404},     {FLAGS "adbc/0.1.0", 404},
               {FLAGS "ADBC", 404},           {FLAGS "ADBC/1.2.3.4", 404}, {FLAGS "/1.2.3", 404}};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    assert_int_equal(flags(&telemetry, paths[i].path, NULL).status, paths[i].status);
  assert_int_equal(flags(&telemetry, FLAGS "ADBC/0.1.0", "12x").status, 400);
  const char *const nobody[] = {"user-agent", NULL, NULL};
  assert_int_equal(ask(&telemetry, TELEMETRY_FLAGS, "GET", FLAGS "ADBC/0.1.0", "", true, nobody, &no_fault).status, 400);
  assert_int_equal(ask(&telemetry, TELEMETRY_FLAGS, "GET", FLAGS "ADBC/0.1.0", "", false, NULL, &no_fault).status, 401);
  assert_int_equal(ask(&telemetry, TELEMETRY_FLAGS, "POST", FLAGS "ADBC/0.1.0", "", true, NULL, &no_fault).status, 405);
  assert_int_equal(ask(&telemetry, TELEMETRY_FLAGS, "GET", FLAGS "ADBC/0.1.0", "x", true, NULL, &no_fault).status, 400);
  telemetry_destroy(&telemetry);
}

/* ---- The log ------------------------------------------------------------------------------------------------------------------------ */

static void test_search_finds_escaped_texts(void **state) {
  (void)state;
  struct telemetry telemetry;
  char text[200];
  telemetry_init(&telemetry, 1 << 20, NULL);
  json_t *entry = parse("{" ID "," CONTEXT ",'entry':{'sql_driver_log':{'error_info':{'error_name':'x'}}}}");
  change(entry, "@.error_info.stack_trace", "'one \\\\ two\\u00e4'");
  const json_t *one[] = {entry};
  char *body = envelope(one, 1);
  json_decref(post(&telemetry, TELEMETRY_EXT, body, &no_fault).json);
  /* refused ones are searched too, and escaped in ASCII */
  json_decref(post(&telemetry, TELEMETRY_EXT, "{\"a\":\"b\\\\u00E4c\"}", &no_fault).json);
  static const char question[] = "{\"texts\":[\"one \\\\ two\\u00e4\",\"b\\u00e4c\",\"nowhere\",\"tests/1\"]}";
  assert_int_equal(control(&telemetry, "POST", "/control/telemetry/search", question, text), 200);
  assert_string_equal(text,
                      "{\"complete\":true,\"found\":{\"one \\\\ two\xc3\xa4\":1,\"b\xc3\xa4"
                      "c\":1,\"nowhere\":0,\"tests/1\":2}}");
  assert_int_equal(control(&telemetry, "POST", "/control/telemetry/search", "{\"texts\":[\"\"]}", text), 400);
  assert_int_equal(control(&telemetry, "POST", "/control/telemetry/search", "{}", text), 400);
  assert_int_equal(control(&telemetry, "PUT", "/control/telemetry", "", text), 404);
  assert_int_equal(control(&telemetry, "GET", "/control/stats", "", text), 0);
  free(body);
  json_decref(entry);
  telemetry_destroy(&telemetry);
}

static void test_log_is_bounded(void **state) {
  (void)state;
  struct telemetry telemetry;
  char text[200];
  telemetry_init(&telemetry, 64 << 10, NULL);
  json_t *entry = parse(whole);
  const json_t *one[] = {entry};
  char *body = envelope(one, 1);
  for (int i = 0; i < 500; i++) json_decref(post(&telemetry, TELEMETRY_EXT, body, &no_fault).json);
  assert_true(telemetry.log.bytes <= 64 << 10);
  json_t *stats = telemetry_log_stats(&telemetry.log);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(stats, "telemetry-ext"), "accepted")), 500);
  assert_int_equal(json_integer_value(json_object_get(stats, "duplicates")), 499);
  assert_int_equal(json_integer_value(json_object_get(stats, "forgotten_events")) + (int64_t)telemetry.log.count, 500);
  json_decref(stats);
  assert_int_equal(control(&telemetry, "POST", "/control/telemetry/search", "{\"texts\":[\"nowhere\"]}", text), 200);
  assert_non_null(strstr(text, "\"complete\":false"));
  assert_int_equal(control(&telemetry, "DELETE", "/control/telemetry", "", text), 200);
  assert_int_equal(telemetry.log.count, 0);
  assert_int_equal(telemetry.log.bytes, 0);
  stats = telemetry_log_stats(&telemetry.log);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(stats, "telemetry-ext"), "accepted")), 0);
  assert_int_equal(json_integer_value(json_object_get(stats, "duplicates")), 0);
  json_decref(stats);
  free(body);
  json_decref(entry);
  telemetry_destroy(&telemetry);
}

/* A request that is forgotten while it is under way, and one that is cleared. */
static void test_end_of_a_forgotten_request(void **state) {
  (void)state;
  struct telemetry_log log;
  telemetry_log_init(&log, 1 << 20);
  json_t *headers = json_object();
  int64_t id = telemetry_log_begin(&log, TELEMETRY_EXT, "POST", "/telemetry-ext", headers, slice_text("x"), NULL);
  telemetry_log_clear(&log);
  struct telemetry_outcome outcome = {
      .status = 200, .accepted = 1, .errors = json_array(), .warnings = json_array(), .events = json_pack("[{}]")};
  telemetry_log_end(&log, TELEMETRY_EXT, id, &outcome, false);
  assert_int_equal(log.forgotten_events, 1);
  assert_int_equal(log.counts[TELEMETRY_EXT].accepted, 1);
  json_decref(outcome.errors);
  json_decref(outcome.warnings);
  json_decref(outcome.events);
  json_decref(headers);
  telemetry_log_destroy(&log);
}

struct work {
  struct telemetry *telemetry;
  char *body;
};

static void *send_many(void *user) {
  struct work *work = user;
  for (int i = 0; i < 50; i++) json_decref(post(work->telemetry, TELEMETRY_EXT, work->body, &no_fault).json);
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  struct telemetry telemetry;
  pthread_t threads[8];
  telemetry_init(&telemetry, 256 << 10, NULL);
  json_t *entry = parse(whole), *bad = parse("{}");
  const json_t *three[] = {entry, bad, entry};
  struct work work = {&telemetry, envelope(three, 3)};
  for (int i = 0; i < 8; i++) assert_int_equal(pthread_create(&threads[i], NULL, send_many, &work), 0);
  for (int i = 0; i < 100; i++) {
    struct buf out = BUF_INIT;
    telemetry_log_requests(&telemetry.log, &out);
    json_t *json = json_loadb((const char *)out.data, out.size, 0, NULL);
    assert_non_null(json);
    json_decref(json);
    buf_free(&out);
  }
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  json_t *stats = telemetry_log_stats(&telemetry.log);
  const json_t *counts = json_object_get(stats, "telemetry-ext");
  assert_int_equal(json_integer_value(json_object_get(counts, "requests")), 400);
  assert_int_equal(json_integer_value(json_object_get(counts, "accepted")), 800);
  assert_int_equal(json_integer_value(json_object_get(counts, "rejected")), 400);
  json_decref(stats);
  free(work.body);
  json_decref(entry);
  json_decref(bad);
  telemetry_destroy(&telemetry);
}

static void test_print(void **state) {
  (void)state;
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&text, &size);
  struct telemetry telemetry;
  telemetry_init(&telemetry, 1 << 20, file);
  json_t *entry = parse(whole), *bad = parse("{'a':1}");
  change(entry, "@.error_info.stack_trace", "'a\\u001b[2Jb'");
  const json_t *two[] = {entry, bad};
  char *body = envelope(two, 2);
  json_decref(post(&telemetry, TELEMETRY_EXT, body, &no_fault).json);
  fclose(file);
  static const char *const parts[] = {"telemetry-ext EXECUTE_STATEMENT QUERY, 512 ms, EXTERNAL_LINKS, error chunk_download_error\n",
                                      "    session 01f0a1b2-c3d4-1e5f-8a9b-0c1d2e3f4a5b\n",
                                      "    statement 01f0a1b2-d5e6-1f70-9b8c-1d2e3f4a5b6c\n",
                                      "    chunks 9 of 12, first 84 ms, slowest 311 ms, all 1420 ms\n",
                                      "    ready after 640 ms, consumed in 2210 ms\n",
                                      "    polls 5 in 190 ms\n",
                                      "    trace a?[2Jb\n",
                                      "    parameters mode=THRIFT ",
                                      "    system driver_version=0.1.0 ",
                                      "telemetry-ext REFUSED protoLogs[1]: a: there is no such key\n"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (!strstr(text, parts[i])) fail_msg("\"%s\" is not in \"%s\"", parts[i], text);
  }
  free(text);
  free(body);
  json_decref(entry);
  json_decref(bad);
  telemetry_destroy(&telemetry);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_flags),          cmocka_unit_test(test_search_finds_escaped_texts),
      cmocka_unit_test(test_log_is_bounded), cmocka_unit_test(test_end_of_a_forgotten_request),
      cmocka_unit_test(test_threads),        cmocka_unit_test(test_print),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
