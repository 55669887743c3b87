/* Whatever goes wrong at whatever step of a transaction: what the library says afterwards is so on the server, and another session sees
 * exactly what was promised. */
#include "transaction_tools.h"

static const char *const steps[] = {"SET AUTOCOMMIT = FALSE", "INSERT", "COMMIT", "ROLLBACK", "SET AUTOCOMMIT = TRUE"};
static const struct {
  const char *name, *more;
} kinds[] = {
    {"reset-before", ""}, /* the request is lost */
    {"reset-after", ""},  /* the answer is lost */
    {"reset-body", ""},
    {"truncated-body", ""},
    {"garbage-body", ""},
    {"html-body", ""},
    {"http-503", ",\"retry_after\":0"},
    {"http-429", ",\"retry_after\":0"},
    {"http-500", ""},
    {"http-502", ""},
    {"http-404", ""},
    {"http-403", ""},
    {"session-lost", ""},
    {"session-gone", ""},
    {"statement-fails", ",\"message\":\"INTERNAL_ERROR XX000\""},
};

static dbsql_connection *watcher;

static void check_state(dbsql_connection *connection, const char *what) {
  dbsql_transaction_state state = dbsql_connection_transaction_state(connection);
  const char *known = dbsql_transaction_state_name(state), *real = server_state(connection);
  if (state == DBSQL_TRANSACTION_UNKNOWN) return;
  if (state != DBSQL_TRANSACTION_BROKEN) {
    if (strcmp(known, real) != 0) fail_msg("%s: the library says %s, the server %s", what, known, real);
    assert_true(dbsql_connection_is_alive(connection));
    return;
  }
  assert_false(dbsql_connection_is_alive(connection));
  FAILS_SQL(connection, "SELECT 1", "08003", "");
}

enum style { STYLE_COMMIT, STYLE_ROLLBACK, STYLE_ATTRIBUTE_COMMIT, STYLE_ATTRIBUTE_ROLLBACK, STYLE_SWITCH_ON, STYLES };

/* Where it goes wrong: when a statement is sent, or when it is asked whether it has ended, so many questions later. */
struct place {
  const char *match;
  int skip;
};

