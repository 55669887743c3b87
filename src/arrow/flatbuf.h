/*
 * Flatbuffers, as far as Arrow's metadata needs them (results.md 3.2 and 3.3): a reader that checks each step when it is taken, and
 * a writer that lays tables out front to back.
 */
#ifndef DBSQL_ARROW_FLATBUF_H
#define DBSQL_ARROW_FLATBUF_H

#include <stdbool.h>

#include "base/buf.h"

/* ---- Reading. Every function answers false, and sets `problem`, when the bytes are not what they must be. ---- */

struct flatbuf {
  struct slice bytes;
  uint32_t tables_left; /* tables that may still be visited: offsets may share targets, so the size does not bound the work */
  const char *problem;  /* static text */
};

struct flatbuf_table {
  uint32_t at;
  uint32_t vtable;
  uint16_t vtable_size;
  uint16_t size;
};

struct flatbuf_vector {
  uint32_t at; /* of the first element */
  uint32_t count;
};

bool flatbuf_root(struct flatbuf *flatbuf, struct flatbuf_table *table);
/* A number of 1, 2, 4 or 8 bytes, sign-extended; `fallback` if it is absent. */
bool flatbuf_number(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, uint32_t width, int64_t fallback, int64_t *value);
bool flatbuf_bool(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, bool *value);
bool flatbuf_child(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, bool *present, struct flatbuf_table *child);
/* The type in `slot` and the table in the slot after it; type 0 if absent. */
bool flatbuf_union(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, uint8_t *type, struct flatbuf_table *value);
/* `text->data` is NULL if it is absent. */
bool flatbuf_string(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, struct slice *text);
/* Elements of `width` bytes aligned to `alignment`; absent counts 0. For tables: 4, 4. */
bool flatbuf_vector(struct flatbuf *flatbuf, const struct flatbuf_table *table, int slot, uint32_t width, uint32_t alignment,
                    struct flatbuf_vector *vector);
bool flatbuf_vector_table(struct flatbuf *flatbuf, const struct flatbuf_vector *vector, uint32_t index, struct flatbuf_table *table);
/* The 64-bit number at a byte position inside a vector that has been checked. */
int64_t flatbuf_int64_at(const struct flatbuf *flatbuf, uint32_t at);
int32_t flatbuf_int32_at(const struct flatbuf *flatbuf, uint32_t at);

/* ---- Writing. Positions are relative to `base`; the buffer's `failed` is the only error. ---- */

struct flatbuf_writer {
  struct buf *out;
  size_t base; /* where the flatbuffer begins in `out`; it must be aligned to 8 */
};

struct flatbuf_slot {
  uint8_t width; /* 0: the slot is absent */
  int64_t value; /* of a number; offsets are 4 bytes wide and patched later */
  size_t at;     /* set by flatbuf_put_table(): where in `out` it lies */
};

void flatbuf_pad(struct flatbuf_writer *writer, size_t alignment);
/* Returns where the table begins in `out`. */
size_t flatbuf_put_table(struct flatbuf_writer *writer, struct flatbuf_slot *slots, size_t count);
/* Makes the offset at `at` point to the position `target`. */
void flatbuf_point(struct flatbuf_writer *writer, size_t at, size_t target);
/* These four pad, make the offset at `at` point to what they append, and append it. */
void flatbuf_put_string(struct flatbuf_writer *writer, size_t at, struct slice text);
/* Zero offsets, to be patched; returns where the first lies. */
size_t flatbuf_put_offsets(struct flatbuf_writer *writer, size_t at, size_t count);
void flatbuf_put_int32s(struct flatbuf_writer *writer, size_t at, const int32_t *values, size_t count);
/* `count` zeroed structs of `width` bytes, aligned to 8; returns where the first lies. */
size_t flatbuf_put_structs(struct flatbuf_writer *writer, size_t at, size_t count, size_t width);
/* Overwrites bytes that have been appended. */
void flatbuf_store(struct flatbuf_writer *writer, size_t at, uint64_t value, size_t width);

#endif
