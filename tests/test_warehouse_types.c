/* Types: the engine's, Arrow's, Databricks' and Thrift's; and the conversion of batches. */
#include "test.h"

#include <stdlib.h>

#include "arrow/builder.h"
#include "arrow/column.h"
#include "convert.h"
#include "result.h"
#include "thrift/tcli.h"
#include "types.h"

static void assert_engine_type(const char *engine, const char *expected) {
  struct buf out = BUF_INIT;
  type_append_of_engine(&out, engine);
  assert_string_equal(buf_text(&out), expected);
  buf_free(&out);
}

static void test_engine_types(void **state) {
  (void)state;
  assert_engine_type("INTEGER", "INT");
  assert_engine_type("VARCHAR", "STRING");
  assert_engine_type("DECIMAL(18,3)", "DECIMAL(18,3)");
  assert_engine_type("TIMESTAMP WITH TIME ZONE", "TIMESTAMP");
  assert_engine_type("TIMESTAMP", "TIMESTAMP_NTZ");
  assert_engine_type("TIMESTAMP_NS", "TIMESTAMP_NTZ");
  assert_engine_type("UBIGINT", "DECIMAL(20,0)");
  assert_engine_type("HUGEINT", "DECIMAL(38,0)");
  assert_engine_type("BLOB", "BINARY");
  assert_engine_type("INTEGER[]", "ARRAY<INT>");
  assert_engine_type("VARCHAR[3][]", "ARRAY<ARRAY<STRING>>");
  assert_engine_type("STRUCT(a INTEGER, \"b c\" VARCHAR[])", "STRUCT<a: INT, b c: ARRAY<STRING>>");
  assert_engine_type("MAP(VARCHAR, STRUCT(x DOUBLE)[])", "MAP<STRING, ARRAY<STRUCT<x: DOUBLE>>>");
  assert_engine_type("ENUM('a', 'b)')", "STRING");
  assert_engine_type("ENUM('a')[]", "ARRAY<STRING>");
  assert_engine_type("UNION(num INTEGER, str VARCHAR)", "STRING");
  assert_engine_type("UUID", "STRING");
  assert_engine_type("\"NULL\"", "VOID");
  /* Nothing that the engine says can make it run away. */
  assert_engine_type("STRUCT(", "STRUCT<>");
  assert_engine_type("MAP(", "MAP<STRING, STRING>");
  assert_engine_type("", "STRING");
}

static void test_facts(void **state) {
  (void)state;
  struct type_facts facts = type_facts_of("DECIMAL(12,4)");
  assert_int_equal(facts.jdbc_type, 3);
  assert_int_equal(facts.size, 12);
  assert_int_equal(facts.digits, 4);
  assert_int_equal(type_facts_of("STRING").jdbc_type, 12);
  assert_true(type_facts_of("STRING").has_octets);
  assert_int_equal(type_facts_of("MAP<STRING, INT>").jdbc_type, 2000);
  assert_int_equal(type_facts_of("TIMESTAMP_NTZ").jdbc_type, 93);
  assert_false(type_facts_of("BOOLEAN").has_digits);
}

/* A column of the engine's, as it would come. */
struct fixture {
  struct ArrowSchema schema;
  struct ArrowArray array;
};

/* Takes what the builder holds. */
static void finish(struct fixture *fixture, struct arrow_builder *builder) {
  assert_int_equal(arrow_builder_finish(builder, &fixture->array, NULL), DBSQL_OK);
  arrow_builder_free(builder);
}

static void start(struct fixture *fixture, struct arrow_builder *builder, const char *format) {
  memset(fixture, 0, sizeof *fixture);
  assert_int_equal(arrow_schema_make(&fixture->schema, format, "c", ARROW_FLAG_NULLABLE, 0, NULL), DBSQL_OK);
  assert_int_equal(arrow_builder_init(builder, &fixture->schema, NULL), DBSQL_OK);
}

