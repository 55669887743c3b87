/*
 * Keeping SIGPIPE from the host. TLS libraries write with write(), so a connection that the peer closed raises it, and
 * libcurl with CURLOPT_NOSIGNAL leaves that to us. The signal goes to the writing thread: it is blocked there around libcurl's
 * work, and one that has come is eaten before the mask is put back. Other threads and the handler of the process stay as they are.
 */
#ifndef DBSQL_HTTP_SIGPIPE_H
#define DBSQL_HTTP_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

struct sigpipe_guard {
  sigset_t old_mask;
  bool was_pending;
  bool blocked;
};

void sigpipe_block(struct sigpipe_guard *guard);
void sigpipe_restore(struct sigpipe_guard *guard);

#endif
