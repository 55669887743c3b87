#include "api/api.h"
#include "base/mem.h"

const char *dbsql_version(void) {
  return DBSQL_VERSION;
}

dbsql_status dbsql_set_allocator(const dbsql_allocator *allocator) {
  if (allocator && (!allocator->allocate || !allocator->reallocate || !allocator->release)) return DBSQL_ERROR_DRIVER;
  return mem_set_allocator(allocator) ? DBSQL_OK : DBSQL_ERROR_DRIVER;
}

void dbsql_free(void *block) {
  mem_free(block);
}
