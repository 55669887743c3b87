/* Dates, times, intervals and time zones. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow/calendar.h"
#include "arrow/time_zone.h"
#include "base/mem.h"

static void expect(const char *text, size_t length, const char *expected) {
  if (length != strlen(expected) || memcmp(text, expected, length) != 0) fail_msg("\"%.*s\" is not \"%s\"", (int)length, text, expected);
}

/* ---- Calendar ---- */

static void dates(void **state) {
  (void)state;
  static const struct {
    int64_t days;
    const char *text;
  } cases[] = {{0, "1970-01-01"},          {-1, "1969-12-31"},        {19782, "2024-02-29"},         {11016, "2000-02-29"},
               {-25509, "1900-02-28"},     {-25508, "1900-03-01"},    {-719162, "0001-01-01"},       {-719163, "0000-12-31"},
               {-719528, "0000-01-01"},    {-719529, "-0001-12-31"},  {2932896, "9999-12-31"},       {2932897, "+10000-01-01"},
               {-4371953, "-10000-01-01"}, {-4371587, "-9999-01-01"}, {INT32_MAX, "+5881580-07-11"}, {INT32_MIN, "-5877641-06-23"}};
  char out[calendar_text_size];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) expect(out, calendar_write_date(out, cases[i].days), cases[i].text);
  /* Each day follows the one before it, and both conversions agree, over a whole cycle and the years around 0. */
  struct calendar_date before = calendar_date_of(-800000);
  for (int64_t day = -799999; day < 200000; day++) {
    struct calendar_date date = calendar_date_of(day);
    assert_int_equal(calendar_days_of(date.year, date.month, date.day), day);
    static const int32_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t length = lengths[before.month - 1] + (before.month == 2 && calendar_is_leap(before.year));
    if (before.day < length) {
      assert_true(date.day == before.day + 1 && date.month == before.month && date.year == before.year);
    } else {
      assert_true(before.day == length && date.day == 1);
      assert_true(before.month < 12 ? date.month == before.month + 1 && date.year == before.year
                                    : date.month == 1 && date.year == before.year + 1);
    }
    before = date;
  }
  assert_int_equal(calendar_days_of(2023, 13, 1), calendar_days_of(2024, 1, 1));
}

static void timestamps(void **state) {
  (void)state;
  static const struct {
    int64_t value;
    int32_t units;
    int32_t shift;
    const char *text;
  } cases[] = {
      {0, 1000000, 0, "1970-01-01 00:00:00"},
      {-1, 1000000, 0, "1969-12-31 23:59:59.999999"},
      {1500000, 1000000, 0, "1970-01-01 00:00:01.5"},
      {1000001, 1000000, 0, "1970-01-01 00:00:01.000001"},
      {1709209496789000, 1000000, 0, "2024-02-29 12:24:56.789"},
      {1709209496789, 1000, 0, "2024-02-29 12:24:56.789"},
      {1709209496, 1, 0, "2024-02-29 12:24:56"},
      {1709209496000000001, 1000000000, 0, "2024-02-29 12:24:56.000000001"},
      {0, 1000000, -8 * 3600, "1969-12-31 16:00:00"},
      {0, 1000000, 14 * 3600, "1970-01-01 14:00:00"},
      {-1, 1000, 1, "1970-01-01 00:00:00.999"},
      {INT64_MAX, 1000000000, 0, "2262-04-11 23:47:16.854775807"},
      {INT64_MIN, 1000000000, 0, "1677-09-21 00:12:43.145224192"},
      {INT64_MAX, 1000000, 0, "+294247-01-10 04:00:54.775807"},
      {INT64_MIN, 1000000, 0, "-290308-12-21 19:59:05.224192"},
      {INT64_MAX, 1000, 0, "+292278994-08-17 07:12:55.807"},
      {INT64_MIN, 1000, 0, "-292275055-05-16 16:47:04.192"},
      {INT64_MAX, 1, 0, "+292277026596-12-04 15:30:07"},
      {INT64_MIN, 1, 0, "-292277022657-01-27 08:29:52"},
      {INT64_MAX, 1, 86400, "+292277026596-12-05 15:30:07"},
      {INT64_MIN, 1, -86400, "-292277022657-01-26 08:29:52"},
      {-62135596800000000, 1000000, 0, "0001-01-01 00:00:00"},
      {-62135596800000001, 1000000, 0, "0000-12-31 23:59:59.999999"},
      {253402300800000000, 1000000, 0, "+10000-01-01 00:00:00"},
  };
  char out[calendar_text_size];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    expect(out, calendar_write_timestamp(out, cases[i].value, cases[i].units, cases[i].shift), cases[i].text);
  }
}

