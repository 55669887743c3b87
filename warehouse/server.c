#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "faulty.h"
#include "memory.h"
#include "oidc_http.h"
#include "service.h"
#include "storage.h"
#include "telemetry_http.h"
#include "thrift/tcli.h"
#include "transaction.h"

#if MHD_VERSION < 0x00097002
typedef int mhd_result;
#else
typedef enum MHD_Result mhd_result;
#endif

struct server {
  struct warehouse *warehouse;
  struct server_options options;
  struct MHD_Daemon *daemon;
  struct faults *faults; /* borrowed */
  pthread_mutex_t log_lock;
  atomic_int_fast64_t requests;
  uint16_t port;
};

/* One request, from its header to its end. */
struct exchange {
  struct buf body;
  bool too_large;
  int64_t started_ns;
  char request_id[guid_text_size];
  struct service_call call;
  const char *fault;
  struct fault taken;
};

/* ---- Answers ----------------------------------------------------------------------------------------------------------------------------
 */

static void log_access(struct server *server, struct MHD_Connection *connection, const struct exchange *exchange, const char *method,
                       const char *url, int status, size_t bytes) {
  if (!server->options.access_log) return;
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  char peer[INET6_ADDRSTRLEN] = "-", when[32];
  if (info && info->client_addr->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, info->client_addr, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, peer, sizeof peer);
  } else if (info && info->client_addr->sa_family == AF_INET6) {
    struct sockaddr_in6 in;
    memcpy(&in, info->client_addr, sizeof in);
    inet_ntop(AF_INET6, &in.sin6_addr, peer, sizeof peer);
  }
  int64_t now = clock_unix_us();
  time_t seconds = (time_t)(now / 1000000);
  struct tm parts;
  gmtime_r(&seconds, &parts);
  strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &parts);
  const char *code = exchange->call.status < 0 ? "-" : TStatusCode_name(exchange->call.status);
  pthread_mutex_lock(&server->log_lock);
  fprintf(server->options.access_log, "%s.%03dZ %s %s %s %d %zu %.1fms %s %s %s%s%s\n", when, (int)(now / 1000 % 1000), peer, method, url,
          status, bytes, (double)(clock_now_ns() - exchange->started_ns) / 1e6, exchange->call.method[0] ? exchange->call.method : "-",
          code ? code : "-", exchange->request_id, exchange->fault ? " fault=" : "", exchange->fault ? exchange->fault : "");
  fflush(server->options.access_log);
  pthread_mutex_unlock(&server->log_lock);
}

/* The workspace that a path names (thrift.md 1.3), for the header that tells it. */
static void org_of(struct MHD_Connection *connection, const char *url, char out[32]) {
  static const char prefix[] = "/sql/protocolv1/o/";
  const char *digits = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "o");
  size_t length = 0;
  if (!digits && strncmp(url, prefix, sizeof prefix - 1) == 0) digits = url + sizeof prefix - 1;
  if (digits) {
    while (length < 31 && text_is_digit(digits[length])) length++;
    memcpy(out, digits, length);
  }
  out[length] = '\0';
  if (length == 0) memcpy(out, "1", 2);
}

static mhd_result send_response(struct server *server, struct MHD_Connection *connection, struct exchange *exchange, const char *method,
                                const char *url, int status, const char *content_type, struct MHD_Response *response, size_t bytes) {
  if (!response) return MHD_NO;
  char org[32];
  MHD_add_response_header(response, "Content-Type", content_type);
  MHD_add_response_header(response, "x-request-id", exchange->request_id);
  MHD_add_response_header(response, "server", "databricks");
  if (status == 200) {
    org_of(connection, url, org);
    MHD_add_response_header(response, "x-databricks-org-id", org);
  }
  mhd_result result = MHD_queue_response(connection, (unsigned)status, response);
  MHD_destroy_response(response);
  log_access(server, connection, exchange, method, url, status, bytes);
  return result;
}

