#include "session/keepalive.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

enum { request_ms = 30000, ns_per_ms = 1000000 };

struct keepalive_entry {
  struct keepalive_entry *next;
  dbsql_connection *connection;
  int64_t interval_ns;
  int64_t tried_ns; /* when the thread last sent something for it */
  bool busy;        /* the thread is sending for it right now */
  bool has_operation;
  struct operation_key operation;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct keepalive_entry *entries;
static bool running;
static bool stopping; /* the last connection has gone; the thread is being joined */
static pthread_t thread;
static pid_t thread_pid; /* a forked child has the list and no thread */

static int64_t due_ns(const struct keepalive_entry *entry) {
  int64_t used = (int64_t)atomic_load(&entry->connection->used_ns);
  return (used > entry->tried_ns ? used : entry->tried_ns) + entry->interval_ns;
}

/* Called with the lock held; gives it up while it sends. */
static void touch(struct keepalive_entry *entry) {
  struct operation_key key = entry->operation;
  bool has_operation = entry->has_operation;
  struct backend *backend = entry->connection->backend;
  entry->busy = true;
  pthread_mutex_unlock(&lock);
  struct call call;
  call_begin_internal(&call, request_ms);
  char *value = NULL;
  dbsql_error *error = NULL;
  dbsql_status status = has_operation ? backend->ops->touch(backend, &key, &call, &error)
                                      : backend->ops->get_info(backend, 18 /* DBMS_VER */, &call, &value, &error);
  mem_free(value);
  if (status != DBSQL_OK) {
    if (dbsql_error_is_session_lost(error)) atomic_store(&entry->connection->is_open, false);
    log_write(&entry->connection->config->log, DBSQL_LOG_WARN, "session", "keep-alive failed", "connection_id", backend->session_id,
              "error", dbsql_error_message(error), (char *)NULL);
  }
  dbsql_error_free(error);
  pthread_mutex_lock(&lock);
  entry->busy = false;
  pthread_cond_broadcast(&changed);
}

static void *keep(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  while (!stopping) {
    int64_t now = clock_now_ns(), next = INT64_MAX;
    struct keepalive_entry *due = NULL;
    for (struct keepalive_entry *entry = entries; entry && !due; entry = entry->next) {
      if (!atomic_load(&entry->connection->is_open)) continue;
      int64_t at = due_ns(entry);
      if (at <= now) due = entry;
      if (at < next) next = at;
    }
    if (due) {
      due->tried_ns = now;
      touch(due);
      continue;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t wait_ns = next == INT64_MAX ? INT64_C(3600000) * ns_per_ms : next - now;
    wait_ns += until.tv_nsec;
    until.tv_sec += (time_t)(wait_ns / 1000000000);
    until.tv_nsec = (long)(wait_ns % 1000000000);
    pthread_cond_timedwait(&changed, &lock, &until);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

/* Called with the lock held. The host's signals are not for our thread. */
static int start(void) {
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int failed = pthread_create(&thread, NULL, keep, NULL);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  running = failed == 0;
  thread_pid = getpid();
  return failed;
}

dbsql_status keepalive_add(dbsql_connection *connection, int64_t interval_ms, struct keepalive_entry **out, dbsql_error **error) {
  struct keepalive_entry *entry = mem_alloc_zero(1, sizeof *entry);
  if (!entry) return error_no_memory(error);
  entry->connection = connection;
  entry->interval_ns = interval_ms * ns_per_ms;
  entry->tried_ns = INT64_MIN / 2;
  int failed = 0;
  pthread_mutex_lock(&lock);
  if (running && thread_pid != getpid()) {
    /* After a fork: the parent's connections are not ours to keep alive. */
    running = false;
    stopping = false;
    entries = NULL;
  }
  while (stopping) pthread_cond_wait(&changed, &lock);
  entry->next = entries;
  entries = entry;
  if (!running) failed = start();
  if (failed) entries = entry->next;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  if (failed) {
    mem_free(entry);
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "cannot start the keep-alive thread (errno %d)", failed);
  }
  *out = entry;
  return DBSQL_OK;
}

void keepalive_set_operation(struct keepalive_entry *entry, const struct operation_key *key) {
  if (!entry) return;
  pthread_mutex_lock(&lock);
  entry->has_operation = key != NULL;
  if (key) entry->operation = *key;
  pthread_mutex_unlock(&lock);
}

void keepalive_remove(struct keepalive_entry *entry) {
  if (!entry) return;
  pthread_mutex_lock(&lock);
  bool ours = thread_pid == getpid();
  while (ours && entry->busy) pthread_cond_wait(&changed, &lock);
  for (struct keepalive_entry **link = &entries; *link; link = &(*link)->next) {
    if (*link == entry) {
      *link = entry->next;
      break;
    }
  }
  bool last = ours && !entries && running;
  if (last) stopping = true;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  mem_free(entry);
  if (!last) return;
  pthread_join(thread, NULL);
  pthread_mutex_lock(&lock);
  running = false;
  stopping = false;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}