/* Converts, and compares format, SQL name and the text of every row (NULL for NULL). */
static void assert_converted(struct fixture *fixture, const char *format, const char *name, const char *const *texts) {
  struct failure failure = {0};
  struct ArrowSchema plain = {0};
  struct ArrowArray out = {0};
  struct arrow_column column = {0};
  struct buf text = BUF_INIT;
  int64_t length = fixture->array.length;
  struct convert_column *convert = convert_column_new(&fixture->schema, &failure);
  assert_non_null(convert);
  convert_look(convert, &fixture->array);
  assert_true(convert_schema(convert, "c", "Etc/UTC", &plain, &failure));
  assert_string_equal(plain.format, format);
  type_append_sql_name(&text, &plain);
  assert_string_equal(buf_text(&text), name);
  assert_true(convert_array(convert, &plain, &fixture->array, &out, &failure));
  assert_int_equal(out.length, length);
  assert_int_equal(arrow_column_bind(&column, &plain, NULL), DBSQL_OK);
  arrow_column_attach(&column, &out);
  for (int64_t row = 0; row < length; row++) {
    assert_int_equal(arrow_column_is_null(&column, row), texts[row] == NULL);
    if (!texts[row]) continue;
    buf_reset(&text);
    assert_int_equal(arrow_column_text(&column, row, &text, NULL), DBSQL_OK);
    assert_string_equal(buf_text(&text), texts[row]);
  }
  buf_free(&text);
  arrow_column_free(&column);
  convert_column_free(convert);
  out.release(&out);
  plain.release(&plain);
  fixture->schema.release(&fixture->schema);
}

static void assert_not_converted(struct fixture *fixture, const char *sqlstate) {
  struct failure failure = {0};
  struct ArrowSchema plain = {0};
  struct ArrowArray out = {0};
  struct convert_column *convert = convert_column_new(&fixture->schema, &failure);
  assert_non_null(convert);
  convert_look(convert, &fixture->array);
  assert_true(convert_schema(convert, "c", "Etc/UTC", &plain, &failure));
  assert_false(convert_array(convert, &plain, &fixture->array, &out, &failure));
  assert_null(fixture->array.release);
  assert_string_equal(failure.sqlstate, sqlstate);
  failure_clear(&failure);
  convert_column_free(convert);
  plain.release(&plain);
  fixture->schema.release(&fixture->schema);
}

static void test_unsigned(void **state) {
  (void)state;
  struct fixture fixture;
  struct arrow_builder builder;
  start(&fixture, &builder, "C");
  arrow_builder_append_fixed(&builder, &(uint8_t){255});
  arrow_builder_append_null(&builder);
  finish(&fixture, &builder);
  assert_converted(&fixture, "s", "SMALLINT", (const char *const[]){"255", NULL});
  start(&fixture, &builder, "L");
  arrow_builder_append_fixed(&builder, &(uint64_t){UINT64_MAX});
  arrow_builder_append_fixed(&builder, &(uint64_t){7});
  finish(&fixture, &builder);
  assert_converted(&fixture, "d:20,0", "DECIMAL(20,0)", (const char *const[]){"18446744073709551615", "7"});
}

static void test_large_text(void **state) {
  (void)state;
  struct fixture fixture;
  struct arrow_builder builder;
  start(&fixture, &builder, "U");
  arrow_builder_append_bytes(&builder, slice_text("abc"));
  arrow_builder_append_null(&builder);
  arrow_builder_append_bytes(&builder, slice_text(""));
  finish(&fixture, &builder);
  assert_converted(&fixture, "u", "STRING", (const char *const[]){"abc", NULL, ""});
}

static void no_release(struct ArrowArray *array) {
  array->release = NULL;
}

