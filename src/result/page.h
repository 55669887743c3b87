/* A page: what one answer of the server holds of a result. */
#ifndef DBSQL_RESULT_PAGE_H
#define DBSQL_RESULT_PAGE_H

#include "base/arena.h"
#include "base/chunk.h"
#include "thrift/tcli.h"

enum page_kind { PAGE_EMPTY, PAGE_LINKS, PAGE_ARROW, PAGE_COLUMNS, PAGE_ROWS };

struct page {
  struct chunk *body; /* one reference: the bytes that everything below points into */
  struct arena arena; /* owned: the decoded structs */
  const struct TRowSet *rows;
  enum page_kind kind;
  bool has_more;     /* the server's word: further pages follow */
  bool plain;        /* from a plain HiveServer2: has_more means nothing, the first empty page is the end */
  bool knows_start;  /* start_row is the server's word, not our guess */
  int64_t start_row; /* of the first row, counted from the result's first */
  int64_t row_count; /* rows declared by the server */
};

/* Looks at page->rows (NULL allowed) and fills in kind, start_row and row_count. Decided for each page anew: results.md 1.3. */
dbsql_status page_classify(struct page *page, dbsql_error **error);
/* Drops the body and the arena, and zeroes. */
void page_free(struct page *page);

#endif
