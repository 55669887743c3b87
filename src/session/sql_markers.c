#include "session/sql_markers.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/sql_words.h"

enum token_kind { TOKEN_NONE, TOKEN_WORD, TOKEN_NAME, TOKEN_TEXT, TOKEN_NUMBER, TOKEN_MARKER, TOKEN_SYMBOL };

struct token {
  enum token_kind kind;
  size_t start, end;
};

/* How far the text looks like INSERT INTO ... VALUES (row). */
enum insert_state { INSERT_NO, INSERT_FIRST, INSERT_TARGET, INSERT_ROW_OPENS, INSERT_ROW, INSERT_END };

struct scanner {
  const char *text;
  size_t size, at;
  struct token last, before; /* the two tokens before the one at hand */
  struct sql_markers *out;
  size_t capacity;
  size_t struct_depth; /* within STRUCT<...> */
  enum insert_state insert;
  bool seen_into;
  size_t brackets; /* of the INSERT */
  size_t row_start, row_end;
  bool no_memory;
};

static char peek(const struct scanner *in, size_t at) {
  return at < in->size ? in->text[at] : 0;
}

static bool is_word(const struct scanner *in, struct token token, const char *word) {
  return token.kind == TOKEN_WORD && text_equal_nocase_n(in->text + token.start, token.end - token.start, word, strlen(word));
}

static bool is_symbol(const struct scanner *in, struct token token, char symbol) {
  return token.kind == TOKEN_SYMBOL && token.end - token.start == 1 && in->text[token.start] == symbol;
}

static bool is_one_of(const struct scanner *in, struct token token, const char *const *words) {
  for (; *words; words++) {
    if (is_word(in, token, *words)) return true;
  }
  return false;
}

static void skip_blank(struct scanner *in) {
  struct sql_words rest = {in->text + in->at, in->text + in->size};
  if (!sql_skip_blanks(&rest)) in->out->is_unclosed = true;
  in->at = (size_t)(rest.at - in->text);
}

/* ---- Tokens -------------------------------------------------------------------------------------------------------------- */

static void skip_quoted(struct scanner *in, bool backslash, bool doubled) {
  char quote = in->text[in->at++];
  while (in->at < in->size) {
    char c = in->text[in->at];
    if (c == '\\' && backslash) {
      in->at += 2;
    } else if (c != quote) {
      in->at++;
    } else if (doubled && peek(in, in->at + 1) == quote) {
      in->at += 2;
    } else {
      in->at++;
      return;
    }
  }
  in->at = in->size;
  in->out->is_unclosed = true;
}

/* Digits with a fraction, an exponent, a suffix (1.5e3BD); also a name that begins with a digit. */
static void skip_number(struct scanner *in) {
  while (sql_is_word_byte(peek(in, in->at))) {
    bool exponent = text_lower(in->text[in->at]) == 'e';
    in->at++;
    if (exponent && (peek(in, in->at) == '-' || peek(in, in->at) == '+') && text_is_digit(peek(in, in->at + 1))) in->at++;
  }
  if (peek(in, in->at) == '.' && text_is_digit(peek(in, in->at + 1))) {
    in->at++;
    skip_number(in);
  }
}

static void skip_word(struct scanner *in) {
  size_t start = in->at;
  while (sql_is_word_byte(peek(in, in->at))) in->at++;
  bool letters = true;
  for (size_t i = start; i < in->at; i++) letters = letters && (text_is_alpha(in->text[i]) || (unsigned char)in->text[i] >= 0x80);
  if (!letters || peek(in, in->at) != ':' || peek(in, in->at + 1) != '/' || peek(in, in->at + 2) != '/') return;
  /* An address is one token: dbfs://path?x */
  size_t end = in->at + 3;
  while (sql_is_word_byte(peek(in, end)) || (peek(in, end) && strchr("/-.?=&#%", peek(in, end)))) end++;
  if (end > in->at + 3) in->at = end;
}

