/*
 * CloudFetch: results that the server leaves as files in cloud storage (results.md 2; docs/cloudfetch.md).
 *
 * The consumer's thread does all the thinking: it gets links, starts downloads, decompresses and decodes, renews links and decides
 * what is tried again. Only the bytes come in on another thread (http/transfer.h). So downloads go on while the consumer works with a
 * batch, and new ones begin whenever it asks for the next one: who stops reading stops the downloads.
 *
 * Rows come in order and each exactly once: files must tile the rows of the result, and each must hold what its link declares.
 */
#ifndef DBSQL_RESULT_CLOUDFETCH_H
#define DBSQL_RESULT_CLOUDFETCH_H

#include "base/budget.h"
#include "base/call.h"
#include "base/log.h"
#include "http/retry.h"
#include "http/transfer.h"
#include "result/page.h"
#include "result/result_schema.h"

/* Where pages come from. */
struct page_source;

enum checksum_rule { CHECKSUMS_AUTO /* where TLS does not protect the bytes */, CHECKSUMS_ON, CHECKSUMS_OFF };

struct cloudfetch_settings {
  int threads;           /* downloads at once */
  size_t max_file_bytes; /* a file that is larger, as it comes or decompressed, is an error */
  int64_t usual_file;    /* bytes to reserve for a file whose link does not say */
  int64_t stall_ms;      /* an attempt ends when no byte has come for so long */
  int64_t total_ms;      /* and when it has taken so long; 0: no limit */
  int64_t straggler_ms;  /* a download may take so much longer than its size and the others' speed say; 0: as long as it wants */
  enum checksum_rule checksums;
  struct retry_policy retry;
  const struct log *log;
};

/* What has happened so far. */
struct cloudfetch_counts {
  int64_t files_known;     /* links, skipped ones included */
  int64_t files_delivered; /* to the last row */
  int64_t bytes_received;
  int64_t bytes_decoded;
  int64_t retries;       /* after failures of network and storage */
  int64_t renewals;      /* requests for new links */
  int64_t restarts;      /* of downloads that were too slow */
  int64_t redownloads;   /* of files that were damaged */
  int64_t first_file_ns; /* how long the first file took, from its first attempt to its arrival */
  int64_t slowest_file_ns;
  int64_t all_files_ns; /* the sum */
  int64_t waited_ns;    /* the consumer for files */
};

struct cloudfetch;
/* `profile` is borrowed. `schema` and `budget` get a reference. */
dbsql_status cloudfetch_new(const struct cloudfetch_settings *settings, struct transfer_profile *profile, const struct page_source *source,
                            struct result_schema *schema, struct budget *budget, struct cloudfetch **cloudfetch, dbsql_error **error);
/* NULL is allowed. Ends the downloads without waiting for them. */
void cloudfetch_free(struct cloudfetch *cloudfetch);
bool page_has_links(const struct page *page);
/* Takes the links of a page, which is freed, and begins with the downloads. No file may be left; `next_row` is the row to go on with. */
dbsql_status cloudfetch_add_page(struct cloudfetch *cloudfetch, struct page *page, int64_t next_row, dbsql_error **error);
/* The next batch, of at least one row. out->release NULL: no file is left; a page of another kind may follow, see the next. A failure
 * by the call's end or cancellation loses nothing: it can be called again. */
dbsql_status cloudfetch_next(struct cloudfetch *cloudfetch, const struct call *call, struct ArrowArray *out, dbsql_error **error);
/* True once a failure was more than the end of the call: nothing further comes. */
bool cloudfetch_has_failed(const struct cloudfetch *cloudfetch);
/* The page without links that came instead of further ones; false if there is none, and the result is at its end. */
bool cloudfetch_take_page(struct cloudfetch *cloudfetch, struct page *page);
const struct cloudfetch_counts *cloudfetch_counts(const struct cloudfetch *cloudfetch);

#endif
