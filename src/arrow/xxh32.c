#include "arrow/xxh32.h"

/* The five primes of the xxHash specification. */
#define PRIME_1 2654435761u
#define PRIME_2 2246822519u
#define PRIME_3 3266489917u
#define PRIME_4 668265263u
#define PRIME_5 374761393u

static uint32_t rotate(uint32_t value, int by) {
  return value << by | value >> (32 - by);
}

static uint32_t load(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t round32(uint32_t lane, uint32_t input) {
  return rotate(lane + input * PRIME_2, 13) * PRIME_1;
}

uint32_t xxh32(const void *data, size_t size) {
  const uint8_t *at = data;
  size_t left = size;
  uint32_t hash = PRIME_5;
  if (left >= 16) {
    uint32_t a = PRIME_1 + PRIME_2, b = PRIME_2, c = 0, d = 0 - PRIME_1;
    for (; left >= 16; left -= 16, at += 16) {
      a = round32(a, load(at));
      b = round32(b, load(at + 4));
      c = round32(c, load(at + 8));
      d = round32(d, load(at + 12));
    }
    hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
  }
  hash += (uint32_t)size;
  for (; left >= 4; left -= 4, at += 4) hash = rotate(hash + load(at) * PRIME_3, 17) * PRIME_4;
  for (; left > 0; left--, at++) hash = rotate(hash + *at * PRIME_5, 11) * PRIME_1;
  hash = (hash ^ hash >> 15) * PRIME_2;
  hash = (hash ^ hash >> 13) * PRIME_3;
  return hash ^ hash >> 16;
}
