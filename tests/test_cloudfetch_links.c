/* CloudFetch: links that make no sense, that die, and that are renewed (results.md 2.1, 2.4 and 2.7). */
#include "test.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "cloud_world.h"

/* ---- Links --------------------------------------------------------------------------------------------------------------- */

static void shift_page(struct cloud *cloud, struct TRowSet *rows, int page, bool *more) {
  (void)more;
  if (page != 1) return;
  for (uint32_t i = 0; i < rows->resultLinks.count; i++) rows->resultLinks.items[i].startRowOffset += *(int64_t *)cloud->user;
}

static void drop_second_link(struct cloud *cloud, struct TRowSet *rows, int page, bool *more) {
  (void)cloud;
  (void)page;
  (void)more;
  rows->resultLinks.items[1] = rows->resultLinks.items[2];
}

static void a_gap_between_files_is_an_error(void **state) {
  (void)state;
  int64_t shift = 1;
  struct world world = {.cloud = {.page_fault = shift_page, .user = &shift}};
  world_start(&world);
  world_must_fail(&world, 400, DBSQL_ERROR_DRIVER, "row 400 was to come next, but the next file begins at row 401", "after 400 rows");
  world_stop(&world);
  world = (struct world){.cloud = {.page_fault = drop_second_link}};
  world_start(&world);
  world_must_fail(&world, 100, DBSQL_ERROR_DRIVER, "row 100 was to come next, but the next file begins at row 200", NULL);
  world_stop(&world);
}

static void drop_second_link_once(struct cloud *cloud, struct TRowSet *rows, int page, bool *more) {
  if (page == 0) drop_second_link(cloud, rows, page, more);
}

static bool refuse_first(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  (void)cloud;
  if (attempt > 0 || start != 0) return false;
  exchange_reply(exchange, 403, NULL, "");
  return true;
}

/* Links before a gap are renewed as ever, and new links may close it. */
static void a_gap_keeps_nothing_from_being_renewed(void **state) {
  (void)state;
  struct world world = {.cloud = {.page_fault = drop_second_link, .fault = refuse_first}};
  world_start(&world);
  world_must_fail(&world, 100, DBSQL_ERROR_DRIVER, "row 100 was to come next, but the next file begins at row 200", NULL);
  world_stop(&world);
  world = (struct world){.cloud = {.page_fault = drop_second_link_once, .fault = refuse_first}};
  world_start(&world);
  world_must_come(&world);
  world_stop(&world);
}

static void repeat_links(struct cloud *cloud, struct TRowSet *rows, int page, bool *more) {
  (void)cloud;
  (void)more;
  (void)page;
  if (rows->resultLinks.count > 1) rows->resultLinks.items[1] = rows->resultLinks.items[0];
}

static dbsql_status from_earlier(struct world *world, int64_t row, int number, struct page *page, bool *answered, dbsql_error **error) {
  (void)number;
  if (row < 150) return DBSQL_OK;
  page->body = chunk_new(1);
  page->rows = cloud_links(&world->cloud, row - 150, &page->arena, &page->has_more);
  page->kind = PAGE_ROWS;
  *answered = true;
  return page->body && page->rows ? DBSQL_OK : error_no_memory(error);
}

static void rows_that_come_again_are_dropped(void **state) {
  (void)state;
  struct world world = {.answer = from_earlier, .cloud = {.links_per_page = 5}};
  world_start(&world);
  world_must_come(&world);
  world_stop(&world);
  world = (struct world){.cloud = {.page_fault = repeat_links, .rows = 400, .links_per_page = 2}};
  world_start(&world);
  world_must_fail(&world, 100, DBSQL_ERROR_DRIVER, "row 100 was to come next, but the next file begins at row 0", "contradict each other");
  world_stop(&world);
}

