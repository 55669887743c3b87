/* The storage of the local warehouse: how results are cut into files, links, what the storage refuses, and every fault of its own. */
#include "test.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "arrow/builder.h"
#include "arrow/ipc_reader.h"
#include "arrow/lz4_frames.h"
#include "base/error.h"
#include "links.h"
#include "memory.h"
#include "storage.h"

enum { BATCHES = 5, BATCH_ROWS = 100, ROWS = BATCHES * BATCH_ROWS };

/* ---- A result ----------------------------------------------------------------------------------------------------------------------- */

struct source {
  struct ArrowSchema schema;
  int64_t next;
};

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  struct source *source = stream->private_data;
  return arrow_schema_copy(&source->schema, out, NULL) == DBSQL_OK ? 0 : ENOMEM;
}

/* id, and a text that is NULL in every seventh row. */
static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  struct source *source = stream->private_data;
  struct arrow_builder builder = {0};
  memset(out, 0, sizeof *out);
  if (source->next == ROWS) return 0;
  assert_int_equal(arrow_builder_init(&builder, &source->schema, NULL), DBSQL_OK);
  for (int i = 0; i < BATCH_ROWS; i++, source->next++) {
    char text[32];
    snprintf(text, sizeof text, "row number %lld", (long long)source->next);
    arrow_builder_append_fixed(&builder.children[0], &source->next);
    if (source->next % 7 == 0) {
      arrow_builder_append_null(&builder.children[1]);
    } else {
      arrow_builder_append_bytes(&builder.children[1], slice_text(text));
    }
    arrow_builder_append_entry(&builder);
  }
  assert_int_equal(arrow_builder_finish(&builder, out, NULL), DBSQL_OK);
  arrow_builder_free(&builder);
  return 0;
}

static void release_stream(struct ArrowArrayStream *stream) {
  struct source *source = stream->private_data;
  source->schema.release(&source->schema);
  stream->release = NULL;
}

static void make_schema(struct ArrowSchema *schema) {
  assert_int_equal(arrow_schema_make(schema, "+s", "", 0, 2, NULL), DBSQL_OK);
  assert_int_equal(arrow_schema_make(schema->children[0], "l", "id", ARROW_FLAG_NULLABLE, 0, NULL), DBSQL_OK);
  assert_int_equal(arrow_schema_make(schema->children[1], "u", "name", ARROW_FLAG_NULLABLE, 0, NULL), DBSQL_OK);
}

static const char *spool_folder; /* of the results that are read from now on; NULL: they are kept in memory */

static void read_result(struct result *result, bool lz4) {
  struct source source = {.next = 0};
  struct failure failure = {0};
  struct result_shape shape = {.arrow = true, .download = true, .lz4 = lz4};
  struct result_limits limits = {.bytes = (size_t)1 << 30, .spool_folder = spool_folder, .spool_bytes = 5000};
  make_schema(&source.schema);
  struct ArrowArrayStream stream = {.get_schema = get_schema, .get_next = get_next, .release = release_stream, .private_data = &source};
  assert_true(result_read(result, NULL, &stream, &shape, "Etc/UTC", &limits, "", &failure));
  assert_true(page_prepare(result, &failure));
  assert_int_equal(result->rows, ROWS);
}

/* ---- A storage with one result in it --------------------------------------------------------------------------------------------------
 */

struct place {
  struct faults faults;
  struct links *links;
  struct storage *storage;
  struct operation operation;
  bool closed;
};

static void open_place(struct place *place, const struct links_options *options, bool lz4) {
  struct storage_options http = {.host = "127.0.0.1", .connections = 100};
  struct failure failure = {0};
  char *message = NULL;
  memset(place, 0, sizeof *place);
  faults_init(&place->faults);
  place->links = links_new(options, &place->faults);
  assert_non_null(place->links);
  place->storage = storage_start(&http, place->links, &place->faults, &message);
  if (!place->storage) fail_msg("%s", message);
  memcpy(place->operation.handle.text, "01234567-89ab-cdef-0123-456789abcdef", 37);
  read_result(&place->operation.result, lz4);
  assert_true(links_settle(place->links, &place->operation, &failure));
}

static void close_operation(struct place *place) {
  result_free(&place->operation.result);
  place->closed = true;
}

static void close_place(struct place *place) {
  storage_stop(place->storage);
  if (!place->closed) result_free(&place->operation.result);
  links_free(place->links);
  faults_destroy(&place->faults);
}

