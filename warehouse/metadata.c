#include "warehouse.h"
bool metadata_operation(struct operation *operation, struct failure *failure) {
  (void)operation;
  return failure_set(failure, NULL, "0A000", "no");
}
