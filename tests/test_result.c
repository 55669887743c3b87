/* Pages into batches: every row once, or an error (results.md 1.4, 1.5, 1.6). */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "arrow/column.h"
#include "arrow/ipc_writer.h"
#include "arrow/lz4_frames.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "result/columnar.h"
#include "result/result_reader.h"

/* ---- building what a server would send ---- */

static void put(struct buf *out, uint64_t value, size_t width) {
  for (size_t i = width; i-- > 0;) buf_append_byte(out, (uint8_t)(value >> (8 * i)));
}

static struct thrift_raw_list ints(struct buf *bytes, uint8_t type, size_t width, const int64_t *values, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) put(bytes, (uint64_t)values[i], width);
  return (struct thrift_raw_list){type, count, buf_slice(bytes)};
}

static struct thrift_raw_list texts(struct buf *bytes, const char *const *values, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    put(bytes, strlen(values[i]), 4);
    buf_append_text(bytes, values[i]);
  }
  return (struct thrift_raw_list){THRIFT_STRING, count, buf_slice(bytes)};
}

/* The metadata of columns of primitive types. */
struct metadata {
  struct TGetResultSetMetadataResp response;
  struct TTableSchema schema;
  struct TColumnDesc columns[8];
  struct TTypeDesc descriptions[8];
  struct TTypeEntry entries[8];
  struct TPrimitiveTypeEntry primitives[8];
};

static void describe(struct metadata *metadata, uint32_t count, const int32_t *types) {
  *metadata = (struct metadata){0};
  for (uint32_t i = 0; i < count; i++) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    metadata->primitives[i] = (struct TPrimitiveTypeEntry){.has_type = true, .type = types[i]};
    metadata->entries[i] = (struct TTypeEntry){.has_primitiveEntry = true, .primitiveEntry = &metadata->primitives[i]};
    metadata->descriptions[i].types.count = 1;
    metadata->descriptions[i].types.items = &metadata->entries[i];
    metadata->columns[i] = (struct TColumnDesc){.columnName = slice_text(names[i]), .typeDesc = &metadata->descriptions[i], .position = 1};
  }
  metadata->schema.columns.count = count;
  metadata->schema.columns.items = metadata->columns;
  metadata->response.has_schema = true;
  metadata->response.schema = &metadata->schema;
}

/* One Arrow record batch of one BIGINT column that counts from `first`. */
static void arrow_batch(int64_t first, int64_t count, struct buf *message, struct buf *schema_message) {
  struct ArrowSchema schema;
  assert_int_equal(arrow_schema_make(&schema, "+s", "", 0, 1, NULL), DBSQL_OK);
  assert_int_equal(arrow_schema_make(schema.children[0], "l", "n", ARROW_FLAG_NULLABLE, 0, NULL), DBSQL_OK);
  struct arrow_builder builder;
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  for (int64_t i = 0; i < count; i++) {
    int64_t value = first + i;
    arrow_builder_append_fixed(&builder.children[0], &value);
    arrow_builder_append_entry(&builder);
  }
  struct ArrowArray array;
  assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
  if (message) assert_int_equal(ipc_write_batch(&schema, &array, message, NULL), DBSQL_OK);
  if (schema_message) assert_int_equal(ipc_write_schema(&schema, schema_message, NULL), DBSQL_OK);
  array.release(&array);
  arrow_builder_free(&builder);
  schema.release(&schema);
}

/* A server that has its pages ready. */
struct script_page {
  int64_t start;       /* what the page says */
  int64_t first;       /* the values that it holds */
  int64_t batches[4];  /* rows of each batch; 0 ends */
  int64_t declared[4]; /* rowCount of each; 0: the true one */
  bool lz4;
  bool more;
  bool two_messages; /* the second batch is put behind the first, into the same binary */
  dbsql_status fails;
};

struct script {
  const struct script_page *pages;
  size_t count;
  size_t at;
  int64_t asked[16];
};

