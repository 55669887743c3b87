/* What telemetry has received: requests as they came, what was accepted of them, and numbers. Bounded; the oldest goes first. */
#ifndef DBSQL_WAREHOUSE_TELEMETRY_LOG_H
#define DBSQL_WAREHOUSE_TELEMETRY_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "telemetry_check.h"

enum telemetry_endpoint {
  TELEMETRY_FLAGS,
  TELEMETRY_EXT,
  TELEMETRY_UNAUTH,
  TELEMETRY_TRACES,
  TELEMETRY_METRICS,
  TELEMETRY_LOGS,
  TELEMETRY_ENDPOINTS
};
extern const char *const telemetry_endpoint_names[TELEMETRY_ENDPOINTS]; /* as faults and statistics call them */

/* What became of a request. Begin with zeros, but the arrays. */
struct telemetry_outcome {
  int status;
  int64_t accepted, rejected;
  json_t *errors;   /* an array of texts */
  json_t *warnings; /* an array of texts */
  json_t *events;   /* an array of what was accepted */
  int64_t by_reason[TELEMETRY_REASONS];
};

struct telemetry_record {
  enum telemetry_endpoint endpoint;
  int64_t id;
  bool done;
  int64_t time_us, at_ns;
  char *headers; /* JSON */
  char *target;  /* method and path */
  char *fault;   /* NULL: none */
  struct buf body;
  int status;
  int64_t accepted, rejected;
  char *errors, *warnings; /* JSON */
  char **events;           /* JSON each */
  size_t event_count;
  size_t bytes; /* of all this */
};

struct telemetry_counts {
  int64_t requests, bytes, faults;
  int64_t refused; /* whole requests */
  int64_t accepted, rejected;
};

struct telemetry_log {
  pthread_mutex_t lock;
  size_t bytes_limit, bytes;
  struct telemetry_record *records; /* a ring */
  size_t room, first, count;
  int64_t next_id; /* of the record after the last */
  int64_t forgotten_requests, forgotten_events, warnings;
  struct telemetry_counts counts[TELEMETRY_ENDPOINTS];
  int64_t by_reason[TELEMETRY_REASONS];
  uint64_t *seen; /* hashes of event ids: a table of a power of two, 0 is free */
  size_t seen_room, seen_count;
  int64_t duplicates;
};

void telemetry_log_init(struct telemetry_log *log, size_t bytes_limit);
void telemetry_log_destroy(struct telemetry_log *log);
/* A request has come. `method` and `path` are copied, so are headers, body and the fault (NULL: none). Returns its id. */
int64_t telemetry_log_begin(struct telemetry_log *log, enum telemetry_endpoint endpoint, const char *method, const char *path,
                            const json_t *headers, struct slice body, const char *fault);
/* It was dealt with. `refused`: as a whole. */
void telemetry_log_end(struct telemetry_log *log, enum telemetry_endpoint endpoint, int64_t id, const struct telemetry_outcome *outcome,
                       bool refused);
/* Forgets all, and counts from zero. */
void telemetry_log_clear(struct telemetry_log *log);
/* JSON for the control endpoint. */
void telemetry_log_events(struct telemetry_log *log, struct buf *out);
void telemetry_log_requests(struct telemetry_log *log, struct buf *out);
json_t *telemetry_log_stats(struct telemetry_log *log);
/* In how many requests each text occurs, in any byte of them: {"complete": nothing was forgotten, "found": {text: n}}. */
json_t *telemetry_log_search(struct telemetry_log *log, const json_t *texts);

#endif
