#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "http/answer.h"
#include "http/proxy.h"
#include "http/retry.h"
#include "http/url.h"

/* ---- URLs ----------------------------------------------------------------------------------------------------------------- */

static void urls_are_taken_apart(void **state) {
  (void)state;
  static const struct {
    const char *url, *host, *shown, *logged;
    int port;
    bool tls;
  } cases[] = {
      {"https://Host.Example.COM/sql/1.0/warehouses/abc?o=12", "host.example.com", "host.example.com",
       "https://host.example.com/sql/1.0/warehouses/abc", 443, true},
      {"https://h:443/", "h", "h", "https://h/", 443, true},
      {"http://127.0.0.1:8080/cliservice", "127.0.0.1", "127.0.0.1:8080", "http://127.0.0.1:8080/cliservice", 8080, false},
      {"http://[::1]:99/x", "::1", "[::1]:99", "http://[::1]:99/x", 99, false},
      {"https://h.example./p?sig=secret#f", "h.example", "h.example", "https://h.example/p", 443, true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct http_target target;
    dbsql_error *error = NULL;
    assert_int_equal(http_target_parse(cases[i].url, &target, &error), DBSQL_OK);
    assert_string_equal(target.host, cases[i].host);
    assert_string_equal(target.shown, cases[i].shown);
    assert_string_equal(target.logged, cases[i].logged);
    assert_int_equal(target.port, cases[i].port);
    assert_int_equal(target.tls, cases[i].tls);
  }
}

static void bad_urls_are_refused_without_being_shown(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    "ftp://h/secretpath",
                                    "file:///etc/secretpath",
                                    "//h/secretpath",
                                    "https://",
                                    "https://h:99999/secretpath",
                                    "https://h:0/secretpath",
                                    "https://h:x/secretpath",
                                    "https://user:secretpath@h/",
                                    "https://user@h/secretpath",
                                    "https://h/a b",
                                    "https://h/secretpath\r\nX: y",
                                    "https://h/\x7f"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct http_target target;
    dbsql_error *error = NULL;
    if (http_target_parse(bad[i], &target, &error) == DBSQL_OK) fail_msg("accepted: %s", bad[i]);
    assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_DRIVER);
    assert_null(strstr(dbsql_error_message(error), "secretpath"));
    error_clear(&error);
  }
}

static void locations_are_reduced_to_their_origin(void **state) {
  (void)state;
  char out[300];
  http_location_origin("https://h/a/b", "https://evil.example:8443/p?token=secret", out, sizeof out);
  assert_string_equal(out, "https://evil.example:8443");
  http_location_origin("https://h/a/b", "/login?next=secret", out, sizeof out);
  assert_string_equal(out, "https://h");
  http_location_origin("https://h/a/b", "http://user:secret@[::1]:1/", out, sizeof out);
  assert_string_equal(out, "http://[::1]:1");
}

static void loopback_is_recognised(void **state) {
  (void)state;
  static const char *const yes[] = {"localhost", "127.0.0.1", "127.255.3.4", "::1", "::ffff:127.0.0.1", "a.localhost"};
  static const char *const no[] = {"128.0.0.1",         "localhost.example", "::2", "10.0.0.1", "notlocalhost",
                                   "127.0.0.1.example", "::ffff:10.0.0.1"};
  for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) assert_true(http_host_is_loopback(yes[i]));
  for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) assert_false(http_host_is_loopback(no[i]));
}

/* ---- Retry ---------------------------------------------------------------------------------------------------------------- */

static void statuses_are_retried_by_rule(void **state) {
  (void)state;
  static const int always[] = {429, 503}, idempotent[] = {408, 500, 502, 504, 520, 599},
                   never[] = {200, 301, 400, 401, 403, 404, 405, 409, 501, 600};
  for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
    assert_true(retry_allows_status(HTTP_RETRY_IDEMPOTENT, always[i]));
    assert_true(retry_allows_status(HTTP_RETRY_REFUSED, always[i]));
  }
  for (size_t i = 0; i < sizeof idempotent / sizeof idempotent[0]; i++) {
    assert_true(retry_allows_status(HTTP_RETRY_IDEMPOTENT, idempotent[i]));
    assert_false(retry_allows_status(HTTP_RETRY_REFUSED, idempotent[i]));
  }
  for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
    assert_false(retry_allows_status(HTTP_RETRY_IDEMPOTENT, never[i]));
    assert_false(retry_allows_status(HTTP_RETRY_REFUSED, never[i]));
  }
  assert_true(retry_allows_network(HTTP_RETRY_IDEMPOTENT, true));
  assert_true(retry_allows_network(HTTP_RETRY_REFUSED, false));
  assert_false(retry_allows_network(HTTP_RETRY_REFUSED, true));
}

