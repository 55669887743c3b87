/* Literals of Databricks' SQL in the engine's words. */
#include <string.h>

#include "base/text.h"
#include "memory.h"
#include "sql_internal.h"

void sql_append_literal(struct buf *out, const char *text, size_t length) {
  buf_append_byte(out, '\'');
  for (size_t i = 0; i < length; i++) {
    if (text[i] == SQL_MARKER) { /* means something else in translated text */
      buf_append_text(out, "'||chr(1)||'");
      continue;
    }
    if (text[i] == '\'') buf_append_byte(out, '\'');
    buf_append_byte(out, (uint8_t)text[i]);
  }
  buf_append_byte(out, '\'');
}

void sql_append_quoted_name(struct buf *out, const char *name) {
  buf_append_byte(out, '"');
  for (; *name; name++) {
    if (*name == '"') buf_append_byte(out, '"');
    buf_append_byte(out, *name == SQL_MARKER ? ' ' : (uint8_t)*name);
  }
  buf_append_byte(out, '"');
}

/* INTERVAL '1-2' YEAR TO MONTH, INTERVAL '1 02:03' DAY TO MINUTE: the engine knows one unit only. */
bool sql_append_interval(const struct tokens *tokens, size_t *i, size_t end, struct buf *out, bool *done, struct failure *failure) {
  size_t at = *i + 1;
  bool negative = token_is_symbol(tokens, at, '-');
  if (negative) at++;
  *done = at < end && tokens->items[at].kind == TOKEN_STRING && token_is(tokens, at + 2, "TO");
  if (!*done) return true;
  struct buf value = BUF_INIT;
  if (!token_string(tokens, at, &value, failure)) {
    buf_free(&value);
    return false;
  }
  const char *text = buf_text(&value);
  if (*text == '-') {
    negative = !negative;
    text++;
  } else if (*text == '+') {
    text++;
  }
  static const char *const units[] = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"};
  size_t unit = 0, last = 0;
  while (unit < 6 && !token_is(tokens, at + 1, units[unit])) unit++;
  while (last < 6 && !token_is(tokens, at + 3, units[last])) last++;
  bool good = unit < last && last < 6 && (unit == 0) == (last == 1) && unit != 1;
  struct buf parts = BUF_INIT;
  for (size_t u = unit; good && u <= last; u++) { /* numbers with something between them */
    size_t digits = strspn(text, u == 5 ? "0123456789." : "0123456789");
    good = digits > 0 && digits < 20;
    if (parts.size) buf_append_text(&parts, " + ");
    buf_printf(&parts, "INTERVAL '%.*s' %s", (int)digits, text, units[u]);
    text += digits;
    if (u < last) {
      good = good && *text && !text_is_digit(*text);
      text += *text ? 1 : 0;
    }
  }
  good = good && !*text;
  if (good) {
    buf_append_text(out, negative ? "(-1 * (" : "((");
    buf_append_slice(out, buf_slice(&parts));
    buf_append_text(out, "))");
    *i = at + 4;
  }
  buf_free(&parts);
  buf_free(&value);
  return good || token_error(tokens, at, failure);
}

bool sql_append_string(const struct tokens *tokens, size_t *i, size_t end, struct buf *out, struct failure *failure) {
  struct buf value = BUF_INIT;
  bool good = true;
  /* Neighbours are one text. */
  while (good && *i < end && tokens->items[*i].kind == TOKEN_STRING) good = token_string(tokens, (*i)++, &value, failure);
  if (good) sql_append_literal(out, (const char *)value.data, value.size);
  buf_free(&value);
  return good;
}

bool sql_append_hex(const struct tokens *tokens, size_t *i, struct buf *out, struct failure *failure) {
  struct buf value = BUF_INIT;
  bool good = token_string(tokens, *i, &value, failure);
  for (size_t at = 0; good && at < value.size; at++) {
    char c = text_lower((char)value.data[at]);
    good = text_is_digit(c) || (c >= 'a' && c <= 'f') || token_error(tokens, *i, failure);
  }
  if (good) {
    buf_printf(out, "from_hex('%s%.*s')", value.size % 2 ? "0" : "", (int)value.size, value.data ? (const char *)value.data : "");
    (*i)++;
  }
  buf_free(&value);
  return good;
}

void sql_append_number(const struct tokens *tokens, size_t *i, struct buf *out) {
  const struct token *token = &tokens->items[(*i)++];
  const char *text = tokens->source + token->start;
  size_t length = token->end - token->start;
  static const struct {
    const char *suffix, *type;
  } suffixes[] = {{"BD", NULL}, {"L", "BIGINT"}, {"S", "SMALLINT"}, {"Y", "TINYINT"}, {"F", "FLOAT"}, {"D", "DOUBLE"}};
  for (size_t s = 0; s < sizeof suffixes / sizeof *suffixes; s++) {
    size_t size = strlen(suffixes[s].suffix);
    if (length <= size || !text_equal_nocase_n(text + length - size, size, suffixes[s].suffix, size)) continue;
    if (strspn(text, "0123456789.eE+-") != length - size) continue;
    if (suffixes[s].type) {
      buf_printf(out, "CAST(%.*s AS %s)", (int)(length - size), text, suffixes[s].type);
    } else {
      buf_append(out, text, length - size);
    }
    return;
  }
  buf_append(out, text, length);
}
