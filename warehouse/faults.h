/*
 * Faults: what goes wrong on purpose. Armed over the control endpoint, each for so many calls of a method, or of any.
 */
#ifndef DBSQL_WAREHOUSE_FAULTS_H
#define DBSQL_WAREHOUSE_FAULTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"

enum fault_kind {
  FAULT_NONE,
  /* Of results with links: what a link leads to (docs/cloudfetch-faults.md). */
  FAULT_LINK_EXPIRED,       /* from now on until there is another link */
  FAULT_LINK_EXPIRED_AFTER, /* the same, while it is being downloaded */
  FAULT_FILE_STATUS,        /* link-403, link-404, storage-500 and so on */
  FAULT_FILE_STORM,         /* 500, 502, 503, 504 in turn */
  FAULT_FILE_RESET,
  FAULT_FILE_TRUNCATED,
  FAULT_FILE_STALL,
  FAULT_FILE_SLOW,
  FAULT_SHORT_FILE, /* HTTP says that it is whole, and it is not */
  FAULT_CORRUPT_FRAME,
  FAULT_CORRUPT_BATCH,
  FAULT_SHORT_ROWS,   /* one row less than its link says */
  FAULT_PADDING_ROWS, /* more rows than its link says */
  FAULT_STALE_NAMES,
  FAULT_STALE_METADATA,
  FAULT_WRONG_SCHEMA,
  /* The links themselves. */
  FAULT_LINK_ROW_COUNT,
  FAULT_LINK_BYTES,
  FAULT_DUPLICATE_CHUNK,
  FAULT_MISSING_CHUNK,
  /* The pages. */
  FAULT_MORE_ROWS_LIE, /* hasMoreRows is the contrary of what is true */
  FAULT_NO_ARROW_SCHEMA,
  /* An answer of HTTP, and nothing has run. */
  FAULT_HTTP_STATUS, /* http-400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504 */
  FAULT_HTML_BODY,
  FAULT_GARBAGE_BODY,
  FAULT_REDIRECT,
  /* The connection. */
  FAULT_RESET_BEFORE,
  FAULT_RESET_AFTER,
  FAULT_RESET_BODY, /* after the header */
  FAULT_STALL,
  FAULT_DELAY, /* all is well, only later */
  FAULT_SLOW_BODY,
  FAULT_TRUNCATED_BODY,
  FAULT_OVERSIZED_BODY,
  /* The message. */
  FAULT_WRONG_ROW_COUNT,
  FAULT_WRONG_SEQUENCE_ID,
  FAULT_EXTRA_FIELDS,
  FAULT_SESSION_LOST,
  FAULT_SESSION_GONE,    /* the session is closed first */
  FAULT_STATEMENT_FAILS, /* with the class `message` */
  FAULT_EMPTY_PAGE,
  FAULT_UNKNOWN_METHOD, /* the method is not there: an exception, and nothing has run */
  FAULT_REFUSED,        /* the call answers an error: it is not supported */
  /* The JSON that telemetry and the feature flags are answered with (telemetry.md, appendix A). */
  FAULT_EMPTY_BODY,
  FAULT_MALFORMED_JSON,
  FAULT_EXTRA_KEYS,
  FAULT_WRONG_TYPES,
  FAULT_PARTIAL_SUCCESS, /* only the first `accepted` entries are taken */
  FAULT_LYING_COUNT,     /* all are taken, and `accepted` is said */
  /* What OAuth answers (oidc.h). Each has one endpoint that it is for unless told otherwise. */
  FAULT_OIDC_ERROR,         /* the token endpoint refuses with the code `message` */
  FAULT_OIDC_ERROR_CODE,    /* the same in the other form, errorCode and errorSummary */
  FAULT_OIDC_ECHO,          /* the same, and its description repeats what was sent */
  FAULT_OIDC_EMPTY_TOKEN,   /* access_token is "" */
  FAULT_OIDC_NO_TOKEN,      /* there is no access_token */
  FAULT_OIDC_EXPIRES_IN,    /* expires_in is the JSON in `message`, or missing if that is "" */
  FAULT_OIDC_TOKEN_TYPE,    /* token_type is `message` */
  FAULT_OIDC_FOREIGN_TOKEN, /* a token that this warehouse does not take */
  FAULT_OIDC_SAME_REFRESH,  /* the answer to a refresh has no refresh token, and the old one stays good */
  FAULT_OIDC_WRONG_STATE,   /* the browser comes back with another state */
  FAULT_OIDC_DENIED,        /* it comes back with the error `message`, or access_denied */
  FAULT_OIDC_NO_CALLBACK,   /* it never comes back */
  FAULT_OIDC_ENDPOINT,      /* databricks-config: oidc_endpoint is `message`, or missing if that is "" */
  FAULT_OIDC_ISSUER,        /* metadata: the issuer is `message` */
  FAULT_OIDC_TOKEN_URL,     /* metadata: the token endpoint is `message` */
  FAULT_OIDC_MISSING        /* metadata: there are no endpoints */
};

struct fault {
  enum fault_kind kind;
  int64_t file;    /* of a result with links, counted from 0; -1: any */
  int status;      /* of HTTP */
  char method[40]; /* "": any */
  int64_t skip;    /* so many calls pass before it strikes */
  int64_t count;   /* so many times it strikes; -1: until it is taken away */
  int64_t struck;
  char retry_after[64]; /* a header to be sent; "": none */
  char message[256];    /* X-Thriftserver-Error-Message, or what the kind says; "": none */
  int64_t delay_ms;     /* between pieces, or of the stall */
  int64_t bytes;        /* of a piece, or of the oversized body */
  char name[32];
  char match[128];    /* what the statement begins with; "": whatever */
  char location[256]; /* of a redirect */
  int64_t redirect;   /* its status; 0: 302 */
  int64_t accepted;   /* entries, of the last two kinds */
};

enum { faults_limit = 64 };

struct faults {
  pthread_mutex_t lock;
  struct fault list[faults_limit];
  int count;
  int64_t struck; /* by all, ever */
};

void faults_init(struct faults *faults);
void faults_destroy(struct faults *faults);
/* Reads one fault from JSON and arms it. On failure `*message` (static or of `buffer`) says what is wrong. */
bool faults_arm(struct faults *faults, const json_t *json, char *message, size_t size);
void faults_clear(struct faults *faults);
/* The fault that strikes this call, copied: at most one. Kind FAULT_NONE if none. */
struct fault faults_take(struct faults *faults, const char *method);
/* The same for a Thrift call: `begins_with` tells what its statement begins with. */
struct fault faults_take_call(struct faults *faults, const char *method, bool (*begins_with)(struct slice message, const char *start),
                              struct slice message);
/* The same for what is not Thrift: only faults that name this endpoint, or the group it belongs to, strike it. */
struct fault faults_take_endpoint(struct faults *faults, const char *endpoint, const char *group);
/* The same for the storage, and for links: with the number of the file. */
struct fault faults_take_file(struct faults *faults, const char *endpoint, int64_t file);
/* Arms all faults of a file that holds a JSON array of them. `*message` is the caller's. */
bool faults_read_file(struct faults *faults, const char *path, char **message);
/* A new array of what is armed. */
json_t *faults_list(struct faults *faults);

#endif