static void times(void **state) {
  (void)state;
  static const struct {
    int64_t value;
    int32_t units;
    const char *text; /* NULL: not a time */
  } cases[] = {
      {0, 1, "00:00:00"},
      {86399, 1, "23:59:59"},
      {86400, 1, "24:00:00"},
      {86401, 1, NULL},
      {-1, 1, NULL},
      {45296789, 1000, "12:34:56.789"},
      {45296000000, 1000000, "12:34:56"},
      {45296000001, 1000000, "12:34:56.000001"},
      {86399999999999, 1000000000, "23:59:59.999999999"},
      {INT64_MAX, 1000000000, NULL},
      {INT64_MIN, 1, NULL},
  };
  char out[calendar_text_size];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t length = 0;
    assert_int_equal(calendar_write_time(out, cases[i].value, cases[i].units, &length), cases[i].text != NULL);
    if (cases[i].text) expect(out, length, cases[i].text);
  }
}

static void intervals(void **state) {
  (void)state;
  static const struct {
    int64_t months;
    const char *text;
  } months[] = {{0, "0-0"}, {14, "1-2"}, {-1, "-0-1"}, {-14, "-1-2"}, {12, "1-0"}, {INT32_MAX, "178956970-7"}, {INT32_MIN, "-178956970-8"}};
  char out[calendar_text_size];
  for (size_t i = 0; i < sizeof months / sizeof months[0]; i++) expect(out, calendar_write_months(out, months[i].months), months[i].text);
  static const struct {
    int64_t value;
    int32_t units;
    const char *text;
  } durations[] = {
      {0, 1000000, "0 00:00:00.000000000"},
      {86400000000, 1000000, "1 00:00:00.000000000"},
      {-86400000000, 1000000, "-1 00:00:00.000000000"},
      {-1, 1000000, "-0 00:00:00.000001000"},
      {93784000005, 1000000, "1 02:03:04.000005000"},
      {93784, 1, "1 02:03:04.000000000"},
      {93784005, 1000, "1 02:03:04.005000000"},
      {93784000000005, 1000000000, "1 02:03:04.000000005"},
      {INT64_MAX, 1000000, "106751991 04:00:54.775807000"},
      {INT64_MIN, 1000000, "-106751991 04:00:54.775808000"},
      {INT64_MAX, 1, "106751991167300 15:30:07.000000000"},
      {INT64_MIN, 1, "-106751991167300 15:30:08.000000000"},
      {INT64_MIN, 1000000000, "-106751 23:47:16.854775808"},
  };
  for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
    expect(out, calendar_write_duration(out, durations[i].value, durations[i].units), durations[i].text);
  }
  static const struct {
    int32_t days;
    int64_t nanos;
    const char *text;
  } mixed[] = {
      {0, 0, "0 00:00:00.000000000"},
      {1, -1, "0 23:59:59.999999999"},
      {-1, 1, "-0 23:59:59.999999999"},
      {0, -1, "-0 00:00:00.000000001"},
      {2, 86400000000001, "3 00:00:00.000000001"},
      {1, -86400000000001, "-0 00:00:00.000000001"},
      {INT32_MAX, INT64_MAX, "2147590398 23:47:16.854775807"},
      {INT32_MIN, INT64_MIN, "-2147590399 23:47:16.854775808"},
  };
  for (size_t i = 0; i < sizeof mixed / sizeof mixed[0]; i++) {
    expect(out, calendar_write_days_nanos(out, mixed[i].days, mixed[i].nanos), mixed[i].text);
  }
}

