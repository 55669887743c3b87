/* Columns: every type of plain values, as a value, as text and as JSON. */
#include "test_column.h"

/* ---- One value of each type ---- */

struct fixed_case {
  const char *format;
  const char *text;
  const char *json; /* NULL: as the text; "q": the text in quotes */
  union {
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint64_t u64;
    float f32;
    double f64;
    uint64_t decimal[2]; /* low, high */
    int32_t pair[2];
    struct {
      int32_t months, days;
      int64_t nanos;
    } mixed;
  } value;
};

/* clang-format off */
static const struct fixed_case fixed_cases[] = {
    {"c", "-128", NULL, {.i8 = -128}},
    {"C", "255", NULL, {.i8 = -1}},
    {"s", "-32768", NULL, {.i16 = INT16_MIN}},
    {"S", "65535", NULL, {.i16 = -1}},
    {"i", "-2147483648", NULL, {.i32 = INT32_MIN}},
    {"I", "4294967295", NULL, {.i32 = -1}},
    {"l", "-9223372036854775808", NULL, {.i64 = INT64_MIN}},
    {"L", "18446744073709551615", NULL, {.u64 = UINT64_MAX}},
    {"e", "0.1", NULL, {.i16 = 0x2E66}},
    {"f", "0.1", NULL, {.f32 = 0.1f}},
    {"f", "NaN", "q", {.f32 = __builtin_nanf("")}},
    {"f", "1.0E20", NULL, {.f32 = 1e20f}},
    {"g", "0.1", NULL, {.f64 = 0.1}},
    {"g", "-Infinity", "q", {.f64 = -__builtin_inf()}},
    {"g", "Infinity", "q", {.f64 = __builtin_inf()}},
    {"g", "-0.0", NULL, {.f64 = -0.0}},
    {"d:10,2", "-12.34", NULL, {.decimal = {(uint64_t)-1234, UINT64_MAX}}},
    {"d:38,38", "0.99999999999999999999999999999999999999", NULL, {.decimal = {0x098A223FFFFFFFFF, 0x4B3B4CA85A86C47A}}},
    {"d:38,0,128", "0", NULL, {.decimal = {0, 0}}},
    {"d:5,-2", "1200", NULL, {.decimal = {12, 0}}},
    {"tdD", "2024-02-29", "q", {.i32 = 19782}},
    {"tdD", "-5877641-06-23", "q", {.i32 = INT32_MIN}},
    {"tdm", "1969-12-31", "q", {.i64 = -1}},
    {"tts", "12:34:56", "q", {.i32 = 45296}},
    {"ttm", "12:34:56.7", "q", {.i32 = 45296700}},
    {"ttu", "12:34:56.000001", "q", {.i64 = 45296000001}},
    {"ttn", "12:34:56.000000001", "q", {.i64 = 45296000000001}},
    {"tss:", "2024-02-29 12:24:56", "q", {.i64 = 1709209496}},
    {"tsm:", "2024-02-29 12:24:56.789", "q", {.i64 = 1709209496789}},
    {"tsu:", "2024-02-29 12:24:56.789", "q", {.i64 = 1709209496789000}},
    {"tsn:", "2024-02-29 12:24:56.789000001", "q", {.i64 = 1709209496789000001}},
    {"tsu:UTC", "-290308-12-21 19:59:05.224192", "q", {.i64 = INT64_MIN}},
    {"tsu:UTC+08:00", "2024-02-29 20:24:56.789", "q", {.i64 = 1709209496789000}},
    {"tsu:+5:30", "2024-02-29 17:54:56.789", "q", {.i64 = 1709209496789000}},
    {"tsu:-01:00", "1969-12-31 23:00:00", "q", {.i64 = 0}},
    {"tDs", "1 00:00:01.000000000", "q", {.i64 = 86401}},
    {"tDm", "-0 00:00:00.001000000", "q", {.i64 = -1}},
    {"tDu", "-106751991 04:00:54.775808000", "q", {.i64 = INT64_MIN}},
    {"tDn", "0 00:00:00.000000001", "q", {.i64 = 1}},
    {"tiM", "1-2", "q", {.i32 = 14}},
    {"tiM", "-178956970-8", "q", {.i32 = INT32_MIN}},
    {"tiD", "-1 00:00:00.001000000", "q", {.pair = {-1, -1}}},
    {"tiD", "0 23:59:59.999000000", "q", {.pair = {1, -1}}},
    {"tin", "-0-1 3 00:00:00.000000005", "q", {.mixed = {-1, 3, 5}}},
    {"w:3", "616200", "\"YWIA\"", {.u64 = 0x6261}},
};
/* clang-format on */

