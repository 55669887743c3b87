/* Statements that the warehouse answers itself, read from their tokens. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "memory.h"
#include "sql_internal.h"

struct reading {
  const struct tokens *tokens;
  size_t i;
  struct sql_statement *statement;
  struct failure *failure;
};

static bool accept(struct reading *in, const char *word) {
  if (!token_is(in->tokens, in->i, word)) return false;
  in->i++;
  return true;
}

static bool accept_either(struct reading *in, const char *one, const char *other) {
  return accept(in, one) || accept(in, other);
}

static bool at_end(struct reading *in) {
  return in->i >= in->tokens->count || token_error(in->tokens, in->i, in->failure);
}

static bool kind(struct reading *in, enum sql_kind value) {
  in->statement->kind = value;
  return true;
}

/* A name of up to `most` parts into the arguments, the last part at `most` - 1. */
static bool read_name(struct reading *in, size_t most) {
  char *parts[3] = {NULL, NULL, NULL};
  size_t count = 0;
  for (;;) {
    if (count == most || !token_is_name(in->tokens, in->i)) {
      for (size_t p = 0; p < count; p++) free(parts[p]);
      return token_error(in->tokens, in->i, in->failure);
    }
    parts[count++] = token_name(in->tokens, in->i++);
    if (!token_is_symbol(in->tokens, in->i, '.')) break;
    in->i++;
  }
  for (size_t p = 0; p < count; p++) in->statement->arguments[most - count + p] = parts[p];
  return true;
}

/* [LIKE] 'pattern', if it is there. */
static bool read_pattern(struct reading *in, size_t argument) {
  bool like = accept(in, "LIKE");
  if (in->i < in->tokens->count && in->tokens->items[in->i].kind == TOKEN_STRING) {
    struct buf value = BUF_INIT;
    if (!token_string(in->tokens, in->i, &value, in->failure)) {
      buf_free(&value);
      return false;
    }
    in->i++;
    in->statement->arguments[argument] = wh_take(&value);
  } else if (like) {
    return token_error(in->tokens, in->i, in->failure);
  }
  return at_end(in);
}

/* ---- SET and RESET
 * ------------------------------------------------------------------------------------------------------------------------ */

/* The rest of the text from token `i` up to token `end`, with quotes around all of it taken away. */
static bool rest_of(struct reading *in, size_t end, char **out) {
  const struct tokens *tokens = in->tokens;
  if (end == in->i + 1 && tokens->items[in->i].kind == TOKEN_STRING) {
    struct buf value = BUF_INIT;
    bool good = token_string(tokens, in->i, &value, in->failure);
    if (good) {
      *out = wh_take(&value);
    } else {
      buf_free(&value);
    }
    return good;
  }
  if (end == in->i + 1 && tokens->items[in->i].kind == TOKEN_NAME) {
    *out = token_name(tokens, in->i);
    return true;
  }
  size_t from = tokens->items[in->i].start, to = tokens->items[end - 1].end;
  *out = end > in->i ? wh_copy_n(tokens->source + from, to - from) : wh_copy("");
  return true;
}

