#include "http/client.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "http/sigpipe.h"

enum { idle_probe_s = 60, kept_connections = 4 };

/* ---- Process-wide ------------------------------------------------------------------------------------------------------- */

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

/* Never undone: the host may use libcurl itself. */
static void global_init(void) {
  global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

dbsql_status http_global_start(dbsql_error **error) {
  pthread_once(&global_once, global_init);
  if (global_result == CURLE_OK) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "libcurl cannot start: %s", curl_easy_strerror(global_result));
}

curl_socket_t http_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)user;
  (void)purpose;
#if defined(SOCK_CLOEXEC)
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
#else
  curl_socket_t made = socket(address->family, address->socktype, address->protocol);
  if (made != CURL_SOCKET_BAD) fcntl(made, F_SETFD, FD_CLOEXEC);
  return made;
#endif
}

/* ---- What arrives, what leaves ------------------------------------------------------------------------------------------ */

static size_t take_header(char *data, size_t size, size_t count, void *user) {
  struct http_client *client = user;
  answer_header_line(&client->answer, data, size * count);
  return size * count;
}

/* Room for `more` bytes. The declared length is believed up to a bound; beyond it, memory follows what has really come. */
static bool reserve_body(struct http_client *client, size_t more) {
  enum { trusted = 16 << 20, first = 16 << 10, doubling = 64 << 20 };
  struct http_answer *answer = &client->answer;
  size_t declared = 0;
  if (answer->content_length > 0 && (uint64_t)answer->content_length <= SIZE_MAX / 2) declared = (size_t)answer->content_length;
  if (!answer->body) {
    size_t capacity = declared != 0 ? declared : first;
    if (capacity > trusted) capacity = trusted;
    if (capacity < more) capacity = more;
    answer->body = chunk_new(capacity);
    return answer->body != NULL;
  }
  size_t needed = answer->body->size + more; /* at most max_response_bytes or what has been received: no overflow */
  size_t capacity = answer->body->capacity;
  if (needed <= capacity) return true;
  size_t grown = capacity < doubling ? capacity * 2 : capacity + capacity / 2;
  if (declared >= needed && declared < grown) grown = declared;
  return chunk_grow(answer->body, grown > needed ? grown : needed) != 0;
}

/* Returning less than was given ends the transfer. */
static size_t take_body(char *data, size_t size, size_t count, void *user) {
  struct http_client *client = user;
  struct http_answer *answer = &client->answer;
  size_t length = size * count;
  if (!answer_is_success(answer)) {
    size_t room = answer_error_body_max - answer->error_body.size;
    buf_append(&answer->error_body, data, length < room ? length : room);
    if (buf_failed(&answer->error_body)) {
      client->no_memory = true;
      return 0;
    }
    return length <= room ? length : 0;
  }
  size_t have = answer->body ? answer->body->size : 0;
  size_t most = client->max_response_bytes != 0 ? client->max_response_bytes : SIZE_MAX;
  if (length > most - have || (answer->content_length > 0 && (uint64_t)answer->content_length > most)) {
    client->too_large = true;
    return 0;
  }
  if (!reserve_body(client, length)) {
    client->no_memory = true;
    return 0;
  }
  memcpy(answer->body->data + have, data, length);
  answer->body->size = have + length;
  return length;
}

static size_t give_body(char *out, size_t size, size_t count, void *user) {
  struct http_client *client = user;
  size_t length = size * count < client->unsent.size ? size * count : client->unsent.size;
  if (length != 0) memcpy(out, client->unsent.data, length);
  client->unsent = slice_of(client->unsent.data + length, client->unsent.size - length);
  return length;
}

/* libcurl sends a request again by itself if a kept-alive connection dies before the answer. Refusing to rewind prevents that for
 * requests that must not be carried out twice: only they are read through give_body(). */
