#include "result/columnar.h"

#include "arrow/builder.h"
#include "base/error.h"

/* The values and the bitmap of a column, whatever carries them. */
struct carrier {
  const char *name; /* NULL: the union is empty */
  const struct thrift_raw_list *values;
  struct slice nulls;
};

static struct carrier carrier_of(const struct TColumn *column) {
  if (column->boolVal) return (struct carrier){"boolVal", &column->boolVal->values, column->boolVal->nulls};
  if (column->byteVal) return (struct carrier){"byteVal", &column->byteVal->values, column->byteVal->nulls};
  if (column->i16Val) return (struct carrier){"i16Val", &column->i16Val->values, column->i16Val->nulls};
  if (column->i32Val) return (struct carrier){"i32Val", &column->i32Val->values, column->i32Val->nulls};
  if (column->i64Val) return (struct carrier){"i64Val", &column->i64Val->values, column->i64Val->nulls};
  if (column->doubleVal) return (struct carrier){"doubleVal", &column->doubleVal->values, column->doubleVal->nulls};
  if (column->stringVal) return (struct carrier){"stringVal", &column->stringVal->values, column->stringVal->nulls};
  if (column->binaryVal) return (struct carrier){"binaryVal", &column->binaryVal->values, column->binaryVal->nulls};
  return (struct carrier){NULL, NULL, {NULL, 0}};
}

dbsql_status columnar_row_count(const struct TRowSet *rows, int64_t *count, dbsql_error **error) {
  *count = 0;
  bool known = false;
  for (uint32_t i = 0; i < rows->columns.count; i++) {
    struct carrier carrier = carrier_of(&rows->columns.items[i]);
    if (!carrier.name) continue;
    if (known && carrier.values->count != *count) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the page's columns disagree: column %u has %u rows, those before it have %lld",
                       i, carrier.values->count, (long long)*count);
    }
    known = true;
    *count = carrier.values->count;
  }
  return DBSQL_OK;
}

/* The bitmap may be shorter than the column: what is not there is not null (thrift.md 4.4). */
static bool is_null(struct slice nulls, uint32_t i) {
  return i / 8 < nulls.size && (nulls.data[i / 8] >> (i % 8) & 1);
}

/* Appends an integer to a column of `format`, if it fits there. */
static bool append_integer(struct arrow_builder *builder, char format, int64_t value) {
  switch (format) {
    case 'c': {
      int8_t narrow = (int8_t)value;
      arrow_builder_append_fixed(builder, &narrow);
      return narrow == value;
    }
    case 's': {
      int16_t narrow = (int16_t)value;
      arrow_builder_append_fixed(builder, &narrow);
      return narrow == value;
    }
    case 'i': {
      int32_t narrow = (int32_t)value;
      arrow_builder_append_fixed(builder, &narrow);
      return narrow == value;
    }
    default: arrow_builder_append_fixed(builder, &value); return true;
  }
}

static void append_double(struct arrow_builder *builder, char format, double value) {
  if (format == 'f') {
    float narrow = (float)value; /* FLOAT travels as a double that a float gave: nothing is lost */
    arrow_builder_append_fixed(builder, &narrow);
  } else {
    arrow_builder_append_fixed(builder, &value);
  }
}

/* Which values may a carrier bring into a column of this Arrow format? */
static bool can_carry(uint8_t element_type, const char *carrier, const char *format) {
  if (format[1] != 0) return false;
  switch (format[0]) {
    case 'b': return element_type == THRIFT_BOOL;
    case 'c':
    case 's':
    case 'i':
    case 'l': return element_type == THRIFT_BYTE || element_type == THRIFT_I16 || element_type == THRIFT_I32 || element_type == THRIFT_I64;
    case 'f':
    case 'g': return element_type == THRIFT_DOUBLE;
    case 'u': return strcmp(carrier, "stringVal") == 0;
    case 'z': return element_type == THRIFT_STRING;
    case 'n': return true;
    default: return false;
  }
}

/* ---- a column in straight loops: from big-endian elements to the machine's own ---- */

static void copy_16(const struct thrift_raw_list *from, void *to) {
  int16_t *values = to;
  for (uint32_t i = 0; i < from->count; i++) values[i] = raw_list_i16_at(from, i);
}

static void copy_32(const struct thrift_raw_list *from, void *to) {
  int32_t *values = to;
  for (uint32_t i = 0; i < from->count; i++) values[i] = raw_list_i32_at(from, i);
}

