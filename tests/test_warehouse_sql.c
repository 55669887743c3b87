/* The warehouse's SQL layer: what a statement is taken for, and what the engine is told. */
#include "test.h"

#include <stdlib.h>

#include "sql.h"
#include "sql_token.h"

static void assert_translated(const char *source, enum sql_kind kind, const char *expected) {
  struct sql_statement statement = {0};
  struct failure failure = {0};
  if (!sql_translate(source, &statement, &failure)) fail_msg("%s: %s", source, failure.text);
  assert_int_equal(statement.kind, kind);
  assert_string_equal(statement.text, expected);
  sql_statement_free(&statement);
}

static void assert_same(const char *source) {
  assert_translated(source, SQL_ROWS, source);
}

static void assert_refused(const char *source, const char *sqlstate, const char *text) {
  struct sql_statement statement = {0};
  struct failure failure = {0};
  assert_false(sql_translate(source, &statement, &failure));
  assert_string_equal(failure.sqlstate, sqlstate);
  if (!strstr(failure.text, text)) fail_msg("%s: \"%s\" is not in \"%s\"", source, text, failure.text);
  failure_clear(&failure);
}

static void assert_command(const char *source, enum sql_kind kind, const char *first, const char *second, const char *third) {
  struct sql_statement statement = {0};
  struct failure failure = {0};
  const char *const expected[] = {first, second, third};
  if (!sql_translate(source, &statement, &failure)) fail_msg("%s: %s", source, failure.text);
  assert_int_equal(statement.kind, kind);
  for (int i = 0; i < 3; i++) {
    if (expected[i]) {
      assert_non_null(statement.arguments[i]);
      assert_string_equal(statement.arguments[i], expected[i]);
    } else {
      assert_null(statement.arguments[i]);
    }
  }
  sql_statement_free(&statement);
}

static void test_left_alone(void **state) {
  (void)state;
  assert_same("SELECT 1");
  assert_same("SELECT a, b FROM t WHERE a = 1 /* comment */ ORDER BY b -- more\n, c");
  assert_same("SELECT timestamp, date, string FROM t");
  assert_same("SELECT x[1:2], s.f FROM t");
  assert_same("VALUES (1), (2)");
  assert_same("(SELECT 1) UNION (SELECT 2)");
  assert_same("SELECT map(['a'], [1]), map()");
}

static void test_quotes(void **state) {
  (void)state;
  assert_translated("SELECT `a b`, `c``d`, `e\"f`", SQL_ROWS, "SELECT \"a b\", \"c`d\", \"e\"\"f\"");
  assert_translated("SELECT \"it's\"", SQL_ROWS, "SELECT 'it''s'");
  assert_translated("SELECT 'a\\n\\'b\\\\', r'\\d'", SQL_ROWS, "SELECT 'a\n''b\\', '\\d'");
  assert_translated("SELECT '\\u00e9\\U0001F600'", SQL_ROWS, "SELECT '\xc3\xa9\xf0\x9f\x98\x80'");
  assert_translated("SELECT 'a' \"b\"\n'c'", SQL_ROWS, "SELECT 'abc'");
  assert_translated("SELECT X'1f'", SQL_ROWS, "SELECT from_hex('1f')");
  assert_translated("SELECT 'a--b', '/* c */', ';'", SQL_ROWS, "SELECT 'a--b', '/* c */', ';'");
  assert_translated("SELECT 'a\x01z'", SQL_ROWS, "SELECT 'a'||chr(1)||'z'");
  assert_translated("SELECT a LIKE 'x\\_y'", SQL_ROWS, "SELECT a LIKE 'x\\_y' ESCAPE '\\'");
}

static void test_names(void **state) {
  (void)state;
  assert_translated("SELECT * FROM main.default.t", SQL_ROWS, "SELECT * FROM dbsql_main.\"default\".t");
  assert_translated("SELECT * FROM `main`.`s`.`t`", SQL_ROWS, "SELECT * FROM dbsql_main.\"s\".\"t\"");
  assert_translated("SELECT * FROM default.t", SQL_ROWS, "SELECT * FROM \"default\".t");
  assert_translated("SELECT main FROM main.t", SQL_ROWS, "SELECT main FROM main.t"); /* a schema of that name */
  assert_translated("CREATE SCHEMA main.s", SQL_PLAIN, "CREATE SCHEMA dbsql_main.s");
  assert_translated("DROP DATABASE IF EXISTS main.s CASCADE", SQL_PLAIN, "DROP SCHEMA IF EXISTS dbsql_main.s CASCADE");
}

