#include "format.h"

#include <inttypes.h>
#include <string.h>

static const char *const kind_names[] = {"table", "vertical", "csv", "json", "ndjson", "arrow"};

bool format_kind_parse(const char *name, enum format_kind *kind) {
  for (size_t i = 0; i < sizeof kind_names / sizeof kind_names[0]; i++) {
    if (strcmp(name, kind_names[i]) == 0) {
      *kind = (enum format_kind)i;
      return true;
    }
  }
  return false;
}

const char *format_kind_name(enum format_kind kind) {
  return kind_names[kind];
}

bool format_is_for_people(enum format_kind kind) {
  return kind == FORMAT_TABLE || kind == FORMAT_VERTICAL;
}

bool format_wants_json(enum format_kind kind) {
  return kind == FORMAT_JSON || kind == FORMAT_NDJSON;
}

static const struct format_class *class_of(enum format_kind kind) {
  switch (kind) {
    case FORMAT_VERTICAL: return &format_vertical;
    case FORMAT_CSV: return &format_csv;
    case FORMAT_JSON:
    case FORMAT_NDJSON: return &format_json;
    case FORMAT_TABLE:
    case FORMAT_ARROW: break;
  }
  return &format_table;
}

struct format *format_new(const struct format_settings *settings, struct output *output, const struct format_column *columns,
                          size_t column_count) {
  const struct format_class *class = class_of(settings->kind);
  struct format *format = class->create();
  format->class = class;
  format->settings = settings;
  format->output = output;
  format->columns = columns;
  format->column_count = column_count;
  if (class->begin != NULL) class->begin(format);
  return format;
}

void format_row(struct format *format, const struct format_cell *cells) {
  format->row_count++;
  format->class->row(format, cells);
}

void format_end(struct format *format, bool complete) {
  if (format->class->end != NULL) format->class->end(format, complete);
  format->class->destroy(format);
}

void format_write_count(struct format *format) {
  output_print(format->output, "(%" PRIu64 " row%s)\n", format->row_count, format->row_count == 1 ? "" : "s");
}