static void copy_64(const struct thrift_raw_list *from, void *to) {
  int64_t *values = to;
  for (uint32_t i = 0; i < from->count; i++) values[i] = raw_list_i64_at(from, i);
}

/* FLOAT travels as a double that a float gave: nothing is lost. */
static void narrow_doubles(const struct thrift_raw_list *from, void *to) {
  float *values = to;
  for (uint32_t i = 0; i < from->count; i++) values[i] = (float)raw_list_double_at(from, i);
}

static void pack_bools(const struct thrift_raw_list *from, void *to) {
  uint8_t *bits = to;
  for (uint32_t i = 0; i < from->count; i++) bits[i / 8] = (uint8_t)(bits[i / 8] | (unsigned)raw_list_bool_at(from, i) << (i % 8));
}

static int64_t integer_at(const struct thrift_raw_list *list, uint32_t i) {
  switch (list->element_type) {
    case THRIFT_BYTE: return raw_list_byte_at(list, i);
    case THRIFT_I16: return raw_list_i16_at(list, i);
    case THRIFT_I32: return raw_list_i32_at(list, i);
    default: return raw_list_i64_at(list, i);
  }
}

/* The carrier has another width than the column: one by one, and each must fit. */
static dbsql_status convert_integers(struct arrow_builder *builder, const struct carrier *carrier, uint32_t number, dbsql_error **error) {
  const struct ArrowSchema *schema = builder->schema;
  for (uint32_t i = 0; i < carrier->values->count; i++) {
    if (is_null(carrier->nulls, i)) {
      arrow_builder_append_null(builder);
      continue;
    }
    int64_t value = integer_at(carrier->values, i);
    if (append_integer(builder, schema->format[0], value)) continue;
    return error_set(error, DBSQL_ERROR_DRIVER, "22003", "column %u (%s), row %u of the page: %lld does not fit into Arrow type \"%s\"",
                     number, schema->name, i, (long long)value, schema->format);
  }
  return DBSQL_OK;
}

/* What stands in the place of a NULL is left out. */
static void fill_texts(struct arrow_builder *builder, const struct carrier *carrier) {
  size_t size = carrier->values->bytes.size - (size_t)carrier->values->count * 4;
  int32_t *offsets;
  uint8_t *data;
  if (!arrow_builder_fill_bytes(builder, carrier->values->count, size, &offsets, &data)) return;
  struct raw_list_cursor strings = raw_list_strings(carrier->values);
  struct slice text = {NULL, 0};
  size_t at = 0;
  for (uint32_t i = 0; raw_list_next_string(&strings, &text); i++) {
    if (text.size != 0 && !is_null(carrier->nulls, i)) {
      memcpy(data + at, text.data, text.size);
      at += text.size;
    }
    offsets[i + 1] = (int32_t)at;
  }
  builder->data.size = at;
}

static dbsql_status append_column(struct arrow_builder *builder, const struct TColumn *column, uint32_t number, int64_t count,
                                  dbsql_error **error) {
  const struct ArrowSchema *schema = builder->schema;
  struct carrier carrier = carrier_of(column);
  if (!carrier.name) {
    /* A carrier that we do not know, or none: not a single value can be told. */
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "column %u (%s): the server sent no values that this version can read", number,
                     schema->name);
  }
  if (!can_carry(carrier.values->element_type, carrier.name, schema->format)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "column %u (%s): the server sent %s for a column of Arrow type \"%s\"", number,
                     schema->name, carrier.name, schema->format);
  }
  if (schema->format[0] == 'n') {
    for (int64_t i = 0; i < count; i++) arrow_builder_append_null(builder);
    return DBSQL_OK;
  }
  void (*copy)(const struct thrift_raw_list *from, void *to) = NULL;
  switch (schema->format[0]) {
    case 'b': copy = pack_bools; break;
    case 'f': copy = narrow_doubles; break;
    case 'g': copy = copy_64; break;
    case 'u':
    case 'z': fill_texts(builder, &carrier); break;
    case 's':
      if (carrier.values->element_type == THRIFT_I16) copy = copy_16;
      break;
    case 'i':
      if (carrier.values->element_type == THRIFT_I32) copy = copy_32;
      break;
    case 'l':
      if (carrier.values->element_type == THRIFT_I64) copy = copy_64;
      break;
    default: break;
  }
  if (copy) {
    void *values = arrow_builder_fill_fixed(builder, count);
    if (values) copy(carrier.values, values);
  } else if (schema->format[0] != 'u' && schema->format[0] != 'z') {
    return convert_integers(builder, &carrier, number, error);
  }
  arrow_builder_mark_nulls(builder, carrier.nulls);
  return DBSQL_OK;
}

