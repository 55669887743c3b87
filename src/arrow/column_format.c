#include "arrow/column_format.h"

#include <string.h>

#include "base/text.h"

/* A decimal number with an optional sign and at most six digits; moves `*at` behind it. */
static bool parse_number(const char **at, int32_t *value) {
  const char *p = *at;
  bool negative = *p == '-';
  if (negative) p++;
  int32_t number = 0;
  int digits = 0;
  for (; text_is_digit(*p) && digits < 7; p++, digits++) number = number * 10 + (*p - '0');
  if (digits == 0 || text_is_digit(*p)) return false;
  *value = negative ? -number : number;
  *at = p;
  return true;
}

static struct arrow_format parse_decimal(const char *parameters) {
  enum { largest_precision = 38, largest_scale = 128 };
  struct arrow_format result = {.kind = ARROW_UNSUPPORTED};
  int32_t bits = 128;
  if (*parameters++ != ':') return result;
  if (!parse_number(&parameters, &result.precision) || *parameters++ != ',') return result;
  if (!parse_number(&parameters, &result.scale)) return result;
  if (*parameters == ',') {
    parameters++;
    if (!parse_number(&parameters, &bits)) return result;
  }
  if (*parameters || bits != 128 || result.precision < 1 || result.precision > largest_precision || result.scale < -largest_scale ||
      result.scale > largest_scale) {
    return result;
  }
  result.kind = ARROW_DECIMAL;
  result.width = 16;
  return result;
}

/* "w:N" and "+w:N", from the colon on. */
static struct arrow_format parse_sized(const char *parameters, enum arrow_kind kind) {
  struct arrow_format result = {.kind = ARROW_UNSUPPORTED};
  if (*parameters++ != ':' || !parse_number(&parameters, &result.width) || *parameters || result.width < 0) return result;
  result.kind = kind;
  return result;
}

static int32_t units_in_second(char unit) {
  switch (unit) {
    case 's': return 1;
    case 'm': return 1000;
    case 'u': return 1000000;
    case 'n': return 1000000000;
    default: return 0;
  }
}

/* Everything that begins with "t". */
static struct arrow_format parse_temporal(const char *format) {
  const struct arrow_format unsupported = {.kind = ARROW_UNSUPPORTED};
  if (strcmp(format, "tdD") == 0) return (struct arrow_format){.kind = ARROW_DATE_DAY, .width = 4};
  if (strcmp(format, "tdm") == 0) return (struct arrow_format){.kind = ARROW_DATE_MILLI, .width = 8};
  if (strcmp(format, "tiM") == 0) return (struct arrow_format){.kind = ARROW_INTERVAL_MONTH, .width = 4};
  if (strcmp(format, "tiD") == 0) return (struct arrow_format){.kind = ARROW_INTERVAL_DAY_TIME, .width = 8};
  if (strcmp(format, "tin") == 0) return (struct arrow_format){.kind = ARROW_INTERVAL_MONTH_DAY_NANO, .width = 16};
  if (!format[1] || !format[2]) return unsupported;
  struct arrow_format result = {.unit = units_in_second(format[2]), .width = 8};
  if (result.unit == 0) return unsupported;
  switch (format[1]) {
    case 't':
      result.kind = ARROW_TIME;
      if (result.unit <= 1000) result.width = 4;
      return format[3] ? unsupported : result;
    case 'D': result.kind = ARROW_DURATION; return format[3] ? unsupported : result;
    case 's':
      result.kind = ARROW_TIMESTAMP;
      if (format[3] != ':') return unsupported;
      if (format[4]) result.zone = format + 4;
      return result;
    default: return unsupported;
  }
}

struct arrow_format arrow_format_parse(const char *format) {
  static const struct {
    char letter;
    uint8_t kind;
    uint8_t width;
  } plain[] = {
      {'n', ARROW_NULL, 0},       {'b', ARROW_BOOL, 0},         {'c', ARROW_INT8, 1},   {'C', ARROW_UINT8, 1}, {'s', ARROW_INT16, 2},
      {'S', ARROW_UINT16, 2},     {'i', ARROW_INT32, 4},        {'I', ARROW_UINT32, 4}, {'l', ARROW_INT64, 8}, {'L', ARROW_UINT64, 8},
      {'e', ARROW_HALF, 2},       {'f', ARROW_FLOAT, 4},        {'g', ARROW_DOUBLE, 8}, {'u', ARROW_UTF8, 0},  {'z', ARROW_BINARY, 0},
      {'U', ARROW_LARGE_UTF8, 0}, {'Z', ARROW_LARGE_BINARY, 0},
  };
  const struct arrow_format unsupported = {.kind = ARROW_UNSUPPORTED};
  if (!format || !format[0]) return unsupported;
  if (!format[1]) {
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
      if (plain[i].letter == format[0]) return (struct arrow_format){.kind = (enum arrow_kind)plain[i].kind, .width = plain[i].width};
    }
    return unsupported;
  }
  switch (format[0]) {
    case 'd': return parse_decimal(format + 1);
    case 'w': return parse_sized(format + 1, ARROW_FIXED_BINARY);
    case 't': return parse_temporal(format);
    case '+': break;
    default: return unsupported;
  }
  if (format[1] == 'w') return parse_sized(format + 2, ARROW_FIXED_LIST);
  if (format[2]) return unsupported;
  switch (format[1]) {
    case 'l': return (struct arrow_format){.kind = ARROW_LIST};
    case 'L': return (struct arrow_format){.kind = ARROW_LARGE_LIST};
    case 's': return (struct arrow_format){.kind = ARROW_STRUCT};
    case 'm': return (struct arrow_format){.kind = ARROW_MAP};
    default: return unsupported;
  }
}
