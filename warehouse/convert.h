/*
 * From the engine's batches to batches for the wire: string views, dictionaries, unsigned and 64-bit-offset layouts, unions and the
 * engine's own types become the plain ones of results.md 5.2. A column that is plain already is moved, not copied.
 */
#ifndef DBSQL_WAREHOUSE_CONVERT_H
#define DBSQL_WAREHOUSE_CONVERT_H

#include "failure.h"

struct convert_column;

/* How a column of that schema becomes a plain one. `schema` must outlive it. On failure NULL: a type that cannot be delivered. */
struct convert_column *convert_column_new(const struct ArrowSchema *schema, struct failure *failure);
void convert_column_free(struct convert_column *column);
/* Engines have one interval of months, days and fractions; Databricks has two. Which one a column gets depends on its values: every batch
 * is to be shown before the first is converted. */
bool convert_needs_values(const struct convert_column *column);
void convert_look(struct convert_column *column, const struct ArrowArray *array);
/* Makes the plain schema (without metadata). `zone` is the session's time zone. */
bool convert_schema(struct convert_column *column, const char *name, const char *zone, struct ArrowSchema *out, struct failure *failure);
/* Converts or moves one column of one batch; `array` is released in any case. `plain` comes from convert_schema(). */
bool convert_array(struct convert_column *column, const struct ArrowSchema *plain, struct ArrowArray *array, struct ArrowArray *out,
                   struct failure *failure);

/* A plain column as STRING: what a client gets that did not ask for a native type. */
bool convert_to_text(const struct ArrowSchema *plain, struct ArrowArray *array, const struct ArrowSchema *text_schema,
                     struct ArrowArray *out, struct failure *failure);
/* Bytes that an array takes, roughly: for limits. */
size_t convert_size(const struct ArrowSchema *schema, const struct ArrowArray *array);

#endif
