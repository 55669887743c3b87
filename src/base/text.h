/* Texts: comparing, checking, and measuring how far two names are apart. ASCII only where it says case; no locale anywhere. */
#ifndef DBSQL_BASE_TEXT_H
#define DBSQL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool text_is_digit(char c) {
  return c >= '0' && c <= '9';
}
static inline bool text_is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool text_is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
static inline char text_lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
bool text_equal_nocase(const char *a, const char *b);
bool text_equal_nocase_n(const char *a, size_t a_length, const char *b, size_t b_length);
bool text_has_prefix_nocase(const char *text, const char *prefix);
/* Position of `needle` in `text`, or -1. */
ptrdiff_t text_find(const char *text, size_t length, const char *needle);
/* Decimal with an optional sign, all of it, within int64. */
bool text_parse_int64(const char *text, size_t length, int64_t *value);
/* A time: `250` and `250ms`, `30s`, `1m30s`, `1.5h` as Go writes them; milliseconds, rounded. */
bool text_parse_duration(const char *text, size_t length, int64_t *ms);
/* Edit distance, with a swap of neighbours counted as one; stops counting at `limit` + 1. */
size_t text_distance(const char *a, const char *b, size_t limit);

/* True if all bytes are well-formed UTF-8 (no surrogates, nothing over U+10FFFF, no overlong form). `*bad_at` (may be NULL) is
 * the position of the first byte that is not. */
bool utf8_is_valid(const void *data, size_t size, size_t *bad_at);
/* Decodes one code point of well-formed UTF-8 at data[*at] and moves on. Ill-formed bytes give U+FFFD, one at a time. */
uint32_t utf8_next(const void *data, size_t size, size_t *at);

/* 16 bytes as 8-4-4-4-12 lower-case hex; other lengths as plain hex (thrift.md 4.1). `out` needs 2 * size + 5 bytes. */
void guid_format(const uint8_t *bytes, size_t size, char *out);

#endif
