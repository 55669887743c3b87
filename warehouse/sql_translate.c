/* Databricks' spelling in the engine's: quotes, types, names and a few functions. What is not named here is left as it is. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "memory.h"
#include "sql_internal.h"
#include "warehouse.h"

/* ---- Literals and names ---------------------------------------------------------------------------------------------------------------
 */

/* Words that the engine takes for names only in quotes. */
static bool is_reserved(const struct tokens *tokens, size_t i) {
  static const char *const words[] = {
      "ALL",      "ANALYSE",  "ANALYZE",    "AND",       "ANY",       "ARRAY",      "AS",      "ASC",       "ASYMMETRIC", "BOTH",
      "CASE",     "CAST",     "CHECK",      "COLLATE",   "COLUMN",    "CONSTRAINT", "CREATE",  "DEFAULT",   "DEFERRABLE", "DESC",
      "DESCRIBE", "DISTINCT", "DO",         "ELSE",      "END",       "EXCEPT",     "FALSE",   "FETCH",     "FOR",        "FOREIGN",
      "FROM",     "GROUP",    "HAVING",     "IN",        "INITIALLY", "INTERSECT",  "INTO",    "LAMBDA",    "LATERAL",    "LEADING",
      "LIMIT",    "NOT",      "NULL",       "OFFSET",    "ON",        "ONLY",       "OR",      "ORDER",     "PIVOT",      "PLACING",
      "PRIMARY",  "QUALIFY",  "REFERENCES", "RETURNING", "SELECT",    "SHOW",       "SOME",    "SUMMARIZE", "SYMMETRIC",  "TABLE",
      "THEN",     "TO",       "TRAILING",   "TRUE",      "UNION",     "UNIQUE",     "UNPIVOT", "USING",     "VARIADIC",   "WHEN",
      "WHERE",    "WINDOW",   "WITH"};
  for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
    if (token_is(tokens, i, words[w])) return true;
  }
  return false;
}

/* ---- Brackets ---------------------------------------------------------------------------------------------------------------------------
 */

/* What an open bracket belongs to. */
enum frame_kind {
  FRAME_PLAIN,
  FRAME_CAST,   /* CAST(... AS type) */
  FRAME_PAIRS,  /* named_struct and map: commas are colons in turn */
  FRAME_FIELDS, /* struct: each argument gets a name */
  FRAME_COLUMNS /* the columns of CREATE TABLE */
};
struct frame {
  enum frame_kind kind;
  char symbol;      /* that closes it */
  char *close;      /* what to write then; NULL: the symbol. Owned */
  size_t arguments; /* commas so far */
};

enum { deepest_bracket = 500 };

struct translation {
  const struct tokens *tokens;
  size_t end;
  struct sql_statement *statement;
  struct buf *out;
  struct failure *failure;
  struct frame frames[deepest_bracket];
  size_t depth;
  size_t i;
  bool column_name; /* at this token a column definition begins */
  bool create_table;
  bool schema_statement;
  bool seen_columns;
  char *table;  /* of CREATE TABLE, in the engine's words. Owned */
  char *column; /* the one being defined. Owned */
};

static bool push(struct translation *in, enum frame_kind kind, char symbol, const char *close) {
  if (in->depth == deepest_bracket)
    return failure_set(in->failure, "PARSE_SYNTAX_ERROR", "42601", "The statement has more than %d brackets in each other.",
                       deepest_bracket);
  in->frames[in->depth++] = (struct frame){kind, symbol, wh_copy(close), 0};
  return true;
}

static struct frame *top(struct translation *in) {
  return in->depth ? &in->frames[in->depth - 1] : NULL;
}

static bool has_comma(const struct translation *in, size_t open) {
  size_t depth = 0;
  for (size_t i = open; i < in->end; i++) {
    if (token_is_symbol(in->tokens, i, '(') || token_is_symbol(in->tokens, i, '[')) depth++;
    if ((token_is_symbol(in->tokens, i, ')') || token_is_symbol(in->tokens, i, ']')) && --depth == 0) return false;
    if (depth == 1 && token_is_symbol(in->tokens, i, ',')) return true;
  }
  return false;
}

