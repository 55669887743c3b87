/* The rows of a metadata call: gathered, from a server's answer or from statements, put in order, and made a result. */
#ifndef DBSQL_SESSION_METADATA_ROWS_H
#define DBSQL_SESSION_METADATA_ROWS_H

#include "base/arena.h"
#include "session/metadata_spec.h"
#include "session/statement.h"

struct metadata_cell {
  union {
    const char *text; /* not zero-terminated */
    int64_t number;   /* of BOOLEAN 0 or 1 */
  };
  uint32_t size;
  bool is_set; /* false: NULL */
};

struct metadata_rows {
  const struct metadata_spec *spec;
  struct arena arena;
  struct metadata_cell *cells;
  size_t count;
  size_t capacity;
  int64_t bytes;
  int64_t max_bytes; /* 0: no limit */
};

void metadata_rows_init(struct metadata_rows *rows, const struct metadata_spec *spec, int64_t max_bytes);
void metadata_rows_free(struct metadata_rows *rows);
/* The cells of row `i`; valid until the next row is added. */
static inline struct metadata_cell *metadata_row(const struct metadata_rows *rows, size_t i) {
  return rows->cells + i * rows->spec->column_count;
}
static inline struct slice metadata_text(const struct metadata_cell *cell) {
  return slice_of(cell->is_set ? cell->text : NULL, cell->is_set ? cell->size : 0);
}
/* A row of NULLs, the last one. */
dbsql_status metadata_rows_add(struct metadata_rows *rows, dbsql_error **error);
/* Copies a text into a cell of the last row. */
dbsql_status metadata_set_text(struct metadata_rows *rows, size_t column, struct slice text, dbsql_error **error);
void metadata_set_number(struct metadata_rows *rows, size_t column, int64_t number);
void metadata_rows_drop_last(struct metadata_rows *rows);

/* Looks at the last row, completes it, and says whether it is wanted. */
typedef dbsql_status (*metadata_visit)(void *user, struct metadata_rows *rows, bool *wanted, dbsql_error **error);
/* Adds the rows of a server's answer, column for column: by name, and by place where the server has names of its own. */
dbsql_status metadata_rows_read(struct metadata_rows *rows, dbsql_result *result, const dbsql_call *call, metadata_visit visit, void *user,
                                dbsql_error **error);

/* Orders the rows and makes the result of them. The rows are still to be freed. */
dbsql_status metadata_rows_finish(struct metadata_rows *rows, dbsql_connection *connection, const char *query_id, dbsql_result **result,
                                  dbsql_error **error);
/* A result of the library's own: with that schema (a reference is taken) and one batch (moved; may have been released: no rows). */
dbsql_status result_of_batch(dbsql_connection *connection, const char *query_id, struct result_schema *schema, struct ArrowArray *batch,
                             dbsql_result **result, dbsql_error **error);

#endif
