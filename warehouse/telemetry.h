/*
 * Telemetry's side of the warehouse: feature flags, the two telemetry endpoints, the OTLP sink, and what the control endpoint tells of them
 * (telemetry.md, appendix A). Knows nothing of sockets. No event ever influences a statement: nothing else reads what is kept here.
 */
#ifndef DBSQL_WAREHOUSE_TELEMETRY_H
#define DBSQL_WAREHOUSE_TELEMETRY_H

#include <stdio.h>

#include "faults.h"
#include "feature_flags.h"
#include "telemetry_log.h"

struct telemetry {
  struct feature_flags flags;
  struct telemetry_log log;
  pthread_mutex_t print_lock;
  FILE *print; /* received events, readably; NULL: nowhere */
};

void telemetry_init(struct telemetry *telemetry, size_t bytes_limit, FILE *print);
void telemetry_destroy(struct telemetry *telemetry);

/* False: the path is none of telemetry's. */
bool telemetry_endpoint_of(const char *path, enum telemetry_endpoint *endpoint);
/* The name that strikes all of its kind with a fault: "telemetry", "otlp", or its own. */
const char *telemetry_group(enum telemetry_endpoint endpoint);

struct telemetry_request {
  enum telemetry_endpoint endpoint;
  const char *method, *path;
  json_t *headers;        /* names in small letters; no secrets */
  bool has_authorization; /* some */
  int access_status;      /* of HTTP: why it is not let in; 0: it is */
  const char *access_why;
  struct slice body;      /* decompressed */
  const char *body_error; /* it could not be; NULL: it could */
  int body_status;        /* of HTTP, then */
  int64_t id;             /* in the log */
};

struct telemetry_answer {
  int status;
  const char *content_type;
  struct buf body;   /* of success, and of OTLP's failures */
  char message[480]; /* of failure, for an error body as the gateway's */
};

/* Puts the request into the log. To be called first; `fault` may be of kind FAULT_NONE. */
void telemetry_receive(struct telemetry *telemetry, struct telemetry_request *request, const struct fault *fault);
/* Deals with it. If `fault` answers early (answer_early() of server.c does), this is not called, but telemetry_skip(). */
void telemetry_answer(struct telemetry *telemetry, const struct telemetry_request *request, const struct fault *fault,
                      struct telemetry_answer *answer);
void telemetry_skip(struct telemetry *telemetry, const struct telemetry_request *request, const struct fault *fault);

/* The control endpoint: /control/flags, /control/telemetry and what is below. The status of HTTP, and the JSON in `out`; 0: not its path.
 */
int telemetry_control(struct telemetry *telemetry, const char *method, const char *path, struct slice body, struct buf *out);

/* One line or a few on an event, as telemetry_log keeps it. (telemetry_print.c) */
void telemetry_print_event(FILE *out, const json_t *event);
void telemetry_print_refusal(FILE *out, enum telemetry_endpoint endpoint, const char *text);

#endif
