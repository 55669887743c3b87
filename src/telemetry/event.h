/* One record on its way from the thread that caused it to the sinks. */
#ifndef DBSQL_TELEMETRY_EVENT_H
#define DBSQL_TELEMETRY_EVENT_H

#include "telemetry/tags.h"

struct telemetry;

struct telemetry_event {
  struct telemetry *owner; /* the connection; outlives the event (ring.h) */
  int64_t started_ns;      /* of the monotonic clock */
  int64_t latency_ns;
  uint8_t kind;    /* enum tag_kind */
  bool urgent;     /* an error that trying again does not cure: sent soon */
  bool local_only; /* the statement is not to be told to Databricks */
  uint8_t trace_flags;
  bool has_parent; /* of the next two */
  uint8_t trace_id[16];
  uint8_t parent_span[8];
  struct tag_event tags;
};

#endif
