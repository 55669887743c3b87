/* CloudFetch: what is slow, silent or cancelled (results.md 2.8). */
#include "test.h"

#include <poll.h>

#include "base/error.h"
#include "base/mem.h"
#include "cloud_world.h"

static bool stall_first(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  (void)cloud;
  if (start != 500 || attempt > 0) return false;
  exchange_write_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nARROW");
  exchange_wait_for_client(exchange);
  exchange_close(exchange);
  return true;
}

static void silence_is_cut_off(void **state) {
  (void)state;
  struct world world = {.cloud = {.fault = stall_first}, .settings = {.stall_ms = 300}};
  world_start(&world);
  world_must_come(&world);
  assert_int_equal(world.counts.retries, 1);
  world_stop(&world);
}

static void a_straggler_begins_anew(void **state) {
  (void)state;
  struct world world = {.cloud = {.fault = stall_first}, .settings = {.straggler_ms = 200}};
  world_start(&world);
  world_must_come(&world);
  assert_true(world.counts.restarts >= 1);
  assert_int_equal(world.counts.retries, 0);
  assert_int_equal(cloud_attempts(&world.cloud, 500), 2);
  world_stop(&world);
}

static bool wait_at(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  (void)attempt;
  (void)exchange;
  if (start == 200) test_event_wait(cloud->user);
  return false;
}

struct trigger {
  dbsql_cancel *cancel;
  struct world *world;
};

static void *trigger_later(void *user) {
  struct trigger *trigger = user;
  while (cloud_attempts(&trigger->world->cloud, 200) == 0) poll(NULL, 0, 1);
  poll(NULL, 0, 5);
  dbsql_cancel_trigger(trigger->cancel);
  return NULL;
}

/* A call that ends while it waits for a file has lost nothing. */
static void the_end_of_a_call_is_not_the_end_of_the_result(void **state) {
  (void)state;
  struct test_event go = TEST_EVENT_INIT;
  struct world world = {.cloud = {.fault = wait_at, .user = &go}};
  world_start(&world);
  assert_int_equal(world_begin(&world, NULL), DBSQL_OK);
  struct ArrowArray batch;
  while (world.row < 200) {
    assert_int_equal(world_next(&world, &batch, NULL), DBSQL_OK);
    batch.release(&batch);
  }
  dbsql_error *error = NULL;
  struct call call;
  call_begin_internal(&call, 20);
  assert_int_equal(cloudfetch_next(world.cf, &call, &batch, &error), DBSQL_ERROR_TIMEOUT);
  assert_non_null(strstr(dbsql_error_message(error),
                         "after 200 rows: the time limit of 20 ms ran out while downloading rows 200 to 299 from 127.0.0.1"));
  assert_string_equal(dbsql_error_host(error), "127.0.0.1");
  dbsql_error_free(error);
  error = NULL;
  assert_false(cloudfetch_has_failed(world.cf));
  dbsql_cancel *cancel;
  assert_int_equal(dbsql_cancel_new(&cancel, NULL), DBSQL_OK);
  struct trigger trigger = {cancel, &world};
  pthread_t thread;
  pthread_create(&thread, NULL, trigger_later, &trigger);
  dbsql_call user_call = DBSQL_CALL_INIT;
  user_call.cancel = cancel;
  call_begin(&call, &user_call, 0);
  assert_int_equal(cloudfetch_next(world.cf, &call, &batch, &error), DBSQL_ERROR_CANCELLED);
  assert_non_null(strstr(dbsql_error_message(error), "after 200 rows: cancelled while downloading rows 200 to 299"));
  dbsql_error_free(error);
  pthread_join(thread, NULL);
  dbsql_cancel_free(cancel);
  test_event_set(&go);
  assert_int_equal(world_read_on(&world, NULL), DBSQL_OK);
  assert_int_equal(world.row, 1000);
  assert_int_equal(cloud_all_attempts(&world.cloud), 10);
  world_end(&world);
  world_stop(&world);
}

/* Answers no question but the first within the call's time, for as long as it is told. */
static dbsql_status slow_links(struct world *world, int64_t row, int number, struct page *page, bool *answered, dbsql_error **error) {
  (void)row;
  (void)page;
  (void)answered;
  if (number == 0 || !*(bool *)world->user) return DBSQL_OK;
  poll(NULL, 0, 60);
  return error_set(error, DBSQL_ERROR_TIMEOUT, "HYT00", "the server is slow");
}

/* Calls with a limit get what is there, although the server does not say in time what follows. */
static void slow_links_do_not_hold_up_files(void **state) {
  (void)state;
  bool slow = true;
  struct world world = {.answer = slow_links, .user = &slow};
  world_start(&world);
  assert_int_equal(world_begin(&world, NULL), DBSQL_OK);
  for (int calls = 0; world.row < 400 && calls < 200; calls++) {
    struct ArrowArray batch;
    struct call call;
    call_begin_internal(&call, 50);
    dbsql_status status = cloudfetch_next(world.cf, &call, &batch, NULL);
    assert_true(status == DBSQL_OK || status == DBSQL_ERROR_TIMEOUT);
    if (status != DBSQL_OK) continue;
    cloud_check_batch(&batch, world.row);
    world.row += batch.length;
    batch.release(&batch);
  }
  assert_int_equal(world.row, 400);
  slow = false;
  assert_int_equal(world_read_on(&world, NULL), DBSQL_OK);
  assert_int_equal(world.row, 1000);
  world_end(&world);
  world_stop(&world);
}

static void closing_ends_the_downloads(void **state) {
  (void)state;
  int64_t blocks = mem_test_live_blocks();
  struct test_event go = TEST_EVENT_INIT;
  struct world world = {.cloud = {.fault = wait_at, .user = &go}};
  world_start(&world);
  for (int64_t rows = 0; rows < 200; rows += 30) {
    assert_int_equal(world_begin(&world, NULL), DBSQL_OK);
    struct ArrowArray batch;
    while (world.row < rows) {
      assert_int_equal(world_next(&world, &batch, NULL), DBSQL_OK);
      batch.release(&batch);
    }
    world_end(&world);
  }
  test_event_set(&go);
  world_stop(&world);
  assert_int_equal(mem_test_live_blocks(), blocks);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(silence_is_cut_off),
      cmocka_unit_test(a_straggler_begins_anew),
      cmocka_unit_test(the_end_of_a_call_is_not_the_end_of_the_result),
      cmocka_unit_test(slow_links_do_not_hold_up_files),
      cmocka_unit_test(closing_ends_the_downloads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
