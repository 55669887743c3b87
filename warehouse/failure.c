#include "failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "memory.h"

void failure_clear(struct failure *failure) {
  free(failure->error_class);
  free(failure->text);
  memset(failure, 0, sizeof *failure);
}

static void begin(struct failure *failure, const char *error_class, const char *sqlstate) {
  failure_clear(failure);
  failure->set = true;
  memcpy(failure->sqlstate, sqlstate, 5);
  failure->error_class = wh_copy(error_class);
}

bool failure_set(struct failure *failure, const char *error_class, const char *sqlstate, const char *format, ...) {
  struct buf text = BUF_INIT;
  char *body = NULL;
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  body = wh_new((size_t)(length < 0 ? 0 : length) + 1, 1);
  if (length > 0) vsnprintf(body, (size_t)length + 1, format, again);
  va_end(again);
  begin(failure, error_class, sqlstate);
  if (error_class) {
    buf_printf(&text, "[%s] ", error_class);
    buf_append_text(&text, body);
    buf_printf(&text, " SQLSTATE: %s", sqlstate);
  } else {
    buf_append_text(&text, body);
  }
  free(body);
  failure->text = wh_take(&text);
  return false;
}

bool failure_from_library(struct failure *failure, dbsql_error **error) {
  const char *text = *error ? dbsql_error_message(*error) : "no reason given";
  failure_set(failure, "INTERNAL_ERROR", "XX000", "%s", text);
  error_clear(error);
  return false;
}

/* ---- What the engine says ----------------------------------------------------------------------------------------------------------- */

/* The text between the first pair of `quote` after `from`; an empty slice if there is none. */
static struct slice quoted(const char *from, char quote) {
  const char *begin_at = from ? strchr(from, quote) : NULL;
  const char *end = begin_at ? strchr(begin_at + 1, quote) : NULL;
  return end ? slice_of(begin_at + 1, (size_t)(end - begin_at - 1)) : slice_of("", 0);
}

static const char *after(const char *text, const char *mark) {
  const char *at = strstr(text, mark);
  return at ? at + strlen(mark) : NULL;
}

/* The first line of a message without the engine's prefix, such as "Binder Error: ". */
static struct slice first_line(const char *message) {
  const char *from = after(message, "Error: ");
  if (!from || from - message > 40) from = message;
  const char *end = strchr(from, '\n');
  return slice_of(from, end ? (size_t)(end - from) : strlen(from));
}

/* All of a message but its picture of the statement, which shows a translated text. */
static struct slice without_picture(const char *message) {
  const char *from = after(message, "Error: ");
  if (!from || from - message > 40) from = message;
  const char *end = strstr(from, "\nLINE ");
  size_t length = end ? (size_t)(end - from) : strlen(from);
  while (length && (from[length - 1] == '\n' || from[length - 1] == ' ')) length--;
  return slice_of(from, length);
}

#define TEXT(slice) (int)(slice).size, (const char *)(slice).data

/* The end of the name that begins at `from`: up to " does not exist" or the like. */
static struct slice until(const char *from, const char *mark) {
  const char *end = strstr(from, mark);
  size_t length = end ? (size_t)(end - from) : strcspn(from, "\n");
  if (length >= 2 && from[0] == '"' && from[length - 1] == '"') return slice_of(from + 1, length - 2);
  return slice_of(from, length);
}

