/* The messages of OTLP 1 (opentelemetry-proto), as tables: for protobuf by number, for JSON by name. */
#ifndef DBSQL_WAREHOUSE_OTLP_SCHEMA_H
#define DBSQL_WAREHOUSE_OTLP_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

enum otlp_type {
  OTLP_STRING,
  OTLP_BOOL,
  OTLP_SINT32, /* zigzag */
  OTLP_UINT32,
  OTLP_FIXED32,
  OTLP_INT64,
  OTLP_UINT64,
  OTLP_FIXED64,
  OTLP_SFIXED64,
  OTLP_DOUBLE,
  OTLP_ENUM,  /* numbers from 0 to `highest` */
  OTLP_BYTES, /* base64 in JSON */
  OTLP_ID,    /* hex in JSON, of `highest` bytes; all zeros is no id */
  OTLP_MESSAGE
};

enum { OTLP_REPEATED = 1, OTLP_REQUIRED = 2, OTLP_ONE_OF = 4 };

struct otlp_message;

struct otlp_field {
  uint32_t number;
  const char *name;
  enum otlp_type type;
  unsigned flags;
  const struct otlp_message *message;
  int highest;
};

struct otlp_message {
  const char *name;
  const struct otlp_field *fields; /* ended with number 0 */
};

extern const struct otlp_message otlp_traces_request, otlp_metrics_request, otlp_logs_request;

#endif
