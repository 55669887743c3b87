/*
 * The circuit breaker: stops asking an endpoint that keeps failing, and finds out carefully whether it is back (telemetry.md 5).
 *
 * Closed: calls go through; when at least half of the last 30, and at least 10, have failed, it opens. Open: no call for 60 s, or as
 * long as the server asked (at most an hour), and up to a tenth longer by chance. Half-open: one probe at a time; three successes in a
 * row close it, one failure opens it again. A call belongs to the generation it was let through in: what it brings after the state
 * has changed says nothing about the new one.
 *
 * The original design took 20 calls as the least and 30 s as the wait.
 *
 * Plain data without a lock: the owner has one.
 */
#ifndef DBSQL_TELEMETRY_CIRCUIT_BREAKER_H
#define DBSQL_TELEMETRY_CIRCUIT_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

enum breaker_outcome {
  BREAKER_SUCCESS,
  BREAKER_FAILURE, /* 408, 425, 429, 5xx, time limit, name, connection, TLS */
  BREAKER_NEITHER  /* says nothing about the endpoint: cancelled, no token, a batch of ours that was wrong */
};

struct breaker_settings {
  int window;  /* calls, at most 32 */
  int minimum; /* calls before the rate counts */
  int percent; /* of failures that open it */
  int64_t open_ms;
  int64_t longest_ms; /* what a server may ask for */
  int successes;      /* that close it */
  int64_t probe_ms;   /* after this a probe counts as failed */
  bool enabled;       /* false: everything goes through */
};
extern const struct breaker_settings breaker_defaults;

struct breaker {
  const struct breaker_settings *settings; /* borrowed */
  uint32_t outcomes;                       /* the newest in bit 0; 1 is a failure */
  uint8_t count;
  uint8_t successes; /* of the probes */
  uint8_t state;     /* enum breaker_state */
  bool probing;
  uint32_t generation;
  int64_t changed_ns; /* when it opened */
  int64_t wait_ns;    /* how long it stays open */
  int64_t hint_ns;    /* what the server asked for with the failures of this state */
  int64_t probe_ns;   /* when the probe began */
  uint64_t random;
};

void breaker_init(struct breaker *breaker, const struct breaker_settings *settings, uint64_t seed);
/* Whether a call may go out now. If so `*generation` is to be given back with its outcome. */
bool breaker_admit(struct breaker *breaker, int64_t now_ns, uint32_t *generation);
/* `retry_after_ms` counts with a failure only; 0 or less: nothing was asked for. */
void breaker_report(struct breaker *breaker, int64_t now_ns, uint32_t generation, enum breaker_outcome outcome, int64_t retry_after_ms);
/* When the next call may go out: `now_ns` if at once. */
int64_t breaker_next_ns(const struct breaker *breaker, int64_t now_ns);
/* Failures among the calls that count, and how many of those there are. */
int breaker_failures(const struct breaker *breaker, int *count);

#endif
