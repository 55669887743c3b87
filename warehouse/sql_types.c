/* Databricks' types in the engine's words. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "memory.h"
#include "sql_internal.h"

enum { deepest_type = 64 };

static const struct {
  const char *name, *engine;
} type_names[] = {
    {"STRING", "VARCHAR"},
    {"LONG", "BIGINT"},
    {"BYTE", "TINYINT"},
    {"SHORT", "SMALLINT"},
    {"INT", "INTEGER"},
    {"INTEGER", "INTEGER"},
    {"BIGINT", "BIGINT"},
    {"SMALLINT", "SMALLINT"},
    {"TINYINT", "TINYINT"},
    {"FLOAT", "FLOAT"},
    {"REAL", "FLOAT"},
    {"DOUBLE", "DOUBLE"},
    {"BOOLEAN", "BOOLEAN"},
    {"DATE", "DATE"},
    {"TIMESTAMP", "TIMESTAMPTZ"},
    {"TIMESTAMP_LTZ", "TIMESTAMPTZ"},
    {"TIMESTAMP_NTZ", "TIMESTAMP"},
    {"BINARY", "BLOB"},
    {"VOID", "\"NULL\""},
    {"VARIANT", "JSON"},
};

/* "(10, 2)" as it stands. */
static bool append_brackets(const struct tokens *tokens, size_t *i, struct buf *out, struct failure *failure) {
  size_t start = tokens->items[*i].start, depth = 0;
  do {
    if (*i >= tokens->count) return token_error(tokens, *i, failure);
    if (token_is_symbol(tokens, *i, '(')) depth++;
    if (token_is_symbol(tokens, *i, ')')) depth--;
    ++*i;
  } while (depth);
  for (size_t at = start; at < tokens->items[*i - 1].end; at++)
    buf_append_byte(out, tokens->source[at] == SQL_MARKER ? ' ' : (uint8_t)tokens->source[at]);
  return true;
}

static bool skip_brackets(const struct tokens *tokens, size_t *i, struct failure *failure) {
  struct buf dropped = BUF_INIT;
  bool good = append_brackets(tokens, i, &dropped, failure);
  buf_free(&dropped);
  return good;
}

static bool append_type(const struct tokens *tokens, size_t *i, struct buf *out, int depth, struct failure *failure);

static bool expect(const struct tokens *tokens, size_t *i, char symbol, struct failure *failure) {
  if (!token_is_symbol(tokens, *i, symbol)) return token_error(tokens, *i, failure);
  ++*i;
  return true;
}

/* STRUCT<name[:] type [NOT NULL] [COMMENT text], ...> */
static bool append_struct(const struct tokens *tokens, size_t *i, struct buf *out, int depth, struct failure *failure) {
  buf_append_text(out, "STRUCT(");
  for (bool first = true;; first = false) {
    if (!token_is_name(tokens, *i)) return token_error(tokens, *i, failure);
    char *name = token_name(tokens, (*i)++);
    if (!first) buf_append_text(out, ", ");
    sql_append_quoted_name(out, name);
    buf_append_byte(out, ' ');
    free(name);
    if (token_is_symbol(tokens, *i, ':')) ++*i;
    if (!append_type(tokens, i, out, depth + 1, failure)) return false;
    if (token_is(tokens, *i, "NOT") && token_is(tokens, *i + 1, "NULL")) *i += 2;
    if (token_is(tokens, *i, "COMMENT") && *i + 1 < tokens->count) *i += 2;
    if (!token_is_symbol(tokens, *i, ',')) break;
    ++*i;
  }
  buf_append_byte(out, ')');
  return expect(tokens, i, '>', failure);
}

