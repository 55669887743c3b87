/* Rows of Arrow batches as parameter sets, one after the other. */
#ifndef DBSQL_SESSION_PARAMETER_SETS_H
#define DBSQL_SESSION_PARAMETER_SETS_H

#include "arrow/column.h"
#include "base/arena.h"
#include "session/parameters.h"

struct parameter_sets {
  struct parameters *parameters;
  struct arrow_column root;         /* bound to the schema */
  const struct ArrowArray *batch;   /* NULL: the next is to be taken */
  struct ArrowArray own;            /* a batch of the stream */
  int64_t row;                      /* the next one of the batch */
  int64_t number;                   /* sets taken so far */
  bool taken;                       /* the bound batch */
  bool as_decimal[parameters_most]; /* an unsigned column with values beyond BIGINT */
};

/* Refuses columns of types that cannot be sent. Freed with parameter_sets_close(), also after a failure. */
dbsql_status parameter_sets_open(struct parameter_sets *sets, struct parameters *parameters, dbsql_error **error);
void parameter_sets_close(struct parameter_sets *sets);
/* Steps to the next set, if there is one. */
dbsql_status parameter_sets_next(struct parameter_sets *sets, bool *has_set, dbsql_error **error);
/* Makes the parameters of the set that was stepped to, as the plan has them: `row` for a row that is repeated. `out` has room for
 * parameters_most. Texts are in the arena. */
dbsql_status parameter_sets_read(struct parameter_sets *sets, const struct parameter_plan *plan, bool row, struct arena *arena,
                                 struct backend_parameter *out, dbsql_error **error);

#endif
