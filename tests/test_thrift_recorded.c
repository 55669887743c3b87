/*
 * Every recorded Thrift message, requests and answers, decodes and encodes back to the same bytes. The folder comes from DBSQL_RECORDED;
 * its manifest.tsv says which exchanges are Thrift.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "thrift/tcli.h"

struct counts {
  int requests, replies, failures, unknown;
  int by_method[TCLI_METHOD_COUNT];
};

static bool read_whole_file(const char *path, struct buf *out) {
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  for (;;) {
    uint8_t *at = buf_reserve(out, 65536) ? out->data + out->size : NULL;
    assert_non_null(at);
    size_t got = fread(at, 1, 65536, file);
    out->size += got;
    if (got == 0) break;
  }
  fclose(file);
  return true;
}

/* Fields that are kept as unknown must be those that are internal to Databricks (thrift.md 1.2): any other would be one that the table
 * lacks or has with a wrong type. Returns how many there are. */
static int count_unknown(const struct thrift_struct *type, const void *value) {
  const uint8_t *base = value;
  const struct thrift_unknown *unknown;
  int found = 0;
  memcpy(&unknown, base, sizeof unknown);
  for (; unknown; unknown = unknown->next) {
    if (unknown->id < 0xD01) fail_msg("%s has an unknown field %d of type %d", type->name, unknown->id, unknown->type);
    found++;
  }
  for (int i = 0; i < type->field_count; i++) {
    const struct thrift_field *field = &type->fields[i];
    const void *slot = base + field->offset;
    if (!*(const bool *)(base + field->has_offset) || !field->type) continue;
    if (field->kind == THRIFT_KIND_STRUCT) {
      found += count_unknown(field->type, *(void *const *)slot);
      continue;
    }
    const struct thrift_items *list = slot;
    for (uint32_t at = 0; at < list->count; at++) {
      const uint8_t *item = (const uint8_t *)list->items + at * thrift_item_size(field->kind, field);
      found += count_unknown(field->type, item + (field->kind == THRIFT_KIND_STRUCT_MAP ? field->value_offset : 0));
    }
  }
  return found;
}

static void complain(struct counts *counts, const char *path, dbsql_error *error) {
  print_error("%s: %s\n", path, error ? dbsql_error_message(error) : "encodes to other bytes");
  counts->failures++;
}

/* One exchange: `stem` is the path without .req and .resp. */
static void check_exchange(const char *stem, struct counts *counts) {
  char path[2048 + 8];
  struct buf request = BUF_INIT, reply = BUF_INIT, again = BUF_INIT, line = BUF_INIT;
  struct arena arena = ARENA_INIT;
  struct tcli_call call;
  dbsql_error *error = NULL;

  snprintf(path, sizeof path, "%s.req", stem);
  assert_true(read_whole_file(path, &request));
  if (tcli_decode_call(buf_slice(&request), &arena, &call, &error) != DBSQL_OK || call.method == TCLI_UNKNOWN_METHOD) {
    complain(counts, path, error);
    goto cleanup;
  }
  tcli_encode_call(call.method, call.sequence_id, call.request, &again);
  if (buf_failed(&again) || !slice_equal(buf_slice(&request), buf_slice(&again))) complain(counts, path, NULL);
  tcli_print(tcli_methods[call.method].request, call.request, &line);
  counts->unknown += count_unknown(tcli_methods[call.method].request, call.request);
  counts->requests++;
  counts->by_method[call.method]++;

  snprintf(path, sizeof path, "%s.resp", stem);
  assert_true(read_whole_file(path, &reply));
  const struct thrift_struct *type = tcli_methods[call.method].response;
  void *response = arena_alloc(&arena, 1, type->size);
  assert_non_null(response);
  if (tcli_decode_reply(call.method, call.sequence_id, buf_slice(&reply), &arena, response, &error) != DBSQL_OK) {
    complain(counts, path, error);
    goto cleanup;
  }
  buf_reset(&again);
  tcli_encode_reply(call.method, call.sequence_id, response, &again);
  if (buf_failed(&again) || !slice_equal(buf_slice(&reply), buf_slice(&again))) complain(counts, path, NULL);
  tcli_print(type, response, &line);
  counts->unknown += count_unknown(type, response);
  counts->replies++;
  assert_false(buf_failed(&line));

cleanup:
  dbsql_error_free(error);
  arena_free(&arena);
  buf_free(&request);
  buf_free(&reply);
  buf_free(&again);
  buf_free(&line);
}

/* The tab-separated column, without its tab; NULL if there are fewer. */
static char *column(char *line, int number) {
  for (; number > 0 && line; number--) {
    line = strchr(line, '\t');
    if (line) line++;
  }
  if (line) line[strcspn(line, "\t\r\n")] = 0;
  return line;
}

static void every_message_round_trips(void **state) {
  (void)state;
  const char *folder = getenv("DBSQL_RECORDED");
  char line[1024], path[2048];
  snprintf(path, sizeof path, "%s/manifest.tsv", folder ? folder : "");
  FILE *manifest = folder ? fopen(path, "r") : NULL;
  if (!manifest) {
    print_message("skipped: no recorded traffic at %s; set DBSQL_RECORDED to a folder with a manifest.tsv\n", folder ? path : "(unset)");
    skip();
    return;
  }
  struct counts counts = {0};
  int64_t live = mem_test_live_blocks();
  while (fgets(line, sizeof line, manifest)) {
    char content[sizeof line];
    memcpy(content, line, sizeof line);
    const char *content_type = column(content, 4);
    if (!content_type || strcmp(content_type, "application/x-thrift") != 0) continue;
    assert_true((size_t)snprintf(path, sizeof path, "%s/%s", folder, column(line, 0)) < sizeof path);
    check_exchange(path, &counts);
  }
  fclose(manifest);
  print_message("recorded: %d requests and %d replies, %d internal fields kept\n", counts.requests, counts.replies, counts.unknown);
  for (int i = 0; i < TCLI_METHOD_COUNT; i++) {
    if (counts.by_method[i] != 0) print_message("recorded: %4d %s\n", counts.by_method[i], tcli_methods[i].name);
  }
  assert_int_equal(counts.failures, 0);
  assert_true(counts.requests > 0);
  assert_int_equal(counts.requests, counts.replies);
  assert_int_equal(mem_test_live_blocks(), live);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_message_round_trips)};
  return cmocka_run_group_tests_name("thrift_recorded", tests, NULL, NULL);
}
