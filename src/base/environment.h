/* Environment variables. A program that runs with more rights than who started it does not obey that one's environment (auth.md 6, T24):
 * it would choose proxies, certificates, folders and credentials for it. */
#ifndef DBSQL_BASE_ENVIRONMENT_H
#define DBSQL_BASE_ENVIRONMENT_H

#include <stdbool.h>

/* The value; NULL if there is none, it is empty, or the environment is not to be trusted. */
const char *environment_get(const char *name);
/* False in a set-user-id or set-group-id program, and in one that got capabilities from its file. */
bool environment_is_trusted(void);

/* For tests: as if this were such a program. */
void environment_test_distrust(bool on);

#endif