static bool append_type(const struct tokens *tokens, size_t *i, struct buf *out, int depth, struct failure *failure) {
  if (!token_is_name(tokens, *i)) return token_error(tokens, *i, failure);
  if (depth > deepest_type)
    return failure_set(failure, "UNSUPPORTED_DATATYPE", "0A000", "The type is nested more than %d levels deep.", deepest_type);
  size_t start = (*i)++;
  bool angle = token_is_symbol(tokens, *i, '<'), round = token_is_symbol(tokens, *i, '(');
  if (token_is(tokens, start, "ARRAY") && angle) {
    ++*i;
    if (!append_type(tokens, i, out, depth + 1, failure)) return false;
    buf_append_text(out, "[]");
    return expect(tokens, i, '>', failure);
  }
  if (token_is(tokens, start, "MAP") && angle) {
    ++*i;
    buf_append_text(out, "MAP(");
    if (!append_type(tokens, i, out, depth + 1, failure) || !expect(tokens, i, ',', failure)) return false;
    buf_append_text(out, ", ");
    if (!append_type(tokens, i, out, depth + 1, failure)) return false;
    buf_append_byte(out, ')');
    return expect(tokens, i, '>', failure);
  }
  if (token_is(tokens, start, "STRUCT") && angle) {
    ++*i;
    return append_struct(tokens, i, out, depth, failure);
  }
  if (token_is(tokens, start, "INTERVAL")) { /* INTERVAL YEAR TO MONTH: the engine has one kind */
    buf_append_text(out, "INTERVAL");
    static const char *const units[] = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"};
    for (int turn = 0; turn < 2; turn++) {
      for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        if (!token_is(tokens, *i, units[u])) continue;
        ++*i;
        break;
      }
      if (turn == 0 && token_is(tokens, *i, "TO")) ++*i;
    }
    return true;
  }
  if (token_is(tokens, start, "DECIMAL") || token_is(tokens, start, "DEC") || token_is(tokens, start, "NUMERIC")) {
    buf_append_text(out, round ? "DECIMAL" : "DECIMAL(10,0)");
    return !round || append_brackets(tokens, i, out, failure);
  }
  if (token_is(tokens, start, "VARCHAR") || token_is(tokens, start, "CHAR") || token_is(tokens, start, "CHARACTER")) {
    buf_append_text(out, "VARCHAR");
    return !round || skip_brackets(tokens, i, failure);
  }
  if (token_is(tokens, start, "TIMESTAMP") && token_is(tokens, *i, "WITH") && token_is(tokens, *i + 1, "TIME") &&
      token_is(tokens, *i + 2, "ZONE"))
    *i += 3;
  if (token_is(tokens, start, "DOUBLE") && token_is(tokens, *i, "PRECISION")) ++*i;
  for (size_t n = 0; n < sizeof type_names / sizeof *type_names; n++) {
    if (!token_is(tokens, start, type_names[n].name)) continue;
    buf_append_text(out, type_names[n].engine);
    goto suffix;
  }
  /* A type of the engine's own. */
  if (tokens->items[start].kind == TOKEN_NAME) {
    char *name = token_name(tokens, start);
    sql_append_quoted_name(out, name);
    free(name);
  } else {
    for (size_t at = start; at < *i; at++)
      buf_append(out, tokens->source + tokens->items[at].start, tokens->items[at].end - tokens->items[at].start);
  }
  if (round && !append_brackets(tokens, i, out, failure)) return false;
suffix: /* the engine's lists */
  while (token_is_symbol(tokens, *i, '[')) {
    while (*i < tokens->count && !token_is_symbol(tokens, *i, ']')) {
      buf_append(out, tokens->source + tokens->items[*i].start, tokens->items[*i].end - tokens->items[*i].start);
      ++*i;
    }
    if (!expect(tokens, i, ']', failure)) return false;
    buf_append_byte(out, ']');
  }
  return true;
}

bool sql_append_type(const struct tokens *tokens, size_t *i, struct buf *out, struct failure *failure) {
  return append_type(tokens, i, out, 0, failure);
}

bool sql_type(const char *type, char **out, struct failure *failure) {
  struct tokens tokens = {0};
  struct buf text = BUF_INIT;
  size_t i = 0;
  bool good = tokens_read(type, &tokens, failure);
  if (good) good = append_type(&tokens, &i, &text, 0, failure) && (i == tokens.count || token_error(&tokens, i, failure));
  tokens_free(&tokens);
  if (good) {
    *out = wh_take(&text);
    return true;
  }
  buf_free(&text);
  return failure_set(failure, "UNSUPPORTED_DATATYPE", "0A000", "Unsupported data type \"%s\".", type);
}
