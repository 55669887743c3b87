#include "convert.h"

#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "arrow/calendar.h"
#include "arrow/column.h"
#include "base/error.h"
#include "convert_internal.h"
#include "memory.h"

/* ---- Reading the engine's arrays -------------------------------------------------------------------------------------------------- */

bool convert_is_null(const struct convert_column *column, const struct ArrowArray *array, int64_t row) {
  if (column->way == WAY_NULL) return true;
  if (column->way == WAY_UNION || array->n_buffers == 0) return false;
  const uint8_t *validity = array->buffers[0];
  int64_t bit = row + array->offset;
  return validity && !(validity[bit >> 3] >> (bit & 7) & 1);
}

const uint8_t *convert_fixed_at(const struct ArrowArray *array, int64_t row, size_t width) {
  return (const uint8_t *)array->buffers[1] + (size_t)(row + array->offset) * width;
}

static int64_t int32_at(const void *values, int64_t index) {
  int32_t value;
  memcpy(&value, (const uint8_t *)values + index * 4, 4);
  return value;
}
static int64_t int64_at(const void *values, int64_t index) {
  int64_t value;
  memcpy(&value, (const uint8_t *)values + index * 8, 8);
  return value;
}

/* An integer of any width, unsigned ones included. False: it does not fit. */
static bool integer_at(enum arrow_kind kind, const struct ArrowArray *array, int64_t row, int64_t *value) {
  const uint8_t *data = array->buffers[1];
  int64_t i = row + array->offset;
  switch (kind) {
    case ARROW_INT8: *value = (int8_t)data[i]; return true;
    case ARROW_UINT8: *value = data[i]; return true;
    case ARROW_INT16:
    case ARROW_UINT16: {
      uint16_t v;
      memcpy(&v, data + i * 2, 2);
      *value = kind == ARROW_INT16 ? (int16_t)v : v;
      return true;
    }
    case ARROW_INT32: *value = int32_at(data, i); return true;
    case ARROW_UINT32: *value = (int64_t)(uint32_t)int32_at(data, i); return true;
    case ARROW_INT64:
    case ARROW_UINT64: *value = int64_at(data, i); return kind == ARROW_INT64 || *value >= 0;
    default: return false;
  }
}

static struct slice bytes_at(const struct convert_column *column, const struct ArrowArray *array, int64_t row) {
  int64_t i = row + array->offset;
  if (column->way == WAY_FIXED_BYTES)
    return slice_of(convert_fixed_at(array, row, (size_t)column->format.width), (size_t)column->format.width);
  if (column->way == WAY_VIEW_BYTES) { /* length, then the bytes themselves or a prefix, a buffer's number and an offset */
    const uint8_t *view = (const uint8_t *)array->buffers[1] + i * 16;
    int64_t length = int32_at(view, 0);
    if (length <= 12) return slice_of(view + 4, (size_t)length);
    const uint8_t *data = array->buffers[2 + int32_at(view, 2)];
    return slice_of(data + int32_at(view, 3), (size_t)length);
  }
  bool large = column->way == WAY_LARGE_BYTES;
  int64_t first = large ? int64_at(array->buffers[1], i) : int32_at(array->buffers[1], i);
  int64_t end = large ? int64_at(array->buffers[1], i + 1) : int32_at(array->buffers[1], i + 1);
  return slice_of((const uint8_t *)array->buffers[2] + first, (size_t)(end - first));
}

/* The child's rows of a list, as its readers count them. */
static void entries_at(const struct convert_column *column, const struct ArrowArray *array, int64_t row, int64_t *first, int64_t *end) {
  int64_t i = row + array->offset;
  switch (column->way) {
    case WAY_FIXED_LIST:
      *first = i * column->format.width;
      *end = *first + column->format.width;
      return;
    case WAY_LARGE_LIST:
      *first = int64_at(array->buffers[1], i);
      *end = int64_at(array->buffers[1], i + 1);
      return;
    case WAY_VIEW_LIST:
      *first = int32_at(array->buffers[1], i);
      *end = *first + int32_at(array->buffers[2], i);
      return;
    case WAY_LARGE_VIEW_LIST:
      *first = int64_at(array->buffers[1], i);
      *end = *first + int64_at(array->buffers[2], i);
      return;
    default: *first = int32_at(array->buffers[1], i); *end = int32_at(array->buffers[1], i + 1);
  }
}

