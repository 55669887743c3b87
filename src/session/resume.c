/* Tokens with which a result is gone on with elsewhere: what names the operation on the server, and the next row. */
#include <stdio.h>

#include "arrow/xxh32.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/result.h"

/* "dbsql1-" and, in hexadecimal digits, guid, secret, type (4), next row (8) and a checksum (4) against typing errors. */
static const char prefix[] = "dbsql1-";
enum { guid_size = 16, secret_size = 16, body_size = guid_size + secret_size + 4 + 8, token_size = body_size + 4 };

static void store(uint8_t *out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t load(const uint8_t *from, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint64_t)from[i] << (8 * i);
  return value;
}

dbsql_status result_resume_token(dbsql_result *result, char **token, dbsql_error **error) {
  *token = NULL;
  const struct backend_ops *ops = result->connection->backend->ops;
  if (!result->operation || !ops->is_resumable(result->operation)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY010", "the result is not open on the server any more: nobody can go on with it");
  }
  const struct operation_key *key = &result->operation->key;
  uint8_t bytes[token_size];
  memcpy(bytes, key->guid, guid_size);
  memcpy(bytes + guid_size, key->secret, secret_size);
  store(bytes + guid_size + secret_size, (uint32_t)key->type, 4);
  store(bytes + guid_size + secret_size + 4, (uint64_t)(result->first_row + result_rows_read(result)), 8);
  store(bytes + body_size, xxh32(bytes, body_size), 4);
  size_t size = sizeof prefix + 2 * (size_t)token_size;
  char *text = mem_alloc(size);
  if (text) {
    memcpy(text, prefix, sizeof prefix);
    for (int i = 0; i < token_size; i++) snprintf(text + sizeof prefix - 1 + 2 * i, 3, "%02x", bytes[i]);
    *token = text;
    result->is_detached = true;
  }
  mem_wipe(bytes, sizeof bytes);
  return text ? DBSQL_OK : error_no_memory(error);
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False if the text is no token, or was changed. */
static bool read_token(const char *text, struct operation_key *key, int64_t *row) {
  uint8_t bytes[token_size];
  if (strncmp(text, prefix, sizeof prefix - 1) != 0) return false;
  text += sizeof prefix - 1;
  if (strlen(text) != 2 * (size_t)token_size) return false;
  for (int i = 0; i < token_size; i++) {
    int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = (uint8_t)(high << 4 | low);
  }
  *key = (struct operation_key){.type = (int32_t)load(bytes + guid_size + secret_size, 4), .has_result_set = true};
  memcpy(key->guid, bytes, guid_size);
  memcpy(key->secret, bytes + guid_size, secret_size);
  guid_format(key->guid, guid_size, key->id);
  *row = (int64_t)load(bytes + guid_size + secret_size + 4, 8);
  bool good = load(bytes + body_size, 4) == xxh32(bytes, body_size) && *row >= 0;
  mem_wipe(bytes, sizeof bytes);
  return good;
}

dbsql_status connection_resume(dbsql_connection *connection, const char *token, const dbsql_call *user_call, dbsql_result **out,
                               dbsql_error **error) {
  const struct backend_ops *ops = connection->backend->ops;
  struct backend_operation *operation = NULL;
  struct operation_key key;
  int64_t row;
  struct call call;
  dbsql_status status = connection_begin(connection, user_call, &call, error);
  if (status != DBSQL_OK) return status;
  if (!read_token(token, &key, &row)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "the token is none of dbsql_result_resume_token(), or was changed");
  }
  status = ops->adopt(connection->backend, &key, &operation, error);
  if (status == DBSQL_OK) status = result_open(connection, operation, row, &call, out, error);
  if (status != DBSQL_OK) error_prefix(error, "cannot go on with the result from row %lld on", (long long)row);
  status = connection_end(connection, &call, key.id, status, error);
  /* Not ours to close: another try may do better. */
  if (status != DBSQL_OK && operation) ops->close_operation(operation, NULL);
  mem_wipe(&key, sizeof key);
  return status;
}
