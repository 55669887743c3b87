/* Bitmaps as Arrow has them: bit i of byte i / 8, least significant first. */
#ifndef DBSQL_ARROW_IPC_BITS_H
#define DBSQL_ARROW_IPC_BITS_H

#include <stdint.h>

/* How many of `length` bits from `offset` on are set. */
int64_t ipc_bits_count(const uint8_t *bits, int64_t offset, int64_t length);
/* Copies `length` bits from `offset` on to the start of `to`, which has room for (length + 7) / 8 bytes; spare bits become 0. */
void ipc_bits_copy(const uint8_t *bits, int64_t offset, int64_t length, uint8_t *to);

#endif
