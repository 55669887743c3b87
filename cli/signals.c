#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE = 3 };

static volatile sig_atomic_t pending_signal;
static volatile sig_atomic_t signal_count;
static dbsql_cancel *volatile signal_cancel;

static volatile sig_atomic_t screen_changed;
static int wake_pipe[2] = {-1, -1}; /* a signal between a look at the flag and the wait is not missed */

static void wake(void) {
  if (write(wake_pipe[1], "", 1) < 0) errno = 0; /* full: there is enough in it to wake up */
}

static void on_screen_signal(int number) {
  int saved = errno;
  (void)number;
  screen_changed = 1;
  wake();
  errno = saved;
}

static void on_signal(int number) {
  int saved = errno;
  if (pending_signal == 0 || number != SIGINT) pending_signal = number;
  signal_count = signal_count + 1;
  if (signal_count >= PATIENCE) _exit(128 + number);
  if (signal_cancel != NULL) dbsql_cancel_trigger(signal_cancel);
  wake();
  errno = saved;
}

static void set_handler(int number, void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler; /* without SA_RESTART: what waits for the terminal shall notice */
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

void signals_install(dbsql_cancel *cancel) {
  signal_cancel = cancel;
  if (pipe(wake_pipe) == 0) {
    for (int i = 0; i < 2; i++) {
      fcntl(wake_pipe[i], F_SETFD, FD_CLOEXEC);
      fcntl(wake_pipe[i], F_SETFL, O_NONBLOCK);
    }
  }
  set_handler(SIGINT, on_signal);
  set_handler(SIGTERM, on_signal);
  set_handler(SIGHUP, on_signal);
  set_handler(SIGPIPE, SIG_IGN);
}

void signals_remove(void) {
  set_handler(SIGINT, SIG_DFL);
  set_handler(SIGTERM, SIG_DFL);
  set_handler(SIGHUP, SIG_DFL);
  set_handler(SIGCONT, SIG_DFL);
  set_handler(SIGWINCH, SIG_DFL);
  signal_cancel = NULL;
}

int signals_fd(void) {
  return wake_pipe[0];
}

void signals_watch_terminal(void) {
  set_handler(SIGCONT, on_screen_signal);
  set_handler(SIGWINCH, on_screen_signal);
}

bool signals_drain(void) {
  char bytes[64];
  while (read(wake_pipe[0], bytes, sizeof bytes) > 0) continue;
  bool changed = screen_changed != 0;
  screen_changed = 0;
  return changed;
}

bool signals_wait_readable(int fd, int timeout_ms) {
  for (;;) {
    struct pollfd wait[] = {{fd, POLLIN, 0}, {wake_pipe[0], POLLIN, 0}};
    int ready = signals_interrupted() ? 0 : poll(wait, 2, timeout_ms);
    if (signals_interrupted() || ready == 0) return false;
    if (ready < 0 ? errno != EINTR : wait[0].revents != 0) return true; /* also where poll() fails: read() will tell why */
    if (ready > 0) signals_drain();
  }
}

int signals_pending(void) {
  return pending_signal;
}

bool signals_interrupted(void) {
  return pending_signal != 0;
}

void signals_clear(void) {
  if (pending_signal != 0 && pending_signal != SIGINT) return;
  pending_signal = 0;
  signal_count = 0;
  signals_drain();
  if (signal_cancel != NULL) dbsql_cancel_reset(signal_cancel);
}