static void waits_double_with_equal_jitter(void **state) {
  (void)state;
  struct retry_policy policy = {10, 1000, 30000, 0};
  uint64_t random = 42;
  static const int64_t full[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
  for (int failures = 1; failures <= 7; failures++) {
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 500; i++) {
      int64_t wait = retry_wait_ms(&policy, failures, &random);
      if (wait < least) least = wait;
      if (wait > most) most = wait;
    }
    assert_true(least >= full[failures - 1] / 2 && most <= full[failures - 1]);
    /* spread over the random half */
    assert_true(most - least > full[failures - 1] / 4);
  }
  struct retry_policy none = {10, 0, 0, 0};
  assert_int_equal(retry_wait_ms(&none, 3, &random), 0);
  struct retry_policy huge = {10, INT64_MAX / 3, INT64_MAX, 0};
  assert_true(retry_wait_ms(&huge, 60, &random) > 0);
  struct retry_policy upside_down = {10, 500, 100, 0};
  assert_in_range(retry_wait_ms(&upside_down, 5, &random), 250, 500);
}

static void retry_after_is_seconds_or_a_date(void **state) {
  (void)state;
  int64_t now = INT64_C(1700000000) * 1000000; /* Tue, 14 Nov 2023 22:13:20 GMT */
  assert_int_equal(retry_after_ms("0", now), 0);
  assert_int_equal(retry_after_ms(" 120 ", now), 120000);
  assert_int_equal(retry_after_ms("99999999999999999999", now), (int64_t)INT32_MAX * 1000);
  assert_int_equal(retry_after_ms("Tue, 14 Nov 2023 22:13:27 GMT", now), 7000);
  assert_int_equal(retry_after_ms("Tuesday, 14-Nov-23 22:13:27 GMT", now), 7000);
  assert_int_equal(retry_after_ms("Tue, 14 Nov 2023 22:00:00 GMT", now), 0);
  assert_int_equal(retry_after_ms("", now), -1);
  assert_int_equal(retry_after_ms("-1", now), -1);
  assert_int_equal(retry_after_ms("1.5", now), -1);
  assert_int_equal(retry_after_ms("soon", now), -1);
}

/* ---- Heads ---------------------------------------------------------------------------------------------------------------- */

static void feed(struct http_answer *answer, const char *line) {
  answer_header_line(answer, line, strlen(line));
}

static void heads_are_read_without_case_and_cut(void **state) {
  (void)state;
  struct http_answer answer = {0};
  answer_reset(&answer);
  feed(&answer, "HTTP/1.1 100 Continue\r\n");
  feed(&answer, "X-Request-Id: old\r\n");
  feed(&answer, "HTTP/2 503 \r\n");
  assert_int_equal(answer.status, 503);
  assert_string_equal(answer.reason, "");
  assert_string_equal(answer.request_id, "");
  feed(&answer, "x-request-id:  abc \r\n");
  feed(&answer, "CONTENT-TYPE: Application/X-Thrift; charset=UTF-8\r\n");
  feed(&answer, "Content-Length: 17\r\n");
  feed(&answer, "X-Databricks-Org-Id: 123\r\n");
  feed(&answer, "no colon at all\r\n");
  assert_string_equal(answer.request_id, "abc");
  assert_string_equal(answer.content_type, "application/x-thrift");
  assert_string_equal(answer.org_id, "123");
  assert_int_equal(answer.content_length, 17);
  feed(&answer, "content-length: -5\r\n");
  assert_int_equal(answer.content_length, -1);
  char longer[5000];
  int start = snprintf(longer, sizeof longer, "X-Databricks-Reason-Phrase: ");
  memset(longer + start, 'x', sizeof longer - (size_t)start);
  answer_header_line(&answer, longer, sizeof longer);
  assert_int_equal(strlen(answer.reason_phrase), sizeof answer.reason_phrase - 1);
  feed(&answer, "X-Databricks-Reason-Phrase: a\x1b[31mb\xff\r\n");
  assert_string_equal(answer.reason_phrase, "a [31mb?");
  feed(&answer, "HTTP/1.1 99999999999999999999\r\n");
  assert_int_equal(answer.status, 999);
  feed(&answer, "HTTP/1.1 9x\r\n");
  assert_int_equal(answer.status, 0);
  answer_free(&answer);
}

