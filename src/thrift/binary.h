/*
 * Thrift's binary protocol (thrift.md 1.2): a reader over bytes that are all there, and a writer onto a buffer. Knows nothing of
 * sockets, HTTP or of what the structs mean. Every read checks; the first thing that is wrong ends the message with an error that
 * names the byte where it stood.
 */
#ifndef DBSQL_THRIFT_BINARY_H
#define DBSQL_THRIFT_BINARY_H

#include "base/buf.h"

enum thrift_type {
  THRIFT_STOP = 0,
  THRIFT_BOOL = 2,
  THRIFT_BYTE = 3,
  THRIFT_DOUBLE = 4,
  THRIFT_I16 = 6,
  THRIFT_I32 = 8,
  THRIFT_I64 = 10,
  THRIFT_STRING = 11, /* and binary */
  THRIFT_STRUCT = 12, /* and union, exception */
  THRIFT_MAP = 13,
  THRIFT_SET = 14,
  THRIFT_LIST = 15
};

enum thrift_message_type { THRIFT_CALL = 1, THRIFT_REPLY = 2, THRIFT_EXCEPTION = 3, THRIFT_ONEWAY = 4 };

static inline uint16_t thrift_load16(const uint8_t *at) {
  return (uint16_t)(at[0] << 8 | at[1]);
}
static inline uint32_t thrift_load32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}
static inline uint64_t thrift_load64(const uint8_t *at) {
  return (uint64_t)thrift_load32(at) << 32 | thrift_load32(at + 4);
}

/* ---- Reading ------------------------------------------------------------------------------------------------------------- */

struct thrift_reader {
  const uint8_t *start; /* for the positions in errors */
  const uint8_t *at;
  const uint8_t *end;
};

static inline struct thrift_reader thrift_reader_of(struct slice bytes) {
  const uint8_t *start = bytes.data ? bytes.data : (const uint8_t *)"";
  return (struct thrift_reader){start, start, start + bytes.size};
}
static inline size_t thrift_reader_left(const struct thrift_reader *reader) {
  return (size_t)(reader->end - reader->at);
}

/* What a reader reports: DBSQL_ERROR_DRIVER, SQLSTATE 08P01, "malformed Thrift message at byte N: ...". */
dbsql_status thrift_malformed(const struct thrift_reader *reader, dbsql_error **error, const char *format, ...) DBSQL_PRINTF(3, 4);

dbsql_status thrift_read_bool(struct thrift_reader *reader, bool *value, dbsql_error **error);
dbsql_status thrift_read_byte(struct thrift_reader *reader, int8_t *value, dbsql_error **error);
dbsql_status thrift_read_i16(struct thrift_reader *reader, int16_t *value, dbsql_error **error);
dbsql_status thrift_read_i32(struct thrift_reader *reader, int32_t *value, dbsql_error **error);
dbsql_status thrift_read_i64(struct thrift_reader *reader, int64_t *value, dbsql_error **error);
dbsql_status thrift_read_double(struct thrift_reader *reader, double *value, dbsql_error **error);
/* A string or binary, as a view into the message. */
dbsql_status thrift_read_string(struct thrift_reader *reader, struct slice *value, dbsql_error **error);
/* The type of the next field, THRIFT_STOP after the last; `*id` is 0 then. */
dbsql_status thrift_read_field(struct thrift_reader *reader, uint8_t *type, int16_t *id, dbsql_error **error);
/* Lists and sets. So many elements of that type can be there at all. */
dbsql_status thrift_read_list(struct thrift_reader *reader, uint8_t *element_type, uint32_t *count, dbsql_error **error);
dbsql_status thrift_read_map(struct thrift_reader *reader, uint8_t *key_type, uint8_t *value_type, uint32_t *count, dbsql_error **error);
/* Steps over one value. `depth` levels of nesting may follow. */
dbsql_status thrift_skip(struct thrift_reader *reader, uint8_t type, int depth, dbsql_error **error);
/* Steps over `count` elements. */
dbsql_status thrift_skip_elements(struct thrift_reader *reader, uint8_t type, uint32_t count, int depth, dbsql_error **error);

struct thrift_message {
  uint8_t type; /* enum thrift_message_type */
  int32_t sequence_id;
  struct slice name;
};
/* The strict form, or the old one without a version. */
dbsql_status thrift_read_message(struct thrift_reader *reader, struct thrift_message *message, dbsql_error **error);

/* Such as "list"; "type 7" has none and gives NULL. */
const char *thrift_type_name(uint8_t type);

/* ---- Writing ------------------------------------------------------------------------------------------------------------- */

/* All append; a failure stays in the buffer (buf_failed). */
void thrift_write_bool(struct buf *out, bool value);
void thrift_write_byte(struct buf *out, int8_t value);
void thrift_write_i16(struct buf *out, int16_t value);
void thrift_write_i32(struct buf *out, int32_t value);
void thrift_write_i64(struct buf *out, int64_t value);
void thrift_write_double(struct buf *out, double value);
/* More than 2^31 - 1 bytes cannot be said in Thrift: marks the buffer as failed. */
void thrift_write_string(struct buf *out, struct slice value);
void thrift_write_field(struct buf *out, uint8_t type, int16_t id);
void thrift_write_stop(struct buf *out);
void thrift_write_list(struct buf *out, uint8_t element_type, uint32_t count);
void thrift_write_map(struct buf *out, uint8_t key_type, uint8_t value_type, uint32_t count);
/* The strict form. */
void thrift_write_message(struct buf *out, uint8_t type, struct slice name, int32_t sequence_id);

#endif