static void empty_link(struct cloud *cloud, struct TRowSet *rows, int page, bool *more) {
  if (rows->resultLinks.count < 2) return;
  /* In front of the others: one that declares no row, and leads nowhere. */
  for (uint32_t i = rows->resultLinks.count - 1; i > 0; i--) rows->resultLinks.items[i] = rows->resultLinks.items[i - 1];
  rows->resultLinks.items[0].rowCount = 0;
  rows->resultLinks.items[0].fileLink = slice_text("https://nowhere.example/");
  (void)cloud;
  (void)page;
  *more = true;
}

static dbsql_status until_the_end(struct world *world, int64_t row, int number, struct page *page, bool *answered, dbsql_error **error) {
  (void)number;
  (void)error;
  *answered = row >= world->cloud.rows; /* an empty page, and nothing more */
  (void)page;
  return DBSQL_OK;
}

static void links_without_rows_are_skipped(void **state) {
  (void)state;
  struct world world = {.cloud = {.page_fault = empty_link}, .answer = until_the_end};
  world_start(&world);
  world_must_come(&world);
  world_stop(&world);
}

static void bad_link(struct cloud *cloud, struct TRowSet *rows, int page, bool *more) {
  (void)more;
  if (page != 0) return;
  struct TSparkArrowResultLink *link = &rows->resultLinks.items[2];
  const char *what = cloud->user;
  static const struct thrift_pair bad_headers[] = {{{(const uint8_t *)"Authorization", 13}, {(const uint8_t *)"s3cr3t", 6}},
                                                   {{(const uint8_t *)"x-ms-a", 6}, {(const uint8_t *)"a\r\nb: s3cr3t", 12}},
                                                   {{(const uint8_t *)"x-ms-\r\n", 7}, {(const uint8_t *)"b", 1}}};
  if (strcmp(what, "http") == 0) link->fileLink = slice_text("http://storage.example/f?sig=s3cr3t");
  if (strcmp(what, "file") == 0) link->fileLink = slice_text("file:///etc/passwd");
  if (strcmp(what, "user") == 0) link->fileLink = slice_text("https://u:s3cr3t@storage.example/f");
  if (strcmp(what, "none") == 0) link->fileLink = slice_of(NULL, 0);
  if (strcmp(what, "zero") == 0) link->fileLink = slice_of("https://a\0b", 11);
  if (strcmp(what, "negative") == 0) link->rowCount = -1;
  if (strcmp(what, "huge") == 0) link->rowCount = INT64_MAX;
  int header = strcmp(what, "authorization") == 0 ? 0 : strcmp(what, "split") == 0 ? 1 : strcmp(what, "name") == 0 ? 2 : -1;
  if (header >= 0) {
    link->has_httpHeaders = true;
    link->httpHeaders = (struct thrift_string_map){1, (struct thrift_pair *)(uintptr_t)&bad_headers[header]};
  }
}

