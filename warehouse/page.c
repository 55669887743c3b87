#include "page.h"

#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "arrow/column.h"
#include "arrow/ipc_reader.h"
#include "arrow/ipc_writer.h"
#include "arrow/lz4_frames.h"
#include "base/error.h"
#include "memory.h"

/* ---- Answers ---------------------------------------------------------------------------------------------------------------------- */

void *answer_array(struct answer *answer, size_t count, size_t size) {
  void *block = arena_alloc(&answer->arena, count ? count : 1, size);
  if (!block) {
    struct buf failed = {.failed = true};
    wh_check(&failed);
  }
  return block;
}

void *answer_new(struct answer *answer, size_t size) {
  return answer_array(answer, 1, size);
}

struct slice answer_text(struct answer *answer, const char *text) {
  size_t length = strlen(text);
  char *copy = answer_array(answer, length + 1, 1);
  memcpy(copy, text, length + 1);
  return slice_of(copy, length);
}

struct buf *answer_buf(struct answer *answer) {
  answer->buffers = wh_grow(answer->buffers, answer->buffer_count + 1, sizeof(struct buf *));
  struct buf *buf = wh_new(1, sizeof *buf);
  answer->buffers[answer->buffer_count++] = buf;
  return buf;
}

void answer_free(struct answer *answer) {
  for (size_t i = 0; i < answer->buffer_count; i++) {
    buf_free(answer->buffers[i]);
    free(answer->buffers[i]);
  }
  free(answer->buffers);
  arena_free(&answer->arena);
  memset(answer, 0, sizeof *answer);
}

struct TStatus *answer_success(struct answer *answer) {
  struct TStatus *status = answer_new(answer, sizeof *status);
  TCLI_SET(status, statusCode, TStatusCode_SUCCESS_STATUS);
  return status;
}

/* ---- Metadata --------------------------------------------------------------------------------------------------------------------- */

bool page_prepare(struct result *result, struct failure *failure) {
  dbsql_error *error = NULL;
  dbsql_status status = DBSQL_OK;
  if (!result->shape.arrow) return true;
  if (result->bare_arrow_schema) {
    struct ArrowSchema empty = {0};
    status = arrow_schema_make(&empty, "+s", "", 0, 0, &error);
    if (status == DBSQL_OK) status = ipc_write_schema(&empty, &result->arrow_schema, &error);
    if (empty.release) empty.release(&empty);
  } else {
    status = ipc_schema_from_arrow(&result->schema, &result->ipc, &error);
    if (status == DBSQL_OK) status = ipc_write_schema(&result->schema, &result->arrow_schema, &error);
  }
  return status == DBSQL_OK || failure_from_library(failure, &error);
}

static struct TTypeQualifierValue *qualifier(struct answer *answer, int32_t value) {
  struct TTypeQualifierValue *out = answer_new(answer, sizeof *out);
  TCLI_SET(out, i32Value, value);
  return out;
}

static struct TTypeDesc *describe_type(struct answer *answer, const struct result_column *column) {
  struct TTypeDesc *desc = answer_new(answer, sizeof *desc);
  struct TTypeEntry *entry = answer_new(answer, sizeof *entry);
  struct TPrimitiveTypeEntry *primitive = answer_new(answer, sizeof *primitive);
  TCLI_SET(primitive, type, column->type);
  if (column->type == TTypeId_DECIMAL_TYPE) {
    struct TTypeQualifiers *qualifiers = answer_new(answer, sizeof *qualifiers);
    qualifiers->qualifiers.count = 2;
    qualifiers->qualifiers.items = answer_array(answer, 2, sizeof *qualifiers->qualifiers.items);
    qualifiers->qualifiers.items[0].key = slice_text("precision");
    qualifiers->qualifiers.items[0].value = *qualifier(answer, column->precision);
    qualifiers->qualifiers.items[1].key = slice_text("scale");
    qualifiers->qualifiers.items[1].value = *qualifier(answer, column->scale);
    qualifiers->has_qualifiers = true;
    TCLI_SET(primitive, typeQualifiers, qualifiers);
  }
  TCLI_SET(entry, primitiveEntry, primitive);
  desc->has_types = true;
  desc->types.count = 1;
  desc->types.items = entry;
  return desc;
}

