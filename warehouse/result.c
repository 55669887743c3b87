#include "result.h"

#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "arrow/ipc_reader.h"
#include "base/error.h"
#include "convert.h"
#include "memory.h"
#include "spool.h"
#include "thrift/tcli.h"
#include "types.h"

/* ---- Columns -------------------------------------------------------------------------------------------------------------------- */

static bool is_delivered_native(const struct ArrowSchema *plain, const struct result_shape *shape) {
  struct arrow_format format = arrow_format_parse(plain->format);
  if (!shape->arrow) return true; /* columns are written from the values */
  switch (format.kind) {
    case ARROW_TIMESTAMP: return shape->timestamp_native;
    case ARROW_DECIMAL: return shape->decimal_native;
    case ARROW_LIST:
    case ARROW_MAP:
    case ARROW_STRUCT: return shape->complex_native;
    case ARROW_DURATION:
    case ARROW_INTERVAL_MONTH: return shape->interval_native;
    case ARROW_NULL: return shape->null_native;
    default: return true;
  }
}

/* Without the flag, the type itself is told as STRING: for intervals and NULL there is nothing else to say. */
static int32_t told_type(const struct ArrowSchema *plain, const struct result_shape *shape, struct result_column *column) {
  struct arrow_format format = arrow_format_parse(plain->format);
  bool interval = format.kind == ARROW_DURATION || format.kind == ARROW_INTERVAL_MONTH;
  if (interval && !shape->interval_native) return TTypeId_STRING_TYPE;
  if (format.kind == ARROW_NULL && !shape->null_native) return TTypeId_STRING_TYPE;
  return type_thrift_id(plain, &column->precision, &column->scale);
}

/* Fills in the column and the schema it is delivered with, from its plain schema. */
static bool describe(struct result *result, int64_t i, const char *name, const char *comment, const struct ArrowSchema *plain,
                     struct failure *failure) {
  dbsql_error *error = NULL;
  struct ArrowSchema *out = result->schema.children[i];
  struct result_column *column = &result->columns[i];
  struct buf sql_name = BUF_INIT, json = BUF_INIT;
  free(column->name);
  free(column->comment);
  *column = (struct result_column){.name = wh_copy(name), .comment = wh_copy(comment)};
  column->type = told_type(plain, &result->shape, column);
  type_append_sql_name(&sql_name, plain);
  type_append_json(&json, plain);
  wh_check(&sql_name);
  wh_check(&json);
  const char *const pairs[] = {"Spark:DataType:SqlName", buf_text(&sql_name), "Spark:DataType:JsonType", buf_text(&json), NULL};
  bool good = is_delivered_native(plain, &result->shape) ? arrow_schema_set_metadata(out, pairs, &error) == DBSQL_OK
                                                         : arrow_schema_make(out, "u", name, ARROW_FLAG_NULLABLE, 0, &error) == DBSQL_OK &&
                                                               arrow_schema_set_metadata(out, pairs, &error) == DBSQL_OK;
  buf_free(&sql_name);
  buf_free(&json);
  return good || failure_from_library(failure, &error);
}

static bool start(struct result *result, int64_t columns, const struct result_shape *shape, struct failure *failure) {
  dbsql_error *error = NULL;
  *result = (struct result){.shape = *shape, .column_count = columns};
  result->columns = wh_new((size_t)columns, sizeof *result->columns);
  if (arrow_schema_make(&result->schema, "+s", "", 0, columns, &error) == DBSQL_OK) return true;
  return failure_from_library(failure, &error);
}

static void add_batch(struct result *result, struct ArrowArray *batch) {
  int64_t count = result->batch_count;
  result->batches = wh_grow(result->batches, (size_t)count + 1, sizeof *result->batches);
  result->starts = wh_grow(result->starts, (size_t)count + 1, sizeof *result->starts);
  result->batches[count] = *batch;
  result->starts[count] = result->rows;
  result->rows += batch->length;
  result->batch_count++;
  batch->release = NULL;
}

void result_allow_sharing(struct result *result) {
  result->shares = wh_new(1, sizeof *result->shares);
  atomic_init(result->shares, 1);
}

void result_share(const struct result *from, struct result *to) {
  *to = *from;
  atomic_fetch_add(to->shares, 1);
}

bool result_is_shared(const struct result *result) {
  return result->shares && *result->shares > 1;
}

void result_free(struct result *result) {
  if (result->shares && atomic_fetch_sub(result->shares, 1) > 1) {
    memset(result, 0, sizeof *result);
    return;
  }
  free(result->shares);
  for (int64_t i = 0; i < result->batch_count; i++) {
    if (result->batches[i].release) result->batches[i].release(&result->batches[i]);
  }
  for (int64_t i = 0; i < result->column_count; i++) {
    free(result->columns[i].name);
    free(result->columns[i].comment);
  }
  free(result->columns);
  free(result->batches);
  free(result->starts);
  ipc_schema_unref(result->ipc);
  buf_free(&result->arrow_schema);
  if (result->schema.release) result->schema.release(&result->schema);
  memset(result, 0, sizeof *result);
}

