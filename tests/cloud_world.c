#include "cloud_world.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

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

void world_start(struct world *world) {
  defaults(world);
  cloud_start(&world->cloud);
}

void world_stop(struct world *world) {
  cloud_stop(&world->cloud);
  assert_false(world->cloud.signature_seen);
}

dbsql_status world_begin(struct world *world, dbsql_error **error) {
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

void world_end(struct world *world) {
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

dbsql_status world_next(struct world *world, struct ArrowArray *batch, dbsql_error **error) {
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

dbsql_status world_read_on(struct world *world, dbsql_error **error) {
  for (;;) {
    struct ArrowArray batch;
    dbsql_status status = world_next(world, &batch, error);
    if (status != DBSQL_OK || !batch.release) return status;
    batch.release(&batch);
  }
}

void world_must_come(struct world *world) {
  dbsql_error *error = NULL;
  int64_t blocks = mem_test_live_blocks();
  dbsql_status status = world_begin(world, &error);
  if (status == DBSQL_OK) status = world_read_on(world, &error);
  if (status != DBSQL_OK) fail_msg("after row %lld: %s", (long long)world->row, dbsql_error_message(error));
  assert_int_equal(world->row, world->cloud.rows);
  world_end(world);
  assert_int_equal(mem_test_live_blocks(), blocks);
}

void world_must_fail(struct world *world, int64_t rows, dbsql_status kind, const char *part, const char *other) {
  dbsql_error *error = NULL;
  int64_t blocks = mem_test_live_blocks();
  dbsql_status status = world_begin(world, &error);
  if (status == DBSQL_OK) status = world_read_on(world, &error);
  assert_int_equal(status, kind);
  const char *message = dbsql_error_message(error);
  if (!strstr(message, part)) fail_msg("\"%s\" is not in \"%s\"", part, message);
  if (other && !strstr(message, other)) fail_msg("\"%s\" is not in \"%s\"", other, message);
  if (strstr(message, "s3cr3t")) fail_msg("a secret is in \"%s\"", message);
  assert_int_equal(world->row, rows);
  assert_true(cloudfetch_has_failed(world->cf));
  dbsql_error_free(error);
  world_end(world);
  assert_int_equal(mem_test_live_blocks(), blocks);
}
