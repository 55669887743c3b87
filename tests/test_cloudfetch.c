/* CloudFetch against a storage and a source of links of the test's own: what can go wrong with links, files, memory and time
 * (results.md 2 and 9). */
#include "test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "cloud_storage.h"
#include "result/cloudfetch.h"
#include "result/result_reader.h"

/* ---- A result ------------------------------------------------------------------------------------------------------------ */

struct world {
  struct cloud cloud;
  struct cloudfetch_settings settings;
  int64_t max_memory;
  int64_t from; /* the row to begin at */
  /* Decides what the source answers to a question for links: DBSQL_OK and false: as usual. */
  dbsql_status (*answer)(struct world *world, int64_t row, int number, struct page *page, bool *answered, dbsql_error **error);
  void *user;
  int questions;
  struct transfer_profile *profile;
  struct budget *budget;
  struct result_schema *schema;
  struct cloudfetch *cf;
  int64_t row;                     /* that is expected next */
  struct cloudfetch_counts counts; /* at the end */
};

static dbsql_status ask(void *user, int64_t row, const struct call *call, struct page *page, dbsql_error **error) {
  struct world *world = user;
  bool answered = false;
  dbsql_status status = call_check(call, "asking for links", error);
  if (status != DBSQL_OK) return status;
  *page = (struct page){0};
  int number = world->questions++;
  if (world->answer) status = world->answer(world, row, number, page, &answered, error);
  if (answered || status != DBSQL_OK) return status;
  page->body = chunk_new(1);
  page->rows = page->body ? cloud_links(&world->cloud, row, &page->arena, &page->has_more) : NULL;
  if (!page->rows) {
    page_free(page);
    return error_no_memory(error);
  }
  page->kind = page->rows->resultLinks.count ? PAGE_ROWS : PAGE_EMPTY;
  return DBSQL_OK;
}

static void defaults(struct world *world) {
  struct cloudfetch_settings *settings = &world->settings;
  if (settings->threads == 0) settings->threads = 4;
  if (settings->max_file_bytes == 0) settings->max_file_bytes = 64 << 20;
  if (settings->usual_file == 0) settings->usual_file = 1 << 20;
  if (settings->stall_ms == 0) settings->stall_ms = 60000;
  if (settings->retry.max == 0) settings->retry = (struct retry_policy){3, 1, 5, 0};
}

static void world_start(struct world *world) {
  defaults(world);
  cloud_start(&world->cloud);
}

static void world_stop(struct world *world) {
  cloud_stop(&world->cloud);
  assert_false(world->cloud.signature_seen);
}

/* Begins with the result, as execute does; on failure everything is gone again. */
static dbsql_status begin(struct world *world, dbsql_error **error) {
  struct http_settings http = {.user_agent = "tests/1", .tls_verify = true, .tls_system_store = true, .connect_timeout_ms = 60000};
  struct buf message = BUF_INIT;
  world->row = world->from;
  world->questions = 0;
  cloud_schema(&message);
  if (buf_failed(&message)) return error_no_memory(error);
  struct TGetResultSetMetadataResp metadata = {.has_arrowSchema = true, .arrowSchema = buf_slice(&message)};
  struct page_source source = {.user = world, .fetch = ask, .repeats = true};
  struct page page = {0};
  struct call call;
  call_begin_internal(&call, 60000);
  dbsql_status status = result_schema_new(&metadata, &world->schema, error);
  buf_free(&message);
  if (status == DBSQL_OK && !(world->budget = budget_new(world->max_memory))) status = error_no_memory(error);
  if (status == DBSQL_OK) status = transfer_profile_new(&http, &world->profile, error);
  if (status == DBSQL_OK)
    status = cloudfetch_new(&world->settings, world->profile, &source, world->schema, world->budget, &world->cf, error);
  if (status == DBSQL_OK) status = ask(world, world->from, &call, &page, error);
  if (status == DBSQL_OK) status = cloudfetch_add_page(world->cf, &page, world->from, error);
  page_free(&page);
  return status;
}

static void end(struct world *world) {
  if (world->cf) world->counts = *cloudfetch_counts(world->cf);
  cloudfetch_free(world->cf);
  transfer_profile_free(world->profile);
  if (world->budget) {
    budget_retire(world->budget);
    assert_int_equal(budget_used(world->budget), 0);
  }
  budget_unref(world->budget);
  result_schema_unref(world->schema);
  world->cf = NULL;
  world->profile = NULL;
  world->budget = NULL;
  world->schema = NULL;
}

