#include "width.h"

#include <stdio.h>
#include <string.h>

struct range {
  uint32_t first;
  uint32_t last;
};
#include "width_table.h"

size_t utf8_decode(const char *bytes, size_t size, uint32_t *code_point) {
  const unsigned char *byte = (const unsigned char *)bytes;
  if (size == 0) return 0;
  if (byte[0] < 0x80) {
    *code_point = byte[0];
    return 1;
  }
  size_t length = byte[0] >= 0xF0 ? 4 : byte[0] >= 0xE0 ? 3 : 2;
  if (byte[0] < 0xC2 || byte[0] > 0xF4 || length > size) return 0;
  uint32_t value = byte[0] & (0x7Fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((byte[i] & 0xC0) != 0x80) return 0;
    value = value << 6 | (byte[i] & 0x3Fu);
  }
  if ((length == 3 && value < 0x800) || (length == 4 && value < 0x10000)) return 0; /* longer than needed */
  if ((value >= 0xD800 && value <= 0xDFFF) || value > 0x10FFFF) return 0;
  *code_point = value;
  return length;
}

/* The length that the first byte announces; 0 if no sequence begins with it. */
static size_t announced_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  return first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
}

enum utf8_verdict utf8_check_piece(struct utf8_check *check, const char *bytes, size_t size) {
  uint32_t code_point;
  size_t i = 0;
  while (check->pending_size > 0 && i < size) {
    check->pending[check->pending_size++] = (unsigned char)bytes[i++];
    if (check->pending_size < announced_length(check->pending[0])) continue;
    size_t length = utf8_decode((const char *)check->pending, check->pending_size, &code_point);
    if (length == 0) return UTF8_WRONG;
    check->position += length;
    check->pending_size = 0;
  }
  while (i < size) {
    unsigned char first = (unsigned char)bytes[i];
    if (first == 0) return UTF8_NUL;
    size_t announced = announced_length(first);
    if (announced > size - i) {
      check->pending_size = size - i;
      memcpy(check->pending, bytes + i, size - i);
      return UTF8_RIGHT;
    }
    if (announced == 0 || utf8_decode(bytes + i, size - i, &code_point) == 0) return UTF8_WRONG;
    i += announced;
    check->position += announced;
  }
  return UTF8_RIGHT;
}

enum utf8_verdict utf8_check_end(const struct utf8_check *check) {
  return check->pending_size == 0 ? UTF8_RIGHT : UTF8_WRONG;
}

static bool in_ranges(const struct range *ranges, size_t count, uint32_t code_point) {
  size_t low = 0;
  size_t high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (code_point > ranges[middle].last) {
      low = middle + 1;
    } else if (code_point < ranges[middle].first) {
      high = middle;
    } else {
      return true;
    }
  }
  return false;
}

int code_point_width(uint32_t code_point) {
  if (code_point < 0x300) return 1;
  if (in_ranges(zero_width, sizeof zero_width / sizeof zero_width[0], code_point)) return 0;
  return in_ranges(double_width, sizeof double_width / sizeof double_width[0], code_point) ? 2 : 1;
}

static bool needs_escape(uint32_t c) {
  if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return true; /* controls */
  if (c < 0x200E) return false;
  return c <= 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069); /* line ends, and marks that reorder text */
}

/* What is shown for the next character or bad byte: its bytes in `shown` (at most 11, with the zero), its width, and how many bytes of
 * the text it stands for. */
struct glyph {
  char shown[12];
  size_t shown_size;
  size_t width;
  size_t consumed;
};

static void next_glyph(const char *text, size_t length, struct glyph *glyph) {
  uint32_t c = 0;
  glyph->consumed = utf8_decode(text, length, &c);
  if (glyph->consumed != 0 && !needs_escape(c)) {
    memcpy(glyph->shown, text, glyph->consumed);
    glyph->shown_size = glyph->consumed;
    glyph->width = (size_t)code_point_width(c);
    return;
  }
  int printed;
  if (glyph->consumed == 0) {
    glyph->consumed = 1;
    printed = snprintf(glyph->shown, sizeof glyph->shown, "\\x%02X", (unsigned)(unsigned char)text[0]);
  } else if (c == '\n' || c == '\r' || c == '\t') {
    printed = snprintf(glyph->shown, sizeof glyph->shown, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
  } else {
    printed = snprintf(glyph->shown, sizeof glyph->shown, c < 0x80 ? "\\x%02X" : "\\u%04X", (unsigned)c);
  }
  glyph->shown_size = (size_t)printed;
  glyph->width = (size_t)printed;
}

/* How many bytes at the front are plain printable ASCII: the usual case, done fast. */
static size_t plain_prefix(const char *text, size_t length) {
  size_t i = 0;
  while (i < length && text[i] >= 0x20 && text[i] < 0x7F) i++;
  return i;
}

size_t display_width(const char *text, size_t length) {
  size_t width = 0;
  size_t i = 0;
  while (i < length) {
    size_t plain = plain_prefix(text + i, length - i);
    width += plain;
    i += plain;
    if (i == length) break;
    struct glyph glyph;
    next_glyph(text + i, length - i, &glyph);
    width += glyph.width;
    i += glyph.consumed;
  }
  return width;
}

size_t display_append(struct text *out, const char *text, size_t length, size_t limit) {
  size_t full = display_width(text, length);
  bool cut = limit != 0 && full > limit;
  size_t room = cut ? limit - 1 : full; /* one column for the ellipsis */
  size_t width = 0;
  size_t i = 0;
  while (i < length) {
    size_t plain = plain_prefix(text + i, length - i);
    if (cut && plain > room - width) plain = room - width;
    text_append(out, text + i, plain);
    width += plain;
    i += plain;
    if (i == length) break;
    struct glyph glyph;
    next_glyph(text + i, length - i, &glyph);
    if (cut && width + glyph.width > room) break;
    text_append(out, glyph.shown, glyph.shown_size);
    width += glyph.width;
    i += glyph.consumed;
  }
  if (cut) {
    text_append_text(out, "\xE2\x80\xA6");
    width++;
  }
  return width;
}
