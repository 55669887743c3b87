#include "sql_token.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "memory.h"

static bool is_word_start(char c) {
  return text_is_alpha(c) || c == '_' || (unsigned char)c >= 0x80;
}
static bool is_word_byte(char c) {
  return is_word_start(c) || text_is_digit(c) || c == '$';
}

/* Behind blanks and comments. A block comment that is not closed ends with the text. */
static size_t skip_blank(const char *source, size_t at) {
  for (;;) {
    while (source[at] && (text_is_space(source[at]) || source[at] == SQL_TOKEN_CONTROL)) at++;
    if (source[at] == '-' && source[at + 1] == '-') {
      at += strcspn(source + at, "\n");
    } else if (source[at] == '/' && source[at + 1] == '*') {
      int depth = 1;
      at += 2;
      while (source[at] && depth) {
        if (source[at] == '*' && source[at + 1] == '/') {
          depth--;
          at += 2;
        } else if (source[at] == '/' && source[at + 1] == '*') {
          depth++;
          at += 2;
        } else {
          at++;
        }
      }
    } else {
      return at;
    }
  }
}

/* The place behind a quoted text that begins at `at`; 0 if it is not closed. */
static size_t end_of_quoted(const char *source, size_t at, bool backslash) {
  char quote = source[at++];
  while (source[at]) {
    if (source[at] == '\\' && backslash && source[at + 1]) {
      at += 2;
    } else if (source[at] == quote) {
      if (source[at + 1] != quote) return at + 1;
      at += 2;
    } else {
      at++;
    }
  }
  return 0;
}

static size_t end_of_number(const char *source, size_t at) {
  while (text_is_digit(source[at])) at++;
  if (source[at] == '.') {
    at++;
    while (text_is_digit(source[at])) at++;
  }
  if ((source[at] == 'e' || source[at] == 'E') &&
      (text_is_digit(source[at + 1]) || ((source[at + 1] == '+' || source[at + 1] == '-') && text_is_digit(source[at + 2])))) {
    at += 2;
    while (text_is_digit(source[at])) at++;
  }
  return at;
}

/* A colon begins a parameter only where an operand can stand: not in `column:field` or `list[a:b]`. */
static bool operand_may_follow(const struct tokens *tokens) {
  if (tokens->count == 0) return false;
  const struct token *last = &tokens->items[tokens->count - 1];
  if (last->kind == TOKEN_SYMBOL) return !strchr(")]}.", tokens->source[last->start]);
  /* After a word there must be a blank: WHERE :a. */
  return last->kind == TOKEN_WORD;
}

static void add(struct tokens *tokens, enum token_kind kind, size_t start, size_t end) {
  if ((tokens->count & (tokens->count + 1)) == 0) tokens->items = wh_grow(tokens->items, (tokens->count + 1) * 2, sizeof *tokens->items);
  tokens->items[tokens->count] = (struct token){kind, start, end};
  if (kind != TOKEN_END) tokens->count++;
}

bool tokens_read(const char *source, struct tokens *tokens, struct failure *failure) {
  size_t at = 0;
  *tokens = (struct tokens){.source = source};
  for (;;) {
    size_t blank = at;
    at = skip_blank(source, at);
    char c = source[at];
    if (!c) break;
    size_t start = at;
    enum token_kind kind = TOKEN_SYMBOL;
    bool prefixed = (source[at + 1] == '\'' || source[at + 1] == '"') && strchr("rRxX", c);
    if (c == '\'' || c == '"' || prefixed) {
      bool raw = prefixed;
      kind = prefixed && (c == 'x' || c == 'X') ? TOKEN_HEX : TOKEN_STRING;
      at = end_of_quoted(source, at + (prefixed ? 1 : 0), !raw);
    } else if (c == '`') {
      kind = TOKEN_NAME;
      at = end_of_quoted(source, at, false);
    } else if (text_is_digit(c) || (c == '.' && text_is_digit(source[at + 1]) && !token_is_name(tokens, tokens->count - 1))) {
      at = end_of_number(source, at);
      kind = TOKEN_NUMBER;
      if (is_word_start(source[at])) { /* 1L, 2BD; or a name that begins with a digit */
        while (is_word_byte(source[at])) at++;
      }
    } else if (is_word_start(c)) {
      kind = TOKEN_WORD;
      while (is_word_byte(source[at])) at++;
    } else if (c == '?') {
      kind = TOKEN_PARAMETER;
      at++;
    } else if (c == ':' && is_word_start(source[at + 1]) && operand_may_follow(tokens) &&
               (blank < at || tokens->items[tokens->count - 1].kind == TOKEN_SYMBOL)) {
      kind = TOKEN_PARAMETER;
      at++;
      while (is_word_byte(source[at])) at++;
    } else {
      at += c == ':' && source[at + 1] == ':' ? 2 : 1;
    }
    if (at == 0) {
      add(tokens, TOKEN_END, strlen(source), strlen(source));
      tokens_free(tokens);
      return failure_at(failure, source, start, 1);
    }
    add(tokens, kind, start, at);
  }
  add(tokens, TOKEN_END, at, at);
  return true;
}

