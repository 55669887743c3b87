/* Numbers as text: exact decimals, and floating-point digits that are the shortest of those that read back. */
#include "test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/number.h"

static uint64_t random_state = 0x9E3779B97F4A7C15u;
static uint64_t random_bits(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static double double_of(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void expect(const char *text, size_t length, const char *expected) {
  if (length != strlen(expected) || memcmp(text, expected, length) != 0) fail_msg("\"%.*s\" is not \"%s\"", (int)length, text, expected);
}

static void integers(void **state) {
  (void)state;
  static const struct {
    int64_t value;
    const char *text;
  } cases[] = {{0, "0"},
               {9, "9"},
               {10, "10"},
               {99, "99"},
               {100, "100"},
               {-1, "-1"},
               {-100, "-100"},
               {12345, "12345"},
               {INT64_MAX, "9223372036854775807"},
               {INT64_MIN, "-9223372036854775808"}};
  char out[number_int_size];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) expect(out, number_write_int64(out, cases[i].value), cases[i].text);
  expect(out, number_write_uint64(out, UINT64_MAX), "18446744073709551615");
  for (int i = 0; i < 100000; i++) {
    int64_t value = (int64_t)random_bits() >> (random_bits() & 63);
    char expected[32];
    snprintf(expected, sizeof expected, "%lld", (long long)value);
    expect(out, number_write_int64(out, value), expected);
  }
}

static void decimals(void **state) {
  (void)state;
  static const struct {
    int64_t high;
    uint64_t low;
    int32_t scale;
    const char *text;
  } cases[] = {
      {0, 0, 0, "0"},
      {0, 0, 3, "0.000"},
      {0, 5, 3, "0.005"},
      {-1, (uint64_t)-5, 3, "-0.005"},
      {-1, (uint64_t)-1234, 2, "-12.34"},
      {0, 1234, 4, "0.1234"},
      {0, 1234, 0, "1234"},
      {0, 1234, -3, "1234000"},
      {0, 0, -3, "0"},
      {0, UINT64_MAX, 0, "18446744073709551615"},
      {1, 0, 0, "18446744073709551616"},
      {-1, 0, 0, "-18446744073709551616"},
      {-1, 0, 20, "-0.18446744073709551616"},
      /* 10^38 - 1, the largest of DECIMAL(38, s) */
      {0x4B3B4CA85A86C47A, 0x098A223FFFFFFFFF, 0, "99999999999999999999999999999999999999"},
      {0x4B3B4CA85A86C47A, 0x098A223FFFFFFFFF, 38, "0.99999999999999999999999999999999999999"},
      {0x4B3B4CA85A86C47A, 0x098A223FFFFFFFFF, 37, "9.9999999999999999999999999999999999999"},
      {-0x4B3B4CA85A86C47B, 0xF675DDC000000001, 38, "-0.99999999999999999999999999999999999999"},
      /* 10^19 and 10^38: where the chunks meet */
      {0, 10000000000000000000u, 19, "1.0000000000000000000"},
      {0x4B3B4CA85A86C47A, 0x098A224000000000, 0, "100000000000000000000000000000000000000"},
      {INT64_MAX, UINT64_MAX, 0, "170141183460469231731687303715884105727"},
      {INT64_MIN, 0, 0, "-170141183460469231731687303715884105728"},
      {INT64_MIN, 0, 38, "-1.70141183460469231731687303715884105728"},
      {INT64_MIN, 0, 39, "-0.170141183460469231731687303715884105728"},
      {INT64_MIN, 0, 128,
       "-0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001701411834604692317316873037158841"
       "05728"},
      {INT64_MIN, 0, -128,
       "-1701411834604692317316873037158841057280000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
       "0000000000000000000000000000000000000000000"},
  };
  char out[number_decimal_size];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    expect(out, number_write_decimal(out, cases[i].high, cases[i].low, cases[i].scale), cases[i].text);
  }
}

/* Reads an unscaled value back, digit by digit. */
static void random_decimals_read_back(void **state) {
  (void)state;
  __extension__ typedef unsigned __int128 uint128;
  __extension__ typedef __int128 int128;
  for (int i = 0; i < 100000; i++) {
    uint128 value = (uint128)random_bits() << 64 | random_bits();
    value = (uint128)((int128)value >> (random_bits() % 127));
    int32_t scale = (int32_t)(random_bits() % 39);
    char out[number_decimal_size];
    size_t length = number_write_decimal(out, (int64_t)(uint64_t)(value >> 64), (uint64_t)value, scale);
    uint128 back = 0;
    size_t at = out[0] == '-', point = length;
    assert_int_equal(at, (uint64_t)(value >> 127));
    assert_true(out[at] != '0' || out[at + 1] == '.' || at + 1 == length);
    for (; at < length; at++) {
      if (out[at] == '.') {
        point = at + 1;
      } else {
        back = back * 10 + (unsigned char)(out[at] - '0');
      }
    }
    assert_int_equal(length - point, scale);
    if (out[0] == '-') back = 0 - back;
    assert_true(back == value);
  }
}

