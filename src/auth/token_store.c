#include "auth/token_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/crypto.h"
#include "base/clock.h"
#include "base/environment.h"
#include "base/mem.h"

enum { name_size = 2 * sha256_size + 16, longest_file = 64 * 1024, lock_ms = 10000, lock_step_ms = 20, version = 1 };

struct token_store {
  int folder;
  int lock;
  char name[name_size];
  struct token_identity identity; /* owned */
};

static char *copy_of(const char *text) {
  return mem_strdup(text ? text : "");
}

void token_store_close(struct token_store *store) {
  if (!store) return;
  if (store->lock >= 0) close(store->lock); /* gives it up */
  if (store->folder >= 0) close(store->folder);
  const char *const texts[] = {store->identity.origin,     store->identity.client_id, store->identity.scopes,
                               store->identity.account_id, store->identity.profile,   store->identity.endpoint};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) mem_free((void *)(uintptr_t)texts[i]);
  mem_free(store);
}

/* ---- The folder ---------------------------------------------------------------------------------------------------------- */

static bool find_folder(const char *given, struct buf *out) {
  const char *own = environment_get("DBSQL_CACHE_DIR"), *cache = environment_get("XDG_CACHE_HOME"), *home = environment_get("HOME");
  if (given) {
    buf_append_text(out, given);
  } else if (own) {
    buf_append_text(out, own);
  } else if (cache && *cache == '/') {
    buf_printf(out, "%s/dbsql/oauth", cache);
  } else if (home) {
    buf_printf(out, "%s/.cache/dbsql/oauth", home);
  }
  return out->size > 0 && out->data[0] == '/' && buf_text(out);
}

