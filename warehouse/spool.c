#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arrow/ipc_reader.h"
#include "arrow/ipc_writer.h"
#include "base/chunk.h"
#include "base/error.h"
#include "memory.h"

struct spool {
  char *folder;
  int fd;
  size_t size;
  int64_t moved; /* batches */
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

bool spool_move(struct spool *spool, struct result *result, struct failure *failure) {
  dbsql_error *error = NULL;
  if (!spool->schema && ipc_schema_from_arrow(&result->schema, &spool->schema, &error) != DBSQL_OK)
    return failure_from_library(failure, &error);
  for (; spool->moved < result->batch_count; spool->moved++) {
    struct ArrowArray *batch = &result->batches[spool->moved];
    buf_reset(&spool->message);
    if (ipc_write_batch_of(spool->schema, batch, &spool->message, &error) != DBSQL_OK) return failure_from_library(failure, &error);
    if (!write_message(spool, failure)) return false;
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
  struct ipc_reader reader;
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
  ipc_reader_init(&reader, chunk, slice_of(chunk->data, chunk->size), spool->schema);
  dbsql_status status = DBSQL_OK;
  for (int64_t i = 0; i < result->batch_count && status == DBSQL_OK; i++) status = ipc_reader_next(&reader, &result->batches[i], &error);
  ipc_reader_close(&reader);
  chunk_unref(chunk);
  return status == DBSQL_OK || failure_from_library(failure, &error);
}

void spool_free(struct spool *spool) {
  if (!spool) return;
  if (spool->fd >= 0) close(spool->fd);
  ipc_schema_unref(spool->schema);
  buf_free(&spool->message);
  free(spool->folder);
  free(spool);
}
