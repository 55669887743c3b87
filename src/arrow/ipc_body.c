#include "arrow/ipc_body.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "arrow/lz4_frames.h"
#include "base/error.h"
#include "base/mem.h"

enum { prefix_size = 8, largest_lz4_expansion = 255 };

/* One zstd frame that gives exactly `size` bytes. */
static dbsql_status decode_zstd(struct slice from, uint8_t *to, size_t size, dbsql_error **error) {
  unsigned long long declared = ZSTD_getFrameContentSize(from.data, from.size);
  size_t frame = ZSTD_findFrameCompressedSize(from.data, from.size);
  if (declared == ZSTD_CONTENTSIZE_ERROR || ZSTD_isError(frame))
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the bytes are no whole zstd frame");
  if (frame != from.size) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "%zu bytes follow the zstd frame", from.size - frame);
  if (declared != ZSTD_CONTENTSIZE_UNKNOWN && declared != size)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the zstd frame holds %llu bytes, not %zu", declared, size);
  size_t decoded = ZSTD_decompress(to, size, from.data, from.size);
  if (ZSTD_isError(decoded)) {
    if (ZSTD_getErrorCode(decoded) == ZSTD_error_memory_allocation) return error_no_memory(error);
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the zstd frame is corrupt (%s)", ZSTD_getErrorName(decoded));
  }
  if (decoded != size) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the zstd frame holds %zu bytes, not %zu", decoded, size);
  return DBSQL_OK;
}

/* The size that stands before a compressed buffer; -1 means that the rest is stored as it is. */
static int64_t load_prefix(const uint8_t *at) {
  uint64_t value = 0;
  for (int i = 0; i < prefix_size; i++) value |= (uint64_t)at[i] << 8 * i;
  return (int64_t)value;
}

static dbsql_status decompress(struct ipc_body *body, struct slice *buffer, void **copy, dbsql_error **error) {
  if (buffer->size < prefix_size) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "%zu bytes are too few to be compressed", buffer->size);
  int64_t size = load_prefix(buffer->data);
  struct slice packed = slice_of(buffer->data + prefix_size, buffer->size - prefix_size);
  if (size == -1) {
    *buffer = packed;
    return DBSQL_OK;
  }
  if (size < 0) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "a decompressed size of %lld bytes is impossible", (long long)size);
  if ((uint64_t)size > body->left || (body->codec == IPC_CODEC_LZ4 && (uint64_t)size / largest_lz4_expansion > packed.size))
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "%lld decompressed bytes are more than the limit, or than %zu bytes can hold",
                     (long long)size, packed.size);
  body->left -= (size_t)size;
  *copy = mem_alloc_aligned((size_t)size);
  if (!*copy) return error_no_memory(error);
  *buffer = slice_of(*copy, (size_t)size);
  return body->codec == IPC_CODEC_LZ4 ? lz4_frame_decode_exact(packed, *copy, (size_t)size, error)
                                      : decode_zstd(packed, *copy, (size_t)size, error);
}

dbsql_status ipc_body_buffer(struct ipc_body *body, struct slice *buffer, size_t alignment, void **copy, dbsql_error **error) {
  if (body->codec != IPC_CODEC_NONE && buffer->size != 0) {
    dbsql_status status = decompress(body, buffer, copy, error);
    if (status != DBSQL_OK) return status;
  }
  if ((uintptr_t)buffer->data % alignment == 0) return DBSQL_OK;
  void *aligned = mem_alloc_aligned(buffer->size);
  if (!aligned) return error_no_memory(error);
  if (buffer->size != 0) memcpy(aligned, buffer->data, buffer->size);
  *buffer = slice_of(aligned, buffer->size);
  *copy = aligned;
  return DBSQL_OK;
}
