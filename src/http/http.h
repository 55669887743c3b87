/*
 * HTTP: one request at a time over a pool of kept-alive connections, within a deadline and until cancelled.
 *
 * A client belongs to one thread at a time. Requests obey the retry policy of thrift.md 7.2; credentials go to no other origin
 * (redirects are not followed), and nothing here knows what the bodies mean. Cookies are kept in memory, for as long as the client
 * lives. SIGPIPE never reaches the host.
 */
#ifndef DBSQL_HTTP_HTTP_H
#define DBSQL_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/call.h"
#include "base/chunk.h"
#include "base/log.h"
#include "base/secret.h"

/* Everything but `log` is copied by http_client_new(). Texts may be NULL where they are not set. */
struct http_settings {
  const char *user_agent;
  /* TLS (auth.md 5.1). A file that cannot be read is an error of http_client_new(). */
  bool tls_verify;          /* chain and host name */
  bool tls_verify_hostname; /* false: chain only */
  bool tls_system_store;    /* false: only tls_ca_file counts; true: it is added to the system's, or to SSL_CERT_FILE/SSL_CERT_DIR */
  const char *tls_ca_file;
  const char *tls_client_cert;
  const char *tls_client_key;
  const struct secret *tls_client_key_password;
  const char *tls_min_version; /* "1.2" (also if NULL) or "1.3" */
  /* Proxy (auth.md 5.2). */
  bool use_proxy;        /* false: always direct, the environment is ignored */
  const char *proxy_url; /* NULL: from the environment */
  const struct secret *proxy_user;
  const struct secret *proxy_password;
  const char *no_proxy; /* NULL: from the environment if the proxy is */
  bool ignore_environment;
  /* Limits; 0 means none. */
  int64_t connect_timeout_ms; /* for name, connection, proxy and TLS together */
  int64_t request_timeout_ms; /* for one attempt */
  size_t max_response_bytes;
  /* Retry (thrift.md 7.2). */
  int retry_max; /* attempts after the first */
  int64_t retry_min_wait_ms;
  int64_t retry_max_wait_ms;
  int64_t retry_total_ms;
  const struct log *log; /* borrowed; may be NULL */
};

struct http_client;
dbsql_status http_client_new(const struct http_settings *settings, struct http_client **client, dbsql_error **error);
/* NULL is allowed. Closes the connections. */
void http_client_free(struct http_client *client);

struct http_header {
  const char *name;
  const char *value;
};

enum http_retry {
  HTTP_RETRY_IDEMPOTENT, /* 429, 503, 408, other 5xx but 501, and every network error */
  HTTP_RETRY_REFUSED     /* only what the server cannot have begun: 429, 503, and network errors before a byte of the body was sent;
                          * libcurl's own silent repetition on a new connection is prevented too */
};

struct http_request {
  const char *method; /* "GET", "POST" ... */
  const char *url;
  const char *what;                  /* for messages and logs: "ExecuteStatement" */
  const struct http_header *headers; /* a control character in one is an error */
  size_t header_count;
  struct slice body;
  enum http_retry retry;
  /* Makes the value of the Authorization header, for each attempt anew; may leave `value` empty for none. Further headers may follow
   * it: a zero byte, then each name and each value, ended by a zero byte. NULL: no header. */
  dbsql_status (*authorize)(void *user, const struct call *call, struct buf *value, dbsql_error **error);
  void *authorize_user;
  /* If set: where an answer of 300 to 399 points to, for who wants to know, since nothing goes there; "" if it says nothing, cut if
   * longer. */
  char *location;
  size_t location_size;
};

struct http_response {
  int status;
  int attempts;
  struct chunk *body;    /* one reference, the receiver's; never NULL after success */
  char content_type[80]; /* lower case, without parameters; cut if longer */
  char request_id[80];   /* x-request-id */
  char org_id[32];       /* x-databricks-org-id */
};

/* Sends and receives. A proxy's failure names the proxy. Success is a status from 200 to 299 with a whole body. Any other status is an
 * error with the text that thrift.md 1.7 recommends, its SQLSTATE, HTTP status, request id, host, attempts and Retry-After; "Invalid
 * SessionHandle" in it marks the session as lost. On failure `response` is zeroed. */
dbsql_status http_send(struct http_client *client, const struct http_request *request, const struct call *call,
                       struct http_response *response, dbsql_error **error);
/* Drops the reference to the body and zeroes. */
void http_response_free(struct http_response *response);

#endif
