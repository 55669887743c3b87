/* Feature flags without a network: telemetry.md 3, and the lines of 10.3 about the cache. */
#include "test.h"

#include <stdio.h>

#include "base/error.h"
#include "base/mem.h"
#include "telemetry/feature_flag.h"

static const int64_t s = 1000000000;
#define FLAG "databricks.partnerplatform.clientConfigsFeatureFlags.enableTelemetryForAdbc"

static struct flag_list parsed(const char *text) {
  struct flag_list list;
  dbsql_error *error = NULL;
  if (flag_list_parse(slice_text(text), &list, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return list;
}

static void answer(struct flag_entry *entry, int64_t now, const char *text) {
  struct flag_list list = parsed(text);
  assert_true(flag_begin_fetch(entry, now));
  flag_end_fetch(entry, &list, now);
}

static void refuse(struct flag_entry *entry, int64_t now, int status) {
  assert_true(flag_begin_fetch(entry, now));
  flag_fail_fetch(entry, status, now);
}

#define YES "{\"flags\":[{\"name\":\"" FLAG "\",\"value\":\"true\"}]}"
#define NO "{\"flags\":[{\"name\":\"" FLAG "\",\"value\":\"false\"}]}"

/* FetchFeatureFlag_Success, _Disabled, _FlagNotPresent */
static void test_values(void **state) {
  (void)state;
  struct flag_entry entry = {0};
  assert_int_equal(flag_lookup(&entry, FLAG), FLAG_STATE_PENDING);
  answer(&entry, 0, YES);
  assert_int_equal(flag_lookup(&entry, FLAG), FLAG_STATE_TRUE);
  answer(&entry, 1000 * s, NO);
  assert_int_equal(flag_lookup(&entry, FLAG), FLAG_STATE_FALSE);
  answer(&entry, 2000 * s, "{\"flags\":[],\"ttl_seconds\":900}");
  assert_int_equal(flag_lookup(&entry, FLAG), FLAG_STATE_MISSING);
  answer(&entry, 3000 * s, "{\"flags\":[{\"name\":\"" FLAG "\",\"value\":\"TRUE\"}],\"new\":{}}");
  assert_int_equal(flag_lookup(&entry, FLAG), FLAG_STATE_TRUE);
  answer(&entry, 4000 * s, "{}");
  assert_int_equal(flag_lookup(&entry, FLAG), FLAG_STATE_MISSING);
  flag_entry_free(&entry);
}

/* FetchFeatureFlag_InvalidJSON; values that are no texts do no harm */
static void test_bad_answers(void **state) {
  (void)state;
  static const char *const bad[] = {"", "nonsense", "[]", "3", "{\"flags\":{}}", "{\"flags\":\"x\"}", "{\"flags\":["};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct flag_list list;
    dbsql_error *error = NULL;
    assert_int_equal(flag_list_parse(slice_text(bad[i]), &list, &error), DBSQL_ERROR_REQUEST);
    assert_non_null(strstr(dbsql_error_message(error), "feature flags"));
    error_clear(&error);
    flag_list_free(&list);
  }
  struct flag_list list = parsed(
      "{\"flags\":[1,null,{},{\"name\":1,\"value\":\"true\"},{\"name\":\"a\",\"value\":7},{\"name\":\"b\",\"value\":true},"
      "{\"name\":\"\",\"value\":\"x\"},{\"name\":\"c\",\"value\":\"x\"}],\"ttl_seconds\":\"soon\"}");
  assert_int_equal(list.count, 2);
  assert_null(flag_list_find(&list, "a"));
  assert_string_equal(flag_list_find(&list, "b"), "true");
  assert_string_equal(flag_list_find(&list, "c"), "x");
  assert_int_equal(list.ttl_s, 0);
  flag_list_free(&list);
}

/* Several flags per answer, and no more than the bounds */
static void test_many_flags(void **state) {
  (void)state;
  struct buf text = BUF_INIT;
  buf_append_text(&text, "{\"flags\":[");
  for (int i = 0; i < 200; i++) buf_printf(&text, "%s{\"name\":\"flag%d\",\"value\":\"%d\"}", i ? "," : "", i, i);
  buf_append_text(&text, ",{\"name\":\"");
  for (int i = 0; i < 300; i++) buf_append_byte(&text, 'n');
  buf_append_text(&text, "\",\"value\":\"x\"}]}");
  struct flag_list list = parsed(buf_text(&text));
  assert_int_equal(list.count, flag_most);
  assert_string_equal(flag_list_find(&list, "flag0"), "0");
  assert_string_equal(flag_list_find(&list, "flag63"), "63");
  assert_null(flag_list_find(&list, "flag64"));
  flag_list_free(&list);
  buf_free(&text);
}

/* IsTelemetryEnabled_Cached, FeatureFlagContext_IsExpired: 15 minutes unless the server says something within 1 to 60 minutes */
static void test_freshness(void **state) {
  (void)state;
  static const struct {
    const char *ttl;
    int64_t fresh_s;
  } cases[] = {{"", 900},
               {",\"ttl_seconds\":300", 300},
               {",\"ttl_seconds\":1", 60},
               {",\"ttl_seconds\":1e18", 3600},
               {",\"ttl_seconds\":-5", 900},
               {",\"ttl_seconds\":90.5", 90}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[300];
    snprintf(text, sizeof text, "{\"flags\":[{\"name\":\"" FLAG "\",\"value\":\"true\"}]%s}", cases[i].ttl);
    struct flag_entry entry = {0};
    assert_true(flag_wants_fetch(&entry, 5));
    answer(&entry, 10 * s, text);
    assert_false(flag_wants_fetch(&entry, (10 + cases[i].fresh_s) * s - 1));
    assert_int_equal(flag_next_fetch_ns(&entry, 10 * s), (10 + cases[i].fresh_s) * s);
    assert_true(flag_wants_fetch(&entry, (10 + cases[i].fresh_s) * s));
    /* Stale while somebody asks again */
    assert_int_equal(flag_lookup(&entry, FLAG), FLAG_STATE_TRUE);
    flag_entry_free(&entry);
  }
}

/* IsTelemetryEnabled_Expired */
static void test_expired_is_replaced(void **state) {
  (void)state;
  struct flag_entry entry = {0};
  answer(&entry, 0, YES);
  answer(&entry, 20 * 60 * s, NO);
  assert_int_equal(flag_lookup(&entry, FLAG), FLAG_STATE_FALSE);
  flag_entry_free(&entry);
}

/* IsTelemetryEnabled_ErrorFallback and _ErrorNoCache, FetchFeatureFlag_HTTPError */
static void test_errors(void **state) {
  (void)state;
  struct flag_entry entry = {0};
  answer(&entry, 0, YES);
  refuse(&entry, 1200 * s, 500);
  assert_int_equal(flag_lookup(&entry, FLAG), FLAG_STATE_TRUE);
  flag_entry_free(&entry);
  struct flag_entry fresh = {0};
  refuse(&fresh, 0, 500);
  assert_int_equal(flag_lookup(&fresh, FLAG), FLAG_STATE_ERROR);
}

/* The negative cache: a failed fetch is not repeated for a minute, then two, up to fifteen; a refusal counts as long as an answer */
static void test_negative_cache(void **state) {
  (void)state;
  struct flag_entry entry = {0};
  int64_t now = 0;
  static const int64_t waits[] = {60, 120, 240, 480, 900, 900};
  for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
    refuse(&entry, now, i % 2 ? 503 : 0);
    assert_false(flag_wants_fetch(&entry, now + waits[i] * s - 1));
    now += waits[i] * s;
    assert_true(flag_wants_fetch(&entry, now));
  }
  for (int status = 401; status <= 404; status++) {
    if (status == 402) continue;
    struct flag_entry other = {0};
    refuse(&other, 0, status);
    assert_int_equal(flag_next_fetch_ns(&other, 0), 900 * s);
  }
}

