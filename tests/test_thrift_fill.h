/* Fills any Thrift struct by its descriptor: every field set, two items in every list and map, secrets as "s3cr3t". `variant` chooses the
 * field of unions and the values of numbers. */
#ifndef DBSQL_TESTS_TEST_THRIFT_FILL_H
#define DBSQL_TESTS_TEST_THRIFT_FILL_H

#include "test.h"

#include "thrift/tcli.h"

enum { fill_items = 2, fill_depth = 12 };

static inline void fill_struct(const struct thrift_struct *type, struct arena *arena, void *value, int variant, int depth);

static inline void *fill_alloc(struct arena *arena, size_t count, size_t size) {
  void *block = arena_alloc(arena, count, size);
  assert_non_null(block);
  return block;
}

static inline struct slice fill_text(struct arena *arena, const struct thrift_field *field) {
  if (field->flags & THRIFT_GUID) return slice_of("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10", 16);
  if (field->flags & THRIFT_LINK) return slice_text("https://storage.example/file?signature=s3cr3t");
  if (field->flags & THRIFT_HIDDEN) return slice_text("s3cr3t");
  return slice_text(arena_strndup(arena, field->name, strlen(field->name)));
}

static inline int64_t fill_number(int variant) {
  static const int64_t numbers[] = {0, 1, -1, INT64_MAX, INT64_MIN, 0x0102030405060708, 127, -128};
  return numbers[variant & 7];
}

static inline void fill_value(uint8_t kind, const struct thrift_field *field, struct arena *arena, void *slot, int variant, int depth) {
  switch (kind) {
    case THRIFT_KIND_BOOL: *(bool *)slot = variant & 1; break;
    case THRIFT_KIND_BYTE: *(int8_t *)slot = (int8_t)fill_number(variant); break;
    case THRIFT_KIND_I16: *(int16_t *)slot = (int16_t)fill_number(variant); break;
    case THRIFT_KIND_I32: *(int32_t *)slot = (int32_t)fill_number(variant); break;
    case THRIFT_KIND_I64: *(int64_t *)slot = fill_number(variant); break;
    case THRIFT_KIND_DOUBLE: *(double *)slot = 1.5 * variant; break;
    case THRIFT_KIND_STRING:
    case THRIFT_KIND_BINARY: *(struct slice *)slot = fill_text(arena, field); break;
    case THRIFT_KIND_STRUCT: {
      void *nested = fill_alloc(arena, 1, field->type->size);
      fill_struct(field->type, arena, nested, variant, depth - 1);
      memcpy(slot, &nested, sizeof nested);
      break;
    }
    case THRIFT_KIND_STRUCT_ITEM: fill_struct(field->type, arena, slot, variant, depth - 1); break;
    case THRIFT_KIND_RAW_LIST: {
      struct buf bytes = BUF_INIT;
      for (int i = 0; i < fill_items; i++) {
        switch (field->element_type) {
          case THRIFT_BOOL: thrift_write_bool(&bytes, i == 0); break;
          case THRIFT_BYTE: thrift_write_byte(&bytes, (int8_t)fill_number(variant + i)); break;
          case THRIFT_I16: thrift_write_i16(&bytes, (int16_t)fill_number(variant + i)); break;
          case THRIFT_I32: thrift_write_i32(&bytes, (int32_t)fill_number(variant + i)); break;
          case THRIFT_I64: thrift_write_i64(&bytes, fill_number(variant + i)); break;
          case THRIFT_DOUBLE: thrift_write_double(&bytes, 0.25 * i); break;
          default: thrift_write_string(&bytes, slice_text(i == 0 ? "" : "s3cr3t"));
        }
      }
      uint8_t *copy = fill_alloc(arena, bytes.size, 1);
      memcpy(copy, bytes.data, bytes.size);
      *(struct thrift_raw_list *)slot = (struct thrift_raw_list){field->element_type, fill_items, slice_of(copy, bytes.size)};
      buf_free(&bytes);
      break;
    }
    default: {
      struct thrift_items *list = slot;
      size_t size = thrift_item_size(kind, field);
      list->count = fill_items;
      list->items = fill_alloc(arena, fill_items, size);
      for (int i = 0; i < fill_items; i++) {
        uint8_t *item = (uint8_t *)list->items + (size_t)i * size;
        if (thrift_kinds[kind].wire_type == THRIFT_MAP) {
          *(struct slice *)(void *)item = slice_text(i == 0 ? "first" : "second");
          item += field->value_offset;
        }
        fill_value(thrift_kinds[kind].item_kind, field, arena, item, variant + i, depth);
      }
    }
  }
}

static inline void fill_struct(const struct thrift_struct *type, struct arena *arena, void *value, int variant, int depth) {
  for (int i = 0; i < type->field_count; i++) {
    const struct thrift_field *field = &type->fields[type->is_union ? variant % type->field_count : i];
    /* Ends the one struct that contains itself. */
    if (field->type == type && depth < fill_depth - 2) continue;
    fill_value(field->kind, field, arena, (uint8_t *)value + field->offset, variant, depth);
    *(bool *)((uint8_t *)value + field->has_offset) = true;
    if (type->is_union) break;
  }
}

static inline void *filled(const struct thrift_struct *type, struct arena *arena, int variant) {
  void *value = fill_alloc(arena, 1, type->size);
  fill_struct(type, arena, value, variant, fill_depth);
  return value;
}

#endif
