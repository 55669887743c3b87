/*
 * The warehouse: its sessions and operations, and what they share.
 *
 * Locks: `warehouse.lock` is over the tables of sessions and operations and their reference counts; `session.lock` over its queue;
 * `operation.lock` over the state of the operation. Taken in this order, never the other way round. What a session's worker alone uses
 * (the connection, catalog, schema, settings) needs no lock.
 */
#ifndef DBSQL_WAREHOUSE_WAREHOUSE_H
#define DBSQL_WAREHOUSE_WAREHOUSE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine.h"
#include "failure.h"
#include "history.h"
#include "result.h"

enum { guid_size = 16, guid_text_size = 40 };

/* What identifies a session or an operation. The secret is compared in constant time and never shown. */
struct handle {
  uint8_t guid[guid_size];
  uint8_t secret[guid_size];
  char text[guid_text_size];
};

struct warehouse_limits {
  int64_t sessions;
  int64_t operations;       /* open ones, of a session */
  size_t result_bytes;      /* of one result */
  const char *spool_folder; /* larger ones than this are kept in a file there; NULL: in memory */
  size_t spool_bytes;
  int64_t sync_wait_ms;    /* how long an execute waits for its end before it answers that it is running */
  int64_t poll_wait_ms;    /* how long a status call waits for a change */
  int64_t idle_session_ms; /* 0: never */
};

struct session;
struct table_version;
struct operation;
struct links;

enum { warehouse_buckets = 256 };

struct warehouse {
  struct engine *engine;
  struct warehouse_limits limits;
  bool plain_hive;
  bool persistent;     /* the database is a file */
  struct links *links; /* of results that go by CloudFetch; NULL: none does (links.h) */
  pthread_mutex_t lock;
  pthread_cond_t reaper_wake;
  pthread_t reaper;
  bool has_reaper;
  atomic_bool stopping;
  struct session *sessions[warehouse_buckets];
  struct operation *operations[warehouse_buckets];
  int64_t session_count;
  int64_t operation_count;
  atomic_int_fast64_t sessions_opened, statements, calls;
  /* Who has written what since (transaction.c). */
  pthread_mutex_t commit_lock;
  struct table_version *versions;
  int64_t commits;
  struct history history;
};

/* Opens the engine and attaches the database: a file, or NULL for one in memory. On failure false; `*message` is the caller's. */
bool warehouse_open(struct warehouse *warehouse, const char *engine, const char *database, char **message);
/* Nothing waits any longer; statements that run are cancelled. From any thread. */
void warehouse_stop(struct warehouse *warehouse);
/* Closes all sessions. No call may be under way. */
void warehouse_close(struct warehouse *warehouse);

/* ---- Sessions --------------------------------------------------------------------------------------------------------------------- */

struct setting {
  char *key;
  char *value;
};

/* Of transactions over several statements (thrift.md 9.1). */
enum transaction { TRANSACTION_AUTO, TRANSACTION_IDLE, TRANSACTION_ACTIVE, TRANSACTION_ABORTED };

struct session {
  struct handle handle;
  struct warehouse *warehouse;
  struct session *next; /* in its bucket */
  int refs;
  int64_t protocol;
  bool plain_hive;
  int64_t operation_count;
  atomic_int_fast64_t last_used_ns;

  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t worker;
  struct operation *queue_first, *queue_last;
  struct operation *running;
  bool closing;

  /* The worker's. */
  struct engine_connection *connection;
  char *catalog; /* as clients name it */
  char *schema;
  char *zone;
  struct setting *settings;
  size_t setting_count;
  atomic_int transaction;           /* enum transaction; the control endpoint reads it */
  atomic_bool explicit_transaction; /* by BEGIN, with autocommit on */
  bool has_snapshot;
  int64_t snapshot;   /* the number of the commit that it sees as the last */
  struct buf written; /* names of the tables that the transaction has written, each ended by a zero */
};

