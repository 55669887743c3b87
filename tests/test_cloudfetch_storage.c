/* CloudFetch: storage that fails, and files that are damaged (results.md 2.2, 2.3 and 2.6). */
#include "test.h"

#include <poll.h>
#include <stdlib.h>

#include "cloud_world.h"

static bool fail_as_told(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  if (start % 200 != 0) return false;
  const char *how = cloud->user;
  if (strcmp(how, "reset") == 0) {
    exchange_reset(exchange);
  } else if (strcmp(how, "close") == 0) {
    exchange_close(exchange);
  } else if (strcmp(how, "cut") == 0) {
    exchange_write_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nARROW");
    exchange_close(exchange);
  } else if (strcmp(how, "redirect") == 0) {
    exchange_reply(exchange, 307, "Location: https://elsewhere.example/\r\n", "");
  } else {
    exchange_reply(exchange, atoi(how), attempt == 0 ? "Retry-After: 0\r\n" : NULL, "");
  }
  return true;
}

static bool fail_twice(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  return attempt < 2 && fail_as_told(cloud, exchange, start, attempt);
}

static void passing_failures_are_passed(void **state) {
  (void)state;
  static const char *const cases[] = {"reset", "close", "cut", "408", "429", "500", "502", "503", "504"};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct world world = {.cloud = {.fault = fail_twice, .user = (void *)(uintptr_t)cases[i]}};
    world_start(&world);
    world_must_come(&world);
    /* libcurl itself tries again where a kept connection ends without an answer. */
    assert_in_range(world.counts.retries, i < 2 ? 1 : 10, 10);
    assert_int_equal(world.counts.renewals, 0);
    world_stop(&world);
  }
}

