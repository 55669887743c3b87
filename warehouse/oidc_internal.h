/* What the files of OAuth share. `lock` is over everything that changes. */
#ifndef DBSQL_WAREHOUSE_OIDC_INTERNAL_H
#define DBSQL_WAREHOUSE_OIDC_INTERNAL_H

#include <pthread.h>

#include "jwt.h"
#include "oidc.h"

#define OIDC_ACCOUNT "6d1f2a3b-0c4d-4e5f-8a9b-dbdb5e1a0001"
#define OIDC_WORKSPACE "1"
#define OIDC_FOREIGN_ISSUER "https://idp.dbsql-warehouse.invalid"
#define OIDC_USER "user@example.com"

enum {
  oidc_grant_limit = 10000, /* codes, consents and refresh tokens that are remembered; then the oldest go */
  oidc_code_life_s = 60,
  oidc_consent_life_s = 600,
  oidc_leeway_s = 60, /* of the clocks of those who sign assertions */
  oidc_longest_proof_s = 24 * 3600,
  oidc_id_size = 44 /* of random names: 32 bytes in base64url, and the end */
};

struct oidc_client {
  char *id;
  char *secret;     /* NULL: none */
  struct jwks keys; /* that sign its assertions */
  char **redirects;
  size_t redirect_count;
};

struct oidc_issuer {
  char *url;
  struct jwks keys;
};

enum oidc_grant_kind {
  OIDC_CONSENT, /* the page is shown, and waits for its button */
  OIDC_CODE,
  OIDC_REFRESH,
  OIDC_PROOF,  /* the `jti` of an assertion that was used */
  OIDC_REVOKED /* the `jti` of an access token, or a family */
};

/* One thing to be remembered until it expires. Texts may be NULL. */
struct oidc_grant {
  enum oidc_grant_kind kind;
  char *id;     /* what is presented: the code, the refresh token, ... */
  bool used;    /* codes and refresh tokens are remembered so that their reuse is seen */
  int64_t ends; /* seconds */
  char *family; /* all tokens of one login */
  char *client;
  char *user;
  char *scope;
  char *redirect;
  char *challenge;
  char *state;
  bool wrong_state; /* ordered by a fault */
};

enum oidc_counter {
  OIDC_COUNT_REQUESTS, /* to the token endpoint */
  OIDC_COUNT_REFUSED,
  OIDC_COUNT_METADATA, /* discovery documents and keys */
  OIDC_COUNT_AUTHORIZE,
  OIDC_COUNT_CONSENTS,
  OIDC_COUNT_SECRET, /* tokens issued, by grant */
  OIDC_COUNT_ASSERTION,
  OIDC_COUNT_CODE,
  OIDC_COUNT_REFRESH,
  OIDC_COUNT_EXCHANGE,
  OIDC_COUNT_ACCEPTED, /* access tokens that came back */
  OIDC_COUNT_REJECTED,
  OIDC_COUNTERS
};

struct oidc {
  char *base; /* "http://127.0.0.1:8123" */
  char *host; /* of it */
  bool tls;
  const char *token;
  struct jwks keys;    /* the warehouse's own, one */
  struct jwks foreign; /* of the built-in issuer elsewhere, one */
  struct oidc_client *clients;
  size_t client_count;
  struct oidc_issuer *issuers;
  size_t issuer_count;

  pthread_mutex_t lock;
  int64_t token_life_s, refresh_life_s, clock_skew_s;
  bool rotate_refresh;
  bool auto_consent;
  struct oidc_grant *grants; /* the oldest first */
  size_t grant_count;
  int64_t serial;        /* of the last token */
  int64_t revoked_below; /* tokens up to this serial are revoked */
  int64_t counters[OIDC_COUNTERS];
};

/* ---- oidc.c ----------------------------------------------------------------------------------------------------------------------- */

void oidc_count(struct oidc *oidc, enum oidc_counter counter);
int64_t oidc_now(const struct oidc *oidc); /* seconds; with the lock */
void oidc_random(char out[oidc_id_size]);
struct oidc_client *oidc_client_find(const struct oidc *oidc, const char *id);
/* The address under which this request reached the warehouse: loopback names count, others do not. The caller's. */
char *oidc_base(const struct oidc *oidc, const struct oidc_request *request);
bool oidc_equal(const char *a, const char *b); /* in constant time */

/* A reply of JSON; takes `json` over. */
void oidc_reply_json(struct oidc_reply *reply, int status, json_t *json);
void oidc_reply_header(struct oidc_reply *reply, const char *name, const char *value);

/* Grants: with the lock. Added ones are moved; found ones stay where they are until the next is added. */
struct oidc_grant *oidc_grant_add(struct oidc *oidc, struct oidc_grant grant);
struct oidc_grant *oidc_grant_find(struct oidc *oidc, enum oidc_grant_kind kind, const char *id);
void oidc_revoke(struct oidc *oidc, const char *id, int64_t ends);
void oidc_grants_free(struct oidc *oidc);

/* Only known scopes, each once. False if there is another. `*offline`: offline_access is among them. */
bool oidc_scope_check(const char *scope, bool *offline);
bool oidc_scope_has(const char *scope, const char *one);

/* What a token says. */
struct oidc_identity {
  const char *issuer;
  const char *client;
  const char *subject;
  const char *scope;
  const char *family; /* NULL: a login of its own */
};
/* An access token; with the lock. The caller's. */
char *oidc_issue(struct oidc *oidc, const struct oidc_identity *identity, int64_t life_s);
/* The claims of an access token of this warehouse, or NULL; `*access` says what it is worth. With the lock. */
json_t *oidc_read_access(struct oidc *oidc, const char *token, enum oidc_access *access);

/* ---- oidc_token.c, oidc_authorize.c, oidc_metadata.c ------------------------------------------------------------------------------ */

void oidc_answer_token(struct oidc *oidc, const struct oidc_request *request, struct oidc_reply *reply);
void oidc_answer_authorize(struct oidc *oidc, const struct oidc_request *request, struct oidc_reply *reply);
void oidc_answer_metadata(struct oidc *oidc, const struct oidc_request *request, const char *endpoint, struct oidc_reply *reply);

/* Whether a JWT of somebody else may be used: its times and its audience. NULL: yes; otherwise why not. */
const char *oidc_check_proof(const struct oidc *oidc, const char *base, const json_t *claims, int64_t now, bool exchange);

#endif
