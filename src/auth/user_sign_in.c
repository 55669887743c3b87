/* People: authorization code with PKCE over a browser, refresh tokens, and tokens on disk (auth.md 2.4, 2.5). */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "auth/browser.h"
#include "auth/crypto.h"
#include "auth/listener.h"
#include "auth/methods.h"
#include "auth/token_store.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/wait.h"

enum { sign_in_ms = 120000, fetch_ms = sign_in_ms + 30000, state_bytes = 16, verifier_bytes = 32 };

struct user {
  dbsql_token_provider base;
  struct discovery_cache endpoints;
  struct user_sign_in settings; /* texts are owned */
  char *scopes;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pid_t busy; /* somebody in this process signs in or refreshes, since a refresh token is for one at a time; 0: nobody does */
  char *refresh_token;
  uint8_t rejected[token_fingerprint_size]; /* the server has refused this one: not to be taken from the disk again */
  bool has_rejected;
};

static const char usual_scopes[] = "sql offline_access";

static dbsql_status say(const char *what, dbsql_error **error) {
  return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s", what);
}

/* ---- Requests ------------------------------------------------------------------------------------------------------------ */

/* `secrets` are NULL-terminated. */
static dbsql_status post(struct user *user, const struct token_request *request, const struct discovery *endpoints, struct buf *form,
                         const char *const *secrets, struct oauth_answer *answer, dbsql_error **error) {
  size_t count = 0;
  while (secrets[count]) count++;
  bool with_secret = user->settings.client_secret && !endpoints->post_only;
  oauth_field(form, "client_id", user->settings.client_id);
  if (user->settings.client_secret && endpoints->post_only) oauth_field(form, "client_secret", secret_text(user->settings.client_secret));
  struct oauth_post what = {
      .what = "token request",
      .url = endpoints->token_endpoint,
      .form = buf_slice(form),
      .basic_id = with_secret ? user->settings.client_id : NULL,
      .basic_secret = user->settings.client_secret,
      .single_use = true,
      .secrets = secrets,
      .secret_count = count,
  };
  return buf_failed(form) ? error_no_memory(error) : oauth_token_request(request, &what, answer, error);
}

static dbsql_status refresh(struct user *user, const struct token_request *request, const struct discovery *endpoints, const char *token,
                            struct oauth_answer *answer, dbsql_error **error) {
  struct buf form = BUF_SECRET;
  oauth_field(&form, "grant_type", "refresh_token");
  oauth_field(&form, "refresh_token", token);
  const char *const secrets[] = {token, NULL};
  dbsql_status status = post(user, request, endpoints, &form, secrets, answer, error);
  buf_free_secret(&form);
  /* A server that does not rotate sends none: the old one stays good. */
  if (status == DBSQL_OK && !answer->refresh_token) {
    answer->refresh_token = mem_strdup(token);
    if (!answer->refresh_token) {
      oauth_answer_free(answer);
      status = error_no_memory(error);
    }
  }
  return status;
}

/* What one sign-in needs to be told from another. */
struct sign_in {
  struct buf state, verifier, challenge, redirect, url;
};

static void sign_in_free(struct sign_in *sign_in) {
  buf_free_secret(&sign_in->state);
  buf_free_secret(&sign_in->verifier);
  buf_free_secret(&sign_in->url);
  buf_free(&sign_in->challenge);
  buf_free(&sign_in->redirect);
}

static bool prepare(const struct user *user, const struct discovery *endpoints, int port, struct sign_in *sign_in) {
  uint8_t random[verifier_bytes], hash[sha256_size];
  if (!crypto_random(random, state_bytes)) return false;
  base64url_append(&sign_in->state, random, state_bytes);
  if (!crypto_random(random, verifier_bytes)) return false;
  base64url_append(&sign_in->verifier, random, verifier_bytes);
  mem_wipe(random, sizeof random);
  buf_printf(&sign_in->redirect, "http://localhost:%d", port);
  if (!buf_text(&sign_in->state) || !buf_text(&sign_in->verifier) || !buf_text(&sign_in->redirect)) return false;
  if (!crypto_sha256(sign_in->verifier.data, sign_in->verifier.size, hash)) return false;
  base64url_append(&sign_in->challenge, hash, sizeof hash);
  if (!buf_text(&sign_in->challenge)) return false;
  struct buf query = BUF_SECRET;
  oauth_field(&query, "response_type", "code");
  oauth_field(&query, "client_id", user->settings.client_id);
  oauth_field(&query, "redirect_uri", (const char *)sign_in->redirect.data);
  oauth_field(&query, "scope", user->scopes);
  oauth_field(&query, "state", (const char *)sign_in->state.data);
  oauth_field(&query, "code_challenge", (const char *)sign_in->challenge.data);
  oauth_field(&query, "code_challenge_method", "S256");
  buf_append_text(&sign_in->url, endpoints->authorization_endpoint);
  buf_append_byte(&sign_in->url, strchr(endpoints->authorization_endpoint, '?') ? '&' : '?');
  buf_append_slice(&sign_in->url, buf_slice(&query));
  bool ok = !buf_failed(&query) && buf_text(&sign_in->url);
  buf_free_secret(&query);
  return ok;
}

