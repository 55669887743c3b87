/* Every scenario of docs/cloudfetch-faults.md, with the local warehouse: the whole result with the right checksum, or an error that says
 * what went wrong. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "warehouse_process.h"

enum { total = 60000 };

/* One process for each way in which the warehouse is started. */
static struct warehouse_process *warehouse;

static bool begin(const char *const *more) {
  const char *arguments[16] = {"--cloudfetch-threshold", "0", "--file-bytes", "65536", "--links-per-page", "5"};
  size_t count = 6;
  if (!warehouse_is_there()) return false;
  while (more && *more) arguments[count++] = *more++;
  arguments[count] = NULL;
  warehouse = warehouse_start(arguments);
  return true;
}

static void end(void) {
  assert_int_equal(warehouse_stop(warehouse), 0);
  warehouse = NULL;
}

struct outcome {
  dbsql_status status;
  int64_t rows;
  uint64_t sum; /* over all rows in order */
  char message[600];
  dbsql_statistics statistics;
};

static uint64_t mix(uint64_t sum, uint64_t value) {
  return (sum ^ value) * UINT64_C(0x100000001B3);
}

static dbsql_connection *connect_with(const char *const *options) {
  dbsql_config *config = warehouse_config(warehouse);
  assert_int_equal(dbsql_config_set(config, "max_bytes_per_file", "65536", NULL), DBSQL_OK);
  for (; options && *options; options += 2) assert_int_equal(dbsql_config_set(config, options[0], options[1], NULL), DBSQL_OK);
  return warehouse_connect(config);
}

static struct outcome read_result(const char *const *options) {
  struct outcome outcome = {.statistics.struct_size = sizeof outcome.statistics};
  dbsql_connection *connection = connect_with(options);
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  dbsql_call call = DBSQL_CALL_INIT;
  char sql[200];
  call.timeout_ms = 60000;
  snprintf(sql, sizeof sql, "SELECT i AS n, concat('text ', CAST(i AS VARCHAR)) AS s, i / 7.0 AS d FROM range(%d) AS r(i)", total);
  outcome.status = dbsql_execute(connection, sql, SIZE_MAX, &call, &result, &error);
  while (outcome.status == DBSQL_OK) {
    bool has_row;
    outcome.status = dbsql_row_next(result, &call, &has_row, &error);
    if (outcome.status != DBSQL_OK || !has_row) break;
    int64_t n;
    const void *text;
    size_t length;
    assert_int_equal(dbsql_get_int64(result, 0, &n, NULL), DBSQL_OK);
    assert_int_equal(n, outcome.rows);
    assert_int_equal(dbsql_get_bytes(result, 1, &text, &length, NULL), DBSQL_OK);
    outcome.sum = mix(outcome.sum, (uint64_t)n);
    for (size_t i = 0; i < length; i++) outcome.sum = mix(outcome.sum, ((const uint8_t *)text)[i]);
    outcome.rows++;
  }
  snprintf(outcome.message, sizeof outcome.message, "%s", dbsql_error_message(error));
  dbsql_error_free(error);
  dbsql_result_statistics(result, &outcome.statistics);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  assert_int_equal(dbsql_memory_used(), 0);
  return outcome;
}

static uint64_t right_sum(void) {
  uint64_t sum = 0;
  for (int64_t n = 0; n < total; n++) {
    char text[40];
    int length = snprintf(text, sizeof text, "text %lld", (long long)n);
    sum = mix(sum, (uint64_t)n);
    for (int i = 0; i < length; i++) sum = mix(sum, (uint8_t)text[i]);
  }
  return sum;
}

static struct outcome assert_whole(const char *what, const char *const *options) {
  struct outcome outcome = read_result(options);
  if (outcome.status != DBSQL_OK) fail_msg("%s: %s", what, outcome.message);
  if (outcome.rows != total || outcome.sum != right_sum()) fail_msg("%s: %d rows, or wrong ones", what, (int)outcome.rows);
  if (outcome.statistics.files_known < 10) fail_msg("%s: only %d files", what, (int)outcome.statistics.files_known);
  return outcome;
}

