#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "memory.h"
#include "width.h"

enum { MARK_WIDTH = 40 };

struct vertical_format {
  struct format base;
  size_t name_width;
  struct text line;
};

static struct format *vertical_create(void) {
  return memory_new(sizeof(struct vertical_format));
}

static void vertical_begin(struct format *format) {
  struct vertical_format *vertical = (struct vertical_format *)format;
  for (size_t i = 0; i < format->column_count; i++) {
    size_t width = display_width(format->columns[i].name, strlen(format->columns[i].name));
    if (width > vertical->name_width) vertical->name_width = width;
  }
}

static void vertical_row(struct format *format, const struct format_cell *cells) {
  struct vertical_format *vertical = (struct vertical_format *)format;
  struct text *line = &vertical->line;
  text_clear(line);
  if (format->settings->header) {
    text_print(line, "-[ row %" PRIu64 " ]", format->row_count);
    if (line->size < MARK_WIDTH) text_fill(line, '-', MARK_WIDTH - line->size);
    text_append_text(line, "\n");
  }
  for (size_t i = 0; i < format->column_count; i++) {
    const char *name = format->columns[i].name;
    size_t width = display_append(line, name, strlen(name), 0);
    text_fill(line, ' ', vertical->name_width - width);
    text_append_text(line, " | ");
    if (cells[i].text != NULL) {
      display_append(line, cells[i].text, cells[i].length, 0);
    } else {
      text_append_text(line, format->settings->null_text == NULL ? "NULL" : format->settings->null_text);
    }
    text_append_text(line, "\n");
    if (line->size > 1 << 16) {
      output_write(format->output, line->data, line->size);
      text_clear(line);
    }
  }
  output_write(format->output, line->data, line->size);
}

static void vertical_end(struct format *format, bool complete) {
  if (complete && format->settings->header) format_write_count(format);
}

static void vertical_destroy(struct format *format) {
  struct vertical_format *vertical = (struct vertical_format *)format;
  text_free(&vertical->line);
  free(vertical);
}

const struct format_class format_vertical = {vertical_create, vertical_begin, vertical_row, vertical_end, vertical_destroy};