/* ---- Proxies -------------------------------------------------------------------------------------------------------------- */

static struct http_target target_of(const char *url) {
  struct http_target target;
  assert_int_equal(http_target_parse(url, &target, NULL), DBSQL_OK);
  return target;
}

static void no_proxy_knows_every_form(void **state) {
  (void)state;
  static const struct {
    const char *list, *url;
    bool matches;
  } cases[] = {
      {"", "https://h.example/", false},
      {"*", "https://h.example/", true},
      {"h.example", "https://h.example/", true},
      {"H.EXAMPLE", "https://h.example/", true},
      {"h.example", "https://H.Example./", true},
      {"h.example.", "https://h.example/", true},
      {"example", "https://h.example/", true},
      {".example", "https://h.example/", true},
      {".h.example", "https://h.example/", true},
      {"*.example", "https://h.example/", true},
      {"ample", "https://h.example/", false},
      {"*.ample", "https://h.example/", false},
      {"x.h.example", "https://h.example/", false},
      {"h.example:443", "https://h.example/", true},
      {"h.example:8443", "https://h.example/", false},
      {"h.example:8443", "https://h.example:8443/", true},
      {".example:443", "https://h.example/", true},
      {"a,b|c;d h.example", "https://h.example/", true},
      {"a , h.example", "https://h.example/", true},
      {"*.a|*.example", "https://h.example/", true},
      {"10.0.0.0/8", "https://10.1.2.3/", true},
      {"10.0.0.0/8", "https://11.1.2.3/", false},
      {"10.0.0.0/33", "https://10.1.2.3/", false},
      {"10.0.0.0/", "https://10.1.2.3/", false},
      {"10.0.0.0/x", "https://10.1.2.3/", false},
      {"0.0.0.0/0", "https://10.1.2.3/", true},
      {"192.168.4.128/25", "https://192.168.4.200/", true},
      {"192.168.4.128/25", "https://192.168.4.100/", false},
      {"10.1.2.3", "https://10.1.2.3/", true},
      {"10.1.2.3:443", "https://10.1.2.3/", true},
      {"10.1.2.3:80", "https://10.1.2.3/", false},
      {"2.3", "https://10.1.2.3/", false},
      {"fd00::/8", "https://[fd12::1]/", true},
      {"fd00::/8", "https://[fe12::1]/", false},
      {"fd12:0::1", "https://[fd12::1]/", true},
      {"[fd12::1]", "https://[fd12::1]/", true},
      {"[fd12::1]:443", "https://[fd12::1]/", true},
      {"[fd12::1]:80", "https://[fd12::1]/", false},
      {"[fd12::1", "https://[fd12::1]/", false},
      {"10.0.0.0/8", "https://h.example/", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct http_target target = target_of(cases[i].url);
    if (http_no_proxy_matches(cases[i].list, &target) != cases[i].matches) fail_msg("\"%s\" for %s", cases[i].list, cases[i].url);
  }
}

static const char *const variables[] = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy",    "ALL_PROXY",
                                        "all_proxy",   "NO_PROXY",    "no_proxy",   "REQUEST_METHOD"};

static int clear_environment(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) unsetenv(variables[i]);
  return 0;
}

/* The proxy for a URL, "" for none, by those settings and the environment as it is. */
static const char *chosen(const struct http_settings *settings, const char *url) {
  static char shown[300];
  struct http_proxy_rules *rules;
  dbsql_error *error = NULL;
  if (http_proxy_rules_new(settings, &rules, &error) != DBSQL_OK) {
    snprintf(shown, sizeof shown, "error: %s", dbsql_error_message(error));
    error_clear(&error);
    return shown;
  }
  struct http_target target = target_of(url);
  const struct http_proxy *proxy = http_proxy_choose(rules, &target);
  snprintf(shown, sizeof shown, "%s", proxy ? proxy->url : "");
  http_proxy_rules_free(rules);
  return shown;
}

