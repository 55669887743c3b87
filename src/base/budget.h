/*
 * The memory that one result may take: its chunks, what has been reserved for downloads to come, and what was handed out and is
 * not released yet. Beside the limit of each budget there is one for all of the process.
 *
 * A budget never waits: who is refused tries again later, when somebody has released something. All functions may be called from
 * any thread. Memory that a chunk leaves behind is kept for the next one, since fresh memory is costly (results.md 8.3): it keeps
 * nobody from reserving, is given back before fresh memory would exceed the limit, and counts for the high-water marks. (What another
 * budget keeps does count against the limit of the process.)
 *
 * In a forked child a budget of the parent's takes no lock: what it holds can be freed, and its numbers mean nothing.
 */
#ifndef DBSQL_BASE_BUDGET_H
#define DBSQL_BASE_BUDGET_H

#include <stdbool.h>

#include "base/chunk.h"

struct budget;
/* `limit` in bytes, 0 for none. One reference; NULL if out of memory. */
struct budget *budget_new(int64_t limit);
struct budget *budget_ref(struct budget *budget);
/* NULL is allowed. Chunks hold a reference of their own. */
void budget_unref(struct budget *budget);
/* From now on no memory is kept for later. */
void budget_retire(struct budget *budget);

/* Takes `size` bytes if both limits allow it, or in any case with `force`. */
bool budget_reserve(struct budget *budget, int64_t size, bool force);
void budget_release(struct budget *budget, int64_t size);

/* A chunk as chunk_new() makes it. Its capacity counts until it is freed; it is taken out of `*reserved` (may be NULL) first, which
 * becomes smaller by that, and beyond that whatever the limits say. NULL if out of memory. */
struct chunk *budget_chunk_new(struct budget *budget, size_t capacity, int64_t *reserved);
/* chunk_grow() for such a chunk; one that was grown by chunk_grow() itself is counted by budget_chunk_recount(). */
bool budget_chunk_grow(struct chunk *chunk, size_t capacity);
void budget_chunk_recount(struct chunk *chunk, size_t old_capacity);

/* Counts a chunk that was made otherwise (one whose on_free is not set) until it is freed, whatever the limits say: it is there. */
void budget_adopt(struct budget *budget, struct chunk *chunk);

/* Chunks and reservations now, and the most there has been, kept memory included. */
int64_t budget_used(struct budget *budget);
int64_t budget_high(struct budget *budget);

/* All budgets of the process together. A limit of 0 is none. */
void budget_process_set_limit(int64_t limit);
int64_t budget_process_limit(void);
int64_t budget_process_used(void);
int64_t budget_process_high(void);

#endif
