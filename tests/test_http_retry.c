/* Trying again: when, how long after, and when not. The clock is the test's own, so that waits take no time. */
#include "http_test.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/sigpipe.h"

static struct http_settings retry_settings(void) {
  struct http_settings settings = plain_settings();
  settings.retry_max = 4;
  settings.retry_min_wait_ms = 1000;
  settings.retry_max_wait_ms = 30000;
  settings.retry_total_ms = 900000;
  return settings;
}

struct fixture {
  struct http_script script;
  struct http_server *server;
  struct http_client *client;
  int64_t started_ns;
};

static const int64_t unix_start_us = INT64_C(1700000000) * 1000000; /* Tue, 14 Nov 2023 22:13:20 GMT */

static void begin(struct fixture *fixture, const struct http_step *steps, int count, const struct http_settings *settings) {
  fixture->script = (struct http_script){steps, count};
  struct http_server_settings server_settings = {.handler = http_script_handler, .user = &fixture->script};
  fixture->server = http_server_start(&server_settings);
  fixture->client = client_of(settings);
  clock_test_begin(5000000000, unix_start_us);
  fixture->started_ns = clock_now_ns();
}

static int64_t waited_ms(const struct fixture *fixture) {
  return (clock_now_ns() - fixture->started_ns) / 1000000;
}

static void end(struct fixture *fixture) {
  clock_test_end();
  http_client_free(fixture->client);
  http_server_stop(fixture->server);
}

/* Sends with a time limit of the call; 0 is none. */
static dbsql_status try_it(struct fixture *fixture, enum http_retry retry, int64_t timeout_ms, int *attempts, dbsql_error **error) {
  struct http_request request = {
      .method = "POST", .url = http_server_url(fixture->server), .what = "Test", .body = slice_text("ping"), .retry = retry};
  struct http_response response;
  struct call call;
  call_begin_internal(&call, timeout_ms);
  dbsql_status status = http_send(fixture->client, &request, &call, &response, error);
  *attempts = status == DBSQL_OK ? response.attempts : dbsql_error_attempts(*error);
  http_response_free(&response);
  return status;
}

static void each_rule_tries_what_it_may(void **state) {
  (void)state;
  static const struct {
    struct http_step first;
    bool idempotent, refused; /* tried again? */
  } cases[] = {
      {{HTTP_STEP_REPLY, 429, NULL, ""}, true, true},         {{HTTP_STEP_REPLY, 503, NULL, ""}, true, true},
      {{HTTP_STEP_REPLY, 500, NULL, ""}, true, false},        {{HTTP_STEP_REPLY, 502, NULL, ""}, true, false},
      {{HTTP_STEP_REPLY, 504, NULL, ""}, true, false},        {{HTTP_STEP_REPLY, 408, NULL, ""}, true, false},
      {{HTTP_STEP_REPLY, 501, NULL, ""}, false, false},       {{HTTP_STEP_REPLY, 400, NULL, ""}, false, false},
      {{HTTP_STEP_REPLY, 401, NULL, ""}, false, false},       {{HTTP_STEP_REPLY, 403, NULL, ""}, false, false},
      {{HTTP_STEP_REPLY, 404, NULL, ""}, false, false},       {{HTTP_STEP_REPLY, 302, "Location: /x\r\n", ""}, false, false},
      {{HTTP_STEP_CLOSE, 0, NULL, NULL}, true, false},        {{HTTP_STEP_RESET, 0, NULL, NULL}, true, false},
      {{HTTP_STEP_TRUNCATE, 200, NULL, "half"}, true, false}, {{HTTP_STEP_TRUNCATE, 503, NULL, "half"}, true, true},
      {{HTTP_STEP_RAW, 0, NULL, "HTTP/1.1 2"}, true, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int refused = 0; refused < 2; refused++) {
      struct http_step steps[] = {cases[i].first, {HTTP_STEP_REPLY, 200, NULL, "fine"}};
      struct http_settings settings = retry_settings();
      struct fixture fixture;
      begin(&fixture, steps, 2, &settings);
      dbsql_error *error = NULL;
      int attempts;
      dbsql_status status = try_it(&fixture, refused ? HTTP_RETRY_REFUSED : HTTP_RETRY_IDEMPOTENT, 0, &attempts, &error);
      bool again = refused ? cases[i].refused : cases[i].idempotent;
      if ((status == DBSQL_OK) != again) fail_msg("case %d refused=%d: status %d %s", (int)i, refused, status, dbsql_error_message(error));
      assert_int_equal(attempts, again ? 2 : 1);
      assert_int_equal(http_server_requests(fixture.server), again ? 2 : 1);
      assert_int_equal(waited_ms(&fixture) != 0, again);
      if (!again) assert_not_in_message(error, "gave up");
      error_clear(&error);
      end(&fixture);
    }
  }
}

