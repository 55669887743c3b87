/* The thread that runs transfers: when it starts, what it does, when it ends. */
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "http/transfer_internal.h"

enum { default_idle_ms = 20000, look_ms = 1000, ns_per_ms = 1000000, streams_per_connection = 1, kept_connections = 64 };

struct transfer_engine {
  pid_t pid; /* of the process whose it is */
  int uses;  /* guarded by engine_lock */
  pthread_mutex_t lock;
  /* Guarded by `lock`. */
  bool has_thread; /* to be joined, also once it has left by itself */
  bool thread_left;
  bool stopping;
  pthread_t thread;
  CURLM *multi; /* while the thread takes work */
  struct transfer *inbox, **inbox_end;
  /* The thread's own. */
  struct transfer *running;
};

static pthread_mutex_t engine_lock = PTHREAD_MUTEX_INITIALIZER;
static struct transfer_engine *the_engine;
static atomic_int_fast64_t idle_ms = default_idle_ms;

bool transfer_engine_is_ours(const struct transfer_engine *engine) {
  return engine->pid == getpid();
}

/* ---- The thread ---------------------------------------------------------------------------------------------------------- */

static void end_transfer(struct transfer_engine *engine, struct transfer *transfer, CURLcode code) {
  transfer_judge(transfer, code);
  curl_multi_remove_handle(engine->multi, transfer->easy);
  transfer_finish(transfer);
}

static void begin_transfer(struct transfer_engine *engine, struct transfer *transfer) {
  transfer->moved_ns = clock_now_ns();
  if (curl_multi_add_handle(engine->multi, transfer->easy) != CURLM_OK) {
    transfer->no_memory = true;
    transfer_judge(transfer, CURLE_OUT_OF_MEMORY);
    transfer_finish(transfer);
    return;
  }
  transfer->next = engine->running;
  engine->running = transfer;
}

enum next_step { GO_ON, LEAVE, STOP };

/* Moves what has been submitted to what runs. After LEAVE another thread may already be at work: nothing of the engine is this one's
 * any more. */
static enum next_step take_inbox(struct transfer_engine *engine, int64_t *idle_since_ns) {
  int64_t now = clock_now_ns();
  pthread_mutex_lock(&engine->lock);
  struct transfer *taken = engine->inbox;
  engine->inbox = NULL;
  engine->inbox_end = &engine->inbox;
  enum next_step step = engine->stopping ? STOP : GO_ON;
  if (taken || engine->running) *idle_since_ns = now;
  if (step == GO_ON && now - *idle_since_ns >= (int64_t)atomic_load(&idle_ms) * ns_per_ms) {
    step = LEAVE;
    engine->thread_left = true;
    engine->multi = NULL;
  }
  pthread_mutex_unlock(&engine->lock);
  while (taken) {
    struct transfer *next = taken->next;
    begin_transfer(engine, taken);
    taken = next;
  }
  return step;
}

static void reap(struct transfer_engine *engine) {
  CURLMsg *message;
  int queued;
  while ((message = curl_multi_info_read(engine->multi, &queued))) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL *easy = message->easy_handle;
    CURLcode code = message->data.result;
    for (struct transfer **link = &engine->running; *link; link = &(*link)->next) {
      struct transfer *transfer = *link;
      if (transfer->easy != easy) continue;
      *link = transfer->next;
      end_transfer(engine, transfer, code);
      break;
    }
  }
}

/* Ends what nobody wants any more, and what takes too long. Returns how long the thread may sleep. */
static int64_t police(struct transfer_engine *engine) {
  int64_t now = clock_now_ns(), sleep_ns = (int64_t)look_ms * ns_per_ms;
  for (struct transfer **link = &engine->running; *link;) {
    struct transfer *transfer = *link;
    int64_t left = sleep_ns;
    if (transfer->stall_ms > 0) left = transfer->moved_ns + transfer->stall_ms * ns_per_ms - now;
    transfer->stalled = left <= 0;
    if (transfer->total_ms > 0 && transfer->started_ns + transfer->total_ms * ns_per_ms - now < left) {
      left = transfer->started_ns + transfer->total_ms * ns_per_ms - now;
    }
    bool abandoned = atomic_load(&transfer->abandoned);
    if (!abandoned && left > 0) {
      if (left < sleep_ns) sleep_ns = left;
      link = &transfer->next;
      continue;
    }
    *link = transfer->next;
    end_transfer(engine, transfer, abandoned ? CURLE_ABORTED_BY_CALLBACK : CURLE_OPERATION_TIMEDOUT);
  }
  return sleep_ns;
}

static void fail_all(struct transfer_engine *engine, CURLcode code) {
  while (engine->running) {
    struct transfer *transfer = engine->running;
    engine->running = transfer->next;
    end_transfer(engine, transfer, code);
  }
}

