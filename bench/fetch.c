/*
 * What a large result costs that comes as files: through the library, against a floor that downloads the same files with libcurl's multi
 * interface, as many at once, and decompresses them with liblz4, and does nothing else.
 *
 *    bench_fetch DSN SQL [ROUNDS]
 *
 * Both run in turns, so that what the machine does besides falls on both. CPU is this process's own.
 */
#include <curl/curl.h>
#include <dbsql/dbsql.h>
#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "session/statement.h"

enum { width = 10 };

struct cost {
  double cpu;
  double wall;
  double peak_mib;
};

static void fail(const char *what, const char *why) {
  fprintf(stderr, "bench_fetch: %s: %s\n", what, why);
  exit(1);
}

static struct cost now(void) {
  struct rusage usage;
  struct timespec wall;
  getrusage(RUSAGE_SELF, &usage);
  clock_gettime(CLOCK_MONOTONIC, &wall);
  return (struct cost){
      .cpu =
          (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
      .wall = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9,
  };
}

/* The peak of resident memory since the last reset, 0 where the system does not tell. */
static double peak_mib(bool reset) {
  if (reset) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file) {
      fputs("5", file);
      fclose(file);
    }
    return 0;
  }
  char line[200];
  double kib = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "VmHWM: %lf", &kib) == 1) break;
  }
  if (file) fclose(file);
  return kib / 1024;
}

static struct cost since(struct cost start) {
  struct cost end = now();
  return (struct cost){end.cpu - start.cpu, end.wall - start.wall, peak_mib(false)};
}

/* ---- The floor ----------------------------------------------------------------------------------------------------------- */

struct links {
  char **urls;
  size_t count;
};

static void add_links(struct links *links, struct page *page) {
  uint32_t count = page->rows && page->rows->has_resultLinks ? page->rows->resultLinks.count : 0;
  links->urls = realloc(links->urls, (links->count + count + 1) * sizeof *links->urls);
  for (uint32_t i = 0; i < count; i++) {
    struct slice url = page->rows->resultLinks.items[i].fileLink;
    links->urls[links->count++] = strndup((const char *)url.data, url.size);
  }
}

/* All links of a result, which the library itself does not get to see. The operation stays open. */
static struct backend_operation *collect(dbsql_connection *connection, const char *sql, struct links *links) {
  const struct backend_ops *ops = connection->backend->ops;
  struct backend_statement statement = {.sql = slice_text(sql)};
  struct backend_operation *operation = NULL;
  struct result_schema *schema = NULL;
  struct page page = {0};
  struct call call;
  int64_t affected, row = 0;
  dbsql_error *error = NULL;
  call_begin_internal(&call, 0);
  if (ops->execute(connection->backend, &statement, &call, &operation, &error) != DBSQL_OK ||
      ops->wait(operation, &call, &error) != DBSQL_OK || ops->describe(operation, &call, &schema, &affected, &error) != DBSQL_OK) {
    fail("the floor's statement", dbsql_error_message(error));
  }
  result_schema_unref(schema);
  ops->first_page(operation, &page);
  for (;;) {
    if (!page.body && ops->fetch(operation, row, &call, &page, &error) != DBSQL_OK) fail("links", dbsql_error_message(error));
    add_links(links, &page);
    if (page.kind == PAGE_LINKS) {
      const struct TSparkArrowResultLink *last = &page.rows->resultLinks.items[page.rows->resultLinks.count - 1];
      row = last->startRowOffset + last->rowCount;
    }
    bool more = page.has_more;
    page_free(&page);
    if (!more) return operation;
  }
}

struct body {
  char *data;
  size_t size;
  size_t capacity;
};

static size_t take(char *data, size_t size, size_t count, void *user) {
  struct body *body = user;
  size_t length = size * count;
  if (body->size + length > body->capacity) {
    body->capacity = (body->size + length) * 2;
    body->data = realloc(body->data, body->capacity);
  }
  memcpy(body->data + body->size, data, length);
  body->size += length;
  return length;
}

static size_t decompress(const struct body *body, LZ4F_dctx *context, char *out, size_t out_size) {
  LZ4F_decompressOptions_t options = {.stableDst = 1, .skipChecksums = 1};
  size_t at = 0, made = 0;
  while (at < body->size) {
    size_t in = body->size - at, room = out_size - made;
    size_t status = LZ4F_decompress(context, out + made, &room, body->data + at, &in, &options);
    if (LZ4F_isError(status)) fail("liblz4", LZ4F_getErrorName(status));
    at += in;
    made += room;
  }
  return made;
}

