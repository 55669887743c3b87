#include "warehouse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "links.h"
#include "memory.h"
#include "sql_macros.h"
#include "thrift/tcli.h"
#include "transaction.h"

const char *catalog_to_engine(const char *catalog) {
  return text_equal_nocase(catalog, WAREHOUSE_CATALOG) ? WAREHOUSE_ENGINE_CATALOG : catalog;
}

const char *catalog_from_engine(const char *catalog) {
  return text_equal_nocase(catalog, WAREHOUSE_ENGINE_CATALOG) ? WAREHOUSE_CATALOG : catalog;
}

/* ---- The reaper: deadlines, cancelling until it is heard, idle sessions ------------------------------------------------------------- */

enum { REAPER_MS = 25 };

static void timespec_in(struct timespec *at, int64_t ms) {
  clock_gettime(CLOCK_REALTIME, at);
  at->tv_sec += (time_t)(ms / 1000);
  at->tv_nsec += (long)(ms % 1000) * 1000000;
  if (at->tv_nsec >= 1000000000) {
    at->tv_sec++;
    at->tv_nsec -= 1000000000;
  }
}

/* An interrupt that comes before the engine has begun is forgotten by it: so it is repeated. */
static void look_after(struct session *session, int64_t now) {
  pthread_mutex_lock(&session->lock);
  struct operation *running = session->running;
  if (running) {
    if (running->deadline_ns && now >= running->deadline_ns && !running->timed_out) running->timed_out = true;
    if (running->cancelled || running->timed_out || session->closing) engine_cancel(session->connection);
  }
  for (struct operation *waiting = session->queue_first; waiting; waiting = waiting->queue_next) {
    if (waiting->deadline_ns && now >= waiting->deadline_ns) waiting->timed_out = true;
  }
  pthread_mutex_unlock(&session->lock);
}

static void *reaper_main(void *user) {
  struct warehouse *warehouse = user;
  pthread_mutex_lock(&warehouse->lock);
  while (!warehouse->stopping) {
    struct timespec until;
    timespec_in(&until, REAPER_MS);
    pthread_cond_timedwait(&warehouse->reaper_wake, &warehouse->lock, &until);
    if (warehouse->links) {
      pthread_mutex_unlock(&warehouse->lock);
      links_purge(warehouse->links);
      pthread_mutex_lock(&warehouse->lock);
    }
    int64_t now = clock_now_ns();
    struct session *idle = NULL;
    for (size_t i = 0; i < warehouse_buckets; i++) {
      for (struct session *session = warehouse->sessions[i]; session; session = session->next) {
        look_after(session, now);
        if (idle || !warehouse->limits.idle_session_ms) continue;
        pthread_mutex_lock(&session->lock);
        bool busy = session->running || session->queue_first;
        pthread_mutex_unlock(&session->lock);
        if (!busy && now - session->last_used_ns > warehouse->limits.idle_session_ms * 1000000) idle = session;
      }
    }
    if (idle) {
      idle->refs++;
      pthread_mutex_unlock(&warehouse->lock);
      session_close(idle);
      session_unref(idle);
      pthread_mutex_lock(&warehouse->lock);
    }
  }
  pthread_mutex_unlock(&warehouse->lock);
  return NULL;
}

/* ---- Opening and closing ------------------------------------------------------------------------------------------------------------ */

static void append_literal(struct buf *out, const char *text) {
  buf_append_byte(out, '\'');
  for (; *text; text++) {
    if (*text == '\'') buf_append_byte(out, '\'');
    buf_append_byte(out, (uint8_t)*text);
  }
  buf_append_byte(out, '\'');
}

static bool set_up(struct warehouse *warehouse, const char *database, char **message) {
  struct engine_error error = {0};
  struct engine_connection *connection = engine_connect(warehouse->engine, &error);
  struct buf attach = BUF_INIT;
  buf_append_text(&attach, "ATTACH ");
  append_literal(&attach, database ? database : ":memory:");
  buf_append_text(&attach, " AS " WAREHOUSE_ENGINE_CATALOG);
  wh_check(&attach);
  bool good = connection && engine_execute(connection, buf_text(&attach), NULL, NULL, NULL, &error) &&
              engine_execute(connection, "CREATE SCHEMA IF NOT EXISTS " WAREHOUSE_ENGINE_CATALOG ".\"" WAREHOUSE_SCHEMA "\"", NULL, NULL,
                             NULL, &error);
  for (size_t i = 0; good && sql_macros[i]; i++) good = engine_execute(connection, sql_macros[i], NULL, NULL, NULL, &error);
  if (!good)
    *message = wh_print("the SQL engine cannot open the database%s%s: %s", database ? " " : "", database ? database : "", error.message);
  engine_error_clear(&error);
  buf_free(&attach);
  engine_disconnect(connection);
  return good;
}

bool warehouse_open(struct warehouse *warehouse, const char *engine, const char *database, char **message) {
  pthread_mutex_init(&warehouse->lock, NULL);
  transactions_init(warehouse);
  history_init(&warehouse->history);
  pthread_cond_init(&warehouse->reaper_wake, NULL);
  warehouse->persistent = database != NULL;
  warehouse->engine = engine_open(engine, message);
  if (warehouse->engine && set_up(warehouse, database, message)) {
    warehouse->has_reaper = pthread_create(&warehouse->reaper, NULL, reaper_main, warehouse) == 0;
    if (warehouse->has_reaper) return true;
    *message = wh_copy("cannot start a thread");
  }
  engine_close(warehouse->engine);
  warehouse->engine = NULL;
  return false;
}

void warehouse_stop(struct warehouse *warehouse) {
  pthread_mutex_lock(&warehouse->lock);
  warehouse->stopping = true;
  pthread_cond_broadcast(&warehouse->reaper_wake);
  for (size_t i = 0; i < warehouse_buckets; i++) {
    for (struct operation *operation = warehouse->operations[i]; operation; operation = operation->next) {
      pthread_mutex_lock(&operation->lock);
      pthread_cond_broadcast(&operation->changed);
      pthread_mutex_unlock(&operation->lock);
    }
  }
  pthread_mutex_unlock(&warehouse->lock);
}

void warehouse_close(struct warehouse *warehouse) {
  warehouse_stop(warehouse);
  if (warehouse->has_reaper) pthread_join(warehouse->reaper, NULL);
  for (size_t i = 0; i < warehouse_buckets; i++) {
    while (warehouse->sessions[i]) {
      struct session *session = warehouse->sessions[i];
      session->refs++;
      session_close(session);
      session_unref(session);
    }
  }
  links_clear(warehouse->links); /* the engine owns the memory of the results */
  engine_close(warehouse->engine);
  pthread_cond_destroy(&warehouse->reaper_wake);
  transactions_free(warehouse);
  pthread_mutex_destroy(&warehouse->lock);
  history_free(&warehouse->history);
}
