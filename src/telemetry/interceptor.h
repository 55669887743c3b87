/*
 * What the driver sees of telemetry: it reports what it does, and knows nothing of what becomes of it.
 *
 * A connection whose user wants no telemetry has a NULL handle, and everything here does nothing. Otherwise recording takes no lock,
 * allocates nothing, waits for nobody and cannot fail; an error of telemetry's own is counted, never shown. A connection's handle and
 * statements are used by one thread at a time, as the connection is; telemetry_chunk(), telemetry_retried() and telemetry_operation() may
 * be called from any.
 */
#ifndef DBSQL_TELEMETRY_INTERCEPTOR_H
#define DBSQL_TELEMETRY_INTERCEPTOR_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/shared.h"
#include "http/http.h"
#include "telemetry/config.h"
#include "telemetry/errors.h"
#include "telemetry/tags.h"

struct telemetry;

/* ---- A connection -------------------------------------------------------------------------------------------------------- */

/* Where a connection's records go and with whose rights. */
struct telemetry_target {
  const char *origin; /* "https://HOST:PORT" */
  const char *org_id; /* "" if there is none */
  /* How to reach it. Kept as it is: its texts live as long as `owner`. Time limits and retries are telemetry's own. */
  struct http_settings http;
  /* Makes the Authorization header from what is at hand or can be had without a human; called on a thread of the library's. NULL:
   * there are no credentials. */
  dbsql_status (*authorize)(void *user, const struct call *call, struct buf *value, dbsql_error **error);
  void *authorize_user;
  struct shared *owner; /* keeps the above alive: one more owner as long as something may be sent; may be NULL */
  /* Whether two owners stand for the same credentials and the same way to the host, so that records may travel together. NULL:
   * only if they are one. */
  bool (*same)(struct shared *a, struct shared *b);
  struct tag_connection tags;        /* texts are copied */
  dbsql_telemetry_function callback; /* may be NULL */
  void *callback_user;
  const struct log *log; /* copied */
  bool no_vendor;        /* the host is no workspace: only the user's own sinks */
};

/* `*telemetry` is NULL if nothing is wanted. Fails only if memory is short. */
dbsql_status telemetry_open(const struct telemetry_target *target, const struct telemetry_config *config, struct telemetry **telemetry,
                            dbsql_error **error);
/* Ends what is unfinished and takes no more. The last connection to a host waits for what is left, at most its close_timeout_ms.
 * Afterwards no callback is made. NULL is allowed. */
void telemetry_close(struct telemetry *telemetry);
/* After telemetry_close(): nobody records any more. NULL is allowed. */
void telemetry_free(struct telemetry *telemetry);

/* Writes the trace parent for the server's requests; false if there is none to send. */
bool telemetry_trace_parent(const struct telemetry *telemetry, char out[trace_parent_size]);

/* ---- Statements ---------------------------------------------------------------------------------------------------------- */

/* Lies in the driver's own object. Nothing of it is for others to touch. */
struct telemetry_statement {
  struct telemetry *owner; /* NULL: not recorded */
  struct telemetry_statement *next, **link;
  int64_t started_ns;
  int64_t executed_ns; /* 0: not yet; this and what follows begin as zeros */
  int64_t first_fetch_ns, last_row_ns;
  int64_t ready_ns;
  int64_t poll_ns;
  int64_t rows;
  atomic_int_fast64_t chunk_first_ms, chunk_slowest_ms, chunk_sum_ms, bytes, retries, failed_chunk;
  int32_t poll_count;
  atomic_int chunks, chunks_present;
  uint8_t operation, type, format, compressed, internal, volume, category;
  bool local_only;
  uint8_t id[16];
  bool has_parent; /* of the next */
  struct trace_parent parent;
  /* Of an error. */
  int32_t http_status, vendor_code;
  char sqlstate[8];
};

void telemetry_begin_recording(struct telemetry *telemetry, struct telemetry_statement *statement, uint8_t operation, uint8_t type);
void telemetry_end_recording(struct telemetry_statement *statement);

