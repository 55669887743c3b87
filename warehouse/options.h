/* The command line. */
#ifndef DBSQL_WAREHOUSE_OPTIONS_H
#define DBSQL_WAREHOUSE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An option that may be given several times. */
enum { option_list_limit = 16 };
struct option_list {
  const char *values[option_list_limit];
  size_t count;
};

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
  const char *print_telemetry;
  int64_t max_telemetry_mb;
  bool control;
  const char *control_token;
  bool exit_with_parent;
  int64_t parent_pid;
  int64_t storage_port, cloudfetch_threshold, file_bytes, links_per_page, link_life_ms, keep_links_mb;
  int64_t spool_mb;
  const char *spool_folder;
  const char *storage_url, *storage_header, *lz4_writer, *prepared_folder, *faults_file;
  bool no_cloudfetch, refresh_splits;
  int64_t max_request_mb, max_result_mb, max_sessions, max_operations, max_connections;
  int64_t sync_wait_ms, poll_wait_ms, idle_session_s;
  bool oauth;
  struct option_list oauth_clients, oauth_client_keys, oauth_redirects, trusted_issuers;
  int64_t token_life_s, refresh_life_s, clock_skew_s;
};

enum options_outcome { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_BAD };
/* `*message`, of OPTIONS_BAD, is the caller's. */
enum options_outcome options_read(struct options *options, int count, char **arguments, char **message);
extern const char options_help[];

#endif