static struct links_options small_files(void) {
  return (struct links_options){.file_bytes = 2000, .per_page = 1000, .life_ms = 60000, .writer = LZ4_WRITER_FRAMES, .keep_bytes = 1 << 20};
}

static void arm(struct place *place, const char *json) {
  char message[256];
  json_t *fault = json_loads(json, 0, NULL);
  assert_non_null(fault);
  if (!faults_arm(&place->faults, fault, message, sizeof message)) fail_msg("%s: %s", json, message);
  json_decref(fault);
}

static int64_t statistic(struct place *place, const char *name) {
  json_t *all = storage_stats(place->storage);
  assert_non_null(all);
  assert_true(json_is_integer(json_object_get(all, name)));
  int64_t value = json_integer_value(json_object_get(all, name));
  json_decref(all);
  return value;
}

/* The links of a page, copied. */
struct link_list {
  size_t count;
  struct {
    char *url;
    int64_t first, rows, bytes, expires;
    uint32_t headers;
  } items[512];
  int64_t covered;
};

static void get_page(struct place *place, int64_t first, int64_t max_bytes, struct link_list *list) {
  struct answer answer = {0};
  struct TRowSet *rows = NULL;
  struct page_sizes sizes = {0};
  struct failure failure = {0};
  memset(list, 0, sizeof *list);
  assert_true(links_page(place->links, &place->operation, &answer, first, false, max_bytes, &rows, &list->covered, &sizes, &failure));
  assert_true(rows->has_resultLinks);
  assert_false(rows->has_arrowBatches);
  assert_int_equal(rows->startRowOffset, first);
  for (uint32_t i = 0; i < rows->resultLinks.count; i++) {
    const struct TSparkArrowResultLink *link = &rows->resultLinks.items[i];
    assert_true(link->has_httpHeaders);
    list->items[i].url = wh_copy_slice(link->fileLink);
    list->items[i].first = link->startRowOffset;
    list->items[i].rows = link->rowCount;
    list->items[i].bytes = link->bytesNum;
    list->items[i].expires = link->expiryTime;
    list->items[i].headers = link->httpHeaders.count;
  }
  list->count = rows->resultLinks.count;
  answer_free(&answer);
}

static void free_page(struct link_list *list) {
  for (size_t i = 0; i < list->count; i++) free(list->items[i].url);
}

/* ---- Downloads ---------------------------------------------------------------------------------------------------------------------- */

struct download {
  CURLcode code;
  long status;
  struct buf body;
};

static size_t take(char *data, size_t size, size_t count, void *user) {
  buf_append(user, data, size * count);
  return size * count;
}

/* `header` and `range` may be NULL. The body is the caller's. */
static struct download get(const char *url, const char *method, const char *header, const char *range) {
  struct download out = {0};
  CURL *curl = curl_easy_init();
  struct curl_slist *headers = header ? curl_slist_append(NULL, header) : NULL;
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &out.body);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
  if (headers) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  if (range) curl_easy_setopt(curl, CURLOPT_RANGE, range);
  if (strcmp(method, "HEAD") == 0) {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
  }
  out.code = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out.status);
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  return out;
}

static void assert_refused(const char *url, const char *method, const char *header, long status, const char *code) {
  struct download got = get(url, method, header, NULL);
  assert_int_equal(got.code, CURLE_OK);
  assert_int_equal(got.status, status);
  if (code) assert_non_null(strstr(buf_text(&got.body), code));
  buf_free(&got.body);
}

