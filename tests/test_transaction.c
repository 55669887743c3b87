/* Transactions through the library, the wire and the local warehouse: the server's states (thrift.md 9.1), each error of 9.2, each row of
 * the two tables of 9.3, both styles, and what the caller's own SQL does to them. */
#include "transaction_tools.h"

#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "session/connection.h"
#include "session/transaction.h"

static dbsql_connection *with_table(void) {
  dbsql_connection *connection = open_one();
  run(connection, "CREATE OR REPLACE TABLE t (a INT)");
  run(connection, "CREATE OR REPLACE TABLE u (a INT)");
  return connection;
}

static void done(dbsql_connection *connection) {
  dbsql_connection_close(connection, NULL, NULL);
}

static void begin(dbsql_connection *connection) {
  OK(dbsql_begin(connection, NULL, NULL, &error));
}

static void commit(dbsql_connection *connection) {
  OK(dbsql_commit(connection, NULL, &error));
}

static void rollback(dbsql_connection *connection) {
  OK(dbsql_rollback(connection, NULL, &error));
}

static void autocommit(dbsql_connection *connection, bool on) {
  OK(dbsql_connection_set_autocommit(connection, on, NULL, &error));
}

static bool told_autocommit(dbsql_connection *connection) {
  bool on = false;
  OK(dbsql_connection_get_autocommit(connection, &on, NULL, &error));
  return on;
}

static int64_t rows_of(dbsql_connection *connection) {
  return number(connection, "SELECT count(*) FROM t");
}

/* ---- 9.1: the states ----------------------------------------------------------------------------------------------------- */

static void begin_commit_and_rollback(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table(), *other = open_one();
  assert_state(connection, "AUTO");
  begin(connection);
  assert_state(connection, "IDLE");
  run(connection, "INSERT INTO t VALUES (1)");
  assert_state(connection, "ACTIVE");
  assert_int_equal(rows_of(other), 0);
  run(connection, "INSERT INTO u VALUES (1)");
  commit(connection);
  assert_state(connection, "AUTO");
  assert_int_equal(rows_of(other), 1);
  assert_int_equal(number(other, "SELECT count(*) FROM u"), 1);
  begin(connection);
  run(connection, "DELETE FROM t");
  assert_int_equal(rows_of(connection), 0);
  rollback(connection);
  assert_state(connection, "AUTO");
  assert_int_equal(rows_of(other), 1);
  done(other);
  done(connection);
}

static void the_attribute_stays_off_across_transactions(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table(), *other = open_one();
  assert_true(told_autocommit(connection));
  autocommit(connection, false);
  assert_false(told_autocommit(connection));
  assert_state(connection, "IDLE");
  for (int i = 1; i <= 2; i++) {
    run(connection, "INSERT INTO t VALUES (1)");
    assert_state(connection, "ACTIVE");
    commit(connection);
    assert_state(connection, "IDLE");
    assert_int_equal(rows_of(other), i);
  }
  run(connection, "INSERT INTO t VALUES (1)");
  rollback(connection);
  assert_state(connection, "IDLE");
  run(connection, "INSERT INTO t VALUES (1)");
  autocommit(connection, true); /* commits */
  assert_state(connection, "AUTO");
  assert_int_equal(rows_of(other), 3);
  int64_t before = statements();
  autocommit(connection, true);
  commit((autocommit(connection, false), connection));
  commit(connection); /* nothing was done: nothing is sent */
  rollback(connection);
  autocommit(connection, false);
  assert_int_equal(statements() - before, 1);
  done(other);
  done(connection);
}

/* One that fails while switching on is the COMMIT's failure, and autocommit stays off. */
static void switching_on_after_a_failure_rolls_back(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  autocommit(connection, false);
  run(connection, "INSERT INTO t VALUES (1)");
  FAILS_SQL(connection, "SELEC", "42601", "PARSE_SYNTAX_ERROR");
  FAILS(dbsql_connection_set_autocommit(connection, true, NULL, &error), "40000", "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT");
  assert_state(connection, "IDLE");
  autocommit(connection, true);
  assert_int_equal(rows_of(connection), 0);
  begin(connection); /* the styles mix: switching on commits, switching off keeps what was begun */
  run(connection, "INSERT INTO t VALUES (1)");
  autocommit(connection, true);
  assert_state(connection, "AUTO");
  begin(connection);
  autocommit(connection, false);
  run(connection, "INSERT INTO t VALUES (2)");
  commit(connection);
  assert_state(connection, "IDLE");
  assert_int_equal(rows_of(connection), 2);
  done(connection);
}

static const struct {
  const char *sql, *state, *class;
} breakers[] = {
    {"SELEC", "42601", "PARSE_SYNTAX_ERROR"},
    {"SELECT * FROM nowhere", "42P01", "TABLE_OR_VIEW_NOT_FOUND"},
    {"SELECT 1/0", "22012", "DIVIDE_BY_ZERO"},
    {"SHOW TABLES", "0A000", "TRANSACTION_NOT_SUPPORTED.COMMAND"},
    {"SHOW SCHEMAS", "0A000", "TRANSACTION_NOT_SUPPORTED.COMMAND"},
    {"SHOW CATALOGS", "0A000", "TRANSACTION_NOT_SUPPORTED.COMMAND"},
    {"SHOW FUNCTIONS", "0A000", "TRANSACTION_NOT_SUPPORTED.COMMAND"},
    {"DESCRIBE TABLE EXTENDED t", "0A000", "TRANSACTION_NOT_SUPPORTED.COMMAND"},
    {"SET CATALOG main", "0A000", "TRANSACTION_NOT_SUPPORTED.COMMAND"},
    {"USE SCHEMA default", "0A000", "TRANSACTION_NOT_SUPPORTED.COMMAND"},
    {"CREATE TABLE v (a INT)", "0A000", "TRANSACTION_NOT_SUPPORTED.COMMAND"},
    {"DROP TABLE t", "0A000", "TRANSACTION_NOT_SUPPORTED.COMMAND"},
    {"SELECT * FROM information_schema.tables", "0A000", "TRANSACTION_NOT_SUPPORTED.INFORMATION_SCHEMA_TABLE"},
    {"SELECT * FROM t VERSION AS OF 1", "0A000", "TRANSACTION_NOT_SUPPORTED.TIME_TRAVEL_QUERY"},
    {"SELECT * FROM delta.`/tmp/x`", "0A000", "TRANSACTION_NOT_SUPPORTED.PATH_BASED_ACCESS"},
    {"SELECT * FROM table_changes('t', 1)", "0A000", "TRANSACTION_NOT_SUPPORTED.CDF_READ"},
    {"BEGIN TRANSACTION", "25001", "TRANSACTION_NOT_SUPPORTED.NESTED_TRANSACTION"},
    {"BEGIN", "42601", "PARSE_SYNTAX_ERROR"},
    {"START TRANSACTION", "42601", "PARSE_SYNTAX_ERROR"},
    {"BEGIN ATOMIC SELECT 1; END", "0A000", ""},
    {"SET AUTOCOMMIT = FALSE", "25001", "AUTOCOMMIT_SET_DURING_ACTIVE_TRANSACTION"},
    {"SET AUTOCOMMIT = TRUE", "25001", "AUTOCOMMIT_SET_TRUE_DURING_AUTOCOMMIT_TRANSACTION"},
};

