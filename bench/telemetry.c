/*
 * What telemetry costs the driver's thread, and what it takes to send it. Prints `bench`, name, value, unit, separated by tabs.
 *
 *    bench_telemetry [URL]     URL: where batches are posted; none: export_batch is left out
 *    bench_telemetry --count N only N pairs of before and after, for callgrind
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "telemetry/state.h"
#include "telemetry/wire.h"

enum { rounds = 15 };

static atomic_uint_fast64_t allocations;

static void *count_allocate(void *user, size_t size) {
  (void)user;
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return malloc(size);
}

static void *count_reallocate(void *user, void *block, size_t size) {
  (void)user;
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return realloc(block, size);
}

static void count_release(void *user, void *block) {
  (void)user;
  free(block);
}

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void print(const char *name, double value, const char *unit) {
  printf("bench\t%s\t%.2f\t%s\n", name, value, unit);
  fflush(stdout);
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* The median of the rounds: neither the best nor what the machine did besides. */
static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, compare);
  return values[count / 2];
}

static struct telemetry *open_handle(const char *origin, const char *name, const char *value) {
  struct telemetry_target target = {.origin = origin,
                                    .tags = {.session_id = "01f0a1b2-c3d4-1e5f-8a9b-0c1d2e3f4a5b",
                                             .driver_name = "dbsql-c",
                                             .user_agent = "dbsql/bench",
                                             .mode = mode_THRIFT,
                                             .auth_mech = auth_mech_PAT},
                                    .http = {.user_agent = "dbsql/bench", .tls_verify = true, .tls_system_store = true}};
  struct telemetry_config config;
  struct telemetry *handle = NULL;
  telemetry_config_init(&config);
  telemetry_config_set(&config, "telemetry_force", "true", NULL);
  telemetry_config_set(&config, "telemetry_close_timeout_ms", "0", NULL);
  if (name) telemetry_config_set(&config, name, value, NULL);
  if (telemetry_open(&target, &config, &handle, NULL) != DBSQL_OK) exit(1);
  telemetry_config_free(&config);
  return handle;
}

/* The compiler must not see that the handle is always the same. */
static struct telemetry *volatile hidden;

static void pairs(struct telemetry *handle, int count) {
  for (int i = 0; i < count; i++) {
    struct telemetry_statement statement;
    telemetry_before_execute(handle, &statement, operation_type_EXECUTE_STATEMENT, statement_type_QUERY);
    telemetry_after_execute(&statement);
  }
}

static void empty_ring(void) {
  struct telemetry_state *state = telemetry_state_now();
  while (ring_peek(state->ring)) ring_pop(state->ring);
}

/* Before and after one statement, into a ring that has room. */
static void bench_pair_enabled(void) {
  enum { count = 3000, repeat = 40 };
  struct telemetry *handle = open_handle("https://bench.invalid", NULL, NULL);
  double values[rounds];
  pairs(handle, count);
  empty_ring();
  uint64_t before = atomic_load(&allocations);
  for (int round = 0; round < rounds; round++) {
    double spent = 0;
    for (int i = 0; i < repeat; i++) {
      double start = now_ns();
      pairs(handle, count);
      spent += now_ns() - start;
      empty_ring();
    }
    values[round] = spent / (count * repeat);
  }
  print("telemetry.pair_enabled", median(values, rounds), "ns");
  print("telemetry.pair_enabled_allocations", (double)(atomic_load(&allocations) - before) / ((double)count * repeat * rounds),
        "allocations");
  double start = now_ns();
  for (int i = 0; i < 1000000; i++) clock_now_ns();
  print("telemetry.two_clock_reads", (now_ns() - start) / 500000, "ns");
  telemetry_close(handle);
  telemetry_free(handle);
}

static void bench_pair_disabled(void) {
  enum { count = 20000000 };
  double values[rounds];
  hidden = NULL;
  for (int round = 0; round < rounds; round++) {
    double start = now_ns();
    for (int i = 0; i < count; i++) {
      struct telemetry_statement statement;
      telemetry_before_execute(hidden, &statement, operation_type_EXECUTE_STATEMENT, statement_type_QUERY);
      telemetry_after_execute(&statement);
    }
    values[round] = (now_ns() - start) / count;
  }
  print("telemetry.pair_disabled", median(values, rounds), "ns");
}

struct sixteen {
  struct telemetry *handle;
  pthread_barrier_t *start;
};

static void *record_thread(void *user) {
  const struct sixteen *sixteen = user;
  pthread_barrier_wait(sixteen->start);
  for (int i = 0; i < 20000; i++)
    telemetry_operation(sixteen->handle, operation_type_EXECUTE_STATEMENT, NULL, 1, false, DBSQL_OK, NULL, PLACE_ANY);
  return NULL;
}

/* 16 threads into one ring that the library's own thread empties meanwhile; nanoseconds of all per record. */
static void bench_record_16(void) {
  enum { threads = 16 };
  struct telemetry *handle = open_handle("https://bench.invalid", NULL, NULL);
  double values[5];
  for (int round = 0; round < 5; round++) {
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, threads + 1);
    struct sixteen sixteen = {handle, &barrier};
    pthread_t thread[threads];
    for (int i = 0; i < threads; i++) pthread_create(&thread[i], NULL, record_thread, &sixteen);
    pthread_barrier_wait(&barrier);
    double start = now_ns();
    for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    values[round] = (now_ns() - start) / (threads * 20000.0);
    pthread_barrier_destroy(&barrier);
  }
  print("telemetry.record_16_threads", median(values, 5), "ns");
  telemetry_close(handle);
  telemetry_free(handle);
}