struct TGetResultSetMetadataResp *page_metadata(const struct result *result, struct answer *answer, const struct page_sizes *sizes,
                                                bool metadata_call, bool plain_hive) {
  struct TGetResultSetMetadataResp *out = answer_new(answer, sizeof *out);
  struct TTableSchema *schema = answer_new(answer, sizeof *schema);
  TCLI_SET(out, status, answer_success(answer));
  schema->has_columns = true;
  schema->columns.count = (uint32_t)result->column_count;
  schema->columns.items = answer_array(answer, (size_t)result->column_count, sizeof *schema->columns.items);
  for (int64_t i = 0; i < result->column_count; i++) {
    struct TColumnDesc *column = &schema->columns.items[i];
    TCLI_SET(column, columnName, slice_text(result->columns[i].name));
    TCLI_SET(column, typeDesc, describe_type(answer, &result->columns[i]));
    TCLI_SET(column, position, (int32_t)i + 1);
    TCLI_SET(column, comment, slice_text(result->columns[i].comment ? result->columns[i].comment : ""));
  }
  TCLI_SET(out, schema, schema);
  if (plain_hive) return out;
  TCLI_SET(out, resultFormat,
           result->linked        ? TSparkRowSetType_URL_BASED_SET
           : result->shape.arrow ? TSparkRowSetType_ARROW_BASED_SET
                                 : TSparkRowSetType_COLUMN_BASED_SET);
  if (!metadata_call) {
    TCLI_SET(out, lz4Compressed, result->shape.arrow && result->shape.lz4);
    if (result->shape.arrow) TCLI_SET(out, arrowSchema, buf_slice(&result->arrow_schema));
    TCLI_SET(out, cacheLookupResult, TCacheLookupResult_CACHE_INELIGIBLE);
    if (sizes && sizes->known) {
      TCLI_SET(out, uncompressedBytes, sizes->uncompressed);
      if (sizes->compressed >= 0) TCLI_SET(out, compressedBytes, sizes->compressed);
    }
  }
  TCLI_SET(out, isStagingOperation, false);
  return out;
}

/* ---- Arrow ------------------------------------------------------------------------------------------------------------------------ */

/* Rows of a batch, without owning anything. */
struct view {
  struct ArrowArray root;
  struct ArrowArray *children;
  struct ArrowArray **pointers;
};

/* The view is released by view_free(); this only says that it is there. */
static void view_release(struct ArrowArray *array) {
  array->release = NULL;
}

static void view_make(struct view *view, const struct ArrowArray *batch, int64_t first, int64_t count) {
  size_t columns = (size_t)batch->n_children;
  view->root = *batch;
  view->root.release = view_release;
  view->root.length = count;
  view->children = wh_new(columns, sizeof *view->children);
  view->pointers = wh_new(columns, sizeof *view->pointers);
  view->root.children = view->pointers;
  for (size_t i = 0; i < columns; i++) {
    view->children[i] = *batch->children[i];
    view->pointers[i] = &view->children[i];
    if (first == 0 && count == batch->length) continue;
    view->children[i].offset += first;
    view->children[i].length = count;
    if (view->children[i].null_count) view->children[i].null_count = -1;
  }
}

static void view_free(struct view *view) {
  free(view->children);
  free(view->pointers);
}

bool page_message(const struct result *result, const struct ArrowArray *batch, int64_t from, int64_t count, struct buf *out,
                  struct failure *failure) {
  dbsql_error *error = NULL;
  struct view view;
  view_make(&view, batch, from, count);
  dbsql_status status = ipc_write_batch_of(result->ipc, &view.root, out, &error);
  view_free(&view);
  return status == DBSQL_OK || failure_from_library(failure, &error);
}

static bool encode(const struct result *result, const struct ArrowArray *batch, int64_t first, int64_t count, struct buf *out,
                   size_t *uncompressed, struct failure *failure) {
  dbsql_error *error = NULL;
  struct buf message = BUF_INIT;
  struct view view;
  view_make(&view, batch, first, count);
  dbsql_status status = ipc_write_batch_of(result->ipc, &view.root, result->shape.lz4 ? &message : out, &error);
  if (status == DBSQL_OK) *uncompressed = result->shape.lz4 ? message.size : out->size;
  if (status == DBSQL_OK && result->shape.lz4) status = lz4_frame_encode(buf_slice(&message), false, out, &error);
  view_free(&view);
  buf_free(&message);
  return status == DBSQL_OK || failure_from_library(failure, &error);
}

