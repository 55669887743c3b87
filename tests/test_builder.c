/* Builders: what they make is what the Arrow C data interface asks for. */
#include "test.h"

#include "arrow/builder.h"
#include "base/error.h"
#include "base/mem.h"

static void make_schema(struct ArrowSchema *schema, const char *format, const char *name) {
  dbsql_error *error = NULL;
  assert_int_equal(arrow_schema_make(schema, format, name, 2, 0, &error), DBSQL_OK);
}

static void finish(struct arrow_builder *builder, struct ArrowArray *array) {
  dbsql_error *error = NULL;
  dbsql_status status = arrow_builder_finish(builder, array, &error);
  if (status != DBSQL_OK) print_error("%s\n", dbsql_error_message(error));
  assert_int_equal(status, DBSQL_OK);
}

static void schemas_carry_everything(void **state) {
  (void)state;
  int64_t live = mem_test_live_blocks();
  dbsql_error *error = NULL;
  struct ArrowSchema root;
  assert_int_equal(arrow_schema_make(&root, "+s", NULL, 0, 3, &error), DBSQL_OK);
  assert_null(root.name);
  assert_null(root.metadata);
  assert_int_equal(root.n_children, 3);
  assert_int_equal(arrow_schema_make(root.children[0], "tsu:Etc/UTC", "when", 2, 0, &error), DBSQL_OK);
  assert_int_equal(arrow_schema_make(root.children[1], "d:38,38", "", 0, 0, &error), DBSQL_OK);
  assert_string_equal(root.children[0]->format, "tsu:Etc/UTC");
  assert_string_equal(root.children[0]->name, "when");
  assert_int_equal(root.children[0]->flags, 2);
  assert_string_equal(root.children[1]->name, "");

  const char *pairs[] = {"key", "value", "", "", NULL};
  assert_int_equal(arrow_schema_set_metadata(root.children[0], pairs, &error), DBSQL_OK);
  static const char expected[] = "\2\0\0\0\3\0\0\0key\5\0\0\0value\0\0\0\0\0\0\0";
  assert_memory_equal(root.children[0]->metadata, expected, sizeof expected);
  assert_int_equal(arrow_schema_set_metadata(root.children[0], NULL, &error), DBSQL_OK);
  assert_null(root.children[0]->metadata);
  assert_int_equal(arrow_schema_set_metadata(root.children[0], pairs, &error), DBSQL_OK);

  struct ArrowSchema foreign = {.format = "i"};
  assert_int_equal(arrow_schema_set_metadata(&foreign, pairs, &error), DBSQL_ERROR_DRIVER);
  dbsql_error_free(error);
  error = NULL;
  assert_int_equal(arrow_schema_make(&foreign, NULL, NULL, 0, 0, &error), DBSQL_ERROR_DRIVER);
  assert_null(foreign.release);
  dbsql_error_free(error);

  /* A child that was moved out outlives its parent. */
  struct ArrowSchema moved = *root.children[0];
  root.children[0]->release = NULL;
  root.release(&root);
  assert_null(root.release);
  assert_string_equal(moved.name, "when");
  moved.release(&moved);
  assert_int_equal(mem_test_live_blocks(), live);
}

static void empty_arrays_have_buffers(void **state) {
  (void)state;
  static const struct {
    const char *format;
    int buffers;
  } cases[] = {{"n", 0}, {"b", 2}, {"i", 2}, {"u", 3}, {"Z", 3}, {"d:10,2", 2}, {"w:3", 2}, {"tdD", 2}, {"tsu:UTC", 2}, {"tin", 2}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ArrowSchema schema;
    make_schema(&schema, cases[i].format, "x");
    struct arrow_builder builder;
    assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
    struct ArrowArray array;
    finish(&builder, &array);
    assert_int_equal(array.length, 0);
    assert_int_equal(array.null_count, 0);
    assert_int_equal(array.n_buffers, cases[i].buffers);
    for (int64_t b = 0; b < array.n_buffers; b++) {
      if (b == 0) {
        assert_null(array.buffers[0]);
      } else {
        assert_non_null(array.buffers[b]);
        assert_int_equal(*(const int64_t *)array.buffers[b], 0);
      }
    }
    array.release(&array);
    assert_null(array.release);
    arrow_builder_free(&builder);
    schema.release(&schema);
  }
}