/* Returns the decoded bytes. */
static size_t run_floor(const struct links *links) {
  static struct body bodies[width];
  static char *out;
  enum { out_size = 256 << 20 };
  CURLM *multi = curl_multi_init();
  CURL *handles[width];
  LZ4F_dctx *context;
  size_t next = 0, decoded = 0;
  int running = 0;
  LZ4F_createDecompressionContext(&context, LZ4F_VERSION);
  if (!out) out = malloc(out_size);
  for (int i = 0; i < width; i++) {
    handles[i] = curl_easy_init();
    curl_easy_setopt(handles[i], CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(handles[i], CURLOPT_WRITEDATA, &bodies[i]);
    curl_easy_setopt(handles[i], CURLOPT_PRIVATE, &bodies[i]);
    curl_easy_setopt(handles[i], CURLOPT_BUFFERSIZE, 256L * 1024L);
    if (next == links->count) continue;
    bodies[i].size = 0;
    curl_easy_setopt(handles[i], CURLOPT_URL, links->urls[next++]);
    curl_multi_add_handle(multi, handles[i]);
    running++;
  }
  while (running > 0) {
    int still, queued;
    curl_multi_perform(multi, &still);
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &queued))) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL *easy = message->easy_handle;
      long status = 0;
      struct body *body;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&body);
      if (message->data.result != CURLE_OK || status != 200) fail("the floor's download", curl_easy_strerror(message->data.result));
      decoded += decompress(body, context, out, out_size);
      curl_multi_remove_handle(multi, easy);
      running--;
      if (next == links->count) continue;
      body->size = 0;
      curl_easy_setopt(easy, CURLOPT_URL, links->urls[next++]);
      curl_multi_add_handle(multi, easy);
      running++;
    }
    if (running > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  for (int i = 0; i < width; i++) curl_easy_cleanup(handles[i]);
  curl_multi_cleanup(multi);
  LZ4F_freeDecompressionContext(context);
  return decoded;
}

/* ---- The library --------------------------------------------------------------------------------------------------------- */

static struct cost run_library(dbsql_connection *connection, const char *sql, int64_t *rows, dbsql_statistics *statistics) {
  dbsql_result *result;
  dbsql_error *error = NULL;
  *rows = 0;
  peak_mib(true);
  if (dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail("execute", dbsql_error_message(error));
  struct cost start = now();
  for (;;) {
    struct ArrowArray batch;
    if (dbsql_result_next_batch(result, NULL, &batch, &error) != DBSQL_OK) fail("fetch", dbsql_error_message(error));
    if (!batch.release) break;
    *rows += batch.length;
    batch.release(&batch);
  }
  struct cost cost = since(start);
  *statistics = (dbsql_statistics){.struct_size = sizeof *statistics};
  dbsql_result_statistics(result, statistics);
  dbsql_result_free(result);
  return cost;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void figure(const char *name, double value, const char *unit) {
  printf("bench\tfetch.%s\t%.3f\t%s\n", name, value, unit);
}

int main(int argc, char **argv) {
  enum { most_rounds = 32 };
  double cpu_ratio[most_rounds], wall_ratio[most_rounds];
  struct cost library = {0}, floor = {0};
  int rounds = argc > 3 ? atoi(argv[3]) : 3;
  dbsql_config *config;
  dbsql_connection *connection;
  dbsql_error *error = NULL;
  if (argc < 3 || rounds < 1 || rounds > most_rounds) fail("usage", "bench_fetch DSN SQL [ROUNDS]");
  if (dbsql_config_new(&config, &error) != DBSQL_OK || dbsql_config_parse(config, argv[1], SIZE_MAX, &error) != DBSQL_OK ||
      dbsql_config_set(config, "verify_checksums", "off", &error) != DBSQL_OK ||
      dbsql_connect(config, NULL, &connection, &error) != DBSQL_OK) {
    fail("connect", dbsql_error_message(error));
  }
  dbsql_config_free(config);
  dbsql_statistics statistics = {0};
  int64_t rows = 0;
  size_t decoded = 0;
  for (int i = 0; i < rounds; i++) {
    struct links links = {0};
    struct backend_operation *operation = collect(connection, argv[2], &links);
    peak_mib(true);
    struct cost start = now();
    decoded = run_floor(&links);
    struct cost a = since(start);
    struct call call;
    call_begin_internal(&call, 0);
    connection->backend->ops->close_operation(operation, &call);
    for (size_t k = 0; k < links.count; k++) free(links.urls[k]);
    free(links.urls);
    struct cost b = run_library(connection, argv[2], &rows, &statistics);
    if (statistics.bytes_decoded != (int64_t)decoded) fail("the two", "decoded different amounts");
    cpu_ratio[i] = b.cpu / a.cpu;
    wall_ratio[i] = b.wall / a.wall;
    floor = (struct cost){floor.cpu + a.cpu, floor.wall + a.wall, a.peak_mib > floor.peak_mib ? a.peak_mib : floor.peak_mib};
    library = (struct cost){library.cpu + b.cpu, library.wall + b.wall, b.peak_mib > library.peak_mib ? b.peak_mib : library.peak_mib};
  }
  dbsql_connection_close(connection, NULL, NULL);
  qsort(cpu_ratio, (size_t)rounds, sizeof *cpu_ratio, by_value);
  qsort(wall_ratio, (size_t)rounds, sizeof *wall_ratio, by_value);
  figure("rows", (double)rows, "rows");
  figure("files", (double)statistics.files_read, "files");
  figure("decoded", (double)decoded / 1048576, "MiB");
  figure("received", (double)statistics.bytes_received / 1048576, "MiB");
  figure("cpu", library.cpu / rounds, "s");
  figure("floor_cpu", floor.cpu / rounds, "s");
  figure("wall", library.wall / rounds, "s");
  figure("floor_wall", floor.wall / rounds, "s");
  figure("peak", library.peak_mib, "MiB");
  figure("floor_peak", floor.peak_mib, "MiB");
  figure("memory_high", (double)statistics.memory_high / 1048576, "MiB");
  figure("cpu_ratio_to_floor", cpu_ratio[rounds / 2], "ratio");
  figure("wall_ratio_to_floor", wall_ratio[rounds / 2], "ratio");
  return 0;
}