static void story(enum style style, const struct place *place, size_t kind, int count) {
  char what[160], json[320];
  snprintf(what, sizeof what, "style %d, %s at %s (%d), %d times", style, kinds[kind].name, place->match ? place->match : "a question",
           place->skip, count);
  if (place->match) {
    snprintf(json, sizeof json, "{\"name\":\"%s\",\"match\":\"%s\",\"count\":%d%s}", kinds[kind].name, place->match, count,
             kinds[kind].more);
  } else {
    snprintf(json, sizeof json, "{\"name\":\"%s\",\"method\":\"GetOperationStatus\",\"skip\":%d,\"count\":%d%s}", kinds[kind].name,
             place->skip, count, kinds[kind].more);
  }
  dbsql_config *config = warehouse_config(warehouse);
  if (!place->match) assert_int_equal(dbsql_config_set(config, "direct_results", "false", NULL), DBSQL_OK);
  dbsql_connection *connection = warehouse_connect(config);
  dbsql_error *told = NULL;
  bool attribute = style >= STYLE_ATTRIBUTE_COMMIT, commits = style != STYLE_ROLLBACK && style != STYLE_ATTRIBUTE_ROLLBACK;
  run(watcher, "DELETE FROM t");
  warehouse_fault(warehouse, json);
  dbsql_status begun =
      attribute ? dbsql_connection_set_autocommit(connection, false, NULL, &told) : dbsql_begin(connection, NULL, NULL, &told);
  if (begun != DBSQL_OK) assert_non_null(told);
  dbsql_error_free(told);
  told = NULL;
  check_state(connection, what);
  if (begun == DBSQL_OK) {
    dbsql_status inserted = try_run(connection, "INSERT INTO t VALUES (1)", &told);
    dbsql_error_free(told);
    told = NULL;
    check_state(connection, what);
    assert_int_equal(number(watcher, "SELECT count(*) FROM t"), 0);
    dbsql_status ended = style == STYLE_SWITCH_ON ? dbsql_connection_set_autocommit(connection, true, NULL, &told)
                         : commits                ? dbsql_commit(connection, NULL, &told)
                                                  : dbsql_rollback(connection, NULL, &told);
    bool unknown = strcmp(dbsql_error_sqlstate(told), "08007") == 0;
    if (unknown && strstr(dbsql_error_message(told), "unknown") == NULL) fail_msg("%s: %s", what, dbsql_error_message(told));
    bool committed = commits && ended == DBSQL_OK;
    /* Switching on after a COMMIT that went well may fail by itself. */
    if (style == STYLE_SWITCH_ON && ended != DBSQL_OK && strstr(dbsql_error_message(told), "failed to switch autocommit on"))
      committed = true;
    dbsql_error_free(told);
    told = NULL;
    check_state(connection, what);
    dbsql_transaction_state after = dbsql_connection_transaction_state(connection);
    if (after != DBSQL_TRANSACTION_BROKEN && after != DBSQL_TRANSACTION_AUTO && after != DBSQL_TRANSACTION_IDLE)
      fail_msg("%s: %s after the end", what, dbsql_transaction_state_name(after));
    warehouse_clear_faults(warehouse);
    int64_t rows = number(watcher, "SELECT count(*) FROM t");
    bool may = unknown || (committed && inserted != DBSQL_OK);
    if (may ? rows != 0 && rows != 1 : rows != (committed ? 1 : 0)) {
      fail_msg("%s: %" PRId64 " rows; insert %d, end %d%s", what, rows, inserted, ended, unknown ? ", unknown" : "");
    }
    if (after == DBSQL_TRANSACTION_AUTO || after == DBSQL_TRANSACTION_IDLE) { /* then it is good for the next one */
      if (after == DBSQL_TRANSACTION_AUTO) OK(dbsql_begin(connection, NULL, NULL, &error));
      run(connection, "INSERT INTO t VALUES (2)");
      OK(dbsql_commit(connection, NULL, &error));
      assert_int_equal(number(watcher, "SELECT count(*) FROM t WHERE a = 2"), 1);
    }
  }
  warehouse_clear_faults(warehouse);
  OK((dbsql_connection_close(connection, NULL, NULL), DBSQL_OK));
  assert_int_equal(number(watcher, "SELECT count(*) FROM t WHERE a NOT IN (1, 2)"), 0);
}

static void whatever_goes_wrong_at_whatever_step(void **state) {
  NEEDS_WAREHOUSE;
  watcher = open_one();
  run(watcher, "CREATE TABLE t (a INT)");
  static const int counts[] = {1, 2, -1};
  for (int style = 0; style < STYLES; style++) {
    for (size_t step = 0; step < sizeof steps / sizeof steps[0]; step++) {
      for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
          story((enum style)style, &(struct place){steps[step], 0}, kind, counts[c]);
      }
    }
  }
  dbsql_connection_close(watcher, NULL, NULL);
}

/* The statement has arrived, and what became of it is asked for in vain. */
static void whatever_goes_wrong_while_waiting(void **state) {
  NEEDS_WAREHOUSE;
  watcher = open_one();
  run(watcher, "CREATE OR REPLACE TABLE t (a INT)");
  for (int style = 0; style < STYLES; style++) {
    for (int skip = 0; skip < 4; skip++) {
      for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        if (strcmp(kinds[kind].name, "statement-fails") == 0) continue; /* not that of a question */
        story((enum style)style, &(struct place){NULL, skip}, kind, 1);
        story((enum style)style, &(struct place){NULL, skip}, kind, -1);
      }
    }
  }
  dbsql_connection_close(watcher, NULL, NULL);
}

/* The session ends while the COMMIT runs: whether it came in time nobody knows. */
static void a_session_that_goes_during_commit_is_unknown(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_config *config = warehouse_config(warehouse);
  assert_int_equal(dbsql_config_set(config, "direct_results", "false", NULL), DBSQL_OK);
  dbsql_connection *connection = warehouse_connect(config);
  run(connection, "CREATE OR REPLACE TABLE t (a INT)");
  OK(dbsql_begin(connection, NULL, NULL, &error));
  run(connection, "INSERT INTO t VALUES (1)");
  warehouse_fault(warehouse, "{\"name\":\"session-gone\",\"method\":\"GetOperationStatus\"}");
  FAILS(dbsql_commit(connection, NULL, &error), "08007", "");
  dbsql_connection_close(connection, NULL, NULL);
}

