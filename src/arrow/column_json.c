#include "arrow/column_text.h"
#include "base/error.h"
#include "base/text.h"

/* A nested value is not written longer than this: arrays of nulls take no memory on the way in, and five bytes each here. */
enum { longest_nested = 1 << 30 };

struct writer {
  struct buf *out;
  size_t start;
};

static void append_code_unit(struct buf *out, uint32_t unit) {
  static const char digits[] = "0123456789abcdef";
  char text[6] = {'\\', 'u', '0', '0', digits[unit >> 4 & 15], digits[unit & 15]};
  buf_append(out, text, sizeof text);
}

static void append_escaped(struct buf *out, uint8_t c) {
  switch (c) {
    case '"': buf_append(out, "\\\"", 2); break;
    case '\\': buf_append(out, "\\\\", 2); break;
    case '\b': buf_append(out, "\\b", 2); break;
    case '\f': buf_append(out, "\\f", 2); break;
    case '\n': buf_append(out, "\\n", 2); break;
    case '\r': buf_append(out, "\\r", 2); break;
    case '\t': buf_append(out, "\\t", 2); break;
    default: append_code_unit(out, c); break;
  }
}

/* A string of JSON. What is not UTF-8 becomes U+FFFD: JSON is UTF-8, or it is not JSON. */
static void append_string(struct buf *out, struct slice text) {
  buf_append_byte(out, '"');
  size_t at = 0, run = 0; /* text from run to at needs no change */
  while (at < text.size) {
    uint8_t c = text.data[at];
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
      at++;
      continue;
    }
    size_t next = at;
    if (c >= 0x80) {
      uint32_t code_point = utf8_next(text.data, text.size, &next);
      if (code_point != 0xFFFD) {
        at = next;
        continue;
      }
    }
    buf_append(out, text.data + run, at - run);
    if (c >= 0x80) {
      buf_append(out, "\xEF\xBF\xBD", 3);
    } else {
      append_escaped(out, c);
      next = at + 1;
    }
    at = next;
    run = at;
  }
  if (at != run) buf_append(out, text.data + run, at - run);
  buf_append_byte(out, '"');
}

static void append_base64(struct buf *out, struct slice bytes) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (bytes.size > SIZE_MAX / 2) {
    out->failed = true;
    return;
  }
  uint8_t *at = buf_extend(out, (bytes.size + 2) / 3 * 4 + 2);
  if (!at) return;
  *at++ = '"';
  for (size_t i = 0; i < bytes.size; i += 3) {
    size_t left = bytes.size - i;
    uint32_t group = (uint32_t)bytes.data[i] << 16;
    if (left > 1) group |= (uint32_t)bytes.data[i + 1] << 8;
    if (left > 2) group |= bytes.data[i + 2];
    *at++ = (uint8_t)letters[group >> 18];
    *at++ = (uint8_t)letters[group >> 12 & 63];
    *at++ = left > 1 ? (uint8_t)letters[group >> 6 & 63] : '=';
    *at++ = left > 2 ? (uint8_t)letters[group & 63] : '=';
  }
  *at = '"';
}

static void append_float(const struct arrow_column *column, int64_t row, struct buf *out) {
  char text[number_float_size];
  size_t length = column_write_float(column, row, text);
  bool is_number = text_is_digit(text[length - 1]); /* NaN and the infinities end in a letter */
  if (!is_number) buf_append_byte(out, '"');
  buf_append(out, text, length);
  if (!is_number) buf_append_byte(out, '"');
}

static dbsql_status write_value(const struct writer *writer, const struct arrow_column *column, int64_t row, dbsql_error **error);

static dbsql_status check_room(const struct writer *writer, const struct arrow_column *column, dbsql_error **error) {
  if (buf_failed(writer->out)) return error_no_memory(error);
  if (writer->out->size - writer->start <= longest_nested) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "22001", "column \"%s\": a nested value is longer than %d bytes as text", column->name,
                   longest_nested);
}

static dbsql_status write_list(const struct writer *writer, const struct arrow_column *column, int64_t row, dbsql_error **error) {
  int64_t first, end;
  arrow_column_entries(column, row, &first, &end);
  buf_append_byte(writer->out, '[');
  for (int64_t i = first; i < end; i++) {
    if (i != first) buf_append_byte(writer->out, ',');
    dbsql_status status = write_value(writer, &column->children[0], i, error);
    if (status == DBSQL_OK) status = check_room(writer, column, error);
    if (status != DBSQL_OK) return status;
  }
  buf_append_byte(writer->out, ']');
  return DBSQL_OK;
}