static void the_environment_has_an_order(void **state) {
  (void)state;
  struct http_settings settings = {.use_proxy = true};
  assert_string_equal(chosen(&settings, "https://h.example/"), "");
  setenv("all_proxy", "p5:1", 1);
  assert_string_equal(chosen(&settings, "https://h.example/"), "http://p5:1");
  setenv("ALL_PROXY", "http://p4", 1);
  assert_string_equal(chosen(&settings, "https://h.example/"), "http://p4:80");
  setenv("https_proxy", "https://p3", 1);
  assert_string_equal(chosen(&settings, "https://h.example/"), "https://p3:443");
  setenv("HTTPS_PROXY", "socks5h://p2", 1);
  assert_string_equal(chosen(&settings, "https://h.example/"), "socks5h://p2:1080");
  assert_string_equal(chosen(&settings, "http://h.example/"), "http://p4:80");
  setenv("HTTP_PROXY", "http://evil", 1); /* a request header "Proxy" in a CGI program */
  assert_string_equal(chosen(&settings, "http://h.example/"), "http://p4:80");
  setenv("http_proxy", "http://p6:6", 1);
  assert_string_equal(chosen(&settings, "http://h.example/"), "http://p6:6");
  setenv("HTTPS_PROXY", "", 1); /* empty is unset */
  assert_string_equal(chosen(&settings, "https://h.example/"), "https://p3:443");
  setenv("no_proxy", "h.example", 1);
  assert_string_equal(chosen(&settings, "https://h.example/"), "");
  setenv("NO_PROXY", "other.example", 1);
  assert_string_equal(chosen(&settings, "https://h.example/"), "https://p3:443");
  settings.no_proxy = "h.example";
  assert_string_equal(chosen(&settings, "https://h.example/"), "");
  settings.no_proxy = NULL;
  settings.ignore_environment = true;
  assert_string_equal(chosen(&settings, "https://h.example/"), "");
  settings.ignore_environment = false;
  settings.use_proxy = false;
  assert_string_equal(chosen(&settings, "https://h.example/"), "");
  settings.use_proxy = true;
  /* explicit: the environment's list does not count any more */
  settings.proxy_url = "http://explicit:3128";
  setenv("NO_PROXY", "*", 1);
  assert_string_equal(chosen(&settings, "https://h.example/"), "http://explicit:3128");
  assert_string_equal(chosen(&settings, "http://h.example/"), "http://explicit:3128");
}

static void loopback_and_metadata_are_direct(void **state) {
  (void)state;
  struct http_settings settings = {.use_proxy = true, .proxy_url = "http://p:1"};
  static const char *const direct[] = {"https://localhost/", "http://127.3.2.1:99/", "https://[::1]/", "http://169.254.169.254/metadata"};
  for (size_t i = 0; i < sizeof direct / sizeof direct[0]; i++) assert_string_equal(chosen(&settings, direct[i]), "");
}

