/* What the public functions share: checking arguments. */
#ifndef DBSQL_API_API_H
#define DBSQL_API_API_H

#include "base/error.h"

/* A caller that passes no `error` still gets the side effects of one (a lost session is noticed by its error). */
#define API_BEGIN(error)           \
  dbsql_error *api_ignored = NULL; \
  if (!(error)) (error) = &api_ignored

#define API_END(status)                 \
  do {                                  \
    dbsql_status api_status = (status); \
    dbsql_error_free(api_ignored);      \
    return api_status;                  \
  } while (0)

/* Refuses a NULL where one makes no sense. */
#define API_REQUIRE(argument, error)                                                                                         \
  do {                                                                                                                       \
    if (!(argument)) return error_set((error), DBSQL_ERROR_DRIVER, "HY009", "%s: %s must not be NULL", __func__, #argument); \
  } while (0)

#endif
