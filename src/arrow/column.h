/*
 * Columns: reading single values out of Arrow arrays, and writing them as text and JSON (results.md 5.4, docs/types.md).
 *
 * A column is bound once to its schema, then attached to the array of each batch; reading a value then costs a load or two. Arrays are
 * trusted here: whoever made them (the IPC reader, the builders) has checked them. A column is used by one thread at a time, also for
 * writing text (its time zone remembers the last answer).
 */
#ifndef DBSQL_ARROW_COLUMN_H
#define DBSQL_ARROW_COLUMN_H

#include "arrow/column_format.h"
#include "base/buf.h"

struct time_zone;

struct arrow_column {
  /* From the schema. */
  enum arrow_kind kind;
  const char *name;       /* borrowed from the schema; never NULL */
  const char *format;     /* borrowed from the schema; never NULL */
  int32_t precision;      /* decimal */
  int32_t scale;          /* decimal */
  int32_t width;          /* bytes of a value of fixed width; entries of a fixed-size list */
  int32_t unit;           /* time, timestamp, duration: units in a second (1, 1000, 1000000, 1000000000) */
  bool has_zone;          /* timestamp: an instant, not a wall clock */
  struct time_zone *zone; /* owned; set if has_zone */
  int64_t child_count;
  struct arrow_column *children; /* owned */
  /* From the batch. */
  int64_t length;
  int64_t null_count;
  int64_t offset;          /* to be added to a row for the three below */
  const uint8_t *validity; /* NULL: no value is null */
  const void *data;        /* values; for strings the bytes */
  const void *offsets;     /* 32 or 64 bits wide, by kind */
};

/* Binds to a schema, which must outlive the column. An unknown time zone, or a type that cannot be rendered, is not an error here
 * but when a value is rendered. A column may also be bound to the root of a batch: it is then a struct, and its children the columns.
 * On failure there is nothing to free. */
dbsql_status arrow_column_bind(struct arrow_column *column, const struct ArrowSchema *schema, dbsql_error **error);
/* Attaches to the array of a batch, which must be of the schema and outlive the reading. Allocates nothing. */
void arrow_column_attach(struct arrow_column *column, const struct ArrowArray *array);
/* A column that is all zeros is allowed. */
void arrow_column_free(struct arrow_column *column);

/* Rows count from the beginning of what is attached; the array's offset is taken care of. A child of a struct is read at the row of its
 * struct plus the struct's offset (`row + column->offset`). None of the readers below looks at nulls: ask first. */

static inline bool arrow_column_is_null(const struct arrow_column *column, int64_t row) {
  if (column->kind == ARROW_NULL) return true;
  if (!column->validity) return false;
  int64_t bit = row + column->offset;
  return !(column->validity[bit >> 3] >> (bit & 7) & 1);
}

static inline bool arrow_column_bool(const struct arrow_column *column, int64_t row) {
  int64_t bit = row + column->offset;
  return ((const uint8_t *)column->data)[bit >> 3] >> (bit & 7) & 1;
}

/* The stored number of integers, dates, times, timestamps, durations and months, in the unit it is stored in. False if the column is of
 * another kind, or if an unsigned value is over INT64_MAX. */
bool arrow_column_int64(const struct arrow_column *column, int64_t row, int64_t *value);
/* A time, timestamp, duration or day-time interval in microseconds. False if the column is of another kind, or if the value cannot be
 * told exactly in 64 bits of microseconds. */
bool arrow_column_micros(const struct arrow_column *column, int64_t row, int64_t *value);
/* A half, float or double. False if the column is of another kind. */
bool arrow_column_double(const struct arrow_column *column, int64_t row, double *value);
/* The bytes of a string or binary value, fixed-size binaries included; empty for another kind. */
struct slice arrow_column_bytes(const struct arrow_column *column, int64_t row);
/* An unscaled decimal: high * 2^64 + low. */
void arrow_column_decimal(const struct arrow_column *column, int64_t row, int64_t *high, uint64_t *low);
/* The entries of a list or map: rows `*first` to `*end` - 1 of its child. */
void arrow_column_entries(const struct arrow_column *column, int64_t row, int64_t *first, int64_t *end);

/* Appends the value as text; a NULL appends nothing. Nested values are written as JSON. On failure `out` is as long as before. */
dbsql_status arrow_column_text(const struct arrow_column *column, int64_t row, struct buf *out, dbsql_error **error);
/* Appends the value as one JSON value. On failure `out` is as long as before. */
dbsql_status arrow_column_json(const struct arrow_column *column, int64_t row, struct buf *out, dbsql_error **error);

#endif
