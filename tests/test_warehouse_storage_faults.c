/* Every fault of the local warehouse's storage: of links, answers, transport and contents, and how they are read. */
#include "warehouse_storage.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void faults_of_links(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list good, bad;
  open_place(&place, &options, true, NULL);
  get_page(&place, 0, 0, &good);
  arm(&place, "{\"name\": \"storage-wrong-row-count\", \"file\": 1}");
  arm(&place, "{\"name\": \"storage-wrong-bytes\", \"file\": 2}");
  get_page(&place, 0, 0, &bad);
  assert_int_equal(bad.count, good.count);
  assert_int_equal(bad.items[0].rows, good.items[0].rows);
  assert_int_equal(bad.items[1].rows, good.items[1].rows + 1);
  assert_int_equal(bad.items[1].bytes, good.items[1].bytes);
  assert_int_equal(bad.items[2].bytes, good.items[2].bytes / 2);
  free_page(&bad);
  arm(&place, "{\"name\": \"duplicate-chunk\", \"file\": 1}");
  get_page(&place, 0, 0, &bad);
  assert_int_equal(bad.count, good.count + 1);
  assert_int_equal(bad.items[2].first, good.items[1].first);
  free_page(&bad);
  arm(&place, "{\"name\": \"missing-chunk\", \"skip\": 2}"); /* of any file: the third link */
  get_page(&place, 0, 0, &bad);
  assert_int_equal(bad.count, good.count - 1);
  assert_int_equal(bad.items[2].first, good.items[3].first);
  assert_int_equal(bad.covered, ROWS);
  free_page(&bad);
  free_page(&good);
  close_place(&place);
}

static void faults_of_answers(void **state) {
  (void)state;
  static const int storm[] = {502, 503, 504, 500};
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  int64_t first, size;
  open_place(&place, &options, true, NULL);
  get_page(&place, 0, 0, &list);
  arm(&place, "{\"name\": \"link-403\", \"file\": 1}");
  assert_int_equal(rows_of(list.items[0].url, &first, &size), list.items[0].rows); /* another file */
  assert_refused(list.items[1].url, "GET", NULL, 403, "AccessDenied");
  assert_int_equal(rows_of(list.items[1].url, &first, &size), list.items[1].rows); /* it has struck */
  arm(&place, "{\"name\": \"link-404\"}");
  assert_refused(list.items[0].url, "GET", NULL, 404, "NoSuchKey");
  arm(&place, "{\"name\": \"storage-5xx\", \"count\": 4}");
  for (int i = 0; i < 4; i++) assert_refused(list.items[0].url, "GET", NULL, storm[i], NULL);
  arm(&place, "{\"name\": \"storage-503\", \"retry_after\": 3}");
  assert_refused(list.items[0].url, "GET", NULL, 503, "SlowDown");
  arm(&place, "{\"name\": \"link-expired\", \"file\": 0}");
  for (int i = 0; i < 2; i++) assert_refused(list.items[0].url, "GET", NULL, 403, "expired");
  struct link_list fresh;
  get_page(&place, 0, 0, &fresh);
  assert_int_equal(rows_of(fresh.items[0].url, &first, &size), list.items[0].rows);
  free_page(&fresh);
  free_page(&list);
  close_place(&place);
}

static void faults_of_transport(void **state) {
  (void)state;
  static const struct {
    const char *json;
    CURLcode code;
    size_t bytes;
  } cases[] = {{"{\"name\": \"storage-reset\", \"bytes\": 100}", CURLE_RECV_ERROR, 100},
               {"{\"name\": \"storage-truncated\", \"bytes\": 77}", CURLE_PARTIAL_FILE, 77},
               {"{\"name\": \"storage-stall\", \"bytes\": 5, \"delay_ms\": 20}", CURLE_RECV_ERROR, 5},
               {"{\"name\": \"link-expired-after-bytes\", \"bytes\": 9}", CURLE_PARTIAL_FILE, 9},
               {"{\"name\": \"storage-slow\", \"bytes\": 200, \"delay_ms\": 1}", CURLE_OK, 0}};
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  int64_t first, size;
  open_place(&place, &options, true, NULL);
  get_page(&place, 0, 0, &list);
  struct download whole = good_get(list.items[0].url);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct link_list fresh;
    get_page(&place, 0, 0, &fresh);
    arm(&place, cases[i].json);
    struct download got = get(fresh.items[0].url, "GET", NULL, NULL);
    assert_int_equal(got.status, 200);
    assert_int_equal(got.code, cases[i].code);
    if (cases[i].code == CURLE_OK) assert_int_equal(got.body.size, whole.body.size);
    if (cases[i].code == CURLE_PARTIAL_FILE) assert_int_equal(got.body.size, cases[i].bytes);
    assert_true(got.body.size <= whole.body.size);
    assert_memory_equal(got.body.data, whole.body.data, got.body.size);
    buf_free(&got.body);
    if (strstr(cases[i].json, "expired")) {
      assert_refused(fresh.items[0].url, "GET", NULL, 403, "expired");
    } else {
      assert_int_equal(rows_of(fresh.items[0].url, &first, &size), list.items[0].rows);
    }
    free_page(&fresh);
  }
  buf_free(&whole.body);
  free_page(&list);
  close_place(&place);
}

