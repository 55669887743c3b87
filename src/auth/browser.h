/* Opening the user's browser. */
#ifndef DBSQL_AUTH_BROWSER_H
#define DBSQL_AUTH_BROWSER_H

#include <dbsql/dbsql.h>

/* Starts it without a shell, and does not wait for it. An error where there is none, or no display. */
dbsql_status browser_open(const char *url, dbsql_error **error);

#endif
