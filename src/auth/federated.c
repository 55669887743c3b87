/* Token federation: tokens of another issuer become tokens of the workspace (auth.md 1.9, D4, D5). */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth/oauth.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/wait.h"
#include "http/url.h"

enum {
  exchange_ms = 15000, /* for one exchange: half of what a cache gives, so that one that hangs leaves time for the original token */
  failed_ms = 60000,   /* no second exchange of a token for so long after one failed */
  unknown_lifetime_ms = 3600 * 1000 /* of an exchanged token that says nothing of its end */
};

struct federated {
  dbsql_token_provider base;
  dbsql_token_provider *inner;
  char *client_id; /* NULL: the account's policy */
  char *scope;
  bool strict;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  char *bound;
  pid_t busy; /* an exchange runs in this process; 0: none does */
  pthread_t runner;
  /* What came of the last one. */
  uint8_t key[token_fingerprint_size]; /* of the token that was exchanged */
  bool has_key;
  struct token *token; /* what it became; NULL: it failed */
  dbsql_error *failure;
  int64_t failed_until_ns;
  int64_t warned_until_ns;
};

/* The host in a URL or "HOST[:PORT]", lower case, without port, brackets and final dot. False if there is none. */
static bool host_of(const char *text, bool needs_scheme, char out[256]) {
  struct http_target target;
  struct buf url = BUF_INIT;
  if (!strstr(text, "://")) {
    if (needs_scheme) return false;
    buf_append_text(&url, "https://");
  }
  buf_append_text(&url, text);
  const char *whole = buf_text(&url);
  bool ok = whole && http_target_parse(whole, &target, NULL) == DBSQL_OK;
  if (ok) memcpy(out, target.host, sizeof target.host);
  buf_free(&url);
  return ok;
}

bool federation_is_foreign(const char *issuer, const char *host) {
  char a[256], b[256];
  struct buf bracketed = BUF_INIT;
  bool v6 = host[0] != '[' && strchr(host, ':') && strchr(host, ':') != strrchr(host, ':');
  buf_printf(&bracketed, v6 ? "[%s]" : "%s", host);
  const char *whole = buf_text(&bracketed);
  bool equal = whole && host_of(issuer, true, a) && host_of(whole, false, b) && strcmp(a, b) == 0;
  buf_free(&bracketed);
  return !equal;
}

static dbsql_status exchange(struct federated *provider, const struct token_request *request, const struct token *original,
                             struct token **token, dbsql_error **error) {
  struct buf url = BUF_INIT;
  struct oauth_answer answer = {0};
  buf_printf(&url, "%s/oidc/v1/token", request->context->origin);
  struct oauth_exchange what = {.url = buf_text(&url),
                                .subject = (const char *)token_value(original).data,
                                .client_id = provider->client_id,
                                .scope = provider->scope,
                                .original_if_accepted = true};
  struct call limited = *request->call;
  int64_t end_ns = clock_now_ns() + (int64_t)exchange_ms * 1000000;
  if (end_ns < limited.deadline_ns) {
    limited.deadline_ns = end_ns;
    limited.timeout_ms = exchange_ms;
  }
  struct token_request own = *request;
  own.call = &limited;
  dbsql_status status = what.url ? oauth_exchange_token(&own, &what, &answer, error) : error_no_memory(error);
  if (status == DBSQL_OK) status = oauth_make_token(&answer, "token exchange", 0, unknown_lifetime_ms, token, error);
  oauth_answer_free(&answer);
  buf_free(&url);
  return status;
}

