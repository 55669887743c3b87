/* Which `?` and `:name` of a text are markers, and which INSERT may have its row repeated. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "session/sql_markers.h"

/* The markers as text: names with a colon, `?`, doubtful ones in brackets; separated by blanks. */
static void markers_of(const char *sql, size_t length, char *out) {
  struct sql_markers found;
  /* Not zero-terminated, so that a read past the end is seen. */
  char *exact = malloc(length ? length : 1);
  memcpy(exact, sql, length);
  *out = 0;
  assert_int_equal(sql_markers_scan(slice_of(exact, length), &found, NULL), DBSQL_OK);
  for (size_t i = 0; i < found.count; i++) {
    const struct sql_marker *marker = &found.items[i];
    if (i) strcat(out, " ");
    if (marker->is_doubtful) strcat(out, "(");
    strcat(out, marker->name ? ":" : "?");
    if (marker->name) strncat(out, marker->name, marker->name_size);
    if (marker->is_doubtful) strcat(out, ")");
    assert_true(exact[marker->start] == ':' || exact[marker->start] == '?');
    assert_true(marker->end > marker->start && marker->end <= length);
  }
  assert_int_equal(found.count, found.positional + found.named + found.doubtful);
  sql_markers_free(&found);
  free(exact);
}

static void finds_markers_as_the_grammar_does(void **state) {
  (void)state;
  static const struct {
    const char *sql, *markers;
  } cases[] = {
      {"", ""},
      {"SELECT 1", ""},
      {"SELECT ?", "?"},
      {"SELECT ?, ? , ?", "? ? ?"},
      {"SELECT :a, :b2 + :_c", ":a :b2 :_c"},
      {"SELECT :\xc3\xa4rger", ":\xc3\xa4rger"},
      {"SELECT :`a b`, :`x``y`", ":a b :x`y"},
      {"SELECT : a", ":a"},
      {"SELECT :/* c */a", ":a"},
      /* texts */
      {"SELECT '?', ':a', ?", "?"},
      {"SELECT 'it''s ?', ?", "?"},
      {"SELECT 'it\\'s ?', ?", "?"},
      {"SELECT 'x\\\\', ?", "?"},
      {"SELECT \"?\", \"a\\\"?\", \"b\"\"?\", ?", "?"},
      {"SELECT `a?`, `b``?`, `c\\`, ?", "?"},
      {"SELECT r'\\', ?", "?"},
      {"SELECT R\"\\\", ?", "?"},
      {"SELECT r'a\\'?", "?"},
      {"SELECT bar'\\'', ?", "?"}, /* only a token r makes a text raw */
      {"SELECT X'1F', ?", "?"},
      {"SELECT 'open ?", ""},
      /* comments */
      {"SELECT -- ?\n ?", "?"},
      {"SELECT -- a \\\n ? \n :b", ":b"},
      {"SELECT -- a \\ ? \n :b", ":b"},
      {"SELECT /* ? */ ?", "?"},
      {"SELECT /* a /* ? */ ? */ :b", ":b"},
      {"SELECT /* /* ? */ ?", ""},
      {"SELECT /*+ REPARTITION(?) */ ?", "? ?"},
      {"SELECT 1 - -?", "?"},
      {"SELECT 4 / ? * ?", "? ?"},
      /* casts, slices, paths */
      {"SELECT a::INT, ?::STRING, :x::DATE", "? :x"},
      {"SELECT a[1:2], a[?:3]", "?"},
      {"SELECT a[:from]", ":from"},
      {"SELECT a[1:n]", ""},
      {"SELECT raw:owner FROM t", "(:owner)"},
      {"SELECT raw:store.book[0]:title FROM t WHERE x = :y", "(:store) :y"},
      {"SELECT t.raw:owner, `raw`:owner, f(x):owner, a[0]:owner, 'x':owner", ""},
      {"SELECT ?:a, :b:c", "? :b"},
      {"SELECT t.from:a", ""},
      {"SELECT a : b", "(:b)"},
      {"SELECT :a.b", ":a"},
      {"SELECT raw:['a b'], raw:\"x\"", ""},
      {"SELECT :1, :1x, :2L, :3e4", ":1x"},
      /* where an expression follows */
      {"SELECT * FROM t WHERE a=:a AND b<:b OR NOT :c LIMIT :d OFFSET :e", ":a :b :c :d :e"},
      {"SELECT CASE WHEN :a THEN :b ELSE :c END", ":a :b :c"},
      {"SELECT x IN (:a,:b), y BETWEEN :c AND :d, z LIKE :e ESCAPE :f", ":a :b :c :d :e :f"},
      {"SELECT INTERVAL :n DAY, f(x => :y), aggregate(a, :z, (u, v) -> :w)", ":n :y :z :w"},
      {"INSERT INTO t VALUES (:a), (:b)", ":a :b"},
      {"VALUES :a", ":a"},
      {"VALUES:a", "(:a)"},
      {"SELECT * FROM IDENTIFIER(:t) TIMESTAMP AS OF :when", ":t :when"},
      {"SELECT extract(YEAR FROM :d), trim(BOTH :x FROM :y)", ":d :x :y"},
      /* types and labels */
      {"SELECT CAST(x AS STRUCT<a: INT, from: STRING, `b`: STRUCT<select:INT>>), :y", ":y"},
      {"CREATE TABLE t (a STRUCT<b: INT>)", ""},
      {"BEGIN loop1: LOOP SELECT ?; END LOOP; END", "(:LOOP) ?"},
      {"SELECT * FROM dbfs://a/b?c=d WHERE x = ?", "?"},
      {"SELECT 1.5, .5, 1e-3, 1.e5, ?", "?"},
      {"SELECT a.1, ?", "?"},
      {"SELECT unhex(?)", "?"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char got[512];
    markers_of(cases[i].sql, strlen(cases[i].sql), got);
    if (strcmp(got, cases[i].markers) != 0) fail_msg("%s\n  has    %s\n  wanted %s", cases[i].sql, got, cases[i].markers);
    /* No prefix of it makes the scanner read too far. */
    for (size_t length = 0; length < strlen(cases[i].sql); length++) markers_of(cases[i].sql, length, got);
  }
}

static void knows_which_rows_may_be_repeated(void **state) {
  (void)state;
  /* The row between the bars; none: it may not. */
  static const char *const cases[] = {
      "INSERT INTO t VALUES |(?, ?)|",
      "insert into table a.b.`c d` (x, `y`) values |(?, :a, f(1, (2)))| ; ",
      "/* c */ INSERT -- d\n INTO t VALUES|(?)|/* e */;",
      "INSERT INTO t PARTITION (p = 1) VALUES |(?)|",
      "INSERT INTO t (a) BY NAME VALUES |(?)|",
      "INSERT WITH SCHEMA EVOLUTION INTO t VALUES |(?)|",
      "INSERT INTO values VALUES |(?)|",
      "INSERT INTO s.values (values) VALUES |(?, ')', \")\", `)`, [?])|",
      "INSERT INTO t VALUES |(?, CAST(? AS INT), DEFAULT)|",
      "INSERT INTO t VALUES (?), (?)",
      "INSERT INTO t VALUES ?, ?",
      "INSERT INTO t VALUES (?) RETURNING x",
      "INSERT INTO t VALUES (?); SELECT 1",
      "INSERT OVERWRITE t VALUES (?)",
      "INSERT INTO t REPLACE WHERE x = ? VALUES (?)",
      "INSERT INTO t PARTITION (p = ?) VALUES (?)",
      "INSERT INTO IDENTIFIER(:t) VALUES (:a)",
      "INSERT INTO t VALUES ((SELECT max(x) FROM u), ?)",
      "INSERT INTO t VALUES (?, (TABLE u))",
      "INSERT INTO t SELECT * FROM (VALUES (?))",
      "INSERT INTO t VALUES (?",
      "INSERT INTO t VALUES (?) 'open",
      "INSERT INTO t VALUES (?))",
      "SELECT 'INSERT INTO t VALUES (?)', ?",
      "WITH a AS (SELECT 1) INSERT INTO t VALUES (?)",
      "MERGE INTO t USING (VALUES (?)) ON a = b WHEN NOT MATCHED THEN INSERT VALUES (?)",
      "VALUES (?)",
      "",
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char sql[256];
    size_t length = 0, bars[2] = {0, 0}, bar = 0;
    for (const char *at = cases[i]; *at; at++) {
      if (*at == '|') {
        bars[bar++] = length;
      } else {
        sql[length++] = *at;
      }
    }
    struct sql_markers found;
    assert_int_equal(sql_markers_scan(slice_of(sql, length), &found, NULL), DBSQL_OK);
    if (found.row_start != bars[0] || found.row_end != bars[1])
      fail_msg("%s: row from %zu to %zu", cases[i], found.row_start, found.row_end);
    sql_markers_free(&found);
  }
}

static void tells_what_stands_in_unhex(void **state) {
  (void)state;
  static const struct {
    const char *sql;
    bool inside;
  } cases[] = {{"SELECT unhex(?)", true}, {"SELECT UNHEX ( /* a */ :a )", true}, {"SELECT ?", false},
               {"SELECT hex(?)", false},  {"SELECT unhex(? || 'a')", false},     {"SELECT unhex((?))", false},
               {"SELECT unhex(?", false}, {"SELECT unhex(a, ?)", false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct sql_markers found;
    assert_int_equal(sql_markers_scan(slice_text(cases[i].sql), &found, NULL), DBSQL_OK);
    assert_int_equal(found.count, 1);
    if (found.items[0].in_unhex != cases[i].inside) fail_msg("%s", cases[i].sql);
    sql_markers_free(&found);
  }
}

static void the_public_functions_tell_the_same(void **state) {
  (void)state;
  dbsql_markers *markers;
  assert_int_equal(dbsql_markers_new("SELECT raw:path, :a, ?, :b WHERE ':c' = :a", SIZE_MAX, &markers, NULL), DBSQL_OK);
  assert_int_equal(dbsql_markers_count(markers), 4);
  assert_string_equal(dbsql_markers_name(markers, 0), "a");
  assert_int_equal(dbsql_markers_offset(markers, 0), 17);
  assert_null(dbsql_markers_name(markers, 1));
  assert_string_equal(dbsql_markers_name(markers, 3), "a");
  assert_null(dbsql_markers_name(markers, 4));
  assert_true(dbsql_markers_offset(markers, 4) == SIZE_MAX);
  dbsql_markers_free(markers);
  assert_int_equal(dbsql_markers_new(NULL, 0, &markers, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_markers_count(NULL), 0);
  dbsql_markers_free(NULL);
}

static void runs_out_of_memory_without_leaks(void **state) {
  (void)state;
  char sql[400] = "SELECT ";
  for (int i = 0; i < 40; i++) strcat(sql, ":abc, ?,");
  int64_t live = mem_test_live_blocks();
  for (uint64_t n = 1;; n++) {
    dbsql_markers *markers;
    dbsql_error *error = NULL;
    mem_test_fail_at(n);
    dbsql_status status = dbsql_markers_new(sql, SIZE_MAX, &markers, &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    assert_int_equal(status, struck ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
    dbsql_error_free(error);
    dbsql_markers_free(markers);
    assert_int_equal(mem_test_live_blocks(), live);
    if (!struck) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_markers_as_the_grammar_does), cmocka_unit_test(knows_which_rows_may_be_repeated),
      cmocka_unit_test(tells_what_stands_in_unhex),        cmocka_unit_test(the_public_functions_tell_the_same),
      cmocka_unit_test(runs_out_of_memory_without_leaks),
  };
  return cmocka_run_group_tests_name("markers", tests, NULL, NULL);
}
