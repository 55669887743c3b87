/* Columnar and row pages (results.md 1.4): values as Thrift lists, turned into Arrow arrays. */
#ifndef DBSQL_RESULT_COLUMNAR_H
#define DBSQL_RESULT_COLUMNAR_H

#include "thrift/tcli.h"

/* Rows of a columnar page: all columns must agree. */
dbsql_status columnar_row_count(const struct TRowSet *rows, int64_t *count, dbsql_error **error);
/* Builds one record batch by `schema`. The carrier of each column must be able to hold the schema's type. */
dbsql_status columnar_to_arrow(const struct TRowSet *rows, const struct ArrowSchema *schema, struct ArrowArray *out, dbsql_error **error);
/* The same for the row-based form of old HiveServer2 (protocol V5 and below). */
dbsql_status row_set_to_arrow(const struct TRowSet *rows, const struct ArrowSchema *schema, struct ArrowArray *out, dbsql_error **error);

#endif
