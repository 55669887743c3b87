/*
 * A cache around a provider (auth.md 1.16): one fetch at a time; a token that is due is still given out while a new one is fetched in
 * the background; only without a usable one does anybody wait.
 *
 * A fetch runs on a thread of its own, so that its time is its own and no caller's deadline or cancellation ends it for the others. The
 * thread ends with the fetch: there is none while nothing is due, and a forked child needs no repair but to forget the parent's.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auth/provider.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/wait.h"

enum {
  retry_ms = 60000,     /* after a background fetch failed */
  unchanged_ms = 10000, /* a refused token that came again is not asked for again so soon */
  close_wait_ms = 2000,
  ns_per_ms = 1000000
};

struct cached {
  dbsql_token_provider base;
  dbsql_token_provider *inner;
  int64_t ahead_ms;
  pthread_mutex_t lock;
  pthread_cond_t changed; /* a fetch has ended */
  char *bound;
  struct token *token;        /* the last one; may be expired */
  bool rejected;              /* the server has refused it */
  uint64_t rejected_in;       /* the fetch that ran then or was the last */
  int64_t unchanged_until_ns; /* a fetch after a refusal brought the same token */
  /* The fetch. */
  uint64_t fetch; /* its number */
  bool fetching;
  pthread_t fetcher;
  pid_t fetcher_pid;
  bool has_thread; /* that must be joined */
  bool orphan;     /* everything is the thread's to free */
  dbsql_cancel *stop;
  struct auth_context *context; /* of the thread */
  dbsql_token_reason reason;
  bool in_background;
  /* What came of it. */
  dbsql_error *failure; /* of fetch number `failed` */
  uint64_t failed;
  int64_t next_try_ns;
  bool unreported; /* a fetch has ended, and no log has heard of it */
};

static void free_all(struct cached *cached) {
  token_drop(cached->token);
  error_clear(&cached->failure);
  dbsql_cancel_free(cached->stop);
  auth_context_drop(cached->context);
  mem_free(cached->bound);
  pthread_cond_destroy(&cached->changed);
  pthread_mutex_destroy(&cached->lock);
  provider_drop(cached->inner);
  mem_free(cached);
}

/* ---- A fetch. All with the lock held, unless it says otherwise ----------------------------------------------------------- */

static void new_answer(struct cached *cached) {
  atomic_fetch_add_explicit(&cached->base.generation, 1, memory_order_release);
}

static void finish(struct cached *cached, dbsql_status status, struct token *token, dbsql_error *failure) {
  cached->fetching = false;
  cached->unreported = true;
  error_clear(&cached->failure);
  if (status == DBSQL_OK) {
    bool same = cached->rejected && token_equal(cached->token, token);
    if (same && cached->fetch <= cached->rejected_in) {
      /* It was on its way when the server refused it. */
      token_drop(token);
    } else {
      if (same) cached->unchanged_until_ns = clock_now_ns() + (int64_t)unchanged_ms * ns_per_ms;
      if (cached->ahead_ms > 0) token_set_refresh_ahead(token, cached->ahead_ms);
      token_drop(cached->token);
      cached->token = token;
      cached->rejected = false;
      cached->next_try_ns = INT64_MIN;
    }
  } else {
    cached->failure = failure;
    cached->failed = cached->fetch;
    cached->next_try_ns = clock_now_ns() + (int64_t)retry_ms * ns_per_ms;
  }
  new_answer(cached);
  pthread_cond_broadcast(&cached->changed);
}

/* A provider that says OK and gives nothing breaks its contract (C7). */
static dbsql_status ask(struct cached *cached, const struct token_request *request, struct token **token, dbsql_error **error) {
  *token = NULL;
  dbsql_status status = provider_get(cached->inner, request, token, error);
  if (status == DBSQL_OK && !*token) return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s gave no token", cached->inner->name);
  if (status == DBSQL_OK && token_state_now(*token) == TOKEN_EXPIRED) {
    token_drop(*token);
    *token = NULL;
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s gave a token that has expired, or is about to", cached->inner->name);
  }
  return status;
}

static void *fetch_thread(void *user) {
  struct cached *cached = user;
  struct call call;
  struct token *token = NULL;
  dbsql_error *failure = NULL;
  call_begin_internal(&call, cached->inner->fetch_ms ? cached->inner->fetch_ms : provider_fetch_ms);
  call.cancel = cached->stop;
  struct token_request request = {cached->context, &call, NULL, cached->reason, cached->in_background};
  dbsql_status status = ask(cached, &request, &token, &failure);
  pthread_mutex_lock(&cached->lock);
  finish(cached, status, token, failure);
  bool orphan = cached->orphan;
  pthread_mutex_unlock(&cached->lock);
  if (orphan) free_all(cached);
  return NULL;
}