static void floats_as_the_server_writes_them(void **state) {
  (void)state;
  static const struct {
    double value;
    const char *text;
  } doubles[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1.0, "1.0"},
      {-1.0, "-1.0"},
      {0.1, "0.1"},
      {0.5, "0.5"},
      {100.0, "100.0"},
      {123.456, "123.456"},
      {0.3, "0.3"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1.0 / 3, "0.3333333333333333"},
      {2.0 / 3, "0.6666666666666666"},
      {0.001, "0.001"},
      {0.00123, "0.00123"},
      {0.000999, "9.99E-4"},
      {0.0001, "1.0E-4"},
      {0.00001, "1.0E-5"},
      {1.5e-7, "1.5E-7"},
      {9999999.0, "9999999.0"},
      {9999999.5, "9999999.5"},
      {9999999.999999998, "9999999.999999998"},
      {1e7, "1.0E7"},
      {12345678.0, "1.2345678E7"},
      {1e20, "1.0E20"},
      {1e22, "1.0E22"},
      {1e23, "1.0E23"},
      {9007199254740991.0, "9.007199254740991E15"},
      {9007199254740993.0, "9.007199254740992E15"},
      {DBL_MAX, "1.7976931348623157E308"},
      {-DBL_MAX, "-1.7976931348623157E308"},
      {DBL_MIN, "2.2250738585072014E-308"},
      {0x1p-1074, "4.9E-324"},
      {0x1p-1073, "9.9E-324"},
      {0x3p-1074, "1.5E-323"},
      {0x4p-1074, "2.0E-323"},
      {2.2250738585072011e-308, "2.225073858507201E-308"},
      {5e-322, "5.0E-322"},
      {0xAp-1074, "4.9E-323"},
      {0x64p-1074, "4.94E-322"},
      {0x1p-44, "5.684341886080802E-14"},
      {2e-3, "0.002"},
      {2.0E-3 / 2, "0.001"},
      {2251799813685248.5, "2.2517998136852485E15"},
      {(double)NAN, "NaN"},
      {(double)-NAN, "NaN"},
      {(double)INFINITY, "Infinity"},
      {(double)-INFINITY, "-Infinity"},
  };
  char out[number_float_size];
  for (size_t i = 0; i < sizeof doubles / sizeof doubles[0]; i++) expect(out, number_write_double(out, doubles[i].value), doubles[i].text);
  static const struct {
    float value;
    const char *text;
  } floats[] = {
      {0.0f, "0.0"},
      {-0.0f, "-0.0"},
      {0.1f, "0.1"},
      {0.3f, "0.3"},
      {1.0f, "1.0"},
      {16777216.0f, "1.6777216E7"},
      {8388607.5f, "8388607.5"},
      {9999999.0f, "9999999.0"},
      {1e7f, "1.0E7"},
      {0.001f, "0.001"},
      {0.0009999999f, "9.999999E-4"},
      {FLT_MAX, "3.4028235E38"},
      {FLT_MIN, "1.1754944E-38"},
      {0x1p-149f, "1.4E-45"},
      {0x2p-149f, "2.8E-45"},
      {0x3p-149f, "4.2E-45"},
      {0x4p-149f, "5.6E-45"},
      {0x5p-149f, "7.0E-45"},
      {0x6p-149f, "8.4E-45"},
      {0x7p-149f, "9.8E-45"},
      {0x8p-149f, "1.1E-44"},
      {3.14159274f, "3.1415927"},
      {1.17549435e-38f, "1.1754944E-38"},
      {33554432.0f, "3.3554432E7"},
      {NAN, "NaN"},
      {INFINITY, "Infinity"},
      {-INFINITY, "-Infinity"},
  };
  for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) expect(out, number_write_float(out, floats[i].value), floats[i].text);
  static const struct {
    uint16_t bits;
    const char *text;
  } halves[] = {{0, "0.0"},         {0x8000, "-0.0"},     {0x3C00, "1.0"},      {0x2E66, "0.1"},       {0x7BFF, "65500.0"},
                {0x0001, "6.0E-8"}, {0x0400, "6.104E-5"}, {0x7C00, "Infinity"}, {0xFC00, "-Infinity"}, {0x7E00, "NaN"}};
  for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) expect(out, number_write_half(out, halves[i].bits), halves[i].text);
  assert_true(number_from_half(0x3C00) == 1.0 && number_from_half(0x0001) == 0x1p-24 && number_from_half(0x7BFF) == 65504.0);
  assert_true(isinf(number_from_half(0xFC00)) && number_from_half(0xFC00) < 0 && isnan(number_from_half(0x7E00)) &&
              signbit(number_from_half(0x8000)));
}

/* The number of digits that count. */
static int digits_of(const char *text) {
  int digits = 0, zeros = 0;
  for (; *text && *text != 'E'; text++) {
    if (*text == '-' || *text == '.' || (digits == 0 && *text == '0')) continue;
    digits++;
    zeros = *text == '0' ? zeros + 1 : 0;
  }
  return digits - zeros;
}