static dbsql_status write_struct(const struct writer *writer, const struct arrow_column *column, int64_t row, dbsql_error **error) {
  buf_append_byte(writer->out, '{');
  for (int64_t i = 0; i < column->child_count; i++) {
    const struct arrow_column *child = &column->children[i];
    if (i != 0) buf_append_byte(writer->out, ',');
    append_string(writer->out, slice_text(child->name));
    buf_append_byte(writer->out, ':');
    dbsql_status status = write_value(writer, child, row + column->offset, error);
    if (status == DBSQL_OK) status = check_room(writer, column, error);
    if (status != DBSQL_OK) return status;
  }
  buf_append_byte(writer->out, '}');
  return DBSQL_OK;
}

/* A key is always a string: what is none (a number, true, null, a nested value) is written and then put into quotes. */
static dbsql_status write_key(const struct writer *writer, const struct arrow_column *column, int64_t row, dbsql_error **error) {
  struct buf *out = writer->out;
  size_t start = out->size;
  dbsql_status status = write_value(writer, column, row, error);
  if (status != DBSQL_OK || buf_failed(out) || out->data[start] == '"') return status;
  struct buf text = BUF_INIT;
  buf_append(&text, out->data + start, out->size - start);
  if (buf_failed(&text)) out->failed = true;
  out->size = start;
  append_string(out, buf_slice(&text));
  buf_free(&text);
  return DBSQL_OK;
}

static dbsql_status write_map(const struct writer *writer, const struct arrow_column *column, int64_t row, dbsql_error **error) {
  const struct arrow_column *entries = &column->children[0];
  int64_t first, end;
  arrow_column_entries(column, row, &first, &end);
  buf_append_byte(writer->out, '{');
  for (int64_t i = first; i < end; i++) {
    if (i != first) buf_append_byte(writer->out, ',');
    dbsql_status status = write_key(writer, &entries->children[0], i + entries->offset, error);
    if (status != DBSQL_OK) return status;
    buf_append_byte(writer->out, ':');
    status = write_value(writer, &entries->children[1], i + entries->offset, error);
    if (status == DBSQL_OK) status = check_room(writer, column, error);
    if (status != DBSQL_OK) return status;
  }
  buf_append_byte(writer->out, '}');
  return DBSQL_OK;
}

/* The recursion is as deep as the type, which arrow_column_bind() bounds. */
static dbsql_status write_value(const struct writer *writer, const struct arrow_column *column, int64_t row, dbsql_error **error) {
  struct buf *out = writer->out;
  dbsql_status status = DBSQL_OK;
  if (column->kind == ARROW_UNSUPPORTED) return column_unsupported(column, error);
  if (arrow_column_is_null(column, row)) {
    buf_append(out, "null", 4);
    return DBSQL_OK;
  }
  switch (column->kind) {
    case ARROW_UTF8:
    case ARROW_LARGE_UTF8: append_string(out, arrow_column_bytes(column, row)); break;
    case ARROW_BINARY:
    case ARROW_LARGE_BINARY:
    case ARROW_FIXED_BINARY: append_base64(out, arrow_column_bytes(column, row)); break;
    case ARROW_LIST:
    case ARROW_LARGE_LIST:
    case ARROW_FIXED_LIST: return write_list(writer, column, row, error);
    case ARROW_STRUCT: return write_struct(writer, column, row, error);
    case ARROW_MAP: return write_map(writer, column, row, error);
    case ARROW_HALF:
    case ARROW_FLOAT:
    case ARROW_DOUBLE: append_float(column, row, out); break;
    case ARROW_DATE_DAY:
    case ARROW_DATE_MILLI:
    case ARROW_TIME:
    case ARROW_TIMESTAMP:
    case ARROW_DURATION:
    case ARROW_INTERVAL_MONTH:
    case ARROW_INTERVAL_DAY_TIME:
    case ARROW_INTERVAL_MONTH_DAY_NANO:
      buf_append_byte(out, '"');
      status = column_append_scalar(column, row, out, error);
      buf_append_byte(out, '"');
      break;
    default: status = column_append_scalar(column, row, out, error); break;
  }
  return status;
}

dbsql_status arrow_column_json(const struct arrow_column *column, int64_t row, struct buf *out, dbsql_error **error) {
  struct writer writer = {out, out->size};
  dbsql_status status = write_value(&writer, column, row, error);
  if (status == DBSQL_OK && buf_failed(out)) status = error_no_memory(error);
  if (status != DBSQL_OK) out->size = writer.start;
  return status;
}
