/*
 * From the recording of an event to the server and back: clients, flags over HTTP, batches, answers (telemetry.md 10.3). The steps of the
 * library's threads are taken by the test, on a clock of the test's own, so that nothing here depends on time.
 */
#include "test.h"

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

/* All three threads' steps, until none has anything to do now. */
static void step(void) {
  struct telemetry_state *state = telemetry_state_now();
  for (int round = 0; round < 50; round++) {
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

static struct client *client_of(struct telemetry *handle) {
  return handle->client;
}

static int count_clients(void) {
  int count = 0;
  for (struct client *client = telemetry_state_now()->clients; client; client = client->next) count += client->refs > 0;
  return count;
}

/* ---- Exporter ------------------------------------------------------------------------------------------------------------- */

/* NewTelemetryExporter */
static void test_new_client(void **state) {
  (void)state;
  struct telemetry *handle = handle_open("https://Example.Databricks.com:443/", "telemetry_force=true;telemetry_batch_size=7");
  const struct client *client = client_of(handle);
  assert_string_equal(client->host->key, "example.databricks.com");
  assert_string_equal(client->host->org_id, "1234567890123456");
  assert_ptr_equal(client->host->breaker.settings, &telemetry_state_now()->breaker);
  assert_int_equal(client->pending.batch_limit, 7);
  assert_int_equal(client->http.request_timeout_ms, 10000);
  assert_int_equal(client->http.connect_timeout_ms, 5000);
  assert_int_equal(client->http.retry_max, 0);
  assert_int_equal(client->http.max_response_bytes, 65536);
  handle_end(handle);
}

/* Export_Success, Export_SetsUserAgent, EndToEnd */
static void test_success(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  handle_statement(handle, 1);
  assert_true(telemetry_flush(60000));
  assert_int_equal(endpoint.posts, 1);
  assert_int_equal(endpoint.flag_requests, 0);
  assert_int_equal(endpoint_count(&endpoint), 1);
  assert_string_equal(endpoint.user_agent, "dbsql/test (app)");
  assert_string_equal(endpoint.authorization, "Bearer token-1");
  assert_string_equal(endpoint.org_id, "1234567890123456");
  const json_t *log = endpoint_log(&endpoint, 0);
  assert_string_equal(json_string_value(json_at(log, "sql_statement_id")), "ab010100-0000-0000-0000-000000000000");
  assert_string_equal(json_string_value(json_at(log, "sql_operation.execution_result")), "INLINE_ARROW");
  assert_string_equal(json_string_value(json_at(log, "sql_operation.statement_type")), "QUERY");
  assert_true(json_is_true(json_at(log, "sql_operation.is_compressed")));
  assert_null(json_at(log, "error_info"));
  assert_null(json_at(log, "driver_connection_params"));
  dbsql_telemetry_stats stats = handle_stats(handle);
  assert_true(stats.recorded == 1 && stats.received == 1 && stats.sent == 1 && stats.accepted == 1 && stats.rejected == 0 &&
              stats.pending == 0);
  assert_true(stats.batches == 1 && stats.failed_batches == 0 && stats.bytes > 100 && stats.last_http_status == 200);
  assert_string_equal(stats.state, "on");
  assert_string_equal(stats.reason, "forced");
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* Export_SingleAttemptPerExport, Export_SingleAttemptThroughRetryableClient, Export_ErrorSwallowing: one request for each export; what may
 * be sent again is, once, a second later */
static void test_one_attempt_for_each_export(void **state) {
  (void)state;
  static const struct {
    int status;
    bool again;
    uint64_t rejected, failed, disabled;
  } cases[] = {{400, false, 1, 0, 0}, {401, false, 0, 0, 1}, {403, false, 0, 0, 1}, {404, false, 0, 0, 1},
               {405, false, 0, 0, 1}, {413, false, 1, 0, 0}, {422, false, 1, 0, 0}, {408, true, 0, 1, 0},
               {429, true, 0, 1, 0},  {500, true, 0, 1, 0},  {503, true, 0, 1, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct endpoint endpoint;
    endpoint_start(&endpoint);
    endpoint_fail(&endpoint, FAULT_STATUS, -1, cases[i].status, NULL);
    struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
    handle_statement(handle, 1);
    advance(31 * second);
    assert_int_equal(endpoint_posts(&endpoint), 1);
    advance(5 * second);
    if (endpoint_posts(&endpoint) != (cases[i].again ? 2 : 1)) fail_msg("%d: %d posts", cases[i].status, endpoint_posts(&endpoint));
    advance(500 * second);
    assert_int_equal(endpoint_posts(&endpoint), cases[i].again ? 2 : 1);
    dbsql_telemetry_stats stats = handle_stats(handle);
    assert_int_equal(stats.rejected, cases[i].rejected);
    assert_int_equal(stats.dropped_failed, cases[i].failed);
    assert_int_equal(stats.dropped_disabled, cases[i].disabled);
    assert_int_equal(stats.last_http_status, cases[i].status);
    assert_int_equal(stats.pending, 0);
    handle_end(handle);
    endpoint_stop(&endpoint);
  }
}

/* Export_CircuitBreakerOpen; "breaker opens on rate-limit codes, recovers after its time", through the whole client;
 * EndToEnd_WithCircuitBreaker, CircuitBreakerOpening: once open there is no request at all */
static void test_breaker_through_the_client(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  endpoint_fail(&endpoint, FAULT_STATUS, -1, 429, NULL);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_batch_size=1");
  for (int i = 0; i < 40; i++) {
    handle_statement(handle, (uint8_t)i);
    advance(1100 * ms);
  }
  assert_int_equal(endpoint_posts(&endpoint), 10);
  assert_string_equal(handle_stats(handle).breaker, "open");
  assert_true(handle_stats(handle).breaker_wait_ms > 0);
  assert_true(handle_stats(handle).pending > 30); /* they wait, and nothing is lost while there is room */
  int64_t before = clock_now_ns();
  assert_false(telemetry_flush(5000)); /* nothing can be done, and that takes no time */
  assert_true(clock_now_ns() - before < 100 * ms);
  endpoint_fail(&endpoint, FAULT_NONE, 0, 0, NULL);
  advance(70 * second);
  for (int i = 0; i < 50; i++) advance(1100 * ms);
  dbsql_telemetry_stats stats = handle_stats(handle);
  assert_string_equal(stats.breaker, "closed");
  assert_int_equal(stats.pending, 0);
  assert_int_equal(stats.accepted + stats.dropped_failed, 40);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* Export_429RecordsRetryAfter, Export_503RecordsRetryAfter: also as a date */
static void test_retry_after(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *header;
    int64_t hint_s;
  } cases[] = {{429, "Retry-After: 42\r\n", 42},
               {503, "Retry-After: 23\r\n", 23},
               {429, "Retry-After: Thu, 01 Jan 2026 00:02:00 GMT\r\n", 88},
               {500, NULL, 0},
               {429, "Retry-After: soon\r\n", 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct endpoint endpoint;
    endpoint_start(&endpoint);
    endpoint_fail(&endpoint, FAULT_STATUS, -1, cases[i].status, cases[i].header);
    clock_test_begin(1000 * second, INT64_C(1767225600000000));
    struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_batch_size=1");
    handle_statement(handle, 1);
    advance(32 * second);
    int64_t hint = client_of(handle)->host->breaker.hint_ns / second;
    if (hint != cases[i].hint_s) fail_msg("case %zu: %lld", i, (long long)hint);
    handle_end(handle);
    endpoint_stop(&endpoint);
  }
}

/* 413 halves the batch; partial success counts and is never resent; what is no JSON or has unknown keys is a success all the same */
static void test_answers(void **state) {
  (void)state;
  static const struct {
    enum endpoint_fault fault;
    uint64_t accepted, rejected;
  } cases[] = {{FAULT_PARTIAL, 4, 1}, {FAULT_GARBAGE, 5, 0}, {FAULT_NEW_KEYS, 5, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct endpoint endpoint;
    endpoint_start(&endpoint);
    endpoint_fail(&endpoint, cases[i].fault, -1, 0, NULL);
    struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
    for (uint8_t n = 0; n < 5; n++) handle_statement(handle, n);
    assert_true(telemetry_flush(60000));
    advance(100 * second);
    dbsql_telemetry_stats stats = handle_stats(handle);
    assert_int_equal(endpoint.posts, 1);
    assert_int_equal(stats.sent, 5);
    assert_int_equal(stats.accepted, cases[i].accepted);
    assert_int_equal(stats.rejected, cases[i].rejected);
    handle_end(handle);
    endpoint_stop(&endpoint);
  }
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  endpoint_fail(&endpoint, FAULT_STATUS, 1, 413, NULL);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_batch_size=10");
  for (uint8_t n = 0; n < 10; n++) handle_statement(handle, n);
  advance(100 * ms);
  assert_int_equal(client_of(handle)->pending.batch_limit, 5);
  for (uint8_t n = 0; n < 10; n++) handle_statement(handle, n);
  advance(1100 * ms);
  advance(1100 * ms);
  assert_int_equal(endpoint.posts, 3);
  assert_int_equal(handle_stats(handle).rejected, 10);
  assert_int_equal(handle_stats(handle).accepted, 10);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* A connection that breaks: before anything could arrive the batch is sent again, afterwards never (gaps rather than duplicates); a
 * redirect is not followed; an answer without end is cut off */
static void test_broken_connections(void **state) {
  (void)state;
  static const struct {
    enum endpoint_fault fault;
    uint64_t failed, disabled;
  } cases[] = {{FAULT_RESET, 1, 0}, {FAULT_CUT, 1, 0}, {FAULT_HUGE, 1, 0}, {FAULT_REDIRECT, 0, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct endpoint endpoint;
    endpoint_start(&endpoint);
    endpoint_fail(&endpoint, cases[i].fault, -1, 0, NULL);
    struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
    handle_statement(handle, 1);
    advance(31 * second);
    advance(31 * second);
    advance(31 * second);
    dbsql_telemetry_stats stats = handle_stats(handle);
    if (endpoint.posts != 1) fail_msg("case %zu: %d posts", i, endpoint.posts);
    assert_int_equal(stats.dropped_failed, cases[i].failed);
    assert_int_equal(stats.dropped_disabled, cases[i].disabled);
    handle_end(handle);
    endpoint_stop(&endpoint);
  }
  /* Nobody listens: once more, then given up */
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  char url[64];
  snprintf(url, sizeof url, "%s", http_server_url(endpoint.server));
  endpoint_stop(&endpoint);
  struct telemetry *handle = handle_open(url, "telemetry_force=true");
  handle_statement(handle, 1);
  advance(31 * second);
  assert_int_equal(handle_stats(handle).failed_batches, 1);
  assert_int_equal(handle_stats(handle).pending, 1);
  advance(2 * second);
  assert_int_equal(handle_stats(handle).failed_batches, 2);
  assert_int_equal(handle_stats(handle).dropped_failed, 1);
  handle_end(handle);
}

/* ---- Flags ---------------------------------------------------------------------------------------------------------------- */

/* FetchFeatureFlag_SetsUserAgent, IsTelemetryEnabled_ServerEnabled: held until the answer is there, then sent. Nothing is sent before. */
static void test_flag_on(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry=true");
  assert_string_equal(handle_stats(handle).state, "pending");
  assert_int_equal(endpoint.flag_requests, 0); /* never on the caller's thread */
  handle_statement(handle, 1);
  step();
  assert_int_equal(endpoint.flag_requests, 1);
  assert_string_equal(endpoint.user_agent, "dbsql/test (app)");
  assert_string_equal(endpoint.authorization, "Bearer token-1");
  assert_string_equal(endpoint.org_id, "1234567890123456");
  assert_true(telemetry_flush(60000));
  assert_int_equal(endpoint_count(&endpoint), 1);
  dbsql_telemetry_stats stats = handle_stats(handle);
  assert_string_equal(stats.state, "on");
  assert_string_equal(stats.reason, "flag");
  assert_int_equal(stats.flag_ttl_ms, 900000);
  assert_int_equal(stats.flag_requests, 1);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* IsTelemetryEnabled_ServerDisabled, _ServerError, _ServerUnreachable; FetchFeatureFlag_FlagNotPresent: off, and what waited is given up */
static void test_flag_off(void **state) {
  (void)state;
  static const struct {
    const char *flag;
    int status;
    const char *reason;
  } cases[] = {{"false", 200, "flag"},
               {NULL, 200, "flag missing"},
               {"true", 500, "flag error"},
               {"true", 404, "flag error"},
               {"true", 302, "flag error"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct endpoint endpoint;
    endpoint_start(&endpoint);
    endpoint.flag = cases[i].flag;
    endpoint.flag_status = cases[i].status;
    struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry=true");
    handle_statement(handle, 1);
    step();
    advance(40 * second);
    assert_int_equal(endpoint.flag_requests, 1);
    assert_int_equal(endpoint.posts, 0);
    dbsql_telemetry_stats stats = handle_stats(handle);
    assert_string_equal(stats.state, "refused");
    assert_string_equal(stats.reason, cases[i].reason);
    assert_int_equal(stats.dropped_disabled, 1);
    /* From now on nothing is even recorded. */
    handle_statement(handle, 2);
    assert_int_equal(handle_stats(handle).recorded, stats.recorded);
    handle_end(handle);
    endpoint_stop(&endpoint);
  }
  struct telemetry *handle = handle_open("http://127.0.0.1:1", "telemetry=true");
  handle_statement(handle, 1);
  step();
  assert_string_equal(handle_stats(handle).reason, "flag error");
  handle_end(handle);
}

/* IsTelemetryEnabled_ExplicitOptIn: forced needs no answer; IsTelemetryEnabled_ExplicitOptOut and unset: no handle and no request */
static void test_choices_without_a_request(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  endpoint.flag = "false";
  assert_null(handle_open(http_server_url(endpoint.server), ""));
  assert_null(handle_open(http_server_url(endpoint.server), "telemetry=false"));
  assert_null(handle_open(http_server_url(endpoint.server), "telemetry=false;telemetry_force=true"));
  assert_null(handle_open(http_server_url(endpoint.server), "traces_exporter=none;telemetry_batch_size=3"));
  assert_null(telemetry_state_now()); /* not even memory */
  struct telemetry_statement statement;
  telemetry_before_execute(NULL, &statement, operation_type_EXECUTE_STATEMENT, statement_type_QUERY);
  telemetry_after_execute(&statement);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  handle_statement(handle, 1);
  assert_true(telemetry_flush(60000));
  assert_int_equal(endpoint.flag_requests, 0);
  assert_int_equal(endpoint.posts, 1);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* GetFeatureFlagCache_Singleton, GetOrCreateContext, ReleaseContext, ConcurrentAccess; "flag cache: two connections, one fetch; release at
 * zero harmless". Entries outlive their connections, so that churn of these is none of flags. */
static void test_one_fetch_for_all(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handles[20];
  for (int i = 0; i < 20; i++) {
    handles[i] = handle_open(http_server_url(endpoint.server), "telemetry=true");
    step();
  }
  assert_int_equal(endpoint.flag_requests, 1);
  for (int i = 0; i < 20; i++) handle_end(handles[i]);
  for (int i = 0; i < 20; i++) {
    struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry=true");
    step();
    assert_string_equal(handle_stats(handle).state, "on");
    handle_end(handle);
  }
  assert_int_equal(endpoint.flag_requests, 1);
  manager_release(telemetry_state_now(), telemetry_state_now()->clients);
  manager_release(telemetry_state_now(), NULL);
  endpoint_stop(&endpoint);
}

/* A change of the flag reaches open connections: off, and on again */
static void test_flag_changes_live(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  endpoint.ttl = 60;
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry=true");
  step();
  handle_statement(handle, 1);
  assert_true(telemetry_flush(60000));
  assert_int_equal(endpoint_count(&endpoint), 1);
  endpoint.flag = "false";
  advance(61 * second);
  assert_int_equal(endpoint.flag_requests, 2);
  handle_statement(handle, 2);
  advance(40 * second);
  assert_int_equal(endpoint_count(&endpoint), 1);
  endpoint.flag = "true";
  advance(61 * second);
  assert_int_equal(endpoint.flag_requests, 3);
  handle_statement(handle, 3);
  assert_true(telemetry_flush(60000));
  assert_int_equal(endpoint_count(&endpoint), 2);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* While nothing is known at most 64 records wait */
static void test_undecided_is_bounded(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry=true");
  for (int i = 0; i < 200; i++) handle_statement(handle, (uint8_t)i);
  step();
  advance(40 * second);
  dbsql_telemetry_stats stats = handle_stats(handle);
  assert_int_equal(stats.received, 200);
  assert_int_equal(stats.dropped_pending, 136);
  assert_int_equal(stats.accepted, 64);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

static dbsql_status no_token(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)user;
  (void)call;
  (void)value;
  return error_set(error, DBSQL_ERROR_REQUEST, "28000", "there is no token without a human");
}

/* InteractiveU2MAuthenticatorDetection: only tokens that need nobody; without one nothing is sent, and the endpoint is not to blame */
static void test_no_token(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry_target target;
  target_init(&target, http_server_url(endpoint.server));
  target.authorize = no_token;
  struct telemetry *handle = handle_open_to(&target, "telemetry_force=true");
  handle_statement(handle, 1);
  advance(31 * second);
  advance(31 * second);
  dbsql_telemetry_stats stats = handle_stats(handle);
  assert_int_equal(endpoint.posts, 0);
  assert_int_equal(http_server_requests(endpoint.server), 0);
  assert_int_equal(stats.dropped_failed, 1);
  int count;
  breaker_failures(&client_of(handle)->host->breaker, &count);
  assert_int_equal(count, 0);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* ---- Manager -------------------------------------------------------------------------------------------------------------- */

static bool same_team(struct shared *a, struct shared *b) {
  return a->destroy == b->destroy;
}
static void gone(struct shared *self) {
  (void)self;
}
static void gone_too(struct shared *self) {
  (void)self;
}

/* Singleton, GetOrCreateClient, DifferentHosts, MultipleGetOrCreateSameClient, ReleaseClient, ReleaseClientPartial,
 * ReleaseClient_NonExistent, HostVariantsShareClient (one origin, as a session makes it), Manager_PerHostIsolation,
 * Manager_HostVariantsShareBreaker */
static void test_sharing(void **state) {
  (void)state;
  struct telemetry *a = handle_open("https://one.example.com", "telemetry_force=true");
  struct telemetry *b = handle_open("https://one.example.com", "telemetry_force=true");
  struct telemetry *c = handle_open("https://two.example.com", "telemetry_force=true");
  struct telemetry *d = handle_open("https://ONE.example.com:443/", "telemetry_force=true");
  assert_ptr_equal(a->client, b->client);
  assert_int_equal(a->client->refs, 2);
  assert_ptr_not_equal(a->client, c->client);
  assert_ptr_not_equal(a->client->host, c->client->host);
  assert_ptr_equal(a->client->host, d->client->host);
  assert_ptr_equal(&a->client->host->breaker, &d->client->host->breaker);
  struct telemetry *more[3];
  for (int i = 0; i < 3; i++) more[i] = handle_open("https://one.example.com", "telemetry_force=true");
  assert_int_equal(a->client->refs, 5);
  for (int i = 0; i < 3; i++) handle_end(more[i]);
  assert_int_equal(a->client->refs, 2);
  telemetry_close(b);
  telemetry_close(b); /* twice does no harm */
  assert_int_equal(a->client->refs, 1);
  telemetry_free(b);
  assert_int_equal(count_clients(), 3);
  handle_end(a);
  handle_end(c);
  handle_end(d);
  assert_int_equal(count_clients(), 0);
  telemetry_close(NULL);
  telemetry_free(NULL);
}

/* Another workspace, other credentials, another way, no credentials: records do not travel together; the same credentials held by another
 * connection: they do */
static void test_what_is_not_shared(void **state) {
  (void)state;
  struct shared x, y, z;
  shared_init(&x, gone);
  shared_init(&y, gone);
  shared_init(&z, gone_too);
  struct telemetry_target target;
  target_init(&target, "https://one.example.com");
  target.owner = &x;
  target.same = same_team;
  struct telemetry *a = handle_open_to(&target, "telemetry_force=true");
  target.owner = &y;
  struct telemetry *b = handle_open_to(&target, "telemetry_force=true");
  assert_ptr_equal(a->client, b->client);
  target.owner = &z;
  struct telemetry *c = handle_open_to(&target, "telemetry_force=true");
  assert_ptr_not_equal(a->client, c->client);
  assert_ptr_equal(a->client->host, c->client->host);
  target.org_id = "2";
  struct telemetry *d = handle_open_to(&target, "telemetry_force=true");
  assert_ptr_not_equal(c->client->host, d->client->host);
  target.authorize = NULL;
  struct telemetry *e = handle_open_to(&target, "telemetry_force=true");
  assert_ptr_not_equal(d->client, e->client);
  target.origin = "https://user@evil";
  struct telemetry *f = handle_open_to(&target, "telemetry_force=true");
  assert_null(f->client); /* a host that is none gets nothing */
  assert_int_equal(atomic_load(&x.owners), 2);
  assert_int_equal(atomic_load(&y.owners), 1);
  struct telemetry *all[] = {a, b, c, d, e, f};
  for (int i = 0; i < 6; i++) handle_end(all[i]);
}

/* BenchmarkConcurrentConnections and the bounds: idle entries are 64 at most, the least recently used go */
static void test_idle_entries_are_bounded(void **state) {
  (void)state;
  for (int i = 0; i < 200; i++) {
    char origin[64];
    snprintf(origin, sizeof origin, "https://host%d.example.com", i);
    handle_end(handle_open(origin, "telemetry_force=true"));
    clock_test_advance(second);
    if (i % 50 == 0) step();
  }
  step();
  int hosts = 0, clients = 0;
  for (struct host *host = telemetry_state_now()->hosts; host; host = host->next) hosts++;
  for (struct client *client = telemetry_state_now()->clients; client; client = client->next) clients++;
  assert_in_range(hosts, 1, idle_hosts_most + idle_clients_most + 1);
  assert_in_range(clients, 0, idle_clients_most);
  advance(61 * second);
  assert_null(telemetry_state_now()->clients);
}

/* Shutdown, ShutdownWithActiveRefs, ShutdownEmptyManager; TestGracefulShutdown_ReferenceCountingCleanup */
static void test_shutdown(void **state) {
  (void)state;
  assert_true(telemetry_shutdown(1000));
  struct telemetry *handles[9];
  for (int i = 0; i < 9; i++) {
    char origin[64];
    snprintf(origin, sizeof origin, "https://host%d.example.com", i % 3);
    handles[i] = handle_open(origin, "telemetry_force=true");
  }
  for (int i = 0; i < 6; i++) handle_end(handles[i]);
  assert_int_equal(count_clients(), 3);
  for (int i = 6; i < 9; i++) handle_end(handles[i]);
  assert_int_equal(count_clients(), 0);
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *open = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  handle_statement(open, 1);
  assert_true(telemetry_shutdown(60000));
  assert_int_equal(endpoint_count(&endpoint), 1);
  handle_statement(open, 2);
  assert_int_equal(handle_stats(open).dropped_closed, 1);
  /* It begins anew with the next connection. */
  struct telemetry *next = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  handle_statement(next, 3);
  assert_true(telemetry_flush(60000));
  assert_int_equal(endpoint_count(&endpoint), 2);
  handle_end(open);
  handle_end(next);
  endpoint_stop(&endpoint);
}

/* ---- Whole stories -------------------------------------------------------------------------------------------------------- */

/* TestGracefulShutdown_FinalFlush, TestAggregatorClose_DrainsPendingQueueJobsBeforeCancel: five records, an interval of minutes; the last
 * close sends them */
static void test_last_close_sends(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *first = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_flush_interval_ms=10m");
  struct telemetry *last = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_flush_interval_ms=10m");
  for (uint8_t i = 0; i < 5; i++) handle_statement(i % 2 ? first : last, i);
  int64_t before = clock_now_ns();
  handle_end(first);
  assert_int_equal(endpoint.posts, 0); /* not the last one: it does not wait */
  assert_int_equal(clock_now_ns(), before);
  handle_end(last);
  assert_int_equal(endpoint.posts, 1);
  assert_int_equal(endpoint_count(&endpoint), 5);
  endpoint_stop(&endpoint);
}

/* "no rate limiting with many connections": one post a second, however many connections come and go */
static void test_one_post_a_second(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  for (int i = 0; i < 50; i++) {
    struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
    handle_statement(handle, (uint8_t)i);
    handle_end(handle);
    clock_test_advance(100 * ms);
  }
  step();
  advance(1100 * ms);
  assert_in_range(endpoint.posts, 4, 8);
  for (int i = 0; i < 100; i++) advance(1100 * ms);
  assert_int_equal(endpoint_count(&endpoint), 50);
  endpoint_stop(&endpoint);
}

/* CreateTelemetryRequest_ConnParams, RecordConnectionConfig_EndToEnd, "auth_type, auth_mech and auth_flow never disagree; constant fields
 * present whatever fails", "open and close of one connection in the same batch stay two records" */
static void test_session_records(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  int64_t started = telemetry_now(handle);
  clock_test_advance(12 * ms + 500000);
  telemetry_operation(handle, operation_type_CREATE_SESSION, NULL, started, false, DBSQL_OK, NULL, PLACE_ANY);
  started = telemetry_now(handle);
  dbsql_error *error = NULL;
  error_set(&error, DBSQL_ERROR_REQUEST, "HY000", "x");
  telemetry_operation(handle, operation_type_DELETE_SESSION, NULL, started, false, DBSQL_ERROR_REQUEST, error, PLACE_CLOSE_SESSION);
  error_clear(&error);
  handle_end(handle);
  assert_int_equal(endpoint.posts, 1);
  assert_int_equal(endpoint_count(&endpoint), 2);
  const json_t *opened = endpoint_log(&endpoint, 0), *closed = endpoint_log(&endpoint, 1);
  assert_string_equal(json_string_value(json_at(opened, "sql_operation.operation_detail.operation_type")), "CREATE_SESSION");
  assert_int_equal(json_integer_value(json_at(opened, "operation_latency_ms")), 13); /* half up */
  assert_string_equal(json_string_value(json_at(opened, "driver_connection_params.auth_mech")), "PAT");
  assert_null(json_at(opened, "driver_connection_params.auth_flow"));
  assert_string_equal(json_string_value(json_at(opened, "auth_type")), "pat");
  assert_int_equal(json_integer_value(json_at(opened, "driver_connection_params.socket_timeout")), 900);
  assert_true(json_is_false(json_at(opened, "driver_connection_params.use_proxy")));
  assert_null(json_at(opened, "driver_connection_params.http_path"));
  assert_null(json_at(opened, "driver_connection_params.host_info"));
  assert_null(json_at(closed, "driver_connection_params"));
  assert_null(json_at(closed, "auth_type"));
  assert_string_equal(json_string_value(json_at(closed, "error_info.error_name")), "session_closed");
  const json_t *logs[] = {opened, closed};
  for (int i = 0; i < 2; i++) {
    assert_string_equal(json_string_value(json_at(logs[i], "session_id")), "01f0a1b2-c3d4-1e5f-8a9b-0c1d2e3f4a5b");
    assert_string_equal(json_string_value(json_at(logs[i], "system_configuration.driver_version")), DBSQL_VERSION);
    assert_string_equal(json_string_value(json_at(logs[i], "system_configuration.runtime_name")), "C");
    assert_string_equal(json_string_value(json_at(logs[i], "system_configuration.driver_name")), "dbsql-c");
    assert_non_null(json_string_value(json_at(logs[i], "system_configuration.process_name")));
    assert_null(strchr(json_string_value(json_at(logs[i], "system_configuration.process_name")), '/'));
  }
  endpoint_stop(&endpoint);

  endpoint_start(&endpoint);
  handle =
      handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_include_endpoint=true;telemetry_process_name=false");
  telemetry_operation(handle, operation_type_CREATE_SESSION, NULL, 0, false, DBSQL_OK, NULL, PLACE_ANY);
  handle_end(handle);
  opened = endpoint_log(&endpoint, 0);
  assert_string_equal(json_string_value(json_at(opened, "driver_connection_params.http_path")), "/sql/1.0/warehouses/secret-path");
  assert_string_equal(json_string_value(json_at(opened, "driver_connection_params.host_info.host_url")), "secret-host");
  assert_null(json_at(opened, "system_configuration.process_name"));
  endpoint_stop(&endpoint);
}

/* Every field of a statement; ChunkTotalPresent_DerivedFromChunkCount, ChunkTimingAccumulator_Record,
 * ChunkTimingAccumulator_CloudFetchFileCount; "chunk timing: first, maximum, sum; non-positive latencies ignored"; "frozen latency excludes
 * row reading"; "latency of a 10 ms operation is at least 10 ms", "latency accuracy" */
static void test_statement_record(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  struct telemetry_statement statement, moved;
  uint8_t id[16] = {1, 0xf0, 0xa1};
  telemetry_before_execute(handle, &statement, operation_type_EXECUTE_STATEMENT, statement_type_QUERY);
  telemetry_set_id(&statement, id);
  telemetry_set_internal(&statement, false);
  clock_test_advance(4 * ms);
  telemetry_polled(&statement, 3 * ms);
  telemetry_polled(&statement, 2 * ms);
  telemetry_polled(&statement, -1);
  clock_test_advance(6 * ms);
  telemetry_executed(&statement);
  telemetry_ready(&statement, execution_result_EXTERNAL_LINKS, true);
  telemetry_move(&moved, &statement);
  telemetry_after_execute(&statement); /* it lives on elsewhere */
  telemetry_fetching(&moved);
  telemetry_chunk(&moved, 0, 100);
  telemetry_chunk(&moved, -5 * ms, 100);
  telemetry_chunk(&moved, 5 * ms, 1000);
  telemetry_chunk(&moved, 30 * ms, 2000);
  telemetry_chunk(&moved, 10 * ms, 0);
  telemetry_retried(&moved, 2);
  telemetry_retried(&moved, 0);
  telemetry_read_rows(&moved, 50);
  clock_test_advance(100 * ms);
  telemetry_last_row(&moved);
  clock_test_advance(500 * ms);
  telemetry_executed(&moved);
  telemetry_ready(&moved, execution_result_EXTERNAL_LINKS, false);
  telemetry_after_execute(&moved);
  telemetry_after_execute(&moved); /* once */
  assert_true(telemetry_flush(60000));
  assert_int_equal(endpoint_count(&endpoint), 1);
  const json_t *log = endpoint_log(&endpoint, 0);
  static const struct {
    const char *path;
    int64_t value;
  } numbers[] = {{"operation_latency_ms", 10},
                 {"sql_operation.chunk_details.initial_chunk_latency_millis", 5},
                 {"sql_operation.chunk_details.slowest_chunk_latency_millis", 30},
                 {"sql_operation.chunk_details.sum_chunks_download_time_millis", 45},
                 {"sql_operation.chunk_details.total_chunks_present", 5},
                 {"sql_operation.chunk_details.total_chunks_iterated", 5},
                 {"sql_operation.result_latency.result_set_ready_latency_millis", 10},
                 {"sql_operation.result_latency.result_set_consumption_latency_millis", 100},
                 {"sql_operation.operation_detail.n_operation_status_calls", 3},
                 {"sql_operation.operation_detail.operation_status_latency_millis", 5},
                 {"sql_operation.retry_count", 2}};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    const json_t *value = json_at(log, numbers[i].path);
    if (!json_is_integer(value) || json_integer_value(value) != numbers[i].value)
      fail_msg("%s: %lld", numbers[i].path, (long long)json_integer_value(value));
  }
  assert_string_equal(json_string_value(json_at(log, "sql_operation.execution_result")), "EXTERNAL_LINKS");
  assert_true(json_is_true(json_at(log, "sql_operation.is_compressed")));
  assert_true(json_is_false(json_at(log, "sql_operation.operation_detail.is_internal_call")));
  const json_t *entry = json_array_get(endpoint.entries, 0);
  assert_int_equal(json_integer_value(json_at(entry, "context.client_context.timestamp_millis")), 1767225600000);
  assert_int_equal(json_integer_value(json_at(entry, "workspace_id")), 1234567890123456);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* Errors: the category alone; ConnectionScopedError_NotDropped; a failed statement; CloseStatement only when it failed, was slow, or is
 * wanted; a volume operation without its paths; the first error of a statement counts */
static void test_error_records(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  dbsql_error *error = NULL;
  error_set(&error, DBSQL_ERROR_EXECUTION, "42601", "MARKER near SELECT");
  telemetry_error(handle, DBSQL_ERROR_EXECUTION, error, PLACE_ANY);
  struct telemetry_statement statement;
  telemetry_before_execute(handle, &statement, operation_type_EXECUTE_STATEMENT, statement_type_SQL);
  telemetry_failed(&statement, DBSQL_OK, NULL, PLACE_STATEMENT);
  telemetry_chunk_failed(&statement, 7);
  telemetry_failed(&statement, DBSQL_ERROR_EXECUTION, error, PLACE_STATEMENT);
  telemetry_failed(&statement, DBSQL_ERROR_TIMEOUT, NULL, PLACE_FETCH);
  telemetry_set_volume(&statement, volume_operation_type_PUT);
  telemetry_after_execute(&statement);
  uint8_t id[16] = {9};
  telemetry_statement_closed(handle, id, clock_now_ns(), DBSQL_OK, NULL);
  telemetry_statement_closed(handle, id, clock_now_ns() - 1001 * ms, DBSQL_OK, NULL);
  telemetry_statement_closed(handle, id, clock_now_ns(), DBSQL_ERROR_EXECUTION, error);
  telemetry_operation(handle, operation_type_CANCEL_STATEMENT, id, clock_now_ns(), false, DBSQL_OK, NULL, PLACE_ANY);
  telemetry_operation(handle, operation_type_EXECUTE_STATEMENT, NULL, clock_now_ns(), true, DBSQL_OK, NULL, PLACE_ANY);
  error_clear(&error);
  assert_true(telemetry_flush(60000));
  assert_int_equal(endpoint_count(&endpoint), 6);
  assert_string_equal(json_string_value(json_at(endpoint_log(&endpoint, 0), "error_info.error_name")), "syntax_error");
  const json_t *failed = endpoint_log(&endpoint, 1);
  assert_string_equal(json_string_value(json_at(failed, "error_info.error_name")), "syntax_error");
  assert_int_equal(json_object_size(json_at(failed, "error_info")), 1);
  assert_int_equal(json_integer_value(json_at(failed, "sql_operation.chunk_id")), 7);
  assert_string_equal(json_string_value(json_at(failed, "vol_operation.volume_operation_type")), "PUT");
  assert_string_equal(json_string_value(json_at(failed, "sql_operation.statement_type")), "VOLUME");
  assert_int_equal(json_integer_value(json_at(endpoint_log(&endpoint, 2), "operation_latency_ms")), 1001);
  assert_string_equal(json_string_value(json_at(endpoint_log(&endpoint, 3), "error_info.error_name")), "statement_closed");
  assert_string_equal(json_string_value(json_at(endpoint_log(&endpoint, 4), "sql_operation.operation_detail.operation_type")),
                      "CANCEL_STATEMENT");
  assert_true(json_is_true(json_at(endpoint_log(&endpoint, 5), "sql_operation.operation_detail.is_internal_call")));
  assert_null(strstr(endpoint.bytes, "MARKER"));
  assert_null(strstr(endpoint.bytes, "42601"));
  handle_end(handle);
  handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_every_close=true");
  telemetry_statement_closed(handle, id, clock_now_ns(), DBSQL_OK, NULL);
  assert_true(telemetry_flush(60000));
  assert_int_equal(endpoint_count(&endpoint), 7);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* A terminal error is sent within a second, a retryable one waits for its batch, a statement's end is no reason to send */
static void test_when_it_is_sent(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  client_of(handle)->pending.jitter_ns = 30 * second;
  handle_statement(handle, 1);
  step();
  advance(14 * second);
  telemetry_error(handle, DBSQL_ERROR_TIMEOUT, NULL, PLACE_ANY);
  advance(14 * second);
  assert_int_equal(endpoint.posts, 0);
  dbsql_error *error = NULL;
  error_set(&error, DBSQL_ERROR_REQUEST, "28000", "x");
  error->http_status = 401;
  telemetry_error(handle, DBSQL_ERROR_REQUEST, error, PLACE_ANY);
  error_clear(&error);
  step();
  assert_int_equal(endpoint.posts, 0);
  advance(1000 * ms);
  assert_int_equal(endpoint.posts, 1);
  assert_int_equal(endpoint_count(&endpoint), 3);
  handle_statement(handle, 2);
  step();
  advance(26 * second);
  assert_int_equal(endpoint.posts, 1);
  advance(8 * second);
  assert_int_equal(endpoint.posts, 2);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* Rows_CloseCallback_NilDoesNotPanic and "close completes statements in progress": a statement that nobody ends is told when its connection
 * closes; afterwards it is nobody's */
static void test_unfinished_statements(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  struct telemetry_statement one, two, three;
  telemetry_before_execute(handle, &one, operation_type_EXECUTE_STATEMENT, statement_type_QUERY);
  telemetry_before_execute(handle, &two, operation_type_LIST_TABLES, statement_type_METADATA);
  telemetry_before_execute(handle, &three, operation_type_EXECUTE_STATEMENT_ASYNC, statement_type_QUERY);
  telemetry_after_execute(&two);
  telemetry_close(handle);
  telemetry_after_execute(&one);
  telemetry_chunk(&three, 1, 1);
  telemetry_after_execute(&three);
  assert_int_equal(endpoint_count(&endpoint), 3);
  telemetry_before_execute(handle, &one, operation_type_EXECUTE_STATEMENT, statement_type_QUERY);
  assert_null(one.owner);
  assert_int_equal(handle_stats(handle).dropped_closed, 1);
  telemetry_free(handle);
  endpoint_stop(&endpoint);
}

/* A statement that opts out is told to nobody but the user's own sinks */
static void test_opt_out(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  struct telemetry_statement statement;
  telemetry_before_execute(handle, &statement, operation_type_EXECUTE_STATEMENT, statement_type_QUERY);
  telemetry_opt_out(&statement);
  telemetry_after_execute(&statement);
  handle_statement(handle, 1);
  assert_true(telemetry_flush(60000));
  assert_int_equal(endpoint_count(&endpoint), 1);
  assert_int_equal(handle_stats(handle).received, 1);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* "unauthenticated request: no workspace, session or statement id, no system data, no user suffix, empty stack" */
static void test_unauthenticated(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry_target target;
  target_init(&target, http_server_url(endpoint.server));
  target.authorize = NULL;
  struct telemetry *handle = handle_open_to(&target, "telemetry_force=true");
  dbsql_error *error = NULL;
  error_set(&error, DBSQL_ERROR_REQUEST, "08001", "x");
  telemetry_operation(handle, operation_type_CREATE_SESSION, NULL, 0, false, DBSQL_ERROR_REQUEST, error, PLACE_ANY);
  error_clear(&error);
  handle_statement(handle, 1);
  handle_end(handle);
  assert_int_equal(endpoint.unauth_posts, 1);
  assert_int_equal(endpoint_count(&endpoint), 2);
  assert_string_equal(endpoint.user_agent, "dbsql/" DBSQL_VERSION);
  const json_t *log = endpoint_log(&endpoint, 0);
  assert_string_equal(json_string_value(json_at(log, "error_info.error_name")), "connection_error");
  assert_null(json_at(log, "session_id"));
  assert_null(json_at(log, "system_configuration"));
  assert_null(json_at(log, "driver_connection_params"));
  assert_null(json_at(endpoint_log(&endpoint, 1), "sql_statement_id"));
  static const char *const never[] = {"1234567890123456", "01f0a1b2", "(app)", "dbsql-c", "secret"};
  for (int i = 0; i < 5; i++) assert_null(strstr(endpoint.bytes, never[i]));
  endpoint_stop(&endpoint);
  /* The flag cannot be asked for without credentials: off */
  endpoint_start(&endpoint);
  target.origin = http_server_url(endpoint.server);
  handle = handle_open_to(&target, "telemetry=true");
  handle_statement(handle, 1);
  advance(40 * second);
  handle_end(handle);
  assert_int_equal(http_server_requests(endpoint.server), 0);
  endpoint_stop(&endpoint);
}

/* What looks like a secret does not get into the User-Agent that is told ("redaction catalogue") */
static void test_redaction(void **state) {
  (void)state;
  static const char *const secrets[] = {"dapi0123456789abcdef0123456789abcdef", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
                                        "Bearer abcdefghijklmnop", "https://user:hunter2@host/", "password=hunter2"};
  for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
    struct telemetry_target target;
    target_init(&target, "https://one.example.com");
    char agent[200];
    snprintf(agent, sizeof agent, "dbsql/1 (%s)", secrets[i]);
    target.tags.user_agent = agent;
    struct telemetry *handle = handle_open_to(&target, "telemetry_force=true");
    assert_non_null(strstr(handle->tags.user_agent, "dbsql/1"));
    assert_null(strstr(handle->tags.user_agent, secrets[i]));
    assert_null(strstr(handle->tags.user_agent, "hunter2"));
    handle_end(handle);
  }
}

/* Memory is bounded: 1000 records for a host, the oldest that are no errors go first, and each is counted */
static void test_pending_is_bounded(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_batch_size=1000");
  struct client *client = client_of(handle);
  uint32_t generation;
  while (client->host->breaker.state != BREAKER_OPEN) {
    breaker_admit(&client->host->breaker, clock_now_ns(), &generation);
    breaker_report(&client->host->breaker, clock_now_ns(), generation, BREAKER_FAILURE, 3600000);
  }
  telemetry_error(handle, DBSQL_ERROR_TIMEOUT, NULL, PLACE_ANY);
  for (int i = 0; i < 3000; i++) {
    handle_statement(handle, (uint8_t)i);
    if (i % 500 == 0) step();
  }
  step();
  dbsql_telemetry_stats stats = handle_stats(handle);
  assert_int_equal(stats.pending, 1000);
  assert_int_equal(stats.dropped_breaker, 2001);
  assert_int_equal(client->pending.first->event.tags.category, CATEGORY_TIMEOUT);
  assert_int_equal(endpoint.posts, 0);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* Wall clock stepped by a day: intervals are unaffected, times of records follow */
static void test_wall_clock_steps(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  client_of(handle)->pending.jitter_ns = 30 * second;
  static const int64_t day_us = INT64_C(86400000000);
  handle_statement(handle, 1);
  step();
  int64_t now = clock_now_ns();
  clock_test_begin(now, INT64_C(1767225600000000) + day_us);
  advance(15 * second);
  assert_int_equal(endpoint.posts, 0);
  clock_test_begin(clock_now_ns(), INT64_C(1767225600000000) - day_us);
  advance(15 * second);
  assert_int_equal(endpoint.posts, 1);
  handle_statement(handle, 2);
  assert_true(telemetry_flush(60000));
  int64_t first = json_integer_value(json_at(json_array_get(endpoint.entries, 0), "context.client_context.timestamp_millis"));
  int64_t later = json_integer_value(json_at(json_array_get(endpoint.entries, 1), "context.client_context.timestamp_millis"));
  assert_int_equal(first, 1767225600000);
  assert_int_equal(later, 1767225600000 - day_us / 1000 + 15000);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* What was sent can be seen: the last body in the report, every body in a file of mode 0600 */
static void test_dump_and_report(void **state) {
  (void)state;
  char path[] = "/tmp/dbsql-dump-XXXXXX";
  int fd = mkstemp(path);
  close(fd);
  unlink(path);
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  char settings[200];
  snprintf(settings, sizeof settings, "telemetry_force=true;telemetry_dump=%s", path);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), settings);
  handle_statement(handle, 1);
  assert_true(telemetry_flush(60000));
  const struct http_exchange *sent = http_server_request(endpoint.server, 0);
  struct buf report = BUF_INIT;
  telemetry_report(handle, &report);
  json_error_t why;
  json_t *root = json_loads(buf_text(&report), 0, &why);
  assert_non_null(root);
  assert_int_equal(json_integer_value(json_object_get(root, "accepted")), 1);
  char *body = json_dumps(json_object_get(root, "last_body"), JSON_COMPACT);
  assert_string_equal(body, sent->body);
  free(body);
  json_decref(root);
  buf_free(&report);
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  FILE *file = fopen(path, "r");
  char *text = calloc(1, (size_t)info.st_size + 1);
  assert_int_equal(fread(text, 1, (size_t)info.st_size, file), info.st_size);
  fclose(file);
  assert_int_equal(info.st_size, sent->body_size + 1);
  assert_memory_equal(text, sent->body, sent->body_size);
  free(text);
  unlink(path);
  handle_end(handle);
  telemetry_report(NULL, &report);
  root = json_loads(buf_text(&report), 0, &why);
  assert_string_equal(json_string_value(json_object_get(root, "state")), "off");
  json_decref(root);
  buf_free(&report);
  endpoint_stop(&endpoint);
}

/* Out of memory at every allocation: the query is none the wiser, and nothing is lost without being counted */
static void test_out_of_memory(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  bool struck = true;
  for (uint64_t n = 1; struck; n++) {
    telemetry_test_free();
    struct telemetry_target target;
    struct telemetry_config config;
    struct telemetry *handle = NULL;
    dbsql_error *error = NULL;
    target_init(&target, http_server_url(endpoint.server));
    telemetry_config_init(&config);
    telemetry_config_set(&config, "telemetry", "true", NULL);
    size_t before = endpoint_count(&endpoint);
    mem_test_fail_at(n);
    dbsql_status status = telemetry_open(&target, &config, &handle, &error);
    assert_true(status == DBSQL_OK || status == DBSQL_ERROR_NO_MEMORY);
    if (handle) {
      handle_statement(handle, 1);
      step();
      advance(31 * second);
      advance(2 * second);
    }
    mem_test_fail_at(0);
    struck = mem_test_failed();
    if (handle) {
      advance(70 * second);
      dbsql_telemetry_stats stats = handle_stats(handle);
      uint64_t dropped = stats.dropped_unmade + stats.dropped_failed + stats.dropped_disabled;
      assert_int_equal(stats.accepted + dropped + stats.pending, 1);
      assert_int_equal(endpoint_count(&endpoint) - before, stats.accepted + stats.dropped_failed);
    }
    telemetry_close(handle);
    telemetry_free(handle);
    error_clear(&error);
    telemetry_config_free(&config);
    telemetry_test_free();
    if (mem_test_live_blocks() != blocks) fail_msg("allocation %d leaks", (int)n);
  }
  endpoint_stop(&endpoint);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_new_client),
      TEST(test_success),
      TEST(test_one_attempt_for_each_export),
      TEST(test_breaker_through_the_client),
      TEST(test_retry_after),
      TEST(test_answers),
      TEST(test_broken_connections),
      TEST(test_flag_on),
      TEST(test_flag_off),
      TEST(test_choices_without_a_request),
      TEST(test_one_fetch_for_all),
      TEST(test_flag_changes_live),
      TEST(test_undecided_is_bounded),
      TEST(test_no_token),
      TEST(test_sharing),
      TEST(test_what_is_not_shared),
      TEST(test_idle_entries_are_bounded),
      TEST(test_shutdown),
      TEST(test_last_close_sends),
      TEST(test_one_post_a_second),
      TEST(test_session_records),
      TEST(test_statement_record),
      TEST(test_error_records),
      TEST(test_when_it_is_sent),
      TEST(test_unfinished_statements),
      TEST(test_opt_out),
      TEST(test_unauthenticated),
      TEST(test_redaction),
      TEST(test_pending_is_bounded),
      TEST(test_wall_clock_steps),
      TEST(test_dump_and_report),
      TEST(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
