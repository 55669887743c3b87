/* What a column of the engine becomes: chosen from its schema, and for intervals from its values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "convert_internal.h"
#include "memory.h"

static bool unsupported(struct failure *failure, const struct ArrowSchema *schema) {
  return failure_set(failure, "UNSUPPORTED_DATATYPE", "0A000", "The column `%s` has a type that cannot be delivered (Arrow format \"%s\").",
                     schema->name ? schema->name : "", schema->format ? schema->format : "");
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
    return column->schema->n_children == 1 ? add_children(column, failure) : unsupported(failure, column->schema);
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
      if (convert_is_null(column, array, row)) continue;
      struct convert_interval value = convert_interval_at(array, row);
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
