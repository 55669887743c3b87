/* Arrow IPC: from arrays to bytes (results.md 3.11). Arrays may have offsets; they are re-based. */
#ifndef DBSQL_ARROW_IPC_WRITER_H
#define DBSQL_ARROW_IPC_WRITER_H

#include "base/buf.h"

struct ipc_schema;

/* All three leave `out` as it was when they fail. */
/* Appends one encapsulated schema message. */
dbsql_status ipc_write_schema(const struct ArrowSchema *schema, struct buf *out, dbsql_error **error);
/* Appends one encapsulated record batch message. `batch` is a struct array of that schema without nulls at the top. */
dbsql_status ipc_write_batch(const struct ArrowSchema *schema, const struct ArrowArray *batch, struct buf *out, dbsql_error **error);
/* The same for a schema that has been checked already (ipc_reader.h): for many batches of one schema. */
dbsql_status ipc_write_batch_of(const struct ipc_schema *schema, const struct ArrowArray *batch, struct buf *out, dbsql_error **error);
/* Appends the end mark. */
void ipc_write_end(struct buf *out);

#endif
