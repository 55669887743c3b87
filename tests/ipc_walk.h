/*
 * Walks Arrow arrays value by value, by the C data interface alone: it shares no code with the reader that made them. Two arrays with
 * the same values give the same hash, whatever their offsets and whatever lies under their NULLs. Every byte that a consumer may read is
 * read, so that AddressSanitizer sees a buffer that is too short.
 */
#ifndef DBSQL_TESTS_IPC_WALK_H
#define DBSQL_TESTS_IPC_WALK_H

#include <stdlib.h>
#include <string.h>

#include <dbsql/arrow.h>

/* Values that may still be looked at: a few bytes can describe two thousand million NULLs. */
static int64_t walk_budget = INT64_MAX;

static inline uint64_t walk_mix(uint64_t hash, const void *data, size_t size) {
  const uint8_t *bytes = (const uint8_t *)data;
  for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u;
  return (hash ^ size) * 0x100000001B3u;
}

/* Bytes of a fixed-width value; 0 for other formats. */
static inline size_t walk_width(const char *format) {
  switch (*format) {
    case 'c':
    case 'C': return 1;
    case 's':
    case 'S':
    case 'e': return 2;
    case 'i':
    case 'I':
    case 'f': return 4;
    case 'l':
    case 'L':
    case 'g': return 8;
    case 'd': {
      const char *comma = strchr(format, ',');
      comma = comma ? strchr(comma + 1, ',') : NULL;
      return comma ? (size_t)atoi(comma + 1) / 8 : 16;
    }
    case 'w': return (size_t)atoi(format + 2);
    case 't':
      if (format[1] == 'd') return format[2] == 'D' ? 4 : 8;
      if (format[1] == 't') return format[2] == 's' || format[2] == 'm' ? 4 : 8;
      if (format[1] == 'i') return format[2] == 'M' ? 4 : format[2] == 'D' ? 8 : 16;
      return 8;
    default: return 0;
  }
}

static inline int64_t walk_offset(const void *offsets, int wide, int64_t index) {
  if (wide) return ((const int64_t *)offsets)[index];
  return ((const int32_t *)offsets)[index];
}

static inline int walk_union_child(const char *format, int id) {
  const char *at = format + 4;
  for (int child = 0; *at; child++) {
    if (atoi(at) == id) return child;
    at = strchr(at, ',');
    if (!at) break;
    at++;
  }
  return -1;
}

/* Mixes the value in `row` (counted from the array's own start, without its offset) into the hash. */
static inline uint64_t walk_value(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, uint64_t hash) {
  const char *format = schema->format;
  int64_t at = row + array->offset;
  if (walk_budget <= 0) return hash;
  walk_budget--;
  if (*format == 'n') return walk_mix(hash, "null", 4);
  if (strncmp(format, "+u", 2) == 0) {
    int8_t id = ((const int8_t *)array->buffers[0])[at];
    int child = walk_union_child(format, id);
    if (child < 0) abort();
    int64_t in_child = format[2] == 'd' ? ((const int32_t *)array->buffers[1])[at] : at;
    return walk_value(schema->children[child], array->children[child], in_child, walk_mix(hash, &id, 1));
  }
  const uint8_t *validity = (const uint8_t *)array->buffers[0];
  if (array->null_count != 0 && !validity) abort();
  if (validity && !(validity[at >> 3] >> (at & 7) & 1)) return walk_mix(hash, "null", 4);
  if (*format == 'b') {
    uint8_t bit = ((const uint8_t *)array->buffers[1])[at >> 3] >> (at & 7) & 1;
    return walk_mix(hash, &bit, 1);
  }
  if (strchr("uzUZ", *format)) {
    int wide = *format == 'U' || *format == 'Z';
    int64_t first = walk_offset(array->buffers[1], wide, at), last = walk_offset(array->buffers[1], wide, at + 1);
    return walk_mix(hash, (const uint8_t *)array->buffers[2] + first, (size_t)(last - first));
  }
  if (*format != '+') {
    size_t width = walk_width(format);
    if (width == 0) abort();
    /* A typed load, so that the undefined-behaviour sanitizer sees an unaligned buffer. */
    const uint8_t *value = (const uint8_t *)array->buffers[1] + width * (size_t)at;
    uint64_t wide = 0;
    if (*format == 'w') return walk_mix(hash, value, width);
    if (width == 2) wide = *(const uint16_t *)(const void *)value;
    if (width == 4) wide = *(const uint32_t *)(const void *)value;
    if (width == 8 && strcmp(format, "tiD") != 0) wide = *(const uint64_t *)(const void *)value;
    hash ^= wide;
    return walk_mix(hash, value, width);
  }
  if (format[1] == 's') {
    for (int64_t i = 0; i < schema->n_children; i++) hash = walk_value(schema->children[i], array->children[i], at, hash);
    return walk_mix(hash, "s", 1);
  }
  int64_t first, last;
  if (format[1] == 'w') {
    first = at * atoi(format + 3);
    last = first + atoi(format + 3);
  } else {
    first = walk_offset(array->buffers[1], format[1] == 'L', at);
    last = walk_offset(array->buffers[1], format[1] == 'L', at + 1);
  }
  for (int64_t i = first; i < last && walk_budget > 0; i++) hash = walk_value(schema->children[0], array->children[0], i, hash);
  return walk_mix(hash, "l", 1);
}

/* Rows [first, first + count). */
static inline uint64_t walk_rows(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t first, int64_t count) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (int64_t row = first; row < first + count && walk_budget > 0; row++) hash = walk_value(schema, array, row, hash);
  return hash;
}

#endif
