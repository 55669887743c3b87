/*
 * Arrays made by hand for the tests of the IPC reader and writer: any type, any offset, NULLs with junk under them. Plain malloc: the
 * library's allocator is left to the library.
 */
#ifndef DBSQL_TESTS_IPC_ARRAYS_H
#define DBSQL_TESTS_IPC_ARRAYS_H

#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "ipc_walk.h"

static uint32_t test_random_state = 12345;
static inline uint32_t test_random(void) {
  test_random_state = test_random_state * 1664525u + 1013904223u;
  return test_random_state >> 8;
}

/* A schema from a text: FORMAT or FORMAT(CHILD;CHILD...). Fields are named f0, f1 ... where they stand. */
static inline const char *test_schema_part(const char *text, const char *name, int64_t flags, struct ArrowSchema *out) {
  size_t length = strcspn(text, "(;)");
  char format[128], child_name[16];
  int64_t children = 0;
  assert_true(length < sizeof format);
  memcpy(format, text, length);
  format[length] = 0;
  text += length;
  if (*text == '(') {
    int depth = 0;
    const char *at = text;
    children = at[1] != ')';
    do {
      if (*at == '(') depth++;
      if (*at == ')') depth--;
      if (*at == ';' && depth == 1) children++;
      at++;
    } while (depth > 0);
  }
  assert_int_equal(arrow_schema_make(out, format, name, flags, children, NULL), DBSQL_OK);
  if (*text != '(') return text;
  bool map = strcmp(format, "+m") == 0;
  for (int64_t i = 0; i < children; i++) {
    snprintf(child_name, sizeof child_name, "f%d", (int)i);
    text = test_schema_part(text + 1, child_name, map ? 0 : ARROW_FLAG_NULLABLE, out->children[i]);
  }
  if (children == 0) text++;
  return text + 1;
}

static inline void test_schema(const char *text, struct ArrowSchema *out) {
  assert_string_equal(test_schema_part(text, "", 0, out), "");
}

static inline void test_array_release(struct ArrowArray *array) {
  for (int64_t i = 0; i < array->n_children; i++) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
    free(array->children[i]);
  }
  for (int64_t i = 0; i < array->n_buffers; i++) free((void *)(uintptr_t)array->buffers[i]);
  free(array->children);
  free(array->buffers);
  array->release = NULL;
}

static inline void *test_random_bytes(size_t size) {
  uint8_t *bytes = malloc(size ? size : 1);
  assert_non_null(bytes);
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)test_random();
  return bytes;
}

/* Rising offsets of `total` entries; returns the last. */
static inline int64_t test_offsets(bool wide, int64_t total, const void **out) {
  uint8_t *bytes = malloc((size_t)(total + 1) * 8);
  assert_non_null(bytes);
  int64_t at = test_random() % 3;
  for (int64_t i = 0; i <= total; i++) {
    int32_t narrow = (int32_t)at;
    if (wide)
      memcpy(bytes + 8 * i, &at, 8);
    else
      memcpy(bytes + 4 * i, &narrow, 4);
    if (i < total) at += test_random() % 4;
  }
  *out = bytes;
  return at;
}

