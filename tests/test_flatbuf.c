/* Flatbuffers: each check of the reader (results.md 3.3), on buffers made by hand. */
#include "test.h"

#include <stdlib.h>

#include "arrow/flatbuf.h"

/* A root table with one field of four bytes, which may be a number or an offset to what lies at 20: "abc", zero-terminated. */
static const uint8_t valid[] = {
    12,  0,   0,   0, /* 0: the root lies at 12 */
    6,   0,   8,   0, /* 4: the vtable: its size, the table's size */
    4,   0,   0,   0, /* 8: slot 0 lies 4 bytes behind the table; padding */
    8,   0,   0,   0, /* 12: the table: its vtable lies 8 bytes before */
    4,   0,   0,   0, /* 16: slot 0 */
    3,   0,   0,   0, /* 20 */
    'a', 'b', 'c', 0,
};

enum kind { NUMBER, STRING, VECTOR, TABLES, UNION };

static const char *read_as(enum kind kind, const uint8_t *bytes, size_t size, uint32_t tables) {
  uint8_t *exact = malloc(size); /* so that a read behind the end is seen */
  memcpy(exact, bytes, size);
  struct flatbuf flatbuf = {slice_of(exact, size), tables, NULL};
  struct flatbuf_table table, other;
  struct flatbuf_vector vector;
  struct slice text;
  int64_t number;
  uint8_t type;
  bool ok = flatbuf_root(&flatbuf, &table);
  if (ok) {
    switch (kind) {
      case NUMBER: ok = flatbuf_number(&flatbuf, &table, 0, 4, 0, &number); break;
      case STRING: ok = flatbuf_string(&flatbuf, &table, 0, &text); break;
      case VECTOR: ok = flatbuf_vector(&flatbuf, &table, 0, 4, 8, &vector); break;
      case TABLES: ok = flatbuf_vector(&flatbuf, &table, 0, 4, 4, &vector) && flatbuf_vector_table(&flatbuf, &vector, 0, &other); break;
      case UNION: ok = flatbuf_union(&flatbuf, &table, 0, &type, &other); break;
    }
  }
  free(exact);
  assert_int_equal(ok, flatbuf.problem == NULL);
  return ok ? "" : flatbuf.problem;
}

static void each_check_refuses(void **state) {
  (void)state;
  static const struct {
    enum kind kind;
    size_t at;
    uint32_t value;
    size_t width;
    size_t size;
    const char *problem;
  } cases[] = {
      {NUMBER, 0, 12, 4, 28, ""},
      {NUMBER, 0, 0, 4, 28, "the root's offset is 0"},
      {NUMBER, 0, 13, 4, 28, "a table lies outside or unaligned"},
      {NUMBER, 0, 28, 4, 28, "a table lies outside or unaligned"},
      {NUMBER, 0, 0xFFFFFFFC, 4, 28, "a table lies outside or unaligned"},
      {NUMBER, 0, 12, 4, 7, "wrong size"},
      {NUMBER, 12, 13, 4, 28, "a vtable lies outside or unaligned"},            /* before the start */
      {NUMBER, 12, 7, 4, 28, "a vtable lies outside or unaligned"},             /* odd */
      {NUMBER, 12, (uint32_t)-14, 4, 28, "a vtable lies outside or unaligned"}, /* not whole */
      {NUMBER, 12, 0x80000000, 4, 28, "a vtable lies outside or unaligned"},
      {NUMBER, 4, 7, 2, 28, "a vtable has a wrong size"},
      {NUMBER, 4, 2, 2, 28, "a vtable has a wrong size"},
      {NUMBER, 4, 26, 2, 28, "a vtable has a wrong size"},
      {NUMBER, 6, 3, 2, 28, "a table has a wrong size"},
      {NUMBER, 6, 17, 2, 28, "a table has a wrong size"},
      {NUMBER, 6, 7, 2, 28, "a field lies outside its table"},
      {NUMBER, 8, 2, 2, 28, "a field lies outside its table"}, /* over the offset to the vtable */
      {NUMBER, 8, 5, 2, 28, "a field lies outside its table"},
      {NUMBER, 8, 0, 2, 28, ""}, /* absent */
      {NUMBER, 4, 4, 2, 28, ""}, /* absent: the vtable is shorter */
      {STRING, 16, 4, 4, 28, ""},
      {STRING, 16, 0, 4, 28, "an offset points outside or is unaligned"},
      {STRING, 16, 5, 4, 28, "an offset points outside or is unaligned"},
      {STRING, 16, 12, 4, 28, "an offset points outside or is unaligned"},
      {STRING, 16, 0xFFFFFFFC, 4, 28, "an offset points outside or is unaligned"},
      {STRING, 20, 4, 4, 28, "a string lies outside"}, /* no room for its zero */
      {STRING, 20, 0xFFFFFFFF, 4, 28, "a string lies outside"},
      {STRING, 20, 2, 4, 28, "a string is not terminated"},
      {VECTOR, 20, 1, 4, 28, ""},
      {VECTOR, 20, 2, 4, 28, "a vector lies outside"},
      {VECTOR, 20, 0x40000001, 4, 28, "a vector lies outside"}, /* four times that is 4 in 32 bits */
      {VECTOR, 16, 8, 4, 28, "a vector lies outside"},
      {TABLES, 20, 1, 4, 28, "a table lies outside or unaligned"},
      {UNION, 4, 6, 2, 28, "a union has a type without a value or a value without a type"},
  };
  assert_int_equal(sizeof valid, 28);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t bytes[28];
    memcpy(bytes, valid, sizeof valid);
    for (size_t k = 0; k < cases[i].width; k++) bytes[cases[i].at + k] = (uint8_t)(cases[i].value >> 8 * k);
    const char *problem = read_as(cases[i].kind, bytes, cases[i].size, 10);
    if (strcmp(problem, cases[i].problem) != 0) fail_msg("case %zu: \"%s\", not \"%s\"", i, problem, cases[i].problem);
  }
  assert_string_equal(read_as(NUMBER, valid, sizeof valid, 0), "too many tables");
}

