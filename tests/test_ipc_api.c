/* Section 11 of dbsql.h: reading and writing IPC streams as a program does it. */
#include "test.h"

#include <errno.h>

#include "arrow/ipc_reader.h"
#include "arrow/ipc_types.h"
#include "arrow/ipc_writer.h"
#include "arrow/lz4_frames.h"
#include "base/error.h"
#include "base/mem.h"
#include "ipc_arrays.h"

static int append(void *user, const void *data, size_t length) {
  buf_append(user, data, length);
  return 0;
}

struct tight {
  size_t room;
};
static int append_tightly(void *user, const void *data, size_t length) {
  struct tight *tight = user;
  (void)data;
  if (length > tight->room) return ENOSPC;
  tight->room -= length;
  return 0;
}

/* The schema, and `batches` batches of ten rows; the hash of their values. */
static uint64_t write_some(const struct ArrowSchema *schema, int batches, struct buf *out) {
  dbsql_ipc_writer *writer;
  dbsql_error *error = NULL;
  uint64_t hash = 0;
  assert_int_equal(dbsql_ipc_writer_new(schema, append, out, &writer, &error), DBSQL_OK);
  for (int i = 0; i < batches; i++) {
    struct ArrowArray batch;
    test_batch(schema, 10, i, true, &batch);
    hash = hash * 31 + walk_rows(schema, &batch, 0, 10);
    assert_int_equal(dbsql_ipc_writer_write(writer, &batch, &error), DBSQL_OK);
    batch.release(&batch);
  }
  assert_int_equal(dbsql_ipc_writer_finish(writer, &error), DBSQL_OK);
  assert_int_equal(dbsql_ipc_writer_finish(writer, &error), DBSQL_ERROR_DRIVER);
  assert_string_equal(dbsql_error_sqlstate(error), "HY010");
  error_clear(&error);
  dbsql_ipc_writer_free(writer);
  return hash;
}

static uint64_t read_stream(struct ArrowArrayStream *stream, int *batches) {
  struct ArrowSchema schema, again;
  struct ArrowArray batch;
  uint64_t hash = 0;
  assert_int_equal(stream->get_schema(stream, &schema), 0);
  *batches = 0;
  for (;;) {
    assert_int_equal(stream->get_next(stream, &batch), 0);
    if (!batch.release) break;
    hash = hash * 31 + walk_rows(&schema, &batch, 0, batch.length);
    batch.release(&batch);
    ++*batches;
    assert_int_equal(stream->get_schema(stream, &again), 0); /* any number of times */
    assert_true(test_same_schema(&schema, &again, ipc_metadata_size));
    again.release(&again);
  }
  assert_int_equal(stream->get_next(stream, &batch), 0); /* the end stays the end */
  assert_null(batch.release);
  assert_null(stream->get_last_error(stream));
  stream->release(stream);
  assert_null(stream->release);
  schema.release(&schema);
  return hash;
}

static void plain_and_lz4_streams_are_read(void **state) {
  (void)state;
  int64_t live = mem_test_live_blocks();
  struct ArrowSchema schema;
  struct buf plain = BUF_INIT, packed = BUF_INIT;
  struct ArrowArrayStream stream;
  dbsql_error *error = NULL;
  int batches;
  test_schema("+s(i;u;+l(d:10,2))", &schema);
  uint64_t hash = write_some(&schema, 3, &plain);
  assert_int_equal(dbsql_ipc_read(plain.data, plain.size, NULL, 0, &stream, &error), DBSQL_OK);
  assert_true(read_stream(&stream, &batches) == hash);
  assert_int_equal(batches, 3);
  /* One frame, then several that are cut anywhere. */
  for (size_t piece = plain.size; piece > 60; piece /= 3) {
    buf_reset(&packed);
    for (size_t at = 0; at < plain.size; at += piece) {
      size_t size = plain.size - at < piece ? plain.size - at : piece;
      assert_int_equal(lz4_frame_encode(slice_of(plain.data + at, size), piece % 2, &packed, NULL), DBSQL_OK);
    }
    assert_int_equal(dbsql_ipc_read(packed.data, packed.size, NULL, 0, &stream, &error), DBSQL_OK);
    assert_true(read_stream(&stream, &batches) == hash);
    assert_int_equal(batches, 3);
  }
  /* The bytes may go at once: they were copied. Batches outlive the stream. */
  struct ArrowArray batch;
  assert_int_equal(dbsql_ipc_read(plain.data, plain.size, NULL, 0, &stream, &error), DBSQL_OK);
  memset(plain.data, 0xEE, plain.size);
  assert_int_equal(stream.get_next(&stream, &batch), 0);
  stream.release(&stream);
  walk_rows(&schema, &batch, 0, 10);
  batch.release(&batch);
  schema.release(&schema);
  buf_free(&plain);
  buf_free(&packed);
  assert_int_equal(mem_test_live_blocks(), live);
}