/* What is wrong with a link is said when its rows are due, and nothing of it is sent. */
static void links_are_checked(void **state) {
  (void)state;
  static const char *const cases[][2] = {{"http", "without https"},
                                         {"file", "https"},
                                         {"user", "user or password"},
                                         {"none", "empty or has a zero byte"},
                                         {"zero", "empty or has a zero byte"},
                                         {"negative", "declares -1 rows from row 200 on"},
                                         {"huge", "declares 9223372036854775807 rows from row 200 on"},
                                         {"authorization", "wants the header Authorization to be sent"},
                                         {"split", "control character in the value of the header x-ms-a"},
                                         {"name", "malformed header name"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct world world = {.cloud = {.page_fault = bad_link, .user = (void *)(uintptr_t)cases[i][0]}};
    world_start(&world);
    world_must_fail(&world, 200, DBSQL_ERROR_DRIVER, cases[i][1], "after 200 rows");
    assert_int_equal(cloud_attempts(&world.cloud, 200), 0);
    world_stop(&world);
  }
}

static void say_more(struct cloud *cloud, struct TRowSet *rows, int page, bool *more) {
  (void)cloud;
  (void)rows;
  (void)page;
  *more = true;
}

static dbsql_status empty_before_more(struct world *world, int64_t row, int number, struct page *page, bool *answered,
                                      dbsql_error **error) {
  (void)world;
  (void)row;
  (void)error;
  *answered = number % 3 != 0; /* two of three pages are empty */
  page->has_more = true;
  return DBSQL_OK;
}

static dbsql_status empty_for_ever(struct world *world, int64_t row, int number, struct page *page, bool *answered, dbsql_error **error) {
  (void)error;
  (void)number;
  *answered = row >= world->cloud.rows;
  page->has_more = true;
  return DBSQL_OK;
}

static void pages_without_links(void **state) {
  (void)state;
  struct world world = {.answer = empty_before_more};
  world_start(&world);
  world_must_come(&world);
  world_stop(&world);
  clock_test_begin(1000, clock_unix_us());
  world = (struct world){.answer = empty_for_ever, .cloud = {.page_fault = say_more}};
  world_start(&world);
  world_must_fail(&world, 1000, DBSQL_ERROR_DRIVER, "1000 pages without a new row", "after 1000 rows");
  world_stop(&world);
  clock_test_end();
}

static dbsql_status gone_after_two(struct world *world, int64_t row, int number, struct page *page, bool *answered, dbsql_error **error) {
  (void)world;
  (void)row;
  (void)page;
  (void)answered;
  if (number < 2) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_EXECUTION, "HY000", "the operation is gone");
}

/* The rows whose links are known still come; then the error says how many there were. */
static void an_operation_that_is_gone(void **state) {
  (void)state;
  struct world world = {.answer = gone_after_two};
  world_start(&world);
  world_must_fail(&world, 800, DBSQL_ERROR_EXECUTION, "after 800 rows: the operation is gone", NULL);
  world_stop(&world);
}

/* ---- Expiry -------------------------------------------------------------------------------------------------------------- */

static void links_are_renewed_before_they_die(void **state) {
  (void)state;
  /* 30 s are within the margin; the server's best is that, so each link is renewed once at most. */
  struct world world = {.cloud = {.life_ms = 30000}};
  world_start(&world);
  world_must_come(&world);
  assert_true(world.counts.renewals >= 1);
  assert_true(world.counts.renewals <= 10);
  assert_int_equal(cloud_all_attempts(&world.cloud), 10);
  world_stop(&world);
}

/* A clock that is hours ahead makes all links look dead. */
static void a_wrong_clock_renews_nothing(void **state) {
  (void)state;
  struct world world = {.cloud = {.life_ms = -7200000}};
  world_start(&world);
  world_must_come(&world);
  assert_int_equal(world.counts.renewals, 0);
  world_stop(&world);
}

static void seconds(struct cloud *cloud, struct TRowSet *rows, int page, bool *more) {
  (void)cloud;
  (void)page;
  (void)more;
  for (uint32_t i = 0; i < rows->resultLinks.count; i++) rows->resultLinks.items[i].expiryTime /= 1000;
}

static void expiry_may_be_in_seconds(void **state) {
  (void)state;
  struct world world = {.cloud = {.page_fault = seconds}};
  world_start(&world);
  world_must_come(&world);
  assert_int_equal(world.counts.renewals, 0);
  world_stop(&world);
  world = (struct world){.cloud = {.page_fault = seconds, .life_ms = 30000}};
  world_start(&world);
  world_must_come(&world);
  assert_true(world.counts.renewals > 0);
  world_stop(&world);
}

static bool refuse_once(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  if (attempt > 0 || start % 300 != 0) return false;
  exchange_reply(exchange, *(int *)cloud->user, NULL, "");
  return true;
}

static void a_refused_link_is_renewed(void **state) {
  (void)state;
  static const int statuses[] = {400, 401, 403, 404, 410};
  for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
    int status = statuses[i];
    struct world world = {.cloud = {.fault = refuse_once, .user = &status}};
    world_start(&world);
    world_must_come(&world);
    assert_true(world.counts.renewals >= 1);
    assert_int_equal(world.counts.retries, 0);
    assert_int_equal(cloud_attempts(&world.cloud, 300), 2);
    world_stop(&world);
  }
}

