#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static atomic_bool test_on;
static atomic_int_fast64_t test_ns;
static atomic_int_fast64_t test_unix_us;

int64_t clock_now_ns(void) {
  if (atomic_load_explicit(&test_on, memory_order_acquire)) return (int64_t)atomic_load(&test_ns);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_unix_us(void) {
  if (atomic_load_explicit(&test_on, memory_order_acquire)) return (int64_t)atomic_load(&test_unix_us);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void clock_test_begin(int64_t now_ns, int64_t unix_us) {
  atomic_store(&test_ns, now_ns);
  atomic_store(&test_unix_us, unix_us);
  atomic_store_explicit(&test_on, true, memory_order_release);
}

void clock_test_advance(int64_t ns) {
  atomic_fetch_add(&test_ns, ns);
  atomic_fetch_add(&test_unix_us, ns / 1000);
}

void clock_test_end(void) {
  atomic_store_explicit(&test_on, false, memory_order_release);
}

bool clock_is_test(void) {
  return atomic_load_explicit(&test_on, memory_order_acquire);
}
