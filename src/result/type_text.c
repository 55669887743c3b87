#include "result/type_text.h"

#include <stdio.h>

#include "arrow/builder.h"
#include "base/error.h"
#include "base/text.h"
#include "result/result_schema.h"

/* ---- reading ---- */

struct reading {
  struct slice text;
  size_t at;
  struct arena *arena;
  dbsql_error **error;
};

static dbsql_status wrong(const struct reading *in, const char *what) {
  size_t left = in->text.size - in->at;
  return error_set(in->error, DBSQL_ERROR_DRIVER, "HY000", "the type \"%.*s\": %s at position %zu, not \"%.*s\"",
                   (int)(in->text.size < 200 ? in->text.size : 200), (const char *)in->text.data, what, in->at,
                   (int)(left < 40 ? left : 40), (const char *)in->text.data + in->at);
}

static char peek(const struct reading *in) {
  return in->at < in->text.size ? (char)in->text.data[in->at] : '\0';
}

static void skip_space(struct reading *in) {
  while (in->at < in->text.size && text_is_space(peek(in))) in->at++;
}

static bool accept(struct reading *in, char c) {
  skip_space(in);
  if (in->at >= in->text.size || peek(in) != c) return false;
  in->at++;
  return true;
}

static bool is_word_byte(char c) {
  return text_is_alpha(c) || text_is_digit(c) || c == '_';
}

static struct slice peek_word(struct reading *in) {
  skip_space(in);
  size_t end = in->at;
  while (end < in->text.size && is_word_byte((char)in->text.data[end])) end++;
  return slice_of(in->text.data + in->at, end - in->at);
}

static bool is_word(struct slice word, const char *text) {
  return text_equal_nocase_n((const char *)word.data, word.size, text, strlen(text));
}

static bool accept_word(struct reading *in, const char *text) {
  struct slice word = peek_word(in);
  if (!is_word(word, text)) return false;
  in->at += word.size;
  return true;
}

static bool read_number(struct reading *in, int32_t *number) {
  struct slice word = peek_word(in);
  int64_t wide;
  if (word.size == 0 || !text_is_digit((char)word.data[0]) || !text_parse_int64((const char *)word.data, word.size, &wide) ||
      wide > INT32_MAX) {
    return false;
  }
  in->at += word.size;
  *number = (int32_t)wide;
  return true;
}

static const char *keep_upper(struct reading *in, struct slice text) {
  char *copy = arena_strndup(in->arena, (const char *)text.data, text.size);
  for (char *c = copy; c && *c; c++) {
    if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 32);
  }
  return copy;
}

static dbsql_status read_type(struct reading *in, int depth, struct sql_type *type);

/* The child list has room for the next power of two. */
static dbsql_status add_child(struct reading *in, struct sql_type *type, struct sql_type **child) {
  size_t count = type->child_count;
  *child = arena_alloc(in->arena, 1, sizeof **child);
  if (!*child) return error_no_memory(in->error);
  if ((count & (count - 1)) == 0) {
    struct sql_type **grown = arena_alloc(in->arena, count ? count * 2 : 1, sizeof *grown);
    if (!grown) return error_no_memory(in->error);
    if (count) memcpy(grown, type->children, count * sizeof *grown);
    type->children = grown;
  }
  type->children[type->child_count++] = *child;
  return DBSQL_OK;
}

/* A name in back-ticks, or what stands before the colon: Spark does not always quote (thrift.md 2.4). */
static dbsql_status read_field_name(struct reading *in, const char **name) {
  skip_space(in);
  if (peek(in) == '`') {
    struct buf text = BUF_INIT;
    in->at++;
    while (in->at < in->text.size && (peek(in) != '`' || (in->at + 1 < in->text.size && in->text.data[in->at + 1] == '`'))) {
      if (peek(in) == '`') in->at++;
      buf_append_byte(&text, in->text.data[in->at++]);
    }
    bool closed = in->at < in->text.size;
    in->at++;
    *name = closed && !buf_failed(&text) ? arena_strndup(in->arena, text.size ? (const char *)text.data : "", text.size) : NULL;
    buf_free(&text);
    if (!closed) {
      in->at = in->text.size;
      return wrong(in, "a back-tick was expected");
    }
  } else {
    size_t start = in->at;
    while (in->at < in->text.size && peek(in) != ':' && peek(in) != '<' && peek(in) != '>') in->at++;
    size_t end = in->at;
    while (end > start && text_is_space((char)in->text.data[end - 1])) end--;
    if (peek(in) != ':' || end == start) {
      in->at = start;
      return wrong(in, "the name of a field and a colon were expected");
    }
    *name = arena_strndup(in->arena, (const char *)in->text.data + start, end - start);
  }
  return *name ? DBSQL_OK : error_no_memory(in->error);
}