static void bench_breaker(void) {
  enum { count = 5000000 };
  struct breaker breaker;
  double values[rounds];
  breaker_init(&breaker, &breaker_defaults, 1);
  for (int round = 0; round < rounds; round++) {
    double start = now_ns();
    for (int i = 0; i < count; i++) {
      uint32_t generation;
      if (breaker_admit(&breaker, i, &generation)) breaker_report(&breaker, i, generation, BREAKER_SUCCESS, 0);
    }
    values[round] = (now_ns() - start) / count;
  }
  print("telemetry.breaker_execute", median(values, rounds), "ns");
}

static void *manager_thread(void *user) {
  (void)user;
  for (int i = 0; i < 5000; i++) {
    struct telemetry *handle = open_handle("https://bench.invalid", NULL, NULL);
    telemetry_close(handle);
    telemetry_free(handle);
  }
  return NULL;
}

/* Four threads that open and close connections to one host; wall time of each. */
static void bench_manager(void) {
  enum { threads = 4 };
  struct telemetry *stays = open_handle("https://bench.invalid", NULL, NULL);
  double values[5];
  for (int round = 0; round < 5; round++) {
    pthread_t thread[threads];
    double start = now_ns();
    for (int i = 0; i < threads; i++) pthread_create(&thread[i], NULL, manager_thread, NULL);
    for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    values[round] = (now_ns() - start) / (threads * 5000.0);
  }
  print("telemetry.manager_acquire_release", median(values, 5), "ns");
  telemetry_close(stays);
  telemetry_free(stays);
}

/* Serialising alone, and with the post to a server: per record. */
static void bench_export(const char *url) {
  enum { count = 200 };
  struct tag_event event = {.event_id = {1},
                            .timestamp_ms = 1767225600123,
                            .statement_id = {2},
                            .statement_type = statement_type_QUERY,
                            .execution_result = execution_result_INLINE_ARROW,
                            .operation_type = operation_type_EXECUTE_STATEMENT,
                            .chunks_iterated = 3,
                            .chunks_present = 3,
                            .chunk_sum_ms = 30,
                            .poll_count = 2,
                            .operation_latency_ms = 5};
  struct telemetry *handle = open_handle("https://bench.invalid", NULL, NULL);
  struct telemetry_state *state = telemetry_state_now();
  system_describe(state);
  struct buf body = BUF_INIT, entry = BUF_INIT;
  double values[rounds];
  for (int round = 0; round < rounds; round++) {
    double start = now_ns();
    buf_reset(&body);
    wire_begin(&body, 1767225603000);
    for (int i = 0; i < count; i++) {
      struct tag_record record = {KIND_STATEMENT, &event, &handle->tags, &state->process};
      buf_reset(&entry);
      wire_entry(&entry, &record, TO_DATABRICKS);
      wire_add(&body, buf_slice(&entry), i == 0);
    }
    wire_end(&body);
    values[round] = (now_ns() - start) / count;
  }
  print("telemetry.serialise", median(values, rounds), "ns");
  print("telemetry.entry_bytes", (double)body.size / count, "bytes");
  buf_free(&body);
  buf_free(&entry);
  telemetry_close(handle);
  telemetry_free(handle);
  if (!url) return;
  handle = open_handle(url, NULL, NULL);
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < count; i++)
      telemetry_operation(handle, operation_type_EXECUTE_STATEMENT, NULL, 1, false, DBSQL_OK, NULL, PLACE_ANY);
    pthread_mutex_lock(&state->lock);
    handle->client->pending.earliest_ns = INT64_MIN; /* the limit of one request a second is not what is measured */
    pthread_mutex_unlock(&state->lock);
    double start = now_ns();
    telemetry_flush(10000);
    values[round] = (now_ns() - start) / count;
  }
  dbsql_telemetry_stats stats = {.struct_size = sizeof stats};
  print("telemetry.export_batch", median(values, rounds), "ns");
  telemetry_close(handle);
  telemetry_free(handle);
  (void)stats;
}

int main(int argc, char **argv) {
  static const dbsql_allocator counting = {count_allocate, count_reallocate, count_release, NULL};
  dbsql_set_allocator(&counting);
  exporter_test_no_threads = true;
  if (argc > 2 && strcmp(argv[1], "--count") == 0) {
    struct telemetry *handle = open_handle("https://bench.invalid", NULL, NULL);
    for (int left = atoi(argv[2]); left > 0; left -= 1000) {
      pairs(handle, left < 1000 ? left : 1000);
      empty_ring();
    }
    return 0;
  }
  bench_pair_enabled();
  bench_pair_disabled();
  bench_breaker();
  bench_manager();
  bench_export(argc > 1 ? argv[1] : NULL);
  telemetry_test_free();
  exporter_test_no_threads = false;
  bench_record_16();
  telemetry_test_free();
  return 0;
}
