#include "thrift/binary.h"

#include <stdarg.h>
#include <stdint.h>

#include "base/error.h"

enum { version_mask = 0x7fff0000, version_1 = 0x00010000 };

/* The fewest bytes that a value of a type takes; 0 for what is no type of a value. */
static size_t least_size(uint8_t type) {
  switch (type) {
    case THRIFT_BOOL:
    case THRIFT_BYTE:
    case THRIFT_STRUCT: return 1;
    case THRIFT_I16: return 2;
    case THRIFT_I32:
    case THRIFT_STRING: return 4;
    case THRIFT_DOUBLE:
    case THRIFT_I64: return 8;
    case THRIFT_SET:
    case THRIFT_LIST: return 5;
    case THRIFT_MAP: return 6;
    default: return 0;
  }
}

static bool is_fixed_width(uint8_t type) {
  switch (type) {
    case THRIFT_BOOL:
    case THRIFT_BYTE:
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64:
    case THRIFT_DOUBLE: return true;
    default: return false;
  }
}

const char *thrift_type_name(uint8_t type) {
  switch (type) {
    case THRIFT_BOOL: return "bool";
    case THRIFT_BYTE: return "byte";
    case THRIFT_DOUBLE: return "double";
    case THRIFT_I16: return "i16";
    case THRIFT_I32: return "i32";
    case THRIFT_I64: return "i64";
    case THRIFT_STRING: return "string";
    case THRIFT_STRUCT: return "struct";
    case THRIFT_MAP: return "map";
    case THRIFT_SET: return "set";
    case THRIFT_LIST: return "list";
    default: return NULL;
  }
}

/* ---- Reading ------------------------------------------------------------------------------------------------------------- */

dbsql_status thrift_malformed(const struct thrift_reader *reader, dbsql_error **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  dbsql_status status = error_set_v(error, DBSQL_ERROR_DRIVER, "08P01", format, args);
  va_end(args);
  error_prefix(error, "malformed Thrift message at byte %zu", (size_t)(reader->at - reader->start));
  return status;
}

/* Moves on by `size` bytes, of which `*at` is the first. */
static dbsql_status take(struct thrift_reader *reader, size_t size, const char *what, const uint8_t **at, dbsql_error **error) {
  size_t left = thrift_reader_left(reader);
  if (size > left) return thrift_malformed(reader, error, "it ends within %s: %zu bytes needed, %zu there", what, size, left);
  *at = reader->at;
  reader->at += size;
  return DBSQL_OK;
}

dbsql_status thrift_read_bool(struct thrift_reader *reader, bool *value, dbsql_error **error) {
  const uint8_t *at = NULL;
  dbsql_status status = take(reader, 1, "a bool", &at, error);
  if (status == DBSQL_OK) *value = *at != 0;
  return status;
}

dbsql_status thrift_read_byte(struct thrift_reader *reader, int8_t *value, dbsql_error **error) {
  const uint8_t *at = NULL;
  dbsql_status status = take(reader, 1, "a byte", &at, error);
  if (status == DBSQL_OK) *value = (int8_t)*at;
  return status;
}

dbsql_status thrift_read_i16(struct thrift_reader *reader, int16_t *value, dbsql_error **error) {
  const uint8_t *at = NULL;
  dbsql_status status = take(reader, 2, "an i16", &at, error);
  if (status == DBSQL_OK) *value = (int16_t)thrift_load16(at);
  return status;
}

dbsql_status thrift_read_i32(struct thrift_reader *reader, int32_t *value, dbsql_error **error) {
  const uint8_t *at = NULL;
  dbsql_status status = take(reader, 4, "an i32", &at, error);
  if (status == DBSQL_OK) *value = (int32_t)thrift_load32(at);
  return status;
}

dbsql_status thrift_read_i64(struct thrift_reader *reader, int64_t *value, dbsql_error **error) {
  const uint8_t *at = NULL;
  dbsql_status status = take(reader, 8, "an i64", &at, error);
  if (status == DBSQL_OK) *value = (int64_t)thrift_load64(at);
  return status;
}

dbsql_status thrift_read_double(struct thrift_reader *reader, double *value, dbsql_error **error) {
  const uint8_t *at = NULL;
  dbsql_status status = take(reader, 8, "a double", &at, error);
  if (status != DBSQL_OK) return status;
  uint64_t bits = thrift_load64(at);
  memcpy(value, &bits, sizeof *value);
  return DBSQL_OK;
}

/* The bytes of a string whose length has been read. */
static dbsql_status take_string(struct thrift_reader *reader, int32_t length, struct slice *value, dbsql_error **error) {
  if (length < 0) return thrift_malformed(reader, error, "a string has the length %d", (int)length);
  const uint8_t *at = NULL;
  dbsql_status status = take(reader, (size_t)length, "a string", &at, error);
  if (status == DBSQL_OK) *value = slice_of(at, (size_t)length);
  return status;
}

