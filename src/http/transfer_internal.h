/* The inside of transfers: transfer.c makes them and judges how they ended, transfer_thread.c runs them. */
#ifndef DBSQL_HTTP_TRANSFER_INTERNAL_H
#define DBSQL_HTTP_TRANSFER_INTERNAL_H

#include <curl/curl.h>
#include <sys/types.h>

#include "http/answer.h"
#include "http/proxy.h"
#include "http/tls.h"
#include "http/transfer.h"

struct transfer_engine;

/* What transfers need of a profile: counted, since the thread may look at it a little longer than its owner. */
struct transfer_core {
  atomic_int refs;
  CURL *pattern; /* what all transfers have in common; copied for each */
  struct http_tls tls;
  struct http_proxy_rules *proxies;
  int64_t connect_timeout_ms;
};
void transfer_core_unref(struct transfer_core *core);

struct transfer {
  atomic_int refs; /* the caller's, and the thread's */
  atomic_bool abandoned;
  atomic_bool ended;
  atomic_int_fast64_t received;
  atomic_int_fast64_t declared;
  struct transfer *next; /* in the inbox, or among those that run */
  struct transfer_engine *engine;
  struct transfer_core *core;
  struct transfer_wake *wake;
  struct budget *budget;
  CURL *easy;
  struct buf head; /* the text of the lines, which libcurl only reads */
  struct curl_slist *lines;
  struct http_target target;
  const struct http_proxy *proxy;
  char what[104];
  char curl_text[CURL_ERROR_SIZE];
  size_t size_hint;
  size_t max_size;
  int64_t stall_ms;
  int64_t total_ms;
  int64_t reserved;
  int64_t started_ns;
  int64_t moved_ns; /* when the last byte came */
  struct http_answer answer;
  bool no_memory;
  bool too_large;
  bool stalled;
  struct transfer_end end;
};

/* The callbacks' view: bytes that came. */
size_t transfer_take_header(char *data, size_t size, size_t count, void *user);
size_t transfer_take_data(char *data, size_t size, size_t count, void *user);
/* Fills in how it ended. Before the handle leaves libcurl's hands. */
void transfer_judge(struct transfer *transfer, CURLcode code);
/* Tells the caller that it has ended, and drops the thread's reference. */
void transfer_finish(struct transfer *transfer);
void transfer_unref(struct transfer *transfer);

/* One use of the process's engine, which is made if there is none. */
dbsql_status transfer_engine_use(struct transfer_engine **engine, dbsql_error **error);
/* Ends one use; the last one joins the thread. */
void transfer_engine_leave(struct transfer_engine *engine);
/* False in a forked child. */
bool transfer_engine_is_ours(const struct transfer_engine *engine);
/* Gives a transfer to the thread, with a reference. */
dbsql_status transfer_engine_submit(struct transfer_engine *engine, struct transfer *transfer, dbsql_error **error);
/* Makes the thread look at what has changed. */
void transfer_engine_poke(struct transfer_engine *engine);

#endif