static bool read_set(struct reading *in) {
  const struct tokens *tokens = in->tokens;
  char **arguments = in->statement->arguments;
  if (accept(in, "AUTOCOMMIT")) {
    kind(in, SQL_AUTOCOMMIT);
    if (in->i >= tokens->count) return true;
    if (!token_is_symbol(tokens, in->i, '=')) return token_error(tokens, in->i, in->failure);
    in->i++;
    const char *source = tokens->source + tokens->items[in->i].start;
    bool on = token_is(tokens, in->i, "TRUE") || (in->i < tokens->count && *source == '1');
    bool off = token_is(tokens, in->i, "FALSE") || (in->i < tokens->count && *source == '0');
    if (!on && !off) return token_error(tokens, in->i, in->failure);
    in->i++;
    arguments[0] = wh_copy(on ? "true" : "false");
    return at_end(in);
  }
  if (accept(in, "CATALOG")) {
    kind(in, SQL_USE);
    if (in->i + 1 == tokens->count && tokens->items[in->i].kind == TOKEN_STRING) return rest_of(in, in->i + 1, &arguments[0]);
    if (!token_is_name(tokens, in->i)) return token_error(tokens, in->i, in->failure);
    arguments[0] = token_name(tokens, in->i++);
    return at_end(in);
  }
  if (token_is(tokens, in->i, "TIME") && token_is(tokens, in->i + 1, "ZONE")) {
    in->i += 2;
    kind(in, SQL_SET_ZONE);
    if (token_is(tokens, in->i, "LOCAL") && in->i + 1 == tokens->count) return true;
    if (in->i + 1 != tokens->count || tokens->items[in->i].kind != TOKEN_STRING) return token_error(tokens, in->i, in->failure);
    return rest_of(in, tokens->count, &arguments[0]);
  }
  kind(in, SQL_SET);
  if (in->i >= tokens->count) return true;
  if (token_is_symbol(tokens, in->i, '-') && token_is(tokens, in->i + 1, "v") && in->i + 2 == tokens->count) {
    in->statement->flag = true;
    return true;
  }
  size_t equals = in->i;
  while (equals < tokens->count && !token_is_symbol(tokens, equals, '=')) equals++;
  if (!token_is_name(tokens, in->i) || equals == in->i) return token_error(tokens, in->i, in->failure);
  if (!rest_of(in, equals, &arguments[0])) return false;
  for (const char *c = arguments[0]; *c; c++) { /* names of settings have no blanks in them */
    if (text_is_space(*c)) return token_error(tokens, in->i + 1, in->failure);
  }
  if (equals == tokens->count) return true;
  in->i = equals + 1;
  if (in->i >= tokens->count) {
    arguments[1] = wh_copy("");
    return true;
  }
  return rest_of(in, tokens->count, &arguments[1]);
}

/* ---- USE
 * ------------------------------------------------------------------------------------------------------------------------------------ */

static bool read_use(struct reading *in) {
  kind(in, SQL_USE);
  if (accept(in, "CATALOG")) {
    if (!token_is_name(in->tokens, in->i)) return token_error(in->tokens, in->i, in->failure);
    in->statement->arguments[0] = token_name(in->tokens, in->i++);
    return at_end(in);
  }
  if (!accept(in, "SCHEMA")) accept(in, "DATABASE");
  return read_name(in, 2) && at_end(in);
}

/* ---- SHOW
 * ----------------------------------------------------------------------------------------------------------------------------------- */

static bool read_show(struct reading *in, bool *found) {
  struct sql_statement *statement = in->statement;
  if (accept(in, "CATALOGS")) return kind(in, SQL_SHOW_CATALOGS) && read_pattern(in, 0);
  if (accept_either(in, "SCHEMAS", "DATABASES")) {
    kind(in, SQL_SHOW_SCHEMAS);
    if (accept_either(in, "IN", "FROM")) {
      if (!token_is_name(in->tokens, in->i)) return token_error(in->tokens, in->i, in->failure);
      statement->arguments[0] = token_name(in->tokens, in->i++);
    }
    return read_pattern(in, 1);
  }
  statement->flag = token_is(in->tokens, in->i, "VIEWS");
  if (accept_either(in, "TABLES", "VIEWS")) {
    kind(in, SQL_SHOW_TABLES);
    if (accept_either(in, "IN", "FROM") && !read_name(in, 2)) return false;
    return read_pattern(in, 2);
  }
  if (accept(in, "COLUMNS")) {
    kind(in, SQL_SHOW_COLUMNS);
    if (!accept_either(in, "IN", "FROM")) return token_error(in->tokens, in->i, in->failure);
    if (!read_name(in, 3)) return false;
    if (accept_either(in, "IN", "FROM")) { /* the schema apart */
      if (statement->arguments[1] || !token_is_name(in->tokens, in->i)) return token_error(in->tokens, in->i, in->failure);
      statement->arguments[1] = token_name(in->tokens, in->i++);
    }
    return at_end(in);
  }
  if (token_is(in->tokens, in->i, "CREATE") && token_is(in->tokens, in->i + 1, "TABLE")) {
    in->i += 2;
    return kind(in, SQL_SHOW_CREATE) && read_name(in, 3) && at_end(in);
  }
  size_t start = in->i;
  if (!accept_either(in, "USER", "SYSTEM")) accept(in, "ALL");
  if (accept(in, "FUNCTIONS")) {
    kind(in, SQL_SHOW_FUNCTIONS);
    if (accept_either(in, "IN", "FROM")) {
      if (!read_name(in, 2)) return false;
      free(statement->arguments[0]);
      free(statement->arguments[1]);
      statement->arguments[0] = statement->arguments[1] = NULL;
    }
    return read_pattern(in, 0);
  }
  in->i = start;
  statement->flag = false;
  *found = false; /* the engine's own SHOW */
  return true;
}

