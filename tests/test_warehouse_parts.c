/* Smaller parts of the warehouse: what errors of the engine become, patterns, tables of its own and their pages. */
#include "test.h"

#include <stdlib.h>

#include "failure.h"
#include "lookup.h"
#include "page.h"

static void assert_failure(const char *engine, const char *sql, const char *sqlstate, const char *error_class, const char *text) {
  struct failure failure = {0};
  struct engine_error error = {.code = ADBC_STATUS_INTERNAL, .message = strdup(engine)};
  assert_false(failure_from_engine(&failure, &error, sql));
  assert_string_equal(failure.sqlstate, sqlstate);
  assert_string_equal(failure.error_class, error_class);
  if (!strstr(failure.text, text)) fail_msg("\"%s\" is not in \"%s\"", text, failure.text);
  failure_clear(&failure);
  engine_error_clear(&error);
}

static void test_failures(void **state) {
  (void)state;
  assert_failure(
      "Parser Error: syntax error at or near \"INSER\"\n\nLINE 1: INSER INTO t\n        ^", "INSER INTO t", "42601", "PARSE_SYNTAX_ERROR",
      "\n[PARSE_SYNTAX_ERROR] Syntax error at or near 'INSER'. SQLSTATE: 42601 (line 1, pos 0)\n\n== SQL ==\nINSER INTO t\n^^^\n");
  assert_failure("Parser Error: syntax error at or near \"x\"", "SELECT xy,\n xx x", "42601", "PARSE_SYNTAX_ERROR", "(line 2, pos 4)");
  assert_failure("Parser Error: syntax error at end of input", "SELECT 1 +", "42601", "PARSE_SYNTAX_ERROR",
                 "end of input. SQLSTATE: 42601 (line 1, pos 10)");
  assert_failure("Catalog Error: Table with name nope does not exist!\nDid you mean \"n\"?\n\nLINE 1: ...", "", "42P01",
                 "TABLE_OR_VIEW_NOT_FOUND", "The table or view `nope` cannot be found.");
  assert_failure("Catalog Error: Table with name \"t\" already exists!", "", "42P07", "TABLE_OR_VIEW_ALREADY_EXISTS", "`t`");
  assert_failure("Catalog Error: Scalar Function with name nofunc does not exist!", "", "42883", "UNRESOLVED_ROUTINE", "`nofunc`");
  assert_failure("Binder Error: Referenced column \"b\" not found in FROM clause!\nCandidate bindings: \"a\", \"c\"\n\nLINE 1: x", "",
                 "42703", "UNRESOLVED_COLUMN.WITH_SUGGESTION",
                 "name `b` cannot be resolved. Did you mean one of the following? [`a`, `c`].");
  assert_failure("Conversion Error: Could not convert string 'a' to INT32", "", "22018", "CAST_INVALID_INPUT",
                 "The value 'a' of the type \"STRING\" cannot be cast to \"INT\"");
  assert_failure("Out of Range Error: Overflow in addition of INT8 (127 + 1)!", "", "22003", "ARITHMETIC_OVERFLOW", "Overflow in addition");
  assert_failure("Invalid Input Error: Division by zero", "", "22012", "DIVIDE_BY_ZERO", "Division by zero.");
  assert_failure("Invalid Input Error: boom", "", "P0001", "USER_RAISED_EXCEPTION", "boom");
  assert_failure("INTERRUPT Error: Interrupted!", "", "HY008", "OPERATION_CANCELED", "canceled");
  assert_failure("something else", "", "XX000", "INTERNAL_ERROR", "something else");
  assert_failure("", "", "XX000", "INTERNAL_ERROR", "");
}

static void test_patterns(void **state) {
  (void)state;
  assert_true(pattern_matches(NULL, "abc"));
  assert_true(pattern_matches("", "abc"));
  assert_true(pattern_matches("%", ""));
  assert_true(pattern_matches("a%c", "ABBBC"));
  assert_true(pattern_matches("a_c",
                              "a\xc3\xa9"
                              "c"));
  assert_false(pattern_matches("a_c", "ac"));
  assert_true(pattern_matches("a\\_c", "a_c"));
  assert_false(pattern_matches("a\\_c", "abc"));
  assert_true(pattern_matches("%b%b%", "abab"));
  assert_false(pattern_matches("abc", "abcd"));
  assert_true(identifier_matches("a_c", "A_C"));
  assert_false(identifier_matches("a_c", "abc"));
  assert_true(show_pattern_matches("a*|z", "abc"));
  assert_true(show_pattern_matches("a*|z", "z"));
  assert_false(show_pattern_matches("a*|z", "zz"));
}

