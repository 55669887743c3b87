/*
 * What the token of a request costs when it is cached: connections on one cached provider, each with a thread of its own, ask for the
 * header of a request over and over, into a buffer that is there already.
 *
 *    bench_auth [CALLS]
 *
 * The time is the threads' own (CPU), so that it does not depend on what else the machine does; waiting for each other would show in the
 * context switches. The token is as long as those of Databricks' OAuth.
 */
#include <dbsql/dbsql.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "auth/auth.h"

enum { token_size = 900, most_threads = 100 };

static atomic_long allocations;
static char token[token_size + 1];

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

static void fail(const char *what, dbsql_error *error) {
  fprintf(stderr, "bench_auth: %s: %s\n", what, error ? dbsql_error_message(error) : "failed");
  exit(1);
}

static int fetches;
static int get_token(void *user, const dbsql_token_request *request, dbsql_token *given) {
  (void)user, (void)request;
  fetches++;
  given->access_token = token;
  given->expires_at_ms = ((int64_t)time(NULL) + 3600) * 1000;
  return 0;
}

struct worker {
  struct authenticator *authenticator;
  struct buf value;
  pthread_barrier_t *start;
  long calls;
  double seconds; /* of its own */
};

static double own_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void ask(struct worker *worker, const struct call *call) {
  struct auth_stamp stamp;
  buf_reset(&worker->value);
  if (worker->authenticator->authorize(worker->authenticator, call, &worker->value, &stamp, NULL) != DBSQL_OK ||
      worker->value.size != token_size + 7 || !stamp.has_token) {
    fail("header", NULL);
  }
}

static void *work(void *user) {
  struct worker *worker = user;
  struct call call;
  call_begin_internal(&call, 3600000);
  ask(worker, &call);
  pthread_barrier_wait(worker->start);
  double before = own_seconds();
  for (long i = 0; i < worker->calls; i++) ask(worker, &call);
  worker->seconds = own_seconds() - before;
  return NULL;
}

static void measure(dbsql_token_provider *provider, struct auth_context *context, int threads, long calls) {
  static struct worker workers[most_threads];
  pthread_t ids[most_threads];
  pthread_barrier_t start;
  struct rusage before, after;
  double seconds = 0;
  dbsql_error *error = NULL;
  pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
  for (int i = 0; i < threads; i++) {
    workers[i] = (struct worker){.start = &start, .calls = calls / threads};
    if (authenticator_provider(provider, context, NULL, &workers[i].authenticator, &error) != DBSQL_OK) fail("authenticator", error);
    if (pthread_create(&ids[i], NULL, work, &workers[i]) != 0) fail("thread", NULL);
  }
  /* Everybody has a token and a buffer by the time that all have come to the barrier. */
  getrusage(RUSAGE_SELF, &before);
  long allocated = 0;
  pthread_barrier_wait(&start);
  allocated = atomic_load(&allocations);
  for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  allocated = atomic_load(&allocations) - allocated;
  getrusage(RUSAGE_SELF, &after);
  for (int i = 0; i < threads; i++) {
    seconds += workers[i].seconds;
    authenticator_free(workers[i].authenticator);
    buf_free(&workers[i].value);
  }
  pthread_barrier_destroy(&start);
  long total = calls / threads * threads;
  printf("bench\tauth.cached_ns_%d\t%.1f\tns\n", threads, seconds * 1e9 / (double)total);
  printf("bench\tauth.cached_waits_%d\t%ld\tcount\n", threads, after.ru_nvcsw - before.ru_nvcsw);
  printf("bench\tauth.cached_allocations_%d\t%ld\tcount\n", threads, allocated);
  if (allocated != 0) fail("a cached token was allocated for", NULL);
}

int main(int argc, char **argv) {
  long calls = argc > 1 ? atol(argv[1]) : 10000000;
  dbsql_allocator allocator = {count_allocate, count_reallocate, count_release, NULL};
  if (dbsql_set_allocator(&allocator) != DBSQL_OK) fail("allocator", NULL);
  memset(token, 'x', token_size);
  dbsql_token_source source = {.struct_size = sizeof source, .get_token = get_token};
  dbsql_token_provider *external, *cached;
  struct http_settings http = {0};
  struct auth_context *context;
  dbsql_error *error = NULL;
  if (dbsql_token_provider_external(&source, &external, &error) != DBSQL_OK ||
      dbsql_token_provider_cached(external, 0, &cached, &error) != DBSQL_OK ||
      auth_context_new("https://h.example", "h.example", false, &http, &context, &error) != DBSQL_OK) {
    fail("provider", error);
  }
  static const int threads[] = {1, 2, 100};
  for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) measure(cached, context, threads[i], calls);
  printf("bench\tauth.fetches\t%d\tcount\n", fetches);
  auth_context_drop(context);
  dbsql_token_provider_free(cached);
  dbsql_token_provider_free(external);
  return fetches == 1 ? 0 : 1;
}