static dbsql_status show(const struct user *user, const char *url, dbsql_error **error) {
  if (user->settings.open) {
    return user->settings.open(user->settings.open_user, url) ? DBSQL_OK : say("the program did not open the sign-in page", error);
  }
  dbsql_status status = browser_open(url, error);
  if (status == DBSQL_ERROR_REQUEST) {
    error_prefix(error, "cannot open a browser to sign in (use another auth_type here, or a function that shows the page)");
  }
  return status;
}

static dbsql_status redeem(struct user *user, const struct token_request *request, const struct discovery *endpoints,
                           const struct sign_in *sign_in, const char *code, struct oauth_answer *answer, dbsql_error **error) {
  struct buf form = BUF_SECRET;
  oauth_field(&form, "grant_type", "authorization_code");
  oauth_field(&form, "code", code);
  oauth_field(&form, "code_verifier", (const char *)sign_in->verifier.data);
  oauth_field(&form, "redirect_uri", (const char *)sign_in->redirect.data);
  const char *const secrets[] = {code, (const char *)sign_in->verifier.data, NULL};
  dbsql_status status = post(user, request, endpoints, &form, secrets, answer, error);
  buf_free_secret(&form);
  return status;
}

static dbsql_status ask_user(struct user *user, const struct token_request *request, const struct discovery *endpoints,
                             struct oauth_answer *answer, dbsql_error **error) {
  struct listener *listener = NULL;
  struct sign_in sign_in = {.state = BUF_SECRET, .verifier = BUF_SECRET, .url = BUF_SECRET};
  struct listener_answer came = {NULL, NULL, NULL};
  struct call limited = *request->call;
  struct http_target target;
  if (!endpoints->authorization_endpoint) return say("authorization_endpoint must be set, since token_endpoint is", error);
  int64_t end_ns = clock_now_ns() + (int64_t)sign_in_ms * 1000000;
  if (end_ns < limited.deadline_ns) {
    limited.deadline_ns = end_ns;
    limited.timeout_ms = sign_in_ms;
  }
  dbsql_status status = oauth_check_url(request->context, endpoints->authorization_endpoint, "the authorization endpoint", &target, error);
  if (status == DBSQL_OK) status = listener_open(user->settings.ports, &listener, error);
  if (status == DBSQL_OK && !prepare(user, endpoints, listener_port(listener), &sign_in)) status = error_no_memory(error);
  if (status == DBSQL_OK) status = show(user, (const char *)sign_in.url.data, error);
  if (status == DBSQL_OK) status = listener_wait(listener, (const char *)sign_in.state.data, &limited, &came, error);
  listener_close(listener);
  /* A server that names itself on the way back lets us see that no other one has taken its place (T11). */
  if (status == DBSQL_OK && endpoints->issuer && (!came.issuer || strcmp(came.issuer, endpoints->issuer) != 0)) {
    status = say("the browser came back from another authorization server than it was sent to", error);
  }
  if (status == DBSQL_OK && came.error) {
    status = error_set(error, DBSQL_ERROR_REQUEST, "28000", "the sign-in was refused: %s", came.error);
  }
  if (status == DBSQL_OK) status = redeem(user, request, endpoints, &sign_in, came.code, answer, error);
  listener_answer_free(&came);
  sign_in_free(&sign_in);
  return status;
}

/* ---- All together -------------------------------------------------------------------------------------------------------- */

static bool is_usable(const struct user *user, const struct oauth_answer *stored, struct token **token) {
  if (oauth_make_token(stored, "stored token", 0, 0, token, NULL) != DBSQL_OK) return false;
  bool refused = user->has_rejected && memcmp(user->rejected, (*token)->fingerprint, token_fingerprint_size) == 0;
  if (token_state_now(*token) == TOKEN_FRESH && !refused && (*token)->stale_ns != INT64_MAX) return true;
  token_drop(*token);
  *token = NULL;
  return false;
}

