/* Rows of metadata calls from servers that have their own idea of the columns, and from those that lie. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "base/error.h"
#include "base/mem.h"
#include "session/metadata.h"
#include "session/metadata_match.h"

static struct dbsql_connection connection;

/* A server's answer: columns "NAME format", and one row of texts (NULL is NULL). */
static dbsql_result *answer_of(const char *const *columns, const char *const *cells) {
  struct ArrowSchema schema;
  struct ArrowArray batch;
  struct arrow_builder builder = {0};
  struct result_schema *described = NULL;
  dbsql_result *result = NULL;
  int64_t count = 0;
  while (columns[count]) count++;
  assert_int_equal(arrow_schema_make(&schema, "+s", "", 0, count, NULL), DBSQL_OK);
  for (int64_t i = 0; i < count; i++) {
    char name[64], format[16];
    assert_int_equal(sscanf(columns[i], "%63s %15s", name, format), 2);
    assert_int_equal(arrow_schema_make(schema.children[i], format, name, ARROW_FLAG_NULLABLE, 0, NULL), DBSQL_OK);
  }
  assert_int_equal(result_schema_from_arrow(&schema, &described, NULL), DBSQL_OK);
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  for (int64_t i = 0; i < count; i++) {
    struct arrow_builder *column = &builder.children[i];
    int64_t number = cells[i] ? strtoll(cells[i], NULL, 10) : 0;
    int32_t number32 = (int32_t)number;
    int16_t number16 = (int16_t)number;
    int8_t number8 = (int8_t)number;
    double real = (double)number;
    if (!cells[i]) {
      arrow_builder_append_null(column);
    } else {
      switch (schema.children[i]->format[0]) {
        case 'u': arrow_builder_append_bytes(column, slice_text(cells[i])); break;
        case 'b': arrow_builder_append_bool(column, number != 0); break;
        case 'l': arrow_builder_append_fixed(column, &number); break;
        case 'i': arrow_builder_append_fixed(column, &number32); break;
        case 's': arrow_builder_append_fixed(column, &number16); break;
        case 'g': arrow_builder_append_fixed(column, &real); break;
        default: arrow_builder_append_fixed(column, &number8);
      }
    }
  }
  arrow_builder_append_entry(&builder);
  assert_int_equal(arrow_builder_finish(&builder, &batch, NULL), DBSQL_OK);
  arrow_builder_free(&builder);
  schema.release(&schema);
  assert_int_equal(result_of_batch(&connection, "", described, &batch, &result, NULL), DBSQL_OK);
  result_schema_unref(described);
  return result;
}

static dbsql_status read_answer(enum metadata_kind kind, const char *const *columns, const char *const *cells, struct metadata_rows *rows,
                                dbsql_error **error) {
  struct backend_metadata request = {.kind = kind};
  struct metadata_work work = {.connection = &connection, .request = &request};
  dbsql_result *result = answer_of(columns, cells);
  metadata_rows_init(rows, metadata_spec_of(kind), 0);
  dbsql_status status = metadata_rows_read(rows, result, NULL, metadata_complete, &work, error);
  result_free(result);
  return status;
}

#define READ(kind, columns, cells) read_answer(kind, (const char *const[])columns, (const char *const[])cells, &rows, &error)
#define LIST(...) \
  { __VA_ARGS__, NULL }

static void assert_text(const struct metadata_cell *cell, const char *text) {
  assert_true(cell->is_set);
  if (!slice_equal(metadata_text(cell), slice_text(text))) fail_msg("\"%.*s\" is not \"%s\"", (int)cell->size, cell->text, text);
}

