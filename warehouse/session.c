#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "memory.h"
#include "parameters.h"
#include "thrift/tcli.h"
#include "transaction.h"
#include "warehouse.h"

/* ---- Handles ------------------------------------------------------------------------------------------------------------------------ */

static bool handle_make(struct handle *handle) {
  if (RAND_bytes(handle->guid, guid_size) != 1 || RAND_bytes(handle->secret, guid_size) != 1) return false;
  handle->guid[6] = (uint8_t)((handle->guid[6] & 0x0f) | 0x40); /* a random UUID, version 4 */
  handle->guid[8] = (uint8_t)((handle->guid[8] & 0x3f) | 0x80);
  guid_format(handle->guid, guid_size, handle->text);
  return true;
}

static bool handle_is(const struct handle *handle, struct slice guid, struct slice secret) {
  return guid.size == guid_size && secret.size == guid_size && memcmp(handle->guid, guid.data, guid_size) == 0 &&
         CRYPTO_memcmp(handle->secret, secret.data, guid_size) == 0;
}

static size_t bucket_of(const uint8_t *guid) {
  return guid[0] % warehouse_buckets;
}

/* ---- The worker --------------------------------------------------------------------------------------------------------------------- */

bool operation_state_is_final(int32_t state) {
  return state == TOperationState_FINISHED_STATE || state == TOperationState_CANCELED_STATE || state == TOperationState_CLOSED_STATE ||
         state == TOperationState_ERROR_STATE || state == TOperationState_TIMEDOUT_STATE;
}

static void set_state(struct operation *operation, int32_t state) {
  pthread_mutex_lock(&operation->lock);
  operation->state = state;
  if (operation_state_is_final(state)) operation->completed_ms = clock_unix_us() / 1000;
  pthread_cond_broadcast(&operation->changed);
  pthread_mutex_unlock(&operation->lock);
}

static void run(struct operation *operation) {
  struct failure failure = {0};
  bool good = false;
  if (!operation->cancelled && !operation->timed_out) {
    set_state(operation, TOperationState_RUNNING_STATE);
    good = !operation->request.metadata_call ? execute_operation(operation, &failure)
                                             : transaction_allows_call(operation, &failure) && metadata_operation(operation, &failure);
  }
  if (!good && !operation->request.metadata_call) transaction_after(operation->session, NULL, false); /* also one that has not begun */
  int32_t state = TOperationState_FINISHED_STATE;
  if (!good && operation->timed_out) {
    state = TOperationState_TIMEDOUT_STATE;
    failure_set(&failure, "QUERY_EXECUTION_TIMEOUT_EXCEEDED", "57KD0", "Statement timed out after %lld seconds.",
                (long long)(operation->request.timeout_ms + 999) / 1000);
  } else if (!good && operation->cancelled) {
    state = TOperationState_CANCELED_STATE;
    failure_set(&failure, "OPERATION_CANCELED", "HY008", "Operation has been canceled.");
  } else if (!good) {
    state = TOperationState_ERROR_STATE;
    if (!failure.set) failure_set(&failure, "INTERNAL_ERROR", "XX000", "The statement failed, and nobody said why.");
  }
  if (!good && operation->has_result) {
    result_free(&operation->result);
    operation->has_result = false;
  }
  operation->failure = failure;
  set_state(operation, state);
}

static void *worker_main(void *user) {
  struct session *session = user;
  pthread_mutex_lock(&session->lock);
  for (;;) {
    while (!session->queue_first && !session->closing) pthread_cond_wait(&session->wake, &session->lock);
    struct operation *operation = session->queue_first;
    if (!operation) break;
    session->queue_first = operation->queue_next;
    if (!session->queue_first) session->queue_last = NULL;
    session->running = operation;
    if (session->closing) operation->cancelled = true;
    pthread_mutex_unlock(&session->lock);
    run(operation);
    pthread_mutex_lock(&session->lock);
    session->running = NULL;
    session->last_used_ns = clock_now_ns();
    pthread_mutex_unlock(&session->lock);
    operation_unref(operation);
    pthread_mutex_lock(&session->lock);
  }
  pthread_mutex_unlock(&session->lock);
  return NULL;
}

/* ---- Sessions ----------------------------------------------------------------------------------------------------------------------- */

