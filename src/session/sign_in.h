/* From the configuration to the authenticator of a connection. */
#ifndef DBSQL_SESSION_SIGN_IN_H
#define DBSQL_SESSION_SIGN_IN_H

#include "auth/auth.h"
#include "session/config.h"

/* `config` is resolved; `http` says how requests travel. The authenticator borrows the configuration's log. */
dbsql_status sign_in_authenticator(const dbsql_config *config, const struct http_settings *http, struct authenticator **authenticator,
                                   dbsql_error **error);

#endif
