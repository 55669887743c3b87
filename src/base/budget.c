#include "base/budget.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum {
  kept_blocks = 8,
  smallest_kept = 64 << 10 /* smaller blocks are cheap anyway */
};

struct block {
  uint8_t *data;
  size_t capacity;
};

struct budget {
  atomic_int refs;
  pid_t pid; /* of the process whose it is */
  pthread_mutex_t lock;
  int64_t limit;
  int64_t chunks;   /* capacities of chunks that live */
  int64_t reserved; /* promised, and no memory yet */
  int64_t kept;     /* memory without a chunk: in the way of nothing but fresh memory */
  int64_t high;
  struct block blocks[kept_blocks];
  int block_count;
  bool retired;
};

/* What all budgets count, kept memory included. */
static atomic_int_fast64_t process_limit, process_used, process_high;

static void raise_high(int64_t all) {
  int_fast64_t seen = atomic_load_explicit(&process_high, memory_order_relaxed);
  while (seen < all && !atomic_compare_exchange_weak(&process_high, &seen, all)) {
  }
}

static void count_process(int64_t change) {
  int64_t all = (int64_t)atomic_fetch_add(&process_used, change) + change;
  if (change > 0) raise_high(all);
}

static bool process_allows(int64_t change) {
  int_fast64_t limit = atomic_load(&process_limit), all = atomic_load(&process_used);
  do {
    if (limit > 0 && (change > limit || all > limit - change)) return false;
  } while (!atomic_compare_exchange_weak(&process_used, &all, all + change));
  raise_high((int64_t)all + change);
  return true;
}

/* False in a forked child: a thread of the parent may have held the lock, and will never give it back there. */
static bool enter(struct budget *budget) {
  if (budget->pid != getpid()) return false;
  pthread_mutex_lock(&budget->lock);
  return true;
}

static void leave(struct budget *budget) {
  pthread_mutex_unlock(&budget->lock);
}

/* The rest of the static functions run with the lock held. */

static int64_t used(const struct budget *budget) {
  return budget->chunks + (budget->reserved > budget->kept ? budget->reserved : budget->kept);
}

static void note_high(struct budget *budget) {
  int64_t now = used(budget);
  if (now > budget->high) budget->high = now;
}

static void drop_block(struct budget *budget, int i) {
  struct block block = budget->blocks[i];
  budget->blocks[i] = budget->blocks[--budget->block_count];
  budget->kept -= (int64_t)block.capacity;
  count_process(-(int64_t)block.capacity);
  mem_free_aligned(block.data);
}

static void drop_all_blocks(struct budget *budget) {
  while (budget->block_count > 0) drop_block(budget, budget->block_count - 1);
}

struct budget *budget_new(int64_t limit) {
  struct budget *budget = mem_alloc_zero(1, sizeof *budget);
  if (!budget) return NULL;
  if (pthread_mutex_init(&budget->lock, NULL) != 0) {
    mem_free(budget);
    return NULL;
  }
  atomic_init(&budget->refs, 1);
  budget->pid = getpid();
  budget->limit = limit;
  return budget;
}

struct budget *budget_ref(struct budget *budget) {
  atomic_fetch_add_explicit(&budget->refs, 1, memory_order_relaxed);
  return budget;
}

void budget_unref(struct budget *budget) {
  if (!budget || atomic_fetch_sub_explicit(&budget->refs, 1, memory_order_acq_rel) != 1) return;
  if (budget->pid == getpid()) {
    drop_all_blocks(budget);
    count_process(-budget->reserved); /* nothing, unless one was forgotten */
    pthread_mutex_destroy(&budget->lock);
  }
  mem_free(budget);
}

void budget_retire(struct budget *budget) {
  if (!enter(budget)) return;
  budget->retired = true;
  drop_all_blocks(budget);
  leave(budget);
}

bool budget_reserve(struct budget *budget, int64_t size, bool force) {
  if (!enter(budget)) {
    if (force) count_process(size);
    return force;
  }
  int64_t taken = budget->chunks + budget->reserved;
  bool granted = budget->limit <= 0 || (size <= budget->limit && taken <= budget->limit - size);
  if (granted && !process_allows(size)) {
    drop_all_blocks(budget);
    granted = process_allows(size);
  }
  if (!granted && force) {
    count_process(size);
    granted = true;
  }
  if (granted) budget->reserved += size;
  note_high(budget);
  leave(budget);
  return granted;
}

void budget_release(struct budget *budget, int64_t size) {
  if (size == 0) return;
  count_process(-size);
  if (!enter(budget)) return;
  budget->reserved -= size;
  leave(budget);
}

