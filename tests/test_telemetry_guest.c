/* Telemetry as a guest of its process: fork, exit, unloading, signals (telemetry.md 10.5, 11.2). */
#include "test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "telemetry/state.h"
#include "telemetry_endpoint.h"

static const int64_t ms = 1000000;

static int end(void **state) {
  (void)state;
  telemetry_test_free();
  return 0;
}

static int count_entries(const char *path) {
  DIR *open = opendir(path);
  if (!open) return -1;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(open)) != NULL;) count += entry->d_name[0] != '.';
  closedir(open);
  return count;
}

/* How a child ends: 0, or the number of what went wrong. */
#define CHILD_NEEDS(condition, number) \
  do {                                 \
    if (!(condition)) _exit(number);   \
  } while (0)

static void assert_child_is_well(pid_t child) {
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fail_msg("the child: %s %d", WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  }
}

/* What a child does: the inherited handle takes nothing and can be freed; one of its own works, on a state of its own. */
static void child_story(struct telemetry *inherited, const char *url) {
  CHILD_NEEDS(telemetry_state_now() == NULL, 10);
  handle_statement(inherited, 99);
  dbsql_telemetry_stats stats = {.struct_size = sizeof stats};
  telemetry_stats(NULL, &stats);
  CHILD_NEEDS(stats.dropped_fork == 1, 11);
  CHILD_NEEDS(telemetry_state_now() == NULL, 12);
  handle_end(inherited);
  struct telemetry *own = handle_open(url, "telemetry_force=true;telemetry_close_timeout_ms=20s");
  CHILD_NEEDS(own != NULL, 13);
  handle_statement(own, 77);
  handle_end(own);
  stats = (dbsql_telemetry_stats){.struct_size = sizeof stats};
  telemetry_stats(NULL, &stats);
  CHILD_NEEDS(stats.recorded == 1, 14);
  CHILD_NEEDS(telemetry_shutdown(20000), 15);
  _exit(0);
}

static int count_id(struct endpoint *endpoint, const char *id) {
  int count = 0;
  for (size_t i = 0; i < endpoint_count(endpoint); i++) {
    const char *text = json_string_value(json_at(endpoint_log(endpoint, i), "sql_statement_id"));
    count += text && strncmp(text, id, strlen(id)) == 0;
  }
  return count;
}

enum { fork_many = 900 }; /* less than may wait for one host */
/* Waits until all other threads sleep: the sanitizers' own allocator does not survive a fork in the middle of an allocation of another
 * thread, as the C library's does. */
static void settle(void) {
  for (int quiet = 0; quiet < 5;) {
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) return;
    bool all = true;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
      char path[300], line[512], *state;
      if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid()) continue;
      snprintf(path, sizeof path, "/proc/self/task/%s/stat", entry->d_name);
      FILE *file = fopen(path, "r");
      if (!file) continue;
      if (fgets(line, sizeof line, file) && (state = strrchr(line, ')')) != NULL && state[2] != 'S') all = false;
      fclose(file);
    }
    closedir(tasks);
    quiet = all ? quiet + 1 : 0;
    usleep(2000);
  }
}

enum fork_state { FORK_IDLE, FORK_MID_POST, FORK_RING_HALF_FULL, FORK_CLOSED };

