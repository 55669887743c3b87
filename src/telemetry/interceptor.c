#include "telemetry/interceptor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "telemetry/state.h"

enum { ns_per_ms = 1000000, callback_least_ms = 100 };
static const int64_t slow_close_ns = 1000000000;

/* ---- Recording: no lock, no allocation, no waiting ------------------------------------------------------------------------- */

/* Whether the handle takes records; counts one that it does not. */
static bool is_open(struct telemetry *telemetry) {
  if (telemetry->generation != telemetry_generation_now()) {
    atomic_fetch_add_explicit(&telemetry_dropped_fork, 1, memory_order_relaxed);
    return false;
  }
  if (atomic_load_explicit(&telemetry->closed, memory_order_relaxed) || telemetry_is_stopping()) {
    atomic_fetch_add_explicit(&telemetry->dropped_closed, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&telemetry->state->dropped_closed, 1, memory_order_relaxed);
    return false;
  }
  return true;
}

static inline bool is_wanted(const struct telemetry *telemetry) {
  return telemetry->to_local || atomic_load_explicit(&telemetry->vendor_on, memory_order_relaxed);
}

static struct ring_cell *claim(struct telemetry *telemetry, bool matters, uint64_t *position) {
  struct ring_cell *cell = ring_claim(telemetry->state->ring, matters, position);
  if (!cell) {
    atomic_fetch_add_explicit(&telemetry->dropped_full, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&telemetry->state->dropped_full, 1, memory_order_relaxed);
  }
  return cell;
}

static inline void publish(struct telemetry *telemetry, struct ring_cell *cell, uint64_t position, bool urgent) {
  struct telemetry_state *state = telemetry->state;
  ring_publish(cell, position);
  bool half_full = position % 256 == 0 && position - ring_consumed(state->ring) >= ring_size / 2;
  if (urgent || half_full) dbsql_cancel_trigger(state->workers[WORKER_DRAIN].wake);
}

static inline void set_parent(const struct telemetry *telemetry, const struct trace_parent *own, struct ring_event *event) {
  const struct trace_parent *parent = own ? own : &telemetry->parent;
  event->has_parent = parent->present;
  if (!parent->present) return;
  event->trace_flags = parent->flags;
  memcpy(event->trace_id, parent->trace_id, sizeof event->trace_id);
  memcpy(event->parent_span, parent->span_id, sizeof event->parent_span);
}

void telemetry_begin_recording(struct telemetry *telemetry, struct telemetry_statement *statement, uint8_t operation, uint8_t type) {
  if (!is_open(telemetry) || !is_wanted(telemetry)) {
    statement->owner = NULL;
    return;
  }
  memset(&statement->executed_ns, 0, offsetof(struct telemetry_statement, parent) - offsetof(struct telemetry_statement, executed_ns));
  statement->owner = telemetry;
  statement->operation = operation;
  statement->type = type;
  statement->link = &telemetry->statements;
  statement->next = telemetry->statements;
  if (statement->next) statement->next->link = &statement->next;
  telemetry->statements = statement;
  statement->started_ns = clock_now_ns();
}

#define READ(member) atomic_load_explicit(&statement->member, memory_order_relaxed)

/* Out of line: statements of which there is nothing to tell are the ones whose recording must not be felt. */
static void add_detail(const struct telemetry_statement *statement, struct ring_event *event) {
  event->detail.retries = (int64_t)READ(retries);
  event->detail.chunk_first_ms = (int64_t)READ(chunk_first_ms);
  event->detail.chunk_slowest_ms = (int64_t)READ(chunk_slowest_ms);
  event->detail.chunk_sum_ms = (int64_t)READ(chunk_sum_ms);
  event->detail.chunk_id = (int64_t)READ(failed_chunk);
  event->detail.chunks = (int32_t)READ(chunks);
  event->detail.chunks_present = (int32_t)READ(chunks_present);
  event->detail.bytes = (int64_t)READ(bytes);
  event->detail.ready_ns = statement->ready_ns;
  event->detail.consumption_ns = statement->last_row_ns - statement->first_fetch_ns;
  event->detail.poll_count = statement->poll_count;
  event->detail.poll_ns = statement->poll_ns;
  event->detail.rows = statement->rows;
  bool failed = statement->category != CATEGORY_NONE;
  event->detail.vendor_code = failed ? statement->vendor_code : 0;
  event->detail.http_status = failed ? statement->http_status : 0;
  memset(event->detail.sqlstate, 0, sizeof event->detail.sqlstate);
  if (failed) memcpy(event->detail.sqlstate, statement->sqlstate, sizeof event->detail.sqlstate);
}

