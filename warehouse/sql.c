#include "sql.h"
#include <stdlib.h>
#include <string.h>
#include "memory.h"
bool sql_translate(const char *source, struct sql_statement *statement, struct failure *failure) {
  (void)failure;
  statement->text = wh_copy(source);
  return true;
}
void sql_statement_free(struct sql_statement *statement) {
  free(statement->text);
}
bool sql_type(const char *type, char **out, struct failure *failure) {
  (void)failure;
  *out = wh_copy(type);
  return true;
}