static struct token next_token(struct scanner *in) {
  struct token token = {TOKEN_SYMBOL, in->at, 0};
  char c = in->text[in->at], following = peek(in, in->at + 1);
  if ((c == 'r' || c == 'R') && (following == '\'' || following == '"')) {
    in->at++;
    skip_quoted(in, false, false);
    token.kind = TOKEN_TEXT;
  } else if (c == '\'' || c == '"') {
    skip_quoted(in, true, true);
    token.kind = TOKEN_TEXT;
  } else if (c == '`') {
    skip_quoted(in, false, true);
    token.kind = TOKEN_NAME;
  } else if (text_is_digit(c) || (c == '.' && text_is_digit(following) && in->last.end != in->at)) {
    if (c == '.') in->at++;
    skip_number(in);
    token.kind = TOKEN_NUMBER;
  } else if (sql_is_word_byte(c)) {
    skip_word(in);
    token.kind = TOKEN_WORD;
  } else {
    in->at += c == ':' && following == ':' ? 2 : 1;
    if (c == '?') token.kind = TOKEN_MARKER;
  }
  token.end = in->at;
  return token;
}

/* ---- Markers ------------------------------------------------------------------------------------------------------------- */

/* Behind these an expression begins. */
static const char *const expression_follows[] = {"SELECT", "DISTINCT", "ALL",    "WHERE",   "AND",   "OR",   "NOT",    "IN",      "LIKE",
                                                 "ILIKE",  "RLIKE",    "REGEXP", "BETWEEN", "CASE",  "WHEN", "THEN",   "ELSE",    "ON",
                                                 "HAVING", "FROM",     "BY",     "LIMIT",   "USING", "DIV",  "ESCAPE", "QUALIFY", NULL};
/* Behind these too, but they are frequent as names of columns: a blank makes the difference. */
static const char *const expression_may_follow[] = {"VALUES",   "OFFSET",  "OF",      "DEFAULT",   "RETURN",  "INTERVAL",  "FOR",
                                                    "BOTH",     "LEADING", "SET",     "ANY",       "SOME",    "ROWS",      "RANGE",
                                                    "TRAILING", "RETURNS", "PLACING", "AS",        "DATE",    "TIMESTAMP", "ELSEIF",
                                                    "IF",       "WHILE",   "UNTIL",   "IMMEDIATE", "PERCENT", NULL};

/* A colon where an expression is expected stands before a name; behind an expression it stands before a path. */
static bool colon_begins_marker(const struct scanner *in, size_t colon, bool *doubtful) {
  struct token last = in->last;
  *doubtful = false;
  if (last.kind == TOKEN_NONE) return true;
  if (last.kind == TOKEN_SYMBOL) {
    char c = in->text[last.start];
    return c != ')' && c != ']' && c != '}' && c != '.' && c != ':';
  }
  if (last.kind != TOKEN_WORD || is_symbol(in, in->before, '.')) return false;
  /* The name of a field in a type: STRUCT<from: INT> */
  if (in->struct_depth && (is_symbol(in, in->before, '<') || is_symbol(in, in->before, ','))) return false;
  if (is_one_of(in, last, expression_follows)) return true;
  *doubtful = last.end == colon || !is_one_of(in, last, expression_may_follow);
  return true;
}

/* All digits, or digits with a suffix: what Spark's lexer takes for a number, not for a name. */
static bool is_plain_number(const char *text, size_t size) {
  static const char *const suffixes[] = {"", "L", "S", "Y", "D", "F", "BD"};
  size_t at = 0;
  while (at < size && text_is_digit(text[at])) at++;
  if (at > 0 && at + 1 < size && text_lower(text[at]) == 'e') {
    size_t exponent = at + 1;
    while (exponent < size && text_is_digit(text[exponent])) exponent++;
    if (exponent > at + 1) at = exponent;
  }
  for (size_t i = 0; at > 0 && i < sizeof suffixes / sizeof suffixes[0]; i++) {
    if (text_equal_nocase_n(text + at, size - at, suffixes[i], strlen(suffixes[i]))) return true;
  }
  return false;
}