/* Before a statement or metadata call is sent: enum tag_operation_type, enum tag_statement_type. */
static inline void telemetry_before_execute(struct telemetry *telemetry, struct telemetry_statement *statement, uint8_t operation,
                                            uint8_t type) {
  if (!telemetry) {
    statement->owner = NULL;
    return;
  }
  telemetry_begin_recording(telemetry, statement, operation, type);
}
/* Its end, whichever comes first: failure, the last row, the result's release. The first one counts. */
static inline void telemetry_after_execute(struct telemetry_statement *statement) {
  if (statement->owner) telemetry_end_recording(statement);
}

/* The rest does nothing if the statement is not recorded. */
void telemetry_move(struct telemetry_statement *to, struct telemetry_statement *from);
/* It is told to the user's own sinks only; `parent` (may be NULL) is its own trace parent. */
void telemetry_opt_out(struct telemetry_statement *statement);
void telemetry_set_parent(struct telemetry_statement *statement, const struct trace_parent *parent);
void telemetry_set_id(struct telemetry_statement *statement, const uint8_t id[16]);
void telemetry_set_internal(struct telemetry_statement *statement, bool internal);
void telemetry_set_volume(struct telemetry_statement *statement, uint8_t volume_operation);
void telemetry_polled(struct telemetry_statement *statement, int64_t took_ns);
/* The same for several. */
void telemetry_polls(struct telemetry_statement *statement, int32_t count, int64_t took_ns);
/* Execution is over: what comes now is reading. The first call counts. */
void telemetry_executed(struct telemetry_statement *statement);
/* The first rows are there, and what they look like: enum tag_execution_result. */
void telemetry_ready(struct telemetry_statement *statement, uint8_t format, bool compressed);
void telemetry_fetching(struct telemetry_statement *statement);
/* A page or file has come. A latency of 0 is none. */
void telemetry_chunk(struct telemetry_statement *statement, int64_t took_ns, int64_t bytes);
/* What was counted elsewhere. */
struct telemetry_chunks {
  int64_t present, iterated, bytes, retries;
  int64_t first_ns, slowest_ns, sum_ns;
};
void telemetry_add_chunks(struct telemetry_statement *statement, const struct telemetry_chunks *chunks);
void telemetry_chunk_failed(struct telemetry_statement *statement, int64_t chunk_id);
void telemetry_chunks_present(struct telemetry_statement *statement, int32_t count);
void telemetry_retried(struct telemetry_statement *statement, int64_t count);
void telemetry_read_rows(struct telemetry_statement *statement, int64_t count);
void telemetry_last_row(struct telemetry_statement *statement);
/* The first error of a statement counts. DBSQL_OK is none. */
void telemetry_failed(struct telemetry_statement *statement, dbsql_status status, const dbsql_error *error, enum error_place place);
/* The statement was closed on the server: a record of its own only if it failed, took over a second, or is always wanted. */
void telemetry_statement_closed(struct telemetry *telemetry, const uint8_t id[16], int64_t started_ns, dbsql_status status,
                                const dbsql_error *error);

/* ---- Everything else ----------------------------------------------------------------------------------------------------- */

/* Something that has been done since `started_ns`: opening and closing the session, cancelling, transactions. `id` may be NULL. */
void telemetry_operation(struct telemetry *telemetry, uint8_t operation, const uint8_t *id, int64_t started_ns, bool internal,
                         dbsql_status status, const dbsql_error *error, enum error_place place);
/* An error that belongs to no statement. */
void telemetry_error(struct telemetry *telemetry, dbsql_status status, const dbsql_error *error, enum error_place place);

/* When something begins, for the above: costs nothing without telemetry. */
static inline int64_t telemetry_now(const struct telemetry *telemetry) {
  return telemetry ? clock_now_ns() : 0;
}

/* ---- The process --------------------------------------------------------------------------------------------------------- */

/* Waits until all that has been recorded has been sent or given up, at most so long; false if time ran out. */
bool telemetry_flush(int64_t timeout_ms);
/* The same, and ends the library's threads; what is recorded afterwards is not taken. Connections stay usable. */
bool telemetry_shutdown(int64_t timeout_ms);

#endif
