#include "auth/provider.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

static void destroy(struct shared *shared) {
  dbsql_token_provider *provider = (dbsql_token_provider *)(void *)shared;
  provider->ops->destroy(provider);
}

void provider_init(dbsql_token_provider *provider, const struct provider_ops *ops, const char *format, ...) {
  va_list args;
  shared_init(&provider->shared, destroy);
  provider->ops = ops;
  atomic_init(&provider->generation, 0);
  va_start(args, format);
  vsnprintf(provider->name, sizeof provider->name, format, args);
  va_end(args);
}

void error_copy(const dbsql_error *from, dbsql_error **to) {
  if (!from) return;
  if (from->is_static) {
    error_no_memory(to);
    return;
  }
  error_set(to, from->kind, from->sqlstate, "%s", from->message ? from->message : "");
  if (!to || !*to || (*to)->is_static) return;
  (*to)->retryable = from->retryable;
  (*to)->vendor_code = from->vendor_code;
  (*to)->http_status = from->http_status;
  (*to)->attempts = from->attempts;
  (*to)->retry_after_ms = from->retry_after_ms;
  if (from->error_class) error_set_class(to, from->error_class, strlen(from->error_class));
  error_set_host(to, from->host);
  error_set_request_id(to, from->request_id);
}

dbsql_status provider_bind(char **bound, const dbsql_token_provider *provider, const struct auth_context *context, dbsql_error **error) {
  if (!*bound) {
    *bound = mem_strdup(context->origin);
    return *bound ? DBSQL_OK : error_no_memory(error);
  }
  if (strcmp(*bound, context->origin) == 0) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "28000", "the token provider %s serves %s and its tokens are not for %s: make another one",
                   provider->name, *bound, context->origin);
}

/* ---- Static -------------------------------------------------------------------------------------------------------------- */

struct static_provider {
  dbsql_token_provider base;
  struct token *token;
};

static dbsql_status static_get(dbsql_token_provider *self, const struct token_request *request, struct token **token, dbsql_error **error) {
  struct static_provider *provider = (struct static_provider *)(void *)self;
  (void)request;
  if (token_state_now(provider->token) == TOKEN_EXPIRED) {
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "static token provider: the token has expired");
  }
  *token = token_keep(provider->token);
  return DBSQL_OK;
}

static void static_destroy(dbsql_token_provider *self) {
  struct static_provider *provider = (struct static_provider *)(void *)self;
  token_drop(provider->token);
  mem_free(provider);
}

static const struct provider_ops static_ops = {static_get, NULL, static_destroy};

dbsql_status provider_static(const struct token_parts *parts, dbsql_token_provider **out, dbsql_error **error) {
  if (parts->value.size == 0) return error_set(error, DBSQL_ERROR_DRIVER, "28000", "static token provider: token is empty");
  struct static_provider *provider = mem_alloc_zero(1, sizeof *provider);
  if (!provider) return error_no_memory(error);
  provider_init(&provider->base, &static_ops, "static");
  dbsql_status status = token_new(parts, "static token provider", &provider->token, error);
  if (status != DBSQL_OK) {
    mem_free(provider);
    return status;
  }
  atomic_store(&provider->base.generation, 1);
  *out = &provider->base;
  return DBSQL_OK;
}