/* The host's signals are not for our thread. */
static bool start_thread(struct cached *cached, const struct token_request *request) {
  if (cached->has_thread) pthread_join(cached->fetcher, NULL); /* of the last fetch: it is at its end */
  cached->has_thread = false;
  if (cached->inner->in_foreground) return false;
  if (!cached->stop && dbsql_cancel_new(&cached->stop, NULL) != DBSQL_OK) return false;
  auth_context_drop(cached->context);
  cached->context = auth_context_keep(request->context);
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  cached->has_thread = pthread_create(&cached->fetcher, NULL, fetch_thread, cached) == 0;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return cached->has_thread;
}

/* Begins a fetch; without a thread it is also over when this returns, with its own error in `error`. */
static dbsql_status begin_fetch(struct cached *cached, const struct token_request *request, bool in_background, dbsql_error **error) {
  cached->fetch++;
  cached->in_background = in_background;
  cached->fetching = true;
  cached->fetcher_pid = getpid();
  cached->reason = cached->rejected ? DBSQL_TOKEN_REJECTED : cached->token ? DBSQL_TOKEN_REFRESH : DBSQL_TOKEN_INITIAL;
  if (start_thread(cached, request)) return DBSQL_OK;
  cached->fetcher = pthread_self();
  struct token_request own = {request->context, request->call, request->log, cached->reason, in_background};
  struct token *token = NULL;
  dbsql_error *failure = NULL;
  pthread_mutex_unlock(&cached->lock);
  dbsql_status status = ask(cached, &own, &token, &failure);
  pthread_mutex_lock(&cached->lock);
  if (status != DBSQL_OK) error_copy(failure, error);
  finish(cached, status, token, failure);
  return status;
}

/* After a fork the fetch is the parent's. */
static void forget_parent(struct cached *cached) {
  if ((!cached->fetching && !cached->has_thread) || cached->fetcher_pid == getpid()) return;
  cached->fetching = cached->has_thread = false;
  /* Its pipe is shared with the parent: triggering one would trigger the other. */
  dbsql_cancel_free(cached->stop);
  cached->stop = NULL;
}

/* Waits until the fetch that runs has ended. Its error is also ours, unless it was only about who asked for it. */
static dbsql_status await_fetch(struct cached *cached, const struct call *call, dbsql_error **error) {
  if (pthread_equal(cached->fetcher, pthread_self())) {
    return error_set(error, DBSQL_ERROR_DRIVER, "28000", "the provider %s asks itself for a token", cached->inner->name);
  }
  uint64_t number = cached->fetch;
  while (cached->fetching && cached->fetch == number) {
    dbsql_status status = wait_changed(&cached->changed, &cached->lock, call, "waiting for an access token", error);
    if (status != DBSQL_OK) return status;
  }
  if (cached->failed != number || !cached->failure) return DBSQL_OK;
  bool was_private =
      !cached->has_thread && (cached->failure->kind == DBSQL_ERROR_CANCELLED || cached->failure->kind == DBSQL_ERROR_TIMEOUT);
  if (was_private) return DBSQL_OK;
  error_copy(cached->failure, error);
  return error && *error ? (*error)->kind : cached->failure->kind;
}

/* ---- The provider -------------------------------------------------------------------------------------------------------- */

struct news {
  bool any;
  struct token *token;
  dbsql_error *failure;
};

/* What a background fetch brought goes into the next caller's log: the host's log may be gone by the time that it ends. */
static void take_news(struct cached *cached, const struct log *log, struct news *news) {
  *news = (struct news){0};
  if (!cached->unreported || !log_wants(log, DBSQL_LOG_WARN)) return;
  cached->unreported = false;
  news->any = true;
  if (cached->failure && cached->failed == cached->fetch) {
    error_copy(cached->failure, &news->failure);
  } else {
    news->token = token_keep(cached->token);
  }
}

