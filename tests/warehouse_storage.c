#include "warehouse_storage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "arrow/ipc_reader.h"
#include "arrow/lz4_frames.h"
#include "base/error.h"
#include "memory.h"

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

bool read_result(struct result *result, bool lz4, const char *spool_folder, struct failure *failure) {
  struct source source = {.next = 0};
  struct result_shape shape = {.arrow = true, .download = true, .lz4 = lz4};
  struct result_limits limits = {.bytes = (size_t)1 << 30, .spool_folder = spool_folder, .spool_bytes = 5000};
  make_schema(&source.schema);
  struct ArrowArrayStream stream = {.get_schema = get_schema, .get_next = get_next, .release = release_stream, .private_data = &source};
  if (!result_read(result, NULL, &stream, &shape, "Etc/UTC", &limits, "", failure)) return false;
  assert_true(page_prepare(result, failure));
  assert_int_equal(result->rows, ROWS);
  return true;
}

/* ---- A storage with one result in it --------------------------------------------------------------------------------------------------
 */

void open_place(struct place *place, const struct links_options *options, bool lz4, const char *spool_folder) {
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
  assert_true(read_result(&place->operation.result, lz4, spool_folder, &failure));
  assert_true(links_settle(place->links, &place->operation, &failure));
}

void close_operation(struct place *place) {
  result_free(&place->operation.result);
  place->closed = true;
}

void close_place(struct place *place) {
  storage_stop(place->storage);
  if (!place->closed) result_free(&place->operation.result);
  links_free(place->links);
  faults_destroy(&place->faults);
}

struct links_options small_files(void) {
  return (struct links_options){.file_bytes = 2000, .per_page = 1000, .life_ms = 60000, .writer = LZ4_WRITER_FRAMES, .keep_bytes = 1 << 20};
}

void arm(struct place *place, const char *json) {
  char message[256];
  json_t *fault = json_loads(json, 0, NULL);
  assert_non_null(fault);
  if (!faults_arm(&place->faults, fault, message, sizeof message)) fail_msg("%s: %s", json, message);
  json_decref(fault);
}

int64_t statistic(struct place *place, const char *name) {
  json_t *all = storage_stats(place->storage);
  assert_non_null(all);
  assert_true(json_is_integer(json_object_get(all, name)));
  int64_t value = json_integer_value(json_object_get(all, name));
  json_decref(all);
  return value;
}

void get_page(struct place *place, int64_t first, int64_t max_bytes, struct link_list *list) {
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

void free_page(struct link_list *list) {
  for (size_t i = 0; i < list->count; i++) free(list->items[i].url);
}

/* ---- Downloads ---------------------------------------------------------------------------------------------------------------------- */

static size_t take(char *data, size_t size, size_t count, void *user) {
  buf_append(user, data, size * count);
  return size * count;
}

struct download get(const char *url, const char *method, const char *header, const char *range) {
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

void assert_refused(const char *url, const char *method, const char *header, long status, const char *code) {
  struct download got = get(url, method, header, NULL);
  assert_int_equal(got.code, CURLE_OK);
  assert_int_equal(got.status, status);
  if (code) assert_non_null(strstr(buf_text(&got.body), code));
  buf_free(&got.body);
}

int64_t read_file(const struct buf *body, int64_t *first, int64_t *size, char name[32], char format[8]) {
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

struct download good_get(const char *url) {
  struct download got = get(url, "GET", NULL, NULL);
  assert_int_equal(got.code, CURLE_OK);
  assert_int_equal(got.status, 200);
  return got;
}

int64_t rows_of(const char *url, int64_t *first, int64_t *size) {
  struct download got = good_get(url);
  char name[32], format[8];
  int64_t rows = read_file(&got.body, first, size, name, format);
  buf_free(&got.body);
  return rows;
}
