/* A secret text: kept apart from other memory, left out of core dumps where the system can, wiped when freed. */
#ifndef DBSQL_BASE_SECRET_H
#define DBSQL_BASE_SECRET_H

#include <stddef.h>

struct secret;
/* NULL if out of memory. */
struct secret *secret_new(const char *text, size_t length);
void secret_free(struct secret *secret);
/* The bytes, zero-terminated. Never print them. */
const char *secret_text(const struct secret *secret);
size_t secret_length(const struct secret *secret);

#endif