static void columns_by_name_and_by_place(void **state) {
  (void)state;
  struct metadata_rows rows;
  dbsql_error *error = NULL;
  /* Another order, other widths, KEQ_SEQ, something more. */
  assert_int_equal(READ(METADATA_PRIMARY_KEYS, LIST("keq_seq l", "extra u", "COLUMN_NAME u", "TABLE_NAME u", "TABLE_SCHEM u"),
                        LIST("2", "more", "c", "t", "s")),
                   DBSQL_OK);
  const struct metadata_cell *row = metadata_row(&rows, 0);
  assert_false(row[KEYS_CATALOG].is_set);
  assert_text(&row[KEYS_SCHEMA], "s");
  assert_text(&row[KEYS_TABLE], "t");
  assert_text(&row[KEYS_COLUMN], "c");
  assert_int_equal(row[KEYS_SEQUENCE].number, 2);
  metadata_rows_free(&rows);
  /* Names of its own. */
  assert_int_equal(READ(METADATA_SCHEMAS, LIST("databaseName u", "catalog u"), LIST("s", "")), DBSQL_OK);
  assert_text(&metadata_row(&rows, 0)[SCHEMAS_SCHEMA], "s");
  assert_false(metadata_row(&rows, 0)[SCHEMAS_CATALOG].is_set);
  metadata_rows_free(&rows);
  /* An empty TABLE_TYPE. */
  assert_int_equal(READ(METADATA_TABLES, LIST("TABLE_CAT u", "TABLE_SCHEM u", "TABLE_NAME u", "TABLE_TYPE u"), LIST("c", "s", "t", "")),
                   DBSQL_OK);
  assert_text(&metadata_row(&rows, 0)[TABLES_TYPE], "TABLE");
  metadata_rows_free(&rows);
  /* Columns as the shortest server tells them: numbers as texts and fractions, the rest follows from the type. */
  assert_int_equal(READ(METADATA_COLUMNS, LIST("TABLE_NAME u", "COLUMN_NAME u", "TYPE_NAME u", "ORDINAL_POSITION g", "NULLABLE u"),
                        LIST("t", "c", "decimal(10,2)", "3", "0")),
                   DBSQL_OK);
  row = metadata_row(&rows, 0);
  assert_text(&row[COLUMNS_TYPE_NAME], "DECIMAL(10,2)");
  assert_int_equal(row[COLUMNS_DATA_TYPE].number, 3);
  assert_int_equal(row[COLUMNS_SIZE].number, 10);
  assert_int_equal(row[COLUMNS_DIGITS].number, 2);
  assert_int_equal(row[COLUMNS_ORDINAL].number, 3);
  assert_text(&row[COLUMNS_IS_NULLABLE], "NO");
  assert_text(&row[COLUMNS_IS_GENERATED], "");
  metadata_rows_free(&rows);
  /* A type that nobody knows keeps the server's numbers. */
  assert_int_equal(READ(METADATA_COLUMNS, LIST("TABLE_NAME u", "COLUMN_NAME u", "TYPE_NAME u", "DATA_TYPE c", "COLUMN_SIZE s"),
                        LIST("t", "c", "<<new>>", "-7", "77")),
                   DBSQL_OK);
  row = metadata_row(&rows, 0);
  assert_text(&row[COLUMNS_TYPE_NAME], "<<new>>");
  assert_int_equal(row[COLUMNS_DATA_TYPE].number, -7);
  assert_int_equal(row[COLUMNS_SIZE].number, 77);
  metadata_rows_free(&rows);
}

static void what_does_not_fit_is_an_error(void **state) {
  (void)state;
  struct metadata_rows rows;
  dbsql_error *error = NULL;
#define WRONG(sqlstate, text, kind, columns, cells)                                                                                 \
  assert_int_equal(read_answer(kind, (const char *const[])columns, (const char *const[])cells, &rows, &error), DBSQL_ERROR_DRIVER); \
  assert_string_equal(dbsql_error_sqlstate(error), sqlstate);                                                                       \
  if (!strstr(dbsql_error_message(error), text)) fail_msg("%s", dbsql_error_message(error));                                        \
  error_clear(&error);                                                                                                              \
  metadata_rows_free(&rows)
  WRONG("22003", "KEY_SEQ", METADATA_PRIMARY_KEYS, LIST("TABLE_NAME u", "COLUMN_NAME u", "KEY_SEQ l"), LIST("t", "c", "40000"));
  WRONG("22003", "ORDINAL_POSITION", METADATA_COLUMNS, LIST("TABLE_NAME u", "COLUMN_NAME u", "TYPE_NAME u", "ORDINAL_POSITION l"),
        LIST("t", "c", "int", "3000000000"));
  WRONG("HY000", "ORDINAL_POSITION", METADATA_COLUMNS, LIST("TABLE_NAME u", "COLUMN_NAME u", "TYPE_NAME u", "ORDINAL_POSITION u"),
        LIST("t", "c", "int", "first"));
  WRONG("HY000", "no column TABLE_NAME", METADATA_TABLES, LIST("TABLE_CAT u", "TABLE_SCHEM u"), LIST("c", "s"));
  WRONG("HY000", "no column KEY_SEQ", METADATA_PRIMARY_KEYS, LIST("TABLE_NAME u", "COLUMN_NAME u"), LIST("t", "c"));
  /* A row without a name is found when the result is made. */
  dbsql_result *result = NULL;
  assert_int_equal(
      READ(METADATA_TABLES, LIST("TABLE_CAT u", "TABLE_SCHEM u", "TABLE_NAME u", "TABLE_TYPE u"), LIST("c", "s", NULL, "TABLE")), DBSQL_OK);
  assert_int_equal(metadata_rows_finish(&rows, &connection, "", &result, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "a row without TABLE_NAME"));
  error_clear(&error);
  metadata_rows_free(&rows);
  /* The limit of memory. */
  metadata_rows_init(&rows, metadata_spec_of(METADATA_CATALOGS), 100);
  dbsql_status status = DBSQL_OK;
  for (int i = 0; status == DBSQL_OK && i < 100; i++) status = metadata_rows_add(&rows, &error);
  assert_int_equal(status, DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "max_memory_bytes"));
  error_clear(&error);
  metadata_rows_free(&rows);
}

