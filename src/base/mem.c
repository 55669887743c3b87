#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void *default_allocate(void *user, size_t size) {
  (void)user;
  return malloc(size);
}

static void *default_reallocate(void *user, void *block, size_t size) {
  (void)user;
  return realloc(block, size);
}

static void default_release(void *user, void *block) {
  (void)user;
  free(block);
}

static const dbsql_allocator default_allocator = {default_allocate, default_reallocate, default_release, NULL};
static dbsql_allocator allocator = {default_allocate, default_reallocate, default_release, NULL};

static atomic_bool used;
static atomic_uint_fast64_t fail_countdown;
static atomic_bool fail_struck;
static atomic_int_fast64_t live_blocks;

bool mem_set_allocator(const dbsql_allocator *replacement) {
  if (atomic_load_explicit(&used, memory_order_acquire)) return false;
  allocator = replacement ? *replacement : default_allocator;
  return true;
}

void mem_test_fail_at(uint64_t countdown) {
  atomic_store(&fail_struck, false);
  atomic_store(&fail_countdown, countdown);
}

bool mem_test_failed(void) {
  return atomic_load(&fail_struck);
}

int64_t mem_test_live_blocks(void) {
  return (int64_t)atomic_load(&live_blocks);
}

/* True if this allocation is the one that a test wants to fail. */
static bool must_fail(void) {
  uint_fast64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
  while (left != 0) {
    if (atomic_compare_exchange_weak(&fail_countdown, &left, left - 1)) {
      if (left == 1) atomic_store(&fail_struck, true);
      return left == 1;
    }
  }
  return false;
}

void *mem_alloc(size_t size) {
  if (!atomic_load_explicit(&used, memory_order_relaxed)) atomic_store_explicit(&used, true, memory_order_release);
  if (must_fail()) return NULL;
  void *block = allocator.allocate(allocator.user, size ? size : 1);
  if (block) atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
  return block;
}

void *mem_alloc_zero(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) return NULL;
  void *block = mem_alloc(count * size);
  if (block) memset(block, 0, count * size);
  return block;
}

void *mem_realloc(void *block, size_t size) {
  if (!block) return mem_alloc(size);
  if (must_fail()) return NULL;
  return allocator.reallocate(allocator.user, block, size ? size : 1);
}

void *mem_realloc_array(void *block, size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) return NULL;
  return mem_realloc(block, count * size);
}

void mem_free(void *block) {
  if (!block) return;
  atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
  allocator.release(allocator.user, block);
}

char *mem_strndup(const char *text, size_t length) {
  if (length == SIZE_MAX) return NULL;
  char *copy = mem_alloc(length + 1);
  if (!copy) return NULL;
  if (length != 0) memcpy(copy, text, length);
  copy[length] = 0;
  return copy;
}

char *mem_strdup(const char *text) {
  return mem_strndup(text, strlen(text));
}

/* The byte before an aligned block says how far it lies from the start of the allocation. */
void *mem_alloc_aligned(size_t size) {
  if (size > SIZE_MAX - 64) return NULL;
  uint8_t *block = mem_alloc(size + 64);
  if (!block) return NULL;
  size_t shift = 64 - ((uintptr_t)block & 63);
  block[shift - 1] = (uint8_t)shift;
  return block + shift;
}

void mem_free_aligned(void *block) {
  if (!block) return;
  uint8_t *aligned = block;
  mem_free(aligned - aligned[-1]);
}

void mem_wipe(void *block, size_t size) {
  memset(block, 0, size);
  /* Says that somebody may look at the memory, so that the line above stays. */
  __asm__ volatile("" : : "r"(block) : "memory");
}

void mem_free_secret(char *text) {
  if (!text) return;
  mem_wipe(text, strlen(text));
  mem_free(text);
}