/* 'text' or "text" with the escapes of SQL: what it says is of no use here. */
static dbsql_status skip_string(struct reading *in) {
  skip_space(in);
  char quote = peek(in);
  if (quote != '\'' && quote != '"') return wrong(in, "a text was expected");
  in->at++;
  while (in->at < in->text.size && peek(in) != quote) in->at += peek(in) == '\\' ? 2 : 1;
  if (in->at >= in->text.size) {
    in->at = in->text.size;
    return wrong(in, "the end of a text was expected");
  }
  in->at++;
  return DBSQL_OK;
}

static dbsql_status read_fields(struct reading *in, int depth, struct sql_type *type) {
  if (accept(in, '>')) return DBSQL_OK;
  for (;;) {
    struct sql_type *field;
    skip_space(in);
    if (in->text.size - in->at >= 3 && memcmp(in->text.data + in->at, "...", 3) == 0) {
      type->abbreviated = true;
      while (in->at < in->text.size && peek(in) != '>') in->at++;
      return accept(in, '>') ? DBSQL_OK : wrong(in, "'>' was expected");
    }
    const char *name = NULL;
    dbsql_status status = read_field_name(in, &name);
    if (status != DBSQL_OK) return status;
    accept(in, ':');
    status = add_child(in, type, &field);
    if (status == DBSQL_OK) status = read_type(in, depth + 1, field);
    if (status != DBSQL_OK) return status;
    field->name = name;
    if (accept_word(in, "NOT")) {
      if (!accept_word(in, "NULL")) return wrong(in, "NULL was expected");
      field->not_null = true;
    }
    if (accept_word(in, "COMMENT")) {
      status = skip_string(in);
      if (status != DBSQL_OK) return status;
    }
    if (accept(in, '>')) return DBSQL_OK;
    if (!accept(in, ',')) return wrong(in, "',' or '>' was expected");
  }
}

static dbsql_status read_nested(struct reading *in, int depth, struct sql_type *type) {
  if (!accept(in, '<')) return DBSQL_OK; /* the bare word */
  if (type->type == DBSQL_TYPE_STRUCT) return read_fields(in, depth, type);
  size_t count = type->type == DBSQL_TYPE_MAP ? 2 : 1;
  for (size_t i = 0; i < count; i++) {
    struct sql_type *child;
    if (i > 0 && !accept(in, ',')) return wrong(in, "',' was expected");
    dbsql_status status = add_child(in, type, &child);
    if (status == DBSQL_OK) status = read_type(in, depth + 1, child);
    if (status != DBSQL_OK) return status;
  }
  return accept(in, '>') ? DBSQL_OK : wrong(in, "'>' was expected");
}

/* INTERVAL alone, or with a unit, or with two. */
static dbsql_status read_interval(struct reading *in, struct sql_type *type) {
  static const char *const units[] = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"};
  size_t found[2];
  size_t count = 0;
  for (; count < 2; count++) {
    size_t at = in->at;
    if (count == 1 && !accept_word(in, "TO")) break;
    size_t unit = 0;
    while (unit < 6 && !accept_word(in, units[unit])) unit++;
    if (unit == 6) {
      if (count == 1) return wrong(in, "a unit of time was expected");
      in->at = at;
      break;
    }
    found[count] = unit;
  }
  char text[64];
  if (count == 2 && (found[1] <= found[0] || (found[0] < 2) != (found[1] < 2))) return wrong(in, "an interval that exists was expected");
  int size = count == 0   ? snprintf(text, sizeof text, "INTERVAL")
             : count == 1 ? snprintf(text, sizeof text, "INTERVAL %s", units[found[0]])
                          : snprintf(text, sizeof text, "INTERVAL %s TO %s", units[found[0]], units[found[1]]);
  type->type = count != 0 && found[0] < 2 ? DBSQL_TYPE_INTERVAL_YEAR_MONTH : DBSQL_TYPE_INTERVAL_DAY_TIME;
  if (count == 0) type->type = DBSQL_TYPE_STRING; /* the old interval of months, days and fractions travels as text */
  type->keyword = arena_strndup(in->arena, text, (size_t)size);
  return type->keyword ? DBSQL_OK : error_no_memory(in->error);
}