static void any_statement_that_fails_aborts(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  for (int idle = 0; idle < 2; idle++) {
    for (size_t i = 0; i < sizeof breakers / sizeof breakers[0]; i++) {
      bool own = strncmp(breakers[i].sql, "BEGIN T", 7) == 0 || strncmp(breakers[i].sql, "SET A", 5) == 0;
      if (idle && own) continue; /* without a transaction they are other errors, or none */
      begin(connection);
      if (!idle) run(connection, "INSERT INTO t VALUES (1)");
      FAILS_SQL(connection, breakers[i].sql, breakers[i].state, breakers[i].class);
      assert_state(connection, "ABORTED");
      /* 9.2: any statement but ROLLBACK. */
      static const char *const more[] = {"SELECT 1", "SELEC", "SET AUTOCOMMIT", "COMMIT", "INSERT INTO t VALUES (2)", "SHOW TABLES"};
      for (size_t m = 0; m < sizeof more / sizeof more[0]; m++)
        FAILS_SQL(connection, more[m], "40000", "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT.PREVIOUS_QUERY_FAILURE");
      assert_state(connection, "ABORTED");
      if (i % 2) {
        rollback(connection);
      } else {
        FAILS(dbsql_commit(connection, NULL, &error), "40000", "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT");
      }
      assert_state(connection, "AUTO");
      assert_int_equal(rows_of(connection), 0);
    }
  }
  done(connection);
}

static void what_works_inside(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  begin(connection);
  static const char *const good[] = {"SELECT 1",
                                     "INSERT INTO t VALUES (1), (2)",
                                     "UPDATE t SET a = 3 WHERE a = 2",
                                     "DELETE FROM t WHERE a = 1",
                                     "MERGE INTO t USING (SELECT 3 AS b) AS s ON t.a = s.b WHEN MATCHED THEN UPDATE SET a = 4",
                                     "DESCRIBE TABLE t",
                                     "SHOW COLUMNS IN t",
                                     "DESCRIBE QUERY SELECT a FROM t",
                                     "SET AUTOCOMMIT",
                                     "/* a comment */ SELECT count(*) FROM t"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    run(connection, good[i]);
    assert_state(connection, "ACTIVE");
  }
  commit(connection);
  assert_int_equal(number(connection, "SELECT a FROM t"), 4);
  done(connection);
}

/* ---- 9.1: two sessions --------------------------------------------------------------------------------------------------- */

static void the_second_commit_to_a_table_fails(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const writes[][2] = {
      {"INSERT INTO t VALUES (1)", "INSERT INTO main.default.t VALUES (2)"},
      {"INSERT INTO T VALUES (1)", "DELETE FROM `t` WHERE a = 7"},
      {"UPDATE t SET a = 11 WHERE a = 10", "UPDATE t SET a = 21 WHERE a = 20"},
      {"MERGE INTO t USING (SELECT 10 AS b) AS s ON t.a = s.b WHEN MATCHED THEN DELETE", "INSERT INTO TABLE default.t VALUES (2)"},
  };
  dbsql_connection *one = with_table(), *two = open_one();
  for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
    run(one, "DELETE FROM t");
    run(one, "INSERT INTO t VALUES (10), (20)");
    begin(one);
    begin(two);
    run(one, writes[i][0]);
    run(two, writes[i][1]); /* other rows */
    commit(one);
    int64_t rows = rows_of(one);
    FAILS(dbsql_commit(two, NULL, &error), "40001", "DELTA_CONCURRENT_APPEND");
    assert_state(two, "AUTO");
    assert_int_equal(rows_of(one), rows);
    begin(two); /* again, and then it goes */
    run(two, writes[i][1]);
    commit(two);
  }
  /* By hand: the server wants a ROLLBACK then. */
  begin(one);
  run(one, "INSERT INTO t VALUES (1)");
  run(two, "INSERT INTO t VALUES (2)"); /* by itself, and faster */
  FAILS_SQL(one, "COMMIT", "40001", "DELTA_CONCURRENT_APPEND");
  assert_state(one, "ABORTED");
  rollback(one);
  assert_state(one, "AUTO");
  /* The same row: the engine sees it at once. */
  run(one, "DELETE FROM t");
  run(one, "INSERT INTO t VALUES (10)");
  begin(one);
  begin(two);
  run(one, "UPDATE t SET a = 11");
  FAILS_SQL(two, "UPDATE t SET a = 12", "40001", "DELTA_CONCURRENT_APPEND");
  assert_state(two, "ABORTED");
  rollback(two);
  commit(one);
  /* Different tables, and reading alone, do not conflict. */
  begin(one);
  begin(two);
  run(one, "INSERT INTO t VALUES (1)");
  run(two, "INSERT INTO u SELECT a FROM t");
  commit(one);
  commit(two);
  done(one);
  done(two);
}