/* What OpenSession asks for. Texts may be NULL. */
struct session_request {
  int64_t protocol;
  const char *catalog;
  const char *schema;
  const struct setting *settings;
  size_t setting_count;
};
/* One reference, the caller's. NULL on failure. */
struct session *session_open(struct warehouse *warehouse, const struct session_request *request, struct failure *failure);
/* One reference, or NULL. */
struct session *session_find(struct warehouse *warehouse, struct slice guid, struct slice secret);
void session_unref(struct session *session);
/* Takes it out of the table, cancels what it runs and waits for its end. */
void session_close(struct session *session);
/* The value of a setting, or NULL. The worker's. */
const char *session_setting(const struct session *session, const char *key);
void session_set(struct session *session, const char *key, const char *value);
void session_unset(struct session *session, const char *key);
/* USE: checks that it exists, and makes it the current one. The worker's. */
bool session_use(struct session *session, const char *catalog, const char *schema, struct failure *failure);
/* One statement of the engine, without rows. The worker's. */
bool session_execute(struct session *session, const char *sql, struct failure *failure);
bool session_set_zone(struct session *session, const char *zone, struct failure *failure);

/* The engine's catalogs have other names where Databricks' are reserved there. */
const char *catalog_to_engine(const char *catalog);
const char *catalog_from_engine(const char *catalog);
#define WAREHOUSE_CATALOG "main"
#define WAREHOUSE_ENGINE_CATALOG "dbsql_main"
#define WAREHOUSE_SCHEMA "default"
/* Holds the functions that the engine lacks, and is not shown. */
#define WAREHOUSE_HIDDEN_CATALOG "memory"

/* ---- Operations ------------------------------------------------------------------------------------------------------------------- */

struct parameter; /* parameters.h */

struct operation_request {
  int32_t type; /* enum TOperationType */
  struct result_shape shape;
  int64_t row_limit;  /* 0: none */
  int64_t file_bytes; /* of CloudFetch's files; 0: as the warehouse wants */
  int64_t timeout_ms; /* 0: none */
  bool metadata_call;
  int call; /* enum tcli_method, of a metadata call */
  bool has_direct_results;
  int64_t direct_rows, direct_bytes;
  bool asynchronous;
  /* A statement, with its parameters... */
  char *sql;
  char *fails_with; /* the class that it fails with, whatever it is (a fault); NULL: none */
  struct parameter *parameters;
  size_t parameter_count;
  struct setting *overlay;
  size_t overlay_count;
  /* ... or a metadata call: catalog, schema, name, column; six for cross references. NULL is no filter. */
  char *patterns[6];
  char **table_types;
  size_t table_type_count;
};

struct operation {
  struct handle handle;
  struct session *session;
  struct operation *next;       /* in its bucket */
  struct operation *queue_next; /* of the session */
  int refs;
  struct operation_request request;

  pthread_mutex_t lock;
  pthread_cond_t changed;
  int32_t state; /* enum TOperationState */
  atomic_bool cancelled;
  atomic_bool timed_out;
  int64_t deadline_ns; /* 0: none */
  int64_t started_ms, completed_ms;
  /* Of its end; not changed any more then. */
  struct failure failure;
  struct result result;
  bool has_result;
  int64_t modified_rows; /* -1: none */
  int64_t next_row;      /* of the next FETCH_NEXT */
};

/* Queues it with the session's worker. `request` is moved, also on failure. One reference, the caller's. NULL: a limit. */
struct operation *operation_start(struct session *session, struct operation_request *request, struct failure *failure);
/* Waits until it has ended, or `ms` have passed, or the warehouse stops. Returns the state. */
int32_t operation_wait(struct operation *operation, int64_t ms);
bool operation_state_is_final(int32_t state);
struct operation *operation_find(struct warehouse *warehouse, struct slice guid, struct slice secret);
void operation_cancel(struct operation *operation);
/* Takes it out of the table, and cancels it if it runs. The result goes with the last reference. */
void operation_close(struct operation *operation);
void operation_unref(struct operation *operation);
void operation_request_free(struct operation_request *request);

/* What the worker calls: runs the operation and fills in its end. (execute.c, metadata.c) */
bool execute_operation(struct operation *operation, struct failure *failure);
bool metadata_operation(struct operation *operation, struct failure *failure);

#endif
