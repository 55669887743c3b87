/* The circuit breaker alone: telemetry.md 5, and the lines of 10.3 and 10.4 about it. */
#include "test.h"

#include "http/retry.h"
#include "telemetry/circuit_breaker.h"

static const int64_t ms = 1000000;
static const struct breaker_settings small = {
    .window = 10, .minimum = 10, .percent = 50, .open_ms = 50, .longest_ms = 3600000, .successes = 3, .probe_ms = 10000, .enabled = true};

/* One call at that time; false if it was not let through. */
static bool call_at(struct breaker *breaker, int64_t now, enum breaker_outcome outcome, int64_t retry_after_ms) {
  uint32_t generation;
  if (!breaker_admit(breaker, now, &generation)) return false;
  breaker_report(breaker, now, generation, outcome, retry_after_ms);
  return true;
}

static void many(struct breaker *breaker, int64_t now, int count, enum breaker_outcome outcome) {
  for (int i = 0; i < count; i++) call_at(breaker, now, outcome, 0);
}

static struct breaker opened(int64_t now, int64_t retry_after_ms) {
  struct breaker breaker;
  breaker_init(&breaker, &small, 7);
  many(&breaker, now, 9, BREAKER_FAILURE);
  call_at(&breaker, now, BREAKER_FAILURE, retry_after_ms);
  assert_int_equal(breaker.state, BREAKER_OPEN);
  return breaker;
}

/* InitialState */
static void test_initial_state(void **state) {
  (void)state;
  struct breaker breaker;
  breaker_init(&breaker, &breaker_defaults, 1);
  assert_int_equal(breaker.state, BREAKER_CLOSED);
  assert_int_equal(breaker_next_ns(&breaker, 5), 5);
  assert_int_equal(breaker_defaults.window, 30);
  assert_int_equal(breaker_defaults.minimum, 10);
  assert_int_equal(breaker_defaults.percent, 50);
  assert_int_equal(breaker_defaults.open_ms, 60000);
  assert_int_equal(breaker_defaults.successes, 3);
}

/* ClosedToOpen_FailureRate */
static void test_opens_at_failure_rate(void **state) {
  (void)state;
  struct breaker breaker;
  breaker_init(&breaker, &small, 1);
  many(&breaker, 0, 4, BREAKER_SUCCESS);
  many(&breaker, 0, 5, BREAKER_FAILURE);
  assert_int_equal(breaker.state, BREAKER_CLOSED);
  call_at(&breaker, 0, BREAKER_FAILURE, 0);
  assert_int_equal(breaker.state, BREAKER_OPEN);
}

/* MinimumCallsRequired */
static void test_minimum_calls(void **state) {
  (void)state;
  struct breaker_settings settings = breaker_defaults;
  settings.minimum = 20;
  struct breaker breaker;
  breaker_init(&breaker, &settings, 1);
  many(&breaker, 0, 19, BREAKER_FAILURE);
  assert_int_equal(breaker.state, BREAKER_CLOSED);
  many(&breaker, 0, 1, BREAKER_FAILURE);
  assert_int_equal(breaker.state, BREAKER_OPEN);
}

/* SlidingWindow */
static void test_sliding_window(void **state) {
  (void)state;
  struct breaker breaker = opened(0, 0);
  int64_t later = 60 * ms;
  many(&breaker, later, 3, BREAKER_SUCCESS);
  assert_int_equal(breaker.state, BREAKER_CLOSED);
  int count;
  assert_int_equal(breaker_failures(&breaker, &count), 0);
  assert_int_equal(count, 0);
  many(&breaker, later, 10, BREAKER_SUCCESS);
  assert_int_equal(breaker.state, BREAKER_CLOSED);
  /* Old outcomes leave the window: four failures are forgotten behind ten successes. */
  many(&breaker, later, 4, BREAKER_FAILURE);
  assert_int_equal(breaker_failures(&breaker, &count), 4);
  many(&breaker, later, 10, BREAKER_SUCCESS);
  assert_int_equal(breaker_failures(&breaker, &count), 0);
  assert_int_equal(count, 10);
}

/* OpenRejectsRequests */
static void test_open_rejects(void **state) {
  (void)state;
  struct breaker breaker = opened(0, 0);
  uint32_t generation;
  assert_false(breaker_admit(&breaker, 49 * ms, &generation));
  assert_true(breaker_next_ns(&breaker, 0) >= 50 * ms);
  assert_true(breaker_next_ns(&breaker, 0) <= 55 * ms);
}

/* OpenToHalfOpen */
static void test_open_to_half_open(void **state) {
  (void)state;
  struct breaker breaker = opened(0, 0);
  assert_true(call_at(&breaker, 56 * ms, BREAKER_SUCCESS, 0));
  assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
}