bool session_execute(struct session *session, const char *sql, struct failure *failure) {
  struct engine_error error = {0};
  if (engine_execute(session->connection, sql, NULL, NULL, NULL, &error)) return true;
  failure_from_engine(failure, &error, sql);
  engine_error_clear(&error);
  return false;
}

static void append_quoted(struct buf *out, const char *text, char quote) {
  buf_append_byte(out, (uint8_t)quote);
  for (; *text; text++) {
    if (*text == quote) buf_append_byte(out, (uint8_t)quote);
    buf_append_byte(out, (uint8_t)*text);
  }
  buf_append_byte(out, (uint8_t)quote);
}

/* Functions of the hidden catalog are found last. */
static bool set_search_path(struct session *session, const char *catalog, const char *schema, struct failure *failure) {
  struct buf path = BUF_INIT, sql = BUF_INIT;
  append_quoted(&path, catalog_to_engine(catalog), '"');
  buf_append_byte(&path, '.');
  append_quoted(&path, schema, '"');
  buf_append_text(&path, "," WAREHOUSE_HIDDEN_CATALOG ".main");
  wh_check(&path);
  buf_append_text(&sql, "SET search_path = ");
  append_quoted(&sql, buf_text(&path), '\'');
  wh_check(&sql);
  bool good = session_execute(session, buf_text(&sql), failure);
  buf_free(&path);
  buf_free(&sql);
  return good;
}

bool session_use(struct session *session, const char *catalog, const char *schema, struct failure *failure) {
  char *to_catalog = wh_copy(catalog ? catalog : session->catalog);
  /* A catalog without a schema means its default one. */
  char *to_schema = wh_copy(schema ? schema : WAREHOUSE_SCHEMA);
  bool good = set_search_path(session, to_catalog, to_schema, failure);
  if (good) {
    free(session->catalog);
    free(session->schema);
    session->catalog = to_catalog;
    session->schema = to_schema;
    return true;
  }
  if (failure->set && failure->error_class && strcmp(failure->error_class, "SCHEMA_NOT_FOUND") == 0) {
    if (schema) {
      failure_set(failure, "SCHEMA_NOT_FOUND", "42704",
                  "The schema `%s`.`%s` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not "
                  "qualify the name with a catalog, verify the current_schema() output, or qualify the name with the correct catalog.\nTo "
                  "tolerate the error on drop use DROP SCHEMA IF EXISTS.",
                  to_catalog, to_schema);
    } else {
      failure_set(failure, "NO_SUCH_CATALOG_EXCEPTION", "42704",
                  "Catalog '%s' was not found. Please verify the catalog name and then retry "
                  "the query or command again.",
                  to_catalog);
    }
  }
  free(to_catalog);
  free(to_schema);
  return false;
}

bool session_set_zone(struct session *session, const char *zone, struct failure *failure) {
  struct buf sql = BUF_INIT;
  buf_append_text(&sql, "SET TimeZone = ");
  append_quoted(&sql, zone, '\'');
  wh_check(&sql);
  bool good = session_execute(session, buf_text(&sql), failure);
  buf_free(&sql);
  if (!good)
    return failure_set(failure, "INVALID_CONF_VALUE.TIME_ZONE", "22022",
                       "The value '%s' in the config \"spark.sql.session.timeZone\" is invalid. Cannot resolve the given timezone.", zone);
  char *copy = wh_copy(zone);
  free(session->zone);
  session->zone = copy;
  return true;
}

const char *session_setting(const struct session *session, const char *key) {
  for (size_t i = 0; i < session->setting_count; i++) {
    if (text_equal_nocase(session->settings[i].key, key)) return session->settings[i].value;
  }
  return NULL;
}

void session_set(struct session *session, const char *key, const char *value) {
  for (size_t i = 0; i < session->setting_count; i++) {
    if (!text_equal_nocase(session->settings[i].key, key)) continue;
    char *copy = wh_copy(value);
    free(session->settings[i].value);
    session->settings[i].value = copy;
    return;
  }
  session->settings = wh_grow(session->settings, session->setting_count + 1, sizeof *session->settings);
  session->settings[session->setting_count++] = (struct setting){wh_copy(key), wh_copy(value)};
}

void session_unset(struct session *session, const char *key) {
  for (size_t i = 0; i < session->setting_count; i++) {
    if (!text_equal_nocase(session->settings[i].key, key)) continue;
    free(session->settings[i].key);
    free(session->settings[i].value);
    session->settings[i] = session->settings[--session->setting_count];
    return;
  }
}

