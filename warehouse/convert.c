#include "convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "arrow/calendar.h"
#include "arrow/column.h"
#include "base/error.h"
#include "memory.h"

/* What a column of the engine is turned into. */
enum way {
  WAY_NULL,
  WAY_BOOL,
  WAY_FIXED,    /* the bytes as they are */
  WAY_UNSIGNED, /* into the next wider signed type; 64 bits into DECIMAL(20,0) */
  WAY_BYTES,    /* 32-bit offsets */
  WAY_LARGE_BYTES,
  WAY_VIEW_BYTES,
  WAY_FIXED_BYTES,
  WAY_DICTIONARY,
  WAY_DATE_MILLI,
  WAY_TIMESTAMP, /* any unit into microseconds */
  WAY_DURATION,  /* any unit into microseconds */
  WAY_TIME,      /* into text */
  WAY_INTERVAL,  /* months, days and nanoseconds */
  WAY_LIST,
  WAY_LARGE_LIST,
  WAY_VIEW_LIST,
  WAY_LARGE_VIEW_LIST,
  WAY_FIXED_LIST,
  WAY_STRUCT,
  WAY_MAP,
  WAY_UNION /* into text */
};

struct convert_column {
  enum way way;
  bool plain; /* all the way down: the array can be moved */
  bool check_decimal;
  struct arrow_format format;
  const struct ArrowSchema *schema;
  char target[64]; /* format; of what has children too */
  struct convert_column *dictionary;
  int64_t child_count;
  struct convert_column **children;
  signed char union_child[128]; /* type id to child, -1 */
  bool dense;
  bool saw_months, saw_time;
};

static bool unsupported(struct failure *failure, const struct ArrowSchema *schema) {
  return failure_set(failure, "UNSUPPORTED_DATATYPE", "0A000", "The column `%s` has a type that cannot be delivered (Arrow format \"%s\").",
                     schema->name ? schema->name : "", schema->format);
}

static void set_target(struct convert_column *column, const char *format, bool plain) {
  size_t length = strlen(format);
  if (length >= sizeof column->target) length = sizeof column->target - 1;
  memcpy(column->target, format, length);
  column->target[length] = '\0';
  column->plain = plain;
}

static bool add_children(struct convert_column *column, struct failure *failure) {
  const struct ArrowSchema *schema = column->schema;
  column->child_count = schema->n_children;
  column->children = wh_new((size_t)schema->n_children, sizeof(struct convert_column *));
  for (int64_t i = 0; i < schema->n_children; i++) {
    column->children[i] = convert_column_new(schema->children[i], failure);
    if (!column->children[i]) return false;
    column->plain = column->plain && column->children[i]->plain;
  }
  return true;
}

/* "+us:0,1" names the type ids of its children in order. */
static bool read_union(struct convert_column *column) {
  const char *at = column->schema->format + 4;
  column->dense = column->schema->format[2] == 'd';
  memset(column->union_child, -1, sizeof column->union_child);
  for (int64_t child = 0; child < column->schema->n_children; child++) {
    char *end = NULL;
    long id = strtol(at, &end, 10);
    if (end == at || id < 0 || id > 127 || child > 127) return false;
    column->union_child[id] = (signed char)child;
    at = *end == ',' ? end + 1 : end;
  }
  return true;
}

static bool plan_unknown(struct convert_column *column, struct failure *failure) {
  const char *format = column->schema->format;
  if (strcmp(format, "vu") == 0 || strcmp(format, "vz") == 0) {
    column->way = WAY_VIEW_BYTES;
    set_target(column, format + 1, false);
    return true;
  }
  if (strcmp(format, "+vl") == 0 || strcmp(format, "+vL") == 0) {
    column->way = format[2] == 'l' ? WAY_VIEW_LIST : WAY_LARGE_VIEW_LIST;
    set_target(column, "+l", false);
    return column->schema->n_children == 1 && add_children(column, failure);
  }
  if (strncmp(format, "+us:", 4) == 0 || strncmp(format, "+ud:", 4) == 0) {
    column->way = WAY_UNION;
    set_target(column, "u", false);
    if (!read_union(column)) return unsupported(failure, column->schema);
    bool good = add_children(column, failure);
    column->plain = false;
    return good;
  }
  return unsupported(failure, column->schema);
}