static dbsql_status next(struct world *world, struct ArrowArray *batch, dbsql_error **error) {
  struct call call;
  call_begin_internal(&call, clock_is_test() ? 0 : 60000);
  dbsql_status status = cloudfetch_next(world->cf, &call, batch, error);
  if (status == DBSQL_OK && batch->release) {
    assert_true(batch->length > 0);
    cloud_check_batch(batch, world->row);
    world->row += batch->length;
  }
  return status;
}

/* Reads on to the end. */
static dbsql_status read_on(struct world *world, dbsql_error **error) {
  for (;;) {
    struct ArrowArray batch;
    dbsql_status status = next(world, &batch, error);
    if (status != DBSQL_OK || !batch.release) return status;
    batch.release(&batch);
  }
}

/* The whole result must come, every row once. */
static void must_come(struct world *world) {
  dbsql_error *error = NULL;
  int64_t blocks = mem_test_live_blocks();
  dbsql_status status = begin(world, &error);
  if (status == DBSQL_OK) status = read_on(world, &error);
  if (status != DBSQL_OK) fail_msg("after row %lld: %s", (long long)world->row, dbsql_error_message(error));
  assert_int_equal(world->row, world->cloud.rows);
  end(world);
  assert_int_equal(mem_test_live_blocks(), blocks);
}

/* It must fail after exactly `rows` rows; the parts must be in the message and the URL's secret not. */
static void must_fail(struct world *world, int64_t rows, dbsql_status kind, const char *part, const char *other) {
  dbsql_error *error = NULL;
  int64_t blocks = mem_test_live_blocks();
  dbsql_status status = begin(world, &error);
  if (status == DBSQL_OK) status = read_on(world, &error);
  assert_int_equal(status, kind);
  const char *message = dbsql_error_message(error);
  if (!strstr(message, part)) fail_msg("\"%s\" is not in \"%s\"", part, message);
  if (other && !strstr(message, other)) fail_msg("\"%s\" is not in \"%s\"", other, message);
  if (strstr(message, "s3cr3t")) fail_msg("a secret is in \"%s\"", message);
  assert_int_equal(world->row, rows);
  assert_true(cloudfetch_has_failed(world->cf));
  dbsql_error_free(error);
  end(world);
  assert_int_equal(mem_test_live_blocks(), blocks);
}

/* ---- As it should be ----------------------------------------------------------------------------------------------------- */

