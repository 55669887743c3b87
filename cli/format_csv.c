#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "memory.h"

static struct format *csv_create(void) {
  return memory_new(sizeof(struct format));
}

static void write_quoted(struct output *output, const char *text, size_t length) {
  output_write(output, "\"", 1);
  while (length > 0) {
    const char *quote = memchr(text, '"', length);
    size_t part = quote == NULL ? length : (size_t)(quote - text) + 1;
    output_write(output, text, part);
    if (quote != NULL) output_write(output, "\"", 1);
    text += part;
    length -= part;
  }
  output_write(output, "\"", 1);
}

static bool needs_quotes(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (text[i] == ',' || text[i] == '"' || text[i] == '\r' || text[i] == '\n') return true;
  }
  return false;
}

static void write_field(struct output *output, const char *text, size_t length, const char *null_text) {
  bool like_null = length == strlen(null_text) && memcmp(text, null_text, length) == 0;
  if (length == 0 || like_null || needs_quotes(text, length)) {
    write_quoted(output, text, length);
  } else {
    output_write(output, text, length);
  }
}

static const char *csv_null(const struct format *format) {
  return format->settings->null_text == NULL ? "" : format->settings->null_text;
}

static void csv_begin(struct format *format) {
  if (!format->settings->header) return;
  for (size_t i = 0; i < format->column_count; i++) {
    if (i > 0) output_write(format->output, ",", 1);
    write_field(format->output, format->columns[i].name, strlen(format->columns[i].name), "");
  }
  output_write(format->output, "\r\n", 2);
}

static void csv_row(struct format *format, const struct format_cell *cells) {
  const char *null_text = csv_null(format);
  for (size_t i = 0; i < format->column_count; i++) {
    if (i > 0) output_write(format->output, ",", 1);
    if (cells[i].text != NULL) {
      write_field(format->output, cells[i].text, cells[i].length, null_text);
    } else if (needs_quotes(null_text, strlen(null_text))) {
      write_quoted(format->output, null_text, strlen(null_text));
    } else {
      output_text(format->output, null_text);
    }
  }
  output_write(format->output, "\r\n", 2);
}

static void csv_destroy(struct format *format) {
  free(format);
}

const struct format_class format_csv = {csv_create, csv_begin, csv_row, NULL, csv_destroy};