/* ---- Time zones ---- */

static void offsets(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int32_t offset; /* 1: refused */
  } cases[] = {{"+5:30", 19800},  {"+05:30", 19800},  {"-8", -28800},      {"-08", -28800}, {"+0800", 28800},    {"-00:00", 0},
               {"+18:00", 64800}, {"-18", -64800},    {"+01:02:03", 3723}, {"+18:01", 1},   {"+19", 1},          {"", 1},
               {"5:30", 1},       {"+", 1},           {"+5:", 1},          {"+5:3", 1},     {"+5:60", 1},        {"+5:30:", 1},
               {"+5:30:60", 1},   {"+530", 1},        {"+05300", 1},       {"+5:30x", 1},   {"+05:30:00:00", 1}, {"+-5", 1},
               {"+123", 1},       {"+99999999999", 1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int32_t offset = 7;
    bool ok = zone_offset_parse(cases[i].text, &offset);
    if (ok != (cases[i].offset != 1) || (ok && offset != cases[i].offset)) fail_msg("%s gives %d, %d", cases[i].text, ok, (int)offset);
  }
}

static struct time_zone *zone_of(const char *name) {
  struct time_zone *zone = NULL;
  assert_int_equal(time_zone_new(name, &zone, NULL), DBSQL_OK);
  return zone;
}

static void names_that_need_no_file(void **state) {
  (void)state;
  setenv("TZDIR", "/nonexistent", 1);
  static const struct {
    const char *name;
    int32_t offset;
  } cases[] = {{"UTC", 0},        {"Etc/UTC", 0},      {"Z", 0},       {"GMT", 0},       {"UTC+08:00", 28800}, {"UTC-3", -10800},
               {"GMT-3", -10800}, {"GMT+5:30", 19800}, {"UT+1", 3600}, {"+5:30", 19800}, {"-03:30", -12600},   {"EST", -18000},
               {"HST", -36000}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct time_zone *zone = zone_of(cases[i].name);
    if (zone->problem) fail_msg("%s: %s", cases[i].name, zone->problem);
    assert_int_equal(time_zone_offset(zone, 0), cases[i].offset);
    assert_int_equal(time_zone_offset(zone, INT64_MIN), cases[i].offset);
    assert_int_equal(time_zone_offset(zone, INT64_MAX), cases[i].offset);
    time_zone_free(zone);
  }
  unsetenv("TZDIR");
}

