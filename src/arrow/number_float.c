/*
 * Shortest digits of floating-point numbers: the algorithm of R. Giulietti, "The Schubfach way to render doubles" (2020), with one table
 * for all widths: a float is a double with fewer bits of mantissa and a wider rounding interval, so that the bounds proven for doubles
 * hold.
 */
#include <string.h>

#include "arrow/number.h"
#include "arrow/number_powers.h"

__extension__ typedef unsigned __int128 uint128;

/* digits * 10^exponent */
struct shortest {
  uint64_t digits;
  int32_t exponent;
};

/* The upper 64 bits of power * factor / 2^64, the lowest bit set if anything below it is. */
static uint64_t round_to_odd(const uint64_t power[2], uint64_t factor) {
  uint128 low = (uint128)power[1] * factor;
  uint128 high = (uint128)power[0] * factor + (uint64_t)(low >> 64);
  return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* For the value mantissa * 2^exponent. `closer_below`: the neighbour below is only half as far as the one above. */
static struct shortest find_shortest(uint64_t mantissa, int32_t exponent, bool closer_below) {
  /* floor(log10(2^exponent)), or of 3/4 of it */
  int32_t k = (exponent * 1262611 - (closer_below ? 524031 : 0)) >> 22;
  /* Brings the product with the power to a fixed point: exponent + floor(log2(10^-k)) + 1 */
  int32_t shift = exponent + ((-k * 1741647) >> 19) + 1;
  const uint64_t *power = number_powers[-k - number_power_min];
  /* The value and the ends of its rounding interval, in quarters of 10^k. An even mantissa owns the ends. */
  uint64_t odd = mantissa & 1;
  uint64_t lower = round_to_odd(power, (4 * mantissa - 2 + closer_below) << shift) + odd;
  uint64_t value = round_to_odd(power, 4 * mantissa << shift);
  uint64_t upper = round_to_odd(power, (4 * mantissa + 2) << shift) - odd;
  uint64_t whole = value / 4;
  /* One digit less, unless that leaves only one: two are written anyway, so they are the closest two, as the server has them. */
  if (whole >= 100) {
    uint64_t tens = whole / 10;
    bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
    if (below != above) return (struct shortest){tens + above, k + 1};
  }
  bool below = lower <= 4 * whole, above = 4 * whole + 4 <= upper;
  if (below != above) return (struct shortest){whole + above, k};
  uint64_t middle = 4 * whole + 2;
  return (struct shortest){whole + (value > middle || (value == middle && (whole & 1))), k};
}

/* The server's way to write digits (Java's): plain from 10^-3 to below 10^7, with an exponent elsewhere, always a digit after the point. */
static size_t write_digits(char *out, struct shortest number) {
  while (number.digits % 100000000 == 0) {
    number.digits /= 100000000;
    number.exponent += 8;
  }
  while (number.digits % 10 == 0) {
    number.digits /= 10;
    number.exponent++;
  }
  char digits[number_int_size];
  int32_t count = (int32_t)number_write_uint64(digits, number.digits);
  int32_t magnitude = number.exponent + count - 1; /* of the first digit */
  char *at = out;
  if (magnitude >= 0 && magnitude < 7) {
    for (int32_t i = 0; i <= magnitude; i++) *at++ = i < count ? digits[i] : '0';
    *at++ = '.';
    if (count <= magnitude + 1) *at++ = '0';
    for (int32_t i = magnitude + 1; i < count; i++) *at++ = digits[i];
  } else if (magnitude < 0 && magnitude >= -3) {
    *at++ = '0';
    *at++ = '.';
    for (int32_t i = -1; i > magnitude; i--) *at++ = '0';
    memcpy(at, digits, (size_t)count);
    at += count;
  } else {
    *at++ = digits[0];
    *at++ = '.';
    if (count == 1) *at++ = '0';
    memcpy(at, digits + 1, (size_t)count - 1);
    at += count - 1;
    *at++ = 'E';
    at += number_write_int64(at, magnitude);
  }
  return (size_t)(at - out);
}

/* How a format of IEEE 754 is laid out. */
struct layout {
  int32_t mantissa_bits; /* stored ones */
  int32_t exponent_bits;
  /* For the smallest values the search finds one digit only; these are the closest two (4.9E-324): value i + 1 of the format is
   * tiny[i] * 10^tiny_exponent. */
  int32_t tiny_count;
  int32_t tiny_exponent;
  uint8_t tiny[7];
};
static const struct layout double_layout = {52, 11, 2, -325, {49, 99}};
static const struct layout float_layout = {23, 8, 7, -46, {14, 28, 42, 56, 70, 84, 98}};
static const struct layout half_layout = {10, 5, 0, 0, {0}};

static size_t copy(char *out, const char *text) {
  size_t length = strlen(text);
  memcpy(out, text, length);
  return length;
}

static size_t write_float(char *out, uint64_t bits, const struct layout *layout) {
  uint64_t hidden = UINT64_C(1) << layout->mantissa_bits;
  uint64_t mantissa = bits & (hidden - 1);
  int32_t largest = (1 << layout->exponent_bits) - 1;
  int32_t exponent = (int32_t)(bits >> layout->mantissa_bits) & largest;
  if (exponent == largest && mantissa != 0) return copy(out, "NaN");
  size_t sign = 0;
  if (bits >> (layout->mantissa_bits + layout->exponent_bits)) out[sign++] = '-';
  out += sign;
  if (exponent == largest) return sign + copy(out, "Infinity");
  if (exponent == 0) {
    if (mantissa == 0) return sign + copy(out, "0.0");
    if (mantissa <= (uint64_t)layout->tiny_count) {
      return sign + write_digits(out, (struct shortest){layout->tiny[mantissa - 1], layout->tiny_exponent});
    }
  }
  bool closer_below = mantissa == 0 && exponent > 1;
  if (exponent != 0) {
    mantissa |= hidden;
  } else {
    exponent = 1;
  }
  int32_t power = exponent - (largest >> 1) - layout->mantissa_bits;
  /* Small whole numbers, the most frequent of all, need no search. */
  if (power <= 0 && power >= -layout->mantissa_bits && (mantissa & ((UINT64_C(1) << -power) - 1)) == 0) {
    uint64_t whole = mantissa >> -power;
    if (whole < 10000000) {
      size_t length = number_write_uint64(out, whole);
      return sign + length + copy(out + length, ".0");
    }
  }
  return sign + write_digits(out, find_shortest(mantissa, power, closer_below));
}

size_t number_write_double(char *out, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return write_float(out, bits, &double_layout);
}

size_t number_write_float(char *out, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return write_float(out, bits, &float_layout);
}

size_t number_write_half(char *out, uint16_t bits) {
  return write_float(out, bits, &half_layout);
}

double number_from_half(uint16_t bits) {
  uint64_t sign = (uint64_t)(bits >> 15) << 63, mantissa = bits & 0x3FFu;
  uint64_t exponent = bits >> 10 & 31u;
  uint64_t wide;
  if (exponent == 31) {
    wide = sign | UINT64_C(0x7FF) << 52 | mantissa << 42;
  } else if (exponent != 0) {
    wide = sign | (exponent - 15 + 1023) << 52 | mantissa << 42;
  } else {
    double small = (double)mantissa / 16777216.0; /* 2^24 */
    memcpy(&wide, &small, sizeof wide);
    wide |= sign;
  }
  double value;
  memcpy(&value, &wide, sizeof value);
  return value;
}