/* One cell of the row-based form. */
static dbsql_status append_value(struct arrow_builder *builder, const struct TColumnValue *value, uint32_t number, dbsql_error **error) {
  const struct ArrowSchema *schema = builder->schema;
  char format = schema->format[1] == 0 ? schema->format[0] : 0;
  bool integer = (value->byteVal && value->byteVal->has_value) || (value->i16Val && value->i16Val->has_value) ||
                 (value->i32Val && value->i32Val->has_value) || (value->i64Val && value->i64Val->has_value);
  if (value->boolVal && value->boolVal->has_value && format == 'b') {
    arrow_builder_append_bool(builder, value->boolVal->value);
  } else if (integer && format != 0 && strchr("csil", format)) {
    int64_t wide = value->byteVal  ? value->byteVal->value
                   : value->i16Val ? value->i16Val->value
                   : value->i32Val ? value->i32Val->value
                                   : value->i64Val->value;
    if (!append_integer(builder, format, wide)) {
      return error_set(error, DBSQL_ERROR_DRIVER, "22003", "column %u (%s): %lld does not fit into Arrow type \"%s\"", number, schema->name,
                       (long long)wide, schema->format);
    }
  } else if (value->doubleVal && value->doubleVal->has_value && (format == 'f' || format == 'g')) {
    append_double(builder, format, value->doubleVal->value);
  } else if (value->stringVal && value->stringVal->has_value && (format == 'u' || format == 'z')) {
    arrow_builder_append_bytes(builder, value->stringVal->value);
  } else if (integer || (value->boolVal && value->boolVal->has_value) || (value->doubleVal && value->doubleVal->has_value) ||
             (value->stringVal && value->stringVal->has_value)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "column %u (%s): the server sent a value that does not fit Arrow type \"%s\"",
                     number, schema->name, schema->format);
  } else {
    arrow_builder_append_null(builder);
  }
  return DBSQL_OK;
}

static dbsql_status check_width(size_t got, const struct ArrowSchema *schema, dbsql_error **error) {
  if (got == (size_t)schema->n_children) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the page has %zu columns, the result %lld", got, (long long)schema->n_children);
}

static dbsql_status finish(struct arrow_builder *builder, int64_t count, struct ArrowArray *out, dbsql_error **error) {
  arrow_builder_fill_entries(builder, count);
  return arrow_builder_finish(builder, out, error);
}

dbsql_status columnar_to_arrow(const struct TRowSet *rows, const struct ArrowSchema *schema, struct ArrowArray *out, dbsql_error **error) {
  out->release = NULL;
  int64_t count;
  dbsql_status status = check_width(rows->columns.count, schema, error);
  if (status == DBSQL_OK) status = columnar_row_count(rows, &count, error);
  if (status != DBSQL_OK) return status;
  struct arrow_builder builder = {0};
  status = arrow_builder_init(&builder, schema, error);
  for (uint32_t i = 0; status == DBSQL_OK && i < rows->columns.count; i++) {
    status = append_column(&builder.children[i], &rows->columns.items[i], i, count, error);
  }
  if (status == DBSQL_OK) status = finish(&builder, count, out, error);
  arrow_builder_free(&builder);
  return status;
}

dbsql_status row_set_to_arrow(const struct TRowSet *rows, const struct ArrowSchema *schema, struct ArrowArray *out, dbsql_error **error) {
  out->release = NULL;
  struct arrow_builder builder = {0};
  dbsql_status status = arrow_builder_init(&builder, schema, error);
  for (uint32_t row = 0; status == DBSQL_OK && row < rows->rows.count; row++) {
    const struct TRow *cells = &rows->rows.items[row];
    status = check_width(cells->colVals.count, schema, error);
    for (uint32_t i = 0; status == DBSQL_OK && i < cells->colVals.count; i++) {
      status = append_value(&builder.children[i], &cells->colVals.items[i], i, error);
    }
  }
  if (status == DBSQL_OK) status = finish(&builder, rows->rows.count, out, error);
  arrow_builder_free(&builder);
  return status;
}
