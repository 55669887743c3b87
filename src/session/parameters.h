/*
 * Parameters of a statement: what is bound, and what is sent of it (results.md 6, docs/parameters.md).
 *
 * Either single values, by position or by name, or Arrow batches, of which each row is one parameter set. Values are kept as the texts
 * that are sent.
 */
#ifndef DBSQL_SESSION_PARAMETERS_H
#define DBSQL_SESSION_PARAMETERS_H

#include "backend/backend.h"
#include "session/parameter_value.h"

struct arrow_column;
struct sql_markers;

enum {
  parameters_most = 255,                    /* that the server takes in one statement */
  parameters_request_most = 16 << 20,       /* bytes of a statement with its values */
  parameters_request_comfortable = 1 << 20, /* bytes of values that several sets in one statement may have together */
  parameter_name_most = 1024
};

struct parameter {
  char *name; /* NULL: by position */
  char *type;
  char *value; /* NULL: NULL */
  size_t size;
  bool is_bound;  /* positions may be left out, for now */
  bool is_binary; /* the value is hexadecimal digits that must go through unhex() */
};

enum parameter_source { PARAMETERS_NONE, PARAMETERS_VALUES, PARAMETERS_ARROW };

struct parameters {
  enum parameter_source source;
  bool is_named; /* of values */
  struct parameter *items;
  size_t count;
  /* Arrow: a batch, which stays bound, or a stream, which is used up. */
  struct ArrowSchema schema;
  struct ArrowArray batch;
  struct ArrowArrayStream stream;
  int64_t sets_done; /* of the last execution */
};

void parameters_clear(struct parameters *parameters);

/* Binds in place of what was bound there. `name` NULL: by position, from 1; otherwise `position` is 0. Copies. `value` NULL: NULL. Both
 * styles at once are an error, and so is a value of a text type that is not UTF-8. */
dbsql_status parameters_set(struct parameters *parameters, int32_t position, const char *name, const char *type, struct slice value,
                            bool is_null, dbsql_error **error);
/* The same with hexadecimal digits. */
dbsql_status parameters_set_binary(struct parameters *parameters, int32_t position, const char *name, struct slice bytes,
                                   dbsql_error **error);
/* Take over what they are given, on success only; in place of all that is bound. */
dbsql_status parameters_bind_batch(struct parameters *parameters, struct ArrowArray *batch, struct ArrowSchema *schema,
                                   dbsql_error **error);
dbsql_status parameters_bind_stream(struct parameters *parameters, struct ArrowArrayStream *stream, dbsql_error **error);

/* ---- What a text wants, and what is bound for it ------------------------------------------------------------------------- */

/* For each parameter of a request, in order, where its value comes from: an index into the values, or a column. */
struct parameter_plan {
  bool is_named;
  size_t count;
  uint32_t sources[parameters_most];
  const char *names[parameters_most]; /* NULL: by position; views */
  bool in_unhex[parameters_most];     /* at each place where it is used */
  bool may_repeat_row;                /* an INSERT whose row may be written once for each set */
  size_t row_markers;                 /* then, in that row */
  uint32_t row_sources[parameters_most];
  bool row_in_unhex[parameters_most];
};

/* Compares. `columns` are those of the bound batch, NULL for single values. An error names what does not fit; nothing has been sent. */
dbsql_status parameters_plan(const struct parameters *parameters, const struct arrow_column *columns, const struct sql_markers *markers,
                             struct parameter_plan *plan, dbsql_error **error);

#endif
