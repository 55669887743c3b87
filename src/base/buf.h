/* Bytes: a view of some, and a buffer that grows. */
#ifndef DBSQL_BASE_BUF_H
#define DBSQL_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <dbsql/dbsql.h>

/* A view; owns nothing. `data` may be NULL if `size` is 0. */
struct slice {
  const uint8_t *data;
  size_t size;
};

static inline struct slice slice_of(const void *data, size_t size) {
  return (struct slice){(const uint8_t *)data, size};
}
static inline struct slice slice_text(const char *text) {
  return slice_of(text, text ? strlen(text) : 0);
}
static inline bool slice_equal(struct slice a, struct slice b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Begin with BUF_INIT or zeros. Once an allocation failed, `failed` stays set, further appends do nothing, and the owner checks
 * once at the end: buf_failed(). */
struct buf {
  uint8_t *data;
  size_t size;
  size_t capacity;
  bool failed;
  bool secret; /* wiped when it grows and when it is freed; begin with BUF_SECRET */
};
#define BUF_INIT \
  { NULL, 0, 0, false, false }
#define BUF_SECRET \
  { NULL, 0, 0, false, true }

void buf_free(struct buf *buf);
/* Wipes first. */
void buf_free_secret(struct buf *buf);
/* Keeps the memory. */
static inline void buf_reset(struct buf *buf) {
  buf->size = 0;
  buf->failed = false;
}
static inline bool buf_failed(const struct buf *buf) {
  return buf->failed;
}
/* Room for `size` more bytes; false (and failed) if there is none. */
bool buf_reserve(struct buf *buf, size_t size);
/* Appends `size` bytes of undefined content and returns where they start, or NULL: if there is no memory, and perhaps if `size` is 0. */
uint8_t *buf_extend(struct buf *buf, size_t size);
void buf_append(struct buf *buf, const void *data, size_t size);
void buf_append_slice(struct buf *buf, struct slice slice);
void buf_append_text(struct buf *buf, const char *text);
void buf_append_byte(struct buf *buf, uint8_t byte);
void buf_printf(struct buf *buf, const char *format, ...) DBSQL_PRINTF(2, 3);
/* Ensures a zero byte after the content (not counted in size) and returns the content as text; NULL if out of memory. */
const char *buf_text(struct buf *buf);
/* Gives the content away as a zero-terminated text to be freed with mem_free(), and empties the buffer. NULL if failed. */
char *buf_take_text(struct buf *buf);
static inline struct slice buf_slice(const struct buf *buf) {
  return slice_of(buf->data, buf->size);
}

#endif
