#include "arrow/ipc_message.h"

#include "base/error.h"

static uint32_t load32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

dbsql_status ipc_metadata_error(const struct flatbuf *flatbuf, const char *what, dbsql_error **error) {
  return error_set(error, DBSQL_ERROR_DRIVER, NULL, "Arrow %s: malformed metadata (%s)", what,
                   flatbuf->problem ? flatbuf->problem : "a part is missing");
}

dbsql_status ipc_message_take(struct slice bytes, size_t *at, struct ipc_message *message, bool *ended, dbsql_error **error) {
  size_t left = bytes.size - *at;
  const uint8_t *start = left != 0 ? bytes.data + *at : NULL;
  *ended = left == 0;
  if (left == 0) return DBSQL_OK;
  if (left < 4) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the Arrow stream is truncated: %zu bytes after the last message", left);
  if (load32(start) != 0xFFFFFFFFu) {
    if (left >= 6 && memcmp(start, "ARROW1", 6) == 0)
      return error_set(error, DBSQL_ERROR_DRIVER, NULL, "these are the bytes of an Arrow file, not of an Arrow stream");
    return error_set(error, DBSQL_ERROR_DRIVER, NULL,
                     "no Arrow message begins at byte %zu (0x%08X instead of 0xFFFFFFFF; framing older than Arrow 0.15 is not supported)",
                     *at, load32(start));
  }
  if (left < 8) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the Arrow stream is truncated in the head of a message");
  uint32_t size = load32(start + 4);
  *at += 8;
  left -= 8;
  if (size == 0) {
    *ended = true;
    return DBSQL_OK;
  }
  if (size > IPC_MAX_METADATA)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "Arrow message: metadata of %u bytes are more than the limit of %zu", size,
                     IPC_MAX_METADATA);
  if (size > left)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the Arrow stream is truncated: metadata of %u bytes, %zu bytes left", size, left);
  *at += size;
  left -= size;

  struct flatbuf_table root;
  int64_t version, body;
  struct flatbuf *flatbuf = &message->flatbuf;
  *flatbuf = (struct flatbuf){slice_of(start + 8, size), IPC_MAX_TABLES, NULL};
  if (!flatbuf_root(flatbuf, &root) || !flatbuf_number(flatbuf, &root, 0, 2, 0, &version) ||
      !flatbuf_union(flatbuf, &root, 1, &message->type, &message->header) || !flatbuf_number(flatbuf, &root, 3, 8, 0, &body))
    return ipc_metadata_error(flatbuf, "message", error);
  if (version != IPC_VERSION_V4 && version != IPC_VERSION_V5)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "Arrow message: metadata version V%lld is not supported", (long long)version + 1);
  if (message->type == IPC_HEADER_DICTIONARY)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "Arrow message: dictionary batches are not supported");
  if (message->type != IPC_HEADER_SCHEMA && message->type != IPC_HEADER_BATCH)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "Arrow message: kind %d is neither a schema nor a record batch", message->type);
  if (body < 0 || (uint64_t)body > left)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the Arrow stream is truncated: a body of %lld bytes, %zu bytes left",
                     (long long)body, left);
  message->version = (int)version;
  message->body = slice_of(bytes.data + *at, (size_t)body);
  *at += (size_t)body;
  return DBSQL_OK;
}
