/* The inside of CloudFetch: cloudfetch.c runs the pipeline, cloudfetch_links.c keeps the links, cloudfetch_file.c reads a file. */
#ifndef DBSQL_RESULT_CLOUDFETCH_INTERNAL_H
#define DBSQL_RESULT_CLOUDFETCH_INTERNAL_H

#include "http/url.h"
#include "result/cloudfetch.h"
#include "result/result_reader.h"

enum {
  links_ahead = 64,         /* more are not asked for */
  expiry_margin_ms = 60000, /* a link that dies within this time is renewed before it is used */
  most_renewals = 3,        /* of one link */
  most_restarts = 10,       /* of slow downloads of one result */
  rates_kept = 31
};

enum slot_state {
  SLOT_PENDING, /* to be begun, once retry_at_ns has come */
  SLOT_RUNNING,
  SLOT_LOADED, /* the bytes are there */
  SLOT_FAILED  /* for good: `error` is what comes instead of its rows */
};

/* A file: what its link says, and how far it is. */
struct slot {
  char *url;                   /* a credential: never shown */
  struct http_header *headers; /* with their texts in the same block */
  size_t header_count;
  size_t header_bytes; /* of that block */
  bool tls;
  int64_t expiry_ms; /* Unix time; 0: never */
  int64_t start;     /* its first row, counted from the result's first */
  int64_t rows;
  int64_t bytes; /* the server's word, for reserving only (results.md 2.1) */
  int64_t skip;  /* rows at its start that have been delivered */
  enum slot_state state;
  bool must_renew;    /* storage has refused the link */
  bool ignores_clock; /* the server has sent it anew like this: storage decides whether it is dead */
  bool was_gone;      /* storage has said once that there is no such file */
  bool restarted;
  int renewals;
  int failures;
  int redownloads;
  int64_t spent_ns; /* by attempts that have ended, and waits between them; not by the consumer with other things */
  int64_t retry_at_ns;
  struct transfer *transfer;
  struct chunk *body;
  int64_t reserved;
  dbsql_error *error;
};

struct cloudfetch {
  struct cloudfetch_settings settings;
  struct transfer_profile *profile;
  struct page_source source;
  struct result_schema *schema;
  struct budget *budget;
  struct transfer_wake *wake;
  /* The files that are still to be delivered, in the order of their rows. */
  struct slot *slots;
  size_t first;
  size_t count;
  size_t capacity;
  int64_t next_link_row; /* behind the last file that is known */
  bool no_more_links;
  bool is_broken;         /* the last slot is an error; no rows can follow it */
  bool prefetch_failed;   /* links are asked for again only when they are needed */
  int64_t prefetch_at_ns; /* not before */
  int64_t retry_at_ns;    /* when the first of those that wait before they are tried again is due; INT64_MAX: none waits */
  bool clock_differs;     /* a link came that was dead by our clock: storage alone decides */
  struct page behind;     /* a page without links */
  bool has_behind;
  /* The first slot, while its batches are being handed out. */
  bool file_is_open;
  struct ipc_reader file;
  int64_t file_rows; /* taken out of it so far, skipped ones included */
  int64_t next_row;  /* that is handed out next */
  /* For telling what is slow. */
  double rates[rates_kept]; /* bytes per nanosecond of downloads that ended well */
  size_t rate_count;        /* of all time */
  bool any_file_came;
  bool has_failed;
  uint64_t random;
  struct cloudfetch_counts counts;
};

static inline struct slot *slot_at(struct cloudfetch *cf, size_t i) {
  return &cf->slots[cf->first + i];
}

/* ---- cloudfetch_links.c ---- */

/* Adds the links of a page behind those that are known. What is wrong with them becomes the error of a slot, so that the rows before
 * it are still delivered. */
dbsql_status links_add(struct cloudfetch *cf, const struct TRowSet *rows, dbsql_error **error);
/* Gets the next page: links are added, another page becomes the one behind. One that is empty is followed by the next after a while, or
 * if it was asked for ahead of need, some later time. */
dbsql_status links_fetch(struct cloudfetch *cf, bool ahead, const struct call *call, dbsql_error **error);
bool link_is_dying(const struct cloudfetch *cf, const struct slot *slot);
/* Asks for new links from the i-th slot's first row on, and gives them to it and those behind it. */
dbsql_status links_renew(struct cloudfetch *cf, size_t i, const struct call *call, dbsql_error **error);
/* Frees what the slot holds, and ends its download. */
void slot_clear(struct cloudfetch *cf, struct slot *slot);
/* Ends the download, if one runs, and gives back its memory. */
void slot_unload(struct cloudfetch *cf, struct slot *slot);
void slots_drop_first(struct cloudfetch *cf);
/* Makes an error the one that comes instead of the slot's rows. */
void slot_fail(struct slot *slot, dbsql_error *failure);
/* "rows 0 to 9". */
enum { slot_name_size = 64 };
void slot_name(const struct slot *slot, char out[slot_name_size]);

/* ---- cloudfetch_file.c ---- */

/* Opens the first slot, which is loaded. */
dbsql_status file_open(struct cloudfetch *cf, dbsql_error **error);
/* The next batch of the open file; out->release NULL: the file is through, or is to be downloaded once more. */
dbsql_status file_next(struct cloudfetch *cf, struct ArrowArray *out, dbsql_error **error);
void file_close(struct cloudfetch *cf);

#endif
