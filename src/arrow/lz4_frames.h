/*
 * LZ4 frames, one or several after each other (results.md 1.7).
 *
 * The frame is walked here and each block goes through LZ4_decompress_safe() straight into its place in the output: no context
 * that allocates behind the memory hook, no copy through a window, no room of a whole block (4 MiB) for a batch of 300 bytes,
 * and errors that name the frame and the block.
 */
#ifndef DBSQL_ARROW_LZ4_FRAMES_H
#define DBSQL_ARROW_LZ4_FRAMES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/chunk.h"

/* True if the bytes begin with the magic number of an LZ4 frame (or of a skippable one). */
bool lz4_frames_look_like(struct slice bytes);
/* Decodes all frames into a new chunk (one reference, the caller's). `size_hint` is the expected size or 0; more than `limit`
 * bytes is an error. Checksums are verified. A bad header, block, checksum or end is an error that says which frame. */
dbsql_status lz4_frames_decode(struct slice bytes, size_t size_hint, size_t limit, struct chunk **out, dbsql_error **error);
/* The same into a chunk of the caller's, of one reference and size 0, which grows by chunk_grow() where it must; checksums are verified
 * only if asked for (without them it is four times as fast, results.md 8.3). A good capacity for it comes from the second function. */
dbsql_status lz4_frames_decode_into(struct slice bytes, size_t limit, bool verify, struct chunk *chunk, dbsql_error **error);
size_t lz4_frames_capacity(size_t size, size_t size_hint, size_t limit);
/* Decodes exactly one frame, which must give exactly `size` bytes, into `out`. */
dbsql_status lz4_frame_decode_exact(struct slice bytes, uint8_t *out, size_t size, dbsql_error **error);
/* Appends one frame. With `checksums` it looks as the second writer of results.md 1.7 makes it, otherwise as the first. */
dbsql_status lz4_frame_encode(struct slice bytes, bool checksums, struct buf *out, dbsql_error **error);

#endif
