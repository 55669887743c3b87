/* `dbsql auth describe`: which way to sign in, why, and what was set for it; secrets hidden. */
#ifndef DBSQL_CLI_AUTH_DESCRIBE_H
#define DBSQL_CLI_AUTH_DESCRIBE_H

#include "shell.h"

/* Answers an exit code. */
int auth_describe(struct shell *shell);

#endif