struct convert_interval convert_interval_at(const struct ArrowArray *array, int64_t row) {
  struct convert_interval value;
  const uint8_t *at = convert_fixed_at(array, row, 16);
  memcpy(&value.months, at, 4);
  memcpy(&value.days, at + 4, 4);
  memcpy(&value.nanos, at + 8, 8);
  return value;
}

/* ---- Values ----------------------------------------------------------------------------------------------------------------------- */

static bool out_of_range(struct failure *failure, const struct convert_column *column) {
  return failure_set(failure, "NUMERIC_VALUE_OUT_OF_RANGE", "22003", "A value of the column `%s` cannot be delivered as its type.",
                     column->schema->name ? column->schema->name : "");
}

/* 10^38 is 0x4B3B4CA85A86C47A 098A224000000000. */
static bool decimal_fits(const uint8_t *at) {
  uint64_t low;
  int64_t high;
  memcpy(&low, at, 8);
  memcpy(&high, at + 8, 8);
  uint64_t magnitude_high = (uint64_t)high, magnitude_low = low;
  if (high < 0) {
    magnitude_low = ~low + 1;
    magnitude_high = ~(uint64_t)high + (magnitude_low == 0);
  }
  return magnitude_high < 0x4B3B4CA85A86C47AULL || (magnitude_high == 0x4B3B4CA85A86C47AULL && magnitude_low < 0x098A224000000000ULL);
}

/* `value` units into microseconds. Nanoseconds that are no whole microsecond do not fit: nothing is cut off. */
static bool to_micros(int64_t value, int32_t unit, int64_t *micros) {
  if (unit <= 1000000) return !__builtin_mul_overflow(value, 1000000 / unit, micros);
  *micros = value / (unit / 1000000);
  return value % (unit / 1000000) == 0;
}

static bool append_value(struct arrow_builder *builder, const struct convert_column *column, const struct ArrowArray *array, int64_t row,
                         struct failure *failure);

static void append_text(struct arrow_builder *builder, const char *text, size_t length) {
  arrow_builder_append_bytes(builder, slice_of(text, length));
}

static bool append_interval(struct arrow_builder *builder, const struct convert_column *column, const struct ArrowArray *array, int64_t row,
                            struct failure *failure) {
  struct convert_interval value = convert_interval_at(array, row);
  if (strcmp(column->target, "tiM") == 0) {
    arrow_builder_append_fixed(builder, &value.months);
    return true;
  }
  if (strcmp(column->target, "u") == 0) { /* no interval of Databricks has months and days */
    char text[2 * calendar_text_size];
    size_t length = calendar_write_months(text, value.months);
    text[length++] = ' ';
    length += calendar_write_days_nanos(text + length, value.days, value.nanos);
    append_text(builder, text, length);
    return true;
  }
  int64_t micros, days;
  if (__builtin_mul_overflow((int64_t)value.days, INT64_C(86400000000), &days) || !to_micros(value.nanos, 1000000000, &micros) ||
      __builtin_add_overflow(micros, days, &micros))
    return out_of_range(failure, column);
  arrow_builder_append_fixed(builder, &micros);
  return true;
}

static bool append_unsigned(struct arrow_builder *builder, const struct convert_column *column, const struct ArrowArray *array,
                            int64_t row) {
  int64_t value = 0;
  integer_at(column->format.kind, array, row, &value);
  int16_t narrow = (int16_t)value;
  int32_t middle = (int32_t)value;
  uint64_t decimal[2] = {(uint64_t)value, 0}; /* little-endian, as the machine is */
  switch (column->format.kind) {
    case ARROW_UINT8: arrow_builder_append_fixed(builder, &narrow); break;
    case ARROW_UINT16: arrow_builder_append_fixed(builder, &middle); break;
    case ARROW_UINT32: arrow_builder_append_fixed(builder, &value); break;
    default: arrow_builder_append_fixed(builder, decimal);
  }
  return true;
}