static void rules(void **state) {
  (void)state;
  struct zone_rule rule;
  static const char *const bad[] = {"",
                                    "X",
                                    "XX1",
                                    "XXX",
                                    "XXX+",
                                    "XXX25",
                                    "XXX1:60",
                                    "<XXX1",
                                    "<X>1",
                                    "XXX1YYY",
                                    "XXX1YYY,",
                                    "XXX1YYY,M3.2.0",
                                    "XXX1YYY,M3.2.0,",
                                    "XXX1YYY,M13.2.0,M1.1.1",
                                    "XXX1YYY,M3.6.0,M1.1.1",
                                    "XXX1YYY,M3.2.7,M1.1.1",
                                    "XXX1YYY,M0.2.0,M1.1.1",
                                    "XXX1YYY,J0,J1",
                                    "XXX1YYY,J366,J1",
                                    "XXX1YYY,366,1",
                                    "XXX1YYY,M3.2.0/168,M1.1.1",
                                    "XXX1YYY,M3.2.0,M1.1.1x",
                                    "XXX1 ",
                                    "XXX1YYY,M3.2.0/,M1.1.1",
                                    "XXX99999999999"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    if (zone_rule_parse(&rule, bad[i], strlen(bad[i]))) fail_msg("taken: %s", bad[i]);
  }
  static const struct {
    const char *rule;
    int64_t instant;
    int32_t offset;
  } cases[] = {
      {"UTC0", 0, 0},
      {"<+0530>-5:30", 0, 19800},
      {"<-03>3", 5, -10800},
      /* Los Angeles, 2040: summer from March 11, 10:00 UTC to November 4, 9:00 UTC. */
      {"PST8PDT,M3.2.0,M11.1.0", 2215072799, -28800},
      {"PST8PDT,M3.2.0,M11.1.0", 2215072800, -25200},
      {"PST8PDT,M3.2.0,M11.1.0", 2235632399, -25200},
      {"PST8PDT,M3.2.0,M11.1.0", 2235632400, -28800},
      /* Sydney: summer over the turn of the year. 2040: until March 31 16:00 UTC, from October 6, 16:00 UTC. */
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", 2208988800, 39600},
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", 2216822399, 39600},
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", 2216822400, 36000},
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", 2233151999, 36000},
      {"AEST-10AEDT,M10.1.0,M4.1.0/3", 2233152000, 39600},
      /* Dublin: "summer" is the winter, an hour back. 2040-01-01 and 2040-07-01. */
      {"IST-1GMT0,M10.5.0,M3.5.0/1", 2208988800, 0},
      {"IST-1GMT0,M10.5.0,M3.5.0/1", 2224713600, 3600},
      /* Always summer (RFC 8536, 3.3.1). */
      {"XXX3EDT4,0/0,J365/23", 2208988800, -14400},
      {"XXX3EDT4,0/0,J365/23", 2208988800 + 3 * 3600, -14400},
      {"XXX3EDT4,0/0,J365/23", 2208988800 + 3 * 3600 - 1, -14400},
      {"XXX3EDT4,0/0,J365/23", 2224713600, -14400},
      /* Hours before the day: Greenland changes on Saturday, 2040-03-24 at 23:00. */
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2216249999, -7200},
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2216250000, -3600},
      /* Day 59 is March 1 or February 29; J60 is March 1 in every year. 2040 is a leap year: J60 begins a day later. */
      {"XXX0YYY,59/0,300", 2208988800 + 59 * 86400, 3600},
      {"XXX0YYY,59/0,300", 2208988800 + 59 * 86400 - 1, 0},
      {"XXX0YYY,J60/0,J300", 2208988800 + 60 * 86400, 3600},
      {"XXX0YYY,J60/0,J300", 2208988800 + 60 * 86400 - 1, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_true(zone_rule_parse(&rule, cases[i].rule, strlen(cases[i].rule)));
    const int64_t period = INT64_C(12622780800); /* 400 years */
    static const int64_t times[] = {0, 1, -1, 700000000, -700000000};
    for (size_t t = 0; t < sizeof times / sizeof times[0]; t++) {
      struct zone_span span = zone_rule_at(&rule, cases[i].instant + times[t] * period);
      if (span.offset != cases[i].offset) fail_msg("%s at %lld: %d", cases[i].rule, (long long)cases[i].instant, (int)span.offset);
      assert_true(span.from <= cases[i].instant + times[t] * period);
    }
  }
  zone_rule_parse(&rule, "PST8PDT,M3.2.0,M11.1.0", 22);
  zone_rule_at(&rule, INT64_MAX);
  zone_rule_at(&rule, INT64_MIN);
}

/* What a span says is what each instant of it says on its own. */
static void spans_hold(void **state) {
  (void)state;
  static const char *const texts[] = {"PST8PDT,M3.2.0,M11.1.0", "AEST-10AEDT,M10.1.0,M4.1.0/3", "IST-1GMT0,M10.5.0,M3.5.0/1",
                                      "XXX3EDT4,0/0,J365/23"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct zone_rule rule;
    assert_true(zone_rule_parse(&rule, texts[i], strlen(texts[i])));
    for (int64_t instant = -3000000000; instant < 20000000000; instant += 7654321) {
      struct zone_span span = zone_rule_at(&rule, instant);
      assert_true(span.from <= instant && instant < span.until);
      assert_int_equal(zone_rule_at(&rule, span.from).offset, span.offset);
      assert_int_equal(zone_rule_at(&rule, span.until - 1).offset, span.offset);
    }
  }
}