void telemetry_end_recording(struct telemetry_statement *statement) {
  struct telemetry *telemetry = statement->owner;
  statement->owner = NULL;
  *statement->link = statement->next;
  if (statement->next) statement->next->link = statement->link;
  if (!is_open(telemetry)) return;
  bool failed = statement->category != CATEGORY_NONE;
  uint64_t position;
  struct ring_cell *cell = claim(telemetry, failed, &position);
  if (!cell) return;
  int64_t ended_ns = statement->executed_ns ? statement->executed_ns : clock_now_ns();
  struct ring_event *event = &cell->event;
  event->owner = telemetry;
  event->started_ns = statement->started_ns;
  event->latency_ns = ended_ns > statement->started_ns ? ended_ns - statement->started_ns : 0;
  memcpy(event->id, statement->id, sizeof event->id);
  event->kind = failed ? KIND_STATEMENT | KIND_ERROR : KIND_STATEMENT;
  event->operation = statement->operation;
  event->type = statement->type;
  event->format = statement->format;
  event->compressed = statement->compressed;
  event->internal = statement->internal;
  event->volume = statement->volume;
  event->category = statement->category;
  event->urgent = failed && errors_is_terminal((enum error_category)statement->category);
  event->local_only = statement->local_only;
  event->has_detail =
      failed || statement->ready_ns || statement->poll_count || statement->rows || READ(chunks) || READ(retries) || READ(chunks_present);
  if (event->has_detail) add_detail(statement, event);
  set_parent(telemetry, statement->has_parent ? &statement->parent : NULL, event);
  publish(telemetry, cell, position, event->urgent);
}

void telemetry_move(struct telemetry_statement *to, struct telemetry_statement *from) {
  memcpy(to, from, sizeof *to);
  from->owner = NULL;
  if (!to->owner) return;
  *to->link = to;
  if (to->next) to->next->link = &to->next;
}

/* ---- What is learnt on the way --------------------------------------------------------------------------------------------- */

void telemetry_opt_out(struct telemetry_statement *statement) {
  if (statement->owner) statement->local_only = true;
}

void telemetry_set_parent(struct telemetry_statement *statement, const struct trace_parent *parent) {
  if (!statement->owner) return;
  statement->parent = *parent;
  statement->has_parent = parent->present;
}

void telemetry_set_id(struct telemetry_statement *statement, const uint8_t id[16]) {
  if (statement->owner) memcpy(statement->id, id, sizeof statement->id);
}

void telemetry_set_internal(struct telemetry_statement *statement, bool internal) {
  if (statement->owner) statement->internal = tag_flag(internal);
}

void telemetry_set_volume(struct telemetry_statement *statement, uint8_t volume_operation) {
  if (!statement->owner) return;
  statement->volume = volume_operation;
  statement->type = statement_type_VOLUME;
}

void telemetry_polled(struct telemetry_statement *statement, int64_t took_ns) {
  if (!statement->owner) return;
  if (statement->poll_count < INT32_MAX) statement->poll_count++;
  if (took_ns > 0) statement->poll_ns += took_ns;
}

void telemetry_polls(struct telemetry_statement *statement, int32_t count, int64_t took_ns) {
  if (!statement->owner || count <= 0) return;
  statement->poll_count = count < INT32_MAX - statement->poll_count ? statement->poll_count + count : INT32_MAX;
  if (took_ns > 0) statement->poll_ns += took_ns;
}

void telemetry_executed(struct telemetry_statement *statement) {
  if (statement->owner && statement->executed_ns == 0) statement->executed_ns = clock_now_ns();
}

