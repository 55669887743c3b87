/* Texts of types: read, and written as results have them. */
#include "test.h"

#include "arrow/builder.h"
#include "base/error.h"
#include "base/mem.h"
#include "result/type_text.h"

static const struct {
  const char *text, *written; /* NULL: an error */
  dbsql_type type;
} cases[] = {
    {"int", "INT", DBSQL_TYPE_INT},
    {" Long ", "BIGINT", DBSQL_TYPE_BIGINT},
    {"decimal", "DECIMAL(10,0)", DBSQL_TYPE_DECIMAL},
    {"decimal(5)", "DECIMAL(5,0)", DBSQL_TYPE_DECIMAL},
    {"numeric( 10 , 2 )", "DECIMAL(10,2)", DBSQL_TYPE_DECIMAL},
    {"varchar(10)", "VARCHAR(10)", DBSQL_TYPE_STRING},
    {"char(3)", "CHAR(3)", DBSQL_TYPE_STRING},
    {"string collate UTF8_LCASE", "STRING", DBSQL_TYPE_STRING},
    {"timestamp_ltz", "TIMESTAMP", DBSQL_TYPE_TIMESTAMP},
    {"timestamp_ntz", "TIMESTAMP_NTZ", DBSQL_TYPE_TIMESTAMP_NTZ},
    {"interval", "INTERVAL", DBSQL_TYPE_STRING},
    {"interval year", "INTERVAL YEAR", DBSQL_TYPE_INTERVAL_YEAR_MONTH},
    {"interval year to month", "INTERVAL YEAR TO MONTH", DBSQL_TYPE_INTERVAL_YEAR_MONTH},
    {"INTERVAL hour TO second", "INTERVAL HOUR TO SECOND", DBSQL_TYPE_INTERVAL_DAY_TIME},
    {"variant", "VARIANT", DBSQL_TYPE_VARIANT},
    {"void", "VOID", DBSQL_TYPE_VOID},
    {"geometry(4326)", "GEOMETRY(4326)", DBSQL_TYPE_GEOMETRY},
    {"geography(any)", "GEOGRAPHY(ANY)", DBSQL_TYPE_GEOGRAPHY},
    {"time(6)", "TIME(6)", DBSQL_TYPE_TIME},
    {"hyperspace", "HYPERSPACE", DBSQL_TYPE_UNKNOWN},
    {"array<int>", "ARRAY<INT>", DBSQL_TYPE_ARRAY},
    {"array", "ARRAY", DBSQL_TYPE_ARRAY},
    {"map<string,array<decimal(3,1)>>", "MAP<STRING, ARRAY<DECIMAL(3,1)>>", DBSQL_TYPE_MAP},
    {"struct<>", "STRUCT", DBSQL_TYPE_STRUCT},
    {"struct<a:int,`b ``c:,>`:string,d e:map<int,date>>", "STRUCT<a: INT, b `c:,>: STRING, d e: MAP<INT, DATE>>", DBSQL_TYPE_STRUCT},
    {"STRUCT<a: INT NOT NULL COMMENT 'it\\'s, >', b: STRING>", "STRUCT<a: INT, b: STRING>", DBSQL_TYPE_STRUCT},
    {"struct<a:int,... 3 more fields>", "STRUCT<a: INT, ...>", DBSQL_TYPE_STRUCT},
    {"", NULL, DBSQL_TYPE_UNKNOWN},
    {"int int", NULL, DBSQL_TYPE_UNKNOWN},
    {"array<", NULL, DBSQL_TYPE_UNKNOWN},
    {"array<int", NULL, DBSQL_TYPE_UNKNOWN},
    {"array<int,int>", NULL, DBSQL_TYPE_UNKNOWN},
    {"map<int>", NULL, DBSQL_TYPE_UNKNOWN},
    {"struct<a>", NULL, DBSQL_TYPE_UNKNOWN},
    {"struct<a:>", NULL, DBSQL_TYPE_UNKNOWN},
    {"struct<`a:int>", NULL, DBSQL_TYPE_UNKNOWN},
    {"decimal(39,0)", NULL, DBSQL_TYPE_UNKNOWN},
    {"decimal(3,4)", NULL, DBSQL_TYPE_UNKNOWN},
    {"decimal(3", NULL, DBSQL_TYPE_UNKNOWN},
    {"varchar(0)", NULL, DBSQL_TYPE_UNKNOWN},
    {"varchar(x)", NULL, DBSQL_TYPE_UNKNOWN},
    {"interval month to day", NULL, DBSQL_TYPE_UNKNOWN},
    {"interval second to day", NULL, DBSQL_TYPE_UNKNOWN},
    {"interval day to", NULL, DBSQL_TYPE_UNKNOWN},
    {"string collate", "STRING", DBSQL_TYPE_STRING},
    {"9", NULL, DBSQL_TYPE_UNKNOWN},
    {"\xff", NULL, DBSQL_TYPE_UNKNOWN},
};

static void types_are_read(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct arena arena = ARENA_INIT;
    struct sql_type *type = NULL;
    struct buf out = BUF_INIT;
    dbsql_error *error = NULL;
    dbsql_status status = sql_type_read(slice_text(cases[i].text), &arena, &type, &error);
    if ((status == DBSQL_OK) != (cases[i].written != NULL)) fail_msg("\"%s\": %s", cases[i].text, dbsql_error_message(error));
    if (status == DBSQL_OK) {
      sql_type_append(&out, type);
      if (strcmp(buf_text(&out), cases[i].written) != 0) fail_msg("\"%s\" is written %s", cases[i].text, buf_text(&out));
      if (type->type != cases[i].type) fail_msg("\"%s\" is %s", cases[i].text, dbsql_type_name(type->type));
    }
    error_clear(&error);
    buf_free(&out);
    arena_free(&arena);
  }
}

static void deep_types_end(void **state) {
  (void)state;
  struct buf text = BUF_INIT;
  for (int i = 0; i < 100000; i++) buf_append_text(&text, "array<");
  struct arena arena = ARENA_INIT;
  struct sql_type *type;
  dbsql_error *error = NULL;
  assert_int_equal(sql_type_read(buf_slice(&text), &arena, &type, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "nested"));
  error_clear(&error);
  arena_free(&arena);
  buf_free(&text);
}

static void without_memory(void **state) {
  (void)state;
  const char *text = "struct<a:int,`b``c`:array<map<string,decimal(10,2)>>,c:varchar(3),d:interval day>";
  struct sql_type_shape shape = {.native_timestamp = true, .native_complex = true, .native_decimal = true, .native_interval = true};
  int64_t before = mem_test_live_blocks();
  for (uint64_t n = 1;; n++) {
    struct arena arena = ARENA_INIT;
    struct sql_type *type = NULL;
    struct ArrowSchema schema = {.release = NULL};
    dbsql_error *error = NULL;
    mem_test_fail_at(n);
    dbsql_status status = sql_type_read(slice_text(text), &arena, &type, &error);
    if (status == DBSQL_OK) status = sql_type_to_arrow(type, "x", &shape, &schema, &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    assert_int_equal(status, struck ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
    if (schema.release) schema.release(&schema);
    error_clear(&error);
    arena_free(&arena);
    assert_int_equal(mem_test_live_blocks(), before);
    if (!struck) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(types_are_read), cmocka_unit_test(deep_types_end), cmocka_unit_test(without_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
