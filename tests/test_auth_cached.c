/* The cache around a provider (auth.md 1.16 and 1.18). */
#include "auth_support.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct auth_context *context;
static const int64_t second_ns = 1000000000;

static int begin(void **state) {
  UNUSED(state);
  context = new_context("https://h.example", "h.example");
  clock_test_begin(INT64_C(1000000000000), INT64_C(1700000000000000));
  return 0;
}
static int end(void **state) {
  UNUSED(state);
  clock_test_end();
  auth_context_drop(context);
  return 0;
}

/* Until a background fetch has ended, seen from outside. */
static void wait_for_header(dbsql_token_provider *provider, const char *header) {
  for (;;) {
    struct token *token = token_of(provider, context);
    bool there = strcmp(secret_text(token->header), header) == 0;
    token_drop(token);
    if (there) return;
    sched_yield();
  }
}

/* two calls -> base called once, equal token; name cached[x]; returned tokens independent of each other's end */
static void one_fetch_for_many_calls(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  source.lifetime_ms = 3600000;
  dbsql_token_provider *provider = cached_of(external_of(&source, 0), 0);
  assert_string_equal(provider->name, "cached[external]");
  struct token *a = token_of(provider, context), *b = token_of(provider, context);
  assert_true(token_equal(a, b));
  assert_int_equal(source_calls(&source), 1);
  token_drop(a);
  assert_header(b, "Bearer token-1");
  provider_drop(provider);
  assert_int_equal(source.destroyed, 1);
  assert_header(b, "Bearer token-1");
  token_drop(b);
}

/* refresh when within the threshold, not when outside; the old one is served meanwhile (C6) */
static void refresh_ahead(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  source.lifetime_ms = 3600000;
  dbsql_token_provider *provider = cached_of(external_of(&source, 0), 0);
  assert_gives(provider, context, "Bearer token-1");
  clock_test_advance(2399 * second_ns);
  assert_gives(provider, context, "Bearer token-1");
  assert_int_equal(source_calls(&source), 1);
  clock_test_advance(second_ns);
  assert_gives(provider, context, "Bearer token-1");
  wait_for_header(provider, "Bearer token-2");
  assert_int_equal(source.reason, DBSQL_TOKEN_REFRESH);
  assert_int_equal(source_calls(&source), 2);
  /* past its end: nobody gets the old one */
  clock_test_advance(3600 * second_ns);
  assert_gives(provider, context, "Bearer token-3");
  provider_drop(provider);
}

/* threshold larger than the lifetime: half of it counts, so that not every call refreshes (C5) */
static void threshold_beyond_the_lifetime(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  source.lifetime_ms = 300000;
  dbsql_token_provider *provider = cached_of(external_of(&source, 0), 3600000);
  assert_gives(provider, context, "Bearer token-1");
  clock_test_advance(149 * second_ns);
  assert_gives(provider, context, "Bearer token-1");
  assert_int_equal(source_calls(&source), 1);
  clock_test_advance(second_ns);
  assert_gives(provider, context, "Bearer token-1");
  wait_for_header(provider, "Bearer token-2");
  provider_drop(provider);

  struct source narrow = SOURCE_INIT;
  narrow.lifetime_ms = 3600000;
  provider = cached_of(external_of(&narrow, 0), 60000);
  assert_gives(provider, context, "Bearer token-1");
  clock_test_advance(3539 * second_ns);
  assert_gives(provider, context, "Bearer token-1");
  assert_int_equal(source_calls(&narrow), 1);
  provider_drop(provider);
}

/* no expiry: never refreshed, if the source says so */
static void without_expiry(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  dbsql_token_source made = {.struct_size = sizeof made, .get_token = source_get, .user = &source, .unknown_lifetime_ms = -1};
  dbsql_token_provider *inner;
  assert_int_equal(provider_external(&made, &inner, NULL), DBSQL_OK);
  dbsql_token_provider *provider = cached_of(inner, 0);
  assert_gives(provider, context, "Bearer token-1");
  clock_test_advance(100000000 * second_ns);
  assert_gives(provider, context, "Bearer token-1");
  assert_int_equal(source_calls(&source), 1);
  provider_drop(provider);

  /* unknown: a minute */
  struct source unknown = SOURCE_INIT;
  provider = cached_of(external_of(&unknown, 0), 0);
  assert_gives(provider, context, "Bearer token-1");
  clock_test_advance(61 * second_ns);
  assert_gives(provider, context, "Bearer token-2");
  provider_drop(provider);
}

