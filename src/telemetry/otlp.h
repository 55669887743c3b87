/*
 * Records as spans of OpenTelemetry (telemetry.md 11.3; OTLP 1.x): the same records, the other column of the registry. As JSON for files
 * and collectors, or as protobuf.
 */
#ifndef DBSQL_TELEMETRY_OTLP_H
#define DBSQL_TELEMETRY_OTLP_H

#include "base/buf.h"
#include "telemetry/event.h"

struct otlp_span {
  struct tag_record record;
  uint8_t trace_id[16];
  uint8_t span_id[8];
  bool has_parent;
  uint8_t parent_span[8];
  uint8_t trace_flags;
  int64_t start_unix_ns;
  int64_t end_unix_ns;
};

/* What a span is called: "DatabricksStatement.ExecuteQuery" ... */
const char *otlp_span_name(const struct tag_event *event);

/* One ExportTraceServiceRequest with all spans under the process's resource. */
void otlp_json(struct buf *out, const struct otlp_span *spans, size_t count);
void otlp_protobuf(struct buf *out, const struct otlp_span *spans, size_t count);

struct otlp_answer {
  int64_t rejected; /* spans */
};
void otlp_parse_answer(struct slice body, bool json, struct otlp_answer *answer);

#endif