/* True if `text` with one digit less, to either side of the value, reads back as it. */
typedef bool reads_back(const char *text, uint64_t bits);
static bool reads_back_double(const char *text, uint64_t bits) {
  return strtod(text, NULL) == double_of(bits);
}
static bool reads_back_float(const char *text, uint64_t bits) {
  return strtof(text, NULL) == float_of((uint32_t)bits);
}

static void check_shortest(const char *text, double value, uint64_t bits, reads_back *same) {
  if (!same(text, bits)) fail_msg("%s does not read back as %a", text, value);
  int digits = digits_of(text);
  char other[64];
  if (digits > 2) {
    /* The neighbours with one digit less. */
    snprintf(other, sizeof other, "%.*e", digits - 2, value);
    if (same(other, bits)) fail_msg("%s is not the shortest for %a: %s", text, value, other);
    char *end;
    double away = strtod(other, &end) < value ? 1 : -1;
    long long mantissa = 0;
    for (const char *p = other; *p != 'e'; p++) {
      if (*p >= '0' && *p <= '9') mantissa = mantissa * 10 + (*p - '0');
    }
    mantissa += (long long)(value < 0 ? -away : away);
    snprintf(other, sizeof other, "%s%llde%d", value < 0 ? "-" : "", mantissa, atoi(strchr(other, 'e') + 1) - (digits - 2));
    if (same(other, bits)) fail_msg("%s is not the shortest for %a: %s", text, value, other);
  }
  /* Of those with as many digits the closest, which correct rounding gives wherever it reads back. */
  snprintf(other, sizeof other, "%.*e", digits - 1, value);
  if (same(other, bits) && strtod(other, NULL) != strtod(text, NULL)) {
    long double error = fabsl(strtold(text, NULL) - (long double)value), best = fabsl(strtold(other, NULL) - (long double)value);
    if (error > best) fail_msg("%s is further from %a than %s", text, value, other);
  }
}

static void check_double(uint64_t bits) {
  double value = double_of(bits);
  if (isnan(value) || isinf(value) || value == 0) return;
  char text[number_float_size + 1];
  text[number_write_double(text, value)] = 0;
  check_shortest(text, value, bits, reads_back_double);
}

static void check_float(uint32_t bits) {
  float value = float_of(bits);
  if (isnan(value) || isinf(value) || value == 0) return;
  char text[number_float_size + 1];
  text[number_write_float(text, value)] = 0;
  check_shortest(text, (double)value, bits, reads_back_float);
}

static int rounds(void) {
  const char *text = getenv("DBSQL_TEST_ROUNDS");
  return text ? atoi(text) : 100000;
}

static void random_doubles_are_shortest(void **state) {
  (void)state;
  /* Every power of two, where the neighbour below is closer, and what lies around it. */
  for (uint64_t exponent = 0; exponent < 2047; exponent++) {
    for (uint64_t around = 0; around < 3; around++) check_double((exponent << 52) + around - 1);
  }
  for (int power = -320; power <= 308; power++) {
    char text[16];
    snprintf(text, sizeof text, "1e%d", power);
    double value = strtod(text, NULL);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (uint64_t around = 0; around < 5; around++) check_double(bits + around - 2);
  }
  for (int i = 0; i < rounds(); i++) check_double(random_bits());
  /* Numbers as people write them: few digits. */
  for (int i = 0; i < rounds(); i++) {
    double value = (double)(random_bits() % 100000000) / pow(10, (double)(random_bits() % 12));
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    check_double(bits);
  }
  /* Whole numbers. */
  for (int i = 0; i < rounds(); i++) {
    double value = (double)(int64_t)(random_bits() >> (random_bits() & 63));
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    check_double(bits);
  }
}

static void random_floats_are_shortest(void **state) {
  (void)state;
  for (uint32_t exponent = 0; exponent < 255; exponent++) {
    for (uint32_t around = 0; around < 3; around++) check_float((exponent << 23) + around - 1);
  }
  for (int i = 0; i < rounds(); i++) check_float((uint32_t)random_bits());
  for (int i = 0; i < rounds(); i++) {
    float value = (float)(random_bits() % 100000) / (float)pow(10, (double)(random_bits() % 8));
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    check_float(bits);
  }
}

/* All of them: the text reads back to the same half among its neighbours. */
static void every_half_reads_back(void **state) {
  (void)state;
  for (uint32_t bits = 1; bits < 0x7C00; bits++) {
    char text[number_float_size + 1];
    text[number_write_half(text, (uint16_t)bits)] = 0;
    double read = strtod(text, NULL), value = number_from_half((uint16_t)bits);
    double below = number_from_half((uint16_t)(bits - 1)), above = bits == 0x7BFF ? 65536.0 : number_from_half((uint16_t)(bits + 1));
    assert_true(read >= (below + value) / 2 && read <= (value + above) / 2);
    assert_true(digits_of(text) <= 5);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(integers),
      cmocka_unit_test(decimals),
      cmocka_unit_test(random_decimals_read_back),
      cmocka_unit_test(floats_as_the_server_writes_them),
      cmocka_unit_test(random_doubles_are_shortest),
      cmocka_unit_test(random_floats_are_shortest),
      cmocka_unit_test(every_half_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
