/* When to try again and how long to wait (thrift.md 7.2). */
#ifndef DBSQL_HTTP_RETRY_H
#define DBSQL_HTTP_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "http/http.h"

/* Whether an answer with that status may be tried again. */
bool retry_allows_status(enum http_retry rule, int status);
/* Whether a failure of the network may; `sent` says that the server may have seen the whole request. */
bool retry_allows_network(enum http_retry rule, bool sent);

struct retry_policy {
  int max; /* attempts after the first */
  int64_t min_wait_ms;
  int64_t max_wait_ms;
  int64_t total_ms; /* 0: no limit */
};
/* min * 2^(failures-1), at most max; half of it fixed and half random. `random` is the generator's state, never 0. */
int64_t retry_wait_ms(const struct retry_policy *policy, int failures, uint64_t *random);
/* Whole seconds or an HTTP date; -1 if it is neither. A date in the past is 0. */
int64_t retry_after_ms(const char *value, int64_t now_unix_us);
/* The time of an HTTP date, in seconds since 1970; -1 if it is none. */
int64_t http_date_s(const char *value);

#endif
