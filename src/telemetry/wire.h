/*
 * What leaves for Databricks, byte for byte (telemetry.md 7): entries made from the registry of tags, and the request around them; and what
 * comes back.
 */
#ifndef DBSQL_TELEMETRY_WIRE_H
#define DBSQL_TELEMETRY_WIRE_H

#include "base/buf.h"
#include "telemetry/tags.h"

/* One entry as a JSON document. */
void wire_entry(struct buf *out, const struct tag_record *record, enum tag_destination destination);

/* A request: wire_begin(), wire_add() for each entry, wire_end(). */
void wire_begin(struct buf *out, int64_t upload_time_ms);
/* `entry` is a document that becomes a string. */
void wire_add(struct buf *out, struct slice entry, bool first);
void wire_end(struct buf *out);

/* A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void wire_string(struct buf *out, struct slice text);

struct wire_answer {
  bool readable;
  int64_t accepted; /* numProtoSuccess; -1 if it is not there */
  size_t errors;
};
/* Unknown keys are ignored; an answer that is no JSON object is not readable. */
void wire_parse_answer(struct slice body, struct wire_answer *answer);

#endif