static void faults_of_contents(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t more_rows; /* than the link says; -1000: it cannot be read */
    const char *column, *format;
  } cases[] = {{"storage-corrupt-frame", -1000, NULL, NULL},
               {"storage-corrupt-batch", -1000, NULL, NULL},
               {"storage-short-file", -1000, NULL, NULL},
               {"storage-short-rows", -1, "id", "l"},
               {"padding-rows", 3, "id", "l"},
               {"stale-names", 0, "stale_0", "l"},
               {"stale-metadata", 0, "id+", "l"},
               {"wrong-schema", 0, "id", "g"}};
  for (int form = 0; form < 4; form++) {
    struct links_options options = small_files();
    struct place place;
    struct link_list list;
    options.writer = form == 3 ? LZ4_WRITER_FRAMES : (enum lz4_writer)form;
    open_place(&place, &options, form < 3, NULL);
    get_page(&place, 0, 0, &list);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      char json[96], name[32] = "", format[8] = "";
      int64_t first, size;
      snprintf(json, sizeof json, "{\"name\": \"%s\"%s}", cases[i].name, i == 2 ? ", \"bytes\": 41" : "");
      arm(&place, json);
      struct download got = good_get(list.items[1].url);
      int64_t rows = read_file(&got.body, &first, &size, name, format);
      if (cases[i].more_rows == -1000) {
        assert_int_equal(rows, -1);
      } else {
        assert_int_equal(rows, list.items[1].rows + cases[i].more_rows);
        assert_string_equal(name, cases[i].column);
        assert_string_equal(format, cases[i].format);
      }
      buf_free(&got.body);
      assert_int_equal(rows_of(list.items[1].url, &first, &size), list.items[1].rows);
    }
    free_page(&list);
    close_place(&place);
  }
}

static void faults_are_read(void **state) {
  (void)state;
  static const struct {
    const char *json, *why;
  } bad[] = {{"{\"name\": \"storage-reset\", \"file\": -1}", "file"},
             {"{\"name\": \"storage-reset\", \"method\": \"FetchResults\"}", "cannot strike"},
             {"{\"name\": \"empty-page\", \"method\": \"storage\"}", "cannot strike"},
             {"{\"name\": \"has-more-rows-lies\", \"method\": \"links\"}", "cannot strike"}};
  struct faults faults;
  char message[256], *text = NULL, path[] = "/tmp/dbsql-faults-XXXXXX";
  faults_init(&faults);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    json_t *json = json_loads(bad[i].json, 0, NULL);
    assert_false(faults_arm(&faults, json, message, sizeof message));
    if (!strstr(message, bad[i].why)) fail_msg("%s: %s", bad[i].json, message);
    json_decref(json);
  }
  static const struct {
    const char *content, *why;
  } files[] = {{"[{\"name\": \"storage-reset\", \"file\": 3}, {\"name\": \"has-more-rows-lies\"}]", NULL},
               {"[{\"name\": \"storage-reset\"}, {\"name\": \"nothing\"}]", "number 2"},
               {"{}", "array"},
               {"[", "line 1"}};
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    FILE *file = fopen(path, "w");
    fputs(files[i].content, file);
    fclose(file);
    faults_clear(&faults);
    assert_int_equal(faults_read_file(&faults, path, &text), files[i].why == NULL);
    if (files[i].why && !strstr(text, files[i].why)) fail_msg("%s", text);
    free(text);
    text = NULL;
    if (i > 0) continue;
    assert_int_equal(faults.count, 2);
    assert_int_equal(faults_take_file(&faults, "storage", 2).kind, FAULT_NONE);
    assert_int_equal(faults_take_file(&faults, "links", 3).kind, FAULT_NONE);
    assert_int_equal(faults_take_file(&faults, "storage", 3).kind, FAULT_FILE_RESET);
    assert_int_equal(faults_take(&faults, "FetchResults").kind, FAULT_MORE_ROWS_LIE);
  }
  unlink(path);
  assert_false(faults_read_file(&faults, path, &text));
  assert_non_null(strstr(text, path));
  free(text);
  faults_destroy(&faults);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(faults_of_links), cmocka_unit_test(faults_of_answers),
                                     cmocka_unit_test(faults_of_transport), cmocka_unit_test(faults_of_contents),
                                     cmocka_unit_test(faults_are_read)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