static void make_table(struct result *result, bool arrow, int64_t rows) {
  static const char *const columns[] = {"n", "i", "a number", "t", "u", "", NULL};
  struct result_shape shape = {.arrow = arrow, .lz4 = arrow};
  struct failure failure = {0};
  struct table *table = table_new(columns);
  for (int64_t i = 0; i < rows; i++) {
    table_int(table, i);
    table_text(table, i % 2 ? NULL : "text");
    table_row(table);
  }
  assert_true(table_finish(table, result, &shape, &failure));
  assert_true(page_prepare(result, &failure));
}

static void test_pages(void **state) {
  (void)state;
  for (int arrow = 0; arrow < 2; arrow++) {
    struct result result;
    struct failure failure = {0};
    make_table(&result, arrow != 0, 1000);
    int64_t at = 0, pages = 0;
    while (at < result.rows) {
      struct answer answer = {0};
      struct TRowSet *rows = NULL;
      struct page_sizes sizes;
      int64_t count = 0;
      assert_true(page_rows(&result, &answer, at, 300, 0, &rows, &count, &sizes, &failure));
      assert_int_equal(rows->startRowOffset, at);
      assert_int_equal(count, at == 900 ? 100 : 300);
      assert_false(sizes.known);
      if (arrow) {
        assert_int_equal(rows->arrowBatches.count, 1);
        assert_int_equal(rows->arrowBatches.items[0].rowCount, count);
        assert_memory_equal(rows->arrowBatches.items[0].batch.data, "\x04\x22\x4d\x18", 4);
      } else {
        assert_int_equal(rows->columns.items[0].i32Val->values.count, count);
        assert_int_equal(raw_list_i32_at(&rows->columns.items[0].i32Val->values, 5), at + 5);
        assert_int_equal(rows->columns.items[1].stringVal->nulls.data[0], 0xaa);
      }
      at += count;
      pages++;
      answer_free(&answer);
    }
    assert_int_equal(pages, 4);
    result_free(&result);
  }
}

static void test_page_bytes(void **state) {
  (void)state;
  struct result result;
  struct failure failure = {0};
  make_table(&result, true, 1000);
  struct answer answer = {0};
  struct TRowSet *rows = NULL;
  struct page_sizes sizes;
  int64_t count = 0;
  assert_true(page_rows(&result, &answer, 0, 1000, 1000, &rows, &count, &sizes, &failure));
  assert_in_range(count, 1, 999);
  assert_true(rows->arrowBatches.items[0].batch.size <= 1000);
  answer_free(&answer);
  assert_true(page_rows(&result, &answer, 0, 1000, 1, &rows, &count, &sizes, &failure)); /* always one row */
  assert_int_equal(count, 1);
  answer_free(&answer);
  assert_true(page_rows(&result, &answer, 0, 0, 0, &rows, &count, &sizes, &failure));
  assert_int_equal(count, 0);
  assert_int_equal(rows->arrowBatches.count, 0);
  answer_free(&answer);
  result_free(&result);
}

static void test_metadata(void **state) {
  (void)state;
  struct result result;
  make_table(&result, false, 0);
  struct answer answer = {0};
  struct TGetResultSetMetadataResp *out = page_metadata(&result, &answer, NULL, true, false);
  assert_int_equal(out->schema->columns.count, 2);
  assert_int_equal(out->schema->columns.items[1].position, 2);
  assert_true(slice_equal(out->schema->columns.items[0].comment, slice_text("a number")));
  assert_int_equal(out->resultFormat, TSparkRowSetType_COLUMN_BASED_SET);
  assert_false(out->has_arrowSchema || out->has_lz4Compressed || out->has_cacheLookupResult); /* as recorded for metadata calls */
  out = page_metadata(&result, &answer, NULL, false, true);
  assert_false(out->has_resultFormat || out->has_isStagingOperation); /* plain HiveServer2 */
  answer_free(&answer);
  result_free(&result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_failures),   cmocka_unit_test(test_patterns), cmocka_unit_test(test_pages),
      cmocka_unit_test(test_page_bytes), cmocka_unit_test(test_metadata),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
