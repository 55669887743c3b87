/* The threads behind the ring, and how a request is sent. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/wait.h"
#include "telemetry/state.h"

/* jansson may go 2048 levels deep into a hostile answer. */
enum { stack_bytes = 2 << 20, ns_per_ms = 1000000, longest_wait_ms = 3600000, usual_drain_ms = 15000 };

bool exporter_test_no_threads;

/* ---- One request ---------------------------------------------------------------------------------------------------------- */

struct authorization {
  dbsql_status (*make)(void *user, const struct call *call, struct buf *value, dbsql_error **error);
  void *user;
  bool failed;
};

static dbsql_status authorize(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  struct authorization *authorization = user;
  dbsql_status status = authorization->make(authorization->user, call, value, error);
  authorization->failed = status != DBSQL_OK;
  return status;
}

dbsql_status exporter_send(struct telemetry_state *state, const struct post *post, struct http_response *response, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  memset(response, 0, sizeof *response);
  if (!*post->client) status = http_client_new(post->http, post->client, error);
  if (status != DBSQL_OK) return status;
  struct authorization authorization = {post->authorize, post->authorize_user, false};
  struct http_request request = {.method = post->body.size ? "POST" : "GET",
                                 .url = post->url,
                                 .what = post->what,
                                 .headers = post->headers,
                                 .header_count = post->header_count,
                                 .body = post->body,
                                 .retry = HTTP_RETRY_REFUSED,
                                 .authorize = post->authorize ? authorize : NULL,
                                 .authorize_user = &authorization};
  struct call call;
  /* A little longer than libcurl's own limit, which knows whether the request had been sent. */
  call_begin_internal(&call, telemetry_limits.request_ms + 500);
  call.cancel = state->interrupt;
  status = http_send(*post->client, &request, &call, response, error);
  /* Without a token there is nothing that the endpoint has failed at. */
  if (status != DBSQL_OK && authorization.failed && error && *error && !(*error)->is_static) (*error)->kind = DBSQL_ERROR_CANCELLED;
  return status != DBSQL_OK && authorization.failed ? DBSQL_ERROR_CANCELLED : status;
}

enum post_verdict exporter_judge(dbsql_status status, const dbsql_error *error) {
  if (status == DBSQL_ERROR_CANCELLED || status == DBSQL_ERROR_NO_MEMORY) return POST_NEITHER;
  int http = dbsql_error_http_status(error);
  switch (http) {
    case 0: return dbsql_error_is_retryable(error) ? POST_FAILURE : POST_UNCERTAIN;
    case 408:
    case 425:
    case 429: return POST_FAILURE;
    case 401:
    case 403:
    case 404:
    case 405: return POST_REFUSED;
    default: break;
  }
  if (http >= 500) return POST_FAILURE;
  return http >= 300 && http < 400 ? POST_REFUSED : http >= 400 ? POST_WRONG : POST_UNCERTAIN;
}

/* ---- From the ring -------------------------------------------------------------------------------------------------------- */

int64_t exporter_unix_ns(const struct telemetry_state *state, int64_t mono_ns) {
  return state->wall_us * 1000 + (mono_ns - state->mono_ns);
}

/* A random UUID (version 4). */
static void make_id(struct telemetry_state *state, uint8_t id[16]) {
  telemetry_random_bytes(state, id, 16);
  id[6] = (uint8_t)((id[6] & 0x0F) | 0x40);
  id[8] = (uint8_t)((id[8] & 0x3F) | 0x80);
}

void exporter_retire(struct telemetry_state *state) {
  uint64_t consumed = ring_consumed(state->ring);
  for (struct telemetry **link = &state->retired; *link;) {
    struct telemetry *handle = *link;
    if (handle->waiting > 0 || consumed < handle->retire_at) {
      link = &handle->next;
      continue;
    }
    *link = handle->next;
    if (handle->client) {
      if (--handle->client->handles == 0) handle->client->idle_ns = clock_now_ns();
    }
    sink_release(state, handle->sink);
    mem_free(handle->texts);
    mem_free(handle);
    state->handles--;
  }
}

