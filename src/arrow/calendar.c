#include "arrow/calendar.h"

#include <string.h>

#include "arrow/number.h"

/* Both conversions count in years that begin in March, so that the leap day comes last (H. Hinnant, "chrono-compatible low-level date
 * algorithms"). */

struct calendar_date calendar_date_of(int64_t days) {
  int64_t shifted = days + 719468; /* from 0000-03-01 */
  int64_t era = floor_divide(shifted, days_in_400_years);
  int32_t day_of_era = (int32_t)(shifted - era * days_in_400_years);
  int32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int32_t month = (5 * day_of_year + 2) / 153; /* March is 0 */
  struct calendar_date date;
  date.day = day_of_year - (153 * month + 2) / 5 + 1;
  date.month = month < 10 ? month + 3 : month - 9;
  date.year = year_of_era + era * 400 + (date.month <= 2);
  return date;
}

int64_t calendar_days_of(int64_t year, int32_t month, int32_t day) {
  year += floor_divide(month - 1, 12);
  month = (int32_t)floor_modulo(month - 1, 12) + 1;
  if (month <= 2) year--;
  int64_t era = floor_divide(year, 400);
  int32_t year_of_era = (int32_t)(year - era * 400);
  int32_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;
  int32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * days_in_400_years + day_of_era - 719468 + day - 1;
}

size_t calendar_write_date(char *out, int64_t days) {
  struct calendar_date date = calendar_date_of(days);
  char *at = out;
  if (date.year >= 0 && date.year <= 9999) {
    number_write_padded(at, (uint64_t)date.year, 4);
    at += 4;
  } else {
    *at++ = date.year < 0 ? '-' : '+';
    uint64_t year = date.year < 0 ? 0 - (uint64_t)date.year : (uint64_t)date.year;
    if (year <= 9999) {
      number_write_padded(at, year, 4);
      at += 4;
    } else {
      at += number_write_uint64(at, year);
    }
  }
  *at++ = '-';
  number_write_padded(at, (uint64_t)date.month, 2);
  at[2] = '-';
  number_write_padded(at + 3, (uint64_t)date.day, 2);
  return (size_t)(at + 5 - out);
}

/* `seconds` up to a day, and a bit. */
static char *write_clock(char *at, uint32_t seconds) {
  number_write_padded(at, seconds / 3600, 2);
  at[2] = ':';
  number_write_padded(at + 3, seconds / 60 % 60, 2);
  at[5] = ':';
  number_write_padded(at + 6, seconds % 60, 2);
  return at + 8;
}

/* `fraction` of `units` (at most 10^9) in a second */
static char *write_fraction(char *at, uint32_t fraction, int32_t units) {
  if (fraction == 0) return at;
  int digits = 0;
  for (int32_t rest = units; rest > 1; rest /= 10) digits++;
  while (fraction % 10 == 0) {
    fraction /= 10;
    digits--;
  }
  *at++ = '.';
  number_write_padded(at, fraction, digits);
  return at + digits;
}

size_t calendar_write_timestamp(char *out, int64_t value, int32_t units, int32_t shift) {
  int64_t seconds = floor_divide(value, units);
  /* The shift is added to the second of the day: the sum of the whole could overflow. */
  int64_t of_day = floor_modulo(seconds, seconds_in_day) + shift;
  int64_t days = floor_divide(seconds, seconds_in_day) + floor_divide(of_day, seconds_in_day);
  size_t length = calendar_write_date(out, days);
  out[length++] = ' ';
  char *end = write_clock(out + length, (uint32_t)floor_modulo(of_day, seconds_in_day));
  end = write_fraction(end, (uint32_t)floor_modulo(value, units), units);
  return (size_t)(end - out);
}

bool calendar_write_time(char *out, int64_t value, int32_t units, size_t *length) {
  if (value < 0 || value > (int64_t)seconds_in_day * units) return false;
  char *end = write_clock(out, (uint32_t)(value / units));
  end = write_fraction(end, (uint32_t)(value % units), units);
  *length = (size_t)(end - out);
  return true;
}

size_t calendar_write_months(char *out, int64_t months) {
  char *at = out;
  if (months < 0) *at++ = '-';
  uint64_t magnitude = months < 0 ? 0 - (uint64_t)months : (uint64_t)months;
  at += number_write_uint64(at, magnitude / 12);
  *at++ = '-';
  at += number_write_uint64(at, magnitude % 12);
  return (size_t)(at - out);
}

static size_t write_day_time(char *out, bool negative, uint64_t days, uint64_t seconds, uint64_t nanos) {
  char *at = out;
  if (negative) *at++ = '-';
  at += number_write_uint64(at, days);
  *at++ = ' ';
  at = write_clock(at, (uint32_t)seconds);
  *at++ = '.';
  number_write_padded(at, nanos, 9);
  return (size_t)(at + 9 - out);
}

size_t calendar_write_duration(char *out, int64_t value, int32_t units) {
  /* The magnitude of INT64_MIN has no int64. */
  uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value, per_second = (uint64_t)units;
  uint64_t seconds = magnitude / per_second;
  return write_day_time(out, value < 0, seconds / seconds_in_day, seconds % seconds_in_day,
                        magnitude % per_second * (1000000000 / per_second));
}

size_t calendar_write_days_nanos(char *out, int32_t days, int64_t nanos) {
  const int64_t day = INT64_C(86400000000000);
  int64_t whole = days + nanos / day, rest = nanos % day;
  if (whole > 0 && rest < 0) {
    whole--;
    rest += day;
  } else if (whole < 0 && rest > 0) {
    whole++;
    rest -= day;
  }
  bool negative = whole < 0 || rest < 0;
  uint64_t magnitude = (uint64_t)(rest < 0 ? -rest : rest);
  return write_day_time(out, negative, (uint64_t)(whole < 0 ? -whole : whole), magnitude / 1000000000, magnitude % 1000000000);
}