/* Reads a file: how many rows, beginning with which; -1: it is damaged. `*names` is of the first column. */
static int64_t read_file(const struct buf *body, int64_t *first, int64_t *size, char name[32], char format[8]) {
  struct slice bytes = buf_slice(body);
  struct chunk *chunk = NULL;
  dbsql_error *error = NULL;
  struct ipc_reader reader;
  int64_t rows = 0;
  *first = -1;
  if (lz4_frames_look_like(bytes)) {
    if (lz4_frames_decode(bytes, 0, (size_t)1 << 30, &chunk, &error) != DBSQL_OK) goto damaged;
  } else {
    chunk = chunk_new(bytes.size + 1);
    memcpy(chunk->data, bytes.data, bytes.size);
    chunk->size = bytes.size;
  }
  *size = (int64_t)chunk->size;
  ipc_reader_init(&reader, chunk, slice_of(chunk->data, chunk->size), NULL);
  dbsql_status status = ipc_reader_schema(&reader, &error);
  if (status == DBSQL_OK) {
    const struct ArrowSchema *column = ipc_schema_arrow(reader.schema)->children[0];
    snprintf(name, 32, "%s%s", column->name, column->metadata ? "+" : "");
    snprintf(format, 8, "%s", column->format);
  }
  while (status == DBSQL_OK) {
    struct ArrowArray batch = {0};
    status = ipc_reader_next(&reader, &batch, &error);
    if (status != DBSQL_OK || !batch.release) break;
    const int64_t *ids = batch.children[0]->buffers[1];
    if (*first < 0) *first = ids[batch.children[0]->offset];
    bool again = rows > 0 && ids[batch.children[0]->offset] < *first + rows; /* padding: rows that have been */
    for (int64_t i = 0; i < batch.length && format[0] == 'l'; i++) {
      int64_t id = ids[batch.children[0]->offset + i];
      if (!again) assert_int_equal(id, *first + rows + i);
      bool null = batch.children[1]->null_count != 0 && !(((const uint8_t *)batch.children[1]->buffers[0])[i / 8] >> i % 8 & 1);
      assert_int_equal(null, id % 7 == 0);
    }
    rows += batch.length;
    batch.release(&batch);
  }
  ipc_reader_close(&reader);
  chunk_unref(chunk);
  if (status == DBSQL_OK) return rows;
damaged:
  dbsql_error_free(error);
  return -1;
}

static struct download good_get(const char *url) {
  struct download got = get(url, "GET", NULL, NULL);
  assert_int_equal(got.code, CURLE_OK);
  assert_int_equal(got.status, 200);
  return got;
}

static int64_t rows_of(const char *url, int64_t *first, int64_t *size) {
  struct download got = good_get(url);
  char name[32], format[8];
  int64_t rows = read_file(&got.body, first, size, name, format);
  buf_free(&got.body);
  return rows;
}

/* ---- Files ----------------------------------------------------------------------------------------------------------------------------
 */

/* Frames of LZ4 in the bytes, by their sizes; each must have this FLG. */
static int count_frames(const struct buf *body, uint8_t flg) {
  int count = 0;
  for (size_t at = 0; at < body->size; count++) {
    assert_memory_equal(body->data + at, "\x04\x22\x4d\x18", 4);
    assert_int_equal(body->data[at + 4], flg);
    assert_int_equal(body->data[at + 5], 0x70);
    at += 7;
    for (;;) {
      uint32_t size;
      memcpy(&size, body->data + at, 4);
      at += 4;
      if (size == 0) break;
      at += (size & 0x7fffffff) + (flg & 0x10 ? 4 : 0);
    }
    if (flg & 0x04) at += 4;
  }
  return count;
}

static void files_tile_the_result(void **state) {
  (void)state;
  static const struct {
    enum lz4_writer writer;
    bool lz4;
    int64_t file_bytes;
    uint8_t flg;
  } cases[] = {{LZ4_WRITER_FRAME, true, 5000, 0x60}, {LZ4_WRITER_FRAMES, true, 5000, 0x60}, {LZ4_WRITER_CHECKSUMS, true, 5000, 0x74},
               {LZ4_WRITER_FRAMES, false, 5000, 0},  {LZ4_WRITER_FRAMES, true, 1, 0x60},    {LZ4_WRITER_FRAMES, true, 1 << 20, 0x60},
               {LZ4_WRITER_FRAMES, true, 1700, 0x60}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    struct links_options options = small_files();
    struct place place;
    struct link_list list;
    int64_t at = 0;
    options.writer = cases[c].writer;
    options.file_bytes = cases[c].file_bytes;
    open_place(&place, &options, cases[c].lz4);
    assert_true(place.operation.result.linked);
    get_page(&place, 0, 0, &list);
    assert_int_equal(list.covered, ROWS);
    for (size_t i = 0; i < list.count; i++) {
      int64_t first = -1, size = 0;
      char name[32], format[8];
      struct download got = good_get(list.items[i].url);
      assert_int_equal(list.items[i].first, at);
      assert_int_equal(read_file(&got.body, &first, &size, name, format), list.items[i].rows);
      assert_int_equal(first, at);
      assert_string_equal(name, "id"); /* and no metadata */
      assert_int_equal(size, list.items[i].bytes);
      if (list.items[i].rows > 1) assert_true(size <= cases[c].file_bytes);
      if (cases[c].flg) {
        int frames = count_frames(&got.body, cases[c].flg);
        assert_true(cases[c].writer == LZ4_WRITER_FRAME ? frames == 1 : frames >= 3);
      }
      buf_free(&got.body);
      at += list.items[i].rows;
    }
    assert_int_equal(at, ROWS);
    if (cases[c].file_bytes == 1) assert_int_equal(list.count, ROWS);
    if (cases[c].file_bytes == 1 << 20) assert_int_equal(list.count, 1);
    /* The server hears of the end of a download after the client: the last one may still be missing, but not for long. */
    for (int i = 0; i < 10000 && statistic(&place, "downloads") < (int64_t)list.count; i++) nanosleep(&(struct timespec){0, 1000000}, NULL);
    assert_int_equal(statistic(&place, "downloads"), list.count);
    free_page(&list);
    close_place(&place);
  }
}

