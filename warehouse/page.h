/* A result as the wire has it: its metadata, and pages of rows as Arrow batches or as columns (thrift.md 2.8, 4.4). */
#ifndef DBSQL_WAREHOUSE_PAGE_H
#define DBSQL_WAREHOUSE_PAGE_H

#include "result.h"
#include "thrift/tcli.h"

/* What one answer consists of, and its memory. */
struct operation;
struct answer {
  struct arena arena;
  struct buf **buffers;
  size_t buffer_count;
  struct operation *keep; /* one reference to what the answer points into, given up when it has been written */
};
void *answer_new(struct answer *answer, size_t size);
void *answer_array(struct answer *answer, size_t count, size_t size);
/* A copy that lives as long as the answer. */
struct slice answer_text(struct answer *answer, const char *text);
/* A buffer that lives as long as the answer. */
struct buf *answer_buf(struct answer *answer);
void answer_free(struct answer *answer);
/* A status with SUCCESS alone. */
struct TStatus *answer_success(struct answer *answer);

/* Makes what is the same for all pages. Once, before the others. */
bool page_prepare(struct result *result, struct failure *failure);

/* Appends the message of rows [from, from + count) of one batch, without compression. */
bool page_message(const struct result *result, const struct ArrowArray *batch, int64_t from, int64_t count, struct buf *out,
                  struct failure *failure);

/* Sizes of a whole result, if one page held all of it. */
struct page_sizes {
  bool known;
  int64_t uncompressed;
  int64_t compressed; /* -1: not known */
};

/* `plain_hive`: without any field of Databricks. `metadata_call`: as real servers answer those. */
struct TGetResultSetMetadataResp *page_metadata(const struct result *result, struct answer *answer, const struct page_sizes *sizes,
                                                bool metadata_call, bool plain_hive);
/* Rows from `first` on: at most `max_rows` (at least 0), and as many as fit into `max_bytes` (0: no limit), but always one. */
bool page_rows(const struct result *result, struct answer *answer, int64_t first, int64_t max_rows, int64_t max_bytes,
               struct TRowSet **rows, int64_t *count, struct page_sizes *sizes, struct failure *failure);

#endif