struct log_lines {
  pthread_mutex_t lock;
  int warnings, debugs;
  char last[512];
};
static void count_line(void *user, const dbsql_log_record *record) {
  struct log_lines *lines = user;
  pthread_mutex_lock(&lines->lock);
  if (record->level == DBSQL_LOG_WARN) lines->warnings++;
  if (record->level == DBSQL_LOG_DEBUG) lines->debugs++;
  snprintf(lines->last, sizeof lines->last, "%s", record->message);
  for (size_t i = 0; i < record->field_count; i++) assert_null(strstr(record->fields[i].value, "token-"));
  pthread_mutex_unlock(&lines->lock);
}

/* error leaves the cache and serves stale (C2): warned of once, tried again a minute later, an error only when it is unusable */
static void stale_while_the_provider_fails(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  source.lifetime_ms = 3600000;
  dbsql_token_provider *provider = cached_of(external_of(&source, DBSQL_TOKEN_NO_BACKGROUND), 0);
  struct log_lines lines = {.lock = PTHREAD_MUTEX_INITIALIZER};
  struct log log = {DBSQL_LOG_DEBUG, count_line, &lines};
  struct call call;
  call_begin_internal(&call, 0);
  struct token_request request = {context, &call, &log, DBSQL_TOKEN_INITIAL, false};
  struct token *token;
  assert_int_equal(provider_get(provider, &request, &token, NULL), DBSQL_OK);
  token_drop(token);
  assert_int_equal(lines.warnings, 0);
  assert_int_equal(lines.debugs, 1); /* "a host application's log stays clean" */
  source.failure = "closed";
  clock_test_advance(2400 * second_ns);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(provider_get(provider, &request, &token, NULL), DBSQL_OK);
    assert_header(token, "Bearer token-1");
    token_drop(token);
  }
  assert_int_equal(source_calls(&source), 2);
  assert_int_equal(lines.warnings, 1);
  clock_test_advance(59 * second_ns);
  assert_gives(provider, context, "Bearer token-1");
  assert_int_equal(source_calls(&source), 2);
  clock_test_advance(second_ns);
  assert_gives(provider, context, "Bearer token-1");
  assert_int_equal(source_calls(&source), 3);
  clock_test_advance(1200 * second_ns);
  assert_string_equal(refusal_of(provider, context),
                      "cached token provider: failed to get token: external token provider: failed to get token: closed");
  source.failure = NULL;
  assert_gives(provider, context, "Bearer token-5");
  provider_drop(provider);
}

struct crowd {
  dbsql_token_provider *provider;
  struct test_event ready;
  pthread_mutex_t lock;
  int errors;
};
static void *ask_in_crowd(void *user) {
  struct crowd *crowd = user;
  test_event_wait(&crowd->ready);
  struct token *token = NULL;
  dbsql_error *error = NULL;
  if (ask_for_token(crowd->provider, context, &token, &error) != DBSQL_OK) {
    pthread_mutex_lock(&crowd->lock);
    crowd->errors++;
    pthread_mutex_unlock(&crowd->lock);
  }
  error_clear(&error);
  token_drop(token);
  return NULL;
}

enum { crowd_size = 100 };
static int crowd_asks(dbsql_token_provider *provider) {
  struct crowd crowd = {.provider = provider, .ready = TEST_EVENT_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};
  pthread_t threads[crowd_size];
  for (int i = 0; i < crowd_size; i++) assert_int_equal(pthread_create(&threads[i], NULL, ask_in_crowd, &crowd), 0);
  test_event_set(&crowd.ready);
  for (int i = 0; i < crowd_size; i++) pthread_join(threads[i], NULL);
  return crowd.errors;
}

/* 64 threads, one fetch (C1); here 100, and again when the token has expired; a failure is everybody's, and one fetch too */
static void one_fetch_for_many_threads(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  source.lifetime_ms = 3600000;
  dbsql_token_provider *provider = cached_of(external_of(&source, 0), 0);
  assert_int_equal(crowd_asks(provider), 0);
  assert_int_equal(source_calls(&source), 1);
  clock_test_advance(3600 * second_ns);
  assert_int_equal(crowd_asks(provider), 0);
  assert_int_equal(source_calls(&source), 2);
  clock_test_advance(2400 * second_ns);
  assert_int_equal(crowd_asks(provider), 0);
  wait_for_header(provider, "Bearer token-3");
  assert_int_equal(source_calls(&source), 3);
  provider_drop(provider);
}

struct asking {
  dbsql_token_provider *provider;
  struct call call;
  struct token *token;
  dbsql_error *error;
  dbsql_status status;
};
static void *ask_alone(void *user) {
  struct asking *asking = user;
  asking->status = ask_within(asking->provider, context, &asking->call, &asking->token, &asking->error);
  return NULL;
}