static inline void test_array(const struct ArrowSchema *schema, int64_t length, int64_t offset, bool nulls, struct ArrowArray *out) {
  const char *format = schema->format;
  int64_t total = length + offset, last;
  bool is_union = strncmp(format, "+u", 2) == 0, is_map = strcmp(format, "+m") == 0;
  memset(out, 0, sizeof *out);
  out->length = length;
  out->offset = offset;
  out->release = test_array_release;
  out->n_children = schema->n_children;
  out->children = calloc((size_t)schema->n_children + 1, sizeof *out->children);
  out->buffers = calloc(3, sizeof *out->buffers);
  for (int64_t i = 0; i < schema->n_children; i++) out->children[i] = calloc(1, sizeof **out->children);
  if (*format == 'n') {
    out->null_count = length;
    return;
  }
  out->n_buffers = 1;
  if (is_union) {
    uint8_t *types = test_random_bytes((size_t)total);
    bool dense = format[2] == 'd';
    int64_t counts[8] = {0};
    int32_t *offsets = dense ? malloc(4 * (size_t)total + 1) : NULL;
    for (int64_t i = 0; i < total; i++) {
      int64_t child = types[i] % schema->n_children;
      const char *at = format + 4;
      for (int64_t k = 0; k < child; k++) at = strchr(at, ',') + 1;
      types[i] = (uint8_t)atoi(at);
      if (dense) offsets[i] = (int32_t)counts[child]++;
    }
    out->buffers[0] = types;
    out->buffers[1] = offsets;
    out->n_buffers = dense ? 2 : 1;
    for (int64_t i = 0; i < schema->n_children; i++)
      test_array(schema->children[i], dense ? counts[i] : total, test_random() % 3, nulls, out->children[i]);
    return;
  }
  if (nulls) {
    uint8_t *bits = test_random_bytes((size_t)(total + 7) / 8 + 1);
    out->buffers[0] = bits;
    for (int64_t i = offset; i < total; i++) out->null_count += !(bits[i >> 3] >> (i & 7) & 1);
    if (test_random() % 4 == 0) out->null_count = -1;
  }
  if (*format == 'b') {
    out->n_buffers = 2;
    out->buffers[1] = test_random_bytes((size_t)(total + 7) / 8);
  } else if (strchr("uzUZ", *format)) {
    out->n_buffers = 3;
    last = test_offsets(*format == 'U' || *format == 'Z', total, &out->buffers[1]);
    out->buffers[2] = test_random_bytes((size_t)last);
  } else if (*format != '+') {
    out->n_buffers = 2;
    out->buffers[1] = test_random_bytes((size_t)total * walk_width(format));
  } else if (format[1] == 's' || format[1] == 'w') {
    int64_t each = format[1] == 'w' ? atoi(format + 3) : 1;
    for (int64_t i = 0; i < schema->n_children; i++)
      test_array(schema->children[i], total * each, test_random() % 3, nulls && (schema->children[i]->flags & ARROW_FLAG_NULLABLE),
                 out->children[i]);
  } else {
    out->n_buffers = 2;
    last = test_offsets(format[1] == 'L', total, &out->buffers[1]);
    test_array(schema->children[0], last + test_random() % 2, test_random() % 3, nulls && !is_map, out->children[0]);
    if (is_map && nulls) { /* values may be NULL, entries and keys may not */
      struct ArrowArray *entries = out->children[0];
      entries->children[1]->release(entries->children[1]);
      test_array(schema->children[0]->children[1], entries->length + entries->offset, 1, true, entries->children[1]);
    }
  }
}

/* A record batch of `length` rows: columns and top may have offsets. */
static inline void test_batch(const struct ArrowSchema *schema, int64_t length, int64_t offset, bool nulls, struct ArrowArray *out) {
  test_array(schema, length, offset, false, out);
  for (int64_t i = 0; i < schema->n_children; i++) {
    out->children[i]->release(out->children[i]);
    test_array(schema->children[i], length + offset, test_random() % 11, nulls, out->children[i]);
  }
}

/* True if two schemas say the same, metadata included. */
static inline bool test_same_schema(const struct ArrowSchema *a, const struct ArrowSchema *b, size_t (*metadata_size)(const char *)) {
  if (strcmp(a->format, b->format) != 0 || strcmp(a->name, b->name) != 0 || a->flags != b->flags || a->n_children != b->n_children)
    return false;
  size_t size = metadata_size(a->metadata);
  if (size != metadata_size(b->metadata) || (size && memcmp(a->metadata, b->metadata, size) != 0)) return false;
  for (int64_t i = 0; i < a->n_children; i++)
    if (!test_same_schema(a->children[i], b->children[i], metadata_size)) return false;
  return true;
}

#endif