static int open_folder(const char *given, const char **why) {
  struct buf path = BUF_INIT;
  int folder = -1;
  *why = "there is no place for it: neither HOME nor DBSQL_CACHE_DIR is set";
  if (find_folder(given, &path)) {
    char *text = (char *)path.data;
    for (char *at = strchr(text + 1, '/'); at; at = strchr(at + 1, '/')) {
      *at = 0;
      mkdir(text, 0700);
      *at = '/';
    }
    mkdir(text, 0700);
    folder = open(text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *why = "its folder cannot be opened";
  }
  buf_free(&path);
  struct stat info;
  if (folder >= 0 && (fstat(folder, &info) != 0 || info.st_uid != geteuid() || (info.st_mode & 077) != 0)) {
    *why = "its folder is somebody else's, or open to others";
    close(folder);
    folder = -1;
  }
  return folder;
}

static bool take_lock(struct token_store *store, const struct call *call) {
  char name[name_size + 8];
  snprintf(name, sizeof name, "%.70s.lock", store->name);
  store->lock = openat(store->folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (store->lock < 0) return false;
  int64_t until_ns = clock_now_ns() + (int64_t)lock_ms * 1000000;
  while (flock(store->lock, LOCK_EX | LOCK_NB) != 0) {
    if ((errno != EWOULDBLOCK && errno != EINTR) || clock_now_ns() >= until_ns) return false;
    if (call_sleep(call, lock_step_ms, "waiting for the token cache", NULL) != DBSQL_OK) return false;
  }
  return true;
}

struct token_store *token_store_open(const char *folder, const struct token_identity *identity, const struct call *call, const char **why) {
  struct token_store *store = mem_alloc_zero(1, sizeof *store);
  struct buf key = BUF_INIT, name = BUF_INIT;
  uint8_t hash[sha256_size];
  *why = "memory is short";
  if (!store) return NULL;
  store->lock = store->folder = -1;
  store->identity = (struct token_identity){copy_of(identity->origin),     copy_of(identity->client_id), copy_of(identity->scopes),
                                            copy_of(identity->account_id), copy_of(identity->profile),   copy_of(identity->endpoint)};
  const struct token_identity *own = &store->identity;
  bool ok = own->origin && own->client_id && own->scopes && own->account_id && own->profile && own->endpoint;
  if (ok)
    buf_printf(&key, "v1\n%s\n%s\n%s\n%s\n%s\n%s", own->origin, own->client_id, own->scopes, own->account_id, own->profile, own->endpoint);
  ok = ok && !buf_failed(&key) && crypto_sha256(key.data, key.size, hash);
  if (ok) hex_append(&name, hash, sizeof hash);
  ok = ok && buf_text(&name);
  if (ok) snprintf(store->name, sizeof store->name, "%s.json", (const char *)name.data);
  if (ok) {
    store->folder = open_folder(folder, why);
    ok = store->folder >= 0;
  }
  if (ok) {
    *why = "another process holds it";
    ok = take_lock(store, call);
  }
  buf_free(&key);
  buf_free(&name);
  if (ok) return store;
  token_store_close(store);
  return NULL;
}

/* ---- The file ------------------------------------------------------------------------------------------------------------ */

static bool same_text(const json_t *json, const char *name, const char *wanted) {
  const char *text = json_text(json, name);
  return text && strcmp(text, wanted) == 0;
}

static bool copy_member(const json_t *json, const char *name, char **to) {
  const char *text = json_text(json, name);
  if (text && *text) *to = mem_strdup(text);
  return !text || !*text || *to;
}

/* The bytes, if it is a regular file of ours that is closed to others. */
static bool read_file(const struct token_store *store, struct buf *out) {
  int fd = openat(store->folder, store->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  struct stat info;
  bool ok = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() && (info.st_mode & 077) == 0 && info.st_nlink == 1 &&
            info.st_size > 0 && info.st_size <= longest_file;
  while (ok && out->size < (size_t)info.st_size) {
    uint8_t *room = buf_reserve(out, 4096) ? out->data + out->size : NULL;
    ssize_t got = room ? read(fd, room, 4096) : -1;
    if (got <= 0) break;
    out->size += (size_t)got;
  }
  close(fd);
  return ok && !buf_failed(out) && out->size == (size_t)info.st_size;
}

bool token_store_load(struct token_store *store, struct oauth_answer *answer) {
  struct buf bytes = BUF_SECRET;
  memset(answer, 0, sizeof *answer);
  json_t *json = read_file(store, &bytes) ? json_read(buf_slice(&bytes), longest_file) : NULL;
  buf_free_secret(&bytes);
  const struct token_identity *own = &store->identity;
  double number = 0;
  /* A file under another's name is not ours (T3). */
  bool ok = json && json_number(json, "version", &number) && (int)number == version && same_text(json, "host", own->origin) &&
            same_text(json, "client_id", own->client_id) && same_text(json, "scopes", own->scopes) &&
            same_text(json, "account_id", own->account_id) && same_text(json, "profile", own->profile) &&
            same_text(json, "endpoint", own->endpoint) && copy_member(json, "access_token", &answer->access_token) &&
            copy_member(json, "token_type", &answer->token_type) && copy_member(json, "refresh_token", &answer->refresh_token) &&
            copy_member(json, "scope", &answer->scope);
  if (ok && json_number(json, "expires_at", &number) && number > 0 && number < 1e15) answer->expires_unix_ms = (int64_t)number;
  json_drop_secret(json);
  ok = ok && answer->access_token;
  if (!ok) oauth_answer_free(answer);
  return ok;
}

static bool write_all(int fd, const char *text, size_t size) {
  while (size > 0) {
    ssize_t written = write(fd, text, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text += written;
    size -= (size_t)written;
  }
  return true;
}

bool token_store_save(struct token_store *store, const struct oauth_answer *answer) {
  const struct token_identity *own = &store->identity;
  uint8_t random[8];
  struct buf temporary = BUF_INIT;
  json_t *json = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s*, s:s*, s:s*, s:I, s:I}", "version", version, "host", own->origin,
                           "client_id", own->client_id, "scopes", own->scopes, "account_id", own->account_id, "profile", own->profile,
                           "endpoint", own->endpoint, "access_token", answer->access_token, "token_type", answer->token_type,
                           "refresh_token", answer->refresh_token, "scope", answer->scope, "expires_at",
                           (json_int_t)answer->expires_unix_ms, "obtained_at", (json_int_t)(clock_unix_us() / 1000));
  /* Into a block of ours: that of json_dumps() grows, and leaves copies behind. */
  struct buf text = BUF_SECRET;
  size_t size = json ? json_dumpb(json, NULL, 0, JSON_INDENT(2)) : 0;
  uint8_t *room = size > 0 ? buf_extend(&text, size) : NULL;
  bool ok = room && json_dumpb(json, (char *)room, size, JSON_INDENT(2)) == size && crypto_random(random, sizeof random);
  json_drop_secret(json);
  buf_append_text(&temporary, ".tmp.");
  if (ok) hex_append(&temporary, random, sizeof random);
  ok = ok && buf_text(&temporary);
  int fd = -1;
  if (ok) {
    fd = openat(store->folder, (const char *)temporary.data, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    ok = fd >= 0;
  }
  ok = ok && write_all(fd, (const char *)text.data, text.size) && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  if (ok) ok = renameat(store->folder, (const char *)temporary.data, store->folder, store->name) == 0;
  if (!ok && fd >= 0) unlinkat(store->folder, (const char *)temporary.data, 0);
  buf_free_secret(&text);
  buf_free(&temporary);
  return ok;
}

void token_store_remove(struct token_store *store) {
  unlinkat(store->folder, store->name, 0);
}