/* Single flight */
static void test_one_fetch_at_a_time(void **state) {
  (void)state;
  struct flag_entry entry = {0};
  assert_true(flag_begin_fetch(&entry, 0));
  assert_false(flag_begin_fetch(&entry, 0));
  assert_false(flag_wants_fetch(&entry, 1000000 * s));
  assert_int_equal(flag_next_fetch_ns(&entry, 0), INT64_MAX);
  flag_fail_fetch(&entry, 0, 0);
  assert_false(flag_begin_fetch(&entry, 1));
}

static void test_out_of_memory(void **state) {
  (void)state;
  int64_t blocks = mem_test_live_blocks();
  for (uint64_t n = 1;; n++) {
    struct flag_list list;
    dbsql_error *error = NULL;
    mem_test_fail_at(n);
    dbsql_status status = flag_list_parse(slice_text(YES), &list, &error);
    mem_test_fail_at(0);
    assert_true(status == DBSQL_OK || status == DBSQL_ERROR_NO_MEMORY);
    flag_list_free(&list);
    error_clear(&error);
    assert_int_equal(mem_test_live_blocks(), blocks);
    if (status == DBSQL_OK) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),         cmocka_unit_test(test_bad_answers),         cmocka_unit_test(test_many_flags),
      cmocka_unit_test(test_freshness),      cmocka_unit_test(test_expired_is_replaced), cmocka_unit_test(test_errors),
      cmocka_unit_test(test_negative_cache), cmocka_unit_test(test_one_fetch_at_a_time), cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
