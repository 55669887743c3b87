/* Whole stories: SQL through the library, the wire and the local warehouse. */
#include "test.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "warehouse_group.h"

static dbsql_connection *connection_with(const char *name, const char *value) {
  dbsql_config *config = warehouse_config(warehouse);
  if (name) assert_int_equal(dbsql_config_set(config, name, value, NULL), DBSQL_OK);
  return warehouse_connect(config);
}

static dbsql_result *run(dbsql_connection *connection, const char *sql) {
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  if (dbsql_execute(connection, sql, SIZE_MAX, NULL, &result, &error) != DBSQL_OK) {
    fail_msg("%s: %s (%s)", sql, dbsql_error_message(error), dbsql_error_sqlstate(error));
  }
  return result;
}

static void run_only(dbsql_connection *connection, const char *sql) {
  dbsql_result_free(run(connection, sql));
}

/* The result as text: cells separated by '|', rows by '\n', NULL as "~". */
static char *all_text(dbsql_result *result) {
  size_t size = 0, capacity = 256;
  char *all = calloc(1, capacity);
  bool has_row, first = true;
  for (;;) {
    dbsql_error *error = NULL;
    if (dbsql_row_next(result, NULL, &has_row, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    if (!has_row) break;
    for (size_t i = 0; i < dbsql_result_column_count(result); i++) {
      const char *text;
      size_t length;
      if (dbsql_get_text(result, i, &text, &length, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
      if (!text) {
        text = "~";
        length = 1;
      }
      if (size + length + 2 > capacity) all = realloc(all, capacity = (size + length + 2) * 2);
      if (i > 0) all[size++] = '|';
      if (i == 0 && !first) all[size++] = '\n';
      memcpy(all + size, text, length);
      size += length;
      all[size] = 0;
    }
    first = false;
  }
  return all;
}

static void assert_rows(dbsql_connection *connection, const char *sql, const char *expected) {
  dbsql_result *result = run(connection, sql);
  char *got = all_text(result);
  if (strcmp(got, expected) != 0) fail_msg("%s\n  gives  %s\n  wanted %s", sql, got, expected);
  free(got);
  dbsql_result_free(result);
}

static const struct {
  const char *sql, *type, *text;
} types[] = {
    {"SELECT true", "BOOLEAN", "true"},
    {"SELECT CAST(-128 AS TINYINT)", "TINYINT", "-128"},
    {"SELECT CAST(-32768 AS SMALLINT)", "SMALLINT", "-32768"},
    {"SELECT CAST(-2147483648 AS INT)", "INT", "-2147483648"},
    {"SELECT CAST(-9223372036854775808 AS BIGINT)", "BIGINT", "-9223372036854775808"},
    {"SELECT CAST(0.1 AS FLOAT)", "FLOAT", "0.1"},
    {"SELECT CAST(0.1 AS DOUBLE)", "DOUBLE", "0.1"},
    {"SELECT CAST('12345678901234567890123456789012345.678' AS DECIMAL(38,3))", "DECIMAL(38,3)", "12345678901234567890123456789012345.678"},
    {"SELECT CAST('-0.05' AS DECIMAL(4,2))", "DECIMAL(4,2)", "-0.05"},
    {"SELECT 'Gr\xc3\xbc\xc3\x9f"
     "e \xe4\xb8\x96\xe7\x95\x8c'",
     "STRING",
     "Gr\xc3\xbc\xc3\x9f"
     "e \xe4\xb8\x96\xe7\x95\x8c"},
    {"SELECT CAST('ab' AS BINARY)", "BINARY", "6162"},
    {"SELECT DATE '2024-02-29'", "DATE", "2024-02-29"},
    {"SELECT DATE '0001-01-01'", "DATE", "0001-01-01"},
    {"SELECT CAST('2021-06-15 12:34:56.789' AS TIMESTAMP)", "TIMESTAMP", "2021-06-15 12:34:56.789"},
    {"SELECT CAST('2021-06-15 12:34:56' AS TIMESTAMP_NTZ)", "TIMESTAMP_NTZ", "2021-06-15 12:34:56"},
    {"SELECT array(1, NULL, 3)", "ARRAY<INT>", "[1,null,3]"},
    {"SELECT map('k', 1)", "MAP<STRING, INT>", "{\"k\":1}"},
    {"SELECT named_struct('a', 1, 'b', 'x')", "STRUCT<a: INT, b: STRING>", "{\"a\":1,\"b\":\"x\"}"},
    {"SELECT CAST(NULL AS INT)", "INT", "~"},
};

static void every_type_comes_through(void **state) {
  NEEDS_WAREHOUSE;
  /* As Arrow with and without LZ4; in columns the values are the same as text, whatever carries them. */
  static const char *const ways[][2] = {{NULL, NULL}, {"lz4", "false"}, {"arrow", "false"}, {"direct_results", "false"}};
  for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
    dbsql_connection *connection = connection_with(ways[way][0], ways[way][1]);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
      dbsql_result *result = run(connection, types[i].sql);
      dbsql_column column;
      assert_true(dbsql_result_column(result, 0, &column));
      if (way != 2) assert_string_equal(column.type_text, types[i].type);
      char *text = all_text(result);
      if (strcmp(text, types[i].text) != 0) fail_msg("%s (way %zu) gives %s, not %s", types[i].sql, way, text, types[i].text);
      free(text);
      dbsql_result_free(result);
    }
    dbsql_connection_close(connection, NULL, NULL);
  }
}

static void typed_getters_read_what_is_there(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = connection_with(NULL, NULL);
  dbsql_result *result =
      run(connection,
          "SELECT CAST(7 AS TINYINT), CAST(2.5 AS FLOAT), CAST('-1.25' AS DECIMAL(10,2)), DATE '1970-01-02', true, 'text', "
          "CAST('1970-01-01 00:00:01' AS TIMESTAMP), CAST(NULL AS BIGINT)");
  bool has_row;
  assert_int_equal(dbsql_row_next(result, NULL, &has_row, NULL), DBSQL_OK);
  assert_true(has_row);
  int64_t integer;
  double real;
  bool flag;
  dbsql_decimal decimal;
  const void *bytes;
  size_t length;
  assert_int_equal(dbsql_get_int64(result, 0, &integer, NULL), DBSQL_OK);
  assert_int_equal(integer, 7);
  assert_int_equal(dbsql_get_double(result, 1, &real, NULL), DBSQL_OK);
  assert_true(real == 2.5);
  assert_int_equal(dbsql_get_decimal(result, 2, &decimal, NULL), DBSQL_OK);
  assert_int_equal(decimal.high, -1);
  assert_int_equal((int64_t)decimal.low, -125);
  assert_int_equal(decimal.scale, 2);
  assert_int_equal(dbsql_get_int64(result, 3, &integer, NULL), DBSQL_OK);
  assert_int_equal(integer, 1);
  assert_int_equal(dbsql_get_bool(result, 4, &flag, NULL), DBSQL_OK);
  assert_true(flag);
  assert_int_equal(dbsql_get_bytes(result, 5, &bytes, &length, NULL), DBSQL_OK);
  assert_int_equal(length, 4);
  assert_memory_equal(bytes, "text", 4);
  assert_int_equal(dbsql_get_int64(result, 6, &integer, NULL), DBSQL_OK);
  assert_int_equal(integer, 1000000);
  assert_true(dbsql_is_null(result, 7));
  assert_int_equal(dbsql_get_int64(result, 7, &integer, NULL), DBSQL_OK);
  assert_int_equal(integer, 0);
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_get_int64(result, 5, &integer, &error), DBSQL_ERROR_DRIVER);
  assert_string_equal(dbsql_error_sqlstate(error), "07006");
  dbsql_error_free(error);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
}

/* A million rows; the checksum is over every value. */
static void a_million_rows(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const ways[][2] = {
      {NULL, NULL}, {"lz4", "false"}, {"arrow", "false"}, {"direct_results", "false"}, {"max_rows_per_fetch", "70001"}};
  const int64_t count = 1000000;
  for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
    dbsql_connection *connection = connection_with(ways[way][0], ways[way][1]);
    dbsql_result *result =
        run(connection, "SELECT id, CAST(id AS STRING) AS s, CASE WHEN id % 10 = 0 THEN NULL ELSE id * 0.5 END AS d FROM range(1000000)");
    struct ArrowArray batch;
    int64_t next = 0;
    for (;;) {
      dbsql_error *error = NULL;
      if (dbsql_result_next_batch(result, NULL, &batch, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
      if (!batch.release) break;
      const int64_t *ids = (const int64_t *)batch.children[0]->buffers[1] + batch.children[0]->offset;
      const int32_t *offsets = (const int32_t *)batch.children[1]->buffers[1] + batch.children[1]->offset;
      const char *texts = batch.children[1]->buffers[2];
      for (int64_t i = 0; i < batch.length; i++, next++) {
        char expected[24];
        int length = snprintf(expected, sizeof expected, "%" PRId64, next);
        assert_int_equal(ids[i], next);
        if (offsets[i + 1] - offsets[i] != length || memcmp(texts + offsets[i], expected, (size_t)length) != 0)
          fail_msg("row %" PRId64, next);
      }
      batch.release(&batch);
    }
    assert_int_equal(next, count);
    assert_int_equal(dbsql_result_rows_read(result), count);
    dbsql_result_free(result);
    dbsql_connection_close(connection, NULL, NULL);
  }
}

static void shapes_without_rows_or_columns(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = connection_with(NULL, NULL);
  assert_rows(connection, "SELECT id, 'x' AS t FROM range(5) WHERE id > 9", "");
  run_only(connection, "CREATE OR REPLACE TABLE shapes (i INT, s STRING)");
  dbsql_result *result = run(connection, "INSERT INTO shapes VALUES (1, 'a'), (2, NULL)");
  assert_int_equal(dbsql_result_affected_rows(result), 2);
  dbsql_result_free(result);
  result = run(connection, "UPDATE shapes SET s = 'b' WHERE i = 2");
  assert_int_equal(dbsql_result_affected_rows(result), 1);
  dbsql_result_free(result);
  result = run(connection, "SELECT * FROM shapes");
  assert_int_equal(dbsql_result_affected_rows(result), -1);
  dbsql_result_free(result);
  assert_rows(connection, "SELECT * FROM `shapes` ORDER BY `i`", "1|a\n2|b");
  assert_rows(connection, "SELECT 1 AS a, 2 AS a", "1|2"); /* names may repeat */
  run_only(connection, "DROP TABLE shapes");
  dbsql_connection_close(connection, NULL, NULL);
}

static void large_statements_and_many_columns(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = connection_with(NULL, NULL);
  /* 10 MB of SQL */
  enum { megabytes = 10 * 1000 * 1000 };
  char *sql = malloc(megabytes + 64);
  strcpy(sql, "SELECT length('");
  size_t at = strlen(sql);
  memset(sql + at, 'y', megabytes);
  strcpy(sql + at + megabytes, "')");
  assert_rows(connection, sql, "10000000");
  free(sql);
  /* 10,000 columns */
  sql = malloc(10000 * 16 + 64);
  at = (size_t)sprintf(sql, "SELECT ");
  for (int i = 0; i < 10000; i++) at += (size_t)sprintf(sql + at, "%s%d AS c%d", i ? "," : "", i, i);
  dbsql_result *result = run(connection, sql);
  free(sql);
  assert_int_equal(dbsql_result_column_count(result), 10000);
  bool has_row;
  int64_t value;
  assert_int_equal(dbsql_row_next(result, NULL, &has_row, NULL), DBSQL_OK);
  assert_int_equal(dbsql_get_int64(result, 9999, &value, NULL), DBSQL_OK);
  assert_int_equal(value, 9999);
  dbsql_result_free(result);
  /* a value of 20 MB */
  result = run(connection, "SELECT repeat('z', 20000000)");
  const void *bytes;
  size_t length;
  assert_int_equal(dbsql_row_next(result, NULL, &has_row, NULL), DBSQL_OK);
  assert_int_equal(dbsql_get_bytes(result, 0, &bytes, &length, NULL), DBSQL_OK);
  assert_int_equal(length, 20000000);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
}

static void sessions_have_their_own_state(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *one = connection_with(NULL, NULL), *two = connection_with(NULL, NULL);
  assert_string_not_equal(dbsql_connection_id(one), dbsql_connection_id(two));
  run_only(one, "CREATE SCHEMA IF NOT EXISTS elsewhere");
  run_only(one, "USE elsewhere");
  assert_rows(one, "SELECT current_schema()", "elsewhere");
  assert_rows(two, "SELECT current_schema()", "default");
  dbsql_connection_close(one, NULL, NULL);
  dbsql_connection_close(two, NULL, NULL);
  /* from the start */
  dbsql_config *config = warehouse_config(warehouse);
  assert_int_equal(dbsql_config_set(config, "catalog", "main", NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_set(config, "schema", "elsewhere", NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_set(config, "timezone", "Asia/Kolkata", NULL), DBSQL_OK);
  one = warehouse_connect(config);
  assert_rows(one, "SELECT current_catalog(), current_schema()", "main|elsewhere");
  assert_rows(one, "SELECT CAST('2021-06-15 12:00:00+00:00' AS TIMESTAMP)", "2021-06-15 17:30:00");
  dbsql_connection_close(one, NULL, NULL);
}

static void metadata_calls(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = connection_with(NULL, NULL);
  run_only(connection, "CREATE SCHEMA IF NOT EXISTS meta");
  run_only(connection, "CREATE OR REPLACE TABLE meta.t_1 (i INT NOT NULL, d DECIMAL(10,2), s STRING)");
  run_only(connection, "CREATE OR REPLACE VIEW meta.v AS SELECT i FROM meta.t_1");
  dbsql_result *result;
  assert_int_equal(dbsql_get_schemas(connection, "main", "met%", NULL, &result, NULL), DBSQL_OK);
  char *text = all_text(result);
  assert_string_equal(text, "meta|main");
  free(text);
  dbsql_result_free(result);
  static const char *const only_views[] = {"VIEW"};
  assert_int_equal(dbsql_get_tables(connection, "main", "meta", "%", only_views, 1, NULL, &result, NULL), DBSQL_OK);
  text = all_text(result);
  assert_non_null(strstr(text, "main|meta|v|VIEW|"));
  assert_null(strstr(text, "t_1"));
  free(text);
  dbsql_result_free(result);
  assert_int_equal(dbsql_get_tables(connection, "main", "meta", "t\\_%", NULL, 0, NULL, &result, NULL), DBSQL_OK);
  text = all_text(result);
  assert_non_null(strstr(text, "main|meta|t_1|TABLE|"));
  free(text);
  dbsql_result_free(result);
  assert_int_equal(dbsql_get_columns(connection, "main", "meta", "t_1", NULL, NULL, &result, NULL), DBSQL_OK);
  assert_int_equal(dbsql_result_column_count(result) >= 23, 1);
  text = all_text(result);
  assert_non_null(strstr(text, "main|meta|t_1|d|3|DECIMAL"));
  free(text);
  dbsql_result_free(result);
  assert_int_equal(dbsql_get_catalogs(connection, NULL, &result, NULL), DBSQL_OK);
  text = all_text(result);
  assert_non_null(strstr(text, "main"));
  free(text);
  dbsql_result_free(result);
  assert_int_equal(dbsql_get_table_types(connection, NULL, &result, NULL), DBSQL_OK);
  dbsql_result_free(result);
  assert_int_equal(dbsql_get_type_info(connection, NULL, &result, NULL), DBSQL_OK);
  text = all_text(result);
  assert_non_null(strstr(text, "BIGINT|-5|"));
  free(text);
  dbsql_result_free(result);
  assert_int_equal(dbsql_get_functions(connection, NULL, NULL, "abs", NULL, &result, NULL), DBSQL_OK);
  dbsql_result_free(result);
  assert_int_equal(dbsql_get_primary_keys(connection, "main", "meta", "t_1", NULL, &result, NULL), DBSQL_OK);
  dbsql_result_free(result);
  assert_int_equal(dbsql_get_cross_reference(connection, NULL, NULL, NULL, "main", "meta", "t_1", NULL, &result, NULL), DBSQL_OK);
  dbsql_result_free(result);
  assert_int_equal(dbsql_connection_ping(connection, NULL, NULL), DBSQL_OK);
  dbsql_connection_close(connection, NULL, NULL);
}

static void errors_have_class_and_state(void **state) {
  NEEDS_WAREHOUSE;
  static const struct {
    const char *sql, *class, *sqlstate;
  } cases[] = {
      {"SELEC 1", "PARSE_SYNTAX_ERROR", "42601"},
      {"SELECT * FROM no_such_table", "TABLE_OR_VIEW_NOT_FOUND", "42P01"},
      {"SELECT nope FROM range(1)", "UNRESOLVED_COLUMN", "42703"},
      {"SELECT no_such_function(1)", "UNRESOLVED_ROUTINE", "42883"},
      {"SELECT CAST('abc' AS INT)", "CAST_INVALID_INPUT", "22018"},
  };
  dbsql_connection *connection = connection_with(NULL, NULL);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    dbsql_result *result;
    dbsql_error *error = NULL;
    assert_int_equal(dbsql_execute(connection, cases[i].sql, SIZE_MAX, NULL, &result, &error), DBSQL_ERROR_EXECUTION);
    if (strncmp(dbsql_error_class(error), cases[i].class, strlen(cases[i].class)) != 0)
      fail_msg("%s: %s", cases[i].sql, dbsql_error_message(error));
    assert_string_equal(dbsql_error_sqlstate(error), cases[i].sqlstate);
    dbsql_error_free(error);
  }
  assert_rows(connection, "SELECT 1", "1");
  dbsql_connection_close(connection, NULL, NULL);
}

static const char slow[] = "SELECT count(*) FROM range(10000000) a, range(1000000) b WHERE (a.id * b.id) % 7 = 3";

struct canceller {
  dbsql_statement *statement;
  atomic_bool done;
};

/* Until the statement runs there is nothing to cancel. */
static void *cancel_until_done(void *user) {
  struct canceller *canceller = user;
  while (!atomic_load(&canceller->done)) {
    dbsql_statement_cancel(canceller->statement, NULL, NULL);
    sched_yield();
  }
  return NULL;
}

static void cancel_and_deadline(void **state) {
  NEEDS_WAREHOUSE;
  dbsql_connection *connection = connection_with(NULL, NULL);
  dbsql_result *result;
  dbsql_error *error = NULL;
  dbsql_call call = DBSQL_CALL_INIT;
  call.timeout_ms = 300;
  assert_int_equal(dbsql_execute(connection, slow, SIZE_MAX, &call, &result, &error), DBSQL_ERROR_TIMEOUT);
  dbsql_error_free(error);
  assert_rows(connection, "SELECT 1", "1");
  /* the server's own limit */
  dbsql_statement *statement;
  assert_int_equal(dbsql_statement_new(connection, &statement, NULL), DBSQL_OK);
  assert_int_equal(dbsql_statement_set(statement, "query_timeout_s", "1", NULL), DBSQL_OK);
  error = NULL;
  assert_int_equal(dbsql_statement_execute(statement, slow, SIZE_MAX, NULL, &result, &error), DBSQL_ERROR_TIMEOUT);
  assert_string_equal(dbsql_error_sqlstate(error), "57KD0");
  dbsql_error_free(error);
  assert_int_equal(dbsql_statement_set(statement, "query_timeout_s", "0", NULL), DBSQL_OK);
  /* a row limit, kept by the server */
  assert_int_equal(dbsql_statement_set(statement, "max_rows", "7", NULL), DBSQL_OK);
  assert_int_equal(dbsql_statement_execute(statement, "SELECT id FROM range(1000)", SIZE_MAX, NULL, &result, NULL), DBSQL_OK);
  char *text = all_text(result);
  assert_string_equal(text, "0\n1\n2\n3\n4\n5\n6");
  free(text);
  dbsql_result_free(result);
  dbsql_statement_free(statement);
  assert_rows(connection, "SELECT 1", "1");
  dbsql_connection_close(connection, NULL, NULL);
}

static void a_statement_that_runs_is_cancelled(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const arguments[] = {"--sync-wait-ms", "20", NULL}; /* answers early that the statement runs */
  struct warehouse_process *own = warehouse_start(arguments);
  dbsql_connection *connection = warehouse_connect(warehouse_config(own));
  struct canceller canceller = {0};
  assert_int_equal(dbsql_statement_new(connection, &canceller.statement, NULL), DBSQL_OK);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, cancel_until_done, &canceller), 0);
  dbsql_result *result;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_statement_execute(canceller.statement, slow, SIZE_MAX, NULL, &result, &error), DBSQL_ERROR_CANCELLED);
  dbsql_error_free(error);
  atomic_store(&canceller.done, true);
  pthread_join(thread, NULL);
  dbsql_statement_free(canceller.statement);
  dbsql_result *alive = run(connection, "SELECT 1");
  dbsql_result_free(alive);
  dbsql_connection_close(connection, NULL, NULL);
  assert_int_equal(warehouse_stop(own), 0);
}

