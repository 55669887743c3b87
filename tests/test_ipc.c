/* Arrow IPC: what the writer writes, the reader reads back; who owns what; what is refused, and how it is said. */
#include "test.h"

#include <pthread.h>
#include <stdio.h>

#include "arrow/ipc_reader.h"
#include "arrow/ipc_types.h"
#include "arrow/ipc_writer.h"
#include "base/error.h"
#include "base/mem.h"
#include "ipc_arrays.h"
#include "ipc_fixtures.h"

static const char *const every_type[] = {"n",
                                         "b",
                                         "c",
                                         "C",
                                         "s",
                                         "S",
                                         "i",
                                         "I",
                                         "l",
                                         "L",
                                         "e",
                                         "f",
                                         "g",
                                         "z",
                                         "u",
                                         "Z",
                                         "U",
                                         "d:9,2,32",
                                         "d:18,4,64",
                                         "d:38,38",
                                         "d:10,-2",
                                         "d:76,5,256",
                                         "tdD",
                                         "tdm",
                                         "tts",
                                         "ttm",
                                         "ttu",
                                         "ttn",
                                         "tss:",
                                         "tsm:UTC",
                                         "tsu:America/Los_Angeles",
                                         "tsn:UTC+08:00",
                                         "tDs",
                                         "tDm",
                                         "tDu",
                                         "tDn",
                                         "tiM",
                                         "tiD",
                                         "tin",
                                         "w:1",
                                         "w:7",
                                         "w:16",
                                         "+l(i)",
                                         "+L(u)",
                                         "+w:3(s)",
                                         "+w:0(i)",
                                         "+s(i;u)",
                                         "+s()",
                                         "+m(+s(u;l))",
                                         "+us:0,1(i;u)",
                                         "+us:5,3,127(b;n;d:5,1)",
                                         "+ud:0,1(i;u)",
                                         "+ud:9,4(+l(c);z)",
                                         "+l(+l(+s(u;+m(+s(i;+l(b))))))",
                                         "+w:2(+w:2(b))",
                                         "+s(+s(+s(u)))",
                                         "+l(n)"};
enum { type_count = sizeof every_type / sizeof *every_type };

static struct chunk *chunk_of(struct slice bytes, size_t shift) {
  struct chunk *chunk = chunk_new(bytes.size + shift);
  assert_non_null(chunk);
  memcpy(chunk->data + shift, bytes.data, bytes.size);
  chunk->size = bytes.size + shift;
  return chunk;
}

static void open_reader(struct ipc_reader *reader, struct slice bytes, struct ipc_schema *schema) {
  struct chunk *chunk = chunk_of(bytes, 0);
  ipc_reader_init(reader, chunk, slice_of(chunk->data, chunk->size), schema);
  chunk_unref(chunk);
}

/* Schema, batch and end mark. */
static void write_stream(const struct ArrowSchema *schema, const struct ArrowArray *batch, struct buf *out) {
  dbsql_error *error = NULL;
  if (ipc_write_schema(schema, out, &error) != DBSQL_OK || (batch && ipc_write_batch(schema, batch, out, &error) != DBSQL_OK))
    fail_msg("%s", dbsql_error_message(error));
  ipc_write_end(out);
}

static void one_batch(const char *text, int64_t rows, struct buf *out) {
  struct ArrowSchema schema;
  struct ArrowArray batch;
  test_schema(text, &schema);
  test_batch(&schema, rows, 0, true, &batch);
  write_stream(&schema, &batch, out);
  batch.release(&batch);
  schema.release(&schema);
}

static int64_t real_nulls(const struct ArrowArray *array) {
  int64_t nulls = 0;
  const uint8_t *bits = array->n_buffers ? array->buffers[0] : NULL;
  for (int64_t i = 0; bits && i < array->length; i++) nulls += !(bits[(i + array->offset) >> 3] >> ((i + array->offset) & 7) & 1);
  return nulls;
}