static dbsql_status fetch(void *user, int64_t next_row, const struct call *call, struct page *page, dbsql_error **error) {
  struct script *script = user;
  (void)call;
  assert_true(script->at < script->count);
  const struct script_page *from = &script->pages[script->at];
  script->asked[script->at++] = next_row;
  if (from->fails != DBSQL_OK) return error_set(error, from->fails, NULL, "as the script says");
  struct buf bytes[4] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
  uint32_t batch_count = 0;
  int64_t first = from->first;
  size_t size = 0;
  for (; batch_count < 4 && from->batches[batch_count] != 0; batch_count++) {
    struct buf plain = BUF_INIT;
    int64_t rows = from->batches[batch_count] > 0 ? from->batches[batch_count] : 0;
    arrow_batch(first, rows, &plain, NULL);
    first += rows;
    if (from->lz4) {
      assert_int_equal(lz4_frame_encode(buf_slice(&plain), batch_count % 2 == 1, &bytes[batch_count], NULL), DBSQL_OK);
    } else {
      buf_append_slice(&bytes[batch_count], buf_slice(&plain));
    }
    buf_free(&plain);
    size += bytes[batch_count].size;
  }
  page->body = chunk_new(size + 1);
  struct TRowSet *rows = arena_alloc(&page->arena, 1, sizeof *rows);
  rows->has_startRowOffset = true;
  rows->startRowOffset = from->start;
  rows->has_arrowBatches = true;
  rows->arrowBatches.items = arena_alloc(&page->arena, batch_count + 1, sizeof *rows->arrowBatches.items);
  for (uint32_t i = 0; i < batch_count; i++) {
    struct slice where = slice_of(page->body->data + page->body->size, bytes[i].size);
    memcpy(page->body->data + page->body->size, bytes[i].data, bytes[i].size);
    page->body->size += bytes[i].size;
    int64_t declared = from->declared[i] ? from->declared[i] : from->batches[i];
    struct TSparkArrowBatch *batches = rows->arrowBatches.items;
    if (from->two_messages && i == 1) {
      batches[0].batch.size += where.size;
      batches[0].rowCount += declared;
    } else {
      batches[rows->arrowBatches.count++] =
          (struct TSparkArrowBatch){.has_batch = true, .batch = where, .has_rowCount = true, .rowCount = declared};
    }
    buf_free(&bytes[i]);
  }
  page->rows = rows;
  page->has_more = from->more;
  return page_classify(page, error);
}

static struct result_schema *bigint_schema(void) {
  struct buf message = BUF_INIT;
  arrow_batch(0, 0, NULL, &message);
  struct TGetResultSetMetadataResp metadata = {.has_arrowSchema = true, .arrowSchema = buf_slice(&message)};
  struct result_schema *schema = NULL;
  assert_int_equal(result_schema_new(&metadata, &schema, NULL), DBSQL_OK);
  buf_free(&message);
  return schema;
}

/* Reads everything; the values must count up from 0. Returns how the reading ended. */
static dbsql_status read_all(struct result_reader *reader, int64_t *rows, dbsql_error **error) {
  struct call call;
  call_begin_internal(&call, 0);
  *rows = 0;
  for (;;) {
    struct ArrowArray batch;
    dbsql_status status = result_reader_next(reader, &call, &batch, error);
    if (status != DBSQL_OK) {
      assert_null(batch.release);
      return status;
    }
    if (!batch.release) return DBSQL_OK;
    assert_true(batch.length > 0);
    assert_int_equal(batch.children[0]->length, batch.length);
    const int64_t *values = batch.children[0]->buffers[1];
    for (int64_t i = 0; i < batch.length; i++) assert_int_equal(values[i + batch.children[0]->offset + batch.offset], *rows + i);
    *rows += batch.length;
    batch.release(&batch);
  }
}

