/*
 * The Go driver's DSN, also as a databricks:// URL (auth.md 4.1):
 *
 *    [ "https://" | "http://" ] [ userinfo "@" ] host [ ":" port ] [ path ] [ "?" query ] [ "#" ignored ]
 */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "session/config_internal.h"

struct dsn {
  struct settings *settings;
  const uint8_t *start; /* of the whole string, for positions */
};

static size_t position_of(const struct dsn *dsn, const uint8_t *at) {
  return (size_t)(at - dsn->start) + 1;
}

/* Everything up to the first of `stops`; `text` is moved to it. */
static struct slice take_until(struct slice *text, const char *stops) {
  size_t length = 0;
  while (length < text->size && !strchr(stops, text->data[length])) length++;
  struct slice taken = slice_of(text->data, length);
  *text = slice_of(text->data + length, text->size - length);
  return taken;
}

static dbsql_status decode(const struct dsn *dsn, struct slice text, bool form, const char *what, struct buf *out, dbsql_error **error) {
  size_t bad_at = 0;
  if (!config_percent_decode(text, form, out, &bad_at)) {
    return settings_error(dsn->settings, "HY024", position_of(dsn, text.data + bad_at), error,
                          "invalid format: malformed '%%' escape in the %s", what);
  }
  return buf_failed(out) ? error_no_memory(error) : DBSQL_OK;
}

static dbsql_status parse_userinfo(struct dsn *dsn, struct slice info, bool *has_token, dbsql_error **error) {
  struct buf user = BUF_SECRET, token = BUF_SECRET;
  struct settings *settings = dsn->settings;
  struct slice rest = info;
  struct slice user_part = take_until(&rest, ":");
  struct slice token_part = rest.size ? slice_of(rest.data + 1, rest.size - 1) : rest;
  dbsql_status status = DBSQL_OK;
  /* What Go allows there. */
  for (size_t i = 0; i < info.size; i++) {
    uint8_t byte = info.data[i];
    if (!text_is_alpha((char)byte) && !text_is_digit((char)byte) && (byte == 0 || !strchr("-._:~!$&'()*+,;=%@", byte))) {
      return settings_error(settings, "HY024", position_of(dsn, info.data + i), error,
                            "invalid format: a character before the '@' must be percent-encoded");
    }
  }
  status = decode(dsn, user_part, false, "user", &user, error);
  if (status == DBSQL_OK) status = decode(dsn, token_part, false, "token", &token, error);
  if (status != DBSQL_OK) goto cleanup;
  size_t position = position_of(dsn, token_part.data ? token_part.data : info.data);
  if (slice_equal(buf_slice(&user), slice_text("token"))) {
    if (token.size == 0) {
      status = settings_error(settings, "28000", position, error, "empty token");
    } else {
      status = settings_put(settings, slice_text("token"), buf_slice(&token), position, error);
      *has_token = true;
    }
  } else if (user.size > 0) {
    status = settings_error(settings, "28000", position_of(dsn, info.data), error, "basic auth not enabled: the user must be 'token'");
  } else if (token.size > 0) {
    status =
        settings_error(settings, "28000", position_of(dsn, info.data), error, "there is a password without a user: write token:TOKEN@");
  }

cleanup:
  buf_free_secret(&user);
  buf_free_secret(&token);
  return status;
}

static dbsql_status parse_authority(struct dsn *dsn, struct slice authority, bool *has_token, dbsql_error **error) {
  struct settings *settings = dsn->settings;
  size_t at = authority.size;
  while (at > 0 && authority.data[at - 1] != '@') at--;
  if (at > 0) {
    dbsql_status status = parse_userinfo(dsn, slice_of(authority.data, at - 1), has_token, error);
    if (status != DBSQL_OK) return status;
  }
  struct slice rest = slice_of(authority.data + at, authority.size - at), host, port;
  size_t position = position_of(dsn, rest.data);
  const char *problem = config_split_authority(rest, &host, &port);
  if (problem) return settings_error(settings, "HY024", position, error, "the host %s", problem);
  dbsql_status status = settings_put(settings, slice_text("host"), host, position, error);
  if (status == DBSQL_OK && port.size > 0) status = settings_put(settings, slice_text("port"), port, position, error);
  return status;
}

