/* Columns: nested values, what cannot be shown, and running out of memory. */
#include "test_column.h"

#include "arrow/time_zone.h"
#include "base/mem.h"

/* ---- Nested types ---- */

static void nested_values(void **state) {
  (void)state;
  struct ArrowSchema schema;
  make(&schema, "+s", "s", 4);
  make(schema.children[0], "+l", "list", 1);
  make(schema.children[0]->children[0], "d:4,2", "element", 0);
  make(schema.children[1], "u", "a \"b\"", 0);
  make(schema.children[2], "+m", "map", 1);
  make(schema.children[2]->children[0], "+s", "entries", 2);
  make(schema.children[2]->children[0]->children[0], "i", "key", 0);
  make(schema.children[2]->children[0]->children[1], "f", "value", 0);
  make(schema.children[3], "+w:2", "pair", 1);
  make(schema.children[3]->children[0], "tdD", "element", 0);
  struct arrow_builder builder, *list = NULL;
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  list = &builder.children[0];
  struct arrow_builder *map = &builder.children[2], *pair = &builder.children[3];
  for (int row = 0; row < 6; row++) {
    if (row == 4) {
      arrow_builder_append_null(&builder);
      continue;
    }
    for (int i = 0; i < row; i++) {
      uint64_t decimal[2] = {(uint64_t)(100 * row + i), 0};
      if (i == 1) {
        arrow_builder_append_null(&list->children[0]);
      } else {
        arrow_builder_append_fixed(&list->children[0], decimal);
      }
    }
    if (row == 1) {
      arrow_builder_append_null(&builder.children[1]);
    } else {
      arrow_builder_append_bytes(&builder.children[1], slice_text(row == 2 ? "t\"" : "t"));
    }
    arrow_builder_append_entry(list);
    for (int32_t i = 0; i < (row == 3 ? 0 : 2); i++) {
      float value = 0.1f * (float)i;
      int32_t key = row; /* twice the same: both are kept */
      arrow_builder_append_fixed(&map->children[0].children[0], &key);
      if (i == 0) {
        arrow_builder_append_null(&map->children[0].children[1]);
      } else {
        arrow_builder_append_fixed(&map->children[0].children[1], &value);
      }
      arrow_builder_append_entry(&map->children[0]);
    }
    arrow_builder_append_entry(map);
    int32_t days[2] = {row, -row};
    arrow_builder_append_fixed(&pair->children[0], &days[0]);
    arrow_builder_append_fixed(&pair->children[0], &days[1]);
    arrow_builder_append_entry(pair);
    arrow_builder_append_entry(&builder);
  }
  struct ArrowArray array;
  assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
  static const char *const rows[] = {
      "{\"list\":[],\"a \\\"b\\\"\":\"t\",\"map\":{\"0\":null,\"0\":0.1},\"pair\":[\"1970-01-01\",\"1970-01-01\"]}",
      "{\"list\":[1.00],\"a \\\"b\\\"\":null,\"map\":{\"1\":null,\"1\":0.1},\"pair\":[\"1970-01-02\",\"1969-12-31\"]}",
      "{\"list\":[2.00,null],\"a \\\"b\\\"\":\"t\\\"\",\"map\":{\"2\":null,\"2\":0.1},\"pair\":[\"1970-01-03\",\"1969-12-30\"]}",
      "{\"list\":[3.00,null,3.02],\"a \\\"b\\\"\":\"t\",\"map\":{},\"pair\":[\"1970-01-04\",\"1969-12-29\"]}",
      NULL,
      "{\"list\":[5.00,null,5.02,5.03,5.04],\"a \\\"b\\\"\":\"t\",\"map\":{\"5\":null,\"5\":0.1},\"pair\":[\"1970-01-06\",\"1969-12-27\"]}",
  };
  struct arrow_column column;
  assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
  for (int64_t offset = 0; offset < 6; offset++) {
    /* The root is cut; its children stay whole. */
    array.offset = offset;
    array.length = 6 - offset;
    arrow_column_attach(&column, &array);
    for (int64_t row = 0; row < array.length; row++)
      expect_row(&column, row, rows[offset + row], rows[offset + row] ? rows[offset + row] : "null");
  }
  /* The children are cut, too: the list, the map and the fixed-size list by two, below the root. */
  array.offset = 0;
  array.length = 4;
  for (int i = 0; i < 4; i++) {
    array.children[i]->offset = 2;
    array.children[i]->length = 4;
  }
  array.null_count = 0;
  arrow_column_attach(&column, &array);
  for (int64_t row = 0; row < 4; row++) {
    if (row != 2) expect_row(&column, row, rows[row + 2], rows[row + 2]);
  }
  /* And what a list's child is cut by. */
  array.children[0]->children[0]->offset = 1;
  arrow_column_attach(&column, &array);
  struct buf out = BUF_INIT;
  assert_int_equal(arrow_column_text(&column.children[0], 0, &out, NULL), DBSQL_OK);
  assert_string_equal(buf_text(&out), "[null,3.00]");
  buf_free(&out);
  array.children[2]->children[0]->offset = 1;
  arrow_column_attach(&column, &array);
  assert_int_equal(arrow_column_text(&column.children[2], 0, &out, NULL), DBSQL_OK);
  assert_string_equal(buf_text(&out), "{\"2\":0.1,\"5\":null}");
  buf_free(&out);
  array.release(&array);
  arrow_column_free(&column);
  arrow_builder_free(&builder);
  schema.release(&schema);
}

