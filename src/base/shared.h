/* Objects with a counted number of owners, for those who keep one without knowing what it is. */
#ifndef DBSQL_BASE_SHARED_H
#define DBSQL_BASE_SHARED_H

#include <stdatomic.h>
#include <stddef.h>

/* The first member of such an object. */
struct shared {
  atomic_int owners;
  void (*destroy)(struct shared *self); /* the last owner has gone */
};

static inline void shared_init(struct shared *shared, void (*destroy)(struct shared *self)) {
  atomic_init(&shared->owners, 1);
  shared->destroy = destroy;
}
static inline void shared_keep(struct shared *shared) {
  if (shared) atomic_fetch_add_explicit(&shared->owners, 1, memory_order_relaxed);
}
/* NULL is allowed. */
static inline void shared_drop(struct shared *shared) {
  if (shared && atomic_fetch_sub_explicit(&shared->owners, 1, memory_order_acq_rel) == 1) shared->destroy(shared);
}

#endif
