/*
 * CloudFetch's links: how a result is cut into files, and the signed, expiring links to them (results.md 2; docs/cloudfetch-faults.md).
 *
 * A result with links outlives its operation until they have expired, as files in a cloud's storage do. Files are made when they are
 * fetched, from the batches of the result; with a folder for prepared files they are written when the statement ends.
 *
 * All functions may be called from any thread.
 */
#ifndef DBSQL_WAREHOUSE_LINKS_H
#define DBSQL_WAREHOUSE_LINKS_H

#include "faults.h"
#include "page.h"
#include "storage_file.h"
#include "warehouse.h"

struct links_options {
  int64_t threshold;  /* a result of fewer bytes is sent inline */
  int64_t file_bytes; /* of a file at most, decompressed, also if the client allows more; 0: as the client says */
  int64_t per_page;   /* links in one answer */
  int64_t life_ms;
  bool refresh_splits; /* links that are got again lead to smaller files */
  enum lz4_writer writer;
  const char *prepared_folder; /* NULL: none */
  const char *header_name;     /* that downloads must send, and its value; NULL: none */
  const char *header_value;
  size_t keep_bytes; /* of results whose operations are closed; the oldest go first */
};

struct links;
/* `faults` must outlive it. NULL: no random numbers for the key. */
struct links *links_new(const struct links_options *options, struct faults *faults);
/* What links begin with: http://127.0.0.1:1234. Before the first link. */
void links_set_base(struct links *links, const char *url);
/* Lets go of all results: before the engine is closed. */
void links_clear(struct links *links);
void links_free(struct links *links);
const struct links_options *links_options_of(const struct links *links);

/* Decides whether the result of a finished operation goes by links, and prepares its files if there is a folder for them. */
bool links_settle(struct links *links, struct operation *operation, struct failure *failure);
/* A page of links to files from row `first` on. `*count` are the rows that they stand for. `max_bytes` 0: no limit.
 * `empty`: none. */
bool links_page(struct links *links, const struct operation *operation, struct answer *answer, int64_t first, bool empty, int64_t max_bytes,
                struct TRowSet **rows, int64_t *count, struct page_sizes *sizes, struct failure *failure);
/* Lets go of results whose operations are closed and whose links have expired, or that are too many. Cheap. */
void links_purge(struct links *links);

/* ---- The storage's side --------------------------------------------------------------------------------------------------------- */

enum link_verdict { LINK_GOOD, LINK_FORGED, LINK_EXPIRED, LINK_UNKNOWN };

/* What a link leads to. */
struct link_target {
  char result_name[guid_text_size];
  int64_t serial; /* of the link */
  int64_t file;   /* counted from 0, by the cut that was told first */
  int64_t first, count;
  int64_t expires_ms;
  /* Of LINK_GOOD: */
  struct result result; /* a share of it, for link_target_free() */
  int prepared;         /* an open file, or -1 */
};
/* `path` is decoded; `argument` gives the query's. */
enum link_verdict links_open(struct links *links, const char *path, const char *(*argument)(void *user, const char *name), void *user,
                             struct link_target *target);
void link_target_free(struct link_target *target);
/* Links to that file made so far are expired from now on. */
void links_expire(struct links *links, const struct link_target *target);

struct links_counts {
  int64_t links, pages, refreshes; /* a refresh is a page that begins where links had been given before */
  int64_t results, result_bytes;   /* that are held now */
};
struct links_counts links_counts(struct links *links);

#endif
