/* The row cursor: a thin reader on the batches of a result. */
#include "api/api.h"
#include "base/mem.h"
#include "session/result.h"

static dbsql_status begin_cursor(dbsql_result *result, dbsql_error **error) {
  size_t count = result->schema->column_count;
  const struct ArrowSchema *schema = ipc_schema_arrow(result->schema->arrow);
  struct arrow_column *columns = mem_alloc_zero(count + 1, sizeof *columns);
  struct buf *texts = mem_alloc_zero(count + 1, sizeof *texts);
  dbsql_status status = columns && texts ? DBSQL_OK : error_no_memory(error);
  size_t bound = 0;
  while (status == DBSQL_OK && bound < count) {
    status = arrow_column_bind(&columns[bound], schema->children[bound], error);
    bound++;
  }
  if (status != DBSQL_OK) {
    for (size_t i = 0; columns && i < bound; i++) arrow_column_free(&columns[i]);
    mem_free(columns);
    mem_free(texts);
    return status;
  }
  result->columns = columns;
  result->texts = texts;
  return DBSQL_OK;
}

static dbsql_status next_cursor_batch(dbsql_result *result, const dbsql_call *call, bool *has_row, dbsql_error **error) {
  if (!result->columns) {
    dbsql_status status = begin_cursor(result, error);
    if (status != DBSQL_OK) return status;
  }
  if (result->batch.release) result->batch.release(&result->batch);
  result->batch.release = NULL;
  result->readable = 0;
  result->row = -1;
  result->row_count = 0;
  dbsql_status status = result_next(result, call, &result->batch, error);
  if (status != DBSQL_OK || !result->batch.release) return status;
  result->row_count = result->batch.length;
  for (size_t i = 0; i < result->schema->column_count; i++) arrow_column_attach(&result->columns[i], result->batch.children[i]);
  result->row = 0;
  result->readable = result->schema->column_count;
  *has_row = true;
  return DBSQL_OK;
}

dbsql_status dbsql_row_next(dbsql_result *result, const dbsql_call *call, bool *has_row, dbsql_error **error) {
  API_REQUIRE(has_row, error);
  *has_row = false;
  API_REQUIRE(result, error);
  if (result->row + 1 < result->row_count) {
    result->row++;
    *has_row = true;
    return DBSQL_OK;
  }
  API_BEGIN(error);
  API_END(next_cursor_batch(result, call, has_row, error));
}

/* The column to read from, or NULL: no_cell() says why. */
static inline const struct arrow_column *cell(const dbsql_result *result, size_t column) {
  return result && column < result->readable ? &result->columns[column] : NULL;
}

static dbsql_status no_cell(const dbsql_result *result, size_t column, dbsql_error **error) {
  if (!result || result->row < 0) {
    return error_set(error, DBSQL_ERROR_DRIVER, "24000", "there is no current row: dbsql_row_next() comes first");
  }
  return error_set(error, DBSQL_ERROR_DRIVER, "07009", "there is no column %zu: the result has %zu", column, result->schema->column_count);
}

static dbsql_status wrong_kind(const dbsql_result *result, size_t column, const char *getter, dbsql_error **error) {
  const dbsql_column *info = &result->schema->columns[column];
  return error_set(error, DBSQL_ERROR_DRIVER, "07006", "column %zu (%s) is %s and came as Arrow \"%s\": %s does not read it", column,
                   info->name, info->type_text, ipc_schema_arrow(result->schema->arrow)->children[column]->format, getter);
}

bool dbsql_is_null(const dbsql_result *result, size_t column) {
  const struct arrow_column *from = cell(result, column);
  return !from || arrow_column_is_null(from, result->row);
}

dbsql_status dbsql_get_bool(const dbsql_result *result, size_t column, bool *value, dbsql_error **error) {
  API_REQUIRE(value, error);
  *value = false;
  const struct arrow_column *from = cell(result, column);
  if (!from) return no_cell(result, column, error);
  if (from->kind != ARROW_BOOL && from->kind != ARROW_NULL) return wrong_kind(result, column, __func__, error);
  if (!arrow_column_is_null(from, result->row)) *value = arrow_column_bool(from, result->row);
  return DBSQL_OK;
}

static dbsql_status does_not_fit(const dbsql_result *result, size_t column, const char *what, dbsql_error **error) {
  return error_set(error, DBSQL_ERROR_DRIVER, "22003", "column %zu (%s): the value cannot be told exactly %s", column,
                   result->schema->columns[column].name, what);
}

/* What Databricks does not send, but other servers and files may: other units, unsigned numbers. */
static dbsql_status get_rare_int64(const dbsql_result *result, size_t column, int64_t *value, dbsql_error **error) {
  const struct arrow_column *from = &result->columns[column];
  bool micros = false;
  switch (from->kind) {
    case ARROW_NULL:
    case ARROW_UINT8:
    case ARROW_UINT16:
    case ARROW_UINT32:
    case ARROW_UINT64:
    case ARROW_DATE_MILLI: break;
    case ARROW_TIME:
    case ARROW_TIMESTAMP:
    case ARROW_DURATION:
    case ARROW_INTERVAL_DAY_TIME: micros = true; break;
    default: return wrong_kind(result, column, "dbsql_get_int64", error);
  }
  if (arrow_column_is_null(from, result->row)) return DBSQL_OK;
  int64_t read = 0;
  if (micros) {
    if (!arrow_column_micros(from, result->row, &read)) return does_not_fit(result, column, "in microseconds", error);
  } else if (!arrow_column_int64(from, result->row, &read)) {
    return does_not_fit(result, column, "in 64 bits with a sign", error);
  } else if (from->kind == ARROW_DATE_MILLI) {
    enum { ms_per_day = 86400000 };
    if (read % ms_per_day != 0) return does_not_fit(result, column, "in days", error);
    read /= ms_per_day;
  }
  *value = read;
  return DBSQL_OK;
}

