#include "history.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

/* Makes all folders of the path. */
static bool make_folders(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    int result = mkdir(path, 0700);
    int failure = errno;
    *slash = '/';
    if (result != 0 && failure != EEXIST) return false;
  }
  return true;
}

char *history_path(void) {
  const char *state = getenv("XDG_STATE_HOME");
  const char *home = getenv("HOME");
  char *path = NULL;
  if (state != NULL && state[0] == '/') {
    path = memory_print("%s/dbsql/history", state);
  } else if (home != NULL && home[0] == '/') {
    path = memory_print("%s/.local/state/dbsql/history", home);
  }
  if (path != NULL && !make_folders(path)) {
    free(path);
    path = NULL;
  }
  return path;
}

/* Words that stand before a secret, if a value follows: PASSWORD 'x', token = x, secret: x. */
static const char *const secret_words[] = {"token",     "password",      "passwd",        "pwd",       "secret",      "credential",
                                           "apikey",    "api_key",       "access_key",    "accesskey", "account_key", "accountkey",
                                           "signature", "identified by", "authorization", "passphrase"};
/* Beginnings of secrets that tell by themselves: tokens of Databricks, JSON web tokens, AWS keys, PEM files, signed URLs. */
static const char *const secret_marks[] = {"dapi", "dkea", "dose", "eyJ", "AKIA", "ASIA", "-----BEGIN", "sig=", "Bearer ", "://token:"};
enum { MARK_TAIL = 8 }; /* so many letters or digits must follow the first six */

static bool value_follows(const char *at) {
  at += strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"); /* the rest of a longer name */
  at += strspn(at, "\"'`) \t\r\n");
  if (*at == '=' || *at == ':') return true;
  return at[-1] == '\'' || at[-1] == '"';
}

static bool has_mark(const char *entry, const char *mark, bool needs_tail) {
  for (const char *at = strstr(entry, mark); at != NULL; at = strstr(at + 1, mark)) {
    size_t tail = 0;
    const char *rest = at + strlen(mark);
    while (isalnum((unsigned char)rest[tail]) || rest[tail] == '_' || rest[tail] == '-') tail++;
    bool at_start = at == entry || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
    if (!needs_tail || (tail >= MARK_TAIL && at_start)) return true;
  }
  return false;
}

bool history_is_secret(const char *entry) {
  for (size_t i = 0; i < sizeof secret_marks / sizeof secret_marks[0]; i++) {
    if (has_mark(entry, secret_marks[i], i < 6)) return true;
  }
  for (size_t i = 0; i < sizeof secret_words / sizeof secret_words[0]; i++) {
    size_t length = strlen(secret_words[i]);
    for (const char *at = entry; *at != '\0'; at++) {
      if (strncasecmp(at, secret_words[i], length) == 0 && value_follows(at + length)) return true;
    }
  }
  return false;
}

static char *read_file(const char *path, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return NULL;
  struct text text = TEXT_INIT;
  char chunk[16 * 1024];
  ssize_t got;
  while ((got = read(fd, chunk, sizeof chunk)) > 0) text_append(&text, chunk, (size_t)got);
  close(fd);
  *size = text.size;
  return text.data;
}

static void decode_entry(struct text *out, const char *line, size_t length) {
  text_clear(out);
  text_append(out, "", 0);
  for (size_t i = 0; i < length; i++) {
    if (line[i] == '\\' && i + 1 < length) {
      i++;
      text_append(out, line[i] == 'n' ? "\n" : &line[i], 1);
    } else {
      text_append(out, &line[i], 1);
    }
  }
}

/* Replaces the file by its last entries, whole or not at all. */
static void shorten(const char *path, const char *kept, size_t size) {
  char *temporary = memory_print("%s.XXXXXX", path);
  int fd = mkstemp(temporary); /* mode 0600 */
  if (fd >= 0) {
    bool good = write(fd, kept, size) == (ssize_t)size;
    good = close(fd) == 0 && good;
    if (!good || rename(temporary, path) != 0) unlink(temporary);
  }
  free(temporary);
}

void history_load(const char *path, void (*each)(void *user, const char *entry), void *user) {
  size_t size = 0;
  char *content = read_file(path, &size);
  if (content == NULL) return;
  size_t start = size;
  size_t entries = 0;
  size_t total = 0;
  for (size_t i = size; i > 0; i--) { /* the last lines, from the end */
    if (i > 1 && content[i - 2] != '\n') continue;
    total++;
    if (total <= HISTORY_KEPT) {
      start = i - 1;
      entries = total;
    }
  }
  if (total > 2 * (size_t)HISTORY_KEPT) shorten(path, content + start, size - start);
  struct text entry = TEXT_INIT;
  for (const char *line = content + start; entries > 0 && line < content + size; entries--) {
    const char *end = memchr(line, '\n', (size_t)(content + size - line));
    size_t length = end == NULL ? (size_t)(content + size - line) : (size_t)(end - line);
    if (memchr(line, '\0', length) == NULL && length > 0) {
      decode_entry(&entry, line, length);
      each(user, entry.data);
    }
    line += length + 1;
  }
  text_free(&entry);
  free(content);
}

bool history_append(const char *path, const char *entry) {
  if (entry[0] == '\0' || history_is_secret(entry)) return false;
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  struct stat status;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077) != 0 && fchmod(fd, 0600) != 0) {
    close(fd); /* others could read it */
    return false;
  }
  struct text line = TEXT_INIT;
  for (const char *c = entry; *c != '\0'; c++) {
    if (*c == '\\') {
      text_append_text(&line, "\\\\");
    } else if (*c == '\n') {
      text_append_text(&line, "\\n");
    } else {
      text_append(&line, c, 1);
    }
  }
  text_append_text(&line, "\n");
  bool good = write(fd, line.data, line.size) == (ssize_t)line.size;
  text_free(&line);
  return close(fd) == 0 && good;
}
