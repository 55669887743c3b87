/* Parameters of a statement (thrift.md 2.3): bound through ADBC as texts, and cast to their types by the engine. */
#ifndef DBSQL_WAREHOUSE_PARAMETERS_H
#define DBSQL_WAREHOUSE_PARAMETERS_H

#include "failure.h"
#include "thrift/tcli.h"

/* A value of an ARRAY, MAP or STRUCT has `parts` in place of a text. */
struct parameter {
  char *name;  /* NULL: positional */
  char *type;  /* NULL: STRING */
  char *value; /* NULL: NULL */
  struct parameter *parts;
  size_t part_count;
};

/* In one statement (the documentation of Python's connector says so). */
enum { parameters_most = 255 };

/* Copies them. Freed with parameters_free(). */
bool parameters_read(const struct TExecuteStatementReq *request, struct parameter **parameters, size_t *count, struct failure *failure);
void parameters_free(struct parameter *parameters, size_t count);
/* The record batch of one row: `count` texts. */
bool parameters_bind(const char *const *values, size_t count, struct ArrowArray *array, struct ArrowSchema *schema,
                     struct failure *failure);

/* The text of an interval as a number, of months or microseconds. */
bool parameters_interval(const char *type, const char *value, bool *months, int64_t *number, struct failure *failure);

#endif