static void check_round_trip(const struct ArrowSchema *schema, int64_t rows, int64_t offset, bool nulls) {
  struct ArrowArray batch, back;
  struct buf out = BUF_INIT, again = BUF_INIT;
  struct ipc_reader reader;
  dbsql_error *error = NULL;
  test_batch(schema, rows, offset, nulls, &batch);
  write_stream(schema, &batch, &out);
  assert_int_equal(out.size % 8, 0);
  open_reader(&reader, buf_slice(&out), NULL);
  if (ipc_reader_next(&reader, &back, &error) != DBSQL_OK) fail_msg("%s: %s", schema->children[0]->format, dbsql_error_message(error));
  assert_true(test_same_schema(schema, ipc_schema_arrow(reader.schema), ipc_metadata_size));
  assert_int_equal(back.length, rows);
  for (int64_t i = 0; i < schema->n_children; i++) {
    const struct ArrowArray *column = back.children[i];
    const char *format = schema->children[i]->format;
    assert_int_equal(column->length, rows);
    assert_int_equal(column->offset, 0);
    if (strncmp(format, "+u", 2) == 0)
      assert_int_equal(column->null_count, 0);
    else if (*format == 'n')
      assert_int_equal(column->null_count, rows);
    else
      assert_int_equal(column->null_count, real_nulls(column));
    if (*format != 'n' && strncmp(format, "+u", 2) != 0) assert_true((column->buffers[0] == NULL) == (column->null_count == 0));
    for (int64_t k = 1; k < column->n_buffers; k++) assert_non_null(column->buffers[k]);
  }
  assert_true(walk_rows(schema, &batch, 0, rows) == walk_rows(schema, &back, 0, rows));
  /* What was read is written as the same bytes: nothing undefined is in them. */
  write_stream(schema, &back, &again);
  assert_int_equal(out.size, again.size);
  if (offset == 0 && !nulls) assert_memory_equal(out.data, again.data, out.size);
  back.release(&back);
  assert_int_equal(ipc_reader_next(&reader, &back, &error), DBSQL_OK);
  assert_null(back.release);
  ipc_reader_close(&reader);
  batch.release(&batch);
  buf_free(&out);
  buf_free(&again);
}

static void every_type_comes_back(void **state) {
  (void)state;
  static const int64_t rows[] = {0, 1, 7, 8, 9, 63, 64, 65, 300}, offsets[] = {0, 3, 8, 13};
  for (size_t t = 0; t < type_count; t++) {
    char text[128];
    struct ArrowSchema schema;
    snprintf(text, sizeof text, "+s(%s;i)", every_type[t]);
    test_schema(text, &schema);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
      for (size_t o = 0; o < sizeof offsets / sizeof *offsets; o++)
        for (int nulls = 0; nulls < 2; nulls++) check_round_trip(&schema, rows[r], offsets[o], nulls != 0);
    schema.release(&schema);
  }
}

static void no_columns_and_many(void **state) {
  (void)state;
  struct ArrowSchema schema;
  test_schema("+s()", &schema);
  check_round_trip(&schema, 0, 0, false);
  check_round_trip(&schema, 5, 2, false);
  schema.release(&schema);
  char *text = malloc(3 * 10000 + 8), *at = text + sprintf(text, "+s(");
  for (int i = 0; i < 10000; i++) at += sprintf(at, "%si", i ? ";" : "");
  sprintf(at, ")");
  test_schema(text, &schema);
  check_round_trip(&schema, 2, 1, true);
  schema.release(&schema);
  free(text);
}

static void metadata_stay_as_they_are(void **state) {
  (void)state;
  struct ArrowSchema schema, copy;
  struct buf out = BUF_INIT;
  struct ipc_schema *back;
  test_schema("+s(+m(+s(u;d:10,2));i)", &schema);
  const char *column[] = {"Spark:DataType:SqlName", "MAP<STRING, DECIMAL(10,2)>", "", "empty key", "k", "", NULL};
  const char *inner[] = {"a", "\xC3\xA9", NULL};
  const char *root[] = {"x", "1", "x", "2", NULL};
  assert_int_equal(arrow_schema_set_metadata(schema.children[0], column, NULL), DBSQL_OK);
  assert_int_equal(arrow_schema_set_metadata(schema.children[0]->children[0]->children[1], inner, NULL), DBSQL_OK);
  assert_int_equal(arrow_schema_set_metadata(&schema, root, NULL), DBSQL_OK);
  schema.children[0]->flags |= ARROW_FLAG_MAP_KEYS_SORTED;
  write_stream(&schema, NULL, &out);
  assert_int_equal(ipc_schema_read(buf_slice(&out), &back, NULL), DBSQL_OK); /* an end mark may follow */
  assert_true(test_same_schema(&schema, ipc_schema_arrow(back), ipc_metadata_size));
  /* A copy is its own: also a child that was moved out of it lives by itself. */
  assert_int_equal(arrow_schema_copy(ipc_schema_arrow(back), &copy, NULL), DBSQL_OK);
  ipc_schema_unref(back);
  assert_true(test_same_schema(&schema, &copy, ipc_metadata_size));
  struct ArrowSchema moved = *copy.children[0];
  copy.children[0]->release = NULL;
  copy.release(&copy);
  assert_null(copy.release);
  assert_true(test_same_schema(schema.children[0], &moved, ipc_metadata_size));
  moved.release(&moved);
  schema.release(&schema);
  buf_free(&out);
}

