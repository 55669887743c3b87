/* The frame around a message's metadata. Private to the IPC writer. */
#ifndef DBSQL_ARROW_IPC_WRITE_MESSAGE_H
#define DBSQL_ARROW_IPC_WRITE_MESSAGE_H

#include "arrow/flatbuf.h"

struct ipc_write_message {
  struct flatbuf_writer flatbuf;
  size_t start;       /* of the message in the buffer */
  size_t header_slot; /* to be pointed to the header table */
  size_t body_length; /* the slot, to be patched */
};

/* Appends the head, the root offset and the Message table. */
void ipc_write_message_begin(struct ipc_write_message *message, struct buf *out, int header_type);
/* Pads the metadata to 8 bytes and sets their size. The body follows. */
void ipc_write_message_end(struct ipc_write_message *message);

#endif
