/* Memory: the one door to the allocator, so that a host can replace it and a test can make it fail. */
#ifndef DBSQL_BASE_MEM_H
#define DBSQL_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbsql/dbsql.h>

/* All return NULL when out of memory, also for a size that overflows. A size of 0 gives a block that must be freed. */
void *mem_alloc(size_t size);
void *mem_alloc_zero(size_t count, size_t size);
void *mem_realloc(void *block, size_t size);
/* `count` elements of `size` bytes, with the multiplication checked. */
void *mem_realloc_array(void *block, size_t count, size_t size);
void mem_free(void *block);
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t length);

/* A block whose address is a multiple of 64, to be freed with mem_free_aligned(). */
void *mem_alloc_aligned(size_t size);
void mem_free_aligned(void *block);

/* Overwrites before freeing; the compiler may not leave it out. */
void mem_wipe(void *block, size_t size);
void mem_free_secret(char *text);

bool mem_set_allocator(const dbsql_allocator *allocator);

/* For tests: the n-th allocation from now on fails, once (countdown 1 = the next). 0 switches it off. Returns whether the
 * last armed failure has struck. Affects all threads. */
void mem_test_fail_at(uint64_t countdown);
bool mem_test_failed(void);
/* Blocks allocated and not freed. */
int64_t mem_test_live_blocks(void);

#endif