static dbsql_status read_decimal(struct reading *in, struct sql_type *type) {
  type->precision = 10; /* what DECIMAL alone means */
  if (!accept(in, '(')) return DBSQL_OK;
  if (!read_number(in, &type->precision)) return wrong(in, "the precision was expected");
  if (accept(in, ',') && !read_number(in, &type->scale)) return wrong(in, "the scale was expected");
  if (!accept(in, ')')) return wrong(in, "')' was expected");
  if (type->precision < 1 || type->precision > 38 || type->scale > type->precision)
    return wrong(in, "precision and scale up to 38 were expected");
  return DBSQL_OK;
}

/* "(4326)", "(ANY)" and the like belong to the name. */
static dbsql_status read_arguments(struct reading *in, size_t start, struct sql_type *type) {
  if (accept(in, '(')) {
    bool length = type->type == DBSQL_TYPE_STRING && !is_word(slice_text(type->keyword), "STRING");
    size_t from = in->at;
    if (length && (!read_number(in, &type->length) || type->length < 1)) return wrong(in, "a length was expected");
    if (!length) {
      while (in->at < in->text.size && peek(in) != ')' && peek(in) != '(' && peek(in) != '<' && peek(in) != '>') in->at++;
    }
    if (!accept(in, ')')) return wrong(in, "')' was expected");
    int64_t digits;
    if (type->type == DBSQL_TYPE_TIME && text_parse_int64((const char *)in->text.data + from, in->at - 1 - from, &digits) && digits >= 0 &&
        digits <= 9) {
      type->precision = (int32_t)digits;
    }
    type->keyword = keep_upper(in, slice_of(in->text.data + start, in->at - start));
  }
  if (type->type == DBSQL_TYPE_STRING && accept_word(in, "COLLATE")) {
    while (in->at < in->text.size && (is_word_byte(peek(in)) || text_is_space(peek(in)) || peek(in) == '.' || peek(in) == '`')) {
      struct slice word = peek_word(in);
      if (is_word(word, "NOT") || is_word(word, "COMMENT")) break;
      if (word.size == 0 && peek(in) != '.' && peek(in) != '`') break;
      in->at += word.size ? word.size : 1;
    }
  }
  return type->keyword ? DBSQL_OK : error_no_memory(in->error);
}

static dbsql_status read_type(struct reading *in, int depth, struct sql_type *type) {
  if (depth > sql_type_max_depth) return wrong(in, "no type nested so deeply was expected");
  struct slice word = peek_word(in);
  size_t start = in->at;
  if (word.size == 0 || text_is_digit((char)word.data[0])) return wrong(in, "the name of a type was expected");
  in->at += word.size;
  type->precision = -1;
  if (is_word(word, "INTERVAL")) return read_interval(in, type);
  int32_t precision, scale;
  type->type = sql_type_parse((const char *)word.data, word.size, &precision, &scale);
  if (is_word(word, "CHARACTER")) type->type = DBSQL_TYPE_STRING;
  /* Other words for the same: results write one of them. */
  const char *common = dbsql_type_name(type->type);
  bool own = type->type == DBSQL_TYPE_UNKNOWN || (type->type == DBSQL_TYPE_STRING && !is_word(word, "STRING"));
  type->keyword = own ? keep_upper(in, word) : common;
  if (!type->keyword) return error_no_memory(in->error);
  switch (type->type) {
    case DBSQL_TYPE_DECIMAL: return read_decimal(in, type);
    case DBSQL_TYPE_ARRAY:
    case DBSQL_TYPE_MAP:
    case DBSQL_TYPE_STRUCT: return read_nested(in, depth, type);
    default: return read_arguments(in, start, type);
  }
}

dbsql_status sql_type_read(struct slice text, struct arena *arena, struct sql_type **out, dbsql_error **error) {
  struct reading in = {text, 0, arena, error};
  if (text.size > sql_type_max_text) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the text of a type has %zu bytes; %d are the most", text.size, sql_type_max_text);
  }
  if (!utf8_is_valid(text.data, text.size, NULL) || (text.size && memchr(text.data, 0, text.size))) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the name of a type is not text");
  }
  struct sql_type *type = arena_alloc(arena, 1, sizeof *type);
  if (!type) return error_no_memory(error);
  dbsql_status status = read_type(&in, 0, type);
  if (status != DBSQL_OK) return status;
  skip_space(&in);
  if (in.at != text.size) return wrong(&in, "the end was expected");
  *out = type;
  return DBSQL_OK;
}