static mhd_result send_text(struct server *server, struct MHD_Connection *connection, struct exchange *exchange, const char *method,
                            const char *url, int status, const char *content_type, const char *text, const char *const *headers) {
  size_t size = strlen(text);
  struct MHD_Response *response = MHD_create_response_from_buffer(size, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
  for (; response && headers && *headers; headers += 2) {
    if (headers[1][0]) MHD_add_response_header(response, headers[0], headers[1]);
  }
  return send_response(server, connection, exchange, method, url, status, content_type, response, size);
}

#define JSON_TYPE "application/json; charset=utf-8"

/* As the gateway in front of a real warehouse says it. */
static mhd_result send_error(struct server *server, struct MHD_Connection *connection, struct exchange *exchange, const char *method,
                             const char *url, int status, const char *code, const char *message, const struct fault *fault) {
  const char *const headers[] = {"x-databricks-reason-phrase",
                                 message,
                                 "www-authenticate",
                                 status == 401 ? "Bearer realm=\"DatabricksRealm\"" : "",
                                 "vary",
                                 "Accept-Encoding",
                                 "Retry-After",
                                 fault ? fault->retry_after : "",
                                 "X-Thriftserver-Error-Message",
                                 fault ? fault->message : "",
                                 NULL};
  json_t *json = json_object();
  char *text = wh_print("%s [ReqId: %s]", message, exchange->request_id);
  json_object_set_new(json, "error_code", code ? json_string(code) : json_integer(status));
  json_object_set_new(json, "message", json_string(text));
  char *body = json_dumps(json, JSON_COMPACT);
  mhd_result result = send_text(server, connection, exchange, method, url, status, JSON_TYPE, body ? body : "{}", headers);
  free(body);
  free(text);
  json_decref(json);
  return result;
}

/* ---- Thrift
 * ------------------------------------------------------------------------------------------------------------------------------- */

static const char *status_text(int status) {
  switch (status) {
    case 400: return "Bad request.";
    case 401: return "Credential was not sent or was of an unsupported type for this API.";
    case 403: return "Invalid access token.";
    case 404: return "The warehouse does not exist.";
    case 408: return "Request timed out.";
    case 429: return "Too many requests. Please wait a moment and try again.";
    case 502: return "Bad gateway.";
    case 503: return "The warehouse is starting up. Please try again.";
    case 504: return "Upstream request timed out.";
    default: return "Internal error.";
  }
}

static mhd_result break_connection(struct server *server, struct MHD_Connection *connection, struct exchange *exchange, const char *method,
                                   const char *url) {
  log_access(server, connection, exchange, method, url, 0, 0);
  faulty_reset(connection);
  return MHD_NO;
}

/* The faults that come before anything has run. False: there is none of them. */
static bool answer_early(struct server *server, struct MHD_Connection *connection, struct exchange *exchange, const char *method,
                         const char *url, mhd_result *result) {
  const struct fault *fault = &exchange->taken;
  if (fault->kind != FAULT_NONE) exchange->fault = fault->name;
  switch (fault->kind) {
    case FAULT_HTTP_STATUS:
      *result = send_error(server, connection, exchange, method, url, fault->status, NULL, status_text(fault->status), fault);
      return true;
    case FAULT_REDIRECT: {
      const char *const headers[] = {"Location", fault->location, NULL};
      *result = send_text(server, connection, exchange, method, url, fault->status, "text/plain; charset=utf-8", "Elsewhere.", headers);
      return true;
    }
    case FAULT_HTML_BODY:
      *result = send_text(server, connection, exchange, method, url, 200, "text/html; charset=utf-8",
                          "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to continue.</body></html>", NULL);
      return true;
    case FAULT_GARBAGE_BODY:
      *result = send_text(server, connection, exchange, method, url, 200, "application/x-thrift",
                          "\x80\x01\xff\x02 these bytes are no message of Thrift \xff\xfe", NULL);
      return true;
    case FAULT_STALL: faulty_sleep(&server->warehouse->stopping, fault->delay_ms); /* fallthrough */
    case FAULT_RESET_BEFORE: *result = break_connection(server, connection, exchange, method, url); return true;
    case FAULT_DELAY: faulty_sleep(&server->warehouse->stopping, fault->delay_ms); return false;
    default: return false;
  }
}

/* Sends what was answered, in the way that the fault says. Takes over the bytes. */
static mhd_result send_late(struct server *server, struct MHD_Connection *connection, struct exchange *exchange, const char *method,
                            const char *url, int status, const char *content_type, struct buf *out) {
  size_t size = out->size;
  struct MHD_Response *response;
  if (exchange->taken.kind == FAULT_RESET_AFTER) {
    buf_free(out);
    return break_connection(server, connection, exchange, method, url);
  }
  if (faulty_is_body(exchange->taken.kind)) {
    response = faulty_response(&server->warehouse->stopping, connection, &exchange->taken, out);
  } else {
    response = MHD_create_response_from_buffer_with_free_callback(size, out->data, mem_free);
    if (!response) buf_free(out);
  }
  return send_response(server, connection, exchange, method, url, status, content_type, response, size);
}

/* The client has closed its end: there is nobody to answer. */
static bool client_is_gone(void *user) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(user, MHD_CONNECTION_INFO_CONNECTION_FD);
  char byte;
  return info && recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static mhd_result answer_thrift(struct server *server, struct MHD_Connection *connection, struct exchange *exchange, const char *method,
                                const char *url) {
  mhd_result result;
  struct slice message = buf_slice(&exchange->body);
  service_method(message, exchange->call.method, sizeof exchange->call.method);
  exchange->taken = faults_take_call(server->faults, exchange->call.method, service_begins_with, message);
  const struct fault *fault = &exchange->taken;
  if (answer_early(server, connection, exchange, method, url, &result)) return result;
  struct service_faults faults = {fault->kind == FAULT_WRONG_ROW_COUNT,
                                  fault->kind == FAULT_WRONG_SEQUENCE_ID,
                                  fault->kind == FAULT_EXTRA_FIELDS,
                                  fault->kind == FAULT_SESSION_LOST,
                                  fault->kind == FAULT_EMPTY_PAGE,
                                  fault->kind == FAULT_MORE_ROWS_LIE,
                                  fault->kind == FAULT_NO_ARROW_SCHEMA,
                                  fault->kind == FAULT_SESSION_GONE,
                                  fault->kind == FAULT_STATEMENT_FAILS ? fault->message : NULL,
                                  fault->kind == FAULT_UNKNOWN_METHOD,
                                  fault->kind == FAULT_REFUSED};
  struct buf out = BUF_INIT;
  exchange->call.gone = client_is_gone;
  exchange->call.gone_user = connection;
  service_answer(server->warehouse, message, &faults, &exchange->call, &out);
  return send_late(server, connection, exchange, method, url, 200, "application/x-thrift", &out);
}

/* ---- The control endpoint
 * ------------------------------------------------------------------------------------------------------------------ */

static bool secret_equal(const char *a, const char *b) {
  size_t length = strlen(b);
  return strlen(a) == length && CRYPTO_memcmp(a, b, length) == 0;
}

static bool is_bearer(struct MHD_Connection *connection, const char *token) {
  const char *header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
  return header && text_has_prefix_nocase(header, "Bearer ") && secret_equal(header + 7, token);
}

static bool is_from_this_machine(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (!info) return false;
  if (info->client_addr->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, info->client_addr, sizeof in);
    return ntohl(in.sin_addr.s_addr) >> 24 == 127;
  }
  struct sockaddr_in6 in;
  memcpy(&in, info->client_addr, sizeof in);
  return info->client_addr->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in.sin6_addr);
}

