/* What a result looks like: its columns as SQL sees them and the Arrow schema of its batches. */
#ifndef DBSQL_RESULT_RESULT_SCHEMA_H
#define DBSQL_RESULT_RESULT_SCHEMA_H

#include <stdatomic.h>

#include "arrow/ipc_reader.h"
#include "base/arena.h"
#include "thrift/tcli.h"

struct result_schema {
  atomic_int refs;
  struct ipc_schema *arrow; /* never NULL */
  size_t column_count;
  dbsql_column *columns;
  struct arena texts;
};

/* From the server's metadata. The Arrow schema that it sent decides; without one, one is made from the types that columnar pages carry
 * (results.md 1.4, 1.6). The result has one reference. */
dbsql_status result_schema_new(const struct TGetResultSetMetadataResp *metadata, struct result_schema **schema, dbsql_error **error);
/* From an Arrow schema that we made, with the SQL types in its metadata where they say more. `arrow` is copied. */
dbsql_status result_schema_from_arrow(const struct ArrowSchema *arrow, struct result_schema **schema, dbsql_error **error);
/* A result without columns. */
dbsql_status result_schema_empty(struct result_schema **schema, dbsql_error **error);
struct result_schema *result_schema_ref(struct result_schema *schema);
/* NULL is allowed. */
void result_schema_unref(struct result_schema *schema);

/* The logical type that a SQL type's text begins with, with precision and scale of DECIMAL(p,s) (0 otherwise). */
dbsql_type sql_type_parse(const char *text, size_t length, int32_t *precision, int32_t *scale);

#endif
