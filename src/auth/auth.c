#include "auth/auth.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

/* ---- Without a token ------------------------------------------------------------------------------------------------------ */

static dbsql_status no_header(struct authenticator *self, const struct call *call, struct buf *value, struct auth_stamp *stamp,
                              dbsql_error **error) {
  (void)self, (void)call, (void)value, (void)error;
  if (stamp) stamp->has_token = false;
  return DBSQL_OK;
}

static dbsql_status anonymous_header(struct authenticator *self, const struct call *call, struct buf *value, struct auth_stamp *stamp,
                                     dbsql_error **error) {
  (void)self, (void)call;
  if (stamp) stamp->has_token = false;
  buf_append_text(value, "Basic YW5vbnltb3VzOmFub255bW91cw=="); /* anonymous:anonymous */
  return buf_failed(value) ? error_no_memory(error) : DBSQL_OK;
}

static bool no_help(struct authenticator *self, const struct call *call, const struct auth_stamp *stamp, dbsql_error **error) {
  (void)self, (void)call, (void)stamp, (void)error;
  return false;
}

static void plain_destroy(struct authenticator *self) {
  mem_free(self);
}

static dbsql_status make_plain(struct authenticator kind, struct authenticator **out, dbsql_error **error) {
  struct authenticator *made = mem_alloc_zero(1, sizeof *made);
  if (!made) return error_no_memory(error);
  *made = kind;
  *out = made;
  return DBSQL_OK;
}

dbsql_status authenticator_none(struct authenticator **out, dbsql_error **error) {
  return make_plain((struct authenticator){no_header, no_help, plain_destroy}, out, error);
}

dbsql_status authenticator_anonymous(struct authenticator **out, dbsql_error **error) {
  return make_plain((struct authenticator){anonymous_header, no_help, plain_destroy}, out, error);
}

/* ---- With a provider's tokens --------------------------------------------------------------------------------------------- */

/* Each authenticator holds the token that it used last. As long as the provider's generation is the same and the token is fresh, a
 * request needs nothing that another connection touches: the lock below is shared only by the threads of one connection. */
struct token_authenticator {
  struct authenticator base;
  dbsql_token_provider *provider;
  struct auth_context *context;
  const struct log *log;
  pthread_mutex_t lock;
  uint64_t generation; /* of `token`; 0: must be asked for */
  struct token *token;
};

static void append(const struct token *token, struct buf *value, struct auth_stamp *stamp) {
  buf_append(value, secret_text(token->header), secret_length(token->header));
  if (token->more) {
    buf_append_byte(value, 0);
    buf_append(value, secret_text(token->more), secret_length(token->more));
  }
  if (!stamp) return;
  stamp->has_token = true;
  memcpy(stamp->fingerprint, token->fingerprint, sizeof stamp->fingerprint);
}

/* A token of the provider, kept for the next request. */
static dbsql_status fetch(struct token_authenticator *self, const struct call *call, dbsql_token_reason reason, struct token **token,
                          dbsql_error **error) {
  /* Read before asking: if it changes meanwhile, the next request asks again. */
  uint64_t generation = atomic_load_explicit(&self->provider->generation, memory_order_acquire);
  struct token_request request = {self->context, call, self->log, reason, false};
  *token = NULL;
  dbsql_status status = provider_get(self->provider, &request, token, error);
  if (status == DBSQL_OK && !*token) status = error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s gave no token", self->provider->name);
  if (status == DBSQL_OK && token_state_now(*token) == TOKEN_EXPIRED) {
    token_drop(*token);
    status = error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s gave a token that has expired, or is about to", self->provider->name);
  }
  if (status != DBSQL_OK) {
    *token = NULL;
    error_prefix(error, "token provider authenticator: failed to get token");
    if (status == DBSQL_ERROR_REQUEST || status == DBSQL_ERROR_DRIVER) error_set_category(error, CATEGORY_AUTH);
    return status;
  }
  pthread_mutex_lock(&self->lock);
  struct token *old = self->token;
  self->token = token_keep(*token);
  self->generation = generation;
  pthread_mutex_unlock(&self->lock);
  token_drop(old);
  log_write(self->log, DBSQL_LOG_TRACE, "auth", "authenticated", "provider", self->provider->name, (char *)NULL);
  return DBSQL_OK;
}

