/*
 * Faults: what goes wrong on purpose. Armed over the control endpoint, each for so many calls of a method, or of any.
 */
#ifndef DBSQL_WAREHOUSE_FAULTS_H
#define DBSQL_WAREHOUSE_FAULTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

enum fault_kind {
  FAULT_NONE,
  /* An answer of HTTP, and nothing has run. */
  FAULT_HTTP_STATUS, /* http-400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504 */
  FAULT_HTML_BODY,
  FAULT_GARBAGE_BODY,
  FAULT_REDIRECT,
  /* The connection. */
  FAULT_RESET_BEFORE,
  FAULT_RESET_AFTER,
  FAULT_RESET_BODY, /* after the header */
  FAULT_STALL,
  FAULT_DELAY, /* all is well, only later */
  FAULT_SLOW_BODY,
  FAULT_TRUNCATED_BODY,
  FAULT_OVERSIZED_BODY,
  /* The message. */
  FAULT_WRONG_ROW_COUNT,
  FAULT_WRONG_SEQUENCE_ID,
  FAULT_EXTRA_FIELDS,
  FAULT_SESSION_LOST,
  FAULT_EMPTY_PAGE,
  /* The JSON that telemetry and the feature flags are answered with (telemetry.md, appendix A). */
  FAULT_EMPTY_BODY,
  FAULT_MALFORMED_JSON,
  FAULT_EXTRA_KEYS,
  FAULT_WRONG_TYPES,
  FAULT_PARTIAL_SUCCESS, /* only the first `accepted` entries are taken */
  FAULT_LYING_COUNT      /* all are taken, and `accepted` is said */
};

struct fault {
  enum fault_kind kind;
  int status;      /* of HTTP */
  char method[40]; /* "": any */
  int64_t skip;    /* so many calls pass before it strikes */
  int64_t count;   /* so many times it strikes; -1: until it is taken away */
  int64_t struck;
  char retry_after[64]; /* a header to be sent; "": none */
  char message[256];    /* X-Thriftserver-Error-Message; "": none */
  int64_t delay_ms;     /* between pieces, or of the stall */
  int64_t bytes;        /* of a piece, or of the oversized body */
  char name[32];
  char location[256]; /* of a redirect */
  int64_t redirect;   /* its status; 0: 302 */
  int64_t accepted;   /* entries, of the last two kinds */
};

enum { faults_limit = 64 };

struct faults {
  pthread_mutex_t lock;
  struct fault list[faults_limit];
  int count;
  int64_t struck; /* by all, ever */
};

void faults_init(struct faults *faults);
void faults_destroy(struct faults *faults);
/* Reads one fault from JSON and arms it. On failure `*message` (static or of `buffer`) says what is wrong. */
bool faults_arm(struct faults *faults, const json_t *json, char *message, size_t size);
void faults_clear(struct faults *faults);
/* The fault that strikes this call, copied: at most one. Kind FAULT_NONE if none. */
struct fault faults_take(struct faults *faults, const char *method);
/* The same for what is not Thrift: only faults that name this endpoint, or the group it belongs to, strike it. */
struct fault faults_take_endpoint(struct faults *faults, const char *endpoint, const char *group);
/* A new array of what is armed. */
json_t *faults_list(struct faults *faults);

#endif
