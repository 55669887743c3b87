#include "options.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"
#include "memory.h"

const char options_help[] =
    "Usage: dbsql-warehouse [OPTION]...\n"
    "A local warehouse that speaks the wire of Databricks SQL, over an embedded SQL engine.\n"
    "\n"
    "When it is ready it prints one line, from which any client can be connected:\n"
    "  dbsql-warehouse ready: http://token:TOKEN@127.0.0.1:PORT/sql/1.0/warehouses/local\n"
    "It ends, with everything it runs, on SIGINT and SIGTERM.\n"
    "\n"
    "Listening:\n"
    "      --host ADDRESS          IP address to listen at (default 127.0.0.1)\n"
    "      --port PORT             default 8123; 0 takes any that is free\n"
    "      --listen-anywhere       allow an address that other machines can reach (needs --tls and a token)\n"
    "      --tls                   HTTPS, with a certificate made for this run unless one is given\n"
    "      --tls-cert FILE         certificate, PEM\n"
    "      --tls-key FILE          its key, PEM\n"
    "      --tls-ca-out FILE       write the certificate that clients are to trust there\n"
    "Access:\n"
    "      --token TOKEN           personal access token that clients must send (default: one made for this run)\n"
    "      --no-token              let everybody in that can connect (with --oauth: only OAuth's tokens count)\n"
    "      --access-log FILE       one line a request; - is standard error\n"
    "      --print-telemetry FILE  the telemetry that is received, to read; - is standard error\n"
    "OAuth (docs/warehouse.md):\n"
    "      --oauth                 serve OAuth, and take its tokens beside the personal access token\n"
    "      --oauth-client ID:SECRET        a service principal with its secret; this and the next three may be repeated\n"
    "      --oauth-client-key ID:FILE.pem  a service principal with the public key of its assertions\n"
    "      --oauth-redirect ID:URI         a loopback address where ID may get codes; without a port any port will do\n"
    "      --trusted-issuer URL:FILE.json  exchange tokens of this issuer, which the keys in the file have signed\n"
    "      --token-life-s N        how long access tokens live (default 3600)\n"
    "      --refresh-life-s N      how long refresh tokens live (default 86400)\n"
    "      --clock-skew-s N        by how much the clock of OAuth is fast, or slow if negative (default 0)\n"
    "Engine:\n"
    "      --engine PATH           ADBC driver (default: DBSQL_ENGINE, else libduckdb.so of the system or of .deps/)\n"
    "      --database FILE         database file (default: in memory, gone at the end)\n"
    "CloudFetch (docs/warehouse.md):\n"
    "      --no-cloudfetch         send all results inline\n"
    "      --cloudfetch-threshold BYTES    send results of so many bytes, decompressed, as files (default 4194304; 0: all)\n"
    "      --file-bytes N          of a file at most, decompressed (default: what the client says, else 20971520)\n"
    "      --links-per-page N      at most so many links in one answer (default 32)\n"
    "      --link-life-ms N        how long a link can be used (default 900000)\n"
    "      --keep-links-mb N       how much of closed results is kept for links that still live (default 1024)\n"
    "      --refresh-splits        links that are got again lead to smaller files\n"
    "      --lz4-writer FORM       frame: one LZ4 frame a file; frames (default): one a message; checksums: the same with checksums\n"
    "      --storage-port PORT     of the files (default 0: any that is free)\n"
    "      --storage-url URL       what links begin with (default: the address that the warehouse listens at, with that port)\n"
    "      --storage-require-header NAME:VALUE     a header that links ask for, and that downloads must send\n"
    "      --prepared-dir DIR      write the files there when the statement ends, and serve those (default: make them when fetched)\n"
    "Behaviour:\n"
    "      --mode MODE             databricks (default), or hive: a plain HiveServer2, also at /cliservice\n"
    "      --sync-wait-ms N        how long an execute waits before it answers that the statement runs (default 5000)\n"
    "      --poll-wait-ms N        how long a status call waits for an end (default 1000)\n"
    "      --idle-session-s N      close sessions not used for so long (default 0: never)\n"
    "      --max-request-mb N      largest request (default 256)\n"
    "      --max-telemetry-mb N    received telemetry that is kept; the oldest goes (default 64)\n"
    "      --max-result-mb N       largest result, in memory (default 4096)\n"
    "      --spool-dir DIR         keep large results in a file there, which has no name, instead of in memory\n"
    "      --spool-mb N            those that take more than this (default 64)\n"
    "      --max-sessions N        default 1000\n"
    "      --max-operations N      open statements of a session (default 1000)\n"
    "      --max-connections N     default 1000\n"
    "      --control               serve /control/faults and /control/stats, to this machine only\n"
    "      --faults FILE           arm the faults in this file, a JSON array\n"
    "      --control-token TOKEN   the same, to whoever sends this token\n"
    "      --exit-with-parent      end when the process that started this one does\n"
    "      --parent-pid PID        end when that process does\n"
    "Other:\n"
    "      --help, --version\n";

enum kind { TEXT, FLAG, NUMBER, LIST };

