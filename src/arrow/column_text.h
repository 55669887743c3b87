/* Shared by the two ways of writing values: as text and as JSON. */
#ifndef DBSQL_ARROW_COLUMN_TEXT_H
#define DBSQL_ARROW_COLUMN_TEXT_H

#include "arrow/column.h"
#include "arrow/number.h"

/* Appends the text of a value that is neither null nor nested nor a string nor binary. Running out of memory shows in `out` only. */
dbsql_status column_append_scalar(const struct arrow_column *column, int64_t row, struct buf *out, dbsql_error **error);
/* The text of a half, float or double; returns its length. */
size_t column_write_float(const struct arrow_column *column, int64_t row, char out[number_float_size]);
/* Appends upper-case hexadecimal digits. Running out of memory shows in `out` only. */
void column_append_hex(struct buf *out, struct slice bytes);
/* The error for a column that cannot be shown. */
dbsql_status column_unsupported(const struct arrow_column *column, dbsql_error **error);

#endif