/* A map with one entry whose key has `format`. */
static void expect_key(const char *format, const void *value, size_t size, const char *expected) {
  struct ArrowSchema schema;
  make(&schema, "+m", "m", 1);
  make(schema.children[0], "+s", "entries", 2);
  make(schema.children[0]->children[0], format, "key", strcmp(format, "+l") == 0 ? 1 : 0);
  if (strcmp(format, "+l") == 0) make(schema.children[0]->children[0]->children[0], "u", "element", 0);
  make(schema.children[0]->children[1], "n", "value", 0);
  struct arrow_builder builder;
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  struct arrow_builder *key = &builder.children[0].children[0];
  if (strcmp(format, "+l") == 0) {
    arrow_builder_append_bytes(&key->children[0], slice_of(value, size));
    arrow_builder_append_entry(key);
  } else if (strcmp(format, "b") == 0) {
    arrow_builder_append_bool(key, true);
  } else if (!value) {
    arrow_builder_append_null(key);
  } else if (size != 0) {
    arrow_builder_append_bytes(key, slice_of(value, size));
  } else {
    arrow_builder_append_fixed(key, value);
  }
  arrow_builder_append_null(&builder.children[0].children[1]);
  arrow_builder_append_entry(&builder.children[0]);
  arrow_builder_append_entry(&builder);
  struct ArrowArray array;
  assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
  struct arrow_column column;
  assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
  arrow_column_attach(&column, &array);
  expect_row(&column, 0, expected, expected);
  array.release(&array);
  arrow_column_free(&column);
  arrow_builder_free(&builder);
  schema.release(&schema);
}

static void map_keys_are_strings(void **state) {
  (void)state;
  int64_t number = -7;
  double real = 0.5, nan = __builtin_nan("");
  uint64_t decimal[2] = {5, 0};
  int32_t day = 0;
  expect_key("u", "k\"", 2, "{\"k\\\"\":null}");
  expect_key("l", &number, 0, "{\"-7\":null}");
  expect_key("g", &real, 0, "{\"0.5\":null}");
  expect_key("g", &nan, 0, "{\"NaN\":null}");
  expect_key("d:3,3", decimal, 0, "{\"0.005\":null}");
  expect_key("tdD", &day, 0, "{\"1970-01-01\":null}");
  expect_key("z", "ab", 2, "{\"YWI=\":null}");
  expect_key("b", "", 0, "{\"true\":null}");
  expect_key("i", NULL, 0, "{\"null\":null}");
  expect_key("+l", "a\"", 2, "{\"[\\\"a\\\\\\\"\\\"]\":null}");
}

/* ---- What cannot be shown ---- */

static void unknown_zones(void **state) {
  (void)state;
  static const char *const formats[] = {"tsu:No/Such_Zone", "tsu:../../etc/passwd", "tsu:/etc/passwd", "tsn:UTC+99:00"};
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
    struct ArrowSchema schema;
    struct arrow_builder builder;
    struct ArrowArray array;
    struct arrow_column column;
    int64_t value = 0;
    make(&schema, formats[i], "when", 0);
    assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
    arrow_builder_append_fixed(&builder, &value);
    arrow_builder_append_null(&builder);
    assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
    assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
    arrow_column_attach(&column, &array);
    expect_failure(&column, 0, "column \"when\"", formats[i] + 4);
    /* Values that need no zone are there. */
    expect_row(&column, 1, NULL, "null");
    assert_true(arrow_column_int64(&column, 0, &value));
    array.release(&array);
    arrow_column_free(&column);
    arrow_builder_free(&builder);
    schema.release(&schema);
  }
}

