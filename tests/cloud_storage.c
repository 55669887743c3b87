#include "cloud_storage.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "arrow/ipc_writer.h"
#include "arrow/lz4_frames.h"
#include "base/arena.h"
#include "base/clock.h"

static void make_schema(struct ArrowSchema *schema, bool of_file) {
  assert_int_equal(arrow_schema_make(schema, "+s", "", 0, 2, NULL), DBSQL_OK);
  /* Names in files may be those of another query (results.md 1.5, 12). */
  assert_int_equal(arrow_schema_make(schema->children[0], "l", of_file ? "stale" : "n", ARROW_FLAG_NULLABLE, 0, NULL), DBSQL_OK);
  assert_int_equal(arrow_schema_make(schema->children[1], "u", of_file ? "old" : "s", ARROW_FLAG_NULLABLE, 0, NULL), DBSQL_OK);
}

static int text_of(int64_t row, char *out, size_t size) {
  return snprintf(out, size, "text of row %lld", (long long)row);
}

static bool is_null(int64_t row) {
  return row % 7 == 3;
}

static void append_batch(const struct ArrowSchema *schema, int64_t first, int64_t count, struct buf *out) {
  struct arrow_builder builder;
  assert_int_equal(arrow_builder_init(&builder, schema, NULL), DBSQL_OK);
  for (int64_t row = first; row < first + count; row++) {
    char text[40];
    int length = text_of(row, text, sizeof text);
    arrow_builder_append_fixed(&builder.children[0], &row);
    if (is_null(row)) {
      arrow_builder_append_null(&builder.children[1]);
    } else {
      arrow_builder_append_bytes(&builder.children[1], slice_of(text, (size_t)length));
    }
    arrow_builder_append_entry(&builder);
  }
  struct ArrowArray array;
  assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
  assert_int_equal(ipc_write_batch(schema, &array, out, NULL), DBSQL_OK);
  array.release(&array);
  arrow_builder_free(&builder);
}

static void pack(const struct cloud *cloud, struct buf *message, struct buf *out) {
  if (cloud->format == CLOUD_LZ4_MESSAGES || cloud->format == CLOUD_LZ4_CHECKED) {
    assert_int_equal(lz4_frame_encode(buf_slice(message), cloud->format == CLOUD_LZ4_CHECKED, out, NULL), DBSQL_OK);
  } else {
    buf_append_slice(out, buf_slice(message));
  }
  buf_reset(message);
}

void cloud_file(const struct cloud *cloud, int64_t start, int64_t count, struct buf *out) {
  struct ArrowSchema schema;
  struct buf message = BUF_INIT, all = BUF_INIT;
  make_schema(&schema, true);
  assert_int_equal(ipc_write_schema(&schema, &message, NULL), DBSQL_OK);
  pack(cloud, &message, &all);
  for (int64_t row = start; row < start + count + cloud->padding; row += cloud->rows_per_batch) {
    int64_t left = start + count + cloud->padding - row;
    append_batch(&schema, row, left < cloud->rows_per_batch ? left : cloud->rows_per_batch, &message);
    pack(cloud, &message, &all);
  }
  ipc_write_end(&message);
  pack(cloud, &message, &all);
  if (cloud->format == CLOUD_LZ4) {
    assert_int_equal(lz4_frame_encode(buf_slice(&all), false, out, NULL), DBSQL_OK);
  } else {
    buf_append_slice(out, buf_slice(&all));
  }
  buf_free(&message);
  buf_free(&all);
  schema.release(&schema);
}

void cloud_schema(struct buf *out) {
  struct ArrowSchema schema;
  make_schema(&schema, false);
  assert_int_equal(ipc_write_schema(&schema, out, NULL), DBSQL_OK);
  schema.release(&schema);
}

/* The library's memory is given back before the client sees a byte, so that it can count what lives. */
void cloud_reply_file(const struct cloud *cloud, struct http_exchange *exchange, int64_t start, int64_t count) {
  struct buf file = BUF_INIT;
  cloud_file(cloud, start, count, &file);
  size_t size = file.size;
  void *copy = malloc(size);
  memcpy(copy, file.data, size);
  buf_free(&file);
  exchange_reply_bytes(exchange, 200, NULL, copy, size);
  free(copy);
}

static void serve(struct http_exchange *exchange, void *user) {
  struct cloud *cloud = user;
  long long start, count, generation;
  if (sscanf(exchange->target, "/f/%lld/%lld?generation=%lld", &start, &count, &generation) != 3) {
    exchange_reply(exchange, 404, NULL, "");
    return;
  }
  static const char *const forbidden[] = {"Authorization", "Cookie", "x-databricks-org-id"};
  for (size_t i = 0; i < 3; i++) {
    char *value = exchange_header(exchange, forbidden[i]);
    if (value) cloud->signature_seen = true;
    free(value);
  }
  pthread_mutex_lock(&cloud->mutex);
  int attempt = cloud->attempts[start / cloud->rows_per_file]++;
  pthread_mutex_unlock(&cloud->mutex);
  if (cloud->fault && cloud->fault(cloud, exchange, start, attempt)) return;
  const struct cloud_prepared *prepared = &cloud->files[start / cloud->rows_per_file];
  if (prepared->start == start && prepared->count == count) {
    exchange_reply_bytes(exchange, 200, NULL, prepared->bytes, prepared->size);
    return;
  }
  cloud_reply_file(cloud, exchange, start, count);
}

