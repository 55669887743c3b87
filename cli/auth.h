/* `dbsql auth`: signing in, and what it comes to. */
#ifndef DBSQL_CLI_AUTH_H
#define DBSQL_CLI_AUTH_H

#include "shell.h"

/* Runs `shell->args->auth`. Answers an exit code; what went wrong was reported. */
int auth_run(struct shell *shell);
/* The text of --help. */
const char *auth_help(void);
bool auth_is_command(const char *name);
#define AUTH_COMMANDS "login, token, logout, env, describe"

#endif
