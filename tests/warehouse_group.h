/* For test programs whose tests share one local warehouse: setup and teardown of the group. */
#ifndef DBSQL_TESTS_WAREHOUSE_GROUP_H
#define DBSQL_TESTS_WAREHOUSE_GROUP_H

#include "test.h"

#include "warehouse_process.h"

/* NULL where there is no engine. */
static struct warehouse_process *warehouse;

static int start_warehouse(void **state) {
  (void)state;
  if (warehouse_is_there()) warehouse = warehouse_start(NULL);
  return 0;
}

static int stop_warehouse(void **state) {
  (void)state;
  if (warehouse) assert_int_equal(warehouse_stop(warehouse), 0);
  return 0;
}

#define NEEDS_WAREHOUSE \
  (void)state;          \
  if (!warehouse) skip()

#endif