static void a_transaction_sees_its_snapshot(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *one = with_table(), *two = open_one();
  begin(one);
  assert_int_equal(rows_of(one), 0);
  run(two, "INSERT INTO t VALUES (1)");
  assert_int_equal(rows_of(one), 0); /* REPEATABLE READ */
  commit(one);
  assert_int_equal(rows_of(one), 1);
  assert_int_equal(dbsql_connection_isolation(one), DBSQL_ISOLATION_REPEATABLE_READ);
  assert_string_equal(dbsql_isolation_name(dbsql_connection_isolation(one)), "REPEATABLE READ");
  done(one);
  done(two);
}

/* ---- 9.2 ----------------------------------------------------------------------------------------------------------------- */

static void errors_that_the_server_has_without_a_transaction(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  FAILS_SQL(connection, "COMMIT", "25000", "MULTI_STATEMENT_TRANSACTION_NO_ACTIVE_TRANSACTION"); /* row 1 */
  assert_state(connection, "AUTO");
  run(connection, "ROLLBACK"); /* no error without a transaction */
  autocommit(connection, false);
  FAILS_SQL(connection, "COMMIT WORK", "25000", "MULTI_STATEMENT_TRANSACTION_NO_ACTIVE_TRANSACTION");
  FAILS_SQL(connection, "SET AUTOCOMMIT = FALSE", "25000", "AUTOCOMMIT_SET_FALSE_ALREADY_DISABLED"); /* row 4 */
  assert_false(told_autocommit(connection));
  autocommit(connection, true);
  run(connection, "BEGIN TRANSACTION");
  FAILS_SQL(connection, "SET AUTOCOMMIT = TRUE", "25001", "AUTOCOMMIT_SET_DURING_ACTIVE_TRANSACTION"); /* row 2 */
  rollback(connection);
  assert_string_equal(server_state(connection), "AUTO");
  done(connection);
}

static void every_error_class_has_its_state(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const classes[][2] = {
      {"MULTI_STATEMENT_TRANSACTION_NO_ACTIVE_TRANSACTION", "25000"},
      {"NO_ACTIVE_TRANSACTION", "25000"},
      {"AUTOCOMMIT_SET_DURING_ACTIVE_TRANSACTION", "25001"},
      {"AUTOCOMMIT_SET_TRUE_DURING_AUTOCOMMIT_TRANSACTION", "25001"},
      {"AUTOCOMMIT_SET_FALSE_ALREADY_DISABLED", "25000"},
      {"TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT.IDLE_TIMEOUT_EXCEEDED", "40000"},
      {"TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT.INTERNAL_ERROR", "40000"},
      {"TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT.INTERNAL_ERROR_WITH_CAUSE", "40000"},
      {"TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT.PREVIOUS_QUERY_FAILURE", "40000"},
      {"TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT.STATE_SIZE_EXCEEDED", "40000"},
      {"MULTI_STATEMENT_TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT.USER_MISMATCH", "40000"},
      {"TRANSACTION_NOT_SUPPORTED.ACCESS_DELTA_TABLE_WITH_RLS_CM", "0A000"},
      {"TRANSACTION_NOT_SUPPORTED.CDF_READ", "0A000"},
      {"TRANSACTION_NOT_SUPPORTED.COMMAND", "0A000"},
      {"TRANSACTION_NOT_SUPPORTED.DELTA_SHARING", "0A000"},
      {"TRANSACTION_NOT_SUPPORTED.INFORMATION_SCHEMA_TABLE", "0A000"},
      {"TRANSACTION_NOT_SUPPORTED.INTERACTIVE_TRANSACTION", "0A000"},
      {"TRANSACTION_NOT_SUPPORTED.NESTED_TRANSACTION", "25001"},
      {"TRANSACTION_NOT_SUPPORTED.PATH_BASED_ACCESS", "0A000"},
      {"TRANSACTION_NOT_SUPPORTED.PREVIEW_NOT_ENABLED", "0A000"},
      {"TRANSACTION_NOT_SUPPORTED.SQL_SCRIPT_TRANSACTION_COMMAND", "0A000"},
      {"TRANSACTION_NOT_SUPPORTED.TIME_TRAVEL_QUERY", "0A000"},
      {"TRANSACTION_NOT_SUPPORTED.WRITE_NON_CATALOG_MANAGED_TABLE", "0A000"},
      {"DELTA_CONCURRENT_APPEND", "40001"},
      {"DELTA_CONCURRENT_DELETE_READ", "40001"},
      {"DELTA_METADATA_CHANGED", "40001"},
  };
  dbsql_connection *connection = with_table();
  static const char *const places[] = {"INSERT", "COMMIT"};
  for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
    for (size_t place = 0; place < 2; place++) {
      char more[160];
      snprintf(more, sizeof more, ",\"message\":\"%s 58000\"", classes[i][0]); /* the class counts, not the state */
      begin(connection);
      if (place == 1) run(connection, "INSERT INTO t VALUES (1)");
      fault("statement-fails", places[place], 1, more);
      if (place == 0) {
        FAILS_SQL(connection, "INSERT INTO t VALUES (1)", classes[i][1], classes[i][0]);
        assert_state(connection, "ABORTED");
        rollback(connection);
      } else {
        FAILS(dbsql_commit(connection, NULL, &error), classes[i][1], classes[i][0]);
      }
      assert_state(connection, "AUTO");
      assert_int_equal(rows_of(connection), 0);
    }
  }
  /* A class that says nothing of transactions keeps its own state; Java's names are known in the text. */
  fault("statement-fails", "SELECT", 1, ",\"message\":\"SOMETHING 58000\"");
  FAILS_SQL(connection, "SELECT 1", "58000", "SOMETHING");
  done(connection);
}

/* ---- 9.3, the table of drivers ------------------------------------------------------------------------------------------- */