/* The name of a field of struct(...): that of the column or alias it is made of, or its place. */
static void append_field_name(struct translation *in) {
  size_t i = in->i, last = in->end, depth = 0, count = 0;
  for (; i < in->end; i++) {
    if (token_is_symbol(in->tokens, i, '(') || token_is_symbol(in->tokens, i, '[')) depth++;
    if (token_is_symbol(in->tokens, i, ')') || token_is_symbol(in->tokens, i, ']')) {
      if (depth == 0) break;
      depth--;
    }
    if (depth == 0 && token_is_symbol(in->tokens, i, ',')) break;
    last = i;
    count++;
  }
  bool alias = count > 2 && token_is_name(in->tokens, last) && token_is(in->tokens, last - 1, "AS");
  bool plain = count > 0 && token_is_name(in->tokens, last) && (count == 1 || token_is_symbol(in->tokens, last - 1, '.')) &&
               !token_is(in->tokens, last, "NULL") && !token_is(in->tokens, last, "TRUE") && !token_is(in->tokens, last, "FALSE");
  char *name = alias || plain ? token_name(in->tokens, last) : wh_print("col%zu", top(in)->arguments + 1);
  sql_append_quoted_name(in->out, name);
  buf_append_text(in->out, " := ");
  free(name);
}

/* ---- Words ------------------------------------------------------------------------------------------------------------------------------
 */

static bool is_adjacent_to_dot(const struct translation *in) {
  return token_is_symbol(in->tokens, in->i + 1, '.') || (in->i > 0 && token_is_symbol(in->tokens, in->i - 1, '.'));
}

/* How many parts the dotted name has that begins here. */
static size_t parts_of_name(const struct translation *in, size_t i) {
  size_t parts = 1;
  while (token_is_symbol(in->tokens, i + 1, '.') && token_is_name(in->tokens, i + 2)) {
    parts++;
    i += 2;
  }
  return parts;
}

static bool is_catalog(const struct translation *in) {
  if (in->i > 0 && token_is_symbol(in->tokens, in->i - 1, '.')) return false;
  size_t parts = parts_of_name(in, in->i);
  if (parts < (in->schema_statement ? 2U : 3U)) return false;
  char *name = token_name(in->tokens, in->i);
  bool is = text_equal_nocase(name, WAREHOUSE_CATALOG);
  free(name);
  return is;
}

static bool append_type_here(struct translation *in) {
  return sql_append_type(in->tokens, &in->i, in->out, in->failure);
}

/* `string(x)` and its like are casts. */
static bool is_cast_function(const struct translation *in) {
  static const char *const names[] = {"STRING", "INT",     "BIGINT", "SMALLINT",  "TINYINT", "FLOAT",
                                      "DOUBLE", "BOOLEAN", "BINARY", "TIMESTAMP", "DATE"};
  if (!token_is_symbol(in->tokens, in->i + 1, '(') || has_comma(in, in->i + 1)) return false;
  if (in->i > 0 && (token_is_symbol(in->tokens, in->i - 1, '.') || token_is(in->tokens, in->i - 1, "FUNCTION"))) return false;
  for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
    if (token_is(in->tokens, in->i, names[n])) return true;
  }
  return false;
}

/* Writes `text` for this word and the bracket behind it. */
static bool open_call(struct translation *in, enum frame_kind kind, const char *text, const char *close) {
  buf_append_text(in->out, text);
  in->i += 2;
  return push(in, kind, ')', close) && (kind != FRAME_FIELDS || token_is_symbol(in->tokens, in->i, ')') || (append_field_name(in), true));
}

/* Whether a table may stand at this token: behind FROM or JOIN, or behind a comma of such a list. */
static bool is_table_place(const struct translation *in, size_t at) {
  const struct tokens *tokens = in->tokens;
  if (at == 0) return false;
  if (token_is(tokens, at - 1, "FROM") || token_is(tokens, at - 1, "JOIN")) return true;
  if (!token_is_symbol(tokens, at - 1, ',')) return false;
  static const char *const others[] = {"SELECT", "WHERE", "ON", "USING", "BY", "HAVING", "VALUES", "LIMIT"};
  int depth = 0;
  for (size_t i = at - 1; i > 0; i--) {
    if (token_is_symbol(tokens, i - 1, ')')) depth++;
    if (token_is_symbol(tokens, i - 1, '(') && depth-- == 0) return false;
    if (depth != 0) continue;
    if (token_is(tokens, i - 1, "FROM") || token_is(tokens, i - 1, "JOIN")) return true;
    for (size_t n = 0; n < sizeof others / sizeof *others; n++) {
      if (token_is(tokens, i - 1, others[n])) return false;
    }
  }
  return false;
}

