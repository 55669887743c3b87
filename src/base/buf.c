#include "base/buf.h"

#include <stdio.h>

#include "base/mem.h"

void buf_free(struct buf *buf) {
  if (buf->secret && buf->data) mem_wipe(buf->data, buf->capacity);
  mem_free(buf->data);
  *buf = (struct buf){.secret = buf->secret};
}

void buf_free_secret(struct buf *buf) {
  if (buf->data) mem_wipe(buf->data, buf->capacity);
  buf_free(buf);
}

bool buf_reserve(struct buf *buf, size_t size) {
  if (buf->failed) return false;
  if (size <= buf->capacity - buf->size) return true;
  if (size > SIZE_MAX / 2 - buf->size) {
    buf->failed = true;
    return false;
  }
  size_t capacity = buf->capacity ? buf->capacity : 64;
  while (capacity < buf->size + size) capacity *= 2;
  uint8_t *data = buf->secret ? mem_alloc(capacity) : mem_realloc(buf->data, capacity);
  if (!data) {
    buf->failed = true;
    return false;
  }
  if (buf->secret && buf->data) { /* realloc() would leave a copy behind */
    memcpy(data, buf->data, buf->size);
    mem_wipe(buf->data, buf->capacity);
    mem_free(buf->data);
  }
  buf->data = data;
  buf->capacity = capacity;
  return true;
}

uint8_t *buf_extend(struct buf *buf, size_t size) {
  if (!buf_reserve(buf, size)) return NULL;
  if (size == 0) return buf->data; /* which may be NULL */
  uint8_t *start = buf->data + buf->size;
  buf->size += size;
  return start;
}

void buf_append(struct buf *buf, const void *data, size_t size) {
  if (size == 0 || !buf_reserve(buf, size)) return;
  memcpy(buf->data + buf->size, data, size);
  buf->size += size;
}

void buf_append_slice(struct buf *buf, struct slice slice) {
  buf_append(buf, slice.data, slice.size);
}

void buf_append_text(struct buf *buf, const char *text) {
  buf_append(buf, text, strlen(text));
}

void buf_append_byte(struct buf *buf, uint8_t byte) {
  if (!buf_reserve(buf, 1)) return;
  buf->data[buf->size++] = byte;
}

void buf_printf(struct buf *buf, const char *format, ...) {
  va_list args, measure;
  va_start(args, format);
  va_copy(measure, args);
  int length = vsnprintf(NULL, 0, format, measure);
  va_end(measure);
  if (length >= 0 && buf_reserve(buf, (size_t)length + 1)) {
    vsnprintf((char *)buf->data + buf->size, (size_t)length + 1, format, args);
    buf->size += (size_t)length;
  }
  va_end(args);
}

const char *buf_text(struct buf *buf) {
  if (!buf_reserve(buf, 1)) return NULL;
  buf->data[buf->size] = 0;
  return (const char *)buf->data;
}

char *buf_take_text(struct buf *buf) {
  char *text = NULL;
  if (buf_text(buf)) {
    text = (char *)buf->data;
    buf->data = NULL;
  }
  buf_free(buf);
  return text;
}