/* HalfOpenToClosed */
static void test_half_open_to_closed(void **state) {
  (void)state;
  struct breaker breaker = opened(0, 0);
  many(&breaker, 56 * ms, 2, BREAKER_SUCCESS);
  assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
  many(&breaker, 56 * ms, 1, BREAKER_SUCCESS);
  assert_int_equal(breaker.state, BREAKER_CLOSED);
}

/* HalfOpenToOpen */
static void test_half_open_to_open(void **state) {
  (void)state;
  struct breaker breaker = opened(0, 0);
  many(&breaker, 56 * ms, 2, BREAKER_SUCCESS);
  many(&breaker, 56 * ms, 1, BREAKER_FAILURE);
  assert_int_equal(breaker.state, BREAKER_OPEN);
  assert_false(call_at(&breaker, 100 * ms, BREAKER_SUCCESS, 0));
}

/* SuccessInClosed */
static void test_success_in_closed(void **state) {
  (void)state;
  struct breaker breaker;
  breaker_init(&breaker, &breaker_defaults, 1);
  many(&breaker, 0, 50, BREAKER_SUCCESS);
  int count;
  assert_int_equal(breaker_failures(&breaker, &count), 0);
  assert_int_equal(count, 30);
  assert_int_equal(breaker.state, BREAKER_CLOSED);
}

/* FailureRateCalculation: equality opens */
static void test_failure_rate(void **state) {
  (void)state;
  struct breaker_settings settings = breaker_defaults;
  settings.minimum = 30;
  struct breaker breaker;
  breaker_init(&breaker, &settings, 1);
  for (int i = 0; i < 29; i++) call_at(&breaker, 0, i % 2 ? BREAKER_FAILURE : BREAKER_SUCCESS, 0);
  int count;
  assert_int_equal(breaker_failures(&breaker, &count), 14);
  assert_int_equal(breaker.state, BREAKER_CLOSED);
  call_at(&breaker, 0, BREAKER_FAILURE, 0);
  assert_int_equal(breaker.state, BREAKER_OPEN);
}

/* ContextCancellation: a cancelled call says nothing about the endpoint, and does not keep the next from running */
static void test_cancelled_is_neither(void **state) {
  (void)state;
  struct breaker breaker;
  breaker_init(&breaker, &small, 1);
  many(&breaker, 0, 50, BREAKER_NEITHER);
  int count;
  assert_int_equal(breaker_failures(&breaker, &count), 0);
  assert_int_equal(count, 0);
  struct breaker half = opened(0, 0);
  assert_true(call_at(&half, 56 * ms, BREAKER_NEITHER, 0));
  assert_int_equal(half.state, BREAKER_HALF_OPEN);
  assert_true(call_at(&half, 56 * ms, BREAKER_SUCCESS, 0));
}

/* RetryAfterHintExtendsOpen */
static void test_hint_extends_open(void **state) {
  (void)state;
  struct breaker breaker = opened(0, 300);
  assert_false(call_at(&breaker, 100 * ms, BREAKER_SUCCESS, 0));
  assert_true(call_at(&breaker, 331 * ms, BREAKER_SUCCESS, 0));
}

/* RetryAfterHintClearedOnClose */
static void test_hint_cleared_on_close(void **state) {
  (void)state;
  struct breaker breaker = opened(0, 300);
  many(&breaker, 331 * ms, 3, BREAKER_SUCCESS);
  assert_int_equal(breaker.state, BREAKER_CLOSED);
  assert_int_equal(breaker.hint_ns, 0);
}

/* RetryAfterHintTakesMax */
static void test_hint_takes_the_most(void **state) {
  (void)state;
  struct breaker breaker;
  breaker_init(&breaker, &small, 1);
  call_at(&breaker, 0, BREAKER_FAILURE, 30000);
  call_at(&breaker, 0, BREAKER_FAILURE, 10000);
  assert_int_equal(breaker.hint_ns, 30000 * ms);
  call_at(&breaker, 0, BREAKER_FAILURE, 90000);
  call_at(&breaker, 0, BREAKER_FAILURE, 0);
  call_at(&breaker, 0, BREAKER_FAILURE, -5);
  assert_int_equal(breaker.hint_ns, 90000 * ms);
  call_at(&breaker, 0, BREAKER_FAILURE, INT64_C(90000000));
  assert_int_equal(breaker.hint_ns, INT64_C(3600000) * ms); /* an hour at most */
  call_at(&breaker, 0, BREAKER_SUCCESS, 0);
  assert_int_equal(breaker.hint_ns, 0); /* a lone 429 of long ago stretches nothing */
}

