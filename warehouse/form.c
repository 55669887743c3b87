#include "form.h"

#include <stdlib.h>

#include "base/text.h"
#include "memory.h"

void form_free(struct form *form) {
  for (size_t i = 0; i < form->count; i++) {
    free(form->fields[i].name);
    free(form->fields[i].value);
  }
  form->count = 0;
}

bool form_add(struct form *form, struct slice name, struct slice value) {
  if (form->count == form_limit) return false;
  if ((name.size && memchr(name.data, 0, name.size)) || (value.size && memchr(value.data, 0, value.size))) return false;
  form->fields[form->count++] = (struct form_field){wh_copy_slice(name), wh_copy_slice(value)};
  return true;
}

static int hex_digit(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *form_decode(struct slice text) {
  char *out = wh_new(text.size + 1, 1);
  size_t length = 0;
  for (size_t i = 0; i < text.size; i++) {
    int c = text.data[i] == '+' ? ' ' : text.data[i];
    if (c == '%') {
      int high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1, low = high < 0 ? -1 : hex_digit(text.data[i + 2]);
      c = low < 0 ? 0 : high << 4 | low;
      i += 2;
    }
    if (c == 0) {
      free(out);
      return NULL;
    }
    out[length++] = (char)c;
  }
  return out;
}

bool form_read(struct form *form, struct slice text) {
  size_t at = 0;
  while (at < text.size) {
    const uint8_t *start = text.data + at;
    const uint8_t *end = memchr(start, '&', text.size - at);
    size_t length = end ? (size_t)(end - start) : text.size - at;
    const uint8_t *equals = memchr(start, '=', length);
    size_t name_length = equals ? (size_t)(equals - start) : length;
    at += length + 1;
    if (length == 0) continue;
    if (form->count == form_limit) return false;
    char *name = form_decode(slice_of(start, name_length));
    char *value = equals ? form_decode(slice_of(equals + 1, length - name_length - 1)) : wh_copy("");
    if (!name || !value) {
      free(name);
      free(value);
      return false;
    }
    form->fields[form->count++] = (struct form_field){name, value};
  }
  return true;
}

const char *form_get(const struct form *form, const char *name) {
  for (size_t i = 0; i < form->count; i++) {
    if (strcmp(form->fields[i].name, name) == 0) return form->fields[i].value;
  }
  return NULL;
}

const char *form_duplicate(const struct form *form) {
  for (size_t i = 0; i < form->count; i++) {
    for (size_t k = i + 1; k < form->count; k++) {
      if (strcmp(form->fields[i].name, form->fields[k].name) == 0) return form->fields[i].name;
    }
  }
  return NULL;
}

void form_encode(struct buf *out, const char *text) {
  for (; *text; text++) {
    if (text_is_alpha(*text) || text_is_digit(*text) || strchr("-._~", *text)) {
      buf_append_byte(out, (uint8_t)*text);
    } else {
      buf_printf(out, "%%%02X", (unsigned)(uint8_t)*text);
    }
  }
}

void form_escape_html(struct buf *out, const char *text) {
  for (; *text; text++) {
    switch (*text) {
      case '&': buf_append_text(out, "&amp;"); break;
      case '<': buf_append_text(out, "&lt;"); break;
      case '>': buf_append_text(out, "&gt;"); break;
      case '"': buf_append_text(out, "&quot;"); break;
      case '\'': buf_append_text(out, "&#39;"); break;
      default: buf_append_byte(out, (uint8_t)*text);
    }
  }
}
