#include "base/text.h"

#include <string.h>

bool text_equal_nocase_n(const char *a, size_t a_length, const char *b, size_t b_length) {
  if (a_length != b_length) return false;
  for (size_t i = 0; i < a_length; i++) {
    if (text_lower(a[i]) != text_lower(b[i])) return false;
  }
  return true;
}

bool text_equal_nocase(const char *a, const char *b) {
  return text_equal_nocase_n(a, strlen(a), b, strlen(b));
}

bool text_has_prefix_nocase(const char *text, const char *prefix) {
  for (; *prefix; text++, prefix++) {
    if (text_lower(*text) != text_lower(*prefix)) return false;
  }
  return true;
}

ptrdiff_t text_find(const char *text, size_t length, const char *needle) {
  size_t needle_length = strlen(needle);
  if (needle_length == 0) return 0;
  for (size_t i = 0; i + needle_length <= length; i++) {
    if (memcmp(text + i, needle, needle_length) == 0) return (ptrdiff_t)i;
  }
  return -1;
}

bool text_parse_int64(const char *text, size_t length, int64_t *value) {
  size_t at = 0;
  bool negative = false;
  if (at < length && (text[at] == '-' || text[at] == '+')) negative = text[at++] == '-';
  if (at == length) return false;
  uint64_t magnitude = 0;
  uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
  for (; at < length; at++) {
    if (!text_is_digit(text[at])) return false;
    uint64_t digit = (uint64_t)(text[at] - '0');
    if (magnitude > (limit - digit) / 10) return false;
    magnitude = magnitude * 10 + digit;
  }
  *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
  return true;
}

size_t text_distance(const char *a, const char *b, size_t limit) {
  enum { longest = 64 };
  size_t a_length = strlen(a), b_length = strlen(b);
  if (a_length > longest || b_length > longest) return limit + 1;
  size_t rows[3][longest + 1];
  for (size_t j = 0; j <= b_length; j++) rows[0][j] = j;
  for (size_t i = 1; i <= a_length; i++) {
    size_t *above2 = rows[(i + 1) % 3], *above = rows[(i - 1) % 3], *row = rows[i % 3];
    row[0] = i;
    for (size_t j = 1; j <= b_length; j++) {
      size_t best = above[j - 1] + (text_lower(a[i - 1]) != text_lower(b[j - 1]));
      if (above[j] + 1 < best) best = above[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      if (i > 1 && j > 1 && text_lower(a[i - 1]) == text_lower(b[j - 2]) && text_lower(a[i - 2]) == text_lower(b[j - 1]) &&
          above2[j - 2] + 1 < best) {
        best = above2[j - 2] + 1;
      }
      row[j] = best;
    }
  }
  size_t distance = rows[a_length % 3][b_length];
  return distance <= limit ? distance : limit + 1;
}

/* Length of the well-formed sequence at `p` with `left` bytes, or 0. */
static size_t utf8_sequence(const uint8_t *p, size_t left, uint32_t *code_point) {
  uint8_t lead = p[0];
  if (lead < 0x80) {
    *code_point = lead;
    return 1;
  }
  size_t length = lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
  if (length == 0 || left < length) return 0;
  uint32_t value = lead & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; i++) {
    if ((p[i] & 0xC0) != 0x80) return 0;
    value = value << 6 | (p[i] & 0x3Fu);
  }
  if ((length == 3 && (value < 0x800 || (value >= 0xD800 && value <= 0xDFFF))) || (length == 4 && (value < 0x10000 || value > 0x10FFFF))) {
    return 0;
  }
  *code_point = value;
  return length;
}

bool utf8_is_valid(const void *data, size_t size, size_t *bad_at) {
  const uint8_t *bytes = data;
  size_t at = 0;
  while (at < size) {
    /* Eight ASCII bytes at a time. */
    uint64_t word;
    if (size - at >= sizeof word) {
      memcpy(&word, bytes + at, sizeof word);
      if ((word & UINT64_C(0x8080808080808080)) == 0) {
        at += sizeof word;
        continue;
      }
    }
    uint32_t code_point;
    size_t length = utf8_sequence(bytes + at, size - at, &code_point);
    if (length == 0) {
      if (bad_at) *bad_at = at;
      return false;
    }
    at += length;
  }
  return true;
}

uint32_t utf8_next(const void *data, size_t size, size_t *at) {
  const uint8_t *bytes = data;
  uint32_t code_point;
  size_t length = utf8_sequence(bytes + *at, size - *at, &code_point);
  if (length == 0) {
    *at += 1;
    return 0xFFFD;
  }
  *at += length;
  return code_point;
}

void guid_format(const uint8_t *bytes, size_t size, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < size; i++) {
    if (size == 16 && (i == 4 || i == 6 || i == 8 || i == 10)) *out++ = '-';
    *out++ = digits[bytes[i] >> 4];
    *out++ = digits[bytes[i] & 15];
  }
  *out = 0;
}

static bool take_unit(const char *text, size_t length, size_t *at, double *ms) {
  static const struct {
    const char *name;
    double ms;
  } units[] = {{"ms", 1}, {"us", 1e-3}, {"ns", 1e-6}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    size_t size = strlen(units[i].name);
    if (size <= length - *at && memcmp(text + *at, units[i].name, size) == 0) {
      *at += size;
      *ms = units[i].ms;
      return true;
    }
  }
  return false;
}

bool text_parse_duration(const char *text, size_t length, int64_t *ms) {
  if (text_parse_int64(text, length, ms)) return true;
  double total = 0;
  if (length == 0) return false;
  for (size_t at = 0; at < length;) {
    double number = 0, place = 0.1, unit;
    bool digits = false;
    for (; at < length && text_is_digit(text[at]); at++, digits = true) number = number * 10 + (text[at] - '0');
    if (at < length && text[at] == '.') {
      for (at++; at < length && text_is_digit(text[at]); at++, digits = true, place /= 10) number += (text[at] - '0') * place;
    }
    if (!digits || !take_unit(text, length, &at, &unit)) return false;
    total += number * unit;
    if (total > 1e15) return false;
  }
  *ms = (int64_t)(total + 0.5);
  return true;
}
