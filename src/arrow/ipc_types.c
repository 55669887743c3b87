#include "arrow/ipc_types.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

const char *ipc_type_name(unsigned type) {
  static const char *const names[] = {
      "NONE",          "Null",     "Int",          "FloatingPoint", "Binary",    "Utf8",      "Bool",          "Decimal",
      "Date",          "Time",     "Timestamp",    "Interval",      "List",      "Struct",    "Union",         "FixedSizeBinary",
      "FixedSizeList", "Map",      "Duration",     "LargeBinary",   "LargeUtf8", "LargeList", "RunEndEncoded", "BinaryView",
      "Utf8View",      "ListView", "LargeListView"};
  return type < sizeof names / sizeof *names ? names[type] : "unknown";
}

/* A decimal number without a sign (a minus is allowed with `negative`) at *text; moves behind it. */
static bool take_number(const char **text, bool negative, int32_t *value) {
  const char *at = *text;
  bool minus = negative && *at == '-';
  if (minus) at++;
  int64_t number = 0;
  const char *first = at;
  for (; text_is_digit(*at); at++) {
    number = number * 10 + (*at - '0');
    if (number > INT32_MAX) return false;
  }
  if (at == first) return false;
  *value = (int32_t)(minus ? -number : number);
  *text = at;
  return true;
}

bool ipc_union_members(const char *format, int64_t n_children, int8_t child_of[128]) {
  memset(child_of, -1, 128);
  const char *at = format + 4; /* "+us:" or "+ud:" */
  int64_t count = 0;
  while (*at) {
    int32_t id;
    if (count == n_children || (count > 0 && *at++ != ',')) return false;
    if (!take_number(&at, false, &id) || id > 127 || child_of[id] >= 0) return false;
    child_of[id] = (int8_t)count++;
  }
  return count == n_children;
}

static void set(struct ipc_field *field, enum ipc_type type, enum ipc_layout layout, int width) {
  static const uint8_t buffers[] = {0, 2, 2, 3, 2, 1, 1, 1, 2};
  field->type = (uint8_t)type;
  field->layout = (uint8_t)layout;
  field->n_buffers = buffers[layout];
  field->width = width;
}

static void set_offsets(struct ipc_field *field, enum ipc_type type, enum ipc_layout layout, uint8_t offset_width) {
  set(field, type, layout, 0);
  field->offset_width = offset_width;
}

static int unit_of(char letter) {
  const char *units = "smun", *found = letter ? strchr(units, letter) : NULL;
  return found ? (int)(found - units) : -1;
}

/* Decimals: d:P,S or d:P,S,BITS. */
static bool parse_decimal(const char *format, struct ipc_field *field) {
  const char *at = format + 2;
  int32_t precision, scale, bits = 128;
  if (!take_number(&at, false, &precision) || *at++ != ',' || !take_number(&at, true, &scale)) return false;
  if (*at == ',' && (at++, !take_number(&at, false, &bits))) return false;
  if (*at || (bits != 32 && bits != 64 && bits != 128 && bits != 256)) return false;
  int32_t most = bits == 32 ? 9 : bits == 64 ? 18 : bits == 128 ? 38 : 76;
  if (precision < 1 || precision > most) return false;
  set(field, IPC_DECIMAL, IPC_LAYOUT_FIXED, bits / 8);
  field->precision = precision;
  field->scale = scale;
  return true;
}

/* Formats that begin with 't': dates, times, timestamps, durations, intervals. */
static bool parse_temporal(const char *format, struct ipc_field *field) {
  int unit = format[1] ? unit_of(format[2]) : -1;
  switch (format[1]) {
    case 'd':
      if ((format[2] != 'D' && format[2] != 'm') || format[3]) return false;
      set(field, IPC_DATE, IPC_LAYOUT_FIXED, format[2] == 'D' ? 4 : 8);
      field->unit = format[2] == 'm';
      return true;
    case 't':
      if (unit < 0 || format[3]) return false;
      set(field, IPC_TIME, IPC_LAYOUT_FIXED, unit < 2 ? 4 : 8);
      break;
    case 's':
      if (unit < 0 || format[3] != ':') return false;
      set(field, IPC_TIMESTAMP, IPC_LAYOUT_FIXED, 8);
      field->has_zone = format[4] != 0;
      break;
    case 'D':
      if (unit < 0 || format[3]) return false;
      set(field, IPC_DURATION, IPC_LAYOUT_FIXED, 8);
      break;
    case 'i':
      unit = format[2] == 'M' ? 0 : format[2] == 'D' ? 1 : format[2] == 'n' ? 2 : -1;
      if (unit < 0 || format[3]) return false;
      set(field, IPC_INTERVAL, IPC_LAYOUT_FIXED, 4 << unit);
      break;
    default: return false;
  }
  field->unit = (uint8_t)unit;
  return true;
}

