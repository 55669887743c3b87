/* Large results through the whole library: a Thrift server that answers with links, and a storage that has the files. */
#include "test.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "cloud_storage.h"
#include "http/transfer.h"
#include "thrift_server.h"

/* ---- The server ---------------------------------------------------------------------------------------------------------- */

static struct TStatus success = {.has_statusCode = true, .statusCode = TStatusCode_SUCCESS_STATUS};
static struct TStatus failure = {
    .has_statusCode = true, .statusCode = TStatusCode_ERROR_STATUS, .has_errorMessage = true, .errorMessage = {(const uint8_t *)"gone", 4}};
static const uint8_t guid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t secret[16] = {0xA1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xA2};
static struct THandleIdentifier handle_id = {.has_guid = true, .guid = {guid, 16}, .has_secret = true, .secret = {secret, 16}};
static struct TSessionHandle session_handle = {.has_sessionId = true, .sessionId = &handle_id};
static struct TOperationHandle operation_handle = {
    .has_operationId = true, .operationId = &handle_id, .has_operationType = true, .has_hasResultSet = true, .hasResultSet = true};

struct world {
  struct cloud cloud;
  int64_t gone_at;        /* pages from this row on are an error; 0: none */
  int64_t inline_from;    /* and from this one on rows come inline; 0: none */
  bool no_direct_results; /* the first page is to be fetched */
  struct thrift_server *server;
  struct buf schema;
  atomic_bool can_download;
};

static void fill_metadata(struct world *world, struct TGetResultSetMetadataResp *metadata) {
  *metadata = (struct TGetResultSetMetadataResp){
      .has_status = true, .status = &success, .has_arrowSchema = true, .arrowSchema = buf_slice(&world->schema), .has_lz4Compressed = true};
}

/* Rows from `start` on: links, or one Arrow batch of at most 50. */
static void fill_page(struct world *world, int64_t start, struct arena *arena, struct TFetchResultsResp *response) {
  *response = (struct TFetchResultsResp){.has_status = true, .status = &success, .has_hasMoreRows = true, .has_results = true};
  if (world->inline_from == 0 || start < world->inline_from) {
    struct TRowSet *rows = cloud_links(&world->cloud, start, arena, &response->hasMoreRows);
    response->results = rows;
    while (world->inline_from != 0 && rows->resultLinks.count != 0 &&
           rows->resultLinks.items[rows->resultLinks.count - 1].startRowOffset >= world->inline_from) {
      rows->resultLinks.count--;
      response->hasMoreRows = true;
    }
    return;
  }
  int64_t count = world->cloud.rows - start < 50 ? world->cloud.rows - start : 50;
  struct TRowSet *rows = arena_alloc(arena, 1, sizeof *rows);
  rows->has_startRowOffset = rows->has_rows = rows->has_arrowBatches = true;
  rows->startRowOffset = start;
  response->results = rows;
  response->hasMoreRows = start + count < world->cloud.rows;
  if (count <= 0) return;
  struct cloud plain = {.rows_per_batch = 50, .format = CLOUD_PLAIN};
  struct buf file = BUF_INIT;
  cloud_file(&plain, start, count, &file);
  rows->arrowBatches.count = 1;
  rows->arrowBatches.items = arena_alloc(arena, 1, sizeof *rows->arrowBatches.items);
  char *copy = arena_alloc(arena, file.size, 1);
  memcpy(copy, file.data, file.size);
  *rows->arrowBatches.items =
      (struct TSparkArrowBatch){.has_batch = true, .batch = slice_of(copy, file.size), .has_rowCount = true, .rowCount = count};
  buf_free(&file);
}

