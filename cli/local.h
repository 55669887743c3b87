/* The private warehouse of --local: a dbsql-warehouse that lives as long as the shell. */
#ifndef DBSQL_CLI_LOCAL_H
#define DBSQL_CLI_LOCAL_H

#include <stdbool.h>
#include <sys/types.h>

struct local {
  pid_t pid; /* 0: none */
  int input; /* its standard input: closed when we end, whatever way */
  int ready; /* its standard output */
  int log;   /* its standard error: a file without a name */
  char *dsn;
};
#define LOCAL_INIT \
  { 0, -1, -1, -1, NULL }

/* Starts the program (found beside this one, then in PATH) with `--port 0 --exit-with-parent`, and waits for its line
 * "dbsql-warehouse ready: DSN". `database` is a file, NULL for memory. On failure `*message` says why and is freed by the caller. */
bool local_start(struct local *local, const char *program, const char *database, char **message);
/* Ends it and frees. */
void local_stop(struct local *local);

#endif