/* a waiter cancelled alone: the fetch goes on for the others (C8); deadline exceeded in the callback; a provider that blocks harms only
 * who needs it */
static void waiters_leave_alone(void **state) {
  UNUSED(state);
  clock_test_end();
  struct test_event started = TEST_EVENT_INIT, go = TEST_EVENT_INIT;
  struct source source = SOURCE_INIT;
  source.started = &started;
  source.go = &go;
  source.lifetime_ms = 3600000;
  dbsql_token_provider *provider = cached_of(external_of(&source, 0), 0);
  dbsql_cancel *cancel;
  assert_int_equal(dbsql_cancel_new(&cancel, NULL), DBSQL_OK);
  struct asking first = {.provider = provider}, second = {.provider = provider}, third = {.provider = provider};
  call_begin_internal(&first.call, 0);
  call_begin_internal(&second.call, 0);
  first.call.cancel = cancel;
  pthread_t threads[2];
  assert_int_equal(pthread_create(&threads[0], NULL, ask_alone, &first), 0);
  test_event_wait(&started);
  assert_int_equal(pthread_create(&threads[1], NULL, ask_alone, &second), 0);
  call_begin_internal(&third.call, 30);
  ask_alone(&third);
  assert_int_equal(third.status, DBSQL_ERROR_TIMEOUT);
  assert_string_equal(dbsql_error_sqlstate(third.error), "HYT00");
  assert_contains(dbsql_error_message(third.error), "for an access token"); /* asking or waiting, as slow as the machine is */
  dbsql_cancel_trigger(cancel);
  pthread_join(threads[0], NULL);
  assert_int_equal(first.status, DBSQL_ERROR_CANCELLED);
  assert_false(source.was_cancelled);
  test_event_set(&go);
  pthread_join(threads[1], NULL);
  assert_int_equal(second.status, DBSQL_OK);
  assert_header(second.token, "Bearer token-1");
  assert_int_equal(source_calls(&source), 1);
  error_clear(&first.error);
  error_clear(&third.error);
  token_drop(second.token);
  provider_drop(provider);
  dbsql_cancel_free(cancel);
}

/* without a background thread the fetch is its caller's: cancelled, it is no error of those who wait, and one of them fetches */
static void foreground_fetches(void **state) {
  UNUSED(state);
  clock_test_end();
  struct test_event started = TEST_EVENT_INIT;
  struct source source = SOURCE_INIT;
  source.started = &started;
  source.heed_cancel = true;
  source.failure = "cancelled";
  dbsql_token_provider *provider = cached_of(external_of(&source, DBSQL_TOKEN_NO_BACKGROUND), 0);
  dbsql_cancel *cancel;
  assert_int_equal(dbsql_cancel_new(&cancel, NULL), DBSQL_OK);
  struct asking first = {.provider = provider};
  call_begin_internal(&first.call, 0);
  first.call.cancel = cancel;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, ask_alone, &first), 0);
  test_event_wait(&started);
  dbsql_cancel_trigger(cancel);
  pthread_join(thread, NULL);
  assert_int_not_equal(first.status, DBSQL_OK);
  assert_true(source.was_cancelled);
  error_clear(&first.error);
  provider_drop(provider);
  dbsql_cancel_free(cancel);
}

/* slow fetch does not block STALE readers; close while a refresh is in flight cancels it and waits */
static void slow_refresh(void **state) {
  UNUSED(state);
  struct test_event started = TEST_EVENT_INIT;
  struct source source = SOURCE_INIT;
  source.lifetime_ms = 3600000;
  dbsql_token_provider *provider = cached_of(external_of(&source, 0), 0);
  assert_gives(provider, context, "Bearer token-1");
  pthread_mutex_lock(&source.lock);
  source.started = &started;
  source.heed_cancel = true;
  pthread_mutex_unlock(&source.lock);
  clock_test_advance(2400 * second_ns);
  for (int i = 0; i < 3; i++) assert_gives(provider, context, "Bearer token-1");
  test_event_wait(&started);
  assert_gives(provider, context, "Bearer token-1");
  clock_test_end();
  provider_drop(provider);
  assert_true(source.was_cancelled);
  assert_int_equal(source.destroyed, 1);
  assert_int_equal(source.calls, 2);
}