static json_t *stats(struct server *server) {
  struct warehouse *warehouse = server->warehouse;
  json_t *out = json_object();
  pthread_mutex_lock(&warehouse->lock);
  json_object_set_new(out, "sessions", json_integer(warehouse->session_count));
  json_object_set_new(out, "operations", json_integer(warehouse->operation_count));
  pthread_mutex_unlock(&warehouse->lock);
  json_object_set_new(out, "sessions_opened", json_integer(warehouse->sessions_opened));
  json_object_set_new(out, "statements", json_integer(warehouse->statements));
  json_object_set_new(out, "calls", json_integer(warehouse->calls));
  json_object_set_new(out, "requests", json_integer(server->requests));
  if (server->options.oidc) json_object_set_new(out, "oauth", oidc_stats(server->options.oidc));
  pthread_mutex_lock(&server->faults->lock);
  json_object_set_new(out, "faults_struck", json_integer(server->faults->struck));
  pthread_mutex_unlock(&server->faults->lock);
  if (server->options.telemetry) json_object_set_new(out, "telemetry", telemetry_log_stats(&server->options.telemetry->log));
  if (server->options.storage) json_object_set_new(out, "storage", storage_stats(server->options.storage));
  return out;
}

static mhd_result answer_control(struct server *server, struct MHD_Connection *connection, struct exchange *exchange, const char *method,
                                 const char *url) {
  const struct server_options *options = &server->options;
  if (options->control_token ? !is_bearer(connection, options->control_token) : !is_from_this_machine(connection))
    return send_error(server, connection, exchange, method, url, 401, NULL, "The control endpoint needs its own token.", NULL);
  json_t *out = NULL;
  int status = 200;
  char message[256] = "";
  struct buf told = BUF_INIT;
  if (options->telemetry) status = telemetry_control(options->telemetry, method, url, buf_slice(&exchange->body), &told);
  if (told.size > 0) return send_late(server, connection, exchange, method, url, status, JSON_TYPE, &told);
  status = 200;
  if (strcmp(url, "/control/stats") == 0 && strcmp(method, "GET") == 0) {
    out = stats(server);
  } else if (strcmp(url, "/control/sessions") == 0 && strcmp(method, "GET") == 0) {
    out = transactions_list(server->warehouse);
  } else if (strcmp(url, "/control/history") == 0 && strcmp(method, "GET") == 0) {
    out = history_list(&server->warehouse->history);
  } else if (strcmp(url, "/control/faults") == 0 && strcmp(method, "GET") == 0) {
    out = faults_list(server->faults);
  } else if (strcmp(url, "/control/faults") == 0 && strcmp(method, "DELETE") == 0) {
    faults_clear(server->faults);
    out = faults_list(server->faults);
  } else if (strcmp(url, "/control/faults") == 0 && strcmp(method, "POST") == 0) {
    json_error_t error;
    json_t *json = json_loadb((const char *)exchange->body.data, exchange->body.size, JSON_REJECT_DUPLICATES, &error);
    if (!json) {
      snprintf(message, sizeof message, "the body is no JSON: %s", error.text);
    } else if (faults_arm(server->faults, json, message, sizeof message)) {
      out = faults_list(server->faults);
    }
    json_decref(json);
    status = out ? 200 : 400;
  } else if (server->options.oidc && oidc_control_serves(url)) {
    json_error_t error;
    json_t *json = json_loadb((const char *)exchange->body.data, exchange->body.size, JSON_REJECT_DUPLICATES, &error);
    out = oidc_control(server->options.oidc, method, url, json, &status, message, sizeof message);
    json_decref(json);
  } else {
    status = 404;
    snprintf(message, sizeof message,
             "there is GET, POST and DELETE /control/faults, GET /control/stats, /control/sessions, /control/history, /control/flags and"
             " /control/telemetry,"
             " and with --oauth /control/oauth, /control/revoke and /control/mint");
  }
  if (!out) {
    out = json_object();
    json_object_set_new(out, "message", json_string(message));
  }
  char *body = json_dumps(out, JSON_COMPACT);
  mhd_result result = send_text(server, connection, exchange, method, url, status, JSON_TYPE, body ? body : "{}", NULL);
  free(body);
  json_decref(out);
  return result;
}