static bool is_loopback(const char *host) {
  struct in_addr in;
  struct in6_addr in6;
  if (inet_pton(AF_INET, host, &in) == 1) return ntohl(in.s_addr) >> 24 == 127;
  return inet_pton(AF_INET6, host, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6);
}

static bool is_header(const char *text) {
  size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
  return name > 0 && text[name] == ':' && !strpbrk(text, "\r\n");
}

static enum options_outcome check(const struct options *options, const char *mode, char **message) {
  if (strcmp(mode, "databricks") != 0 && strcmp(mode, "hive") != 0) {
    *message = wh_print("--mode is databricks or hive, not '%s'", mode);
  } else if (strcmp(options->lz4_writer, "frame") != 0 && strcmp(options->lz4_writer, "frames") != 0 &&
             strcmp(options->lz4_writer, "checksums") != 0) {
    *message = wh_print("--lz4-writer is frame, frames or checksums, not '%s'", options->lz4_writer);
  } else if (options->storage_header && !is_header(options->storage_header)) {
    *message = wh_print("--storage-require-header is NAME:VALUE, not '%s'", options->storage_header);
  } else if (options->storage_url && strncmp(options->storage_url, "http://", 7) != 0 &&
             strncmp(options->storage_url, "https://", 8) != 0) {
    *message = wh_print("--storage-url begins with http:// or https://, not '%s'", options->storage_url);
  } else if ((strcmp(options->host, "0.0.0.0") == 0 || strcmp(options->host, "::") == 0) && !options->storage_url &&
             !options->no_cloudfetch) {
    *message = wh_print("links to '%s' would lead nowhere: it needs --storage-url or --no-cloudfetch", options->host);
  } else if (!options->tls_certificate != !options->tls_key) {
    *message = wh_copy("--tls-cert and --tls-key go together");
  } else if (options->tls_ca_out && !options->tls) {
    *message = wh_copy("--tls-ca-out needs --tls");
  } else if (options->token && (!*options->token || strpbrk(options->token, " \t\r\n@/:?#%"))) {
    *message = wh_copy("--token must not be empty, and must not hold spaces or any of @ / : ? # %");
  } else if (options->token && options->no_token) {
    *message = wh_copy("--token and --no-token contradict each other");
  } else if (!options->oauth &&
             (options->oauth_clients.count || options->oauth_client_keys.count || options->oauth_redirects.count ||
              options->trusted_issuers.count || options->token_life_s || options->refresh_life_s || options->clock_skew_s)) {
    *message = wh_copy("the options of OAuth need --oauth");
  } else if (!is_loopback(options->host) && (!options->listen_anywhere || !options->tls || (options->no_token && !options->oauth))) {
    *message = wh_print("'%s' can be reached from other machines: that needs --listen-anywhere, --tls and a token", options->host);
  } else {
    return OPTIONS_RUN;
  }
  return OPTIONS_BAD;
}

