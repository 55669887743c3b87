/* A certificate of the warehouse's own, for a run. */
#ifndef DBSQL_WAREHOUSE_TLS_H
#define DBSQL_WAREHOUSE_TLS_H

#include <stdbool.h>

/* Both PEM, both the caller's. The certificate is for `host` (an IP address), 127.0.0.1, ::1 and localhost, and is its own authority. */
bool tls_make(const char *host, char **certificate, char **key, char **message);
bool tls_read_file(const char *path, char **content, char **message);
bool tls_write_file(const char *path, const char *content, char **message);

#endif