static void waits_grow_and_the_end_is_told(void **state) {
  (void)state;
  static const struct http_step steps[] = {{HTTP_STEP_REPLY, 503, "X-Request-Id: rid\r\n", "{\"message\":\"warming up\"}"}};
  struct http_settings settings = retry_settings();
  struct fixture fixture;
  begin(&fixture, steps, 1, &settings);
  dbsql_error *error = NULL;
  int attempts;
  assert_int_equal(try_it(&fixture, HTTP_RETRY_REFUSED, 0, &attempts, &error), DBSQL_ERROR_REQUEST);
  assert_int_equal(attempts, 5);
  assert_int_equal(http_server_requests(fixture.server), 5);
  assert_in_range(waited_ms(&fixture), 7500, 15000); /* half to all of 1 + 2 + 4 + 8 s */
  assert_in_message(error, "warming up");
  assert_in_message(error, "gave up after 5 attempts");
  assert_string_equal(dbsql_error_sqlstate(error), "08004");
  assert_string_equal(dbsql_error_request_id(error), "rid");
  assert_true(dbsql_error_is_retryable(error));
  assert_int_equal(dbsql_error_elapsed_ms(error), waited_ms(&fixture));
  assert_int_equal(dbsql_error_retry_after_ms(error), -1);
  error_clear(&error);
  end(&fixture);
}

static void retry_after_is_obeyed(void **state) {
  (void)state;
  static const struct {
    const char *header;
    int64_t wait_ms;
  } cases[] = {{"Retry-After: 7\r\n", 7000},
               {"Retry-After: 0\r\n", 0},
               {"Retry-After: 120\r\n", 120000}, /* more than the longest wait of ours */
               {"Retry-After: Tue, 14 Nov 2023 22:13:31 GMT\r\n", 11000}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct http_step steps[] = {{HTTP_STEP_REPLY, 429, cases[i].header, ""}, {HTTP_STEP_REPLY, 200, NULL, "fine"}};
    struct http_settings settings = retry_settings();
    struct fixture fixture;
    begin(&fixture, steps, 2, &settings);
    dbsql_error *error = NULL;
    int attempts;
    assert_int_equal(try_it(&fixture, HTTP_RETRY_REFUSED, 0, &attempts, &error), DBSQL_OK);
    assert_int_equal(attempts, 2);
    assert_int_equal(waited_ms(&fixture), cases[i].wait_ms);
    end(&fixture);
  }
}

static void no_wait_goes_beyond_a_limit(void **state) {
  (void)state;
  static const struct {
    const char *header;
    int64_t timeout_ms, total_ms, waited_at_most_ms;
    int attempts;
    const char *part;
  } cases[] = {
      {"Retry-After: 60\r\n", 30000, 900000, 0, 1, "as the server asks, waiting 60000 ms would exceed the time limit of 30000 ms"},
      {"Retry-After: 1000\r\n", 0, 900000, 0, 1, "as the server asks, waiting 1000000 ms would exceed the 900000 ms for all attempts"},
      {NULL, 0, 4000, 4000, 0, "for all attempts"},
      {NULL, 4000, 0, 4000, 0, "would exceed the time limit of 4000 ms"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct http_step steps[] = {{HTTP_STEP_REPLY, 503, cases[i].header, ""}};
    struct http_settings settings = retry_settings();
    settings.retry_max = 100;
    settings.retry_total_ms = cases[i].total_ms;
    struct fixture fixture;
    begin(&fixture, steps, 1, &settings);
    dbsql_error *error = NULL;
    int attempts;
    assert_int_equal(try_it(&fixture, HTTP_RETRY_REFUSED, cases[i].timeout_ms, &attempts, &error), DBSQL_ERROR_REQUEST);
    if (cases[i].attempts) assert_int_equal(attempts, cases[i].attempts);
    assert_in_range(waited_ms(&fixture), 0, cases[i].waited_at_most_ms);
    assert_in_message(error, cases[i].part);
    assert_in_message(error, "(HTTP 503");
    if (cases[i].header) assert_true(dbsql_error_retry_after_ms(error) >= 60000);
    error_clear(&error);
    end(&fixture);
  }
}

static dbsql_status numbered(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)call;
  (void)error;
  buf_printf(value, "Bearer number-%d", ++*(int *)user);
  return DBSQL_OK;
}

