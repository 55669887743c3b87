/* What a statement is. */
#include "sql.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "sql_internal.h"

void sql_statement_free(struct sql_statement *statement) {
  free(statement->text);
  for (size_t i = 0; i < sizeof statement->arguments / sizeof *statement->arguments; i++) free(statement->arguments[i]);
  for (size_t i = 0; i < statement->marker_count; i++) free(statement->markers[i]);
  free(statement->markers);
  for (size_t i = 0; i < statement->after_count; i++) free(statement->after[i]);
  free(statement->after);
  free(statement->nulls);
  memset(statement, 0, sizeof *statement);
}

static bool is_any(const struct tokens *tokens, size_t i, const char *const *words) {
  for (; *words; words++) {
    if (token_is(tokens, i, *words)) return true;
  }
  return false;
}

/* The first word outside of brackets from `i` on that is one of those; the end if there is none. */
static size_t find_word(const struct tokens *tokens, size_t i, const char *const *words) {
  size_t depth = 0;
  for (; i < tokens->count; i++) {
    if (token_is_symbol(tokens, i, '(')) depth++;
    if (token_is_symbol(tokens, i, ')') && depth) depth--;
    if (depth == 0 && is_any(tokens, i, words)) return i;
  }
  return tokens->count;
}

static void classify(const struct tokens *tokens, struct sql_statement *statement) {
  static const char *const rows[] = {"SELECT",  "VALUES",    "FROM",   "TABLE", "SHOW",  "DESCRIBE", "DESC",
                                     "EXPLAIN", "SUMMARIZE", "PRAGMA", "CALL",  "PIVOT", "UNPIVOT",  NULL};
  static const char *const main_verbs[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "FROM", NULL};
  static const char *const returning[] = {"RETURNING", NULL};
  size_t verb = 0;
  if (token_is(tokens, 0, "WITH")) verb = find_word(tokens, 1, main_verbs);
  statement->verb = token_is(tokens, verb, "INSERT")   ? SQL_INSERT
                    : token_is(tokens, verb, "UPDATE") ? SQL_UPDATE
                    : token_is(tokens, verb, "DELETE") ? SQL_DELETE
                    : token_is(tokens, verb, "MERGE")  ? SQL_MERGE
                                                       : SQL_OTHER;
  if (statement->verb != SQL_OTHER) {
    statement->kind = SQL_CHANGE;
    statement->returning = find_word(tokens, verb, returning) < tokens->count;
  } else {
    statement->kind = is_any(tokens, verb, rows) || token_is_symbol(tokens, 0, '(') ? SQL_ROWS : SQL_PLAIN;
  }
}

/* What a change writes: [catalog.][schema.]table behind the words that may stand there. */
static void read_target(const struct tokens *tokens, struct sql_statement *statement) {
  static const char *const verbs[] = {"INSERT", "UPDATE", "DELETE", "MERGE", NULL}, *const between[] = {"INTO", "FROM", "OVERWRITE",
                                                                                                        "TABLE", NULL};
  size_t i = find_word(tokens, 0, verbs) + 1, parts = 0;
  while (is_any(tokens, i, between)) i++;
  size_t first = i;
  while (token_is_name(tokens, i) && parts < 3) {
    parts++;
    if (!token_is_symbol(tokens, i + 1, '.')) break;
    i += 2;
  }
  for (size_t p = 0; p < parts; p++) statement->arguments[3 - parts + p] = token_name(tokens, first + 2 * p);
}

/* What a transaction of several statements does not take (thrift.md 9.1): the subclass of TRANSACTION_NOT_SUPPORTED, or NULL. */
static const char *refused_inside(const struct tokens *tokens, const struct sql_statement *statement) {
  static const char *const definitions[] = {"CREATE", "DROP",  "ALTER",  "TRUNCATE", "COMMENT", "ANALYZE", "OPTIMIZE",
                                            "VACUUM", "GRANT", "REVOKE", "REFRESH",  "RESTORE", NULL};
  switch (statement->kind) {
    case SQL_USE:
    case SQL_SHOW_CATALOGS:
    case SQL_SHOW_SCHEMAS:
    case SQL_SHOW_TABLES:
    case SQL_SHOW_FUNCTIONS:
    case SQL_SHOW_CREATE:
    case SQL_DESCRIBE_SCHEMA:
    case SQL_DESCRIBE_CATALOG:
    case SQL_CREATE_CATALOG:
    case SQL_DROP_CATALOG: return "COMMAND";
    case SQL_DESCRIBE_TABLE: return statement->flag ? "COMMAND" : NULL;
    default: break;
  }
  if (is_any(tokens, 0, definitions)) return "COMMAND";
  for (size_t i = 0; i < tokens->count; i++) {
    if (token_is(tokens, i, "information_schema")) return "INFORMATION_SCHEMA_TABLE";
    if (token_is(tokens, i, "table_changes") && token_is_symbol(tokens, i + 1, '(')) return "CDF_READ";
    if ((token_is(tokens, i, "VERSION") || token_is(tokens, i, "TIMESTAMP")) && token_is(tokens, i + 1, "AS") &&
        token_is(tokens, i + 2, "OF"))
      return "TIME_TRAVEL_QUERY";
    if (token_is(tokens, i, "delta") && token_is_symbol(tokens, i + 1, '.') && i + 2 < tokens->count &&
        tokens->items[i + 2].kind == TOKEN_NAME)
      return "PATH_BASED_ACCESS";
  }
  return NULL;
}