static const char *keep_name(struct scanner *in, struct token name, size_t *size) {
  const char *text = in->text + name.start;
  *size = name.end - name.start;
  if (name.kind != TOKEN_NAME) return arena_strndup(&in->out->names, text, *size);
  char *copy = arena_strndup(&in->out->names, text + 1, *size - 2);
  if (!copy) return NULL;
  size_t length = 0;
  for (size_t i = 1; i + 1 < *size; i++) {
    copy[length++] = text[i];
    if (text[i] == '`') i++;
  }
  copy[length] = 0;
  *size = length;
  return copy;
}

static void add_marker(struct scanner *in, struct sql_marker marker) {
  struct sql_markers *out = in->out;
  if (out->count == in->capacity) {
    size_t capacity = in->capacity ? in->capacity * 2 : 16;
    struct sql_marker *grown = mem_realloc_array(out->items, capacity, sizeof *grown);
    if (!grown) {
      in->no_memory = true;
      return;
    }
    out->items = grown;
    in->capacity = capacity;
  }
  /* The closing bracket is looked for when it comes. */
  marker.in_unhex = is_symbol(in, in->last, '(') && is_word(in, in->before, "UNHEX");
  out->items[out->count++] = marker;
  if (!marker.name) {
    out->positional++;
  } else if (marker.is_doubtful) {
    out->doubtful++;
  } else {
    out->named++;
  }
}

/* The token is a single colon, behind which the scanner stands. Makes it the marker that it begins, if it does. */
static void take_colon(struct scanner *in, struct token *token) {
  struct scanner here = *in;
  bool doubtful;
  if (!colon_begins_marker(in, token->start, &doubtful)) return;
  skip_blank(in);
  struct token name = {TOKEN_NONE, 0, 0};
  if (in->at < in->size && (sql_is_word_byte(in->text[in->at]) || in->text[in->at] == '`') && !in->out->is_unclosed) {
    name.start = in->at;
    if (in->text[in->at] == '`') {
      name.kind = TOKEN_NAME;
      skip_quoted(in, false, true);
    } else {
      name.kind = TOKEN_WORD;
      while (sql_is_word_byte(peek(in, in->at))) in->at++;
    }
    name.end = in->at;
  }
  bool is_name = name.kind != TOKEN_NONE && !in->out->is_unclosed && name.end - name.start > (name.kind == TOKEN_NAME ? 2u : 0u) &&
                 !(name.kind == TOKEN_WORD && is_plain_number(in->text + name.start, name.end - name.start));
  if (!is_name) {
    in->at = here.at;
    return;
  }
  struct sql_marker marker = {.start = token->start, .end = name.end, .is_doubtful = doubtful};
  marker.name = keep_name(in, name, &marker.name_size);
  if (!marker.name) {
    in->no_memory = true;
    return;
  }
  add_marker(in, marker);
  if (doubtful) {
    in->at = here.at; /* a path's parts are tokens */
  } else {
    token->kind = TOKEN_MARKER;
    token->end = name.end;
  }
}

/* ---- INSERT INTO ... VALUES (row) ---------------------------------------------------------------------------------------- */

/* A row that is written several times must mean the same as the statement run several times: nothing in it may look at tables. */
static const char *const not_in_target[] = {"SELECT", "FROM", "REPLACE", "OVERWRITE", "WHERE",     "UNION",
                                            "USING",  "ON",   "QUERY",   "EXCEPT",    "INTERSECT", NULL};
static const char *const not_in_row[] = {"SELECT", "FROM", "VALUES", "TABLE", "WITH", NULL};

