/* One client: what waits for its host, the decision whether it may go, and sending it. All with the state's lock held, except where it says
 * that the lock is given up. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "telemetry/state.h"
#include "telemetry/wire.h"

enum { shown_body_most = 65536 };
static const int64_t ns_per_s = 1000000000;
static const int64_t off_ns_usual = INT64_C(900) * 1000000000;

/* ---- What waits ----------------------------------------------------------------------------------------------------------- */

void pending_free(struct telemetry_state *state, struct pending *node) {
  node->event.owner->waiting--;
  state->pending_count--;
  mem_free(node);
}

static size_t free_list(struct telemetry_state *state, struct pending *list) {
  size_t count = 0;
  while (list) {
    struct pending *next = list->next;
    pending_free(state, list);
    list = next;
    count++;
  }
  return count;
}

void client_drop_all(struct telemetry_state *state, struct client *client, enum drop_reason reason) {
  size_t count;
  while (client->pending.first) {
    struct pending *list = aggregator_take(&client->pending, INT64_MIN / 2, &count);
    client->dropped[reason] += free_list(state, list);
  }
  pthread_cond_broadcast(&state->changed);
}

/* Why records are given up when too many wait. */
static enum drop_reason overflow_reason(const struct client *client) {
  return client->host->breaker.state == BREAKER_OPEN ? DROP_BREAKER : DROP_PENDING;
}

enum flag_state client_decide(struct client *client, int64_t now_ns) {
  if (client->off_ns > now_ns) return FLAG_STATE_FALSE;
  if (client->forced) return FLAG_STATE_TRUE;
  if (!client->authorize) return FLAG_STATE_ERROR; /* nobody to ask as */
  return flag_lookup(&client->host->flags, client->flag_name);
}

void client_add(struct telemetry_state *state, struct client *client, const struct telemetry_event *event, int64_t now_ns) {
  client->received++;
  enum flag_state decision = client_decide(client, now_ns);
  if (decision != FLAG_STATE_TRUE && decision != FLAG_STATE_PENDING) {
    client->dropped[DROP_DISABLED]++;
    return;
  }
  if (state->pending_count >= pending_everywhere_most) {
    client->dropped[overflow_reason(client)]++;
    return;
  }
  struct pending *node = mem_alloc(sizeof *node);
  if (!node) {
    client->dropped[DROP_UNMADE]++;
    return;
  }
  node->event = *event;
  node->attempts = 0;
  event->owner->waiting++;
  state->pending_count++;
  int64_t since = event->started_ns + event->latency_ns;
  struct pending *gone = aggregator_add(&client->pending, node, decision == FLAG_STATE_PENDING ? pending_undecided_most : pending_most,
                                        since < now_ns ? since : now_ns);
  if (!gone) return;
  pending_free(state, gone);
  client->dropped[overflow_reason(client)]++;
}

/* ---- The flag ------------------------------------------------------------------------------------------------------------- */

/* Asks for the feature flags. Gives up the lock. */
static void fetch_flags(struct telemetry_state *state, struct client *client) {
  struct host *host = client->host;
  struct buf url = BUF_INIT;
  struct http_response response = {0};
  struct flag_list list = {0};
  dbsql_error *error = NULL;
  struct http_header headers[] = {{"Accept", "application/json"}, {"x-databricks-org-id", host->org_id}};
  client->busy = true;
  client->flag_requests++;
  host->clients++; /* stays while we are away */
  pthread_mutex_unlock(&state->lock);

  buf_printf(&url, "%s/api/2.0/connector-service/feature-flags/%s/%s", client->origin, client->client_type, DBSQL_VERSION);
  const char *text = buf_text(&url);
  dbsql_status status = text ? DBSQL_OK : error_no_memory(&error);
  if (status == DBSQL_OK) {
    struct post get = {.client = &client->client,
                       .http = &client->http,
                       .url = text,
                       .what = "FeatureFlags",
                       .headers = headers,
                       .header_count = host->org_id[0] ? 2 : 1,
                       .authorize = client->authorize,
                       .authorize_user = client->authorize_user};
    status = exporter_send(state, &get, &response, &error);
  }
  int http_status = status == DBSQL_OK ? response.status : dbsql_error_http_status(error);
  if (status == DBSQL_OK) status = flag_list_parse(slice_of(response.body->data, response.body->size), &list, &error);

  pthread_mutex_lock(&state->lock);
  int64_t now = clock_now_ns();
  client->busy = false;
  host->clients--;
  client->last_status = http_status;
  if (status == DBSQL_OK) {
    flag_end_fetch(&host->flags, &list, now);
  } else {
    flag_fail_fetch(&host->flags, http_status, now);
  }
  pthread_cond_broadcast(&state->changed);
  flag_list_free(&list);
  http_response_free(&response);
  buf_free(&url);
  error_clear(&error);
}

