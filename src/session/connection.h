/* Connections: a session on the server, its settings and whether it still lives. */
#ifndef DBSQL_SESSION_CONNECTION_H
#define DBSQL_SESSION_CONNECTION_H

#include <stdatomic.h>
#include <sys/types.h>

#include "backend/backend.h"
#include "http/http.h"
#include "result/cloudfetch.h"
#include "session/config.h"
#include "session/place.h"
#include "session/transaction.h"

struct keepalive_entry;
struct telemetry;

/* Counted: statements and results that are freed after the connection has been closed still find it. */
struct dbsql_connection {
  atomic_int refs;
  pid_t owner;          /* the process that opened it */
  dbsql_config *config; /* our own copy */
  struct authenticator *authenticator;
  struct backend *backend;
  char *host; /* for errors */
  struct cloudfetch_settings files;
  struct transfer_profile *transfers; /* NULL until a result comes as files */
  int64_t call_timeout_ms;
  atomic_bool is_open;               /* the session was opened and is not known to be gone */
  atomic_int_fast64_t used_ns;       /* when the server last heard of the session */
  struct keepalive_entry *keepalive; /* NULL if it is switched off */
  struct transaction transaction;
  struct telemetry *telemetry; /* NULL unless the user wants it */
  struct session_place place;
};

dbsql_status connection_open(const dbsql_config *config, const dbsql_call *user_call, dbsql_connection **connection, dbsql_error **error);
dbsql_status connection_close(dbsql_connection *connection, const dbsql_call *user_call, dbsql_error **error);

/* How requests travel: views into the configuration and `user_agent`. */
void connection_http_settings(const dbsql_config *config, const char *user_agent, struct http_settings *http);

dbsql_connection *connection_ref(dbsql_connection *connection);
void connection_unref(dbsql_connection *connection);

/* How to reach cloud storage; `connection` is a dbsql_connection. Made when it is first needed, and the connection's. */
dbsql_status connection_transfers(void *connection, struct transfer_profile **profile, dbsql_error **error);

/* Starts a call, and refuses it if the session is gone. */
dbsql_status connection_begin(dbsql_connection *connection, const dbsql_call *user_call, struct call *call, dbsql_error **error);
/* Ends it: puts ids, host and times into an error, and notes a lost session. Returns `status`. */
dbsql_status connection_end(dbsql_connection *connection, const struct call *call, const char *query_id, dbsql_status status,
                            dbsql_error **error);

#endif
