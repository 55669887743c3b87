/* The memory budget: limits, what counts, what is kept. */
#include "test.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/mem.h"

enum { kib = 1024, mib = 1024 * 1024 };

static void test_limit(void **state) {
  (void)state;
  struct budget *budget = budget_new(10 * mib);
  assert_true(budget_reserve(budget, 4 * mib, false));
  assert_true(budget_reserve(budget, 6 * mib, false));
  assert_false(budget_reserve(budget, 1, false));
  assert_int_equal(budget_used(budget), 10 * mib);
  assert_true(budget_reserve(budget, 1, true));
  assert_int_equal(budget_used(budget), 10 * mib + 1);
  budget_release(budget, 6 * mib + 1);
  assert_true(budget_reserve(budget, 6 * mib, false));
  budget_release(budget, 10 * mib);
  assert_int_equal(budget_used(budget), 0);
  assert_int_equal(budget_high(budget), 10 * mib + 1);
  assert_false(budget_reserve(budget, INT64_MAX, false));
  budget_unref(budget);
}

static void test_no_limit(void **state) {
  (void)state;
  struct budget *budget = budget_new(0);
  assert_true(budget_reserve(budget, INT64_C(1) << 50, false));
  budget_release(budget, INT64_C(1) << 50);
  budget_unref(budget);
}

/* A chunk is taken out of what was reserved for it, and counts until it is freed. */
static void test_chunk(void **state) {
  (void)state;
  struct budget *budget = budget_new(0);
  int64_t reserved = 100 * kib;
  budget_reserve(budget, reserved, false);
  struct chunk *chunk = budget_chunk_new(budget, 60 * kib, &reserved);
  assert_int_equal(reserved, 40 * kib);
  assert_int_equal(budget_used(budget), 100 * kib);
  assert_true(budget_chunk_grow(chunk, 80 * kib));
  assert_int_equal(budget_used(budget), 120 * kib);
  struct chunk *larger = budget_chunk_new(budget, 50 * kib, &reserved);
  assert_int_equal(reserved, 0);
  assert_int_equal(budget_used(budget), 130 * kib);
  chunk_ref(chunk);
  chunk_unref(chunk);
  assert_int_equal(budget_used(budget), 130 * kib);
  chunk_unref(chunk);
  assert_int_equal(budget_used(budget), 50 * kib);
  /* A chunk may outlive whoever made the budget. */
  budget_unref(budget);
  chunk_unref(larger);
}

/* Memory comes back to the next chunk that fits, and does not keep a reservation from being granted. */
static void test_kept(void **state) {
  (void)state;
  int64_t blocks = mem_test_live_blocks();
  struct budget *budget = budget_new(1000 * kib);
  struct chunk *chunk = budget_chunk_new(budget, 400 * kib, NULL);
  uint8_t *data = chunk->data;
  chunk_unref(chunk);
  assert_int_equal(budget_used(budget), 0);
  assert_int_equal(budget_process_used(), 400 * kib);
  chunk = budget_chunk_new(budget, 300 * kib, NULL);
  assert_ptr_equal(chunk->data, data);
  assert_int_equal(chunk->capacity, 400 * kib);
  assert_int_equal(chunk->size, 0);
  chunk_unref(chunk);
  /* Far too large for this one. */
  chunk = budget_chunk_new(budget, 100 * kib, NULL);
  assert_ptr_not_equal(chunk->data, data);
  assert_true(budget_reserve(budget, 900 * kib, false));
  /* Fresh memory for which there is no room beside the kept one. */
  struct chunk *fresh = budget_chunk_new(budget, 700 * kib, NULL);
  assert_int_equal(budget_process_used(), (100 + 900 + 700) * kib);
  chunk_unref(fresh);
  chunk_unref(chunk);
  budget_release(budget, 900 * kib);
  budget_retire(budget);
  assert_int_equal(budget_process_used(), 0);
  chunk = budget_chunk_new(budget, 400 * kib, NULL);
  chunk_unref(chunk);
  assert_int_equal(budget_process_used(), 0);
  budget_unref(budget);
  assert_int_equal(mem_test_live_blocks(), blocks);
}