static void session_free(struct session *session) {
  transaction_forget(session);
  engine_disconnect(session->connection);
  for (size_t i = 0; i < session->setting_count; i++) {
    free(session->settings[i].key);
    free(session->settings[i].value);
  }
  free(session->settings);
  free(session->catalog);
  free(session->schema);
  free(session->zone);
  pthread_cond_destroy(&session->wake);
  pthread_mutex_destroy(&session->lock);
  free(session);
}

/* Applies what OpenSession asked for. */
static bool prepare(struct session *session, const struct session_request *request, struct failure *failure) {
  bool spark = request->catalog && text_equal_nocase(request->catalog, "spark"); /* what drivers send for "none" */
  const char *catalog = request->catalog && *request->catalog && !spark ? request->catalog : WAREHOUSE_CATALOG;
  const char *schema = request->schema && *request->schema ? request->schema : NULL;
  const char *zone = "Etc/UTC";
  for (size_t i = 0; i < request->setting_count; i++) {
    const struct setting *setting = &request->settings[i];
    const char *key = setting->key;
    if (text_has_prefix_nocase(key, "set:hiveconf:")) key += 13;
    if (text_equal_nocase(key, "use:database")) {
      schema = setting->value;
      continue;
    }
    if (text_equal_nocase(key, "timezone") || text_equal_nocase(key, "spark.sql.session.timeZone")) zone = setting->value;
    session_set(session, key, setting->value);
  }
  return session_set_zone(session, zone, failure) && session_use(session, catalog, schema, failure);
}

struct session *session_open(struct warehouse *warehouse, const struct session_request *request, struct failure *failure) {
  struct engine_error error = {0};
  struct session *session = wh_new(1, sizeof *session);
  session->warehouse = warehouse;
  session->protocol = request->protocol;
  session->plain_hive = warehouse->plain_hive;
  session->last_used_ns = clock_now_ns();
  session->refs = 2; /* the table's and the caller's */
  pthread_mutex_init(&session->lock, NULL);
  pthread_cond_init(&session->wake, NULL);
  pthread_mutex_lock(&warehouse->lock);
  bool full = warehouse->session_count >= warehouse->limits.sessions;
  if (!full) warehouse->session_count++;
  pthread_mutex_unlock(&warehouse->lock);
  if (full) {
    failure_set(failure, "RESOURCE_EXHAUSTED", "53300", "The warehouse has %lld sessions open, which is its limit (--max-sessions).",
                (long long)warehouse->limits.sessions);
    session_free(session);
    return NULL;
  }
  if (!handle_make(&session->handle)) {
    failure_set(failure, "INTERNAL_ERROR", "XX000", "No random numbers can be had for a session handle.");
    goto failed;
  }
  session->connection = engine_connect(warehouse->engine, &error);
  if (!session->connection) {
    failure_from_engine(failure, &error, "");
    engine_error_clear(&error);
    goto failed;
  }
  if (!prepare(session, request, failure)) goto failed;
  if (pthread_create(&session->worker, NULL, worker_main, session) != 0) {
    failure_set(failure, "RESOURCE_EXHAUSTED", "53300", "The warehouse cannot start another thread.");
    goto failed;
  }
  pthread_mutex_lock(&warehouse->lock);
  size_t bucket = bucket_of(session->handle.guid);
  session->next = warehouse->sessions[bucket];
  warehouse->sessions[bucket] = session;
  pthread_mutex_unlock(&warehouse->lock);
  warehouse->sessions_opened++;
  return session;

failed:
  pthread_mutex_lock(&warehouse->lock);
  warehouse->session_count--;
  pthread_mutex_unlock(&warehouse->lock);
  session_free(session);
  return NULL;
}

struct session *session_find(struct warehouse *warehouse, struct slice guid, struct slice secret) {
  struct session *found = NULL;
  if (guid.size != guid_size) return NULL;
  pthread_mutex_lock(&warehouse->lock);
  for (struct session *session = warehouse->sessions[bucket_of(guid.data)]; session && !found; session = session->next) {
    if (!handle_is(&session->handle, guid, secret)) continue;
    found = session;
    found->refs++;
    found->last_used_ns = clock_now_ns();
  }
  pthread_mutex_unlock(&warehouse->lock);
  return found;
}