static void bare_batches_need_a_schema(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct ArrowArray batch;
  struct buf head = BUF_INIT, bare = BUF_INIT, packed = BUF_INIT;
  struct ArrowArrayStream stream;
  dbsql_error *error = NULL;
  int batches;
  test_schema("+s(i;u)", &schema);
  test_batch(&schema, 10, 2, true, &batch);
  assert_int_equal(ipc_write_schema(&schema, &head, NULL), DBSQL_OK);
  assert_int_equal(ipc_write_batch(&schema, &batch, &bare, NULL), DBSQL_OK);
  assert_int_equal(lz4_frame_encode(buf_slice(&bare), false, &packed, NULL), DBSQL_OK);
  assert_int_equal(dbsql_ipc_read(bare.data, bare.size, head.data, head.size, &stream, &error), DBSQL_OK);
  uint64_t hash = read_stream(&stream, &batches);
  assert_int_equal(batches, 1);
  assert_int_equal(dbsql_ipc_read(packed.data, packed.size, head.data, head.size, &stream, &error), DBSQL_OK);
  assert_true(read_stream(&stream, &batches) == hash);
  /* No bytes are no rows, with a schema; without one they are no stream. */
  assert_int_equal(dbsql_ipc_read(NULL, 0, head.data, head.size, &stream, &error), DBSQL_OK);
  read_stream(&stream, &batches);
  assert_int_equal(batches, 0);
  assert_int_equal(dbsql_ipc_read(NULL, 0, NULL, 0, &stream, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "no schema"));
  assert_null(stream.release);
  error_clear(&error);
  assert_int_equal(dbsql_ipc_read(bare.data, bare.size, NULL, 0, &stream, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  /* The schema must be one message. */
  assert_int_equal(dbsql_ipc_read(bare.data, bare.size, head.data, head.size - 1, &stream, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  assert_int_equal(dbsql_ipc_read(bare.data, bare.size, bare.data, bare.size, &stream, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "a record batch instead"));
  error_clear(&error);
  buf_append(&head, bare.data, bare.size);
  assert_int_equal(dbsql_ipc_read(bare.data, bare.size, head.data, head.size, &stream, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "follow it"));
  error_clear(&error);
  batch.release(&batch);
  schema.release(&schema);
  buf_free(&head);
  buf_free(&bare);
  buf_free(&packed);
}

static void a_bad_batch_is_never_stepped_over(void **state) {
  (void)state;
  struct ArrowSchema schema, copy;
  struct ArrowArray batch;
  struct buf plain = BUF_INIT;
  struct ArrowArrayStream stream;
  test_schema("+s(u)", &schema);
  test_random_state = 5;
  write_some(&schema, 1, &plain);
  size_t first = plain.size - 8;
  buf_reset(&plain);
  test_random_state = 5; /* the same first batch again */
  write_some(&schema, 3, &plain);
  plain.data[first + 4] = 1; /* the metadata of the second batch are one byte long */
  plain.data[first + 5] = 0;
  assert_int_equal(dbsql_ipc_read(plain.data, plain.size, NULL, 0, &stream, NULL), DBSQL_OK);
  assert_int_equal(stream.get_next(&stream, &batch), 0);
  batch.release(&batch);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(stream.get_next(&stream, &batch), EINVAL);
    assert_null(batch.release);
    assert_non_null(strstr(stream.get_last_error(&stream), "malformed"));
    assert_int_equal(stream.get_schema(&stream, &copy), 0);
    copy.release(&copy);
  }
  stream.release(&stream);
  /* Bytes behind the end mark would be lost silently. */
  buf_reset(&plain);
  write_some(&schema, 0, &plain);
  buf_append_byte(&plain, 0);
  assert_int_equal(dbsql_ipc_read(plain.data, plain.size, NULL, 0, &stream, NULL), DBSQL_OK);
  assert_int_equal(stream.get_next(&stream, &batch), EINVAL);
  assert_non_null(strstr(stream.get_last_error(&stream), "follow the end mark"));
  stream.release(&stream);
  schema.release(&schema);
  buf_free(&plain);
}

static void failures_of_the_caller_are_reported(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct ArrowArray batch;
  dbsql_ipc_writer *writer;
  dbsql_error *error = NULL;
  struct tight tight = {4};
  test_schema("+s(i)", &schema);
  test_batch(&schema, 10, 0, false, &batch);
  assert_int_equal(dbsql_ipc_writer_new(&schema, append_tightly, &tight, &writer, &error), DBSQL_ERROR_DRIVER);
  assert_null(writer);
  assert_non_null(strstr(dbsql_error_message(error), strerror(ENOSPC)));
  error_clear(&error);
  tight.room = 400;
  assert_int_equal(dbsql_ipc_writer_new(&schema, append_tightly, &tight, &writer, &error), DBSQL_OK);
  tight.room = 8;
  assert_int_equal(dbsql_ipc_writer_write(writer, &batch, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  /* The stream is torn: not even the end mark would fit it now. */
  assert_int_equal(dbsql_ipc_writer_write(writer, &batch, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  assert_int_equal(dbsql_ipc_writer_finish(writer, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  dbsql_ipc_writer_free(writer);
  /* A batch that does not fit leaves the stream whole. */
  struct buf out = BUF_INIT;
  int batches;
  struct ArrowArrayStream stream;
  assert_int_equal(dbsql_ipc_writer_new(&schema, append, &out, &writer, &error), DBSQL_OK);
  batch.children[0]->length--;
  assert_int_equal(dbsql_ipc_writer_write(writer, &batch, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  batch.children[0]->length++;
  assert_int_equal(dbsql_ipc_writer_write(writer, &batch, &error), DBSQL_OK);
  assert_int_equal(dbsql_ipc_writer_finish(writer, &error), DBSQL_OK);
  dbsql_ipc_writer_free(writer);
  assert_int_equal(dbsql_ipc_read(out.data, out.size, NULL, 0, &stream, NULL), DBSQL_OK);
  assert_true(read_stream(&stream, &batches) == walk_rows(&schema, &batch, 0, 10));
  buf_free(&out);
  /* Arguments that make no sense. */
  assert_int_equal(dbsql_ipc_writer_new(NULL, append, &out, &writer, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_ipc_writer_new(&schema, NULL, &out, &writer, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_ipc_writer_new(&schema, append, &out, NULL, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_ipc_writer_write(NULL, &batch, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_ipc_writer_finish(NULL, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_ipc_read(NULL, 5, NULL, 0, &stream, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_ipc_read("", 0, NULL, 0, NULL, NULL), DBSQL_ERROR_DRIVER);
  dbsql_ipc_writer_free(NULL);
  batch.release(&batch);
  schema.release(&schema);
}

static void memory_may_run_out_anywhere(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct ArrowArray batch;
  struct buf plain = BUF_INIT, packed = BUF_INIT, head = BUF_INIT;
  test_schema("+s(i;u;+l(d:10,2))", &schema);
  test_batch(&schema, 10, 1, true, &batch);
  write_some(&schema, 2, &plain);
  assert_int_equal(ipc_write_schema(&schema, &head, NULL), DBSQL_OK);
  assert_int_equal(lz4_frame_encode(buf_slice(&plain), true, &packed, NULL), DBSQL_OK);
  int64_t live = mem_test_live_blocks();
  uint64_t n = 0;
  bool failed;
  do {
    struct ArrowArrayStream stream;
    struct ArrowSchema copy;
    struct ArrowArray back;
    dbsql_ipc_writer *writer = NULL;
    dbsql_error *error = NULL;
    struct tight tight = {100000};
    copy.release = NULL;
    back.release = NULL;
    mem_test_fail_at(++n);
    dbsql_status status = dbsql_ipc_read(packed.data, packed.size, head.data, head.size, &stream, &error);
    int problem = 0;
    if (status == DBSQL_OK) {
      if ((problem = stream.get_schema(&stream, &copy)) == 0) problem = stream.get_next(&stream, &back);
      if (problem) assert_string_equal(stream.get_last_error(&stream), "out of memory");
      if (!problem) status = dbsql_ipc_writer_new(&schema, append_tightly, &tight, &writer, &error);
      if (!problem && status == DBSQL_OK) status = dbsql_ipc_writer_write(writer, &batch, &error);
      if (!problem && status == DBSQL_OK) status = dbsql_ipc_writer_finish(writer, &error);
      if (copy.release) copy.release(&copy);
      if (back.release) back.release(&back);
      stream.release(&stream);
      dbsql_ipc_writer_free(writer);
    }
    failed = mem_test_failed();
    mem_test_fail_at(0);
    assert_int_equal(failed, status == DBSQL_ERROR_NO_MEMORY || problem == ENOMEM);
    if (!failed) assert_true(status == DBSQL_OK && problem == 0);
    error_clear(&error);
    assert_int_equal(mem_test_live_blocks(), live);
  } while (failed);
  assert_true(n > 20);
  batch.release(&batch);
  schema.release(&schema);
  buf_free(&plain);
  buf_free(&packed);
  buf_free(&head);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_and_lz4_streams_are_read),    cmocka_unit_test(bare_batches_need_a_schema),
      cmocka_unit_test(a_bad_batch_is_never_stepped_over), cmocka_unit_test(failures_of_the_caller_are_reported),
      cmocka_unit_test(memory_may_run_out_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
