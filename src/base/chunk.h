/* A counted block of bytes: what was received or decompressed, kept alive by the batches that point into it. */
#ifndef DBSQL_BASE_CHUNK_H
#define DBSQL_BASE_CHUNK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct chunk {
  atomic_int refs;
  uint8_t *data; /* 64-byte aligned */
  size_t size;   /* bytes in use */
  size_t capacity;
  /* Called once, just before the memory goes: the memory budget's hook. From any thread. May take `data` away (set it to NULL). */
  void (*on_free)(struct chunk *chunk, void *user);
  void *on_free_user;
};

/* One reference, size 0. NULL if out of memory. */
struct chunk *chunk_new(size_t capacity);
/* The same around memory of mem_alloc_aligned(), which it takes over unless it fails. */
struct chunk *chunk_adopt(uint8_t *data, size_t capacity);
/* Grows `*chunk`, which must have one reference, to at least `capacity`, keeping its bytes. False if out of memory. */
int chunk_grow(struct chunk *chunk, size_t capacity);
struct chunk *chunk_ref(struct chunk *chunk);
/* NULL is allowed. */
void chunk_unref(struct chunk *chunk);

#endif
