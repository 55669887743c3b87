#include "http/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* Copies a part in lower case; false if there is none or it is too long. */
static bool take_part(CURLU *url, CURLUPart part, unsigned flags, char *out, size_t size) {
  char *text = NULL;
  bool taken = false;
  if (curl_url_get(url, part, &text, flags) == CURLUE_OK && text && strlen(text) < size) {
    size_t i = 0;
    for (; text[i]; i++) out[i] = text_lower(text[i]);
    out[i] = 0;
    taken = true;
  }
  curl_free(text);
  return taken;
}

static void strip_host(char *host) {
  size_t length = strlen(host);
  if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
    memmove(host, host + 1, length - 2);
    host[length - 2] = 0;
    return;
  }
  if (length > 1 && host[length - 1] == '.') host[length - 1] = 0;
}

static void show_host(char *out, size_t size, const char *host, int port, bool with_port) {
  bool v6 = strchr(host, ':') != NULL;
  if (with_port) {
    snprintf(out, size, v6 ? "[%s]:%d" : "%s:%d", host, port);
  } else {
    snprintf(out, size, v6 ? "[%s]" : "%s", host);
  }
}

static dbsql_status parse(CURLU *parts, const char *url, struct http_target *target, dbsql_error **error) {
  if (!url || !*url) return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the URL of a request is empty");
  for (const char *c = url; *c; c++) {
    if ((unsigned char)*c <= 0x20 || *c == 0x7F) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the URL of a request has a space or control character at position %d",
                       (int)(c - url) + 1);
    }
  }
  char scheme[16], port[8];
  char *userinfo = NULL;
  if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK || !take_part(parts, CURLUPART_SCHEME, 0, scheme, sizeof scheme)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the URL of a request is malformed, or not of the schemes https and http");
  }
  target->tls = strcmp(scheme, "https") == 0;
  if (!target->tls && strcmp(scheme, "http") != 0) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the scheme %s of a request is neither https nor http", scheme);
  }
  CURLUcode user = curl_url_get(parts, CURLUPART_USER, &userinfo, 0);
  curl_free(userinfo);
  userinfo = NULL;
  CURLUcode password = curl_url_get(parts, CURLUPART_PASSWORD, &userinfo, 0);
  curl_free(userinfo);
  if (user == CURLUE_OK || password == CURLUE_OK) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the URL of a request carries a user or password, which is not allowed");
  }
  if (!take_part(parts, CURLUPART_HOST, 0, target->host, sizeof target->host) || !target->host[0]) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the URL of a request has no host, or one that is too long");
  }
  strip_host(target->host);
  int64_t number = 0;
  if (!take_part(parts, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port) || !text_parse_int64(port, strlen(port), &number) ||
      number < 1 || number > 65535) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the URL of a request to %s has a bad port", target->host);
  }
  target->port = (int)number;
  show_host(target->shown, sizeof target->shown, target->host, target->port, target->port != (target->tls ? 443 : 80));
  char *path = NULL;
  if (curl_url_get(parts, CURLUPART_PATH, &path, 0) != CURLUE_OK) path = NULL;
  int written = snprintf(target->logged, sizeof target->logged, "%s://%s%s", scheme, target->shown, path ? path : "/");
  curl_free(path);
  if (written >= (int)sizeof target->logged) memcpy(target->logged + sizeof target->logged - 4, "...", 4);
  return DBSQL_OK;
}

dbsql_status http_target_parse(const char *url, struct http_target *target, dbsql_error **error) {
  memset(target, 0, sizeof *target);
  CURLU *parts = curl_url();
  if (!parts) return error_no_memory(error);
  dbsql_status status = parse(parts, url, target, error);
  curl_url_cleanup(parts);
  return status;
}

void http_location_origin(const char *url, const char *location, char *out, size_t size) {
  snprintf(out, size, "an address that cannot be read");
  CURLU *parts = curl_url();
  if (!parts) return;
  char scheme[16], host[256], port[8];
  if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
      curl_url_set(parts, CURLUPART_URL, location, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
      take_part(parts, CURLUPART_SCHEME, 0, scheme, sizeof scheme) && take_part(parts, CURLUPART_HOST, 0, host, sizeof host)) {
    bool has_port = take_part(parts, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT, port, sizeof port);
    snprintf(out, size, "%s://%s%s%s", scheme, host, has_port ? ":" : "", has_port ? port : "");
  }
  curl_url_cleanup(parts);
}

bool http_host_is_loopback(const char *host) {
  size_t length = strlen(host);
  if (strcmp(host, "localhost") == 0 || (length > 10 && strcmp(host + length - 10, ".localhost") == 0)) return true;
  struct in_addr v4;
  struct in6_addr v6;
  if (inet_pton(AF_INET, host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (inet_pton(AF_INET6, host, &v6) == 1) {
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
  }
  return false;
}
