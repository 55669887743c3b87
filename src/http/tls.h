/* TLS settings: checked once when a client is made, applied to its transfers (auth.md 5.1). */
#ifndef DBSQL_HTTP_TLS_H
#define DBSQL_HTTP_TLS_H

#include <curl/curl.h>

#include "http/http.h"
#include "http/tls_bundle.h"

struct http_tls {
  bool verify;
  bool verify_hostname;
  bool tls13_only;
  bool replace_directory; /* `directory` counts, even where it is NULL; otherwise libcurl's own is left in place */
  /* The trusted certificates: a file that is named, or several together; neither: libcurl's own file. */
  char *file;
  struct tls_bundle *bundle;
  char *directory; /* of trusted certificates, hashed as OpenSSL wants them */
  char *client_cert;
  char *client_key;
  struct secret *client_key_password;
};

/* Reads and checks the files. On failure nothing is left to free. */
dbsql_status http_tls_init(struct http_tls *tls, const struct http_settings *settings, dbsql_error **error);
void http_tls_free(struct http_tls *tls);
/* Sets the options, for servers and https proxies alike (the client certificate for servers only). The struct must outlive `easy`.
 * `pooled`: connections with other settings live in the same pool. */
dbsql_status http_tls_apply(const struct http_tls *tls, bool pooled, CURL *easy, dbsql_error **error);

#endif