/* One value as text: the member of a union. */
static bool append_as_text(struct arrow_builder *builder, struct convert_column *column, const struct ArrowArray *array, int64_t row,
                           struct failure *failure) {
  dbsql_error *error = NULL;
  struct ArrowSchema schema = {0};
  struct ArrowArray one = {0};
  struct arrow_builder value = {0};
  struct arrow_column reader = {0};
  struct buf text = BUF_INIT;
  bool good = false;
  if (!convert_schema(column, "", "UTC", &schema, failure)) return false;
  if (arrow_builder_init(&value, &schema, &error) == DBSQL_OK && append_value(&value, column, array, row, failure)) {
    if (arrow_builder_finish(&value, &one, &error) == DBSQL_OK && arrow_column_bind(&reader, &schema, &error) == DBSQL_OK) {
      arrow_column_attach(&reader, &one);
      if (arrow_column_is_null(&reader, 0)) {
        arrow_builder_append_null(builder);
        good = true;
      } else if (arrow_column_text(&reader, 0, &text, &error) == DBSQL_OK) {
        arrow_builder_append_bytes(builder, buf_slice(&text));
        good = true;
      }
    }
  }
  if (error) failure_from_library(failure, &error);
  buf_free(&text);
  arrow_column_free(&reader);
  arrow_builder_free(&value);
  if (one.release) one.release(&one);
  schema.release(&schema);
  return good;
}

static bool append_value(struct arrow_builder *builder, const struct convert_column *column, const struct ArrowArray *array, int64_t row,
                         struct failure *failure) {
  if (convert_is_null(column, array, row)) {
    arrow_builder_append_null(builder);
    return true;
  }
  int64_t value = 0, first = 0, end = 0;
  char text[calendar_text_size];
  size_t length = 0;
  switch (column->way) {
    case WAY_NULL: arrow_builder_append_null(builder); return true;
    case WAY_BOOL: {
      int64_t bit = row + array->offset;
      arrow_builder_append_bool(builder, ((const uint8_t *)array->buffers[1])[bit >> 3] >> (bit & 7) & 1);
      return true;
    }
    case WAY_FIXED: {
      const uint8_t *at = convert_fixed_at(array, row, (size_t)column->format.width);
      if (column->check_decimal && !decimal_fits(at)) return out_of_range(failure, column);
      arrow_builder_append_fixed(builder, at);
      return true;
    }
    case WAY_UNSIGNED: return append_unsigned(builder, column, array, row);
    case WAY_BYTES:
    case WAY_LARGE_BYTES:
    case WAY_VIEW_BYTES:
    case WAY_FIXED_BYTES: arrow_builder_append_bytes(builder, bytes_at(column, array, row)); return true;
    case WAY_DICTIONARY:
      if (!integer_at(column->format.kind, array, row, &value) || value < 0 || !array->dictionary || value >= array->dictionary->length)
        return out_of_range(failure, column);
      return append_value(builder, column->dictionary, array->dictionary, value, failure);
    case WAY_DATE_MILLI: {
      int64_t days = floor_divide(int64_at(array->buffers[1], row + array->offset), 86400000);
      int32_t day = (int32_t)days;
      if (day != days) return out_of_range(failure, column);
      arrow_builder_append_fixed(builder, &day);
      return true;
    }
    case WAY_TIMESTAMP:
    case WAY_DURATION:
      if (!to_micros(int64_at(array->buffers[1], row + array->offset), column->format.unit, &value)) return out_of_range(failure, column);
      arrow_builder_append_fixed(builder, &value);
      return true;
    case WAY_TIME:
      value =
          column->format.width == 4 ? int32_at(array->buffers[1], row + array->offset) : int64_at(array->buffers[1], row + array->offset);
      if (!calendar_write_time(text, value, column->format.unit, &length)) return out_of_range(failure, column);
      append_text(builder, text, length);
      return true;
    case WAY_INTERVAL: return append_interval(builder, column, array, row, failure);
    case WAY_LIST:
    case WAY_LARGE_LIST:
    case WAY_VIEW_LIST:
    case WAY_LARGE_VIEW_LIST:
    case WAY_FIXED_LIST:
      entries_at(column, array, row, &first, &end);
      for (int64_t i = first; i < end; i++) {
        if (!append_value(&builder->children[0], column->children[0], array->children[0], i, failure)) return false;
      }
      arrow_builder_append_entry(builder);
      return true;
    case WAY_MAP:
      entries_at(column, array, row, &first, &end);
      for (int64_t i = first; i < end; i++) {
        const struct convert_column *entry = column->children[0];
        const struct ArrowArray *entries = array->children[0];
        for (int64_t c = 0; c < 2; c++) {
          if (!append_value(&builder->children[0].children[c], entry->children[c], entries->children[c], i + entries->offset, failure))
            return false;
        }
        arrow_builder_append_entry(&builder->children[0]);
      }
      arrow_builder_append_entry(builder);
      return true;
    case WAY_STRUCT:
      for (int64_t i = 0; i < column->child_count; i++) {
        if (!append_value(&builder->children[i], column->children[i], array->children[i], row + array->offset, failure)) return false;
      }
      arrow_builder_append_entry(builder);
      return true;
    case WAY_UNION: {
      int8_t id = ((const int8_t *)array->buffers[0])[row + array->offset];
      int child = id >= 0 ? column->union_child[id] : -1;
      if (child < 0) return out_of_range(failure, column);
      int64_t at = column->dense ? int32_at(array->buffers[1], row + array->offset) : row + array->offset;
      return append_as_text(builder, column->children[child], array->children[child], at, failure);
    }
  }
  return false;
}

