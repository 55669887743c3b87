#include "auth/browser.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/environment.h"
#include "base/error.h"

extern char **environ;

enum { longest_path = 4096, most_fds = 4096 };

/* The program in an absolute folder of PATH: never one of the current folder (T25). */
static bool find_program(const char *name, char out[longest_path]) {
  const char *path = environment_get("PATH");
  for (const char *at = path ? path : "/usr/bin:/bin"; *at;) {
    size_t length = strcspn(at, ":");
    if (*at == '/' && snprintf(out, longest_path, "%.*s/%s", (int)length, at, name) < longest_path && access(out, X_OK) == 0) return true;
    at += length;
    at += *at == ':';
  }
  return false;
}

/* In the child: only what a signal handler may do. */
static void become(const char *program, char *const argv[], int report) {
  sigset_t none;
  struct sigaction usual = {.sa_handler = SIG_DFL};
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL); /* we may be on a thread that has all blocked */
  sigaction(SIGPIPE, &usual, NULL);
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3 && null >= 0; fd++) dup2(null, fd);
  for (int fd = 3; fd < most_fds; fd++) {
    if (fd != report) close(fd);
  }
  execve(program, argv, environ);
  int reason = errno;
  ssize_t written = write(report, &reason, sizeof reason);
  (void)written;
  _exit(127);
}

/* Its grandchild is nobody's to wait for. 0, or an errno. */
static int start(const char *program, char *const argv[]) {
  int report[2], reason = 0;
  if (pipe(report) != 0) return errno;
  for (int i = 0; i < 2; i++) fcntl(report[i], F_SETFD, FD_CLOEXEC);
  pid_t child = fork();
  if (child == 0) {
    setsid();
    pid_t grandchild = fork();
    if (grandchild == 0) become(program, argv, report[1]);
    _exit(0);
  }
  if (child < 0) reason = errno;
  close(report[1]);
  if (child > 0) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    ssize_t got;
    int told = 0;
    while ((got = read(report[0], &told, sizeof told)) < 0 && errno == EINTR) {
    }
    if (got == (ssize_t)sizeof told) reason = told;
  }
  close(report[0]);
  return reason;
}

dbsql_status browser_open(const char *url, dbsql_error **error) {
  char program[longest_path];
  if (!environment_is_trusted()) { /* what opens pages obeys the caller's environment */
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "a program with more rights than who started it opens no browser");
  }
#if defined(__APPLE__)
  const char *name = "open";
#else
  const char *name = "xdg-open";
  if (!environment_get("DISPLAY") && !environment_get("WAYLAND_DISPLAY")) {
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "there is no display to open a browser on");
  }
#endif
  if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) {
    return error_set(error, DBSQL_ERROR_REQUEST, "28000", "the address of the sign-in page is not one of https");
  }
  if (!find_program(name, program)) return error_set(error, DBSQL_ERROR_REQUEST, "28000", "the program %s is not in PATH", name);
  char *argv[] = {program, (char *)(uintptr_t)url, NULL};
  int reason = start(program, argv);
  if (reason == 0) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_REQUEST, "28000", "%s cannot be started: %s", program, strerror(reason));
}
