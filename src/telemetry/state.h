/* Telemetry's inside: what its own files share. */
#ifndef DBSQL_TELEMETRY_STATE_H
#define DBSQL_TELEMETRY_STATE_H

#include <pthread.h>

#include "telemetry/aggregator.h"
#include "telemetry/circuit_breaker.h"
#include "telemetry/feature_flag.h"
#include "telemetry/interceptor.h"
#include "telemetry/ring.h"

enum { host_key_size = 320, idle_hosts_most = 64, idle_clients_most = 64, pending_everywhere_most = 15000, local_most = 4000 };

/* Time limits and sizes; tests make them small. */
struct telemetry_limits {
  int64_t connect_ms;
  int64_t request_ms;
  int64_t idle_ms; /* a thread without work ends after it */
  size_t answer_bytes;
};
extern struct telemetry_limits telemetry_limits;

/* What is known of a host and workspace; outlives its connections, so that reopening forgets no 429. */
struct host {
  struct host *next;
  char key[host_key_size];
  char org_id[32];
  int clients;
  int64_t used_ns;
  struct breaker breaker;
  struct flag_entry flags;
};

enum drop_reason { DROP_PENDING, DROP_BREAKER, DROP_DISABLED, DROP_FAILED, DROP_UNMADE, DROP_SHUTDOWN, DROP_COUNT };

/* Those who share a host, credentials and the way there: their records travel together. */
struct client {
  struct client *next;
  struct host *host;
  struct shared *owner;
  bool (*same)(struct shared *a, struct shared *b);
  char *origin;
  struct http_settings http;
  dbsql_status (*authorize)(void *user, const struct call *call, struct buf *value, dbsql_error **error);
  void *authorize_user;
  bool forced;
  bool unauth;
  char client_type[32];
  char flag_name[flag_name_size];
  char *dump; /* NULL: none */
  int64_t close_timeout_ms;
  /* Guarded by the state's lock. */
  int refs;        /* connections that are open */
  int handles;     /* that point here */
  bool busy;       /* a thread sends for it */
  bool ending;     /* the last connection has gone: what is left is due */
  int64_t off_ns;  /* the server wants nothing before: INT64_MIN */
  int64_t idle_ns; /* when the last reference went */
  struct aggregator pending;
  uint64_t received, sent, accepted, rejected, dropped[DROP_COUNT], batches, failed_batches, bytes, flag_requests;
  int last_status;
  int64_t last_flush_ns; /* 0: never */
  struct buf last_body;
  /* The sender's. */
  struct http_client *client;
};

struct sink;

struct telemetry {
  struct telemetry_state *state;
  uint32_t generation; /* of the process: fork() makes another */
  atomic_bool closed;
  atomic_bool vendor_on; /* false while the server wants nothing */
  bool to_vendor;        /* there is a client */
  bool to_local;         /* a callback or a sink */
  bool every_close;
  bool send_parent;
  struct trace_parent parent;
  struct telemetry_statement *statements; /* that are unfinished */
  struct tag_connection tags;
  char *texts; /* what they point to */
  dbsql_telemetry_function callback;
  void *callback_user;
  int64_t close_timeout_ms;
  struct log log; /* for the connection's own thread only */
  atomic_uint_fast64_t dropped_full, dropped_closed;
  /* Guarded by the state's lock. */
  struct client *client;
  struct sink *sink;
  struct telemetry *before, *after; /* in the list of all */
  struct telemetry *next;           /* of those that are freed once nothing points to them */
  size_t waiting;                   /* records behind the ring that point here */
  size_t local_waiting;             /* those of them that wait for local sinks */
  uint64_t retire_at;               /* position of the ring */
  uint64_t local_received, local_delivered, local_dropped;
};

enum worker_id { WORKER_DRAIN, WORKER_VENDOR, WORKER_OTLP, WORKER_COUNT };
struct worker {
  pthread_t thread;
  bool started; /* to be joined */
  bool running; /* not about to end */
  dbsql_cancel *wake;
};

struct telemetry_state {
  pthread_mutex_t lock;
  pthread_cond_t changed; /* something has been sent, given up or freed */
  struct ring *ring;
  struct host *hosts;
  struct client *clients;
  struct sink *sinks;
  struct telemetry *retired;
  int handles; /* that are not freed */
  struct telemetry *handle_list;
  size_t pending_count;                     /* nodes everywhere */
  struct pending *local_first, *local_last; /* for callbacks and files */
  size_t local_count;
  bool delivering; /* the draining thread is in a callback */
  struct worker workers[WORKER_COUNT];
  dbsql_cancel *interrupt;  /* ends what is being sent */
  bool stopping;            /* at once */
  bool flushing;            /* somebody waits for everything */
  int64_t wall_us, mono_ns; /* the wall clock and the monotonic one at the same moment */
  uint64_t random;
  uint64_t dropped_unmade;
  struct tag_process process;
  bool process_known;
  char process_texts[6][96];
  atomic_uint_fast64_t dropped_full, dropped_closed;
  struct breaker_settings breaker;
};

