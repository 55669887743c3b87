/* From the configuration to the authenticator of a connection. */
#ifndef DBSQL_SESSION_SIGN_IN_H
#define DBSQL_SESSION_SIGN_IN_H

#include "auth/auth.h"
#include "session/config.h"

/* `config` is resolved; `http` says how requests travel. The authenticator borrows the configuration's log. */
/* Whom tokens are for and how the host is reached: what may outlive the connection. One owner. */
dbsql_status sign_in_context(const dbsql_config *config, const struct http_settings *http, struct auth_context **context,
                             dbsql_error **error);
dbsql_status sign_in_authenticator(const dbsql_config *config, const struct http_settings *http, struct authenticator **authenticator,
                                   dbsql_error **error);

/* For who needs a token and no connection. `config` is not resolved. The value is for mem_free() once wiped; `*expires_unix_ms` 0: unknown.
 */
dbsql_status sign_in_token(const dbsql_config *config, const dbsql_call *user_call, char **value, int64_t *expires_unix_ms,
                           dbsql_error **error);
/* Removes the tokens that are kept on disk. `*was_there`: there were some. */
dbsql_status sign_in_forget(const dbsql_config *config, const dbsql_call *user_call, bool *was_there, dbsql_error **error);

#endif
