#include "memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void out_of_memory(void) {
  fputs("dbsql-warehouse: out of memory\n", stderr);
  exit(1);
}

void *wh_new(size_t count, size_t size) {
  void *block = calloc(count ? count : 1, size ? size : 1);
  if (!block) out_of_memory();
  return block;
}

void *wh_grow(void *block, size_t count, size_t size) {
  if (size && count > SIZE_MAX / size) out_of_memory();
  size_t bytes = count * size;
  void *grown = realloc(block, bytes ? bytes : 1);
  if (!grown) out_of_memory();
  return grown;
}

char *wh_copy(const char *text) {
  return text ? wh_copy_n(text, strlen(text)) : NULL;
}

char *wh_copy_n(const char *text, size_t length) {
  char *copy = wh_new(length + 1, 1);
  if (length) memcpy(copy, text, length);
  return copy;
}

char *wh_copy_slice(struct slice slice) {
  return wh_copy_n((const char *)slice.data, slice.size);
}

char *wh_print(const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *text = wh_new((size_t)(length < 0 ? 0 : length) + 1, 1);
  if (length > 0) vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  return text;
}

char *wh_take(struct buf *buf) {
  wh_check(buf);
  char *text = wh_copy_n((const char *)buf->data, buf->size);
  buf_free(buf);
  return text;
}

void wh_check(const struct buf *buf) {
  if (buf_failed(buf)) out_of_memory();
}