/* HintClearedBeforeHalfOpenFailRecycle */
static void test_failed_probe_waits_as_usual(void **state) {
  (void)state;
  struct breaker breaker = opened(0, 300);
  assert_true(call_at(&breaker, 331 * ms, BREAKER_FAILURE, 0));
  assert_int_equal(breaker.state, BREAKER_OPEN);
  assert_true(call_at(&breaker, (331 + 56) * ms, BREAKER_SUCCESS, 0));
}

/* TestParseRetryAfter; in C the date gives a value, and 0 says "at once", which the breaker takes as no hint */
static void test_parse_retry_after(void **state) {
  (void)state;
  assert_int_equal(retry_after_ms("", 0), -1);
  assert_int_equal(retry_after_ms("0", 0), 0);
  assert_int_equal(retry_after_ms("-1", 0), -1);
  assert_int_equal(retry_after_ms("abc", 0), -1);
  assert_int_equal(retry_after_ms("5", 0), 5000);
  assert_int_equal(retry_after_ms(" 120 ", 0), 120000);
  assert_int_equal(retry_after_ms("Thu, 01 Jan 1970 00:01:00 GMT", 0), 60000);
}

/* "one probe only when two callers race after open to half-open"; results of an older generation are ignored */
static void test_one_probe_at_a_time(void **state) {
  (void)state;
  struct breaker breaker;
  breaker_init(&breaker, &small, 3);
  uint32_t early;
  assert_true(breaker_admit(&breaker, 0, &early));
  many(&breaker, 0, 10, BREAKER_FAILURE);
  assert_int_equal(breaker.state, BREAKER_OPEN);
  uint32_t first, second;
  assert_true(breaker_admit(&breaker, 56 * ms, &first));
  assert_false(breaker_admit(&breaker, 56 * ms, &second));
  breaker_report(&breaker, 57 * ms, early, BREAKER_SUCCESS, 0);
  assert_int_equal(breaker.successes, 0);
  assert_false(breaker_admit(&breaker, 57 * ms, &second));
  breaker_report(&breaker, 58 * ms, first, BREAKER_SUCCESS, 0);
  assert_true(breaker_admit(&breaker, 58 * ms, &second));
  breaker_report(&breaker, 58 * ms, early, BREAKER_FAILURE, 0);
  assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
  breaker_report(&breaker, 58 * ms, second, BREAKER_SUCCESS, 0);
}

static void test_probe_cannot_get_stuck(void **state) {
  (void)state;
  struct breaker breaker = opened(0, 0);
  uint32_t lost, next;
  assert_true(breaker_admit(&breaker, 56 * ms, &lost));
  assert_false(breaker_admit(&breaker, 9000 * ms, &next));
  assert_false(breaker_admit(&breaker, 10057 * ms, &next)); /* it has failed, and the wait begins anew */
  assert_int_equal(breaker.state, BREAKER_OPEN);
  assert_true(breaker_admit(&breaker, 10120 * ms, &next));
  breaker_report(&breaker, 10120 * ms, lost, BREAKER_SUCCESS, 0);
  assert_int_equal(breaker.successes, 0);
}

/* "lets everything pass when disabled" */
static void test_disabled_lets_everything_pass(void **state) {
  (void)state;
  struct breaker_settings settings = small;
  settings.enabled = false;
  struct breaker breaker;
  breaker_init(&breaker, &settings, 1);
  many(&breaker, 0, 100, BREAKER_FAILURE);
  assert_int_equal(breaker.state, BREAKER_CLOSED);
  assert_true(call_at(&breaker, 0, BREAKER_SUCCESS, 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_initial_state),
      cmocka_unit_test(test_opens_at_failure_rate),
      cmocka_unit_test(test_minimum_calls),
      cmocka_unit_test(test_sliding_window),
      cmocka_unit_test(test_open_rejects),
      cmocka_unit_test(test_open_to_half_open),
      cmocka_unit_test(test_half_open_to_closed),
      cmocka_unit_test(test_half_open_to_open),
      cmocka_unit_test(test_success_in_closed),
      cmocka_unit_test(test_failure_rate),
      cmocka_unit_test(test_cancelled_is_neither),
      cmocka_unit_test(test_hint_extends_open),
      cmocka_unit_test(test_hint_cleared_on_close),
      cmocka_unit_test(test_hint_takes_the_most),
      cmocka_unit_test(test_failed_probe_waits_as_usual),
      cmocka_unit_test(test_parse_retry_after),
      cmocka_unit_test(test_one_probe_at_a_time),
      cmocka_unit_test(test_probe_cannot_get_stuck),
      cmocka_unit_test(test_disabled_lets_everything_pass),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
