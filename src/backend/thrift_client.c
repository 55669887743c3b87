#include "backend/thrift_client.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

enum { own_headers = 2 };

static dbsql_status add_header(struct thrift_client *client, const char *name, const char *value) {
  char *name_copy = mem_strdup(name);
  char *value_copy = mem_strdup(value);
  client->headers[client->header_count++] = (struct http_header){name_copy, value_copy};
  return name_copy && value_copy ? DBSQL_OK : DBSQL_ERROR_NO_MEMORY;
}

dbsql_status thrift_client_new(const char *url, const struct http_settings *http, const struct http_header *headers, size_t header_count,
                               struct authenticator *authenticator, const struct log *log, struct thrift_client **out,
                               dbsql_error **error) {
  struct thrift_client *client = mem_alloc_zero(1, sizeof *client);
  if (!client) return error_no_memory(error);
  client->owner = getpid();
  client->authenticator = authenticator;
  client->log = log;
  client->url = mem_strdup(url);
  client->headers = mem_alloc_zero(header_count + own_headers, sizeof *client->headers);
  dbsql_status status = client->url && client->headers ? DBSQL_OK : DBSQL_ERROR_NO_MEMORY;
  if (status == DBSQL_OK) status = add_header(client, "Content-Type", "application/x-thrift");
  if (status == DBSQL_OK) status = add_header(client, "Accept", "application/x-thrift");
  for (size_t i = 0; status == DBSQL_OK && i < header_count; i++) status = add_header(client, headers[i].name, headers[i].value);
  if (status != DBSQL_OK) {
    error_no_memory(error);
  } else {
    status = http_client_new(http, &client->http, error);
  }
  if (status != DBSQL_OK) {
    thrift_client_free(client);
    return status;
  }
  *out = client;
  return DBSQL_OK;
}

bool thrift_client_is_foreign(const struct thrift_client *client) {
  return client->owner != getpid();
}

void thrift_client_free(struct thrift_client *client) {
  if (!client) return;
  /* Freeing it would send "close notify" on the TLS connections, which the parent still uses. */
  if (!thrift_client_is_foreign(client)) http_client_free(client->http);
  for (size_t i = 0; i < client->header_count; i++) {
    mem_free((void *)(uintptr_t)client->headers[i].name);
    mem_free((void *)(uintptr_t)client->headers[i].value);
  }
  mem_free(client->headers);
  mem_free(client->url);
  mem_free(client);
}

/* What the last attempt of a request was sent with. */
struct credentials {
  struct authenticator *authenticator;
  struct auth_stamp stamp;
};

static dbsql_status authorize(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  struct credentials *credentials = user;
  return credentials->authenticator->authorize(credentials->authenticator, call, value, &credentials->stamp, error);
}

/* Sends; after a 401 once more if there are other credentials by then: the server has refused the request before it looked at it, so
 * that this is safe for every request (auth.md 3.2). */
static dbsql_status send_authorized(struct thrift_client *client, struct http_request *post, const struct call *call,
                                    struct http_response *reply, dbsql_error **error) {
  struct credentials credentials = {.authenticator = client->authenticator};
  post->authorize = authorize;
  post->authorize_user = &credentials;
  dbsql_status status = http_send(client->http, post, call, reply, error);
  int http_status = status == DBSQL_OK ? 0 : dbsql_error_http_status(*error);
  if (http_status != 401 && http_status != 403) return status;
  if (!client->authenticator->refused(client->authenticator, call, &credentials.stamp, error)) return status;
  error_clear(error);
  credentials.stamp.is_second = true;
  status = http_send(client->http, post, call, reply, error);
  http_status = status == DBSQL_OK ? 0 : dbsql_error_http_status(*error);
  if (http_status == 401 || http_status == 403) client->authenticator->refused(client->authenticator, call, &credentials.stamp, error);
  return status;
}

/* A proxy's login page, or a wrong path, answers 200 with a document (thrift.md 1.4). */
static dbsql_status check_content(const struct http_response *response, const char *method, dbsql_error **error) {
  if (response->content_type[0] == 0 || strstr(response->content_type, "thrift") || strstr(response->content_type, "octet-stream")) {
    return DBSQL_OK;
  }
  dbsql_status status = error_set(error, DBSQL_ERROR_REQUEST, "08S01",
                                  "%s: the server answered with %s instead of a Thrift message: check host, port and HTTP path", method,
                                  response->content_type);
  if (error && *error && !(*error)->is_static) (*error)->http_status = response->status;
  return status;
}