static void small_results_stay_inline(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  options.threshold = 1 << 20;
  open_place(&place, &options, true);
  assert_false(place.operation.result.linked);
  close_place(&place);
}

static void pages_hold_so_many_links(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  int64_t at = 0, pages = 0;
  options.per_page = 3;
  open_place(&place, &options, true);
  for (; at < ROWS; pages++) {
    get_page(&place, at, 0, &list);
    assert_true(list.count <= 3 && list.count > 0);
    assert_int_equal(list.items[0].first, at);
    at += list.covered;
    free_page(&list);
  }
  assert_true(pages > 1);
  get_page(&place, ROWS, 0, &list);
  assert_int_equal(list.count, 0);
  assert_int_equal(list.covered, 0);
  get_page(&place, 0, 4500, &list); /* as many as fit, of 2000 each */
  assert_int_equal(list.count, 2);
  free_page(&list);
  get_page(&place, 0, 1, &list); /* but always one */
  assert_int_equal(list.count, 1);
  free_page(&list);
  close_place(&place);
}

static void the_smaller_limit_counts(void **state) {
  (void)state;
  static const struct {
    int64_t request, option;
    bool one_file;
    int64_t most;
  } cases[] = {{0, 0, true, 1 << 20}, {3000, 0, false, 3000}, {0, 3000, false, 3000}, {3000, 2000, false, 2000}, {2000, 3000, false, 2000}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct links_options options = small_files();
    struct place place;
    struct link_list list;
    options.file_bytes = cases[i].option;
    open_place(&place, &options, true);
    place.operation.request.file_bytes = cases[i].request;
    get_page(&place, 0, 0, &list);
    assert_int_equal(list.count == 1, cases[i].one_file);
    for (size_t l = 0; l < list.count; l++) assert_true(list.items[l].bytes <= cases[i].most);
    if (!cases[i].one_file) assert_true(list.items[0].bytes > cases[i].most / 2);
    free_page(&list);
    close_place(&place);
  }
}

/* ---- Links ----------------------------------------------------------------------------------------------------------------------------
 */

static void links_can_be_had_again(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list before, after;
  int64_t first, size;
  for (int splits = 0; splits < 2; splits++) {
    options.refresh_splits = splits;
    open_place(&place, &options, true);
    get_page(&place, 0, 0, &before);
    assert_int_equal(statistic(&place, "refreshes"), 0);
    get_page(&place, before.items[2].first, 0, &after);
    assert_int_equal(statistic(&place, "refreshes"), 1);
    assert_int_equal(after.items[0].first, before.items[2].first);
    assert_string_not_equal(after.items[0].url, before.items[2].url);
    if (splits) {
      assert_true(after.items[0].rows < before.items[2].rows);
    } else {
      assert_int_equal(after.items[0].rows, before.items[2].rows);
      assert_int_equal(after.count, before.count - 2);
    }
    assert_int_equal(rows_of(after.items[0].url, &first, &size), after.items[0].rows);
    assert_int_equal(first, before.items[2].first);
    assert_int_equal(rows_of(before.items[2].url, &first, &size), before.items[2].rows); /* the old one lives on */
    free_page(&after);
    get_page(&place, 7, 0, &after); /* from within a file */
    assert_int_equal(after.items[0].first, 7);
    assert_int_equal(rows_of(after.items[0].url, &first, &size), after.items[0].rows);
    assert_int_equal(first, 7);
    free_page(&after);
    free_page(&before);
    close_place(&place);
  }
}

