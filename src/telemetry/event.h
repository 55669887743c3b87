/* One record on its way from the thread that caused it to the sinks. */
#ifndef DBSQL_TELEMETRY_EVENT_H
#define DBSQL_TELEMETRY_EVENT_H

#include "base/category.h"
#include "telemetry/tags.h"

struct telemetry;

/* As it is recorded. The first part fills one line of the cache together with the ring's own word; the others are written, and read, only
 * if there is something in them. */
struct ring_event {
  struct telemetry *owner; /* the connection; outlives the event (ring.h) */
  int64_t started_ns;      /* of the monotonic clock */
  int64_t latency_ns;
  uint8_t id[16]; /* of the statement */
  uint8_t kind;   /* bits of enum tag_kind */
  uint8_t operation, type, format, compressed, internal, volume, category;
  bool urgent;     /* an error that trying again does not cure: sent soon */
  bool local_only; /* the statement is not to be told to Databricks */
  bool has_detail;
  bool has_parent;
  struct {
    int64_t retries, chunk_first_ms, chunk_slowest_ms, chunk_sum_ms, chunk_id;
    int64_t ready_ns, consumption_ns, poll_ns, bytes, rows;
    int32_t chunks, chunks_present, poll_count, vendor_code, http_status;
    char sqlstate[8];
  } detail;
  uint8_t trace_flags;
  uint8_t trace_id[16];
  uint8_t parent_span[8];
};

/* As it is handed on. */
struct telemetry_event {
  struct telemetry *owner;
  int64_t started_ns;
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

/* Milliseconds, half up; never negative. */
static inline int64_t event_ms(int64_t ns) {
  return ns > 0 ? (ns + 500000) / 1000000 : 0;
}
void event_expand(const struct ring_event *from, struct telemetry_event *to);

#endif