static void fixed_types(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof fixed_cases / sizeof fixed_cases[0]; i++) {
    const struct fixed_case *c = &fixed_cases[i];
    char json[128];
    if (!c->json) {
      snprintf(json, sizeof json, "%s", c->text);
    } else if (strcmp(c->json, "q") == 0) {
      snprintf(json, sizeof json, "\"%s\"", c->text);
    } else {
      snprintf(json, sizeof json, "%s", c->json);
    }
    struct ArrowSchema schema;
    struct arrow_builder builder;
    struct ArrowArray array;
    struct arrow_column column;
    make(&schema, c->format, "x", 0);
    assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
    /* Without nulls, with nulls, and cut out of a longer array. */
    arrow_builder_append_fixed(&builder, &c->value);
    assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
    assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
    arrow_column_attach(&column, &array);
    expect_row(&column, 0, c->text, json);
    array.release(&array);
    for (int n = 0; n < 13; n++) {
      if (n % 3 == 2) {
        arrow_builder_append_fixed(&builder, &c->value);
      } else {
        arrow_builder_append_null(&builder);
      }
    }
    assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
    arrow_column_attach(&column, &array);
    for (int n = 0; n < 13; n++) expect_row(&column, n, n % 3 == 2 ? c->text : NULL, n % 3 == 2 ? json : "null");
    array.offset = 5;
    array.length = 8;
    array.null_count = -1;
    arrow_column_attach(&column, &array);
    for (int n = 0; n < 8; n++) expect_row(&column, n, n % 3 == 0 ? c->text : NULL, n % 3 == 0 ? json : "null");
    array.release(&array);
    arrow_column_free(&column);
    arrow_builder_free(&builder);
    schema.release(&schema);
  }
}

static void booleans_and_void(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct arrow_builder builder;
  struct ArrowArray array;
  struct arrow_column column;
  make(&schema, "b", "x", 0);
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  for (int i = 0; i < 20; i++) arrow_builder_append_bool(&builder, i % 3 == 0);
  assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
  assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
  arrow_column_attach(&column, &array);
  for (int i = 0; i < 20; i++) expect_row(&column, i, i % 3 == 0 ? "true" : "false", i % 3 == 0 ? "true" : "false");
  array.offset = 9;
  arrow_column_attach(&column, &array);
  expect_row(&column, 0, "true", "true");
  expect_row(&column, 1, "false", "false");
  array.release(&array);
  arrow_column_free(&column);
  arrow_builder_free(&builder);
  schema.release(&schema);

  make(&schema, "n", "x", 0);
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_null(&builder);
  assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
  assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
  arrow_column_attach(&column, &array);
  expect_row(&column, 0, NULL, "null");
  array.release(&array);
  arrow_column_free(&column);
  arrow_builder_free(&builder);
  schema.release(&schema);
}

static void strings_and_binaries(void **state) {
  (void)state;
  static const struct {
    const char *value;
    const char *text_json; /* as STRING */
    const char *hex;       /* as BINARY */
    const char *base64;
  } cases[] = {
      {"", "\"\"", "", "\"\""},
      {"a", "\"a\"", "61", "\"YQ==\""},
      {"ab", "\"ab\"", "6162", "\"YWI=\""},
      {"abc", "\"abc\"", "616263", "\"YWJj\""},
      {"\xFF\xFE\xFB", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"", "FFFEFB", "\"//77\""},
      {"say \"hi\" \\ /", "\"say \\\"hi\\\" \\\\ /\"", "7361792022686922205C202F", "\"c2F5ICJoaSIgXCAv\""},
      {"\b\f\n\r\t\x01\x1F\x7F", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\"", "080C0A0D09011F7F", "\"CAwKDQkBH38=\""},
      {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"", "C3A4E282ACF09F9880", "\"w6Tigqzwn5iA\""},
      /* A replacement character that is there; a cut sequence; a surrogate; bad bytes between good ones. */
      {"\xEF\xBF\xBD", "\"\xEF\xBF\xBD\"", "EFBFBD", "\"77+9\""},
      {"a\xE2\x82", "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"", "61E282", "\"YeKC\""},
      {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"", "EDA080", "\"7aCA\""},
      {"x\x80y\xC3\xA4\xC0z", "\"x\xEF\xBF\xBDy\xC3\xA4\xEF\xBF\xBDz\"", "788079C3A4C07A", "\"eIB5w6TAeg==\""},
  };
  static const char *const formats[] = {"u", "U", "z", "Z"};
  for (size_t f = 0; f < 4; f++) {
    struct ArrowSchema schema;
    struct arrow_builder builder;
    struct ArrowArray array;
    struct arrow_column column;
    make(&schema, formats[f], "x", 0);
    assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
    size_t count = sizeof cases / sizeof cases[0];
    for (size_t i = 0; i < count; i++) {
      arrow_builder_append_bytes(&builder, slice_text(cases[i].value));
      arrow_builder_append_null(&builder);
    }
    assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
    assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
    for (size_t skipped = 0; skipped < count; skipped += 3) {
      array.offset = (int64_t)(2 * skipped);
      arrow_column_attach(&column, &array);
      for (size_t i = skipped; i < count; i++) {
        int64_t row = (int64_t)(2 * (i - skipped));
        assert_true(slice_equal(arrow_column_bytes(&column, row), slice_text(cases[i].value)));
        expect_row(&column, row, f < 2 ? cases[i].value : cases[i].hex, f < 2 ? cases[i].text_json : cases[i].base64);
        expect_row(&column, row + 1, NULL, "null");
      }
    }
    array.release(&array);
    arrow_column_free(&column);
    arrow_builder_free(&builder);
    schema.release(&schema);
  }
  /* A zero byte is a byte. */
  struct ArrowSchema schema;
  struct arrow_builder builder;
  struct ArrowArray array;
  struct arrow_column column;
  make(&schema, "u", "x", 0);
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_bytes(&builder, slice_of("a\0b", 3));
  assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
  assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
  arrow_column_attach(&column, &array);
  struct buf out = BUF_INIT;
  assert_int_equal(arrow_column_text(&column, 0, &out, NULL), DBSQL_OK);
  assert_true(slice_equal(buf_slice(&out), slice_of("a\0b", 3)));
  buf_reset(&out);
  assert_int_equal(arrow_column_json(&column, 0, &out, NULL), DBSQL_OK);
  assert_string_equal(buf_text(&out), "\"a\\u0000b\"");
  buf_free(&out);
  array.release(&array);
  arrow_column_free(&column);
  arrow_builder_free(&builder);
  schema.release(&schema);
}