/* The refresh token to use: ours, or the stored one if another process has got a newer one meanwhile. */
static const char *refresh_token_of(const struct user *user, const struct oauth_answer *stored) {
  return stored->refresh_token ? stored->refresh_token : user->refresh_token;
}

static dbsql_status renew(struct user *user, const struct token_request *request, const char *refresh_token, struct token_store *store,
                          struct oauth_answer *answer, dbsql_error **error) {
  struct discovery endpoints = {0};
  dbsql_error *refusal = NULL;
  dbsql_status status = discovery_cache_get(&user->endpoints, request, &endpoints, error);
  if (status != DBSQL_OK) return status;
  bool may_ask = user->settings.interactive && !request->in_background;
  if (refresh_token) {
    status = refresh(user, request, &endpoints, refresh_token, answer, &refusal);
    bool is_spent = status != DBSQL_OK && strcmp(dbsql_error_class(refusal), "invalid_grant") == 0;
    if (is_spent) {
      mem_free_secret(user->refresh_token);
      user->refresh_token = NULL;
      if (store) token_store_remove(store);
    }
    if (status != DBSQL_OK && !(is_spent && may_ask)) {
      if (is_spent) error_prefix(&refusal, "the refresh token is no longer good: sign in again");
      error_move(&refusal, error);
      goto cleanup;
    }
  } else if (!may_ask) {
    status = say("a person must sign in again", error);
    goto cleanup;
  }
  if (status != DBSQL_OK || !refresh_token) status = ask_user(user, request, &endpoints, answer, error);

cleanup:
  error_clear(&refusal);
  discovery_free(&endpoints);
  return status;
}

/* Even if the access token is of no use: a refresh token that was rotated replaces the old one, which is no longer good. */
static dbsql_status keep(struct user *user, const struct token_request *request, struct token_store *store, struct oauth_answer *answer,
                         struct token **token, dbsql_error **error) {
  dbsql_status status = oauth_make_token(answer, "token request", 0, oauth_unknown_lifetime_ms, token, error);
  if (answer->expires_unix_ms == 0 && status == DBSQL_OK) answer->expires_unix_ms = (*token)->expires_unix_ms;
  if (store && !token_store_save(store, answer)) {
    log_write(request->log, DBSQL_LOG_WARN, "auth", "the token cache cannot be written", "provider", user->base.name, (char *)NULL);
  }
  mem_free_secret(user->refresh_token);
  user->refresh_token = answer->refresh_token;
  answer->refresh_token = NULL;
  return status;
}

/* Where a stored refresh token would go, if that is not for the workspace to say: it belongs to no other place (T3). */
static const char *endpoint_of(const struct discovery_settings *settings) {
  return settings->token_endpoint && *settings->token_endpoint ? settings->token_endpoint : settings->discovery_url;
}

static dbsql_status get_alone(struct user *user, const struct token_request *request, struct token **token, dbsql_error **error) {
  struct oauth_answer stored = {0}, answer = {0};
  struct token_store *store = NULL;
  if (user->settings.store) {
    const char *why;
    struct token_identity identity = {request->context->origin,
                                      user->settings.client_id,
                                      user->scopes,
                                      user->settings.endpoints.account_id,
                                      user->settings.profile,
                                      endpoint_of(&user->settings.endpoints)};
    store = token_store_open(user->settings.store_folder, &identity, request->call, &why);
    if (!store) {
      log_write(request->log, DBSQL_LOG_WARN, "auth", "the token cache is not used", "reason", why, (char *)NULL);
    } else if (token_store_load(store, &stored) && is_usable(user, &stored, token)) {
      mem_free_secret(user->refresh_token);
      user->refresh_token = stored.refresh_token;
      stored.refresh_token = NULL;
    }
  }
  dbsql_status status = call_check(request->call, "signing in", error);
  if (status == DBSQL_OK && !*token) {
    status = renew(user, request, refresh_token_of(user, &stored), store, &answer, error);
    if (status == DBSQL_OK) status = keep(user, request, store, &answer, token, error);
  }
  if (status != DBSQL_OK) {
    token_drop(*token);
    *token = NULL;
  }
  token_store_close(store);
  oauth_answer_free(&stored);
  oauth_answer_free(&answer);
  return status;
}

