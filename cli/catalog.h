/* The commands that look into the catalog: \l, \dn, \dt, \dv, \d, \df, \dT. `pattern` may be NULL; each answers an exit code. */
#ifndef DBSQL_CLI_CATALOG_H
#define DBSQL_CLI_CATALOG_H

#include "shell.h"

int catalog_catalogs(struct shell *shell, const char *pattern);
int catalog_schemas(struct shell *shell, const char *pattern);
int catalog_tables(struct shell *shell, const char *pattern);
int catalog_views(struct shell *shell, const char *pattern);
/* The columns of a table; without a name all tables and views. */
int catalog_describe(struct shell *shell, const char *name);
int catalog_functions(struct shell *shell, const char *pattern);
int catalog_types(struct shell *shell, const char *pattern);

#endif