static void nulls_begin_late(void **state) {
  (void)state;
  struct ArrowSchema schema;
  make_schema(&schema, "i", "x");
  /* The first null at every place of a byte, and after it. */
  for (int32_t first = 0; first < 20; first++) {
    struct arrow_builder builder;
    assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
    for (int32_t i = 0; i < 40; i++) {
      if (i >= first && (i - first) % 3 == 0) {
        arrow_builder_append_null(&builder);
      } else {
        arrow_builder_append_fixed(&builder, &i);
      }
    }
    struct ArrowArray array;
    finish(&builder, &array);
    assert_int_equal(array.length, 40);
    assert_int_equal(array.null_count, (40 - first + 2) / 3);
    const uint8_t *validity = array.buffers[0];
    const int32_t *values = array.buffers[1];
    for (int32_t i = 0; i < 40; i++) {
      bool valid = !(i >= first && (i - first) % 3 == 0);
      assert_int_equal(validity[i >> 3] >> (i & 7) & 1, valid);
      assert_int_equal(values[i], valid ? i : 0);
    }
    array.release(&array);
    /* The builder is empty again and can go on. */
    assert_int_equal(builder.length, 0);
    int32_t seven = 7;
    arrow_builder_append_fixed(&builder, &seven);
    finish(&builder, &array);
    assert_int_equal(array.length, 1);
    assert_null(array.buffers[0]);
    assert_int_equal(((const int32_t *)array.buffers[1])[0], 7);
    array.release(&array);
    arrow_builder_free(&builder);
  }
  schema.release(&schema);
}

static void booleans_and_texts(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct arrow_builder builder;
  struct ArrowArray array;
  make_schema(&schema, "b", "x");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  for (int i = 0; i < 21; i++) {
    if (i % 5 == 4) {
      arrow_builder_append_null(&builder);
    } else {
      arrow_builder_append_bool(&builder, i % 3 == 0);
    }
  }
  finish(&builder, &array);
  for (int i = 0; i < 21; i++) {
    assert_int_equal(((const uint8_t *)array.buffers[0])[i >> 3] >> (i & 7) & 1, i % 5 != 4);
    assert_int_equal(((const uint8_t *)array.buffers[1])[i >> 3] >> (i & 7) & 1, i % 5 != 4 && i % 3 == 0);
  }
  array.release(&array);
  arrow_builder_free(&builder);
  schema.release(&schema);

  make_schema(&schema, "u", "x");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_null(&builder);
  arrow_builder_append_bytes(&builder, slice_text("one"));
  arrow_builder_append_bytes(&builder, slice_text(""));
  arrow_builder_append_bytes(&builder, slice_of(NULL, 0));
  arrow_builder_append_bytes(&builder, slice_of("a\0b", 3));
  finish(&builder, &array);
  static const int32_t offsets[] = {0, 0, 3, 3, 3, 6};
  assert_memory_equal(array.buffers[1], offsets, sizeof offsets);
  assert_memory_equal(array.buffers[2], "onea\0b", 6);
  assert_int_equal(array.null_count, 1);
  array.release(&array);
  arrow_builder_free(&builder);
  schema.release(&schema);

  make_schema(&schema, "Z", "x");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_bytes(&builder, slice_text("four"));
  arrow_builder_append_null(&builder);
  finish(&builder, &array);
  static const int64_t large_offsets[] = {0, 4, 4};
  assert_memory_equal(array.buffers[1], large_offsets, sizeof large_offsets);
  array.release(&array);
  arrow_builder_free(&builder);
  schema.release(&schema);
}