static void serve(struct thrift_exchange *exchange) {
  struct world *world = exchange->user;
  struct TFetchResultsResp page;
  switch (exchange->method) {
    case TCLI_OpenSession: {
      struct TOpenSessionResp response = {.has_status = true,
                                          .status = &success,
                                          .has_serverProtocolVersion = true,
                                          .serverProtocolVersion = 0xA508,
                                          .has_sessionHandle = true,
                                          .sessionHandle = &session_handle};
      thrift_reply(exchange, &response);
      return;
    }
    case TCLI_ExecuteStatement: {
      const struct TExecuteStatementReq *request = exchange->request;
      world->can_download = request->canDownloadResult;
      struct TGetResultSetMetadataResp metadata;
      fill_metadata(world, &metadata);
      struct TGetOperationStatusResp state = {
          .has_status = true, .status = &success, .has_operationState = true, .operationState = TOperationState_FINISHED_STATE};
      struct TSparkDirectResults direct = {
          .has_operationStatus = true, .operationStatus = &state, .has_resultSetMetadata = true, .resultSetMetadata = &metadata};
      if (!world->no_direct_results) {
        fill_page(world, 0, exchange->arena, &page);
        direct.has_resultSet = true;
        direct.resultSet = &page;
      }
      struct TExecuteStatementResp response = {.has_status = true,
                                               .status = &success,
                                               .has_operationHandle = true,
                                               .operationHandle = &operation_handle,
                                               .has_directResults = true,
                                               .directResults = &direct};
      thrift_reply(exchange, &response);
      return;
    }
    case TCLI_GetResultSetMetadata: {
      struct TGetResultSetMetadataResp metadata;
      fill_metadata(world, &metadata);
      thrift_reply(exchange, &metadata);
      return;
    }
    case TCLI_FetchResults: {
      const struct TFetchResultsReq *request = exchange->request;
      if (!request->has_startRowOffset || !slice_equal(request->operationHandle->operationId->secret, slice_of(secret, 16))) {
        exchange_reply(exchange->http, 400, NULL, "");
        return;
      }
      if (world->gone_at != 0 && request->startRowOffset >= world->gone_at) {
        page = (struct TFetchResultsResp){.has_status = true, .status = &failure};
      } else {
        fill_page(world, request->startRowOffset, exchange->arena, &page);
      }
      thrift_reply(exchange, &page);
      return;
    }
    case TCLI_CloseOperation: {
      struct TCloseOperationResp response = {.has_status = true, .status = &success};
      thrift_reply(exchange, &response);
      return;
    }
    default: {
      struct TCloseSessionResp response = {.has_status = true, .status = &success};
      thrift_reply(exchange, &response);
    }
  }
}

static void world_start(struct world *world) {
  cloud_start(&world->cloud);
  cloud_schema(&world->schema);
  world->server = thrift_server_start(serve, world);
}

static void world_stop(struct world *world) {
  thrift_server_stop(world->server);
  cloud_stop(&world->cloud);
  buf_free(&world->schema);
  assert_false(world->cloud.signature_seen);
  assert_false(transfer_test_thread_runs());
}

/* ---- The client ---------------------------------------------------------------------------------------------------------- */

