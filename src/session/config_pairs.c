/* The grammars of `key=value;` pairs: as in odbc.ini, with values in braces, and JDBC's URL (auth.md 4.2, 4.3). */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "session/config_internal.h"

static struct slice trim(struct slice text) {
  while (text.size > 0 && text_is_space((char)text.data[0])) text = slice_of(text.data + 1, text.size - 1);
  while (text.size > 0 && text_is_space((char)text.data[text.size - 1])) text.size--;
  return text;
}

static size_t find_byte(struct slice text, size_t from, uint8_t byte) {
  while (from < text.size && text.data[from] != byte) from++;
  return from;
}

/* A value in braces that begins at `*at`, with `}}` for a brace; `*at` is moved behind it. */
static dbsql_status braced(const struct settings *settings, struct slice text, size_t *at, struct buf *value, dbsql_error **error) {
  size_t open = *at, i = open + 1;
  for (; i < text.size; i++) {
    if (text.data[i] == '}') {
      if (i + 1 == text.size || text.data[i + 1] != '}') break;
      i++;
    }
    buf_append_byte(value, text.data[i]);
  }
  if (buf_failed(value)) return error_no_memory(error);
  if (i >= text.size) return settings_error(settings, "HY024", open + 1, error, "a '{' without its '}'");
  size_t end = find_byte(text, i + 1, ';');
  if (trim(slice_of(text.data + i + 1, end - i - 1)).size > 0) {
    return settings_error(settings, "HY024", i + 2, error, "after the '}' of a value only ';' may follow ('}}' stands for a brace)");
  }
  *at = end;
  return DBSQL_OK;
}

dbsql_status config_parse_pairs(struct settings *settings, struct slice text, dbsql_error **error) {
  struct buf buffer = BUF_SECRET;
  dbsql_status status = DBSQL_OK;
  for (size_t at = 0; at < text.size && status == DBSQL_OK; at++) {
    size_t end = find_byte(text, at, ';');
    struct slice whole = trim(slice_of(text.data + at, end - at));
    if (whole.size == 0) {
      at = end;
      continue;
    }
    size_t position = (size_t)(whole.data - text.data) + 1;
    size_t equals = find_byte(text, at, '=');
    if (equals >= end) {
      status = settings_error(settings, "HY024", position, error, "a part without '=' (a value with ';' in it needs braces)");
      break;
    }
    struct slice key = trim(slice_of(text.data + at, equals - at));
    if (key.size == 0) {
      status = settings_error(settings, "HY024", position, error, "a value without a name");
      break;
    }
    struct slice value = trim(slice_of(text.data + equals + 1, end - equals - 1));
    at = end;
    buf_reset(&buffer);
    if (value.size > 0 && value.data[0] == '{') {
      at = (size_t)(value.data - text.data);
      status = braced(settings, text, &at, &buffer, error);
      value = buf_slice(&buffer);
    }
    if (status == DBSQL_OK) status = settings_put(settings, key, value, position, error);
  }
  buf_free_secret(&buffer);
  return status;
}

dbsql_status config_parse_jdbc(struct settings *settings, struct slice text, size_t offset, dbsql_error **error) {
  size_t end = find_byte(text, offset, ';');
  struct slice head = slice_of(text.data + offset, end - offset);
  size_t slash = find_byte(head, 0, '/');
  struct slice schema = slash < head.size ? slice_of(head.data + slash + 1, head.size - slash - 1) : slice_of(NULL, 0);
  struct slice host, port;
  const char *problem = config_split_authority(slice_of(head.data, slash), &host, &port);
  if (!problem && memchr(schema.data ? (const void *)schema.data : "", '/', schema.size)) {
    problem = "is followed by more than a schema (the path belongs into httpPath)";
  }
  if (problem) return settings_error(settings, "HY024", offset + 1, error, "the host %s", problem);
  dbsql_status status = settings_put(settings, slice_text("host"), host, offset + 1, error);
  if (status == DBSQL_OK) status = settings_put(settings, slice_text("port"), port, offset + 1, error);
  if (status == DBSQL_OK) status = settings_put(settings, slice_text("schema"), schema, offset + slash + 2, error);
  /* Values as they are: no braces, no decoding. Unlike there, what follows a second '=' is not lost. */
  while (status == DBSQL_OK && end < text.size) {
    size_t start = end + 1;
    end = find_byte(text, start, ';');
    size_t equals = find_byte(text, start, '=');
    if (trim(slice_of(text.data + start, end - start)).size == 0) continue;
    if (equals >= end) return settings_error(settings, "HY024", start + 1, error, "a part without '='");
    struct slice key = trim(slice_of(text.data + start, equals - start));
    if (key.size == 0) return settings_error(settings, "HY024", start + 1, error, "a value without a name");
    status = settings_put(settings, key, slice_of(text.data + equals + 1, end - equals - 1), start + 1, error);
  }
  return status;
}
