/* XXH32 with seed 0: the checksum of LZ4 frames. liblz4 has it too, but does not export it. */
#ifndef DBSQL_ARROW_XXH32_H
#define DBSQL_ARROW_XXH32_H

#include <stddef.h>
#include <stdint.h>

uint32_t xxh32(const void *data, size_t size);

#endif