static void *release_elsewhere(void *array) {
  ((struct ArrowArray *)array)->release(array);
  return NULL;
}

static void children_outlive_their_batch(void **state) {
  (void)state;
  int64_t live = mem_test_live_blocks();
  struct buf out = BUF_INIT;
  one_batch("+s(u;+l(+s(i;u));l)", 100, &out);
  for (int order = 0; order < 3; order++) {
    struct ipc_reader reader;
    struct ArrowArray batch, moved;
    open_reader(&reader, buf_slice(&out), NULL);
    assert_int_equal(ipc_reader_next(&reader, &batch, NULL), DBSQL_OK);
    struct ipc_schema *schema = ipc_schema_ref(reader.schema);
    const struct ArrowSchema *column = ipc_schema_arrow(schema)->children[1];
    uint64_t hash = walk_rows(column, batch.children[1], 0, 100);
    moved = *batch.children[1];
    batch.children[1]->release = NULL;
    if (order != 0) ipc_reader_close(&reader); /* the batch does not need it */
    if (order == 2) {
      /* a grandchild too */
      struct ArrowArray grandchild = *moved.children[0]->children[1];
      moved.children[0]->children[1]->release = NULL;
      moved.release(&moved);
      batch.release(&batch);
      walk_rows(column->children[0]->children[1], &grandchild, 0, grandchild.length);
      grandchild.release(&grandchild);
    } else {
      pthread_t thread;
      assert_int_equal(pthread_create(&thread, NULL, release_elsewhere, &batch), 0);
      pthread_join(thread, NULL);
      assert_null(batch.release);
      assert_true(walk_rows(column, &moved, 0, 100) == hash);
      moved.release(&moved);
    }
    if (order == 0) ipc_reader_close(&reader);
    ipc_schema_unref(schema);
  }
  buf_free(&out);
  assert_int_equal(mem_test_live_blocks(), live);
}

static void two_threads_release_at_once(void **state) {
  (void)state;
  struct buf out = BUF_INIT;
  one_batch("+s(u;i)", 10, &out);
  for (int i = 0; i < 200; i++) {
    struct ipc_reader reader;
    struct ArrowArray batch, moved;
    pthread_t threads[2];
    open_reader(&reader, buf_slice(&out), NULL);
    assert_int_equal(ipc_reader_next(&reader, &batch, NULL), DBSQL_OK);
    ipc_reader_close(&reader);
    moved = *batch.children[0];
    batch.children[0]->release = NULL;
    assert_int_equal(pthread_create(&threads[0], NULL, release_elsewhere, &batch), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, release_elsewhere, &moved), 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
  }
  buf_free(&out);
}