dbsql_status thrift_read_string(struct thrift_reader *reader, struct slice *value, dbsql_error **error) {
  int32_t length;
  dbsql_status status = thrift_read_i32(reader, &length, error);
  if (status != DBSQL_OK) return status;
  return take_string(reader, length, value, error);
}

dbsql_status thrift_read_field(struct thrift_reader *reader, uint8_t *type, int16_t *id, dbsql_error **error) {
  const uint8_t *at = NULL;
  dbsql_status status = take(reader, 1, "a struct", &at, error);
  if (status != DBSQL_OK) return status;
  *type = *at;
  *id = 0;
  if (*type == THRIFT_STOP) return DBSQL_OK;
  if (least_size(*type) == 0) return thrift_malformed(reader, error, "a field has the unknown type %u", (unsigned)*type);
  return thrift_read_i16(reader, id, error);
}

/* `pair_type` is that of a map's values, THRIFT_STOP otherwise. Types do not matter where there are no elements. */
static dbsql_status read_count(struct thrift_reader *reader, const char *what, uint8_t type, uint8_t pair_type, bool is_map,
                               uint32_t *count, dbsql_error **error) {
  int32_t number;
  dbsql_status status = thrift_read_i32(reader, &number, error);
  if (status != DBSQL_OK) return status;
  if (number < 0) return thrift_malformed(reader, error, "a %s has the count %d", what, (int)number);
  *count = (uint32_t)number;
  if (number == 0) return DBSQL_OK;
  if (least_size(type) == 0) return thrift_malformed(reader, error, "a %s has elements of the unknown type %u", what, (unsigned)type);
  size_t least = least_size(type);
  if (is_map) {
    if (least_size(pair_type) == 0) {
      return thrift_malformed(reader, error, "a map has values of the unknown type %u", (unsigned)pair_type);
    }
    least += least_size(pair_type);
  }
  if (*count > thrift_reader_left(reader) / least) {
    return thrift_malformed(reader, error, "a %s of %u elements cannot be in the %zu bytes that are left", what, (unsigned)*count,
                            thrift_reader_left(reader));
  }
  return DBSQL_OK;
}

dbsql_status thrift_read_list(struct thrift_reader *reader, uint8_t *element_type, uint32_t *count, dbsql_error **error) {
  const uint8_t *at = NULL;
  dbsql_status status = take(reader, 1, "a list", &at, error);
  if (status != DBSQL_OK) return status;
  *element_type = *at;
  return read_count(reader, "list", *element_type, THRIFT_STOP, false, count, error);
}

dbsql_status thrift_read_map(struct thrift_reader *reader, uint8_t *key_type, uint8_t *value_type, uint32_t *count, dbsql_error **error) {
  const uint8_t *at = NULL;
  dbsql_status status = take(reader, 2, "a map", &at, error);
  if (status != DBSQL_OK) return status;
  *key_type = at[0];
  *value_type = at[1];
  return read_count(reader, "map", *key_type, *value_type, true, count, error);
}

dbsql_status thrift_skip_elements(struct thrift_reader *reader, uint8_t type, uint32_t count, int depth, dbsql_error **error) {
  if (is_fixed_width(type)) {
    size_t left = thrift_reader_left(reader);
    size_t width = least_size(type);
    if (count > left / width) {
      return thrift_malformed(reader, error, "%u elements of %zu bytes cannot be in the %zu bytes that are left", (unsigned)count, width,
                              left);
    }
    reader->at += count * width;
    return DBSQL_OK;
  }
  if (type == THRIFT_STRING) {
    /* The column of a large result: no call for each. */
    for (uint32_t i = 0; i < count; i++) {
      size_t left = thrift_reader_left(reader);
      if (left >= 4 && thrift_load32(reader->at) <= left - 4 && thrift_load32(reader->at) <= INT32_MAX) {
        reader->at += 4 + (size_t)thrift_load32(reader->at);
        continue;
      }
      struct slice value;
      dbsql_status status = thrift_read_string(reader, &value, error);
      if (status != DBSQL_OK) return status;
    }
    return DBSQL_OK;
  }
  for (uint32_t i = 0; i < count; i++) {
    dbsql_status status = thrift_skip(reader, type, depth, error);
    if (status != DBSQL_OK) return status;
  }
  return DBSQL_OK;
}

static dbsql_status skip_struct(struct thrift_reader *reader, int depth, dbsql_error **error) {
  for (;;) {
    uint8_t type;
    int16_t id;
    dbsql_status status = thrift_read_field(reader, &type, &id, error);
    if (status != DBSQL_OK || type == THRIFT_STOP) return status;
    status = thrift_skip(reader, type, depth, error);
    if (status != DBSQL_OK) return status;
  }
}

