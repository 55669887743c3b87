#include "arrow/ipc_bits.h"

#include <string.h>

static int64_t popcount64(uint64_t word) {
#if defined(__GNUC__)
  return __builtin_popcountll(word);
#else
  word -= word >> 1 & 0x5555555555555555u;
  word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
  return (int64_t)(((word + (word >> 4)) & 0x0F0F0F0F0F0F0F0Fu) * 0x0101010101010101u >> 56);
#endif
}

int64_t ipc_bits_count(const uint8_t *bits, int64_t offset, int64_t length) {
  int64_t count = 0, at = offset, end = offset + length;
  for (; at < end && (at & 7) != 0; at++) count += bits[at >> 3] >> (at & 7) & 1;
  for (; end - at >= 64; at += 64) {
    uint64_t word;
    memcpy(&word, bits + (at >> 3), 8);
    count += popcount64(word);
  }
  for (; end - at >= 8; at += 8) count += popcount64(bits[at >> 3]);
  for (; at < end; at++) count += bits[at >> 3] >> (at & 7) & 1;
  return count;
}

void ipc_bits_copy(const uint8_t *bits, int64_t offset, int64_t length, uint8_t *to) {
  if (length == 0) return;
  int64_t bytes = (length + 7) / 8, last = (offset + length - 1) >> 3;
  int shift = (int)(offset & 7);
  const uint8_t *from = bits + (offset >> 3);
  if (shift == 0) {
    memcpy(to, from, (size_t)bytes);
  } else {
    for (int64_t i = 0; i < bytes; i++) {
      unsigned next = (offset >> 3) + i + 1 <= last ? from[i + 1] : 0u;
      to[i] = (uint8_t)(from[i] >> shift | next << (8 - shift));
    }
  }
  if ((length & 7) != 0) to[bytes - 1] &= (uint8_t)((1 << (length & 7)) - 1);
}