/* ---- A batch -------------------------------------------------------------------------------------------------------------- */

static void dump(const char *path, const struct buf *body) {
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  struct buf line = BUF_INIT;
  buf_append(&line, body->data, body->size);
  buf_append_byte(&line, '\n');
  for (size_t at = 0; !buf_failed(&line) && at < line.size;) {
    ssize_t written = write(fd, line.data + at, line.size - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    at += (size_t)written;
  }
  buf_free(&line);
  close(fd);
}

/* Serialises as many as fit; the rest stays in `*rest`. Without the lock. */
static bool make_body(struct telemetry_state *state, const struct client *client, struct pending *list, struct buf *body, size_t *made,
                      struct pending **rest) {
  struct buf entry = BUF_INIT;
  enum tag_destination destination = client->unauth ? TO_DATABRICKS_UNAUTH : TO_DATABRICKS;
  wire_begin(body, clock_unix_us() / 1000);
  *made = 0;
  *rest = NULL;
  struct pending *last = NULL;
  for (struct pending *node = list; node; node = node->next) {
    struct tag_record record = {node->event.kind, &node->event.tags, &node->event.owner->tags, &state->process};
    size_t before = body->size;
    buf_reset(&entry);
    wire_entry(&entry, &record, destination);
    wire_add(body, buf_slice(&entry), *made == 0);
    if (buf_failed(&entry) || buf_failed(body)) break;
    if (body->size > pending_bytes && last) {
      body->size = before;
      last->next = NULL;
      *rest = node;
      break;
    }
    last = node;
    ++*made;
  }
  wire_end(body);
  bool good = !buf_failed(&entry) && !buf_failed(body);
  buf_free(&entry);
  return good;
}

/* A batch that did not arrive: once more, or not. */
static void put_back(struct telemetry_state *state, struct client *client, struct pending *list) {
  struct pending *again = NULL, **end = &again;
  while (list) {
    struct pending *next = list->next;
    list->next = NULL;
    if (list->attempts == 0) {
      list->attempts = 1;
      *end = list;
      end = &list->next;
    } else {
      pending_free(state, list);
      client->dropped[DROP_FAILED]++;
    }
    list = next;
  }
  aggregator_put_back(&client->pending, again);
}

static void count_success(struct client *client, struct slice answer, size_t sent) {
  struct wire_answer said;
  wire_parse_answer(answer, &said);
  uint64_t accepted = sent;
  if (said.readable && said.accepted >= 0) {
    accepted = (uint64_t)said.accepted < sent ? (uint64_t)said.accepted : sent;
  } else if (said.readable) {
    accepted = said.errors < sent ? sent - said.errors : 0;
  }
  client->sent += sent;
  client->accepted += accepted;
  client->rejected += sent - accepted;
}

/* Sends what is due. Gives up the lock. */
static void send_batch(struct telemetry_state *state, struct client *client, uint32_t generation, int64_t now_ns) {
  struct host *host = client->host;
  struct buf body = BUF_INIT;
  struct buf url = BUF_INIT;
  struct http_response response = {0};
  struct pending *rest = NULL;
  dbsql_error *error = NULL;
  size_t count, made = 0;
  struct http_header headers[] = {
      {"Content-Type", "application/json"}, {"Accept", "application/json"}, {"x-databricks-org-id", host->org_id}};
  struct pending *list = aggregator_take(&client->pending, now_ns, &count);
  system_describe(state);
  client->busy = true;
  host->clients++;
  pthread_mutex_unlock(&state->lock);

  enum post_verdict verdict = POST_NEITHER;
  bool good = make_body(state, client, list, &body, &made, &rest);
  buf_printf(&url, "%s%s", client->origin, client->unauth ? "/telemetry-unauth" : "/telemetry-ext");
  const char *text = buf_text(&url);
  dbsql_status status = DBSQL_ERROR_NO_MEMORY;
  if (good && text) {
    if (client->dump) dump(client->dump, &body);
    struct post post = {.client = &client->client,
                        .http = &client->http,
                        .url = text,
                        .what = "Telemetry",
                        .headers = headers,
                        .header_count = host->org_id[0] && !client->unauth ? 3 : 2,
                        .body = buf_slice(&body),
                        .authorize = client->unauth ? NULL : client->authorize,
                        .authorize_user = client->authorize_user};
    status = exporter_send(state, &post, &response, &error);
    if (status != DBSQL_OK) verdict = exporter_judge(status, error);
  }

  pthread_mutex_lock(&state->lock);
  int64_t now = clock_now_ns();
  client->busy = false;
  host->clients--;
  client->last_flush_ns = now;
  client->batches++;
  client->last_status = status == DBSQL_OK ? response.status : dbsql_error_http_status(error);
  enum breaker_outcome outcome = BREAKER_NEITHER;
  if (status == DBSQL_OK) {
    outcome = BREAKER_SUCCESS;
    client->bytes += body.size;
    if (made > 0) client->pending.entry_bytes = body.size / made + 1;
    count_success(client, slice_of(response.body->data, response.body->size), made);
    free_list(state, list);
  } else {
    client->failed_batches++;
    switch (verdict) {
      case POST_FAILURE:
        outcome = BREAKER_FAILURE;
        put_back(state, client, list);
        break;
      case POST_UNCERTAIN:
        outcome = BREAKER_FAILURE;
        client->dropped[DROP_FAILED] += free_list(state, list);
        break;
      case POST_WRONG:
        client->rejected += free_list(state, list);
        if (client->last_status == 413 && client->pending.batch_limit > 1) client->pending.batch_limit /= 2;
        break;
      case POST_REFUSED:
        client->off_ns = now + off_ns_usual;
        client->dropped[DROP_DISABLED] += free_list(state, list);
        break;
      case POST_NEITHER:
        if (good && !state->stopping) {
          put_back(state, client, list);
        } else {
          client->dropped[state->stopping ? DROP_SHUTDOWN : DROP_UNMADE] += free_list(state, list);
        }
        break;
    }
  }
  aggregator_put_back(&client->pending, rest);
  breaker_report(&host->breaker, now, generation, outcome, error ? dbsql_error_retry_after_ms(error) : 0);
  if (body.size <= shown_body_most && good) {
    buf_free(&client->last_body);
    client->last_body = body;
    body = (struct buf)BUF_INIT;
  }
  pthread_cond_broadcast(&state->changed);
  http_response_free(&response);
  buf_free(&body);
  buf_free(&url);
  error_clear(&error);
}

/* ---- One step ------------------------------------------------------------------------------------------------------------- */

/* The handles of a client skip making records while nobody wants them. */
static void tell_handles(struct telemetry_state *state, const struct client *client, bool on) {
  for (struct telemetry *handle = state->handle_list; handle; handle = handle->after) {
    if (handle->client == client) atomic_store_explicit(&handle->vendor_on, on, memory_order_relaxed);
  }
}

bool client_step(struct telemetry_state *state, int64_t now_ns, int64_t *next_ns) {
  for (struct client *client = state->clients; client; client = client->next) {
    if (client->busy || state->stopping) continue;
    struct host *host = client->host;
    if (!client->forced && client->authorize && (client->refs > 0 || client->pending.count > 0) && client->off_ns <= now_ns) {
      int64_t fetch = flag_next_fetch_ns(&host->flags, now_ns);
      if (fetch <= now_ns && flag_begin_fetch(&host->flags, now_ns)) {
        fetch_flags(state, client);
        return true;
      }
      if (fetch < *next_ns) *next_ns = fetch;
    }
    enum flag_state decision = client_decide(client, now_ns);
    tell_handles(state, client, decision == FLAG_STATE_TRUE || decision == FLAG_STATE_PENDING);
    if (decision == FLAG_STATE_PENDING) continue;
    if (decision != FLAG_STATE_TRUE) {
      if (client->pending.count > 0) client_drop_all(state, client, DROP_DISABLED);
      if (client->off_ns > now_ns && client->refs > 0 && client->off_ns < *next_ns) *next_ns = client->off_ns;
      continue;
    }
    bool ending = client->ending || state->stopping;
    int64_t due = aggregator_due_ns(&client->pending, ending);
    if (due == INT64_MAX) continue;
    int64_t allowed = breaker_next_ns(&host->breaker, now_ns);
    if (due < allowed) due = allowed;
    uint32_t generation;
    if (due <= now_ns && breaker_admit(&host->breaker, now_ns, &generation)) {
      send_batch(state, client, generation, now_ns);
      return true;
    }
    if (due <= now_ns) due = now_ns + ns_per_s;
    if (due < *next_ns) *next_ns = due;
  }
  return false;
}
