/* An arena: many small blocks that die together. */
#ifndef DBSQL_BASE_ARENA_H
#define DBSQL_BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
  struct arena_block *blocks;
  size_t used; /* of the newest block */
};
#define ARENA_INIT \
  { NULL, 0 }

/* Zeroed memory aligned for any type, or NULL. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
void arena_free(struct arena *arena);

#endif