/* The whole message, for those who look for a fault in what is said. */
static void log_message(const struct log *log, const char *what, const char *method, const struct thrift_struct *type, const void *value) {
  if (!log_wants(log, DBSQL_LOG_TRACE)) return;
  struct buf text = BUF_INIT;
  tcli_print(type, value, &text);
  log_write(log, DBSQL_LOG_TRACE, "thrift", what, "method", method, "message", buf_text(&text), (char *)NULL);
  buf_free(&text);
}

static void log_call(const struct log *log, const char *method, const char *query_id, const struct call *call, int64_t started_ns,
                     int attempts, const char *request_id, dbsql_error *const *error) {
  if (!log_wants(log, DBSQL_LOG_DEBUG)) return;
  char took[32], tries[16];
  snprintf(took, sizeof took, "%lld", (long long)((clock_now_ns() - started_ns) / 1000000));
  snprintf(tries, sizeof tries, "%d", attempts);
  log_write(log, DBSQL_LOG_DEBUG, "thrift", error ? "call failed" : "call done", "method", method, "query_id",
            query_id && *query_id ? query_id : NULL, "duration_ms", took, "attempts", tries, "request_id", *request_id ? request_id : NULL,
            "correlation_id", call->correlation_id, "error", error ? dbsql_error_message(*error) : NULL, (char *)NULL);
}

dbsql_status thrift_call(struct thrift_client *client, enum tcli_method method, const void *request, enum http_retry retry,
                         const char *query_id, const struct call *call, struct thrift_answer *answer, void *response, dbsql_error **error) {
  *answer = (struct thrift_answer){0};
  const char *name = tcli_methods[method].name;
  if (thrift_client_is_foreign(client)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "08003",
                     "%s: the connection belongs to process %ld, from which this one was forked: open a new connection", name,
                     (long)client->owner);
  }
  dbsql_error *reason = NULL;
  int64_t started_ns = clock_now_ns();
  struct buf body = BUF_INIT;
  client->sequence_id = client->sequence_id == INT32_MAX ? 1 : client->sequence_id + 1;
  tcli_encode_call(method, client->sequence_id, request, &body);
  if (buf_failed(&body)) {
    buf_free(&body);
    return error_no_memory(error);
  }
  struct http_request post = {
      .method = "POST",
      .url = client->url,
      .what = name,
      .headers = client->headers,
      .header_count = client->header_count,
      .body = buf_slice(&body),
      .retry = retry,
  };
  struct http_response reply;
  log_message(client->log, "request", name, tcli_methods[method].request, request);
  dbsql_status status = send_authorized(client, &post, call, &reply, &reason);
  buf_free(&body);
  if (status == DBSQL_OK) {
    memcpy(answer->request_id, reply.request_id, sizeof answer->request_id);
    answer->attempts = reply.attempts;
    status = check_content(&reply, name, &reason);
    if (status == DBSQL_OK) {
      answer->body = chunk_ref(reply.body);
      struct slice bytes = slice_of(reply.body->data, reply.body->size);
      status = tcli_decode_reply(method, client->sequence_id, bytes, &answer->arena, response, &reason);
    }
    if (status == DBSQL_OK) log_message(client->log, "answer", name, tcli_methods[method].response, response);
    http_response_free(&reply);
  }
  if (status == DBSQL_OK) {
    log_call(client->log, name, query_id, call, started_ns, answer->attempts, answer->request_id, NULL);
    return DBSQL_OK;
  }
  thrift_answer_annotate(answer, &reason);
  log_call(client->log, name, query_id, call, started_ns, dbsql_error_attempts(reason), dbsql_error_request_id(reason), &reason);
  error_move(&reason, error);
  return status;
}

void thrift_answer_annotate(const struct thrift_answer *answer, dbsql_error **error) {
  if (!error || !*error || (*error)->is_static || answer->attempts == 0) return;
  if (!(*error)->request_id && *answer->request_id) error_set_request_id(error, answer->request_id);
  if ((*error)->attempts == 0) (*error)->attempts = answer->attempts;
}

void thrift_answer_free(struct thrift_answer *answer) {
  arena_free(&answer->arena);
  chunk_unref(answer->body);
  answer->body = NULL;
}
