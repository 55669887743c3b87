/* Downloads on the library's thread: what goes out, how each ends, and when the thread is there. */
#include "http_test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "certificates.h"
#include "http/transfer.h"

static struct transfer_profile *profile_of(const struct http_settings *settings) {
  struct transfer_profile *profile;
  dbsql_error *error = NULL;
  if (transfer_profile_new(settings, &profile, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return profile;
}

static struct transfer_profile *plain_profile(void) {
  struct http_settings settings = plain_settings();
  return profile_of(&settings);
}

static struct transfer_wake *new_wake(void) {
  struct transfer_wake *wake;
  assert_int_equal(transfer_wake_new(&wake, NULL), DBSQL_OK);
  return wake;
}

static struct transfer *start(struct transfer_profile *profile, const struct transfer_request *request) {
  struct transfer *transfer;
  dbsql_error *error = NULL;
  if (transfer_start(profile, request, &transfer, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return transfer;
}

/* Waits for the wake, as a consumer does; a minute is what no test that passes comes near. */
static const struct transfer_end *wait_for(struct transfer *transfer, struct transfer_wake *wake) {
  int64_t until = clock_now_ns() + INT64_C(60000000000);
  while (!transfer_ended(transfer)) {
    if (clock_now_ns() > until) fail_msg("a transfer does not end");
    struct pollfd fd = {.fd = transfer_wake_fd(wake), .events = POLLIN, .revents = 0};
    poll(&fd, 1, 1000);
    transfer_wake_reset(wake);
  }
  return transfer_ended(transfer);
}

static void url_of(char *out, size_t size, struct http_server *server, const char *path) {
  snprintf(out, size, "%s%s", http_server_url(server), path);
}

/* One transfer of `path` from a server that answers by one step. */
struct attempt {
  struct http_script script;
  struct http_server *server;
  struct transfer_profile *profile;
  struct transfer_wake *wake;
  struct transfer *transfer;
  const struct transfer_end *end;
};

static void attempt_begin(struct attempt *attempt, http_server_handler handler, void *user, struct transfer_request request) {
  struct http_server_settings settings = {.handler = handler, .user = user};
  attempt->server = http_server_start(&settings);
  attempt->profile = plain_profile();
  attempt->wake = new_wake();
  char url[300];
  url_of(url, sizeof url, attempt->server, "/bucket/file?X-Amz-Signature=s3cr3t");
  request.url = url;
  request.what = "rows 0 to 9";
  request.wake = attempt->wake;
  if (request.max_size == 0) request.max_size = 1 << 20;
  attempt->transfer = start(attempt->profile, &request);
}

static void attempt_end(struct attempt *attempt) {
  transfer_free(attempt->transfer);
  transfer_wake_free(attempt->wake);
  transfer_profile_free(attempt->profile);
  http_server_stop(attempt->server);
  assert_false(transfer_test_thread_runs());
}

static void run_step(struct attempt *attempt, const struct http_step *step, struct transfer_request request) {
  attempt->script = (struct http_script){step, 1};
  attempt_begin(attempt, http_script_handler, &attempt->script, request);
  attempt->end = wait_for(attempt->transfer, attempt->wake);
}

static void assert_failed(const struct attempt *attempt, enum transfer_outcome outcome, const char *part) {
  assert_int_equal(attempt->end->outcome, outcome);
  assert_non_null(attempt->end->error);
  assert_in_message(attempt->end->error, part);
  assert_not_in_message(attempt->end->error, "s3cr3t");
  assert_string_equal(dbsql_error_host(attempt->end->error), "127.0.0.1");
}

/* ---- What goes out and comes back ---------------------------------------------------------------------------------------- */

static void a_body_arrives_in_memory_of_the_budget(void **state) {
  (void)state;
  int64_t blocks = mem_test_live_blocks();
  static const struct http_header headers[] = {{"x-amz-server-side-encryption", "aws:kms"}, {"x-amz-empty", ""}};
  const struct http_step step = {HTTP_STEP_REPLY, 200, "Set-Cookie: a=b\r\n", "0123456789"};
  struct budget *budget = budget_new(0);
  budget_reserve(budget, 100, false);
  struct attempt attempt;
  run_step(&attempt, &step, (struct transfer_request){.headers = headers, .header_count = 2, .budget = budget, .reserved = 100});
  assert_int_equal(attempt.end->outcome, TRANSFER_DONE);
  assert_int_equal(attempt.end->http_status, 200);
  assert_true(attempt.end->reached);
  assert_null(attempt.end->error);
  int64_t received, declared, elapsed;
  transfer_progress(attempt.transfer, &received, &declared, &elapsed);
  assert_int_equal(received, 10);
  assert_int_equal(declared, 10);
  int64_t reserved;
  struct chunk *body = transfer_take_body(attempt.transfer, &reserved);
  assert_int_equal(body->size, 10);
  assert_int_equal(body->capacity, 10);
  assert_memory_equal(body->data, "0123456789", 10);
  assert_int_equal(reserved, 90);
  assert_int_equal(budget_used(budget), 100);

  const struct http_exchange *request = http_server_request(attempt.server, 0);
  assert_string_equal(request->method, "GET");
  assert_string_equal(request->target, "/bucket/file?X-Amz-Signature=s3cr3t");
  static const struct {
    const char *name, *value;
  } sent[] = {{"x-amz-server-side-encryption", "aws:kms"},
              {"x-amz-empty", ""},
              {"Accept-Encoding", "identity"},
              {"User-Agent", "tests/1"},
              {"Authorization", NULL},
              {"Cookie", NULL},
              {"x-databricks-org-id", NULL}};
  for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
    char *value = exchange_header(request, sent[i].name);
    if (!sent[i].value != !value || (value && strcmp(value, sent[i].value) != 0)) fail_msg("%s: %s", sent[i].name, value ? value : "none");
    free(value);
  }
  attempt_end(&attempt);
  budget_release(budget, reserved);
  chunk_unref(body);
  assert_int_equal(budget_used(budget), 0);
  budget_unref(budget);
  assert_int_equal(mem_test_live_blocks(), blocks);
}

static void chunked(struct http_exchange *exchange, void *user) {
  size_t total = *(size_t *)user;
  exchange_write_text(exchange, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  char piece[4000];
  memset(piece, 'x', sizeof piece);
  for (size_t at = 0; at < total; at += sizeof piece) {
    exchange_write_text(exchange, "fa0\r\n");
    exchange_write(exchange, piece, sizeof piece);
    exchange_write_text(exchange, "\r\n");
  }
  exchange_write_text(exchange, "0\r\n\r\n");
}

static void a_body_of_unknown_length_grows(void **state) {
  (void)state;
  size_t total = 400000;
  struct budget *budget = budget_new(0);
  struct attempt attempt;
  attempt_begin(&attempt, chunked, &total, (struct transfer_request){.budget = budget, .size_hint = 1000});
  assert_int_equal(wait_for(attempt.transfer, attempt.wake)->outcome, TRANSFER_DONE);
  int64_t reserved;
  struct chunk *body = transfer_take_body(attempt.transfer, &reserved);
  assert_int_equal(body->size, total);
  assert_int_equal(budget_used(budget), body->capacity);
  chunk_unref(body);
  attempt_end(&attempt);
  budget_unref(budget);
}

static void an_empty_body_is_a_body(void **state) {
  (void)state;
  const struct http_step step = {HTTP_STEP_REPLY, 200, NULL, ""};
  struct attempt attempt;
  run_step(&attempt, &step, (struct transfer_request){0});
  assert_int_equal(attempt.end->outcome, TRANSFER_DONE);
  int64_t reserved;
  struct chunk *body = transfer_take_body(attempt.transfer, &reserved);
  assert_int_equal(body->size, 0);
  chunk_unref(body);
  attempt_end(&attempt);
}

/* ---- How it can end ------------------------------------------------------------------------------------------------------ */

static void statuses(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *headers, *body, *part, *without;
  } cases[] = {
      {403, "Content-Type: application/xml\r\n",
       "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has "
       "expired</Message><StringToSign>s3cr3t</StringToSign></Error>",
       "answered with HTTP 403 Status of 403: AccessDenied, Request has expired", "StringToSign"},
      {404, "Content-Type: text/plain\r\n", "no such file", "HTTP 404 Status of 404: no such file", "XML"},
      {503, "Content-Type: text/html\r\nRetry-After: 7\r\n", "<p>later</p>", "HTTP 503", "later"},
      {302, "Location: http://elsewhere.example/\r\n", "", "redirect (HTTP 302), which is not followed", "elsewhere"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const struct http_step step = {HTTP_STEP_REPLY, cases[i].status, cases[i].headers, cases[i].body};
    struct attempt attempt;
    run_step(&attempt, &step, (struct transfer_request){0});
    assert_failed(&attempt, TRANSFER_STATUS, cases[i].part);
    assert_not_in_message(attempt.end->error, cases[i].without);
    assert_int_equal(attempt.end->http_status, cases[i].status);
    assert_int_equal(attempt.end->retry_after_ms, cases[i].status == 503 ? 7000 : -1);
    assert_int_equal(http_server_requests(attempt.server), 1);
    attempt_end(&attempt);
  }
}

static void broken_connections(void **state) {
  (void)state;
  static const struct {
    struct http_step step;
    const char *part;
  } cases[] = {{{HTTP_STEP_CLOSE, 0, NULL, NULL}, "closed the connection without an answer"},
               {{HTTP_STEP_RESET, 0, NULL, NULL}, "broke"},
               {{HTTP_STEP_TRUNCATE, 200, NULL, "short"}, "ended early"},
               {{HTTP_STEP_RAW, 0, NULL, "SSH-2.0-server\r\n"}, "127.0.0.1"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct attempt attempt;
    run_step(&attempt, &cases[i].step, (struct transfer_request){0});
    assert_failed(&attempt, TRANSFER_NETWORK, cases[i].part);
    if (i < 3) assert_true(attempt.end->may_retry);
    assert_true(attempt.end->reached);
    attempt_end(&attempt);
  }
}

static void a_host_that_cannot_be_connected_to(void **state) {
  (void)state;
  struct http_server_settings settings = {.handler = chunked};
  struct http_server *server = http_server_start(&settings);
  char url[300];
  url_of(url, sizeof url, server, "/f");
  http_server_stop(server);
  struct attempt attempt = {.profile = plain_profile(), .wake = new_wake()};
  attempt.transfer = start(attempt.profile, &(struct transfer_request){.url = url, .what = "rows", .max_size = 10, .wake = attempt.wake});
  attempt.end = wait_for(attempt.transfer, attempt.wake);
  assert_failed(&attempt, TRANSFER_NETWORK, "cannot connect to 127.0.0.1");
  assert_false(attempt.end->reached);
  transfer_free(attempt.transfer);
  transfer_wake_free(attempt.wake);
  transfer_profile_free(attempt.profile);
}

static void more_than_the_limit(void **state) {
  (void)state;
  const struct http_step step = {HTTP_STEP_REPLY, 200, NULL, "0123456789"};
  struct attempt attempt;
  run_step(&attempt, &step, (struct transfer_request){.max_size = 9});
  assert_failed(&attempt, TRANSFER_TOO_LARGE, "larger than the limit of 9 bytes");
  attempt_end(&attempt);
  size_t total = 40000;
  attempt_begin(&attempt, chunked, &total, (struct transfer_request){.max_size = 39999});
  attempt.end = wait_for(attempt.transfer, attempt.wake);
  assert_failed(&attempt, TRANSFER_TOO_LARGE, "larger than the limit of 39999 bytes");
  attempt_end(&attempt);
}

static void half_then_wait(struct http_exchange *exchange, void *user) {
  exchange_write_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
  test_event_wait(user);
  exchange_close(exchange);
}

static void silence_and_time_limits_end_an_attempt(void **state) {
  (void)state;
  struct test_event done = TEST_EVENT_INIT;
  struct attempt attempt;
  attempt_begin(&attempt, half_then_wait, &done, (struct transfer_request){.stall_ms = 30});
  attempt.end = wait_for(attempt.transfer, attempt.wake);
  assert_failed(&attempt, TRANSFER_NETWORK, "no byte came for 30 ms while receiving the answer of 127.0.0.1");
  assert_true(attempt.end->may_retry);
  test_event_set(&done);
  attempt_end(&attempt);
  done.set = false;
  attempt_begin(&attempt, half_then_wait, &done, (struct transfer_request){.stall_ms = 60000, .total_ms = 30});
  attempt.end = wait_for(attempt.transfer, attempt.wake);
  assert_failed(&attempt, TRANSFER_NETWORK, "the request time limit of 30 ms ran out while receiving");
  test_event_set(&done);
  attempt_end(&attempt);
}

/* ---- The thread ---------------------------------------------------------------------------------------------------------- */

static void numbered(struct http_exchange *exchange, void *user) {
  (void)user;
  exchange_reply(exchange, 200, NULL, exchange->target);
}

static void many_at_once_over_kept_connections(void **state) {
  (void)state;
  enum { rounds = 4, width = 16 };
  struct http_server_settings settings = {.handler = numbered};
  struct http_server *server = http_server_start(&settings);
  struct transfer_profile *profile = plain_profile();
  struct transfer_wake *wake = new_wake();
  for (int round = 0; round < rounds; round++) {
    struct transfer *transfers[width];
    char path[32], url[300];
    for (int i = 0; i < width; i++) {
      snprintf(path, sizeof path, "/%d/%d", round, i);
      url_of(url, sizeof url, server, path);
      transfers[i] = start(profile, &(struct transfer_request){.url = url, .what = "rows", .max_size = 100, .wake = wake});
    }
    for (int i = 0; i < width; i++) {
      assert_int_equal(wait_for(transfers[i], wake)->outcome, TRANSFER_DONE);
      int64_t reserved;
      struct chunk *body = transfer_take_body(transfers[i], &reserved);
      snprintf(path, sizeof path, "/%d/%d", round, i);
      assert_int_equal(body->size, strlen(path));
      assert_memory_equal(body->data, path, strlen(path));
      chunk_unref(body);
      transfer_free(transfers[i]);
    }
  }
  assert_int_equal(http_server_requests(server), rounds * width);
  assert_true(http_server_connections(server) <= width);
  transfer_wake_free(wake);
  transfer_profile_free(profile);
  http_server_stop(server);
}

static void freeing_ends_a_transfer_and_its_connection(void **state) {
  (void)state;
  int64_t blocks = mem_test_live_blocks();
  struct test_event done = TEST_EVENT_INIT;
  struct http_server_settings settings = {.handler = half_then_wait, .user = &done};
  struct http_server *server = http_server_start(&settings);
  struct transfer_profile *profile = plain_profile();
  struct transfer_wake *wake = new_wake();
  struct budget *budget = budget_new(0);
  char url[300];
  url_of(url, sizeof url, server, "/f");
  for (int i = 0; i < 3; i++) {
    budget_reserve(budget, 1000, false);
    struct transfer *transfer = start(
        profile, &(struct transfer_request){.url = url, .what = "rows", .max_size = 100, .wake = wake, .budget = budget, .reserved = 1000});
    if (i > 0) {
      int64_t received = 0, declared, elapsed;
      while (received < 5) transfer_progress(transfer, &received, &declared, &elapsed);
    }
    transfer_free(transfer);
  }
  transfer_wake_free(wake);
  transfer_profile_free(profile);
  assert_false(transfer_test_thread_runs());
  assert_int_equal(budget_used(budget), 0);
  budget_unref(budget);
  assert_int_equal(mem_test_live_blocks(), blocks);
  test_event_set(&done);
  http_server_stop(server);
}

static void download_once(struct transfer_profile *profile, const char *url) {
  struct transfer_wake *wake = new_wake();
  struct transfer *transfer = start(profile, &(struct transfer_request){.url = url, .what = "rows", .max_size = 100, .wake = wake});
  assert_int_equal(wait_for(transfer, wake)->outcome, TRANSFER_DONE);
  transfer_free(transfer);
  transfer_wake_free(wake);
}

static void the_thread_comes_with_the_first_and_leaves_when_idle(void **state) {
  (void)state;
  struct http_server_settings settings = {.handler = numbered};
  struct http_server *server = http_server_start(&settings);
  struct transfer_profile *profile = plain_profile(), *other = plain_profile();
  char url[300];
  url_of(url, sizeof url, server, "/f");
  assert_false(transfer_test_thread_runs());
  download_once(profile, url);
  assert_true(transfer_test_thread_runs());
  transfer_profile_free(other);
  assert_true(transfer_test_thread_runs());
  /* The new limit counts once it looks again. */
  transfer_test_set_idle_ms(1);
  for (int i = 0; i < 50; i++) download_once(profile, url);
  while (transfer_test_thread_runs()) poll(NULL, 0, 1);
  download_once(profile, url);
  transfer_test_set_idle_ms(0);
  transfer_profile_free(profile);
  assert_false(transfer_test_thread_runs());
  http_server_stop(server);
}

static void the_thread_takes_no_signal(void **state) {
  (void)state;
  struct http_server_settings settings = {.handler = numbered};
  sigset_t set, old, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, &old); /* also in the server's threads; so only ours could take it */
  struct http_server *server = http_server_start(&settings);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  struct transfer_profile *profile = plain_profile();
  char url[300];
  url_of(url, sizeof url, server, "/f");
  download_once(profile, url);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  kill(getpid(), SIGUSR1); /* would end the process */
  download_once(profile, url);
  sigpending(&pending);
  assert_int_equal(sigismember(&pending, SIGUSR1), 1);
  int number;
  sigwait(&set, &number);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  transfer_profile_free(profile);
  http_server_stop(server);
}

static void a_child_starts_anew_and_leaves_the_parents_alone(void **state) {
  (void)state;
#if defined(__SANITIZE_THREAD__)
  skip(); /* ThreadSanitizer allows no thread after a fork */
#endif
  struct http_server_settings settings = {.handler = numbered};
  struct test_event done = TEST_EVENT_INIT;
  struct http_server_settings slow_settings = {.handler = half_then_wait, .user = &done};
  struct http_server *server = http_server_start(&settings), *slow = http_server_start(&slow_settings);
  struct transfer_profile *profile = plain_profile();
  struct transfer_wake *wake = new_wake();
  char url[300], slow_url[300];
  url_of(url, sizeof url, server, "/f");
  url_of(slow_url, sizeof slow_url, slow, "/f");
  download_once(profile, url);
  struct transfer *running = start(profile, &(struct transfer_request){.url = slow_url, .what = "rows", .max_size = 100, .wake = wake});
  int64_t received = 0, declared, elapsed;
  while (received < 5) transfer_progress(running, &received, &declared, &elapsed);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    if (transfer_profile_is_ours(profile)) _exit(1);
    struct http_settings mine = plain_settings();
    struct transfer_profile *fresh;
    if (transfer_profile_new(&mine, &fresh, NULL) != DBSQL_OK || !transfer_profile_is_ours(fresh)) _exit(2);
    struct transfer_wake *my_wake;
    struct transfer *transfer;
    if (transfer_wake_new(&my_wake, NULL) != DBSQL_OK) _exit(3);
    struct transfer_request request = {.url = url, .what = "rows", .max_size = 100, .wake = my_wake};
    if (transfer_start(fresh, &request, &transfer, NULL) != DBSQL_OK) _exit(4);
    while (!transfer_ended(transfer)) poll(NULL, 0, 1);
    if (transfer_ended(transfer)->outcome != TRANSFER_DONE) _exit(5);
    transfer_free(transfer);
    transfer_wake_free(my_wake);
    transfer_profile_free(fresh);
    transfer_free(running);
    transfer_profile_free(profile);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_true(transfer_profile_is_ours(profile));
  assert_null(transfer_ended(running));
  download_once(profile, url);
  transfer_free(running);
  transfer_wake_free(wake);
  transfer_profile_free(profile);
  test_event_set(&done);
  http_server_stop(server);
  http_server_stop(slow);
}

/* ---- TLS and proxies ----------------------------------------------------------------------------------------------------- */

static void proxied(struct http_exchange *exchange, void *user) {
  (void)user;
  exchange_reply(exchange, 200, NULL, exchange->target);
}

static void a_proxy_of_the_settings_is_used(void **state) {
  (void)state;
  struct http_server_settings server_settings = {.handler = proxied};
  struct http_server *proxy = http_server_start(&server_settings);
  struct http_settings settings = plain_settings();
  settings.proxy_url = http_server_url(proxy);
  struct transfer_profile *profile = profile_of(&settings);
  struct transfer_wake *wake = new_wake();
  struct transfer *transfer =
      start(profile, &(struct transfer_request){.url = "http://storage.example/f", .what = "rows", .max_size = 100, .wake = wake});
  assert_int_equal(wait_for(transfer, wake)->outcome, TRANSFER_DONE);
  assert_string_equal(http_server_request(proxy, 0)->target, "http://storage.example/f");
  transfer_free(transfer);
  transfer_wake_free(wake);
  transfer_profile_free(profile);
  http_server_stop(proxy);
}

static void tls_with_the_settings_certificates_and_without_the_clients(void **state) {
  (void)state;
  struct certificate *ca = certificate_make(&(struct certificate_settings){.name = "Test CA", .is_ca = true});
  struct certificate *of_server =
      certificate_make(&(struct certificate_settings){.name = "storage", .names = "DNS:localhost,IP:127.0.0.1", .issuer = ca});
  struct certificate *of_client = certificate_make(&(struct certificate_settings){.name = "client", .issuer = ca});
  char *ca_file = test_file_write(ca->pem, NULL);
  char *cert_file = test_file_write(of_client->pem, NULL), *key_file = test_file_write(of_client->key_pem, NULL);
  for (int wanted = 0; wanted < 2; wanted++) {
    struct http_server_settings server_settings = {
        .handler = numbered, .certificate = of_server->pem, .key = of_server->key_pem, .client_ca = wanted ? ca->pem : NULL};
    struct http_server *server = http_server_start(&server_settings);
    for (int system = 0; system < 2; system++) {
      struct http_settings settings = plain_settings();
      settings.tls_ca_file = ca_file;
      settings.tls_system_store = system == 1;
      settings.tls_client_cert = cert_file;
      settings.tls_client_key = key_file;
      struct attempt attempt = {.profile = profile_of(&settings), .wake = new_wake()};
      char url[300];
      url_of(url, sizeof url, server, "/f");
      attempt.transfer =
          start(attempt.profile, &(struct transfer_request){.url = url, .what = "rows", .max_size = 10, .wake = attempt.wake});
      attempt.end = wait_for(attempt.transfer, attempt.wake);
      if (wanted) {
        assert_failed(&attempt, TRANSFER_NETWORK, "requires a client certificate");
      } else {
        if (attempt.end->error) fail_msg("%s", dbsql_error_message(attempt.end->error));
      }
      transfer_free(attempt.transfer);
      transfer_wake_free(attempt.wake);
      transfer_profile_free(attempt.profile);
    }
    http_server_stop(server);
  }
  free(ca_file);
  free(cert_file);
  free(key_file);
  test_files_remove();
  certificate_free(of_client);
  certificate_free(of_server);
  certificate_free(ca);
}

/* auth.md 6, T33: a connection that one user of the process trusts, or does not verify, is none for another user's transfers, although all
 * share one thread and its pool */
static void connections_are_not_shared_across_tls_settings(void **state) {
  (void)state;
  struct certificate *ca = certificate_make(&(struct certificate_settings){.name = "Test CA", .is_ca = true});
  struct certificate *of_server =
      certificate_make(&(struct certificate_settings){.name = "storage", .names = "DNS:localhost,IP:127.0.0.1", .issuer = ca});
  char *ca_file = test_file_write(ca->pem, NULL);
  struct http_server_settings server_settings = {.handler = numbered, .certificate = of_server->pem, .key = of_server->key_pem};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings trusting = plain_settings(), careless = plain_settings(), strict = plain_settings();
  trusting.tls_ca_file = ca_file;
  careless.tls_verify = careless.tls_verify_hostname = false;
  struct transfer_profile *profiles[3] = {profile_of(&trusting), profile_of(&careless), profile_of(&strict)};
  char url[300];
  url_of(url, sizeof url, server, "/f");
  /* twice each, so that a kept connection is used where it may be */
  static const int order[] = {0, 0, 2, 1, 1, 2, 0};
  for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
    struct attempt attempt = {.profile = profiles[order[i]], .wake = new_wake()};
    attempt.transfer = start(attempt.profile, &(struct transfer_request){.url = url, .what = "rows", .max_size = 10, .wake = attempt.wake});
    attempt.end = wait_for(attempt.transfer, attempt.wake);
    if (order[i] == 2) {
      assert_failed(&attempt, TRANSFER_NETWORK, "certificate");
    } else if (attempt.end->error) {
      fail_msg("%d: %s", (int)i, dbsql_error_message(attempt.end->error));
    }
    transfer_free(attempt.transfer);
    transfer_wake_free(attempt.wake);
  }
  for (int i = 0; i < 3; i++) transfer_profile_free(profiles[i]);
  http_server_stop(server);
  free(ca_file);
  test_files_remove();
  certificate_free(of_server);
  certificate_free(ca);
}

/* ---- Memory that runs out ------------------------------------------------------------------------------------------------ */

static void every_failing_allocation_ends_in_an_error(void **state) {
  (void)state;
  static const struct http_header headers[] = {{"x-amz-a", "b"}};
  struct http_server_settings server_settings = {.handler = numbered};
  struct http_server *server = http_server_start(&server_settings);
  char url[300];
  url_of(url, sizeof url, server, "/f");
  int64_t blocks = mem_test_live_blocks();
  for (uint64_t n = 1;; n++) {
    struct http_settings settings = plain_settings();
    struct transfer_profile *profile = NULL;
    struct transfer_wake *wake = NULL;
    struct transfer *transfer = NULL;
    mem_test_fail_at(n);
    dbsql_error *error = NULL;
    struct budget *budget = budget_new(0);
    dbsql_status status = budget ? transfer_profile_new(&settings, &profile, &error) : DBSQL_ERROR_NO_MEMORY;
    if (status == DBSQL_OK) status = transfer_wake_new(&wake, &error);
    if (status == DBSQL_OK) {
      budget_reserve(budget, 1000, false);
      struct transfer_request request = {.url = url,
                                         .what = "rows",
                                         .headers = headers,
                                         .header_count = 1,
                                         .max_size = 100,
                                         .wake = wake,
                                         .budget = budget,
                                         .reserved = 1000};
      status = transfer_start(profile, &request, &transfer, &error);
    }
    if (status == DBSQL_OK) {
      const struct transfer_end *end = wait_for(transfer, wake);
      assert_true(end->outcome == TRANSFER_DONE || end->outcome == TRANSFER_NO_MEMORY);
      if (end->outcome == TRANSFER_NO_MEMORY) assert_int_equal(dbsql_error_kind(end->error), DBSQL_ERROR_NO_MEMORY);
    } else {
      assert_int_equal(status, DBSQL_ERROR_NO_MEMORY);
    }
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    transfer_free(transfer);
    transfer_wake_free(wake);
    transfer_profile_free(profile);
    if (budget) assert_int_equal(budget_used(budget), 0);
    budget_unref(budget);
    dbsql_error_free(error);
    assert_int_equal(mem_test_live_blocks(), blocks);
    if (!struck) break;
  }
  http_server_stop(server);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_body_arrives_in_memory_of_the_budget),
      cmocka_unit_test(a_body_of_unknown_length_grows),
      cmocka_unit_test(an_empty_body_is_a_body),
      cmocka_unit_test(statuses),
      cmocka_unit_test(broken_connections),
      cmocka_unit_test(a_host_that_cannot_be_connected_to),
      cmocka_unit_test(more_than_the_limit),
      cmocka_unit_test(silence_and_time_limits_end_an_attempt),
      cmocka_unit_test(many_at_once_over_kept_connections),
      cmocka_unit_test(freeing_ends_a_transfer_and_its_connection),
      cmocka_unit_test(the_thread_comes_with_the_first_and_leaves_when_idle),
      cmocka_unit_test(the_thread_takes_no_signal),
      cmocka_unit_test(a_child_starts_anew_and_leaves_the_parents_alone),
      cmocka_unit_test(a_proxy_of_the_settings_is_used),
      cmocka_unit_test(tls_with_the_settings_certificates_and_without_the_clients),
      cmocka_unit_test(connections_are_not_shared_across_tls_settings),
      cmocka_unit_test(every_failing_allocation_ends_in_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