static void test_views(void **state) {
  (void)state;
  struct fixture fixture;
  uint8_t views[3][16] = {{3, 0, 0, 0, 'a', 'b', 'c'}, {20, 0, 0, 0, 'l', 'o', 'n', 'g', 0, 0, 0, 0, 2, 0, 0, 0}, {0}};
  static const char data[] = "..long enough a text";
  uint8_t validity = 0x3;
  const void *buffers[] = {&validity, views, "", NULL};
  buffers[2] = "..long enough a text..";
  views[1][8] = 0;
  (void)data;
  memset(&fixture, 0, sizeof fixture);
  assert_int_equal(arrow_schema_make(&fixture.schema, "vu", "c", ARROW_FLAG_NULLABLE, 0, NULL), DBSQL_OK);
  fixture.array = (struct ArrowArray){.length = 3, .null_count = 1, .n_buffers = 4, .buffers = buffers, .release = no_release};
  assert_converted(&fixture, "u", "STRING", (const char *const[]){"abc", "long enough a text..", NULL});
}

static void test_dictionary(void **state) {
  (void)state;
  struct fixture fixture, values;
  struct arrow_builder builder;
  start(&values, &builder, "u");
  arrow_builder_append_bytes(&builder, slice_text("red"));
  arrow_builder_append_bytes(&builder, slice_text("green"));
  finish(&values, &builder);
  start(&fixture, &builder, "C");
  arrow_builder_append_fixed(&builder, &(uint8_t){1});
  arrow_builder_append_null(&builder);
  arrow_builder_append_fixed(&builder, &(uint8_t){0});
  finish(&fixture, &builder);
  fixture.schema.dictionary = &values.schema;
  fixture.array.dictionary = &values.array;
  assert_converted(&fixture, "u", "STRING", (const char *const[]){"green", NULL, "red"});
  /* An index that points nowhere. */
  struct arrow_builder again;
  struct fixture bad;
  start(&bad, &again, "C");
  arrow_builder_append_fixed(&again, &(uint8_t){2});
  finish(&bad, &again);
  bad.schema.dictionary = &values.schema;
  bad.array.dictionary = &values.array;
  assert_not_converted(&bad, "22003");
  values.array.release(&values.array);
  values.schema.release(&values.schema);
}

static void test_times(void **state) {
  (void)state;
  struct fixture fixture;
  struct arrow_builder builder;
  start(&fixture, &builder, "tss:");
  arrow_builder_append_fixed(&builder, &(int64_t){1577836800});
  finish(&fixture, &builder);
  assert_converted(&fixture, "tsu:", "TIMESTAMP_NTZ", (const char *const[]){"2020-01-01 00:00:00"});
  start(&fixture, &builder, "tsn:");
  arrow_builder_append_fixed(&builder, &(int64_t){1577836800000001000});
  finish(&fixture, &builder);
  assert_converted(&fixture, "tsu:", "TIMESTAMP_NTZ", (const char *const[]){"2020-01-01 00:00:00.000001"});
  /* Nanoseconds would be lost. */
  start(&fixture, &builder, "tsn:");
  arrow_builder_append_fixed(&builder, &(int64_t){1577836800000000001});
  finish(&fixture, &builder);
  assert_not_converted(&fixture, "22003");
  start(&fixture, &builder, "tss:");
  arrow_builder_append_fixed(&builder, &(int64_t){INT64_MAX});
  finish(&fixture, &builder);
  assert_not_converted(&fixture, "22003");
  start(&fixture, &builder, "ttu");
  arrow_builder_append_fixed(&builder, &(int64_t){INT64_C(36610500000)});
  finish(&fixture, &builder);
  assert_converted(&fixture, "u", "STRING", (const char *const[]){"10:10:10.5"});
}

struct interval {
  int32_t months, days;
  int64_t nanos;
};

static void build_intervals(struct fixture *fixture, const struct interval *values, size_t count) {
  struct arrow_builder builder;
  start(fixture, &builder, "tin");
  for (size_t i = 0; i < count; i++) arrow_builder_append_fixed(&builder, &values[i]);
  arrow_builder_append_null(&builder);
  finish(fixture, &builder);
}