static void every_row_comes_once_in_every_form(void **state) {
  (void)state;
  for (int format = CLOUD_PLAIN; format <= CLOUD_LZ4_CHECKED; format++) {
    for (int threads = 1; threads <= 32; threads *= 2) {
      struct world world = {.cloud = {.format = (enum cloud_format)format, .bytes_unknown = threads == 2},
                            .settings = {.threads = threads}};
      world.settings.checksums = threads % 3 == 1 ? CHECKSUMS_ON : CHECKSUMS_OFF;
      world_start(&world);
      must_come(&world);
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
    must_come(&world);
    world_stop(&world);
  }
}

static void padding_rows_are_cut(void **state) {
  (void)state;
  for (int64_t padding = 1; padding <= 61; padding += 20) {
    struct world world = {.cloud = {.padding = padding}};
    world_start(&world);
    must_come(&world);
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
  must_come(&world);
  assert_false(missing);
  world_stop(&world);
}

/* The first page's links are being downloaded before anybody asks for a row. */
static void downloads_begin_with_the_first_page(void **state) {
  (void)state;
  struct world world = {.cloud = {.rows = 300}};
  world_start(&world);
  assert_int_equal(begin(&world, NULL), DBSQL_OK);
  while (cloud_all_attempts(&world.cloud) < 3) poll(NULL, 0, 1);
  assert_int_equal(world.questions, 1);
  assert_int_equal(read_on(&world, NULL), DBSQL_OK);
  assert_int_equal(world.row, 300);
  end(&world);
  world_stop(&world);
}

static void a_result_can_begin_anywhere(void **state) {
  (void)state;
  for (int64_t from = 0; from < 1000; from += 111) {
    struct world world = {.from = from};
    world_start(&world);
    must_come(&world);
    world_stop(&world);
  }
}

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
  must_fail(&world, 400, DBSQL_ERROR_DRIVER, "row 400 was to come next, but the next file begins at row 401", "after 400 rows");
  world_stop(&world);
  world = (struct world){.cloud = {.page_fault = drop_second_link}};
  world_start(&world);
  must_fail(&world, 100, DBSQL_ERROR_DRIVER, "row 100 was to come next, but the next file begins at row 200", NULL);
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
  must_fail(&world, 100, DBSQL_ERROR_DRIVER, "row 100 was to come next, but the next file begins at row 200", NULL);
  world_stop(&world);
  world = (struct world){.cloud = {.page_fault = drop_second_link_once, .fault = refuse_first}};
  world_start(&world);
  must_come(&world);
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
  must_come(&world);
  world_stop(&world);
  world = (struct world){.cloud = {.page_fault = repeat_links, .rows = 400, .links_per_page = 2}};
  world_start(&world);
  must_fail(&world, 100, DBSQL_ERROR_DRIVER, "row 100 was to come next, but the next file begins at row 0", "contradict each other");
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
  must_come(&world);
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
    must_fail(&world, 200, DBSQL_ERROR_DRIVER, cases[i][1], "after 200 rows");
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
  must_come(&world);
  world_stop(&world);
  clock_test_begin(1000, clock_unix_us());
  world = (struct world){.answer = empty_for_ever, .cloud = {.page_fault = say_more}};
  world_start(&world);
  must_fail(&world, 1000, DBSQL_ERROR_DRIVER, "1000 pages without a new row", "after 1000 rows");
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
  must_fail(&world, 800, DBSQL_ERROR_EXECUTION, "after 800 rows: the operation is gone", NULL);
  world_stop(&world);
}

/* ---- Expiry -------------------------------------------------------------------------------------------------------------- */

static void links_are_renewed_before_they_die(void **state) {
  (void)state;
  /* 30 s are within the margin; the server's best is that, so each link is renewed once at most. */
  struct world world = {.cloud = {.life_ms = 30000}};
  world_start(&world);
  must_come(&world);
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
  must_come(&world);
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
  must_come(&world);
  assert_int_equal(world.counts.renewals, 0);
  world_stop(&world);
  world = (struct world){.cloud = {.page_fault = seconds, .life_ms = 30000}};
  world_start(&world);
  must_come(&world);
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
    must_come(&world);
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
  assert_int_equal(begin(&world, NULL), DBSQL_OK);
  while (world.row < 1000) {
    struct ArrowArray batch;
    if (next(&world, &batch, &error) != DBSQL_OK) fail_msg("after row %lld: %s", (long long)world.row, dbsql_error_message(error));
    batch.release(&batch);
    if (world.row % 100 == 0) clock_test_advance(INT64_C(1000000000) * 900);
  }
  clock_test_end();
  assert_int_equal(world.row, 1000);
  end(&world);
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
  must_come(&world);
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
    must_fail(&world, 300, DBSQL_ERROR_REQUEST, cases[i].part, "with new links from the server too");
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
  must_come(&world);
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
    must_fail(&world, 300, i == 0 ? DBSQL_ERROR_EXECUTION : DBSQL_ERROR_DRIVER, cases[i][1], "after 300 rows");
    world_stop(&world);
  }
}

/* ---- Storage ------------------------------------------------------------------------------------------------------------- */

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
    must_come(&world);
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
    must_fail(&world, 0, DBSQL_ERROR_REQUEST, cases[i][1], "gave up after 2 attempts");
    world_stop(&world);
  }
  struct world world = {.cloud = {.fault = fail_as_told, .user = (void *)(uintptr_t) "redirect"}};
  world_start(&world);
  must_fail(&world, 0, DBSQL_ERROR_REQUEST, "redirect (HTTP 307), which is not followed", NULL);
  assert_int_equal(cloud_attempts(&world.cloud, 0), 1);
  world_stop(&world);
  world = (struct world){.cloud = {.fault = fail_as_told, .user = (void *)(uintptr_t) "501"}};
  world_start(&world);
  must_fail(&world, 0, DBSQL_ERROR_REQUEST, "HTTP 501", NULL);
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
  must_fail(&world, 0, DBSQL_ERROR_REQUEST, "HTTP 503", "retry_total_ms");
  world_stop(&world);
}