void telemetry_ready(struct telemetry_statement *statement, uint8_t format, bool compressed) {
  if (!statement->owner) return;
  statement->format = format;
  /* Once compressed, always compressed. */
  if (statement->compressed != FLAG_TRUE) statement->compressed = tag_flag(compressed);
  if (statement->ready_ns == 0) statement->ready_ns = clock_now_ns() - statement->started_ns;
}

void telemetry_fetching(struct telemetry_statement *statement) {
  if (statement->owner && statement->first_fetch_ns == 0) statement->first_fetch_ns = clock_now_ns();
}

void telemetry_last_row(struct telemetry_statement *statement) {
  if (!statement->owner || statement->last_row_ns != 0) return;
  statement->last_row_ns = clock_now_ns();
  if (statement->first_fetch_ns == 0) statement->first_fetch_ns = statement->last_row_ns;
}

void telemetry_chunk(struct telemetry_statement *statement, int64_t took_ns, int64_t bytes) {
  if (!statement->owner) return;
  atomic_fetch_add_explicit(&statement->chunks, 1, memory_order_relaxed);
  if (bytes > 0) atomic_fetch_add_explicit(&statement->bytes, bytes, memory_order_relaxed);
  int64_t ms = event_ms(took_ns);
  if (ms == 0) return;
  atomic_fetch_add_explicit(&statement->chunk_sum_ms, ms, memory_order_relaxed);
  int_fast64_t none = 0;
  atomic_compare_exchange_strong_explicit(&statement->chunk_first_ms, &none, ms, memory_order_relaxed, memory_order_relaxed);
  int_fast64_t slowest = atomic_load_explicit(&statement->chunk_slowest_ms, memory_order_relaxed);
  while (slowest < ms &&
         !atomic_compare_exchange_weak_explicit(&statement->chunk_slowest_ms, &slowest, ms, memory_order_relaxed, memory_order_relaxed)) {
  }
}

void telemetry_add_chunks(struct telemetry_statement *statement, const struct telemetry_chunks *chunks) {
  if (!statement->owner) return;
  atomic_fetch_add_explicit(&statement->chunks, (int)(chunks->iterated < INT32_MAX ? chunks->iterated : INT32_MAX), memory_order_relaxed);
  atomic_store_explicit(&statement->chunks_present, (int)(chunks->present < INT32_MAX ? chunks->present : INT32_MAX), memory_order_relaxed);
  atomic_fetch_add_explicit(&statement->bytes, chunks->bytes, memory_order_relaxed);
  atomic_fetch_add_explicit(&statement->chunk_sum_ms, event_ms(chunks->sum_ns), memory_order_relaxed);
  if (atomic_load_explicit(&statement->chunk_first_ms, memory_order_relaxed) == 0) {
    atomic_store_explicit(&statement->chunk_first_ms, event_ms(chunks->first_ns), memory_order_relaxed);
  }
  if (atomic_load_explicit(&statement->chunk_slowest_ms, memory_order_relaxed) < event_ms(chunks->slowest_ns)) {
    atomic_store_explicit(&statement->chunk_slowest_ms, event_ms(chunks->slowest_ns), memory_order_relaxed);
  }
  telemetry_retried(statement, chunks->retries);
}

void telemetry_chunk_failed(struct telemetry_statement *statement, int64_t chunk_id) {
  if (statement->owner) atomic_store_explicit(&statement->failed_chunk, chunk_id, memory_order_relaxed);
}

void telemetry_chunks_present(struct telemetry_statement *statement, int32_t count) {
  if (statement->owner) atomic_store_explicit(&statement->chunks_present, count, memory_order_relaxed);
}

void telemetry_retried(struct telemetry_statement *statement, int64_t count) {
  if (statement->owner && count > 0) atomic_fetch_add_explicit(&statement->retries, count, memory_order_relaxed);
}

void telemetry_read_rows(struct telemetry_statement *statement, int64_t count) {
  if (statement->owner) statement->rows += count;
}

void telemetry_failed(struct telemetry_statement *statement, dbsql_status status, const dbsql_error *error, enum error_place place) {
  if (!statement->owner || status == DBSQL_OK || statement->category != CATEGORY_NONE) return;
  statement->category = (uint8_t)errors_classify(status, error, place);
  statement->http_status = dbsql_error_http_status(error);
  statement->vendor_code = dbsql_error_vendor_code(error);
  memset(statement->sqlstate, 0, sizeof statement->sqlstate);
  strncpy(statement->sqlstate, dbsql_error_sqlstate(error), sizeof statement->sqlstate - 1);
}