static void follow_insert(struct scanner *in, struct token token) {
  bool opens = is_symbol(in, token, '(') || is_symbol(in, token, '[') || is_symbol(in, token, '{');
  bool closes = is_symbol(in, token, ')') || is_symbol(in, token, ']') || is_symbol(in, token, '}');
  enum insert_state state = in->insert;
  if (opens) in->brackets++;
  if (closes) {
    if (in->brackets == 0) {
      in->insert = INSERT_NO;
      return;
    }
    in->brackets--;
  }
  switch (state) {
    case INSERT_NO: return;
    case INSERT_FIRST: in->insert = is_word(in, token, "INSERT") ? INSERT_TARGET : INSERT_NO; return;
    case INSERT_TARGET:
      if (token.kind == TOKEN_MARKER || is_symbol(in, token, ';')) in->insert = INSERT_NO;
      if (in->brackets || closes) return;
      /* A table may have the name of a keyword: not behind INTO, TABLE and dots. */
      if (in->seen_into && (is_word(in, in->last, "INTO") || is_word(in, in->last, "TABLE") || is_symbol(in, in->last, '.'))) return;
      if (is_one_of(in, token, not_in_target)) in->insert = INSERT_NO;
      if (is_word(in, token, "INTO")) in->seen_into = true;
      if (is_word(in, token, "VALUES") && in->seen_into) in->insert = INSERT_ROW_OPENS;
      return;
    case INSERT_ROW_OPENS:
      in->insert = is_symbol(in, token, '(') ? INSERT_ROW : INSERT_NO;
      in->row_start = token.start;
      return;
    case INSERT_ROW:
      if (is_one_of(in, token, not_in_row)) in->insert = INSERT_NO;
      if (in->brackets) return;
      /* Brackets of other kinds are for the server to refuse. */
      in->row_end = token.end;
      in->insert = is_symbol(in, token, ')') ? INSERT_END : INSERT_NO;
      return;
    case INSERT_END:
      if (!is_symbol(in, token, ';')) in->insert = INSERT_NO;
      return;
  }
}

/* ---- All of it ----------------------------------------------------------------------------------------------------------- */

static void follow_struct(struct scanner *in, struct token token) {
  if (in->struct_depth == 0) {
    if (is_symbol(in, token, '<') && is_word(in, in->last, "STRUCT")) in->struct_depth = 1;
  } else if (is_symbol(in, token, '<')) {
    in->struct_depth++;
  } else if (is_symbol(in, token, '>')) {
    in->struct_depth--;
  }
}

dbsql_status sql_markers_scan(struct slice sql, struct sql_markers *markers, dbsql_error **error) {
  *markers = (struct sql_markers){0};
  struct scanner in = {.text = sql_words_of(sql).at, .size = sql.size, .out = markers, .insert = INSERT_FIRST};
  for (;;) {
    skip_blank(&in);
    if (in.at >= in.size || in.no_memory || markers->is_unclosed) break;
    struct token token = next_token(&in);
    if (markers->is_unclosed) break;
    size_t known = markers->count;
    if (in.last.kind == TOKEN_MARKER && !is_symbol(&in, token, ')')) markers->items[known - 1].in_unhex = false;
    if (token.kind == TOKEN_MARKER) {
      add_marker(&in, (struct sql_marker){.start = token.start, .end = token.end});
    } else if (is_symbol(&in, token, ':')) {
      take_colon(&in, &token);
    } else if (in.last.kind == TOKEN_NONE && token.kind == TOKEN_WORD) {
      markers->verb = slice_of(in.text + token.start, token.end - token.start);
    }
    follow_struct(&in, token);
    follow_insert(&in, token);
    in.before = in.last;
    in.last = token;
  }
  /* What follows the last marker must have been seen. */
  if (markers->count > 0 && in.last.kind == TOKEN_MARKER) markers->items[markers->count - 1].in_unhex = false;
  if (in.insert == INSERT_END && !markers->is_unclosed) {
    markers->row_start = in.row_start;
    markers->row_end = in.row_end;
  }
  if (!in.no_memory) return DBSQL_OK;
  sql_markers_free(markers);
  return error_no_memory(error);
}

void sql_markers_free(struct sql_markers *markers) {
  mem_free(markers->items);
  arena_free(&markers->names);
  *markers = (struct sql_markers){0};
}

bool sql_markers_verb_is(const struct sql_markers *markers, const char *word) {
  return text_equal_nocase_n((const char *)markers->verb.data, markers->verb.size, word, strlen(word));
}

bool sql_marker_is(const struct sql_marker *marker, const char *name) {
  return marker->name && marker->name_size == strlen(name) && memcmp(marker->name, name, marker->name_size) == 0;
}