/* One pair of the query. `o` belongs to the path (thrift.md 1.3): its value is put into `org`. */
static dbsql_status parse_pair(struct dsn *dsn, struct slice pair, bool has_token, struct buf *org, dbsql_error **error) {
  struct settings *settings = dsn->settings;
  struct buf key = BUF_INIT, value = BUF_SECRET;
  size_t position = position_of(dsn, pair.data);
  struct slice rest = pair;
  struct slice key_part = take_until(&rest, "=");
  struct slice value_part = rest.size ? slice_of(rest.data + 1, rest.size - 1) : rest;
  dbsql_status status;
  if (memchr(pair.data, ';', pair.size)) {
    return settings_error(settings, "HY024", position, error, "invalid format: a ';' in a parameter must be written %%3B");
  }
  status = decode(dsn, key_part, true, "name of a parameter", &key, error);
  if (status == DBSQL_OK) status = decode(dsn, value_part, true, "value of a parameter", &value, error);
  if (status != DBSQL_OK) goto cleanup;
  if (key.size == 0) {
    status = settings_error(settings, "HY024", position, error, "invalid format: a parameter has no name");
  } else if (slice_equal(buf_slice(&key), slice_text("o"))) {
    const char *problem = value.size ? config_check_text(OPTION_org_id, buf_slice(&value)) : NULL;
    if (problem) {
      status = settings_error(settings, "HY024", position, error, "o %s", problem);
    } else if (org->size > 0 && value.size > 0 && !slice_equal(buf_slice(org), buf_slice(&value))) {
      status = settings_error(settings, "HY024", position, error, "o is given twice with different values");
    } else if (org->size == 0) {
      buf_append_slice(org, buf_slice(&value));
      if (buf_failed(org)) status = error_no_memory(error);
    }
  } else {
    struct name_match match = config_find_name(buf_slice(&key));
    if (has_token && value.size > 0 && match.kind == NAME_OPTION && match.option == OPTION_access_token) {
      status = settings_error(settings, "HY024", position, error, "the token is given twice, before the '@' and as a parameter");
    } else {
      status = settings_put(settings, buf_slice(&key), buf_slice(&value), position, error);
    }
  }

cleanup:
  buf_free_secret(&key);
  buf_free_secret(&value);
  return status;
}

static dbsql_status put_path(struct dsn *dsn, struct slice path, const struct buf *org, dbsql_error **error) {
  struct buf decoded = BUF_SECRET;
  dbsql_status status = decode(dsn, path, false, "path", &decoded, error);
  size_t position = path.size ? position_of(dsn, path.data) : 0;
  if (status == DBSQL_OK && memchr(decoded.data ? (const void *)decoded.data : "", '?', decoded.size)) {
    status = settings_error(dsn->settings, "HY024", position, error, "the path has a character that is not allowed in a path");
  }
  /* "https://host/" names no path; http_path may still come as a parameter. */
  if (slice_equal(buf_slice(&decoded), slice_text("/"))) buf_reset(&decoded);
  if (status == DBSQL_OK && org->size > 0) {
    if (decoded.size == 0) {
      status = settings_error(dsn->settings, "HY024", position, error, "o belongs to a path, and there is none");
    } else {
      buf_append_text(&decoded, "?o=");
      buf_append_slice(&decoded, buf_slice(org));
      if (buf_failed(&decoded)) status = error_no_memory(error);
    }
  }
  if (status == DBSQL_OK) status = settings_put(dsn->settings, slice_text("http_path"), buf_slice(&decoded), position, error);
  buf_free(&decoded);
  return status;
}

dbsql_status config_parse_dsn(struct settings *settings, struct slice text, size_t offset, dbsql_error **error) {
  static const char *const schemes[] = {"https://", "http://"};
  struct dsn dsn = {settings, text.data};
  struct slice rest = slice_of(text.data + offset, text.size - offset);
  struct buf org = BUF_INIT;
  bool has_token = false;
  dbsql_status status = DBSQL_OK;
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
    size_t length = strlen(schemes[i]);
    if (rest.size < length || !text_equal_nocase_n((const char *)rest.data, length, schemes[i], length)) continue;
    rest = slice_of(rest.data + length, rest.size - length);
    status = settings_put(settings, slice_text("scheme"), slice_of(schemes[i], length - 3), offset + 1, error);
    break;
  }
  struct slice authority = take_until(&rest, "/?#");
  struct slice path = take_until(&rest, "?#");
  struct slice query = take_until(&rest, "#");
  if (status == DBSQL_OK) status = parse_authority(&dsn, authority, &has_token, error);
  while (status == DBSQL_OK && query.size > 0) {
    query = slice_of(query.data + 1, query.size - 1); /* '?' or '&' */
    struct slice pair = take_until(&query, "&");
    if (pair.size > 0) status = parse_pair(&dsn, pair, has_token, &org, error);
  }
  if (status == DBSQL_OK) status = put_path(&dsn, path, &org, error);
  buf_free(&org);
  return status;
}
