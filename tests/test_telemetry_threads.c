/* Many threads, much load, and endpoints that hang, in real time: also under ThreadSanitizer. The lines are those of telemetry.md 10.3
 * to 10.5. */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "telemetry/state.h"
#include "telemetry_endpoint.h"

static int64_t blocks;
static const int64_t ms = 1000000;

static int begin(void **state) {
  (void)state;
  blocks = mem_test_live_blocks();
  telemetry_limits = (struct telemetry_limits){.connect_ms = 5000, .request_ms = 10000, .idle_ms = 60000, .answer_bytes = 65536};
  return 0;
}

static int end(void **state) {
  (void)state;
  telemetry_test_free();
  assert_int_equal(mem_test_live_blocks(), blocks);
  return 0;
}

/* ---- The ring -------------------------------------------------------------------------------------------------------------- */

enum { producers = 4, each = 2500000 };

struct flood {
  struct ring *ring;
  atomic_uint_fast64_t pushed, refused;
  atomic_int running;
};

static void *produce(void *user) {
  struct flood *flood = user;
  uint64_t pushed = 0, refused = 0, position;
  for (int i = 0; i < each; i++) {
    struct ring_cell *cell = ring_claim(flood->ring, i % 1000 == 0, &position);
    if (!cell) {
      refused++;
      continue;
    }
    cell->event.started_ns = i;
    cell->event.latency_ns = -i;
    ring_publish(cell, position);
    pushed++;
  }
  atomic_fetch_add(&flood->pushed, pushed);
  atomic_fetch_add(&flood->refused, refused);
  atomic_fetch_sub(&flood->running, 1);
  return NULL;
}

/* "10,000,000 events into a full ring: bounded memory, no stall": nobody waits, nothing is torn, each is taken or counted as refused */
static void test_flood(void **state) {
  (void)state;
  struct flood flood = {.ring = mem_alloc_aligned(sizeof *flood.ring)};
  ring_init(flood.ring);
  int64_t before = mem_test_live_blocks();
  atomic_store(&flood.running, producers);
  pthread_t threads[producers];
  for (int i = 0; i < producers; i++) pthread_create(&threads[i], NULL, produce, &flood);
  uint64_t taken = 0;
  for (;;) {
    bool last = atomic_load(&flood.running) == 0;
    struct ring_event *event = ring_peek(flood.ring);
    if (event) {
      assert_int_equal(event->started_ns, -event->latency_ns);
      ring_pop(flood.ring);
      taken++;
    } else if (last) {
      break;
    }
    assert_true(ring_position(flood.ring) - ring_consumed(flood.ring) <= ring_size);
  }
  for (int i = 0; i < producers; i++) pthread_join(threads[i], NULL);
  assert_int_equal(taken, atomic_load(&flood.pushed));
  assert_int_equal(taken + atomic_load(&flood.refused), (uint64_t)producers * each);
  assert_int_equal(mem_test_live_blocks(), before);
  mem_free_aligned(flood.ring);
}

/* A consumer that stands still: producers are refused at once, and memory stays */
static void test_flood_of_a_handle(void **state) {
  (void)state;
  exporter_test_no_threads = true;
  struct telemetry *handle = handle_open("https://one.example.com", "telemetry_force=true");
  int64_t before = mem_test_live_blocks();
  for (int i = 0; i < 100000; i++) handle_statement(handle, (uint8_t)i);
  dbsql_telemetry_stats stats = handle_stats(handle);
  assert_int_equal(stats.recorded, ring_size - ring_reserve);
  assert_int_equal(stats.dropped_full, 100000 - (ring_size - ring_reserve));
  assert_int_equal(mem_test_live_blocks(), before);
  telemetry_error(handle, DBSQL_ERROR_TIMEOUT, NULL, PLACE_ANY); /* the reserve is for errors */
  assert_int_equal(handle_stats(handle).recorded, ring_size - ring_reserve + 1);
  client_drop_all(telemetry_state_now(), handle->client, DROP_SHUTDOWN);
  handle->close_timeout_ms = 0;
  handle_end(handle);
  exporter_test_no_threads = false;
}

/* ---- Load ------------------------------------------------------------------------------------------------------------------ */

enum { load_threads = 100, load_connections = 10, load_statements = 5 };

struct load {
  struct endpoint endpoint;
  const char *settings;
  atomic_uint_fast64_t recorded;
};

static void *load_thread(void *user) {
  struct load *load = user;
  for (int c = 0; c < load_connections; c++) {
    struct telemetry *handle = handle_open(http_server_url(load->endpoint.server), load->settings);
    for (int i = 0; i < load_statements; i++) handle_statement(handle, (uint8_t)i);
    atomic_fetch_add(&load->recorded, load_statements);
    handle_end(handle);
  }
  return NULL;
}

/* TestLoadTesting_ConcurrentConnections, ConcurrentAccess, ConcurrentAccessMultipleHosts, Manager_ConcurrentAccess, "100 threads on one
 * host, 1,000 connections opened and closed: counts match exactly what the server accepted plus what the drop counters say" */