/* ---- Files ---- */

static void put_big(struct buf *out, uint64_t value, int size) {
  while (size-- > 0) buf_append_byte(out, (uint8_t)(value >> (8 * size)));
}

struct transition {
  int64_t at;
  uint8_t type;
};

static void put_block(struct buf *out, char version, const struct transition *transitions, uint32_t count, const int32_t *types,
                      uint32_t type_count, int time_size) {
  buf_append_text(out, "TZif");
  buf_append_byte(out, (uint8_t)version);
  for (int i = 0; i < 15; i++) buf_append_byte(out, 0);
  put_big(out, 0, 4);
  put_big(out, 0, 4);
  put_big(out, 0, 4);
  put_big(out, count, 4);
  put_big(out, type_count, 4);
  put_big(out, 4, 4);
  for (uint32_t i = 0; i < count; i++) put_big(out, (uint64_t)transitions[i].at, time_size);
  for (uint32_t i = 0; i < count; i++) buf_append_byte(out, transitions[i].type);
  for (uint32_t i = 0; i < type_count; i++) {
    put_big(out, (uint32_t)types[i], 4);
    put_big(out, 0, 2);
  }
  buf_append(out, "XXX\0", 4);
}

/* Local mean time, then standard and summer time, then a rule. */
static const struct transition example_transitions[] = {
    {-2717640000, 1}, {-1633269600, 2}, {-1615129200, 1}, {1000000000, 2}, {1004864400, 1}};
static const int32_t example_types[] = {-28378, -28800, -25200};

static void put_example(struct buf *out, char version) {
  if (version == 0) {
    put_block(out, 0, example_transitions + 1, 4, example_types, 3, 4);
    return;
  }
  put_block(out, version, NULL, 0, example_types, 1, 4);
  put_block(out, version, example_transitions, 5, example_types, 3, 8);
  buf_append_text(out, "\nPST8PDT,M3.2.0,M11.1.0\n");
}

static void files(void **state) {
  (void)state;
  static const struct {
    int64_t instant;
    int32_t offset;
  } cases[] = {{-2717640001, -28378}, {INT64_MIN, -28378},   {-2717640000, -28800}, {-1633269601, -28800}, {-1633269600, -25200},
               {-1615129201, -25200}, {-1615129200, -28800}, {999999999, -28800},   {1000000000, -25200},  {1004864399, -25200},
               {1004864400, -28800},  {2215072799, -28800},  {2215072800, -25200},  {2235632400, -28800}};
  for (char version = '2'; version <= '4'; version++) {
    struct time_zone zone = {0};
    struct buf file = BUF_INIT;
    const char *problem;
    put_example(&file, version);
    assert_true(time_zone_read_file(&zone, buf_slice(&file), &problem));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
      assert_int_equal(time_zone_offset(&zone, cases[i].instant), cases[i].offset);
      assert_int_equal(time_zone_offset(&zone, cases[sizeof cases / sizeof cases[0] - 1 - i].instant),
                       cases[sizeof cases / sizeof cases[0] - 1 - i].offset);
    }
    mem_free(zone.times);
    buf_free(&file);
  }
  /* Version 1: 32 bits, no rule; what held last holds on. */
  struct time_zone zone = {0};
  struct buf file = BUF_INIT;
  const char *problem;
  put_example(&file, 0);
  assert_true(time_zone_read_file(&zone, buf_slice(&file), &problem));
  assert_int_equal(time_zone_offset(&zone, -1633269601), -28378);
  assert_int_equal(time_zone_offset(&zone, -1633269600), -25200);
  assert_int_equal(time_zone_offset(&zone, 2215072800), -28800);
  mem_free(zone.times);
  buf_free(&file);
}

