#include "http/tls_bundle.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#include <sys/types.h>
#include <unistd.h>

#include "base/mem.h"

struct tls_bundle {
  struct tls_bundle *next;
  size_t owners;
  pid_t pid; /* of the process that made it */
  struct buf pem;
  int fd; /* -1: no file */
  char path[40];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tls_bundle *bundles; /* that live; guarded by `lock` */

static void make_file(struct tls_bundle *bundle) {
  bundle->fd = -1;
#if defined(__linux__)
  int fd = memfd_create("dbsql-certificates", MFD_CLOEXEC);
  if (fd < 0) return;
  for (size_t at = 0; at < bundle->pem.size;) {
    ssize_t written = write(fd, bundle->pem.data + at, bundle->pem.size - at);
    if (written <= 0) {
      close(fd);
      return;
    }
    at += (size_t)written;
  }
  snprintf(bundle->path, sizeof bundle->path, "/proc/self/fd/%d", fd);
  if (access(bundle->path, R_OK) == 0) {
    bundle->fd = fd;
  } else {
    close(fd); /* no /proc here */
  }
#endif
}

static struct tls_bundle *find(const struct buf *pem) {
  pid_t pid = getpid();
  for (struct tls_bundle *bundle = bundles; bundle; bundle = bundle->next) {
    if (bundle->pid == pid && bundle->pem.size == pem->size && memcmp(bundle->pem.data, pem->data, pem->size) == 0) return bundle;
  }
  return NULL;
}

dbsql_status tls_bundle_share(struct buf *pem, struct tls_bundle **out, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  *out = NULL;
  pthread_mutex_lock(&lock);
  struct tls_bundle *bundle = find(pem);
  if (bundle) {
    bundle->owners++;
    buf_free(pem);
  } else if ((bundle = mem_alloc_zero(1, sizeof *bundle)) != NULL) {
    bundle->owners = 1;
    bundle->pid = getpid();
    bundle->pem = *pem;
    *pem = (struct buf)BUF_INIT;
    make_file(bundle);
    bundle->next = bundles;
    bundles = bundle;
  } else {
    buf_free(pem);
    status = error_no_memory(error);
  }
  pthread_mutex_unlock(&lock);
  *out = bundle;
  return status;
}

void tls_bundle_free(struct tls_bundle *bundle) {
  /* A forked child leaves it: another thread of the parent may have held the lock. */
  if (!bundle || bundle->pid != getpid()) return;
  pthread_mutex_lock(&lock);
  bool last = --bundle->owners == 0;
  for (struct tls_bundle **link = &bundles; last && *link; link = &(*link)->next) {
    if (*link != bundle) continue;
    *link = bundle->next;
    break;
  }
  pthread_mutex_unlock(&lock);
  if (!last) return;
  if (bundle->fd >= 0) close(bundle->fd);
  buf_free(&bundle->pem);
  mem_free(bundle);
}

struct slice tls_bundle_pem(const struct tls_bundle *bundle) {
  return buf_slice(&bundle->pem);
}

const char *tls_bundle_path(const struct tls_bundle *bundle) {
  return bundle->fd >= 0 ? bundle->path : NULL;
}