static void each_attempt_asks_for_credentials(void **state) {
  (void)state;
  static const struct http_step steps[] = {
      {HTTP_STEP_REPLY, 503, NULL, ""}, {HTTP_STEP_REPLY, 503, NULL, ""}, {HTTP_STEP_REPLY, 200, NULL, ""}};
  struct http_settings settings = retry_settings();
  struct fixture fixture;
  begin(&fixture, steps, 3, &settings);
  int count = 0;
  struct http_request request = {.method = "POST",
                                 .url = http_server_url(fixture.server),
                                 .what = "Test",
                                 .body = slice_text("ping"),
                                 .retry = HTTP_RETRY_REFUSED,
                                 .authorize = numbered,
                                 .authorize_user = &count};
  struct http_response response;
  dbsql_error *error = NULL;
  assert_int_equal(send_request(fixture.client, &request, &response, &error), DBSQL_OK);
  http_response_free(&response);
  for (int i = 0; i < 3; i++) {
    const struct http_exchange *seen = http_server_request(fixture.server, i);
    char expected[32], *got = exchange_header(seen, "Authorization");
    snprintf(expected, sizeof expected, "Bearer number-%d", i + 1);
    assert_string_equal(got, expected);
    assert_string_equal(seen->body, "ping");
    free(got);
  }
  end(&fixture);
}

static void refused_connections_are_tried_by_every_rule(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = http_script_handler};
  struct http_server *server = http_server_start(&server_settings);
  char url[100];
  snprintf(url, sizeof url, "%s/", http_server_url(server));
  http_server_stop(server);
  struct http_settings settings = retry_settings();
  settings.retry_max = 2;
  struct http_client *client = client_of(&settings);
  clock_test_begin(5000000000, unix_start_us);
  dbsql_error *error = failure_of(client, url, HTTP_RETRY_REFUSED);
  clock_test_end();
  assert_int_equal(dbsql_error_attempts(error), 3);
  assert_in_message(error, "connection refused; gave up after 3 attempts");
  assert_true(dbsql_error_is_retryable(error));
  error_clear(&error);
  http_client_free(client);
}

/* The second request on a connection gets no answer: the connection is just closed, or reset. */
static void dies_when_kept(struct http_exchange *exchange, void *user) {
  int *reset = user;
  if (exchange->number == 1) {
    if (*reset) {
      exchange_reset(exchange);
    } else {
      exchange_close(exchange);
    }
  } else {
    exchange_reply(exchange, 200, NULL, "fine");
  }
}

static void a_kept_connection_that_dies_repeats_nothing_by_itself(void **state) {
  (void)state;
  for (int reset = 0; reset < 2; reset++) {
    for (int refused = 0; refused < 2; refused++) {
      struct http_server_settings server_settings = {.handler = dies_when_kept, .user = &reset};
      struct http_server *server = http_server_start(&server_settings);
      struct http_settings settings = retry_settings();
      struct http_client *client = client_of(&settings);
      assert_answers(client, http_server_url(server), HTTP_RETRY_REFUSED, "fine");
      if (refused) {
        dbsql_error *error = failure_of(client, http_server_url(server), HTTP_RETRY_REFUSED);
        assert_int_equal(dbsql_error_attempts(error), 1);
        assert_string_equal(dbsql_error_sqlstate(error), "08S01");
        assert_false(dbsql_error_is_retryable(error));
        error_clear(&error);
        assert_int_equal(http_server_requests(server), 2);
      } else {
        clock_test_begin(5000000000, unix_start_us);
        assert_answers(client, http_server_url(server), HTTP_RETRY_IDEMPOTENT, "fine");
        clock_test_end();
        assert_int_equal(http_server_requests(server), 3);
      }
      http_client_free(client);
      http_server_stop(server);
    }
  }
}

