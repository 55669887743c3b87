#include "types.h"

#include <stdlib.h>
#include <string.h>

#include "arrow/column_format.h"
#include "base/text.h"
#include "thrift/tcli.h"

/* ---- From Arrow ----------------------------------------------------------------------------------------------------------------- */

static const char *name_of_scalar(const struct arrow_format *format, bool json) {
  switch (format->kind) {
    case ARROW_NULL: return json ? "void" : "VOID";
    case ARROW_BOOL: return json ? "boolean" : "BOOLEAN";
    case ARROW_INT8: return json ? "byte" : "TINYINT";
    case ARROW_INT16: return json ? "short" : "SMALLINT";
    case ARROW_INT32: return json ? "integer" : "INT";
    case ARROW_INT64: return json ? "long" : "BIGINT";
    case ARROW_FLOAT: return json ? "float" : "FLOAT";
    case ARROW_DOUBLE: return json ? "double" : "DOUBLE";
    case ARROW_BINARY: return json ? "binary" : "BINARY";
    case ARROW_DATE_DAY: return json ? "date" : "DATE";
    case ARROW_TIMESTAMP:
      if (format->zone) return json ? "timestamp" : "TIMESTAMP";
      return json ? "timestamp_ntz" : "TIMESTAMP_NTZ";
    case ARROW_DURATION: return json ? "interval day to second" : "INTERVAL DAY TO SECOND";
    case ARROW_INTERVAL_MONTH: return json ? "interval year to month" : "INTERVAL YEAR TO MONTH";
    default: return json ? "string" : "STRING";
  }
}

void type_append_sql_name(struct buf *out, const struct ArrowSchema *column) {
  struct arrow_format format = arrow_format_parse(column->format);
  switch (format.kind) {
    case ARROW_DECIMAL: buf_printf(out, "DECIMAL(%d,%d)", (int)format.precision, (int)format.scale); break;
    case ARROW_LIST:
      buf_append_text(out, "ARRAY<");
      type_append_sql_name(out, column->children[0]);
      buf_append_text(out, ">");
      break;
    case ARROW_MAP:
      buf_append_text(out, "MAP<");
      type_append_sql_name(out, column->children[0]->children[0]);
      buf_append_text(out, ", ");
      type_append_sql_name(out, column->children[0]->children[1]);
      buf_append_text(out, ">");
      break;
    case ARROW_STRUCT:
      buf_append_text(out, "STRUCT<");
      for (int64_t i = 0; i < column->n_children; i++) {
        buf_printf(out, "%s%s: ", i ? ", " : "", column->children[i]->name);
        type_append_sql_name(out, column->children[i]);
      }
      buf_append_text(out, ">");
      break;
    default: buf_append_text(out, name_of_scalar(&format, false));
  }
}

static void append_json_text(struct buf *out, const char *text) {
  buf_append_byte(out, '"');
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') {
      buf_append_byte(out, '\\');
      buf_append_byte(out, c);
    } else if (c < 0x20) {
      buf_printf(out, "\\u%04x", c);
    } else {
      buf_append_byte(out, c);
    }
  }
  buf_append_byte(out, '"');
}

static const char *json_bool(const struct ArrowSchema *column) {
  return column->flags & ARROW_FLAG_NULLABLE ? "true" : "false";
}

void type_append_json(struct buf *out, const struct ArrowSchema *column) {
  struct arrow_format format = arrow_format_parse(column->format);
  switch (format.kind) {
    case ARROW_DECIMAL: buf_printf(out, "\"decimal(%d,%d)\"", (int)format.precision, (int)format.scale); break;
    case ARROW_LIST:
      buf_append_text(out, "{\"type\":\"array\",\"elementType\":");
      type_append_json(out, column->children[0]);
      buf_printf(out, ",\"containsNull\":%s}", json_bool(column->children[0]));
      break;
    case ARROW_MAP:
      buf_append_text(out, "{\"type\":\"map\",\"keyType\":");
      type_append_json(out, column->children[0]->children[0]);
      buf_append_text(out, ",\"valueType\":");
      type_append_json(out, column->children[0]->children[1]);
      buf_printf(out, ",\"valueContainsNull\":%s}", json_bool(column->children[0]->children[1]));
      break;
    case ARROW_STRUCT:
      buf_append_text(out, "{\"type\":\"struct\",\"fields\":[");
      for (int64_t i = 0; i < column->n_children; i++) {
        buf_append_text(out, i ? ",{\"name\":" : "{\"name\":");
        append_json_text(out, column->children[i]->name);
        buf_append_text(out, ",\"type\":");
        type_append_json(out, column->children[i]);
        buf_printf(out, ",\"nullable\":%s,\"metadata\":{}}", json_bool(column->children[i]));
      }
      buf_append_text(out, "]}");
      break;
    default: buf_printf(out, "\"%s\"", name_of_scalar(&format, true));
  }
}

