#include "telemetry/errors.h"

#include <string.h>

#include "telemetry/tags.h"

_Static_assert((int)CATEGORY_COUNT == (int)category_COUNT, "base/category.h and telemetry/enums.def list the same categories");
_Static_assert((int)CATEGORY_STATEMENT_CLOSED == (int)category_statement_closed, "in the same order");

enum { KIND_ANY = -1, ANY_STATUS = 0, STATUS_4XX = 4, STATUS_5XX = 5 };
enum {
  RULE_KIND_ANY = KIND_ANY,
  RULE_KIND_DRIVER = DBSQL_ERROR_DRIVER,
  RULE_KIND_REQUEST = DBSQL_ERROR_REQUEST,
  RULE_KIND_EXECUTION = DBSQL_ERROR_EXECUTION,
  RULE_KIND_CANCELLED = DBSQL_ERROR_CANCELLED,
  RULE_KIND_TIMEOUT = DBSQL_ERROR_TIMEOUT,
  RULE_KIND_NO_MEMORY = DBSQL_ERROR_NO_MEMORY
};

static const struct rule {
  enum error_place place;
  int kind;
  int http;
  const char *sqlstate;
  enum error_category category;
} rules[] = {
#define RULE(place, kind, http, sqlstate, category) {PLACE_##place, RULE_KIND_##kind, http, sqlstate, category},
#include "telemetry/errors.def"
#undef RULE
};

static bool fits(const struct rule *rule, dbsql_status status, int http_status, const char *sqlstate, enum error_place place) {
  if (rule->place != PLACE_ANY && rule->place != place) return false;
  if (rule->kind != KIND_ANY && rule->kind != (int)status) return false;
  if (rule->http != ANY_STATUS) {
    if (rule->http < 10 ? http_status / 100 != rule->http : http_status != rule->http) return false;
  }
  return strncmp(sqlstate, rule->sqlstate, strlen(rule->sqlstate)) == 0;
}

enum error_category errors_classify(dbsql_status status, const dbsql_error *error, enum error_place place) {
  if (status == DBSQL_OK) return CATEGORY_NONE;
  if (error && error->category != CATEGORY_NONE && error->category < CATEGORY_COUNT) return (enum error_category)error->category;
  if (error && error->session_lost) return CATEGORY_SESSION_CLOSED;
  int http_status = error ? error->http_status : 0;
  const char *sqlstate = error ? error->sqlstate : "";
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    if (fits(&rules[i], status, http_status, sqlstate, place)) return rules[i].category;
  }
  return CATEGORY_GENERIC;
}

bool errors_is_terminal(enum error_category category) {
  switch (category) {
    case CATEGORY_AUTH:
    case CATEGORY_PERMISSION:
    case CATEGORY_NOT_FOUND:
    case CATEGORY_SYNTAX:
    case CATEGORY_INVALID_REQUEST:
    case CATEGORY_UNSUPPORTED:
    case CATEGORY_TLS:
    case CATEGORY_DECOMPRESSION:
    case CATEGORY_ARROW_SCHEMA:
    case CATEGORY_SESSION_CLOSED: return true;
    default: return false;
  }
}
