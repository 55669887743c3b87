#include "progress.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"

struct progress {
  pthread_t thread;
  int stop[2]; /* a pipe: closed at the writing end to stop the thread */
  struct timespec begin;
  _Atomic uint64_t rows;
  bool shown; /* only the thread touches it while it runs */
};

static void show(struct progress *progress) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  long long seconds = (long long)(now.tv_sec - progress->begin.tv_sec) - (now.tv_nsec < progress->begin.tv_nsec ? 1 : 0);
  uint64_t rows = atomic_load_explicit(&progress->rows, memory_order_relaxed);
  char line[96];
  int length = snprintf(line, sizeof line, "\r%lld s", seconds);
  if (rows > 0) length += snprintf(line + length, sizeof line - (size_t)length, ", %" PRIu64 " rows", rows);
  length += snprintf(line + length, sizeof line - (size_t)length, " (Ctrl-C cancels)\033[K");
  if (write(STDERR_FILENO, line, (size_t)length) >= 0) progress->shown = true;
}

static void *progress_run(void *argument) {
  struct progress *progress = argument;
  struct pollfd stop = {progress->stop[0], POLLIN, 0};
  while (poll(&stop, 1, 1000) == 0) show(progress);
  return NULL;
}

struct progress *progress_start(void) {
  const char *terminal = getenv("TERM");
  if (isatty(STDERR_FILENO) != 1 || terminal == NULL || strcmp(terminal, "dumb") == 0) return NULL;
  struct progress *progress = memory_new(sizeof *progress);
  clock_gettime(CLOCK_MONOTONIC, &progress->begin);
  atomic_init(&progress->rows, 0);
  if (pipe(progress->stop) != 0) {
    free(progress);
    return NULL;
  }
  sigset_t all; /* signals belong to the main thread */
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failure = pthread_create(&progress->thread, NULL, progress_run, progress);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failure == 0) return progress;
  close(progress->stop[0]);
  close(progress->stop[1]);
  free(progress);
  return NULL;
}

void progress_rows(struct progress *progress, uint64_t rows) {
  if (progress != NULL) atomic_store_explicit(&progress->rows, rows, memory_order_relaxed);
}

void progress_stop(struct progress *progress) {
  if (progress == NULL) return;
  close(progress->stop[1]);
  pthread_join(progress->thread, NULL);
  close(progress->stop[0]);
  if (progress->shown && write(STDERR_FILENO, "\r\033[K", 4) < 0) progress->shown = false; /* nothing to do about it */
  free(progress);
}
