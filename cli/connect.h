/* From the command line and the environment to a connection. */
#ifndef DBSQL_CLI_CONNECT_H
#define DBSQL_CLI_CONNECT_H

#include <stdbool.h>

#include <dbsql/dbsql.h>

#include "args.h"

/* Makes the configuration: the DSN (`local_dsn`, --dsn, DBSQL_DSN), the options, the token, and what DATABRICKS_* variables say of the
 * rest. Answers an exit code; what went wrong was reported. */
int connect_configure(const struct args *args, const char *local_dsn, dbsql_config **config);
/* Connects. Where the server asks for a token, none was named and there is a terminal, it is asked for, once. */
int connect_open(const struct args *args, dbsql_config *config, const dbsql_call *call, dbsql_connection **connection);

#endif
