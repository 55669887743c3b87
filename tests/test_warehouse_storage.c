/* The storage of the local warehouse: how results are cut into files, their links, and what the storage refuses. */
#include "warehouse_storage.h"

#include "spool.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"

/* ---- Files ----------------------------------------------------------------------------------------------------------------------------
 */

/* Frames of LZ4 in the bytes, by their sizes; each must have this FLG. */
static int count_frames(const struct buf *body, uint8_t flg) {
  int count = 0;
  for (size_t at = 0; at < body->size; count++) {
    assert_memory_equal(body->data + at, "\x04\x22\x4d\x18", 4);
    assert_int_equal(body->data[at + 4], flg);
    assert_int_equal(body->data[at + 5], 0x70);
    at += 7;
    for (;;) {
      uint32_t size;
      memcpy(&size, body->data + at, 4);
      at += 4;
      if (size == 0) break;
      at += (size & 0x7fffffff) + (flg & 0x10 ? 4 : 0);
    }
    if (flg & 0x04) at += 4;
  }
  return count;
}

static void files_tile_the_result(void **state) {
  (void)state;
  static const struct {
    enum lz4_writer writer;
    bool lz4;
    int64_t file_bytes;
    uint8_t flg;
  } cases[] = {{LZ4_WRITER_FRAME, true, 5000, 0x60}, {LZ4_WRITER_FRAMES, true, 5000, 0x60}, {LZ4_WRITER_CHECKSUMS, true, 5000, 0x74},
               {LZ4_WRITER_FRAMES, false, 5000, 0},  {LZ4_WRITER_FRAMES, true, 1, 0x60},    {LZ4_WRITER_FRAMES, true, 1 << 20, 0x60},
               {LZ4_WRITER_FRAMES, true, 1700, 0x60}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    struct links_options options = small_files();
    struct place place;
    struct link_list list;
    int64_t at = 0;
    options.writer = cases[c].writer;
    options.file_bytes = cases[c].file_bytes;
    open_place(&place, &options, cases[c].lz4, NULL);
    assert_true(place.operation.result.linked);
    get_page(&place, 0, 0, &list);
    assert_int_equal(list.covered, ROWS);
    for (size_t i = 0; i < list.count; i++) {
      int64_t first = -1, size = 0;
      char name[32], format[8];
      struct download got = good_get(list.items[i].url);
      assert_int_equal(list.items[i].first, at);
      assert_int_equal(read_file(&got.body, &first, &size, name, format), list.items[i].rows);
      assert_int_equal(first, at);
      assert_string_equal(name, "id"); /* and no metadata */
      assert_int_equal(size, list.items[i].bytes);
      if (list.items[i].rows > 1) assert_true(size <= cases[c].file_bytes);
      if (cases[c].flg) {
        int frames = count_frames(&got.body, cases[c].flg);
        assert_true(cases[c].writer == LZ4_WRITER_FRAME ? frames == 1 : frames >= 3);
      }
      buf_free(&got.body);
      at += list.items[i].rows;
    }
    assert_int_equal(at, ROWS);
    if (cases[c].file_bytes == 1) assert_int_equal(list.count, ROWS);
    if (cases[c].file_bytes == 1 << 20) assert_int_equal(list.count, 1);
    /* The server hears of the end of a download after the client: the last one may still be missing, but not for long. */
    for (int i = 0; i < 10000 && statistic(&place, "downloads") < (int64_t)list.count; i++) nanosleep(&(struct timespec){0, 1000000}, NULL);
    assert_int_equal(statistic(&place, "downloads"), list.count);
    free_page(&list);
    close_place(&place);
  }
}

static void small_results_stay_inline(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  options.threshold = 1 << 20;
  open_place(&place, &options, true, NULL);
  assert_false(place.operation.result.linked);
  close_place(&place);
}

static void pages_hold_so_many_links(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  int64_t at = 0, pages = 0;
  options.per_page = 3;
  open_place(&place, &options, true, NULL);
  for (; at < ROWS; pages++) {
    get_page(&place, at, 0, &list);
    assert_true(list.count <= 3 && list.count > 0);
    assert_int_equal(list.items[0].first, at);
    at += list.covered;
    free_page(&list);
  }
  assert_true(pages > 1);
  get_page(&place, ROWS, 0, &list);
  assert_int_equal(list.count, 0);
  assert_int_equal(list.covered, 0);
  get_page(&place, 0, 4500, &list); /* as many as fit, of 2000 each */
  assert_int_equal(list.count, 2);
  free_page(&list);
  get_page(&place, 0, 1, &list); /* but always one */
  assert_int_equal(list.count, 1);
  free_page(&list);
  close_place(&place);
}