int32_t type_thrift_id(const struct ArrowSchema *column, int32_t *precision, int32_t *scale) {
  struct arrow_format format = arrow_format_parse(column->format);
  switch (format.kind) {
    case ARROW_NULL: return TTypeId_NULL_TYPE;
    case ARROW_BOOL: return TTypeId_BOOLEAN_TYPE;
    case ARROW_INT8: return TTypeId_TINYINT_TYPE;
    case ARROW_INT16: return TTypeId_SMALLINT_TYPE;
    case ARROW_INT32: return TTypeId_INT_TYPE;
    case ARROW_INT64: return TTypeId_BIGINT_TYPE;
    case ARROW_FLOAT: return TTypeId_FLOAT_TYPE;
    case ARROW_DOUBLE: return TTypeId_DOUBLE_TYPE;
    case ARROW_BINARY: return TTypeId_BINARY_TYPE;
    case ARROW_DATE_DAY: return TTypeId_DATE_TYPE;
    case ARROW_TIMESTAMP: return TTypeId_TIMESTAMP_TYPE;
    case ARROW_DURATION: return TTypeId_INTERVAL_DAY_TIME_TYPE;
    case ARROW_INTERVAL_MONTH: return TTypeId_INTERVAL_YEAR_MONTH_TYPE;
    case ARROW_LIST: return TTypeId_ARRAY_TYPE;
    case ARROW_MAP: return TTypeId_MAP_TYPE;
    case ARROW_STRUCT: return TTypeId_STRUCT_TYPE;
    case ARROW_DECIMAL:
      *precision = format.precision;
      *scale = format.scale;
      return TTypeId_DECIMAL_TYPE;
    default: return TTypeId_STRING_TYPE;
  }
}

/* ---- From the engine's own texts ------------------------------------------------------------------------------------------------ */

struct text_at {
  const char *at;
  int depth;
  bool simple; /* as DESCRIBE writes types: struct<a:int>, and not STRUCT<a: INT> */
};

/* Something of ours: in lower case and without blanks behind commas and colons, where types are written simply. */
static void append_word(struct buf *out, const struct text_at *in, const char *word) {
  for (; *word; word++) {
    bool separator = (*word == ',' || *word == ':') && word[1] == ' ';
    buf_append_byte(out, (uint8_t)(in->simple ? text_lower(*word) : *word));
    if (in->simple && separator) word++;
  }
}

static void skip_space(struct text_at *in) {
  while (*in->at == ' ') in->at++;
}

/* The end of something quoted that begins here. */
static const char *end_of_quoted(const char *at) {
  char quote = *at++;
  while (*at) {
    if (*at == quote) {
      if (at[1] != quote) return at + 1;
      at++;
    }
    at++;
  }
  return at;
}

/* Steps over "(...)" that begins here. */
static void skip_brackets(struct text_at *in) {
  int depth = 0;
  while (*in->at) {
    if (*in->at == '\'' || *in->at == '"') {
      in->at = end_of_quoted(in->at);
      continue;
    }
    if (*in->at == '(') depth++;
    if (*in->at == ')' && --depth == 0) {
      in->at++;
      return;
    }
    in->at++;
  }
}

static void append_engine_type(struct buf *out, struct text_at *in);

/* "(name type, ...)" of a struct. */
static void append_struct_fields(struct buf *out, struct text_at *in) {
  append_word(out, in, "STRUCT<");
  bool first = true;
  in->at++;
  while (*in->at && *in->at != ')') {
    skip_space(in);
    if (!first) append_word(out, in, ", ");
    first = false;
    if (*in->at == '"') {
      const char *end = end_of_quoted(in->at);
      for (const char *c = in->at + 1; c + 1 < end; c++) {
        if (*c == '"') c++;
        buf_append_byte(out, (uint8_t)*c);
      }
      in->at = end;
    } else {
      while (*in->at && *in->at != ' ' && *in->at != ',' && *in->at != ')') buf_append_byte(out, (uint8_t)*in->at++);
    }
    append_word(out, in, ": ");
    append_engine_type(out, in);
    skip_space(in);
    if (*in->at == ',') in->at++;
  }
  if (*in->at) in->at++;
  append_word(out, in, ">");
}

