/* CloudFetch within its memory: ceilings, and memory that runs out. */
#include "test.h"

#include <poll.h>

#include "base/mem.h"
#include "cloud_world.h"

static void the_ceiling_holds(void **state) {
  (void)state;
  struct world world = {.cloud = {.rows = 20000, .rows_per_file = 1000, .rows_per_batch = 200, .format = CLOUD_LZ4},
                        .settings = {.threads = 16}};
  world_start(&world);
  int64_t file = (int64_t)world.cloud.files[0].plain_size, packed = (int64_t)world.cloud.files[0].size;
  /* from less than one file to six */
  for (int64_t limit = 1; limit <= 6 * file; limit += 2 * file) {
    world.max_memory = limit;
    memset(world.cloud.attempts, 0, sizeof world.cloud.attempts);
    world.cloud.pages = 0;
    dbsql_error *error = NULL;
    if (world_begin(&world, &error) != DBSQL_OK || world_read_on(&world, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    assert_int_equal(world.row, 20000);
    /* One file that comes beyond it in any case, in both of its forms. */
    int64_t most = (limit > file ? limit : 0) + file + packed + 3000;
    if (budget_high(world.budget) > most)
      fail_msg("%lld bytes with a limit of %lld", (long long)budget_high(world.budget), (long long)limit);
    world_end(&world);
  }
  world_stop(&world);
}

/* Who holds everything that was handed out still gets the next batch, and nothing beyond it is downloaded. */
static void a_consumer_that_keeps_everything(void **state) {
  (void)state;
  struct world world = {.cloud = {.rows_per_batch = 100}, .max_memory = 1, .settings = {.threads = 8}};
  struct ArrowArray batches[10];
  world_start(&world);
  assert_int_equal(world_begin(&world, NULL), DBSQL_OK);
  for (int i = 0; i < 10; i++) {
    assert_int_equal(world_next(&world, &batches[i], NULL), DBSQL_OK);
    assert_non_null(batches[i].release);
    assert_int_equal(cloud_all_attempts(&world.cloud), i + 1);
  }
  struct ArrowArray more;
  assert_int_equal(world_next(&world, &more, NULL), DBSQL_OK);
  assert_null(more.release);
  assert_true(budget_used(world.budget) >= 10 * (int64_t)world.cloud.files[0].plain_size);
  for (int i = 0; i < 10; i++) batches[i].release(&batches[i]);
  assert_int_equal(budget_used(world.budget), 0);
  world_end(&world);
  world_stop(&world);
}

/* Who does not read stops the downloads: no more than the limit allows, and no more links than are known. */
static void a_consumer_that_does_not_read(void **state) {
  (void)state;
  struct world world = {.settings = {.threads = 8}};
  world_start(&world);
  world.max_memory = 3 * (int64_t)world.cloud.files[0].plain_size + 500;
  assert_int_equal(world_begin(&world, NULL), DBSQL_OK);
  while (cloud_all_attempts(&world.cloud) < 3) poll(NULL, 0, 1);
  poll(NULL, 0, 30);
  assert_int_equal(cloud_all_attempts(&world.cloud), 3);
  assert_int_equal(world.questions, 1);
  assert_int_equal(world_read_on(&world, NULL), DBSQL_OK);
  assert_int_equal(world.row, 1000);
  world_end(&world);
  world_stop(&world);
}

static void the_limit_of_the_process(void **state) {
  (void)state;
  struct world world = {.settings = {.threads = 8}};
  world_start(&world);
  budget_process_set_limit(2 * (int64_t)world.cloud.files[0].plain_size + 500);
  assert_int_equal(world_begin(&world, NULL), DBSQL_OK);
  while (cloud_all_attempts(&world.cloud) < 2) poll(NULL, 0, 1);
  poll(NULL, 0, 30);
  assert_int_equal(cloud_all_attempts(&world.cloud), 2);
  assert_int_equal(world_read_on(&world, NULL), DBSQL_OK);
  budget_process_set_limit(0);
  assert_int_equal(world.row, 1000);
  world_end(&world);
  assert_int_equal(budget_process_used(), 0);
  world_stop(&world);
}

static void memory_runs_out(int64_t links_per_page) {
  static const struct thrift_pair headers[] = {{{(const uint8_t *)"x-ms-a", 6}, {(const uint8_t *)"b", 1}}};
  struct thrift_string_map map = {1, (struct thrift_pair *)(uintptr_t)headers};
  struct world world = {.cloud = {.rows = 50,
                                  .rows_per_file = 10,
                                  .rows_per_batch = 5,
                                  .links_per_page = links_per_page,
                                  .format = CLOUD_LZ4_MESSAGES,
                                  .headers = &map},
                        .settings = {.threads = 2}};
  world_start(&world);
  struct buf unused = BUF_INIT;
  cloud_schema(&unused);
  buf_free(&unused);
  int64_t blocks = mem_test_live_blocks();
  int successes = 0;
  for (uint64_t n = 1; successes < 3; n++) {
    dbsql_error *error = NULL;
    world.cloud.pages = 0;
    /* The schema is made with the library's own tools: that must not fail. */
    mem_test_fail_at(n + 40);
    dbsql_status status = world_begin(&world, &error);
    if (status == DBSQL_OK) status = world_read_on(&world, &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    if (status != DBSQL_OK && status != DBSQL_ERROR_NO_MEMORY) fail_msg("allocation %d: %s", (int)n, dbsql_error_message(error));
    /* What has not failed for good goes on, with every row. */
    bool goes_on = status != DBSQL_OK && world.cf && !cloudfetch_has_failed(world.cf);
    if (goes_on && (status = world_read_on(&world, NULL)) != DBSQL_OK) fail_msg("allocation %d: it did not go on", (int)n);
    if (status == DBSQL_OK && world.row != 50) fail_msg("allocation %d: %d rows%s", (int)n, (int)world.row, goes_on ? " later" : "");
    dbsql_error_free(error);
    world_end(&world);
    if (mem_test_live_blocks() != blocks) fail_msg("allocation %d: %d blocks are left", (int)n, (int)(mem_test_live_blocks() - blocks));
    successes = struck ? 0 : successes + 1;
  }
  world_stop(&world);
}

static void memory_may_run_out_anywhere(void **state) {
  (void)state;
  memory_runs_out(3);
  memory_runs_out(8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_ceiling_holds),
      cmocka_unit_test(a_consumer_that_keeps_everything),
      cmocka_unit_test(a_consumer_that_does_not_read),
      cmocka_unit_test(the_limit_of_the_process),
      cmocka_unit_test(memory_may_run_out_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
