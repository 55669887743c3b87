/*
 * What reading a large result takes in memory, in a process that does nothing else:
 *
 *    bench_memory DSN SQL fast|slow [CEILING_MIB [LEAST_MIB]]
 *
 * The fast consumer lets go of each batch at once; the slow one reads all of its bytes several times first, so that the downloads are
 * always ahead of it. Both end with an error if the result is shorter than LEAST_MIB.
 */
#include <dbsql/dbsql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { passes = 24 };

static void fail(const char *what, const char *why) {
  fprintf(stderr, "bench_memory: %s: %s\n", what, why);
  exit(1);
}

static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Resident memory at its peak, as the kernel has it for the whole life of the process. */
static double peak_mib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
  return (double)usage.ru_maxrss / 1048576;
#else
  return (double)usage.ru_maxrss / 1024;
#endif
}

/* A sum whose every step needs the one before: it takes its time whatever the compiler does. */
static uint64_t read_all(uint64_t sum, const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  for (size_t i = 0; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, at + i, sizeof word);
    sum = (sum ^ word) * UINT64_C(0x100000001B3);
  }
  return sum;
}

/* The statement has three columns: BIGINT, DOUBLE, STRING. */
static uint64_t work(const struct ArrowArray *batch) {
  uint64_t sum = 0;
  for (int pass = 0; pass < passes; pass++) {
    for (int i = 0; i < 2; i++) {
      const struct ArrowArray *numbers = batch->children[i];
      sum = read_all(sum, (const char *)numbers->buffers[1] + numbers->offset * 8, (size_t)numbers->length * 8);
    }
    const struct ArrowArray *texts = batch->children[2];
    const int32_t *offsets = (const int32_t *)texts->buffers[1] + texts->offset;
    sum = read_all(sum, (const char *)texts->buffers[2] + offsets[0], (size_t)(offsets[texts->length] - offsets[0]));
  }
  return sum;
}

static void figure(const char *consumer, const char *name, double value, const char *unit) {
  printf("bench\tmemory.%s_%s\t%.3f\t%s\n", consumer, name, value, unit);
}

int main(int argc, char **argv) {
  const char *consumer = argc > 3 ? argv[3] : "";
  bool slow = strcmp(consumer, "slow") == 0;
  double ceiling = argc > 4 ? atof(argv[4]) : 64, least = argc > 5 ? atof(argv[5]) : 0;
  char bytes[32];
  dbsql_config *config;
  dbsql_connection *connection = NULL;
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  if (argc < 4 || (!slow && strcmp(consumer, "fast") != 0)) fail("usage", "bench_memory DSN SQL fast|slow [CEILING_MIB [LEAST_MIB]]");
  snprintf(bytes, sizeof bytes, "%.0f", ceiling * 1048576);
  if (dbsql_config_new(&config, &error) != DBSQL_OK || dbsql_config_parse(config, argv[1], SIZE_MAX, &error) != DBSQL_OK ||
      dbsql_config_set(config, "max_memory_bytes", bytes, &error) != DBSQL_OK ||
      dbsql_connect(config, NULL, &connection, &error) != DBSQL_OK) {
    fail("connect", dbsql_error_message(error));
  }
  dbsql_config_free(config);
  double idle = peak_mib();
  if (dbsql_execute(connection, argv[2], SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail("execute", dbsql_error_message(error));
  double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  uint64_t sum = 0;
  int64_t rows = 0;
  for (;;) {
    struct ArrowArray batch;
    if (dbsql_result_next_batch(result, NULL, &batch, &error) != DBSQL_OK) fail("fetch", dbsql_error_message(error));
    if (!batch.release) break;
    rows += batch.length;
    if (slow) sum ^= work(&batch);
    batch.release(&batch);
  }
  wall = seconds(CLOCK_MONOTONIC) - wall;
  cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  dbsql_statistics statistics = {.struct_size = sizeof statistics};
  dbsql_result_statistics(result, &statistics);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  double decoded = (double)statistics.bytes_decoded / 1048576;
  if (decoded < least) fail("result", "it is shorter than it should be, or did not come as files");
  figure(consumer, "decoded_mib", decoded, "MiB");
  figure(consumer, "received_mib", (double)statistics.bytes_received / 1048576, "MiB");
  figure(consumer, "files", (double)statistics.files_read, "files");
  figure(consumer, "rows", (double)rows, "rows");
  figure(consumer, "wall_s", wall, "s");
  figure(consumer, "cpu_s", cpu, "s");
  figure(consumer, "waited_s", (double)statistics.waited_us / 1e6, "s"); /* for files */
  figure(consumer, "connected_mib", idle, "MiB");
  figure(consumer, "high_water_mib", (double)statistics.memory_high / 1048576, "MiB");
  figure(consumer, "peak_mib", peak_mib(), "MiB");
  if (slow) fprintf(stderr, "checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
