/*
 * The table. Rows are held back until there are enough of them to know the widths; then they are written, and the rest follows as it
 * comes, a column growing when a wider value appears. On a terminal the widest columns are cut until a line fits.
 */
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "layout.h"
#include "memory.h"
#include "width.h"

enum {
  HELD_ROWS = 1000,
  HELD_CELLS = 1 << 20,
  HELD_BYTES = 8 << 20,
};

struct held_cell {
  size_t offset; /* in `bytes` */
  size_t length; /* SIZE_MAX for NULL */
};

struct table_format {
  struct format base;
  size_t *natural; /* the widest seen, for each column */
  size_t *widths;  /* what is used */
  bool streaming;
  struct text bytes;
  struct held_cell *held;
  size_t held_count;
  size_t held_capacity;
  struct text line;
};

static struct format *table_create(void) {
  return memory_new(sizeof(struct table_format));
}

static const char *null_text(const struct format *format) {
  return format->settings->null_text == NULL ? "NULL" : format->settings->null_text;
}

static void table_begin(struct format *format) {
  struct table_format *table = (struct table_format *)format;
  table->natural = memory_new((format->column_count + 1) * sizeof *table->natural);
  table->widths = memory_new((format->column_count + 1) * sizeof *table->widths);
  if (!format->settings->header) return;
  for (size_t i = 0; i < format->column_count; i++) {
    table->natural[i] = display_width(format->columns[i].name, strlen(format->columns[i].name));
  }
}

/* One cell with its spaces and bar. The last column gets no spaces behind it. */
static void put_cell(struct table_format *table, size_t column, const char *text, size_t length, bool right) {
  struct format *format = &table->base;
  struct text *line = &table->line;
  bool last = column + 1 == format->column_count;
  size_t limit = format->settings->terminal_columns == 0 ? 0 : table->widths[column];
  text_append_text(line, column == 0 ? " " : " | ");
  size_t before = line->size;
  size_t width = display_append(line, text, length, limit);
  size_t pad = width < table->widths[column] ? table->widths[column] - width : 0;
  if (!right) {
    if (!last) text_fill(line, ' ', pad);
  } else if (pad > 0) {
    size_t size = line->size - before;
    text_fill(line, ' ', pad);
    memmove(line->data + before + pad, line->data + before, size);
    memset(line->data + before, ' ', pad);
  }
}

static void end_line(struct table_format *table) {
  struct text *line = &table->line;
  while (line->size > 0 && line->data[line->size - 1] == ' ') line->size--;
  text_append_text(line, "\n");
  output_write(table->base.output, line->data, line->size);
  text_clear(line);
}

static void put_header(struct table_format *table) {
  struct format *format = &table->base;
  if (!format->settings->header) return;
  for (size_t i = 0; i < format->column_count; i++) {
    put_cell(table, i, format->columns[i].name, strlen(format->columns[i].name), format->columns[i].right);
  }
  end_line(table);
  for (size_t i = 0; i < format->column_count; i++) {
    if (i > 0) text_append_text(&table->line, "+");
    text_fill(&table->line, '-', table->widths[i] + 2);
  }
  end_line(table);
}

static void put_row(struct table_format *table, const struct format_cell *cells) {
  struct format *format = &table->base;
  for (size_t i = 0; i < format->column_count; i++) {
    const char *text = cells[i].text == NULL ? null_text(format) : cells[i].text;
    size_t length = cells[i].text == NULL ? strlen(text) : cells[i].length;
    put_cell(table, i, text, length, format->columns[i].right);
  }
  end_line(table);
}

/* Takes note of the widths of a row; true if a column became wider. */
static bool note_widths(struct table_format *table, const struct format_cell *cells) {
  bool wider = false;
  for (size_t i = 0; i < table->base.column_count; i++) {
    const char *text = cells[i].text == NULL ? null_text(&table->base) : cells[i].text;
    size_t width = display_width(text, cells[i].text == NULL ? strlen(text) : cells[i].length);
    if (width > table->natural[i]) {
      table->natural[i] = width;
      wider = true;
    }
  }
  return wider;
}

static void hold_row(struct table_format *table, const struct format_cell *cells) {
  size_t count = table->base.column_count;
  if (table->held_count + count > table->held_capacity) {
    table->held_capacity = (table->held_count + count) * 2;
    table->held = memory_resize(table->held, table->held_capacity, sizeof *table->held);
  }
  for (size_t i = 0; i < count; i++) {
    struct held_cell *held = &table->held[table->held_count++];
    held->offset = table->bytes.size;
    held->length = cells[i].text == NULL ? SIZE_MAX : cells[i].length;
    if (cells[i].text != NULL) text_append(&table->bytes, cells[i].text, cells[i].length);
  }
}

/* Writes the header and the rows that were held back. */
static void start_streaming(struct table_format *table) {
  struct format *format = &table->base;
  table->streaming = true;
  layout_fit(table->natural, table->widths, format->column_count, format->settings->terminal_columns);
  put_header(table);
  struct format_cell *cells = memory_new((format->column_count + 1) * sizeof *cells);
  for (size_t i = 0; i < table->held_count && !output_failed(format->output); i += format->column_count) {
    for (size_t k = 0; k < format->column_count; k++) {
      const struct held_cell *held = &table->held[i + k];
      cells[k].text = held->length == SIZE_MAX ? NULL : table->bytes.size == 0 ? "" : table->bytes.data + held->offset;
      cells[k].length = held->length == SIZE_MAX ? 0 : held->length;
    }
    put_row(table, cells);
  }
  free(cells);
  free(table->held);
  table->held = NULL;
  table->held_count = 0;
  text_free(&table->bytes);
}

static void table_row(struct format *format, const struct format_cell *cells) {
  struct table_format *table = (struct table_format *)format;
  bool wider = note_widths(table, cells);
  if (table->streaming) {
    if (wider) layout_fit(table->natural, table->widths, format->column_count, format->settings->terminal_columns);
    put_row(table, cells);
    return;
  }
  hold_row(table, cells);
  if (format->row_count >= HELD_ROWS || table->held_count >= HELD_CELLS || table->bytes.size >= HELD_BYTES) start_streaming(table);
}

static void table_end(struct format *format, bool complete) {
  struct table_format *table = (struct table_format *)format;
  if (!table->streaming) start_streaming(table);
  if (complete && format->settings->header) format_write_count(format);
}

static void table_destroy(struct format *format) {
  struct table_format *table = (struct table_format *)format;
  free(table->natural);
  free(table->widths);
  free(table->held);
  text_free(&table->bytes);
  text_free(&table->line);
  free(table);
}

const struct format_class format_table = {table_create, table_begin, table_row, table_end, table_destroy};
