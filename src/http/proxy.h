/* Which proxy a request goes through (auth.md 5.2): the settings' one, or the environment's, or none. Never falls back to a direct
 * connection when a proxy is set but wrong. */
#ifndef DBSQL_HTTP_PROXY_H
#define DBSQL_HTTP_PROXY_H

#include "http/http.h"
#include "http/url.h"

struct http_proxy_rules;
/* Reads the settings, and the environment if they say so; a proxy URL that cannot be used is an error. */
dbsql_status http_proxy_rules_new(const struct http_settings *settings, struct http_proxy_rules **rules, dbsql_error **error);
/* NULL is allowed. */
void http_proxy_rules_free(struct http_proxy_rules *rules);

struct http_proxy {
  char *url;           /* scheme://host:port for libcurl */
  char *shown;         /* host:port for messages */
  bool tls;            /* the proxy itself is spoken to over TLS */
  struct secret *user; /* NULL if it needs none */
  struct secret *password;
};
/* NULL: connect directly. */
const struct http_proxy *http_proxy_choose(const struct http_proxy_rules *rules, const struct http_target *target);

/* Whether `target` matches the no_proxy list `list`. */
bool http_no_proxy_matches(const char *list, const struct http_target *target);

#endif
