/* A statement of a transaction that another thread cancels: it has failed, and the transaction with it. */
#include "transaction_tools.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static atomic_bool stop;

static void *cancel_again_and_again(void *user) {
  while (!atomic_load(&stop)) {
    dbsql_statement_cancel(user, NULL, NULL);
    nanosleep(&(struct timespec){0, 2000000}, NULL);
  }
  return NULL;
}

static void a_cancelled_statement_aborts(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = open_one();
  run(connection, "CREATE TABLE t (a INT)");
  for (int i = 0; i < 5; i++) {
    OK(dbsql_begin(connection, NULL, NULL, &error));
    run(connection, "INSERT INTO t VALUES (1)");
    dbsql_statement *statement = NULL;
    dbsql_result *result = NULL;
    dbsql_error *told = NULL;
    pthread_t thread;
    assert_int_equal(dbsql_statement_new(connection, &statement, NULL), DBSQL_OK);
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, cancel_again_and_again, statement), 0);
    /* The even ones end by themselves at once: cancelled or not, the state is the server's. */
    const char *sql = i % 2 ? "SELECT count(*) FROM range(100000000000) AS a" : "SELECT 1";
    dbsql_status status = dbsql_statement_execute(statement, sql, SIZE_MAX, NULL, &result, &told);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    if (i % 2) assert_int_equal(status, DBSQL_ERROR_CANCELLED);
    dbsql_error_free(told);
    dbsql_result_free(result);
    dbsql_statement_free(statement);
    const char *known = dbsql_transaction_state_name(dbsql_connection_transaction_state(connection));
    if (strcmp(known, "UNKNOWN") != 0) assert_string_equal(known, server_state(connection));
    if (i % 2) assert_string_equal(known, "UNKNOWN"); /* the server may be about to notice */
    OK(dbsql_rollback(connection, NULL, &error));
    assert_state(connection, "AUTO");
  }
  assert_int_equal(number(connection, "SELECT count(*) FROM t"), 0);
  dbsql_connection_close(connection, NULL, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_cancelled_statement_aborts)};
  return cmocka_run_group_tests(tests, start_warehouse, stop_warehouse);
}
