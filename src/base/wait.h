/* Waiting for another thread within a call's limits. */
#ifndef DBSQL_BASE_WAIT_H
#define DBSQL_BASE_WAIT_H

#include <pthread.h>

#include "base/call.h"

/* A condition whose waits nobody who sets the clock makes longer. For pthread_cond_destroy(). */
void wait_init(pthread_cond_t *changed);
/* Gives up the lock until `changed`, of wait_init(), is signalled or `ms` have passed. */
void wait_for_ms(pthread_cond_t *changed, pthread_mutex_t *lock, int64_t ms);
/* Gives up the lock until `changed` is signalled or a little time has passed; then as call_check(). Wakes up often enough to see a
 * cancellation within a tenth of a second: a condition variable cannot wait for the handle's pipe. */
dbsql_status wait_changed(pthread_cond_t *changed, pthread_mutex_t *lock, const struct call *call, const char *what, dbsql_error **error);

#endif
