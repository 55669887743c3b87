#include "arrow/column.h"

#include "arrow/number.h"
#include "arrow/time_zone.h"
#include "base/error.h"
#include "base/mem.h"

/* ---- Binding ---- */

/* Whether the children are what the kind needs. Dictionaries (and everything else that is unknown) are not read here. */
static bool shape_is_known(const struct ArrowSchema *schema, enum arrow_kind kind) {
  if (schema->dictionary) return false;
  switch (kind) {
    case ARROW_UNSUPPORTED: return false;
    case ARROW_LIST:
    case ARROW_LARGE_LIST:
    case ARROW_FIXED_LIST: return schema->n_children == 1;
    case ARROW_MAP: {
      if (schema->n_children != 1) return false;
      const struct ArrowSchema *entries = schema->children[0];
      return arrow_format_parse(entries->format).kind == ARROW_STRUCT && entries->n_children == 2;
    }
    default: return true;
  }
}

static bool has_children(enum arrow_kind kind) {
  return kind == ARROW_LIST || kind == ARROW_LARGE_LIST || kind == ARROW_FIXED_LIST || kind == ARROW_STRUCT || kind == ARROW_MAP;
}

static dbsql_status bind_at_depth(struct arrow_column *column, const struct ArrowSchema *schema, int depth, dbsql_error **error) {
  *column = (struct arrow_column){0};
  struct arrow_format format = arrow_format_parse(schema->format);
  column->name = schema->name ? schema->name : "";
  column->format = schema->format ? schema->format : "";
  column->kind = format.kind;
  column->precision = format.precision;
  column->scale = format.scale;
  column->width = format.width;
  column->unit = format.unit;
  if (depth > arrow_max_depth || !shape_is_known(schema, format.kind)) {
    column->kind = ARROW_UNSUPPORTED;
    return DBSQL_OK;
  }
  if (format.zone) {
    column->has_zone = true;
    return time_zone_new(format.zone, &column->zone, error);
  }
  if (!has_children(format.kind) || schema->n_children <= 0) return DBSQL_OK;
  column->children = mem_alloc_zero((size_t)schema->n_children, sizeof *column->children);
  if (!column->children) return error_no_memory(error);
  column->child_count = schema->n_children;
  for (int64_t i = 0; i < column->child_count; i++) {
    dbsql_status status = bind_at_depth(&column->children[i], schema->children[i], depth + 1, error);
    if (status != DBSQL_OK) return status;
  }
  return DBSQL_OK;
}

dbsql_status arrow_column_bind(struct arrow_column *column, const struct ArrowSchema *schema, dbsql_error **error) {
  dbsql_status status = bind_at_depth(column, schema, 0, error);
  if (status != DBSQL_OK) arrow_column_free(column);
  return status;
}

void arrow_column_free(struct arrow_column *column) {
  for (int64_t i = 0; i < column->child_count; i++) arrow_column_free(&column->children[i]);
  mem_free(column->children);
  time_zone_free(column->zone);
  *column = (struct arrow_column){0};
}

/* Stands in for a buffer that an empty array does not have. */
static const _Alignas(64) uint8_t nothing[64];

void arrow_column_attach(struct arrow_column *column, const struct ArrowArray *array) {
  column->length = array->length;
  column->null_count = array->null_count;
  column->offset = array->offset;
  column->validity = NULL;
  column->data = NULL;
  column->offsets = NULL;
  switch (column->kind) {
    case ARROW_NULL:
    case ARROW_UNSUPPORTED: return;
    case ARROW_UTF8:
    case ARROW_BINARY:
    case ARROW_LARGE_UTF8:
    case ARROW_LARGE_BINARY:
      column->offsets = array->buffers[1];
      column->data = array->buffers[2];
      break;
    case ARROW_LIST:
    case ARROW_LARGE_LIST:
    case ARROW_MAP: column->offsets = array->buffers[1]; break;
    case ARROW_FIXED_LIST:
    case ARROW_STRUCT: break;
    default: column->data = array->buffers[1]; break;
  }
  if (!column->data) column->data = nothing;
  if (!column->offsets) column->offsets = nothing;
  if (array->null_count != 0) column->validity = array->buffers[0];
  for (int64_t i = 0; i < column->child_count; i++) arrow_column_attach(&column->children[i], array->children[i]);
}

/* ---- Reading ---- */

static inline const void *value_at(const struct arrow_column *column, int64_t row, size_t size) {
  return (const uint8_t *)column->data + (size_t)(row + column->offset) * size;
}

/* memcpy throughout: values may lie on any address (a decimal is often only 8-aligned, results.md 3.9). */
#define READ(type, name) \
  type name;             \
  memcpy(&name, value_at(column, row, sizeof name), sizeof name)

