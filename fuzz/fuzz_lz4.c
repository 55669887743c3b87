/* LZ4 frames: what we decode, liblz4 decodes to the same bytes; and what we encode of it comes back. */
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/lz4_frames.h"
#include "base/error.h"

enum { limit = 16 << 20 };

static void check(bool condition) {
  if (!condition) abort();
}

static void check_against_liblz4(struct slice bytes, struct slice expected) {
  LZ4F_dctx *context;
  uint8_t *out = malloc(expected.size + 1);
  size_t at = 0, done = 0, hint = 0;
  check(out && !LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
  while (at < bytes.size) {
    size_t room = expected.size + 1 - done, left = bytes.size - at;
    hint = LZ4F_decompress(context, out + done, &room, bytes.data + at, &left, NULL);
    check(!LZ4F_isError(hint) && (room != 0 || left != 0));
    done += room;
    at += left;
  }
  check(hint == 0 && done == expected.size && (done == 0 || memcmp(out, expected.data, done) == 0));
  LZ4F_freeDecompressionContext(context);
  free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct chunk *chunk, *again;
  struct slice bytes = slice_of(data, size);
  size_t hint = size ? data[size - 1] * (size_t)97 : 0;
  dbsql_error *error = NULL;
  if (lz4_frames_decode(bytes, hint, limit, &chunk, &error) != DBSQL_OK) {
    check(error && *dbsql_error_message(error) && !chunk);
    dbsql_error_free(error);
    return 0;
  }
  check(!error && chunk->size <= limit);
  struct slice decoded = slice_of(chunk->data, chunk->size);
  check_against_liblz4(bytes, decoded);
  for (int checksums = 0; checksums < 2; checksums++) {
    struct buf out = BUF_INIT;
    check(lz4_frame_encode(decoded, checksums != 0, &out, NULL) == DBSQL_OK);
    check(lz4_frames_decode(buf_slice(&out), 0, limit, &again, NULL) == DBSQL_OK);
    check(slice_equal(slice_of(again->data, again->size), decoded));
    chunk_unref(again);
    buf_free(&out);
  }
  chunk_unref(chunk);
  return 0;
}