/* Formats that begin with '+'. */
static bool parse_nested(const char *format, struct ipc_field *field) {
  const char *at = format + 3;
  int32_t number;
  switch (format[1]) {
    case 'l': set_offsets(field, IPC_LIST, IPC_LAYOUT_LIST, 4); return !format[2];
    case 'L': set_offsets(field, IPC_LARGE_LIST, IPC_LAYOUT_LIST, 8); return !format[2];
    case 'm': set_offsets(field, IPC_MAP, IPC_LAYOUT_LIST, 4); return !format[2];
    case 's': set(field, IPC_STRUCT, IPC_LAYOUT_STRUCT, 0); return !format[2];
    case 'w':
      if (format[2] != ':' || !take_number(&at, false, &number) || *at) return false;
      set(field, IPC_FIXED_SIZE_LIST, IPC_LAYOUT_FIXED_LIST, number);
      return true;
    case 'u':
      if ((format[2] != 's' && format[2] != 'd') || format[3] != ':') return false;
      set_offsets(field, IPC_UNION, format[2] == 's' ? IPC_LAYOUT_SPARSE : IPC_LAYOUT_DENSE, 4);
      return true;
    default: return false;
  }
}

static bool parse_format(const char *format, struct ipc_field *field) {
  static const char integers[] = "cCsSiIlL";
  const char *found = *format ? strchr(integers, *format) : NULL;
  if (found && !format[1]) {
    set(field, IPC_INT, IPC_LAYOUT_FIXED, 1 << (found - integers) / 2);
    field->is_signed = (found - integers) % 2 == 0;
    return true;
  }
  if (*format == '+') return parse_nested(format, field);
  if (*format == 't') return parse_temporal(format, field);
  if (format[0] == 'd' && format[1] == ':') return parse_decimal(format, field);
  if (format[0] == 'w' && format[1] == ':') {
    const char *at = format + 2;
    int32_t width;
    if (!take_number(&at, false, &width) || *at || width < 1 || width > IPC_MAX_WIDTH) return false;
    set(field, IPC_FIXED_SIZE_BINARY, IPC_LAYOUT_FIXED, width);
    return true;
  }
  if (*format == 0 || format[1]) return false;
  switch (*format) {
    case 'n': set(field, IPC_NULL, IPC_LAYOUT_NONE, 0); return true;
    case 'b': set(field, IPC_BOOL, IPC_LAYOUT_BITS, 0); return true;
    case 'e':
    case 'f':
    case 'g':
      field->unit = (uint8_t)(*format - 'e');
      set(field, IPC_FLOATING_POINT, IPC_LAYOUT_FIXED, 2 << field->unit);
      return true;
    case 'z': set_offsets(field, IPC_BINARY, IPC_LAYOUT_BYTES, 4); return true;
    case 'u': set_offsets(field, IPC_UTF8, IPC_LAYOUT_BYTES, 4); return true;
    case 'Z': set_offsets(field, IPC_LARGE_BINARY, IPC_LAYOUT_BYTES, 8); return true;
    case 'U': set_offsets(field, IPC_LARGE_UTF8, IPC_LAYOUT_BYTES, 8); return true;
    default: return false;
  }
}

dbsql_status ipc_field_error(const struct ipc_schema *schema, const struct ipc_field *field, dbsql_error **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  dbsql_status status = error_set_v(error, DBSQL_ERROR_DRIVER, NULL, format, args);
  va_end(args);
  if (field == schema->fields) return status;
  const struct ArrowSchema *column = schema->arrow.children[field->column];
  if (field->schema != column) error_prefix(error, "field \"%.100s\"", field->schema->name ? field->schema->name : "");
  error_prefix(error, "column %u \"%.100s\"", field->column + 1, column->name ? column->name : "");
  return status;
}

/* Counts the fields; false if there are too many or they nest too deep. */
static bool count_fields(const struct ArrowSchema *schema, int depth, uint32_t *count) {
  if (depth > IPC_MAX_DEPTH || *count >= IPC_MAX_FIELDS || schema->n_children < 0 || schema->n_children > IPC_MAX_FIELDS) return false;
  ++*count;
  for (int64_t i = 0; i < schema->n_children; i++)
    if (!count_fields(schema->children[i], depth + 1, count)) return false;
  return true;
}

