/* Rules of POSIX TZ texts with the extensions of RFC 8536: names in <>, hours from -167 to 167. */
#include "arrow/calendar.h"
#include "arrow/time_zone.h"
#include "base/text.h"

struct cursor {
  const char *at;
  const char *end;
};

static char peek(const struct cursor *cursor) {
  return cursor->at < cursor->end ? *cursor->at : 0;
}

static bool skip(struct cursor *cursor, char c) {
  if (peek(cursor) != c) return false;
  cursor->at++;
  return true;
}

static bool read_number(struct cursor *cursor, int32_t least, int32_t most, int32_t *value) {
  if (!text_is_digit(peek(cursor))) return false;
  int32_t number = 0;
  while (text_is_digit(peek(cursor))) {
    number = number * 10 + (*cursor->at++ - '0');
    if (number > most) return false;
  }
  *value = number;
  return number >= least;
}

/* At least three letters, or <anything of letters, digits, + and ->. */
static bool skip_name(struct cursor *cursor) {
  const char *start;
  if (skip(cursor, '<')) {
    start = cursor->at;
    while (text_is_alpha(peek(cursor)) || text_is_digit(peek(cursor)) || peek(cursor) == '+' || peek(cursor) == '-') cursor->at++;
    return cursor->at - start >= 3 && skip(cursor, '>');
  }
  start = cursor->at;
  while (text_is_alpha(peek(cursor))) cursor->at++;
  return cursor->at - start >= 3;
}

/* [+-]hh[:mm[:ss]] in seconds */
static bool read_time(struct cursor *cursor, int32_t most_hours, int32_t *seconds) {
  bool negative = skip(cursor, '-');
  if (!negative) skip(cursor, '+');
  int32_t hour, minute = 0, second = 0;
  if (!read_number(cursor, 0, most_hours, &hour)) return false;
  if (skip(cursor, ':')) {
    if (!read_number(cursor, 0, 59, &minute)) return false;
    if (skip(cursor, ':') && !read_number(cursor, 0, 59, &second)) return false;
  }
  *seconds = hour * 3600 + minute * 60 + second;
  if (negative) *seconds = -*seconds;
  return true;
}

static bool read_date(struct cursor *cursor, struct zone_rule_date *date) {
  if (!skip(cursor, ',')) return false;
  if (skip(cursor, 'M')) {
    date->form = ZONE_RULE_WEEKDAY;
    if (!read_number(cursor, 1, 12, &date->month) || !skip(cursor, '.') || !read_number(cursor, 1, 5, &date->week) || !skip(cursor, '.') ||
        !read_number(cursor, 0, 6, &date->day)) {
      return false;
    }
  } else if (skip(cursor, 'J')) {
    date->form = ZONE_RULE_JULIAN;
    if (!read_number(cursor, 1, 365, &date->day)) return false;
  } else {
    date->form = ZONE_RULE_DAY;
    if (!read_number(cursor, 0, 365, &date->day)) return false;
  }
  date->seconds = 2 * 3600;
  return !skip(cursor, '/') || read_time(cursor, 167, &date->seconds);
}

bool zone_rule_parse(struct zone_rule *rule, const char *text, size_t length) {
  struct cursor cursor = {text, text + length};
  *rule = (struct zone_rule){0};
  int32_t west;
  if (!skip_name(&cursor) || !read_time(&cursor, 24, &west)) return false;
  rule->standard = -west;
  if (cursor.at == cursor.end) return true;
  rule->has_summer = true;
  rule->summer = rule->standard + 3600;
  if (!skip_name(&cursor)) return false;
  if (peek(&cursor) != ',') {
    if (!read_time(&cursor, 24, &west)) return false;
    rule->summer = -west;
  }
  /* Without dates the text would leave to the system when summer is: of no use in a file. */
  return read_date(&cursor, &rule->begin) && read_date(&cursor, &rule->end) && cursor.at == cursor.end;
}

/* The day of a year, since 1970. */
static int64_t day_in_year(const struct zone_rule_date *date, int64_t year) {
  if (date->form == ZONE_RULE_DAY) return calendar_days_of(year, 1, 1) + date->day;
  if (date->form == ZONE_RULE_JULIAN) return calendar_days_of(year, 1, 1) + date->day - 1 + (date->day > 59 && calendar_is_leap(year));
  int64_t first = calendar_days_of(year, date->month, 1);
  int64_t weekday = floor_modulo(first + 4, 7); /* 1970-01-01 was a Thursday */
  int64_t day = first + floor_modulo(date->day - weekday, 7) + 7 * (date->week - 1);
  return day < calendar_days_of(year, date->month + 1, 1) ? day : day - 7;
}

struct zone_span zone_rule_at(const struct zone_rule *rule, int64_t instant) {
  struct zone_span span = {INT64_MIN, INT64_MAX, rule->standard};
  if (!rule->has_summer) return span;
  /* The calendar repeats after 400 years: count in the ones from 2000 on, where nothing overflows. */
  const int64_t period = (int64_t)days_in_400_years * seconds_in_day, base = INT64_C(946684800);
  int64_t reduced = instant;
  if (instant < base || instant >= base + period) reduced = base + floor_modulo(floor_modulo(instant, period) - base, period);
  int64_t year = calendar_date_of(floor_divide(reduced, seconds_in_day)).year;
  /* The last change up to the instant and the first after it. A year's beginning of summer comes after the end of the year before it:
   * where both fall together, it is always summer. */
  for (int64_t y = year - 1; y <= year + 1; y++) {
    int64_t begin = day_in_year(&rule->begin, y) * seconds_in_day + rule->begin.seconds - rule->standard;
    int64_t end = day_in_year(&rule->end, y) * seconds_in_day + rule->end.seconds - rule->summer;
    if (end <= reduced && end > span.from) {
      span.from = end;
      span.offset = rule->standard;
    }
    if (end > reduced && end < span.until) span.until = end;
    if (begin <= reduced && begin >= span.from) {
      span.from = begin;
      span.offset = rule->summer;
    }
    if (begin > reduced && begin < span.until) span.until = begin;
  }
  /* Back to where the question was; at the ends of time the answer holds for the instant only. */
  int64_t moved;
  if (__builtin_sub_overflow(instant, reduced, &moved) || __builtin_add_overflow(span.from, moved, &span.from) ||
      __builtin_add_overflow(span.until, moved, &span.until)) {
    span.from = instant;
    span.until = instant;
  }
  return span;
}