/* Finds the columns of a plain SELECT that are the literal NULL. */
static void find_nulls(const struct tokens *tokens, struct sql_statement *statement) {
  static const char *const sets[] = {"UNION", "EXCEPT", "INTERSECT", "MINUS", NULL};
  static const char *const ends[] = {"FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "QUALIFY", "WINDOW", "OFFSET", NULL};
  if (!token_is(tokens, 0, "SELECT") || find_word(tokens, 1, sets) < tokens->count) return;
  size_t i = token_is(tokens, 1, "DISTINCT") || token_is(tokens, 1, "ALL") ? 2 : 1;
  size_t end = find_word(tokens, i, ends);
  for (size_t column = 0; i < end; column++) {
    size_t start = i, depth = 0;
    for (; i < end && (depth || !token_is_symbol(tokens, i, ',')); i++) {
      if (token_is_symbol(tokens, i, '(') || token_is_symbol(tokens, i, '[')) depth++;
      if ((token_is_symbol(tokens, i, ')') || token_is_symbol(tokens, i, ']')) && depth) depth--;
      if (depth == 0 && token_is_symbol(tokens, i, '*') && (i == start || token_is_symbol(tokens, i - 1, '.')))
        return; /* any number of columns */
    }
    size_t count = i - start;
    bool bare = count == 1 || (count == 2 && token_is_name(tokens, start + 1)) || (count == 3 && token_is(tokens, start + 1, "AS"));
    if (token_is(tokens, start, "NULL") && bare) {
      statement->nulls = wh_grow(statement->nulls, statement->null_count + 1, sizeof *statement->nulls);
      statement->nulls[statement->null_count++] = column;
    }
    i++;
  }
}

/* Statements whose work is done by the client and the cloud storage, or that need what is not here. */
static bool refuse(const struct tokens *tokens, struct failure *failure) {
  static const char *const staging[] = {"PUT", "GET", "REMOVE", NULL};
  bool copy_into = token_is(tokens, 0, "COPY") && token_is(tokens, 1, "INTO");
  if ((is_any(tokens, 0, staging) && tokens->count > 1 && tokens->items[1].kind == TOKEN_STRING) || copy_into)
    return failure_set(failure, "UNSUPPORTED_FEATURE.VOLUMES", "0A000",
                       "This warehouse has no volumes: PUT, GET, REMOVE and COPY INTO are not supported.");
  if (token_is(tokens, 0, "BEGIN") && token_is(tokens, 1, "ATOMIC"))
    return failure_set(failure, "UNSUPPORTED_FEATURE.SQL_SCRIPTING", "0A000",
                       "This warehouse has no compound statements (BEGIN ATOMIC ... END).");
  return true;
}

bool sql_translate(const char *source, struct sql_statement *statement, struct failure *failure) {
  struct tokens tokens = {0};
  struct buf text = BUF_INIT;
  bool found = false, good = tokens_read(source, &tokens, failure);
  memset(statement, 0, sizeof *statement);
  if (!good) return false;
  while (tokens.count && token_is_symbol(&tokens, tokens.count - 1, ';')) tokens.count--;
  if (tokens.count == 0) {
    good = failure_set(failure, "PARSE_EMPTY_STATEMENT", "42617", "Syntax error, unexpected empty statement.");
  }
  good = good && refuse(&tokens, failure) && sql_read_command(&tokens, statement, &found, failure);
  if (good && !found) {
    classify(&tokens, statement);
    find_nulls(&tokens, statement);
    good = sql_append_translation(&tokens, 0, tokens.count, statement, &text, failure);
    if (good && statement->verb == SQL_MERGE && !statement->returning) buf_append_text(&text, "\nRETURNING merge_action");
    if (good) statement->text = wh_take(&text);
    if (good && statement->kind == SQL_CHANGE) read_target(&tokens, statement);
  }
  if (good) statement->refused_inside = refused_inside(&tokens, statement);
  buf_free(&text);
  tokens_free(&tokens);
  if (!good) sql_statement_free(statement);
  return good;
}