/* Fork in every state: the child sends nothing that it inherited, works, exits 0; the parent is unaffected */
static void fork_in(enum fork_state which) {
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_close_timeout_ms=20s");
  if (which == FORK_MID_POST) {
    endpoint_fail(&endpoint, FAULT_DELAY, 1, 0, NULL);
    handle_statement(handle, 1);
    telemetry_flush(0);
    test_event_wait(&endpoint.arrived);
  } else if (which == FORK_RING_HALF_FULL) {
    for (int i = 0; i < fork_many; i++) handle_statement(handle, 1);
  } else if (which == FORK_CLOSED) {
    handle_statement(handle, 1);
    telemetry_flush(20000);
  }
  int before = (int)count_id(&endpoint, "ab01");
  settle();
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) child_story(handle, http_server_url(endpoint.server));
  assert_child_is_well(child);
  assert_int_equal(count_id(&endpoint, "ab4d"), 1); /* the child's own */
  assert_int_equal(count_id(&endpoint, "ab63"), 0); /* not through what it inherited */
  if (which != FORK_RING_HALF_FULL) assert_int_equal(count_id(&endpoint, "ab01"), before);
  test_event_set(&endpoint.release);
  handle_statement(handle, 2);
  handle_end(handle);
  telemetry_flush(20000);
  assert_int_equal(count_id(&endpoint, "ab02"), 1);
  int expected = which == FORK_IDLE ? 0 : which == FORK_RING_HALF_FULL ? fork_many : 1;
  assert_int_equal(count_id(&endpoint, "ab01"), expected); /* once each, by the parent */
  endpoint_stop(&endpoint);
}

static void test_fork_idle(void **state) {
  (void)state;
  fork_in(FORK_IDLE);
}
static void test_fork_mid_post(void **state) {
  (void)state;
  fork_in(FORK_MID_POST);
}
static void test_fork_ring_half_full(void **state) {
  (void)state;
  fork_in(FORK_RING_HALF_FULL);
}
static void test_fork_after_sending(void **state) {
  (void)state;
  fork_in(FORK_CLOSED);
}

/* Exit without close, and during a POST that hangs: at once, with the host's own code */
static void test_exit(void **state) {
  (void)state;
  for (int hanging = 0; hanging < 2; hanging++) {
    struct endpoint endpoint;
    endpoint_start(&endpoint);
    if (hanging) endpoint_fail(&endpoint, FAULT_HANG, -1, 0, NULL);
    settle();
    int64_t start = clock_now_ns();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true");
      handle_statement(handle, 1);
      if (hanging) {
        telemetry_flush(300);
        CHILD_NEEDS(handle->client->busy, 20);
      }
      exit(0);
    }
    assert_child_is_well(child);
    assert_true((clock_now_ns() - start) / ms < 5000);
    endpoint_stop(&endpoint);
  }
}

/* ---- Signals ----------------------------------------------------------------------------------------------------------------- */

static atomic_int signals;
static void note_signal(int number) {
  (void)number;
  atomic_fetch_add(&signals, 1);
}

/* Threads of ours, by name, and whether each has all signals blocked that can be. */
static int our_threads(bool *all_blocked) {
  int count = 0;
  *all_blocked = true;
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks) return -1;
  for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    char path[300], line[256];
    snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
    FILE *file = fopen(path, "r");
    if (!file) continue;
    bool ours = false;
    while (fgets(line, sizeof line, file)) {
      if (strncmp(line, "Name:", 5) == 0) ours = strstr(line, "dbsql-telemetry") != NULL;
      unsigned long long mask;
      if (ours && sscanf(line, "SigBlk: %llx", &mask) == 1) {
        count++;
        for (int number = 1; number < 32; number++) {
          bool cannot = number == SIGKILL || number == SIGSTOP;
          if (!cannot && !(mask >> (number - 1) & 1)) *all_blocked = false;
        }
      }
    }
    fclose(file);
  }
  closedir(tasks);
  return count;
}