static void *run(void *user) {
  struct transfer_engine *engine = user;
  CURLM *multi = engine->multi;
  int64_t idle_since_ns = clock_now_ns();
  enum next_step step;
  while ((step = take_inbox(engine, &idle_since_ns)) == GO_ON) {
    int still;
    CURLMcode code = curl_multi_perform(multi, &still);
    reap(engine);
    int64_t sleep_ns = police(engine);
    ERR_clear_error();
    if (!engine->running) {
      sleep_ns = idle_since_ns + (int64_t)atomic_load(&idle_ms) * ns_per_ms - clock_now_ns();
      if (sleep_ns < 0) sleep_ns = 0;
    }
    if (code == CURLM_OK) code = curl_multi_poll(multi, NULL, 0, (int)((sleep_ns + ns_per_ms - 1) / ns_per_ms), NULL);
    if (code != CURLM_OK) fail_all(engine, code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_FAILED_INIT);
  }
  if (step == STOP) {
    fail_all(engine, CURLE_ABORTED_BY_CALLBACK); /* nobody wants them: their owners must have freed them */
    pthread_mutex_lock(&engine->lock);
    engine->multi = NULL;
    pthread_mutex_unlock(&engine->lock);
  }
  curl_multi_cleanup(multi);
  ERR_clear_error();
  return NULL;
}

/* ---- Starting and ending it ---------------------------------------------------------------------------------------------- */

/* With the lock held. The host's signals are not for our thread. */
static dbsql_status start_thread(struct transfer_engine *engine, dbsql_error **error) {
  engine->multi = curl_multi_init();
  if (!engine->multi) return error_no_memory(error);
  /* A store gives each connection its share: downloads that share one gain nothing (results.md 8.3). */
  curl_multi_setopt(engine->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)streams_per_connection);
  /* Otherwise as many as four times the transfers that happen to run when one ends. */
  curl_multi_setopt(engine->multi, CURLMOPT_MAXCONNECTS, (long)kept_connections);
  engine->thread_left = false;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int failed = pthread_create(&engine->thread, NULL, run, engine);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (failed == 0) {
    engine->has_thread = true;
    return DBSQL_OK;
  }
  curl_multi_cleanup(engine->multi);
  engine->multi = NULL;
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "cannot start the thread that downloads results (errno %d)", failed);
}

dbsql_status transfer_engine_submit(struct transfer_engine *engine, struct transfer *transfer, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  pthread_mutex_lock(&engine->lock);
  while (engine->has_thread && engine->thread_left) {
    /* It had nothing to do and is leaving. */
    pthread_t gone = engine->thread;
    engine->has_thread = false;
    pthread_mutex_unlock(&engine->lock);
    pthread_join(gone, NULL);
    pthread_mutex_lock(&engine->lock);
  }
  if (!engine->has_thread) status = start_thread(engine, error);
  if (status == DBSQL_OK) {
    atomic_fetch_add(&transfer->refs, 1);
    transfer->next = NULL;
    *engine->inbox_end = transfer;
    engine->inbox_end = &transfer->next;
    curl_multi_wakeup(engine->multi);
  }
  pthread_mutex_unlock(&engine->lock);
  return status;
}

void transfer_engine_poke(struct transfer_engine *engine) {
  pthread_mutex_lock(&engine->lock);
  if (engine->multi) curl_multi_wakeup(engine->multi);
  pthread_mutex_unlock(&engine->lock);
}

dbsql_status transfer_engine_use(struct transfer_engine **out, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  pthread_mutex_lock(&engine_lock);
  /* A forked child leaves the parent's engine where it is: its thread and its connections are the parent's. */
  if (the_engine && !transfer_engine_is_ours(the_engine)) the_engine = NULL;
  if (!the_engine) {
    struct transfer_engine *made = mem_alloc_zero(1, sizeof *made);
    if (made && pthread_mutex_init(&made->lock, NULL) != 0) {
      mem_free(made);
      made = NULL;
    }
    if (made) {
      made->pid = getpid();
      made->inbox_end = &made->inbox;
      the_engine = made;
    } else {
      status = error_no_memory(error);
    }
  }
  if (status == DBSQL_OK) {
    the_engine->uses++;
    *out = the_engine;
  }
  pthread_mutex_unlock(&engine_lock);
  return status;
}

void transfer_engine_leave(struct transfer_engine *engine) {
  if (!engine || !transfer_engine_is_ours(engine)) return;
  pthread_mutex_lock(&engine_lock);
  bool last = --engine->uses == 0;
  if (last) the_engine = NULL;
  pthread_mutex_unlock(&engine_lock);
  if (!last) return;
  pthread_mutex_lock(&engine->lock);
  bool join = engine->has_thread;
  engine->stopping = true;
  if (engine->multi) curl_multi_wakeup(engine->multi);
  pthread_mutex_unlock(&engine->lock);
  if (join) pthread_join(engine->thread, NULL);
  pthread_mutex_destroy(&engine->lock);
  mem_free(engine);
}

bool transfer_test_thread_runs(void) {
  pthread_mutex_lock(&engine_lock);
  bool runs = false;
  if (the_engine && transfer_engine_is_ours(the_engine)) {
    pthread_mutex_lock(&the_engine->lock);
    runs = the_engine->multi != NULL;
    pthread_mutex_unlock(&the_engine->lock);
  }
  pthread_mutex_unlock(&engine_lock);
  return runs;
}

void transfer_test_set_idle_ms(int64_t ms) {
  atomic_store(&idle_ms, ms > 0 ? ms : default_idle_ms);
}