bool arrow_column_int64(const struct arrow_column *column, int64_t row, int64_t *value) {
  switch (column->kind) {
    case ARROW_INT8: {
      READ(int8_t, stored);
      *value = stored;
      return true;
    }
    case ARROW_INT16: {
      READ(int16_t, stored);
      *value = stored;
      return true;
    }
    case ARROW_UINT8: {
      READ(uint8_t, stored);
      *value = stored;
      return true;
    }
    case ARROW_UINT16: {
      READ(uint16_t, stored);
      *value = stored;
      return true;
    }
    case ARROW_UINT32: {
      READ(uint32_t, stored);
      *value = stored;
      return true;
    }
    case ARROW_UINT64: {
      READ(uint64_t, stored);
      *value = (int64_t)stored;
      return stored <= INT64_MAX;
    }
    case ARROW_INT32:
    case ARROW_INT64:
    case ARROW_DATE_DAY:
    case ARROW_DATE_MILLI:
    case ARROW_TIME:
    case ARROW_TIMESTAMP:
    case ARROW_DURATION:
    case ARROW_INTERVAL_MONTH: break;
    default: return false;
  }
  if (column->width == 4) {
    READ(int32_t, stored);
    *value = stored;
  } else {
    READ(int64_t, stored);
    *value = stored;
  }
  return true;
}

bool arrow_column_micros(const struct arrow_column *column, int64_t row, int64_t *value) {
  if (column->kind == ARROW_INTERVAL_DAY_TIME) {
    int32_t stored[2]; /* days, milliseconds */
    memcpy(stored, value_at(column, row, sizeof stored), sizeof stored);
    return !__builtin_mul_overflow(stored[0] * INT64_C(86400000) + stored[1], INT64_C(1000), value);
  }
  if (column->unit == 0 || !arrow_column_int64(column, row, value)) return false;
  if (column->unit == 1000000000) {
    bool exact = *value % 1000 == 0;
    *value /= 1000;
    return exact;
  }
  return !__builtin_mul_overflow(*value, INT64_C(1000000) / column->unit, value);
}

bool arrow_column_double(const struct arrow_column *column, int64_t row, double *value) {
  if (column->kind == ARROW_DOUBLE) {
    memcpy(value, value_at(column, row, sizeof *value), sizeof *value);
  } else if (column->kind == ARROW_FLOAT) {
    READ(float, stored);
    *value = (double)stored;
  } else if (column->kind == ARROW_HALF) {
    READ(uint16_t, stored);
    *value = number_from_half(stored);
  } else {
    return false;
  }
  return true;
}

static bool has_large_offsets(enum arrow_kind kind) {
  return kind == ARROW_LARGE_UTF8 || kind == ARROW_LARGE_BINARY || kind == ARROW_LARGE_LIST;
}

/* Where a value of variable length begins and ends. */
static void read_offsets(const struct arrow_column *column, int64_t row, int64_t *first, int64_t *end) {
  if (has_large_offsets(column->kind)) {
    int64_t pair[2];
    memcpy(pair, (const int64_t *)column->offsets + row + column->offset, sizeof pair);
    *first = pair[0];
    *end = pair[1];
  } else {
    int32_t pair[2];
    memcpy(pair, (const int32_t *)column->offsets + row + column->offset, sizeof pair);
    *first = pair[0];
    *end = pair[1];
  }
}

struct slice arrow_column_bytes(const struct arrow_column *column, int64_t row) {
  switch (column->kind) {
    case ARROW_UTF8:
    case ARROW_BINARY:
    case ARROW_LARGE_UTF8:
    case ARROW_LARGE_BINARY: {
      int64_t first, end;
      read_offsets(column, row, &first, &end);
      return slice_of((const uint8_t *)column->data + first, (size_t)(end - first));
    }
    case ARROW_FIXED_BINARY: return slice_of(value_at(column, row, (size_t)column->width), (size_t)column->width);
    default: return slice_of(NULL, 0);
  }
}

void arrow_column_decimal(const struct arrow_column *column, int64_t row, int64_t *high, uint64_t *low) {
  const uint8_t *stored = value_at(column, row, 16);
  memcpy(low, stored, sizeof *low);
  memcpy(high, stored + 8, sizeof *high);
}

void arrow_column_entries(const struct arrow_column *column, int64_t row, int64_t *first, int64_t *end) {
  if (column->kind == ARROW_FIXED_LIST) {
    *first = (row + column->offset) * column->width;
    *end = *first + column->width;
  } else {
    read_offsets(column, row, first, end);
  }
}
