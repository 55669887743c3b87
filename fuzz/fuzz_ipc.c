/*
 * Arrow IPC: the input as a stream, and as a schema message followed by bare batches. Every value of what is accepted is looked at;
 * what the writer makes of it must read back as the same values, and be written again as the same bytes.
 */
#include "../tests/ipc_walk.h"

#include "arrow/ipc_reader.h"
#include "arrow/ipc_writer.h"
#include "base/error.h"

enum { most_values = 200000 };

static void check(bool condition) {
  if (!condition) abort();
}

static struct chunk *copy(struct slice bytes) {
  struct chunk *chunk = chunk_new(bytes.size);
  check(chunk != NULL);
  if (bytes.size) memcpy(chunk->data, bytes.data, bytes.size);
  chunk->size = bytes.size;
  return chunk;
}

static uint64_t hash_of(const struct ArrowSchema *schema, const struct ArrowArray *batch) {
  walk_budget = most_values;
  return walk_rows(schema, batch, 0, batch->length);
}

/* Reads all batches. With `out`, writes each of them to it. Returns a hash of everything, or 0 after an error. */
static uint64_t read_all(struct slice bytes, struct ipc_schema *schema, struct buf *out, bool *failed) {
  struct chunk *chunk = copy(bytes);
  struct ipc_reader reader;
  struct ArrowArray batch;
  dbsql_error *error = NULL;
  uint64_t hash = 1;
  ipc_reader_init(&reader, chunk, slice_of(chunk->data, chunk->size), schema);
  reader.decoded_limit = 16 << 20;
  chunk_unref(chunk);
  dbsql_status status = ipc_reader_schema(&reader, &error);
  if (status == DBSQL_OK && out) check(ipc_write_schema(ipc_schema_arrow(reader.schema), out, NULL) == DBSQL_OK);
  while (status == DBSQL_OK) {
    if ((status = ipc_reader_next(&reader, &batch, &error)) != DBSQL_OK || !batch.release) break;
    const struct ArrowSchema *arrow = ipc_schema_arrow(reader.schema);
    hash = hash * 31 + hash_of(arrow, &batch);
    if (out) check(ipc_write_batch_of(reader.schema, &batch, out, &error) == DBSQL_OK);
    int64_t first = batch.length / 3;
    arrow_batch_slice(&batch, first, batch.length / 2);
    hash = hash * 31 + hash_of(arrow, &batch);
    batch.release(&batch);
  }
  *failed = status != DBSQL_OK;
  check(*failed == (error != NULL));
  dbsql_error_free(error);
  ipc_reader_close(&reader);
  return hash;
}

static void check_stream(struct slice bytes) {
  struct buf out = BUF_INIT, again = BUF_INIT;
  bool failed;
  uint64_t hash = read_all(bytes, NULL, &out, &failed);
  if (!failed) {
    uint64_t second = read_all(buf_slice(&out), NULL, &again, &failed);
    check(!failed && second == hash && slice_equal(buf_slice(&out), buf_slice(&again)));
  }
  buf_free(&out);
  buf_free(&again);
}

static void check_parts(struct slice bytes) {
  if (bytes.size < 8) return;
  uint32_t size;
  memcpy(&size, bytes.data + 4, 4);
  if (size > bytes.size - 8) return;
  struct ipc_schema *schema;
  bool failed;
  if (ipc_schema_read(slice_of(bytes.data, 8 + size), &schema, NULL) != DBSQL_OK) return;
  read_all(slice_of(bytes.data + 8 + size, bytes.size - 8 - size), schema, NULL, &failed);
  /* A schema message in front is allowed. */
  read_all(bytes, schema, NULL, &failed);
  ipc_schema_unref(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  check_stream(slice_of(data, size));
  check_parts(slice_of(data, size));
  return 0;
}