/* ---- writing ---- */

static void append_nested(struct buf *out, const struct sql_type *type) {
  buf_append_byte(out, '<');
  for (size_t i = 0; i < type->child_count; i++) {
    if (i > 0) buf_append_text(out, ", ");
    if (type->children[i]->name) {
      buf_append_text(out, type->children[i]->name);
      buf_append_text(out, ": ");
    }
    sql_type_append(out, type->children[i]);
  }
  if (type->abbreviated) buf_append_text(out, ", ...");
  buf_append_byte(out, '>');
}

void sql_type_append(struct buf *out, const struct sql_type *type) {
  buf_append_text(out, type->keyword);
  if (type->type == DBSQL_TYPE_DECIMAL) buf_printf(out, "(%d,%d)", (int)type->precision, (int)type->scale);
  bool nested = type->type == DBSQL_TYPE_ARRAY || type->type == DBSQL_TYPE_MAP || type->type == DBSQL_TYPE_STRUCT;
  if (nested && (type->child_count != 0 || type->abbreviated)) append_nested(out, type);
}

/* ---- as Arrow has it ---- */

bool sql_type_needs_zone(const struct sql_type *type) {
  if (type->type == DBSQL_TYPE_TIMESTAMP) return true;
  for (size_t i = 0; i < type->child_count; i++) {
    if (sql_type_needs_zone(type->children[i])) return true;
  }
  return false;
}

static bool is_nested(const struct sql_type *type) {
  return type->type == DBSQL_TYPE_ARRAY || type->type == DBSQL_TYPE_MAP || type->type == DBSQL_TYPE_STRUCT;
}

/* Of a column of Thrift (results.md 1.4). */
static const char *carrier(const struct sql_type *type) {
  switch (type->type) {
    case DBSQL_TYPE_BOOLEAN: return "b";
    case DBSQL_TYPE_TINYINT: return "c";
    case DBSQL_TYPE_SMALLINT: return "s";
    case DBSQL_TYPE_INT: return "i";
    case DBSQL_TYPE_BIGINT: return "l";
    case DBSQL_TYPE_FLOAT: return "f";
    case DBSQL_TYPE_DOUBLE: return "g";
    case DBSQL_TYPE_BINARY: return "z";
    default: return "u";
  }
}

/* The format of a value in a native array; `buffer` holds it where it has parameters. */
static const char *native_format(const struct sql_type *type, const char *zone, char *buffer, size_t size) {
  switch (type->type) {
    case DBSQL_TYPE_VOID: return "n";
    case DBSQL_TYPE_DECIMAL: snprintf(buffer, size, "d:%d,%d", (int)type->precision, (int)type->scale); return buffer;
    case DBSQL_TYPE_DATE: return "tdD";
    case DBSQL_TYPE_TIMESTAMP: snprintf(buffer, size, "tsu:%s", zone ? zone : ""); return buffer;
    case DBSQL_TYPE_TIMESTAMP_NTZ: return "tsu:";
    case DBSQL_TYPE_INTERVAL_YEAR_MONTH: return "tiM";
    case DBSQL_TYPE_INTERVAL_DAY_TIME: return "tDu";
    case DBSQL_TYPE_ARRAY: return "+l";
    case DBSQL_TYPE_MAP: return "+m";
    case DBSQL_TYPE_STRUCT: return "+s";
    default: return carrier(type); /* text for VARIANT and everything that is new */
  }
}

static bool travels_as_text(const struct sql_type *type, const struct sql_type_shape *shape) {
  switch (type->type) {
    case DBSQL_TYPE_TIMESTAMP:
    case DBSQL_TYPE_TIMESTAMP_NTZ: return !shape->native_timestamp;
    case DBSQL_TYPE_DECIMAL: return !shape->native_decimal;
    case DBSQL_TYPE_ARRAY:
    case DBSQL_TYPE_MAP:
    case DBSQL_TYPE_STRUCT: return !shape->native_complex;
    case DBSQL_TYPE_INTERVAL_YEAR_MONTH:
    case DBSQL_TYPE_INTERVAL_DAY_TIME: return !shape->native_interval;
    case DBSQL_TYPE_VOID: return !shape->native_null;
    default: return false;
  }
}