static void alignment_is_checked(void **state) {
  (void)state;
  /* The field of four bytes lies 5 bytes behind the table. */
  uint8_t bytes[28];
  memcpy(bytes, valid, sizeof valid);
  bytes[6] = 12;
  bytes[8] = 5;
  assert_string_equal(read_as(NUMBER, bytes, sizeof bytes, 10), "a field is unaligned");
  /* Elements that must be aligned to 8 begin at 28; an empty vector may begin anywhere. */
  static const uint8_t vector[32] = {12, 0, 0, 0, 6, 0, 8, 0, 4, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0};
  uint8_t longer[32];
  memcpy(longer, vector, sizeof longer);
  assert_string_equal(read_as(VECTOR, longer, sizeof longer, 10), "a vector is unaligned");
  longer[24] = 0;
  assert_string_equal(read_as(VECTOR, longer, sizeof longer, 10), "");
  /* An element whose offset is 0. */
  memcpy(bytes, valid, sizeof valid);
  bytes[20] = 1;
  memset(bytes + 24, 0, 4);
  assert_string_equal(read_as(TABLES, bytes, sizeof bytes, 10), "an element of a vector has the offset 0");
}

static void what_is_written_is_read(void **state) {
  (void)state;
  struct buf out = BUF_INIT;
  struct flatbuf_writer writer = {&out, 0};
  static const uint8_t root[4] = {0};
  buf_append(&out, root, 4);
  struct flatbuf_slot slots[] = {
      {.width = 1, .value = 1}, {.width = 8, .value = INT64_MIN}, {0}, {.width = 2, .value = -2}, {.width = 4}, {.width = 4}, {.width = 4}};
  flatbuf_point(&writer, 0, flatbuf_put_table(&writer, slots, 7));
  flatbuf_put_string(&writer, slots[4].at, slice_text("text"));
  static const int32_t numbers[] = {-1, 5};
  flatbuf_put_int32s(&writer, slots[5].at, numbers, 2);
  size_t structs = flatbuf_put_structs(&writer, slots[6].at, 3, 16);
  flatbuf_store(&writer, structs + 40, 77, 8);
  struct flatbuf flatbuf = {buf_slice(&out), 10, NULL};
  struct flatbuf_table table;
  struct flatbuf_vector vector;
  struct slice text;
  int64_t number;
  bool flag;
  assert_true(flatbuf_root(&flatbuf, &table));
  assert_true(flatbuf_bool(&flatbuf, &table, 0, &flag) && flag);
  assert_true(flatbuf_number(&flatbuf, &table, 1, 8, 0, &number) && number == INT64_MIN);
  assert_true(flatbuf_number(&flatbuf, &table, 2, 4, 128, &number) && number == 128);
  assert_true(flatbuf_number(&flatbuf, &table, 3, 2, 0, &number) && number == -2);
  assert_true(flatbuf_number(&flatbuf, &table, 9, 2, -7, &number) && number == -7);
  assert_true(flatbuf_string(&flatbuf, &table, 4, &text) && slice_equal(text, slice_text("text")));
  assert_true(flatbuf_string(&flatbuf, &table, 8, &text) && !text.data);
  assert_true(flatbuf_vector(&flatbuf, &table, 5, 4, 4, &vector) && vector.count == 2);
  assert_int_equal(flatbuf_int32_at(&flatbuf, vector.at), -1);
  assert_true(flatbuf_vector(&flatbuf, &table, 6, 16, 8, &vector) && vector.count == 3);
  assert_int_equal(flatbuf_int64_at(&flatbuf, vector.at + 40), 77);
  buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_check_refuses),
      cmocka_unit_test(alignment_is_checked),
      cmocka_unit_test(what_is_written_is_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
