#include "session/metadata_match.h"

#include "base/text.h"

/* Lower case, for the scripts where an upper-case letter stands at a fixed distance: identifiers do not care for case, and servers fold
 * more than ASCII. No locale. */
static uint32_t fold(uint32_t c) {
  if (c < 0x80) return (uint32_t)(unsigned char)text_lower((char)c);
  if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3AB && c != 0x3A2) || (c >= 0x410 && c <= 0x42F)) return c + 0x20;
  if (c >= 0x400 && c <= 0x40F) return c + 0x50;
  if (c >= 0x531 && c <= 0x556) return c + 0x30;
  if (c >= 0xFF21 && c <= 0xFF3A) return c + 0x20;
  bool odd_pairs = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
  if (odd_pairs) return c & 1 ? c + 1 : c;
  bool even_pairs = (c >= 0x100 && c <= 0x137 && c != 0x130 && c != 0x131) || (c >= 0x14A && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
                    (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F) || (c >= 0x1E00 && c <= 0x1E95) ||
                    (c >= 0x1EA0 && c <= 0x1EFF);
  if (even_pairs) return c | 1;
  return c == 0x178 ? 0xFF : c;
}

bool metadata_matches_pattern(const char *pattern, struct slice text) {
  if (!pattern) return true;
  size_t size = strlen(pattern), at = 0, in = 0;
  size_t after_percent = SIZE_MAX, retry = 0; /* behind the last %, and where its sequence may end next */
  while (in < text.size) {
    if (at < size && pattern[at] == '%') {
      after_percent = ++at;
      retry = in;
      continue;
    }
    if (at < size) {
      size_t next = at, next_in = in;
      bool any = pattern[next] == '_';
      if (pattern[next] == '\\' && next + 1 < size && strchr("%_\\", pattern[next + 1])) next++;
      uint32_t wanted = utf8_next(pattern, size, &next), got = utf8_next(text.data, text.size, &next_in);
      if (any || fold(wanted) == fold(got)) {
        at = next;
        in = next_in;
        continue;
      }
    }
    if (after_percent == SIZE_MAX) return false;
    utf8_next(text.data, text.size, &retry);
    at = after_percent;
    in = retry;
  }
  while (at < size && pattern[at] == '%') at++;
  return at == size;
}

bool metadata_matches_name(const char *name, struct slice text) {
  if (!name) return true;
  size_t size = strlen(name), at = 0, in = 0;
  while (at < size && in < text.size) {
    if (fold(utf8_next(name, size, &at)) != fold(utf8_next(text.data, text.size, &in))) return false;
  }
  return at == size && in == text.size;
}

/* What every server takes literally, in a pattern and in a regular expression. */
static bool is_plain(char c) {
  return text_is_alpha(c) || text_is_digit(c);
}

static void append_wide(struct buf *out, const char *pattern, const char *any, const char *one) {
  size_t size = strlen(pattern);
  for (size_t at = 0; at < size;) {
    if (pattern[at] == '%') {
      buf_append_text(out, any);
      at++;
      continue;
    }
    if (pattern[at] == '\\' && at + 1 < size && strchr("%_\\", pattern[at + 1])) at++;
    if (is_plain(pattern[at])) {
      buf_append_byte(out, (uint8_t)pattern[at++]);
      continue;
    }
    uint32_t c = utf8_next(pattern, size, &at);
    buf_append_text(out, c > 0xFFFF ? any : one); /* two characters to Java */
  }
}

void metadata_append_wide_pattern(struct buf *out, const char *pattern) {
  append_wide(out, pattern, "%", "_");
}

void metadata_append_glob(struct buf *out, const char *pattern) {
  append_wide(out, pattern, "*", "*");
}

void metadata_append_escaped(struct buf *out, const char *text) {
  for (; *text; text++) {
    if (*text == '%' || *text == '_' || *text == '\\') buf_append_byte(out, '\\');
    buf_append_byte(out, (uint8_t)*text);
  }
}

void metadata_append_identifier(struct buf *out, struct slice name) {
  buf_append_byte(out, '`');
  for (size_t i = 0; i < name.size; i++) {
    if (name.data[i] == '`') buf_append_byte(out, '`');
    buf_append_byte(out, name.data[i]);
  }
  buf_append_byte(out, '`');
}

void metadata_append_literal(struct buf *out, const char *text) {
  buf_append_byte(out, '\'');
  for (; *text; text++) {
    if (*text == '\'' || *text == '\\') buf_append_byte(out, '\\');
    buf_append_byte(out, (uint8_t)*text);
  }
  buf_append_byte(out, '\'');
}