static bool plan(struct convert_column *column, struct failure *failure) {
  const char *format = column->schema->format;
  char decimal[32];
  switch (column->format.kind) {
    case ARROW_NULL:
      column->way = WAY_NULL;
      set_target(column, "n", true);
      return true;
    case ARROW_BOOL:
      column->way = WAY_BOOL;
      set_target(column, "b", true);
      return true;
    case ARROW_DECIMAL:
      if (column->format.scale < 0 || column->format.precision > 38 || column->format.scale > column->format.precision) break;
      snprintf(decimal, sizeof decimal, "d:%d,%d", (int)column->format.precision, (int)column->format.scale);
      column->check_decimal = column->format.precision == 38; /* the engine's 128-bit integers can be longer */
      column->way = WAY_FIXED;
      set_target(column, decimal, true);
      return true;
    case ARROW_INT8:
    case ARROW_INT16:
    case ARROW_INT32:
    case ARROW_INT64:
    case ARROW_FLOAT:
    case ARROW_DOUBLE:
    case ARROW_DATE_DAY:
    case ARROW_INTERVAL_MONTH:
      column->way = WAY_FIXED;
      set_target(column, format, true);
      return true;
    case ARROW_UINT8:
    case ARROW_UINT16:
    case ARROW_UINT32:
    case ARROW_UINT64:
      column->way = WAY_UNSIGNED;
      set_target(column,
                 column->format.kind == ARROW_UINT8    ? "s"
                 : column->format.kind == ARROW_UINT16 ? "i"
                 : column->format.kind == ARROW_UINT32 ? "l"
                                                       : "d:20,0",
                 false);
      return true;
    case ARROW_UTF8:
    case ARROW_BINARY:
      column->way = WAY_BYTES;
      set_target(column, format, true);
      return true;
    case ARROW_LARGE_UTF8:
    case ARROW_LARGE_BINARY:
      column->way = WAY_LARGE_BYTES;
      set_target(column, column->format.kind == ARROW_LARGE_UTF8 ? "u" : "z", false);
      return true;
    case ARROW_FIXED_BINARY:
      column->way = WAY_FIXED_BYTES;
      set_target(column, "z", false);
      return true;
    case ARROW_DATE_MILLI:
      column->way = WAY_DATE_MILLI;
      set_target(column, "tdD", false);
      return true;
    case ARROW_TIMESTAMP:
      column->way = WAY_TIMESTAMP;
      set_target(column, column->format.zone ? "ts?" : "tsu:", column->format.unit == 1000000);
      return true;
    case ARROW_DURATION:
      column->way = WAY_DURATION;
      set_target(column, "tDu", column->format.unit == 1000000);
      return true;
    case ARROW_TIME:
      column->way = WAY_TIME;
      set_target(column, "u", false);
      return true;
    case ARROW_INTERVAL_MONTH_DAY_NANO:
      column->way = WAY_INTERVAL;
      set_target(column, "tDu", false);
      return true;
    case ARROW_LIST:
    case ARROW_LARGE_LIST:
    case ARROW_FIXED_LIST:
      column->way = column->format.kind == ARROW_LIST         ? WAY_LIST
                    : column->format.kind == ARROW_LARGE_LIST ? WAY_LARGE_LIST
                                                              : WAY_FIXED_LIST;
      set_target(column, "+l", column->way == WAY_LIST);
      return column->schema->n_children == 1 ? add_children(column, failure) : unsupported(failure, column->schema);
    case ARROW_STRUCT:
      column->way = WAY_STRUCT;
      set_target(column, "+s", true);
      return add_children(column, failure);
    case ARROW_MAP:
      column->way = WAY_MAP;
      set_target(column, "+m", true);
      if (column->schema->n_children != 1 || column->schema->children[0]->n_children != 2) break;
      return add_children(column, failure);
    default: return plan_unknown(column, failure);
  }
  return unsupported(failure, column->schema);
}

struct convert_column *convert_column_new(const struct ArrowSchema *schema, struct failure *failure) {
  struct convert_column *column = wh_new(1, sizeof *column);
  column->schema = schema;
  column->format = arrow_format_parse(schema->format);
  bool good;
  if (!schema->format) {
    good = unsupported(failure, schema);
  } else if (schema->dictionary) {
    column->way = WAY_DICTIONARY;
    column->dictionary = convert_column_new(schema->dictionary, failure);
    good = column->dictionary != NULL;
    if (good) set_target(column, column->dictionary->target, false);
    if (good && column->dictionary->child_count) good = unsupported(failure, schema);
  } else {
    good = plan(column, failure);
  }
  if (good) return column;
  convert_column_free(column);
  return NULL;
}

void convert_column_free(struct convert_column *column) {
  if (!column) return;
  convert_column_free(column->dictionary);
  for (int64_t i = 0; i < column->child_count; i++) convert_column_free(column->children[i]);
  free(column->children);
  free(column);
}