/* root: struct<list: list<int>, map: map<utf8, int>, pair: fixed list of 2 shorts>. On failure the schema is released. */
static dbsql_status nested_schema(struct ArrowSchema *root, dbsql_error **error) {
  dbsql_status status = arrow_schema_make(root, "+s", "root", 0, 3, error);
  if (status != DBSQL_OK) return status;
#define MAKE(target, format, name, count) \
  if ((status = arrow_schema_make(target, format, name, 2, count, error)) != DBSQL_OK) goto failed
  MAKE(root->children[0], "+l", "list", 1);
  MAKE(root->children[0]->children[0], "i", "element", 0);
  MAKE(root->children[1], "+m", "map", 1);
  MAKE(root->children[1]->children[0], "+s", "entries", 2);
  MAKE(root->children[1]->children[0]->children[0], "u", "key", 0);
  MAKE(root->children[1]->children[0]->children[1], "i", "value", 0);
  MAKE(root->children[2], "+w:2", "pair", 1);
  MAKE(root->children[2]->children[0], "s", "element", 0);
#undef MAKE
  const char *pairs[] = {"Spark:DataType:SqlName", "ARRAY<INT>", NULL};
  status = arrow_schema_set_metadata(root->children[0], pairs, error);
  if (status == DBSQL_OK) return status;
failed:
  root->release(root);
  return status;
}

static void append_rows(struct arrow_builder *root) {
  struct arrow_builder *list = &root->children[0], *map = &root->children[1], *pair = &root->children[2];
  for (int32_t row = 0; row < 5; row++) {
    if (row == 3) {
      arrow_builder_append_null(root);
      continue;
    }
    if (row == 1) {
      arrow_builder_append_null(list);
      arrow_builder_append_null(map);
      arrow_builder_append_null(pair);
    } else {
      for (int32_t i = 0; i < row; i++) arrow_builder_append_fixed(&list->children[0], &i);
      arrow_builder_append_entry(list);
      arrow_builder_append_bytes(&map->children[0].children[0], slice_text("key"));
      arrow_builder_append_fixed(&map->children[0].children[1], &row);
      arrow_builder_append_entry(&map->children[0]);
      arrow_builder_append_entry(map);
      int16_t two[] = {(int16_t)row, 7};
      arrow_builder_append_fixed(&pair->children[0], &two[0]);
      arrow_builder_append_fixed(&pair->children[0], &two[1]);
      arrow_builder_append_entry(pair);
    }
    arrow_builder_append_entry(root);
  }
}

static void nested_arrays_and_moved_children(void **state) {
  (void)state;
  int64_t live = mem_test_live_blocks();
  struct ArrowSchema schema;
  assert_int_equal(nested_schema(&schema, NULL), DBSQL_OK);
  struct arrow_builder builder;
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  append_rows(&builder);
  struct ArrowArray array;
  finish(&builder, &array);
  assert_int_equal(array.length, 5);
  assert_int_equal(array.null_count, 1);
  assert_int_equal(array.n_buffers, 1);
  assert_int_equal(array.n_children, 3);
  static const int32_t list_offsets[] = {0, 0, 0, 2, 2, 6}, map_offsets[] = {0, 1, 1, 2, 2, 3};
  assert_int_equal(array.children[0]->n_buffers, 2);
  assert_memory_equal(array.children[0]->buffers[1], list_offsets, sizeof list_offsets);
  assert_memory_equal(array.children[1]->buffers[1], map_offsets, sizeof map_offsets);
  assert_int_equal(array.children[0]->null_count, 2);
  assert_int_equal(array.children[2]->n_buffers, 1);
  assert_int_equal(array.children[2]->children[0]->length, 10);
  for (int i = 0; i < 3; i++) assert_int_equal(array.children[i]->length, 5);

  struct ArrowArray map = *array.children[1];
  array.children[1]->release = NULL;
  array.release(&array);
  struct ArrowArray entries = *map.children[0];
  map.children[0]->release = NULL;
  map.release(&map);
  assert_memory_equal(entries.children[0]->buffers[2], "keykeykey", 9);
  entries.release(&entries);
  arrow_builder_free(&builder);
  schema.release(&schema);
  assert_int_equal(mem_test_live_blocks(), live);
}

static void expect_error(struct arrow_builder *builder, const char *text) {
  dbsql_error *error = NULL;
  struct ArrowArray array;
  assert_int_equal(arrow_builder_finish(builder, &array, &error), DBSQL_ERROR_DRIVER);
  assert_null(array.release);
  if (!strstr(dbsql_error_message(error), text)) fail_msg("%s", dbsql_error_message(error));
  dbsql_error_free(error);
  arrow_builder_free(builder);
}