/* The time for all attempts is not used up by a consumer that does other things. */
static void a_pause_of_the_consumers_is_no_failure(void **state) {
  (void)state;
  struct world world = {.cloud = {.fault = fail_twice, .user = (void *)(uintptr_t) "503"}, .settings = {.retry = {3, 1, 5, 3000}}};
  world_start(&world);
  assert_int_equal(begin(&world, NULL), DBSQL_OK);
  while (cloud_all_attempts(&world.cloud) < 4) poll(NULL, 0, 1);
  poll(NULL, 0, 3100);
  dbsql_error *error = NULL;
  if (read_on(&world, &error) != DBSQL_OK) fail_msg("after row %lld: %s", (long long)world.row, dbsql_error_message(error));
  assert_int_equal(world.row, 1000);
  end(&world);
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
  must_fail(&world, 0, DBSQL_ERROR_REQUEST, "cannot connect to 127.0.0.1:1", "cloudfetch=false");
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
      must_come(&world);
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
    must_come(&world);
    assert_int_equal(world.counts.redownloads, 1);
    assert_int_equal(cloud_attempts(&world.cloud, 100), 2);
    plan[0] = 2;
    memset(world.cloud.attempts, 0, sizeof world.cloud.attempts);
    world.cloud.pages = 0;
    must_fail(&world, 100, DBSQL_ERROR_DRIVER, "the file with rows 100 to 199", "LZ4 frame");
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
  must_come(&world);
  assert_int_equal(world.counts.redownloads, 1);
  times = 2;
  memset(world.cloud.attempts, 0, sizeof world.cloud.attempts);
  world.cloud.pages = 0;
  must_fail(&world, 195, DBSQL_ERROR_DRIVER, "100 are declared for it, but it holds 95", "the file with rows 100 to 199");
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
  must_fail(&world, 200, DBSQL_ERROR_DRIVER, "the file with rows 200 to 299", "schema of the result");
  world_stop(&world);
}

static void a_file_that_is_too_large(void **state) {
  (void)state;
  struct world world = {.settings = {.max_file_bytes = 2000}};
  world_start(&world);
  must_fail(&world, 0, DBSQL_ERROR_REQUEST, "larger than the limit of 2000 bytes", NULL);
  world_stop(&world);
  world = (struct world){.settings = {.max_file_bytes = 3000}, .cloud = {.format = CLOUD_LZ4}};
  world_start(&world);
  must_fail(&world, 0, DBSQL_ERROR_DRIVER, "limit of 3000 bytes", "LZ4");
  world_stop(&world);
}

/* ---- Slow, silent, cancelled --------------------------------------------------------------------------------------------- */

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
  must_come(&world);
  assert_int_equal(world.counts.retries, 1);
  world_stop(&world);
}