/* ---- Requests
 * ------------------------------------------------------------------------------------------------------------------------------- */

/* "/a/b" followed by one more part. */
static bool is_below(const char *url, const char *prefix) {
  size_t length = strlen(prefix);
  return strncmp(url, prefix, length) == 0 && url[length] && !strchr(url + length, '/');
}

static bool is_thrift_path(const struct server *server, const char *url) {
  static const char cluster[] = "/sql/protocolv1/o/";
  if (is_below(url, "/sql/1.0/warehouses/") || is_below(url, "/sql/1.0/endpoints/")) return true;
  if (strncmp(url, cluster, sizeof cluster - 1) == 0) {
    const char *org = url + sizeof cluster - 1;
    const char *slash = strchr(org, '/');
    return slash && slash > org && slash[1] && !strchr(slash + 1, '/');
  }
  return server->warehouse->plain_hive && (strcmp(url, "/cliservice") == 0 || strcmp(url, "/cliservice/") == 0);
}

/* HTTP basic authentication with the token as the password. */
static bool is_basic(struct MHD_Connection *connection, const char *token) {
  char *password = NULL;
  char *user = MHD_basic_auth_get_username_password(connection, &password);
  bool good = user && password && secret_equal(password, token);
  MHD_free(user);
  MHD_free(password);
  return good;
}

/* ---- OAuth ------------------------------------------------------------------------------------------------------------------------ */