/* Every shorter file and every changed byte: an answer or a refusal, never a wrong access. */
static void damaged_files(void **state) {
  (void)state;
  struct buf file = BUF_INIT;
  const char *problem;
  for (char version = 0; version <= '2'; version = (char)(version + '2')) {
    buf_reset(&file);
    put_example(&file, version);
    for (size_t size = 0; size < file.size; size++) {
      struct time_zone zone = {0};
      uint8_t *copy = malloc(size ? size : 1);
      memcpy(copy, file.data, size);
      assert_false(time_zone_read_file(&zone, slice_of(copy, size), &problem));
      assert_non_null(problem);
      mem_free(zone.times);
      free(copy);
    }
    for (size_t at = 0; at < file.size; at++) {
      for (int bit = 0; bit < 8; bit++) {
        struct time_zone zone = {0};
        file.data[at] ^= (uint8_t)(1 << bit);
        if (time_zone_read_file(&zone, buf_slice(&file), &problem)) {
          for (int64_t t = -4000000000; t < 4000000000; t += 123456789) time_zone_offset(&zone, t);
          time_zone_offset(&zone, INT64_MAX);
          time_zone_offset(&zone, INT64_MIN);
        }
        mem_free(zone.times);
        file.data[at] ^= (uint8_t)(1 << bit);
      }
    }
  }
  static const struct {
    struct transition transitions[2];
    int32_t types[1];
  } wrong[] = {{{{5, 0}, {5, 0}}, {0}},
               {{{5, 0}, {4, 0}}, {0}},
               {{{5, 1}, {6, 0}}, {0}},
               {{{5, 0}, {6, 0}}, {26 * 3600}},
               {{{5, 0}, {6, 0}}, {INT32_MIN}}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct time_zone zone = {0};
    buf_reset(&file);
    put_block(&file, 0, wrong[i].transitions, 2, wrong[i].types, 1, 4);
    assert_false(time_zone_read_file(&zone, buf_slice(&file), &problem));
    assert_string_equal(problem, "its file is damaged");
    mem_free(zone.times);
  }
  /* Leap seconds would make every time wrong by their number. */
  struct time_zone zone = {0};
  buf_reset(&file);
  put_block(&file, 0, NULL, 0, example_types, 1, 4);
  file.data[31] = 1;
  buf_append(&file, "\0\0\0\0\0\0\0\0", 8);
  assert_false(time_zone_read_file(&zone, buf_slice(&file), &problem));
  assert_non_null(strstr(problem, "leap seconds"));
  mem_free(zone.times);
  buf_free(&file);
}

static char folder[64];

static void write_file(const char *name, struct slice content) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, content.data, content.size), content.size);
  close(fd);
}

static void remove_file(const char *name) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(remove(path), 0);
}