static void slices_count_their_nulls(void **state) {
  (void)state;
  static const int64_t cuts[][2] = {{0, 200}, {0, 0}, {1, 70}, {63, 2}, {64, 64}, {199, 1}, {200, 0}, {5, 9}};
  struct buf out = BUF_INIT;
  one_batch("+s(u;i;b;n;+s(i;u);+l(i);+w:3(s);+us:0,1(i;u);+ud:0,1(i;u))", 200, &out);
  for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
    struct ipc_reader reader;
    struct ArrowArray batch;
    open_reader(&reader, buf_slice(&out), NULL);
    assert_int_equal(ipc_reader_next(&reader, &batch, NULL), DBSQL_OK);
    const struct ArrowSchema *schema = ipc_schema_arrow(reader.schema);
    uint64_t expected = walk_rows(schema, &batch, cuts[c][0], cuts[c][1]);
    arrow_batch_slice(&batch, cuts[c][0], cuts[c][1]);
    assert_int_equal(batch.length, cuts[c][1]);
    assert_int_equal(batch.offset, 0);
    for (int64_t i = 0; i < batch.n_children; i++) {
      const struct ArrowArray *column = batch.children[i];
      assert_int_equal(column->length, cuts[c][1]);
      if (*schema->children[i]->format == 'n')
        assert_int_equal(column->null_count, cuts[c][1]);
      else if (strncmp(schema->children[i]->format, "+u", 2) != 0)
        assert_int_equal(column->null_count, real_nulls(column));
    }
    assert_true(walk_rows(schema, &batch, 0, batch.length) == expected);
    /* A slice of a slice, and writing one. */
    if (batch.length > 4) {
      struct buf sliced = BUF_INIT;
      expected = walk_rows(schema, &batch, 2, batch.length - 3);
      arrow_batch_slice(&batch, 2, batch.length - 3);
      assert_true(walk_rows(schema, &batch, 0, batch.length) == expected);
      assert_int_equal(ipc_write_batch(schema, &batch, &sliced, NULL), DBSQL_OK);
      struct ipc_reader second;
      struct ArrowArray back;
      open_reader(&second, buf_slice(&sliced), reader.schema);
      assert_int_equal(ipc_reader_next(&second, &back, NULL), DBSQL_OK);
      assert_true(walk_rows(schema, &back, 0, back.length) == expected);
      back.release(&back);
      ipc_reader_close(&second);
      buf_free(&sliced);
    }
    batch.release(&batch);
    ipc_reader_close(&reader);
  }
  buf_free(&out);
}

static void buffers_are_views_unless_unaligned(void **state) {
  (void)state;
  struct buf out = BUF_INIT;
  uint64_t hash = 0;
  one_batch("+s(l;u;b;+l(i);d:10,2;w:3)", 50, &out);
  for (size_t shift = 0; shift < 9; shift++) {
    struct chunk *chunk = chunk_of(buf_slice(&out), shift);
    struct ipc_reader reader;
    struct ArrowArray batch;
    ipc_reader_init(&reader, chunk, slice_of(chunk->data + shift, out.size), NULL);
    assert_int_equal(ipc_reader_next(&reader, &batch, NULL), DBSQL_OK);
    for (int64_t i = 0; i < batch.n_children; i++) {
      static const uintptr_t alignment[] = {8, 4, 1, 4, 8, 1};
      const struct ArrowArray *column = batch.children[i];
      uintptr_t at = (uintptr_t)column->buffers[1];
      bool inside = at >= (uintptr_t)chunk->data && at < (uintptr_t)chunk->data + chunk->size;
      assert_int_equal(at % alignment[i], 0);
      assert_int_equal(inside, shift % alignment[i] == 0);
      /* bitmaps and bytes are never copied */
      at = (uintptr_t)column->buffers[0];
      assert_true(at >= (uintptr_t)chunk->data && at < (uintptr_t)chunk->data + chunk->size);
    }
    chunk_unref(chunk);
    uint64_t got = walk_rows(ipc_schema_arrow(reader.schema), &batch, 0, 50);
    if (shift == 0) hash = got;
    assert_true(got == hash);
    ipc_reader_close(&reader);
    batch.release(&batch);
  }
  buf_free(&out);
}

static void assert_error_has(dbsql_status status, dbsql_error **error, const char *text) {
  assert_int_equal(status, DBSQL_ERROR_DRIVER);
  if (!strstr(dbsql_error_message(*error), text)) fail_msg("\"%s\" is not in \"%s\"", text, dbsql_error_message(*error));
  error_clear(error);
}

