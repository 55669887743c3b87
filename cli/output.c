#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "memory.h"

enum { BUFFER_SIZE = 64 * 1024 };

static void output_init(struct output *output, int fd, const char *name) {
  memset(output, 0, sizeof *output);
  output->fd = fd;
  output->name = memory_copy(name);
  output->buffer = memory_new(BUFFER_SIZE);
  output->is_terminal = fd >= 0 && isatty(fd) == 1;
}

void output_open_stdout(struct output *output) {
  output_init(output, STDOUT_FILENO, "standard output");
}

bool output_open_file(struct output *output, const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  int failure = fd < 0 ? errno : 0;
  output_init(output, fd, path);
  output->owned = true;
  output->failure = failure;
  return failure == 0;
}

static void write_all(struct output *output, const char *data, size_t size) {
  if (size > 0 && output->failure == 0 && output->before_write != NULL) output->before_write(output->user);
  while (size > 0 && output->failure == 0) {
    ssize_t written = write(output->fd, data, size);
    if (written >= 0) {
      data += written;
      size -= (size_t)written;
    } else if (errno != EINTR) {
      output->failure = errno;
    } else if (output->interrupted != NULL && output->interrupted()) {
      output->failure = ECANCELED;
    }
  }
}

bool output_flush(struct output *output) {
  write_all(output, output->buffer, output->used);
  output->used = 0;
  return output->failure == 0;
}

void output_write(struct output *output, const void *data, size_t size) {
  if (size > BUFFER_SIZE - output->used) output_flush(output);
  if (size >= BUFFER_SIZE) {
    write_all(output, data, size);
  } else if (output->failure == 0 && size > 0) {
    memcpy(output->buffer + output->used, data, size);
    output->used += size;
  }
}

void output_text(struct output *output, const char *text) {
  output_write(output, text, strlen(text));
}

void output_print(struct output *output, const char *format, ...) {
  char small[512];
  va_list args;
  va_list again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(small, sizeof small, format, args);
  if (length >= 0 && (size_t)length < sizeof small) {
    output_write(output, small, (size_t)length);
  } else if (length >= 0) {
    char *large = memory_new((size_t)length + 1);
    vsnprintf(large, (size_t)length + 1, format, again);
    output_write(output, large, (size_t)length);
    free(large);
  }
  va_end(again);
  va_end(args);
}

bool output_failed(const struct output *output) {
  return output->failure != 0;
}

int output_close(struct output *output) {
  output_flush(output);
  if (output->owned && output->fd >= 0 && close(output->fd) != 0 && output->failure == 0 && errno != EINTR) output->failure = errno;
  int failure = output->failure;
  free(output->buffer);
  free(output->name);
  memset(output, 0, sizeof *output);
  output->fd = -1;
  return failure;
}

size_t output_terminal_columns(const struct output *output) {
  struct winsize size;
  if (!output->is_terminal || ioctl(output->fd, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}