static void bad_proxies_are_errors_and_never_direct(void **state) {
  (void)state;
  static const struct {
    const char *url, *part;
  } bad[] = {
      {"ftp://p:1", "scheme"},
      {"socks4://p:1", "scheme"},
      {"http://", "malformed|host"},
      {"http://p:0", "port"},
      {"http://p:65536", "port"},
      {"http://p:abc", "port|malformed"},
      {"http://p :1", "space"},
      {"http://p:1\r\nX: y", "control"},
      {"http://us%0d%0aer:secretword@p:1", "control"},
      {"http://user:secret%00word@p:1", "control"},
      {"http://us%3Aer:secretword@p:1", "colon"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct http_settings settings = {.use_proxy = true, .proxy_url = bad[i].url};
    const char *got = chosen(&settings, "https://h.example/");
    bool found = false;
    char parts[64];
    snprintf(parts, sizeof parts, "%s", bad[i].part);
    char *rest = parts;
    for (char *part; (part = strsep(&rest, "|")) != NULL;) found = found || (strncmp(got, "error: ", 7) == 0 && strstr(got, part));
    if (!found || strstr(got, "secret")) fail_msg("%s gave \"%s\"", bad[i].url, got);
    /* the same from the environment, by the variable's name */
    setenv("HTTPS_PROXY", bad[i].url, 1);
    settings.proxy_url = NULL;
    got = chosen(&settings, "https://h.example/");
    if (strncmp(got, "error: HTTPS_PROXY: ", 20) != 0) fail_msg("%s gave \"%s\"", bad[i].url, got);
    unsetenv("HTTPS_PROXY");
  }
}

static void proxy_credentials_come_from_one_place(void **state) {
  (void)state;
  struct secret *user = secret_new("us", 2), *password = secret_new("pw", 2);
  struct http_settings settings = {.use_proxy = true, .proxy_url = "http://a:b@p:1", .proxy_user = user, .proxy_password = password};
  assert_non_null(strstr(chosen(&settings, "https://h.example/"), "error: proxy_url: "));
  settings.proxy_url = NULL;
  setenv("HTTPS_PROXY", "http://p:1", 1);
  assert_non_null(strstr(chosen(&settings, "https://h.example/"), "need proxy_url"));
  settings.proxy_url = "http://p:1";
  settings.proxy_user = NULL;
  assert_non_null(strstr(chosen(&settings, "https://h.example/"), "without proxy_user"));

  /* decoded from the URL, which is then shown without them */
  settings = (struct http_settings){.use_proxy = true, .proxy_url = "http://us%40er:p%40%3A%25%2Fw@p.example:3128/"};
  struct http_proxy_rules *rules;
  dbsql_error *error = NULL;
  assert_int_equal(http_proxy_rules_new(&settings, &rules, &error), DBSQL_OK);
  struct http_target target = target_of("https://h.example/");
  const struct http_proxy *proxy = http_proxy_choose(rules, &target);
  assert_string_equal(secret_text(proxy->user), "us@er");
  assert_string_equal(secret_text(proxy->password), "p@:%/w");
  assert_string_equal(proxy->url, "http://p.example:3128");
  assert_string_equal(proxy->shown, "p.example:3128");
  http_proxy_rules_free(rules);
  secret_free(user);
  secret_free(password);
}

static void proxy_rules_survive_failing_allocations(void **state) {
  (void)state;
  struct http_settings settings = {.use_proxy = true, .proxy_url = "http://a:b@p:1", .no_proxy = "x"};
  int64_t before = mem_test_live_blocks();
  for (uint64_t n = 1;; n++) {
    struct http_proxy_rules *rules;
    dbsql_error *error = NULL;
    mem_test_fail_at(n);
    dbsql_status status = http_proxy_rules_new(&settings, &rules, &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    assert_int_equal(status, struck ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
    if (status == DBSQL_OK) http_proxy_rules_free(rules);
    error_clear(&error);
    assert_int_equal(mem_test_live_blocks(), before);
    if (!struck) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(urls_are_taken_apart),
      cmocka_unit_test(bad_urls_are_refused_without_being_shown),
      cmocka_unit_test(locations_are_reduced_to_their_origin),
      cmocka_unit_test(loopback_is_recognised),
      cmocka_unit_test(statuses_are_retried_by_rule),
      cmocka_unit_test(waits_double_with_equal_jitter),
      cmocka_unit_test(retry_after_is_seconds_or_a_date),
      cmocka_unit_test(heads_are_read_without_case_and_cut),
      cmocka_unit_test(no_proxy_knows_every_form),
      cmocka_unit_test_setup_teardown(the_environment_has_an_order, clear_environment, clear_environment),
      cmocka_unit_test_setup_teardown(loopback_and_metadata_are_direct, clear_environment, clear_environment),
      cmocka_unit_test_setup_teardown(bad_proxies_are_errors_and_never_direct, clear_environment, clear_environment),
      cmocka_unit_test_setup_teardown(proxy_credentials_come_from_one_place, clear_environment, clear_environment),
      cmocka_unit_test_setup_teardown(proxy_rules_survive_failing_allocations, clear_environment, clear_environment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