static void append_name(struct translation *in);

/* Calls that are written otherwise. `*done`: it was one. */
static bool translate_call(struct translation *in, bool *done) {
  const struct tokens *tokens = in->tokens;
  size_t i = in->i;
  bool list_follows = token_is_symbol(tokens, i + 2, '[') || token_is(tokens, i + 2, "array") || token_is(tokens, i + 2, "list_value");
  bool after_dot = i > 0 && token_is_symbol(tokens, i - 1, '.');
  *done = true;
  if (after_dot) {
    *done = false;
    return true;
  }
  if (token_is(tokens, i, "CAST") || token_is(tokens, i, "TRY_CAST")) {
    buf_append(in->out, tokens->source + tokens->items[i].start, tokens->items[i].end - tokens->items[i].start);
    return open_call(in, FRAME_CAST, "(", NULL);
  }
  if (token_is(tokens, i, "ARRAY")) return open_call(in, FRAME_PLAIN, "list_value(", NULL);
  if (token_is(tokens, i, "NAMED_STRUCT") && !token_is_symbol(tokens, i + 2, ')')) return open_call(in, FRAME_PAIRS, "{", "}");
  if (token_is(tokens, i, "MAP") && !list_follows && !token_is_symbol(tokens, i + 2, ')')) return open_call(in, FRAME_PAIRS, "MAP {", "}");
  if (token_is(tokens, i, "STRUCT")) return open_call(in, FRAME_FIELDS, "struct_pack(", NULL);
  if (token_is(tokens, i, "RANGE") && is_table_place(in, i)) return open_call(in, FRAME_PLAIN, "(SELECT range AS id FROM range(", "))");
  if (token_is(tokens, i, "CURRENT_DATABASE") && token_is_symbol(tokens, i + 2, ')')) /* to Databricks, a schema */
    return open_call(in, FRAME_PLAIN, "current_schema(", NULL);
  bool clock = token_is(tokens, i, "CURRENT_TIMESTAMP") || token_is(tokens, i, "CURRENT_DATE") || token_is(tokens, i, "LOCALTIMESTAMP");
  if (clock && token_is_symbol(tokens, i + 2, ')')) { /* the engine has them without brackets */
    append_name(in);
    in->i += 2;
    return true;
  }
  if (is_cast_function(in)) {
    struct buf close = BUF_INIT;
    buf_append_text(&close, " AS ");
    size_t type = i;
    bool good;
    { /* only the word itself: the bracket is the argument */
      struct tokens word = {tokens->source, tokens->items + i, 1};
      type = 0;
      good = sql_append_type(&word, &type, &close, in->failure);
    }
    buf_append_byte(&close, ')');
    char *text = wh_take(&close);
    good = good && open_call(in, FRAME_PLAIN, "CAST(", text);
    free(text);
    return good;
  }
  *done = false;
  return true;
}

static bool is_constraint(const struct translation *in) {
  return token_is(in->tokens, in->i, "CONSTRAINT") || token_is(in->tokens, in->i, "PRIMARY") || token_is(in->tokens, in->i, "FOREIGN") ||
         token_is(in->tokens, in->i, "UNIQUE") || token_is(in->tokens, in->i, "CHECK");
}

/* `c.information_schema.v` of the views about keys: each catalog has them, and the engine one for all. */
static bool append_key_view(struct translation *in) {
  static const char *const views[] = {"table_constraints", "key_column_usage", "referential_constraints"};
  const struct tokens *tokens = in->tokens;
  size_t i = in->i;
  if ((i > 0 && token_is_symbol(tokens, i - 1, '.')) || parts_of_name(in, i) != 3) return false;
  char *parts[3] = {token_name(tokens, i), token_name(tokens, i + 2), token_name(tokens, i + 4)};
  const char *view = NULL;
  for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
    if (text_equal_nocase(parts[1], "information_schema") && text_equal_nocase(parts[2], views[v])) view = views[v];
  }
  if (view) {
    buf_printf(in->out, "(SELECT * FROM memory.keys.%s WHERE lower(constraint_catalog) = lower(", view);
    sql_append_literal(in->out, parts[0], strlen(parts[0]));
    buf_append_text(in->out, "))");
    in->i += 5;
  }
  for (size_t p = 0; p < 3; p++) free(parts[p]);
  return view != NULL;
}