static void rows_cache_off_and_update(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  int64_t before = statements();
  assert_true(told_autocommit(connection)); /* cache: starts true, and nobody is asked */
  autocommit(connection, true);
  assert_int_equal(statements() - before, 0);
  fault("statement-fails", "SET AUTOCOMMIT", 1, ",\"message\":\"INTERNAL_ERROR XX000\"");
  FAILS(dbsql_connection_set_autocommit(connection, false, NULL, &error), "XX000", "INTERNAL_ERROR");
  assert_true(told_autocommit(connection)); /* update of the cache: on success only */
  assert_state(connection, "AUTO");
  before = statements();
  autocommit(connection, false); /* off: SET AUTOCOMMIT = FALSE; skipped when the cache already says so */
  autocommit(connection, false);
  assert_int_equal(statements() - before, 1);
  done(connection);
}

static void rows_commit_and_rollback(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  begin(connection); /* Go: COMMIT, then SET AUTOCOMMIT = TRUE */
  run(connection, "INSERT INTO t VALUES (1)");
  int64_t before = statements();
  commit(connection);
  assert_int_equal(statements() - before, 2);
  begin(connection);
  run(connection, "INSERT INTO t VALUES (1)");
  before = statements();
  rollback(connection);
  rollback(connection); /* twice is fine */
  assert_int_equal(statements() - before, 2);
  autocommit(connection, false); /* Python and JDBC: autocommit stays off */
  run(connection, "INSERT INTO t VALUES (1)");
  before = statements();
  commit(connection);
  assert_int_equal(statements() - before, 1);
  assert_state(connection, "IDLE");
  autocommit(connection, true);
  before = statements();
  rollback(connection);                                       /* safe when autocommit is on */
  FAILS(dbsql_commit(connection, NULL, &error), "25000", ""); /* commit in autocommit mode: the client's error */
  assert_int_equal(statements() - before, 0);
  done(connection);
}

static void rows_nested_isolation_and_read_only(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  begin(connection);
  run(connection, "INSERT INTO t VALUES (1)");
  int64_t before = statements();
  dbsql_error *told = NULL;
  assert_int_equal(dbsql_begin(connection, NULL, NULL, &told), DBSQL_ERROR_DRIVER); /* nested begin */
  assert_non_null(strstr(dbsql_error_message(told), "transaction already in progress"));
  assert_string_equal(dbsql_error_sqlstate(told), "25001");
  dbsql_error_free(told);
  assert_int_equal(statements() - before, 0);
  commit(connection); /* the first one stays valid */
  assert_int_equal(rows_of(connection), 1);
  for (int level = DBSQL_ISOLATION_DEFAULT; level <= DBSQL_ISOLATION_SERIALIZABLE + 1; level++) {
    dbsql_transaction_options options = DBSQL_TRANSACTION_OPTIONS_INIT;
    options.isolation = (dbsql_isolation)level;
    before = statements();
    if (level == DBSQL_ISOLATION_READ_UNCOMMITTED || level == DBSQL_ISOLATION_READ_COMMITTED || level > DBSQL_ISOLATION_SERIALIZABLE) {
      told = NULL;
      assert_int_equal(dbsql_begin(connection, &options, NULL, &told), DBSQL_ERROR_DRIVER);
      assert_non_null(strstr(dbsql_error_message(told), dbsql_isolation_name(options.isolation)));
      dbsql_error_free(told);
      assert_int_equal(statements() - before, 0);
    } else {
      OK(dbsql_begin(connection, &options, NULL, &error));
      rollback(connection);
    }
  }
  dbsql_transaction_options options = DBSQL_TRANSACTION_OPTIONS_INIT;
  options.read_only = true;
  told = NULL;
  before = statements();
  assert_int_equal(dbsql_begin(connection, &options, NULL, &told), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(told), "read_only"));
  dbsql_error_free(told);
  options = (dbsql_transaction_options){.struct_size = 1};
  FAILS(dbsql_begin(connection, &options, NULL, &error), "HY009", "");
  assert_int_equal(statements() - before, 0);
  done(connection);
}

/* Row "manual SET AUTOCOMMIT/BEGIN by the user": noticed. */
static void the_callers_own_statements_are_noticed(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  run(connection, "  -- off\n/* now /* and */ here */ set\tAutoCommit=false;");
  assert_int_equal(dbsql_connection_transaction_state(connection), DBSQL_TRANSACTION_UNKNOWN);
  assert_false(told_autocommit(connection)); /* asks */
  assert_state(connection, "IDLE");
  FAILS(dbsql_begin(connection, NULL, NULL, &error), "25001", "");
  run(connection, "INSERT INTO t VALUES (1)");
  assert_state(connection, "ACTIVE");
  run(connection, "Commit Work");
  int64_t before = statements();
  assert_false(told_autocommit(connection));
  assert_false(told_autocommit(connection)); /* once is enough */
  assert_int_equal(statements() - before, 1);
  run(connection, "SET AUTOCOMMIT = 1");
  begin(connection); /* asks first */
  assert_state(connection, "IDLE");
  run(connection, "INSERT INTO t VALUES (1)");
  run(connection, "COMMIT"); /* what was begun is ended by hand: autocommit is still off */
  commit(connection);
  assert_state(connection, "AUTO");
  assert_int_equal(rows_of(connection), 2);
  done(connection);
}

static void a_transaction_begun_by_sql_is_not_harmed(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  for (int way = 0; way < 4; way++) {
    run(connection, "DELETE FROM t");
    run(connection, "begin /**/ transaction");
    run(connection, "INSERT INTO t VALUES (1)");
    int64_t before = statements();
    FAILS(dbsql_begin(connection, NULL, NULL, &error), "25001", "");
    FAILS(dbsql_connection_set_autocommit(connection, false, NULL, &error), "25001", "");
    assert_true(told_autocommit(connection));
    assert_int_equal(statements() - before, 0);
    assert_string_equal(server_state(connection), "ACTIVE");
    if (way == 0) commit(connection);
    if (way == 1) rollback(connection);
    if (way == 2) autocommit(connection, true); /* commits */
    if (way == 3) run(connection, "ROLLBACK TRANSACTION");
    assert_true(told_autocommit(connection));
    assert_state(connection, "AUTO");
    assert_int_equal(rows_of(connection), way == 0 || way == 2);
  }
  done(connection);
}

