#include "base/wait.h"

#include <time.h>

enum { slice_ms = 50, long_slice_ms = 1000 };

void wait_init(pthread_cond_t *changed) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
#if !defined(__APPLE__)
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
  pthread_cond_init(changed, &attributes);
  pthread_condattr_destroy(&attributes);
}

/* macOS has no condition that keeps to another clock, but waits that are relative. */
void wait_for_ms(pthread_cond_t *changed, pthread_mutex_t *lock, int64_t ms) {
  if (ms < 0) ms = 0;
#if defined(__APPLE__)
  struct timespec wait = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
  pthread_cond_timedwait_relative_np(changed, lock, &wait);
#else
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
  until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
  until.tv_nsec = (long)(ns % 1000000000);
  pthread_cond_timedwait(changed, lock, &until);
#endif
}

dbsql_status wait_changed(pthread_cond_t *changed, pthread_mutex_t *lock, const struct call *call, const char *what, dbsql_error **error) {
  dbsql_status status = call_check(call, what, error);
  if (status != DBSQL_OK) return status;
  int64_t wait_ms = call->cancel ? slice_ms : long_slice_ms, left_ms = call_remaining_ms(call);
  wait_for_ms(changed, lock, left_ms < wait_ms ? left_ms : wait_ms);
  return call_check(call, what, error);
}