static void bad_links_are_refused(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  open_place(&place, &options, true);
  get_page(&place, 0, 0, &list);
  char *url = list.items[0].url, *other = wh_copy(url);
  assert_refused(url, "GET", "Authorization: Bearer secret", 400, "InvalidArgument");
  assert_int_equal(statistic(&place, "authorizations"), 1);
  assert_refused(url, "HEAD", NULL, 403, NULL);
  assert_refused(url, "PUT", NULL, 403, "SignatureDoesNotMatch");
  char *last = other + strlen(other) - 1;
  *last = *last == '0' ? '1' : '0';
  assert_refused(other, "GET", NULL, 403, "SignatureDoesNotMatch");
  memcpy(other, url, strlen(url) + 1);
  char *path = strstr(other, "/0_0_");
  assert_non_null(path);
  path[3] = '5'; /* another row */
  assert_refused(other, "GET", NULL, 403, "SignatureDoesNotMatch");
  memcpy(other, url, strlen(url) + 1);
  char *expiry = strstr(other, "x-expires-ms=");
  expiry[13] = '9'; /* a longer life */
  assert_refused(other, "GET", NULL, 403, "SignatureDoesNotMatch");
  *strchr(other, '?') = '\0';
  assert_refused(other, "GET", NULL, 403, "SignatureDoesNotMatch");
  free(other);
  assert_int_equal(statistic(&place, "downloads"), 0);
  free_page(&list);
  close_place(&place);

  options.life_ms = 0;
  open_place(&place, &options, true);
  get_page(&place, 0, 0, &list);
  assert_refused(list.items[0].url, "GET", NULL, 403, "Request has expired");
  free_page(&list);
  close_place(&place);

  options = small_files();
  options.header_name = "x-amz-key";
  options.header_value = "abc";
  open_place(&place, &options, true);
  get_page(&place, 0, 0, &list);
  assert_int_equal(list.items[0].headers, 1);
  assert_refused(list.items[0].url, "GET", NULL, 400, "InvalidRequest");
  assert_refused(list.items[0].url, "GET", "x-amz-key: abd", 400, "InvalidRequest");
  struct download got = get(list.items[0].url, "GET", "x-amz-key: abc", NULL);
  assert_int_equal(got.status, 200);
  buf_free(&got.body);
  free_page(&list);
  close_place(&place);
}

static void files_outlive_their_operation(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  int64_t first, size;
  open_place(&place, &options, true);
  get_page(&place, 0, 0, &list);
  links_purge(place.links);
  close_operation(&place);
  links_purge(place.links);
  assert_int_equal(rows_of(list.items[1].url, &first, &size), list.items[1].rows);
  free_page(&list);
  close_place(&place);

  options.keep_bytes = 0; /* no room for closed ones */
  open_place(&place, &options, true);
  get_page(&place, 0, 0, &list);
  links_purge(place.links);
  assert_int_equal(statistic(&place, "results"), 1);
  close_operation(&place);
  links_purge(place.links);
  assert_int_equal(statistic(&place, "results"), 0);
  assert_refused(list.items[0].url, "GET", NULL, 404, "NoSuchKey");
  free_page(&list);
  close_place(&place);

  options = small_files();
  options.life_ms = 0; /* expired */
  open_place(&place, &options, true);
  get_page(&place, 0, 0, &list);
  close_operation(&place);
  links_purge(place.links);
  assert_int_equal(statistic(&place, "results"), 0);
  free_page(&list);
  close_place(&place);
}