static void wrong_use_is_an_error(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct arrow_builder builder;
  int64_t value = 0;
  assert_int_equal(nested_schema(&schema, NULL), DBSQL_OK);
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_entry(&builder); /* and nothing in the children */
  expect_error(&builder, "column \"root\"");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_fixed(&builder.children[0].children[0], &value); /* and no list around it */
  expect_error(&builder, "column \"list\"");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_fixed(&builder.children[2].children[0], &value);
  expect_error(&builder, "column \"pair\"");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_fixed(&builder.children[2], &value); /* a fixed-size list is not a value of fixed width */
  expect_error(&builder, "column \"pair\"");
  schema.release(&schema);

  make_schema(&schema, "u", "text");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_fixed(&builder, &value);
  expect_error(&builder, "column \"text\"");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_bool(&builder, true);
  expect_error(&builder, "column \"text\"");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_entry(&builder);
  expect_error(&builder, "column \"text\"");
  schema.release(&schema);

  make_schema(&schema, "w:3", "three");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_bytes(&builder, slice_text("four"));
  expect_error(&builder, "column \"three\"");
  schema.release(&schema);

  static const char *const bad[] = {"",        "q",  "d",  "d:",    "d:10", "d:10,2,256", "d:0,0",          "d:39,0",
                                    "d:10,2x", "w",  "w:", "w:-1",  "tsu",  "tsq:",       "ttu:",           "tD",
                                    "+",       "+x", "+w", "+ud:1", "+ll",  "ii",         "d:99999999999,0"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    make_schema(&schema, bad[i], "odd");
    dbsql_error *error = NULL;
    assert_int_equal(arrow_builder_init(&builder, &schema, &error), DBSQL_ERROR_DRIVER);
    assert_non_null(strstr(dbsql_error_message(error), "column \"odd\""));
    dbsql_error_free(error);
    schema.release(&schema);
  }
  /* Children that do not fit. */
  make_schema(&schema, "+l", "odd");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_ERROR_DRIVER);
  schema.release(&schema);
  make_schema(&schema, "+m", "odd");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_ERROR_DRIVER);
  schema.release(&schema);
}

static void two_gibibytes_are_the_end(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct arrow_builder builder;
  make_schema(&schema, "z", "long");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_bytes(&builder, slice_text("abc"));
  /* Refused by its size, before a byte of it is read. */
  arrow_builder_append_bytes(&builder, slice_of("x", (size_t)INT32_MAX - 2));
  assert_true(builder.failed);
  assert_int_equal(builder.data.size, 3);
  expect_error(&builder, "more than 2 GiB");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  arrow_builder_append_bytes(&builder, slice_text("abc"));
  arrow_builder_append_bytes(&builder, slice_of("x", SIZE_MAX));
  expect_error(&builder, "more than 2 GiB");
  schema.release(&schema);

  /* Lists of a type whose values take no memory. */
  assert_int_equal(arrow_schema_make(&schema, "+l", "long", 2, 1, NULL), DBSQL_OK);
  make_schema(schema.children[0], "n", "element");
  assert_int_equal(arrow_builder_init(&builder, &schema, NULL), DBSQL_OK);
  builder.children[0].length = INT32_MAX;
  builder.children[0].null_count = INT32_MAX;
  arrow_builder_append_entry(&builder);
  assert_false(builder.failed);
  arrow_builder_append_null(&builder.children[0]);
  arrow_builder_append_entry(&builder);
  expect_error(&builder, "more than 2 GiB");
  schema.release(&schema);
}