void exporter_drain(struct telemetry_state *state, int64_t now_ns) {
  /* The wall clock may have been set: what is told from now on follows it, within a batch the order stays. */
  state->wall_us = clock_unix_us();
  state->mono_ns = clock_now_ns();
  const struct ring_event *recorded;
  struct telemetry_event event;
  uint64_t most = ring_size;
  while (most-- > 0 && (recorded = ring_peek(state->ring)) != NULL) {
    event_expand(recorded, &event);
    ring_pop(state->ring);
    struct telemetry *owner = event.owner;
    make_id(state, event.tags.event_id);
    event.tags.timestamp_ms = exporter_unix_ns(state, event.started_ns) / 1000000;
    if (owner->client && !event.local_only) client_add(state, owner->client, &event, now_ns);
    if (owner->to_local) local_add(state, &event);
  }
  exporter_retire(state);
}

/* ---- Steps ---------------------------------------------------------------------------------------------------------------- */

/* How often to look into the ring, of which producers say nothing while it is less than half full: twice per interval. */
static int64_t drain_every_ns(const struct telemetry_state *state) {
  int64_t least = usual_drain_ms;
  for (const struct client *client = state->clients; client; client = client->next) {
    int64_t half = client->pending.settings.interval_ms / 2;
    if (client->handles > 0 && half < least) least = half;
  }
  return least * ns_per_ms;
}

int64_t exporter_step(struct telemetry_state *state, enum worker_id id, int64_t now_ns) {
  int64_t next = INT64_MAX;
  pthread_mutex_lock(&state->lock);
  switch (id) {
    case WORKER_DRAIN:
      exporter_drain(state, now_ns);
      for (struct client *client = state->clients; client; client = client->next) {
        bool asks = !client->forced && client->authorize && flag_wants_fetch(&client->host->flags, now_ns);
        if (client->pending.count > 0 || (asks && client->refs > 0)) {
          exporter_wake(state, WORKER_VENDOR);
          break;
        }
      }
      if (sink_pending(state) > 0) exporter_wake(state, WORKER_OTLP);
      local_deliver(state);
      exporter_retire(state);
      if (state->handles > 0) next = now_ns + drain_every_ns(state);
      pthread_cond_broadcast(&state->changed);
      break;
    case WORKER_VENDOR:
      if (client_step(state, now_ns, &next)) next = now_ns;
      exporter_retire(state);
      manager_sweep(state, now_ns);
      break;
    case WORKER_OTLP:
      if (sink_step(state, now_ns, &next)) next = now_ns;
      exporter_retire(state);
      sink_sweep(state, false);
      break;
    case WORKER_COUNT: break;
  }
  pthread_mutex_unlock(&state->lock);
  return next;
}

/* ---- Threads -------------------------------------------------------------------------------------------------------------- */

struct start {
  struct telemetry_state *state;
  enum worker_id id;
};

static void name_thread(void) {
#if defined(__APPLE__)
  pthread_setname_np("dbsql-telemetry");
#elif defined(__linux__)
  pthread_setname_np(pthread_self(), "dbsql-telemetry");
#endif
}

static void *work(void *user) {
  struct start start = *(struct start *)user;
  struct telemetry_state *state = start.state;
  struct worker *worker = &state->workers[start.id];
  mem_free(user);
  name_thread();
  int64_t busy_ns = clock_now_ns();
  for (;;) {
    dbsql_cancel_reset(worker->wake);
    int64_t now = clock_now_ns();
    int64_t next = exporter_step(state, start.id, now);
    if (next != INT64_MAX) busy_ns = now;
    int64_t idle_at = busy_ns + telemetry_limits.idle_ms * ns_per_ms;
    pthread_mutex_lock(&state->lock);
    /* The queue of one and the threads of others: whoever wakes a thread looks at `running` under this lock. */
    bool ends = state->stopping || (next == INT64_MAX && now >= idle_at && !dbsql_cancel_is_triggered(worker->wake));
    if (ends) worker->running = false;
    pthread_cond_broadcast(&state->changed);
    pthread_mutex_unlock(&state->lock);
    if (ends) return NULL;
    int64_t until = next < idle_at || next != INT64_MAX ? next : idle_at;
    int64_t wait_ms = until <= now ? 0 : (until - now + ns_per_ms - 1) / ns_per_ms;
    struct pollfd fd = {worker->wake->read_fd, POLLIN, 0};
    if (wait_ms > 0) poll(&fd, 1, (int)(wait_ms < longest_wait_ms ? wait_ms : longest_wait_ms));
  }
}