static void ranges(struct place *place, const char *url) {
  struct download whole = good_get(url);
  size_t size = whole.body.size;
  static const struct {
    const char *range;
    long status;
    int64_t first, count; /* negative: from the end; count -1: to the end */
  } cases[] = {{"0-0", 206, 0, 1},      {"0-9", 206, 0, 10},    {"5-", 206, 5, -1}, {"-7", 206, -7, 7},     {"10-999999", 206, 10, -1},
               {"-999999", 206, 0, -1}, {"999999-", 416, 0, 0}, {"-0", 416, 0, 0},  {"0-1,3-4", 200, 0, -1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct download part = get(url, "GET", NULL, cases[i].range);
    assert_int_equal(part.code, CURLE_OK);
    assert_int_equal(part.status, cases[i].status);
    if (cases[i].status != 416) {
      size_t first = cases[i].first < 0 ? size - (size_t)-cases[i].first : (size_t)cases[i].first;
      size_t count = cases[i].count < 0 ? size - first : (size_t)cases[i].count;
      assert_int_equal(part.body.size, count);
      assert_memory_equal(part.body.data, whole.body.data + first, count);
    }
    buf_free(&part.body);
  }
  assert_int_equal(statistic(place, "ranges"), 6);
  buf_free(&whole.body);
}

static void ranges_are_served(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  open_place(&place, &options, true);
  get_page(&place, 0, 0, &list);
  ranges(&place, list.items[1].url);
  free_page(&list);
  close_place(&place);
}

static size_t files_in(const char *folder) {
  size_t count = 0;
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  for (struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

static void files_can_be_prepared(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place, lazy;
  struct link_list list, other;
  char folder[] = "/tmp/dbsql-storage-XXXXXX";
  assert_non_null(mkdtemp(folder));
  open_place(&lazy, &options, true);
  get_page(&lazy, 0, 0, &other);
  options.prepared_folder = folder;
  open_place(&place, &options, true);
  get_page(&place, 0, 0, &list);
  assert_int_equal(files_in(folder), list.count);
  assert_int_equal(list.count, other.count);
  for (size_t i = 0; i < list.count; i++) { /* they are what would have been made */
    struct download a = good_get(list.items[i].url), b = good_get(other.items[i].url);
    assert_int_equal(a.body.size, b.body.size);
    assert_memory_equal(a.body.data, b.body.data, a.body.size);
    buf_free(&a.body);
    buf_free(&b.body);
  }
  ranges(&place, list.items[1].url);
  close_operation(&place);
  links_purge(place.links);
  assert_int_equal(files_in(folder), list.count);
  free_page(&list);
  free_page(&other);
  close_place(&place);
  close_place(&lazy);
  assert_int_equal(files_in(folder), 0);
  rmdir(folder);

  struct failure failure = {0}; /* a folder that is not there */
  options.prepared_folder = folder;
  struct links *links = links_new(&options, NULL);
  struct operation operation = {0};
  read_result(&operation.result, true);
  assert_false(links_settle(links, &operation, &failure));
  assert_non_null(strstr(failure.text, folder));
  failure_clear(&failure);
  result_free(&operation.result);
  links_free(links);
}

static void large_results_can_be_spooled(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place here, there;
  struct link_list a, b;
  char folder[] = "/tmp/dbsql-spool-XXXXXX";
  assert_non_null(mkdtemp(folder));
  open_place(&here, &options, true);
  spool_folder = folder;
  open_place(&there, &options, true);
  assert_int_equal(files_in(folder), 0); /* it has no name */
  get_page(&here, 0, 0, &a);
  get_page(&there, 0, 0, &b);
  assert_int_equal(a.count, b.count);
  for (size_t i = 0; i < a.count; i++) {
    struct download one = good_get(a.items[i].url), other = good_get(b.items[i].url);
    assert_int_equal(one.body.size, other.body.size);
    assert_memory_equal(one.body.data, other.body.data, one.body.size);
    buf_free(&one.body);
    buf_free(&other.body);
  }
  free_page(&a);
  free_page(&b);
  close_place(&here);
  close_place(&there);
  rmdir(folder);

  struct source source = {.next = 0}; /* a folder that is not there */
  struct failure failure = {0};
  struct result result;
  struct result_shape shape = {.arrow = true};
  struct result_limits limits = {.spool_folder = folder, .spool_bytes = 5000};
  make_schema(&source.schema);
  struct ArrowArrayStream stream = {.get_schema = get_schema, .get_next = get_next, .release = release_stream, .private_data = &source};
  assert_false(result_read(&result, NULL, &stream, &shape, "Etc/UTC", &limits, "", &failure));
  assert_non_null(strstr(failure.text, folder));
  failure_clear(&failure);
  spool_folder = NULL;
}

/* ---- Faults ---------------------------------------------------------------------------------------------------------------------------
 */

static void faults_of_links(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list good, bad;
  open_place(&place, &options, true);
  get_page(&place, 0, 0, &good);
  arm(&place, "{\"name\": \"storage-wrong-row-count\", \"file\": 1}");
  arm(&place, "{\"name\": \"storage-wrong-bytes\", \"file\": 2}");
  get_page(&place, 0, 0, &bad);
  assert_int_equal(bad.count, good.count);
  assert_int_equal(bad.items[0].rows, good.items[0].rows);
  assert_int_equal(bad.items[1].rows, good.items[1].rows + 1);
  assert_int_equal(bad.items[1].bytes, good.items[1].bytes);
  assert_int_equal(bad.items[2].bytes, good.items[2].bytes / 2);
  free_page(&bad);
  arm(&place, "{\"name\": \"duplicate-chunk\", \"file\": 1}");
  get_page(&place, 0, 0, &bad);
  assert_int_equal(bad.count, good.count + 1);
  assert_int_equal(bad.items[2].first, good.items[1].first);
  free_page(&bad);
  arm(&place, "{\"name\": \"missing-chunk\", \"skip\": 2}"); /* of any file: the third link */
  get_page(&place, 0, 0, &bad);
  assert_int_equal(bad.count, good.count - 1);
  assert_int_equal(bad.items[2].first, good.items[3].first);
  assert_int_equal(bad.covered, ROWS);
  free_page(&bad);
  free_page(&good);
  close_place(&place);
}

static void faults_of_answers(void **state) {
  (void)state;
  static const int storm[] = {502, 503, 504, 500};
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  int64_t first, size;
  open_place(&place, &options, true);
  get_page(&place, 0, 0, &list);
  arm(&place, "{\"name\": \"link-403\", \"file\": 1}");
  assert_int_equal(rows_of(list.items[0].url, &first, &size), list.items[0].rows); /* another file */
  assert_refused(list.items[1].url, "GET", NULL, 403, "AccessDenied");
  assert_int_equal(rows_of(list.items[1].url, &first, &size), list.items[1].rows); /* it has struck */
  arm(&place, "{\"name\": \"link-404\"}");
  assert_refused(list.items[0].url, "GET", NULL, 404, "NoSuchKey");
  arm(&place, "{\"name\": \"storage-5xx\", \"count\": 4}");
  for (int i = 0; i < 4; i++) assert_refused(list.items[0].url, "GET", NULL, storm[i], NULL);
  arm(&place, "{\"name\": \"storage-503\", \"retry_after\": 3}");
  assert_refused(list.items[0].url, "GET", NULL, 503, "SlowDown");
  arm(&place, "{\"name\": \"link-expired\", \"file\": 0}");
  for (int i = 0; i < 2; i++) assert_refused(list.items[0].url, "GET", NULL, 403, "expired");
  struct link_list fresh;
  get_page(&place, 0, 0, &fresh);
  assert_int_equal(rows_of(fresh.items[0].url, &first, &size), list.items[0].rows);
  free_page(&fresh);
  free_page(&list);
  close_place(&place);
}

static void faults_of_transport(void **state) {
  (void)state;
  static const struct {
    const char *json;
    CURLcode code;
    size_t bytes;
  } cases[] = {{"{\"name\": \"storage-reset\", \"bytes\": 100}", CURLE_RECV_ERROR, 100},
               {"{\"name\": \"storage-truncated\", \"bytes\": 77}", CURLE_PARTIAL_FILE, 77},
               {"{\"name\": \"storage-stall\", \"bytes\": 5, \"delay_ms\": 20}", CURLE_RECV_ERROR, 5},
               {"{\"name\": \"link-expired-after-bytes\", \"bytes\": 9}", CURLE_PARTIAL_FILE, 9},
               {"{\"name\": \"storage-slow\", \"bytes\": 200, \"delay_ms\": 1}", CURLE_OK, 0}};
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  int64_t first, size;
  open_place(&place, &options, true);
  get_page(&place, 0, 0, &list);
  struct download whole = good_get(list.items[0].url);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct link_list fresh;
    get_page(&place, 0, 0, &fresh);
    arm(&place, cases[i].json);
    struct download got = get(fresh.items[0].url, "GET", NULL, NULL);
    assert_int_equal(got.status, 200);
    assert_int_equal(got.code, cases[i].code);
    if (cases[i].code == CURLE_OK) assert_int_equal(got.body.size, whole.body.size);
    if (cases[i].code == CURLE_PARTIAL_FILE) assert_int_equal(got.body.size, cases[i].bytes);
    assert_true(got.body.size <= whole.body.size);
    assert_memory_equal(got.body.data, whole.body.data, got.body.size);
    buf_free(&got.body);
    if (strstr(cases[i].json, "expired")) {
      assert_refused(fresh.items[0].url, "GET", NULL, 403, "expired");
    } else {
      assert_int_equal(rows_of(fresh.items[0].url, &first, &size), list.items[0].rows);
    }
    free_page(&fresh);
  }
  buf_free(&whole.body);
  free_page(&list);
  close_place(&place);
}

static void faults_of_contents(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t more_rows; /* than the link says; -1000: it cannot be read */
    const char *column, *format;
  } cases[] = {{"storage-corrupt-frame", -1000, NULL, NULL},
               {"storage-corrupt-batch", -1000, NULL, NULL},
               {"storage-short-file", -1000, NULL, NULL},
               {"storage-short-rows", -1, "id", "l"},
               {"padding-rows", 3, "id", "l"},
               {"stale-names", 0, "stale_0", "l"},
               {"stale-metadata", 0, "id+", "l"},
               {"wrong-schema", 0, "id", "g"}};
  for (int form = 0; form < 4; form++) {
    struct links_options options = small_files();
    struct place place;
    struct link_list list;
    options.writer = form == 3 ? LZ4_WRITER_FRAMES : (enum lz4_writer)form;
    open_place(&place, &options, form < 3);
    get_page(&place, 0, 0, &list);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      char json[96], name[32] = "", format[8] = "";
      int64_t first, size;
      snprintf(json, sizeof json, "{\"name\": \"%s\"%s}", cases[i].name, i == 2 ? ", \"bytes\": 41" : "");
      arm(&place, json);
      struct download got = good_get(list.items[1].url);
      int64_t rows = read_file(&got.body, &first, &size, name, format);
      if (cases[i].more_rows == -1000) {
        assert_int_equal(rows, -1);
      } else {
        assert_int_equal(rows, list.items[1].rows + cases[i].more_rows);
        assert_string_equal(name, cases[i].column);
        assert_string_equal(format, cases[i].format);
      }
      buf_free(&got.body);
      assert_int_equal(rows_of(list.items[1].url, &first, &size), list.items[1].rows);
    }
    free_page(&list);
    close_place(&place);
  }
}

