/* One blocking call: its deadline, its cancel handle, and waiting that obeys both. */
#ifndef DBSQL_BASE_CALL_H
#define DBSQL_BASE_CALL_H

#include <stdatomic.h>
#include <stdint.h>

#include <dbsql/dbsql.h>

struct dbsql_cancel {
  atomic_bool triggered;
  int read_fd; /* readable once triggered: for poll() beside sockets */
  int write_fd;
};

struct call {
  int64_t started_ns;
  int64_t deadline_ns;        /* INT64_MAX = none */
  int64_t timeout_ms;         /* what the deadline was made from, for messages; 0 = none */
  dbsql_cancel *cancel;       /* may be NULL */
  const char *correlation_id; /* may be NULL */
};

/* Refuses a struct that was not begun with DBSQL_CALL_INIT: what it asks for would be ignored. NULL is allowed. */
dbsql_status call_validate(const dbsql_call *user, dbsql_error **error);
/* Starts the clock. `user` may be NULL; `default_timeout_ms` 0 means no limit. */
void call_begin(struct call *call, const dbsql_call *user, int64_t default_timeout_ms);
/* A call of the library's own, such as cleaning up after a cancelled one. */
void call_begin_internal(struct call *call, int64_t timeout_ms);
/* DBSQL_OK, or the error that the time is up or the caller has cancelled. `what` says what was being done: "waiting for HOST". */
dbsql_status call_check(const struct call *call, const char *what, dbsql_error **error);
/* Milliseconds left, at least 0, at most INT32_MAX; rounded up. */
int64_t call_remaining_ms(const struct call *call);
/* Waits `ms` milliseconds, or less if the call ends first; then as call_check(). */
dbsql_status call_sleep(const struct call *call, int64_t ms, const char *what, dbsql_error **error);
/* The file descriptor to poll beside others, or -1. */
int call_cancel_fd(const struct call *call);
int64_t call_elapsed_ms(const struct call *call);
/* Sets the correlation id and the elapsed time of an error that is there. */
void call_annotate(const struct call *call, dbsql_error **error);

#endif
