#include "base/chunk.h"

#include <string.h>

#include "base/mem.h"

struct chunk *chunk_adopt(uint8_t *data, size_t capacity) {
  struct chunk *chunk = mem_alloc_zero(1, sizeof *chunk);
  if (!chunk) return NULL;
  atomic_init(&chunk->refs, 1);
  chunk->data = data;
  chunk->capacity = capacity;
  return chunk;
}

struct chunk *chunk_new(size_t capacity) {
  uint8_t *data = mem_alloc_aligned(capacity);
  struct chunk *chunk = data ? chunk_adopt(data, capacity) : NULL;
  if (!chunk) mem_free_aligned(data);
  return chunk;
}

int chunk_grow(struct chunk *chunk, size_t capacity) {
  if (capacity <= chunk->capacity) return 1;
  uint8_t *data = mem_alloc_aligned(capacity);
  if (!data) return 0;
  if (chunk->size != 0) memcpy(data, chunk->data, chunk->size);
  mem_free_aligned(chunk->data);
  chunk->data = data;
  chunk->capacity = capacity;
  return 1;
}

struct chunk *chunk_ref(struct chunk *chunk) {
  atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
  return chunk;
}

void chunk_unref(struct chunk *chunk) {
  if (!chunk || atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) != 1) return;
  if (chunk->on_free) chunk->on_free(chunk, chunk->on_free_user);
  mem_free_aligned(chunk->data);
  mem_free(chunk);
}