static void the_smaller_limit_counts(void **state) {
  (void)state;
  static const struct {
    int64_t request, option;
    bool one_file;
    int64_t most;
  } cases[] = {{0, 0, true, 1 << 20}, {3000, 0, false, 3000}, {0, 3000, false, 3000}, {3000, 2000, false, 2000}, {2000, 3000, false, 2000}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct links_options options = small_files();
    struct place place;
    struct link_list list;
    options.file_bytes = cases[i].option;
    open_place(&place, &options, true, NULL);
    place.operation.request.file_bytes = cases[i].request;
    get_page(&place, 0, 0, &list);
    assert_int_equal(list.count == 1, cases[i].one_file);
    for (size_t l = 0; l < list.count; l++) assert_true(list.items[l].bytes <= cases[i].most);
    if (!cases[i].one_file) assert_true(list.items[0].bytes > cases[i].most / 2);
    free_page(&list);
    close_place(&place);
  }
}

/* ---- Links ----------------------------------------------------------------------------------------------------------------------------
 */

static void links_can_be_had_again(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list before, after;
  int64_t first, size;
  for (int splits = 0; splits < 2; splits++) {
    options.refresh_splits = splits;
    open_place(&place, &options, true, NULL);
    get_page(&place, 0, 0, &before);
    assert_int_equal(statistic(&place, "refreshes"), 0);
    get_page(&place, before.items[2].first, 0, &after);
    assert_int_equal(statistic(&place, "refreshes"), 1);
    assert_int_equal(after.items[0].first, before.items[2].first);
    assert_string_not_equal(after.items[0].url, before.items[2].url);
    if (splits) {
      assert_true(after.items[0].rows < before.items[2].rows);
    } else {
      assert_int_equal(after.items[0].rows, before.items[2].rows);
      assert_int_equal(after.count, before.count - 2);
    }
    assert_int_equal(rows_of(after.items[0].url, &first, &size), after.items[0].rows);
    assert_int_equal(first, before.items[2].first);
    assert_int_equal(rows_of(before.items[2].url, &first, &size), before.items[2].rows); /* the old one lives on */
    free_page(&after);
    get_page(&place, 7, 0, &after); /* from within a file */
    assert_int_equal(after.items[0].first, 7);
    assert_int_equal(rows_of(after.items[0].url, &first, &size), after.items[0].rows);
    assert_int_equal(first, 7);
    free_page(&after);
    free_page(&before);
    close_place(&place);
  }
}

static void bad_links_are_refused(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  open_place(&place, &options, true, NULL);
  get_page(&place, 0, 0, &list);
  char *url = list.items[0].url, *other = wh_copy(url);
  assert_refused(url, "GET", "Authorization: Bearer secret", 400, "InvalidArgument");
  assert_int_equal(statistic(&place, "authorizations"), 1);
  assert_refused(url, "HEAD", NULL, 403, NULL);
  assert_refused(url, "PUT", NULL, 403, "SignatureDoesNotMatch");
  char *last = other + strlen(other) - 1;
  *last = *last == '0' ? '1' : '0';
  assert_refused(other, "GET", NULL, 403, "SignatureDoesNotMatch");
  memcpy(other, url, strlen(url) + 1);
  char *path = strstr(other, "/0_0_");
  assert_non_null(path);
  path[3] = '5'; /* another row */
  assert_refused(other, "GET", NULL, 403, "SignatureDoesNotMatch");
  memcpy(other, url, strlen(url) + 1);
  char *expiry = strstr(other, "x-expires-ms=");
  expiry[13] = '9'; /* a longer life */
  assert_refused(other, "GET", NULL, 403, "SignatureDoesNotMatch");
  *strchr(other, '?') = '\0';
  assert_refused(other, "GET", NULL, 403, "SignatureDoesNotMatch");
  free(other);
  assert_int_equal(statistic(&place, "downloads"), 0);
  free_page(&list);
  close_place(&place);

  options.life_ms = 0;
  open_place(&place, &options, true, NULL);
  get_page(&place, 0, 0, &list);
  assert_refused(list.items[0].url, "GET", NULL, 403, "Request has expired");
  free_page(&list);
  close_place(&place);

  options = small_files();
  options.header_name = "x-amz-key";
  options.header_value = "abc";
  open_place(&place, &options, true, NULL);
  get_page(&place, 0, 0, &list);
  assert_int_equal(list.items[0].headers, 1);
  assert_refused(list.items[0].url, "GET", NULL, 400, "InvalidRequest");
  assert_refused(list.items[0].url, "GET", "x-amz-key: abd", 400, "InvalidRequest");
  struct download got = get(list.items[0].url, "GET", "x-amz-key: abc", NULL);
  assert_int_equal(got.status, 200);
  buf_free(&got.body);
  free_page(&list);
  close_place(&place);
}

