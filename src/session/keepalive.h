/* Keeping idle sessions alive: one thread for all connections of the process, there only while one of them wants it. */
#ifndef DBSQL_SESSION_KEEPALIVE_H
#define DBSQL_SESSION_KEEPALIVE_H

#include "session/connection.h"

struct keepalive_entry;

/* From now on the server hears of the session (GetInfo) or of its open operation (GetOperationStatus) whenever `interval_ms` have
 * passed without a call. Starts the thread if it does not run. */
dbsql_status keepalive_add(dbsql_connection *connection, int64_t interval_ms, struct keepalive_entry **entry, dbsql_error **error);
/* Names the operation whose result is being read, instead of the one before. `entry` may be NULL. */
void keepalive_set_operation(struct keepalive_entry *entry, const struct operation_key *key);
/* It need not be kept alive any more. `entry` may be NULL. */
void keepalive_forget_operation(struct keepalive_entry *entry, const struct operation_key *key);
/* Returns when the thread no longer looks at the connection, and does not wait for the network for that; the last one ends the thread.
 * NULL is allowed. A forked child has no such thread: there it only frees. */
void keepalive_remove(struct keepalive_entry *entry);

#endif