/* ---- Values ---- */

static void numbers_as_values(void **state) {
  (void)state;
  static const struct {
    const char *format;
    int64_t stored;
    bool has_number;
    int64_t number;
    bool has_micros;
    int64_t micros;
  } cases[] = {
      {"c", -1, true, -1, false, 0},
      {"C", -1, true, 255, false, 0},
      {"L", INT64_MAX, true, INT64_MAX, false, 0},
      {"L", -1, false, 0, false, 0},
      {"g", 0, false, 0, false, 0},
      {"tdD", -5, true, -5, false, 0},
      {"tiM", -5, true, -5, false, 0},
      {"tss:", 5, true, 5, true, 5000000},
      {"tsm:", -5, true, -5, true, -5000},
      {"tsu:UTC", INT64_MIN, true, INT64_MIN, true, INT64_MIN},
      {"tsn:", 5000, true, 5000, true, 5},
      {"tsn:", 5001, true, 5001, false, 0},
      {"tss:", INT64_MAX / 1000, true, INT64_MAX / 1000, false, 0},
      {"tts", 7, true, 7, true, 7000000},
      {"tDm", 7, true, 7, true, 7000},
      {"tiD", INT64_C(0x7FFFFFFF7FFFFFFF), false, 0, false, 0},
      {"tiD", INT64_C(0x00000001FFFFFFFE), false, 0, true, INT64_C(-172799999000)}, /* -2 days, 1 ms */
      {"tiD", INT64_C(0x0000000080000000), false, 0, false, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ArrowSchema schema;
    struct arrow_builder builder;
    struct ArrowArray array;
    struct arrow_column column;
    make(&schema, cases[i].format, "x", 0);
    assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
    arrow_builder_append_null(&builder);
    arrow_builder_append_fixed(&builder, &cases[i].stored);
    assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
    assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
    arrow_column_attach(&column, &array);
    int64_t value;
    assert_int_equal(arrow_column_int64(&column, 1, &value), cases[i].has_number);
    if (cases[i].has_number) assert_int_equal(value, cases[i].number);
    assert_int_equal(arrow_column_micros(&column, 1, &value), cases[i].has_micros);
    if (cases[i].has_micros) assert_int_equal(value, cases[i].micros);
    array.release(&array);
    arrow_column_free(&column);
    arrow_builder_free(&builder);
    schema.release(&schema);
  }
  static const struct {
    const char *format;
    uint64_t bits;
    bool has;
  } floats[] = {{"e", 0x3C00, true}, {"f", 0x3F800000, true}, {"g", 0x3FF0000000000000, true}, {"l", 1, false}};
  for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
    struct ArrowSchema schema;
    struct arrow_builder builder;
    struct ArrowArray array;
    struct arrow_column column;
    make(&schema, floats[i].format, "x", 0);
    assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
    arrow_builder_append_fixed(&builder, &floats[i].bits);
    assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
    assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
    arrow_column_attach(&column, &array);
    double value = 0;
    assert_int_equal(arrow_column_double(&column, 0, &value), floats[i].has);
    if (floats[i].has) assert_true(value == 1.0);
    array.release(&array);
    arrow_column_free(&column);
    arrow_builder_free(&builder);
    schema.release(&schema);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fixed_types),
      cmocka_unit_test(booleans_and_void),
      cmocka_unit_test(strings_and_binaries),
      cmocka_unit_test(numbers_as_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