static void faults_are_read(void **state) {
  (void)state;
  static const struct {
    const char *json, *why;
  } bad[] = {{"{\"name\": \"storage-reset\", \"file\": -1}", "file"},
             {"{\"name\": \"storage-reset\", \"method\": \"FetchResults\"}", "cannot strike"},
             {"{\"name\": \"empty-page\", \"method\": \"storage\"}", "cannot strike"},
             {"{\"name\": \"has-more-rows-lies\", \"method\": \"links\"}", "cannot strike"}};
  struct faults faults;
  char message[256], *text = NULL, path[] = "/tmp/dbsql-faults-XXXXXX";
  faults_init(&faults);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    json_t *json = json_loads(bad[i].json, 0, NULL);
    assert_false(faults_arm(&faults, json, message, sizeof message));
    if (!strstr(message, bad[i].why)) fail_msg("%s: %s", bad[i].json, message);
    json_decref(json);
  }
  static const struct {
    const char *content, *why;
  } files[] = {{"[{\"name\": \"storage-reset\", \"file\": 3}, {\"name\": \"has-more-rows-lies\"}]", NULL},
               {"[{\"name\": \"storage-reset\"}, {\"name\": \"nothing\"}]", "number 2"},
               {"{}", "array"},
               {"[", "line 1"}};
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    FILE *file = fopen(path, "w");
    fputs(files[i].content, file);
    fclose(file);
    faults_clear(&faults);
    assert_int_equal(faults_read_file(&faults, path, &text), files[i].why == NULL);
    if (files[i].why && !strstr(text, files[i].why)) fail_msg("%s", text);
    free(text);
    text = NULL;
    if (i > 0) continue;
    assert_int_equal(faults.count, 2);
    assert_int_equal(faults_take_file(&faults, "storage", 2).kind, FAULT_NONE);
    assert_int_equal(faults_take_file(&faults, "links", 3).kind, FAULT_NONE);
    assert_int_equal(faults_take_file(&faults, "storage", 3).kind, FAULT_FILE_RESET);
    assert_int_equal(faults_take(&faults, "FetchResults").kind, FAULT_MORE_ROWS_LIE);
  }
  unlink(path);
  assert_false(faults_read_file(&faults, path, &text));
  assert_non_null(strstr(text, path));
  free(text);
  faults_destroy(&faults);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(files_tile_the_result),
                                     cmocka_unit_test(small_results_stay_inline),
                                     cmocka_unit_test(pages_hold_so_many_links),
                                     cmocka_unit_test(the_smaller_limit_counts),
                                     cmocka_unit_test(links_can_be_had_again),
                                     cmocka_unit_test(bad_links_are_refused),
                                     cmocka_unit_test(files_outlive_their_operation),
                                     cmocka_unit_test(ranges_are_served),
                                     cmocka_unit_test(files_can_be_prepared),
                                     cmocka_unit_test(large_results_can_be_spooled),
                                     cmocka_unit_test(faults_of_links),
                                     cmocka_unit_test(faults_of_answers),
                                     cmocka_unit_test(faults_of_transport),
                                     cmocka_unit_test(faults_of_contents),
                                     cmocka_unit_test(faults_are_read)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