/* Just before Los Angeles first had summer time: the fraction must not move the instant over the change. */
static void the_instant_before_a_change(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct arrow_builder builder;
  struct ArrowArray array;
  struct arrow_column column;
  int64_t before = -1633269600000001, at = -1633269600000000;
  make(&schema, "tsu:America/Los_Angeles", "when", 0);
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_fixed(&builder, &before);
  arrow_builder_append_fixed(&builder, &at);
  assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
  assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
  arrow_column_attach(&column, &array);
  bool known = !column.zone->problem;
  if (known) {
    expect_row(&column, 0, "1918-03-31 01:59:59.999999", "\"1918-03-31 01:59:59.999999\"");
    expect_row(&column, 1, "1918-03-31 03:00:00", "\"1918-03-31 03:00:00\"");
  }
  array.release(&array);
  arrow_column_free(&column);
  arrow_builder_free(&builder);
  schema.release(&schema);
  if (!known) {
    print_message("the system has no zone America/Los_Angeles\n");
    skip();
  }
}

/* A list of nulls that came in a few bytes and would be more than 1 GiB of text. Takes 2 GiB: only if DBSQL_TEST_LARGE is set. */
static void more_text_than_anybody_wants(void **state) {
  (void)state;
  if (!getenv("DBSQL_TEST_LARGE")) skip();
  struct ArrowSchema schema;
  make(&schema, "+l", "bomb", 1);
  make(schema.children[0], "n", "element", 0);
  static const int32_t offsets[] = {0, INT32_MAX};
  const void *buffers[] = {NULL, offsets};
  struct ArrowArray nulls = {.length = INT32_MAX, .null_count = INT32_MAX}, *child = &nulls;
  struct ArrowArray array = {.length = 1, .n_buffers = 2, .buffers = buffers, .n_children = 1, .children = &child};
  struct arrow_column column;
  assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
  arrow_column_attach(&column, &array);
  expect_failure(&column, 0, "column \"bomb\"", "longer than");
  arrow_column_free(&column);
  schema.release(&schema);
}

static void times_out_of_the_day(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct arrow_builder builder;
  struct ArrowArray array;
  struct arrow_column column;
  int64_t value = -1;
  make(&schema, "ttu", "clock", 0);
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_fixed(&builder, &value);
  assert_int_equal(arrow_builder_finish(&builder, &array, NULL), DBSQL_OK);
  assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
  arrow_column_attach(&column, &array);
  expect_failure(&column, 0, "column \"clock\"", "-1");
  array.release(&array);
  arrow_column_free(&column);
  arrow_builder_free(&builder);
  schema.release(&schema);
}

