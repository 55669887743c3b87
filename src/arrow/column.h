/*
 * Columns: reading single values out of Arrow arrays, and writing them as text and JSON (results.md 5.4).
 *
 * A column is bound once to its schema, then attached to the array of each batch; reading a value then costs a load or two.
 */
#ifndef DBSQL_ARROW_COLUMN_H
#define DBSQL_ARROW_COLUMN_H

#include "arrow/column_format.h"
#include "base/buf.h"

struct time_zone;

struct arrow_column {
  /* From the schema. */
  enum arrow_kind kind;
  const char *name;       /* borrowed from the schema */
  int32_t precision;      /* decimal */
  int32_t scale;          /* decimal */
  int32_t width;          /* bytes of a fixed-size binary, entries of a fixed-size list */
  int32_t unit;           /* time, timestamp, duration: units in a second (1, 1000, 1000000, 1000000000) */
  bool has_zone;          /* timestamp: an instant, not a wall clock */
  struct time_zone *zone; /* owned */
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
 * but when a value is rendered. */
dbsql_status arrow_column_bind(struct arrow_column *column, const struct ArrowSchema *schema, dbsql_error **error);
/* Attaches to the array of a batch, which must outlive the reading. */
void arrow_column_attach(struct arrow_column *column, const struct ArrowArray *array);
void arrow_column_free(struct arrow_column *column);

static inline bool arrow_column_is_null(const struct arrow_column *column, int64_t row) {
  if (column->kind == ARROW_NULL) return true;
  if (!column->validity) return false;
  int64_t bit = row + column->offset;
  return !(column->validity[bit >> 3] >> (bit & 7) & 1);
}

/* The bytes of a string or binary value (any of the six kinds). */
struct slice arrow_column_bytes(const struct arrow_column *column, int64_t row);
/* An unscaled decimal: high * 2^64 + low. */
void arrow_column_decimal(const struct arrow_column *column, int64_t row, int64_t *high, uint64_t *low);

/* Appends the value as text; a NULL appends nothing. */
dbsql_status arrow_column_text(const struct arrow_column *column, int64_t row, struct buf *out, dbsql_error **error);
/* Appends the value as one JSON value. */
dbsql_status arrow_column_json(const struct arrow_column *column, int64_t row, struct buf *out, dbsql_error **error);

#endif
