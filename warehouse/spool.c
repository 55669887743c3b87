#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arrow/ipc_reader.h"
#include "arrow/ipc_writer.h"
#include "arrow/xxh32.h"
#include "base/chunk.h"
#include "base/error.h"
#include "memory.h"

/* Where a batch lies in the file. */
struct place {
  size_t at;
  size_t size;
  uint32_t hash;
};

struct spool {
  char *folder;
  int fd;
  size_t size;
  int64_t moved; /* batches */
  struct place *places;
  int64_t *table; /* open addressing by hash: indices of different batches in `places`, or -1 */
  size_t table_size;
  size_t different;
  struct ipc_schema *schema;
  struct buf message;
};

static bool fail(const struct spool *spool, const char *what, struct failure *failure) {
  return failure_set(failure, "INTERNAL_ERROR", "58030", "The warehouse cannot %s a file for a large result in %s: %s", what, spool->folder,
                     strerror(errno));
}

struct spool *spool_new(const char *folder, struct failure *failure) {
  struct spool *spool = wh_new(1, sizeof *spool);
  char *path = wh_print("%s/result-XXXXXX", folder);
  spool->folder = wh_copy(folder);
  spool->fd = mkstemp(path);
  if (spool->fd < 0) {
    fail(spool, "make", failure);
    spool_free(spool);
    spool = NULL;
  } else {
    unlink(path);
    fcntl(spool->fd, F_SETFD, FD_CLOEXEC);
  }
  free(path);
  return spool;
}

static bool write_message(struct spool *spool, struct failure *failure) {
  for (size_t at = 0; at < spool->message.size;) {
    ssize_t done = write(spool->fd, spool->message.data + at, spool->message.size - at);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return fail(spool, "write", failure);
    at += (size_t)done;
  }
  spool->size += spool->message.size;
  return true;
}

/* Whether the message is what the file holds there. If it cannot be read it is not, and will be written. */
static bool is_there(const struct spool *spool, const struct place *place) {
  uint8_t part[16384];
  for (size_t at = 0; at < place->size;) {
    size_t wanted = place->size - at < sizeof part ? place->size - at : sizeof part;
    ssize_t got = pread(spool->fd, part, wanted, (off_t)(place->at + at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || memcmp(part, spool->message.data + at, (size_t)got) != 0) return false;
    at += (size_t)got;
  }
  return true;
}

static void enlarge_table(struct spool *spool) {
  size_t size = spool->table_size ? spool->table_size * 2 : 256;
  int64_t *table = wh_new(size, sizeof *table);
  for (size_t i = 0; i < size; i++) table[i] = -1;
  for (size_t i = 0; i < spool->table_size; i++) {
    if (spool->table[i] < 0) continue;
    size_t k = spool->places[spool->table[i]].hash & (size - 1);
    while (table[k] >= 0) k = (k + 1) & (size - 1);
    table[k] = spool->table[i];
  }
  free(spool->table);
  spool->table = table;
  spool->table_size = size;
}

/* Writes the message of the batch that is next, unless an earlier one is the same. */
static bool place_message(struct spool *spool, struct failure *failure) {
  struct place place = {spool->size, spool->message.size, xxh32(spool->message.data, spool->message.size)};
  if (spool->different * 2 >= spool->table_size) enlarge_table(spool);
  size_t k = place.hash & (spool->table_size - 1);
  const struct place *same = NULL;
  for (; spool->table[k] >= 0 && !same; k = (k + 1) & (spool->table_size - 1)) {
    const struct place *other = &spool->places[spool->table[k]];
    if (other->hash == place.hash && other->size == place.size && is_there(spool, other)) same = other;
  }
  if (same) {
    place.at = same->at;
  } else {
    if (!write_message(spool, failure)) return false;
    spool->table[k] = spool->moved;
    spool->different++;
  }
  spool->places = wh_grow(spool->places, (size_t)spool->moved + 1, sizeof *spool->places);
  spool->places[spool->moved] = place;
  return true;
}

bool spool_move(struct spool *spool, struct result *result, struct failure *failure) {
  dbsql_error *error = NULL;
  if (!spool->schema && ipc_schema_from_arrow(&result->schema, &spool->schema, &error) != DBSQL_OK)
    return failure_from_library(failure, &error);
  for (; spool->moved < result->batch_count; spool->moved++) {
    struct ArrowArray *batch = &result->batches[spool->moved];
    buf_reset(&spool->message);
    if (ipc_write_batch_of(spool->schema, batch, &spool->message, &error) != DBSQL_OK) return failure_from_library(failure, &error);
    if (!place_message(spool, failure)) return false;
    batch->release(batch);
  }
  return true;
}

static void unmap(struct chunk *chunk, void *user) {
  (void)user;
  munmap(chunk->data, chunk->capacity);
  chunk->data = NULL;
}

bool spool_finish(struct spool *spool, struct result *result, struct failure *failure) {
  dbsql_error *error = NULL;
  if (!spool_move(spool, result, failure)) return false;
  if (spool->size == 0) return true;
  void *bytes = mmap(NULL, spool->size, PROT_READ, MAP_PRIVATE, spool->fd, 0);
  if (bytes == MAP_FAILED) return fail(spool, "map", failure);
  struct chunk *chunk = chunk_adopt(bytes, spool->size);
  if (!chunk) {
    munmap(bytes, spool->size);
    errno = ENOMEM;
    return fail(spool, "map", failure);
  }
  chunk->size = spool->size;
  chunk->on_free = unmap;
  dbsql_status status = DBSQL_OK;
  for (int64_t i = 0; i < result->batch_count && status == DBSQL_OK; i++) {
    struct ipc_reader reader;
    ipc_reader_init(&reader, chunk, slice_of(chunk->data + spool->places[i].at, spool->places[i].size), spool->schema);
    status = ipc_reader_next(&reader, &result->batches[i], &error);
    ipc_reader_close(&reader);
  }
  chunk_unref(chunk);
  return status == DBSQL_OK || failure_from_library(failure, &error);
}

void spool_free(struct spool *spool) {
  if (!spool) return;
  if (spool->fd >= 0) close(spool->fd);
  ipc_schema_unref(spool->schema);
  buf_free(&spool->message);
  free(spool->places);
  free(spool->table);
  free(spool->folder);
  free(spool);
}
