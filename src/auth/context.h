/* Whom tokens are for, and how requests for them travel: what providers know of a connection. */
#ifndef DBSQL_AUTH_CONTEXT_H
#define DBSQL_AUTH_CONTEXT_H

#include "base/shared.h"
#include "http/http.h"

/* Immutable; may outlive the connection, so that it holds copies of everything and no log of the host's. */
struct auth_context {
  struct shared shared;
  char *origin; /* of the workspace: "https://HOST:PORT" */
  char *host;
  bool allow_http; /* to hosts that are no loopback ones, too */
  struct http_settings http;
};

/* Copies; `http->log` is left out. */
dbsql_status auth_context_new(const char *origin, const char *host, bool allow_http, const struct http_settings *http,
                              struct auth_context **context, dbsql_error **error);
static inline struct auth_context *auth_context_keep(struct auth_context *context) {
  if (context) shared_keep(&context->shared);
  return context;
}
static inline void auth_context_drop(struct auth_context *context) {
  if (context) shared_drop(&context->shared);
}

#endif