/* ---- DESCRIBE
 * ------------------------------------------------------------------------------------------------------------------------------- */

static bool read_describe(struct reading *in) {
  struct sql_statement *statement = in->statement;
  static const char *const queries[] = {"SELECT", "WITH", "VALUES", "FROM"};
  bool query = accept(in, "QUERY") || token_is_symbol(in->tokens, in->i, '(');
  for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) query = query || token_is(in->tokens, in->i, queries[q]);
  if (query) {
    struct buf text = BUF_INIT;
    kind(in, SQL_DESCRIBE_QUERY);
    if (in->i >= in->tokens->count) return token_error(in->tokens, in->i, in->failure);
    if (!sql_append_translation(in->tokens, in->i, in->tokens->count, statement, &text, in->failure)) {
      buf_free(&text);
      return false;
    }
    statement->text = wh_take(&text);
    return true;
  }
  if (accept(in, "CATALOG")) {
    accept(in, "EXTENDED");
    if (!token_is_name(in->tokens, in->i)) return token_error(in->tokens, in->i, in->failure);
    statement->arguments[0] = token_name(in->tokens, in->i++);
    return kind(in, SQL_DESCRIBE_CATALOG) && at_end(in);
  }
  if (accept_either(in, "SCHEMA", "DATABASE")) {
    accept(in, "EXTENDED");
    return kind(in, SQL_DESCRIBE_SCHEMA) && read_name(in, 2) && at_end(in);
  }
  accept(in, "TABLE");
  statement->flag = accept_either(in, "EXTENDED", "FORMATTED");
  return kind(in, SQL_DESCRIBE_TABLE) && read_name(in, 3) && at_end(in);
}

/* ---- The rest
 * ------------------------------------------------------------------------------------------------------------------------------- */

static bool read_catalog(struct reading *in, bool create) {
  kind(in, create ? SQL_CREATE_CATALOG : SQL_DROP_CATALOG);
  if (accept(in, "IF")) {
    if (create && !accept(in, "NOT")) return token_error(in->tokens, in->i, in->failure);
    if (!accept(in, "EXISTS")) return token_error(in->tokens, in->i, in->failure);
    in->statement->flag = true;
  }
  if (!token_is_name(in->tokens, in->i)) return token_error(in->tokens, in->i, in->failure);
  in->statement->arguments[0] = token_name(in->tokens, in->i++);
  if (!create && !accept(in, "CASCADE")) accept(in, "RESTRICT");
  return at_end(in);
}

static bool read_transaction(struct reading *in, enum sql_kind value, bool needs_word) {
  if (!accept_either(in, "TRANSACTION", "WORK") && needs_word) return token_error(in->tokens, in->i, in->failure);
  return kind(in, value) && at_end(in);
}

bool sql_read_command(const struct tokens *tokens, struct sql_statement *statement, bool *found, struct failure *failure) {
  struct reading in = {tokens, 0, statement, failure};
  *found = true;
  if (token_is(tokens, 0, "SET") && !token_is(tokens, 1, "VARIABLE") && !token_is(tokens, 1, "VAR")) {
    in.i = 1;
    return read_set(&in);
  }
  if (accept(&in, "RESET")) {
    kind(&in, SQL_RESET);
    return in.i >= tokens->count || rest_of(&in, tokens->count, &statement->arguments[0]);
  }
  if (accept(&in, "USE")) return read_use(&in);
  if (accept(&in, "SHOW")) return read_show(&in, found);
  if (accept_either(&in, "DESCRIBE", "DESC")) return read_describe(&in);
  if (accept(&in, "BEGIN")) return read_transaction(&in, SQL_BEGIN, true);
  if (accept(&in, "COMMIT")) return read_transaction(&in, SQL_COMMIT, false);
  if (accept(&in, "ROLLBACK")) return read_transaction(&in, SQL_ROLLBACK, false);
  if (token_is(tokens, 0, "START") && token_is(tokens, 1, "TRANSACTION")) return token_error(tokens, 0, failure);
  bool create = token_is(tokens, 0, "CREATE"), drop = token_is(tokens, 0, "DROP");
  if ((create || drop) && token_is(tokens, 1, "CATALOG")) {
    in.i = 2;
    return read_catalog(&in, create);
  }
  *found = false;
  return true;
}
