#include "http/sigpipe.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

void sigpipe_block(struct sigpipe_guard *guard) {
  sigset_t pending, only_pipe;
  sigemptyset(&pending);
  sigpending(&pending);
  guard->was_pending = sigismember(&pending, SIGPIPE) == 1;
  sigemptyset(&only_pipe);
  sigaddset(&only_pipe, SIGPIPE);
  guard->blocked = pthread_sigmask(SIG_BLOCK, &only_pipe, &guard->old_mask) == 0;
}

void sigpipe_restore(struct sigpipe_guard *guard) {
  if (!guard->blocked) return;
  int saved = errno;
  sigset_t pending, only_pipe;
  sigemptyset(&pending);
  sigpending(&pending);
  /* One that was pending before is the host's: it stays. */
  if (!guard->was_pending && sigismember(&pending, SIGPIPE) == 1) {
    sigemptyset(&only_pipe);
    sigaddset(&only_pipe, SIGPIPE);
#if defined(__APPLE__) || defined(__OpenBSD__)
    int signal_number;
    sigwait(&only_pipe, &signal_number); /* pending, so it does not wait */
#else
    struct timespec no_time = {0, 0};
    while (sigtimedwait(&only_pipe, NULL, &no_time) == -1 && errno == EINTR) {
    }
#endif
  }
  pthread_sigmask(SIG_SETMASK, &guard->old_mask, NULL);
  errno = saved;
}
