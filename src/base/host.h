/* The hosts of Databricks, by their names (auth.md 2.1, 2.2). */
#ifndef DBSQL_BASE_HOST_H
#define DBSQL_BASE_HOST_H

#include <stdbool.h>

/* True for a host below one of its domains, with something before it, in any case. */
bool host_is_databricks(const char *host);
/* True for those of Azure's clouds. */
bool host_is_azure(const char *host);

#endif
