/* Tokens of the application: a callback. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auth/provider.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/wait.h"

enum { longest_message = 4096, most_headers = 16 };

struct external {
  dbsql_token_provider base;
  dbsql_token_source source; /* its name is in base.name */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pid_t busy; /* the callback runs in this process, and is not THREAD_SAFE; 0: it does not */
  pthread_t runner;
};

static dbsql_status take_turn(struct external *provider, const struct call *call, dbsql_error **error) {
  if (provider->source.flags & DBSQL_TOKEN_THREAD_SAFE) return DBSQL_OK;
  dbsql_status status = DBSQL_OK;
  pthread_mutex_lock(&provider->lock);
  if (provider->busy == getpid() && pthread_equal(provider->runner, pthread_self())) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "28000", "external token provider: its callback asks itself for a token");
  }
  while (status == DBSQL_OK && provider->busy == getpid()) {
    status = wait_changed(&provider->changed, &provider->lock, call, "waiting for the token provider's callback", error);
  }
  if (status == DBSQL_OK) {
    provider->busy = getpid();
    provider->runner = pthread_self();
  }
  pthread_mutex_unlock(&provider->lock);
  return status;
}

static void give_turn(struct external *provider) {
  if (provider->source.flags & DBSQL_TOKEN_THREAD_SAFE) return;
  pthread_mutex_lock(&provider->lock);
  provider->busy = 0;
  pthread_cond_broadcast(&provider->changed);
  pthread_mutex_unlock(&provider->lock);
}

static dbsql_status failed(const dbsql_token *token, int result, dbsql_error **error) {
  const char *text = token->error_message && *token->error_message ? token->error_message : "its callback gave no reason";
  struct buf clean = BUF_SECRET;
  redact_append(&clean, text, strnlen(text, longest_message));
  const char *shown = buf_text(&clean);
  dbsql_status status = shown ? error_set(error, DBSQL_ERROR_REQUEST, "28000", "external token provider: failed to get token: %s", shown)
                              : error_no_memory(error);
  if (status == DBSQL_ERROR_REQUEST && error && *error) (*error)->vendor_code = result;
  buf_free_secret(&clean);
  return status;
}

static dbsql_status convert(const struct external *provider, const dbsql_token *given, struct token **token, dbsql_error **error) {
  struct token_header headers[most_headers];
  size_t count = 0;
  for (const char *const *at = given->headers; at && at[0]; at += 2) {
    if (count == most_headers || !at[1]) {
      return error_set(error, DBSQL_ERROR_REQUEST, "28000", "external token provider: more than %d headers, or a name without its value",
                       most_headers);
    }
    headers[count++] = (struct token_header){at[0], at[1]};
  }
  const char *value = given->access_token ? given->access_token : "";
  struct token_parts parts = {
      .value = slice_of(value, strnlen(value, token_longest + 1)),
      .type = given->token_type,
      .expires_unix_ms = given->expires_at_ms > 0 ? given->expires_at_ms : jwt_expiry_ms(slice_text(value)),
      .scopes = given->scopes,
      .headers = headers,
      .header_count = count,
  };
  if (given->expires_at_ms < 0) {
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "external token provider: the token's expiry is negative");
  }
  if (parts.expires_unix_ms == 0) {
    int64_t lifetime = provider->source.unknown_lifetime_ms;
    parts.lifetime_ms = lifetime == 0 ? token_unknown_lifetime_ms : lifetime < 0 ? 0 : lifetime;
  }
  dbsql_status status = token_new(&parts, "external token provider", token, error);
  if (status == DBSQL_OK && token_state_now(*token) == TOKEN_EXPIRED) {
    token_drop(*token);
    *token = NULL;
    status = error_set(error, DBSQL_ERROR_REQUEST, "28000", "external token provider: the token that it gave has expired");
  }
  return status;
}

static dbsql_status external_get(dbsql_token_provider *self, const struct token_request *request, struct token **token,
                                 dbsql_error **error) {
  struct external *provider = (struct external *)(void *)self;
  dbsql_status status = call_check(request->call, "asking the token provider", error);
  if (status == DBSQL_OK) status = take_turn(provider, request->call, error);
  if (status != DBSQL_OK) {
    error_prefix(error, "external token provider");
    return status;
  }
  dbsql_token_request question = {
      .struct_size = sizeof question,
      .host = request->context->host,
      .reason = request->reason,
      .timeout_ms = request->call->deadline_ns == INT64_MAX ? -1 : call_remaining_ms(request->call),
      .cancel = request->call->cancel,
  };
  dbsql_token given = {.struct_size = sizeof given};
  int result = provider->source.get_token(provider->source.user, &question, &given);
  status = result == 0 ? convert(provider, &given, token, error) : failed(&given, result, error);
  if (given.release) given.release(&given);
  give_turn(provider);
  return status;
}

static void external_destroy(dbsql_token_provider *self) {
  struct external *provider = (struct external *)(void *)self;
  if (provider->source.destroy) provider->source.destroy(provider->source.user);
  pthread_cond_destroy(&provider->changed);
  pthread_mutex_destroy(&provider->lock);
  mem_free(provider);
}

static const struct provider_ops external_ops = {external_get, NULL, external_destroy};

dbsql_status provider_external(const dbsql_token_source *source, dbsql_token_provider **out, dbsql_error **error) {
  for (const char *c = source->name ? source->name : ""; *c; c++) {
    if ((unsigned char)*c < 0x20 || *c == 0x7F) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY024", "external token provider: its name has a control character");
    }
  }
  struct external *provider = mem_alloc_zero(1, sizeof *provider);
  if (!provider) return error_no_memory(error);
  provider_init(&provider->base, &external_ops, "external%s%.40s%s", source->name ? "[" : "", source->name ? source->name : "",
                source->name ? "]" : "");
  provider->source = *source;
  provider->base.can_renew = true;
  provider->base.needs_cache = !(source->flags & DBSQL_TOKEN_NO_CACHE);
  provider->base.in_foreground = source->flags & DBSQL_TOKEN_NO_BACKGROUND;
  pthread_mutex_init(&provider->lock, NULL);
  wait_init(&provider->changed);
  *out = &provider->base;
  return DBSQL_OK;
}