static void verbs_are_read_from_the_text(void **state) {
  (void)state;
  static const struct {
    const char *sql;
    enum transaction_verb verb;
  } texts[] = {
      {"", TRANSACTION_VERB_NONE},
      {"COMMIT", TRANSACTION_VERB_COMMIT},
      {"commit transaction;", TRANSACTION_VERB_COMMIT},
      {"committed", TRANSACTION_VERB_NONE},
      {"-- COMMIT", TRANSACTION_VERB_NONE},
      {"-- x\nROLLBACK", TRANSACTION_VERB_ROLLBACK},
      {"/* x", TRANSACTION_VERB_NONE},
      {"/* /* */ */ ROLLBACK WORK", TRANSACTION_VERB_ROLLBACK},
      {"/* /* */ ROLLBACK", TRANSACTION_VERB_NONE},
      {"BEGIN TRANSACTION", TRANSACTION_VERB_BEGIN},
      {"BEGIN WORK", TRANSACTION_VERB_BEGIN},
      {"BEGIN", TRANSACTION_VERB_SCRIPT},
      {"BEGIN SELECT 1; END", TRANSACTION_VERB_SCRIPT},
      {"BEGIN ATOMIC SELECT 1; END", TRANSACTION_VERB_NONE},
      {"BEGIN -- x\n ATOMIC SELECT 1; END", TRANSACTION_VERB_NONE},
      {"SET AUTOCOMMIT", TRANSACTION_VERB_ASK},
      {"SET AUTOCOMMIT ; -- x", TRANSACTION_VERB_ASK},
      {"SET AUTOCOMMIT=0", TRANSACTION_VERB_OFF},
      {"SET AUTOCOMMIT = True ;", TRANSACTION_VERB_ON},
      {"SET AUTOCOMMIT = 2", TRANSACTION_VERB_SCRIPT},
      {"SET AUTOCOMMIT TRUE", TRANSACTION_VERB_SCRIPT},
      {"SET autocommits = 1", TRANSACTION_VERB_NONE},
      {"SELECT 'COMMIT'", TRANSACTION_VERB_NONE},
      {"START TRANSACTION", TRANSACTION_VERB_NONE},
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    size_t length = strlen(texts[i].sql);
    char *copy = malloc(length ? length : 1); /* without the zero, so that ASan sees a step too far */
    memcpy(copy, texts[i].sql, length);
    if (transaction_verb(slice_of(copy, length)) != texts[i].verb) fail_msg("\"%s\"", texts[i].sql);
    free(copy);
  }
}

static void row_pool_return(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  static const char *const leftovers[] = {
      "", "SELECT 1", "INSERT INTO t VALUES (1)", "SELEC", "SET AUTOCOMMIT = 0", "BEGIN TRANSACTION", "ROLLBACK"};
  for (int begun = 0; begun < 3; begun++) {
    for (size_t i = 0; i < sizeof leftovers / sizeof leftovers[0]; i++) {
      if (begun == 1) begin(connection);
      if (begun == 2) autocommit(connection, false);
      if (*leftovers[i]) {
        dbsql_error *ignored = NULL;
        try_run(connection, leftovers[i], &ignored);
        dbsql_error_free(ignored);
      }
      bool clean = !begun && i < 2;
      int64_t before = statements();
      if (begun == 0 && i == 2) run(connection, "DELETE FROM t"); /* that counted at once */
      OK(transaction_reset(connection, NULL, &error));
      if (clean) assert_int_equal(statements() - before, 0);
      assert_state(connection, "AUTO");
      assert_int_equal(rows_of(connection), 0);
    }
  }
  begin(connection);
  run(connection, "INSERT INTO t VALUES (1)");
  fault("reset-before", "SET AUTOCOMMIT = TRUE", 2, "");
  dbsql_error *told = NULL;
  assert_int_not_equal(transaction_reset(connection, NULL, &told), DBSQL_OK); /* failure: bad connection */
  dbsql_error_free(told);
  assert_false(dbsql_connection_is_alive(connection));
  FAILS(transaction_reset(connection, NULL, &error), "08003", "");
  done(connection);
}

static void row_close(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table(), *other = open_one();
  begin(connection);
  run(connection, "INSERT INTO t VALUES (1)");
  int64_t before = statements();
  OK(dbsql_connection_close(connection, NULL, &error));
  assert_int_equal(statements() - before, 1); /* ROLLBACK */
  assert_int_equal(rows_of(other), 0);
  connection = open_one();
  begin(connection);
  run(connection, "INSERT INTO t VALUES (1)");
  fault("reset-before", "ROLLBACK", 1, ""); /* errors do not matter: the server does the same at the end of the session */
  OK(dbsql_connection_close(connection, NULL, &error));
  assert_int_equal(rows_of(other), 0);
  before = statements();
  OK(dbsql_connection_close(open_one(), NULL, &error)); /* nothing is open: nothing more is sent */
  assert_int_equal(statements() - before, 0);
  done(other);
}

static void row_errors(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const steps[][2] = {{"SET AUTOCOMMIT = FALSE", "failed to begin transaction: "},
                                         {"COMMIT", "failed to commit transaction: "},
                                         {"ROLLBACK", "failed to rollback transaction: "}};
  dbsql_connection *connection = with_table();
  for (int i = 0; i < 3; i++) {
    if (i > 0) begin(connection);
    if (i > 0) run(connection, "INSERT INTO t VALUES (1)");
    fault("statement-fails", steps[i][0], 1, ",\"message\":\"INTERNAL_ERROR XX000\"");
    dbsql_call call = DBSQL_CALL_INIT;
    call.correlation_id = "mine";
    dbsql_error *told = NULL;
    dbsql_status status = i == 0   ? dbsql_begin(connection, NULL, &call, &told)
                          : i == 1 ? dbsql_commit(connection, &call, &told)
                                   : dbsql_rollback(connection, &call, &told);
    assert_int_equal(status, DBSQL_ERROR_EXECUTION);
    assert_int_equal(strncmp(dbsql_error_message(told), steps[i][1], strlen(steps[i][1])), 0);
    assert_string_equal(dbsql_error_class(told), "INTERNAL_ERROR"); /* JDBC: the server's SQLSTATE is kept */
    assert_string_equal(dbsql_error_sqlstate(told), "XX000");
    assert_string_equal(dbsql_error_connection_id(told), dbsql_connection_id(connection));
    assert_string_equal(dbsql_error_correlation_id(told), "mine");
    dbsql_error_free(told);
    if (i < 2) assert_state(connection, "AUTO");
  }
  /* The third: the ROLLBACK itself was refused, and what the server then made of SET AUTOCOMMIT = TRUE decides. */
  assert_true(!dbsql_connection_is_alive(connection) || strcmp(server_state(connection), "AUTO") == 0);
  done(connection);
}