/* The second session's view, one step each: what must be exactly so. */
static void a_commit_whose_answer_is_lost_is_unknown_and_not_repeated(void **state) {
  NEEDS_WAREHOUSE;
  watcher = open_one();
  run(watcher, "CREATE OR REPLACE TABLE t (a INT)");
  static const char *const lost[] = {"reset-after", "reset-before"};
  for (int64_t arrived = 1; arrived >= 0; arrived--) {
    dbsql_connection *connection = open_one();
    run(watcher, "DELETE FROM t");
    OK(dbsql_begin(connection, NULL, NULL, &error));
    run(connection, "INSERT INTO t VALUES (1)");
    int64_t before = statements();
    fault(lost[1 - arrived], "COMMIT", 1, "");
    FAILS(dbsql_commit(connection, NULL, &error), "08007", "");
    assert_int_equal(statements() - before, arrived + 2); /* COMMIT, if it came; ROLLBACK; SET AUTOCOMMIT = TRUE */
    assert_state(connection, "AUTO");
    assert_int_equal(number(watcher, "SELECT count(*) FROM t"), arrived);
    dbsql_connection_close(connection, NULL, NULL);
  }
  dbsql_connection_close(watcher, NULL, NULL);
}

static void a_refused_commit_is_not_unknown(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = open_one();
  run(connection, "CREATE OR REPLACE TABLE t (a INT)");
  OK(dbsql_begin(connection, NULL, NULL, &error));
  run(connection, "INSERT INTO t VALUES (1)");
  fault("http-503", "COMMIT", 100, ",\"retry_after\":0");
  dbsql_error *told = NULL;
  assert_int_not_equal(dbsql_commit(connection, NULL, &told), DBSQL_OK);
  assert_string_not_equal(dbsql_error_sqlstate(told), "08007");
  assert_false(dbsql_error_is_retryable(told)); /* it has been rolled back */
  dbsql_error_free(told);
  warehouse_clear_faults(warehouse);
  assert_state(connection, "AUTO");
  assert_int_equal(number(connection, "SELECT count(*) FROM t"), 0);
  /* One refusal is nothing: the request was not accepted, and is sent again. */
  OK(dbsql_begin(connection, NULL, NULL, &error));
  run(connection, "INSERT INTO t VALUES (1)");
  fault("http-503", "COMMIT", 1, ",\"retry_after\":0");
  OK(dbsql_commit(connection, NULL, &error));
  assert_int_equal(number(connection, "SELECT count(*) FROM t"), 1);
  dbsql_connection_close(connection, NULL, NULL);
}

static void a_connection_that_cannot_be_put_right_is_broken(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = open_one();
  run(connection, "CREATE OR REPLACE TABLE t (a INT)");
  OK(dbsql_begin(connection, NULL, NULL, &error));
  run(connection, "INSERT INTO t VALUES (1)");
  fault("reset-before", "SET AUTOCOMMIT = TRUE", -1, "");
  OK(dbsql_commit(connection, NULL, &error)); /* it is committed */
  assert_int_equal(dbsql_connection_transaction_state(connection), DBSQL_TRANSACTION_BROKEN);
  assert_false(dbsql_connection_is_alive(connection));
  FAILS(dbsql_begin(connection, NULL, NULL, &error), "08003", "");
  FAILS(dbsql_rollback(connection, NULL, &error), "08003", "");
  FAILS_SQL(connection, "SELECT 1", "08003", "");
  warehouse_clear_faults(warehouse);
  OK(dbsql_connection_close(connection, NULL, &error)); /* the session itself is closed as ever */
  connection = open_one();
  assert_int_equal(number(connection, "SELECT count(*) FROM t"), 1);
  dbsql_connection_close(connection, NULL, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whatever_goes_wrong_at_whatever_step),
      cmocka_unit_test(whatever_goes_wrong_while_waiting),
      cmocka_unit_test(a_session_that_goes_during_commit_is_unknown),
      cmocka_unit_test(a_commit_whose_answer_is_lost_is_unknown_and_not_repeated),
      cmocka_unit_test(a_refused_commit_is_not_unknown),
      cmocka_unit_test(a_connection_that_cannot_be_put_right_is_broken),
  };
  return cmocka_run_group_tests(tests, start_warehouse, stop_warehouse);
}
