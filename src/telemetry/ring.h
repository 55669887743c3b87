/*
 * The ring between those who record and the one who exports (telemetry.md 11.4): bounded, any number of producers, one consumer, no
 * locks and no waiting. A full ring refuses. The last sixteenth is for records that matter more than others: errors and connections.
 *
 * A producer claims a place, fills it and publishes it; the consumer takes places in the order of the claims. Whoever frees what events
 * point to notes ring_position() after the last claim that can point there, and waits until ring_consumed() has reached it.
 */
#ifndef DBSQL_TELEMETRY_RING_H
#define DBSQL_TELEMETRY_RING_H

#include <stdalign.h>
#include <stdatomic.h>

#include "telemetry/event.h"

enum { ring_size = 4096, ring_reserve = ring_size / 16 };

struct ring_cell {
  alignas(64) atomic_uint_fast64_t turn; /* the position that may claim it, or that plus one once it is filled */
  struct ring_event event;
};

struct ring {
  alignas(64) atomic_uint_fast64_t tail; /* claims */
  alignas(64) atomic_uint_fast64_t head; /* taken */
  alignas(64) struct ring_cell cells[ring_size];
};

static inline void ring_init(struct ring *ring) {
  atomic_init(&ring->tail, 0);
  atomic_init(&ring->head, 0);
  for (uint64_t i = 0; i < ring_size; i++) atomic_init(&ring->cells[i].turn, i);
}

/* A place to fill, or NULL if there is none. */
static inline struct ring_cell *ring_claim(struct ring *ring, bool matters, uint64_t *position) {
  uint64_t at = atomic_load_explicit(&ring->tail, memory_order_relaxed);
  for (int attempts = 0; attempts < 10000; attempts++) { /* nobody is kept here, whatever happens */
    struct ring_cell *cell = &ring->cells[at % ring_size];
    int64_t ahead = (int64_t)(atomic_load_explicit(&cell->turn, memory_order_acquire) - at);
    if (ahead < 0) return NULL;
    if (ahead > 0) {
      at = atomic_load_explicit(&ring->tail, memory_order_relaxed);
      continue;
    }
    if (!matters && at - atomic_load_explicit(&ring->head, memory_order_relaxed) >= ring_size - ring_reserve) return NULL;
    if (atomic_compare_exchange_weak_explicit(&ring->tail, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
      *position = at;
#if defined(__GNUC__)
      __builtin_prefetch(&ring->cells[(at + 4) % ring_size], 1); /* the next ones will want it */
#endif
      return cell;
    }
  }
  return NULL;
}

static inline void ring_publish(struct ring_cell *cell, uint64_t position) {
  atomic_store_explicit(&cell->turn, position + 1, memory_order_release);
}

/* The consumer's: the oldest event, or NULL if there is none that has been published. */
static inline struct ring_event *ring_peek(struct ring *ring) {
  uint64_t at = atomic_load_explicit(&ring->head, memory_order_relaxed);
  struct ring_cell *cell = &ring->cells[at % ring_size];
  return atomic_load_explicit(&cell->turn, memory_order_acquire) == at + 1 ? &cell->event : NULL;
}

static inline void ring_pop(struct ring *ring) {
  uint64_t at = atomic_load_explicit(&ring->head, memory_order_relaxed);
  atomic_store_explicit(&ring->cells[at % ring_size].turn, at + ring_size, memory_order_release);
  atomic_store_explicit(&ring->head, at + 1, memory_order_relaxed);
}

static inline uint64_t ring_position(struct ring *ring) {
  return atomic_load_explicit(&ring->tail, memory_order_acquire);
}
static inline uint64_t ring_consumed(struct ring *ring) {
  return atomic_load_explicit(&ring->head, memory_order_acquire);
}

#endif