static dbsql_connection *open_with(struct world *world, const char *name, const char *value) {
  dbsql_config *config;
  dbsql_connection *connection;
  dbsql_error *error = NULL;
  char text[128];
  assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
  snprintf(text, sizeof text, "http://token:t0ken@127.0.0.1:%d/sql/1.0/warehouses/a?o=7", thrift_server_port(world->server));
  assert_int_equal(dbsql_config_parse(config, text, SIZE_MAX, NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_set(config, "retry_min_wait_ms", "1", NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_set(config, "ignore_environment", "1", NULL), DBSQL_OK);
  if (name) assert_int_equal(dbsql_config_set(config, name, value, NULL), DBSQL_OK);
  if (dbsql_connect(config, NULL, &connection, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  dbsql_config_free(config);
  return connection;
}

static dbsql_connection *open_plain(struct world *world) {
  return open_with(world, NULL, NULL);
}

static dbsql_result *execute(dbsql_connection *connection) {
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  if (dbsql_execute(connection, "SELECT", SIZE_MAX, NULL, &result, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return result;
}

/* Reads rows up to `until`, or to the end; returns the row that comes next. */
static int64_t read_to(dbsql_result *result, int64_t row, int64_t until) {
  while (row < until) {
    struct ArrowArray batch;
    dbsql_error *error = NULL;
    if (dbsql_result_next_batch(result, NULL, &batch, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    if (!batch.release) break;
    cloud_check_batch(&batch, row);
    row += batch.length;
    batch.release(&batch);
  }
  return row;
}

static void assert_story(struct world *world, const char *story) {
  char *is = thrift_server_story(world->server);
  assert_string_equal(is, story);
  free(is);
}

/* ---- Tests --------------------------------------------------------------------------------------------------------------- */

/* No round trip too many: the links of the answer are used, and the operation is closed behind the last file. */
static void a_large_result(void **state) {
  (void)state;
  int64_t blocks = mem_test_live_blocks();
  struct world world = {.cloud = {.format = CLOUD_LZ4_MESSAGES}};
  world_start(&world);
  dbsql_connection *connection = open_plain(&world);
  dbsql_result *result = execute(connection);
  assert_true(world.can_download);
  while (cloud_all_attempts(&world.cloud) < 4) poll(NULL, 0, 1); /* before anybody asks for a row */
  dbsql_column column;
  assert_true(dbsql_result_column(result, 1, &column));
  assert_string_equal(column.name, "s"); /* and not what the files say */
  assert_int_equal(read_to(result, 0, 960), 960);
  assert_story(&world, "OpenSession ExecuteStatement FetchResults*2");
  assert_int_equal(read_to(result, 960, INT64_MAX), 1000);
  dbsql_statistics statistics = {.struct_size = sizeof statistics};
  assert_true(dbsql_result_statistics(result, &statistics));
  assert_int_equal(statistics.files_known, 10);
  assert_int_equal(statistics.files_read, 10);
  assert_int_equal(statistics.memory_used, 0);
  assert_int_equal(statistics.memory_limit, 268435456);
  assert_true(statistics.memory_high > 0);
  assert_true(dbsql_memory_high() >= statistics.memory_high);
  dbsql_result_free(result);
  assert_int_equal(dbsql_memory_used(), 0);
  dbsql_connection_close(connection, NULL, NULL);
  assert_story(&world, "OpenSession ExecuteStatement FetchResults*2 CloseOperation CloseSession");
  world_stop(&world);
  assert_int_equal(mem_test_live_blocks(), blocks);
}

static void the_option_turns_it_off(void **state) {
  (void)state;
  struct world world = {.inline_from = 1, .cloud = {.rows = 300}, .no_direct_results = true};
  world_start(&world);
  dbsql_connection *connection = open_with(&world, "useCloudFetch", "0");
  dbsql_result *result = execute(connection);
  assert_false(world.can_download);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  world_stop(&world);
}

/* A server may go on inline where it began with files. */
static void files_and_then_batches(void **state) {
  (void)state;
  for (int direct = 0; direct < 2; direct++) {
    struct world world = {.inline_from = 600, .no_direct_results = direct == 0};
    world_start(&world);
    dbsql_connection *connection = open_plain(&world);
    dbsql_result *result = execute(connection);
    assert_int_equal(read_to(result, 0, INT64_MAX), 1000);
    assert_int_equal(cloud_all_attempts(&world.cloud), 6);
    dbsql_result_free(result);
    dbsql_connection_close(connection, NULL, NULL);
    world_stop(&world);
  }
}

static void the_row_cursor_reads_files(void **state) {
  (void)state;
  struct world world = {.cloud = {.padding = 5}};
  world_start(&world);
  dbsql_connection *connection = open_plain(&world);
  dbsql_result *result = execute(connection);
  int64_t row = 0;
  for (;; row++) {
    bool has_row;
    int64_t value;
    assert_int_equal(dbsql_row_next(result, NULL, &has_row, NULL), DBSQL_OK);
    if (!has_row) break;
    assert_int_equal(dbsql_get_int64(result, 0, &value, NULL), DBSQL_OK);
    assert_int_equal(value, row);
  }
  assert_int_equal(row, 1000);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  world_stop(&world);
}

static void an_operation_that_is_gone_tells_how_far_it_came(void **state) {
  (void)state;
  struct world world = {.gone_at = 400};
  world_start(&world);
  dbsql_connection *connection = open_plain(&world);
  dbsql_result *result = execute(connection);
  assert_int_equal(read_to(result, 0, 400), 400);
  struct ArrowArray batch;
  dbsql_error *error = NULL;
  assert_int_not_equal(dbsql_result_next_batch(result, NULL, &batch, &error), DBSQL_OK);
  if (!strstr(dbsql_error_message(error), "after 400 rows")) fail_msg("%s", dbsql_error_message(error));
  dbsql_error_free(error);
  error = NULL;
  assert_int_not_equal(dbsql_result_next_batch(result, NULL, &batch, &error), DBSQL_OK);
  assert_non_null(strstr(dbsql_error_message(error), "failed before, after 400 rows"));
  dbsql_error_free(error);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  world_stop(&world);
}

static bool wait_for_go(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt) {
  (void)exchange;
  (void)start;
  (void)attempt;
  test_event_wait(cloud->user);
  return false;
}

static void *trigger(void *cancel) {
  poll(NULL, 0, 20);
  dbsql_cancel_trigger(cancel);
  return NULL;
}

static void deadline_and_cancel_while_files_come(void **state) {
  (void)state;
  struct test_event go = TEST_EVENT_INIT;
  struct world world = {.cloud = {.fault = wait_for_go, .user = &go}};
  world_start(&world);
  dbsql_connection *connection = open_plain(&world);
  dbsql_result *result = execute(connection);
  struct ArrowArray batch;
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = 30;
  assert_int_equal(dbsql_result_next_batch(result, &call, &batch, NULL), DBSQL_ERROR_TIMEOUT);
  call.timeout_ms = 0;
  assert_int_equal(dbsql_cancel_new(&call.cancel, NULL), DBSQL_OK);
  pthread_t thread;
  pthread_create(&thread, NULL, trigger, call.cancel);
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_result_next_batch(result, &call, &batch, &error), DBSQL_ERROR_CANCELLED);
  pthread_join(thread, NULL);
  dbsql_error_free(error);
  dbsql_cancel_free(call.cancel);
  /* The downloads went on; nothing was lost. */
  test_event_set(&go);
  assert_int_equal(read_to(result, 0, INT64_MAX), 1000);
  assert_int_equal(cloud_all_attempts(&world.cloud), 10);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  world_stop(&world);
}

/* Whatever the order in which things go away, also arrays last of all. */
static void closing_at_every_stage(void **state) {
  (void)state;
  int64_t blocks = mem_test_live_blocks();
  struct world world = {0};
  world_start(&world);
  int64_t own = mem_test_live_blocks();
  for (int64_t rows = 0; rows <= 420; rows += 30) {
    dbsql_connection *connection = open_plain(&world);
    dbsql_result *result = execute(connection);
    assert_true(read_to(result, 0, rows) >= rows);
    struct ArrowArray batch;
    assert_int_equal(dbsql_result_next_batch(result, NULL, &batch, NULL), DBSQL_OK);
    int64_t first = dbsql_result_rows_read(result) - batch.length;
    if (rows % 60 == 0) {
      dbsql_result_free(result);
      dbsql_connection_close(connection, NULL, NULL);
    } else {
      dbsql_connection_close(connection, NULL, NULL);
      dbsql_result_free(result);
    }
    assert_false(transfer_test_thread_runs());
    cloud_check_batch(&batch, first);
    assert_true(dbsql_memory_used() > 0);
    batch.release(&batch);
    assert_int_equal(dbsql_memory_used(), 0);
    /* The server's thread frees its last answer when we may have it already. */
    for (int i = 0; mem_test_live_blocks() != own && i < 10000; i++) poll(NULL, 0, 1);
    assert_int_equal(mem_test_live_blocks(), own);
  }
  world_stop(&world);
  assert_int_equal(mem_test_live_blocks(), blocks);
}

/* ---- Going on elsewhere ---------------------------------------------------------------------------------------------------- */

static void another_process_goes_on(void **state) {
  (void)state;
  struct world world = {0};
  world_start(&world);
  for (int64_t rows = 0; rows < 1000; rows += 250) {
    dbsql_connection *connection = open_plain(&world);
    dbsql_result *result = execute(connection);
    int64_t row = read_to(result, 0, rows);
    char *token;
    assert_int_equal(dbsql_result_resume_token(result, &token, NULL), DBSQL_OK);
    dbsql_result_free(result);
    char *story = thrift_server_story(world.server);
    assert_null(strstr(story + strlen(story) - 14, "CloseOperation")); /* it stays open */
    free(story);
    /* Another connection is what another process would have. */
    dbsql_connection *other = open_plain(&world);
    dbsql_error *error = NULL;
    if (dbsql_resume(other, token, NULL, &result, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    assert_string_equal(dbsql_result_query_id(result), "01020304-0506-0708-090a-0b0c0d0e0f10");
    assert_int_equal(read_to(result, row, INT64_MAX), 1000);
    assert_int_equal(dbsql_result_rows_read(result), 1000 - row);
    char *none = token;
    assert_int_equal(dbsql_result_resume_token(result, &none, &error), DBSQL_ERROR_DRIVER);
    assert_null(none);
    dbsql_error_free(error);
    dbsql_result_free(result);
    dbsql_connection_close(other, NULL, NULL);
    dbsql_connection_close(connection, NULL, NULL);
    dbsql_free(token);
  }
  world_stop(&world);
}

static void tokens_are_checked(void **state) {
  (void)state;
  struct world world = {0};
  world_start(&world);
  dbsql_connection *connection = open_plain(&world);
  dbsql_result *result = execute(connection), *rest;
  char *token;
  assert_int_equal(dbsql_result_resume_token(result, &token, NULL), DBSQL_OK);
  size_t length = strlen(token);
  for (size_t i = 0; i < length; i++) {
    char *changed = strdup(token);
    changed[i] = changed[i] == '0' ? '1' : '0';
    dbsql_error *error = NULL;
    assert_int_equal(dbsql_resume(connection, changed, NULL, &rest, &error), DBSQL_ERROR_DRIVER);
    assert_null(rest);
    if (strstr(dbsql_error_message(error), changed)) fail_msg("the token is in the message");
    dbsql_error_free(error);
    changed[i] = 0;
    assert_int_equal(dbsql_resume(connection, changed, NULL, &rest, NULL), DBSQL_ERROR_DRIVER);
    free(changed);
  }
  dbsql_free(token);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  world_stop(&world);
}

/* ---- Processes and memory -------------------------------------------------------------------------------------------------- */

static void a_child_can_free_what_it_inherits(void **state) {
  (void)state;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  /* ThreadSanitizer allows no thread after a fork. AddressSanitizer's allocator keeps, in the child, the lock that another thread held at
   * that moment, and hangs there (seen in its Mutex::Lock under SizeClassAllocator64::GetFromAllocator). ./dev test runs it plainly. */
  skip();
#endif
  struct world world = {0};
  world_start(&world);
  dbsql_connection *connection = open_plain(&world);
  dbsql_result *result = execute(connection);
  assert_int_equal(read_to(result, 0, 110), 130);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    struct ArrowArray batch;
    if (dbsql_result_next_batch(result, NULL, &batch, NULL) == DBSQL_OK) _exit(1);
    dbsql_result_free(result);
    dbsql_connection_close(connection, NULL, NULL);
    connection = open_plain(&world);
    result = execute(connection);
    if (read_to(result, 0, INT64_MAX) != 1000) _exit(2);
    dbsql_result_free(result);
    dbsql_connection_close(connection, NULL, NULL);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_int_equal(read_to(result, 130, INT64_MAX), 1000);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  world_stop(&world);
}

struct reader {
  struct world *world;
  int64_t rows;
};

static void *read_all(void *user) {
  struct reader *reader = user;
  dbsql_connection *connection = open_with(reader->world, "max_memory_bytes", "20000");
  dbsql_result *result = execute(connection);
  reader->rows = read_to(result, 0, INT64_MAX);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  return NULL;
}

static void many_connections_share_the_thread(void **state) {
  (void)state;
  struct world world = {.cloud = {.rows = 3000, .format = CLOUD_LZ4}};
  struct reader readers[8];
  pthread_t threads[8];
  world_start(&world);
  for (int i = 0; i < 8; i++) {
    readers[i] = (struct reader){&world, 0};
    pthread_create(&threads[i], NULL, read_all, &readers[i]);
  }
  for (int i = 0; i < 8; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(readers[i].rows, 3000);
  }
  assert_int_equal(dbsql_memory_used(), 0);
  world_stop(&world);
}

static void the_limit_of_the_process_is_checked(void **state) {
  (void)state;
  assert_int_equal(dbsql_set_memory_limit(-1), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_set_memory_limit(10000), DBSQL_OK);
  struct world world = {0};
  world_start(&world);
  dbsql_connection *connection = open_plain(&world);
  dbsql_result *result = execute(connection);
  assert_int_equal(read_to(result, 0, INT64_MAX), 1000);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  assert_int_equal(dbsql_set_memory_limit(0), DBSQL_OK);
  assert_false(dbsql_result_statistics(NULL, NULL));
  world_stop(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_large_result),
      cmocka_unit_test(the_option_turns_it_off),
      cmocka_unit_test(files_and_then_batches),
      cmocka_unit_test(the_row_cursor_reads_files),
      cmocka_unit_test(an_operation_that_is_gone_tells_how_far_it_came),
      cmocka_unit_test(deadline_and_cancel_while_files_come),
      cmocka_unit_test(closing_at_every_stage),
      cmocka_unit_test(another_process_goes_on),
      cmocka_unit_test(tokens_are_checked),
      cmocka_unit_test(a_child_can_free_what_it_inherits),
      cmocka_unit_test(many_connections_share_the_thread),
      cmocka_unit_test(the_limit_of_the_process_is_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