static dbsql_status check_children(const struct ipc_schema *schema, const struct ipc_field *field, dbsql_error **error) {
  const struct ArrowSchema *arrow = field->schema;
  int64_t count = arrow->n_children;
  int8_t child_of[128];
  switch (field->layout) {
    case IPC_LAYOUT_STRUCT: return DBSQL_OK;
    case IPC_LAYOUT_SPARSE:
    case IPC_LAYOUT_DENSE:
      if (count <= IPC_MAX_UNION && ipc_union_members(arrow->format, count, child_of)) return DBSQL_OK;
      return ipc_field_error(schema, field, error, "Union: the type ids do not fit its %lld children", (long long)count);
    case IPC_LAYOUT_LIST:
    case IPC_LAYOUT_FIXED_LIST:
      if (count != 1)
        return ipc_field_error(schema, field, error, "%s must have one child, not %lld", ipc_type_name(field->type), (long long)count);
      if (field->type == IPC_MAP && (strcmp(arrow->children[0]->format, "+s") != 0 || arrow->children[0]->n_children != 2))
        return ipc_field_error(schema, field, error, "the child of a Map must be a Struct of a key and a value");
      return DBSQL_OK;
    default:
      if (count == 0) return DBSQL_OK;
      return ipc_field_error(schema, field, error, "%s must have no children", ipc_type_name(field->type));
  }
}

/* Fills the list from schema->n_fields on with `arrow` and what is below it. */
static dbsql_status add_field(struct ipc_schema *schema, const struct ArrowSchema *arrow, uint32_t column, dbsql_error **error) {
  uint32_t index = schema->n_fields++;
  struct ipc_field *field = &schema->fields[index];
  field->schema = arrow;
  field->column = column;
  field->n_children = (uint32_t)arrow->n_children;
  if (arrow->dictionary) return ipc_field_error(schema, field, error, "unsupported Arrow type Dictionary");
  if (!arrow->format || !parse_format(arrow->format, field))
    return ipc_field_error(schema, field, error, "unsupported Arrow type (format \"%.40s\")", arrow->format ? arrow->format : "");
  dbsql_status status = check_children(schema, field, error);
  if (index != 0) {
    schema->n_buffers += field->n_buffers;
    schema->n_unions += field->type == IPC_UNION;
  }
  for (uint32_t i = 0; i < field->n_children && status == DBSQL_OK; i++)
    status = add_field(schema, arrow->children[i], index == 0 ? i : column, error);
  field->next = schema->n_fields;
  return status;
}

dbsql_status ipc_schema_take(struct ArrowSchema *arrow, struct ipc_schema **out, dbsql_error **error) {
  dbsql_status status;
  uint32_t count = 0;
  *out = NULL;
  struct ipc_schema *schema = mem_alloc_zero(1, sizeof *schema);
  if (!schema) {
    arrow->release(arrow);
    return error_no_memory(error);
  }
  atomic_init(&schema->refs, 1);
  schema->arrow = *arrow;
  arrow->release = NULL;
  if (!count_fields(&schema->arrow, 0, &count)) {
    status = error_set(error, DBSQL_ERROR_DRIVER, NULL, "the schema has more than %d fields, or nests deeper than %d", IPC_MAX_FIELDS,
                       IPC_MAX_DEPTH);
    goto cleanup;
  }
  schema->fields = mem_alloc_zero(count, sizeof *schema->fields);
  if (!schema->fields) {
    status = error_no_memory(error);
    goto cleanup;
  }
  if (!schema->arrow.format || strcmp(schema->arrow.format, "+s") != 0) {
    status = error_set(error, DBSQL_ERROR_DRIVER, NULL, "the schema of a record batch must be a Struct (format \"+s\")");
    goto cleanup;
  }
  status = add_field(schema, &schema->arrow, 0, error);

cleanup:
  if (status == DBSQL_OK) {
    *out = schema;
    return DBSQL_OK;
  }
  schema->arrow.release(&schema->arrow);
  mem_free(schema->fields);
  mem_free(schema);
  return status;
}

bool ipc_schema_same_structure(const struct ipc_schema *a, const struct ipc_schema *b, const struct ipc_field **different) {
  *different = NULL;
  for (uint32_t i = 0; i < a->n_fields && i < b->n_fields; i++) {
    const struct ipc_field *x = &a->fields[i], *y = &b->fields[i];
    *different = x;
    if (x->type != y->type || x->layout != y->layout || x->n_children != y->n_children || x->width != y->width || x->unit != y->unit ||
        x->is_signed != y->is_signed || x->has_zone != y->has_zone || x->precision != y->precision || x->scale != y->scale)
      return false;
    if (x->type == IPC_UNION && strcmp(x->schema->format, y->schema->format) != 0) return false;
  }
  *different = NULL;
  return a->n_fields == b->n_fields;
}