static void files_outlive_their_operation(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  int64_t first, size;
  open_place(&place, &options, true, NULL);
  get_page(&place, 0, 0, &list);
  links_purge(place.links);
  close_operation(&place);
  links_purge(place.links);
  assert_int_equal(rows_of(list.items[1].url, &first, &size), list.items[1].rows);
  free_page(&list);
  close_place(&place);

  options.keep_bytes = 0; /* no room for closed ones */
  open_place(&place, &options, true, NULL);
  get_page(&place, 0, 0, &list);
  links_purge(place.links);
  assert_int_equal(statistic(&place, "results"), 1);
  close_operation(&place);
  links_purge(place.links);
  assert_int_equal(statistic(&place, "results"), 0);
  assert_refused(list.items[0].url, "GET", NULL, 404, "NoSuchKey");
  free_page(&list);
  close_place(&place);

  options = small_files();
  options.life_ms = 0; /* expired */
  open_place(&place, &options, true, NULL);
  get_page(&place, 0, 0, &list);
  close_operation(&place);
  links_purge(place.links);
  assert_int_equal(statistic(&place, "results"), 0);
  free_page(&list);
  close_place(&place);
}

static void ranges(struct place *place, const char *url) {
  struct download whole = good_get(url);
  size_t size = whole.body.size;
  static const struct {
    const char *range;
    long status;
    int64_t first, count; /* negative: from the end; count -1: to the end */
  } cases[] = {{"0-0", 206, 0, 1},      {"0-9", 206, 0, 10},    {"5-", 206, 5, -1}, {"-7", 206, -7, 7},     {"10-999999", 206, 10, -1},
               {"-999999", 206, 0, -1}, {"999999-", 416, 0, 0}, {"-0", 416, 0, 0},  {"0-1,3-4", 200, 0, -1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct download part = get(url, "GET", NULL, cases[i].range);
    assert_int_equal(part.code, CURLE_OK);
    assert_int_equal(part.status, cases[i].status);
    if (cases[i].status != 416) {
      size_t first = cases[i].first < 0 ? size - (size_t)-cases[i].first : (size_t)cases[i].first;
      size_t count = cases[i].count < 0 ? size - first : (size_t)cases[i].count;
      assert_int_equal(part.body.size, count);
      assert_memory_equal(part.body.data, whole.body.data + first, count);
    }
    buf_free(&part.body);
  }
  assert_int_equal(statistic(place, "ranges"), 6);
  buf_free(&whole.body);
}

static void ranges_are_served(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place;
  struct link_list list;
  open_place(&place, &options, true, NULL);
  get_page(&place, 0, 0, &list);
  ranges(&place, list.items[1].url);
  free_page(&list);
  close_place(&place);
}

static size_t files_in(const char *folder) {
  size_t count = 0;
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  for (struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

static void files_can_be_prepared(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place place, lazy;
  struct link_list list, other;
  char folder[] = "/tmp/dbsql-storage-XXXXXX";
  assert_non_null(mkdtemp(folder));
  open_place(&lazy, &options, true, NULL);
  get_page(&lazy, 0, 0, &other);
  options.prepared_folder = folder;
  open_place(&place, &options, true, NULL);
  get_page(&place, 0, 0, &list);
  assert_int_equal(files_in(folder), list.count);
  assert_int_equal(list.count, other.count);
  for (size_t i = 0; i < list.count; i++) { /* they are what would have been made */
    struct download a = good_get(list.items[i].url), b = good_get(other.items[i].url);
    assert_int_equal(a.body.size, b.body.size);
    assert_memory_equal(a.body.data, b.body.data, a.body.size);
    buf_free(&a.body);
    buf_free(&b.body);
  }
  ranges(&place, list.items[1].url);
  close_operation(&place);
  links_purge(place.links);
  assert_int_equal(files_in(folder), list.count);
  free_page(&list);
  free_page(&other);
  close_place(&place);
  close_place(&lazy);
  assert_int_equal(files_in(folder), 0);
  rmdir(folder);

  struct failure failure = {0}; /* a folder that is not there */
  options.prepared_folder = folder;
  struct links *links = links_new(&options, NULL);
  struct operation operation = {0};
  assert_true(read_result(&operation.result, true, NULL, &failure));
  assert_false(links_settle(links, &operation, &failure));
  assert_non_null(strstr(failure.text, folder));
  failure_clear(&failure);
  result_free(&operation.result);
  links_free(links);
}

static void large_results_can_be_spooled(void **state) {
  (void)state;
  struct links_options options = small_files();
  struct place here, there;
  struct link_list a, b;
  char folder[] = "/tmp/dbsql-spool-XXXXXX";
  assert_non_null(mkdtemp(folder));
  open_place(&here, &options, true, NULL);
  open_place(&there, &options, true, folder);
  assert_int_equal(files_in(folder), 0); /* it has no name */
  get_page(&here, 0, 0, &a);
  get_page(&there, 0, 0, &b);
  assert_int_equal(a.count, b.count);
  for (size_t i = 0; i < a.count; i++) {
    struct download one = good_get(a.items[i].url), other = good_get(b.items[i].url);
    assert_int_equal(one.body.size, other.body.size);
    assert_memory_equal(one.body.data, other.body.data, one.body.size);
    buf_free(&one.body);
    buf_free(&other.body);
  }
  free_page(&a);
  free_page(&b);
  close_place(&here);
  close_place(&there);
  rmdir(folder);

  struct failure failure = {0}; /* a folder that is not there */
  struct result result;
  assert_false(read_result(&result, true, folder, &failure));
  assert_non_null(strstr(failure.text, folder));
  failure_clear(&failure);
}

static void equal_batches_are_spooled_once(void **state) {
  (void)state;
  struct failure failure = {0};
  struct result result, again, plain;
  char folder[] = "/tmp/dbsql-spool-XXXXXX";
  assert_non_null(mkdtemp(folder));
  assert_true(read_result(&result, true, NULL, &failure) && read_result(&again, true, NULL, &failure));
  assert_true(read_result(&plain, true, NULL, &failure));
  int64_t count = result.batch_count;
  assert_true(count > 1);
  result.batches = realloc(result.batches, 2 * (size_t)count * sizeof *result.batches);
  memcpy(result.batches + count, again.batches, (size_t)count * sizeof *result.batches);
  result.batch_count = 2 * count;
  again.batch_count = 0;
  struct spool *spool = spool_new(folder, &failure);
  assert_non_null(spool);
  assert_true(spool_finish(spool, &result, &failure));
  spool_free(spool);
  for (int64_t i = 0; i < count; i++) {
    const struct ArrowArray *first = result.batches[i].children[0], *second = result.batches[count + i].children[0];
    assert_ptr_equal(first->buffers[1], second->buffers[1]);
    if (i > 0) assert_ptr_not_equal(first->buffers[1], result.batches[i - 1].children[0]->buffers[1]);
    assert_int_equal(second->length, plain.batches[i].length);
    assert_memory_equal(second->buffers[1], plain.batches[i].children[0]->buffers[1], (size_t)second->length * 8);
  }
  result_free(&result);
  result_free(&again);
  result_free(&plain);
  rmdir(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(files_tile_the_result),         cmocka_unit_test(small_results_stay_inline),
                                     cmocka_unit_test(pages_hold_so_many_links),      cmocka_unit_test(the_smaller_limit_counts),
                                     cmocka_unit_test(links_can_be_had_again),        cmocka_unit_test(bad_links_are_refused),
                                     cmocka_unit_test(files_outlive_their_operation), cmocka_unit_test(ranges_are_served),
                                     cmocka_unit_test(files_can_be_prepared),         cmocka_unit_test(large_results_can_be_spooled),
                                     cmocka_unit_test(equal_batches_are_spooled_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
