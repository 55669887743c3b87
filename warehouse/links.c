#include "links.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "memory.h"

enum { KEY_SIZE = 32, SIGNATURE_SIZE = 32, DEAD_LINKS = 256, USUAL_FILE_BYTES = 20 << 20 };

/* A file by the first cut of the result. */
struct original {
  int64_t first;
  int64_t count;
  int64_t bytes;  /* decompressed */
  int64_t stored; /* as it lies in the folder; -1: it does not */
};

struct linked {
  struct linked *next;
  char name[guid_text_size]; /* the operation's */
  char made[32];             /* when, for the path */
  struct result result;      /* a share of the operation's */
  struct original *originals;
  size_t original_count;
  int64_t told_to; /* rows before this one have been in a link */
  int64_t expires_ms;
};

/* A link that died before its time. */
struct dead_link {
  char name[guid_text_size];
  int64_t first;
  int64_t serial; /* this one and those before it */
};

struct links {
  struct links_options options;
  struct faults *faults;
  char *base;
  uint8_t key[KEY_SIZE];
  pthread_mutex_t lock;
  struct linked *first; /* the newest */
  struct dead_link dead[DEAD_LINKS];
  size_t dead_count;
  int64_t serial;
  struct links_counts counts;
};

struct links *links_new(const struct links_options *options, struct faults *faults) {
  struct links *links = wh_new(1, sizeof *links);
  links->options = *options;
  links->options.prepared_folder = wh_copy(options->prepared_folder);
  links->options.header_name = wh_copy(options->header_name);
  links->options.header_value = wh_copy(options->header_value);
  links->faults = faults;
  pthread_mutex_init(&links->lock, NULL);
  if (RAND_bytes(links->key, KEY_SIZE) == 1) return links;
  links_free(links);
  return NULL;
}

void links_set_base(struct links *links, const char *url) {
  free(links->base);
  links->base = wh_copy(url);
}

const struct links_options *links_options_of(const struct links *links) {
  return &links->options;
}

static int64_t now_ms(void) {
  return clock_unix_us() / 1000;
}

/* ---- Prepared files -------------------------------------------------------------------------------------------------------------------
 */

static char *prepared_path(const struct links *links, const struct linked *linked, size_t file) {
  return wh_print("%s/results_%s_%zu", links->options.prepared_folder, linked->name, file);
}

static void linked_free(const struct links *links, struct linked *linked) {
  for (size_t i = 0; i < linked->original_count; i++) {
    if (linked->originals[i].stored < 0) continue;
    char *path = prepared_path(links, linked, i);
    unlink(path);
    free(path);
  }
  result_free(&linked->result);
  free(linked->originals);
  free(linked);
}

