/* Where a request goes: a URL taken apart by libcurl's own parser, so that checks and transfer cannot disagree about it. */
#ifndef DBSQL_HTTP_URL_H
#define DBSQL_HTTP_URL_H

#include <stdbool.h>

#include <dbsql/dbsql.h>

struct http_target {
  bool tls;
  int port;
  char host[256];   /* lower case, without brackets, without a final dot */
  char shown[272];  /* for messages: the host, with its port unless that is the scheme's own */
  char logged[512]; /* scheme://host:port/path, without query, fragment and userinfo; cut if longer */
};

/* Accepts absolute http and https URLs without userinfo; control characters and spaces are errors (auth.md 6, T9). */
dbsql_status http_target_parse(const char *url, struct http_target *target, dbsql_error **error);
/* "SCHEME://HOST:PORT" of a Location header, resolved against `url`; "an address that cannot be read" if it is none. */
void http_location_origin(const char *url, const char *location, char *out, size_t size);
/* localhost, 127.0.0.0/8, ::1 and IPv4-mapped forms of them. `host` is lower case. */
bool http_host_is_loopback(const char *host);

#endif
