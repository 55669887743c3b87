/*
 * The result of an operation, whole and in memory until the operation is closed: so pages can be read again, and the row counts are
 * known before the first page leaves. How it is written to the wire is in page.h.
 */
#ifndef DBSQL_WAREHOUSE_RESULT_H
#define DBSQL_WAREHOUSE_RESULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dbsql/arrow.h>

#include "base/buf.h"
#include "failure.h"

struct ipc_schema;

/* What the client can read (ExecuteStatement). */
struct result_shape {
  bool arrow;    /* otherwise columns */
  bool download; /* files that links lead to */
  bool lz4;
  bool timestamp_native, decimal_native, complex_native, interval_native, null_native;
};

struct result_column {
  char *name;
  char *comment;
  int32_t type; /* enum TTypeId */
  int32_t precision, scale;
};

struct result {
  struct result_shape shape;
  int64_t column_count;
  struct result_column *columns;
  /* What is delivered: a struct of the columns. */
  struct ArrowSchema schema;
  /* The columns are told, but the Arrow schema has none of them: how a real server answers DDL. */
  bool bare_arrow_schema;
  int64_t batch_count;
  struct ArrowArray *batches; /* none is empty */
  int64_t *starts;            /* row number of each batch's first row */
  int64_t rows;
  size_t bytes;
  bool linked;        /* delivered by links (links.h) */
  atomic_int *shares; /* how many structs have this content; NULL: only one ever */
  /* Made by page_prepare(). */
  struct ipc_schema *ipc;
  struct buf arrow_schema;
};

/* What bounds the reading of a result. */
struct result_limits {
  int64_t rows; /* 0: no limit; more are left out */
  size_t bytes; /* more are an error */
  bool (*stopped)(void *user);
  void *user;
  const char *spool_folder; /* where larger results are kept (spool.h); NULL: in memory */
  size_t spool_bytes;       /* so many are kept in memory */
};

/* Reads the stream to its end and releases it. On failure there is nothing to free. */
bool result_read(struct result *result, struct engine_connection *connection, struct ArrowArrayStream *stream,
                 const struct result_shape *shape, const char *zone, const struct result_limits *limits, const char *sql,
                 struct failure *failure);
/* Makes a column of integers that holds no value one of type VOID: the engine gives NULL literals that type. */
bool result_make_void(struct result *result, int64_t column, struct failure *failure);
void result_free(struct result *result);
/* A result that does not change any more can be had by several: each has its struct, and the content goes with the last. */
void result_allow_sharing(struct result *result);
void result_share(const struct result *from, struct result *to);
bool result_is_shared(const struct result *result);
/* The batch that holds that row. */
int64_t result_batch_of(const struct result *result, int64_t row);

/* ---- Results that the warehouse makes itself ---------------------------------------------------------------------------------- */

struct table;
/* `columns` are name, format ("u", "b", "c", "s", "i", "l"), comment, ..., NULL. */
struct table *table_new(const char *const *columns);
void table_text(struct table *table, const char *text); /* NULL is null */
void table_slice(struct table *table, struct slice text);
void table_int(struct table *table, int64_t value);
void table_null(struct table *table);
void table_free(struct table *table); /* of one that is not finished */
/* After the last value of a row. */
void table_row(struct table *table);
/* Frees the table in any case. */
bool table_finish(struct table *table, struct result *result, const struct result_shape *shape, struct failure *failure);

#endif