static void append_base(struct buf *out, struct text_at *in) {
  static const struct {
    const char *engine, *name;
  } names[] = {
      {"BOOLEAN", "BOOLEAN"},
      {"TINYINT", "TINYINT"},
      {"SMALLINT", "SMALLINT"},
      {"INTEGER", "INT"},
      {"BIGINT", "BIGINT"},
      {"HUGEINT", "DECIMAL(38,0)"},
      {"UHUGEINT", "DECIMAL(38,0)"},
      {"UTINYINT", "SMALLINT"},
      {"USMALLINT", "INT"},
      {"UINTEGER", "BIGINT"},
      {"UBIGINT", "DECIMAL(20,0)"},
      {"FLOAT", "FLOAT"},
      {"DOUBLE", "DOUBLE"},
      {"VARCHAR", "STRING"},
      {"BLOB", "BINARY"},
      {"BIT", "BINARY"},
      {"DATE", "DATE"},
      {"TIMESTAMP WITH TIME ZONE", "TIMESTAMP"},
      {"TIMESTAMP", "TIMESTAMP_NTZ"},
      {"TIMESTAMP_S", "TIMESTAMP_NTZ"},
      {"TIMESTAMP_MS", "TIMESTAMP_NTZ"},
      {"TIMESTAMP_NS", "TIMESTAMP_NTZ"},
      {"INTERVAL", "INTERVAL DAY TO SECOND"},
      {"\"NULL\"", "VOID"},
  };
  const char *start = in->at;
  if (*in->at == '"') {
    in->at = end_of_quoted(in->at);
  } else {
    while (*in->at && !strchr("(),[", *in->at)) in->at++;
  }
  size_t length = (size_t)(in->at - start);
  while (length && start[length - 1] == ' ') length--;
  if (length == 7 && memcmp(start, "DECIMAL", 7) == 0 && *in->at == '(') {
    const char *brackets = in->at;
    skip_brackets(in);
    append_word(out, in, "DECIMAL");
    buf_append(out, brackets, (size_t)(in->at - brackets));
    return;
  }
  if (length == 6 && memcmp(start, "STRUCT", 6) == 0 && *in->at == '(') {
    append_struct_fields(out, in);
    return;
  }
  if (length == 3 && memcmp(start, "MAP", 3) == 0 && *in->at == '(') {
    in->at++;
    append_word(out, in, "MAP<");
    append_engine_type(out, in);
    skip_space(in);
    if (*in->at == ',') in->at++;
    append_word(out, in, ", ");
    append_engine_type(out, in);
    skip_space(in);
    if (*in->at == ')') in->at++;
    append_word(out, in, ">");
    return;
  }
  if (*in->at == '(') skip_brackets(in);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (text_equal_nocase_n(start, length, names[i].engine, strlen(names[i].engine))) {
      append_word(out, in, names[i].name);
      return;
    }
  }
  append_word(out, in, "STRING");
}

static void append_engine_type(struct buf *out, struct text_at *in) {
  if (++in->depth > 64) {
    append_word(out, in, "STRING");
    in->at += strlen(in->at);
    return;
  }
  skip_space(in);
  struct buf base = BUF_INIT;
  append_base(&base, in);
  int lists = 0;
  while (*in->at == '[') {
    while (*in->at && *in->at != ']') in->at++;
    if (*in->at) in->at++;
    lists++;
  }
  for (int i = 0; i < lists; i++) append_word(out, in, "ARRAY<");
  buf_append_slice(out, buf_slice(&base));
  for (int i = 0; i < lists; i++) append_word(out, in, ">");
  buf_free(&base);
  in->depth--;
}

void type_append_of_engine(struct buf *out, const char *engine_type) {
  struct text_at in = {engine_type, 0, false};
  append_engine_type(out, &in);
}

void type_append_simple(struct buf *out, const char *engine_type) {
  struct text_at in = {engine_type, 0, true};
  append_engine_type(out, &in);
}

/* ---- Numbers for metadata calls -------------------------------------------------------------------------------------------------- */

struct type_facts type_facts_of(const char *name) {
  static const struct {
    const char *name;
    int32_t jdbc, size, digits, radix; /* -1: none */
  } facts[] = {
      {"BOOLEAN", 16, 1, -1, -1}, {"TINYINT", -6, 3, 0, 10},        {"SMALLINT", 5, 5, 0, 10},    {"INT", 4, 10, 0, 10},
      {"BIGINT", -5, 19, 0, 10},  {"FLOAT", 6, 7, 7, 10},           {"DOUBLE", 8, 15, 15, 10},    {"BINARY", -2, 2147483647, -1, -1},
      {"DATE", 91, 10, -1, -1},   {"TIMESTAMP_NTZ", 93, 29, 6, -1}, {"TIMESTAMP", 93, 29, 6, -1}, {"VOID", 0, 1, -1, -1},
  };
  struct type_facts out = {.jdbc_type = 12};
  if (strncmp(name, "DECIMAL(", 8) == 0) {
    out.jdbc_type = 3;
    char *rest = NULL;
    out.size = (int32_t)strtol(name + 8, &rest, 10);
    out.digits = rest && *rest == ',' ? (int32_t)strtol(rest + 1, NULL, 10) : 0;
    out.radix = 10;
    out.has_size = out.has_digits = out.has_radix = true;
    return out;
  }
  if (strncmp(name, "ARRAY<", 6) == 0) return (struct type_facts){.jdbc_type = 2003};
  if (strncmp(name, "MAP<", 4) == 0) return (struct type_facts){.jdbc_type = 2000};
  if (strncmp(name, "STRUCT<", 7) == 0) return (struct type_facts){.jdbc_type = 2002};
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
    if (strcmp(name, facts[i].name) != 0) continue;
    out.jdbc_type = facts[i].jdbc;
    out.size = facts[i].size;
    out.digits = facts[i].digits;
    out.radix = facts[i].radix;
    out.has_size = true;
    out.has_digits = facts[i].digits >= 0;
    out.has_radix = facts[i].radix >= 0;
    return out;
  }
  if (strcmp(name, "STRING") == 0) {
    out.size = out.octets = 2147483647;
    out.has_size = out.has_octets = true;
  }
  return out;
}
