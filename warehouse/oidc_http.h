/* OAuth: from a connection of the HTTP server to a request, and its answer. */
#ifndef DBSQL_WAREHOUSE_OIDC_HTTP_H
#define DBSQL_WAREHOUSE_OIDC_HTTP_H

#include <microhttpd.h>

#include "oidc.h"

/* `path` is one of OAuth's; `local`: the connection comes from this machine. The reply is to be freed with oidc_reply_free(). */
void oidc_http_answer(struct oidc *oidc, struct MHD_Connection *connection, const char *method, const char *path, struct slice body,
                      bool local, const struct fault *fault, struct oidc_reply *reply);

#endif
