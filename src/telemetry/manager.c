#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/wait.h"
#include "telemetry/state.h"

struct telemetry_limits telemetry_limits = {.connect_ms = 5000, .request_ms = 10000, .idle_ms = 60000, .answer_bytes = 65536};

/* All of a process hangs from this pointer. A forked child forgets it, and begins anew when it first wants something: locks that another
 * thread holds, half-written rings and sockets are the parent's (telemetry.md 11.2). */
static _Atomic(struct telemetry_state *) current;
static atomic_uint_fast32_t generation;
static atomic_bool stopping; /* the library goes away */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
atomic_uint_fast64_t telemetry_dropped_fork;

static void in_child(void) {
  atomic_store(&current, NULL);
  atomic_fetch_add(&generation, 1);
}

static void watch_forks(void) {
  pthread_atfork(NULL, NULL, in_child);
}

/* The library is unloaded or the process ends: nothing is recorded any more, and nothing else happens here. */
__attribute__((destructor)) static void stop_recording(void) {
  atomic_store(&stopping, true);
}

uint32_t telemetry_generation_now(void) {
  return (uint32_t)atomic_load_explicit(&generation, memory_order_relaxed);
}

bool telemetry_is_stopping(void) {
  return atomic_load_explicit(&stopping, memory_order_relaxed);
}

/* ---- The state ------------------------------------------------------------------------------------------------------------ */

static void state_free(struct telemetry_state *state) {
  if (!state) return;
  while (state->clients) {
    struct client *client = state->clients;
    state->clients = client->next;
    client_free(state, client);
  }
  while (state->hosts) {
    struct host *host = state->hosts;
    state->hosts = host->next;
    flag_entry_free(&host->flags);
    mem_free(host);
  }
  sink_sweep(state, true);
  for (int i = 0; i < WORKER_COUNT; i++) dbsql_cancel_free(state->workers[i].wake);
  dbsql_cancel_free(state->interrupt);
  mem_free_aligned(state->ring);
  pthread_cond_destroy(&state->changed);
  pthread_mutex_destroy(&state->lock);
  mem_free(state);
}

static struct telemetry_state *state_new(dbsql_error **error) {
  struct telemetry_state *state = mem_alloc_zero(1, sizeof *state);
  if (!state) {
    error_no_memory(error);
    return NULL;
  }
  pthread_mutex_init(&state->lock, NULL);
  wait_init(&state->changed);
  state->breaker = breaker_defaults;
  state->random = (uint64_t)clock_unix_us() * UINT64_C(0x9E3779B97F4A7C15) ^ ((uint64_t)getpid() << 32) ^ (uint64_t)(uintptr_t)state;
  state->random |= 1;
  state->wall_us = clock_unix_us();
  state->mono_ns = clock_now_ns();
  dbsql_status status = dbsql_cancel_new(&state->interrupt, error);
  for (int i = 0; i < WORKER_COUNT && status == DBSQL_OK; i++) status = dbsql_cancel_new(&state->workers[i].wake, error);
  if (status == DBSQL_OK) {
    state->ring = mem_alloc_aligned(sizeof *state->ring);
    if (!state->ring) status = error_no_memory(error);
  }
  if (status != DBSQL_OK) {
    state_free(state);
    return NULL;
  }
  ring_init(state->ring);
  return state;
}

struct telemetry_state *telemetry_state_now(void) {
  return atomic_load_explicit(&current, memory_order_acquire);
}

struct telemetry_state *telemetry_state_get(dbsql_error **error) {
  struct telemetry_state *state = telemetry_state_now();
  if (state) return state;
  pthread_once(&fork_once, watch_forks);
  struct telemetry_state *made = state_new(error);
  if (!made) return NULL;
  struct telemetry_state *expected = NULL;
  if (atomic_compare_exchange_strong(&current, &expected, made)) return made;
  state_free(made);
  return expected;
}

uint64_t telemetry_random(struct telemetry_state *state) {
  uint64_t x = state->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  state->random = x;
  return x * UINT64_C(2685821657736338717);
}

void telemetry_random_bytes(struct telemetry_state *state, uint8_t *out, size_t size) {
  for (size_t i = 0; i < size; i += 8) {
    uint64_t bits = telemetry_random(state);
    memcpy(out + i, &bits, size - i < 8 ? size - i : 8);
  }
}

/* ---- Hosts ---------------------------------------------------------------------------------------------------------------- */

static bool is_metadata_address(const char *host) {
  /* Link-local addresses and the names under which clouds hand out credentials: nothing of ours is there. */
  return strncmp(host, "169.254.", 8) == 0 || strncmp(host, "[fe80:", 6) == 0 || strncmp(host, "[fd00:ec2:", 10) == 0 ||
         strcmp(host, "metadata.google.internal") == 0 || strcmp(host, "100.100.100.200") == 0;
}

