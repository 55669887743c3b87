/* Dates, times and intervals as text: the proleptic Gregorian calendar, exact over the whole range of 64 bits. */
#ifndef DBSQL_ARROW_CALENDAR_H
#define DBSQL_ARROW_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline int64_t floor_divide(int64_t value, int64_t divisor) {
  return value / divisor - (value % divisor < 0);
}
static inline int64_t floor_modulo(int64_t value, int64_t divisor) {
  int64_t rest = value % divisor;
  return rest < 0 ? rest + divisor : rest;
}

enum { seconds_in_day = 86400, days_in_400_years = 146097 };

struct calendar_date {
  int64_t year; /* 0 is 1 BC */
  int32_t month;
  int32_t day;
};

/* Days since 1970-01-01. |days| up to 10^15. */
struct calendar_date calendar_date_of(int64_t days);
/* `month` and `day` need not be in range: the day is added to the first of the month. |year| up to 10^12. */
int64_t calendar_days_of(int64_t year, int32_t month, int32_t day);
static inline bool calendar_is_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Each writer puts its text (no terminator) at `out`, which has room for calendar_text_size, and returns the length. */
enum { calendar_text_size = 64 };

/* 2024-02-29; years before 0 as -0001, after 9999 as +10000. |days| up to 10^15. */
size_t calendar_write_date(char *out, int64_t days);
/* 2024-02-29 12:34:56.789: the fraction without zeros at its end, left out if it is zero. `units` in a second: 1 to 10^9;
 * `shift` is added in seconds (less than a month). */
size_t calendar_write_timestamp(char *out, int64_t value, int32_t units, int32_t shift);
/* 12:34:56.789. False for a value that is not a time of day (0 to 24 hours). */
bool calendar_write_time(char *out, int64_t value, int32_t units, size_t *length);
/* Year-month intervals: 1-2, -0-1. */
size_t calendar_write_months(char *out, int64_t months);
/* Day-time intervals: 1 02:03:04.000000005, nine digits always, the sign in front. */
size_t calendar_write_duration(char *out, int64_t value, int32_t units);
/* The same for days and nanoseconds with signs of their own. */
size_t calendar_write_days_nanos(char *out, int32_t days, int64_t nanos);

#endif