static void test_types(void **state) {
  (void)state;
  assert_translated("SELECT CAST(a AS STRING), b::LONG", SQL_ROWS, "SELECT CAST(a AS VARCHAR), b::BIGINT");
  assert_translated("SELECT CAST(a AS TIMESTAMP), CAST(a AS TIMESTAMP_NTZ)", SQL_ROWS,
                    "SELECT CAST(a AS TIMESTAMPTZ), CAST(a AS TIMESTAMP)");
  assert_translated("SELECT CAST(f(x AS y) AS DECIMAL(5, 2)), a::STRUCT(x INTEGER, y DECIMAL(5, 2)[])[2]", SQL_ROWS,
                    "SELECT CAST(f(x AS y) AS DECIMAL(5, 2)), a::STRUCT(x INTEGER, y DECIMAL(5, 2)[])[2]");
  assert_translated("SELECT TIMESTAMP '2020-01-01', string(5), int('1')", SQL_ROWS,
                    "SELECT TIMESTAMPTZ '2020-01-01', CAST(5 AS VARCHAR), CAST('1' AS INTEGER)");
  assert_translated("CREATE TABLE t (a LONG, `b c` ARRAY<STRUCT<x: INT, y: MAP<STRING, BINARY>>> NOT NULL, PRIMARY KEY (a)) USING DELTA",
                    SQL_PLAIN,
                    "CREATE TABLE t (a BIGINT, \"b c\" STRUCT(\"x\" INTEGER, \"y\" MAP(VARCHAR, BLOB))[] NOT NULL, PRIMARY KEY (a)) ");
  assert_translated("CREATE TABLE t AS SELECT CAST(1 AS BYTE) a", SQL_PLAIN, "CREATE TABLE t AS SELECT CAST(1 AS TINYINT) a");
  assert_translated("ALTER TABLE t ADD COLUMNS (z STRING)", SQL_PLAIN, "ALTER TABLE t ADD COLUMN z VARCHAR");

  char *type = NULL;
  struct failure failure = {0};
  assert_true(sql_type("DECIMAL", &type, &failure));
  assert_string_equal(type, "DECIMAL(10,0)");
  free(type);
  assert_true(sql_type("INTERVAL DAY TO SECOND", &type, &failure));
  assert_string_equal(type, "INTERVAL");
  free(type);
  assert_false(sql_type("INT; DROP TABLE t", &type, &failure));
  assert_string_equal(failure.sqlstate, "0A000");
  failure_clear(&failure);
  char deep[65 * 6 + 10] = "";
  for (int i = 0; i < 65; i++) strcat(deep, "ARRAY<");
  assert_false(sql_type(deep, &type, &failure));
  failure_clear(&failure);
}

static void test_calls(void **state) {
  (void)state;
  assert_translated("SELECT array(1, 2)", SQL_ROWS, "SELECT list_value(1, 2)");
  assert_translated("SELECT named_struct('a', 1, 'b', f(2, 3))", SQL_ROWS, "SELECT {'a': 1, 'b': f(2, 3)}");
  assert_translated("SELECT map('k', 1)", SQL_ROWS, "SELECT MAP {'k': 1}");
  assert_translated("SELECT struct(a, 1, t.b, 2 AS c)", SQL_ROWS,
                    "SELECT struct_pack(\"a\" := a, \"col2\" :=  1, \"b\" :=  t.b, \"c\" :=  2 )");
}

static void test_ranges(void **state) {
  (void)state;
  assert_translated("SELECT * FROM range(5)", SQL_ROWS, "SELECT * FROM (SELECT range AS id FROM range(5))");
  assert_translated("SELECT * FROM range(1, 5) AS t", SQL_ROWS, "SELECT * FROM (SELECT range AS id FROM range(1, 5)) AS t");
  assert_same("SELECT range(5)");
}

static void test_literals(void **state) {
  (void)state;
  assert_translated("SELECT 1L, 2S, 3Y, 1.5BD", SQL_ROWS, "SELECT CAST(1 AS BIGINT), CAST(2 AS SMALLINT), CAST(3 AS TINYINT), 1.5");
  assert_translated("SELECT INTERVAL '1-2' YEAR TO MONTH", SQL_ROWS, "SELECT ((INTERVAL '1' YEAR + INTERVAL '2' MONTH))");
  assert_translated("SELECT INTERVAL '-1 02:03' DAY TO MINUTE", SQL_ROWS,
                    "SELECT (-1 * (INTERVAL '1' DAY + INTERVAL '02' HOUR + INTERVAL '03' MINUTE))");
  assert_same("SELECT INTERVAL 3 DAYS");
  assert_translated("SELECT a <=> b, a DIV 2", SQL_ROWS, "SELECT a  IS NOT DISTINCT FROM  b, a // 2");
}

