/* A sink for OTLP over HTTP, in JSON and in protobuf (telemetry.md 11.3). Both become the same JSON. */
#ifndef DBSQL_WAREHOUSE_OTLP_H
#define DBSQL_WAREHOUSE_OTLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"

enum otlp_signal { OTLP_TRACES, OTLP_METRICS, OTLP_LOGS };
enum { otlp_request_limit = 64 << 20 };

/* A new reference to the request in its JSON form, checked; or NULL, and `message` names what is wrong. Fields that OTLP does not know
 * must be ignored by a receiver: they are, and `warnings` (an array) tells of them. */
json_t *otlp_read(enum otlp_signal signal, bool protobuf, struct slice body, json_t *warnings, char *message, size_t size);
/* The spans, metrics or log records of a request, each {"resource": ..., "scope": ..., "span"|"metric"|"record": ...}. A new array. */
json_t *otlp_items(enum otlp_signal signal, const json_t *request);
const char *otlp_item_key(enum otlp_signal signal);
/* The answer: of success, with so many rejected if that is not 0... */
void otlp_answer(enum otlp_signal signal, bool protobuf, int64_t rejected, const char *message, struct buf *out);
/* ... or of failure: google.rpc.Status. */
void otlp_status(bool protobuf, int code, const char *message, struct buf *out);

/* otlp_proto.c and otlp_json.c. */
struct otlp_message;
struct otlp_reader {
  json_t *warnings;
  char *message;
  size_t size;
  int depth;
};
/* Decodes protobuf. A new reference, or NULL. */
json_t *otlp_decode(struct otlp_reader *reader, const struct otlp_message *message, struct slice bytes);
/* Checks the JSON form. */
bool otlp_check(struct otlp_reader *reader, const struct otlp_message *message, const json_t *json, const char *path);
enum { otlp_depth_limit = 64, otlp_warnings_limit = 100 };

#endif