int64_t result_batch_of(const struct result *result, int64_t row) {
  int64_t low = 0, high = result->batch_count;
  while (high - low > 1) {
    int64_t middle = low + (high - low) / 2;
    if (result->starts[middle] <= row) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

/* ---- From the engine ------------------------------------------------------------------------------------------------------------- */

/* What belongs to the batches of a result that is being read. */
struct reading {
  struct ArrowSchema schema; /* the engine's */
  struct convert_column **columns;
  struct ArrowSchema *plain;
  int64_t count;
};

static void reading_free(struct reading *reading) {
  for (int64_t i = 0; i < reading->count; i++) {
    if (reading->columns) convert_column_free(reading->columns[i]);
    if (reading->plain && reading->plain[i].release) reading->plain[i].release(&reading->plain[i]);
  }
  free(reading->columns);
  free(reading->plain);
  if (reading->schema.release) reading->schema.release(&reading->schema);
}

static void release_struct(struct ArrowArray *array) {
  for (int64_t i = 0; i < array->n_children; i++) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
    free(array->children[i]);
  }
  free(array->children);
  free((void *)array->buffers);
  array->release = NULL;
}

/* A struct array with empty places for its children. */
static void make_struct(struct ArrowArray *array, int64_t columns, int64_t length) {
  *array = (struct ArrowArray){.length = length, .n_buffers = 1, .n_children = columns, .release = release_struct};
  array->buffers = wh_new(1, sizeof *array->buffers);
  array->children = wh_new((size_t)columns, sizeof *array->children);
  for (int64_t i = 0; i < columns; i++) array->children[i] = wh_new(1, sizeof **array->children);
}

/* Converts one batch of the engine; it is released. */
static bool convert_batch(struct result *result, struct reading *reading, struct ArrowArray *batch, struct failure *failure) {
  struct ArrowArray out;
  bool good = true;
  make_struct(&out, reading->count, batch->length);
  for (int64_t i = 0; good && i < reading->count; i++) {
    struct ArrowArray *child = batch->children[i];
    if (batch->offset) { /* of a root array: its children begin earlier */
      child->offset += batch->offset;
      child->length = batch->length;
      if (child->null_count) child->null_count = -1;
    }
    good = convert_array(reading->columns[i], &reading->plain[i], child, out.children[i], failure);
    if (good && !is_delivered_native(&reading->plain[i], &result->shape)) {
      struct ArrowArray native = *out.children[i];
      out.children[i]->release = NULL;
      good = convert_to_text(&reading->plain[i], &native, result->schema.children[i], out.children[i], failure);
    }
  }
  batch->release(batch);
  if (good) {
    result->bytes += convert_size(&result->schema, &out);
    add_batch(result, &out);
  } else {
    out.release(&out);
  }
  return good;
}

/* Makes the schema of the result; from here on batches can be converted. */
static bool settle(struct result *result, struct reading *reading, const char *zone, struct failure *failure) {
  reading->plain = wh_new((size_t)reading->count, sizeof *reading->plain);
  for (int64_t i = 0; i < reading->count; i++) {
    const char *name = reading->schema.children[i]->name;
    struct ArrowSchema wire = {0};
    if (!convert_schema(reading->columns[i], name ? name : "", zone, &reading->plain[i], failure)) return false;
    if (is_delivered_native(&reading->plain[i], &result->shape)) {
      if (!convert_schema(reading->columns[i], name ? name : "", zone, &wire, failure)) return false;
      *result->schema.children[i] = wire;
    }
    if (!describe(result, i, name ? name : "", "", &reading->plain[i], failure)) return false;
  }
  return true;
}

static void cut(struct ArrowArray *batch, int64_t length) {
  batch->length = length;
  for (int64_t i = 0; i < batch->n_children; i++) {
    batch->children[i]->length = length;
    if (batch->children[i]->null_count) batch->children[i]->null_count = -1;
  }
}

bool result_read(struct result *result, struct engine_connection *connection, struct ArrowArrayStream *stream,
                 const struct result_shape *shape, const char *zone, const struct result_limits *limits, const char *sql,
                 struct failure *failure) {
  struct reading reading = {0};
  struct engine_error error = {0};
  struct ArrowArray *held = NULL; /* until the values have told the types */
  int64_t held_count = 0, rows = 0;
  size_t held_bytes = 0, moved_bytes = 0;
  struct spool *spool = NULL;
  bool hold = false, good = false;
  memset(result, 0, sizeof *result);
  int code = stream->get_schema(stream, &reading.schema);
  if (code) goto engine_failed;
  if (!start(result, reading.schema.n_children, shape, failure)) goto cleanup;
  reading.columns = wh_new((size_t)reading.schema.n_children, sizeof *reading.columns);
  reading.count = reading.schema.n_children;
  for (int64_t i = 0; i < reading.count; i++) {
    reading.columns[i] = convert_column_new(reading.schema.children[i], failure);
    if (!reading.columns[i]) goto cleanup;
    hold = hold || convert_needs_values(reading.columns[i]);
  }
  if (!hold && !settle(result, &reading, zone, failure)) goto cleanup;

  for (;;) {
    struct ArrowArray batch = {0};
    if (limits->stopped && limits->stopped(limits->user)) goto cleanup; /* whoever stopped it knows why */
    code = stream->get_next(stream, &batch);
    if (code) goto engine_failed;
    if (!batch.release) break;
    if (limits->rows > 0 && batch.length > limits->rows - rows) cut(&batch, limits->rows - rows);
    if (batch.length == 0) {
      batch.release(&batch);
      if (limits->rows > 0 && rows >= limits->rows) break;
      continue;
    }
    rows += batch.length;
    if (hold) {
      held_bytes += convert_size(&reading.schema, &batch);
      held = wh_grow(held, (size_t)held_count + 1, sizeof *held);
      held[held_count++] = batch;
      for (int64_t i = 0; i < reading.count; i++) convert_look(reading.columns[i], batch.children[i]);
    } else if (!convert_batch(result, &reading, &batch, failure)) {
      goto cleanup;
    }
    if (limits->spool_folder && result->bytes - moved_bytes > limits->spool_bytes) {
      if (!spool && !(spool = spool_new(limits->spool_folder, failure))) goto cleanup;
      if (!spool_move(spool, result, failure)) goto cleanup;
      moved_bytes = result->bytes;
    }
    if (limits->bytes && result->bytes + held_bytes > limits->bytes) {
      failure_set(failure, "RESULT_TOO_LARGE", "54000",
                  "The result takes more than the %zu MiB that this warehouse keeps for one (--max-result-mb).", limits->bytes >> 20);
      goto cleanup;
    }
  }
  if (hold) {
    if (!settle(result, &reading, zone, failure)) goto cleanup;
    for (int64_t i = 0; i < held_count; i++) {
      struct ArrowArray batch = held[i];
      held[i].release = NULL;
      if (!convert_batch(result, &reading, &batch, failure)) goto cleanup;
    }
  }
  good = !spool || spool_finish(spool, result, failure);
  goto cleanup;

engine_failed:
  engine_stream_error(connection, stream, code, &error);
  failure_from_engine(failure, &error, sql);
  engine_error_clear(&error);
cleanup:
  for (int64_t i = 0; i < held_count; i++) {
    if (held[i].release) held[i].release(&held[i]);
  }
  free(held);
  spool_free(spool);
  reading_free(&reading);
  stream->release(stream);
  if (!good) result_free(result);
  return good;
}

/* ---- NULL literals ----------------------------------------------------------------------------------------------------------------- */

static bool is_empty_integers(const struct result *result, int64_t column) {
  if (strcmp(result->schema.children[column]->format, "i") != 0) return false;
  for (int64_t b = 0; b < result->batch_count; b++) {
    const struct ArrowArray *array = result->batches[b].children[column];
    const uint8_t *validity = array->buffers[0];
    if (!validity) return false;
    for (int64_t row = array->offset; row < array->offset + array->length; row++) {
      if (validity[row >> 3] >> (row & 7) & 1) return false;
    }
  }
  return true;
}

bool result_make_void(struct result *result, int64_t column, struct failure *failure) {
  dbsql_error *error = NULL;
  if (column >= result->column_count || !is_empty_integers(result, column)) return true;
  struct ArrowSchema plain = {0};
  char *name = wh_copy(result->columns[column].name);
  bool good = arrow_schema_make(&plain, "n", name, ARROW_FLAG_NULLABLE, 0, &error) == DBSQL_OK || failure_from_library(failure, &error);
  bool native = good && is_delivered_native(&plain, &result->shape);
  if (good) {
    struct ArrowSchema *wire = result->schema.children[column];
    wire->release(wire);
    if (native)
      good = arrow_schema_make(wire, "n", name, ARROW_FLAG_NULLABLE, 0, &error) == DBSQL_OK || failure_from_library(failure, &error);
    good = good && describe(result, column, name, "", &plain, failure);
  }
  for (int64_t b = 0; good && b < result->batch_count; b++) {
    struct ArrowArray *array = result->batches[b].children[column];
    struct arrow_builder builder = {0};
    struct ArrowArray nulls = {0};
    dbsql_status status = arrow_builder_init(&builder, result->schema.children[column], &error);
    for (int64_t row = 0; status == DBSQL_OK && row < array->length; row++) arrow_builder_append_null(&builder);
    if (status == DBSQL_OK) status = arrow_builder_finish(&builder, &nulls, &error);
    arrow_builder_free(&builder);
    if (status != DBSQL_OK) {
      good = failure_from_library(failure, &error);
      break;
    }
    array->release(array);
    *array = nulls;
  }
  if (plain.release) plain.release(&plain);
  free(name);
  return good;
}

/* ---- Tables of our own ------------------------------------------------------------------------------------------------------------ */

struct table {
  int64_t count;
  int64_t rows;
  int64_t next; /* column */
  struct ArrowSchema *plain;
  char **comments;
  struct arrow_builder *builders;
  dbsql_error *error;
};

struct table *table_new(const char *const *columns) {
  struct table *table = wh_new(1, sizeof *table);
  int64_t count = 0;
  while (columns[count * 3]) count++;
  table->count = count;
  table->plain = wh_new((size_t)count, sizeof *table->plain);
  table->comments = wh_new((size_t)count, sizeof *table->comments);
  table->builders = wh_new((size_t)count, sizeof *table->builders);
  for (int64_t i = 0; i < count; i++) {
    table->comments[i] = wh_copy(columns[i * 3 + 2]);
    if (table->error) continue;
    if (arrow_schema_make(&table->plain[i], columns[i * 3 + 1], columns[i * 3], ARROW_FLAG_NULLABLE, 0, &table->error) == DBSQL_OK)
      arrow_builder_init(&table->builders[i], &table->plain[i], &table->error);
  }
  return table;
}

static struct arrow_builder *next_builder(struct table *table) {
  return table->error || table->next >= table->count ? NULL : &table->builders[table->next++];
}

void table_slice(struct table *table, struct slice text) {
  struct arrow_builder *builder = next_builder(table);
  if (builder) arrow_builder_append_bytes(builder, text);
}

void table_null(struct table *table) {
  struct arrow_builder *builder = next_builder(table);
  if (builder) arrow_builder_append_null(builder);
}

void table_text(struct table *table, const char *text) {
  if (text) {
    table_slice(table, slice_text(text));
  } else {
    table_null(table);
  }
}

void table_int(struct table *table, int64_t value) {
  struct arrow_builder *builder = next_builder(table);
  if (!builder) return;
  if (builder->kind == ARROW_BOOL) {
    arrow_builder_append_bool(builder, value != 0);
    return;
  }
  int8_t byte = (int8_t)value;
  int16_t narrow = (int16_t)value;
  int32_t middle = (int32_t)value;
  switch (builder->width) {
    case 1: arrow_builder_append_fixed(builder, &byte); break;
    case 2: arrow_builder_append_fixed(builder, &narrow); break;
    case 4: arrow_builder_append_fixed(builder, &middle); break;
    default: arrow_builder_append_fixed(builder, &value);
  }
}

void table_row(struct table *table) {
  table->next = 0;
  table->rows++;
}

void table_free(struct table *table) {
  for (int64_t i = 0; i < table->count; i++) {
    arrow_builder_free(&table->builders[i]);
    if (table->plain[i].release) table->plain[i].release(&table->plain[i]);
    free(table->comments[i]);
  }
  free(table->builders);
  free(table->plain);
  free(table->comments);
  error_clear(&table->error);
  free(table);
}

bool table_finish(struct table *table, struct result *result, const struct result_shape *shape, struct failure *failure) {
  bool good = !table->error || failure_from_library(failure, &table->error);
  memset(result, 0, sizeof *result);
  if (good) good = start(result, table->count, shape, failure);
  struct ArrowArray batch;
  make_struct(&batch, table->count, table->rows);
  for (int64_t i = 0; good && i < table->count; i++) {
    good = arrow_builder_finish(&table->builders[i], batch.children[i], &table->error) == DBSQL_OK ||
           failure_from_library(failure, &table->error);
    if (!good) break;
    const char *name = table->plain[i].name;
    good = arrow_schema_make(result->schema.children[i], table->plain[i].format, name, ARROW_FLAG_NULLABLE, 0, &table->error) == DBSQL_OK ||
           failure_from_library(failure, &table->error);
    good = good && describe(result, i, name, table->comments[i], &table->plain[i], failure);
  }
  if (good && table->rows) {
    result->bytes = convert_size(&result->schema, &batch);
    add_batch(result, &batch);
  } else {
    batch.release(&batch);
  }
  if (!good) result_free(result);
  table_free(table);
  return good;
}