static void test_parameters(void **state) {
  (void)state;
  struct sql_statement statement = {0};
  struct failure failure = {0};
  assert_true(sql_translate("SELECT :a, x.y, ':b', :c_1 FROM t -- :d", &statement, &failure));
  assert_int_equal(statement.marker_count, 2);
  assert_string_equal(statement.markers[0], "a");
  assert_string_equal(statement.markers[1], "c_1");
  assert_string_equal(statement.text, "SELECT \x01, x.y, ':b', \x01 FROM t");
  sql_statement_free(&statement);
  assert_true(sql_translate("SELECT ?, '?' WHERE a=? AND b = :x", &statement, &failure));
  assert_int_equal(statement.marker_count, 3);
  assert_null(statement.markers[0]);
  assert_null(statement.markers[1]);
  assert_string_equal(statement.markers[2], "x");
  sql_statement_free(&statement);
}

static void test_kinds(void **state) {
  (void)state;
  struct sql_statement statement = {0};
  struct failure failure = {0};
  assert_translated("INSERT INTO TABLE t VALUES (1)", SQL_CHANGE, "INSERT INTO  t VALUES (1)");
  assert_translated("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", SQL_CHANGE, "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a");
  assert_translated("WITH a AS (INSERT) SELECT * FROM a", SQL_ROWS, "WITH a AS (INSERT) SELECT * FROM a");
  assert_translated("CREATE VIEW v AS SELECT 1", SQL_PLAIN, "CREATE VIEW v AS SELECT 1");
  assert_translated("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE", SQL_CHANGE,
                    "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE\nRETURNING merge_action");
  assert_true(sql_translate("DELETE FROM t RETURNING a", &statement, &failure));
  assert_true(statement.returning);
  assert_int_equal(statement.verb, SQL_DELETE);
  sql_statement_free(&statement);
  assert_true(sql_translate("SELECT NULL, f(NULL), NULL AS x, CAST(NULL AS INT), NULL y FROM t", &statement, &failure));
  assert_int_equal(statement.null_count, 3);
  assert_int_equal(statement.nulls[1], 2);
  assert_int_equal(statement.nulls[2], 4);
  sql_statement_free(&statement);
  assert_true(sql_translate("SELECT t.*, NULL FROM t", &statement, &failure));
  assert_int_equal(statement.null_count, 0);
  sql_statement_free(&statement);
}

static void test_commands(void **state) {
  (void)state;
  assert_command("SET", SQL_SET, NULL, NULL, NULL);
  assert_command("SET a.b", SQL_SET, "a.b", NULL, NULL);
  assert_command("set a.b = some text, with 'quotes' ;", SQL_SET, "a.b", "some text, with 'quotes'", NULL);
  assert_command("SET timezone = 'UTC'", SQL_SET, "timezone", "UTC", NULL);
  assert_command("SET k=`v`", SQL_SET, "k", "v", NULL);
  assert_command("SET TIME ZONE 'Asia/Tokyo'", SQL_SET_ZONE, "Asia/Tokyo", NULL, NULL);
  assert_command("RESET a.b", SQL_RESET, "a.b", NULL, NULL);
  assert_command("SET CATALOG `c d`", SQL_USE, "c d", NULL, NULL);
  assert_command("USE CATALOG c", SQL_USE, "c", NULL, NULL);
  assert_command("USE s", SQL_USE, NULL, "s", NULL);
  assert_command("USE SCHEMA c.s", SQL_USE, "c", "s", NULL);
  assert_command("SHOW CATALOGS LIKE 'm*'", SQL_SHOW_CATALOGS, "m*", NULL, NULL);
  assert_command("SHOW DATABASES IN c LIKE 'd*'", SQL_SHOW_SCHEMAS, "c", "d*", NULL);
  assert_command("SHOW TABLES FROM c.s LIKE 't'", SQL_SHOW_TABLES, "c", "s", "t");
  assert_command("SHOW COLUMNS IN t IN s", SQL_SHOW_COLUMNS, NULL, "s", "t");
  assert_command("SHOW USER FUNCTIONS LIKE 'a*'", SQL_SHOW_FUNCTIONS, "a*", NULL, NULL);
  assert_command("DESC EXTENDED c.s.t", SQL_DESCRIBE_TABLE, "c", "s", "t");
  assert_command("DESCRIBE SCHEMA s", SQL_DESCRIBE_SCHEMA, NULL, "s", NULL);
  assert_command("CREATE CATALOG IF NOT EXISTS c", SQL_CREATE_CATALOG, "c", NULL, NULL);
  assert_command("DROP CATALOG c CASCADE", SQL_DROP_CATALOG, "c", NULL, NULL);
  assert_command("SET AUTOCOMMIT = FALSE", SQL_AUTOCOMMIT, "false", NULL, NULL);
  assert_command("SET AUTOCOMMIT", SQL_AUTOCOMMIT, NULL, NULL, NULL);
  assert_command("BEGIN TRANSACTION", SQL_BEGIN, NULL, NULL, NULL);
  assert_command("COMMIT WORK", SQL_COMMIT, NULL, NULL, NULL);
  assert_command("ROLLBACK", SQL_ROLLBACK, NULL, NULL, NULL);
  assert_translated("DESCRIBE QUERY SELECT `a`", SQL_DESCRIBE_QUERY, "SELECT \"a\"");
  assert_translated("DESCRIBE SELECT 1", SQL_DESCRIBE_QUERY, "SELECT 1");
  assert_translated("SET VARIABLE x = 1", SQL_PLAIN, "SET VARIABLE x = 1");
}