static bool is_word_byte(char c) {
  return text_is_alpha(c) || text_is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Line (from 1) and position in it (from 0) of a word in the statement; the last place it has there, because what comes before was
 * understood. `near` empty: the end. */
static void place_of(const char *sql, struct slice near, size_t *line, size_t *position, size_t *offset) {
  size_t length = strlen(sql), at = length;
  if (near.size && near.size <= length) {
    for (size_t i = 0; i + near.size <= length; i++) {
      if (!text_equal_nocase_n(sql + i, near.size, (const char *)near.data, near.size)) continue;
      bool word = is_word_byte((char)near.data[0]);
      if (word && ((i && is_word_byte(sql[i - 1])) || is_word_byte(sql[i + near.size]))) continue;
      at = i;
      break;
    }
  }
  *line = 1;
  *position = 0;
  for (size_t i = 0; i < at; i++) {
    ++*position;
    if (sql[i] == '\n') {
      ++*line;
      *position = 0;
    }
  }
  *offset = at;
}

static bool syntax_error_at(struct failure *failure, const char *message, const char *sql, struct slice near, size_t line, size_t position,
                            size_t offset);

/* The whole text that a real server has for a syntax error: with the statement, and a mark under the place. */
static bool syntax_error(struct failure *failure, const char *message, const char *sql) {
  struct slice near = slice_of("", 0);
  const char *at = after(message, "at or near \"");
  if (at) { /* what is named may hold quotes itself */
    const char *end = strchr(at, '\n');
    size_t length = end ? (size_t)(end - at) : strlen(at);
    while (length && at[length - 1] != '"') length--;
    near = slice_of(at, length ? length - 1 : 0);
  }
  size_t line, position, offset;
  place_of(sql, near, &line, &position, &offset);
  return syntax_error_at(failure, message, sql, near, line, position, offset);
}

/* The same at a known place. */
bool failure_at(struct failure *failure, const char *sql, size_t offset, size_t length) {
  size_t line = 1, position = 0;
  for (size_t i = 0; i < offset; i++) {
    position++;
    if (sql[i] == '\n') {
      line++;
      position = 0;
    }
  }
  return syntax_error_at(failure, "at end of input", sql, slice_of(sql + offset, length), line, position, offset);
}

static bool syntax_error_at(struct failure *failure, const char *message, const char *sql, struct slice near, size_t line, size_t position,
                            size_t offset) {
  struct buf text = BUF_INIT;
  if (near.size) {
    buf_append_text(&text, "\n[PARSE_SYNTAX_ERROR] Syntax error at or near '");
    buf_append_slice(&text, near);
    buf_append_text(&text, "'.");
  } else if (strstr(message, "at end of input")) {
    buf_append_text(&text, "\n[PARSE_SYNTAX_ERROR] Syntax error at or near end of input.");
  } else {
    struct slice what = first_line(message);
    buf_append_text(&text, "\n[PARSE_SYNTAX_ERROR] Syntax error: ");
    buf_append_slice(&text, what);
    buf_append_text(&text, ".");
  }
  buf_printf(&text, " SQLSTATE: 42601 (line %zu, pos %zu)\n\n== SQL ==\n", line, position);
  size_t line_end = offset + strcspn(sql + offset, "\n");
  buf_append(&text, sql, line_end);
  buf_append_byte(&text, '\n');
  for (size_t i = 0; i < position && i < 4096; i++) buf_append_byte(&text, '-');
  buf_append_text(&text, "^^^\n");
  buf_append_text(&text, sql[line_end] ? sql + line_end + 1 : "");
  begin(failure, "PARSE_SYNTAX_ERROR", "42601");
  failure->text = wh_take(&text);
  return false;
}

static bool catalog_error(struct failure *failure, const char *message) {
  struct slice line = first_line(message);
  struct slice all = without_picture(message);
  const char *at;
  if ((at = after(message, "Table with name ")) || (at = after(message, "View with name "))) {
    if (strstr(message, "already exists")) {
      struct slice name = until(at, " already exists");
      return failure_set(
          failure, "TABLE_OR_VIEW_ALREADY_EXISTS", "42P07",
          "Cannot create table or view `%.*s` because it already exists.\n"
          "Choose a different name, drop or replace the existing object, or add the IF NOT EXISTS clause to tolerate pre-existing objects.",
          TEXT(name));
    }
    struct slice name = until(at, " does not exist");
    return failure_set(
        failure, "TABLE_OR_VIEW_NOT_FOUND", "42P01",
        "The table or view `%.*s` cannot be found. Verify the spelling and correctness of the schema and catalog.\n"
        "If you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with the correct "
        "schema and catalog.\nTo tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS.",
        TEXT(name));
  }
  if ((at = after(message, "Function with name "))) {
    struct slice name = until(at, " does not exist");
    if (strstr(message, "already exists"))
      return failure_set(failure, "ROUTINE_ALREADY_EXISTS", "42723", "Cannot create the routine: %.*s", TEXT(line));
    return failure_set(failure, "UNRESOLVED_ROUTINE", "42883",
                       "Cannot resolve routine `%.*s` on search path [`system`.`builtin`, `system`.`session`].", TEXT(name));
  }
  if ((at = after(message, "Schema with name "))) {
    if (strstr(message, "already exists")) {
      struct slice name = until(at, " already exists");
      return failure_set(
          failure, "SCHEMA_ALREADY_EXISTS", "42P06",
          "Cannot create schema `%.*s` because it already exists.\nChoose a different name, drop the existing schema, or add the "
          "IF NOT EXISTS clause to tolerate pre-existing schema.",
          TEXT(name));
    }
    struct slice name = until(at, " does not exist");
    return failure_set(
        failure, "SCHEMA_NOT_FOUND", "42704",
        "The schema `%.*s` cannot be found. Verify the spelling and correctness of the schema and catalog.\nTo tolerate the error "
        "on drop use DROP SCHEMA IF EXISTS.",
        TEXT(name));
  }
  if ((at = after(message, "No catalog + schema named "))) {
    struct slice name = quoted(at, '"');
    return failure_set(failure, "SCHEMA_NOT_FOUND", "42704",
                       "The schema `%.*s` cannot be found. Verify the spelling and correctness of the schema and catalog.", TEXT(name));
  }
  if (strstr(message, "Type with name ")) return failure_set(failure, "UNSUPPORTED_DATATYPE", "0A000", "%.*s", TEXT(line));
  if (strstr(message, "already exists")) return failure_set(failure, "OBJECT_ALREADY_EXISTS", "42710", "%.*s", TEXT(all));
  return failure_set(failure, "OBJECT_NOT_FOUND", "42704", "%.*s", TEXT(all));
}

static bool binder_error(struct failure *failure, const char *message) {
  const char *at;
  struct slice all = without_picture(message);
  if ((at = after(message, "Referenced column ")) || (at = after(message, "does not have a column named "))) {
    struct slice name = quoted(at, '"');
    const char *candidates = after(message, "Candidate bindings: ");
    if (!candidates)
      return failure_set(failure, "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703",
                         "A column, variable, or function parameter with name `%.*s` cannot be resolved.", TEXT(name));
    struct buf list = BUF_INIT;
    for (; *candidates && *candidates != '\n'; candidates++) {
      if (*candidates == ':' || (*candidates == ' ' && list.size == 0)) continue;
      buf_append_byte(&list, *candidates == '"' ? '`' : (uint8_t)*candidates);
    }
    failure_set(failure, "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703",
                "A column, variable, or function parameter with name `%.*s` cannot be resolved. Did you mean one of the following? [%.*s].",
                TEXT(name), (int)list.size, (const char *)list.data);
    buf_free(&list);
    return false;
  }
  if ((at = after(message, "Referenced table "))) {
    struct slice name = quoted(at, '"');
    return failure_set(failure, "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703",
                       "A column, variable, or function parameter with name `%.*s` cannot be resolved.", TEXT(name));
  }
  if ((at = after(message, "No function matches the given name and argument types "))) {
    struct slice name = until(at, "'. ");
    if (name.size && name.data[0] == '\'') name = slice_of(name.data + 1, name.size - 1);
    return failure_set(failure, "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", "42K09", "Cannot resolve \"%.*s\" due to data type mismatch.",
                       TEXT(name));
  }
  if ((at = after(message, "Ambiguous reference to column name "))) {
    struct slice name = quoted(at, '"');
    return failure_set(failure, "AMBIGUOUS_REFERENCE", "42704", "Reference `%.*s` is ambiguous: %.*s", TEXT(name), TEXT(all));
  }
  if ((at = after(message, "Catalog \""))) {
    struct slice name = quoted(at - 1, '"');
    if (strstr(message, "does not exist"))
      return failure_set(failure, "CATALOG_NOT_FOUND", "42704",
                         "The catalog `%.*s` not found. Consider setting the SQL config "
                         "\"spark.sql.catalog.%.*s\" to a catalog plugin.",
                         TEXT(name), TEXT(name));
  }
  if (strstr(message, "must appear in the GROUP BY clause")) return failure_set(failure, "MISSING_AGGREGATION", "42803", "%.*s", TEXT(all));
  return failure_set(failure, "INVALID_SQL", "42000", "%.*s", TEXT(all));
}

/* "Could not convert string 'a' to INT32" and its relatives. */
static bool conversion_error(struct failure *failure, const char *message) {
  const char *at;
  struct slice all = without_picture(message);
  if (strstr(message, "out of range for the destination type"))
    return failure_set(failure, "CAST_OVERFLOW", "22003", "%.*s. Use `try_cast` to tolerate overflow and return NULL instead.", TEXT(all));
  if ((at = after(message, "Could not convert string "))) {
    struct slice value = quoted(at, '\'');
    const char *type = after(at, "' to ");
    struct slice to = type ? slice_of(type, strcspn(type, " \n.")) : slice_of("another type", 12);
    static const struct {
      const char *engine, *name;
    } names[] = {{"INT8", "TINYINT"}, {"INT16", "SMALLINT"}, {"INT32", "INT"},    {"INT64", "BIGINT"},
                 {"FLOAT", "FLOAT"},  {"DOUBLE", "DOUBLE"},  {"BOOL", "BOOLEAN"}, {"INT128", "DECIMAL(38,0)"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
      if (slice_equal(to, slice_text(names[i].engine))) to = slice_text(names[i].name);
    }
    return failure_set(
        failure, "CAST_INVALID_INPUT", "22018",
        "The value '%.*s' of the type \"STRING\" cannot be cast to \"%.*s\" because it is malformed. Correct the value as per "
        "the syntax, or change its target type. Use `try_cast` to tolerate malformed input and return NULL instead.",
        TEXT(value), TEXT(to));
  }
  const char *type = strstr(message, "invalid date field") || strstr(message, "date field value") ? "DATE"
                     : strstr(message, "timestamp")                                               ? "TIMESTAMP"
                                                                                                  : NULL;
  if (type && (at = strchr(message, '"'))) {
    struct slice value = quoted(at, '"');
    return failure_set(
        failure, "CAST_INVALID_INPUT", "22018",
        "The value '%.*s' of the type \"STRING\" cannot be cast to \"%s\" because it is malformed. Correct the value as per the "
        "syntax, or change its target type. Use `try_cast` to tolerate malformed input and return NULL instead.",
        TEXT(value), type);
  }
  if (strstr(message, "Could not cast value")) /* a number with too many digits */
    return failure_set(failure, "NUMERIC_VALUE_OUT_OF_RANGE", "22003", "%.*s", TEXT(all));
  return failure_set(failure, "CAST_INVALID_INPUT", "22018", "%.*s", TEXT(all));
}

static bool starts(const char *message, const char *prefix) {
  return text_has_prefix_nocase(message, prefix);
}

bool failure_from_engine(struct failure *failure, const struct engine_error *error, const char *sql) {
  const char *message = error->message;
  struct slice all = without_picture(message);
  if (starts(message, "Parser Error") || starts(message, "Syntax Error")) return syntax_error(failure, message, sql);
  if (starts(message, "Catalog Error")) return catalog_error(failure, message);
  if (starts(message, "Binder Error")) return binder_error(failure, message);
  if (starts(message, "Conversion Error")) return conversion_error(failure, message);
  if (strstr(message, "ivision by zero") || strstr(message, "ivide by zero"))
    return failure_set(
        failure, "DIVIDE_BY_ZERO", "22012",
        "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead. If necessary set \"ansi_mode\" "
        "to \"false\" to bypass this error.");
  if (starts(message, "Out of Range Error") || starts(message, "OutOfRange Error"))
    return failure_set(failure, "ARITHMETIC_OVERFLOW", "22003", "%.*s. If necessary set \"ansi_mode\" to \"false\" to bypass this error.",
                       TEXT(all));
  if (starts(message, "Constraint Error")) {
    if (strstr(message, "NOT NULL")) return failure_set(failure, "DELTA_NOT_NULL_CONSTRAINT_VIOLATED", "23502", "%.*s", TEXT(all));
    if (strstr(message, "CHECK constraint"))
      return failure_set(failure, "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES", "23001", "%.*s", TEXT(all));
    return failure_set(failure, "CONSTRAINT_VIOLATION", "23505", "%.*s", TEXT(all));
  }
  if (starts(message, "INTERRUPT Error") || error->code == ADBC_STATUS_CANCELLED)
    return failure_set(failure, "OPERATION_CANCELED", "HY008", "Operation has been canceled.");
  if (starts(message, "Invalid Input Error")) return failure_set(failure, "USER_RAISED_EXCEPTION", "P0001", "%.*s", TEXT(all));
  if (starts(message, "Not implemented Error")) return failure_set(failure, "UNSUPPORTED_FEATURE", "0A000", "%.*s", TEXT(all));
  if (starts(message, "Out of Memory Error")) return failure_set(failure, "OUT_OF_MEMORY", "53200", "%.*s", TEXT(all));
  if (starts(message, "TransactionContext Error") && (strstr(message, "onflict") || strstr(message, "has been altered")))
    return failure_set(failure, "DELTA_CONCURRENT_APPEND", "2D521", "ConcurrentAppendException: %.*s", TEXT(all));
  if (starts(message, "TransactionContext Error")) return failure_set(failure, "INVALID_TRANSACTION_STATE", "25000", "%.*s", TEXT(all));
  if (starts(message, "Permission Error")) return failure_set(failure, "INSUFFICIENT_PERMISSIONS", "42501", "%.*s", TEXT(all));
  if (starts(message, "Dependency Error")) return failure_set(failure, "SCHEMA_NOT_EMPTY", "2BP01", "%.*s", TEXT(all));
  if (starts(message, "IO Error")) return failure_set(failure, "IO_ERROR", "58030", "%.*s", TEXT(all));
  if (error->sqlstate[0]) return failure_set(failure, "ENGINE_ERROR", error->sqlstate, "%.*s", TEXT(all));
  return failure_set(failure, "INTERNAL_ERROR", "XX000", "%.*s", TEXT(all));
}