/* ---- As it should be ------------------------------------------------------------------------------------------------------ */

static void every_writer_and_width(void **state) {
  (void)state;
  static const char *const writers[] = {"frame", "frames", "checksums"};
  for (size_t w = 0; w < 3; w++) {
    if (!begin((const char *const[]){"--lz4-writer", writers[w], NULL})) skip();
    for (int threads = 1; threads <= 32; threads *= 4) {
      char width[16];
      snprintf(width, sizeof width, "%d", threads);
      assert_whole(writers[w], (const char *const[]){"cloudfetch_threads", width, NULL});
    }
    assert_whole("plain", (const char *const[]){"lz4", "0", NULL});
    assert_whole("checked", (const char *const[]){"verify_checksums", "on", NULL});
    assert_whole("one file at a time", (const char *const[]){"max_memory_bytes", "1", NULL});
    end();
  }
}

/* Reads `rows` rows of a number and a text of `width` letters, and compares every value. */
static void assert_letters(int64_t rows, size_t width, const char *const *options) {
  dbsql_connection *connection = connect_with(options);
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  char sql[200];
  snprintf(sql, sizeof sql, "SELECT i AS n, repeat('x', %d) AS s FROM range(%lld) AS r(i)", (int)width, (long long)rows);
  if (dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  char *letters = malloc(width + 1);
  memset(letters, 'x', width);
  int64_t read = 0;
  for (;;) {
    struct ArrowArray batch;
    if (dbsql_result_next_batch(result, NULL, &batch, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    if (!batch.release) break;
    const int64_t *numbers = (const int64_t *)batch.children[0]->buffers[1] + batch.children[0]->offset;
    const int32_t *offsets = (const int32_t *)batch.children[1]->buffers[1] + batch.children[1]->offset;
    const char *texts = batch.children[1]->buffers[2];
    for (int64_t i = 0; i < batch.length; i++, read++) {
      bool same = numbers[i] == read && offsets[i + 1] - offsets[i] == (int32_t)width && memcmp(texts + offsets[i], letters, width) == 0;
      if (!same) fail_msg("row %lld is another", (long long)read);
    }
    batch.release(&batch);
  }
  free(letters);
  assert_int_equal(read, rows);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
}

static void sizes_from_nothing_up(void **state) {
  (void)state;
  if (!begin(NULL)) skip();
  static const int64_t sizes[] = {0, 1, 2, 1000, 2047, 2048, 2049, 122879, 122880, 122881};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) assert_letters(sizes[i], 7, NULL);
  end();
}

/* 2.3 GiB decoded, a hundredth of that on the wire, under a ceiling of 64 MiB. */
static void gigabytes_in_compressed_form(void **state) {
  (void)state;
  if (!begin((const char *const[]){"--max-result-mb", "8192", "--file-bytes", "20971520", "--spool-dir", ".", NULL})) skip();
  assert_letters(1200000, 2048, (const char *const[]){"max_memory_bytes", "67108864", "max_bytes_per_file", "20971520", NULL});
  end();
}

static void the_same_inline(void **state) {
  (void)state;
  if (!begin(NULL)) skip();
  struct outcome outcome = read_result((const char *const[]){"cloudfetch", "0", NULL});
  assert_int_equal(outcome.status, DBSQL_OK);
  assert_int_equal(outcome.rows, total);
  assert_true(outcome.sum == right_sum());
  assert_int_equal(outcome.statistics.files_known, 0);
  end();
}

/* Rows within the answers are counted like files: plain Arrow, LZ4 and columns; until the last batch of an answer is released. */
static void inline_rows_count(void **state) {
  (void)state;
  static const char *const ways[3][5] = {{"cloudfetch", "0", "lz4", "0", NULL}, {"cloudfetch", "0", NULL}, {"arrow", "0", NULL}};
  if (!begin(NULL)) skip();
  for (size_t i = 0; i < 3; i++) {
    dbsql_connection *connection = connect_with(ways[i]);
    dbsql_result *result = NULL;
    struct ArrowArray batch;
    dbsql_statistics statistics = {.struct_size = sizeof statistics};
    assert_int_equal(dbsql_execute(connection, "SELECT i FROM range(20000) AS r(i)", SIZE_MAX, NULL, &result, NULL), DBSQL_OK);
    assert_int_equal(dbsql_result_next_batch(result, NULL, &batch, NULL), DBSQL_OK);
    assert_true(batch.release != NULL);
    dbsql_result_statistics(result, &statistics);
    if (statistics.memory_used < batch.length * 8) fail_msg("way %zu: %lld bytes", i, (long long)statistics.memory_used);
    assert_true(dbsql_memory_used() >= statistics.memory_used);
    dbsql_result_free(result);
    dbsql_connection_close(connection, NULL, NULL);
    batch.release(&batch);
    assert_int_equal(dbsql_memory_used(), 0);
  }
  end();
}

static void links_that_die_soon(void **state) {
  (void)state;
  if (!begin((const char *const[]){"--link-life-ms", "1500", NULL})) skip();
  assert_whole("links of 1.5 s", NULL);
  end();
  if (!begin((const char *const[]){"--refresh-splits", NULL})) skip();
  warehouse_fault(warehouse, "{\"name\": \"link-403\", \"file\": 7}");
  assert_true(assert_whole("refresh-splits", NULL).statistics.renewals > 0);
  end();
}

static void headers_of_links(void **state) {
  (void)state;
  if (!begin((const char *const[]){"--storage-require-header", "x-amz-server-side-encryption-customer-algorithm:AES256", NULL})) skip();
  assert_whole("with a header", NULL);
  end();
}

/* ---- Faults ---------------------------------------------------------------------------------------------------------------- */

static void what_is_survived(void **state) {
  (void)state;
  static const char *const faults[] = {
      "{\"name\": \"link-expired\", \"file\": 3}",
      "{\"name\": \"link-expired-after-bytes\", \"file\": 3, \"bytes\": 10000}",
      "{\"name\": \"link-403\"}",
      "{\"name\": \"link-404\", \"file\": 6}",
      "{\"name\": \"storage-408\"}",
      "{\"name\": \"storage-429\", \"retry_after\": \"0\"}",
      "{\"name\": \"storage-500\"}",
      "{\"name\": \"storage-502\"}",
      "{\"name\": \"storage-503\"}",
      "{\"name\": \"storage-504\"}",
      "{\"name\": \"storage-5xx\", \"count\": 3, \"file\": 2}",
      "{\"name\": \"storage-reset\", \"file\": 1, \"bytes\": 5000}",
      "{\"name\": \"storage-truncated\", \"file\": 4}",
      "{\"name\": \"storage-short-file\", \"file\": 4}",
      "{\"name\": \"storage-stall\", \"file\": 5, \"delay_ms\": 60000}",
      "{\"name\": \"storage-slow\", \"file\": 9, \"bytes\": 200, \"delay_ms\": 50}",
      "{\"name\": \"storage-corrupt-frame\", \"file\": 2}",
      "{\"name\": \"storage-corrupt-batch\", \"file\": 2}",
      "{\"name\": \"storage-short-rows\", \"file\": 2}",
      "{\"name\": \"padding-rows\", \"count\": -1}",
      "{\"name\": \"storage-wrong-bytes\", \"count\": -1}",
      "{\"name\": \"stale-names\", \"count\": -1}",
      "{\"name\": \"stale-metadata\", \"count\": -1}",
      "{\"name\": \"empty-page\", \"method\": \"FetchResults\", \"count\": 3}",
      "{\"name\": \"no-arrow-schema\", \"method\": \"ExecuteStatement\"}",
      "{\"name\": \"reset-before\", \"method\": \"FetchResults\"}",
      "{\"name\": \"reset-after\", \"method\": \"FetchResults\"}",
      "{\"name\": \"truncated-body\", \"method\": \"FetchResults\"}",
      "{\"name\": \"http-503\", \"method\": \"FetchResults\"}",
  };
  if (!begin(NULL)) skip();
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    warehouse_fault(warehouse, faults[i]);
    assert_whole(faults[i], (const char *const[]){"cloudfetch_stall_timeout_ms", "700", "cloudfetch_straggler_ms", "500", NULL});
    warehouse_clear_faults(warehouse);
  }
  end();
}

/* All links come with the answer to the statement, which says that there are more. (That there are none where there are some cannot be told
 * from an end.) */
static void more_rows_that_are_none(void **state) {
  (void)state;
  if (!begin((const char *const[]){"--links-per-page", "1000", NULL})) skip();
  warehouse_fault(warehouse, "{\"name\": \"has-more-rows-lies\", \"method\": \"ExecuteStatement\"}");
  assert_whole("has-more-rows-lies", NULL);
  end();
}

static void what_is_told(void **state) {
  (void)state;
  static const struct {
    const char *fault;
    const char *part;
  } cases[] = {
      {"{\"name\": \"link-403\", \"file\": 3, \"count\": -1}", "HTTP 403"},
      {"{\"name\": \"link-404\", \"file\": 3, \"count\": -1}", "HTTP 404"},
      {"{\"name\": \"storage-503\", \"file\": 3, \"count\": -1}", "HTTP 503"},
      {"{\"name\": \"storage-reset\", \"file\": 3, \"count\": -1}", "gave up after"},
      {"{\"name\": \"storage-truncated\", \"file\": 3, \"count\": -1}", "ended early"},
      {"{\"name\": \"storage-short-file\", \"file\": 3, \"count\": -1}", "the file with rows"},
      {"{\"name\": \"storage-corrupt-frame\", \"file\": 3, \"count\": -1}", "the file with rows"},
      {"{\"name\": \"storage-corrupt-batch\", \"file\": 3, \"count\": -1}", "the file with rows"},
      {"{\"name\": \"storage-short-rows\", \"file\": 3, \"count\": -1}", "rows are missing"},
      {"{\"name\": \"storage-wrong-row-count\", \"file\": 2}", "are declared for it, but it holds"},
      {"{\"name\": \"wrong-row-count\", \"method\": \"FetchResults\"}", "are declared for it, but it holds"},
      {"{\"name\": \"duplicate-chunk\", \"file\": 2}", "contradict each other"},
      {"{\"name\": \"missing-chunk\", \"file\": 2}", "rows are missing"},
      {"{\"name\": \"wrong-schema\", \"file\": 2, \"count\": -1}", "the file with rows"},
      {"{\"name\": \"session-lost\", \"method\": \"FetchResults\", \"count\": -1}", "after "},
  };
  if (!begin(NULL)) skip();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    warehouse_fault(warehouse, cases[i].fault);
    struct outcome outcome = read_result((const char *const[]){"retry_max", "2", NULL});
    warehouse_clear_faults(warehouse);
    if (outcome.status == DBSQL_OK) fail_msg("%s: %d rows and no error", cases[i].fault, (int)outcome.rows);
    if (!strstr(outcome.message, cases[i].part)) fail_msg("%s: \"%s\" is not in \"%s\"", cases[i].fault, cases[i].part, outcome.message);
    char progress[40];
    snprintf(progress, sizeof progress, "after %d rows", (int)outcome.rows);
    if (!strstr(outcome.message, progress)) fail_msg("%s: \"%s\" is not in \"%s\"", cases[i].fault, progress, outcome.message);
    if (strstr(outcome.message, "ignature=")) fail_msg("%s: a link is in \"%s\"", cases[i].fault, outcome.message);
  }
  end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_writer_and_width), cmocka_unit_test(sizes_from_nothing_up), cmocka_unit_test(gigabytes_in_compressed_form),
      cmocka_unit_test(the_same_inline),        cmocka_unit_test(inline_rows_count),     cmocka_unit_test(links_that_die_soon),
      cmocka_unit_test(headers_of_links),       cmocka_unit_test(what_is_survived),      cmocka_unit_test(more_rows_that_are_none),
      cmocka_unit_test(what_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
