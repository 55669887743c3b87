#include "arrow/flatbuf.h"

static bool bad(struct flatbuf *flatbuf, const char *problem) {
  flatbuf->problem = problem;
  return false;
}

static uint64_t load(const struct flatbuf *flatbuf, uint64_t at, uint32_t width) {
  uint64_t value = 0;
  for (uint32_t i = 0; i < width; i++) value |= (uint64_t)flatbuf->bytes.data[at + i] << 8 * i;
  return value;
}

int64_t flatbuf_int64_at(const struct flatbuf *flatbuf, uint32_t at) {
  return (int64_t)load(flatbuf, at, 8);
}

int32_t flatbuf_int32_at(const struct flatbuf *flatbuf, uint32_t at) {
  return (int32_t)load(flatbuf, at, 4);
}

static bool table_at(struct flatbuf *flatbuf, uint64_t at, struct flatbuf_table *table) {
  uint64_t size = flatbuf->bytes.size;
  if (flatbuf->tables_left == 0) return bad(flatbuf, "too many tables");
  flatbuf->tables_left--;
  if (at % 4 != 0 || at + 4 > size) return bad(flatbuf, "a table lies outside or unaligned");
  int64_t vtable = (int64_t)at - (int32_t)load(flatbuf, at, 4);
  if (vtable < 0 || vtable % 2 != 0 || (uint64_t)vtable + 4 > size) return bad(flatbuf, "a vtable lies outside or unaligned");
  table->at = (uint32_t)at;
  table->vtable = (uint32_t)vtable;
  table->vtable_size = (uint16_t)load(flatbuf, (uint64_t)vtable, 2);
  table->size = (uint16_t)load(flatbuf, (uint64_t)vtable + 2, 2);
  if (table->vtable_size % 2 != 0 || table->vtable_size < 4 || (uint64_t)vtable + table->vtable_size > size)
    return bad(flatbuf, "a vtable has a wrong size");
  if (table->size < 4 || table->size > size - at) return bad(flatbuf, "a table has a wrong size");
  return true;
}

/* Position of a field of `width` bytes, 0 if it is absent. */
static bool field_at(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, uint32_t width, uint64_t *at) {
  *at = 0;
  uint32_t entry = 4 + 2 * (uint32_t)slot;
  if (entry + 2 > table->vtable_size) return true;
  uint32_t offset = (uint32_t)load(flatbuf, table->vtable + entry, 2);
  if (offset == 0) return true;
  if (offset < 4 || offset + width > table->size) return bad(flatbuf, "a field lies outside its table");
  if ((table->at + offset) % width != 0) return bad(flatbuf, "a field is unaligned");
  *at = table->at + offset;
  return true;
}

/* Follows the offset in a slot; target 0 if it is absent. */
static bool follow(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, uint64_t *target) {
  uint64_t at;
  *target = 0;
  if (!field_at(flatbuf, table, slot, 4, &at)) return false;
  if (at == 0) return true;
  uint64_t offset = load(flatbuf, at, 4);
  if (offset == 0 || (at + offset) % 4 != 0 || at + offset + 4 > flatbuf->bytes.size)
    return bad(flatbuf, "an offset points outside or is unaligned");
  *target = at + offset;
  return true;
}

bool flatbuf_root(struct flatbuf *flatbuf, struct flatbuf_table *table) {
  if (flatbuf->bytes.size < 8 || flatbuf->bytes.size > UINT32_MAX - 8) return bad(flatbuf, "wrong size");
  uint64_t offset = load(flatbuf, 0, 4);
  if (offset == 0) return bad(flatbuf, "the root's offset is 0");
  return table_at(flatbuf, offset, table);
}

bool flatbuf_number(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, uint32_t width, int64_t fallback,
                    int64_t *value) {
  uint64_t at;
  *value = fallback;
  if (!field_at(flatbuf, table, slot, width, &at)) return false;
  if (at == 0) return true;
  uint64_t bits = load(flatbuf, at, width);
  switch (width) {
    case 1: *value = (int8_t)bits; break;
    case 2: *value = (int16_t)bits; break;
    case 4: *value = (int32_t)bits; break;
    default: *value = (int64_t)bits; break;
  }
  return true;
}

bool flatbuf_bool(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, bool *value) {
  int64_t number;
  if (!flatbuf_number(flatbuf, table, slot, 1, 0, &number)) return false;
  *value = number != 0;
  return true;
}

bool flatbuf_child(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, bool *present, struct flatbuf_table *child) {
  uint64_t target;
  if (!follow(flatbuf, table, slot, &target)) return false;
  *present = target != 0;
  return target == 0 || table_at(flatbuf, target, child);
}

bool flatbuf_union(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, uint8_t *type, struct flatbuf_table *value) {
  int64_t number;
  bool present;
  if (!flatbuf_number(flatbuf, table, slot, 1, 0, &number)) return false;
  if (!flatbuf_child(flatbuf, table, slot + 1, &present, value)) return false;
  *type = (uint8_t)number;
  if (present != (*type != 0)) return bad(flatbuf, "a union has a type without a value or a value without a type");
  return true;
}

bool flatbuf_string(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, struct slice *text) {
  uint64_t target;
  *text = slice_of(NULL, 0);
  if (!follow(flatbuf, table, slot, &target)) return false;
  if (target == 0) return true;
  uint64_t length = load(flatbuf, target, 4);
  if (length >= flatbuf->bytes.size - target - 4) return bad(flatbuf, "a string lies outside");
  if (flatbuf->bytes.data[target + 4 + length] != 0) return bad(flatbuf, "a string is not terminated");
  *text = slice_of(flatbuf->bytes.data + target + 4, (size_t)length);
  return true;
}

bool flatbuf_vector(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, uint32_t width, uint32_t alignment,
                    struct flatbuf_vector *vector) {
  uint64_t target;
  *vector = (struct flatbuf_vector){0, 0};
  if (!follow(flatbuf, table, slot, &target)) return false;
  if (target == 0) return true;
  uint64_t count = load(flatbuf, target, 4);
  if (count > (flatbuf->bytes.size - target - 4) / width) return bad(flatbuf, "a vector lies outside");
  if (count != 0 && (target + 4) % alignment != 0) return bad(flatbuf, "a vector is unaligned");
  *vector = (struct flatbuf_vector){(uint32_t)(target + 4), (uint32_t)count};
  return true;
}

bool flatbuf_vector_table(struct flatbuf *flatbuf, const struct flatbuf_vector *vector, uint32_t index, struct flatbuf_table *table) {
  uint64_t at = vector->at + 4 * (uint64_t)index;
  uint64_t offset = load(flatbuf, at, 4);
  if (offset == 0) return bad(flatbuf, "an element of a vector has the offset 0");
  return table_at(flatbuf, at + offset, table);
}