static void patterns(void **state) {
  (void)state;
  static const struct {
    const char *pattern, *text, *wide, *glob;
    bool matches;
  } cases[] = {
      {"a%c", "abbc", "a%c", "a*c", true},
      {"a_c", "abc", "a_c", "a*c", true},
      {"a_c", "abbc", "a_c", "a*c", false},
      {"a\\_c", "abc", "a_c", "a*c", false},
      {"a\\_c", "A_C", "a_c", "a*c", true},
      {"100\\%", "100%", "100_", "100*", true},
      {"100\\%", "1000", "100_", "100*", false},
      {"a\\\\b", "a\\b", "a_b", "a*b", true},
      {"a\\b", "a\\b", "a_b", "a*b", true}, /* before anything else a backslash is one */
      {"a\\", "a\\", "a_", "a*", true},
      {"it's", "it's", "it_s", "it*s", true},
      {"a|b*", "a|b*", "a_b_", "a*b*", true},
      {"\xc3\x9c_", "\xc3\xbcx", "__", "**", true},
      {"_", "\xf0\x9f\x8e\x89", "_", "*", true},
      {"\xf0\x9f\x8e\x89", "\xf0\x9f\x8e\x89", "%", "*", true},
      {"%%%", "", "%%%", "***", true},
      {"", "", "", "", true},
      {"", "a", "", "", false},
      {"%a%b%c", "xaybzc", "%a%b%c", "*a*b*c", true},
      {"%a%b%c", "xaybzcd", "%a%b%c", "*a*b*c", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct buf wide = BUF_INIT, glob = BUF_INIT;
    if (metadata_matches_pattern(cases[i].pattern, slice_text(cases[i].text)) != cases[i].matches)
      fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].text);
    metadata_append_wide_pattern(&wide, cases[i].pattern);
    metadata_append_glob(&glob, cases[i].pattern);
    assert_string_equal(buf_text(&wide), cases[i].wide);
    assert_string_equal(buf_text(&glob), cases[i].glob);
    if (cases[i].matches) assert_true(metadata_matches_pattern(buf_text(&wide), slice_text(cases[i].text)));
    buf_free(&wide);
    buf_free(&glob);
    /* Every name matches its own escaped pattern. */
    struct buf escaped = BUF_INIT;
    metadata_append_escaped(&escaped, cases[i].text);
    assert_true(metadata_matches_pattern(buf_text(&escaped), slice_text(cases[i].text)));
    buf_free(&escaped);
  }
  assert_true(metadata_matches_name("\xce\xa3x", slice_text("\xcf\x83X")));
  assert_false(metadata_matches_name("a", slice_text("ab")));
  assert_false(metadata_matches_name("ab", slice_text("a")));
  assert_true(metadata_matches_name(NULL, slice_text("ab")));
}

static void places(void **state) {
  (void)state;
  static const struct {
    const char *sql, *catalog, *schema;
    bool plain;
  } cases[] = {
      {"USE SCHEMA x", "c", "x", false},
      {"use x", "c", "x", false},
      {"use x", "~", "~", true},
      {"USE DATABASE `a``b` ; ", "c", "a`b", true},
      {"/* x */ USE CATALOG d -- end", "d", "default", false},
      {"SET CATALOG d", "d", "default", false},
      {"USE d.e", "d", "e", false},
      {"USE IDENTIFIER('d')", "~", "~", false},
      {"SELECT 1 -- USE x", "c", "s", false},
      {"BEGIN TRANSACTION", "c", "s", false},
      {"begin work", "c", "s", false},
      {"SET AUTOCOMMIT = false", "c", "s", false},
      {"SET AUTOCOMMIT = 1", "c", "s", false},
      {"SET AUTOCOMMIT", "c", "s", false},
      {"BEGIN USE x; END", "~", "~", false},
      {"EXECUTE IMMEDIATE 'USE x'", "~", "~", false},
      {"", "c", "s", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct session_place place = {0};
    assert_int_equal(place_open(&place, "c", "s", NULL), DBSQL_OK);
    place_note(&place, slice_text(cases[i].sql), cases[i].plain);
    if (strcmp(place.catalog ? place.catalog : "~", cases[i].catalog) != 0 ||
        strcmp(place.schema ? place.schema : "~", cases[i].schema) != 0)
      fail_msg("%s: %s.%s", cases[i].sql, place.catalog, place.schema);
    place_free(&place);
  }
}

int main(void) {
  atomic_init(&connection.refs, 1000000);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(columns_by_name_and_by_place),
      cmocka_unit_test(what_does_not_fit_is_an_error),
      cmocka_unit_test(patterns),
      cmocka_unit_test(places),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