/* ---- 9.3, the table of errors -------------------------------------------------------------------------------------------- */

static void begin_that_is_cancelled(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  dbsql_call call = DBSQL_CALL_INIT;
  dbsql_error *told = NULL;
  assert_int_equal(dbsql_cancel_new(&call.cancel, NULL), DBSQL_OK);
  dbsql_cancel_trigger(call.cancel);
  assert_int_equal(dbsql_begin(connection, NULL, &call, &told), DBSQL_ERROR_CANCELLED);
  dbsql_error_free(told);
  assert_state(connection, "AUTO");
  dbsql_cancel_reset(call.cancel);
  fault("stall", "SET AUTOCOMMIT = FALSE", 1, ",\"delay_ms\":2000");
  call.timeout_ms = 150;
  told = NULL;
  assert_int_equal(dbsql_begin(connection, NULL, &call, &told), DBSQL_ERROR_TIMEOUT);
  dbsql_error_free(told);
  assert_state(connection, "AUTO");
  dbsql_cancel_free(call.cancel);
  done(connection);
}

static void what_ends_a_transaction_is_not_cancelled(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  dbsql_call call = DBSQL_CALL_INIT;
  assert_int_equal(dbsql_cancel_new(&call.cancel, NULL), DBSQL_OK);
  dbsql_cancel_trigger(call.cancel);
  begin(connection);
  run(connection, "INSERT INTO t VALUES (1)");
  OK(dbsql_commit(connection, &call, &error));
  assert_state(connection, "AUTO");
  begin(connection);
  run(connection, "DELETE FROM t");
  OK(dbsql_rollback(connection, &call, &error));
  assert_state(connection, "AUTO");
  OK(dbsql_connection_set_autocommit(connection, false, &call, &error));
  run(connection, "INSERT INTO t VALUES (2)");
  OK(dbsql_connection_set_autocommit(connection, true, &call, &error));
  OK(transaction_reset(connection, &call, &error));
  assert_int_equal(rows_of(connection), 2);
  /* Its own time limit counts. */
  begin(connection);
  run(connection, "INSERT INTO t VALUES (3)");
  fault("stall", "COMMIT", 1, ",\"delay_ms\":2000");
  call.timeout_ms = 150;
  FAILS(dbsql_commit(connection, &call, &error), "08007", "");
  assert_state(connection, "AUTO");
  assert_int_equal(rows_of(connection), 2);
  dbsql_cancel_free(call.cancel);
  done(connection);
}

static void a_statement_that_is_given_up_leaves_the_state_unknown(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  begin(connection);
  run(connection, "INSERT INTO t VALUES (1)");
  fault("stall", "INSERT", 1, ",\"delay_ms\":2000");
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = 100;
  dbsql_result *result = NULL;
  FAILS(dbsql_execute(connection, "INSERT INTO t VALUES (2)", SIZE_MAX, &call, &result, &error), "HYT00", "");
  assert_int_equal(dbsql_connection_transaction_state(connection), DBSQL_TRANSACTION_UNKNOWN);
  assert_false(told_autocommit(connection)); /* without asking */
  rollback(connection);
  assert_state(connection, "AUTO");
  assert_int_equal(rows_of(connection), 0);
  done(connection);
}

/* Each row: what is done, the kind of error, whether anything is sent, the state then. A row that says "execution" comes from the server.
 */
enum act { ACT_BEGIN, ACT_LEVEL, ACT_READ_ONLY, ACT_SELECT, ACT_COMMIT, ACT_ROLLBACK, ACT_BEGIN_CANCELLED, ACT_COMMIT_CANCELLED };
static const struct {
  const char *row;
  const char *before; /* "t": in a transaction, "w": that has written, "a": that has failed */
  enum act act;
  const char *fails; /* a statement that the server refuses */
  dbsql_status status;
  int64_t sent;
  const char *after;
} rows[] = {
    {"Begin when cache false", "w", ACT_BEGIN, NULL, DBSQL_ERROR_DRIVER, 0, "ACTIVE"},
    {"bad isolation level", "", ACT_LEVEL, NULL, DBSQL_ERROR_DRIVER, 0, "AUTO"},
    {"read-only", "", ACT_READ_ONLY, NULL, DBSQL_ERROR_DRIVER, 0, "AUTO"},
    {"SET AUTOCOMMIT = FALSE fails", "", ACT_BEGIN, "SET AUTOCOMMIT = FALSE", DBSQL_ERROR_EXECUTION, 1, "AUTO"},
    {"statement fails in transaction", "w", ACT_SELECT, "SELECT", DBSQL_ERROR_EXECUTION, 1, "ABORTED"},
    {"any statement in aborted transaction", "a", ACT_SELECT, NULL, DBSQL_ERROR_EXECUTION, 1, "ABORTED"},
    {"COMMIT fails (aborted)", "a", ACT_COMMIT, NULL, DBSQL_ERROR_EXECUTION, 3, "AUTO"},
    {"COMMIT fails (other)", "w", ACT_COMMIT, "COMMIT", DBSQL_ERROR_EXECUTION, 3, "AUTO"},
    /* The server still has the transaction: switching on is refused, ROLLBACK is tried again, and all is well. */
    {"ROLLBACK fails", "w", ACT_ROLLBACK, "ROLLBACK", DBSQL_ERROR_EXECUTION, 4, "AUTO"},
    {"SET AUTOCOMMIT = TRUE fails afterwards", "w", ACT_COMMIT, "SET AUTOCOMMIT = TRUE", DBSQL_OK, 3, "AUTO"},
    {"cancelled during begin", "", ACT_BEGIN_CANCELLED, NULL, DBSQL_ERROR_CANCELLED, 0, "AUTO"},
    {"deadline passed before commit", "w", ACT_COMMIT_CANCELLED, NULL, DBSQL_OK, 2, "AUTO"},
};