/* ---- Reading the engine's arrays -------------------------------------------------------------------------------------------------- */

static bool is_null(const struct convert_column *column, const struct ArrowArray *array, int64_t row) {
  if (column->way == WAY_NULL) return true;
  if (column->way == WAY_UNION || array->n_buffers == 0) return false;
  const uint8_t *validity = array->buffers[0];
  int64_t bit = row + array->offset;
  return validity && !(validity[bit >> 3] >> (bit & 7) & 1);
}

static const uint8_t *fixed_at(const struct ArrowArray *array, int64_t row, size_t width) {
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
  if (column->way == WAY_FIXED_BYTES) return slice_of(fixed_at(array, row, (size_t)column->format.width), (size_t)column->format.width);
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

struct interval {
  int32_t months, days;
  int64_t nanos;
};
static struct interval interval_at(const struct ArrowArray *array, int64_t row) {
  struct interval value;
  const uint8_t *at = fixed_at(array, row, 16);
  memcpy(&value.months, at, 4);
  memcpy(&value.days, at + 4, 4);
  memcpy(&value.nanos, at + 8, 8);
  return value;
}

/* ---- Intervals ------------------------------------------------------------------------------------------------------------------ */

bool convert_needs_values(const struct convert_column *column) {
  if (column->way == WAY_INTERVAL) return true;
  if (column->way == WAY_UNION) return false;
  for (int64_t i = 0; i < column->child_count; i++) {
    if (convert_needs_values(column->children[i])) return true;
  }
  return false;
}

void convert_look(struct convert_column *column, const struct ArrowArray *array) {
  if (column->way == WAY_INTERVAL) {
    for (int64_t row = 0; row < array->length; row++) {
      if (is_null(column, array, row)) continue;
      struct interval value = interval_at(array, row);
      column->saw_months = column->saw_months || value.months;
      column->saw_time = column->saw_time || value.days || value.nanos;
    }
    return;
  }
  if (column->way == WAY_UNION) return;
  for (int64_t i = 0; i < column->child_count; i++) convert_look(column->children[i], array->children[i]);
}

/* ---- The plain schema ------------------------------------------------------------------------------------------------------------- */

static const char *child_name(const struct convert_column *column, int64_t i, char unnamed[24]) {
  const char *name = column->schema->children[i]->name;
  if (column->target[1] == 'l') return "element";
  if (column->target[1] == 'm') return "entries";
  if (name && *name) return name;
  snprintf(unnamed, 24, "col%lld", (long long)i + 1);
  return unnamed;
}

bool convert_schema(struct convert_column *column, const char *name, const char *zone, struct ArrowSchema *out, struct failure *failure) {
  dbsql_error *error = NULL;
  char unnamed[24];
  if (strcmp(column->target, "ts?") == 0) {
    char *format = wh_print("tsu:%s", zone);
    set_target(column, format, column->plain);
    free(format);
  }
  if (column->way == WAY_INTERVAL && column->saw_months) set_target(column, column->saw_time ? "u" : "tiM", false);
  bool nested = column->target[0] == '+';
  if (arrow_schema_make(out, column->target, name, ARROW_FLAG_NULLABLE, nested ? column->child_count : 0, &error) != DBSQL_OK)
    return failure_from_library(failure, &error);
  if (column->dictionary) {
    struct ArrowSchema unused = {0};
    if (!convert_schema(column->dictionary, name, zone, &unused, failure)) goto failed;
    unused.release(&unused);
  }
  for (int64_t i = 0; i < column->child_count; i++) {
    struct ArrowSchema child = {0};
    if (!convert_schema(column->children[i], nested ? child_name(column, i, unnamed) : "", zone, &child, failure)) goto failed;
    if (nested) {
      *out->children[i] = child;
    } else {
      child.release(&child);
    }
  }
  if (column->way == WAY_MAP) {
    struct ArrowSchema *entries = out->children[0];
    static const char *const names[] = {"key", "value"};
    for (int i = 0; i < 2; i++) {
      struct ArrowSchema again = {0};
      if (!convert_schema(column->children[0]->children[i], names[i], zone, &again, failure)) goto failed;
      entries->children[i]->release(entries->children[i]);
      *entries->children[i] = again;
    }
    entries->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
    entries->children[0]->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
  }
  return true;

failed:
  if (out->release) out->release(out);
  return false;
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
  struct interval value = interval_at(array, row);
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
  if (is_null(column, array, row)) {
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
      const uint8_t *at = fixed_at(array, row, (size_t)column->format.width);
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
    if (!is_null(column, array, row) && !decimal_fits(fixed_at(array, row, 16))) return false;
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