static void a_plain_hiveserver2(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const arguments[] = {"--mode", "hive", NULL};
  struct warehouse_process *own = warehouse_start(arguments);
  dbsql_connection *connection = warehouse_connect(warehouse_config(own));
  assert_true(dbsql_connection_protocol_version(connection) <= 10);
  dbsql_result *result = run(connection, "SELECT id, CAST(id AS STRING) AS s FROM range(100000)");
  bool has_row = true;
  int64_t rows = 0;
  while (dbsql_row_next(result, NULL, &has_row, NULL) == DBSQL_OK && has_row) {
    int64_t id;
    assert_int_equal(dbsql_get_int64(result, 0, &id, NULL), DBSQL_OK);
    assert_int_equal(id, rows++);
  }
  assert_int_equal(rows, 100000);
  dbsql_result_free(result);
  dbsql_connection_close(connection, NULL, NULL);
  assert_int_equal(warehouse_stop(own), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_type_comes_through),
      cmocka_unit_test(typed_getters_read_what_is_there),
      cmocka_unit_test(a_million_rows),
      cmocka_unit_test(shapes_without_rows_or_columns),
      cmocka_unit_test(large_statements_and_many_columns),
      cmocka_unit_test(sessions_have_their_own_state),
      cmocka_unit_test(metadata_calls),
      cmocka_unit_test(errors_have_class_and_state),
      cmocka_unit_test(cancel_and_deadline),
      cmocka_unit_test(a_statement_that_runs_is_cancelled),
      cmocka_unit_test(a_plain_hiveserver2),
  };
  return cmocka_run_group_tests(tests, start_warehouse, stop_warehouse);
}
