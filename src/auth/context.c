#include "auth/context.h"

#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"

static void free_text(const char *text) {
  mem_free((void *)(uintptr_t)text);
}

static void free_secret(const struct secret *secret) {
  secret_free((struct secret *)(uintptr_t)secret);
}

static void destroy(struct shared *shared) {
  struct auth_context *context = (struct auth_context *)(void *)shared;
  struct http_settings *http = &context->http;
  mem_free(context->origin);
  mem_free(context->host);
  free_text(http->user_agent);
  free_text(http->tls_ca_file);
  free_text(http->tls_client_cert);
  free_text(http->tls_client_key);
  free_text(http->tls_min_version);
  free_text(http->proxy_url);
  free_text(http->no_proxy);
  free_secret(http->tls_client_key_password);
  free_secret(http->proxy_user);
  free_secret(http->proxy_password);
  mem_free(context);
}

static bool copy_text(const char **text) {
  if (*text) *text = mem_strdup(*text);
  return *text != NULL;
}

static bool copy_secret(const struct secret **secret) {
  if (*secret) *secret = secret_new(secret_text(*secret), secret_length(*secret));
  return *secret != NULL;
}

dbsql_status auth_context_new(const char *origin, const char *host, bool allow_http, const struct http_settings *http,
                              struct auth_context **out, dbsql_error **error) {
  struct auth_context *context = mem_alloc_zero(1, sizeof *context);
  if (!context) return error_no_memory(error);
  shared_init(&context->shared, destroy);
  context->allow_http = allow_http;
  context->http = *http;
  context->http.log = NULL;
  struct http_settings *to = &context->http;
  bool ok = true;
#define COPY(kind, member) ok = (!to->member || copy_##kind(&to->member)) && ok
  COPY(text, user_agent);
  COPY(text, tls_ca_file);
  COPY(text, tls_client_cert);
  COPY(text, tls_client_key);
  COPY(text, tls_min_version);
  COPY(text, proxy_url);
  COPY(text, no_proxy);
  COPY(secret, tls_client_key_password);
  COPY(secret, proxy_user);
  COPY(secret, proxy_password);
#undef COPY
  context->origin = mem_strdup(origin);
  context->host = mem_strdup(host);
  if (!ok || !context->origin || !context->host) {
    auth_context_drop(context);
    return error_no_memory(error);
  }
  *out = context;
  return DBSQL_OK;
}
