#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE = 3 };

static volatile sig_atomic_t pending_signal;
static volatile sig_atomic_t signal_count;
static dbsql_cancel *volatile signal_cancel;

static void on_signal(int number) {
  int saved = errno;
  if (pending_signal == 0 || number != SIGINT) pending_signal = number;
  signal_count = signal_count + 1;
  if (signal_count >= PATIENCE) _exit(128 + number);
  if (signal_cancel != NULL) dbsql_cancel_trigger(signal_cancel);
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
  set_handler(SIGINT, on_signal);
  set_handler(SIGTERM, on_signal);
  set_handler(SIGHUP, on_signal);
  set_handler(SIGPIPE, SIG_IGN);
}

void signals_remove(void) {
  set_handler(SIGINT, SIG_DFL);
  set_handler(SIGTERM, SIG_DFL);
  set_handler(SIGHUP, SIG_DFL);
  signal_cancel = NULL;
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
  if (signal_cancel != NULL) dbsql_cancel_reset(signal_cancel);
}
