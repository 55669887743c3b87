/* Strict validation of what arrives at the telemetry endpoints (telemetry.md 7, appendix A). */
#ifndef DBSQL_WAREHOUSE_TELEMETRY_CHECK_H
#define DBSQL_WAREHOUSE_TELEMETRY_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"

/* How the service really limits is not known; these are far above what any driver sends. */
enum { telemetry_request_limit = 8 << 20, telemetry_entry_limit = 256 << 10, telemetry_entries_limit = 10000 };

enum telemetry_reason {
  TELEMETRY_BAD_JSON,
  TELEMETRY_UNKNOWN_KEY,
  TELEMETRY_WRONG_TYPE,
  TELEMETRY_WRONG_VALUE,
  TELEMETRY_MISSING,
  TELEMETRY_FORBIDDEN,
  TELEMETRY_OVERSIZED,
  TELEMETRY_REASONS
};
extern const char *const telemetry_reasons[TELEMETRY_REASONS]; /* "bad-json" and so on */

struct telemetry_finding {
  enum telemetry_reason reason;
  char text[400]; /* begins with the path of what is wrong */
};

/* The envelope (7.1). A new reference, or NULL and the finding. */
json_t *telemetry_check_envelope(struct slice body, struct telemetry_finding *finding);
/* One entry of protoLogs (7.2 and on). A new reference, or NULL and the finding. `warnings`, an array, gets texts on what is valid but had
 * better not been sent. */
json_t *telemetry_check_entry(const json_t *text, bool authenticated, json_t *warnings, struct telemetry_finding *finding);

/* Makes foreign text fit for messages: what is no UTF-8, or steers a terminal, becomes a question mark. */
void telemetry_make_printable(char *text);

#endif