/* ---- Everything else ------------------------------------------------------------------------------------------------------- */

static void record(struct telemetry *telemetry, unsigned kind, uint8_t operation, const uint8_t *id, int64_t started_ns, uint8_t internal,
                   dbsql_status status, const dbsql_error *error, enum error_place place) {
  if (!telemetry || !is_open(telemetry) || !is_wanted(telemetry)) return;
  enum error_category category = errors_classify(status, error, place);
  if (category != CATEGORY_NONE) kind |= KIND_ERROR;
  uint64_t position;
  struct ring_cell *cell = claim(telemetry, kind != KIND_OPERATION, &position);
  if (!cell) return;
  int64_t now = clock_now_ns(), latency_ns = started_ns > 0 && now > started_ns ? now - started_ns : 0;
  struct ring_event *event = &cell->event;
  memset(event, 0, offsetof(struct ring_event, trace_flags));
  event->owner = telemetry;
  event->started_ns = now - latency_ns;
  event->latency_ns = latency_ns;
  event->kind = (uint8_t)kind;
  event->urgent = errors_is_terminal(category);
  event->operation = operation;
  event->internal = internal;
  event->category = (uint8_t)category;
  if (id) memcpy(event->id, id, sizeof event->id);
  if (category != CATEGORY_NONE) {
    event->has_detail = true;
    event->detail.http_status = dbsql_error_http_status(error);
    event->detail.vendor_code = dbsql_error_vendor_code(error);
    strncpy(event->detail.sqlstate, dbsql_error_sqlstate(error), sizeof event->detail.sqlstate - 1);
  }
  set_parent(telemetry, NULL, event);
  publish(telemetry, cell, position, event->urgent);
}

void telemetry_operation(struct telemetry *telemetry, uint8_t operation, const uint8_t *id, int64_t started_ns, bool internal,
                         dbsql_status status, const dbsql_error *error, enum error_place place) {
  unsigned kind = operation == operation_type_CREATE_SESSION ? KIND_CONNECTION : KIND_OPERATION;
  record(telemetry, kind, operation, id, started_ns, internal ? FLAG_TRUE : FLAG_ABSENT, status, error, place);
}

void telemetry_error(struct telemetry *telemetry, dbsql_status status, const dbsql_error *error, enum error_place place) {
  if (status != DBSQL_OK) record(telemetry, KIND_ERROR, operation_type_TYPE_UNSPECIFIED, NULL, 0, FLAG_ABSENT, status, error, place);
}

void telemetry_statement_closed(struct telemetry *telemetry, const uint8_t id[16], int64_t started_ns, dbsql_status status,
                                const dbsql_error *error) {
  if (!telemetry) return;
  if (status == DBSQL_OK && !telemetry->every_close && clock_now_ns() - started_ns <= slow_close_ns) return;
  telemetry_operation(telemetry, operation_type_CLOSE_STATEMENT, id, started_ns, false, status, error, PLACE_CLOSE_STATEMENT);
}

bool telemetry_trace_parent(const struct telemetry *telemetry, char out[trace_parent_size]) {
  if (!telemetry || !telemetry->send_parent || !telemetry->parent.present) return false;
  trace_parent_format(&telemetry->parent, out);
  return true;
}

/* ---- Opening and closing --------------------------------------------------------------------------------------------------- */

/* The environment's switch, read once. */
static bool is_killed(void) {
  static atomic_int known; /* 0: not read yet; 1: no; 2: yes */
  int value = atomic_load(&known);
  if (value == 0) {
    value = telemetry_is_killed(getenv("DATABRICKS_TELEMETRY_DISABLED")) ? 2 : 1;
    atomic_store(&known, value);
  }
  return value == 2;
}

