#include "commands.h"
#include <stdlib.h>
bool command_empty_result(struct result *result, const struct result_shape *shape, struct failure *failure) {
  static const char *const columns[] = {"Result", "u", "", NULL};
  bool good = table_finish(table_new(columns), result, shape, failure);
  if (good) result->bare_arrow_schema = true;
  return good;
}
bool command_run(struct session *session, const struct sql_statement *statement, const struct result_shape *shape, struct result *result,
                 struct failure *failure) {
  (void)session;
  (void)statement;
  return command_empty_result(result, shape, failure);
}
bool command_before(struct session *session, struct failure *failure) {
  (void)session;
  (void)failure;
  return true;
}
void command_after(struct session *session, bool good) {
  (void)session;
  (void)good;
}