static bool arrow_rows(const struct result *result, struct answer *answer, int64_t first, int64_t end, int64_t max_bytes,
                       struct TRowSet *rows, int64_t *count, struct page_sizes *sizes, struct failure *failure) {
  int64_t at = first, total = 0, b = end > first ? result_batch_of(result, first) : 0;
  rows->has_arrowBatches = true;
  rows->arrowBatches.items = answer_array(answer, end > first ? (size_t)(result->batch_count - b) : 0, sizeof *rows->arrowBatches.items);
  for (; at < end; b++) {
    const struct ArrowArray *batch = &result->batches[b];
    int64_t from = at - result->starts[b];
    int64_t take = batch->length - from < end - at ? batch->length - from : end - at;
    struct buf *bytes = answer_buf(answer);
    size_t uncompressed = 0;
    for (;;) { /* a batch that is too large for the page alone is halved */
      buf_reset(bytes);
      if (!encode(result, batch, from, take, bytes, &uncompressed, failure)) return false;
      wh_check(bytes);
      if (max_bytes <= 0 || total + (int64_t)bytes->size <= max_bytes || at > first || take == 1) break;
      take /= 2;
    }
    if (max_bytes > 0 && at > first && total + (int64_t)bytes->size > max_bytes) break;
    total += (int64_t)bytes->size;
    sizes->compressed += (int64_t)bytes->size;
    sizes->uncompressed += (int64_t)uncompressed;
    struct TSparkArrowBatch *item = &rows->arrowBatches.items[rows->arrowBatches.count++];
    TCLI_SET(item, batch, buf_slice(bytes));
    TCLI_SET(item, rowCount, take);
    at += take;
    if (take < batch->length - from) break;
  }
  *count = at - first;
  return true;
}

/* ---- Columns ---------------------------------------------------------------------------------------------------------------------- */

struct column_writer {
  struct thrift_raw_list values;
  struct buf *bytes;
  struct buf *nulls;
};

static void set_null(struct buf *nulls, int64_t row) {
  size_t byte = (size_t)row >> 3;
  while (nulls->size <= byte) buf_append_byte(nulls, 0);
  if (!nulls->failed) nulls->data[byte] |= (uint8_t)(1 << (row & 7));
}

/* Appends rows [from, from + count) of one batch's column. */
static bool write_values(struct column_writer *writer, struct arrow_column *column, int64_t from, int64_t count, struct failure *failure) {
  dbsql_error *error = NULL;
  struct buf text = BUF_INIT;
  bool good = true;
  for (int64_t row = from; good && row < from + count; row++) {
    bool null = arrow_column_is_null(column, row);
    int64_t number = 0;
    double real = 0;
    if (null) set_null(writer->nulls, writer->values.count);
    writer->values.count++;
    switch (column->kind) {
      case ARROW_BOOL: thrift_write_bool(writer->bytes, !null && arrow_column_bool(column, row)); break;
      case ARROW_INT8:
      case ARROW_INT16:
      case ARROW_INT32:
      case ARROW_INT64:
        if (!null) arrow_column_int64(column, row, &number);
        if (column->kind == ARROW_INT8) thrift_write_byte(writer->bytes, (int8_t)number);
        if (column->kind == ARROW_INT16) thrift_write_i16(writer->bytes, (int16_t)number);
        if (column->kind == ARROW_INT32) thrift_write_i32(writer->bytes, (int32_t)number);
        if (column->kind == ARROW_INT64) thrift_write_i64(writer->bytes, number);
        break;
      case ARROW_FLOAT:
      case ARROW_DOUBLE:
        if (!null) arrow_column_double(column, row, &real);
        thrift_write_double(writer->bytes, real);
        break;
      case ARROW_UTF8:
      case ARROW_BINARY: thrift_write_string(writer->bytes, null ? slice_of(NULL, 0) : arrow_column_bytes(column, row)); break;
      default:
        buf_reset(&text);
        if (!null && arrow_column_text(column, row, &text, &error) != DBSQL_OK) {
          good = failure_from_library(failure, &error);
          break;
        }
        thrift_write_string(writer->bytes, buf_slice(&text));
    }
  }
  buf_free(&text);
  return good;
}

