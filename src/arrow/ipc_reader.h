/*
 * Arrow IPC: from bytes that a stranger sent to arrays that can be trusted (results.md 3 and 4).
 *
 * Everything is checked before it is used. Arrays point into the chunk that the bytes lie in and keep it alive; a buffer is copied
 * only if its address is not aligned for its type.
 */
#ifndef DBSQL_ARROW_IPC_READER_H
#define DBSQL_ARROW_IPC_READER_H

#include "base/buf.h"
#include "base/chunk.h"

/* A schema that has been checked. Counted; immutable. */
struct ipc_schema;

/* From the bytes of one encapsulated schema message, as `arrowSchema` of the metadata is. */
dbsql_status ipc_schema_read(struct slice message, struct ipc_schema **schema, dbsql_error **error);
/* From a schema that the library built itself (columnar results). `arrow` is copied. */
dbsql_status ipc_schema_from_arrow(const struct ArrowSchema *arrow, struct ipc_schema **schema, dbsql_error **error);
struct ipc_schema *ipc_schema_ref(struct ipc_schema *schema);
void ipc_schema_unref(struct ipc_schema *schema);
/* The schema as a struct of the Arrow C data interface, owned by the schema. */
const struct ArrowSchema *ipc_schema_arrow(const struct ipc_schema *schema);

/* Bytes that the buffers of one batch may decompress to, where the batch itself is compressed (results.md 3.6). */
#define IPC_READER_DECODED_LIMIT ((size_t)1 << 30)

/* Reads the messages of a stream, or bare record batches. Holds a reference to the chunk and to the schema. */
struct ipc_reader {
  struct chunk *owner;
  struct slice bytes;
  size_t at;
  struct ipc_schema *schema; /* NULL until the stream's own has been read */
  bool ended;
  bool seen_schema;
  bool seen_batch;
  size_t decoded_limit; /* IPC_READER_DECODED_LIMIT unless it is changed after the init */
};

/* `bytes` lie in `owner`. With `schema` the bytes may begin with record batches, and a schema message among them must have the
 * same structure; the names and metadata of `schema` win. With NULL they must begin with a schema message. */
void ipc_reader_init(struct ipc_reader *reader, struct chunk *owner, struct slice bytes, struct ipc_schema *schema);
/* Reads the schema message if the schema is not known yet. */
dbsql_status ipc_reader_schema(struct ipc_reader *reader, dbsql_error **error);
/* The next batch; at the end (an end mark, or the clean end of the bytes) success with out->release == NULL. After a failure only
 * ipc_reader_close() makes sense. */
dbsql_status ipc_reader_next(struct ipc_reader *reader, struct ArrowArray *out, dbsql_error **error);
void ipc_reader_close(struct ipc_reader *reader);

/* Copies a schema of the C data interface. */
dbsql_status arrow_schema_copy(const struct ArrowSchema *from, struct ArrowSchema *to, dbsql_error **error);
/* Leaves rows [first, first + count) of a record batch that this library made: adjusts the root and its direct children, exact null
 * counts included. */
void arrow_batch_slice(struct ArrowArray *batch, int64_t first, int64_t count);

#endif
