/* Memory of the warehouse: a program of its own, which ends with a message where a library would have to report. */
#ifndef DBSQL_WAREHOUSE_MEMORY_H
#define DBSQL_WAREHOUSE_MEMORY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <dbsql/dbsql.h>

#include "base/buf.h"

/* None returns NULL; all are freed with free(). */
void *wh_new(size_t count, size_t size); /* zeroed */
void *wh_grow(void *block, size_t count, size_t size);
char *wh_copy(const char *text); /* NULL stays NULL */
char *wh_copy_n(const char *text, size_t length);
char *wh_copy_slice(struct slice slice);
char *wh_print(const char *format, ...) DBSQL_PRINTF(1, 2);
/* Takes the content of a buffer (base/buf.h) as text. */
char *wh_take(struct buf *buf);
/* Ends the program if an append to the buffer failed. */
void wh_check(const struct buf *buf);

#endif
