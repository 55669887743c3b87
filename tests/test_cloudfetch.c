/* CloudFetch as it should be: every row once, in every form and size (results.md 2). */
#include "test.h"

#include <poll.h>
#include <stdlib.h>

#include "cloud_world.h"

static void every_row_comes_once_in_every_form(void **state) {
  (void)state;
  for (int format = CLOUD_PLAIN; format <= CLOUD_LZ4_CHECKED; format++) {
    for (int threads = 1; threads <= 32; threads *= 2) {
      struct world world = {.cloud = {.format = (enum cloud_format)format, .bytes_unknown = threads == 2},
                            .settings = {.threads = threads}};
      world.settings.checksums = threads % 3 == 1 ? CHECKSUMS_ON : CHECKSUMS_OFF;
      world_start(&world);
      world_must_come(&world);
      assert_int_equal(cloud_all_attempts(&world.cloud), 10);
      assert_int_equal(world.questions, 3);
      assert_int_equal(world.counts.files_known, 10);
      assert_int_equal(world.counts.files_delivered, 10);
      assert_int_equal(world.counts.retries + world.counts.renewals + world.counts.redownloads + world.counts.restarts, 0);
      assert_true(world.counts.bytes_decoded >= world.counts.bytes_received);
      assert_true(world.counts.first_file_ns > 0 && world.counts.slowest_file_ns >= world.counts.first_file_ns);
      world_stop(&world);
    }
  }
}

static void sizes_at_the_edges(void **state) {
  (void)state;
  static const struct {
    int64_t rows, file, batch, page;
  } sizes[] = {{1, 100, 30, 4}, {100, 100, 100, 1}, {101, 100, 1, 1}, {5000, 7, 7, 100}, {1000, 1000, 1, 1}, {200000, 50000, 4096, 3}};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    struct world world = {.cloud = {.rows = sizes[i].rows,
                                    .rows_per_file = sizes[i].file,
                                    .rows_per_batch = sizes[i].batch,
                                    .links_per_page = sizes[i].page,
                                    .format = CLOUD_LZ4_MESSAGES}};
    world_start(&world);
    world_must_come(&world);
    world_stop(&world);
  }
}

static void padding_rows_are_cut(void **state) {
  (void)state;
  for (int64_t padding = 1; padding <= 61; padding += 20) {
    struct world world = {.cloud = {.padding = padding}};
    world_start(&world);
    world_must_come(&world);
    world_stop(&world);
  }
}

static const struct thrift_pair sse[] = {{{(const uint8_t *)"x-amz-server-side-encryption", 28}, {(const uint8_t *)"AES256", 6}},
                                         {{(const uint8_t *)"Content-Type", 12}, {(const uint8_t *)"a/b", 3}}};

static bool wants_header(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  (void)start;
  (void)attempt;
  char *value = exchange_header(exchange, "x-amz-server-side-encryption");
  if (!value || strcmp(value, "AES256") != 0) *(bool *)cloud->user = true;
  free(value);
  return false;
}

static void headers_of_the_link_are_sent(void **state) {
  (void)state;
  bool missing = false;
  struct thrift_string_map map = {2, (struct thrift_pair *)(uintptr_t)sse};
  struct world world = {.cloud = {.headers = &map, .fault = wants_header, .user = &missing}};
  world_start(&world);
  world_must_come(&world);
  assert_false(missing);
  world_stop(&world);
}

/* The first page's links are being downloaded before anybody asks for a row. */
static void downloads_begin_with_the_first_page(void **state) {
  (void)state;
  struct world world = {.cloud = {.rows = 300}};
  world_start(&world);
  assert_int_equal(world_begin(&world, NULL), DBSQL_OK);
  while (cloud_all_attempts(&world.cloud) < 3) poll(NULL, 0, 1);
  assert_int_equal(world.questions, 1);
  assert_int_equal(world_read_on(&world, NULL), DBSQL_OK);
  assert_int_equal(world.row, 300);
  world_end(&world);
  world_stop(&world);
}

static void a_result_can_begin_anywhere(void **state) {
  (void)state;
  for (int64_t from = 0; from < 1000; from += 111) {
    struct world world = {.from = from};
    world_start(&world);
    world_must_come(&world);
    world_stop(&world);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_row_comes_once_in_every_form),
      cmocka_unit_test(sizes_at_the_edges),
      cmocka_unit_test(padding_rows_are_cut),
      cmocka_unit_test(headers_of_the_link_are_sent),
      cmocka_unit_test(downloads_begin_with_the_first_page),
      cmocka_unit_test(a_result_can_begin_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