void tokens_free(struct tokens *tokens) {
  free(tokens->items);
  tokens->items = NULL;
  tokens->count = 0;
}

bool token_is(const struct tokens *tokens, size_t i, const char *word) {
  if (i >= tokens->count || tokens->items[i].kind != TOKEN_WORD) return false;
  const struct token *token = &tokens->items[i];
  return text_equal_nocase_n(tokens->source + token->start, token->end - token->start, word, strlen(word));
}

bool token_is_symbol(const struct tokens *tokens, size_t i, char symbol) {
  return i < tokens->count && tokens->items[i].kind == TOKEN_SYMBOL && tokens->items[i].end - tokens->items[i].start == 1 &&
         tokens->source[tokens->items[i].start] == symbol;
}

bool token_is_name(const struct tokens *tokens, size_t i) {
  return i < tokens->count && (tokens->items[i].kind == TOKEN_WORD || tokens->items[i].kind == TOKEN_NAME);
}

char *token_name(const struct tokens *tokens, size_t i) {
  const struct token *token = &tokens->items[i];
  const char *text = tokens->source + token->start;
  size_t length = token->end - token->start;
  if (token->kind != TOKEN_NAME) return wh_copy_n(text, length);
  struct buf name = BUF_INIT;
  for (size_t at = 1; at + 1 < length; at++) {
    buf_append_byte(&name, (uint8_t)text[at]);
    if (text[at] == '`') at++;
  }
  return wh_take(&name);
}

static int hex_of(char c) {
  if (text_is_digit(c)) return c - '0';
  c = text_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void append_utf8(struct buf *out, unsigned code) {
  if (code < 0x80) {
    buf_append_byte(out, (uint8_t)code);
  } else if (code < 0x800) {
    buf_append_byte(out, (uint8_t)(0xC0 | code >> 6));
    buf_append_byte(out, (uint8_t)(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    buf_append_byte(out, (uint8_t)(0xE0 | code >> 12));
    buf_append_byte(out, (uint8_t)(0x80 | (code >> 6 & 0x3F)));
    buf_append_byte(out, (uint8_t)(0x80 | (code & 0x3F)));
  } else {
    buf_append_byte(out, (uint8_t)(0xF0 | code >> 18));
    buf_append_byte(out, (uint8_t)(0x80 | (code >> 12 & 0x3F)));
    buf_append_byte(out, (uint8_t)(0x80 | (code >> 6 & 0x3F)));
    buf_append_byte(out, (uint8_t)(0x80 | (code & 0x3F)));
  }
}

/* \uXXXX and \UXXXXXXXX. False: these are no digits of one, or no character. */
static bool read_unicode(const char *text, size_t digits, unsigned *code) {
  *code = 0;
  for (size_t i = 0; i < digits; i++) {
    int digit = hex_of(text[i]);
    if (digit < 0) return false;
    *code = *code * 16 + (unsigned)digit;
  }
  return *code <= 0x10FFFF && (*code < 0xD800 || *code > 0xDFFF);
}

bool token_string(const struct tokens *tokens, size_t i, struct buf *value, struct failure *failure) {
  const char *text = tokens->source + tokens->items[i].start;
  size_t length = tokens->items[i].end - tokens->items[i].start;
  bool raw = *text == 'r' || *text == 'R' || *text == 'x' || *text == 'X';
  size_t at = raw ? 2 : 1;
  char quote = text[at - 1];
  while (at + 1 < length) {
    char c = text[at];
    if (c == quote) { /* doubled */
      buf_append_byte(value, (uint8_t)quote);
      at += 2;
      continue;
    }
    if (c != '\\' || raw || at + 2 >= length) {
      buf_append_byte(value, (uint8_t)c);
      at++;
      continue;
    }
    char next = text[at + 1];
    unsigned code;
    at += 2;
    switch (next) {
      case 'n': buf_append_byte(value, '\n'); break;
      case 't': buf_append_byte(value, '\t'); break;
      case 'r': buf_append_byte(value, '\r'); break;
      case 'b': buf_append_byte(value, '\b'); break;
      case 'Z': buf_append_byte(value, 26); break;
      case '0':
        return failure_set(failure, "UNSUPPORTED_FEATURE", "0A000", "A text with a zero byte (\\0) is not supported by this warehouse.");
      case '%':
      case '_': /* stay escaped, for LIKE */
        buf_append_byte(value, '\\');
        buf_append_byte(value, (uint8_t)next);
        break;
      case 'u':
      case 'U': {
        size_t digits = next == 'u' ? 4 : 8;
        if (at + digits < length && read_unicode(text + at, digits, &code) && code) {
          append_utf8(value, code);
          at += digits;
          break;
        }
        buf_append_byte(value, (uint8_t)next);
        break;
      }
      default: buf_append_byte(value, (uint8_t)next);
    }
  }
  wh_check(value);
  return true;
}

bool token_error(const struct tokens *tokens, size_t i, struct failure *failure) {
  if (i > tokens->count) i = tokens->count;
  bool end = i == tokens->count;
  size_t offset = end ? strlen(tokens->source) : tokens->items[i].start;
  return failure_at(failure, tokens->source, offset, end ? 0 : tokens->items[i].end - offset);
}
