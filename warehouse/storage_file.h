/* Files of a result, as storage has them: whole Arrow IPC streams, LZ4 or plain (results.md 1.7 and 2.3). */
#ifndef DBSQL_WAREHOUSE_STORAGE_FILE_H
#define DBSQL_WAREHOUSE_STORAGE_FILE_H

#include "faults.h"
#include "result.h"

/* The forms of LZ4 that real files have. */
enum lz4_writer {
  LZ4_WRITER_FRAME,    /* one frame around the file, no checksums */
  LZ4_WRITER_FRAMES,   /* one for each message */
  LZ4_WRITER_CHECKSUMS /* the same, with checksums of blocks and contents */
};

/* How many rows from `first` on make a file of at most `target` bytes, but always one, and how large it is when it is decompressed. */
bool storage_file_measure(const struct result *result, int64_t first, int64_t target, int64_t *count, int64_t *bytes,
                          struct failure *failure);
/* Appends the file of those rows. A fault of its content spoils it; other kinds, and NULL, do not. */
bool storage_file_write(const struct result *result, enum lz4_writer writer, int64_t first, int64_t count, const struct fault *fault,
                        struct buf *out, struct failure *failure);

#endif