static mhd_result answer_oidc(struct server *server, struct MHD_Connection *connection, struct exchange *exchange, const char *method,
                              const char *url) {
  mhd_result result;
  exchange->taken = faults_take_endpoint(server->faults, oidc_endpoint(url), "oidc");
  if (answer_early(server, connection, exchange, method, url, &result)) return result;
  struct oidc_reply reply;
  oidc_http_answer(server->options.oidc, connection, method, url, buf_slice(&exchange->body), is_from_this_machine(connection),
                   &exchange->taken, &reply);
  struct MHD_Response *response;
  size_t size = reply.body.size;
  if (exchange->taken.kind == FAULT_RESET_AFTER) {
    result = break_connection(server, connection, exchange, method, url);
  } else {
    if (faulty_is_body(exchange->taken.kind)) {
      response = faulty_response(&server->warehouse->stopping, connection, &exchange->taken, &reply.body);
    } else {
      response = MHD_create_response_from_buffer(size, reply.body.data, MHD_RESPMEM_MUST_COPY);
    }
    for (size_t i = 0; response && i < reply.header_count; i++) MHD_add_response_header(response, reply.names[i], reply.values[i]);
    result = send_response(server, connection, exchange, method, url, reply.status, reply.content_type, response, size);
  }
  oidc_reply_free(&reply);
  return result;
}

/* Whether the request may go on to SQL; otherwise `*result` is the answer. */
static int access_status(struct server *server, struct MHD_Connection *connection, const char **why) {
  const char *token = server->options.token, *header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
  struct oidc *oidc = server->options.oidc;
  if (!token && !oidc) return 0;
  if (token && (is_bearer(connection, token) || is_basic(connection, token))) return 0;
  enum oidc_access access = OIDC_ACCESS_UNKNOWN;
  if (oidc && header && text_has_prefix_nocase(header, "Bearer ")) access = oidc_check_access(oidc, header + 7);
  if (access == OIDC_ACCESS_GOOD) return 0;
  if (access == OIDC_ACCESS_FORBIDDEN) {
    *why = "Provided OAuth token does not have required scopes: sql.";
    return 403;
  }
  *why = access == OIDC_ACCESS_ENDED ? "The access token has expired or was revoked." : status_text(401);
  return 401;
}

/* ---- Telemetry and feature flags (telemetry.h) -------------------------------------------------------------------------------------- */

static mhd_result answer_telemetry(struct server *server, struct MHD_Connection *connection, struct exchange *exchange, const char *method,
                                   const char *url, enum telemetry_endpoint endpoint) {
  struct telemetry *telemetry = server->options.telemetry;
  struct telemetry_request request;
  struct telemetry_answer reply;
  struct buf plain = BUF_INIT;
  mhd_result result;
  telemetry_http_read(connection, endpoint, method, url, buf_slice(&exchange->body), &request, &plain);
  request.access_status = access_status(server, connection, &request.access_why);
  exchange->taken = faults_take_endpoint(server->faults, telemetry_endpoint_names[endpoint], telemetry_group(endpoint));
  telemetry_receive(telemetry, &request, &exchange->taken);
  if (answer_early(server, connection, exchange, method, url, &result)) {
    telemetry_skip(telemetry, &request, &exchange->taken);
  } else {
    telemetry_answer(telemetry, &request, &exchange->taken, &reply);
    if (reply.status == 200 || reply.body.size > 0) {
      result = send_late(server, connection, exchange, method, url, reply.status, reply.content_type, &reply.body);
    } else {
      result = send_error(server, connection, exchange, method, url, reply.status, NULL, reply.message, NULL);
    }
  }
  json_decref(request.headers);
  buf_free(&plain);
  return result;
}

static mhd_result answer(struct server *server, struct MHD_Connection *connection, struct exchange *exchange, const char *method,
                         const char *url) {
  if (exchange->too_large)
    return send_error(server, connection, exchange, method, url, 413, NULL, "The request is larger than this warehouse takes.", NULL);
  if (server->options.control && (strncmp(url, "/control/", 9) == 0)) return answer_control(server, connection, exchange, method, url);
  if (server->options.oidc && oidc_endpoint(url)) return answer_oidc(server, connection, exchange, method, url);
  enum telemetry_endpoint endpoint;
  if (server->options.telemetry && telemetry_endpoint_of(url, &endpoint))
    return answer_telemetry(server, connection, exchange, method, url, endpoint);
  if (!is_thrift_path(server, url))
    return send_error(server, connection, exchange, method, url, 404, "ENDPOINT_NOT_FOUND", "No API found for this path.", NULL);
  const char *why = NULL;
  int refused = access_status(server, connection, &why);
  if (refused) return send_error(server, connection, exchange, method, url, refused, NULL, why, NULL);
  if (strcmp(method, "POST") != 0)
    return send_error(server, connection, exchange, method, url, 405, NULL, "Thrift calls are POST requests.", NULL);
  return answer_thrift(server, connection, exchange, method, url);
}