static uint8_t element_of(enum arrow_kind kind) {
  switch (kind) {
    case ARROW_BOOL: return THRIFT_BOOL;
    case ARROW_INT8: return THRIFT_BYTE;
    case ARROW_INT16: return THRIFT_I16;
    case ARROW_INT32: return THRIFT_I32;
    case ARROW_INT64: return THRIFT_I64;
    case ARROW_FLOAT:
    case ARROW_DOUBLE: return THRIFT_DOUBLE;
    default: return THRIFT_STRING;
  }
}

#define PUT(variant, struct_name)                                \
  do {                                                           \
    struct struct_name *part = answer_new(answer, sizeof *part); \
    TCLI_SET(part, values, writer->values);                      \
    TCLI_SET(part, nulls, buf_slice(writer->nulls));             \
    TCLI_SET(out, variant, part);                                \
  } while (0)

static void put_column(struct answer *answer, enum arrow_kind kind, const struct column_writer *writer, struct TColumn *out) {
  switch (kind) {
    case ARROW_BOOL: PUT(boolVal, TBoolColumn); break;
    case ARROW_INT8: PUT(byteVal, TByteColumn); break;
    case ARROW_INT16: PUT(i16Val, TI16Column); break;
    case ARROW_INT32: PUT(i32Val, TI32Column); break;
    case ARROW_INT64: PUT(i64Val, TI64Column); break;
    case ARROW_FLOAT:
    case ARROW_DOUBLE: PUT(doubleVal, TDoubleColumn); break;
    case ARROW_BINARY: PUT(binaryVal, TBinaryColumn); break;
    default: PUT(stringVal, TStringColumn);
  }
}

static bool column_rows(const struct result *result, struct answer *answer, int64_t first, int64_t end, struct TRowSet *rows,
                        struct page_sizes *sizes, struct failure *failure) {
  bool good = true;
  rows->has_columns = true;
  rows->columns.count = (uint32_t)result->column_count;
  rows->columns.items = answer_array(answer, (size_t)result->column_count, sizeof *rows->columns.items);
  for (int64_t c = 0; good && c < result->column_count; c++) {
    dbsql_error *error = NULL;
    struct arrow_column column = {0};
    if (arrow_column_bind(&column, result->schema.children[c], &error) != DBSQL_OK) return failure_from_library(failure, &error);
    struct column_writer writer = {{element_of(column.kind), 0, {NULL, 0}}, answer_buf(answer), answer_buf(answer)};
    buf_append_byte(writer.nulls, 0); /* a real server sends one byte even where nothing is NULL */
    for (int64_t at = first, b = end > first ? result_batch_of(result, first) : 0; good && at < end; b++) {
      int64_t from = at - result->starts[b];
      int64_t take = result->batches[b].length - from < end - at ? result->batches[b].length - from : end - at;
      arrow_column_attach(&column, result->batches[b].children[c]);
      good = write_values(&writer, &column, from, take, failure);
      at += take;
    }
    wh_check(writer.bytes);
    wh_check(writer.nulls);
    writer.values.bytes = buf_slice(writer.bytes);
    sizes->uncompressed += (int64_t)(writer.bytes->size + writer.nulls->size);
    put_column(answer, column.kind, &writer, &rows->columns.items[c]);
    arrow_column_free(&column);
  }
  sizes->compressed = sizes->uncompressed;
  return good;
}

bool page_rows(const struct result *result, struct answer *answer, int64_t first, int64_t max_rows, int64_t max_bytes,
               struct TRowSet **rows, int64_t *count, struct page_sizes *sizes, struct failure *failure) {
  struct TRowSet *out = answer_new(answer, sizeof *out);
  int64_t left = result->rows - first;
  if (left < 0) left = 0;
  if (max_rows < left) left = max_rows < 0 ? 0 : max_rows;
  *sizes = (struct page_sizes){0};
  TCLI_SET(out, startRowOffset, first);
  out->has_rows = true;
  bool good;
  if (result->shape.arrow) {
    good = arrow_rows(result, answer, first, first + left, max_bytes, out, count, sizes, failure);
  } else {
    if (max_bytes > 0 && left > 0) { /* by the average row: columns have no size before they are written */
      double row = (double)result->bytes / (double)result->rows;
      double fitting = (double)max_bytes / (row > 1 ? row : 1);
      if (fitting < (double)left) left = fitting < 1 ? 1 : (int64_t)fitting;
    }
    *count = left;
    good = column_rows(result, answer, first, first + left, out, sizes, failure);
  }
  sizes->known = first == 0 && *count == result->rows;
  *rows = out;
  return good;
}