void session_unref(struct session *session) {
  if (!session) return;
  struct warehouse *warehouse = session->warehouse;
  pthread_mutex_lock(&warehouse->lock);
  bool last = --session->refs == 0;
  pthread_mutex_unlock(&warehouse->lock);
  if (last) session_free(session);
}

/* Takes the session out of the table; false if somebody else has. */
static bool take_out(struct session *session) {
  struct warehouse *warehouse = session->warehouse;
  bool taken = false;
  pthread_mutex_lock(&warehouse->lock);
  for (struct session **at = &warehouse->sessions[bucket_of(session->handle.guid)]; *at; at = &(*at)->next) {
    if (*at != session) continue;
    *at = session->next;
    warehouse->session_count--;
    taken = true;
    break;
  }
  pthread_mutex_unlock(&warehouse->lock);
  return taken;
}

static bool worker_is_busy(struct session *session) {
  pthread_mutex_lock(&session->lock);
  bool busy = session->running != NULL;
  if (busy) engine_cancel(session->connection);
  pthread_mutex_unlock(&session->lock);
  return busy;
}

void session_close(struct session *session) {
  if (!take_out(session)) return;
  struct warehouse *warehouse = session->warehouse;
  pthread_mutex_lock(&session->lock);
  session->closing = true;
  if (session->running) session->running->cancelled = true;
  pthread_cond_broadcast(&session->wake);
  pthread_mutex_unlock(&session->lock);
  while (worker_is_busy(session)) nanosleep(&(struct timespec){0, 2000000}, NULL);
  pthread_join(session->worker, NULL);
  for (;;) { /* its operations go with it */
    struct operation *found = NULL;
    pthread_mutex_lock(&warehouse->lock);
    for (size_t i = 0; i < warehouse_buckets && !found; i++) {
      for (struct operation *operation = warehouse->operations[i]; operation && !found; operation = operation->next) {
        if (operation->session == session) found = operation;
      }
    }
    if (found) found->refs++;
    pthread_mutex_unlock(&warehouse->lock);
    if (!found) break;
    operation_close(found);
    operation_unref(found);
  }
  session_unref(session); /* the table's */
}

/* ---- Operations --------------------------------------------------------------------------------------------------------------------- */

void operation_request_free(struct operation_request *request) {
  free(request->sql);
  free(request->fails_with);
  parameters_free(request->parameters, request->parameter_count);
  for (size_t i = 0; i < request->overlay_count; i++) {
    free(request->overlay[i].key);
    free(request->overlay[i].value);
  }
  free(request->overlay);
  for (size_t i = 0; i < sizeof request->patterns / sizeof *request->patterns; i++) free(request->patterns[i]);
  for (size_t i = 0; i < request->table_type_count; i++) free(request->table_types[i]);
  free(request->table_types);
  memset(request, 0, sizeof *request);
}

static void operation_free(struct operation *operation) {
  if (operation->has_result) result_free(&operation->result);
  failure_clear(&operation->failure);
  operation_request_free(&operation->request);
  pthread_cond_destroy(&operation->changed);
  pthread_mutex_destroy(&operation->lock);
  session_unref(operation->session);
  free(operation);
}