static void test_load(void **state) {
  (void)state;
  struct load load = {.settings = "telemetry=true;telemetry_close_timeout_ms=0"};
  endpoint_start(&load.endpoint);
  /* One that stays, so that the numbers stay with it */
  struct telemetry *watcher = handle_open(http_server_url(load.endpoint.server), load.settings);
  pthread_t threads[load_threads];
  for (int i = 0; i < load_threads; i++) pthread_create(&threads[i], NULL, load_thread, &load);
  for (int i = 0; i < load_threads; i++) pthread_join(threads[i], NULL);
  assert_true(telemetry_flush(60000));
  dbsql_telemetry_stats stats = handle_stats(watcher);
  uint64_t dropped = stats.dropped_pending + stats.dropped_breaker + stats.dropped_disabled + stats.dropped_failed + stats.dropped_unmade;
  assert_int_equal(stats.received + stats.dropped_full, atomic_load(&load.recorded));
  assert_int_equal(stats.accepted + stats.rejected + dropped + stats.pending, stats.received);
  assert_int_equal(stats.accepted, load.endpoint.accepted);
  assert_int_equal(stats.pending, 0);
  assert_int_equal(load.endpoint.flag_requests, 1);
  handle_end(watcher);
  assert_true(telemetry_flush(5000));
  struct telemetry_state *now = telemetry_state_now();
  pthread_mutex_lock(&now->lock);
  int clients = 0, refs = 0;
  for (struct client *client = now->clients; client; client = client->next, clients++) refs += client->refs;
  pthread_mutex_unlock(&now->lock);
  assert_int_equal(clients, 1);
  assert_int_equal(refs, 0);
  endpoint_stop(&load.endpoint);
}

static void *one_statement_many(void *user) {
  struct telemetry_statement *statement = user;
  for (int i = 0; i < 1000; i++) telemetry_chunk(statement, (i % 50 + 1) * ms, 10);
  telemetry_retried(statement, 1);
  return NULL;
}

/* Counters that downloads feed from their own threads */
static void test_chunks_from_threads(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  struct telemetry_statement statement;
  telemetry_before_execute(handle, &statement, operation_type_EXECUTE_STATEMENT, statement_type_QUERY);
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, one_statement_many, &statement);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  telemetry_after_execute(&statement);
  assert_true(telemetry_flush(10000));
  const json_t *log = endpoint_log(&endpoint, 0);
  assert_int_equal(json_integer_value(json_at(log, "sql_operation.chunk_details.total_chunks_iterated")), 8000);
  assert_int_equal(json_integer_value(json_at(log, "sql_operation.chunk_details.slowest_chunk_latency_millis")), 50);
  assert_int_equal(json_integer_value(json_at(log, "sql_operation.chunk_details.sum_chunks_download_time_millis")), 8 * 20 * 1275);
  assert_int_equal(json_integer_value(json_at(log, "sql_operation.retry_count")), 8);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

static void *close_thread(void *user) {
  (void)user;
  telemetry_flush(5000);
  return NULL;
}

/* TestAggregatorClose_SafeToCallMultipleTimes: flushes and shutdowns at the same time, and a close among them */
static void test_many_at_the_end(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
  for (uint8_t i = 0; i < 50; i++) handle_statement(handle, i);
  pthread_t threads[5];
  for (int i = 0; i < 5; i++) pthread_create(&threads[i], NULL, close_thread, NULL);
  telemetry_close(handle);
  telemetry_close(handle);
  for (int i = 0; i < 5; i++) pthread_join(threads[i], NULL);
  telemetry_free(handle);
  assert_int_equal(endpoint_count(&endpoint), 50);
  assert_true(telemetry_shutdown(5000));
  assert_true(telemetry_shutdown(5000));
  endpoint_stop(&endpoint);
}

/* ---- Bounds ---------------------------------------------------------------------------------------------------------------- */

static int64_t elapsed_ms(int64_t since) {
  return (clock_now_ns() - since) / ms;
}

/* TestAggregatorClose_WaitsForInFlightWorkerExports, TestAggregatorFlushUnlocked_InFlightAddBeforeSend, "waits for the in-flight export":
 * what is being sent when the last connection closes arrives before that returns */
static void test_close_waits_for_what_is_sent(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  endpoint_fail(&endpoint, FAULT_DELAY, 1, 0, NULL);
  struct telemetry *handle =
      handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_batch_size=20;telemetry_close_timeout_ms=30s");
  for (uint8_t i = 0; i < 20; i++) handle_statement(handle, i);
  pthread_t flusher;
  pthread_create(&flusher, NULL, close_thread, NULL);
  test_event_wait(&endpoint.arrived); /* the first batch is under way */
  test_event_set(&endpoint.release);
  pthread_join(flusher, NULL);
  for (uint8_t i = 0; i < 5; i++) handle_statement(handle, i);
  handle->client->pending.earliest_ns = INT64_MIN; /* as if a second had passed */
  handle_end(handle);
  assert_int_equal(endpoint_count(&endpoint), 25);
  endpoint_stop(&endpoint);
}