bool host_normalise(const char *text, char key[host_key_size]) {
  while (text_is_space(*text)) text++;
  size_t length = strlen(text);
  while (length > 0 && text_is_space(text[length - 1])) length--;
  static const char *const schemes[] = {"https://", "http://"};
  for (size_t i = 0; i < 2; i++) {
    size_t size = strlen(schemes[i]);
    if (length >= size && text_equal_nocase_n(text, size, schemes[i], size)) {
      text += size;
      length -= size;
      break;
    }
  }
  while (length > 0 && text[length - 1] == '/') length--;
  if (length > 4 && memcmp(text + length - 4, ":443", 4) == 0) length -= 4;
  if (length > 1 && text[length - 1] == '.') length--;
  if (length >= host_key_size) return false;
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    /* Zero-width and other characters beyond ASCII cannot be part of a name as DNS has it. */
    if (c <= ' ' || c >= 0x7F || strchr("/@\\?#", c)) return false;
    key[i] = text_lower((char)c);
  }
  key[length] = 0;
  return !is_metadata_address(key);
}

/* Those that no client belongs to any more are kept for what they know: at most so many, the ones used last. */
static void forget_hosts(struct telemetry_state *state, int most) {
  for (;;) {
    struct host **oldest = NULL;
    int idle = 0;
    for (struct host **link = &state->hosts; *link; link = &(*link)->next) {
      if ((*link)->clients > 0) continue;
      idle++;
      if (!oldest || (*link)->used_ns < (*oldest)->used_ns) oldest = link;
    }
    if (idle <= most) return;
    struct host *gone = *oldest;
    *oldest = gone->next;
    flag_entry_free(&gone->flags);
    mem_free(gone);
  }
}

static struct host *host_get(struct telemetry_state *state, const char *key, const char *org_id, dbsql_error **error) {
  int64_t now = clock_now_ns();
  for (struct host *host = state->hosts; host; host = host->next) {
    if (strcmp(host->key, key) != 0 || strcmp(host->org_id, org_id) != 0) continue;
    host->used_ns = now;
    return host;
  }
  forget_hosts(state, idle_hosts_most - 1);
  struct host *host = mem_alloc_zero(1, sizeof *host);
  if (!host) {
    error_no_memory(error);
    return NULL;
  }
  memcpy(host->key, key, strlen(key) + 1);
  memcpy(host->org_id, org_id, strlen(org_id) + 1);
  host->used_ns = now;
  breaker_init(&host->breaker, &state->breaker, telemetry_random(state));
  host->next = state->hosts;
  state->hosts = host;
  return host;
}

/* ---- Clients -------------------------------------------------------------------------------------------------------------- */

static bool is_same(const struct client *client, const struct telemetry_target *target) {
  if (client->owner == target->owner) return client->authorize == target->authorize && client->authorize_user == target->authorize_user;
  return client->same && client->same == target->same && client->owner && target->owner && client->same(client->owner, target->owner);
}

/* Only what belongs into a path. */
static void copy_word(char *out, size_t size, const char *text) {
  size_t i = 0;
  for (; text[i] && i + 1 < size; i++) out[i] = text_is_alpha(text[i]) || text_is_digit(text[i]) || text[i] == '.' ? text[i] : '_';
  out[i] = 0;
}