/* A whole column at once is for an empty builder of the right type; whatever else is told when it is finished. */
static void whole_columns(void **state) {
  (void)state;
  int64_t live = mem_test_live_blocks();
  static const struct {
    const char *format;
    int way; /* 0 fixed width, 1 bytes, 2 entries */
    size_t size;
    const char *says; /* NULL: it works */
  } cases[] = {
      {"l", 0, 0, NULL},
      {"b", 0, 0, NULL},
      {"u", 1, 6, NULL},
      {"z", 1, 0, NULL},
      {"u", 0, 0, "a value was appended that the type does not take"},
      {"l", 1, 8, "a value was appended that the type does not take"},
      {"U", 1, 8, "a value was appended that the type does not take"},
      {"l", 2, 0, "a value was appended that the type does not take"},
      {"u", 1, (size_t)INT32_MAX + 1, "2 GiB"},
  };
  for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
    bool twice = i % 2 == 1;
    struct ArrowSchema schema;
    struct arrow_builder builder;
    struct ArrowArray array;
    dbsql_error *error = NULL;
    int32_t *offsets;
    uint8_t *data;
    make_schema(&schema, cases[i / 2].format, "c");
    assert_int_equal(arrow_builder_init(&builder, &schema, &error), DBSQL_OK);
    for (int turn = 0; turn <= twice; turn++) {
      if (cases[i / 2].way == 0) {
        uint8_t *values = arrow_builder_fill_fixed(&builder, 3);
        assert_int_equal(values != NULL, !cases[i / 2].says && turn == 0);
        if (values) memset(values, 0, strcmp(cases[i / 2].format, "b") == 0 ? 1 : 24);
      } else if (cases[i / 2].way == 1) {
        bool made = arrow_builder_fill_bytes(&builder, 3, cases[i / 2].size, &offsets, &data);
        assert_int_equal(made, !cases[i / 2].says && turn == 0);
        for (int k = 1; made && k <= 3; k++) offsets[k] = 0;
      } else {
        arrow_builder_fill_entries(&builder, 3);
      }
    }
    arrow_builder_mark_nulls(&builder, slice_of("\5", 1)); /* what lies behind the column stays 0 */
    const char *says = cases[i / 2].says ? cases[i / 2].says : twice ? "has values already" : NULL;
    dbsql_status status = arrow_builder_finish(&builder, &array, &error);
    assert_int_equal(status, says ? DBSQL_ERROR_DRIVER : DBSQL_OK);
    if (says && !strstr(dbsql_error_message(error), says)) fail_msg("%s", dbsql_error_message(error));
    if (!says) {
      assert_int_equal(array.length, 3);
      assert_int_equal(array.null_count, 2);
      assert_int_equal(((const uint8_t *)array.buffers[0])[0], 2);
      array.release(&array);
    }
    dbsql_error_free(error);
    arrow_builder_free(&builder);
    schema.release(&schema);
  }
  assert_int_equal(mem_test_live_blocks(), live);
}

static void deep_nesting_is_refused(void **state) {
  (void)state;
  for (int depth = arrow_max_depth; depth <= arrow_max_depth + 1; depth++) {
    struct ArrowSchema schema, *at = &schema;
    for (int i = 0; i < depth; i++) {
      assert_int_equal(arrow_schema_make(at, "+l", "deep", 2, 1, NULL), DBSQL_OK);
      at = at->children[0];
    }
    make_schema(at, "i", "bottom");
    struct arrow_builder builder;
    dbsql_error *error = NULL;
    assert_int_equal(arrow_builder_init(&builder, &schema, &error), depth > arrow_max_depth ? DBSQL_ERROR_DRIVER : DBSQL_OK);
    dbsql_error_free(error);
    arrow_builder_free(&builder);
    schema.release(&schema);
  }
}

static dbsql_status build_once(dbsql_error **error) {
  struct ArrowSchema schema;
  dbsql_status status = nested_schema(&schema, error);
  if (status != DBSQL_OK) return status;
  struct arrow_builder builder;
  status = arrow_builder_init(&builder, &schema, error);
  if (status == DBSQL_OK) {
    append_rows(&builder);
    struct ArrowArray array;
    status = arrow_builder_finish(&builder, &array, error);
    if (status == DBSQL_OK) array.release(&array);
    arrow_builder_free(&builder);
  }
  schema.release(&schema);
  return status;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  int64_t live = mem_test_live_blocks();
  uint64_t n = 1;
  for (;; n++) {
    mem_test_fail_at(n);
    dbsql_error *error = NULL;
    dbsql_status status = build_once(&error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    assert_int_equal(status, struck ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
    dbsql_error_free(error);
    assert_int_equal(mem_test_live_blocks(), live);
    if (!struck) break;
  }
  assert_true(n > 30);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(schemas_carry_everything),
      cmocka_unit_test(empty_arrays_have_buffers),
      cmocka_unit_test(nulls_begin_late),
      cmocka_unit_test(booleans_and_texts),
      cmocka_unit_test(nested_arrays_and_moved_children),
      cmocka_unit_test(wrong_use_is_an_error),
      cmocka_unit_test(two_gibibytes_are_the_end),
      cmocka_unit_test(whole_columns),
      cmocka_unit_test(deep_nesting_is_refused),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