/* "SIGPIPE never reaches the host process, telemetry thread has all signals blocked"; the caller's mask is as it was */
static void test_signals(void **state) {
  (void)state;
  struct endpoint endpoint;
  endpoint_start(&endpoint);
  endpoint_fail(&endpoint, FAULT_RESET, -1, 0, NULL);
  struct sigaction action = {.sa_handler = note_signal}, old;
  sigaction(SIGPIPE, &action, &old);
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  struct telemetry *handle = handle_open(http_server_url(endpoint.server), "telemetry_force=true;telemetry_close_timeout_ms=0");
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (int number = 1; number < 32; number++) assert_int_equal(sigismember(&before, number), sigismember(&after, number));
  for (uint8_t i = 0; i < 5; i++) {
    handle_statement(handle, i);
    telemetry_flush(1500);
  }
  bool blocked;
  int threads = our_threads(&blocked);
  if (threads >= 0) {
    assert_true(threads >= 2);
    assert_true(blocked);
  }
  assert_int_equal(atomic_load(&signals), 0);
  handle_end(handle);
  telemetry_shutdown(1000);
  threads = our_threads(&blocked);
  assert_true(threads <= 0);
  sigaction(SIGPIPE, &old, NULL);
  endpoint_stop(&endpoint);
}

/* ---- Unloading ---------------------------------------------------------------------------------------------------------------- */

struct library {
  void *handle;
  dbsql_status (*config_new)(dbsql_config **config, dbsql_error **error);
  dbsql_status (*config_set)(dbsql_config *config, const char *name, const char *value, dbsql_error **error);
  void (*config_free)(dbsql_config *config);
  dbsql_status (*connect)(const dbsql_config *config, const dbsql_call *call, dbsql_connection **connection, dbsql_error **error);
  bool (*shutdown)(int64_t timeout_ms);
};

static void load(struct library *library) {
  library->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (!library->handle) fail_msg("%s", dlerror());
#define FIND(member, name)                                     \
  *(void **)(&library->member) = dlsym(library->handle, name); \
  assert_non_null(library->member)
  FIND(config_new, "dbsql_config_new");
  FIND(config_set, "dbsql_config_set");
  FIND(config_free, "dbsql_config_free");
  FIND(connect, "dbsql_connect");
  FIND(shutdown, "dbsql_telemetry_shutdown");
#undef FIND
}

/* One use: a connection that nobody answers, which is reported, or tried to be. */
static void use(const struct library *library) {
  dbsql_config *config = NULL;
  dbsql_connection *connection = NULL;
  assert_int_equal(library->config_new(&config, NULL), DBSQL_OK);
  static const char *const pairs[][2] = {{"host", "127.0.0.1"},
                                         {"port", "1"},
                                         {"tls", "false"},
                                         {"http_path", "/sql/1.0/warehouses/x"},
                                         {"access_token", "t"},
                                         {"telemetry_force", "true"},
                                         {"telemetry_close_timeout_ms", "0"},
                                         {"retry_max", "0"}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
    assert_int_equal(library->config_set(config, pairs[i][0], pairs[i][1], NULL), DBSQL_OK);
  assert_int_equal(library->connect(config, NULL, &connection, NULL), DBSQL_ERROR_REQUEST);
  library->config_free(config);
}

/* "dlclose and reload; unload with a connection open; load, use, release, unload 1000 times, thread count and descriptors constant" */
static void test_unload(void **state) {
  (void)state;
  struct library library;
  load(&library);
  use(&library);
  assert_true(library.shutdown(5000) || true);
  int threads = count_entries("/proc/self/task"), files = count_entries("/proc/self/fd");
  dlclose(library.handle);
  for (int i = 0; i < 1000; i++) {
    load(&library);
    use(&library);
    library.shutdown(i % 2 ? 2000 : 0);
    dlclose(library.handle);
  }
  if (threads >= 0) {
    assert_int_equal(count_entries("/proc/self/task"), threads);
    assert_int_equal(count_entries("/proc/self/fd"), files);
  }
  /* Closed while its threads run: they go on, in code that is still there */
  load(&library);
  use(&library);
  dlclose(library.handle);
  usleep(50000);
  load(&library);
  library.shutdown(5000);
  dlclose(library.handle);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_fork_idle), TEST(test_fork_mid_post), TEST(test_fork_ring_half_full), TEST(test_fork_after_sending), TEST(test_exit),
      TEST(test_signals),   TEST(test_unload),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