static bool write_whole(int fd, const uint8_t *data, size_t size) {
  while (size > 0) {
    ssize_t done = write(fd, data, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    data += done;
    size -= (size_t)done;
  }
  return true;
}

static bool write_prepared(const struct links *links, const struct linked *linked, size_t file, const struct buf *content,
                           struct failure *failure) {
  char *path = prepared_path(links, linked, file);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  bool good = fd >= 0 && write_whole(fd, content->data, content->size);
  int problem = errno;
  if (fd >= 0 && close(fd) != 0 && good) {
    good = false;
    problem = errno;
  }
  if (!good) {
    failure_set(failure, "INTERNAL_ERROR", "58030", "The warehouse cannot write the result's file %s: %s", path, strerror(problem));
    if (fd >= 0) unlink(path);
  }
  free(path);
  return good;
}

/* ---- Results ------------------------------------------------------------------------------------------------------------------------ */

static struct linked *find(const struct links *links, const char *name) {
  struct linked *linked = links->first;
  while (linked && strcmp(linked->name, name) != 0) linked = linked->next;
  return linked;
}

static struct linked *linked_new(const struct operation *operation) {
  struct linked *linked = wh_new(1, sizeof *linked);
  memcpy(linked->name, operation->handle.text, sizeof linked->name);
  time_t seconds = (time_t)(now_ms() / 1000);
  struct tm parts;
  gmtime_r(&seconds, &parts);
  strftime(linked->made, sizeof linked->made, "%Y-%m-%dT%H:%M:%SZ", &parts);
  result_share(&operation->result, &linked->result);
  return linked;
}

static int64_t file_target(const struct links *links, const struct operation *operation) {
  int64_t wanted = operation->request.file_bytes, most = links->options.file_bytes;
  if (wanted > 0) return most > 0 && most < wanted ? most : wanted;
  return most > 0 ? most : USUAL_FILE_BYTES;
}

static void add_original(struct linked *linked, int64_t first, int64_t count, int64_t bytes, int64_t stored) {
  linked->originals = wh_grow(linked->originals, linked->original_count + 1, sizeof *linked->originals);
  linked->originals[linked->original_count++] = (struct original){first, count, bytes, stored};
}

/* The file that holds the row, by the first cut. There is at least one. */
static size_t original_of(const struct linked *linked, int64_t row) {
  size_t low = 0, high = linked->original_count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (linked->originals[middle].first <= row) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

static void add(struct links *links, struct linked *linked) {
  pthread_mutex_lock(&links->lock);
  linked->next = links->first;
  links->first = linked;
  pthread_mutex_unlock(&links->lock);
}

static bool prepare(struct links *links, struct operation *operation, struct failure *failure) {
  struct linked *linked = linked_new(operation);
  int64_t target = file_target(links, operation), count = 0, bytes = 0;
  struct buf content = BUF_INIT;
  bool good = true;
  for (int64_t at = 0; good && at < linked->result.rows; at += count) {
    buf_reset(&content);
    good = !operation->cancelled && !operation->timed_out && storage_file_measure(&linked->result, at, target, &count, &bytes, failure) &&
           storage_file_write(&linked->result, links->options.writer, at, count, NULL, &content, failure) &&
           write_prepared(links, linked, linked->original_count, &content, failure);
    if (good) add_original(linked, at, count, bytes, (int64_t)content.size);
  }
  buf_free(&content);
  if (good) {
    add(links, linked);
  } else {
    linked_free(links, linked);
  }
  return good;
}

bool links_settle(struct links *links, struct operation *operation, struct failure *failure) {
  struct result *result = &operation->result;
  if (!links || !result->shape.download || !result->shape.arrow || result->bare_arrow_schema || result->rows == 0) return true;
  if (links->options.threshold > 0 && result->bytes < (size_t)links->options.threshold) return true;
  result->linked = true;
  result_allow_sharing(result);
  return !links->options.prepared_folder || prepare(links, operation, failure);
}

void links_purge(struct links *links) {
  int64_t now = now_ms();
  size_t kept = 0;
  struct linked *gone = NULL;
  pthread_mutex_lock(&links->lock);
  for (struct linked **at = &links->first; *at;) {
    struct linked *linked = *at;
    bool closed = !result_is_shared(&linked->result);
    if (closed) kept += linked->result.bytes;
    if (closed && (now >= linked->expires_ms || kept > links->options.keep_bytes)) {
      kept -= linked->result.bytes;
      *at = linked->next;
      linked->next = gone;
      gone = linked;
    } else {
      at = &linked->next;
    }
  }
  pthread_mutex_unlock(&links->lock);
  while (gone) {
    struct linked *next = gone->next;
    linked_free(links, gone);
    gone = next;
  }
}

void links_clear(struct links *links) {
  if (!links) return;
  pthread_mutex_lock(&links->lock);
  while (links->first) {
    struct linked *next = links->first->next;
    linked_free(links, links->first);
    links->first = next;
  }
  pthread_mutex_unlock(&links->lock);
}

void links_free(struct links *links) {
  if (!links) return;
  links_clear(links);
  pthread_mutex_destroy(&links->lock);
  OPENSSL_cleanse(links->key, KEY_SIZE);
  free((void *)(uintptr_t)links->options.prepared_folder);
  free((void *)(uintptr_t)links->options.header_name);
  free((void *)(uintptr_t)links->options.header_value);
  free(links->base);
  free(links);
}

struct links_counts links_counts(struct links *links) {
  pthread_mutex_lock(&links->lock);
  struct links_counts counts = links->counts;
  for (const struct linked *linked = links->first; linked; linked = linked->next) {
    counts.results++;
    counts.result_bytes += (int64_t)linked->result.bytes;
  }
  pthread_mutex_unlock(&links->lock);
  return counts;
}

/* ---- Signatures --------------------------------------------------------------------------------------------------------------------- */

/* The signature of a GET, as hexadecimal text. */
static bool sign(const struct links *links, const char *path, int64_t expires_ms, int64_t serial, char out[2 * SIGNATURE_SIZE + 1]) {
  uint8_t mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  char *text = wh_print("GET\n%s\n%" PRId64 "\n%" PRId64, path, expires_ms, serial);
  bool good = HMAC(EVP_sha256(), links->key, KEY_SIZE, (const unsigned char *)text, strlen(text), mac, &size) && size == SIGNATURE_SIZE;
  free(text);
  for (int i = 0; good && i < SIGNATURE_SIZE; i++) snprintf(out + 2 * i, 3, "%02x", mac[i]);
  return good;
}

static char *file_path(const struct linked *linked, size_t file, int64_t first, int64_t count) {
  return wh_print("/local.jobs/sql/results_%s_%s/%zu_%" PRId64 "_%" PRId64, linked->made, linked->name, file, first, count);
}

/* The link, with the colons of the time encoded as real ones have them: who decodes and encodes again breaks the signature of a cloud. */
static bool append_link(const struct links *links, const char *path, int64_t expires_ms, int64_t serial, struct buf *out) {
  char signature[2 * SIGNATURE_SIZE + 1], date[24];
  time_t seconds = (time_t)(now_ms() / 1000);
  struct tm parts;
  gmtime_r(&seconds, &parts);
  strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &parts);
  if (!sign(links, path, expires_ms, serial, signature)) return false;
  buf_append_text(out, links->base ? links->base : "");
  for (; *path; path++) {
    if (*path == ':') {
      buf_append_text(out, "%3A");
    } else {
      buf_append_byte(out, (uint8_t)*path);
    }
  }
  buf_printf(out,
             "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=%s&X-Amz-SignedHeaders=host&X-Amz-Expires=%" PRId64
             "&X-Amz-Credential=LOCAL%%2F%.8s%%2Flocal%%2Fs3%%2Faws4_request&x-expires-ms=%" PRId64 "&x-serial=%" PRId64
             "&X-Amz-Signature=%s",
             date, (expires_ms - now_ms()) / 1000, date, expires_ms, serial, signature);
  wh_check(out);
  return true;
}

/* ---- Pages -------------------------------------------------------------------------------------------------------------------------- */

/* What one file of a page is. */
struct part {
  size_t file;
  int64_t first, count, bytes, stored;
};

/* The next file from the row on: as it was cut before if it was, and anew otherwise. */
static bool next_part(struct links *links, const struct operation *operation, int64_t first, bool smaller, struct part *part,
                      struct failure *failure) {
  int64_t target = file_target(links, operation);
  bool known = false;
  pthread_mutex_lock(&links->lock);
  const struct linked *linked = find(links, operation->handle.text);
  if (linked && linked->original_count > 0) {
    size_t file = original_of(linked, first);
    const struct original *original = &linked->originals[file];
    known = !smaller && original->first == first;
    if (known) *part = (struct part){file, first, original->count, original->bytes, original->stored};
  }
  pthread_mutex_unlock(&links->lock);
  if (known) return true;
  part->first = first;
  part->stored = -1;
  if (smaller) target = target / 2 > 0 ? target / 2 : 1;
  return storage_file_measure(&operation->result, first, target, &part->count, &part->bytes, failure);
}

/* Under the lock. */
static void remember(struct linked *linked, struct part *part) {
  const struct original *last = linked->original_count > 0 ? &linked->originals[linked->original_count - 1] : NULL;
  if (!last || part->first >= last->first + last->count) add_original(linked, part->first, part->count, part->bytes, part->stored);
  part->file = original_of(linked, part->first);
}

static bool put_link(struct links *links, struct linked *linked, struct answer *answer, const struct part *part, int64_t expires_ms,
                     struct TRowSet *rows, struct failure *failure) {
  struct fault fault = faults_take_file(links->faults, "links", (int64_t)part->file);
  if (fault.kind == FAULT_MISSING_CHUNK) return true;
  struct TSparkArrowResultLink *link = &rows->resultLinks.items[rows->resultLinks.count++];
  struct buf *url = answer_buf(answer);
  char *path = file_path(linked, part->file, part->first, part->count);
  bool good = append_link(links, path, expires_ms, ++links->serial, url);
  free(path);
  if (!good) return failure_set(failure, "INTERNAL_ERROR", "XX000", "The link of a result cannot be signed.");
  links->counts.links++;
  TCLI_SET(link, fileLink, buf_slice(url));
  TCLI_SET(link, expiryTime, expires_ms);
  TCLI_SET(link, startRowOffset, part->first);
  TCLI_SET(link, rowCount, part->count + (fault.kind == FAULT_LINK_ROW_COUNT ? 1 : 0));
  TCLI_SET(link, bytesNum, fault.kind == FAULT_LINK_BYTES ? part->bytes / 2 : part->bytes);
  link->has_httpHeaders = true;
  if (links->options.header_name) {
    link->httpHeaders.count = 1;
    link->httpHeaders.items = answer_new(answer, sizeof *link->httpHeaders.items);
    link->httpHeaders.items[0].key = slice_text(links->options.header_name);
    link->httpHeaders.items[0].value = slice_text(links->options.header_value);
  }
  if (fault.kind == FAULT_DUPLICATE_CHUNK) rows->resultLinks.items[rows->resultLinks.count++] = *link;
  return true;
}

bool links_page(struct links *links, const struct operation *operation, struct answer *answer, int64_t first, bool empty, int64_t max_bytes,
                struct TRowSet **rows, int64_t *count, struct page_sizes *sizes, struct failure *failure) {
  const struct result *result = &operation->result;
  size_t room = empty ? 0 : (size_t)links->options.per_page, parts_count = 0;
  struct part *parts = wh_new(room + 1, sizeof *parts);
  struct TRowSet *out = answer_new(answer, sizeof *out);
  int64_t at = first, total = 0, expires_ms = now_ms() + links->options.life_ms;
  bool stored = true;
  pthread_mutex_lock(&links->lock);
  const struct linked *before = find(links, operation->handle.text);
  bool refresh = before && first < before->told_to;
  pthread_mutex_unlock(&links->lock);

  bool good = true;
  for (; good && at < result->rows && parts_count < room; at += parts[parts_count++].count) {
    struct part *part = &parts[parts_count];
    good = next_part(links, operation, at, refresh && links->options.refresh_splits, part, failure);
    if (!good || (max_bytes > 0 && parts_count > 0 && total + part->bytes > max_bytes)) break;
    total += part->bytes;
    sizes->uncompressed += part->bytes;
    sizes->compressed += part->stored;
    stored = stored && part->stored >= 0;
  }

  TCLI_SET(out, startRowOffset, first);
  out->has_rows = true;
  out->has_resultLinks = true;
  out->resultLinks.items = answer_array(answer, 2 * parts_count, sizeof *out->resultLinks.items); /* one may come twice */
  struct linked *fresh = good && !before ? linked_new(operation) : NULL;
  pthread_mutex_lock(&links->lock);
  struct linked *linked = find(links, operation->handle.text);
  if (good && !linked && fresh) {
    linked = fresh;
    fresh = NULL;
    linked->next = links->first;
    links->first = linked;
  }
  good = good && linked;
  for (size_t i = 0; good && i < parts_count; i++) {
    remember(linked, &parts[i]);
    good = put_link(links, linked, answer, &parts[i], expires_ms, out, failure);
  }
  if (good) {
    links->counts.pages++;
    if (refresh) links->counts.refreshes++;
    if (at > linked->told_to) linked->told_to = at;
    linked->expires_ms = expires_ms;
  }
  pthread_mutex_unlock(&links->lock);
  if (fresh) linked_free(links, fresh);
  free(parts);
  sizes->known = first == 0 && at == result->rows;
  if (!stored) sizes->compressed = -1;
  *count = at - first;
  *rows = out;
  return good;
}

/* ---- The storage's side ---------------------------------------------------------------------------------------------------------------
 */

static bool parse_number(const char *text, int64_t *out) {
  char *end;
  if (!text || *text < '0' || *text > '9' || strlen(text) > 18) return false;
  *out = strtoll(text, &end, 10);
  return *end == '\0';
}

/* What file_path() made. Its signature has been checked. */
static bool parse_path(const char *path, struct link_target *target) {
  char made[32];
  return sscanf(path, "/local.jobs/sql/results_%31[^_]_%39[^/]/%" SCNd64 "_%" SCNd64 "_%" SCNd64, made, target->result_name, &target->file,
                &target->first, &target->count) == 5;
}

static bool is_dead(const struct links *links, const struct link_target *target) {
  for (size_t i = 0; i < links->dead_count; i++) {
    const struct dead_link *dead = &links->dead[i];
    if (dead->first == target->first && target->serial <= dead->serial && strcmp(dead->name, target->result_name) == 0) return true;
  }
  return false;
}

void links_expire(struct links *links, const struct link_target *target) {
  pthread_mutex_lock(&links->lock);
  if (links->dead_count == DEAD_LINKS) memmove(links->dead, links->dead + 1, --links->dead_count * sizeof *links->dead);
  struct dead_link *dead = &links->dead[links->dead_count++];
  memcpy(dead->name, target->result_name, sizeof dead->name);
  dead->first = target->first;
  dead->serial = target->serial;
  pthread_mutex_unlock(&links->lock);
}

enum link_verdict links_open(struct links *links, const char *path, const char *(*argument)(void *user, const char *name), void *user,
                             struct link_target *target) {
  char expected[2 * SIGNATURE_SIZE + 1];
  const char *signature = argument(user, "X-Amz-Signature");
  memset(target, 0, sizeof *target);
  target->prepared = -1;
  if (!signature || strlen(signature) != 2 * SIGNATURE_SIZE || !parse_number(argument(user, "x-expires-ms"), &target->expires_ms) ||
      !parse_number(argument(user, "x-serial"), &target->serial) || !sign(links, path, target->expires_ms, target->serial, expected) ||
      CRYPTO_memcmp(signature, expected, sizeof expected - 1) != 0 || !parse_path(path, target))
    return LINK_FORGED;
  if (now_ms() >= target->expires_ms) return LINK_EXPIRED;
  enum link_verdict verdict = LINK_UNKNOWN;
  pthread_mutex_lock(&links->lock);
  const struct linked *linked = find(links, target->result_name);
  if (is_dead(links, target)) {
    verdict = LINK_EXPIRED;
  } else if (linked) {
    size_t file = (size_t)target->file;
    const struct original *original = file < linked->original_count ? &linked->originals[file] : NULL;
    if (original && original->stored >= 0 && original->first == target->first && original->count == target->count) {
      char *name = prepared_path(links, linked, file);
      target->prepared = open(name, O_RDONLY | O_CLOEXEC); /* if it is gone, it is made again */
      free(name);
    }
    result_share(&linked->result, &target->result);
    verdict = LINK_GOOD;
  }
  pthread_mutex_unlock(&links->lock);
  return verdict;
}

void link_target_free(struct link_target *target) {
  if (target->prepared >= 0) close(target->prepared);
  target->prepared = -1;
  result_free(&target->result);
}
