/* Shared by the parts of the conversion. */
#ifndef DBSQL_WAREHOUSE_CONVERT_INTERNAL_H
#define DBSQL_WAREHOUSE_CONVERT_INTERNAL_H

#include "arrow/column_format.h"
#include "convert.h"

/* What a column of the engine is turned into. */
enum way {
  WAY_NULL,
  WAY_BOOL,
  WAY_FIXED,    /* the bytes as they are */
  WAY_UNSIGNED, /* into the next wider signed type; 64 bits into DECIMAL(20,0) */
  WAY_BYTES,    /* 32-bit offsets */
  WAY_LARGE_BYTES,
  WAY_VIEW_BYTES,
  WAY_FIXED_BYTES,
  WAY_DICTIONARY,
  WAY_DATE_MILLI,
  WAY_TIMESTAMP, /* any unit into microseconds */
  WAY_DURATION,  /* any unit into microseconds */
  WAY_TIME,      /* into text */
  WAY_INTERVAL,  /* months, days and nanoseconds */
  WAY_LIST,
  WAY_LARGE_LIST,
  WAY_VIEW_LIST,
  WAY_LARGE_VIEW_LIST,
  WAY_FIXED_LIST,
  WAY_STRUCT,
  WAY_MAP,
  WAY_UNION /* into text */
};

struct convert_column {
  enum way way;
  bool plain; /* all the way down: the array can be moved */
  bool check_decimal;
  struct arrow_format format;
  const struct ArrowSchema *schema;
  char target[64]; /* format; of what has children too */
  struct convert_column *dictionary;
  int64_t child_count;
  struct convert_column **children;
  signed char union_child[128]; /* type id to child, -1 */
  bool dense;
  bool saw_months, saw_time;
};

struct convert_interval {
  int32_t months, days;
  int64_t nanos;
};

/* Reading the engine's arrays. Rows count from the array's offset on. */
bool convert_is_null(const struct convert_column *column, const struct ArrowArray *array, int64_t row);
const uint8_t *convert_fixed_at(const struct ArrowArray *array, int64_t row, size_t width);
struct convert_interval convert_interval_at(const struct ArrowArray *array, int64_t row);

#endif
