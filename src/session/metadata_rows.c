#include "session/metadata_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

void metadata_rows_init(struct metadata_rows *rows, const struct metadata_spec *spec, int64_t max_bytes) {
  *rows = (struct metadata_rows){.spec = spec, .max_bytes = max_bytes};
}

void metadata_rows_free(struct metadata_rows *rows) {
  arena_free(&rows->arena);
  mem_free(rows->cells);
  *rows = (struct metadata_rows){.spec = rows->spec, .max_bytes = rows->max_bytes};
}

/* Everything is held until it can be put in order: the limit is that of other results. */
static dbsql_status take_bytes(struct metadata_rows *rows, size_t size, dbsql_error **error) {
  rows->bytes += (int64_t)size;
  if (rows->max_bytes == 0 || rows->bytes <= rows->max_bytes) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "HY001",
                   "%s: the rows need more than the %lld bytes that max_memory_bytes allows: ask for fewer catalogs, schemas or tables",
                   rows->spec->call, (long long)rows->max_bytes);
}

dbsql_status metadata_rows_add(struct metadata_rows *rows, dbsql_error **error) {
  size_t width = rows->spec->column_count;
  if (rows->count == rows->capacity) {
    size_t capacity = rows->capacity ? rows->capacity * 2 : 16;
    struct metadata_cell *cells = mem_realloc_array(rows->cells, capacity, width * sizeof *cells);
    if (!cells) return error_no_memory(error);
    rows->cells = cells;
    rows->capacity = capacity;
  }
  dbsql_status status = take_bytes(rows, width * sizeof *rows->cells, error);
  if (status != DBSQL_OK) return status;
  memset(metadata_row(rows, rows->count), 0, width * sizeof *rows->cells);
  rows->count++;
  return DBSQL_OK;
}

void metadata_rows_drop_last(struct metadata_rows *rows) {
  rows->count--;
  rows->bytes -= (int64_t)(rows->spec->column_count * sizeof *rows->cells);
}

dbsql_status metadata_set_text(struct metadata_rows *rows, size_t column, struct slice text, dbsql_error **error) {
  struct metadata_cell *cell = metadata_row(rows, rows->count - 1) + column;
  dbsql_status status = take_bytes(rows, text.size, error);
  if (status != DBSQL_OK) return status;
  if (text.size > UINT32_MAX) return error_set(error, DBSQL_ERROR_DRIVER, "22003", "%s: a text is longer than 4 GiB", rows->spec->call);
  char *copy = arena_strndup(&rows->arena, text.size ? (const char *)text.data : "", text.size);
  if (!copy) return error_no_memory(error);
  *cell = (struct metadata_cell){.text = copy, .size = (uint32_t)text.size, .is_set = true};
  return DBSQL_OK;
}

void metadata_set_number(struct metadata_rows *rows, size_t column, int64_t number) {
  metadata_row(rows, rows->count - 1)[column] = (struct metadata_cell){.number = number, .is_set = true};
}

/* ---- a server's answer ---- */

/* Which column of the answer is which of ours; -1 where there is none. */
struct mapping {
  int source[metadata_max_columns];
};

static bool is_called(const struct metadata_column *column, const char *name) {
  return text_equal_nocase(column->name, name) || (column->alias && text_equal_nocase(column->alias, name));
}

