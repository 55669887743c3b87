#include "session/parameter_value.h"

#include <stdio.h>

#include "base/error.h"
#include "base/text.h"

enum { most_digits = 38, first_day = -719162, last_day = 2932896 /* 0001-01-01, 9999-12-31 */ };

static void set_type(struct parameter_text *out, const char *type) {
  snprintf(out->type, sizeof out->type, "%s", type);
}

void parameter_write_bool(struct parameter_text *out, bool value) {
  set_type(out, "BOOLEAN");
  out->length = value ? 4 : 5;
  memcpy(out->text, value ? "true" : "false", out->length);
}

void parameter_write_int(struct parameter_text *out, int64_t value, bool is_wide) {
  set_type(out, is_wide ? "BIGINT" : "INT");
  out->length = number_write_int64(out->text, value);
}

void parameter_write_uint64(struct parameter_text *out, uint64_t value, bool as_decimal) {
  set_type(out, as_decimal ? "DECIMAL(20,0)" : "BIGINT");
  out->length = number_write_uint64(out->text, value);
}

/* Columns are shown with an exponent from 10^7 on, as the server does; what is sent is plain up to 10^16. */
static void make_plain(struct parameter_text *out) {
  char *e = memchr(out->text, 'E', out->length);
  if (!e || e[1] < '0' || e[1] > '9') return;
  size_t exponent = 0, sign = out->text[0] == '-' ? 1 : 0;
  for (const char *at = e + 1; at < out->text + out->length; at++) exponent = exponent * 10 + (size_t)(*at - '0');
  if (exponent >= 16) return;
  /* d.ddd becomes ddd.d: the point moves to the right, over zeros if the digits end. */
  char digits[parameter_text_size];
  size_t count = 0;
  for (const char *at = out->text + sign; at < e; at++) {
    if (*at != '.') digits[count++] = *at;
  }
  while (count > 1 && digits[count - 1] == '0') count--;
  char *at = out->text + sign;
  for (size_t i = 0; i <= exponent; i++) *at++ = i < count ? digits[i] : '0';
  *at++ = '.';
  if (count <= exponent + 1) *at++ = '0';
  for (size_t i = exponent + 1; i < count; i++) *at++ = digits[i];
  out->length = (size_t)(at - out->text);
}

void parameter_write_double(struct parameter_text *out, double value) {
  set_type(out, "DOUBLE");
  out->length = number_write_double(out->text, value);
  make_plain(out);
}

void parameter_write_float(struct parameter_text *out, float value) {
  set_type(out, "FLOAT");
  out->length = number_write_float(out->text, value);
  make_plain(out);
}

dbsql_status parameter_write_decimal(struct parameter_text *out, int64_t high, uint64_t low, int32_t precision, int32_t scale,
                                     dbsql_error **error) {
  if (scale < -most_digits || scale > most_digits) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22003", "a decimal with the scale %d: DECIMAL has at most %d digits", (int)scale,
                     (int)most_digits);
  }
  char whole[number_decimal_size];
  size_t digits = number_write_decimal(whole, high, low, 0);
  if (whole[0] == '-') digits--;
  out->length = number_write_decimal(out->text, high, low, scale);
  /* With a negative scale zeros are appended. */
  int32_t needed = (int32_t)digits;
  if (scale < 0) {
    needed -= scale;
    if (precision) precision -= scale;
    scale = 0;
  }
  if (needed < scale) needed = scale;
  if (precision < needed) precision = needed;
  if (precision > most_digits) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22003", "a decimal of %d digits: DECIMAL has at most %d", (int)precision,
                     (int)most_digits);
  }
  snprintf(out->type, sizeof out->type, "DECIMAL(%d,%d)", (int)precision, (int)scale);
  return DBSQL_OK;
}

dbsql_status parameter_write_date(struct parameter_text *out, int64_t days, dbsql_error **error) {
  set_type(out, "DATE");
  if (days < first_day || days > last_day) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22008", "a date %lld days from 1970-01-01 lies outside of the years 0001 to 9999",
                     (long long)days);
  }
  out->length = calendar_write_date(out->text, days);
  return DBSQL_OK;
}

dbsql_status parameter_write_timestamp(struct parameter_text *out, int64_t value, int32_t units, bool is_instant, dbsql_error **error) {
  set_type(out, is_instant ? "TIMESTAMP" : "TIMESTAMP_NTZ");
  int64_t days = floor_divide(floor_divide(value, units), seconds_in_day);
  if (days < first_day || days > last_day) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22008", "a timestamp %lld/%d s from 1970-01-01 lies outside of the years 0001 to 9999",
                     (long long)value, (int)units);
  }
  if (units > 1000000 && value % (units / 1000000) != 0) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22008", "a timestamp %lld/%d s from 1970-01-01 is finer than microseconds",
                     (long long)value, (int)units);
  }
  out->length = calendar_write_timestamp(out->text, value, units, 0);
  if (is_instant) out->text[out->length++] = 'Z';
  return DBSQL_OK;
}

void parameter_write_months(struct parameter_text *out, int64_t months) {
  set_type(out, "INTERVAL YEAR TO MONTH");
  out->length = calendar_write_months(out->text, months);
}

void parameter_write_micros(struct parameter_text *out, int64_t micros) {
  set_type(out, "INTERVAL DAY TO SECOND");
  out->length = calendar_write_duration(out->text, micros, 1000000);
}

dbsql_status parameter_decimal_type(struct slice text, char type[parameter_type_size], dbsql_error **error) {
  const char *at = (const char *)text.data, *end = at + text.size;
  size_t whole = 0, fraction = 0, digits = 0;
  if (at < end && (*at == '-' || *at == '+')) at++;
  for (; at < end && text_is_digit(*at); at++, digits++) {
    if (whole > 0 || *at != '0') whole++; /* zeros in front do not count */
  }
  if (at < end && *at == '.') {
    for (at++; at < end && text_is_digit(*at); at++, digits++) fraction++;
  }
  if (at != end || digits == 0) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22018",
                     "a DECIMAL without precision must be digits with at most one point and no exponent; byte %zu is not",
                     (size_t)(at - (const char *)text.data));
  }
  size_t precision = whole + fraction;
  if (precision == 0) precision = 1;
  if (precision > most_digits) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22003", "a decimal of %zu digits: DECIMAL has at most %d", precision, (int)most_digits);
  }
  snprintf(type, parameter_type_size, "DECIMAL(%d,%d)", (int)precision, (int)fraction);
  return DBSQL_OK;
}
