/* The stream of a result: pages in, batches out, every row exactly once or an error (results.md 1.5). */
#ifndef DBSQL_RESULT_RESULT_READER_H
#define DBSQL_RESULT_RESULT_READER_H

#include "base/budget.h"
#include "base/call.h"
#include "base/log.h"
#include "result/page.h"
#include "result/result_schema.h"

/* Where pages come from. */
struct page_source {
  void *user;
  dbsql_status (*fetch)(void *user, int64_t next_row, const struct call *call, struct page *page, dbsql_error **error);
  bool repeats; /* fetching the same row again is safe, so that a call that ran out of time may be made again */
};

/* What is needed when the server answers with links to files. */
struct cloudfetch;
struct cloudfetch_settings;
struct transfer_profile;
struct file_source {
  const struct cloudfetch_settings *settings;
  void *user;
  /* How to reach storage: made when it is first needed, and borrowed. */
  dbsql_status (*profile)(void *user, struct transfer_profile **profile, dbsql_error **error);
};

struct result_reader {
  struct page_source source;
  struct file_source files;     /* settings NULL after the init: links are an error */
  struct result_schema *schema; /* a reference */
  size_t max_decoded_bytes;
  const struct log *log; /* borrowed; NULL after the init */
  struct page page;
  bool page_is_first; /* was given at the start, and has not been looked at */
  bool page_is_open;
  uint32_t batch_at;          /* the next Arrow batch of the page */
  struct ipc_reader messages; /* the messages of the batch before it */
  bool messages_are_open;
  int64_t batch_left; /* rows that the batch still owes; -1: the server did not say */
  int64_t batch_rows; /* rows of it so far, for messages */
  int64_t position;   /* the row, counted from the result's first, that comes next out of the page */
  int64_t next_row;   /* the row that the caller gets next */
  int64_t page_first; /* next_row when the open page was entered */
  int repeated_pages; /* in a row, without a single new row */
  bool source_is_done;
  int64_t max_memory;            /* of the budget; 0 after the init: no limit */
  struct budget *budget;         /* of what is decompressed; NULL until it is needed */
  struct cloudfetch *cloudfetch; /* NULL until links have come */
  bool in_files;                 /* the next rows come from it */
  dbsql_status failed;           /* once an error has been reported, nothing more comes */
};

/* Takes a reference to the schema. `first` (may be NULL) is a page that is there already; it is moved. */
void result_reader_init(struct result_reader *reader, struct page_source source, struct result_schema *schema, size_t max_decoded_bytes,
                        struct page *first);
/* Begins with the downloads, if the first page is there and holds links: before anybody asks for a row. */
dbsql_status result_reader_start(struct result_reader *reader, dbsql_error **error);
/* The next batch with at least one row; at the end success with out->release == NULL. */
dbsql_status result_reader_next(struct result_reader *reader, const struct call *call, struct ArrowArray *out, dbsql_error **error);
void result_reader_close(struct result_reader *reader);

#endif
