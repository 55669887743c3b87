/* What the process runs on: each part on its own, absent where the system does not tell it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <gnu/libc-version.h>
#endif

#include "base/environment.h"
#include "base/log.h"
#include "telemetry/state.h"

#if defined(__clang__)
static const char compiler[] = "clang " __clang_version__;
#elif defined(__GNUC__)
#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)
static const char compiler[] = "gcc " TEXT_OF(__GNUC__) "." TEXT_OF(__GNUC_MINOR__);
#else
static const char compiler[] = "";
#endif

/* PRETTY_NAME of /etc/os-release. */
static bool read_release(char *out, size_t size) {
  char text[4096];
  int fd = open("/etc/os-release", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t got;
  do got = read(fd, text, sizeof text - 1);
  while (got < 0 && errno == EINTR);
  close(fd);
  if (got <= 0) return false;
  text[got] = 0;
  char *name = strncmp(text, "PRETTY_NAME=", 12) == 0 ? text : strstr(text, "\nPRETTY_NAME=");
  if (!name) return false;
  name = strchr(name, '=') + 1;
  size_t length = strcspn(name, "\n");
  if (length >= 2 && (name[0] == '"' || name[0] == '\'')) {
    name++;
    length -= 2;
  }
  if (length == 0 || length >= size) return false;
  memcpy(out, name, length);
  out[length] = 0;
  return true;
}

/* The language of messages and data, up to the dot. */
static void read_locale(char *out, size_t size) {
  static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  out[0] = 0;
  for (size_t i = 0; i < 3 && !out[0]; i++) {
    const char *value = environment_get(variables[i]);
    if (!value) continue;
    size_t length = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    if (length >= 16 || length >= size || (value[length] && value[length] != '.' && value[length] != '@')) continue;
    memcpy(out, value, length);
    out[length] = 0;
  }
}

void system_describe(struct telemetry_state *state) {
  if (state->process_known) return;
  state->process_known = true;
  struct tag_process *process = &state->process;
  struct utsname name;
  bool named = uname(&name) == 0;
  process->driver_version = DBSQL_VERSION;
  process->runtime_name = "C";
  process->runtime_vendor = compiler;
  process->char_set_encoding = "UTF-8";
#if defined(__GLIBC__)
  snprintf(state->process_texts[0], sizeof state->process_texts[0], "glibc %s", gnu_get_libc_version());
  process->runtime_version = state->process_texts[0];
#elif defined(__linux__)
  process->runtime_version = "musl";
#elif defined(__APPLE__)
  process->runtime_version = "libSystem";
#endif
#if defined(__APPLE__)
  process->os_name = "macOS";
#else
  if (named) {
    snprintf(state->process_texts[1], sizeof state->process_texts[1], "%.90s", name.sysname);
    process->os_name = state->process_texts[1];
  }
#endif
  if (!read_release(state->process_texts[2], sizeof state->process_texts[2]) && named) {
    snprintf(state->process_texts[2], sizeof state->process_texts[2], "%.90s", name.release);
  }
  process->os_version = state->process_texts[2];
  if (named) {
    snprintf(state->process_texts[3], sizeof state->process_texts[3], "%.90s", name.machine);
    process->os_arch = state->process_texts[3];
  }
  read_locale(state->process_texts[4], sizeof state->process_texts[4]);
  process->locale_name = state->process_texts[4];
}

void system_process_name(char *out, size_t size) {
  const char *name = "";
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__)
  name = getprogname();
#elif defined(__linux__)
  name = program_invocation_short_name;
#endif
  /* Some programs write their arguments there: the first word, and no more than a file's name. */
  struct buf clean = BUF_INIT;
  size_t length = strcspn(name, " \t");
  redact_append(&clean, name, length < 64 ? length : 64);
  const char *text = buf_text(&clean);
  const char *slash = text ? strrchr(text, '/') : NULL;
  snprintf(out, size, "%s", slash ? slash + 1 : text ? text : "");
  buf_free(&clean);
}