static void test_process_limit(void **state) {
  (void)state;
  struct budget *a = budget_new(0), *b = budget_new(0);
  budget_process_set_limit(1000 * kib);
  assert_int_equal(budget_process_limit(), 1000 * kib);
  assert_true(budget_reserve(a, 600 * kib, false));
  assert_false(budget_reserve(b, 500 * kib, false));
  assert_true(budget_reserve(b, 400 * kib, false));
  assert_int_equal(budget_process_used(), 1000 * kib);
  assert_true(budget_reserve(b, 100 * kib, true));
  assert_true(budget_process_high() >= 1100 * kib);
  budget_release(a, 600 * kib);
  budget_release(b, 500 * kib);
  /* What a budget keeps for itself gives way. */
  chunk_unref(budget_chunk_new(b, 800 * kib, NULL));
  assert_true(budget_reserve(b, 900 * kib, false));
  budget_release(b, 900 * kib);
  budget_process_set_limit(0);
  budget_unref(a);
  budget_unref(b);
  assert_int_equal(budget_process_used(), 0);
}

static void test_no_memory(void **state) {
  (void)state;
  int64_t blocks = mem_test_live_blocks();
  for (uint64_t n = 1;; n++) {
    mem_test_fail_at(n);
    struct budget *budget = budget_new(0);
    struct chunk *first = budget ? budget_chunk_new(budget, 100 * kib, NULL) : NULL;
    chunk_unref(first);
    struct chunk *second = first ? budget_chunk_new(budget, 100 * kib, NULL) : NULL;
    if (second && budget_chunk_grow(second, 200 * kib)) assert_int_equal(budget_used(budget), 200 * kib);
    bool failed = mem_test_failed();
    mem_test_fail_at(0);
    chunk_unref(second);
    budget_unref(budget);
    assert_int_equal(mem_test_live_blocks(), blocks);
    assert_int_equal(budget_process_used(), 0);
    if (!failed) break;
  }
}

static void *churn(void *user) {
  struct budget *budget = user;
  struct chunk *held[4] = {NULL};
  for (size_t i = 0; i < 4000; i++) {
    int64_t reserved = budget_reserve(budget, 100 * kib, i % 3 == 0) ? 100 * kib : 0;
    chunk_unref(held[i % 4]);
    held[i % 4] = budget_chunk_new(budget, (64 + i % 50) * kib, &reserved);
    budget_release(budget, reserved);
  }
  for (int i = 0; i < 4; i++) chunk_unref(held[i]);
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  struct budget *budget = budget_new(500 * kib);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, churn, budget);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  assert_int_equal(budget_used(budget), 0);
  budget_unref(budget);
  assert_int_equal(budget_process_used(), 0);
}

struct churning {
  struct budget *budget;
  atomic_bool stop;
};

static void *reserve_on(void *user) {
  struct churning *churning = user;
  while (!atomic_load(&churning->stop)) {
    if (budget_reserve(churning->budget, kib, false)) budget_release(churning->budget, kib);
  }
  return NULL;
}

/* A child may be forked while another thread holds the lock, which nobody gives back there. */
static void test_fork(void **state) {
  (void)state;
#if defined(__SANITIZE_THREAD__)
  skip();
#endif
  struct churning churning = {.budget = budget_new(500 * kib)};
  pthread_t threads[2];
  struct chunk *chunk = budget_chunk_new(churning.budget, 100 * kib, NULL);
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, reserve_on, &churning);
  int failed = 0;
  for (int i = 0; i < 100 && failed == 0; i++) {
    pid_t child = fork();
    if (child == 0) {
      alarm(10);
      int64_t reserved = 0;
      struct chunk *own = budget_chunk_new(churning.budget, 70 * kib, &reserved);
      if (!own || !budget_chunk_grow(own, 90 * kib)) _exit(1);
      chunk_unref(own);
      if (!budget_reserve(churning.budget, 10, true)) _exit(2);
      budget_release(churning.budget, 10);
      budget_retire(churning.budget);
      chunk_unref(chunk);
      budget_unref(churning.budget);
      _exit(0);
    }
    if (waitpid(child, &failed, 0) != child) failed = -1;
  }
  atomic_store(&churning.stop, true);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  chunk_unref(chunk);
  budget_unref(churning.budget);
  assert_int_equal(failed, 0);
  assert_int_equal(budget_process_used(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_limit),         cmocka_unit_test(test_no_limit),  cmocka_unit_test(test_chunk),   cmocka_unit_test(test_kept),
      cmocka_unit_test(test_process_limit), cmocka_unit_test(test_no_memory), cmocka_unit_test(test_threads), cmocka_unit_test(test_fork),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
