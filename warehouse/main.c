/* dbsql-warehouse: starts, says that it is ready, and waits for the signal to end. */
#include <errno.h>
#include <openssl/rand.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include "links.h"
#include "memory.h"
#include "oidc.h"
#include "options.h"
#include "server.h"
#include "storage.h"
#include "telemetry.h"
#include "tls.h"
#include "warehouse.h"

static int fail(const char *message) {
  fprintf(stderr, "dbsql-warehouse: %s\n", message);
  return 1;
}

static char *make_token(void) {
  unsigned char bytes[16];
  char text[sizeof bytes * 2 + 1];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return NULL;
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(text + i * 2, 3, "%02x", bytes[i]);
  return wh_print("dapi%s", text); /* as personal access tokens look */
}

/* Waits for SIGINT or SIGTERM, or for the end of the process that is to be outlived by nothing. */
static void wait_for_end(const sigset_t *signals, pid_t parent) {
  for (;;) {
#if defined(__APPLE__)
    struct timespec tick = {0, 200000000};
    sigset_t pending;
    if (sigpending(&pending) == 0 && (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM))) return;
    nanosleep(&tick, NULL);
#else
    struct timespec tick = {0, 500000000};
    if (sigtimedwait(signals, NULL, &tick) > 0) return;
#endif
    (void)signals;
    if (parent && kill(parent, 0) != 0 && errno == ESRCH) return;
  }
}

static bool prepare_tls(const struct options *options, char **certificate, char **key, char **message) {
  if (!options->tls) return true;
  bool good = options->tls_certificate
                  ? tls_read_file(options->tls_certificate, certificate, message) && tls_read_file(options->tls_key, key, message)
                  : tls_make(options->host, certificate, key, message);
  return good && (!options->tls_ca_out || tls_write_file(options->tls_ca_out, *certificate, message));
}

/* The storage of CloudFetch's files, and the links to it. On failure what was made is the caller's all the same. */
static bool start_storage(const struct options *options, const char *certificate, const char *key, FILE *log, struct faults *faults,
                          struct links **links, struct storage **storage, char **message) {
  char *header = wh_copy(options->storage_header), *value = header ? strchr(header, ':') : NULL;
  if (value) *value++ = '\0';
  while (value && *value == ' ') value++;
  struct links_options settings = {.threshold = options->cloudfetch_threshold,
                                   .file_bytes = options->file_bytes,
                                   .per_page = options->links_per_page,
                                   .life_ms = options->link_life_ms,
                                   .refresh_splits = options->refresh_splits,
                                   .writer = strcmp(options->lz4_writer, "frame") == 0    ? LZ4_WRITER_FRAME
                                             : strcmp(options->lz4_writer, "frames") == 0 ? LZ4_WRITER_FRAMES
                                                                                          : LZ4_WRITER_CHECKSUMS,
                                   .prepared_folder = options->prepared_folder,
                                   .header_name = header,
                                   .header_value = value,
                                   .keep_bytes = (size_t)options->keep_links_mb << 20};
  struct storage_options http = {.host = options->host,
                                 .port = (uint16_t)options->storage_port,
                                 .url = options->storage_url,
                                 .certificate = certificate,
                                 .key = key,
                                 .connections = (unsigned)options->max_connections,
                                 .access_log = log};
  struct stat folder;
  bool good = !options->prepared_folder || (stat(options->prepared_folder, &folder) == 0 && S_ISDIR(folder.st_mode) &&
                                            access(options->prepared_folder, W_OK | X_OK) == 0);
  if (!good) {
    *message = wh_print("%s is no folder that can be written to", options->prepared_folder);
  } else if (!(*links = links_new(&settings, faults))) {
    *message = wh_copy("no random numbers can be had for a key");
  } else {
    *storage = storage_start(&http, *links, faults, message);
  }
  free(header);
  return *storage != NULL;
}

int main(int count, char **arguments) {
  struct options options;
  char *message = NULL, *token = NULL, *certificate = NULL, *key = NULL;
  struct warehouse warehouse = {0};
  struct server *server = NULL;
  struct oidc *oidc = NULL;
  struct storage *storage = NULL;
  struct faults faults;
  FILE *log = NULL, *print = NULL;
  struct telemetry telemetry;
  bool has_telemetry = false;
  int result = 1;
  bool opened = false;
  switch (options_read(&options, count, arguments, &message)) {
    case OPTIONS_HELP: return fputs(options_help, stdout) < 0 || fflush(stdout) != 0;
    case OPTIONS_VERSION: return printf("dbsql-warehouse %s\n", DBSQL_WAREHOUSE_VERSION) < 0 || fflush(stdout) != 0;
    case OPTIONS_BAD:
      fprintf(stderr, "dbsql-warehouse: %s\nTry 'dbsql-warehouse --help'.\n", message);
      free(message);
      return 2;
    case OPTIONS_RUN: break;
  }

  /* Before any thread: they all inherit the mask, and the signals wait for wait_for_end(). */
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  signal(SIGPIPE, SIG_IGN);
  pid_t parent = options.exit_with_parent ? getppid() : (pid_t)options.parent_pid;
#if defined(__linux__)
  if (options.exit_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) return 0; /* it is gone already */
  }
