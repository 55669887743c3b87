/*
 * Types, in three languages: Arrow formats (what batches consist of), Databricks' names, and Thrift's type numbers (results.md 5.2).
 *
 * A column that is ready for the wire is described by its ArrowSchema alone: formats are from the list of results.md 5.2, list children
 * are named "element", map children "entries", "key" and "value".
 */
#ifndef DBSQL_WAREHOUSE_TYPES_H
#define DBSQL_WAREHOUSE_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include <dbsql/arrow.h>

#include "base/buf.h"

/* Appends "DECIMAL(10,2)", "ARRAY<INT>", "STRUCT<a: INT, b: DATE>". */
void type_append_sql_name(struct buf *out, const struct ArrowSchema *column);
/* Appends Spark's JSON of a type: "integer" in quotes, or an object. */
void type_append_json(struct buf *out, const struct ArrowSchema *column);
/* enum TTypeId. `*precision` and `*scale` are set for DECIMAL only. */
int32_t type_thrift_id(const struct ArrowSchema *column, int32_t *precision, int32_t *scale);

/* What a type of the engine is called by Databricks: "INTEGER[]" is "ARRAY<INT>", "TIMESTAMP WITH TIME ZONE" is "TIMESTAMP". A type that
 * Databricks does not have comes out as STRING, which is how its values are delivered. */
void type_append_of_engine(struct buf *out, const char *engine_type);
/* The same as DESCRIBE shows it: "array<int>", "struct<a:int,B:string>". */
void type_append_simple(struct buf *out, const char *engine_type);

/* The numbers that metadata calls tell about a column of that (Databricks) type name. */
struct type_facts {
  int32_t jdbc_type; /* java.sql.Types */
  bool has_size, has_digits, has_radix, has_octets;
  int32_t size;
  int32_t digits;
  int32_t radix;
  int32_t octets;
};
struct type_facts type_facts_of(const char *name);

#endif
