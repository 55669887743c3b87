/* Authentication: what makes the Authorization header of each request. */
#ifndef DBSQL_AUTH_AUTH_H
#define DBSQL_AUTH_AUTH_H

#include "base/buf.h"
#include "base/call.h"
#include "base/secret.h"

/* A way to sign in. Immutable once made; used by the connection's thread and by the keep-alive thread. */
struct authenticator {
  /* Appends the value of the header to `value`, or nothing for no header. May wait within `call`. */
  dbsql_status (*header)(const struct authenticator *self, const struct call *call, struct buf *value, dbsql_error **error);
  void (*destroy)(struct authenticator *self);
};

/* No authentication: no header. */
dbsql_status authenticator_none(struct authenticator **out, dbsql_error **error);
/* "Bearer TOKEN". The token is copied. One that is empty, or has a space or a control character in it, is refused (auth.md 6, T8). */
dbsql_status authenticator_token(const struct secret *token, struct authenticator **out, dbsql_error **error);
/* "Basic anonymous": plain HiveServer2 and Spark refuse requests without the header even when they check nothing; the name is the one
 * that Hive's own JDBC driver sends (thrift.md 8). */
dbsql_status authenticator_anonymous(struct authenticator **out, dbsql_error **error);
/* NULL is allowed. */
void authenticator_free(struct authenticator *authenticator);

#endif