static void a_straggler_begins_anew(void **state) {
  (void)state;
  struct world world = {.cloud = {.fault = stall_first}, .settings = {.straggler_ms = 200}};
  world_start(&world);
  must_come(&world);
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
  assert_int_equal(begin(&world, NULL), DBSQL_OK);
  struct ArrowArray batch;
  while (world.row < 200) {
    assert_int_equal(next(&world, &batch, NULL), DBSQL_OK);
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
  assert_int_equal(read_on(&world, NULL), DBSQL_OK);
  assert_int_equal(world.row, 1000);
  assert_int_equal(cloud_all_attempts(&world.cloud), 10);
  end(&world);
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
  assert_int_equal(begin(&world, NULL), DBSQL_OK);
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
  assert_int_equal(read_on(&world, NULL), DBSQL_OK);
  assert_int_equal(world.row, 1000);
  end(&world);
  world_stop(&world);
}

static void closing_ends_the_downloads(void **state) {
  (void)state;
  int64_t blocks = mem_test_live_blocks();
  struct test_event go = TEST_EVENT_INIT;
  struct world world = {.cloud = {.fault = wait_at, .user = &go}};
  world_start(&world);
  for (int64_t rows = 0; rows < 200; rows += 30) {
    assert_int_equal(begin(&world, NULL), DBSQL_OK);
    struct ArrowArray batch;
    while (world.row < rows) {
      assert_int_equal(next(&world, &batch, NULL), DBSQL_OK);
      batch.release(&batch);
    }
    end(&world);
  }
  test_event_set(&go);
  world_stop(&world);
  assert_int_equal(mem_test_live_blocks(), blocks);
}

/* ---- Memory -------------------------------------------------------------------------------------------------------------- */

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
    if (begin(&world, &error) != DBSQL_OK || read_on(&world, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    assert_int_equal(world.row, 20000);
    /* One file that comes beyond it in any case, in both of its forms. */
    int64_t most = (limit > file ? limit : 0) + file + packed + 3000;
    if (budget_high(world.budget) > most)
      fail_msg("%lld bytes with a limit of %lld", (long long)budget_high(world.budget), (long long)limit);
    end(&world);
  }
  world_stop(&world);
}

/* Who holds everything that was handed out still gets the next batch, and nothing beyond it is downloaded. */
static void a_consumer_that_keeps_everything(void **state) {
  (void)state;
  struct world world = {.cloud = {.rows_per_batch = 100}, .max_memory = 1, .settings = {.threads = 8}};
  struct ArrowArray batches[10];
  world_start(&world);
  assert_int_equal(begin(&world, NULL), DBSQL_OK);
  for (int i = 0; i < 10; i++) {
    assert_int_equal(next(&world, &batches[i], NULL), DBSQL_OK);
    assert_non_null(batches[i].release);
    assert_int_equal(cloud_all_attempts(&world.cloud), i + 1);
  }
  struct ArrowArray more;
  assert_int_equal(next(&world, &more, NULL), DBSQL_OK);
  assert_null(more.release);
  assert_true(budget_used(world.budget) >= 10 * (int64_t)world.cloud.files[0].plain_size);
  for (int i = 0; i < 10; i++) batches[i].release(&batches[i]);
  assert_int_equal(budget_used(world.budget), 0);
  end(&world);
  world_stop(&world);
}

/* Who does not read stops the downloads: no more than the limit allows, and no more links than are known. */
static void a_consumer_that_does_not_read(void **state) {
  (void)state;
  struct world world = {.settings = {.threads = 8}};
  world_start(&world);
  world.max_memory = 3 * (int64_t)world.cloud.files[0].plain_size + 500;
  assert_int_equal(begin(&world, NULL), DBSQL_OK);
  while (cloud_all_attempts(&world.cloud) < 3) poll(NULL, 0, 1);
  poll(NULL, 0, 30);
  assert_int_equal(cloud_all_attempts(&world.cloud), 3);
  assert_int_equal(world.questions, 1);
  assert_int_equal(read_on(&world, NULL), DBSQL_OK);
  assert_int_equal(world.row, 1000);
  end(&world);
  world_stop(&world);
}

static void the_limit_of_the_process(void **state) {
  (void)state;
  struct world world = {.settings = {.threads = 8}};
  world_start(&world);
  budget_process_set_limit(2 * (int64_t)world.cloud.files[0].plain_size + 500);
  assert_int_equal(begin(&world, NULL), DBSQL_OK);
  while (cloud_all_attempts(&world.cloud) < 2) poll(NULL, 0, 1);
  poll(NULL, 0, 30);
  assert_int_equal(cloud_all_attempts(&world.cloud), 2);
  assert_int_equal(read_on(&world, NULL), DBSQL_OK);
  budget_process_set_limit(0);
  assert_int_equal(world.row, 1000);
  end(&world);
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
    dbsql_status status = begin(&world, &error);
    if (status == DBSQL_OK) status = read_on(&world, &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    if (status != DBSQL_OK && status != DBSQL_ERROR_NO_MEMORY) fail_msg("allocation %d: %s", (int)n, dbsql_error_message(error));
    /* What has not failed for good goes on, with every row. */
    bool goes_on = status != DBSQL_OK && world.cf && !cloudfetch_has_failed(world.cf);
    if (goes_on && (status = read_on(&world, NULL)) != DBSQL_OK) fail_msg("allocation %d: it did not go on", (int)n);
    if (status == DBSQL_OK && world.row != 50) fail_msg("allocation %d: %d rows%s", (int)n, (int)world.row, goes_on ? " later" : "");
    dbsql_error_free(error);
    end(&world);
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
      cmocka_unit_test(every_row_comes_once_in_every_form),
      cmocka_unit_test(sizes_at_the_edges),
      cmocka_unit_test(padding_rows_are_cut),
      cmocka_unit_test(headers_of_the_link_are_sent),
      cmocka_unit_test(downloads_begin_with_the_first_page),
      cmocka_unit_test(a_result_can_begin_anywhere),
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
      cmocka_unit_test(silence_is_cut_off),
      cmocka_unit_test(a_straggler_begins_anew),
      cmocka_unit_test(the_end_of_a_call_is_not_the_end_of_the_result),
      cmocka_unit_test(slow_links_do_not_hold_up_files),
      cmocka_unit_test(closing_ends_the_downloads),
      cmocka_unit_test(the_ceiling_holds),
      cmocka_unit_test(a_consumer_that_keeps_everything),
      cmocka_unit_test(a_consumer_that_does_not_read),
      cmocka_unit_test(the_limit_of_the_process),
      cmocka_unit_test(memory_may_run_out_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
