/*
 * What many connections in one process take: memory, threads, failures.
 *
 *    bench_sessions DSN [CONNECTIONS [WORKERS]]
 *
 * All connect, run a statement whose rows come in its answer, then one whose rows come as files; the work is spread over a few threads of
 * this program, which have ended when something is measured. A connection that did all this before the others is not counted: what the
 * process needs once is not theirs.
 */
#include <dbsql/dbsql.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { most_workers = 64, small_rows = 1000, large_rows = 40000 };

static const char *dsn;
static dbsql_config *config;
static dbsql_connection **connections; /* [0] came before the others */
static int connection_count;
static int worker_count;
static atomic_int next_one, failures;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "bench_sessions: %s: %s\n", what, why);
  exit(1);
}

/* Resident memory: exact, other than what /proc/self/status tells. */
static double resident_kib(void) {
  char line[200];
  double kib = 0;
  FILE *file = fopen("/proc/self/smaps_rollup", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "Rss: %lf", &kib) == 1) break;
  }
  if (file) fclose(file);
  return kib;
}

static int threads(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/task");
  for (struct dirent *entry; folder && (entry = readdir(folder));) count += entry->d_name[0] != '.';
  if (folder) closedir(folder);
  return count;
}

static void failed(int i, const char *what, dbsql_error *error) {
  if (atomic_fetch_add(&failures, 1) < 10) fprintf(stderr, "bench_sessions: connection %d, %s: %s\n", i, what, dbsql_error_message(error));
  dbsql_error_free(error);
}

static void connect_one(int i) {
  dbsql_error *error = NULL;
  if (dbsql_connect(config, NULL, &connections[i], &error) != DBSQL_OK) failed(i, "connecting", error);
}

static void query(int i, int64_t wanted) {
  char sql[100];
  int64_t rows = 0, sum = 0;
  dbsql_error *error = NULL;
  dbsql_result *result = NULL;
  struct ArrowArray batch;
  if (!connections[i]) return;
  snprintf(sql, sizeof sql, "SELECT i + %d FROM range(%lld) AS r(i)", i, (long long)wanted);
  dbsql_status status = dbsql_execute(connections[i], sql, SIZE_MAX, NULL, &result, &error);
  while (status == DBSQL_OK && (status = dbsql_result_next_batch(result, NULL, &batch, &error)) == DBSQL_OK && batch.release) {
    const int64_t *values = (const int64_t *)batch.children[0]->buffers[1] + batch.children[0]->offset;
    for (int64_t row = 0; row < batch.length; row++) sum += values[row];
    rows += batch.length;
    batch.release(&batch);
  }
  dbsql_result_free(result);
  if (status != DBSQL_OK) {
    failed(i, sql, error);
  } else if (rows != wanted || sum != wanted * (wanted - 1) / 2 + wanted * i) {
    failed(i, "the rows of another statement, or not all", NULL);
  }
}

static void query_small(int i) {
  query(i, small_rows);
}

static void query_large(int i) {
  query(i, large_rows);
}

static void close_one(int i) {
  dbsql_error *error = NULL;
  if (dbsql_connection_close(connections[i], NULL, &error) != DBSQL_OK) failed(i, "closing", error);
}

static void *worker(void *user) {
  void (*work)(int) = *(void (**)(int))user;
  for (int i; (i = atomic_fetch_add(&next_one, 1)) <= connection_count;) work(i);
  return NULL;
}

static void all(void (*work)(int)) {
  pthread_t workers[most_workers];
  atomic_store(&next_one, 1);
  for (int i = 0; i < worker_count; i++) {
    if (pthread_create(&workers[i], NULL, worker, &work) != 0) fail("threads", "cannot be started");
  }
  for (int i = 0; i < worker_count; i++) pthread_join(workers[i], NULL);
}

static void figure(const char *name, double value, const char *unit) {
  printf("bench\tsessions.%s\t%.1f\t%s\n", name, value, unit);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  dbsql_error *error = NULL;
  if (argc < 2) fail("usage", "bench_sessions DSN [CONNECTIONS [WORKERS]]");
  dsn = argv[1];
  connection_count = argc > 2 ? atoi(argv[2]) : 1000;
  worker_count = argc > 3 ? atoi(argv[3]) : 8;
  if (connection_count < 1 || worker_count < 1 || worker_count > most_workers) fail("usage", "too many or too few");
  connections = calloc((size_t)connection_count + 1, sizeof *connections);
  if (!connections) fail("memory", "there is none");
  if (dbsql_config_new(&config, &error) != DBSQL_OK || dbsql_config_parse(config, dsn, SIZE_MAX, &error) != DBSQL_OK) {
    fail("configuration", dbsql_error_message(error));
  }
  connect_one(0);
  query_small(0);
  query_large(0);
  int threads_of_one = threads();
  double before = resident_kib(), start = now();
  all(connect_one);
  double connected = resident_kib();
  all(query_small);
  double idle = resident_kib();
  all(query_large);
  double idle_files = resident_kib();
  int threads_of_all = threads();
  all(query_small);
  double again = resident_kib();
  double wall = now() - start;
  all(close_one);
  close_one(0);
  dbsql_config_free(config);
  free(connections);
  figure("connections", connection_count, "connections");
  figure("kib_per_connected", (connected - before) / connection_count, "KiB");
  figure("kib_per_idle", (idle - before) / connection_count, "KiB");
  figure("kib_per_idle_files", (idle_files - before) / connection_count, "KiB");
  figure("kib_per_idle_again", (again - before) / connection_count, "KiB");
  figure("threads_of_one", threads_of_one, "threads");
  figure("threads", threads_of_all, "threads");
  figure("wall", wall, "s");
  figure("failures", atomic_load(&failures), "failures");
  return atomic_load(&failures) != 0;
}