static bool decimals_fit(const struct convert_column *column, const struct ArrowArray *array) {
  for (int64_t row = 0; row < array->length; row++) {
    if (!convert_is_null(column, array, row) && !decimal_fits(convert_fixed_at(array, row, 16))) return false;
  }
  return true;
}

bool convert_array(struct convert_column *column, const struct ArrowSchema *plain, struct ArrowArray *array, struct ArrowArray *out,
                   struct failure *failure) {
  dbsql_error *error = NULL;
  struct arrow_builder builder = {0};
  bool good = true;
  if (column->plain) {
    if (column->check_decimal && !decimals_fit(column, array)) {
      array->release(array);
      return out_of_range(failure, column);
    }
    *out = *array;
    array->release = NULL;
    return true;
  }
  if (arrow_builder_init(&builder, plain, &error) != DBSQL_OK) good = failure_from_library(failure, &error);
  for (int64_t row = 0; good && row < array->length; row++) good = append_value(&builder, column, array, row, failure);
  if (good && arrow_builder_finish(&builder, out, &error) != DBSQL_OK) good = failure_from_library(failure, &error);
  arrow_builder_free(&builder);
  array->release(array);
  return good;
}

bool convert_to_text(const struct ArrowSchema *plain, struct ArrowArray *array, const struct ArrowSchema *text_schema,
                     struct ArrowArray *out, struct failure *failure) {
  dbsql_error *error = NULL;
  struct arrow_builder builder = {0};
  struct arrow_column reader = {0};
  struct buf text = BUF_INIT;
  dbsql_status status = arrow_column_bind(&reader, plain, &error);
  if (status == DBSQL_OK) status = arrow_builder_init(&builder, text_schema, &error);
  if (status == DBSQL_OK) arrow_column_attach(&reader, array);
  for (int64_t row = 0; status == DBSQL_OK && row < array->length; row++) {
    if (arrow_column_is_null(&reader, row)) {
      arrow_builder_append_null(&builder);
      continue;
    }
    buf_reset(&text);
    status = arrow_column_text(&reader, row, &text, &error);
    if (status == DBSQL_OK) arrow_builder_append_bytes(&builder, buf_slice(&text));
  }
  if (status == DBSQL_OK) status = arrow_builder_finish(&builder, out, &error);
  arrow_builder_free(&builder);
  arrow_column_free(&reader);
  buf_free(&text);
  array->release(array);
  return status == DBSQL_OK || failure_from_library(failure, &error);
}

size_t convert_size(const struct ArrowSchema *schema, const struct ArrowArray *array) {
  struct arrow_format format = arrow_format_parse(schema->format);
  size_t rows = (size_t)array->length, size = rows / 8 + 64;
  int64_t i = array->offset;
  switch (format.kind) {
    case ARROW_UTF8:
    case ARROW_BINARY:
      if (rows && array->buffers[1])
        size += (size_t)(int32_at(array->buffers[1], i + array->length) - int32_at(array->buffers[1], i)) + rows * 4;
      break;
    case ARROW_LARGE_UTF8:
    case ARROW_LARGE_BINARY:
      if (rows && array->buffers[1])
        size += (size_t)(int64_at(array->buffers[1], i + array->length) - int64_at(array->buffers[1], i)) + rows * 8;
      break;
    default: size += format.kind == ARROW_FIXED_LIST ? 0 : format.width > 0 ? rows * (size_t)format.width : rows * 4;
  }
  for (int64_t c = 0; c < array->n_children && c < schema->n_children; c++) size += convert_size(schema->children[c], array->children[c]);
  return size;
}