/* close with a callback that never looks up: the thread frees everything when it ends, and destroy comes after it */
static void callback_outlives_its_provider(void **state) {
  UNUSED(state);
  clock_test_end();
  struct test_event started = TEST_EVENT_INIT, go = TEST_EVENT_INIT;
  struct source source = SOURCE_INIT;
  source.started = &started;
  source.go = &go;
  dbsql_token_provider *provider = cached_of(external_of(&source, 0), 0);
  struct asking asking = {.provider = provider};
  call_begin_internal(&asking.call, 20);
  ask_alone(&asking);
  assert_int_equal(asking.status, DBSQL_ERROR_TIMEOUT);
  error_clear(&asking.error);
  test_event_wait(&started);
  provider_drop(provider); /* waits its two seconds */
  assert_int_equal(source.destroyed, 0);
  test_event_set(&go);
  for (;;) {
    pthread_mutex_lock(&source.lock);
    bool done = source.destroyed == 1;
    pthread_mutex_unlock(&source.lock);
    if (done) break;
    sched_yield();
  }
}

/* invalidate: only the token that was refused; the next one comes for the reason REJECTED (C4) */
static void rejected_tokens(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  source.lifetime_ms = 3600000;
  dbsql_token_provider *provider = cached_of(external_of(&source, 0), 0);
  struct token *first = token_of(provider, context);
  uint64_t generation = atomic_load(&provider->generation);
  provider_reject(provider, first);
  assert_true(atomic_load(&provider->generation) != generation);
  struct token *second = token_of(provider, context);
  assert_header(second, "Bearer token-2");
  assert_int_equal(source.reason, DBSQL_TOKEN_REJECTED);
  provider_reject(provider, first); /* that one is gone already */
  assert_gives(provider, context, "Bearer token-2");
  assert_int_equal(source_calls(&source), 2);
  token_drop(first);
  token_drop(second);
  provider_drop(provider);
}

/* invalidate during a fetch: what was on its way and is the refused token does not count; another one does */
static void rejected_during_a_fetch(void **state) {
  UNUSED(state);
  struct test_event started = TEST_EVENT_INIT, go = TEST_EVENT_INIT;
  struct source source = SOURCE_INIT;
  source.lifetime_ms = 3600000;
  source.fixed = "same";
  dbsql_token_provider *provider = cached_of(external_of(&source, 0), 0);
  struct token *first = token_of(provider, context);
  pthread_mutex_lock(&source.lock);
  source.started = &started;
  source.go = &go;
  pthread_mutex_unlock(&source.lock);
  clock_test_advance(2400 * second_ns);
  assert_gives(provider, context, "Bearer same");
  test_event_wait(&started);
  provider_reject(provider, first);
  test_event_set(&go);
  /* the fetch of before brings the refused one, so there is another fetch, which also brings it: then it is what there is */
  assert_gives(provider, context, "Bearer same");
  assert_int_equal(source_calls(&source), 3);
  token_drop(first);
  provider_drop(provider);
}

/* T3: a provider that keeps tokens serves one origin */
static void one_origin(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  struct auth_context *other = new_context("https://other.example", "other.example");
  dbsql_token_provider *provider = cached_of(external_of(&source, 0), 0);
  assert_gives(provider, context, "Bearer token-1");
  assert_contains(refusal_of(provider, other), "serves https://h.example and its tokens are not for https://other.example");
  assert_int_equal(source_calls(&source), 1);
  provider_drop(provider);
  auth_context_drop(other);
}

/* a token that is about to expire when it comes is an error and no endless fetching */
static void tokens_that_come_too_late(void **state) {
  UNUSED(state);
  struct source source = SOURCE_INIT;
  source.lifetime_ms = 20000;
  dbsql_token_provider *provider = cached_of(external_of(&source, 0), 0);
  assert_contains(refusal_of(provider, context), "has expired");
  assert_int_equal(source_calls(&source), 1);
  provider_drop(provider);
}

static int late_calls;
static dbsql_status give_late(dbsql_token_provider *self, const struct token_request *request, struct token **token, dbsql_error **error) {
  (void)self, (void)request;
  late_calls++;
  struct token_parts parts = {.value = slice_text("late"), .expires_unix_ms = unix_ms() + 20000};
  return token_new(&parts, "late", token, error);
}
static void keep_it(dbsql_token_provider *self) {
  (void)self;
}

/* the same of a provider that does not look itself */
static void providers_that_come_too_late(void **state) {
  UNUSED(state);
  static const struct provider_ops ops = {give_late, NULL, keep_it};
  dbsql_token_provider late = {0};
  provider_init(&late, &ops, "late");
  late_calls = 0;
  dbsql_token_provider *provider = cached_of(&late, 0);
  assert_contains(refusal_of(provider, context), "late gave a token that has expired, or is about to");
  assert_int_equal(late_calls, 1);
  provider_drop(provider);
}

