/* Making and freeing the Thrift backend; handles; calls from other threads. */
#include "backend/thrift_backend.h"

#include "backend/thrift_status.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

struct TSessionHandle *thrift_session_handle(const struct operation_key *key, struct handle_parts *parts) {
  parts->id = (struct THandleIdentifier){
      .has_guid = true,
      .guid = slice_of(key->guid, sizeof key->guid),
      .has_secret = true,
      .secret = slice_of(key->secret, sizeof key->secret),
  };
  parts->session = (struct TSessionHandle){.has_sessionId = true, .sessionId = &parts->id};
  return &parts->session;
}

struct TOperationHandle *thrift_operation_handle(const struct operation_key *key, struct handle_parts *parts) {
  thrift_session_handle(key, parts);
  parts->operation = (struct TOperationHandle){
      .has_operationId = true,
      .operationId = &parts->id,
      .has_operationType = true,
      .operationType = key->type,
      .has_hasResultSet = true,
      .hasResultSet = key->has_result_set,
  };
  return &parts->operation;
}

dbsql_status thrift_read_handle(const struct THandleIdentifier *id, const char *what, struct operation_key *key, dbsql_error **error) {
  if (id->guid.size != sizeof key->guid || id->secret.size != sizeof key->secret) {
    return error_set(error, DBSQL_ERROR_REQUEST, "08S01", "%s: the server's handle has %zu and %zu bytes instead of 16 and 16", what,
                     id->guid.size, id->secret.size);
  }
  memcpy(key->guid, id->guid.data, sizeof key->guid);
  memcpy(key->secret, id->secret.data, sizeof key->secret);
  guid_format(key->guid, sizeof key->guid, key->id);
  return DBSQL_OK;
}

/* Puts `client` (NULL: none) where side clients are kept, and returns what was there. The lock is held for nothing else: no call may
 * wait for another one's network. */
static struct thrift_client *exchange_side_client(struct thrift_backend *backend, struct thrift_client *client) {
  pthread_mutex_lock(&backend->side_lock);
  struct thrift_client *kept = backend->side_client;
  backend->side_client = client;
  pthread_mutex_unlock(&backend->side_lock);
  return kept;
}

/* A client of its own, so that what the connection's thread is doing is not disturbed. One is kept from call to call; a call that finds
 * none makes one. */
dbsql_status thrift_side_call(struct thrift_backend *backend, enum tcli_method method, const void *request, const char *query_id,
                              const struct call *call, struct thrift_answer *answer, void *response, dbsql_error **error) {
  *answer = (struct thrift_answer){0};
  const struct backend_settings *settings = &backend->settings;
  dbsql_status status = DBSQL_OK;
  if (thrift_client_is_foreign(backend->client)) {
    return thrift_call(backend->client, method, request, HTTP_RETRY_IDEMPOTENT, query_id, call, answer, response, error);
  }
  struct thrift_client *client = exchange_side_client(backend, NULL);
  if (!client) {
    status = thrift_client_new(settings->url, settings->http, settings->headers, settings->header_count, settings->authenticator,
                               settings->log, &client, error);
  }
  if (status != DBSQL_OK) return status;
  status = thrift_call(client, method, request, HTTP_RETRY_IDEMPOTENT, query_id, call, answer, response, error);
  thrift_client_free(exchange_side_client(backend, client));
  return status;
}

static dbsql_status thrift_cancel(struct backend *base, const struct operation_key *key, const struct call *call, dbsql_error **error) {
  struct handle_parts parts;
  struct TCancelOperationReq request = {.has_operationHandle = true, .operationHandle = thrift_operation_handle(key, &parts)};
  struct TCancelOperationResp response = {0};
  struct thrift_answer answer;
  dbsql_status status = thrift_side_call(thrift_of(base), TCLI_CancelOperation, &request, key->id, call, &answer, &response, error);
  if (status == DBSQL_OK) status = thrift_check_status(response.status, TCLI_CancelOperation, thrift_of(base)->settings.log, error);
  if (status != DBSQL_OK) thrift_answer_annotate(&answer, error);
  thrift_answer_free(&answer);
  return status;
}

static dbsql_status thrift_touch(struct backend *base, const struct operation_key *key, const struct call *call, dbsql_error **error) {
  struct handle_parts parts;
  struct TGetOperationStatusReq request = {.has_operationHandle = true, .operationHandle = thrift_operation_handle(key, &parts)};
  struct TGetOperationStatusResp response = {0};
  struct thrift_answer answer;
  dbsql_status status = thrift_side_call(thrift_of(base), TCLI_GetOperationStatus, &request, key->id, call, &answer, &response, error);
  if (status == DBSQL_OK) status = thrift_check_status(response.status, TCLI_GetOperationStatus, thrift_of(base)->settings.log, error);
  thrift_answer_free(&answer);
  return status;
}