static dbsql_status map_columns(const struct metadata_spec *spec, const struct result_schema *schema, struct mapping *mapping,
                                dbsql_error **error) {
  for (size_t i = 0; i < spec->column_count; i++) {
    mapping->source[i] = -1;
    for (size_t c = 0; c < schema->column_count && mapping->source[i] < 0; c++) {
      if (is_called(&spec->columns[i], schema->columns[c].name)) mapping->source[i] = (int)c;
    }
  }
  for (size_t i = 0; i < spec->column_count; i++) {
    if (mapping->source[i] >= 0 || i >= schema->column_count) continue;
    bool is_another = false; /* what stands in the place is one of the others */
    for (size_t k = 0; k < spec->column_count; k++) is_another = is_another || mapping->source[k] == (int)i;
    if (!is_another) mapping->source[i] = (int)i;
  }
  /* What the others are recognised by; what else is missing can be told from the rest, or is NULL. */
  static const char *const needed[] = {"TABLE_NAME",    "COLUMN_NAME",  "TYPE_NAME",     "FUNCTION_NAME", "PKTABLE_NAME",
                                       "PKCOLUMN_NAME", "FKTABLE_NAME", "FKCOLUMN_NAME", "KEY_SEQ"};
  for (size_t i = 0; i < spec->column_count; i++) {
    bool must = spec->column_count == 1 || (spec->kind == METADATA_SCHEMAS && i == SCHEMAS_SCHEMA);
    for (size_t n = 0; n < sizeof needed / sizeof *needed; n++) {
      must = must || (spec->columns[i].required && strcmp(spec->columns[i].name, needed[n]) == 0);
    }
    if (must && mapping->source[i] < 0) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: the server's answer has no column %s", spec->call, spec->columns[i].name);
    }
  }
  return DBSQL_OK;
}

static bool number_of_text(struct slice text, int64_t *number) {
  if (text_parse_int64((const char *)text.data, text.size, number)) return true;
  static const char *const yes[] = {"true", "yes"}, *const no[] = {"false", "no"};
  for (size_t i = 0; i < 2; i++) {
    if (text_equal_nocase_n((const char *)text.data, text.size, yes[i], strlen(yes[i]))) return *number = 1, true;
    if (text_equal_nocase_n((const char *)text.data, text.size, no[i], strlen(no[i]))) return *number = 0, true;
  }
  return false;
}

static dbsql_status read_number(struct metadata_rows *rows, size_t column, const struct arrow_column *from, int64_t row,
                                dbsql_error **error) {
  const struct metadata_column *to = &rows->spec->columns[column];
  int64_t number = 0;
  double real;
  bool good = true;
  if (from->kind == ARROW_BOOL) {
    number = arrow_column_bool(from, row);
  } else if (from->kind == ARROW_UTF8 || from->kind == ARROW_LARGE_UTF8) {
    struct slice text = arrow_column_bytes(from, row);
    if (text.size == 0) return DBSQL_OK; /* nothing said */
    good = number_of_text(text, &number);
  } else if (arrow_column_double(from, row, &real)) {
    good = real >= -2147483648.0 && real <= 2147483647.0 && (double)(int64_t)real == real;
    if (good) number = (int64_t)real;
  } else {
    good = arrow_column_int64(from, row, &number);
  }
  if (!good) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: row %zu has something else than a number in %s", rows->spec->call,
                     rows->count - 1, to->name);
  }
  int64_t least = to->format == 'i' ? INT32_MIN : to->format == 's' ? INT16_MIN : 0;
  int64_t most = to->format == 'i' ? INT32_MAX : to->format == 's' ? INT16_MAX : 1;
  if (number < least || number > most) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22003", "%s: row %zu: %lld does not fit into %s, which is %s", rows->spec->call,
                     rows->count - 1, (long long)number, to->name, metadata_type_name(to->format));
  }
  metadata_set_number(rows, column, number);
  return DBSQL_OK;
}

static dbsql_status read_text(struct metadata_rows *rows, size_t column, const struct arrow_column *from, int64_t row, struct buf *scratch,
                              dbsql_error **error) {
  struct slice text;
  if (from->kind == ARROW_UTF8 || from->kind == ARROW_LARGE_UTF8) {
    text = arrow_column_bytes(from, row);
  } else {
    buf_reset(scratch);
    dbsql_status status = arrow_column_text(from, row, scratch, error);
    if (status != DBSQL_OK) return status;
    if (buf_failed(scratch)) return error_no_memory(error);
    text = buf_slice(scratch);
  }
  if (!utf8_is_valid(text.data, text.size, NULL)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22021", "%s: row %zu has bytes in %s that are no UTF-8", rows->spec->call, rows->count - 1,
                     rows->spec->columns[column].name);
  }
  return metadata_set_text(rows, column, text, error);
}

