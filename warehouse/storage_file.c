#include "storage_file.h"

#include <stdlib.h>
#include <string.h>

#include "arrow/ipc_writer.h"
#include "arrow/lz4_frames.h"
#include "base/error.h"
#include "memory.h"
#include "page.h"

enum { END_MARK_SIZE = 8, LZ4_HEAD_SIZE = 7, PADDING_ROWS = 3 };

/* ---- The schema ------------------------------------------------------------------------------------------------------------------- */

static void keep(struct ArrowSchema *schema) {
  schema->release = NULL; /* it is borrowed */
}

/* A type whose buffers look the same: only who compares the schemas can tell. NULL if there is none. */
static const char *look_alike(const char *format) {
  static const char *const pairs[][2] = {{"l", "g"}, {"g", "l"}, {"i", "f"}, {"f", "i"}, {"u", "z"}, {"z", "u"}, {"s", "S"}, {"c", "C"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    if (strcmp(pairs[i][0], format) == 0) return pairs[i][1];
  }
  return NULL;
}

/* The files of real warehouses have no metadata of fields: types and names are told with the result. */
static bool write_schema(const struct result *result, enum fault_kind kind, struct buf *out, struct failure *failure) {
  static const char stale_metadata[] = "Spark:DataType:SqlName";
  struct ArrowSchema root = result->schema;
  size_t columns = (size_t)root.n_children;
  struct ArrowSchema *children = wh_new(columns, sizeof *children);
  struct ArrowSchema **pointers = wh_new(columns, sizeof *pointers);
  char **names = wh_new(columns, sizeof *names);
  struct buf metadata = BUF_INIT;
  dbsql_error *error = NULL;
  bool changed = false;
  if (kind == FAULT_STALE_METADATA) {
    const int32_t numbers[3] = {1, (int32_t)sizeof stale_metadata - 1, 5};
    buf_append(&metadata, &numbers[0], sizeof numbers[0]);
    buf_append(&metadata, &numbers[1], sizeof numbers[1]);
    buf_append_text(&metadata, stale_metadata);
    buf_append(&metadata, &numbers[2], sizeof numbers[2]);
    buf_append_text(&metadata, "STALE");
    wh_check(&metadata);
  }
  root.children = pointers;
  root.metadata = NULL;
  root.release = keep;
  for (size_t i = 0; i < columns; i++) {
    children[i] = *result->schema.children[i];
    children[i].metadata = (const char *)metadata.data;
    children[i].release = keep;
    pointers[i] = &children[i];
    if (kind == FAULT_STALE_NAMES) children[i].name = names[i] = wh_print("stale_%zu", i);
    const char *other = kind == FAULT_WRONG_SCHEMA && !changed ? look_alike(children[i].format) : NULL;
    if (!other) continue;
    children[i].format = other;
    changed = true;
  }
  if (kind == FAULT_WRONG_SCHEMA && !changed && root.n_children > 0) root.n_children--; /* then a column is missing */
  dbsql_status status = ipc_write_schema(&root, out, &error);
  for (size_t i = 0; i < columns; i++) free(names[i]);
  free(names);
  free(children);
  free(pointers);
  buf_free(&metadata);
  return status == DBSQL_OK || failure_from_library(failure, &error);
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------------------------ */

static bool message_size(const struct result *result, int64_t batch, int64_t from, int64_t count, struct buf *scratch, int64_t *size,
                         struct failure *failure) {
  buf_reset(scratch);
  if (!page_message(result, &result->batches[batch], from, count, scratch, failure)) return false;
  *size = (int64_t)scratch->size;
  return true;
}

bool storage_file_measure(const struct result *result, int64_t first, int64_t target, int64_t *count, int64_t *bytes,
                          struct failure *failure) {
  struct buf scratch = BUF_INIT;
  bool good = write_schema(result, FAULT_NONE, &scratch, failure);
  int64_t at = first, total = (int64_t)scratch.size + END_MARK_SIZE, size = 0;
  for (int64_t b = result_batch_of(result, first); good && at < result->rows; b++) {
    int64_t from = at - result->starts[b], take = result->batches[b].length - from;
    good = message_size(result, b, from, take, &scratch, &size, failure);
    if (good && total + size > target && at > first) break;
    while (good && total + size > target && take > 1) { /* a batch that is larger than a file */
      int64_t fitting = (int64_t)((double)take * (double)(target - total) / (double)size);
      take = fitting < 1 ? 1 : fitting < take ? fitting : take - 1;
      good = message_size(result, b, from, take, &scratch, &size, failure);
    }
    if (!good) break;
    total += size;
    at += take;
    if (from + take < result->batches[b].length) break;
  }
  *count = at - first;
  *bytes = total;
  buf_free(&scratch);
  return good;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------------------------- */

struct file_writer {
  struct buf *out;
  struct buf plain; /* the message, or the file, that has not been compressed yet */
  enum lz4_writer writer;
  bool lz4;
  size_t last_message; /* in `plain` or `out`: where the last one that is not the end mark begins */
  size_t last_frame;   /* in `out` */
};

/* Appends what is in `plain` as one frame. */
static bool flush_frame(struct file_writer *file, struct failure *failure) {
  dbsql_error *error = NULL;
  file->last_frame = file->out->size;
  dbsql_status status = lz4_frame_encode(buf_slice(&file->plain), file->writer == LZ4_WRITER_CHECKSUMS, file->out, &error);
  buf_reset(&file->plain);
  return status == DBSQL_OK || failure_from_library(failure, &error);
}

static bool end_message(struct file_writer *file, struct failure *failure) {
  return !file->lz4 || file->writer == LZ4_WRITER_FRAME || flush_frame(file, failure);
}

/* The metadata of the message claim to begin far behind their end. */
static void spoil_message(struct buf *bytes, size_t at) {
  static const uint8_t far_away[4] = {0xF0, 0xFF, 0xFF, 0x7F};
  if (at + 12 <= bytes->size) memcpy(bytes->data + at + 8, far_away, sizeof far_away);
}

/* With checksums it is a byte of the content that changes; without them, a block becomes larger than any may be. */
static void spoil_frame(struct buf *bytes, size_t at, bool checksums) {
  static const uint8_t huge[4] = {0xFF, 0xFF, 0xFF, 0x7F};
  if (at + LZ4_HEAD_SIZE + 8 > bytes->size) return;
  if (checksums) {
    bytes->data[at + LZ4_HEAD_SIZE + 4 + 1] ^= 0x01;
  } else {
    memcpy(bytes->data + at + LZ4_HEAD_SIZE, huge, sizeof huge);
  }
}

static bool write_batch(struct file_writer *file, const struct result *result, int64_t batch, int64_t from, int64_t count, bool spoil,
                        struct failure *failure) {
  struct buf *to = file->lz4 ? &file->plain : file->out;
  file->last_message = to->size;
  if (!page_message(result, &result->batches[batch], from, count, to, failure)) return false;
  if (spoil) spoil_message(to, file->last_message);
  return end_message(file, failure);
}

bool storage_file_write(const struct result *result, enum lz4_writer writer, int64_t first, int64_t count, const struct fault *fault,
                        struct buf *out, struct failure *failure) {
  enum fault_kind kind = fault ? fault->kind : FAULT_NONE;
  struct file_writer file = {.out = out, .writer = writer, .lz4 = result->shape.lz4};
  bool spoil_batch = kind == FAULT_CORRUPT_BATCH || (kind == FAULT_CORRUPT_FRAME && !file.lz4);
  int64_t end = first + count - (kind == FAULT_SHORT_ROWS ? 1 : 0), last = result_batch_of(result, first + count - 1);
  bool good = write_schema(result, kind, file.lz4 ? &file.plain : out, failure) && end_message(&file, failure);
  for (int64_t at = first, b = result_batch_of(result, first); good && at < end; b++) {
    int64_t from = at - result->starts[b];
    int64_t take = result->batches[b].length - from < end - at ? result->batches[b].length - from : end - at;
    good = write_batch(&file, result, b, from, take, spoil_batch && at + take == end, failure);
    at += take;
  }
  if (good && kind == FAULT_PADDING_ROWS) { /* the last rows once more */
    int64_t behind = first + count - result->starts[last], extra = behind < PADDING_ROWS ? behind : PADDING_ROWS;
    good = write_batch(&file, result, last, behind - extra, extra, false, failure);
  }
  size_t frame = file.last_frame;
  if (good) {
    ipc_write_end(file.lz4 ? &file.plain : out);
    good = !file.lz4 || flush_frame(&file, failure);
  }
  if (good && kind == FAULT_CORRUPT_FRAME && file.lz4)
    spoil_frame(out, writer == LZ4_WRITER_FRAME ? file.last_frame : frame, writer == LZ4_WRITER_CHECKSUMS);
  if (good && kind == FAULT_SHORT_FILE) {
    uint64_t left = fault->bytes >= 0 ? (uint64_t)fault->bytes : out->size / 2;
    if (left < out->size) out->size = (size_t)left;
  }
  if (good) wh_check(out);
  buf_free(&file.plain);
  return good;
}