static dbsql_status token_header(struct authenticator *base, const struct call *call, struct buf *value, struct auth_stamp *stamp,
                                 dbsql_error **error) {
  struct token_authenticator *self = (struct token_authenticator *)(void *)base;
  uint64_t generation = atomic_load_explicit(&self->provider->generation, memory_order_acquire);
  if (generation != 0 && !dbsql_cancel_is_triggered(call->cancel)) {
    pthread_mutex_lock(&self->lock);
    bool held = self->generation == generation && token_state_now(self->token) == TOKEN_FRESH;
    if (held) append(self->token, value, stamp);
    pthread_mutex_unlock(&self->lock);
    if (held) return buf_failed(value) ? error_no_memory(error) : DBSQL_OK;
  }
  struct token *token;
  dbsql_status status = fetch(self, call, DBSQL_TOKEN_INITIAL, &token, error);
  if (status != DBSQL_OK) return status;
  append(token, value, stamp);
  token_drop(token);
  return buf_failed(value) ? error_no_memory(error) : DBSQL_OK;
}

/* What the reader of the error must know of the token (auth.md 3.2). */
static void explain(const struct token_authenticator *self, const struct token *token, const dbsql_error *renewal, dbsql_error **error) {
  if (!error || !*error || (*error)->is_static) return;
  struct buf text = BUF_INIT;
  buf_printf(&text, "%s; token provider %s", dbsql_error_message(*error), self->provider->name);
  if (token && token->note) buf_printf(&text, "; %s", token->note);
  if (renewal) buf_printf(&text, "; another token could not be had: %s", dbsql_error_message(renewal));
  char *message = buf_take_text(&text);
  buf_free(&text);
  if (!message) return;
  mem_free((*error)->message);
  (*error)->message = message;
}

static bool token_refused(struct authenticator *base, const struct call *call, const struct auth_stamp *stamp, dbsql_error **error) {
  struct token_authenticator *self = (struct token_authenticator *)(void *)base;
  if (!stamp->has_token) return false;
  pthread_mutex_lock(&self->lock);
  struct token *used = token_keep(self->token);
  pthread_mutex_unlock(&self->lock);
  if (used && memcmp(used->fingerprint, stamp->fingerprint, sizeof stamp->fingerprint) != 0) {
    /* Another thread has got another one meanwhile. */
    token_drop(used);
    return !stamp->is_second && error && *error && (*error)->http_status == 401;
  }
  struct token *other = NULL;
  dbsql_error *renewal = NULL;
  bool again = false;
  if (used && !stamp->is_second && error && *error && (*error)->http_status == 401 && self->provider->can_renew) {
    provider_reject(self->provider, used);
    dbsql_status status = fetch(self, call, DBSQL_TOKEN_REJECTED, &other, &renewal);
    again = status == DBSQL_OK && !token_equal(used, other);
    log_write(self->log, DBSQL_LOG_DEBUG, "auth", again ? "the token was refused; there is another one" : "the token was refused",
              "provider", self->provider->name, "error", renewal ? dbsql_error_message(renewal) : NULL, (char *)NULL);
  }
  if (!again) explain(self, other ? other : used, renewal, error);
  error_clear(&renewal);
  token_drop(other);
  token_drop(used);
  return again;
}

static void token_destroy(struct authenticator *base) {
  struct token_authenticator *self = (struct token_authenticator *)(void *)base;
  token_drop(self->token);
  provider_drop(self->provider);
  auth_context_drop(self->context);
  pthread_mutex_destroy(&self->lock);
  mem_free(self);
}

dbsql_status authenticator_provider(dbsql_token_provider *provider, struct auth_context *context, const struct log *log,
                                    struct authenticator **out, dbsql_error **error) {
  struct token_authenticator *self = mem_alloc_zero(1, sizeof *self);
  if (!self) return error_no_memory(error);
  if (provider->needs_cache) {
    dbsql_status status = provider_cached(provider, 0, &self->provider, error);
    if (status != DBSQL_OK) {
      mem_free(self);
      return status;
    }
  } else {
    self->provider = provider_keep(provider);
  }
  self->base = (struct authenticator){token_header, token_refused, token_destroy};
  self->context = auth_context_keep(context);
  self->log = log;
  pthread_mutex_init(&self->lock, NULL);
  *out = &self->base;
  return DBSQL_OK;
}

void authenticator_share(const struct authenticator *authenticator, dbsql_token_provider **provider, struct auth_context **context) {
  const struct token_authenticator *self = (const struct token_authenticator *)(const void *)authenticator;
  bool has_tokens = authenticator->destroy == token_destroy;
  *provider = has_tokens ? provider_keep(self->provider) : NULL;
  *context = has_tokens ? auth_context_keep(self->context) : NULL;
}

void authenticator_free(struct authenticator *authenticator) {
  if (authenticator) authenticator->destroy(authenticator);
}