/* Copies every text of the tags into one block. */
static bool copy_texts(struct telemetry *telemetry, const struct tag_connection *from, const struct telemetry_config *config, bool unauth) {
  struct buf texts = BUF_INIT;
  struct tag_connection *tags = &telemetry->tags;
  *tags = *from;
  if (unauth) tags->user_agent = "dbsql/" DBSQL_VERSION; /* nothing of the user's goes there */
  char process_name[80] = "";
  bool with_endpoint = telemetry_config_bool(config, SETTING_include_endpoint);
  if (!with_endpoint) tags->http_path = tags->host_url = NULL;
  if (!with_endpoint) tags->host_port = 0;
  if (telemetry_config_bool(config, SETTING_process_name)) system_process_name(process_name, sizeof process_name);
  tags->process_name = process_name;
  const char **const members[] = {&tags->user_agent, &tags->session_id, &tags->driver_name, &tags->process_name,
                                  &tags->http_path,  &tags->host_url,   &tags->auth_type,   &tags->server_address};
  size_t at[sizeof members / sizeof members[0]];
  for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
    const char *text = *members[i] ? *members[i] : "";
    at[i] = texts.size;
    if (members[i] == &tags->user_agent) {
      redact_append(&texts, text, strlen(text) < 512 ? strlen(text) : 512);
    } else {
      buf_append_text(&texts, text);
    }
    buf_append_byte(&texts, 0);
  }
  telemetry->texts = buf_take_text(&texts);
  for (size_t i = 0; telemetry->texts && i < sizeof members / sizeof members[0]; i++) *members[i] = telemetry->texts + at[i];
  return telemetry->texts != NULL;
}

static void list_handle(struct telemetry_state *state, struct telemetry *telemetry) {
  telemetry->after = state->handle_list;
  if (telemetry->after) telemetry->after->before = telemetry;
  state->handle_list = telemetry;
  state->handles++;
}

static void unlist_handle(struct telemetry_state *state, struct telemetry *telemetry) {
  if (telemetry->before) {
    telemetry->before->after = telemetry->after;
  } else if (state->handle_list == telemetry) {
    state->handle_list = telemetry->after;
  }
  if (telemetry->after) telemetry->after->before = telemetry->before;
  telemetry->before = telemetry->after = NULL;
}

dbsql_status telemetry_open(const struct telemetry_target *target, const struct telemetry_config *config, struct telemetry **out,
                            dbsql_error **error) {
  *out = NULL;
  enum telemetry_choice choice = target->no_vendor ? CHOICE_OFF : telemetry_config_choice(config, is_killed());
  bool traces = telemetry_config_int(config, SETTING_exporter) != TRACES_NONE;
  struct trace_parent parent;
  trace_parent_parse(telemetry_config_text(config, SETTING_trace_parent), &parent);
  bool sends_parent = parent.present && telemetry_config_bool(config, SETTING_send_trace_parent);
  if (choice == CHOICE_OFF && !traces && !target->callback && !sends_parent) return DBSQL_OK;

  dbsql_error *why = NULL;
  struct telemetry_state *state = telemetry_state_get(&why);
  struct telemetry *telemetry = state ? mem_alloc_zero(1, sizeof *telemetry) : NULL;
  if (!telemetry || !copy_texts(telemetry, &target->tags, config, target->authorize == NULL)) {
    if (telemetry) mem_free(telemetry);
    error_clear(&why);
    return error_no_memory(error);
  }
  telemetry->state = state;
  telemetry->generation = telemetry_generation_now();
  telemetry->every_close = telemetry_config_bool(config, SETTING_every_close);
  telemetry->send_parent = sends_parent;
  telemetry->parent = parent;
  telemetry->callback = target->callback;
  telemetry->callback_user = target->callback_user;
  telemetry->close_timeout_ms = telemetry_config_int(config, SETTING_close_timeout_ms);
  if (target->log) telemetry->log = *target->log;
  dbsql_status status = DBSQL_OK;
  pthread_mutex_lock(&state->lock);
  if (choice != CHOICE_OFF) telemetry->client = manager_acquire(state, target, config, choice == CHOICE_FORCED, &why);
  if (!why && traces) telemetry->sink = sink_acquire(state, target, config, &why);
  telemetry->to_vendor = telemetry->client != NULL;
  telemetry->to_local = telemetry->sink || telemetry->callback;
  atomic_store(&telemetry->vendor_on, telemetry->to_vendor);
  if (!why && (telemetry->to_vendor || telemetry->to_local)) status = exporter_start(state, WORKER_DRAIN, &why);
  list_handle(state, telemetry);
  /* The flag is asked for at once, so that the answer is there when the first batch is due. */
  if (status == DBSQL_OK && !why && telemetry->client && !telemetry->client->forced) exporter_wake(state, WORKER_VENDOR);
  pthread_mutex_unlock(&state->lock);
  if (why) {
    telemetry_close(telemetry);
    telemetry_free(telemetry);
    if (dbsql_error_kind(why) == DBSQL_ERROR_NO_MEMORY) {
      error_clear(&why);
      return error_no_memory(error);
    }
    /* No thread, no telemetry: that is no reason not to connect. */
    log_write(target->log, DBSQL_LOG_WARN, "telemetry", "telemetry is off", "error", dbsql_error_message(why), (char *)NULL);
    error_clear(&why);
    return DBSQL_OK;
  }
  *out = telemetry;
  return DBSQL_OK;
}

