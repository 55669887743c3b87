/* Authentication: what makes the Authorization header of each request. */
#ifndef DBSQL_AUTH_AUTH_H
#define DBSQL_AUTH_AUTH_H

#include "auth/provider.h"
#include "base/buf.h"
#include "base/call.h"
#include "base/secret.h"

enum { auth_stamp_size = token_fingerprint_size };
/* Which credentials a request was sent with. */
struct auth_stamp {
  bool has_token;
  bool is_second; /* set by who sends: there has been another token already, and there is no third */
  uint8_t fingerprint[auth_stamp_size];
};

/* A way to sign in. Used by the connection's thread, the keep-alive thread and those that cancel. */
struct authenticator {
  /* Appends the value of the header to `value`, or nothing for no header; then further headers, if the token brings some, as
   * http_request.authorize wants them. May wait within `call`. `stamp` may be NULL. */
  dbsql_status (*authorize)(struct authenticator *self, const struct call *call, struct buf *value, struct auth_stamp *stamp,
                            dbsql_error **error);
  /* The server has refused a request of that stamp with `*error` (401 or 403), and what is known of the token goes into it. After a 401
   * a new token is fetched within `call`, once, if there can be one; true if it is another: the request may be sent once more (D10). */
  bool (*refused)(struct authenticator *self, const struct call *call, const struct auth_stamp *stamp, dbsql_error **error);
  void (*destroy)(struct authenticator *self);
};

/* No authentication: no header. */
dbsql_status authenticator_none(struct authenticator **out, dbsql_error **error);
/* "Basic anonymous": plain HiveServer2 and Spark refuse requests without the header even when they check nothing; the name is the one
 * that Hive's own JDBC driver sends (thrift.md 8). */
dbsql_status authenticator_anonymous(struct authenticator **out, dbsql_error **error);
/* Tokens of a provider, which it keeps; with a cache around it if it needs one. `log` is borrowed and may be NULL. */
dbsql_status authenticator_provider(dbsql_token_provider *provider, struct auth_context *context, const struct log *log,
                                    struct authenticator **out, dbsql_error **error);
/* For who sends requests of its own, also after the connection: one owner of each, or NULL where there are no tokens. */
void authenticator_share(const struct authenticator *authenticator, dbsql_token_provider **provider, struct auth_context **context);
/* NULL is allowed. */
void authenticator_free(struct authenticator *authenticator);

#endif
