#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

struct arena_block {
  struct arena_block *next;
  size_t capacity;
};

enum { header_size = (sizeof(struct arena_block) + 15) & ~(size_t)15, first_block = 4000, largest_block = 64 * 1024 };

void *arena_alloc(struct arena *arena, size_t count, size_t size) {
  if (size != 0 && count > (SIZE_MAX - 4096) / size) return NULL;
  size_t needed = (count * size + 15) & ~(size_t)15;
  struct arena_block *block = arena->blocks;
  if (!block || needed > block->capacity - arena->used) {
    size_t capacity = block ? block->capacity * 2 : first_block;
    if (capacity > largest_block) capacity = largest_block;
    if (capacity < needed) capacity = needed;
    struct arena_block *fresh = mem_alloc(header_size + capacity);
    if (!fresh) return NULL;
    fresh->next = block;
    fresh->capacity = capacity;
    arena->blocks = block = fresh;
    arena->used = 0;
  }
  void *start = (uint8_t *)block + header_size + arena->used;
  arena->used += needed;
  memset(start, 0, needed);
  return start;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length) {
  if (length == SIZE_MAX) return NULL;
  char *copy = arena_alloc(arena, length + 1, 1);
  if (copy && length != 0) memcpy(copy, text, length);
  return copy;
}

void arena_free(struct arena *arena) {
  struct arena_block *block = arena->blocks;
  while (block) {
    struct arena_block *next = block->next;
    mem_free(block);
    block = next;
  }
  *arena = (struct arena)ARENA_INIT;
}