/* What the user should hear of, told on the connection's own thread. */
static void tell(const struct telemetry *telemetry, uint64_t dropped, int status) {
  char text[24];
  if (status) {
    snprintf(text, sizeof text, "%d", status);
    log_write(&telemetry->log, DBSQL_LOG_INFO, "telemetry", "the server does not take telemetry; it is off for a while", "status", text,
              (char *)NULL);
  }
  if (dropped) {
    snprintf(text, sizeof text, "%llu", (unsigned long long)dropped);
    log_write(&telemetry->log, DBSQL_LOG_WARN, "telemetry", "records of telemetry were dropped", "count", text, (char *)NULL);
  }
}

void telemetry_close(struct telemetry *telemetry) {
  if (!telemetry || atomic_load(&telemetry->closed)) return;
  while (telemetry->statements) {
    struct telemetry_statement *statement = telemetry->statements;
    telemetry_end_recording(statement);
  }
  atomic_store(&telemetry->closed, true);
  if (telemetry->generation != telemetry_generation_now()) return;
  struct telemetry_state *state = telemetry->state;
  struct client *client = telemetry->client;
  int64_t now = clock_now_ns();
  bool waits = false;
  uint64_t dropped = 0;
  int refused = 0;
  pthread_mutex_lock(&state->lock);
  if (client) {
    manager_release(state, client);
    /* Records of a program that opens and closes one connection after another still travel together: only who comes a second after
     * the last request waits for one of its own. */
    waits = client->refs == 0 && telemetry->close_timeout_ms > 0 && now >= client->pending.earliest_ns;
    client->ending = waits;
    aggregator_ask(&client->pending, now, 1000);
    refused = client->off_ns > now ? client->last_status : 0;
    for (int i = 0; i < DROP_COUNT; i++) dropped += i == DROP_DISABLED ? 0 : client->dropped[i];
  }
  dropped += atomic_load(&telemetry->dropped_full);
  if (telemetry->to_vendor || telemetry->to_local) exporter_wake(state, WORKER_DRAIN);
  pthread_mutex_unlock(&state->lock);
  tell(telemetry, dropped, refused);
  if (telemetry->callback) {
    exporter_wait(state, NULL, telemetry,
                  telemetry->close_timeout_ms > callback_least_ms ? telemetry->close_timeout_ms : callback_least_ms);
  }
  if (waits) exporter_wait(state, client, NULL, telemetry->close_timeout_ms);
  pthread_mutex_lock(&state->lock);
  telemetry->callback = NULL;
  if (client) client->ending = false;
  pthread_mutex_unlock(&state->lock);
}

void telemetry_free(struct telemetry *telemetry) {
  if (!telemetry) return;
  telemetry_close(telemetry);
  /* A forked child leaves what it inherited as it is. */
  if (telemetry->generation != telemetry_generation_now()) return;
  struct telemetry_state *state = telemetry->state;
  pthread_mutex_lock(&state->lock);
  unlist_handle(state, telemetry);
  telemetry->retire_at = ring_position(state->ring);
  telemetry->next = state->retired;
  state->retired = telemetry;
  exporter_retire(state);
  if (state->retired) exporter_wake(state, WORKER_DRAIN);
  pthread_mutex_unlock(&state->lock);
}
