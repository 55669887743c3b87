/* The User-Agent header (thrift.md 1.5): "dbsql/VERSION (ENTRY) agent/NAME". */
#ifndef DBSQL_SESSION_USER_AGENT_H
#define DBSQL_SESSION_USER_AGENT_H

#include "base/buf.h"

/* `entry` is what the application calls itself ("" for nothing); one that looks like a token is left out. With `use_environment` the
 * coding agent that runs this process is named, if exactly one of the known variables is set. */
void user_agent_append(struct buf *out, const char *entry, bool use_environment);

#endif