dbsql_status dbsql_get_int64(const dbsql_result *result, size_t column, int64_t *value, dbsql_error **error) {
  API_REQUIRE(value, error);
  *value = 0;
  const struct arrow_column *from = cell(result, column);
  if (!from) return no_cell(result, column, error);
  int64_t at = result->row + from->offset;
  int64_t read;
  switch (from->kind) {
    case ARROW_INT8: read = ((const int8_t *)from->data)[at]; break;
    case ARROW_INT16: read = ((const int16_t *)from->data)[at]; break;
    case ARROW_INT32:
    case ARROW_DATE_DAY:
    case ARROW_INTERVAL_MONTH: read = ((const int32_t *)from->data)[at]; break;
    case ARROW_TIMESTAMP:
    case ARROW_DURATION:
      if (from->unit != 1000000) return get_rare_int64(result, column, value, error);
      read = ((const int64_t *)from->data)[at];
      break;
    case ARROW_INT64: read = ((const int64_t *)from->data)[at]; break;
    default: return get_rare_int64(result, column, value, error);
  }
  if (!arrow_column_is_null(from, result->row)) *value = read;
  return DBSQL_OK;
}

dbsql_status dbsql_get_double(const dbsql_result *result, size_t column, double *value, dbsql_error **error) {
  API_REQUIRE(value, error);
  *value = 0;
  const struct arrow_column *from = cell(result, column);
  if (!from) return no_cell(result, column, error);
  if (arrow_column_is_null(from, result->row)) {
    bool fits = from->kind == ARROW_DOUBLE || from->kind == ARROW_FLOAT || from->kind == ARROW_HALF || from->kind == ARROW_NULL;
    return fits ? DBSQL_OK : wrong_kind(result, column, __func__, error);
  }
  if (from->kind == ARROW_DOUBLE) {
    *value = ((const double *)from->data)[result->row + from->offset];
    return DBSQL_OK;
  }
  return arrow_column_double(from, result->row, value) ? DBSQL_OK : wrong_kind(result, column, __func__, error);
}

dbsql_status dbsql_get_bytes(const dbsql_result *result, size_t column, const void **value, size_t *length, dbsql_error **error) {
  API_REQUIRE(value, error);
  API_REQUIRE(length, error);
  *value = NULL;
  *length = 0;
  const struct arrow_column *from = cell(result, column);
  if (!from) return no_cell(result, column, error);
  switch (from->kind) {
    case ARROW_UTF8:
    case ARROW_BINARY:
    case ARROW_LARGE_UTF8:
    case ARROW_LARGE_BINARY:
    case ARROW_FIXED_BINARY: break;
    case ARROW_NULL: return DBSQL_OK;
    default: return wrong_kind(result, column, __func__, error);
  }
  if (arrow_column_is_null(from, result->row)) return DBSQL_OK;
  struct slice bytes = arrow_column_bytes(from, result->row);
  *value = bytes.data ? (const void *)bytes.data : "";
  *length = bytes.size;
  return DBSQL_OK;
}

dbsql_status dbsql_get_decimal(const dbsql_result *result, size_t column, dbsql_decimal *value, dbsql_error **error) {
  API_REQUIRE(value, error);
  *value = (dbsql_decimal){0, 0, 0};
  const struct arrow_column *from = cell(result, column);
  if (!from) return no_cell(result, column, error);
  /* An unsigned 64-bit number is shown as DECIMAL(20,0). */
  bool is_unsigned = from->kind == ARROW_UINT64;
  if (from->kind != ARROW_DECIMAL && from->kind != ARROW_NULL && !is_unsigned) return wrong_kind(result, column, __func__, error);
  if (arrow_column_is_null(from, result->row)) return DBSQL_OK;
  if (is_unsigned) {
    value->low = ((const uint64_t *)from->data)[result->row + from->offset];
  } else {
    arrow_column_decimal(from, result->row, &value->high, &value->low);
  }
  value->scale = from->scale;
  return DBSQL_OK;
}

typedef dbsql_status (*render_function)(const struct arrow_column *column, int64_t row, struct buf *out, dbsql_error **error);

static dbsql_status render(dbsql_result *result, size_t column, render_function function, const char **value, size_t *length,
                           dbsql_error **error) {
  const struct arrow_column *from = cell(result, column);
  if (!from) return no_cell(result, column, error);
  struct buf *text = &result->texts[column];
  buf_reset(text);
  *value = NULL;
  dbsql_status status = function(from, result->row, text, error);
  if (status != DBSQL_OK) {
    error_prefix(error, "column %zu (%s)", column, result->schema->columns[column].name);
    return status;
  }
  *value = buf_text(text);
  if (!*value) return error_no_memory(error);
  if (length) *length = text->size;
  return DBSQL_OK;
}

dbsql_status dbsql_get_text(dbsql_result *result, size_t column, const char **value, size_t *length, dbsql_error **error) {
  API_REQUIRE(value, error);
  *value = NULL;
  if (length) *length = 0;
  const struct arrow_column *from = cell(result, column);
  if (!from) return no_cell(result, column, error);
  return arrow_column_is_null(from, result->row) ? DBSQL_OK : render(result, column, arrow_column_text, value, length, error);
}

dbsql_status dbsql_get_json(dbsql_result *result, size_t column, const char **value, size_t *length, dbsql_error **error) {
  API_REQUIRE(value, error);
  *value = NULL;
  if (length) *length = 0;
  return render(result, column, arrow_column_json, value, length, error);
}
