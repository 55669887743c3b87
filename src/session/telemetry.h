/* From a connection to telemetry: what its settings ask for, how its host is reached, and what it tells of itself. */
#ifndef DBSQL_SESSION_TELEMETRY_H
#define DBSQL_SESSION_TELEMETRY_H

#include "backend/backend.h"
#include "session/connection.h"
#include "telemetry/interceptor.h"

/* The settings of telemetry from those of a connection, to be freed with telemetry_config_free(). A value that only telemetry can judge and
 * that it refuses is an error. */
dbsql_status session_telemetry_config(const dbsql_config *config, struct telemetry_config *settings, dbsql_error **error);
/* After an attempt to open the session that began at `started_ns`: connection->telemetry, if something is wanted, and its first record. A
 * failure of telemetry's own is no failure of the connection. */
void session_telemetry_open(dbsql_connection *connection, const struct telemetry_config *settings, int64_t started_ns, dbsql_status status,
                            const dbsql_error *failure);

/* What kind of call a metadata call is: enum tag_operation_type. */
uint8_t session_telemetry_metadata(enum metadata_kind kind);

#endif