static void test_splitting(void **state) {
  (void)state;
  assert_translated("SELECT 1;", SQL_ROWS, "SELECT 1");
  assert_translated("SELECT 1 ; ; -- end", SQL_ROWS, "SELECT 1");
  assert_translated("SELECT ';' /* ; */", SQL_ROWS, "SELECT ';'");
  assert_refused("SELECT 1; SELECT 2", "42601", "Syntax error at or near 'SELECT'. SQLSTATE: 42601 (line 1, pos 10)");
  assert_refused("SELECT\n1;\n  DROP TABLE t", "42601", "Syntax error at or near 'DROP'. SQLSTATE: 42601 (line 3, pos 2)");
  assert_refused("", "42617", "[PARSE_EMPTY_STATEMENT]");
  assert_refused(" -- nothing\n ; ", "42617", "[PARSE_EMPTY_STATEMENT]");
}

static void test_comments(void **state) {
  (void)state;
  struct sql_statement statement = {0};
  struct failure failure = {0};
  assert_true(sql_translate("CREATE TABLE IF NOT EXISTS main.s.t (a INT COMMENT 'it\\'s', `b c` STRING NOT NULL COMMENT 'b') COMMENT 'all'",
                            &statement, &failure));
  assert_string_equal(statement.text, "CREATE TABLE IF NOT EXISTS dbsql_main.s.t (a INTEGER , \"b c\" VARCHAR NOT NULL ) ");
  assert_int_equal(statement.after_count, 3);
  assert_string_equal(statement.after[0], "COMMENT ON COLUMN \"dbsql_main\".\"s\".\"t\".\"a\" IS 'it''s'");
  assert_string_equal(statement.after[1], "COMMENT ON COLUMN \"dbsql_main\".\"s\".\"t\".\"b c\" IS 'b'");
  assert_string_equal(statement.after[2], "COMMENT ON TABLE \"dbsql_main\".\"s\".\"t\" IS 'all'");
  sql_statement_free(&statement);
}

static void test_refused(void **state) {
  (void)state;
  assert_refused("SELECT 'abc", "42601", "(line 1, pos 7)");
  assert_refused("SELECT `abc", "42601", "(line 1, pos 7)");
  assert_refused("SELECT (1", "42601", "end of input");
  assert_refused("SELECT 1)", "42601", "near ')'");
  assert_refused("SELECT (1]", "42601", "near ']'");
  assert_refused("SELECT X'0g'", "42601", "near 'X'0g''");
  assert_refused("SELECT '\\0'", "0A000", "zero byte");
  assert_refused("SELECT CAST(a AS )", "42601", "near ')'");
  assert_refused("BEGIN", "42601", "end of input");
  assert_refused("START TRANSACTION", "42601", "near 'START'");
  assert_refused("BEGIN ATOMIC SELECT 1; END", "0A000", "BEGIN ATOMIC");
  assert_refused("PUT '/a' INTO '/Volumes/b'", "0A000", "volumes");
  assert_refused("COPY INTO t FROM 's3://x'", "0A000", "volumes");
  assert_refused("USE a.b.c", "42601", "near 'c'");
  char deep[1200] = "SELECT ";
  memset(deep + 7, '(', 1000);
  assert_refused(deep, "42601", "brackets");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_left_alone), cmocka_unit_test(test_quotes),     cmocka_unit_test(test_names),
      cmocka_unit_test(test_types),      cmocka_unit_test(test_calls),      cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_literals),   cmocka_unit_test(test_parameters), cmocka_unit_test(test_kinds),
      cmocka_unit_test(test_commands),   cmocka_unit_test(test_splitting),  cmocka_unit_test(test_comments),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