/* T44: a child forgets the parent's fetch and makes its own */
static void after_a_fork(void **state) {
  UNUSED(state);
  clock_test_end();
  struct test_event started = TEST_EVENT_INIT, go = TEST_EVENT_INIT;
  struct source source = SOURCE_INIT;
  source.started = &started;
  source.go = &go;
  /* Without threads of ours, since ThreadSanitizer lets a forked child start none. */
  dbsql_token_provider *provider = cached_of(external_of(&source, DBSQL_TOKEN_THREAD_SAFE | DBSQL_TOKEN_NO_BACKGROUND), 0);
  struct asking parent = {.provider = provider}, asking = {.provider = provider};
  call_begin_internal(&parent.call, 60000);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, ask_alone, &parent), 0);
  test_event_wait(&started);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    source.started = source.go = NULL;
    call_begin_internal(&asking.call, 20000);
    ask_alone(&asking);
    _exit(asking.status == DBSQL_OK && strcmp(secret_text(asking.token->header), "Bearer token-2") == 0 ? 0 : 1);
  }
  int result;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
  test_event_set(&go);
  pthread_join(thread, NULL);
  assert_int_equal(parent.status, DBSQL_OK);
  token_drop(parent.token);
  provider_drop(provider);
}

/* T44: also one whose callbacks take turns */
static void after_a_fork_in_a_callback(void **state) {
  UNUSED(state);
  clock_test_end();
  struct test_event started = TEST_EVENT_INIT, go = TEST_EVENT_INIT;
  struct source source = SOURCE_INIT;
  source.started = &started;
  source.go = &go;
  dbsql_token_provider *provider = cached_of(external_of(&source, DBSQL_TOKEN_NO_BACKGROUND), 0);
  struct asking parent = {.provider = provider}, asking = {.provider = provider};
  call_begin_internal(&parent.call, 60000);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, ask_alone, &parent), 0);
  test_event_wait(&started);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    source.started = source.go = NULL;
    call_begin_internal(&asking.call, 2000);
    ask_alone(&asking);
    _exit(asking.status == DBSQL_OK && strcmp(secret_text(asking.token->header), "Bearer token-2") == 0 ? 0 : 1);
  }
  int result;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
  test_event_set(&go);
  pthread_join(thread, NULL);
  assert_int_equal(parent.status, DBSQL_OK);
  token_drop(parent.token);
  provider_drop(provider);
}

/* every allocation fails once, also those of the fetch's thread */
static void without_memory(void **state) {
  UNUSED(state);
  for (uint64_t n = 1;; n++) {
    struct source source = SOURCE_INIT;
    source.lifetime_ms = 3600000;
    dbsql_token_source made_of = {.struct_size = sizeof made_of, .get_token = source_get, .destroy = source_destroy, .user = &source};
    int64_t before = mem_test_live_blocks();
    mem_test_fail_at(n);
    dbsql_token_provider *inner = NULL, *provider = NULL;
    struct token *token = NULL;
    dbsql_error *error = NULL;
    dbsql_status status = provider_external(&made_of, &inner, &error);
    bool owned = status == DBSQL_OK;
    if (status == DBSQL_OK) status = provider_cached(inner, 0, &provider, &error);
    if (status == DBSQL_OK) status = ask_for_token(provider, context, &token, &error);
    bool failed = mem_test_failed();
    mem_test_fail_at(0);
    if (status != DBSQL_OK) assert_int_equal(status, DBSQL_ERROR_NO_MEMORY);
    error_clear(&error);
    token_drop(token);
    provider_drop(inner);
    provider_drop(provider);
    assert_int_equal(source.destroyed, owned ? 1 : 0);
    assert_int_equal(mem_test_live_blocks(), before);
    if (!failed) break;
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(one_fetch_for_many_calls),
      TEST(refresh_ahead),
      TEST(threshold_beyond_the_lifetime),
      TEST(without_expiry),
      TEST(stale_while_the_provider_fails),
      TEST(one_fetch_for_many_threads),
      TEST(waiters_leave_alone),
      TEST(foreground_fetches),
      TEST(slow_refresh),
      TEST(callback_outlives_its_provider),
      TEST(rejected_tokens),
      TEST(rejected_during_a_fetch),
      TEST(one_origin),
      TEST(tokens_that_come_too_late),
      TEST(providers_that_come_too_late),
      TEST(after_a_fork),
      TEST(after_a_fork_in_a_callback),
      TEST(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
