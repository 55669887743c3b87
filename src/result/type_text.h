/* The text of an SQL type, as DESCRIBE and the catalog write it, taken apart: `array<struct<a:int,b:decimal(10,2)>>`. */
#ifndef DBSQL_RESULT_TYPE_TEXT_H
#define DBSQL_RESULT_TYPE_TEXT_H

#include "base/arena.h"
#include "base/buf.h"

/* Of struct types that name so many fields in each other at most (arrow_max_depth). */
enum { sql_type_max_depth = 60, sql_type_max_text = 1 << 20 };

struct sql_type {
  dbsql_type type;     /* DBSQL_TYPE_UNKNOWN: a name that this version does not know */
  int32_t precision;   /* DECIMAL; also the digits of TIME(n); -1: none */
  int32_t scale;       /* DECIMAL */
  int32_t length;      /* CHAR(n) and VARCHAR(n); 0: none */
  const char *keyword; /* in upper case, with what else belongs to the name: "VARCHAR", "INTERVAL DAY TO SECOND", "GEOMETRY(4326)" */
  size_t child_count;  /* ARRAY: 1, MAP: 2, STRUCT: its fields; 0 also where the server wrote the bare word */
  struct sql_type **children;
  const char *name; /* of a field of a struct; otherwise NULL */
  bool not_null;    /* of a field */
  bool abbreviated; /* the server left fields out: "... 3 more fields" */
};

/* Reads all of `text`. What it makes lies in the arena. An error says what stands where. */
dbsql_status sql_type_read(struct slice text, struct arena *arena, struct sql_type **type, dbsql_error **error);
/* Appends the type as results write it: ARRAY<INT>, MAP<STRING, INT>, STRUCT<a: INT>. */
void sql_type_append(struct buf *out, const struct sql_type *type);

/* How values travel: what was asked for when the connection was opened. */
struct sql_type_shape {
  bool columnar; /* as columns of Thrift: all but the simplest is text */
  bool native_timestamp, native_decimal, native_complex, native_interval, native_null;
  const char *zone; /* of the session; needed for TIMESTAMP */
};
/* The Arrow schema of a column of that type and name, with the type's text in its metadata: the same as a result has. */
dbsql_status sql_type_to_arrow(const struct sql_type *type, const char *name, const struct sql_type_shape *shape,
                               struct ArrowSchema *schema, dbsql_error **error);
/* Whether TIMESTAMP occurs, so that the time zone must be known. */
bool sql_type_needs_zone(const struct sql_type *type);

#endif