/* The smallest kept block that is large enough, unless it is far too large; -1 if there is none. */
static int find_block(const struct budget *budget, size_t capacity) {
  int best = -1;
  for (int i = 0; i < budget->block_count; i++) {
    size_t has = budget->blocks[i].capacity;
    if (has >= capacity && has / 2 <= capacity && (best < 0 || has < budget->blocks[best].capacity)) best = i;
  }
  return best;
}

static void chunk_freed(struct chunk *chunk, void *user) {
  struct budget *budget = user;
  int64_t size = (int64_t)chunk->capacity;
  bool keep = false;
  if (enter(budget)) {
    budget->chunks -= size;
    int_fast64_t limit = atomic_load(&process_limit);
    keep = !budget->retired && budget->block_count < kept_blocks && chunk->capacity >= smallest_kept &&
           (budget->limit <= 0 || budget->chunks + budget->kept + size <= budget->limit) &&
           (limit <= 0 || atomic_load(&process_used) <= limit);
    if (keep) {
      budget->blocks[budget->block_count++] = (struct block){chunk->data, chunk->capacity};
      budget->kept += size;
      chunk->data = NULL;
      note_high(budget);
    }
    leave(budget);
  }
  if (!keep) count_process(-size);
  budget_unref(budget);
}

struct chunk *budget_chunk_new(struct budget *budget, size_t capacity, int64_t *reserved) {
  struct block block = {NULL, 0};
  if (!enter(budget)) return chunk_new(capacity);
  int found = find_block(budget, capacity);
  if (found >= 0) {
    /* It moves from the kept ones to the chunks at once: in between it belongs to nobody. */
    block = budget->blocks[found];
    budget->blocks[found] = budget->blocks[--budget->block_count];
    budget->kept -= (int64_t)block.capacity;
    budget->chunks += (int64_t)block.capacity;
  } else {
    /* Kept memory is of no use then, if there would be too much of it. */
    while (budget->block_count > 0 && budget->limit > 0 && budget->chunks + budget->kept > budget->limit - (int64_t)capacity) {
      drop_block(budget, budget->block_count - 1);
    }
  }
  leave(budget);
  struct chunk *chunk = block.data ? chunk_adopt(block.data, block.capacity) : chunk_new(capacity);
  pthread_mutex_lock(&budget->lock);
  if (!chunk && block.data) {
    budget->chunks -= (int64_t)block.capacity;
    count_process(-(int64_t)block.capacity);
  } else if (chunk && !block.data) {
    budget->chunks += (int64_t)chunk->capacity;
    count_process((int64_t)chunk->capacity);
  }
  if (chunk && reserved && *reserved > 0) {
    int64_t from = *reserved < (int64_t)chunk->capacity ? *reserved : (int64_t)chunk->capacity;
    *reserved -= from;
    budget->reserved -= from;
    count_process(-from);
  }
  note_high(budget);
  leave(budget);
  if (!chunk) {
    mem_free_aligned(block.data);
    return NULL;
  }
  chunk->on_free = chunk_freed;
  chunk->on_free_user = budget_ref(budget);
  return chunk;
}

static void adopted_freed(struct chunk *chunk, void *user) {
  struct budget *budget = user;
  budget_release(budget, (int64_t)chunk->capacity);
  budget_unref(budget);
}

void budget_adopt(struct budget *budget, struct chunk *chunk) {
  budget_reserve(budget, (int64_t)chunk->capacity, true);
  chunk->on_free = adopted_freed;
  chunk->on_free_user = budget_ref(budget);
}

void budget_chunk_recount(struct chunk *chunk, size_t old_capacity) {
  struct budget *budget = chunk->on_free_user;
  int64_t change = (int64_t)chunk->capacity - (int64_t)old_capacity;
  if (change == 0 || !budget || !enter(budget)) return;
  budget->chunks += change;
  count_process(change);
  note_high(budget);
  leave(budget);
}

bool budget_chunk_grow(struct chunk *chunk, size_t capacity) {
  size_t old_capacity = chunk->capacity;
  if (!chunk_grow(chunk, capacity)) return false;
  budget_chunk_recount(chunk, old_capacity);
  return true;
}

int64_t budget_used(struct budget *budget) {
  bool ours = enter(budget);
  int64_t now = budget->chunks + budget->reserved;
  if (ours) leave(budget);
  return now;
}

int64_t budget_high(struct budget *budget) {
  bool ours = enter(budget);
  int64_t high = budget->high;
  if (ours) leave(budget);
  return high;
}

void budget_process_set_limit(int64_t limit) {
  atomic_store(&process_limit, limit);
}

int64_t budget_process_limit(void) {
  return (int64_t)atomic_load(&process_limit);
}

int64_t budget_process_used(void) {
  return (int64_t)atomic_load(&process_used);
}

int64_t budget_process_high(void) {
  return (int64_t)atomic_load(&process_high);
}
