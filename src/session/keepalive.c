#include "session/keepalive.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/wait.h"

enum { request_ms = 30000, ns_per_ms = 1000000 };
/* With nothing due, it looks again at least this often. */
static const int64_t longest_wait_ns = INT64_C(60000) * ns_per_ms;

struct keepalive_entry {
  struct keepalive_entry *next;
  dbsql_connection *connection;
  pid_t owner; /* the process that the entry was made in */
  int64_t interval_ns;
  int64_t tried_ns; /* when the thread last sent something for it */
  bool busy;        /* the thread is sending for it right now */
  bool has_operation;
  struct operation_key operation;
};

/* All there is of it in a process. A forked child inherits the bytes, with a lock that may be held by a thread that it does not have:
 * it begins anew before it touches them. */
static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct keepalive_entry *entries;
  bool running;
  bool stopping; /* the last connection has gone; the thread is being joined */
  pthread_t thread;
  dbsql_cancel *interrupt; /* ends what the thread is sending */
} keeper;
static atomic_long keeper_owner; /* the process that the above belongs to; negative while that process makes it */

static void own_keeper(void) {
  long mine = (long)getpid();
  for (;;) {
    long owner = atomic_load(&keeper_owner);
    if (owner == mine) return;
    if (owner == -mine) {
      sched_yield();
    } else if (atomic_compare_exchange_strong(&keeper_owner, &owner, -mine)) {
      pthread_mutex_init(&keeper.lock, NULL);
      wait_init(&keeper.changed);
      keeper.entries = NULL;
      keeper.running = keeper.stopping = false;
      keeper.interrupt = NULL;
      atomic_store(&keeper_owner, mine);
    }
  }
}

static int64_t due_ns(const struct keepalive_entry *entry) {
  int64_t used = (int64_t)atomic_load(&entry->connection->used_ns);
  return (used > entry->tried_ns ? used : entry->tried_ns) + entry->interval_ns;
}

static bool is_kept(const struct keepalive_entry *entry, const struct operation_key *key) {
  return entry->has_operation && memcmp(entry->operation.guid, key->guid, sizeof key->guid) == 0;
}

/* Called with the lock held; gives it up while it sends. */
static void touch(struct keepalive_entry *entry) {
  struct operation_key key = entry->operation;
  bool has_operation = entry->has_operation;
  struct backend *backend = entry->connection->backend;
  struct call call;
  call_begin_internal(&call, request_ms);
  call.cancel = keeper.interrupt;
  dbsql_cancel_reset(keeper.interrupt);
  entry->busy = true;
  pthread_mutex_unlock(&keeper.lock);
  char *value = NULL;
  dbsql_error *error = NULL;
  dbsql_status status = has_operation ? backend->ops->touch(backend, &key, &call, &error)
                                      : backend->ops->get_info(backend, 18 /* DBMS_VER */, &call, &value, &error);
  mem_free(value);
  if (dbsql_error_is_session_lost(error)) atomic_store(&entry->connection->is_open, false);
  if (status != DBSQL_OK && status != DBSQL_ERROR_CANCELLED) {
    log_write(&entry->connection->config->log, DBSQL_LOG_WARN, "session", "keep-alive failed", "connection_id", backend->session_id,
              "query_id", has_operation ? key.id : NULL, "error", dbsql_error_message(error), (char *)NULL);
  }
  dbsql_error_free(error);
  pthread_mutex_lock(&keeper.lock);
  /* The server no longer has it: from now on the session only. */
  if (status == DBSQL_ERROR_EXECUTION && is_kept(entry, &key)) entry->has_operation = false;
  entry->busy = false;
  pthread_cond_broadcast(&keeper.changed);
}

static void *keep(void *unused) {
  (void)unused;
  pthread_mutex_lock(&keeper.lock);
  while (!keeper.stopping) {
    int64_t now = clock_now_ns(), next = now + longest_wait_ns;
    struct keepalive_entry *due = NULL;
    for (struct keepalive_entry *entry = keeper.entries; entry && !due; entry = entry->next) {
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
    wait_for_ms(&keeper.changed, &keeper.lock, (next - now + ns_per_ms - 1) / ns_per_ms);
  }
  pthread_mutex_unlock(&keeper.lock);
  return NULL;
}

/* Called with the lock held. The host's signals are not for our thread. */
static dbsql_status start(dbsql_error **error) {
  dbsql_status status = dbsql_cancel_new(&keeper.interrupt, error);
  if (status != DBSQL_OK) return status;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int failed = pthread_create(&keeper.thread, NULL, keep, NULL);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  keeper.running = failed == 0;
  if (failed == 0) return DBSQL_OK;
  dbsql_cancel_free(keeper.interrupt);
  keeper.interrupt = NULL;
  return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "cannot start the keep-alive thread (errno %d)", failed);
}

dbsql_status keepalive_add(dbsql_connection *connection, int64_t interval_ms, struct keepalive_entry **out, dbsql_error **error) {
  struct keepalive_entry *entry = mem_alloc_zero(1, sizeof *entry);
  if (!entry) return error_no_memory(error);
  entry->connection = connection;
  entry->owner = getpid();
  entry->interval_ns = interval_ms * ns_per_ms;
  entry->tried_ns = INT64_MIN / 2;
  own_keeper();
  pthread_mutex_lock(&keeper.lock);
  while (keeper.stopping) pthread_cond_wait(&keeper.changed, &keeper.lock);
  dbsql_status status = keeper.running ? DBSQL_OK : start(error);
  if (status == DBSQL_OK) {
    entry->next = keeper.entries;
    keeper.entries = entry;
    pthread_cond_broadcast(&keeper.changed);
  }
  pthread_mutex_unlock(&keeper.lock);
  if (status != DBSQL_OK) {
    mem_free(entry);
    return status;
  }
  *out = entry;
  return DBSQL_OK;
}

void keepalive_set_operation(struct keepalive_entry *entry, const struct operation_key *key) {
  if (!entry || entry->owner != getpid()) return;
  pthread_mutex_lock(&keeper.lock);
  entry->has_operation = true;
  entry->operation = *key;
  pthread_mutex_unlock(&keeper.lock);
}

void keepalive_forget_operation(struct keepalive_entry *entry, const struct operation_key *key) {
  if (!entry || entry->owner != getpid()) return;
  pthread_mutex_lock(&keeper.lock);
  if (is_kept(entry, key)) entry->has_operation = false;
  pthread_mutex_unlock(&keeper.lock);
}

void keepalive_remove(struct keepalive_entry *entry) {
  if (!entry) return;
  if (entry->owner != getpid()) {
    mem_free(entry);
    return;
  }
  pthread_mutex_lock(&keeper.lock);
  if (entry->busy) dbsql_cancel_trigger(keeper.interrupt);
  while (entry->busy) pthread_cond_wait(&keeper.changed, &keeper.lock);
  struct keepalive_entry **link = &keeper.entries;
  while (*link != entry) link = &(*link)->next;
  *link = entry->next;
  bool last = !keeper.entries;
  if (last) keeper.stopping = true;
  pthread_cond_broadcast(&keeper.changed);
  pthread_mutex_unlock(&keeper.lock);
  mem_wipe(&entry->operation, sizeof entry->operation);
  mem_free(entry);
  if (!last) return;
  pthread_join(keeper.thread, NULL);
  pthread_mutex_lock(&keeper.lock);
  dbsql_cancel_free(keeper.interrupt);
  keeper.interrupt = NULL;
  keeper.running = false;
  keeper.stopping = false;
  pthread_cond_broadcast(&keeper.changed);
  pthread_mutex_unlock(&keeper.lock);
}