/* The original token as it is, for a minute: then the exchange is tried again. */
static dbsql_status original_instead(struct federated *provider, const struct token_request *request, const struct token *original,
                                     const dbsql_error *failure, struct token **token, dbsql_error **error) {
  enum { most = 16 };
  struct token_header headers[most];
  size_t count = 0;
  const char *more = secret_text(original->more), *end = more + secret_length(original->more);
  for (const char *at = more; at < end && count < most; count++) {
    headers[count].name = at;
    headers[count].value = at += strlen(at) + 1;
    at += strlen(at) + 1;
  }
  struct buf note = BUF_INIT;
  char type[256];
  snprintf(type, sizeof type, "%.*s", (int)(original->value_at - 1), secret_text(original->header));
  buf_printf(&note, "the exchange of its token had failed: %s", dbsql_error_message(failure));
  int64_t soon = clock_unix_us() / 1000 + failed_ms + token_unusable_ms;
  struct token_parts parts = {.value = token_value(original),
                              .type = type,
                              .scopes = original->scopes,
                              .headers = headers,
                              .header_count = count,
                              .note = buf_text(&note)};
  if (original->expires_unix_ms != 0 && original->expires_unix_ms < soon) {
    parts.expires_unix_ms = original->expires_unix_ms;
  } else {
    parts.lifetime_ms = failed_ms;
  }
  dbsql_status status = token_new(&parts, "federation provider", token, error);
  buf_free(&note);
  if (status != DBSQL_OK || clock_now_ns() < provider->warned_until_ns) return status;
  provider->warned_until_ns = clock_now_ns() + (int64_t)failed_ms * 1000000;
  log_write(request->log, DBSQL_LOG_WARN, "auth", "token exchange failed; the original token is used", "provider", provider->base.name,
            "host", request->context->host, "error", dbsql_error_message(failure), (char *)NULL);
  return status;
}

static dbsql_status wait_turn(struct federated *provider, const struct call *call, dbsql_error **error) {
  if (provider->busy == getpid() && pthread_equal(provider->runner, pthread_self())) {
    return error_set(error, DBSQL_ERROR_DRIVER, "28000", "it asks itself for a token");
  }
  while (provider->busy == getpid()) {
    dbsql_status status = wait_changed(&provider->changed, &provider->lock, call, "waiting for a token exchange", error);
    if (status != DBSQL_OK) return status;
  }
  return DBSQL_OK;
}

/* With the lock held; gives it up during the exchange. */
static dbsql_status exchanged(struct federated *provider, const struct token_request *request, const struct token *original,
                              const char *issuer, struct token **token, dbsql_error **error) {
  dbsql_status status = provider_bind(&provider->bound, &provider->base, request->context, error);
  if (status == DBSQL_OK) status = wait_turn(provider, request->call, error);
  if (status != DBSQL_OK) return status;
  bool known = provider->has_key && memcmp(provider->key, original->fingerprint, sizeof provider->key) == 0;
  if (known && provider->token && request->reason == DBSQL_TOKEN_INITIAL && token_state_now(provider->token) == TOKEN_FRESH) {
    *token = token_keep(provider->token);
    return DBSQL_OK;
  }
  if (!known || provider->token || clock_now_ns() >= provider->failed_until_ns) {
    struct token *made = NULL;
    dbsql_error *failure = NULL;
    provider->busy = getpid();
    provider->runner = pthread_self();
    log_write(request->log, DBSQL_LOG_DEBUG, "auth", "exchanging a token of another issuer", "provider", provider->base.name, "host",
              request->context->host, "issuer", issuer, (char *)NULL);
    pthread_mutex_unlock(&provider->lock);
    status = exchange(provider, request, original, &made, &failure);
    pthread_mutex_lock(&provider->lock);
    provider->busy = 0;
    pthread_cond_broadcast(&provider->changed);
    if (status == DBSQL_ERROR_CANCELLED || status == DBSQL_ERROR_NO_MEMORY ||
        (status != DBSQL_OK && call_remaining_ms(request->call) == 0)) {
      /* That is about who asked, not about the exchange: nothing to fall back from. */
      error_move(&failure, error);
      return status;
    }
    memcpy(provider->key, original->fingerprint, sizeof provider->key);
    provider->has_key = true;
    token_drop(provider->token);
    provider->token = made;
    error_clear(&provider->failure);
    provider->failure = failure;
    provider->failed_until_ns = clock_now_ns() + (int64_t)failed_ms * 1000000;
  }
  if (provider->token) {
    *token = token_keep(provider->token);
    return DBSQL_OK;
  }
  if (!provider->strict) return original_instead(provider, request, original, provider->failure, token, error);
  error_copy(provider->failure, error);
  return provider->failure->kind;
}