static void tell_news(const struct cached *cached, const struct log *log, struct news *news, bool served) {
  if (news->failure) {
    log_write(log, served ? DBSQL_LOG_WARN : DBSQL_LOG_DEBUG, "auth",
              served ? "the access token could not be refreshed; the old one is still used" : "no access token", "provider",
              cached->base.name, "error", dbsql_error_message(news->failure), (char *)NULL);
  } else if (news->any && log_wants(log, DBSQL_LOG_DEBUG)) {
    char expires[32] = "unknown";
    if (news->token && news->token->expires_unix_ms) snprintf(expires, sizeof expires, "%lld", (long long)news->token->expires_unix_ms);
    log_write(log, DBSQL_LOG_DEBUG, "auth", "access token obtained", "provider", cached->base.name, "expires_unix_ms", expires,
              (char *)NULL);
  }
  token_drop(news->token);
  error_clear(&news->failure);
}

static bool may_try(const struct cached *cached) {
  return !cached->fetching && clock_now_ns() >= cached->next_try_ns;
}

static dbsql_status cached_get(dbsql_token_provider *self, const struct token_request *request, struct token **token, dbsql_error **error) {
  struct cached *cached = (struct cached *)(void *)self;
  struct news news;
  *token = NULL;
  dbsql_status status = call_check(request->call, "asking for an access token", error);
  if (status != DBSQL_OK) {
    error_prefix(error, "cached token provider");
    return status;
  }
  pthread_mutex_lock(&cached->lock);
  forget_parent(cached);
  status = provider_bind(&cached->bound, self, request->context, error);
  while (status == DBSQL_OK && !*token) {
    enum token_state state = !cached->token || cached->rejected ? TOKEN_EXPIRED : token_state_now(cached->token);
    if (state == TOKEN_STALE && may_try(cached)) {
      begin_fetch(cached, request, true, NULL);
      if (!cached->has_thread) continue;
    }
    if (state != TOKEN_EXPIRED) {
      *token = token_keep(cached->token);
    } else if (cached->fetching) {
      status = await_fetch(cached, request->call, error);
    } else {
      status = begin_fetch(cached, request, false, error);
    }
  }
  take_news(cached, request->log, &news);
  pthread_mutex_unlock(&cached->lock);
  tell_news(cached, request->log, &news, status == DBSQL_OK);
  if (status != DBSQL_OK) error_prefix(error, "cached token provider: failed to get token");
  return status;
}

static void cached_reject(dbsql_token_provider *self, const struct token *token) {
  struct cached *cached = (struct cached *)(void *)self;
  pthread_mutex_lock(&cached->lock);
  bool ours = cached->token && !cached->rejected && token_equal(cached->token, token);
  if (ours && clock_now_ns() >= cached->unchanged_until_ns) {
    cached->rejected = true;
    cached->rejected_in = cached->fetch;
    new_answer(cached);
  }
  pthread_mutex_unlock(&cached->lock);
  if (ours) provider_reject(cached->inner, token);
}

static void cached_destroy(dbsql_token_provider *self) {
  struct cached *cached = (struct cached *)(void *)self;
  struct call wait;
  call_begin_internal(&wait, close_wait_ms);
  pthread_mutex_lock(&cached->lock);
  forget_parent(cached);
  if (cached->fetching && cached->stop) dbsql_cancel_trigger(cached->stop);
  bool own = cached->fetching && pthread_equal(cached->fetcher, pthread_self());
  while (cached->fetching && !own && wait_changed(&cached->changed, &cached->lock, &wait, "closing", NULL) == DBSQL_OK) {
  }
  /* A provider that ignores the cancellation keeps its thread, which then frees everything. */
  cached->orphan = cached->fetching;
  if (cached->orphan) pthread_detach(cached->fetcher);
  bool orphan = cached->orphan;
  pthread_mutex_unlock(&cached->lock);
  if (orphan) return;
  if (cached->has_thread) pthread_join(cached->fetcher, NULL);
  free_all(cached);
}

static const struct provider_ops cached_ops = {cached_get, cached_reject, cached_destroy};

dbsql_status provider_cached(dbsql_token_provider *inner, int64_t ahead_ms, dbsql_token_provider **out, dbsql_error **error) {
  struct cached *cached = mem_alloc_zero(1, sizeof *cached);
  if (!cached) return error_no_memory(error);
  provider_init(&cached->base, &cached_ops, "cached[%.80s]", inner->name);
  atomic_store(&cached->base.generation, 1);
  cached->base.can_renew = inner->can_renew;
  cached->inner = provider_keep(inner);
  cached->ahead_ms = ahead_ms;
  cached->next_try_ns = INT64_MIN;
  cached->unchanged_until_ns = INT64_MIN;
  pthread_mutex_init(&cached->lock, NULL);
  wait_init(&cached->changed);
  *out = &cached->base;
  return DBSQL_OK;
}
