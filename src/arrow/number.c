#include "arrow/number.h"

#include <string.h>

__extension__ typedef unsigned __int128 uint128;

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566"
    "676869"
    "707172737475767778798081828384858687888990919293949596979899";

size_t number_write_uint64(char *out, uint64_t value) {
  char digits[number_int_size];
  char *at = digits + sizeof digits;
  while (value >= 100) {
    at -= 2;
    memcpy(at, pairs + value % 100 * 2, 2);
    value /= 100;
  }
  if (value >= 10) {
    at -= 2;
    memcpy(at, pairs + value * 2, 2);
  } else {
    *--at = (char)('0' + value);
  }
  size_t length = (size_t)(digits + sizeof digits - at);
  memcpy(out, at, length);
  return length;
}

size_t number_write_int64(char *out, int64_t value) {
  if (value >= 0) return number_write_uint64(out, (uint64_t)value);
  *out = '-';
  return 1 + number_write_uint64(out + 1, 0 - (uint64_t)value);
}

void number_write_padded(char *out, uint64_t value, int digits) {
  while (digits >= 2) {
    digits -= 2;
    memcpy(out + digits, pairs + value % 100 * 2, 2);
    value /= 100;
  }
  if (digits == 1) *out = (char)('0' + value % 10);
}

size_t number_write_decimal(char *out, int64_t high, uint64_t low, int32_t scale) {
  const uint64_t chunk = UINT64_C(10000000000000000000); /* 10^19 */
  uint128 magnitude = (uint128)(uint64_t)high << 64 | low;
  char *at = out;
  if (high < 0) {
    magnitude = 0 - magnitude;
    *at++ = '-';
  }
  /* At most 39 digits: one, and two chunks of 19. */
  char digits[40];
  size_t count;
  if (magnitude >> 64 == 0) {
    count = number_write_uint64(digits, (uint64_t)magnitude);
  } else {
    uint128 upper = magnitude / chunk;
    uint64_t lowest = (uint64_t)(magnitude % chunk);
    if (upper < chunk) {
      count = number_write_uint64(digits, (uint64_t)upper);
    } else {
      count = number_write_uint64(digits, (uint64_t)(upper / chunk));
      number_write_padded(digits + count, (uint64_t)(upper % chunk), 19);
      count += 19;
    }
    number_write_padded(digits + count, lowest, 19);
    count += 19;
  }
  if (scale <= 0) {
    memcpy(at, digits, count);
    at += count;
    if (magnitude != 0) {
      memset(at, '0', (size_t)-scale);
      at += -scale;
    }
    return (size_t)(at - out);
  }
  size_t behind = (size_t)scale;
  if (count > behind) {
    memcpy(at, digits, count - behind);
    at += count - behind;
    *at++ = '.';
    memcpy(at, digits + count - behind, behind);
    at += behind;
  } else {
    *at++ = '0';
    *at++ = '.';
    memset(at, '0', behind - count);
    at += behind - count;
    memcpy(at, digits, count);
    at += count;
  }
  return (size_t)(at - out);
}
