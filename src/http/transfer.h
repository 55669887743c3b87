/*
 * Downloads from storage: many at once, on one thread of the library for the whole process.
 *
 * A transfer is one GET of a URL that is its own credential: it carries the headers given for it and nothing of the connection's,
 * neither credentials nor cookies nor a client certificate, and redirects are not followed (results.md 2.2; auth.md 6, T1 and T35).
 * The thread only moves bytes. It runs while there are transfers, ends when there have been none for a while, and at the latest
 * when the last profile is freed; so nothing of the library runs once its last connection is closed. It takes no signals. In a forked
 * child there is no thread: a transfer of the parent never ends there, and freeing it leaves everything as it is.
 *
 * Everything but the wake's descriptor belongs to one thread of the caller at a time.
 */
#ifndef DBSQL_HTTP_TRANSFER_H
#define DBSQL_HTTP_TRANSFER_H

#include "base/budget.h"
#include "http/http.h"

/* By what a waiting thread learns that a transfer has ended: a descriptor for poll(). */
struct transfer_wake;
dbsql_status transfer_wake_new(struct transfer_wake **wake, dbsql_error **error);
/* NULL is allowed. */
void transfer_wake_free(struct transfer_wake *wake);
int transfer_wake_fd(const struct transfer_wake *wake);
/* Makes the descriptor unreadable again; look at the transfers after it, not before. */
void transfer_wake_reset(struct transfer_wake *wake);

/* How to reach storage: TLS, proxies, time limits, the User-Agent. */
struct transfer_profile;
/* Client certificate, retry and request_timeout_ms of the settings are not used. */
dbsql_status transfer_profile_new(const struct http_settings *settings, struct transfer_profile **profile, dbsql_error **error);
/* All its transfers must be freed. The last one ends the thread. NULL is allowed. */
void transfer_profile_free(struct transfer_profile *profile);
/* False in a child that was forked after the profile was made: it can do nothing with it but free it. */
bool transfer_profile_is_ours(const struct transfer_profile *profile);

struct transfer_request {
  const char *url;
  const struct http_header *headers; /* checked by the caller; those that HTTP itself needs are refused */
  size_t header_count;
  const char *what;      /* for messages: "rows 0 to 99"; cut if longer than 100 bytes */
  size_t size_hint;      /* bytes of the body if the server does not say; 0: not known */
  size_t max_size;       /* a body that is longer is an error */
  int64_t stall_ms;      /* an attempt ends when no byte has come for so long; 0: never */
  int64_t total_ms;      /* and when it takes this long; 0: no limit */
  struct budget *budget; /* where the memory for the body comes from */
  int64_t reserved;      /* of that budget: becomes the transfer's, whatever is returned */
  struct transfer_wake *wake;
};

enum transfer_outcome {
  TRANSFER_DONE,    /* a success with a whole body */
  TRANSFER_STATUS,  /* the server answered with another status */
  TRANSFER_NETWORK, /* name, connection, TLS, proxy, time limit, or the body ended early */
  TRANSFER_TOO_LARGE,
  TRANSFER_NO_MEMORY
};

struct transfer_end {
  enum transfer_outcome outcome;
  dbsql_error *error;     /* the transfer's; NULL after TRANSFER_DONE */
  int http_status;        /* 0: none came */
  int64_t retry_after_ms; /* -1: the server did not say */
  bool may_retry;         /* of TRANSFER_NETWORK: trying again can help at all */
  bool reached;           /* the request could be sent: the host can be connected to */
  int64_t elapsed_ns;
};

struct transfer;
dbsql_status transfer_start(struct transfer_profile *profile, const struct transfer_request *request, struct transfer **transfer,
                            dbsql_error **error);
/* NULL while it runs. Lives as long as the transfer. */
const struct transfer_end *transfer_ended(const struct transfer *transfer);
/* Bytes of the body so far, and those declared (-1 while not known); nanoseconds since it was started. */
void transfer_progress(const struct transfer *transfer, int64_t *received, int64_t *declared, int64_t *elapsed_ns);
/* Once, after TRANSFER_DONE: the body, the caller's reference from then on. `*reserved` is what of the reservation is left and is the
 * caller's again. */
struct chunk *transfer_take_body(struct transfer *transfer, int64_t *reserved);
/* Ends it if it runs (without waiting for that), and gives back what it holds. NULL is allowed. */
void transfer_free(struct transfer *transfer);

/* For tests: whether the thread runs, and how long it stays without work. */
bool transfer_test_thread_runs(void);
void transfer_test_set_idle_ms(int64_t ms);

#endif