static void schema_of_the_result_wins(void **state) {
  (void)state;
  struct ArrowSchema known_arrow, arrow;
  struct ArrowArray batch, back;
  struct ipc_schema *known;
  struct ipc_reader reader;
  struct buf stream = BUF_INIT, bare = BUF_INIT;
  dbsql_error *error = NULL;
  test_schema("+s(i;tsu:Etc/UTC;+l(u))", &known_arrow);
  assert_int_equal(ipc_schema_from_arrow(&known_arrow, &known, NULL), DBSQL_OK);
  test_schema("+s(i;tsu:America/Los_Angeles;+l(u))", &arrow);
  arrow.children[0]->name = "stale";
  arrow.children[1]->flags = 0;
  test_batch(&arrow, 4, 0, false, &batch);
  write_stream(&arrow, &batch, &stream);
  assert_int_equal(ipc_write_batch(&arrow, &batch, &bare, NULL), DBSQL_OK);
  assert_int_equal(ipc_write_batch(&arrow, &batch, &bare, NULL), DBSQL_OK);
  /* The stream's own schema must agree; a zone may have another name. */
  open_reader(&reader, buf_slice(&stream), known);
  assert_int_equal(ipc_reader_next(&reader, &back, &error), DBSQL_OK);
  assert_string_equal(ipc_schema_arrow(reader.schema)->children[0]->name, "f0");
  back.release(&back);
  ipc_reader_close(&reader);
  /* Several bare batches, and a clean end without a mark. */
  open_reader(&reader, buf_slice(&bare), known);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(ipc_reader_next(&reader, &back, &error), DBSQL_OK);
    assert_int_equal(back.length, 4);
    back.release(&back);
  }
  assert_int_equal(ipc_reader_next(&reader, &back, &error), DBSQL_OK);
  assert_null(back.release);
  ipc_reader_close(&reader);
  open_reader(&reader, buf_slice(&bare), NULL);
  assert_error_has(ipc_reader_next(&reader, &back, &error), &error, "its schema is not known");
  ipc_reader_close(&reader);
  ipc_schema_unref(known);
  static const char *const others[][2] = {{"+s(l;tsu:Etc/UTC;+l(u))", "column 1 \"f0\""}, {"+s(i;tsm:Etc/UTC;+l(u))", "column 2 \"f1\""},
                                          {"+s(i;tsu:;+l(u))", "column 2 \"f1\""}, /* a wall clock is no instant */
                                          {"+s(i;tsu:Etc/UTC;+l(z))", "field \"f0\""},    {"+s(i;tsu:Etc/UTC)", "columns"},
                                          {"+s(i;tsu:Etc/UTC;+l(u);i)", "columns"}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    struct ArrowSchema other;
    test_schema(others[i][0], &other);
    assert_int_equal(ipc_schema_from_arrow(&other, &known, NULL), DBSQL_OK);
    open_reader(&reader, buf_slice(&stream), known);
    assert_error_has(ipc_reader_next(&reader, &back, &error), &error, others[i][1]);
    ipc_reader_close(&reader);
    ipc_schema_unref(known);
    other.release(&other);
  }
  /* The type ids of a union are part of its type. */
  struct buf unions = BUF_INIT;
  struct ArrowSchema other;
  one_batch("+s(+us:0,1(i;u))", 3, &unions);
  test_schema("+s(+us:0,2(i;u))", &other);
  assert_int_equal(ipc_schema_from_arrow(&other, &known, NULL), DBSQL_OK);
  open_reader(&reader, buf_slice(&unions), known);
  assert_error_has(ipc_reader_next(&reader, &back, &error), &error, "column 1 \"f0\"");
  ipc_reader_close(&reader);
  ipc_schema_unref(known);
  other.release(&other);
  buf_free(&unions);
  /* A second schema message. */
  stream.size -= 8;
  assert_int_equal(ipc_write_schema(&arrow, &stream, NULL), DBSQL_OK);
  open_reader(&reader, buf_slice(&stream), NULL);
  assert_int_equal(ipc_reader_next(&reader, &back, &error), DBSQL_OK);
  back.release(&back);
  assert_error_has(ipc_reader_next(&reader, &back, &error), &error, "second schema");
  ipc_reader_close(&reader);
  batch.release(&batch);
  known_arrow.release(&known_arrow);
  arrow.release(&arrow);
  buf_free(&stream);
  buf_free(&bare);
}