static dbsql_status make_native(const struct sql_type *type, const char *name, int64_t flags, const struct sql_type_shape *shape,
                                struct ArrowSchema *out, dbsql_error **error) {
  char buffer[128];
  size_t expected = type->type == DBSQL_TYPE_ARRAY ? 1 : type->type == DBSQL_TYPE_MAP ? 2 : type->child_count;
  out->release = NULL;
  if (is_nested(type) && (type->abbreviated || type->child_count != expected)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the server does not tell all of the type %s", type->keyword);
  }
  if (type->type == DBSQL_TYPE_TIMESTAMP && shape->zone && strlen(shape->zone) > 100) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the name of the session's time zone is too long");
  }
  const char *format = native_format(type, shape->zone, buffer, sizeof buffer);
  bool map = type->type == DBSQL_TYPE_MAP;
  dbsql_status status = arrow_schema_make(out, format, name, flags, map ? 1 : (int64_t)type->child_count, error);
  struct ArrowSchema *parent = out;
  if (status == DBSQL_OK && map) {
    parent = out->children[0];
    status = arrow_schema_make(parent, "+s", "entries", 0, 2, error);
  }
  for (size_t i = 0; status == DBSQL_OK && i < type->child_count; i++) {
    const char *child = map ? (i == 0 ? "key" : "value") : type->type == DBSQL_TYPE_ARRAY ? "element" : type->children[i]->name;
    int64_t child_flags = (map && i == 0) || type->children[i]->not_null ? 0 : ARROW_FLAG_NULLABLE;
    status = make_native(type->children[i], child, child_flags, shape, parent->children[i], error);
  }
  if (status != DBSQL_OK && out->release) out->release(out);
  if (status != DBSQL_OK) out->release = NULL;
  return status;
}

/* What Thrift can say of it: parts of nested types and kinds of intervals get lost there, and here then too. */
static void append_columnar(struct buf *out, const struct sql_type *type, const struct sql_type_shape *shape) {
  bool interval = type->type == DBSQL_TYPE_INTERVAL_YEAR_MONTH || type->type == DBSQL_TYPE_INTERVAL_DAY_TIME;
  if ((interval && !shape->native_interval) || (type->type == DBSQL_TYPE_VOID && !shape->native_null)) {
    buf_append_text(out, "STRING"); /* Databricks says no more of them where they are not asked for as what they are */
    return;
  }
  switch (type->type) {
    case DBSQL_TYPE_ARRAY:
    case DBSQL_TYPE_MAP:
    case DBSQL_TYPE_STRUCT:
    case DBSQL_TYPE_INTERVAL_YEAR_MONTH:
    case DBSQL_TYPE_INTERVAL_DAY_TIME: buf_append_text(out, dbsql_type_name(type->type)); return;
    case DBSQL_TYPE_TIMESTAMP_NTZ: buf_append_text(out, "TIMESTAMP"); return;
    case DBSQL_TYPE_UNKNOWN:
    case DBSQL_TYPE_VARIANT:
    case DBSQL_TYPE_OBJECT:
    case DBSQL_TYPE_GEOMETRY:
    case DBSQL_TYPE_GEOGRAPHY:
    case DBSQL_TYPE_TIME: buf_append_text(out, "STRING"); return;
    case DBSQL_TYPE_STRING: buf_append_text(out, type->length > 0 ? type->keyword : "STRING"); return;
    default: sql_type_append(out, type); return;
  }
}

dbsql_status sql_type_to_arrow(const struct sql_type *type, const char *name, const struct sql_type_shape *shape,
                               struct ArrowSchema *schema, dbsql_error **error) {
  struct buf text = BUF_INIT;
  dbsql_status status;
  schema->release = NULL;
  if (shape->columnar) {
    append_columnar(&text, type, shape);
    status = arrow_schema_make(schema, carrier(type), name, ARROW_FLAG_NULLABLE, 0, error);
  } else {
    sql_type_append(&text, type);
    status = travels_as_text(type, shape) ? arrow_schema_make(schema, "u", name, ARROW_FLAG_NULLABLE, 0, error)
                                          : make_native(type, name, ARROW_FLAG_NULLABLE, shape, schema, error);
  }
  const char *said = buf_text(&text);
  const char *const pairs[] = {"Spark:DataType:SqlName", said, NULL};
  if (status == DBSQL_OK) status = said ? arrow_schema_set_metadata(schema, pairs, error) : error_no_memory(error);
  if (status != DBSQL_OK && schema->release) schema->release(schema);
  if (status != DBSQL_OK) schema->release = NULL;
  buf_free(&text);
  return status;
}