static int refuse_rewind(void *user, curl_off_t offset, int origin) {
  (void)user;
  (void)offset;
  (void)origin;
  return CURL_SEEKFUNC_FAIL;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* The same for requests whose body libcurl has as a whole, and so sends in one packet with the head: they begin once. */
static int begin_once(void *user, char *our_address, char *address, int our_port, int port) {
  struct http_client *client = user;
  (void)our_address;
  (void)address;
  (void)our_port;
  (void)port;
  client->begun++;
  return client->once && client->begun > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}
#endif

/* ---- The client --------------------------------------------------------------------------------------------------------- */

#define SET(option, value)                                          \
  do {                                                              \
    CURLcode code_ = curl_easy_setopt(client->easy, option, value); \
    if (code_ != CURLE_OK) {                                        \
      failed = #option;                                             \
      code = code_;                                                 \
      goto cleanup;                                                 \
    }                                                               \
  } while (0)

/* What never changes between the requests of a client. */
static dbsql_status configure(struct http_client *client, dbsql_error **error) {
  const char *failed = NULL;
  CURLcode code = CURLE_OK;
  SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
  SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  SET(CURLOPT_COOKIEFILE, "");                       /* kept in memory, never written: for a balancer that routes by cookie (thrift.md 8) */
  SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* a proxy sees none of our headers in CONNECT */
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(CURLOPT_NOPROXY, ""); /* we decide; libcurl would read the environment */
  SET(CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_TCP_KEEPIDLE, (long)idle_probe_s);
  SET(CURLOPT_TCP_KEEPINTVL, (long)idle_probe_s);
  SET(CURLOPT_OPENSOCKETFUNCTION, http_open_socket);
  SET(CURLOPT_BUFFERSIZE, 32L * 1024L); /* allocated for each transfer: from 64 KiB on malloc() tidies up each time it is freed */
  SET(CURLOPT_ERRORBUFFER, client->curl_text);
  SET(CURLOPT_HEADERFUNCTION, take_header);
  SET(CURLOPT_HEADERDATA, (void *)client);
  SET(CURLOPT_WRITEFUNCTION, take_body);
  SET(CURLOPT_WRITEDATA, (void *)client);
  SET(CURLOPT_READFUNCTION, give_body);
  SET(CURLOPT_READDATA, (void *)client);
  SET(CURLOPT_SEEKFUNCTION, refuse_rewind);
  SET(CURLOPT_SEEKDATA, (void *)client);
#if LIBCURL_VERSION_NUM >= 0x075000
  /* An older libcurl at run time does not know it: then the body goes through give_body(). */
  client->counts_begins = curl_easy_setopt(client->easy, CURLOPT_PREREQFUNCTION, begin_once) == CURLE_OK &&
                          curl_easy_setopt(client->easy, CURLOPT_PREREQDATA, (void *)client) == CURLE_OK;
#endif
  SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(client->connect_timeout_ms > 0 ? client->connect_timeout_ms : INT32_MAX));
  if (client->user_agent) SET(CURLOPT_USERAGENT, client->user_agent);
#if LIBCURL_VERSION_NUM >= 0x075700
  /* Otherwise ending a transfer waits for a name lookup that is under way. */
  curl_easy_setopt(client->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  /* A libcurl without HTTP/2 refuses this one and goes on with HTTP/1.1. */
  curl_easy_setopt(client->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  if (curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)kept_connections) != CURLM_OK) {
    failed = "CURLMOPT_MAXCONNECTS";
    goto cleanup;
  }

cleanup:
  if (!failed) return http_tls_apply(&client->tls, false, client->easy, error);
  if (code == CURLE_OUT_OF_MEMORY) return error_no_memory(error);
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "libcurl %s does not support %s", curl_version_info(CURLVERSION_NOW)->version,
                   failed);
}

static dbsql_status check_text(const char *name, const char *value, dbsql_error **error) {
  for (const char *c = value; c && *c; c++) {
    if ((unsigned char)*c < 0x20 || *c == 0x7F) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the %s has a control character", name);
    }
  }
  return DBSQL_OK;
}

static int64_t limit_or_none(int64_t ms) {
  if (ms <= 0) return 0;
  return ms < INT32_MAX ? ms : INT32_MAX;
}

dbsql_status http_client_new(const struct http_settings *settings, struct http_client **client, dbsql_error **error) {
  *client = NULL;
  dbsql_status status = check_text("user agent", settings->user_agent, error);
  if (status != DBSQL_OK) return status;
  status = http_global_start(error);
  if (status != DBSQL_OK) return status;
  struct http_client *made = mem_alloc_zero(1, sizeof *made);
  if (!made) return error_no_memory(error);
  made->answer.content_length = -1;
  made->connect_timeout_ms = limit_or_none(settings->connect_timeout_ms);
  made->request_timeout_ms = limit_or_none(settings->request_timeout_ms);
  made->max_response_bytes = settings->max_response_bytes;
  made->retry.max = settings->retry_max > 0 ? settings->retry_max : 0;
  made->retry.min_wait_ms = settings->retry_min_wait_ms;
  made->retry.max_wait_ms = settings->retry_max_wait_ms;
  made->retry.total_ms = settings->retry_total_ms;
  made->random = (uint64_t)clock_unix_us() ^ (uint64_t)(uintptr_t)made * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t)getpid() << 48;
  if (made->random == 0) made->random = 1;
  made->log = settings->log;
  if (settings->user_agent) {
    made->user_agent = mem_strdup(settings->user_agent);
    if (!made->user_agent) {
      status = error_no_memory(error);
      goto cleanup;
    }
  }
  status = http_tls_init(&made->tls, settings, error);
  if (status != DBSQL_OK) goto cleanup;
  status = http_proxy_rules_new(settings, &made->proxies, error);
  if (status != DBSQL_OK) goto cleanup;
  made->multi = curl_multi_init();
  made->easy = curl_easy_init();
  if (!made->multi || !made->easy) {
    status = error_no_memory(error);
    goto cleanup;
  }
  status = configure(made, error);
  if (status != DBSQL_OK) goto cleanup;
  if (!made->tls.verify) {
    log_write(made->log, DBSQL_LOG_WARN, "http",
              "certificates of servers are not verified: anyone on the way can read and change everything", NULL);
  } else if (!made->tls.verify_hostname) {
    log_write(made->log, DBSQL_LOG_WARN, "http", "the names in certificates of servers are not verified", NULL);
  }
  *client = made;
  made = NULL;

cleanup:
  http_client_free(made);
  return status;
}

void http_client_free(struct http_client *client) {
  if (!client) return;
  struct sigpipe_guard guard;
  sigpipe_block(&guard); /* closing a TLS connection writes */
  curl_easy_cleanup(client->easy);
  if (client->multi) curl_multi_cleanup(client->multi);
  ERR_clear_error();
  sigpipe_restore(&guard);
  http_tls_free(&client->tls);
  http_proxy_rules_free(client->proxies);
  answer_free(&client->answer);
  mem_free(client->user_agent);
  mem_free_secret(client->url);
  mem_free(client);
}