static void lasting_failures_are_told(void **state) {
  (void)state;
  static const char *const cases[][2] = {{"503", "answered with HTTP 503"}, {"reset", "broke"}, {"cut", "ended early"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct world world = {.cloud = {.fault = fail_as_told, .user = (void *)(uintptr_t)cases[i][0]}, .settings = {.retry = {1, 1, 1, 0}}};
    world_start(&world);
    world_must_fail(&world, 0, DBSQL_ERROR_REQUEST, cases[i][1], "gave up after 2 attempts");
    world_stop(&world);
  }
  struct world world = {.cloud = {.fault = fail_as_told, .user = (void *)(uintptr_t) "redirect"}};
  world_start(&world);
  world_must_fail(&world, 0, DBSQL_ERROR_REQUEST, "redirect (HTTP 307), which is not followed", NULL);
  assert_int_equal(cloud_attempts(&world.cloud, 0), 1);
  world_stop(&world);
  world = (struct world){.cloud = {.fault = fail_as_told, .user = (void *)(uintptr_t) "501"}};
  world_start(&world);
  world_must_fail(&world, 0, DBSQL_ERROR_REQUEST, "HTTP 501", NULL);
  assert_int_equal(cloud_attempts(&world.cloud, 0), 1);
  world_stop(&world);
}

static bool later(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  (void)cloud;
  if (start != 0 || attempt > 0) return false;
  exchange_reply(exchange, 503, "Retry-After: 3600\r\n", "");
  return true;
}

static void a_wait_that_is_too_long_is_not_waited(void **state) {
  (void)state;
  struct world world = {.cloud = {.fault = later}, .settings = {.retry = {3, 1, 1, 60000}}};
  world_start(&world);
  world_must_fail(&world, 0, DBSQL_ERROR_REQUEST, "HTTP 503", "retry_total_ms");
  world_stop(&world);
}

/* The time for all attempts is not used up by a consumer that does other things. */
static void a_pause_of_the_consumers_is_no_failure(void **state) {
  (void)state;
  struct world world = {.cloud = {.fault = fail_twice, .user = (void *)(uintptr_t) "503"}, .settings = {.retry = {3, 1, 5, 3000}}};
  world_start(&world);
  assert_int_equal(world_begin(&world, NULL), DBSQL_OK);
  while (cloud_all_attempts(&world.cloud) < 4) poll(NULL, 0, 1);
  poll(NULL, 0, 3100);
  dbsql_error *error = NULL;
  if (world_read_on(&world, &error) != DBSQL_OK) fail_msg("after row %lld: %s", (long long)world.row, dbsql_error_message(error));
  assert_int_equal(world.row, 1000);
  world_end(&world);
  world_stop(&world);
}

static void nowhere(struct cloud *cloud, struct TRowSet *rows, int page, bool *more) {
  (void)cloud;
  (void)page;
  (void)more;
  rows->resultLinks.items[0].fileLink = slice_text("https://127.0.0.1:1/f?sig=s3cr3t");
}

static void storage_that_cannot_be_reached(void **state) {
  (void)state;
  struct world world = {.cloud = {.page_fault = nowhere, .rows = 100}, .settings = {.retry = {1, 1, 1, 0}}};
  world_start(&world);
  world_must_fail(&world, 0, DBSQL_ERROR_REQUEST, "cannot connect to 127.0.0.1:1", "cloudfetch=false");
  world_stop(&world);
}

/* A file cut after k bytes, for every k; the connection says nothing of it. */
static bool cut_once(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  if (attempt > 0) return false;
  const struct cloud_prepared *file = &cloud->files[start / cloud->rows_per_file];
  size_t k = *(size_t *)cloud->user;
  exchange_reply_bytes(exchange, 200, NULL, file->bytes, k < file->size ? k : file->size);
  return true;
}

static void a_body_that_is_cut_anywhere(void **state) {
  (void)state;
  for (int format = CLOUD_PLAIN; format <= CLOUD_LZ4_MESSAGES; format += 2) {
    size_t k = 0;
    struct world world = {
        .cloud = {
            .fault = cut_once, .user = &k, .format = (enum cloud_format)format, .rows = 20, .rows_per_file = 10, .rows_per_batch = 4}};
    world_start(&world);
#if defined(__SANITIZE_THREAD__)
    enum { step = 37 };
#else
    enum { step = 1 };
#endif
    for (; k < world.cloud.files[1].size; k += step) {
      memset(world.cloud.attempts, 0, sizeof world.cloud.attempts);
      world.cloud.pages = 0;
      world_must_come(&world);
    }
    world_stop(&world);
  }
}

static bool flip(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  const int *plan = cloud->user; /* how often, and which of 8 places */
  const struct cloud_prepared *file = &cloud->files[start / cloud->rows_per_file];
  if (start != 100 || attempt >= plan[0]) return false;
  uint8_t *copy = malloc(file->size);
  memcpy(copy, file->bytes, file->size);
  copy[file->size * (size_t)(2 * plan[1] + 1) / 16] ^= 0x80;
  exchange_reply_bytes(exchange, 200, NULL, copy, file->size);
  free(copy);
  return true;
}

static void a_damaged_file_is_downloaded_once_more(void **state) {
  (void)state;
  for (int place = 0; place < 8; place++) {
    int plan[2] = {1, place};
    struct world world = {.cloud = {.fault = flip, .user = plan, .format = CLOUD_LZ4_CHECKED}, .settings = {.checksums = CHECKSUMS_AUTO}};
    world_start(&world);
    world_must_come(&world);
    assert_int_equal(world.counts.redownloads, 1);
    assert_int_equal(cloud_attempts(&world.cloud, 100), 2);
    plan[0] = 2;
    memset(world.cloud.attempts, 0, sizeof world.cloud.attempts);
    world.cloud.pages = 0;
    world_must_fail(&world, 100, DBSQL_ERROR_DRIVER, "the file with rows 100 to 199", "LZ4 frame");
    world_stop(&world);
  }
}

static bool fewer(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  if (start != 100 || attempt >= *(int *)cloud->user) return false;
  cloud_reply_file(cloud, exchange, start, 95);
  return true;
}

static void fewer_rows_than_declared(void **state) {
  (void)state;
  int times = 1;
  struct world world = {.cloud = {.fault = fewer, .user = &times}};
  world_start(&world);
  world_must_come(&world);
  assert_int_equal(world.counts.redownloads, 1);
  times = 2;
  memset(world.cloud.attempts, 0, sizeof world.cloud.attempts);
  world.cloud.pages = 0;
  world_must_fail(&world, 195, DBSQL_ERROR_DRIVER, "100 are declared for it, but it holds 95", "the file with rows 100 to 199");
  world_stop(&world);
}

static bool other_schema(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  (void)attempt;
  if (start != 200) return false;
  const struct cloud_prepared *file = &cloud->files[start / cloud->rows_per_file];
  uint8_t *copy = malloc(file->size);
  memcpy(copy, file->bytes, file->size);
  /* The type of the first field, Int of 64 bits, becomes one of 32. */
  for (size_t i = 0; i + 4 < file->size; i++) {
    if (memcmp(copy + i, "\x40\0\0\0", 4) == 0) {
      copy[i] = 0x20;
      break;
    }
  }
  exchange_reply_bytes(exchange, 200, NULL, copy, file->size);
  free(copy);
  return true;
}

static void another_schema_than_the_operations(void **state) {
  (void)state;
  struct world world = {.cloud = {.fault = other_schema}};
  world_start(&world);
  world_must_fail(&world, 200, DBSQL_ERROR_DRIVER, "the file with rows 200 to 299", "schema of the result");
  world_stop(&world);
}

static void a_file_that_is_too_large(void **state) {
  (void)state;
  struct world world = {.settings = {.max_file_bytes = 2000}};
  world_start(&world);
  world_must_fail(&world, 0, DBSQL_ERROR_REQUEST, "larger than the limit of 2000 bytes", NULL);
  world_stop(&world);
  world = (struct world){.settings = {.max_file_bytes = 3000}, .cloud = {.format = CLOUD_LZ4}};
  world_start(&world);
  world_must_fail(&world, 0, DBSQL_ERROR_DRIVER, "limit of 3000 bytes", "LZ4");
  world_stop(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(passing_failures_are_passed),
      cmocka_unit_test(lasting_failures_are_told),
      cmocka_unit_test(a_wait_that_is_too_long_is_not_waited),
      cmocka_unit_test(a_pause_of_the_consumers_is_no_failure),
      cmocka_unit_test(storage_that_cannot_be_reached),
      cmocka_unit_test(a_body_that_is_cut_anywhere),
      cmocka_unit_test(a_damaged_file_is_downloaded_once_more),
      cmocka_unit_test(fewer_rows_than_declared),
      cmocka_unit_test(another_schema_than_the_operations),
      cmocka_unit_test(a_file_that_is_too_large),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