static void sixth_is_large(struct cloud *cloud, struct TRowSet *rows, int page, bool *more) {
  (void)cloud;
  (void)page;
  (void)more;
  for (uint32_t i = 0; i < rows->resultLinks.count; i++) {
    if (rows->resultLinks.items[i].startRowOffset == 600) rows->resultLinks.items[i].bytesNum = 32 << 20;
  }
}

/* A file that waits for room, for longer than its link lives: a new link would die as well, so none is asked for before there is room. */
static void a_link_is_not_renewed_while_it_waits_for_memory(void **state) {
  (void)state;
  struct world world = {.cloud = {.page_fault = sixth_is_large, .links_per_page = 16, .life_ms = 900000},
                        .settings = {.threads = 6, .stall_ms = INT64_C(1) << 40},
                        .max_memory = 16 << 20};
  world_start(&world);
  clock_test_begin(INT64_C(1000000000), INT64_C(1700000000000000));
  dbsql_error *error = NULL;
  assert_int_equal(world_begin(&world, NULL), DBSQL_OK);
  while (world.row < 1000) {
    struct ArrowArray batch;
    if (world_next(&world, &batch, &error) != DBSQL_OK) fail_msg("after row %lld: %s", (long long)world.row, dbsql_error_message(error));
    batch.release(&batch);
    if (world.row % 100 == 0) clock_test_advance(INT64_C(1000000000) * 900);
  }
  clock_test_end();
  assert_int_equal(world.row, 1000);
  world_end(&world);
  assert_in_range(world.counts.renewals, 1, 5);
  world_stop(&world);
}

static bool refuse_thrice(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  (void)cloud;
  if (start != 300 || attempt >= 3) return false;
  exchange_reply(exchange, 403, NULL, "");
  return true;
}

static void a_link_may_be_renewed_three_times(void **state) {
  (void)state;
  struct world world = {.cloud = {.fault = refuse_thrice}};
  world_start(&world);
  world_must_come(&world);
  assert_int_equal(world.counts.renewals, 3);
  world_stop(&world);
}

static bool refuse_always(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  (void)attempt;
  if (start != 300) return false;
  exchange_reply(exchange, *(int *)cloud->user, NULL, "");
  return true;
}

static void renewing_comes_to_an_end(void **state) {
  (void)state;
  static const struct {
    int status, attempts;
    const char *part;
  } cases[] = {{403, 4, "HTTP 403"}, {404, 2, "HTTP 404"}};
  for (size_t i = 0; i < 2; i++) {
    int status = cases[i].status;
    struct world world = {.cloud = {.fault = refuse_always, .user = &status}};
    world_start(&world);
    world_must_fail(&world, 300, DBSQL_ERROR_REQUEST, cases[i].part, "with new links from the server too");
    assert_int_equal(cloud_attempts(&world.cloud, 300), cases[i].attempts);
    world_stop(&world);
  }
}