static void append_name(struct translation *in) {
  if (append_key_view(in)) return;
  const struct token *token = &in->tokens->items[in->i];
  if (is_catalog(in)) {
    buf_append_text(in->out, WAREHOUSE_ENGINE_CATALOG);
  } else if (token->kind == TOKEN_NAME || (is_adjacent_to_dot(in) && is_reserved(in->tokens, in->i))) {
    char *name = token_name(in->tokens, in->i);
    sql_append_quoted_name(in->out, name);
    free(name);
  } else {
    buf_append(in->out, in->tokens->source + token->start, token->end - token->start);
  }
  in->i++;
}

/* COMMENT 'text' of a table or a column: the engine takes it as a statement of its own. */
static bool keep_comment(struct translation *in, const char *column) {
  struct buf text = BUF_INIT, sql = BUF_INIT;
  bool good = token_string(in->tokens, in->i + 1, &text, in->failure);
  buf_printf(&sql, "COMMENT ON %s ", column ? "COLUMN" : "TABLE");
  buf_append_text(&sql, in->table);
  if (column) {
    buf_append_byte(&sql, '.');
    sql_append_quoted_name(&sql, column);
  }
  buf_append_text(&sql, " IS ");
  sql_append_literal(&sql, (const char *)text.data, text.size);
  if (good) {
    struct sql_statement *statement = in->statement;
    statement->after = wh_grow(statement->after, statement->after_count + 1, sizeof *statement->after);
    statement->after[statement->after_count++] = wh_take(&sql);
    in->i += 2;
  }
  buf_free(&text);
  buf_free(&sql);
  return good;
}

/* The name of the table that CREATE TABLE makes, from the token behind TABLE on. */
static void read_table_name(struct translation *in, size_t i) {
  struct buf name = BUF_INIT;
  if (token_is(in->tokens, i, "IF")) i += 3; /* NOT EXISTS */
  bool qualified = parts_of_name(in, i) == 3;
  for (bool first = true; token_is_name(in->tokens, i); first = false) {
    char *part = token_name(in->tokens, i);
    if (!first) buf_append_byte(&name, '.');
    sql_append_quoted_name(&name, first && qualified ? catalog_to_engine(part) : part);
    free(part);
    if (!token_is_symbol(in->tokens, i + 1, '.')) break;
    i += 2;
  }
  if (name.size) {
    in->table = wh_take(&name);
  } else {
    buf_free(&name);
  }
}

