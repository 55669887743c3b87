/* TCLIService over the warehouse: one Thrift message in, one out. Knows nothing of HTTP. */
#ifndef DBSQL_WAREHOUSE_SERVICE_H
#define DBSQL_WAREHOUSE_SERVICE_H

#include "page.h"
#include "warehouse.h"

/* Deviations that a test asked for (faults.h). */
struct service_faults {
  bool wrong_row_count; /* batches, or the first column, do not hold what is said */
  bool wrong_sequence_id;
  bool extra_fields;  /* fields no public interface names, and all fields in descending order */
  bool session_lost;  /* the session of the call is unknown */
  bool empty_page;    /* no rows, and more to come */
  bool more_rows_lie; /* hasMoreRows is the contrary of what is true */
  bool no_arrow_schema;
  bool session_gone;      /* the session of the call is closed, and then unknown */
  const char *fails_with; /* the class of the error that the statement fails with; NULL: none */
  bool unknown_method;    /* there is no such call */
  bool refused;           /* there is, and its answer is an error */
};

struct service_call {
  /* For the access log. */
  char method[40];
  int32_t status; /* enum TStatusCode of the answer; -1: an exception */
  /* Whether whoever called has gone away: what it started is cancelled then. May be NULL. */
  bool (*gone)(void *user);
  void *gone_user;
};

/* Appends the answer to `out`. */
void service_answer(struct warehouse *warehouse, struct slice message, const struct service_faults *faults, struct service_call *call,
                    struct buf *out);
/* Whether this is an ExecuteStatement whose text begins with `start`, in any case, behind blanks. */
bool service_begins_with(struct slice message, const char *start);
/* The method's name, without anything else being read. Empty if this is no message. */
void service_method(struct slice message, char *name, size_t size);

#endif
