#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "memory.h"
#include "width.h"

struct json_format {
  struct format base;
  char **keys; /* each name as a JSON string with its colon */
};

static struct format *json_create(void) {
  return memory_new(sizeof(struct json_format));
}

static char *make_key(const char *name) {
  struct text key = TEXT_INIT;
  text_append_text(&key, "\"");
  size_t length = strlen(name);
  for (size_t i = 0; i < length;) {
    uint32_t c = 0;
    size_t size = utf8_decode(name + i, length - i, &c);
    if (size == 0) {
      text_append_text(&key, "\xEF\xBF\xBD"); /* JSON must be UTF-8: U+FFFD in place of a wrong byte */
      size = 1;
    } else if (c == '"' || c == '\\') {
      text_print(&key, "\\%c", (char)c);
    } else if (c < 0x20) {
      text_print(&key, "\\u%04x", (unsigned)c);
    } else {
      text_append(&key, name + i, size);
    }
    i += size;
  }
  text_append_text(&key, "\":");
  return key.data;
}

static void json_begin(struct format *format) {
  struct json_format *json = (struct json_format *)format;
  json->keys = memory_new((format->column_count + 1) * sizeof *json->keys);
  for (size_t i = 0; i < format->column_count; i++) json->keys[i] = make_key(format->columns[i].name);
  if (format->settings->kind == FORMAT_JSON) output_text(format->output, "[");
}

static void json_row(struct format *format, const struct format_cell *cells) {
  struct json_format *json = (struct json_format *)format;
  struct output *output = format->output;
  if (format->settings->kind == FORMAT_JSON) output_text(output, format->row_count > 1 ? ",\n" : "\n");
  output_write(output, "{", 1);
  for (size_t i = 0; i < format->column_count; i++) {
    if (i > 0) output_write(output, ",", 1);
    output_text(output, json->keys[i]);
    if (cells[i].text == NULL) {
      output_text(output, "null");
    } else {
      output_write(output, cells[i].text, cells[i].length);
    }
  }
  output_write(output, "}", 1);
  if (format->settings->kind == FORMAT_NDJSON) output_write(output, "\n", 1);
}

static void json_end(struct format *format, bool complete) {
  if (format->settings->kind != FORMAT_JSON) return;
  if (format->row_count > 0) output_text(format->output, "\n");
  if (complete) output_text(format->output, "]\n");
}

static void json_destroy(struct format *format) {
  struct json_format *json = (struct json_format *)format;
  for (size_t i = 0; i < format->column_count; i++) free(json->keys[i]);
  free(json->keys);
  free(json);
}

const struct format_class format_json = {json_create, json_begin, json_row, json_end, json_destroy};