/* Streams of an independent writer (Arrow C++ 26): tests/ipc_fixtures.h. */
static void compressed_bodies_are_read(void **state) {
  (void)state;
  const struct slice streams[] = {slice_of(lz4_stream, sizeof lz4_stream), slice_of(zstd_stream, sizeof zstd_stream)};
  for (int i = 0; i < 2; i++) {
    struct ipc_reader reader;
    struct ArrowArray batch;
    dbsql_error *error = NULL;
    open_reader(&reader, streams[i], NULL);
    if (ipc_reader_next(&reader, &batch, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    assert_int_equal(batch.length, 120);
    const int32_t *numbers = batch.children[0]->buffers[1], *offsets = batch.children[1]->buffers[1];
    const char *text = batch.children[1]->buffers[2];
    assert_int_equal(batch.children[0]->null_count, 40);
    assert_int_equal(batch.children[1]->null_count, 40);
    for (int row = 0; row < 120; row += 3) {
      assert_int_equal(numbers[row], 1);
      assert_int_equal(numbers[row + 2], 3);
      assert_memory_equal(text + offsets[row], "abc", 3);
      assert_int_equal(offsets[row + 3] - offsets[row], 3);
    }
    batch.release(&batch);
    ipc_reader_close(&reader);
    /* The limit on what is decompressed holds. */
    open_reader(&reader, streams[i], NULL);
    reader.decoded_limit = 500;
    assert_error_has(ipc_reader_next(&reader, &batch, &error), &error, "limit");
    ipc_reader_close(&reader);
  }
}

static void version_4_unions_are_read(void **state) {
  (void)state;
  struct ipc_reader reader;
  struct ArrowArray batch;
  open_reader(&reader, slice_of(union_v4_stream, sizeof union_v4_stream), NULL);
  assert_int_equal(ipc_reader_next(&reader, &batch, NULL), DBSQL_OK);
  const struct ArrowArray *column = batch.children[0];
  assert_string_equal(ipc_schema_arrow(reader.schema)->children[0]->format, "+ud:5,9");
  assert_int_equal(((const int8_t *)column->buffers[0])[1], 9);
  assert_int_equal(((const int32_t *)column->buffers[1])[2], 1);
  assert_int_equal(((const int32_t *)column->children[0]->buffers[1])[1], 8);
  batch.release(&batch);
  ipc_reader_close(&reader);
}

static void what_is_not_supported_is_named(void **state) {
  (void)state;
  static const struct {
    const uint8_t *data;
    size_t size;
    const char *text;
  } cases[] = {
      {dictionary_stream, sizeof dictionary_stream, "column 1 \"k\": unsupported Arrow type Dictionary"},
      {run_end_stream, sizeof run_end_stream, "column 1 \"r\": unsupported Arrow type RunEndEncoded"},
      {view_stream, sizeof view_stream, "column 1 \"s\": field \"q\": unsupported Arrow type Utf8View"},
      {legacy_stream, sizeof legacy_stream, "framing older than Arrow 0.15"},
      {(const uint8_t *)"ARROW1\0\0", 8, "Arrow file"},
  };
  dbsql_error *error = NULL;
  struct ipc_reader reader;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    open_reader(&reader, slice_of(cases[i].data, cases[i].size), NULL);
    assert_error_has(ipc_reader_schema(&reader, &error), &error, cases[i].text);
    ipc_reader_close(&reader);
  }
}

static void writer_refuses_what_it_cannot_write(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct ArrowArray batch;
  struct buf out = BUF_INIT;
  dbsql_error *error = NULL;
  test_schema("+s(i;u)", &schema);
  test_batch(&schema, 10, 0, true, &batch);
  buf_append_text(&out, "before");
  batch.children[1]->length = 9;
  assert_error_has(ipc_write_batch(&schema, &batch, &out, &error), &error, "column 2 \"f1\"");
  batch.children[1]->length = 10;
  void (*release)(struct ArrowArray *) = batch.children[0]->release;
  batch.children[0]->release = NULL;
  assert_error_has(ipc_write_batch(&schema, &batch, &out, &error), &error, "column 1 \"f0\": the array has been released");
  batch.children[0]->release = release;
  int32_t *offsets = (int32_t *)(uintptr_t)batch.children[1]->buffers[1], kept = offsets[batch.children[1]->offset + 4];
  offsets[batch.children[1]->offset + 4] = 0;
  offsets[batch.children[1]->offset + 3]++;
  assert_error_has(ipc_write_batch(&schema, &batch, &out, &error), &error, "offset");
  offsets[batch.children[1]->offset + 4] = kept;
  offsets[batch.children[1]->offset + 3]--;
  static const uint8_t bits[2] = {0xFD, 0xFF};
  batch.null_count = 1;
  batch.buffers[0] = bits;
  assert_error_has(ipc_write_batch(&schema, &batch, &out, &error), &error, "rows that are NULL");
  batch.buffers[0] = NULL;
  batch.null_count = 0;
  batch.n_children = 1;
  assert_error_has(ipc_write_batch(&schema, &batch, &out, &error), &error, "does not fit");
  batch.n_children = 2;
  assert_int_equal(out.size, 6);
  assert_int_equal(ipc_write_batch(&schema, &batch, &out, &error), DBSQL_OK);
  batch.release(&batch);
  schema.release(&schema);
  static const char *const bad[] = {"i",
                                    "+s(vu)",
                                    "+s(+r(i;u))",
                                    "+s(d:39,0)",
                                    "+s(d:0,0)",
                                    "+s(w:0)",
                                    "+s(+l)",
                                    "+s(+m(i))",
                                    "+s(i(i))",
                                    "+s(+us:0,0(i;i))",
                                    "+s(+us:0,128(i;i))",
                                    "+s(+us:0(i;i))",
                                    "+s(bb)",
                                    "+s(uu)",
                                    "+s(;i)",
                                    "+s(+ux:0(i))",
                                    "+s(+us0,0(i))",
                                    "+s(tdDx)",
                                    "+s(tdx)",
                                    "+s(ttsx)",
                                    "+s(ttx)",
                                    "+s(tDsx)",
                                    "+s(tDx)",
                                    "+s(tiMx)",
                                    "+s(w:)",
                                    "+s(w:4294967297)",
                                    "+s(w:4x)",
                                    "+s(+w:(i))",
                                    "+s(+lx(i))",
                                    "+s(tsx:)",
                                    "+s(tiX)",
                                    "+s(x)",
                                    "+s(ii)"};
  size_t size = out.size;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    test_schema(bad[i], &schema);
    assert_int_equal(ipc_write_schema(&schema, &out, &error), DBSQL_ERROR_DRIVER);
    assert_non_null(error);
    error_clear(&error);
    assert_int_equal(out.size, size);
    schema.release(&schema);
  }
  buf_free(&out);
}