enum options_outcome options_read(struct options *options, int count, char **arguments, char **message) {
  const char *mode = "databricks";
  int64_t port = 8123;
  *options = (struct options){.host = "127.0.0.1",
                              .cloudfetch_threshold = INT64_C(4) << 20,
                              .links_per_page = 32,
                              .spool_mb = 64,
                              .link_life_ms = 900000,
                              .keep_links_mb = 1024,
                              .lz4_writer = "frames",
                              .max_telemetry_mb = 64,
                              .max_request_mb = 256,
                              .max_result_mb = 4096,
                              .max_sessions = 1000,
                              .max_operations = 1000,
                              .max_connections = 1000,
                              .sync_wait_ms = 5000,
                              .poll_wait_ms = 1000};
  const struct {
    const char *name;
    enum kind kind;
    void *value;
    int64_t low, high;
  } known[] = {
      {"--host", TEXT, &options->host, 0, 0},
      {"--port", NUMBER, &port, 0, 65535},
      {"--token", TEXT, &options->token, 0, 0},
      {"--no-token", FLAG, &options->no_token, 0, 0},
      {"--engine", TEXT, &options->engine, 0, 0},
      {"--database", TEXT, &options->database, 0, 0},
      {"--mode", TEXT, &mode, 0, 0},
      {"--tls", FLAG, &options->tls, 0, 0},
      {"--tls-cert", TEXT, &options->tls_certificate, 0, 0},
      {"--tls-key", TEXT, &options->tls_key, 0, 0},
      {"--tls-ca-out", TEXT, &options->tls_ca_out, 0, 0},
      {"--listen-anywhere", FLAG, &options->listen_anywhere, 0, 0},
      {"--access-log", TEXT, &options->access_log, 0, 0},
      {"--print-telemetry", TEXT, &options->print_telemetry, 0, 0},
      {"--control", FLAG, &options->control, 0, 0},
      {"--control-token", TEXT, &options->control_token, 0, 0},
      {"--exit-with-parent", FLAG, &options->exit_with_parent, 0, 0},
      {"--parent-pid", NUMBER, &options->parent_pid, 1, INT32_MAX},
      {"--no-cloudfetch", FLAG, &options->no_cloudfetch, 0, 0},
      {"--cloudfetch-threshold", NUMBER, &options->cloudfetch_threshold, 0, INT64_C(1) << 50},
      {"--file-bytes", NUMBER, &options->file_bytes, 1, INT64_C(1) << 30},
      {"--links-per-page", NUMBER, &options->links_per_page, 1, 100000},
      {"--link-life-ms", NUMBER, &options->link_life_ms, 0, INT64_C(604800000)},
      {"--keep-links-mb", NUMBER, &options->keep_links_mb, 0, INT64_C(1) << 24},
      {"--refresh-splits", FLAG, &options->refresh_splits, 0, 0},
      {"--lz4-writer", TEXT, &options->lz4_writer, 0, 0},
      {"--storage-port", NUMBER, &options->storage_port, 0, 65535},
      {"--storage-url", TEXT, &options->storage_url, 0, 0},
      {"--storage-require-header", TEXT, &options->storage_header, 0, 0},
      {"--prepared-dir", TEXT, &options->prepared_folder, 0, 0},
      {"--faults", TEXT, &options->faults_file, 0, 0},
      {"--sync-wait-ms", NUMBER, &options->sync_wait_ms, 0, 3600000},
      {"--poll-wait-ms", NUMBER, &options->poll_wait_ms, 0, 600000},
      {"--idle-session-s", NUMBER, &options->idle_session_s, 0, 31536000},
      {"--oauth", FLAG, &options->oauth, 0, 0},
      {"--oauth-client", LIST, &options->oauth_clients, 0, 0},
      {"--oauth-client-key", LIST, &options->oauth_client_keys, 0, 0},
      {"--oauth-redirect", LIST, &options->oauth_redirects, 0, 0},
      {"--trusted-issuer", LIST, &options->trusted_issuers, 0, 0},
      {"--token-life-s", NUMBER, &options->token_life_s, 1, 31536000},
      {"--refresh-life-s", NUMBER, &options->refresh_life_s, 1, 31536000},
      {"--clock-skew-s", NUMBER, &options->clock_skew_s, -31536000, 31536000},
      {"--max-request-mb", NUMBER, &options->max_request_mb, 1, 2047},
      {"--max-telemetry-mb", NUMBER, &options->max_telemetry_mb, 1, INT64_C(1) << 24},
      {"--max-result-mb", NUMBER, &options->max_result_mb, 1, INT64_C(1) << 24},
      {"--spool-dir", TEXT, &options->spool_folder, 0, 0},
      {"--spool-mb", NUMBER, &options->spool_mb, 0, INT64_C(1) << 24},
      {"--max-sessions", NUMBER, &options->max_sessions, 1, 1000000},
      {"--max-operations", NUMBER, &options->max_operations, 1, 1000000},
      {"--max-connections", NUMBER, &options->max_connections, 1, 100000},
  };
  *message = NULL;
  for (int i = 1; i < count; i++) {
    const char *argument = arguments[i];
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) return OPTIONS_HELP;
    if (strcmp(argument, "--version") == 0) return OPTIONS_VERSION;
    size_t length = strcspn(argument, "=");
    size_t o = 0, all = sizeof known / sizeof *known;
    while (o < all && (strlen(known[o].name) != length || strncmp(known[o].name, argument, length) != 0)) o++;
    if (o == all) {
      *message = wh_print("there is no option '%.*s'", (int)length, argument);
      return OPTIONS_BAD;
    }
    const char *value = argument[length] ? argument + length + 1 : NULL;
    if (known[o].kind == FLAG) {
      if (value) {
        *message = wh_print("%s takes no value", known[o].name);
        return OPTIONS_BAD;
      }
      *(bool *)known[o].value = true;
      continue;
    }
    if (!value && i + 1 < count) value = arguments[++i];
    if (!value) {
      *message = wh_print("%s needs a value", known[o].name);
      return OPTIONS_BAD;
    }
    if (known[o].kind == LIST) {
      struct option_list *list = known[o].value;
      if (list->count == option_list_limit) {
        *message = wh_print("%s can be given %d times at most", known[o].name, option_list_limit);
        return OPTIONS_BAD;
      }
      list->values[list->count++] = value;
      continue;
    }
    if (known[o].kind == TEXT) {
      *(const char **)known[o].value = value;
      continue;
    }
    int64_t number = 0;
    if (!text_parse_int64(value, strlen(value), &number) || number < known[o].low || number > known[o].high) {
      *message = wh_print("%s must be a whole number from %lld to %lld, not '%s'", known[o].name, (long long)known[o].low,
                          (long long)known[o].high, value);
      return OPTIONS_BAD;
    }
    *(int64_t *)known[o].value = number;
  }
  if (options->tls_certificate) options->tls = true;
  if (options->control_token) options->control = true;
  options->port = (uint16_t)port;
  options->hive = strcmp(mode, "hive") == 0;
  if (check(options, mode, message) != OPTIONS_RUN) return OPTIONS_BAD;
  if (!options->token_life_s) options->token_life_s = 3600;
  if (!options->refresh_life_s) options->refresh_life_s = 86400;
  return OPTIONS_RUN;
}