static bool translate_word(struct translation *in) {
  const struct tokens *tokens = in->tokens;
  size_t i = in->i;
  struct frame *frame = top(in);
  bool done = false;
  if (in->column_name && frame && frame->kind == FRAME_COLUMNS) {
    in->column_name = false;
    if (!is_constraint(in) && token_is_name(tokens, i + 1)) {
      free(in->column);
      in->column = token_name(tokens, i);
      append_name(in);
      buf_append_byte(in->out, ' ');
      return append_type_here(in);
    }
  }
  if (token_is_symbol(tokens, i + 1, '(') && tokens->items[i].kind == TOKEN_WORD) {
    if (!translate_call(in, &done)) return false;
    if (done) return true;
  }
  if (frame && frame->kind == FRAME_CAST && token_is(tokens, i, "AS")) {
    buf_append_text(in->out, "AS ");
    in->i++;
    return append_type_here(in);
  }
  if (frame && frame->kind == FRAME_FIELDS && token_is(tokens, i, "AS") && token_is_name(tokens, i + 1) &&
      (token_is_symbol(tokens, i + 2, ',') || token_is_symbol(tokens, i + 2, ')'))) { /* the alias has become the field's name */
    in->i += 2;
    return true;
  }
  if (token_is(tokens, i, "INTERVAL")) {
    if (!sql_append_interval(tokens, &in->i, in->end, in->out, &done, in->failure)) return false;
    if (done) return true;
  }
  /* Typed literals. */
  bool literal = i + 1 < in->end && tokens->items[i + 1].kind == TOKEN_STRING;
  if (literal && (token_is(tokens, i, "TIMESTAMP") || token_is(tokens, i, "TIMESTAMP_LTZ") || token_is(tokens, i, "TIMESTAMP_NTZ")))
    return append_type_here(in);
  bool statement_start = in->depth == 0;
  if (statement_start && token_is(tokens, i, "DATABASE") && i > 0 &&
      (token_is(tokens, i - 1, "CREATE") || token_is(tokens, i - 1, "DROP"))) {
    buf_append_text(in->out, "SCHEMA");
    in->i++;
    return true;
  }
  if (statement_start && token_is(tokens, i, "TABLE") && i > 0 && token_is(tokens, i - 1, "INTO")) { /* INSERT INTO TABLE t */
    in->i++;
    return true;
  }
  bool of_column = frame && frame->kind == FRAME_COLUMNS && in->column;
  if (literal && token_is(tokens, i, "COMMENT") && in->table && (of_column || (statement_start && in->create_table)))
    return keep_comment(in, of_column ? in->column : NULL);
  if (statement_start && in->create_table && token_is(tokens, i, "USING") &&
      token_is(tokens, i + 1, "DELTA")) { /* all tables are the engine's own */
    in->i += 2;
    return true;
  }
  if ((token_is(tokens, i, "LIKE") || token_is(tokens, i, "ILIKE")) && literal && !token_is(tokens, i + 2, "ESCAPE")) {
    /* To Databricks a backslash escapes in patterns. */
    const struct token *pattern = &tokens->items[i + 1];
    append_name(in);
    buf_append_byte(in->out, ' ');
    if (!sql_append_string(tokens, &in->i, in->end, in->out, in->failure)) return false;
    if (memchr(tokens->source + pattern->start, '\\', pattern->end - pattern->start)) buf_append_text(in->out, " ESCAPE '\\'");
    return true;
  }
  if (token_is(tokens, i, "DIV") && i > 0 && !token_is_symbol(tokens, i + 1, '(') && !token_is_symbol(tokens, i - 1, ',') &&
      !token_is_symbol(tokens, i - 1, '.') && i + 1 < in->end &&
      (tokens->items[i + 1].kind == TOKEN_NUMBER || token_is_name(tokens, i + 1))) {
    buf_append_text(in->out, "//");
    in->i++;
    return true;
  }
  /* ALTER TABLE t ADD COLUMN c type; ALTER COLUMN c TYPE type. */
  bool alter = token_is(tokens, 0, "ALTER") && token_is(tokens, 1, "TABLE") && statement_start;
  if (alter && (token_is(tokens, i, "COLUMN") || token_is(tokens, i, "COLUMNS")) && token_is(tokens, i - 1, "ADD")) {
    buf_append_text(in->out, "COLUMN ");
    in->i++;
    if (token_is(tokens, in->i, "IF") && token_is(tokens, in->i + 1, "NOT") && token_is(tokens, in->i + 2, "EXISTS")) {
      buf_append_text(in->out, "IF NOT EXISTS ");
      in->i += 3;
    }
    bool brackets = token_is_symbol(tokens, in->i, '(');
    if (brackets) in->i++;
    if (!token_is_name(tokens, in->i)) return token_error(tokens, in->i, in->failure);
    append_name(in);
    buf_append_byte(in->out, ' ');
    if (!append_type_here(in)) return false;
    if (brackets) {
      if (!token_is_symbol(tokens, in->i, ')'))
        return failure_set(in->failure, "UNSUPPORTED_FEATURE", "0A000",
                           "This warehouse adds one column in a statement, without further clauses.");
      in->i++;
    }
    return true;
  }
  if (alter && token_is(tokens, i, "TYPE")) {
    buf_append_text(in->out, "TYPE ");
    in->i++;
    return append_type_here(in);
  }
  append_name(in);
  return true;
}

/* ---- Symbols ----------------------------------------------------------------------------------------------------------------------------
 */

