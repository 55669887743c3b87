/*
 * OAuth: the warehouse as an authorization server, and what it makes of the tokens that come back to it (auth.md 2, 7).
 *
 * Tokens are JWTs that a key of this run has signed. Grants: client_credentials (secret or signed assertion), authorization_code with
 * PKCE, refresh_token with rotation, token exchange (RFC 8693, and its older form as jwt-bearer).
 */
#ifndef DBSQL_WAREHOUSE_OIDC_H
#define DBSQL_WAREHOUSE_OIDC_H

#include <jansson.h>

#include "faults.h"
#include "form.h"
#include "options.h"

struct oidc;

struct oidc_options {
  struct option_list clients, client_keys, redirects, issuers; /* as on the command line */
  int64_t token_life_s, refresh_life_s, clock_skew_s;
  const char *token; /* the personal access token, or NULL; must live as long */
};

/* NULL: `*message` (the caller's) says which option is wrong. */
struct oidc *oidc_new(const struct oidc_options *options, char **message);
void oidc_free(struct oidc *oidc);
/* Once, before any request: where the warehouse listens. */
void oidc_listen(struct oidc *oidc, bool tls, const char *host, uint16_t port);

/* The endpoint that a path is, as faults name it; NULL: none of OAuth's. */
const char *oidc_endpoint(const char *path);

struct oidc_request {
  const char *method;
  const char *path;
  const char *host;          /* the header; may be NULL */
  const char *authorization; /* the header; may be NULL */
  const char *content_type;  /* the header; may be NULL */
  const struct form *query;  /* NULL: it could not be read */
  struct slice body;
  bool local; /* it comes from this machine */
  const struct fault *fault;
};

enum { oidc_header_limit = 8 };

struct oidc_reply {
  int status;
  const char *content_type;
  struct buf body;
  const char *names[oidc_header_limit];
  char *values[oidc_header_limit];
  size_t header_count;
};

/* Fills a zeroed reply, to be freed with oidc_reply_free(). Any thread. */
void oidc_answer(struct oidc *oidc, const struct oidc_request *request, struct oidc_reply *reply);
void oidc_reply_free(struct oidc_reply *reply);

/* What a bearer token is worth on the way to SQL. */
enum oidc_access {
  OIDC_ACCESS_GOOD,
  OIDC_ACCESS_UNKNOWN,  /* no token of this warehouse */
  OIDC_ACCESS_ENDED,    /* one that has expired or was revoked */
  OIDC_ACCESS_FORBIDDEN /* its scopes do not reach so far */
};
enum oidc_access oidc_check_access(struct oidc *oidc, const char *token);

/* Control: POST /control/revoke, POST /control/mint, GET and POST /control/oauth. NULL: `*status` and `message` say why. */
bool oidc_control_serves(const char *path);
json_t *oidc_control(struct oidc *oidc, const char *method, const char *path, const json_t *body, int *status, char *message, size_t size);
/* Counters, new. */
json_t *oidc_stats(struct oidc *oidc);

#endif