static dbsql_status federated_get(dbsql_token_provider *self, const struct token_request *request, struct token **token,
                                  dbsql_error **error) {
  struct federated *provider = (struct federated *)(void *)self;
  *token = NULL;
  struct token *original = NULL;
  char *issuer = NULL;
  dbsql_status status = call_check(request->call, "exchanging a token", error);
  if (status == DBSQL_OK) {
    status = provider_get(provider->inner, request, &original, error);
    if (status != DBSQL_OK) error_prefix(error, "failed to get base token");
  }
  if (status != DBSQL_OK) {
    error_prefix(error, "federation provider");
    return status;
  }
  bool has_issuer = jwt_issuer(token_value(original), &issuer);
  if (has_issuer && !issuer) {
    status = error_no_memory(error);
  } else if (!has_issuer || !federation_is_foreign(issuer, request->context->host)) {
    *token = token_keep(original);
  } else {
    pthread_mutex_lock(&provider->lock);
    status = exchanged(provider, request, original, issuer, token, error);
    pthread_mutex_unlock(&provider->lock);
    if (status != DBSQL_OK) error_prefix(error, "federation provider");
  }
  mem_free(issuer);
  token_drop(original);
  return status;
}

static void federated_reject(dbsql_token_provider *self, const struct token *token) {
  struct federated *provider = (struct federated *)(void *)self;
  pthread_mutex_lock(&provider->lock);
  bool ours = provider->token && token_equal(provider->token, token);
  if (ours) {
    token_drop(provider->token);
    provider->token = NULL;
    provider->has_key = false;
  }
  pthread_mutex_unlock(&provider->lock);
  if (!ours) provider_reject(provider->inner, token);
}

static void federated_destroy(dbsql_token_provider *self) {
  struct federated *provider = (struct federated *)(void *)self;
  token_drop(provider->token);
  error_clear(&provider->failure);
  mem_free(provider->bound);
  mem_free(provider->client_id);
  mem_free(provider->scope);
  pthread_cond_destroy(&provider->changed);
  pthread_mutex_destroy(&provider->lock);
  provider_drop(provider->inner);
  mem_free(provider);
}

static const struct provider_ops federated_ops = {federated_get, federated_reject, federated_destroy};

static bool is_client_id(const char *text) {
  size_t length = strlen(text);
  for (size_t i = 0; i < length; i++) {
    if (text[i] <= 0x20 || text[i] >= 0x7F) return false;
  }
  return length <= 512;
}

dbsql_status provider_federated(dbsql_token_provider *inner, const struct federation_settings *settings, dbsql_token_provider **out,
                                dbsql_error **error) {
  const char *id = settings->client_id && *settings->client_id ? settings->client_id : NULL;
  if (id && !is_client_id(id)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY024",
                     "the client id of a federated token provider must be visible ASCII, at most 512 bytes");
  }
  struct federated *provider = mem_alloc_zero(1, sizeof *provider);
  if (!provider) return error_no_memory(error);
  provider_init(&provider->base, &federated_ops, "federation[%.60s%s%.8s]", inner->name, id ? ",sp:" : "", id ? id : "");
  provider->base.can_renew = provider->base.needs_cache = true;
  provider->base.in_foreground = inner->in_foreground;
  provider->inner = provider_keep(inner);
  provider->strict = settings->strict;
  provider->scope = mem_strdup(settings->scope && *settings->scope ? settings->scope : "sql");
  if (id) provider->client_id = mem_strdup(id);
  pthread_mutex_init(&provider->lock, NULL);
  wait_init(&provider->changed);
  provider->failed_until_ns = provider->warned_until_ns = INT64_MIN;
  if (!provider->scope || (id && !provider->client_id)) {
    provider_drop(&provider->base);
    return error_no_memory(error);
  }
  *out = &provider->base;
  return DBSQL_OK;
}