static bool translate_symbol(struct translation *in) {
  const struct tokens *tokens = in->tokens;
  const struct token *token = &tokens->items[in->i];
  const char *text = tokens->source + token->start;
  size_t length = token->end - token->start;
  struct frame *frame = top(in);
  if (length == 2) { /* :: */
    buf_append_text(in->out, "::");
    in->i++;
    return append_type_here(in);
  }
  switch (*text) {
    case '(': {
      bool columns = in->create_table && !in->seen_columns && in->depth == 0 && in->i > 0 && token_is_name(tokens, in->i - 1);
      if (columns) in->seen_columns = in->column_name = true;
      buf_append_byte(in->out, '(');
      in->i++;
      return push(in, columns ? FRAME_COLUMNS : FRAME_PLAIN, ')', NULL);
    }
    case '[':
    case '{':
      buf_append_byte(in->out, (uint8_t)*text);
      in->i++;
      return push(in, FRAME_PLAIN, *text == '[' ? ']' : '}', NULL);
    case ')':
    case ']':
    case '}':
      if (!frame || frame->symbol != *text) return token_error(tokens, in->i, in->failure);
      if (frame->close) {
        buf_append_text(in->out, frame->close);
      } else {
        buf_append_byte(in->out, (uint8_t)*text);
      }
      free(frame->close);
      in->depth--;
      in->i++;
      return true;
    case ',':
      in->i++;
      if (frame && frame->kind == FRAME_PAIRS) {
        buf_append_text(in->out, frame->arguments % 2 == 0 ? ":" : ",");
      } else {
        buf_append_byte(in->out, ',');
      }
      if (frame) frame->arguments++;
      if (frame && frame->kind == FRAME_COLUMNS) in->column_name = true;
      if (frame && frame->kind == FRAME_FIELDS) {
        buf_append_byte(in->out, ' ');
        append_field_name(in);
      }
      return true;
    case '<':
      if (in->i + 2 < in->end && token_is_symbol(tokens, in->i + 1, '=') && token_is_symbol(tokens, in->i + 2, '>') &&
          tokens->items[in->i + 2].end == token->start + 3) {
        buf_append_text(in->out, " IS NOT DISTINCT FROM ");
        in->i += 3;
        return true;
      }
      break;
    case ';': return token_error(tokens, in->i + 1, in->failure); /* one statement at a time */
    default: break;
  }
  buf_append(in->out, text, length);
  in->i++;
  return true;
}

static void translate_parameter(struct translation *in) {
  struct sql_statement *statement = in->statement;
  const struct token *token = &in->tokens->items[in->i++];
  const char *text = in->tokens->source + token->start;
  statement->markers = wh_grow(statement->markers, statement->marker_count + 1, sizeof *statement->markers);
  statement->markers[statement->marker_count++] = *text == '?' ? NULL : wh_copy_n(text + 1, token->end - token->start - 1);
  buf_append_byte(in->out, SQL_MARKER);
}

/* Blanks and comments between tokens, as they are. */
static void append_gap(struct translation *in) {
  size_t from = in->i ? in->tokens->items[in->i - 1].end : 0, to = in->tokens->items[in->i].start;
  for (size_t at = from; at < to; at++) {
    char c = in->tokens->source[at];
    buf_append_byte(in->out, c == SQL_MARKER ? ' ' : (uint8_t)c);
  }
}

bool sql_append_translation(const struct tokens *tokens, size_t first, size_t end, struct sql_statement *statement, struct buf *out,
                            struct failure *failure) {
  struct translation *in = wh_new(1, sizeof *in);
  *in = (struct translation){.tokens = tokens, .end = end, .statement = statement, .out = out, .failure = failure, .i = first};
  size_t at = first + 1;
  if (token_is(tokens, at, "OR") && token_is(tokens, at + 1, "REPLACE")) at += 2;
  if (token_is(tokens, at, "TEMP") || token_is(tokens, at, "TEMPORARY") || token_is(tokens, at, "EXTERNAL")) at++;
  in->create_table = token_is(tokens, first, "CREATE") && token_is(tokens, at, "TABLE");
  if (in->create_table) read_table_name(in, at + 1);
  in->schema_statement = (token_is(tokens, first, "CREATE") || token_is(tokens, first, "DROP") || token_is(tokens, first, "ALTER")) &&
                         (token_is(tokens, at, "SCHEMA") || token_is(tokens, at, "DATABASE"));
  bool good = true;
  while (good && in->i < end) {
    if (in->i > first) append_gap(in);
    switch (tokens->items[in->i].kind) {
      case TOKEN_WORD:
      case TOKEN_NAME: good = translate_word(in); break;
      case TOKEN_STRING: good = sql_append_string(tokens, &in->i, end, out, failure); break;
      case TOKEN_HEX: good = sql_append_hex(tokens, &in->i, out, failure); break;
      case TOKEN_NUMBER: sql_append_number(tokens, &in->i, out); break;
      case TOKEN_PARAMETER: translate_parameter(in); break;
      default: good = translate_symbol(in);
    }
  }
  if (good && in->depth) good = token_error(tokens, tokens->count, failure);
  while (in->depth) free(in->frames[--in->depth].close);
  free(in->table);
  free(in->column);
  free(in);
  return good;
}
