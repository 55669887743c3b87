/*
 * Records that wait to be sent together, and when that is (telemetry.md 6.7): when there are enough of them, when the oldest has waited
 * long enough, when they fill a request, a second after an error that trying again does not cure, when somebody asks. Never more often than
 * once a second, unless everything ends.
 *
 * Plain data without a lock: the owner has one.
 */
#ifndef DBSQL_TELEMETRY_AGGREGATOR_H
#define DBSQL_TELEMETRY_AGGREGATOR_H

#include "telemetry/event.h"

enum { pending_most = 1000, pending_undecided_most = 64, pending_bytes = 1 << 20, batch_bytes = 256 << 10, first_entry_bytes = 1200 };

/* Events are handed on as nodes; the owner allocates and frees them. */
struct pending {
  struct pending *next;
  int64_t queued_ns;
  uint8_t attempts;
  struct telemetry_event event;
};

struct aggregator_settings {
  int batch_size;
  int64_t interval_ms;
};

struct aggregator {
  struct pending *first, *last;
  size_t count;
  size_t batch_limit;  /* at most so many at once: halved when a server finds a request too large */
  size_t entry_bytes;  /* of an average entry, as the last batch had it */
  int64_t urgent_ns;   /* when an error is due; INT64_MAX */
  int64_t asked_ns;    /* when somebody has asked; INT64_MAX */
  int64_t jitter_ns;   /* of this round */
  int64_t earliest_ns; /* no batch before, unless everything ends */
  uint64_t random;
  struct aggregator_settings settings;
};

void aggregator_init(struct aggregator *aggregator, const struct aggregator_settings *settings, uint64_t seed);
/* Takes the node over. Returns the one that had to go if there are more than `most`: the oldest that is no error, for the caller to
 * free; NULL if none. */
struct pending *aggregator_add(struct aggregator *aggregator, struct pending *node, size_t most, int64_t now_ns);
/* What is there is to be sent within `ms`. */
void aggregator_ask(struct aggregator *aggregator, int64_t now_ns, int64_t ms);
/* When the next batch is due; INT64_MAX while nothing waits. `ending`: at once. */
int64_t aggregator_due_ns(const struct aggregator *aggregator, bool ending);
/* The next batch, a list, and `*count` of it. What was asked for is done with once nothing is left. */
struct pending *aggregator_take(struct aggregator *aggregator, int64_t now_ns, size_t *count);
/* A list back to the head, in its order. */
void aggregator_put_back(struct aggregator *aggregator, struct pending *list);

#endif
