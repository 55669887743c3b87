#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

#include "memory.h"
#include "signals.h"

extern char **environ;

#define WAREHOUSE "dbsql-warehouse"
static const char ready_mark[] = WAREHOUSE " ready: ";

enum {
  START_MS = 30000,
  STOP_MS = 5000,
  LONGEST_READY_LINE = 8192,
  LOG_SHOWN = 2000,
};

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The folder of this program, without the last slash; NULL if it cannot be told. */
static char *own_folder(const char *program) {
  char path[PATH_MAX];
  bool known = false;
#if defined(__linux__)
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length > 0) {
    path[length] = '\0';
    known = true;
  }
#elif defined(__APPLE__)
  uint32_t size = sizeof path;
  known = _NSGetExecutablePath(path, &size) == 0;
#endif
  if (!known) known = strchr(program, '/') != NULL && realpath(program, path) != NULL;
  char *slash = known ? strrchr(path, '/') : NULL;
  return slash == NULL ? NULL : memory_copy_n(path, (size_t)(slash - path));
}

static char *find_beside(const char *program) {
  char *folder = own_folder(program);
  if (folder == NULL) return NULL;
  char *path = memory_print("%s/" WAREHOUSE, folder);
  free(folder);
  if (access(path, X_OK) == 0) return path;
  free(path);
  return NULL;
}

/* The environment without what only the shell shall know. */
static char **child_environment(void) {
  size_t count = 0;
  while (environ[count] != NULL) count++;
  char **copy = memory_new((count + 1) * sizeof *copy);
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    if (strncmp(environ[i], "DATABRICKS_", 11) != 0 && strncmp(environ[i], "DBSQL_DSN=", 10) != 0) copy[kept++] = environ[i];
  }
  return copy;
}

static bool make_pipe(int ends[2]) {
  if (pipe(ends) != 0) return false;
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  return true;
}

static int make_log(void) {
  const char *folder = getenv("TMPDIR");
  char *path = memory_print("%s/dbsql.XXXXXX", folder == NULL || folder[0] != '/' ? "/tmp" : folder);
  int fd = mkstemp(path);
  if (fd >= 0) {
    unlink(path);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  free(path);
  return fd;
}

static int spawn(struct local *local, const char *path, const char *database, int input, int output) {
  char *arguments[8];
  size_t count = 0;
  char *database_copy = database == NULL ? NULL : memory_copy(database);
  char name[] = WAREHOUSE;
  char port[] = "--port";
  char zero[] = "0";
  char exit_with[] = "--exit-with-parent";
  char database_option[] = "--database";
  arguments[count++] = name;
  arguments[count++] = port;
  arguments[count++] = zero;
  arguments[count++] = exit_with;
  if (database_copy != NULL) {
    arguments[count++] = database_option;
    arguments[count++] = database_copy;
  }
  arguments[count] = NULL;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  if (local->log >= 0) posix_spawn_file_actions_adddup2(&actions, local->log, STDERR_FILENO);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0); /* a group of its own: Ctrl-C is for the statement */
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  char **environment = child_environment();
  int failure = path != NULL ? posix_spawn(&local->pid, path, &actions, &attributes, arguments, environment)
                             : posix_spawnp(&local->pid, name, &actions, &attributes, arguments, environment);
  if (failure != 0) local->pid = 0;
  free(environment);
  free(database_copy);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failure;
}

/* What the program said of itself on standard error, for a message; freed by the caller. */
static char *read_log(const struct local *local) {
  char tail[LOG_SHOWN + 1];
  off_t end = local->log < 0 ? 0 : lseek(local->log, 0, SEEK_END);
  off_t from = end > LOG_SHOWN ? end - LOG_SHOWN : 0;
  ssize_t got = end > 0 ? pread(local->log, tail, LOG_SHOWN, from) : 0;
  if (got < 0) got = 0;
  while (got > 0 && (tail[got - 1] == '\n' || tail[got - 1] == ' ')) got--;
  return memory_copy_n(tail, (size_t)got);
}

/* Waits until the first line is there. */
static char *read_ready_line(struct local *local, const char **reason) {
  char line[LONGEST_READY_LINE];
  size_t size = 0;
  int64_t until = now_ms() + START_MS;
  for (;;) {
    int64_t left = until - now_ms();
    bool readable = signals_wait_readable(local->ready, left > 0 ? (int)left : 0);
    if (!readable) {
      *reason = signals_interrupted() ? "interrupted" : "it was not ready in time";
      return NULL;
    }
    ssize_t got = read(local->ready, line + size, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || size + 1 == sizeof line) {
      *reason = got <= 0 ? "it ended before it was ready" : "its first line is too long";
      return NULL;
    }
    if (line[size] == '\n') break;
    size++;
  }
  size_t mark = sizeof ready_mark - 1;
  if (size <= mark || memcmp(line, ready_mark, mark) != 0) {
    *reason = "its first line is not the one that tells how to reach it";
    return NULL;
  }
  return memory_copy_n(line + mark, size - mark);
}

bool local_start(struct local *local, const char *program, const char *database, char **message) {
  int input[2] = {-1, -1};
  int output[2] = {-1, -1};
  char *path = NULL;
  char *log = NULL;
  const char *reason = NULL;
  bool good = false;
  *local = (struct local)LOCAL_INIT;
  *message = NULL;
  if (!make_pipe(input) || !make_pipe(output)) {
    *message = memory_print("cannot start " WAREHOUSE ": %s", strerror(errno));
    goto cleanup;
  }
  local->log = make_log();
  path = find_beside(program);
  int failure = spawn(local, path, database, input[0], output[1]);
  if (failure != 0) {
    *message = failure == ENOENT ? memory_copy(WAREHOUSE " was not found, neither beside this program nor in PATH")
                                 : memory_print("cannot start " WAREHOUSE ": %s", strerror(failure));
    goto cleanup;
  }
  close(output[1]);
  output[1] = -1;
  local->input = input[1];
  local->ready = output[0];
  input[1] = -1;
  output[0] = -1;
  local->dsn = read_ready_line(local, &reason);
  if (local->dsn == NULL) {
    int status;
    if (local->pid > 0 && strncmp(reason, "it ended", 8) == 0 && waitpid(local->pid, &status, 0) == local->pid) local->pid = 0;
    log = read_log(local);
    *message = memory_print(WAREHOUSE " does not start: %s%s%s", reason, log[0] == '\0' ? "" : "; it said:\n", log);
    goto cleanup;
  }
  good = true;
cleanup:
  for (int i = 0; i < 2; i++) {
    if (input[i] >= 0) close(input[i]);
    if (output[i] >= 0) close(output[i]);
  }
  if (!good) local_stop(local);
  free(path);
  free(log);
  return good;
}

static bool wait_for_end(pid_t pid, int64_t timeout_ms) {
  int64_t until = now_ms() + timeout_ms;
  for (;;) {
    pid_t ended = waitpid(pid, NULL, WNOHANG);
    if (ended == pid || (ended < 0 && errno != EINTR)) return true;
    if (now_ms() >= until) return false;
    poll(NULL, 0, 5);
  }
}

void local_stop(struct local *local) {
  if (local->input >= 0) close(local->input);
  if (local->pid > 0) {
    kill(local->pid, SIGTERM);
    if (!wait_for_end(local->pid, STOP_MS)) {
      kill(local->pid, SIGKILL);
      waitpid(local->pid, NULL, 0);
    }
  }
  if (local->ready >= 0) close(local->ready);
  if (local->log >= 0) close(local->log);
  free(local->dsn);
  *local = (struct local)LOCAL_INIT;
}
