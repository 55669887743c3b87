/*
 * What a large result costs that comes as files: through the library, against a floor that downloads the same files with libcurl's multi
 * interface, as many at once, and decompresses them with liblz4, and does nothing else.
 *
 *    bench_fetch compare DSN SQL ROUNDS   both in turns, so that what the machine does besides falls on both
 *    bench_fetch floor DSN SQL ROUNDS     one of them alone: for callgrind, where the difference of two numbers of rounds tells what
 *    bench_fetch library DSN SQL ROUNDS   one round takes
 *    bench_fetch pages NAME DSN SQL ROUNDS  batches through the library as the DSN says: CPU and speed over the bytes of the batches
 *    bench_fetch cursor DSN SQL ROUNDS    the row cursor over every cell of columns of fixed width
 *
 * CPU is this process's own. The statement runs once; every round then reads its result anew, from the first request for links on (the
 * library) or with the links in hand (the floor).
 */
#include <curl/curl.h>
#include <dbsql/dbsql.h>
#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "session/statement.h"

enum { width = 10 };

struct cost {
  double cpu;
  double wall;
  double peak_mib;
};

static _Noreturn void fail(const char *what, const char *why) {
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

/* All links of a result, which the library itself does not get to see; and its rows. The operation stays open. */
static int64_t collect(dbsql_connection *connection, const struct operation_key *key, struct links *links) {
  const struct backend_ops *ops = connection->backend->ops;
  struct backend_operation *operation = NULL;
  struct page page = {0};
  struct call call;
  int64_t row = 0;
  bool more = true;
  dbsql_error *error = NULL;
  call_begin_internal(&call, 0);
  if (ops->adopt(connection->backend, key, &operation, &error) != DBSQL_OK) fail("links", dbsql_error_message(error));
  while (more) {
    if (ops->fetch(operation, row, &call, &page, &error) != DBSQL_OK) fail("links", dbsql_error_message(error));
    if (page.kind != PAGE_LINKS) fail("links", "the result does not come as files: it needs more rows");
    add_links(links, &page);
    const struct TSparkArrowResultLink *last = &page.rows->resultLinks.items[page.rows->resultLinks.count - 1];
    row = last->startRowOffset + last->rowCount;
    more = page.has_more;
    page_free(&page);
  }
  ops->close_operation(operation, NULL);
  return row;
}

struct body {
  CURL *easy;
  char *data;
  size_t size;
  size_t capacity;
};

static size_t take(char *data, size_t size, size_t count, void *user) {
  struct body *body = user;
  size_t length = size * count;
  if (body->size + length > body->capacity) {
    curl_off_t declared = 0;
    curl_easy_getinfo(body->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &declared);
    body->capacity = (body->size + length) * 2;
    if (body->size == 0 && declared >= (curl_off_t)length) body->capacity = (size_t)declared;
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
  struct body bodies[width] = {{0}};
  enum { out_size = 256 << 20 };
  char *out = malloc(out_size);
  CURLM *multi = curl_multi_init();
  CURL *handles[width];
  LZ4F_dctx *context;
  size_t next = 0, decoded = 0;
  int running = 0;
  LZ4F_createDecompressionContext(&context, LZ4F_VERSION);
  for (int i = 0; i < width; i++) {
    handles[i] = bodies[i].easy = curl_easy_init();
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
  for (int i = 0; i < width; i++) {
    curl_easy_cleanup(handles[i]);
    free(bodies[i].data);
  }
  free(out);
  curl_multi_cleanup(multi);
  LZ4F_freeDecompressionContext(context);
  return decoded;
}

/* ---- The library --------------------------------------------------------------------------------------------------------- */

static dbsql_connection *open_connection(const char *dsn) {
  dbsql_config *config;
  dbsql_connection *connection;
  dbsql_error *error = NULL;
  /* The floor looks at no checksums either. */
  if (dbsql_config_new(&config, &error) != DBSQL_OK || dbsql_config_parse(config, dsn, SIZE_MAX, &error) != DBSQL_OK ||
      dbsql_config_set(config, "verify_checksums", "off", &error) != DBSQL_OK ||
      dbsql_connect(config, NULL, &connection, &error) != DBSQL_OK) {
    fail("connect", dbsql_error_message(error));
  }
  dbsql_config_free(config);
  return connection;
}

static dbsql_result *execute(dbsql_connection *connection, const char *sql) {
  dbsql_result *result;
  dbsql_error *error = NULL;
  if (dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail("execute", dbsql_error_message(error));
  return result;
}

static bool next_batch(dbsql_result *result, struct ArrowArray *batch) {
  dbsql_error *error = NULL;
  if (dbsql_result_next_batch(result, NULL, batch, &error) != DBSQL_OK) fail("fetch", dbsql_error_message(error));
  return batch->release != NULL;
}

/* Runs the statement. Its result stays on the server, for as many to read as come with the token. */
static char *prepare(dbsql_connection *connection, const char *sql, struct operation_key *key) {
  char *token;
  dbsql_error *error = NULL;
  dbsql_result *result = execute(connection, sql);
  if (dbsql_result_resume_token(result, &token, &error) != DBSQL_OK) fail("the statement", dbsql_error_message(error));
  *key = result->operation->key;
  dbsql_result_free(result);
  return token;
}

/* Reads `rows` rows, which is all there are, but does not ask for the end: that would close the result for the next round. */
static struct cost run_library(dbsql_connection *connection, const char *token, int64_t rows, dbsql_statistics *statistics) {
  dbsql_result *result;
  char *again;
  dbsql_error *error = NULL;
  peak_mib(true);
  struct cost start = now();
  if (dbsql_resume(connection, token, NULL, &result, &error) != DBSQL_OK) fail("resume", dbsql_error_message(error));
  for (int64_t seen = 0; seen < rows;) {
    struct ArrowArray batch;
    if (!next_batch(result, &batch)) fail("fetch", "the library found fewer rows than the links tell");
    seen += batch.length;
    batch.release(&batch);
  }
  struct cost cost = since(start);
  *statistics = (dbsql_statistics){.struct_size = sizeof *statistics};
  dbsql_result_statistics(result, statistics);
  if (dbsql_result_resume_token(result, &again, &error) != DBSQL_OK) fail("resume", dbsql_error_message(error));
  dbsql_free(again);
  dbsql_result_free(result);
  return cost;
}

/* ---- What is measured ---------------------------------------------------------------------------------------------------- */

enum { most_rounds = 32 };

static double median(double *values, int count) {
  for (int i = 1; i < count; i++) {
    double value = values[i];
    int k = i;
    for (; k > 0 && values[k - 1] > value; k--) values[k] = values[k - 1];
    values[k] = value;
  }
  return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void figure(const char *name, double value, const char *unit) {
  printf("bench\tfetch.%s\t%.3f\t%s\n", name, value, unit);
}

struct run {
  struct cost cost;
  int64_t decoded;
  dbsql_statistics statistics; /* of the library */
};

static struct run run_one(const char *dsn, const char *token, int64_t rows, const struct links *links, bool is_library) {
  struct run run = {0};
  if (is_library) {
    dbsql_connection *connection = open_connection(dsn);
    run.cost = run_library(connection, token, rows, &run.statistics);
    run.decoded = run.statistics.bytes_decoded;
    dbsql_connection_close(connection, NULL, NULL);
  } else {
    peak_mib(true);
    struct cost start = now();
    run.decoded = (int64_t)run_floor(links);
    run.cost = since(start);
  }
  return run;
}

/* In a process of its own: what one side has left in the allocator neither helps nor hurts the other. */
static struct run run_apart(const char *dsn, const char *token, int64_t rows, const struct links *links, bool is_library) {
  struct run run;
  int ends[2], status;
  if (pipe(ends) != 0) fail("pipe", "no file descriptors");
  pid_t child = fork();
  if (child < 0) fail("fork", "no process");
  if (child == 0) {
    run = run_one(dsn, token, rows, links, is_library);
    _exit(write(ends[1], &run, sizeof run) == (ssize_t)sizeof run ? 0 : 1);
  }
  close(ends[1]);
  ssize_t got = read(ends[0], &run, sizeof run);
  close(ends[0]);
  if (waitpid(child, &status, 0) != child || status != 0 || got != (ssize_t)sizeof run) fail(is_library ? "library" : "floor", "failed");
  return run;
}

static void add(struct cost *sum, struct cost cost) {
  sum->cpu += cost.cpu;
  sum->wall += cost.wall;
  if (cost.peak_mib > sum->peak_mib) sum->peak_mib = cost.peak_mib;
}

static void compare(const char *dsn, const char *sql, int rounds, bool with_floor, bool with_library) {
  double cpu_ratio[most_rounds], wall_ratio[most_rounds];
  struct cost library = {0}, floor = {0};
  struct operation_key key;
  struct links links = {0};
  struct run a = {0}, b = {0};
  dbsql_connection *connection = open_connection(dsn);
  char *token = prepare(connection, sql, &key);
  int64_t rows = collect(connection, &key, &links);
  for (int i = 0; i < rounds; i++) {
    if (!with_floor || !with_library) {
      a = run_one(dsn, token, rows, &links, with_library);
      continue;
    }
    /* Who goes first changes from round to round. */
    if (i % 2 == 0) a = run_apart(dsn, token, rows, &links, false);
    b = run_apart(dsn, token, rows, &links, true);
    if (i % 2 != 0) a = run_apart(dsn, token, rows, &links, false);
    if (a.decoded != b.decoded) fail("the two", "decoded different amounts");
    cpu_ratio[i] = b.cost.cpu / a.cost.cpu;
    wall_ratio[i] = b.cost.wall / a.cost.wall;
    add(&floor, a.cost);
    add(&library, b.cost);
  }
  for (size_t k = 0; k < links.count; k++) free(links.urls[k]);
  free(links.urls);
  dbsql_free(token);
  if (!with_floor || !with_library) {
    printf("decoded\t%.0f\n", (double)a.decoded);
    dbsql_connection_close(connection, NULL, NULL);
    return;
  }
  figure("rows", (double)rows, "rows");
  figure("files", (double)b.statistics.files_read, "files");
  figure("decoded", (double)a.decoded / 1048576, "MiB");
  figure("received", (double)b.statistics.bytes_received / 1048576, "MiB");
  figure("cpu", library.cpu / rounds, "s");
  figure("floor_cpu", floor.cpu / rounds, "s");
  figure("wall", library.wall / rounds, "s");
  figure("floor_wall", floor.wall / rounds, "s");
  figure("peak", library.peak_mib, "MiB");
  figure("floor_peak", floor.peak_mib, "MiB");
  figure("memory_high", (double)b.statistics.memory_high / 1048576, "MiB");
  figure("cpu_ratio_to_floor", median(cpu_ratio, rounds), "ratio");
  figure("wall_ratio_to_floor", median(wall_ratio, rounds), "ratio");
  dbsql_connection_close(connection, NULL, NULL);
}

/* What the buffers of a batch hold, by the types of the statement's columns: 0 for texts. */
static size_t batch_bytes(const struct ArrowArray *batch, const struct ArrowSchema *schema) {
  size_t bytes = 0, rows = (size_t)batch->length;
  for (int64_t i = 0; i < batch->n_children; i++) {
    const struct ArrowArray *column = batch->children[i];
    const char *format = schema->children[i]->format;
    if (column->buffers[0]) bytes += (rows + 7) / 8;
    switch (*format) {
      case 'i': bytes += rows * 4; break;
      case 'd': bytes += rows * 16; break;
      case 'l':
      case 'g':
      case 't': bytes += rows * 8; break;
      case 'u': {
        const int32_t *offsets = (const int32_t *)column->buffers[1] + column->offset;
        bytes += rows * 4 + (size_t)(offsets[rows] - offsets[0]);
        break;
      }
      default: fail("a column of format", format);
    }
  }
  return bytes;
}

static void pages(const char *dsn, const char *name, const char *sql, int rounds) {
  double speed[most_rounds], cpu[most_rounds];
  char label[64];
  dbsql_connection *connection = open_connection(dsn);
  for (int i = 0; i < rounds; i++) {
    dbsql_error *error = NULL;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    size_t bytes = 0;
    dbsql_result *result = execute(connection, sql);
    if (dbsql_result_schema(result, &schema, &error) != DBSQL_OK) fail("schema", dbsql_error_message(error));
    struct cost start = now();
    while (next_batch(result, &batch)) {
      bytes += batch_bytes(&batch, &schema);
      batch.release(&batch);
    }
    struct cost cost = since(start);
    speed[i] = (double)bytes / 1048576 / cost.wall;
    cpu[i] = cost.cpu * 1e3 / ((double)bytes / 1048576);
    schema.release(&schema);
    dbsql_result_free(result);
  }
  dbsql_connection_close(connection, NULL, NULL);
  snprintf(label, sizeof label, "%s_speed", name);
  figure(label, median(speed, rounds), "MiB/s");
  snprintf(label, sizeof label, "%s_cpu_per_mib", name);
  figure(label, median(cpu, rounds), "ms/MiB");
}

static double thread_cpu_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Steps through the rows of a batch that is there, and reads all their cells. The first row is entered outside, since that takes the batch.
 */
static uint64_t read_rows(dbsql_result *result, const char *kinds) {
  uint64_t sum = 0;
  for (int64_t left = result->row_count; left > 0; left--) {
    for (size_t column = 0; kinds[column]; column++) {
      int64_t integer = 0;
      double real = 0;
      dbsql_decimal decimal = {0};
      dbsql_status status;
      if (kinds[column] == 'd') {
        status = dbsql_get_decimal(result, column, &decimal, NULL);
        sum += decimal.low;
      } else if (kinds[column] == 'g') {
        status = dbsql_get_double(result, column, &real, NULL);
        sum += real > 1;
      } else {
        status = dbsql_get_int64(result, column, &integer, NULL);
        sum += (uint64_t)integer;
      }
      if (status != DBSQL_OK) fail("cursor", "a cell could not be read");
    }
    bool has_row;
    if (left > 1 && (dbsql_row_next(result, NULL, &has_row, NULL) != DBSQL_OK || !has_row)) fail("cursor", "a row is missing");
  }
  return sum;
}

static void cursor(const char *dsn, const char *sql, int rounds) {
  enum { most_columns = 15 };
  double ns[most_rounds], cells = 0;
  uint64_t sum = 0;
  dbsql_connection *connection = open_connection(dsn);
  for (int i = 0; i < rounds; i++) {
    dbsql_error *error = NULL;
    struct ArrowSchema schema;
    char kinds[most_columns + 1] = "";
    dbsql_result *result = execute(connection, sql);
    if (dbsql_result_schema(result, &schema, &error) != DBSQL_OK) fail("schema", dbsql_error_message(error));
    if (schema.n_children > most_columns) fail("cursor", "too many columns");
    for (int64_t k = 0; k < schema.n_children; k++) kinds[k] = *schema.children[k]->format;
    schema.release(&schema);
    double spent = 0;
    cells = 0;
    for (;;) {
      bool has_row;
      if (dbsql_row_next(result, NULL, &has_row, &error) != DBSQL_OK) fail("cursor", dbsql_error_message(error));
      if (!has_row) break;
      cells += (double)result->row_count * (double)strlen(kinds);
      double start = thread_cpu_ns();
      sum += read_rows(result, kinds);
      spent += thread_cpu_ns() - start;
    }
    dbsql_result_free(result);
    ns[i] = spent / cells;
  }
  dbsql_connection_close(connection, NULL, NULL);
  if (sum == 0) fail("cursor", "all cells are 0");
  figure("cursor_cells", cells, "cells");
  figure("cursor_ns_per_cell", median(ns, rounds), "ns");
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  bool has_name = strcmp(mode, "pages") == 0;
  if (argc != (has_name ? 6 : 5)) fail("usage", "see the top of bench/fetch.c");
  const char *dsn = argv[has_name ? 3 : 2], *sql = argv[has_name ? 4 : 3];
  int rounds = atoi(argv[argc - 1]);
  if (rounds < 1 || rounds > most_rounds) fail("usage", "1 to 32 rounds");
  if (has_name) {
    pages(dsn, argv[2], sql, rounds);
  } else if (strcmp(mode, "cursor") == 0) {
    cursor(dsn, sql, rounds);
  } else if (strcmp(mode, "compare") == 0 || strcmp(mode, "floor") == 0 || strcmp(mode, "library") == 0) {
    compare(dsn, sql, rounds, *mode != 'l', *mode != 'f');
  } else {
    fail("usage", "see the top of bench/fetch.c");
  }
  return 0;
}