static mhd_result handle(void *user, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                         const char *upload, size_t *upload_size, void **state) {
  (void)version;
  struct server *server = user;
  struct exchange *exchange = *state;
  if (!exchange) {
    exchange = wh_new(1, sizeof *exchange);
    exchange->started_ns = clock_now_ns();
    exchange->call.status = -1;
    uint8_t id[guid_size];
    if (RAND_bytes(id, sizeof id) != 1) memset(id, 0, sizeof id);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    guid_format(id, sizeof id, exchange->request_id);
    server->requests++;
    *state = exchange;
    return MHD_YES;
  }
  if (*upload_size > 0) {
    if (exchange->body.size + *upload_size > server->options.request_bytes) exchange->too_large = true;
    if (exchange->too_large) {
      buf_free(&exchange->body);
    } else {
      buf_append(&exchange->body, upload, *upload_size);
      wh_check(&exchange->body);
    }
    *upload_size = 0;
    return MHD_YES;
  }
  return answer(server, connection, exchange, method, url);
}

static void completed(void *user, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code) {
  (void)user;
  (void)connection;
  (void)code;
  struct exchange *exchange = *state;
  if (!exchange) return;
  buf_free(&exchange->body);
  free(exchange);
  *state = NULL;
}

static void connected(void *user, struct MHD_Connection *connection, void **state, enum MHD_ConnectionNotificationCode code) {
  (void)user;
  (void)state;
  if (code != MHD_CONNECTION_NOTIFY_STARTED) return;
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  int on = 1;
  if (info) setsockopt(info->connect_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ---- Starting and stopping
 * -------------------------------------------------------------------------------------------------------------------- */

int server_listen(const char *host, uint16_t *port, char **message) {
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } address;
  memset(&address, 0, sizeof address);
  socklen_t size = sizeof address.in;
  if (inet_pton(AF_INET, host, &address.in.sin_addr) == 1) {
    address.in.sin_family = AF_INET;
    address.in.sin_port = htons(*port);
  } else if (inet_pton(AF_INET6, host, &address.in6.sin6_addr) == 1) {
    address.in6.sin6_family = AF_INET6;
    address.in6.sin6_port = htons(*port);
    size = sizeof address.in6;
  } else {
    *message = wh_print("'%s' is no IP address", host);
    return -1;
  }
  int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd < 0 || bind(fd, &address.any, size) != 0 || listen(fd, 128) != 0 || getsockname(fd, &address.any, &size) != 0) {
    *message = wh_print("cannot listen at %s port %u: %s", host, (unsigned)*port, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
  }
  *port = ntohs(address.any.sa_family == AF_INET ? address.in.sin_port : address.in6.sin6_port);
  return fd;
}

struct server *server_start(struct warehouse *warehouse, const struct server_options *options, char **message) {
  struct server *server = wh_new(1, sizeof *server);
  server->warehouse = warehouse;
  server->options = *options;
  server->port = options->port;
  server->faults = options->faults;
  pthread_mutex_init(&server->log_lock, NULL);
  int fd = server_listen(options->host, &server->port, message);
  if (fd < 0) goto failed;
  if (options->oidc) oidc_listen(options->oidc, options->certificate != NULL, options->host, server->port);
  unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC;
  struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->certificate},
                                 {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->key},
                                 {MHD_OPTION_END, 0, NULL}};
  struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
  if (options->certificate) flags |= MHD_USE_TLS;
  server->daemon =
      MHD_start_daemon(flags, 0, NULL, NULL, handle, server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
                       MHD_OPTION_NOTIFY_CONNECTION, connected, NULL, MHD_OPTION_CONNECTION_LIMIT, options->connections,
                       MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)256 * 1024, MHD_OPTION_THREAD_STACK_SIZE, (size_t)1 << 20,
                       MHD_OPTION_ARRAY, options->certificate ? tls : none, MHD_OPTION_END);
  if (server->daemon) return server;
  *message = wh_copy(options->certificate ? "the HTTP server does not start (is the certificate good, and its key?)"
                                          : "the HTTP server does not start");
  close(fd);
failed:
  pthread_mutex_destroy(&server->log_lock);
  free(server);
  return NULL;
}

uint16_t server_port(const struct server *server) {
  return server->port;
}

void server_stop(struct server *server) {
  if (!server) return;
  MHD_stop_daemon(server->daemon);
  pthread_mutex_destroy(&server->log_lock);
  free(server);
}