dbsql_status exporter_start(struct telemetry_state *state, enum worker_id id, dbsql_error **error) {
  struct worker *worker = &state->workers[id];
  if (worker->running || exporter_test_no_threads) return DBSQL_OK;
  if (worker->started) pthread_join(worker->thread, NULL); /* it has ended, or is about to without the lock */
  worker->started = false;
  struct start *start = mem_alloc(sizeof *start);
  if (!start) return error_no_memory(error);
  *start = (struct start){state, id};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = pthread_create(&worker->thread, &attributes, work, start);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (failed) {
    mem_free(start);
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "a thread of telemetry cannot be started (error %d)", failed);
  }
  worker->started = worker->running = true;
  return DBSQL_OK;
}

void exporter_wake(struct telemetry_state *state, enum worker_id id) {
  if (!state->workers[id].running && !state->stopping) exporter_start(state, id, NULL);
  dbsql_cancel_trigger(state->workers[id].wake);
}

void exporter_join(struct telemetry_state *state) {
  for (int i = 0; i < WORKER_COUNT; i++) {
    struct worker *worker = &state->workers[i];
    pthread_mutex_lock(&state->lock);
    bool started = worker->started;
    worker->started = false;
    pthread_mutex_unlock(&state->lock);
    if (started) pthread_join(worker->thread, NULL);
    worker->running = false;
  }
}

/* ---- Waiting -------------------------------------------------------------------------------------------------------------- */

/* Whether nothing can happen to what a client still holds, for now. */
static bool is_stuck(const struct client *client, int64_t now_ns) {
  if (client->busy || client->pending.count == 0) return !client->busy;
  if (!client->forced && flag_lookup(&client->host->flags, client->flag_name) == FLAG_STATE_PENDING) return false;
  return breaker_next_ns(&client->host->breaker, now_ns) > now_ns;
}

/* Everything that was recorded before `position` has found its end. */
static bool all_done(struct telemetry_state *state, const struct client *client, const struct telemetry *handle, uint64_t position,
                     int64_t now_ns, bool *stuck) {
  *stuck = false;
  if (ring_consumed(state->ring) < position) return false;
  if (handle && handle->local_waiting > 0) return false;
  if (client) {
    *stuck = client->pending.count > 0 && is_stuck(client, now_ns);
    return (client->pending.count == 0 && !client->busy) || *stuck;
  }
  if (handle) return true;
  if (state->local_count > 0 || state->delivering || sink_pending(state) > 0) return false;
  for (const struct client *each = state->clients; each; each = each->next) {
    if (is_stuck(each, now_ns)) {
      *stuck = *stuck || each->pending.count > 0;
    } else if (each->pending.count > 0 || each->busy) {
      return false;
    }
  }
  return true;
}

bool exporter_wait(struct telemetry_state *state, struct client *client, struct telemetry *handle, int64_t timeout_ms) {
  int64_t now = clock_now_ns(), end = now + (timeout_ms > 0 ? timeout_ms : 0) * ns_per_ms;
  uint64_t position = ring_position(state->ring);
  bool stuck = false, done = false;
  pthread_mutex_lock(&state->lock);
  for (;;) {
    now = clock_now_ns();
    if (!client && !handle) {
      for (struct client *each = state->clients; each; each = each->next) aggregator_ask(&each->pending, now, 0);
      state->flushing = true;
    }
    done = all_done(state, client, handle, position, now, &stuck);
    if (done || now >= end || state->stopping) break;
    if (exporter_test_no_threads) {
      pthread_mutex_unlock(&state->lock);
      int64_t next = INT64_MAX;
      for (int i = 0; i < WORKER_COUNT; i++) {
        int64_t at = exporter_step(state, (enum worker_id)i, now);
        if (at < next) next = at;
      }
      if (clock_is_test() && next > now) clock_test_advance(next < end ? next - now : end - now);
      pthread_mutex_lock(&state->lock);
      continue;
    }
    if (ring_consumed(state->ring) < position || state->local_count > 0) exporter_wake(state, WORKER_DRAIN);
    if (sink_pending(state) > 0) exporter_wake(state, WORKER_OTLP);
    exporter_wake(state, WORKER_VENDOR);
    int64_t left_ms = (end - now + ns_per_ms - 1) / ns_per_ms;
    wait_for_ms(&state->changed, &state->lock, left_ms < 50 ? left_ms : 50);
  }
  state->flushing = false;
  pthread_mutex_unlock(&state->lock);
  return done && !stuck;
}