#endif

  faults_init(&faults);
  warehouse.plain_hive = options.hive;
  warehouse.limits = (struct warehouse_limits){.sessions = options.max_sessions,
                                               .operations = options.max_operations,
                                               .result_bytes = (size_t)options.max_result_mb << 20,
                                               .spool_folder = options.spool_folder,
                                               .spool_bytes = (size_t)options.spool_mb << 20,
                                               .sync_wait_ms = options.sync_wait_ms,
                                               .poll_wait_ms = options.poll_wait_ms,
                                               .idle_session_ms = options.idle_session_s * 1000};
  token = options.no_token ? NULL : options.token ? wh_copy(options.token) : make_token();
  if (!token && !options.no_token) {
    message = wh_copy("no random numbers can be had for a token");
    goto cleanup;
  }
  if (options.access_log) {
    log = strcmp(options.access_log, "-") == 0 ? stderr : fopen(options.access_log, "a");
    if (!log) {
      message = wh_print("cannot write the access log %s: %s", options.access_log, strerror(errno));
      goto cleanup;
    }
  }
  if (options.print_telemetry) {
    print = strcmp(options.print_telemetry, "-") == 0 ? stderr : fopen(options.print_telemetry, "a");
    if (!print) {
      message = wh_print("cannot write telemetry to %s: %s", options.print_telemetry, strerror(errno));
      goto cleanup;
    }
  }
  telemetry_init(&telemetry, (size_t)options.max_telemetry_mb << 20, print);
  has_telemetry = true;
  if (!prepare_tls(&options, &certificate, &key, &message)) goto cleanup;
  if (options.oauth) {
    struct oidc_options oauth = {.clients = options.oauth_clients,
                                 .client_keys = options.oauth_client_keys,
                                 .redirects = options.oauth_redirects,
                                 .issuers = options.trusted_issuers,
                                 .token_life_s = options.token_life_s,
                                 .refresh_life_s = options.refresh_life_s,
                                 .clock_skew_s = options.clock_skew_s,
                                 .token = token};
    oidc = oidc_new(&oauth, &message);
    if (!oidc) goto cleanup;
  }
  if (options.faults_file && !faults_read_file(&faults, options.faults_file, &message)) goto cleanup;
  if (!options.no_cloudfetch && !options.hive &&
      !start_storage(&options, certificate, key, log, &faults, &warehouse.links, &storage, &message))
    goto cleanup;
  if (!warehouse_open(&warehouse, options.engine, options.database, &message)) goto cleanup;
  opened = true;
  struct server_options http = {.host = options.host,
                                .port = options.port,
                                .token = token,
                                .certificate = certificate,
                                .key = key,
                                .request_bytes = (size_t)options.max_request_mb << 20,
                                .connections = (unsigned)options.max_connections,
                                .oidc = oidc,
                                .control = options.control,
                                .control_token = options.control_token,
                                .access_log = log,
                                .telemetry = &telemetry,
                                .faults = &faults,
                                .storage = storage};
  server = server_start(&warehouse, &http, &message);
  if (!server) goto cleanup;

  bool v6 = strchr(options.host, ':') != NULL;
  printf("dbsql-warehouse ready: %s://%s%s%s%s%s%s:%u%s\n", options.tls ? "https" : "http", token ? "token:" : "", token ? token : "",
         token ? "@" : "", v6 ? "[" : "", options.host, v6 ? "]" : "", (unsigned)server_port(server),
         options.hive ? "/cliservice" : "/sql/1.0/warehouses/local");
  if (fflush(stdout) != 0) {
    message = wh_print("cannot write to standard output: %s", strerror(errno));
    goto cleanup;
  }
  wait_for_end(&signals, parent);
  result = 0;

cleanup:
  if (message) fail(message);
  warehouse.stopping = true;
  if (opened) warehouse_stop(&warehouse);
  server_stop(server);
  storage_stop(storage);
  if (opened) warehouse_close(&warehouse);
  links_free(warehouse.links);
  faults_destroy(&faults);
  if (has_telemetry) telemetry_destroy(&telemetry);
  if (print && print != stderr) fclose(print);
  if (log && log != stderr) fclose(log);
  oidc_free(oidc);
  free(message);
  free(token);
  free(certificate);
  free(key);
  return result;
}
