#include "telemetry/aggregator.h"

static const int64_t ns_per_ms = 1000000;
enum { urgent_ms = 1000, spacing_ms = 1000 };

static uint64_t next_random(struct aggregator *aggregator) {
  uint64_t x = aggregator->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  aggregator->random = x;
  return x * UINT64_C(2685821657736338717);
}

/* The interval, up to a tenth shorter or longer: processes that were started together do not stay together. */
static void draw_jitter(struct aggregator *aggregator, int64_t least, int64_t most) {
  aggregator->jitter_ns = least + (int64_t)(next_random(aggregator) % (uint64_t)(most - least + 1));
}

void aggregator_init(struct aggregator *aggregator, const struct aggregator_settings *settings, uint64_t seed) {
  *aggregator = (struct aggregator){.settings = *settings,
                                    .batch_limit = (size_t)settings->batch_size,
                                    .entry_bytes = first_entry_bytes,
                                    .urgent_ns = INT64_MAX,
                                    .asked_ns = INT64_MAX,
                                    .earliest_ns = INT64_MIN,
                                    .random = seed | 1};
  draw_jitter(aggregator, 0, settings->interval_ms * ns_per_ms - 1); /* the first round begins anywhere */
}

/* The oldest that is no error, otherwise the oldest. */
static struct pending *evict(struct aggregator *aggregator) {
  struct pending *before = NULL, *node = aggregator->first;
  while (node && node->event.tags.category != 0) {
    before = node;
    node = node->next;
  }
  if (!node) {
    before = NULL;
    node = aggregator->first;
  }
  if (before) {
    before->next = node->next;
  } else {
    aggregator->first = node->next;
  }
  if (aggregator->last == node) aggregator->last = before;
  node->next = NULL;
  aggregator->count--;
  return node;
}

struct pending *aggregator_add(struct aggregator *aggregator, struct pending *node, size_t most, int64_t now_ns) {
  node->next = NULL;
  node->queued_ns = now_ns;
  if (aggregator->last) {
    aggregator->last->next = node;
  } else {
    aggregator->first = node;
  }
  aggregator->last = node;
  aggregator->count++;
  if (node->event.urgent) {
    int64_t due = now_ns + urgent_ms * ns_per_ms;
    if (due < aggregator->urgent_ns) aggregator->urgent_ns = due;
  }
  return aggregator->count > most ? evict(aggregator) : NULL;
}

void aggregator_ask(struct aggregator *aggregator, int64_t now_ns, int64_t ms) {
  int64_t at = now_ns + ms * ns_per_ms;
  if (at < aggregator->asked_ns) aggregator->asked_ns = at;
}

int64_t aggregator_due_ns(const struct aggregator *aggregator, bool ending) {
  if (!aggregator->first) return INT64_MAX;
  if (ending) return INT64_MIN;
  int64_t due = aggregator->first->queued_ns + aggregator->jitter_ns;
  if (aggregator->urgent_ns < due) due = aggregator->urgent_ns;
  if (aggregator->asked_ns < due) due = aggregator->asked_ns;
  if (aggregator->count >= aggregator->batch_limit || aggregator->count * aggregator->entry_bytes >= batch_bytes) due = INT64_MIN;
  return due > aggregator->earliest_ns ? due : aggregator->earliest_ns;
}

struct pending *aggregator_take(struct aggregator *aggregator, int64_t now_ns, size_t *count) {
  struct pending *list = aggregator->first, *last = NULL;
  size_t most = aggregator->batch_limit;
  if (most * aggregator->entry_bytes > pending_bytes) most = pending_bytes / aggregator->entry_bytes;
  if (most == 0) most = 1;
  *count = 0;
  while (*count < most && (last ? last->next : list)) {
    last = last ? last->next : list;
    ++*count;
  }
  if (!last) return NULL;
  aggregator->first = last->next;
  if (!aggregator->first) aggregator->last = NULL;
  last->next = NULL;
  aggregator->count -= *count;
  aggregator->earliest_ns = now_ns + spacing_ms * ns_per_ms;
  int64_t interval = aggregator->settings.interval_ms * ns_per_ms;
  draw_jitter(aggregator, interval - interval / 10, interval + interval / 10);
  if (!aggregator->first) aggregator->urgent_ns = aggregator->asked_ns = INT64_MAX;
  return list;
}

void aggregator_put_back(struct aggregator *aggregator, struct pending *list) {
  if (!list) return;
  struct pending *last = list;
  size_t count = 1;
  for (; last->next; last = last->next) count++;
  last->next = aggregator->first;
  aggregator->first = list;
  if (!aggregator->last) aggregator->last = last;
  aggregator->count += count;
}