static dbsql_status skip_map(struct thrift_reader *reader, int depth, dbsql_error **error) {
  uint8_t key_type, value_type;
  uint32_t count = 0;
  dbsql_status status = thrift_read_map(reader, &key_type, &value_type, &count, error);
  for (uint32_t i = 0; status == DBSQL_OK && i < count; i++) {
    status = thrift_skip(reader, key_type, depth, error);
    if (status == DBSQL_OK) status = thrift_skip(reader, value_type, depth, error);
  }
  return status;
}

dbsql_status thrift_skip(struct thrift_reader *reader, uint8_t type, int depth, dbsql_error **error) {
  if (type != THRIFT_STRUCT && type != THRIFT_MAP && type != THRIFT_LIST && type != THRIFT_SET) {
    if (least_size(type) == 0) return thrift_malformed(reader, error, "a value has the unknown type %u", (unsigned)type);
    return thrift_skip_elements(reader, type, 1, depth, error);
  }
  if (depth <= 0) return thrift_malformed(reader, error, "it is nested too deeply");
  if (type == THRIFT_STRUCT) return skip_struct(reader, depth - 1, error);
  if (type == THRIFT_MAP) return skip_map(reader, depth - 1, error);
  uint8_t element_type;
  uint32_t count = 0;
  dbsql_status status = thrift_read_list(reader, &element_type, &count, error);
  if (status == DBSQL_OK) status = thrift_skip_elements(reader, element_type, count, depth - 1, error);
  return status;
}

dbsql_status thrift_read_message(struct thrift_reader *reader, struct thrift_message *message, dbsql_error **error) {
  int32_t first;
  dbsql_status status = thrift_read_i32(reader, &first, error);
  if (status != DBSQL_OK) return status;
  if (first < 0) {
    if ((first & version_mask) != version_1) {
      reader->at -= 4;
      return thrift_malformed(reader, error, "bad version 0x%04x, only 0x8001 is known", (unsigned)((uint32_t)first >> 16));
    }
    message->type = (uint8_t)(first & 0xff);
    status = thrift_read_string(reader, &message->name, error);
  } else {
    /* No Thrift at all, such as an HTML page, is most often noticed here: its first four characters are taken for a length. */
    status = take_string(reader, first, &message->name, error);
    int8_t type;
    if (status == DBSQL_OK) status = thrift_read_byte(reader, &type, error);
    if (status == DBSQL_OK) message->type = (uint8_t)type;
  }
  if (status == DBSQL_OK) status = thrift_read_i32(reader, &message->sequence_id, error);
  return status;
}

/* ---- Writing ------------------------------------------------------------------------------------------------------------- */

static void store16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static void store32(uint8_t *at, uint32_t value) {
  store16(at, (uint16_t)(value >> 16));
  store16(at + 2, (uint16_t)value);
}

static void store64(uint8_t *at, uint64_t value) {
  store32(at, (uint32_t)(value >> 32));
  store32(at + 4, (uint32_t)value);
}

void thrift_write_bool(struct buf *out, bool value) {
  buf_append_byte(out, value ? 1 : 0);
}

void thrift_write_byte(struct buf *out, int8_t value) {
  buf_append_byte(out, (uint8_t)value);
}

void thrift_write_i16(struct buf *out, int16_t value) {
  uint8_t *at = buf_extend(out, 2);
  if (at) store16(at, (uint16_t)value);
}

void thrift_write_i32(struct buf *out, int32_t value) {
  uint8_t *at = buf_extend(out, 4);
  if (at) store32(at, (uint32_t)value);
}

void thrift_write_i64(struct buf *out, int64_t value) {
  uint8_t *at = buf_extend(out, 8);
  if (at) store64(at, (uint64_t)value);
}

void thrift_write_double(struct buf *out, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  thrift_write_i64(out, (int64_t)bits);
}

static void write_count(struct buf *out, size_t count) {
  if (count > INT32_MAX) out->failed = true;
  thrift_write_i32(out, (int32_t)count);
}

void thrift_write_string(struct buf *out, struct slice value) {
  write_count(out, value.size);
  buf_append_slice(out, value);
}

void thrift_write_field(struct buf *out, uint8_t type, int16_t id) {
  uint8_t *at = buf_extend(out, 3);
  if (!at) return;
  at[0] = type;
  store16(at + 1, (uint16_t)id);
}

void thrift_write_stop(struct buf *out) {
  buf_append_byte(out, THRIFT_STOP);
}

void thrift_write_list(struct buf *out, uint8_t element_type, uint32_t count) {
  buf_append_byte(out, element_type);
  write_count(out, count);
}

void thrift_write_map(struct buf *out, uint8_t key_type, uint8_t value_type, uint32_t count) {
  buf_append_byte(out, key_type);
  buf_append_byte(out, value_type);
  write_count(out, count);
}

void thrift_write_message(struct buf *out, uint8_t type, struct slice name, int32_t sequence_id) {
  thrift_write_i32(out, (int32_t)(0x80010000u | type));
  thrift_write_string(out, name);
  thrift_write_i32(out, sequence_id);
}
