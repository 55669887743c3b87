/*
 * The ways of showing rows. A format gets columns, then rows of cells, then the end; it knows nothing of where they come from.
 *
 *    table      columns side by side; the widths come from the first rows, the rest streams
 *    vertical   one line for each column
 *    csv        RFC 4180: CRLF, quotes where needed; NULL is empty without quotes and the empty text is ""
 *    json       one array of objects; names may repeat, as columns do
 *    ndjson     one object a line
 *    arrow      an Arrow IPC stream; made from batches, not from cells (show.c)
 */
#ifndef DBSQL_CLI_FORMAT_H
#define DBSQL_CLI_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output.h"

enum format_kind { FORMAT_TABLE, FORMAT_VERTICAL, FORMAT_CSV, FORMAT_JSON, FORMAT_NDJSON, FORMAT_ARROW };
#define FORMAT_NAMES "table, vertical, csv, json, ndjson, arrow"
bool format_kind_parse(const char *name, enum format_kind *kind);
const char *format_kind_name(enum format_kind kind);
/* Made for people: with a count of rows at the end, an empty line between results, "OK" where there are no columns. */
bool format_is_for_people(enum format_kind kind);
/* Its cells are JSON values and not texts. */
bool format_wants_json(enum format_kind kind);

struct format_column {
  const char *name;
  bool right; /* numbers stand at the right */
};

struct format_cell {
  const char *text; /* NULL for NULL */
  size_t length;
};

struct format_settings {
  enum format_kind kind;
  bool header;             /* names and counts are shown, not only the rows */
  const char *null_text;   /* NULL: "NULL" for people, nothing in CSV */
  size_t terminal_columns; /* 0: not a terminal, nothing is ever cut */
};

struct format;

/* Columns and settings must live as long as the format. Not for FORMAT_ARROW. */
struct format *format_new(const struct format_settings *settings, struct output *output, const struct format_column *columns,
                          size_t column_count);
void format_row(struct format *format, const struct format_cell *cells);
/* Writes what is held back and frees. `complete` is false if the rows broke off: no count is shown, and JSON's array stays open, so that
 * nobody takes the part for the whole. */
void format_end(struct format *format, bool complete);

/* ---- For the formats ---- */

struct format_class {
  struct format *(*create)(void);
  void (*begin)(struct format *format); /* may be NULL */
  void (*row)(struct format *format, const struct format_cell *cells);
  void (*end)(struct format *format, bool complete); /* may be NULL */
  void (*destroy)(struct format *format);            /* frees all */
};

/* The beginning of each format's struct. */
struct format {
  const struct format_class *class;
  const struct format_settings *settings;
  struct output *output;
  const struct format_column *columns;
  size_t column_count;
  uint64_t row_count;
};

extern const struct format_class format_table;
extern const struct format_class format_vertical;
extern const struct format_class format_csv;
extern const struct format_class format_json; /* also ndjson */

/* "(1 row)". */
void format_write_count(struct format *format);

#endif
