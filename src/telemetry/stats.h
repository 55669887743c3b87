/* What telemetry has done so far, in numbers. */
#ifndef DBSQL_TELEMETRY_STATS_H
#define DBSQL_TELEMETRY_STATS_H

#include "base/buf.h"

struct telemetry;

/* `telemetry` may be NULL. `stats->struct_size` says how much of it is there. */
void telemetry_stats(struct telemetry *telemetry, dbsql_telemetry_stats *stats);
/* The same as a JSON object, with the last body that was sent. */
void telemetry_report(struct telemetry *telemetry, struct buf *out);

#endif
