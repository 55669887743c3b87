/* HTTP answers that go wrong on purpose (faults.h). */
#ifndef DBSQL_WAREHOUSE_FAULTY_H
#define DBSQL_WAREHOUSE_FAULTY_H

#include <stdatomic.h>
#include <stdbool.h>

#include <microhttpd.h>

#include "base/buf.h"
#include "faults.h"

/* Sleeps, but not on when `*stopping` becomes true. */
void faulty_sleep(const atomic_bool *stopping, int64_t ms);
/* Ends the connection with a reset. What the handler then returns does not matter. */
void faulty_reset(struct MHD_Connection *connection);
/* True of the kinds that need faulty_response(). */
bool faulty_is_body(enum fault_kind kind);
/* A body that comes slowly, breaks off or has no end. Takes over the bytes, also on failure (NULL). */
struct MHD_Response *faulty_response(const atomic_bool *stopping, struct MHD_Connection *connection, const struct fault *fault,
                                     struct buf *bytes);

#endif
