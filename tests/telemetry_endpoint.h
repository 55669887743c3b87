/*
 * A workspace's telemetry endpoints for tests: feature flags, /telemetry-ext, /telemetry-unauth and /v1/traces, with strict checks of what
 * comes (telemetry.md appendix A), and answers as the test wants them. What is wrong with a request is a text in `wrong`.
 */
#ifndef DBSQL_TESTS_TELEMETRY_ENDPOINT_H
#define DBSQL_TESTS_TELEMETRY_ENDPOINT_H

#include <jansson.h>
#include <pthread.h>

#include "http_server.h"
#include "telemetry/interceptor.h"
#include "telemetry/stats.h"

enum endpoint_fault {
  FAULT_NONE,
  FAULT_STATUS,   /* `status`, `headers` */
  FAULT_HANG,     /* accepts and never answers, until the test ends it */
  FAULT_RESET,    /* instead of an answer */
  FAULT_CUT,      /* in the middle of the answer */
  FAULT_GARBAGE,  /* 200 with something that is no JSON */
  FAULT_NEW_KEYS, /* an answer with unknown keys */
  FAULT_PARTIAL,  /* takes one record less than came */
  FAULT_HUGE,     /* an answer without end, until the client has enough */
  FAULT_SLOW,     /* one byte of the answer at a time, each when the client is still there */
  FAULT_REDIRECT,
  FAULT_DELAY /* answers well once `release` is set */
};

struct endpoint {
  pthread_mutex_t lock;
  struct http_server *server;
  const char *flag; /* the flag's value; NULL: no such flag */
  int flag_status;
  int64_t ttl;
  struct test_event *flag_gate; /* the flag is answered once it is set; NULL: at once */
  enum endpoint_fault fault;    /* of the next `fault_count` posts; -1: of all */
  int fault_count;
  int status;
  const char *headers;
  struct test_event release; /* ends hanging and delayed answers */
  struct test_event arrived; /* a post is there */
  /* What came. */
  int flag_requests, posts, unauth_posts, trace_posts;
  int64_t accepted; /* entries answered well */
  json_t *entries;  /* array of entries, parsed */
  json_t *traces;   /* array of bodies in JSON */
  char *bytes;      /* everything that came, one after the other */
  size_t byte_count;
  char wrong[512];
  char user_agent[256], authorization[256], org_id[64];
};

void endpoint_start(struct endpoint *endpoint);
void endpoint_stop(struct endpoint *endpoint);
void endpoint_fail(struct endpoint *endpoint, enum endpoint_fault fault, int count, int status, const char *headers);
int endpoint_posts(struct endpoint *endpoint);
size_t endpoint_count(struct endpoint *endpoint); /* entries that came */
/* The sql_driver_log of an entry. */
const json_t *endpoint_log(struct endpoint *endpoint, size_t index);
/* What stands at names with dots between; NULL if nothing does. */
const json_t *json_at(const json_t *root, const char *path);

/* A connection's handle: settings as "name=value;name=value". */
struct telemetry *handle_open(const char *origin, const char *settings);
struct telemetry *handle_open_to(const struct telemetry_target *target, const char *settings);
void target_init(struct telemetry_target *target, const char *origin);
/* One statement that goes well. */
void handle_statement(struct telemetry *handle, uint8_t number);
void handle_end(struct telemetry *handle); /* close and free */
dbsql_telemetry_stats handle_stats(struct telemetry *handle);

#endif