static void files_are_found(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "%s/dbsql_zones_XXXXXX", getenv("TMPDIR") && strlen(getenv("TMPDIR")) < 32 ? getenv("TMPDIR") : "/tmp");
  assert_non_null(mkdtemp(folder));
  char path[128];
  snprintf(path, sizeof path, "%s/Test", folder);
  assert_int_equal(mkdir(path, 0700), 0);
  struct buf file = BUF_INIT;
  put_example(&file, '2');
  write_file("Test/Zone-1_a", buf_slice(&file));
  write_file("zone.tab", buf_slice(&file));
  write_file("Broken", slice_of(file.data, file.size - 1));
  struct buf large = BUF_INIT;
  buf_extend(&large, 1 << 20);
  memset(large.data, 'T', large.size);
  write_file("Large", buf_slice(&large));
  buf_free(&large);
  setenv("TZDIR", folder, 1);
  struct time_zone *zone = zone_of("Test/Zone-1_a");
  assert_null(zone->problem);
  assert_int_equal(time_zone_offset(zone, 2215072800), -25200);
  time_zone_free(zone);
  zone = zone_of("Broken");
  assert_string_equal(zone->problem, "its file is damaged");
  time_zone_free(zone);
  /* Absolute paths, ways out of the folder, other files of the system, folders, and nonsense. */
  static const char *const unknown[] = {
      "/etc/passwd",
      "../Broken",
      "Test/../Test/Zone-1_a",
      "Test//Zone-1_a",
      "/Test/Zone-1_a",
      "Test/",
      "Test",
      ".",
      "..",
      "./Broken",
      "zone.tab",
      "",
      " ",
      "No/Such_Zone",
      "Test/Zone-1_a ",
      "\xC3\xA4",
      "Large",
      "-rf",
      "Test/-x",
      "UTC+25",
      "UTC+",
      "GMT+1x",
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    zone = zone_of(unknown[i]);
    if (!zone->problem) fail_msg("\"%s\" was taken for a zone", unknown[i]);
    time_zone_free(zone);
  }
  zone = zone_of("No/Such_Zone");
  assert_non_null(strstr(zone->problem, "tzdata"));
  time_zone_free(zone);

  int64_t live = mem_test_live_blocks();
  for (uint64_t n = 1;; n++) {
    mem_test_fail_at(n);
    zone = NULL;
    dbsql_error *error = NULL;
    dbsql_status status = time_zone_new("Test/Zone-1_a", &zone, &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    assert_int_equal(status, struck ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
    dbsql_error_free(error);
    if (!struck) assert_null(zone->problem);
    time_zone_free(zone);
    assert_int_equal(mem_test_live_blocks(), live);
    if (!struck) break;
  }
  unsetenv("TZDIR");
  buf_free(&file);
  remove_file("Test/Zone-1_a");
  remove_file("Test");
  remove_file("zone.tab");
  remove_file("Broken");
  remove_file("Large");
  assert_int_equal(rmdir(folder), 0);
}

/* Values that zoneinfo of Python gives. */
static void zones_of_the_system(void **state) {
  (void)state;
  static const struct {
    const char *zone;
    int64_t micros;
    const char *text;
  } cases[] = {
      {"America/Los_Angeles", 0, "1969-12-31 16:00:00"},
      {"America/Los_Angeles", -5000000000000000, "1811-07-23 07:13:42"},
      {"America/Los_Angeles", 1710064799999999, "2024-03-10 01:59:59.999999"},
      {"America/Los_Angeles", 1710064800000000, "2024-03-10 03:00:00"},
      {"America/Los_Angeles", 4079152800000000, "2099-04-06 03:00:00"},
      {"Asia/Kolkata", 1709209496789000, "2024-02-29 17:54:56.789"},
      {"Europe/Berlin", 1711846799000000, "2024-03-31 01:59:59"},
      {"Europe/Berlin", 1711846800000000, "2024-03-31 03:00:00"},
      {"Pacific/Apia", 1325239199000000, "2011-12-29 23:59:59"},
      {"Pacific/Apia", 1325239200000000, "2011-12-31 00:00:00"},
      {"PST", 1710064800000000, "2024-03-10 03:00:00"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct time_zone *zone = zone_of(cases[i].zone);
    if (zone->problem) {
      time_zone_free(zone);
      print_message("the system has no zone %s\n", cases[i].zone);
      skip();
    }
    char out[calendar_text_size];
    int32_t shift = time_zone_offset(zone, floor_divide(cases[i].micros, 1000000));
    expect(out, calendar_write_timestamp(out, cases[i].micros, 1000000, shift), cases[i].text);
    time_zone_free(zone);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dates),         cmocka_unit_test(timestamps),      cmocka_unit_test(times),
      cmocka_unit_test(intervals),     cmocka_unit_test(offsets),         cmocka_unit_test(names_that_need_no_file),
      cmocka_unit_test(rules),         cmocka_unit_test(spans_hold),      cmocka_unit_test(files),
      cmocka_unit_test(damaged_files), cmocka_unit_test(files_are_found), cmocka_unit_test(zones_of_the_system),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