static void thrift_free(struct backend *base) {
  struct thrift_backend *backend = thrift_of(base);
  thrift_client_free(backend->client);
  thrift_client_free(backend->side_client);
  secret_free(backend->tls_client_key_password);
  secret_free(backend->proxy_user);
  secret_free(backend->proxy_password);
  pthread_mutex_destroy(&backend->side_lock);
  arena_free(&backend->texts);
  mem_wipe(&backend->session, sizeof backend->session);
  mem_free(backend);
}

static const struct backend_ops thrift_ops = {
    .open_session = thrift_open_session,
    .close_session = thrift_close_session,
    .execute = thrift_execute,
    .metadata = thrift_metadata,
    .wait = thrift_wait,
    .describe = thrift_describe,
    .adopt = thrift_adopt,
    .is_resumable = thrift_is_resumable,
    .first_page = thrift_first_page,
    .fetch = thrift_fetch,
    .close_operation = thrift_close_operation,
    .cancel = thrift_cancel,
    .touch = thrift_touch,
    .get_info = thrift_get_info,
    .free = thrift_free,
};

/* Copies a text into the backend; sets `failed` if there is no memory. NULL stays NULL. */
static const char *keep(struct thrift_backend *backend, const char *text, bool *failed) {
  if (!text) return NULL;
  const char *copy = arena_strndup(&backend->texts, text, strlen(text));
  if (!copy) *failed = true;
  return copy;
}

static struct secret *keep_secret(const struct secret *secret, bool *failed) {
  if (!secret) return NULL;
  struct secret *copy = secret_new(secret_text(secret), secret_length(secret));
  if (!copy) *failed = true;
  return copy;
}

/* The side client is made later, so everything that it needs is kept. */
static bool keep_settings(struct thrift_backend *backend, const struct backend_settings *settings) {
  bool failed = false;
  struct backend_settings *own = &backend->settings;
  *own = *settings;
  backend->http = *settings->http;
  own->http = &backend->http;
  struct http_settings *http = &backend->http;
  http->user_agent = keep(backend, http->user_agent, &failed);
  http->tls_ca_file = keep(backend, http->tls_ca_file, &failed);
  http->tls_client_cert = keep(backend, http->tls_client_cert, &failed);
  http->tls_client_key = keep(backend, http->tls_client_key, &failed);
  http->tls_min_version = keep(backend, http->tls_min_version, &failed);
  http->proxy_url = keep(backend, http->proxy_url, &failed);
  http->no_proxy = keep(backend, http->no_proxy, &failed);
  http->tls_client_key_password = backend->tls_client_key_password = keep_secret(http->tls_client_key_password, &failed);
  http->proxy_user = backend->proxy_user = keep_secret(http->proxy_user, &failed);
  http->proxy_password = backend->proxy_password = keep_secret(http->proxy_password, &failed);
  own->url = keep(backend, settings->url, &failed);
  own->catalog = keep(backend, settings->catalog ? settings->catalog : "", &failed);
  own->schema = keep(backend, settings->schema ? settings->schema : "", &failed);
  struct http_header *headers = arena_alloc(&backend->texts, settings->header_count + 1, sizeof *headers);
  struct text_pair *parameters = arena_alloc(&backend->texts, settings->parameter_count + 1, sizeof *parameters);
  if (!headers || !parameters) return false;
  for (size_t i = 0; i < settings->header_count; i++) {
    headers[i].name = keep(backend, settings->headers[i].name, &failed);
    headers[i].value = keep(backend, settings->headers[i].value, &failed);
  }
  for (size_t i = 0; i < settings->parameter_count; i++) {
    parameters[i].key = keep(backend, settings->parameters[i].key, &failed);
    parameters[i].value = keep(backend, settings->parameters[i].value, &failed);
  }
  own->headers = headers;
  own->parameters = parameters;
  return !failed;
}

dbsql_status thrift_backend_new(const struct backend_settings *settings, struct backend **out, dbsql_error **error) {
  struct thrift_backend *backend = mem_alloc_zero(1, sizeof *backend);
  if (!backend) return error_no_memory(error);
  backend->base.ops = &thrift_ops;
  pthread_mutex_init(&backend->side_lock, NULL);
  dbsql_status status = keep_settings(backend, settings) ? DBSQL_OK : error_no_memory(error);
  if (status == DBSQL_OK) {
    const struct backend_settings *own = &backend->settings;
    status = thrift_client_new(own->url, own->http, own->headers, own->header_count, own->authenticator, own->log, &backend->client, error);
  }
  if (status != DBSQL_OK) {
    thrift_free(&backend->base);
    return status;
  }
  *out = &backend->base;
  return DBSQL_OK;
}