void cloud_start(struct cloud *cloud) {
  if (cloud->rows == 0) cloud->rows = 1000;
  if (cloud->rows_per_file == 0) cloud->rows_per_file = 100;
  if (cloud->rows_per_batch == 0) cloud->rows_per_batch = 30;
  if (cloud->links_per_page == 0) cloud->links_per_page = 4;
  pthread_mutex_init(&cloud->mutex, NULL);
  /* In plain memory, so that a test that counts or fails the library's allocations sees none of ours. */
  cloud->files = calloc((size_t)(cloud->rows / cloud->rows_per_file) + 1, sizeof *cloud->files);
  for (int64_t row = 0; row < cloud->rows; row += cloud->rows_per_file) {
    struct cloud_prepared *file = &cloud->files[row / cloud->rows_per_file];
    int64_t count = cloud->rows - row < cloud->rows_per_file ? cloud->rows - row : cloud->rows_per_file;
    struct buf bytes = BUF_INIT;
    struct cloud plain = *cloud;
    plain.format = CLOUD_PLAIN;
    cloud_file(&plain, row, count, &bytes);
    size_t plain_size = bytes.size;
    buf_reset(&bytes);
    cloud_file(cloud, row, count, &bytes);
    *file = (struct cloud_prepared){row, count, malloc(bytes.size), bytes.size, plain_size};
    memcpy(file->bytes, bytes.data, bytes.size);
    buf_free(&bytes);
  }
  struct http_server_settings settings = {.handler = serve, .user = cloud};
  cloud->server = http_server_start(&settings);
}

void cloud_stop(struct cloud *cloud) {
  http_server_stop(cloud->server);
  for (int64_t row = 0; row < cloud->rows; row += cloud->rows_per_file) free(cloud->files[row / cloud->rows_per_file].bytes);
  free(cloud->files);
  pthread_mutex_destroy(&cloud->mutex);
}

struct TRowSet *cloud_links(struct cloud *cloud, int64_t start, struct arena *arena, bool *more) {
  struct TRowSet *rows = arena_alloc(arena, 1, sizeof *rows);
  if (!rows) return NULL;
  *rows = (struct TRowSet){.has_startRowOffset = true, .startRowOffset = start, .has_rows = true, .has_resultLinks = true};
  rows->resultLinks.items = arena_alloc(arena, (size_t)cloud->links_per_page, sizeof *rows->resultLinks.items);
  if (!rows->resultLinks.items) return NULL;
  pthread_mutex_lock(&cloud->mutex);
  int page = cloud->pages++;
  cloud->asked[page] = start;
  pthread_mutex_unlock(&cloud->mutex);
  int64_t row = start;
  for (; row < cloud->rows && rows->resultLinks.count < (uint32_t)cloud->links_per_page;) {
    int64_t count = cloud->rows_per_file - row % cloud->rows_per_file;
    if (count > cloud->rows - row) count = cloud->rows - row;
    char url[300];
    int length = snprintf(url, sizeof url, "%s/f/%lld/%lld?generation=%d&X-Amz-Signature=s3cr3t", http_server_url(cloud->server),
                          (long long)row, (long long)count, page);
    char *copy = arena_strndup(arena, url, (size_t)length);
    if (!copy) return NULL;
    const struct cloud_prepared *file = &cloud->files[row / cloud->rows_per_file];
    rows->resultLinks.items[rows->resultLinks.count++] = (struct TSparkArrowResultLink){
        .has_fileLink = true,
        .fileLink = slice_of(copy, (size_t)length),
        .has_expiryTime = true,
        .expiryTime = clock_unix_us() / 1000 + (cloud->life_ms ? cloud->life_ms : 3600000),
        .has_startRowOffset = true,
        .startRowOffset = row,
        .has_rowCount = true,
        .rowCount = count,
        .has_bytesNum = true,
        .bytesNum = cloud->bytes_unknown ? 0 : (int64_t)file->plain_size,
    };
    if (cloud->headers) {
      rows->resultLinks.items[rows->resultLinks.count - 1].has_httpHeaders = true;
      rows->resultLinks.items[rows->resultLinks.count - 1].httpHeaders = *cloud->headers;
    }
    row += count;
  }
  *more = row < cloud->rows;
  if (cloud->page_fault) cloud->page_fault(cloud, rows, page, more);
  return rows;
}

int cloud_attempts(struct cloud *cloud, int64_t start) {
  pthread_mutex_lock(&cloud->mutex);
  int attempts = cloud->attempts[start / cloud->rows_per_file];
  pthread_mutex_unlock(&cloud->mutex);
  return attempts;
}

int cloud_all_attempts(struct cloud *cloud) {
  int all = 0;
  for (int64_t start = 0; start < cloud->rows; start += cloud->rows_per_file) all += cloud_attempts(cloud, start);
  return all;
}

void cloud_check_batch(const struct ArrowArray *batch, int64_t first) {
  assert_int_equal(batch->n_children, 2);
  const struct ArrowArray *n = batch->children[0], *s = batch->children[1];
  assert_int_equal(n->length, batch->length);
  assert_int_equal(s->length, batch->length);
  const int64_t *numbers = n->buffers[1];
  const uint8_t *valid = s->buffers[0];
  const int32_t *offsets = s->buffers[1];
  const char *bytes = s->buffers[2];
  int64_t nulls = 0;
  for (int64_t i = 0; i < batch->length; i++) {
    int64_t row = first + i, at = s->offset + i;
    assert_int_equal(numbers[n->offset + i], row);
    bool null = valid && !(valid[at / 8] >> (at % 8) & 1);
    nulls += null;
    assert_int_equal(null, is_null(row));
    if (null) continue;
    char text[40];
    int length = text_of(row, text, sizeof text);
    assert_int_equal(offsets[at + 1] - offsets[at], length);
    assert_memory_equal(bytes + offsets[at], text, (size_t)length);
  }
  assert_int_equal(s->null_count, nulls);
}
