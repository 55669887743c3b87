/* The command line. */
#ifndef DBSQL_WAREHOUSE_OPTIONS_H
#define DBSQL_WAREHOUSE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
  const char *host;
  uint16_t port;
  const char *token; /* NULL: one is made */
  bool no_token;
  const char *engine;
  const char *database;
  bool hive;
  bool tls;
  const char *tls_certificate, *tls_key, *tls_ca_out;
  bool listen_anywhere;
  const char *access_log;
  bool control;
  const char *control_token;
  bool exit_with_parent;
  int64_t parent_pid;
  int64_t max_request_mb, max_result_mb, max_sessions, max_operations, max_connections;
  int64_t sync_wait_ms, poll_wait_ms, idle_session_s;
};

enum options_outcome { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_BAD };
/* `*message`, of OPTIONS_BAD, is the caller's. */
enum options_outcome options_read(struct options *options, int count, char **arguments, char **message);
extern const char options_help[];

#endif
