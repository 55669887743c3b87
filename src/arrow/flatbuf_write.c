#include "arrow/flatbuf.h"

void flatbuf_pad(struct flatbuf_writer *writer, size_t alignment) {
  static const uint8_t zeros[64] = {0};
  size_t over = (writer->out->size - writer->base) % alignment;
  if (over != 0) buf_append(writer->out, zeros, alignment - over);
}

void flatbuf_store(struct flatbuf_writer *writer, size_t at, uint64_t value, size_t width) {
  if (buf_failed(writer->out)) return;
  for (size_t i = 0; i < width; i++) writer->out->data[at + i] = (uint8_t)(value >> 8 * i);
}

static size_t put_zeros(struct flatbuf_writer *writer, size_t size) {
  size_t at = writer->out->size;
  uint8_t *room = buf_extend(writer->out, size);
  if (room && size != 0) memset(room, 0, size);
  return at;
}

static size_t put_number(struct flatbuf_writer *writer, uint64_t value, size_t width) {
  size_t at = put_zeros(writer, width);
  flatbuf_store(writer, at, value, width);
  return at;
}

size_t flatbuf_put_table(struct flatbuf_writer *writer, struct flatbuf_slot *slots, size_t count) {
  /* Fields lie by size, largest first, behind the four bytes that point to the vtable; the table is aligned to 8. */
  size_t size = 4;
  for (size_t width = 8; width > 0; width /= 2) {
    for (size_t i = 0; i < count; i++) {
      if (slots[i].width != width) continue;
      size = (size + width - 1) / width * width;
      slots[i].at = size;
      size += width;
    }
  }
  flatbuf_pad(writer, 2);
  size_t vtable = put_number(writer, 4 + 2 * count, 2);
  put_number(writer, size, 2);
  for (size_t i = 0; i < count; i++) put_number(writer, slots[i].width ? slots[i].at : 0, 2);
  flatbuf_pad(writer, 8);
  size_t table = put_zeros(writer, size);
  flatbuf_store(writer, table, table - vtable, 4);
  for (size_t i = 0; i < count; i++) {
    if (slots[i].width == 0) continue;
    slots[i].at += table;
    flatbuf_store(writer, slots[i].at, (uint64_t)slots[i].value, slots[i].width);
  }
  return table;
}

void flatbuf_point(struct flatbuf_writer *writer, size_t at, size_t target) {
  flatbuf_store(writer, at, target - at, 4);
}

void flatbuf_put_string(struct flatbuf_writer *writer, size_t at, struct slice text) {
  flatbuf_pad(writer, 4);
  flatbuf_point(writer, at, put_number(writer, text.size, 4));
  buf_append_slice(writer->out, text);
  buf_append_byte(writer->out, 0);
}

size_t flatbuf_put_offsets(struct flatbuf_writer *writer, size_t at, size_t count) {
  flatbuf_pad(writer, 4);
  flatbuf_point(writer, at, put_number(writer, count, 4));
  return put_zeros(writer, 4 * count);
}

void flatbuf_put_int32s(struct flatbuf_writer *writer, size_t at, const int32_t *values, size_t count) {
  size_t first = flatbuf_put_offsets(writer, at, count);
  for (size_t i = 0; i < count; i++) flatbuf_store(writer, first + 4 * i, (uint32_t)values[i], 4);
}

size_t flatbuf_put_structs(struct flatbuf_writer *writer, size_t at, size_t count, size_t width) {
  /* The count stands in the four bytes before an address aligned to 8. */
  flatbuf_pad(writer, 8);
  put_zeros(writer, 4);
  flatbuf_point(writer, at, put_number(writer, count, 4));
  return put_zeros(writer, width * count);
}