static dbsql_status read_batch(struct metadata_rows *rows, const struct mapping *mapping, const struct arrow_column *root,
                               struct buf *scratch, metadata_visit visit, void *user, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  for (int64_t row = 0; status == DBSQL_OK && row < root->length; row++) {
    status = metadata_rows_add(rows, error);
    for (size_t i = 0; status == DBSQL_OK && i < rows->spec->column_count; i++) {
      if (mapping->source[i] < 0) continue;
      const struct arrow_column *from = &root->children[mapping->source[i]];
      if (arrow_column_is_null(from, row)) continue;
      status =
          rows->spec->columns[i].format == 'u' ? read_text(rows, i, from, row, scratch, error) : read_number(rows, i, from, row, error);
    }
    bool wanted = true;
    if (status == DBSQL_OK) status = visit(user, rows, &wanted, error);
    if (!wanted) metadata_rows_drop_last(rows);
  }
  return status;
}

dbsql_status metadata_rows_read(struct metadata_rows *rows, dbsql_result *result, const dbsql_call *call, metadata_visit visit, void *user,
                                dbsql_error **error) {
  struct mapping mapping;
  struct arrow_column root = {0};
  struct ArrowArray batch = {.release = NULL};
  struct buf scratch = BUF_INIT;
  dbsql_status status = map_columns(rows->spec, result->schema, &mapping, error);
  if (status == DBSQL_OK) status = arrow_column_bind(&root, ipc_schema_arrow(result->schema->arrow), error);
  while (status == DBSQL_OK) {
    status = result_next(result, call, &batch, error);
    if (status != DBSQL_OK || !batch.release) break;
    arrow_column_attach(&root, &batch);
    status = read_batch(rows, &mapping, &root, &scratch, visit, user, error);
    batch.release(&batch);
  }
  arrow_column_free(&root);
  buf_free(&scratch);
  return status;
}

/* ---- order ---- */

static int compare_cells(char format, const struct metadata_cell *a, const struct metadata_cell *b) {
  if (!a->is_set || !b->is_set) return (int)a->is_set - (int)b->is_set; /* NULL first */
  if (format != 'u') return (a->number > b->number) - (a->number < b->number);
  size_t common = a->size < b->size ? a->size : b->size;
  int order = common ? memcmp(a->text, b->text, common) : 0;
  return order ? order : (a->size > b->size) - (a->size < b->size);
}

static bool comes_after(const struct metadata_rows *rows, size_t a, size_t b) {
  for (const int8_t *at = rows->spec->order; *at >= 0; at++) {
    int order = compare_cells(rows->spec->columns[*at].format, metadata_row(rows, a) + *at, metadata_row(rows, b) + *at);
    if (order) return order > 0;
  }
  return false;
}

/* Merges, so that equal rows stay in the server's order. */
static void merge_sort(const struct metadata_rows *rows, size_t *index, size_t *other, size_t count) {
  for (size_t width = 1; width < count; width *= 2) {
    for (size_t start = 0; start < count; start += 2 * width) {
      size_t middle = start + width < count ? start + width : count, end = start + 2 * width < count ? start + 2 * width : count;
      size_t left = start, right = middle;
      for (size_t at = start; at < end; at++) {
        bool take_right = left == middle || (right < end && comes_after(rows, index[left], index[right]));
        other[at] = index[take_right ? right++ : left++];
      }
    }
    memcpy(index, other, count * sizeof *index);
  }
}

/* ---- the result ---- */