/* Reading and writing, with every allocation made to fail in turn. */
static void memory_may_run_out_anywhere(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct ArrowArray batch;
  test_schema("+s(i;+l(+s(u;d:10,2));tsu:UTC;+ud:0,1(i;u))", &schema);
  test_batch(&schema, 20, 3, true, &batch);
  struct buf stream = BUF_INIT;
  write_stream(&schema, &batch, &stream);
  const struct slice inputs[] = {buf_slice(&stream), slice_of(lz4_stream, sizeof lz4_stream), slice_of(zstd_stream, sizeof zstd_stream)};
  for (int input = 0; input < 3; input++) {
    for (size_t shift = 0; shift < 2; shift++) {
      struct chunk *chunk = chunk_of(inputs[input], shift);
      int64_t live = mem_test_live_blocks();
      uint64_t n = 0;
      bool failed;
      do {
        struct ipc_reader reader;
        struct ArrowArray back;
        struct ArrowSchema copy;
        struct buf out = BUF_INIT;
        dbsql_error *error = NULL;
        copy.release = NULL;
        ipc_reader_init(&reader, chunk, slice_of(chunk->data + shift, inputs[input].size), NULL);
        mem_test_fail_at(++n);
        dbsql_status status = ipc_reader_next(&reader, &back, &error);
        if (status == DBSQL_OK) status = arrow_schema_copy(ipc_schema_arrow(reader.schema), &copy, &error);
        if (status == DBSQL_OK) status = ipc_write_schema(&copy, &out, &error);
        if (status == DBSQL_OK) status = ipc_write_batch(&copy, &back, &out, &error);
        failed = mem_test_failed();
        mem_test_fail_at(0);
        assert_int_equal(status, failed ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
        assert_int_equal(dbsql_error_kind(error), status);
        error_clear(&error);
        if (back.release) back.release(&back);
        if (copy.release) copy.release(&copy);
        buf_free(&out);
        ipc_reader_close(&reader);
        assert_int_equal(mem_test_live_blocks(), live);
      } while (failed);
      assert_true(n > 10);
      chunk_unref(chunk);
    }
  }
  buf_free(&stream);
  batch.release(&batch);
  schema.release(&schema);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_type_comes_back),
      cmocka_unit_test(no_columns_and_many),
      cmocka_unit_test(metadata_stay_as_they_are),
      cmocka_unit_test(children_outlive_their_batch),
      cmocka_unit_test(two_threads_release_at_once),
      cmocka_unit_test(slices_count_their_nulls),
      cmocka_unit_test(buffers_are_views_unless_unaligned),
      cmocka_unit_test(schema_of_the_result_wins),
      cmocka_unit_test(compressed_bodies_are_read),
      cmocka_unit_test(version_4_unions_are_read),
      cmocka_unit_test(what_is_not_supported_is_named),
      cmocka_unit_test(writer_refuses_what_it_cannot_write),
      cmocka_unit_test(memory_may_run_out_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