struct client *manager_acquire(struct telemetry_state *state, const struct telemetry_target *target, const struct telemetry_config *config,
                               bool forced, dbsql_error **error) {
  char key[host_key_size];
  const char *org_id = target->org_id ? target->org_id : "";
  if (!host_normalise(target->origin, key) || !key[0] || strlen(org_id) >= sizeof state->hosts->org_id) return NULL;
  struct host *host = host_get(state, key, org_id, error);
  if (!host) return NULL;
  bool unauth = target->authorize == NULL;
  for (struct client *client = state->clients; client; client = client->next) {
    if (client->host == host && client->forced == forced && client->unauth == unauth && strcmp(client->origin, target->origin) == 0 &&
        is_same(client, target)) {
      client->refs++;
      client->handles++;
      client->ending = false;
      return client;
    }
  }
  struct client *client = mem_alloc_zero(1, sizeof *client);
  const char *dump = telemetry_config_text(config, SETTING_dump);
  if (client) client->origin = mem_strdup(target->origin);
  if (client && *dump) client->dump = mem_strdup(dump);
  if (!client || !client->origin || (*dump && !client->dump)) {
    if (client) {
      mem_free(client->origin);
      mem_free(client);
    }
    error_no_memory(error);
    return NULL;
  }
  client->host = host;
  client->owner = target->owner;
  shared_keep(client->owner);
  client->same = target->same;
  client->http = target->http;
  client->http.connect_timeout_ms = telemetry_limits.connect_ms;
  client->http.request_timeout_ms = telemetry_limits.request_ms;
  client->http.max_response_bytes = telemetry_limits.answer_bytes;
  client->http.retry_max = 0;
  client->http.log = NULL;
  if (unauth) client->http.user_agent = "dbsql/" DBSQL_VERSION; /* nothing of the user's goes there */
  client->authorize = target->authorize;
  client->authorize_user = target->authorize_user;
  client->forced = forced;
  client->unauth = unauth;
  copy_word(client->client_type, sizeof client->client_type, telemetry_config_text(config, SETTING_client_type));
  strncpy(client->flag_name, telemetry_config_text(config, SETTING_flag), sizeof client->flag_name - 1);
  client->close_timeout_ms = telemetry_config_int(config, SETTING_close_timeout_ms);
  client->off_ns = INT64_MIN;
  struct aggregator_settings batches = {.batch_size = (int)telemetry_config_int(config, SETTING_batch_size),
                                        .interval_ms = telemetry_config_int(config, SETTING_flush_interval_ms)};
  aggregator_init(&client->pending, &batches, telemetry_random(state));
  client->refs = client->handles = 1;
  host->clients++;
  client->next = state->clients;
  state->clients = client;
  return client;
}

void manager_release(struct telemetry_state *state, struct client *client) {
  (void)state;
  if (!client || client->refs == 0) return;
  if (--client->refs == 0) client->idle_ns = clock_now_ns();
  client->host->used_ns = clock_now_ns();
}

void client_free(struct telemetry_state *state, struct client *client) {
  client_drop_all(state, client, DROP_SHUTDOWN);
  http_client_free(client->client);
  shared_drop(client->owner);
  mem_free(client->origin);
  mem_free(client->dump);
  buf_free(&client->last_body);
  client->host->clients--;
  mem_free(client);
}

void manager_sweep(struct telemetry_state *state, int64_t now_ns) {
  int idle = 0;
  for (struct client *client = state->clients; client; client = client->next) idle += client->handles == 0;
  for (struct client **link = &state->clients; *link;) {
    struct client *client = *link;
    bool free_now = client->handles == 0 && !client->busy && client->pending.count == 0 &&
                    (idle > idle_clients_most || now_ns - client->idle_ns >= telemetry_limits.idle_ms * 1000000);
    if (!free_now) {
      link = &client->next;
      continue;
    }
    *link = client->next;
    client_free(state, client);
    idle--;
  }
  forget_hosts(state, idle_hosts_most);
}

/* ---- The end -------------------------------------------------------------------------------------------------------------- */

bool telemetry_flush(int64_t timeout_ms) {
  struct telemetry_state *state = telemetry_state_now();
  return !state || exporter_wait(state, NULL, NULL, timeout_ms);
}

/* The state itself stays, so that whoever asks for numbers meanwhile finds it; it is used again when the next connection is opened. */
bool telemetry_shutdown(int64_t timeout_ms) {
  struct telemetry_state *state = telemetry_state_now();
  if (!state) return true;
  bool done = exporter_wait(state, NULL, NULL, timeout_ms);
  pthread_mutex_lock(&state->lock);
  for (struct telemetry *handle = state->handle_list; handle; handle = handle->after) atomic_store(&handle->closed, true);
  state->stopping = true;
  dbsql_cancel_trigger(state->interrupt);
  for (int i = 0; i < WORKER_COUNT; i++) dbsql_cancel_trigger(state->workers[i].wake);
  pthread_mutex_unlock(&state->lock);
  exporter_join(state);
  pthread_mutex_lock(&state->lock);
  exporter_drain(state, clock_now_ns());
  local_drop_all(state);
  for (struct client *client = state->clients; client; client = client->next) client_drop_all(state, client, DROP_SHUTDOWN);
  exporter_retire(state);
  for (struct client **link = &state->clients; *link;) {
    struct client *client = *link;
    if (client->handles > 0) {
      link = &client->next;
      continue;
    }
    *link = client->next;
    client_free(state, client);
  }
  sink_sweep(state, false);
  state->stopping = false;
  dbsql_cancel_reset(state->interrupt);
  pthread_mutex_unlock(&state->lock);
  return done;
}

void telemetry_test_free(void) {
  telemetry_shutdown(0);
  struct telemetry_state *state = telemetry_state_now();
  if (!state || state->handles > 0) return;
  atomic_store(&current, NULL);
  state_free(state);
}
