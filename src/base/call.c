#include "base/call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

enum { ns_per_ms = 1000000 };

static int make_pipe(int fds[2]) {
#if defined(__linux__)
  return pipe2(fds, O_CLOEXEC | O_NONBLOCK);
#else
  if (pipe(fds) != 0) return -1;
  for (int i = 0; i < 2; i++) {
    fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    fcntl(fds[i], F_SETFL, O_NONBLOCK);
  }
  return 0;
#endif
}

dbsql_status dbsql_cancel_new(dbsql_cancel **cancel, dbsql_error **error) {
  if (!cancel) return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "cancel must not be NULL");
  *cancel = NULL;
  dbsql_cancel *made = mem_alloc_zero(1, sizeof *made);
  if (!made) return error_no_memory(error);
  int fds[2];
  if (make_pipe(fds) != 0) {
    int reason = errno;
    mem_free(made);
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "cannot make a pipe for a cancel handle (errno %d)", reason);
  }
  atomic_init(&made->triggered, false);
  made->read_fd = fds[0];
  made->write_fd = fds[1];
  *cancel = made;
  return DBSQL_OK;
}

/* Only an atomic store and write(): allowed in a signal handler. */
void dbsql_cancel_trigger(dbsql_cancel *cancel) {
  if (!cancel) return;
  int saved = errno;
  if (!atomic_exchange(&cancel->triggered, true)) {
    ssize_t written = write(cancel->write_fd, "x", 1);
    (void)written; /* the pipe was empty, so one byte fits */
  }
  errno = saved;
}

bool dbsql_cancel_is_triggered(const dbsql_cancel *cancel) {
  return cancel && atomic_load(&cancel->triggered);
}

void dbsql_cancel_reset(dbsql_cancel *cancel) {
  if (!cancel) return;
  char drain[8];
  while (read(cancel->read_fd, drain, sizeof drain) > 0) {
  }
  atomic_store(&cancel->triggered, false);
}

void dbsql_cancel_free(dbsql_cancel *cancel) {
  if (!cancel) return;
  close(cancel->read_fd);
  close(cancel->write_fd);
  mem_free(cancel);
}

static void begin(struct call *call, int64_t timeout_ms) {
  call->started_ns = clock_now_ns();
  call->timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
  call->deadline_ns = INT64_MAX;
  if (timeout_ms > 0 && timeout_ms < (INT64_MAX - call->started_ns) / ns_per_ms) {
    call->deadline_ns = call->started_ns + timeout_ms * ns_per_ms;
  }
  call->cancel = NULL;
  call->correlation_id = NULL;
}

dbsql_status call_validate(const dbsql_call *user, dbsql_error **error) {
  if (!user || user->struct_size >= sizeof *user) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "dbsql_call: struct_size is %zu instead of %zu: begin with DBSQL_CALL_INIT",
                   user->struct_size, sizeof *user);
}

void call_begin(struct call *call, const dbsql_call *user, int64_t default_timeout_ms) {
  int64_t timeout_ms = default_timeout_ms;
  if (user && user->struct_size >= sizeof *user && user->timeout_ms != 0) timeout_ms = user->timeout_ms;
  begin(call, timeout_ms);
  if (user && user->struct_size >= sizeof *user) {
    call->cancel = user->cancel;
    call->correlation_id = user->correlation_id;
  }
}

void call_begin_internal(struct call *call, int64_t timeout_ms) {
  begin(call, timeout_ms);
}

dbsql_status call_check(const struct call *call, const char *what, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  if (dbsql_cancel_is_triggered(call->cancel)) {
    status = error_set(error, DBSQL_ERROR_CANCELLED, "HY008", "cancelled while %s", what);
  } else if (call->deadline_ns != INT64_MAX && clock_now_ns() >= call->deadline_ns) {
    status =
        error_set(error, DBSQL_ERROR_TIMEOUT, "HYT00", "the time limit of %lld ms ran out while %s", (long long)call->timeout_ms, what);
  }
  if (status != DBSQL_OK) call_annotate(call, error);
  return status;
}

int64_t call_remaining_ms(const struct call *call) {
  if (call->deadline_ns == INT64_MAX) return INT32_MAX;
  int64_t left = call->deadline_ns - clock_now_ns();
  if (left <= 0) return 0;
  left = (left + ns_per_ms - 1) / ns_per_ms;
  return left < INT32_MAX ? left : INT32_MAX;
}

int call_cancel_fd(const struct call *call) {
  return call->cancel ? call->cancel->read_fd : -1;
}

dbsql_status call_sleep(const struct call *call, int64_t ms, const char *what, dbsql_error **error) {
  int64_t end_ns = clock_now_ns() + ms * ns_per_ms;
  if (end_ns > call->deadline_ns) end_ns = call->deadline_ns;
  for (;;) {
    dbsql_status status = call_check(call, what, error);
    if (status != DBSQL_OK) return status;
    int64_t left_ns = end_ns - clock_now_ns();
    if (left_ns <= 0) return DBSQL_OK;
    if (clock_is_test()) {
      clock_test_advance(left_ns);
      continue;
    }
    int64_t left_ms = (left_ns + ns_per_ms - 1) / ns_per_ms;
    struct pollfd fd = {.fd = call_cancel_fd(call), .events = POLLIN, .revents = 0};
    poll(&fd, fd.fd >= 0 ? 1 : 0, (int)(left_ms < 60000 ? left_ms : 60000));
  }
}

int64_t call_elapsed_ms(const struct call *call) {
  return (clock_now_ns() - call->started_ns) / ns_per_ms;
}

void call_annotate(const struct call *call, dbsql_error **error) {
  if (!error || !*error || (*error)->is_static) return;
  (*error)->elapsed_ms = call_elapsed_ms(call);
  if (call->correlation_id) error_set_correlation_id(error, call->correlation_id);
}
