/* Trusted certificates that the library has put together from several files: held once in the process for all connections that trust the
 * same ones. They may be hundreds of kilobytes, and a program may have a thousand connections. */
#ifndef DBSQL_HTTP_TLS_BUNDLE_H
#define DBSQL_HTTP_TLS_BUNDLE_H

#include "base/buf.h"
#include "base/error.h"

struct tls_bundle;
/* One share of the bundle with this content, for tls_bundle_free(). `pem` is freed or taken over, whatever is returned. */
dbsql_status tls_bundle_share(struct buf *pem, struct tls_bundle **bundle, dbsql_error **error);
/* NULL is allowed. */
void tls_bundle_free(struct tls_bundle *bundle);
struct slice tls_bundle_pem(const struct tls_bundle *bundle);
/* The path of a file without a name that holds the same, or NULL where there is no such thing. It lives as long as the share. */
const char *tls_bundle_path(const struct tls_bundle *bundle);

#endif