static void run(const struct script_page *pages, size_t count, dbsql_status expected_status, int64_t expected_rows, const char *message,
                struct script *out) {
  struct script script = {pages, count, 0, {0}};
  struct result_schema *schema = bigint_schema();
  struct result_reader reader;
  result_reader_init(&reader, (struct page_source){&script, fetch, true}, schema, 1 << 20, NULL);
  result_schema_unref(schema);
  dbsql_error *error = NULL;
  int64_t rows;
  assert_int_equal(read_all(&reader, &rows, &error), expected_status);
  assert_int_equal(rows, expected_rows);
  if (message && !strstr(dbsql_error_message(error), message)) fail_msg("\"%s\" is not in \"%s\"", message, dbsql_error_message(error));
  error_clear(&error);
  /* After an error nothing more comes, and it stays an error; after the end nothing is asked for. */
  if (expected_status != DBSQL_OK) {
    int64_t more;
    assert_int_equal(read_all(&reader, &more, NULL), expected_status);
  }
  result_reader_close(&reader);
  if (out) *out = script;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void pages_and_batches_in_order(void **state) {
  (void)state;
  static const struct script_page pages[] = {
      {.start = 0, .first = 0, .batches = {5, 1, 7}, .more = true},
      {.start = 13, .first = 13, .batches = {2}, .lz4 = true, .more = true},
      {.start = 15, .more = true}, /* no rows, but more to come */
      {.start = 15, .first = 15, .batches = {3, 4}, .two_messages = true, .more = false},
  };
  struct script script;
  run(pages, COUNT(pages), DBSQL_OK, 22, NULL, &script);
  assert_int_equal(script.at, 4);
  /* Every page is asked for by the row that comes next. */
  static const int64_t asked[] = {0, 13, 15, 15};
  assert_memory_equal(script.asked, asked, sizeof asked);
}

static void padding_rows_are_cut(void **state) {
  (void)state;
  static const struct script_page pages[] = {{.batches = {8}, .declared = {5}, .more = true}, {.start = 5, .first = 5, .batches = {2}}};
  run(pages, COUNT(pages), DBSQL_OK, 7, NULL, NULL);
}

static void missing_rows_are_an_error(void **state) {
  (void)state;
  static const struct script_page short_batch[] = {{.batches = {4, 2}, .declared = {4, 3}}};
  run(short_batch, 1, DBSQL_ERROR_DRIVER, 6, "declares 3 rows for Arrow batch 1 of the page, but it holds 2", NULL);
  static const struct script_page gap[] = {{.batches = {4}, .more = true}, {.start = 6, .first = 6, .batches = {2}}};
  run(gap, 2, DBSQL_ERROR_DRIVER, 4, "row 4 was to come next, but the server's page begins at row 6", NULL);
  static const struct script_page negative[] = {{.batches = {4}, .declared = {-1}}};
  run(negative, 1, DBSQL_ERROR_DRIVER, 0, "declares -1 rows", NULL);
}

static void rows_that_come_twice_are_dropped(void **state) {
  (void)state;
  static const struct script_page pages[] = {
      {.batches = {4}, .more = true},
      {.start = 2, .first = 2, .batches = {1, 5}, .more = true}, /* 2 .. 7: the first batch and one row of the second are known */
      {.start = 0, .first = 0, .batches = {8}, .more = true},    /* nothing new */
      {.start = 8, .first = 8, .batches = {1}},
  };
  run(pages, COUNT(pages), DBSQL_OK, 9, NULL, NULL);
}

/* A server that ignores the offset would otherwise end the result early, or never. */
static void a_server_that_only_repeats_rows_is_an_error(void **state) {
  (void)state;
  static const struct script_page ended[] = {{.batches = {4}, .more = true}, {.start = 0, .first = 0, .batches = {3}}};
  run(ended, COUNT(ended), DBSQL_ERROR_DRIVER, 4, "row 4 was to come next, but the server only repeats rows before it", NULL);
  static struct script_page endless[12];
  for (size_t i = 0; i < COUNT(endless); i++) endless[i] = (struct script_page){.batches = {4}, .more = true};
  run(endless, COUNT(endless), DBSQL_ERROR_DRIVER, 4, "only repeats rows", NULL);
}

static void an_error_between_pages_is_reported(void **state) {
  (void)state;
  static const struct script_page pages[] = {{.batches = {4}, .more = true}, {.fails = DBSQL_ERROR_EXECUTION}};
  run(pages, COUNT(pages), DBSQL_ERROR_EXECUTION, 4, "as the script says", NULL);
}

static void a_timeout_can_be_followed_by_more_rows(void **state) {
  (void)state;
  static const struct script_page pages[] = {
      {.batches = {4}, .more = true}, {.fails = DBSQL_ERROR_TIMEOUT}, {.start = 4, .first = 4, .batches = {3}}};
  for (int repeats = 0; repeats < 2; repeats++) {
    struct script script = {pages, COUNT(pages), 0, {0}};
    struct result_schema *schema = bigint_schema();
    struct result_reader reader;
    result_reader_init(&reader, (struct page_source){&script, fetch, repeats}, schema, 1 << 20, NULL);
    result_schema_unref(schema);
    int64_t rows;
    assert_int_equal(read_all(&reader, &rows, NULL), DBSQL_ERROR_TIMEOUT);
    struct call call;
    call_begin_internal(&call, 0);
    struct ArrowArray batch;
    dbsql_status status = result_reader_next(&reader, &call, &batch, NULL);
    if (repeats) {
      assert_int_equal(status, DBSQL_OK);
      assert_int_equal(batch.length, 3);
      assert_int_equal(reader.next_row, 7);
      batch.release(&batch);
    } else {
      /* A plain server may have moved on: rows could be lost. */
      assert_int_equal(status, DBSQL_ERROR_TIMEOUT);
    }
    result_reader_close(&reader);
  }
}

static void endless_empty_pages_end(void **state) {
  (void)state;
  clock_test_begin(0, 0);
  static struct script_page pages[1000];
  for (size_t i = 0; i < COUNT(pages); i++) pages[i].more = true;
  struct script script = {pages, COUNT(pages), 0, {0}};
  struct result_schema *schema = bigint_schema();
  struct result_reader reader;
  result_reader_init(&reader, (struct page_source){&script, fetch, true}, schema, 1 << 20, NULL);
  result_schema_unref(schema);
  int64_t rows;
  /* asked[] holds 16 only: the script writes past it otherwise */
  script.count = 10;
  struct call call;
  call_begin_internal(&call, 60);
  struct ArrowArray batch;
  assert_int_equal(result_reader_next(&reader, &call, &batch, NULL), DBSQL_ERROR_TIMEOUT);
  assert_true(clock_now_ns() >= 60 * 1000000);
  (void)rows;
  result_reader_close(&reader);
  clock_test_end();
}

static void decompression_has_a_limit(void **state) {
  (void)state;
  static const struct script_page pages[] = {{.batches = {1000000}, .lz4 = true}};
  run(pages, 1, DBSQL_ERROR_DRIVER, 0, NULL, NULL);
}

/* ---- columns ---- */

static struct result_schema *schema_of(uint32_t count, const int32_t *types) {
  struct metadata metadata;
  describe(&metadata, count, types);
  struct result_schema *schema = NULL;
  assert_int_equal(result_schema_new(&metadata.response, &schema, NULL), DBSQL_OK);
  return schema;
}

static void columns_become_arrow(void **state) {
  (void)state;
  static const int32_t types[] = {TTypeId_BOOLEAN_TYPE, TTypeId_TINYINT_TYPE, TTypeId_INT_TYPE,   TTypeId_BIGINT_TYPE,
                                  TTypeId_FLOAT_TYPE,   TTypeId_DECIMAL_TYPE, TTypeId_BINARY_TYPE};
  struct result_schema *schema = schema_of(7, types);
  assert_int_equal(schema->columns[5].type, DBSQL_TYPE_DECIMAL);
  assert_string_equal(schema->columns[4].type_text, "FLOAT");
  struct buf bytes[7] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
  static const int64_t flags[] = {1, 0, 1}, small[] = {-128, 0, 127}, middle[] = {INT32_MIN, 0, INT32_MAX},
                       wide[] = {INT64_MIN, 0, INT64_MAX};
  double tenth = (double)0.1f;
  int64_t doubles[3] = {0};
  memcpy(&doubles[0], &tenth, 8);
  static const char *const decimals[] = {"1.50", "", "-0.05"};
  static const char *const binaries[] = {"x", "", "yz"};
  struct TBoolColumn c0 = {.values = ints(&bytes[0], THRIFT_BOOL, 1, flags, 3)};
  struct TByteColumn c1 = {.values = ints(&bytes[1], THRIFT_BYTE, 1, small, 3), .nulls = slice_of("\0", 1)};
  struct TI32Column c2 = {.values = ints(&bytes[2], THRIFT_I32, 4, middle, 3), .nulls = slice_of("\2", 1)};
  struct TI64Column c3 = {.values = ints(&bytes[3], THRIFT_I64, 8, wide, 3), .nulls = slice_of("\2\0\0\0", 4)};
  struct TDoubleColumn c4 = {.values = ints(&bytes[4], THRIFT_DOUBLE, 8, doubles, 3)};
  struct TStringColumn c5 = {.values = texts(&bytes[5], decimals, 3), .nulls = slice_of("\2", 1)};
  struct TBinaryColumn c6 = {.values = texts(&bytes[6], binaries, 3), .nulls = slice_of("\4", 1)};
  struct TColumn columns[] = {{.boolVal = &c0},   {.byteVal = &c1},   {.i32Val = &c2},   {.i64Val = &c3},
                              {.doubleVal = &c4}, {.stringVal = &c5}, {.binaryVal = &c6}};
  struct TRowSet rows = {.has_columns = true, .columns = {7, columns}};
  struct ArrowArray array;
  dbsql_error *error = NULL;
  assert_int_equal(columnar_to_arrow(&rows, ipc_schema_arrow(schema->arrow), &array, &error), DBSQL_OK);
  assert_int_equal(array.length, 3);
  static const char *const expected[7][3] = {{"true", "false", "true"},
                                             {"-128", "0", "127"},
                                             {"-2147483648", "", "2147483647"},
                                             {"-9223372036854775808", "", "9223372036854775807"},
                                             {"0.1", "0.0", "0.0"},
                                             {"1.50", "", "-0.05"},
                                             {"78", "", ""}};
  for (int64_t c = 0; c < 7; c++) {
    struct arrow_column column;
    assert_int_equal(arrow_column_bind(&column, ipc_schema_arrow(schema->arrow)->children[c], NULL), DBSQL_OK);
    arrow_column_attach(&column, array.children[c]);
    for (int64_t r = 0; r < 3; r++) {
      struct buf text = BUF_INIT;
      bool null = arrow_column_is_null(&column, r);
      if (!null) assert_int_equal(arrow_column_text(&column, r, &text, NULL), DBSQL_OK);
      assert_string_equal(buf_text(&text), expected[c][r]);
      assert_int_equal(null, (r == 1 && (c == 2 || c == 3 || c == 5)) || (r == 2 && c == 6));
      buf_free(&text);
    }
    arrow_column_free(&column);
  }
  array.release(&array);

  /* A value that does not fit is an error, never cut. */
  columns[1] = (struct TColumn){.i32Val = &c2};
  c2.nulls = slice_of(NULL, 0);
  assert_int_equal(columnar_to_arrow(&rows, ipc_schema_arrow(schema->arrow), &array, &error), DBSQL_ERROR_DRIVER);
  assert_string_equal(dbsql_error_sqlstate(error), "22003");
  error_clear(&error);
  /* Text in a column of numbers is an error that names both. */
  columns[1] = (struct TColumn){.stringVal = &c5};
  assert_int_equal(columnar_to_arrow(&rows, ipc_schema_arrow(schema->arrow), &array, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "column 1 (b): the server sent stringVal"));
  error_clear(&error);
  /* Columns of different length, and too few of them. */
  columns[1] = (struct TColumn){.byteVal = &c1};
  c1.values.count = 2;
  int64_t count;
  assert_int_equal(columnar_row_count(&rows, &count, NULL), DBSQL_ERROR_DRIVER);
  rows.columns.count = 6;
  c1.values.count = 3;
  assert_int_equal(columnar_to_arrow(&rows, ipc_schema_arrow(schema->arrow), &array, NULL), DBSQL_ERROR_DRIVER);
  for (size_t i = 0; i < 7; i++) buf_free(&bytes[i]);
  result_schema_unref(schema);
}

/* Many rows at once: values, bits and texts where they belong, whatever the length of the bitmap says. */
static void long_columns_become_arrow(void **state) {
  (void)state;
  enum { rows_most = 1000, kinds = 7 };
  static const int32_t types[kinds] = {TTypeId_BOOLEAN_TYPE, TTypeId_SMALLINT_TYPE, TTypeId_INT_TYPE,   TTypeId_BIGINT_TYPE,
                                       TTypeId_DOUBLE_TYPE,  TTypeId_STRING_TYPE,   TTypeId_BIGINT_TYPE /* sent as i16 */};
  struct result_schema *schema = schema_of(kinds, types);
  static const uint32_t counts[] = {0, 1, 7, 8, 9, 64, rows_most};
  /* Bitmaps: none, one that ends early, one that goes on behind the column; the last has nothing but zeros. */
  for (size_t turn = 0; turn < COUNT(counts) * 4; turn++) {
    uint32_t count = counts[turn / 4];
    uint8_t bitmap[rows_most / 8 + 16];
    for (size_t i = 0; i < sizeof bitmap; i++) bitmap[i] = turn % 4 == 3 ? 0 : (uint8_t)(0x5A + i * 37);
    struct slice nulls = slice_of(bitmap, turn % 4 == 0 ? 0 : turn % 4 == 1 ? count / 16 : sizeof bitmap);
    struct buf bytes[kinds];
    memset(bytes, 0, sizeof bytes);
    for (uint32_t i = 0; i < count; i++) {
      double number = i * 0.5;
      uint64_t bits;
      memcpy(&bits, &number, sizeof bits);
      put(&bytes[0], i % 3 == 0, 1);
      put(&bytes[1], (uint64_t) - (int64_t)i, 2);
      put(&bytes[2], i * 70000u, 4);
      put(&bytes[3], i * UINT64_C(10000000000), 8);
      put(&bytes[4], bits, 8);
      put(&bytes[5], i % 5, 4);
      for (uint32_t c = 0; c < i % 5; c++) buf_append_byte(&bytes[5], (uint8_t)('a' + i % 26));
      put(&bytes[6], i, 2);
    }
    struct TBoolColumn c0 = {.values = {THRIFT_BOOL, count, buf_slice(&bytes[0])}, .nulls = nulls};
    struct TI16Column c1 = {.values = {THRIFT_I16, count, buf_slice(&bytes[1])}, .nulls = nulls};
    struct TI32Column c2 = {.values = {THRIFT_I32, count, buf_slice(&bytes[2])}, .nulls = nulls};
    struct TI64Column c3 = {.values = {THRIFT_I64, count, buf_slice(&bytes[3])}, .nulls = nulls};
    struct TDoubleColumn c4 = {.values = {THRIFT_DOUBLE, count, buf_slice(&bytes[4])}, .nulls = nulls};
    struct TStringColumn c5 = {.values = {THRIFT_STRING, count, buf_slice(&bytes[5])}, .nulls = nulls};
    struct TI16Column c6 = {.values = {THRIFT_I16, count, buf_slice(&bytes[6])}, .nulls = nulls};
    struct TColumn columns[] = {{.boolVal = &c0},   {.i16Val = &c1},    {.i32Val = &c2}, {.i64Val = &c3},
                                {.doubleVal = &c4}, {.stringVal = &c5}, {.i16Val = &c6}};
    struct TRowSet rows = {.has_columns = true, .columns = {kinds, columns}};
    struct ArrowArray array;
    assert_int_equal(columnar_to_arrow(&rows, ipc_schema_arrow(schema->arrow), &array, NULL), DBSQL_OK);
    assert_int_equal(array.length, count);
    for (size_t k = 0; k < kinds; k++) {
      struct arrow_column column;
      int64_t null_count = 0;
      assert_int_equal(arrow_column_bind(&column, ipc_schema_arrow(schema->arrow)->children[k], NULL), DBSQL_OK);
      arrow_column_attach(&column, array.children[k]);
      for (uint32_t i = 0; i < count; i++) {
        bool null = i / 8 < nulls.size && (nulls.data[i / 8] >> (i % 8) & 1);
        assert_int_equal(arrow_column_is_null(&column, i), null);
        null_count += null;
        if (null) continue;
        int64_t integer = 0;
        double number = 0;
        if (k == 0) assert_int_equal(arrow_column_bool(&column, i), i % 3 == 0);
        if (k == 4) assert_true(arrow_column_double(&column, i, &number) && number == i * 0.5);
        if (k == 5) {
          struct slice text = arrow_column_bytes(&column, i);
          assert_int_equal(text.size, i % 5);
          for (size_t c = 0; c < text.size; c++) assert_int_equal(text.data[c], 'a' + i % 26);
        }
        if (k == 0 || k == 4 || k == 5) continue;
        static const int64_t factors[] = {0, -1, 70000, 10000000000, 0, 0, 1};
        assert_true(arrow_column_int64(&column, i, &integer));
        assert_int_equal(integer, i * factors[k]);
      }
      assert_int_equal(array.children[k]->null_count, null_count);
      arrow_column_free(&column);
    }
    array.release(&array);
    for (size_t k = 0; k < kinds; k++) buf_free(&bytes[k]);
  }
  result_schema_unref(schema);
}

static void row_sets_become_arrow(void **state) {
  (void)state;
  static const int32_t types[] = {TTypeId_INT_TYPE, TTypeId_STRING_TYPE};
  struct result_schema *schema = schema_of(2, types);
  struct TI32Value one = {.has_value = true, .value = 7}, none = {0};
  struct TStringValue text = {.has_value = true, .value = slice_text("x")}, no_text = {0};
  struct TColumnValue first[] = {{.i32Val = &one}, {.stringVal = &text}}, second[] = {{.i32Val = &none}, {.stringVal = &no_text}};
  struct TRow list[] = {{.colVals = {2, first}}, {.colVals = {2, second}}};
  struct TRowSet rows = {.has_rows = true, .rows = {2, list}};
  struct ArrowArray array;
  assert_int_equal(row_set_to_arrow(&rows, ipc_schema_arrow(schema->arrow), &array, NULL), DBSQL_OK);
  assert_int_equal(array.length, 2);
  assert_int_equal(array.children[0]->null_count, 1);
  assert_int_equal(((const int32_t *)array.children[0]->buffers[1])[0], 7);
  array.release(&array);
  first[0] = (struct TColumnValue){.stringVal = &text};
  assert_int_equal(row_set_to_arrow(&rows, ipc_schema_arrow(schema->arrow), &array, NULL), DBSQL_ERROR_DRIVER);
  result_schema_unref(schema);
}

static void sql_types_are_told_by_their_text(void **state) {
  (void)state;
  static const struct {
    const char *text;
    dbsql_type type;
    int32_t precision, scale;
  } cases[] = {
      {"BIGINT", DBSQL_TYPE_BIGINT, 0, 0},
      {"decimal(38, 18)", DBSQL_TYPE_DECIMAL, 38, 18},
      {"DECIMAL", DBSQL_TYPE_DECIMAL, 10, 0},
      {"DECIMAL(7)", DBSQL_TYPE_DECIMAL, 7, 0},
      {"TIMESTAMP_NTZ", DBSQL_TYPE_TIMESTAMP_NTZ, 0, 0},
      {"INTERVAL MONTH", DBSQL_TYPE_INTERVAL_YEAR_MONTH, 0, 0},
      {"INTERVAL HOUR TO SECOND", DBSQL_TYPE_INTERVAL_DAY_TIME, 0, 0},
      {"ARRAY<STRUCT<a: INT>>", DBSQL_TYPE_ARRAY, 0, 0},
      {"MAP<STRING, INT>", DBSQL_TYPE_MAP, 0, 0},
      {"VARCHAR(20)", DBSQL_TYPE_STRING, 0, 0},
      {"VARIANT", DBSQL_TYPE_VARIANT, 0, 0},
      {"GEOMETRY(4326)", DBSQL_TYPE_GEOMETRY, 0, 0},
      {"SOMETHING_NEW", DBSQL_TYPE_UNKNOWN, 0, 0},
      {"", DBSQL_TYPE_UNKNOWN, 0, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    int32_t precision, scale;
    assert_int_equal(sql_type_parse(cases[i].text, strlen(cases[i].text), &precision, &scale), cases[i].type);
    assert_int_equal(precision, cases[i].precision);
    assert_int_equal(scale, cases[i].scale);
  }
}

static void nested_descriptions_that_point_in_circles_end(void **state) {
  (void)state;
  struct metadata metadata;
  static const int32_t types[] = {TTypeId_INT_TYPE};
  describe(&metadata, 1, types);
  struct TMapTypeEntry map = {.keyTypePtr = 0, .valueTypePtr = 0};
  metadata.entries[0] = (struct TTypeEntry){.has_mapEntry = true, .mapEntry = &map};
  struct result_schema *schema = NULL;
  assert_int_equal(result_schema_new(&metadata.response, &schema, NULL), DBSQL_OK);
  assert_int_equal(schema->columns[0].type, DBSQL_TYPE_MAP);
  assert_true(strlen(schema->columns[0].type_text) < 200000);
  result_schema_unref(schema);
  metadata.columns[0].columnName = slice_of("a\0b", 3);
  dbsql_error *error = NULL;
  assert_int_equal(result_schema_new(&metadata.response, &schema, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
}

static void without_memory_nothing_leaks(void **state) {
  (void)state;
  static const struct script_page pages[] = {{.batches = {3, 2}, .lz4 = true}};
  struct script script = {pages, 1, 0, {0}};
  struct result_schema *schema = bigint_schema();
  struct page ready = {0};
  int64_t live = mem_test_live_blocks();
  for (uint64_t n = 1;; n++) {
    script.at = 0;
    assert_int_equal(fetch(&script, 0, NULL, &ready, NULL), DBSQL_OK);
    struct result_reader reader;
    result_reader_init(&reader, (struct page_source){&script, fetch, true}, schema, 1 << 20, &ready);
    int64_t rows;
    mem_test_fail_at(n);
    struct call call;
    call_begin_internal(&call, 0);
    struct ArrowArray batch = {0};
    dbsql_status status = DBSQL_OK;
    rows = 0;
    while (status == DBSQL_OK) {
      status = result_reader_next(&reader, &call, &batch, NULL);
      if (status != DBSQL_OK || !batch.release) break;
      rows += batch.length;
      batch.release(&batch);
    }
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    result_reader_close(&reader);
    assert_int_equal(mem_test_live_blocks(), live);
    assert_int_equal(status, struck ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
    if (!struck) {
      assert_int_equal(rows, 5);
      break;
    }
  }
  result_schema_unref(schema);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pages_and_batches_in_order),
      cmocka_unit_test(padding_rows_are_cut),
      cmocka_unit_test(missing_rows_are_an_error),
      cmocka_unit_test(rows_that_come_twice_are_dropped),
      cmocka_unit_test(a_server_that_only_repeats_rows_is_an_error),
      cmocka_unit_test(an_error_between_pages_is_reported),
      cmocka_unit_test(a_timeout_can_be_followed_by_more_rows),
      cmocka_unit_test(endless_empty_pages_end),
      cmocka_unit_test(decompression_has_a_limit),
      cmocka_unit_test(columns_become_arrow),
      cmocka_unit_test(long_columns_become_arrow),
      cmocka_unit_test(row_sets_become_arrow),
      cmocka_unit_test(sql_types_are_told_by_their_text),
      cmocka_unit_test(nested_descriptions_that_point_in_circles_end),
      cmocka_unit_test(without_memory_nothing_leaks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
