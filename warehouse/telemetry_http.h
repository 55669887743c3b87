/* Telemetry's requests, taken from the HTTP server. */
#ifndef DBSQL_WAREHOUSE_TELEMETRY_HTTP_H
#define DBSQL_WAREHOUSE_TELEMETRY_HTTP_H

#include <microhttpd.h>

#include "telemetry.h"

/* Fills in `request`: headers (of secrets only that they are there) and the body, decompressed into `plain`. The caller frees both:
 * json_decref(request->headers), buf_free(plain). */
void telemetry_http_read(struct MHD_Connection *connection, enum telemetry_endpoint endpoint, const char *method, const char *path,
                         struct slice body, struct telemetry_request *request, struct buf *plain);

#endif