static void each_row_of_the_table_of_errors(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  dbsql_call cancelled = DBSQL_CALL_INIT;
  assert_int_equal(dbsql_cancel_new(&cancelled.cancel, NULL), DBSQL_OK);
  dbsql_cancel_trigger(cancelled.cancel);
  dbsql_transaction_options weak = DBSQL_TRANSACTION_OPTIONS_INIT, read_only = DBSQL_TRANSACTION_OPTIONS_INIT;
  weak.isolation = DBSQL_ISOLATION_READ_COMMITTED;
  read_only.read_only = true;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (*rows[i].before) begin(connection);
    if (*rows[i].before == 'w') run(connection, "INSERT INTO t VALUES (1)");
    if (*rows[i].before == 'a') FAILS_SQL(connection, "SELEC", "42601", "");
    if (rows[i].fails) fault("statement-fails", rows[i].fails, 1, ",\"message\":\"INTERNAL_ERROR XX000\"");
    int64_t before = statements();
    dbsql_error *told = NULL;
    dbsql_status status = DBSQL_OK;
    switch (rows[i].act) {
      case ACT_BEGIN: status = dbsql_begin(connection, NULL, NULL, &told); break;
      case ACT_LEVEL: status = dbsql_begin(connection, &weak, NULL, &told); break;
      case ACT_READ_ONLY: status = dbsql_begin(connection, &read_only, NULL, &told); break;
      case ACT_SELECT: status = try_run(connection, "SELECT 1", &told); break;
      case ACT_COMMIT: status = dbsql_commit(connection, NULL, &told); break;
      case ACT_ROLLBACK: status = dbsql_rollback(connection, NULL, &told); break;
      case ACT_BEGIN_CANCELLED: status = dbsql_begin(connection, NULL, &cancelled, &told); break;
      case ACT_COMMIT_CANCELLED: status = dbsql_commit(connection, &cancelled, &told); break;
    }
    int64_t sent = statements() - before;
    if (status != rows[i].status || sent != rows[i].sent)
      fail_msg("%s: %s, %" PRId64 " sent (%s)", rows[i].row, dbsql_status_name(status), sent, dbsql_error_message(told));
    dbsql_error_free(told);
    const char *known = dbsql_transaction_state_name(dbsql_connection_transaction_state(connection));
    if (strcmp(known, rows[i].after) != 0 || strcmp(server_state(connection), rows[i].after) != 0)
      fail_msg("%s: then %s, on the server %s", rows[i].row, known, server_state(connection));
    rollback(connection);
  }
  assert_int_equal(rows_of(connection), 2); /* of the two that went well */
  dbsql_cancel_free(cancelled.cancel);
  done(connection);
}

/* ---- 9.1: nothing hidden ------------------------------------------------------------------------------------------------- */

static void nothing_hidden_is_sent_inside(void **state) {
  NEEDS_WAREHOUSE;
  char log[] = "/tmp/dbsql-transaction-XXXXXX";
  int fd = mkstemp(log);
  const char *const arguments[] = {"--access-log", log, NULL};
  struct warehouse_process *other = warehouse_start(arguments);
  dbsql_config *config = warehouse_config(other);
  assert_int_equal(dbsql_config_set(config, "keepalive_interval_s", "1", NULL), DBSQL_OK);
  dbsql_connection *connection = warehouse_connect(config);
  run(connection, "CREATE TABLE t (a INT)");
  begin(connection);
  run(connection, "INSERT INTO t VALUES (1)");
  OK(dbsql_connection_ping(connection, NULL, &error));
  assert_false(told_autocommit(connection));
  FAILS(dbsql_begin(connection, NULL, NULL, &error), "25001", "");
  usleep(1300 * 1000); /* so that the keep-alive has had its turn; if it is slow, less is tested */
  dbsql_result *result = NULL;
  OK(dbsql_get_tables(connection, NULL, NULL, "t", NULL, 0, NULL, &result, &error));
  dbsql_result_free(result);
  assert_int_equal(dbsql_connection_transaction_state(connection), DBSQL_TRANSACTION_ACTIVE);
  commit(connection);
  done(connection);
  assert_int_equal(warehouse_stop(other), 0);
  FILE *file = fdopen(fd, "r");
  char line[1024];
  int executes = 0;
  while (fgets(line, sizeof line, file)) executes += strstr(line, "ExecuteStatement") != NULL;
  fclose(file);
  remove(log);
  assert_int_equal(executes, 5); /* CREATE, SET AUTOCOMMIT = FALSE, INSERT, COMMIT, SET AUTOCOMMIT = TRUE */
}

static void metadata_calls_are_ready_for_both(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table();
  dbsql_result *result = NULL;
  begin(connection); /* results, and none begins a transaction */
  OK(dbsql_get_schemas(connection, NULL, NULL, NULL, &result, &error));
  dbsql_result_free(result);
  assert_state(connection, "IDLE");
  int64_t before = statements();
  commit(connection); /* should one have begun after all: it is ended, and an answer that there is none is no error */
  assert_int_equal(statements() - before, 2);
  assert_state(connection, "AUTO");
  begin(connection); /* an error, and the transaction goes on */
  run(connection, "INSERT INTO t VALUES (1)");
  warehouse_fault(warehouse,
                  "{\"name\":\"statement-fails\",\"method\":\"GetSchemas\",\"message\":\"TRANSACTION_NOT_SUPPORTED.COMMAND 0A000\"}");
  FAILS(dbsql_get_schemas(connection, NULL, NULL, NULL, &result, &error), "0A000", "TRANSACTION_NOT_SUPPORTED");
  assert_string_equal(server_state(connection), "ACTIVE");
  assert_int_equal(dbsql_connection_transaction_state(connection), DBSQL_TRANSACTION_UNKNOWN);
  run(connection, "INSERT INTO t VALUES (2)");
  assert_state(connection, "ACTIVE");
  commit(connection);
  assert_int_equal(rows_of(connection), 2);
  begin(connection);
  FAILS_SQL(connection, "SELEC", "42601", "");
  FAILS(dbsql_get_schemas(connection, NULL, NULL, NULL, &result, &error), "40000", "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT");
  assert_state(connection, "ABORTED");
  rollback(connection);
  assert_state(connection, "AUTO");
  done(connection);
}

