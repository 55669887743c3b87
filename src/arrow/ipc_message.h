/* Encapsulated messages: the framing of an IPC stream (results.md 3.1), and what is read out of each kind. Private to the IPC files. */
#ifndef DBSQL_ARROW_IPC_MESSAGE_H
#define DBSQL_ARROW_IPC_MESSAGE_H

#include "arrow/flatbuf.h"
#include "arrow/ipc_types.h"
#include "base/chunk.h"

enum { IPC_VERSION_V4 = 3, IPC_VERSION_V5 = 4 };
enum { IPC_HEADER_SCHEMA = 1, IPC_HEADER_DICTIONARY = 2, IPC_HEADER_BATCH = 3 };

struct ipc_message {
  struct flatbuf flatbuf;
  struct flatbuf_table header;
  int version;
  uint8_t type;
  struct slice body;
};

/* Takes the message that begins at bytes[*at] and moves `at` behind it. `*ended` if there is an end mark, or nothing, instead. */
dbsql_status ipc_message_take(struct slice bytes, size_t *at, struct ipc_message *message, bool *ended, dbsql_error **error);
/* The schema of a schema message, of one reference. */
dbsql_status ipc_schema_decode(struct ipc_message *message, struct ipc_schema **schema, dbsql_error **error);
/* The arrays of a record batch message whose body lies in `owner`. At most `limit` bytes are decompressed. */
dbsql_status ipc_batch_decode(const struct ipc_schema *schema, struct chunk *owner, struct ipc_message *message, size_t limit,
                              struct ArrowArray *out, dbsql_error **error);
/* The error that the metadata are not well-formed. */
dbsql_status ipc_metadata_error(const struct flatbuf *flatbuf, const char *what, dbsql_error **error);

#endif
