/* What a failure of the network, of TLS or of a proxy becomes: an error that names the phase, the host and the reason. */
#ifndef DBSQL_HTTP_NETWORK_H
#define DBSQL_HTTP_NETWORK_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/http.h"
#include "http/url.h"

struct network_failure {
  CURL *easy;
  CURLcode code;
  const char *curl_text; /* libcurl's own words; may be "" */
  const struct http_target *target;
  const char *proxy; /* what to call it, or NULL if there is none */
  bool proxy_tls;
  const char *what;
  bool sent;      /* the server may have seen the whole request */
  bool answering; /* a status line has come */
  int64_t connect_timeout_ms;
  int64_t request_timeout_ms;
};

/* Sets the error; `*may_retry` says whether trying again can help at all, whatever the request's rule. */
dbsql_status network_error(const struct network_failure *failure, bool *may_retry, dbsql_error **error);
/* What a transfer is doing now, for the message of a time limit or a cancellation: "connecting to HOST". */
void network_phase(CURL *easy, const struct http_target *target, const char *proxy, bool answering, char *out, size_t size);

#endif
