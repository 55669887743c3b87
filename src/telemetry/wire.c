#include "telemetry/wire.h"

#include <jansson.h>

#include "base/text.h"

void wire_string(struct buf *out, struct slice text) {
  static const char hex[] = "0123456789abcdef";
  buf_append_byte(out, '"');
  size_t plain = 0;
  for (size_t i = 0; i < text.size;) {
    uint8_t c = text.data[i];
    if (c >= 0x20 && c != '"' && c != '\\' && c < 0x7F) {
      i++;
      continue;
    }
    buf_append(out, text.data + plain, i - plain);
    if (c == '"' || c == '\\') {
      buf_append_byte(out, '\\');
      buf_append_byte(out, c);
      i++;
    } else if (c < 0x80) {
      char escape[7] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15], 0};
      buf_append(out, escape, 6);
      i++;
    } else {
      size_t at = i;
      uint32_t point = utf8_next(text.data, text.size, &at);
      if (point == 0xFFFD) {
        buf_append(out, "\xEF\xBF\xBD", 3);
      } else {
        buf_append(out, text.data + i, at - i);
      }
      i = at;
    }
    plain = i;
  }
  buf_append(out, text.data + plain, text.size - plain);
  buf_append_byte(out, '"');
}

static void append_number(struct buf *out, int64_t number) {
  char digits[24];
  size_t at = sizeof digits;
  uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do {
    digits[--at] = (char)('0' + left % 10);
    left /= 10;
  } while (left);
  if (number < 0) digits[--at] = '-';
  buf_append(out, digits + at, sizeof digits - at);
}

/* Where the writer stands: the objects that are open, as a beginning of the last path. */
struct place {
  const char *path;
  size_t length; /* of the open part, with the dot at its end */
  bool first;    /* nothing in the innermost object yet */
};

static size_t dots_in(const char *path, size_t length) {
  size_t count = 0;
  for (size_t i = 0; i < length; i++) count += path[i] == '.';
  return count;
}

/* Closes and opens objects until the one that `path` is a member of is the innermost; writes the member's name. */
static void move_to(struct buf *out, struct place *place, const char *path) {
  size_t common = 0;
  for (size_t i = 0; i < place->length && path[i] == place->path[i]; i++) {
    if (path[i] == '.') common = i + 1;
  }
  for (size_t i = dots_in(place->path + common, place->length - common); i > 0; i--) {
    buf_append_byte(out, '}');
    place->first = false;
  }
  const char *at = path + common;
  for (;;) {
    if (!place->first) buf_append_byte(out, ',');
    size_t length = strcspn(at, ".");
    buf_append_byte(out, '"');
    buf_append(out, at, length);
    buf_append(out, "\":", 2);
    at += length;
    if (!*at) break;
    buf_append_byte(out, '{');
    place->first = true;
    at++;
  }
  const char *last = strrchr(path, '.');
  place->path = path;
  place->length = last ? (size_t)(last - path) + 1 : 0;
  place->first = false;
}

void wire_entry(struct buf *out, const struct tag_record *record, enum tag_destination destination) {
  struct place place = {"", 0, true};
  struct tag_value value;
  buf_append_byte(out, '{');
  for (size_t i = 0; i < tag_count; i++) {
    const struct tag *tag = &tag_table[i];
    if (!tag_may_go(tag, record->kind, destination)) continue;
    tag_read(tag, record, &value);
    if (!value.present) continue;
    move_to(out, &place, tag->wire);
    if (value.text) {
      wire_string(out, slice_text(value.text));
    } else if (tag->type == TAG_FLAG) {
      buf_append_text(out, value.number ? "true" : "false");
    } else {
      append_number(out, value.number);
    }
  }
  for (size_t i = dots_in(place.path, place.length); i > 0; i--) buf_append_byte(out, '}');
  buf_append_byte(out, '}');
}

void wire_begin(struct buf *out, int64_t upload_time_ms) {
  buf_append_text(out, "{\"uploadTime\":");
  append_number(out, upload_time_ms);
  buf_append_text(out, ",\"items\":[],\"protoLogs\":[");
}

void wire_add(struct buf *out, struct slice entry, bool first) {
  if (!first) buf_append_byte(out, ',');
  wire_string(out, entry);
}

void wire_end(struct buf *out) {
  buf_append(out, "]}", 2);
}

void wire_parse_answer(struct slice body, struct wire_answer *answer) {
  *answer = (struct wire_answer){false, -1, 0};
  json_error_t why;
  json_t *root = json_loadb((const char *)body.data, body.size, 0, &why);
  if (json_is_object(root)) {
    answer->readable = true;
    const json_t *accepted = json_object_get(root, "numProtoSuccess");
    if (json_is_integer(accepted) && json_integer_value(accepted) >= 0) answer->accepted = json_integer_value(accepted);
    answer->errors = json_array_size(json_object_get(root, "errors"));
  }
  json_decref(root);
}