/* ---- manager.c ------------------------------------------------------------------------------------------------------------ */

/* The process's state; NULL if there is none yet or it was the parent's. */
struct telemetry_state *telemetry_state_now(void);
struct telemetry_state *telemetry_state_get(dbsql_error **error); /* makes it */
uint32_t telemetry_generation_now(void);
bool telemetry_is_stopping(void);
extern atomic_uint_fast64_t telemetry_dropped_fork;
/* For tests: shuts down and frees all, if no handle is left. */
void telemetry_test_free(void);
/* One key for all spellings of a host. False if it is none: whitespace, user, path, or an address no credentials may go to. */
bool host_normalise(const char *text, char key[host_key_size]);
/* All of the following with the lock held. */
struct client *manager_acquire(struct telemetry_state *state, const struct telemetry_target *target, const struct telemetry_config *config,
                               bool forced, dbsql_error **error);
void manager_release(struct telemetry_state *state, struct client *client);
/* Frees what nobody needs any more. */
void manager_sweep(struct telemetry_state *state, int64_t now_ns);
uint64_t telemetry_random(struct telemetry_state *state);
void telemetry_random_bytes(struct telemetry_state *state, uint8_t *out, size_t size);

/* ---- client.c ------------------------------------------------------------------------------------------------------------- */

void client_add(struct telemetry_state *state, struct client *client, const struct telemetry_event *event, int64_t now_ns);
void pending_free(struct telemetry_state *state, struct pending *node);
void client_drop_all(struct telemetry_state *state, struct client *client, enum drop_reason reason);
enum flag_state client_decide(struct client *client, int64_t now_ns);
/* Does one piece of work that is due for one client (gives up the lock meanwhile) and returns true, or says when the next is due. */
bool client_step(struct telemetry_state *state, int64_t now_ns, int64_t *next_ns);
void client_free(struct telemetry_state *state, struct client *client);

/* ---- exporter.c ----------------------------------------------------------------------------------------------------------- */

struct post {
  struct http_client **client;
  const struct http_settings *http; /* of the client, if it must be made */
  const char *url;
  const char *what;
  const struct http_header *headers;
  size_t header_count;
  struct slice body; /* none: a GET */
  dbsql_status (*authorize)(void *user, const struct call *call, struct buf *value, dbsql_error **error);
  void *authorize_user;
};
/* Sends once, within telemetry's own limits. */
dbsql_status exporter_send(struct telemetry_state *state, const struct post *post, struct http_response *response, dbsql_error **error);
enum post_verdict {
  POST_FAILURE,   /* of the endpoint; may be sent again */
  POST_UNCERTAIN, /* of the endpoint; may have arrived */
  POST_WRONG,     /* the request, says the server */
  POST_REFUSED,   /* trying again cannot help */
  POST_NEITHER    /* says nothing about the endpoint */
};
enum post_verdict exporter_judge(dbsql_status status, const dbsql_error *error);

/* Takes what is in the ring, and hands it on. */
void exporter_drain(struct telemetry_state *state, int64_t now_ns);
/* Frees the handles that nothing points to any more. */
void exporter_retire(struct telemetry_state *state);
/* One round of a thread, for tests without threads; when it wants the next. */
int64_t exporter_step(struct telemetry_state *state, enum worker_id id, int64_t now_ns);
dbsql_status exporter_start(struct telemetry_state *state, enum worker_id id, dbsql_error **error);
void exporter_wake(struct telemetry_state *state, enum worker_id id);
void exporter_join(struct telemetry_state *state); /* without the lock */
/* Waits until nothing is left; with `client`, of that one. */
bool exporter_wait(struct telemetry_state *state, struct client *client, struct telemetry *handle, int64_t timeout_ms);
/* Nanoseconds since 1970 of a moment of the monotonic clock. */
int64_t exporter_unix_ns(const struct telemetry_state *state, int64_t mono_ns);
/* No thread is started: a test takes the steps. */
extern bool exporter_test_no_threads;

/* ---- sinks.c -------------------------------------------------------------------------------------------------------------- */

struct sink *sink_acquire(struct telemetry_state *state, const struct telemetry_target *target, const struct telemetry_config *config,
                          dbsql_error **error);
void sink_release(struct telemetry_state *state, struct sink *sink);
void sink_sweep(struct telemetry_state *state, bool all);
/* Queues a copy for the local sinks of its owner. */
void local_add(struct telemetry_state *state, const struct telemetry_event *event);
/* Delivers what waits for callbacks, files and the console; gives up the lock meanwhile. */
void local_deliver(struct telemetry_state *state);
/* With the lock held. */
void local_drop_all(struct telemetry_state *state);
bool sink_step(struct telemetry_state *state, int64_t now_ns, int64_t *next_ns);
size_t sink_pending(const struct telemetry_state *state);

/* ---- system.c ------------------------------------------------------------------------------------------------------------- */

void system_describe(struct telemetry_state *state);
void system_process_name(char *out, size_t size);

#endif