static void unsupported_types(void **state) {
  (void)state;
  static const struct {
    const char *format;
    int64_t children;
    bool dictionary;
  } cases[] = {{"+ud:0", 0, false}, {"+r", 2, false},   {"vu", 0, false},  {"d:50,2,256", 0, false}, {"d:5,999", 0, false},
               {"", 0, false},      {"i", 0, true},     {"+l", 0, false},  {"+l", 2, false},         {"+m", 0, false},
               {"+m", 1, false},    {"+w:2", 0, false}, {"tsx:", 0, false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ArrowSchema schema, dictionary;
    make(&schema, cases[i].format, "odd", cases[i].children);
    for (int64_t n = 0; n < cases[i].children; n++) make(schema.children[n], "i", "child", 0);
    make(&dictionary, "u", "", 0);
    if (cases[i].dictionary) schema.dictionary = &dictionary;
    struct arrow_column column;
    assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
    assert_int_equal(column.kind, ARROW_UNSUPPORTED);
    struct ArrowArray array = {.length = 1};
    arrow_column_attach(&column, &array);
    expect_failure(&column, 0, "column \"odd\"", cases[i].format);
    arrow_column_free(&column);
    dictionary.release(&dictionary);
    schema.release(&schema);
  }
}

static void deep_nesting(void **state) {
  (void)state;
  for (int depth = 63; depth <= 65; depth++) {
    struct ArrowSchema schema, *at = &schema;
    for (int i = 0; i < depth; i++) {
      make(at, "+l", "deep", 1);
      at = at->children[0];
    }
    make(at, "n", "bottom", 0);
    struct arrow_column column;
    assert_int_equal(arrow_column_bind(&column, &schema, NULL), DBSQL_OK);
    /* Arrays by hand: the builder refuses such depth itself. */
    static const int32_t offsets[] = {0, 1};
    const void *buffers[] = {NULL, offsets};
    struct ArrowArray arrays[66], *pointers[66];
    for (int i = 0; i <= depth; i++) {
      pointers[i] = &arrays[i];
      arrays[i] =
          (struct ArrowArray){.length = 1, .n_buffers = 2, .buffers = buffers, .n_children = i < depth, .children = &pointers[i + 1]};
    }
    arrow_column_attach(&column, &arrays[0]);
    struct buf out = BUF_INIT;
    dbsql_error *error = NULL;
    dbsql_status status = arrow_column_text(&column, 0, &out, &error);
    assert_int_equal(status, depth <= arrow_max_depth ? DBSQL_OK : DBSQL_ERROR_DRIVER);
    assert_int_equal(out.size, depth <= arrow_max_depth ? (size_t)(2 * depth + 4) : 0);
    dbsql_error_free(error);
    buf_free(&out);
    arrow_column_free(&column);
    schema.release(&schema);
  }
}

/* ---- Out of memory ---- */

static struct ArrowSchema oom_schema;
static struct ArrowArray oom_array;

static dbsql_status render_all(dbsql_error **error) {
  struct arrow_column column;
  dbsql_status status = arrow_column_bind(&column, &oom_schema, error);
  if (status != DBSQL_OK) return status;
  arrow_column_attach(&column, &oom_array);
  for (int64_t row = 0; row < oom_array.length && status == DBSQL_OK; row++) {
    struct buf out = BUF_INIT;
    status = arrow_column_text(&column, row, &out, error);
    if (status != DBSQL_OK) assert_int_equal(out.size, 0);
    buf_free(&out);
    for (int64_t i = 0; i < column.child_count && status == DBSQL_OK; i++) {
      status = arrow_column_json(&column.children[i], row, &out, error);
      buf_free(&out);
      if (status == DBSQL_OK) status = arrow_column_text(&column.children[i], row, &out, error);
      buf_free(&out);
    }
  }
  arrow_column_free(&column);
  return status;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  make(&oom_schema, "+s", "root", 5);
  make(oom_schema.children[0], "+m", "map", 1);
  make(oom_schema.children[0]->children[0], "+s", "entries", 2);
  make(oom_schema.children[0]->children[0]->children[0], "i", "key", 0);
  make(oom_schema.children[0]->children[0]->children[1], "u", "value", 0);
  make(oom_schema.children[1], "z", "binary", 0);
  make(oom_schema.children[2], "tsu:+01:00", "when", 0);
  make(oom_schema.children[3], "g", "real", 0);
  make(oom_schema.children[4], "d:38,38", "decimal", 0);
  struct arrow_builder builder;
  assert_int_equal(arrow_builder_init(&builder, &oom_schema, NULL), DBSQL_OK);
  for (int32_t row = 0; row < 3; row++) {
    int64_t value = row;
    double real = 1.5;
    uint64_t decimal[2] = {1, 0};
    struct arrow_builder *entries = &builder.children[0].children[0];
    for (int i = 0; i < 10; i++) {
      arrow_builder_append_fixed(&entries->children[0], &row);
      arrow_builder_append_bytes(&entries->children[1], slice_text("some text \" that is longer"));
      arrow_builder_append_entry(entries);
    }
    arrow_builder_append_entry(&builder.children[0]);
    arrow_builder_append_bytes(&builder.children[1], slice_text("binary"));
    arrow_builder_append_fixed(&builder.children[2], &value);
    arrow_builder_append_fixed(&builder.children[3], &real);
    arrow_builder_append_fixed(&builder.children[4], decimal);
    arrow_builder_append_entry(&builder);
  }
  assert_int_equal(arrow_builder_finish(&builder, &oom_array, NULL), DBSQL_OK);
  int64_t live = mem_test_live_blocks();
  uint64_t n = 1;
  for (;; n++) {
    mem_test_fail_at(n);
    dbsql_error *error = NULL;
    dbsql_status status = render_all(&error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    assert_int_equal(status, struck ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
    dbsql_error_free(error);
    assert_int_equal(mem_test_live_blocks(), live);
    if (!struck) break;
  }
  assert_true(n > 40);
  oom_array.release(&oom_array);
  arrow_builder_free(&builder);
  oom_schema.release(&oom_schema);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nested_values),
      cmocka_unit_test(map_keys_are_strings),
      cmocka_unit_test(unknown_zones),
      cmocka_unit_test(the_instant_before_a_change),
      cmocka_unit_test(more_text_than_anybody_wants),
      cmocka_unit_test(times_out_of_the_day),
      cmocka_unit_test(unsupported_types),
      cmocka_unit_test(deep_nesting),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