/* TestAggregatorClose_RespectsContextTimeout, Export_ContextCancellation, FetchFeatureFlag_ContextCancellation, and the close bound: an
 * endpoint that accepts and never answers holds up nobody: the last close keeps its bound, another one takes no time */
static void test_close_bound(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  endpoint_fail(&endpoint, FAULT_HANG, -1, 0, NULL);
  struct telemetry *first = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_close_timeout_ms=200");
  struct telemetry *last = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_close_timeout_ms=200");
  handle_statement(first, 1);
  int64_t start = clock_now_ns();
  telemetry_close(first);
  int64_t took = elapsed_ms(start);
  if (took > 100) fail_msg("a close that is not the last took %lld ms", (long long)took); /* 5 ms where nothing else runs */
  telemetry_free(first);
  handle_statement(last, 2);
  start = clock_now_ns();
  telemetry_close(last);
  took = elapsed_ms(start);
  if (took < 150 || took > 2000) fail_msg("the last close took %lld ms", (long long)took);
  telemetry_free(last);
  /* And so does the end of everything: what is being sent is abandoned. */
  start = clock_now_ns();
  assert_false(telemetry_shutdown(100));
  took = elapsed_ms(start);
  if (took > 2000) fail_msg("the shutdown took %lld ms", (long long)took);
  endpoint_stop(&endpoint);
}

/* "the 10 s bound holds", 16: a probe, a batch or a question about flags that hangs ends by itself */
static void test_request_bound(void **state) {
  (void)state;
  struct endpoint endpoint;
  struct test_event gate = TEST_EVENT_INIT;
  telemetry_limits.request_ms = 300;
  endpoint_start(&endpoint);
  endpoint_fail(&endpoint, FAULT_HANG, -1, 0, NULL);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_close_timeout_ms=0");
  handle_statement(handle, 1);
  int64_t start = clock_now_ns();
  telemetry_flush(10000);
  assert_true(elapsed_ms(start) < 5000);
  assert_int_equal(handle_stats(handle).dropped_failed, 1); /* it may have arrived: not sent again */
  assert_int_equal(endpoint_posts(&endpoint), 1);
  handle_end(handle);
  endpoint.flag_gate = &gate;
  handle = handle_open(http_server_url(endpoint.server), "telemetry=true;telemetry_close_timeout_ms=5s");
  start = clock_now_ns();
  handle_end(handle);
  handle = handle_open(http_server_url(endpoint.server), "telemetry=true;telemetry_close_timeout_ms=5s");
  handle_statement(handle, 1);
  handle_end(handle); /* waits for the answer, which does not come: off */
  assert_true(elapsed_ms(start) < 4000);
  test_event_set(&gate);
  endpoint_stop(&endpoint);
}

/* A slow answer, one byte at a time */
static void test_slow_answer(void **state) {
  (void)state;
  struct endpoint endpoint;
  telemetry_limits.request_ms = 300;
  endpoint_start(&endpoint);
  endpoint_fail(&endpoint, FAULT_SLOW, -1, 0, NULL);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_close_timeout_ms=0");
  handle_statement(handle, 1);
  int64_t start = clock_now_ns();
  telemetry_flush(10000);
  assert_true(elapsed_ms(start) < 5000);
  assert_int_equal(handle_stats(handle).failed_batches, 1);
  handle_end(handle);
  endpoint_stop(&endpoint);
}

/* The batch interval in real time, and threads that end when there is nothing left to do */
static void test_threads_come_and_go(void **state) {
  (void)state;
  struct endpoint endpoint;
  telemetry_limits.idle_ms = 50;
  endpoint_start(&endpoint);
  for (int round = 0; round < 3; round++) {
    size_t before = endpoint_count(&endpoint);
    struct telemetry *handle =
        handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_flush_interval_ms=100;telemetry_close_timeout_ms=0");
    handle_statement(handle, 1);
    int64_t start = clock_now_ns();
    while (endpoint_count(&endpoint) == before && elapsed_ms(start) < 20000) usleep(1000);
    assert_int_equal(endpoint_count(&endpoint), before + 1);
    handle_end(handle);
    struct telemetry_state *now = telemetry_state_now();
    bool running = true;
    while (running && elapsed_ms(start) < 20000) {
      usleep(1000);
      pthread_mutex_lock(&now->lock);
      running = now->workers[WORKER_DRAIN].running || now->workers[WORKER_VENDOR].running || now->workers[WORKER_OTLP].running;
      pthread_mutex_unlock(&now->lock);
    }
    assert_false(running);
  }
  endpoint_stop(&endpoint);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_flood),
      TEST(test_flood_of_a_handle),
      TEST(test_load),
      TEST(test_chunks_from_threads),
      TEST(test_many_at_the_end),
      TEST(test_close_waits_for_what_is_sent),
      TEST(test_close_bound),
      TEST(test_request_bound),
      TEST(test_slow_answer),
      TEST(test_threads_come_and_go),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
