#include "telemetry/event.h"

#include <string.h>

void event_expand(const struct ring_event *from, struct telemetry_event *to) {
  *to = (struct telemetry_event){.owner = from->owner,
                                 .started_ns = from->started_ns,
                                 .latency_ns = from->latency_ns,
                                 .kind = from->kind,
                                 .urgent = from->urgent,
                                 .local_only = from->local_only,
                                 .has_parent = from->has_parent,
                                 .tags = {.volume_operation = from->volume,
                                          .statement_type = from->type,
                                          .is_compressed = from->compressed,
                                          .execution_result = from->format,
                                          .operation_type = from->operation,
                                          .is_internal = from->internal,
                                          .category = from->category,
                                          .operation_latency_ms = event_ms(from->latency_ns)}};
  memcpy(to->tags.statement_id, from->id, sizeof from->id);
  if (from->has_parent) {
    to->trace_flags = from->trace_flags;
    memcpy(to->trace_id, from->trace_id, sizeof to->trace_id);
    memcpy(to->parent_span, from->parent_span, sizeof to->parent_span);
  }
  if (!from->has_detail) return;
  struct tag_event *tags = &to->tags;
  tags->retry_count = from->detail.retries;
  tags->chunk_initial_ms = from->detail.chunk_first_ms;
  tags->chunk_slowest_ms = from->detail.chunk_slowest_ms;
  tags->chunk_sum_ms = from->detail.chunk_sum_ms;
  tags->chunk_id = from->detail.chunk_id;
  tags->chunks_iterated = from->detail.chunks;
  tags->chunks_present = from->detail.chunks_present > from->detail.chunks ? from->detail.chunks_present : from->detail.chunks;
  tags->ready_ms = event_ms(from->detail.ready_ns);
  tags->consumption_ms = event_ms(from->detail.consumption_ns);
  tags->poll_count = from->detail.poll_count;
  tags->poll_ms = event_ms(from->detail.poll_ns);
  tags->bytes_downloaded = from->detail.bytes;
  tags->rows = from->detail.rows;
  tags->vendor_code = from->detail.vendor_code;
  tags->http_status = from->detail.http_status;
  memcpy(tags->sqlstate, from->detail.sqlstate, sizeof tags->sqlstate);
}