/* A server may close a kept connection at any time; the next request goes over a new one without a word. */
static void closes_politely(struct http_exchange *exchange, void *user) {
  (void)user;
  exchange_reply(exchange, 200, "Connection: close\r\n", "fine");
  exchange_close(exchange);
}

static void a_closed_connection_is_replaced(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = closes_politely};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  struct http_client *client = client_of(&settings);
  for (int i = 0; i < 5; i++) assert_answers(client, http_server_url(server), HTTP_RETRY_REFUSED, "fine");
  assert_int_equal(http_server_connections(server), 5);
  http_client_free(client);
  http_server_stop(server);
}

struct cancel_plan {
  struct test_event *answered;
  dbsql_cancel *cancel;
};

static void answer_503(struct http_exchange *exchange, void *user) {
  exchange_reply(exchange, 503, "X-Request-Id: rid\r\n", "{\"message\":\"warming up\"}");
  test_event_set(user);
}

static void *cancel_after_answer(void *user) {
  struct cancel_plan *plan = user;
  test_event_wait(plan->answered);
  dbsql_cancel_trigger(plan->cancel);
  return NULL;
}

static void waiting_for_the_next_attempt_can_be_cancelled(void **state) {
  (void)state;
  struct test_event answered = TEST_EVENT_INIT;
  struct http_server_settings server_settings = {.handler = answer_503, .user = &answered};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = retry_settings();
  settings.retry_min_wait_ms = settings.retry_max_wait_ms = 600000; /* so that it ends by the cancellation only */
  settings.retry_total_ms = 0;
  struct http_client *client = client_of(&settings);
  struct cancel_plan plan = {&answered, NULL};
  assert_int_equal(dbsql_cancel_new(&plan.cancel, NULL), DBSQL_OK);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, cancel_after_answer, &plan), 0);
  struct http_request request = {.method = "POST", .url = http_server_url(server), .what = "Test", .body = slice_text("ping")};
  struct http_response response;
  dbsql_call user_call = {.struct_size = sizeof user_call, .cancel = plan.cancel, .correlation_id = "corr-1"};
  struct call call;
  call_begin(&call, &user_call, 0);
  dbsql_error *error = NULL;
  assert_int_equal(http_send(client, &request, &call, &response, &error), DBSQL_ERROR_CANCELLED);
  assert_string_equal(dbsql_error_sqlstate(error), "HY008");
  assert_in_message(error, "cancelled while ");
  assert_string_equal(dbsql_error_correlation_id(error), "corr-1");
  assert_string_equal(dbsql_error_host(error), "127.0.0.1");
  /* the cancellation can also come while the answer is being read */
  if (strstr(dbsql_error_message(error), "waiting to try")) {
    assert_in_message(error, "waiting to try Test at 127.0.0.1:");
    assert_in_message(error, "the last of 1 attempt failed: Test: warming up (HTTP 503");
    assert_int_equal(dbsql_error_attempts(error), 1);
  }
  error_clear(&error);
  pthread_join(thread, NULL);
  dbsql_cancel_free(plan.cancel);
  http_client_free(client);
  http_server_stop(server);
}

static void hang_at_second(struct http_exchange *exchange, void *user) {
  (void)user;
  if (exchange->number == 0) {
    exchange_reply(exchange, 503, NULL, "{\"message\":\"warming up\"}");
  } else {
    exchange_wait_for_client(exchange);
    exchange_close(exchange);
  }
}