/* From the second question on files are half as large, and twice as many. */
static dbsql_status split_otherwise(struct world *world, int64_t row, int number, struct page *page, bool *answered, dbsql_error **error) {
  if (number == 0) return DBSQL_OK;
  struct TRowSet *rows;
  page->body = chunk_new(1);
  world->cloud.links_per_page = 8;
  page->rows = rows = cloud_links(&world->cloud, row, &page->arena, &page->has_more);
  world->cloud.links_per_page = 4;
  if (!page->body || !rows) return error_no_memory(error);
  struct thrift_string_map none = {0};
  uint32_t whole = rows->resultLinks.count / 2;
  for (uint32_t i = whole; i-- > 0;) {
    struct TSparkArrowResultLink link = rows->resultLinks.items[i];
    char url[300];
    int64_t half = link.rowCount / 2;
    for (uint32_t part = 0; part < 2; part++) {
      int64_t start = link.startRowOffset + (part ? half : 0), count = part ? link.rowCount - half : half;
      int length = snprintf(url, sizeof url, "%s/f/%lld/%lld?generation=%d", http_server_url(world->cloud.server), (long long)start,
                            (long long)count, number);
      link.httpHeaders = none;
      rows->resultLinks.items[2 * i + part] = link;
      rows->resultLinks.items[2 * i + part].fileLink = slice_of(arena_strndup(&page->arena, url, (size_t)length), (size_t)length);
      rows->resultLinks.items[2 * i + part].startRowOffset = start;
      rows->resultLinks.items[2 * i + part].rowCount = count;
    }
  }
  page->has_more = page->has_more || rows->resultLinks.count % 2 == 1;
  if (whole == 0) {
    page->has_more = false; /* the last one as it is */
  } else {
    page->has_more =
        rows->resultLinks.items[2 * whole - 1].startRowOffset + rows->resultLinks.items[2 * whole - 1].rowCount < world->cloud.rows;
    rows->resultLinks.count = 2 * whole;
  }
  page->kind = PAGE_ROWS;
  *answered = true;
  return DBSQL_OK;
}

static void renewed_files_may_be_split_otherwise(void **state) {
  (void)state;
  int status = 403;
  struct world world = {.cloud = {.fault = refuse_once, .user = &status}, .answer = split_otherwise};
  world_start(&world);
  world_must_come(&world);
  assert_true(world.counts.renewals >= 1);
  world_stop(&world);
}

static dbsql_status nothing_at_300(struct world *world, int64_t row, int number, struct page *page, bool *answered, dbsql_error **error) {
  (void)number;
  if (row != 300) return DBSQL_OK;
  const char *what = world->user;
  if (strcmp(what, "error") == 0) return error_set(error, DBSQL_ERROR_EXECUTION, "HY000", "no such operation");
  *answered = true;
  if (strcmp(what, "empty") == 0) return DBSQL_OK;
  page->body = chunk_new(1);
  page->rows = cloud_links(&world->cloud, 400, &page->arena, &page->has_more);
  page->kind = PAGE_ROWS;
  return DBSQL_OK;
}

static void new_links_that_do_not_help(void **state) {
  (void)state;
  static const char *const cases[][2] = {{"error", "cannot be renewed: no such operation"},
                                         {"empty", "the server sends no new one"},
                                         {"other", "none of the 4 new links begins there"}};
  int status = 403;
  for (size_t i = 0; i < 3; i++) {
    struct world world = {
        .cloud = {.fault = refuse_always, .user = &status}, .answer = nothing_at_300, .user = (void *)(uintptr_t)cases[i][0]};
    world_start(&world);
    world_must_fail(&world, 300, i == 0 ? DBSQL_ERROR_EXECUTION : DBSQL_ERROR_DRIVER, cases[i][1], "after 300 rows");
    world_stop(&world);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_gap_between_files_is_an_error),
      cmocka_unit_test(a_gap_keeps_nothing_from_being_renewed),
      cmocka_unit_test(rows_that_come_again_are_dropped),
      cmocka_unit_test(links_without_rows_are_skipped),
      cmocka_unit_test(links_are_checked),
      cmocka_unit_test(pages_without_links),
      cmocka_unit_test(an_operation_that_is_gone),
      cmocka_unit_test(links_are_renewed_before_they_die),
      cmocka_unit_test(a_wrong_clock_renews_nothing),
      cmocka_unit_test(expiry_may_be_in_seconds),
      cmocka_unit_test(a_refused_link_is_renewed),
      cmocka_unit_test(a_link_is_not_renewed_while_it_waits_for_memory),
      cmocka_unit_test(a_link_may_be_renewed_three_times),
      cmocka_unit_test(renewing_comes_to_an_end),
      cmocka_unit_test(renewed_files_may_be_split_otherwise),
      cmocka_unit_test(new_links_that_do_not_help),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
