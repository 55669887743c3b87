#include "arrow/column_text.h"

#include "arrow/calendar.h"
#include "arrow/time_zone.h"
#include "base/error.h"

dbsql_status column_unsupported(const struct arrow_column *column, dbsql_error **error) {
  return error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "column \"%s\": values of the Arrow type \"%s\" cannot be shown as text",
                   column->name, column->format);
}

static inline const uint8_t *value_at(const struct arrow_column *column, int64_t row) {
  return (const uint8_t *)column->data + (row + column->offset) * column->width;
}

size_t column_write_float(const struct arrow_column *column, int64_t row, char out[number_float_size]) {
  const uint8_t *stored = value_at(column, row);
  if (column->kind == ARROW_DOUBLE) {
    double value;
    memcpy(&value, stored, sizeof value);
    return number_write_double(out, value);
  }
  if (column->kind == ARROW_FLOAT) {
    float value;
    memcpy(&value, stored, sizeof value);
    return number_write_float(out, value);
  }
  uint16_t bits;
  memcpy(&bits, stored, sizeof bits);
  return number_write_half(out, bits);
}

static dbsql_status write_timestamp(const struct arrow_column *column, int64_t value, char *out, size_t *length, dbsql_error **error) {
  int32_t shift = 0;
  if (column->has_zone) {
    struct time_zone *zone = column->zone;
    if (zone->problem) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "column \"%s\": timestamps in the time zone \"%s\" cannot be shown: %s",
                       column->name, strchr(column->format, ':') + 1, zone->problem);
    }
    shift = time_zone_offset(zone, floor_divide(value, column->unit));
  }
  *length = calendar_write_timestamp(out, value, column->unit, shift);
  return DBSQL_OK;
}

/* Months, days and nanoseconds, each with its own sign: as the two kinds of intervals that SQL has, one after the other. */
static size_t write_month_day_nano(const uint8_t *stored, char *out) {
  int32_t months, days;
  int64_t nanos;
  memcpy(&months, stored, sizeof months);
  memcpy(&days, stored + 4, sizeof days);
  memcpy(&nanos, stored + 8, sizeof nanos);
  size_t length = calendar_write_months(out, months);
  out[length++] = ' ';
  return length + calendar_write_days_nanos(out + length, days, nanos);
}

dbsql_status column_append_scalar(const struct arrow_column *column, int64_t row, struct buf *out, dbsql_error **error) {
  _Static_assert((int)calendar_text_size >= (int)number_float_size, "room for any");
  enum { room = number_decimal_size };
  if (!buf_reserve(out, room)) return DBSQL_OK;
  char *at = (char *)out->data + out->size;
  size_t length = 0;
  int64_t value = 0;
  dbsql_status status = DBSQL_OK;
  switch (column->kind) {
    case ARROW_BOOL:
      length = arrow_column_bool(column, row) ? 4 : 5;
      memcpy(at, length == 4 ? "true" : "false", length);
      break;
    case ARROW_INT8:
    case ARROW_INT16:
    case ARROW_INT32:
    case ARROW_INT64:
    case ARROW_UINT8:
    case ARROW_UINT16:
    case ARROW_UINT32:
      arrow_column_int64(column, row, &value);
      length = number_write_int64(at, value);
      break;
    case ARROW_UINT64: {
      uint64_t large;
      memcpy(&large, value_at(column, row), sizeof large);
      length = number_write_uint64(at, large);
      break;
    }
    case ARROW_HALF:
    case ARROW_FLOAT:
    case ARROW_DOUBLE: length = column_write_float(column, row, at); break;
    case ARROW_DECIMAL: {
      int64_t high;
      uint64_t low;
      arrow_column_decimal(column, row, &high, &low);
      length = number_write_decimal(at, high, low, column->scale);
      break;
    }
    case ARROW_DATE_DAY:
      arrow_column_int64(column, row, &value);
      length = calendar_write_date(at, value);
      break;
    case ARROW_DATE_MILLI:
      arrow_column_int64(column, row, &value);
      length = calendar_write_date(at, floor_divide(value, seconds_in_day * INT64_C(1000)));
      break;
    case ARROW_TIME:
      arrow_column_int64(column, row, &value);
      if (!calendar_write_time(at, value, column->unit, &length)) {
        status = error_set(error, DBSQL_ERROR_DRIVER, "22008", "column \"%s\": %lld is not a time of day (in 1/%d s)", column->name,
                           (long long)value, (int)column->unit);
      }
      break;
    case ARROW_TIMESTAMP:
      arrow_column_int64(column, row, &value);
      status = write_timestamp(column, value, at, &length, error);
      break;
    case ARROW_DURATION:
      arrow_column_int64(column, row, &value);
      length = calendar_write_duration(at, value, column->unit);
      break;
    case ARROW_INTERVAL_MONTH:
      arrow_column_int64(column, row, &value);
      length = calendar_write_months(at, value);
      break;
    case ARROW_INTERVAL_DAY_TIME: {
      int32_t stored[2]; /* days, milliseconds */
      memcpy(stored, value_at(column, row), sizeof stored);
      length = calendar_write_duration(at, stored[0] * (seconds_in_day * INT64_C(1000)) + stored[1], 1000);
      break;
    }
    case ARROW_INTERVAL_MONTH_DAY_NANO: length = write_month_day_nano(value_at(column, row), at); break;
    default: status = column_unsupported(column, error); break;
  }
  out->size += length;
  return status;
}

void column_append_hex(struct buf *out, struct slice bytes) {
  static const char digits[] = "0123456789ABCDEF";
  if (bytes.size > SIZE_MAX / 2) {
    out->failed = true;
    return;
  }
  uint8_t *at = buf_extend(out, 2 * bytes.size);
  if (!at) return;
  for (size_t i = 0; i < bytes.size; i++) {
    *at++ = (uint8_t)digits[bytes.data[i] >> 4];
    *at++ = (uint8_t)digits[bytes.data[i] & 15];
  }
}

dbsql_status arrow_column_text(const struct arrow_column *column, int64_t row, struct buf *out, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  if (column->kind == ARROW_UNSUPPORTED) return column_unsupported(column, error);
  if (arrow_column_is_null(column, row)) return DBSQL_OK;
  switch (column->kind) {
    case ARROW_UTF8:
    case ARROW_LARGE_UTF8: buf_append_slice(out, arrow_column_bytes(column, row)); break;
    case ARROW_BINARY:
    case ARROW_LARGE_BINARY:
    case ARROW_FIXED_BINARY: column_append_hex(out, arrow_column_bytes(column, row)); break;
    case ARROW_LIST:
    case ARROW_LARGE_LIST:
    case ARROW_FIXED_LIST:
    case ARROW_STRUCT:
    case ARROW_MAP: return arrow_column_json(column, row, out, error);
    default: status = column_append_scalar(column, row, out, error); break;
  }
  /* Each of them appends all or nothing. */
  return status == DBSQL_OK && buf_failed(out) ? error_no_memory(error) : status;
}