static void a_time_limit_tells_what_failed_before(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = hang_at_second};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = retry_settings();
  settings.retry_min_wait_ms = settings.retry_max_wait_ms = 0;
  struct http_client *client = client_of(&settings);
  struct http_request request = {.method = "POST", .url = http_server_url(server), .what = "Test", .body = slice_text("ping")};
  struct http_response response;
  struct call call;
  call_begin_internal(&call, 200);
  dbsql_error *error = NULL;
  assert_int_equal(http_send(client, &request, &call, &response, &error), DBSQL_ERROR_TIMEOUT);
  assert_in_message(error, "the time limit of 200 ms ran out while waiting for the answer of 127.0.0.1:");
  assert_in_message(error, "the last of 1 attempt failed: Test: warming up");
  error_clear(&error);
  http_client_free(client);
  http_server_stop(server);
}

static void retries_survive_failing_allocations(void **state) {
  (void)state;
  static const struct http_step steps[] = {{HTTP_STEP_REPLY, 503, NULL, "{\"message\":\"warming up\"}"}};
  struct http_settings settings = retry_settings();
  settings.retry_max = 1;
  struct fixture fixture;
  begin(&fixture, steps, 1, &settings);
  /* libcurl and the answer's buffers keep memory between requests: the first one makes it */
  dbsql_error *error = NULL;
  int attempts;
  assert_int_equal(try_it(&fixture, HTTP_RETRY_REFUSED, 0, &attempts, &error), DBSQL_ERROR_REQUEST);
  error_clear(&error);
  int64_t before = mem_test_live_blocks();
  for (uint64_t n = 1;; n++) {
    mem_test_fail_at(n);
    dbsql_status status = try_it(&fixture, HTTP_RETRY_REFUSED, 0, &attempts, &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    /* a detail of an error may be lost for want of memory, the error may not */
    assert_true(status == DBSQL_ERROR_REQUEST || (struck && status == DBSQL_ERROR_NO_MEMORY));
    error_clear(&error);
    assert_int_equal(mem_test_live_blocks(), before);
    if (!struck) break;
  }
  end(&fixture);
}

/* ---- SIGPIPE -------------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t pipes;
static void count_pipe(int number) {
  (void)number;
  pipes = pipes + 1;
}

static void sigpipe_is_eaten_unless_it_is_the_hosts(void **state) {
  (void)state;
  struct sigaction counting = {.sa_handler = count_pipe}, old;
  assert_int_equal(sigaction(SIGPIPE, &counting, &old), 0);
  pipes = 0;
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  close(fds[0]);
  struct sigpipe_guard guard;
  sigpipe_block(&guard);
  assert_int_equal(write(fds[1], "x", 1), -1);
  sigpipe_restore(&guard);
  assert_int_equal(pipes, 0);
  /* one that the host had pending stays */
  sigset_t only_pipe, before;
  sigemptyset(&only_pipe);
  sigaddset(&only_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &only_pipe, &before);
  pthread_kill(pthread_self(), SIGPIPE);
  sigpipe_block(&guard);
  sigpipe_restore(&guard);
  sigset_t pending;
  sigpending(&pending);
  assert_int_equal(sigismember(&pending, SIGPIPE), 1);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  assert_int_equal(pipes, 1);
  close(fds[1]);
  sigaction(SIGPIPE, &old, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_rule_tries_what_it_may),
      cmocka_unit_test(waits_grow_and_the_end_is_told),
      cmocka_unit_test(retry_after_is_obeyed),
      cmocka_unit_test(no_wait_goes_beyond_a_limit),
      cmocka_unit_test(each_attempt_asks_for_credentials),
      cmocka_unit_test(refused_connections_are_tried_by_every_rule),
      cmocka_unit_test(a_kept_connection_that_dies_repeats_nothing_by_itself),
      cmocka_unit_test(a_closed_connection_is_replaced),
      cmocka_unit_test(waiting_for_the_next_attempt_can_be_cancelled),
      cmocka_unit_test(a_time_limit_tells_what_failed_before),
      cmocka_unit_test(retries_survive_failing_allocations),
      cmocka_unit_test(sigpipe_is_eaten_unless_it_is_the_hosts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