static dbsql_status make_schema(const struct metadata_spec *spec, struct result_schema **schema, dbsql_error **error) {
  struct ArrowSchema arrow;
  dbsql_status status = arrow_schema_make(&arrow, "+s", "", 0, (int64_t)spec->column_count, error);
  if (status != DBSQL_OK) return status;
  for (size_t i = 0; status == DBSQL_OK && i < spec->column_count; i++) {
    const struct metadata_column *column = &spec->columns[i];
    const char format[] = {column->format, '\0'};
    const char *const pairs[] = {"Spark:DataType:SqlName", metadata_type_name(column->format), NULL};
    status = arrow_schema_make(arrow.children[i], format, column->name, column->required ? 0 : ARROW_FLAG_NULLABLE, 0, error);
    if (status == DBSQL_OK) status = arrow_schema_set_metadata(arrow.children[i], pairs, error);
  }
  if (status == DBSQL_OK) status = result_schema_from_arrow(&arrow, schema, error);
  arrow.release(&arrow);
  return status;
}

static dbsql_status append_cell(struct arrow_builder *builder, const struct metadata_spec *spec, size_t column,
                                const struct metadata_cell *cell, dbsql_error **error) {
  const struct metadata_column *info = &spec->columns[column];
  if (!cell->is_set) {
    if (info->required) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "%s: the server sent a row without %s", spec->call, info->name);
    }
    arrow_builder_append_null(builder);
  } else if (info->format == 'u') {
    arrow_builder_append_bytes(builder, slice_of(cell->text, cell->size));
  } else if (info->format == 'b') {
    arrow_builder_append_bool(builder, cell->number != 0);
  } else {
    int32_t wide = (int32_t)cell->number;
    int16_t narrow = (int16_t)cell->number;
    arrow_builder_append_fixed(builder, info->format == 'i' ? (const void *)&wide : (const void *)&narrow);
  }
  return DBSQL_OK;
}

static dbsql_status make_batch(const struct metadata_rows *rows, const size_t *index, const struct ArrowSchema *schema,
                               struct ArrowArray *batch, dbsql_error **error) {
  struct arrow_builder builder = {0};
  dbsql_status status = arrow_builder_init(&builder, schema, error);
  for (size_t row = 0; status == DBSQL_OK && row < rows->count; row++) {
    for (size_t i = 0; status == DBSQL_OK && i < rows->spec->column_count; i++) {
      status = append_cell(&builder.children[i], rows->spec, i, metadata_row(rows, index[row]) + i, error);
    }
    arrow_builder_append_entry(&builder);
  }
  if (status == DBSQL_OK) status = arrow_builder_finish(&builder, batch, error);
  arrow_builder_free(&builder);
  return status;
}

dbsql_status result_of_batch(dbsql_connection *connection, const char *query_id, struct result_schema *schema, struct ArrowArray *batch,
                             dbsql_result **out, dbsql_error **error) {
  dbsql_result *result = mem_alloc_zero(1, sizeof *result);
  if (!result) {
    if (batch->release) batch->release(batch);
    return error_no_memory(error);
  }
  result->connection = connection_ref(connection);
  result->schema = result_schema_ref(schema);
  result->affected_rows = -1;
  result->row = -1;
  result->at_end = true;
  snprintf(result->query_id, sizeof result->query_id, "%s", query_id);
  if (batch->release && batch->length == 0) batch->release(batch);
  if (batch->release) result->ahead = *batch;
  *out = result;
  return DBSQL_OK;
}

dbsql_status metadata_rows_finish(struct metadata_rows *rows, dbsql_connection *connection, const char *query_id, dbsql_result **result,
                                  dbsql_error **error) {
  struct result_schema *schema = NULL;
  struct ArrowArray batch = {.release = NULL};
  size_t *index = mem_alloc_zero(rows->count + 1, sizeof *index), *other = mem_alloc_zero(rows->count + 1, sizeof *other);
  dbsql_status status = index && other ? make_schema(rows->spec, &schema, error) : error_no_memory(error);
  if (status == DBSQL_OK) {
    for (size_t i = 0; i < rows->count; i++) index[i] = i;
    merge_sort(rows, index, other, rows->count);
    status = make_batch(rows, index, ipc_schema_arrow(schema->arrow), &batch, error);
  }
  if (status == DBSQL_OK) status = result_of_batch(connection, query_id, schema, &batch, result, error);
  result_schema_unref(schema);
  mem_free(index);
  mem_free(other);
  return status;
}
