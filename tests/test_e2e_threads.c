/* Connections are independent: many threads, each with its own, and cancels from others. For ThreadSanitizer above all. */
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "warehouse_process.h"

enum { threads = 8, rounds = 12 };

static struct warehouse_process *warehouse;

static void *work(void *user) {
  int number = *(int *)user;
  dbsql_connection *connection = warehouse_connect(warehouse_config(warehouse));
  for (int round = 0; round < rounds; round++) {
    char sql[128];
    int64_t count = 1000 * (number + 1) + round, rows = 0;
    snprintf(sql, sizeof sql, "SELECT id, CAST(id AS STRING) AS s FROM range(%lld)", (long long)count);
    dbsql_result *result = NULL;
    dbsql_error *error = NULL;
    if (dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK) return "a statement failed";
    bool has_row = false;
    while (dbsql_row_next(result, NULL, &has_row, NULL) == DBSQL_OK && has_row) {
      int64_t id;
      if (dbsql_get_int64(result, 0, &id, NULL) != DBSQL_OK || id != rows++) return "a wrong row";
    }
    if (rows != count) return "a wrong number of rows";
    dbsql_result_free(result);
  }
  dbsql_connection_close(connection, NULL, NULL);
  return NULL;
}

static void connections_in_many_threads(void **state) {
  (void)state;
  if (!warehouse_is_there()) skip();
  warehouse = warehouse_start(NULL);
  pthread_t ids[threads];
  int numbers[threads];
  for (int i = 0; i < threads; i++) {
    numbers[i] = i;
    assert_int_equal(pthread_create(&ids[i], NULL, work, &numbers[i]), 0);
  }
  for (int i = 0; i < threads; i++) {
    void *failure;
    pthread_join(ids[i], &failure);
    if (failure) fail_msg("%s", (const char *)failure);
  }
  assert_int_equal(warehouse_stop(warehouse), 0);
}

struct shared {
  dbsql_statement *statement;
  dbsql_cancel *cancel;
};

static void *cancel_again_and_again(void *user) {
  struct shared *shared = user;
  for (int i = 0; i < 200; i++) dbsql_statement_cancel(shared->statement, NULL, NULL);
  dbsql_cancel_trigger(shared->cancel);
  return NULL;
}

static void cancels_at_any_moment(void **state) {
  (void)state;
  if (!warehouse_is_there()) skip();
  static const char *const arguments[] = {"--sync-wait-ms", "1", NULL};
  warehouse = warehouse_start(arguments);
  dbsql_connection *connection = warehouse_connect(warehouse_config(warehouse));
  struct shared shared;
  assert_int_equal(dbsql_statement_new(connection, &shared.statement, NULL), DBSQL_OK);
  assert_int_equal(dbsql_cancel_new(&shared.cancel, NULL), DBSQL_OK);
  dbsql_call call = DBSQL_CALL_INIT;
  call.cancel = shared.cancel;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, cancel_again_and_again, &shared), 0);
  dbsql_status status = DBSQL_OK;
  while (!dbsql_cancel_is_triggered(shared.cancel)) {
    dbsql_result *result = NULL;
    status =
        dbsql_statement_execute(shared.statement, "SELECT count(*) FROM range(2000000) t WHERE id % 7 = 3", SIZE_MAX, &call, &result, NULL);
    assert_true(status == DBSQL_OK || status == DBSQL_ERROR_CANCELLED);
    dbsql_result_free(result);
  }
  pthread_join(thread, NULL);
  dbsql_cancel_reset(shared.cancel);
  dbsql_result *result = NULL;
  assert_int_equal(dbsql_statement_execute(shared.statement, "SELECT 1", SIZE_MAX, &call, &result, NULL), DBSQL_OK);
  dbsql_result_free(result);
  dbsql_statement_free(shared.statement);
  dbsql_connection_close(connection, NULL, NULL);
  dbsql_cancel_free(shared.cancel);
  assert_int_equal(warehouse_stop(warehouse), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(connections_in_many_threads), cmocka_unit_test(cancels_at_any_moment)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
