/*
 * Keeps the batches of a large result in a file instead of in memory. The file has no name and is mapped, so that what nobody reads need
 * not be in memory, and goes when the result does. Batches that are the same are there once.
 */
#ifndef DBSQL_WAREHOUSE_SPOOL_H
#define DBSQL_WAREHOUSE_SPOOL_H

#include "result.h"

struct spool;

/* `folder` is where the file is made. NULL on failure. */
struct spool *spool_new(const char *folder, struct failure *failure);
/* Moves the batches that have come since the last time from the result into the file. */
bool spool_move(struct spool *spool, struct result *result, struct failure *failure);
/* Gives the result its batches back, in the file. */
bool spool_finish(struct spool *spool, struct result *result, struct failure *failure);
/* NULL is allowed. The result's batches stay. */
void spool_free(struct spool *spool);

#endif
