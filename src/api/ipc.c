/* Arrow IPC for programs: a stream from bytes, and bytes from batches. */
#include <errno.h>

#include "api/api.h"
#include "arrow/ipc_reader.h"
#include "arrow/ipc_writer.h"
#include "arrow/lz4_frames.h"
#include "base/mem.h"

/* ---- Reading ---- */

struct ipc_stream {
  struct ipc_reader reader;
  dbsql_error *last_error;
  int failed; /* what get_next returned: a batch that could not be read must not be stepped over */
};

static int stream_errno(dbsql_status status) {
  if (status == DBSQL_OK) return 0;
  return status == DBSQL_ERROR_NO_MEMORY ? ENOMEM : EINVAL;
}

static int stream_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  struct ipc_stream *self = stream->private_data;
  if (!self->failed) error_clear(&self->last_error);
  return stream_errno(arrow_schema_copy(ipc_schema_arrow(self->reader.schema), out, &self->last_error));
}

static int stream_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  struct ipc_stream *self = stream->private_data;
  out->release = NULL;
  if (self->failed) return self->failed;
  error_clear(&self->last_error);
  self->failed = stream_errno(ipc_reader_next(&self->reader, out, &self->last_error));
  return self->failed;
}

static const char *stream_get_last_error(struct ArrowArrayStream *stream) {
  struct ipc_stream *self = stream->private_data;
  return self->last_error ? dbsql_error_message(self->last_error) : NULL;
}

static void stream_release(struct ArrowArrayStream *stream) {
  struct ipc_stream *self = stream->private_data;
  ipc_reader_close(&self->reader);
  error_clear(&self->last_error);
  mem_free(self);
  stream->release = NULL;
}

/* The bytes in a chunk of our own: decompressed, or copied. */
static dbsql_status take_bytes(struct slice bytes, struct chunk **chunk, dbsql_error **error) {
  /* What LZ4 can expand to bounds the memory; the caller chose the input. */
  if (lz4_frames_look_like(bytes)) return lz4_frames_decode(bytes, 0, SIZE_MAX / 2, chunk, error);
  *chunk = chunk_new(bytes.size);
  if (!*chunk) return error_no_memory(error);
  if (bytes.size != 0) memcpy((*chunk)->data, bytes.data, bytes.size);
  (*chunk)->size = bytes.size;
  return DBSQL_OK;
}

dbsql_status dbsql_ipc_read(const void *data, size_t length, const void *schema, size_t schema_length, struct ArrowArrayStream *stream,
                            dbsql_error **error) {
  struct ipc_stream *self = NULL;
  struct ipc_schema *known = NULL;
  struct chunk *chunk = NULL;
  dbsql_status status;
  API_REQUIRE(stream, error);
  if (length != 0) API_REQUIRE(data, error);
  memset(stream, 0, sizeof *stream);
  if (schema && (status = ipc_schema_read(slice_of(schema, schema_length), &known, error)) != DBSQL_OK) goto cleanup;
  if ((status = take_bytes(slice_of(data, length), &chunk, error)) != DBSQL_OK) goto cleanup;
  self = mem_alloc_zero(1, sizeof *self);
  if (!self) {
    status = error_no_memory(error);
    goto cleanup;
  }
  ipc_reader_init(&self->reader, chunk, slice_of(chunk->data, chunk->size), known);
  if ((status = ipc_reader_schema(&self->reader, error)) != DBSQL_OK) {
    ipc_reader_close(&self->reader);
    mem_free(self);
    goto cleanup;
  }
  *stream = (struct ArrowArrayStream){stream_get_schema, stream_get_next, stream_get_last_error, stream_release, self};

cleanup:
  ipc_schema_unref(known);
  chunk_unref(chunk);
  return status;
}

/* ---- Writing ---- */

struct dbsql_ipc_writer {
  struct ipc_schema *schema;
  dbsql_write_function write;
  void *user;
  struct buf buf;
  bool finished;
};

static dbsql_status flush(dbsql_ipc_writer *writer, dbsql_error **error) {
  if (buf_failed(&writer->buf)) return error_no_memory(error);
  int problem = writer->write(writer->user, writer->buf.data, writer->buf.size);
  buf_reset(&writer->buf);
  if (problem == 0) return DBSQL_OK;
  writer->finished = true; /* the stream is torn: nothing more can follow */
  return error_set(error, DBSQL_ERROR_DRIVER, NULL, "writing the Arrow stream: %s", strerror(problem));
}

static dbsql_status check_open(const dbsql_ipc_writer *writer, dbsql_error **error) {
  if (!writer->finished) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "HY010", "the Arrow stream has been finished, or its writing has failed");
}

dbsql_status dbsql_ipc_writer_new(const struct ArrowSchema *schema, dbsql_write_function write, void *user, dbsql_ipc_writer **writer,
                                  dbsql_error **error) {
  API_REQUIRE(schema, error);
  API_REQUIRE(write, error);
  API_REQUIRE(writer, error);
  *writer = NULL;
  dbsql_ipc_writer *self = mem_alloc_zero(1, sizeof *self);
  if (!self) return error_no_memory(error);
  self->write = write;
  self->user = user;
  dbsql_status status = ipc_schema_from_arrow(schema, &self->schema, error);
  if (status == DBSQL_OK) status = ipc_write_schema(schema, &self->buf, error);
  if (status == DBSQL_OK) status = flush(self, error);
  if (status == DBSQL_OK)
    *writer = self;
  else
    dbsql_ipc_writer_free(self);
  return status;
}

dbsql_status dbsql_ipc_writer_write(dbsql_ipc_writer *writer, const struct ArrowArray *batch, dbsql_error **error) {
  API_REQUIRE(writer, error);
  API_REQUIRE(batch, error);
  dbsql_status status = check_open(writer, error);
  if (status != DBSQL_OK) return status;
  status = ipc_write_batch_of(writer->schema, batch, &writer->buf, error);
  if (status == DBSQL_OK) return flush(writer, error);
  buf_reset(&writer->buf);
  return status;
}

dbsql_status dbsql_ipc_writer_finish(dbsql_ipc_writer *writer, dbsql_error **error) {
  API_REQUIRE(writer, error);
  dbsql_status status = check_open(writer, error);
  if (status != DBSQL_OK) return status;
  ipc_write_end(&writer->buf);
  status = flush(writer, error);
  if (status == DBSQL_OK)
    writer->finished = true;
  else
    buf_reset(&writer->buf);
  return status;
}

void dbsql_ipc_writer_free(dbsql_ipc_writer *writer) {
  if (!writer) return;
  ipc_schema_unref(writer->schema);
  buf_free(&writer->buf);
  mem_free(writer);
}
