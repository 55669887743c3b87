#include "telemetry/circuit_breaker.h"

enum { ns_per_ms = 1000000 };

const struct breaker_settings breaker_defaults = {.window = 30,
                                                  .minimum = 10,
                                                  .percent = 50,
                                                  .open_ms = 60000,
                                                  .longest_ms = 3600000,
                                                  .successes = 3,
                                                  .probe_ms = 10000,
                                                  .enabled = true};

void breaker_init(struct breaker *breaker, const struct breaker_settings *settings, uint64_t seed) {
  *breaker = (struct breaker){.settings = settings, .random = seed | 1};
}

/* xorshift64* */
static uint64_t next_random(struct breaker *breaker) {
  uint64_t x = breaker->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  breaker->random = x;
  return x * UINT64_C(2685821657736338717);
}

static void enter(struct breaker *breaker, enum breaker_state state, int64_t now_ns) {
  breaker->state = (uint8_t)state;
  breaker->generation++;
  breaker->outcomes = 0;
  breaker->count = 0;
  breaker->successes = 0;
  breaker->probing = false;
  breaker->changed_ns = now_ns;
  if (state == BREAKER_OPEN) {
    int64_t wait = breaker->settings->open_ms * ns_per_ms;
    if (breaker->hint_ns > wait) wait = breaker->hint_ns;
    breaker->wait_ns = wait + (int64_t)(next_random(breaker) % (uint64_t)(wait / 10 + 1));
  } else {
    breaker->hint_ns = 0;
  }
}

/* A probe that never came back has failed. */
static void expire_probe(struct breaker *breaker, int64_t now_ns) {
  if (!breaker->probing || now_ns - breaker->probe_ns < breaker->settings->probe_ms * ns_per_ms) return;
  breaker->hint_ns = 0;
  enter(breaker, BREAKER_OPEN, breaker->probe_ns + breaker->settings->probe_ms * ns_per_ms);
}

bool breaker_admit(struct breaker *breaker, int64_t now_ns, uint32_t *generation) {
  *generation = breaker->generation;
  if (!breaker->settings->enabled) return true;
  expire_probe(breaker, now_ns);
  if (breaker->state == BREAKER_OPEN) {
    if (now_ns - breaker->changed_ns < breaker->wait_ns) return false;
    enter(breaker, BREAKER_HALF_OPEN, now_ns);
  }
  if (breaker->state == BREAKER_HALF_OPEN) {
    if (breaker->probing) return false;
    breaker->probing = true;
    breaker->probe_ns = now_ns;
  }
  *generation = breaker->generation;
  return true;
}

int breaker_failures(const struct breaker *breaker, int *count) {
  *count = breaker->count;
  int failures = 0;
  for (uint32_t bits = breaker->outcomes; bits; bits &= bits - 1) failures++;
  return failures;
}

void breaker_report(struct breaker *breaker, int64_t now_ns, uint32_t generation, enum breaker_outcome outcome, int64_t retry_after_ms) {
  const struct breaker_settings *settings = breaker->settings;
  if (!settings->enabled || generation != breaker->generation) return;
  if (breaker->state == BREAKER_HALF_OPEN) breaker->probing = false;
  if (outcome == BREAKER_NEITHER) return;
  bool failed = outcome == BREAKER_FAILURE;
  if (failed && retry_after_ms > 0) {
    int64_t hint = retry_after_ms < settings->longest_ms ? retry_after_ms : settings->longest_ms;
    if (hint * ns_per_ms > breaker->hint_ns) breaker->hint_ns = hint * ns_per_ms;
  }
  if (!failed) breaker->hint_ns = 0;
  if (breaker->state == BREAKER_HALF_OPEN) {
    if (failed) {
      enter(breaker, BREAKER_OPEN, now_ns);
    } else if (++breaker->successes >= settings->successes) {
      enter(breaker, BREAKER_CLOSED, now_ns);
    }
    return;
  }
  if (breaker->state != BREAKER_CLOSED) return;
  uint32_t mask = settings->window >= 32 ? UINT32_MAX : (UINT32_C(1) << settings->window) - 1;
  breaker->outcomes = ((breaker->outcomes << 1) | (failed ? 1U : 0U)) & mask;
  if (breaker->count < settings->window) breaker->count++;
  int count, failures = breaker_failures(breaker, &count);
  if (count >= settings->minimum && failures * 100 >= settings->percent * count) enter(breaker, BREAKER_OPEN, now_ns);
}

int64_t breaker_next_ns(const struct breaker *breaker, int64_t now_ns) {
  if (!breaker->settings->enabled) return now_ns;
  int64_t next = now_ns;
  if (breaker->state == BREAKER_OPEN) next = breaker->changed_ns + breaker->wait_ns;
  if (breaker->state == BREAKER_HALF_OPEN && breaker->probing) next = breaker->probe_ns + breaker->settings->probe_ms * ns_per_ms;
  return next > now_ns ? next : now_ns;
}