/* A session that the server has lost took its transaction with it. */
static void a_lost_session_is_rolled_back(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = with_table(), *other = open_one();
  begin(connection);
  run(connection, "INSERT INTO t VALUES (1)");
  fault("session-gone", "COMMIT", 1, "");
  dbsql_error *told = NULL;
  assert_int_not_equal(dbsql_commit(connection, NULL, &told), DBSQL_OK);
  assert_true(dbsql_error_is_session_lost(told));
  assert_string_not_equal(dbsql_error_sqlstate(told), "08007"); /* it is known: the server did not know the session any more */
  dbsql_error_free(told);
  assert_int_equal(dbsql_connection_transaction_state(connection), DBSQL_TRANSACTION_BROKEN);
  assert_false(dbsql_connection_is_alive(connection));
  assert_int_equal(rows_of(other), 0);
  done(connection);
  done(other);
}

static void a_plain_hive_server_has_none(void **state) {
  NEEDS_WAREHOUSE;
  const char *const arguments[] = {"--mode", "hive", NULL};
  struct warehouse_process *other = warehouse_start(arguments);
  dbsql_connection *connection = warehouse_connect(warehouse_config(other));
  FAILS(dbsql_begin(connection, NULL, NULL, &error), "HYC00", "");
  FAILS(dbsql_connection_set_autocommit(connection, false, NULL, &error), "HYC00", "");
  autocommit(connection, true);
  run(connection, "SET AUTOCOMMIT = FALSE"); /* a setting, as far as it knows */
  assert_int_equal(dbsql_connection_transaction_state(connection), DBSQL_TRANSACTION_AUTO);
  done(connection);
  assert_int_equal(warehouse_stop(other), 0);
}

/* ---- memory -------------------------------------------------------------------------------------------------------------- */

static void without_memory_nothing_is_wrong_or_lost(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *watcher = with_table();
  int steps_done = 0;
  for (uint64_t n = 1; steps_done < 3; n += 1 + n / 40) {
    run(watcher, "DELETE FROM t");
    dbsql_connection *connection = open_one();
    dbsql_error *told = NULL;
    steps_done = 0;
    mem_test_fail_at(n);
    dbsql_status status = dbsql_begin(connection, NULL, NULL, &told);
    if (status == DBSQL_OK && ++steps_done) status = try_run(connection, "INSERT INTO t VALUES (1)", &told);
    if (status == DBSQL_OK && ++steps_done) status = dbsql_commit(connection, NULL, &told);
    if (status == DBSQL_OK) steps_done++;
    mem_test_fail_at(0);
    bool unknown = strcmp(dbsql_error_sqlstate(told), "08007") == 0;
    if (status != DBSQL_OK && status != DBSQL_ERROR_NO_MEMORY && !unknown) fail_msg("%d: %s", (int)n, dbsql_error_message(told));
    dbsql_error_free(told);
    dbsql_transaction_state known = dbsql_connection_transaction_state(connection);
    if (known != DBSQL_TRANSACTION_UNKNOWN && known != DBSQL_TRANSACTION_BROKEN)
      assert_string_equal(dbsql_transaction_state_name(known), server_state(connection));
    if (steps_done == 3) assert_int_equal(rows_of(watcher), 1);
    if (steps_done < 2) assert_int_equal(rows_of(watcher), 0);
    dbsql_connection_close(connection, NULL, NULL);
  }
  done(watcher);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(verbs_are_read_from_the_text),
      cmocka_unit_test(begin_commit_and_rollback),
      cmocka_unit_test(the_attribute_stays_off_across_transactions),
      cmocka_unit_test(switching_on_after_a_failure_rolls_back),
      cmocka_unit_test(any_statement_that_fails_aborts),
      cmocka_unit_test(what_works_inside),
      cmocka_unit_test(the_second_commit_to_a_table_fails),
      cmocka_unit_test(a_transaction_sees_its_snapshot),
      cmocka_unit_test(errors_that_the_server_has_without_a_transaction),
      cmocka_unit_test(every_error_class_has_its_state),
      cmocka_unit_test(rows_cache_off_and_update),
      cmocka_unit_test(rows_commit_and_rollback),
      cmocka_unit_test(rows_nested_isolation_and_read_only),
      cmocka_unit_test(the_callers_own_statements_are_noticed),
      cmocka_unit_test(a_transaction_begun_by_sql_is_not_harmed),
      cmocka_unit_test(row_pool_return),
      cmocka_unit_test(row_close),
      cmocka_unit_test(row_errors),
      cmocka_unit_test(each_row_of_the_table_of_errors),
      cmocka_unit_test(begin_that_is_cancelled),
      cmocka_unit_test(what_ends_a_transaction_is_not_cancelled),
      cmocka_unit_test(a_statement_that_is_given_up_leaves_the_state_unknown),
      cmocka_unit_test(nothing_hidden_is_sent_inside),
      cmocka_unit_test(metadata_calls_are_ready_for_both),
      cmocka_unit_test(a_lost_session_is_rolled_back),
      cmocka_unit_test(a_plain_hive_server_has_none),
      cmocka_unit_test(without_memory_nothing_is_wrong_or_lost),
  };
  return cmocka_run_group_tests(tests, start_warehouse, stop_warehouse);
}