static dbsql_status user_get(dbsql_token_provider *self, const struct token_request *request, struct token **token, dbsql_error **error) {
  struct user *user = (struct user *)(void *)self;
  *token = NULL;
  dbsql_status status = call_check(request->call, "signing in", error);
  pthread_mutex_lock(&user->lock);
  while (status == DBSQL_OK && user->busy == getpid())
    status = wait_changed(&user->changed, &user->lock, request->call, "waiting for a sign-in", error);
  if (status == DBSQL_OK) {
    user->busy = getpid();
    pthread_mutex_unlock(&user->lock);
    status = get_alone(user, request, token, error);
    pthread_mutex_lock(&user->lock);
    user->busy = 0;
    pthread_cond_broadcast(&user->changed);
  }
  pthread_mutex_unlock(&user->lock);
  if (status != DBSQL_OK) error_prefix(error, "%s", self->name);
  return status;
}

static void user_reject(dbsql_token_provider *self, const struct token *token) {
  struct user *user = (struct user *)(void *)self;
  pthread_mutex_lock(&user->lock);
  if (user->busy != getpid()) {
    memcpy(user->rejected, token->fingerprint, sizeof user->rejected);
    user->has_rejected = true;
  }
  pthread_mutex_unlock(&user->lock);
}

static void free_text(const char *text) {
  mem_free((void *)(uintptr_t)text);
}

static void user_destroy(dbsql_token_provider *self) {
  struct user *user = (struct user *)(void *)self;
  discovery_cache_free(&user->endpoints);
  free_text(user->settings.client_id);
  free_text(user->settings.ports);
  free_text(user->settings.store_folder);
  free_text(user->settings.profile);
  secret_free((struct secret *)(uintptr_t)user->settings.client_secret);
  mem_free(user->scopes);
  mem_free_secret(user->refresh_token);
  pthread_cond_destroy(&user->changed);
  pthread_mutex_destroy(&user->lock);
  mem_free(user);
}

static const struct provider_ops user_ops = {user_get, user_reject, user_destroy};

dbsql_status provider_user_sign_in(const struct user_sign_in *settings, dbsql_token_provider **out, dbsql_error **error) {
  struct user *user = mem_alloc_zero(1, sizeof *user);
  if (!user) return error_no_memory(error);
  provider_init(&user->base, &user_ops, settings->interactive ? "oauth-u2m" : "refresh-token");
  user->base.can_renew = user->base.needs_cache = true;
  user->base.fetch_ms = settings->interactive ? fetch_ms : 0;
  pthread_mutex_init(&user->lock, NULL);
  wait_init(&user->changed);
  user->settings = *settings;
  struct user_sign_in *own = &user->settings;
  own->client_secret = own->refresh_token = NULL;
  bool ok = discovery_cache_init(&user->endpoints, &settings->endpoints);
  own->endpoints = user->endpoints.settings; /* borrowed from there */
  own->client_id = mem_strdup(settings->client_id);
  own->ports = mem_strdup(settings->ports && *settings->ports ? settings->ports : "8030");
  own->profile = mem_strdup(settings->profile ? settings->profile : "");
  own->store_folder = settings->store_folder ? mem_strdup(settings->store_folder) : NULL;
  user->scopes = oauth_scopes(settings->scopes, usual_scopes);
  ok = ok && own->client_id && own->ports && own->profile && (own->store_folder || !settings->store_folder) && user->scopes;
  if (settings->client_secret) {
    own->client_secret = secret_new(secret_text(settings->client_secret), secret_length(settings->client_secret));
    ok = ok && own->client_secret;
  }
  if (settings->refresh_token) {
    user->refresh_token = mem_strdup(secret_text(settings->refresh_token));
    ok = ok && user->refresh_token;
  }
  if (!ok) {
    provider_drop(&user->base);
    return error_no_memory(error);
  }
  *out = &user->base;
  return DBSQL_OK;
}

dbsql_status user_sign_in_forget(const struct user_sign_in *settings, const char *origin, const struct call *call, bool *was_there,
                                 dbsql_error **error) {
  const char *why = "";
  struct oauth_answer stored = {0};
  *was_there = false;
  char *scopes = oauth_scopes(settings->scopes, usual_scopes);
  if (!scopes) return error_no_memory(error);
  struct token_identity identity = {
      origin, settings->client_id, scopes, settings->endpoints.account_id, settings->profile, endpoint_of(&settings->endpoints)};
  struct token_store *store = token_store_open(settings->store_folder, &identity, call, &why);
  dbsql_status status = DBSQL_OK;
  if (store) {
    *was_there = token_store_load(store, &stored);
    token_store_remove(store);
  } else {
    status = error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the token cache cannot be used: %s", why);
  }
  token_store_close(store);
  oauth_answer_free(&stored);
  mem_free(scopes);
  return status;
}