struct operation *operation_start(struct session *session, struct operation_request *request, struct failure *failure) {
  struct warehouse *warehouse = session->warehouse;
  struct operation *operation = wh_new(1, sizeof *operation);
  pthread_mutex_init(&operation->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
#if !defined(__APPLE__)
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
  pthread_cond_init(&operation->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  operation->request = *request;
  memset(request, 0, sizeof *request);
  operation->state = TOperationState_INITIALIZED_STATE;
  operation->modified_rows = -1;
  operation->started_ms = clock_unix_us() / 1000;
  if (operation->request.timeout_ms > 0) operation->deadline_ns = clock_now_ns() + operation->request.timeout_ms * 1000000;
  operation->refs = 3; /* the table's, the queue's, the caller's */
  bool good = handle_make(&operation->handle);

  pthread_mutex_lock(&warehouse->lock);
  operation->session = session;
  session->refs++;
  bool full = session->operation_count >= warehouse->limits.operations;
  if (good && !full) {
    size_t bucket = bucket_of(operation->handle.guid);
    operation->next = warehouse->operations[bucket];
    warehouse->operations[bucket] = operation;
    session->operation_count++;
    warehouse->operation_count++;
  }
  pthread_mutex_unlock(&warehouse->lock);
  if (!good || full) {
    failure_set(failure, "RESOURCE_EXHAUSTED", "53300", "The session has %lld operations open, which is its limit (--max-operations).",
                (long long)warehouse->limits.operations);
    operation_free(operation);
    return NULL;
  }
  warehouse->statements++;
  pthread_mutex_lock(&session->lock);
  if (session->closing) operation->cancelled = true;
  if (session->queue_last) {
    session->queue_last->queue_next = operation;
  } else {
    session->queue_first = operation;
  }
  session->queue_last = operation;
  bool late = session->closing && !session->running;
  if (late) { /* the worker may be gone */
    session->queue_first = operation->queue_next;
    if (!session->queue_first) session->queue_last = NULL;
  }
  pthread_cond_signal(&session->wake);
  pthread_mutex_unlock(&session->lock);
  if (late) {
    run(operation);
    operation_unref(operation);
  }
  return operation;
}

int32_t operation_wait(struct operation *operation, int64_t ms) {
  struct timespec until;
#if defined(__APPLE__)
  clock_gettime(CLOCK_REALTIME, &until);
#else
  clock_gettime(CLOCK_MONOTONIC, &until);
#endif
  until.tv_sec += (time_t)(ms / 1000);
  until.tv_nsec += (long)(ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  pthread_mutex_lock(&operation->lock);
  while (!operation_state_is_final(operation->state) && !operation->session->warehouse->stopping) {
    if (ms <= 0 || pthread_cond_timedwait(&operation->changed, &operation->lock, &until) != 0) break;
  }
  int32_t state = operation->state;
  pthread_mutex_unlock(&operation->lock);
  return state;
}

struct operation *operation_find(struct warehouse *warehouse, struct slice guid, struct slice secret) {
  struct operation *found = NULL;
  if (guid.size != guid_size) return NULL;
  pthread_mutex_lock(&warehouse->lock);
  for (struct operation *operation = warehouse->operations[bucket_of(guid.data)]; operation && !found; operation = operation->next) {
    if (!handle_is(&operation->handle, guid, secret)) continue;
    found = operation;
    found->refs++;
    found->session->last_used_ns = clock_now_ns();
  }
  pthread_mutex_unlock(&warehouse->lock);
  return found;
}

void operation_unref(struct operation *operation) {
  if (!operation) return;
  struct warehouse *warehouse = operation->session->warehouse;
  pthread_mutex_lock(&warehouse->lock);
  bool last = --operation->refs == 0;
  pthread_mutex_unlock(&warehouse->lock);
  if (last) operation_free(operation);
}

void operation_cancel(struct operation *operation) {
  struct session *session = operation->session;
  pthread_mutex_lock(&session->lock);
  operation->cancelled = true;
  if (session->running == operation) {
    engine_cancel(session->connection);
    pthread_mutex_unlock(&session->lock);
    return;
  }
  /* If it waits, it leaves the queue now. */
  struct operation **at = &session->queue_first, *before = NULL;
  while (*at && *at != operation) {
    before = *at;
    at = &(*at)->queue_next;
  }
  bool waiting = *at == operation;
  if (waiting) {
    *at = operation->queue_next;
    if (session->queue_last == operation) session->queue_last = before;
  }
  pthread_mutex_unlock(&session->lock);
  if (waiting) {
    run(operation);
    operation_unref(operation);
  }
}

void operation_close(struct operation *operation) {
  struct warehouse *warehouse = operation->session->warehouse;
  bool taken = false;
  pthread_mutex_lock(&warehouse->lock);
  for (struct operation **at = &warehouse->operations[bucket_of(operation->handle.guid)]; *at; at = &(*at)->next) {
    if (*at != operation) continue;
    *at = operation->next;
    operation->session->operation_count--;
    warehouse->operation_count--;
    taken = true;
    break;
  }
  pthread_mutex_unlock(&warehouse->lock);
  if (!taken) return;
  if (operation_wait(operation, 0) == TOperationState_INITIALIZED_STATE || !operation_state_is_final(operation_wait(operation, 0)))
    operation_cancel(operation);
  operation_unref(operation);
}
