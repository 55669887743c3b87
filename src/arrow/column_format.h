/* Format strings of the Arrow C data interface: how a column's values are stored. */
#ifndef DBSQL_ARROW_COLUMN_FORMAT_H
#define DBSQL_ARROW_COLUMN_FORMAT_H

#include <dbsql/dbsql.h>

/* What a value is stored as. */
enum arrow_kind {
  ARROW_NULL,
  ARROW_BOOL,
  ARROW_INT8,
  ARROW_INT16,
  ARROW_INT32,
  ARROW_INT64,
  ARROW_UINT8,
  ARROW_UINT16,
  ARROW_UINT32,
  ARROW_UINT64,
  ARROW_HALF,
  ARROW_FLOAT,
  ARROW_DOUBLE,
  ARROW_DECIMAL, /* 128 bits; other widths are ARROW_UNSUPPORTED here */
  ARROW_UTF8,
  ARROW_BINARY,
  ARROW_LARGE_UTF8,
  ARROW_LARGE_BINARY,
  ARROW_FIXED_BINARY,
  ARROW_DATE_DAY,
  ARROW_DATE_MILLI,
  ARROW_TIME,
  ARROW_TIMESTAMP,
  ARROW_DURATION,
  ARROW_INTERVAL_MONTH,
  ARROW_INTERVAL_DAY_TIME,
  ARROW_INTERVAL_MONTH_DAY_NANO,
  ARROW_LIST,
  ARROW_LARGE_LIST,
  ARROW_FIXED_LIST,
  ARROW_STRUCT,
  ARROW_MAP,
  ARROW_UNSUPPORTED
};

/* Types nested deeper than this are refused: rendering and building recurse. */
enum { arrow_max_depth = 64 };

struct arrow_format {
  enum arrow_kind kind;
  int32_t width;     /* bytes of a value; 0 where it has no fixed number of whole bytes. Of a fixed-size list: its entries */
  int32_t unit;      /* time, timestamp, duration: units in a second (1, 1000, 1000000, 1000000000) */
  int32_t precision; /* decimal */
  int32_t scale;     /* decimal */
  const char *zone;  /* timestamp: points into the format text; NULL for a wall clock without a zone */
};

/* A format that is not known, or whose parameters make no sense, gives ARROW_UNSUPPORTED. `format` may be NULL. */
struct arrow_format arrow_format_parse(const char *format);

#endif
