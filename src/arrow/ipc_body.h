/* Buffers of a record batch's body: as they lie there, decompressed (results.md 3.6), or copied for alignment. Private. */
#ifndef DBSQL_ARROW_IPC_BODY_H
#define DBSQL_ARROW_IPC_BODY_H

#include "base/buf.h"

enum { IPC_CODEC_NONE = -1, IPC_CODEC_LZ4 = 0, IPC_CODEC_ZSTD = 1 };

struct ipc_body {
  int codec;
  size_t left; /* bytes that the rest of the buffers may decompress to */
};

/* Makes `*buffer`, which lies in the body, ready: aligned to `alignment` and decompressed. Where that needs memory, `*copy` is a block
 * to be freed with mem_free_aligned(), also on failure. */
dbsql_status ipc_body_buffer(struct ipc_body *body, struct slice *buffer, size_t alignment, void **copy, dbsql_error **error);

#endif