static void test_intervals(void **state) {
  (void)state;
  struct fixture fixture;
  build_intervals(&fixture, (const struct interval[]){{14, 0, 0}, {-1, 0, 0}}, 2);
  assert_converted(&fixture, "tiM", "INTERVAL YEAR TO MONTH", (const char *const[]){"1-2", "-0-1", NULL});
  build_intervals(&fixture, (const struct interval[]){{0, 1, 2000}, {0, 0, -1000}}, 2);
  assert_converted(&fixture, "tDu", "INTERVAL DAY TO SECOND", (const char *const[]){"1 00:00:00.000002000", "-0 00:00:00.000001000", NULL});
  build_intervals(&fixture, (const struct interval[]){{1, 1, 0}}, 1);
  assert_converted(&fixture, "u", "STRING", (const char *const[]){"0-1 1 00:00:00.000000000", NULL});
}

static void test_long_integers(void **state) {
  (void)state;
  struct fixture fixture;
  struct arrow_builder builder;
  /* 10^38 - 1 and its negative fit into DECIMAL(38,0), 10^38 does not. */
  uint64_t most[2] = {0x098A223FFFFFFFFFULL, 0x4B3B4CA85A86C47AULL}, least[2] = {0xF675DDC000000001ULL, 0xB4C4B357A5793B85ULL};
  uint64_t over[2] = {0x098A224000000000ULL, 0x4B3B4CA85A86C47AULL};
  start(&fixture, &builder, "d:38,0");
  arrow_builder_append_fixed(&builder, most);
  arrow_builder_append_fixed(&builder, least);
  finish(&fixture, &builder);
  assert_converted(&fixture, "d:38,0", "DECIMAL(38,0)",
                   (const char *const[]){"99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"});
  start(&fixture, &builder, "d:38,0");
  arrow_builder_append_fixed(&builder, over);
  finish(&fixture, &builder);
  assert_not_converted(&fixture, "22003");
}

static void test_unsupported(void **state) {
  (void)state;
  struct failure failure = {0};
  struct ArrowSchema schema = {0};
  static const char *const formats[] = {"+r", "w", "d:40,0,256", "nonsense", "+vl"};
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    assert_int_equal(arrow_schema_make(&schema, formats[i], "c", 0, 0, NULL), DBSQL_OK);
    assert_null(convert_column_new(&schema, &failure));
    assert_string_equal(failure.sqlstate, "0A000");
    schema.release(&schema);
  }
  failure_clear(&failure);
}

static void test_json_types(void **state) {
  (void)state;
  struct ArrowSchema list = {0};
  assert_int_equal(arrow_schema_make(&list, "+l", "c", ARROW_FLAG_NULLABLE, 1, NULL), DBSQL_OK);
  assert_int_equal(arrow_schema_make(list.children[0], "+s", "element", ARROW_FLAG_NULLABLE, 1, NULL), DBSQL_OK);
  assert_int_equal(arrow_schema_make(list.children[0]->children[0], "i", "a\"b", ARROW_FLAG_NULLABLE, 0, NULL), DBSQL_OK);
  struct buf out = BUF_INIT;
  type_append_json(&out, &list);
  assert_string_equal(
      buf_text(&out),
      "{\"type\":\"array\",\"elementType\":{\"type\":\"struct\",\"fields\":[{\"name\":\"a\\\"b\",\"type\":\"integer\",\"nullable\":true,"
      "\"metadata\":{}}]},\"containsNull\":true}");
  int32_t precision = 0, scale = 0;
  assert_int_equal(type_thrift_id(&list, &precision, &scale), TTypeId_ARRAY_TYPE);
  buf_free(&out);
  list.release(&list);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_engine_types), cmocka_unit_test(test_facts),      cmocka_unit_test(test_unsigned),
      cmocka_unit_test(test_large_text),   cmocka_unit_test(test_views),      cmocka_unit_test(test_dictionary),
      cmocka_unit_test(test_times),        cmocka_unit_test(test_intervals),  cmocka_unit_test(test_long_integers),
      cmocka_unit_test(test_unsupported),  cmocka_unit_test(test_json_types),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
