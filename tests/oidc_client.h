/* A client of the warehouse's OAuth for tests: plain requests, what they are answered, and keys. */
#ifndef DBSQL_TESTS_OIDC_CLIENT_H
#define DBSQL_TESTS_OIDC_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "warehouse_process.h"

#define GRANT_EXCHANGE "urn:ietf:params:oauth:grant-type:token-exchange"
#define TYPE_JWT "urn:ietf:params:oauth:token-type:jwt"
#define TYPE_ASSERTION "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

struct oidc_response {
  long status; /* 0: the connection broke */
  char *body;
  char *headers; /* all lines */
  char location[2048];
  json_t *json; /* NULL: the body is none */
};

struct oidc_client {
  struct warehouse_process *warehouse;
  char base[64]; /* http://127.0.0.1:PORT */
};

void oidc_client_init(struct oidc_client *client, struct warehouse_process *warehouse);

/* `path` may be a whole URL. `body` NULL: no body; `type` NULL: a form. `authorization` may be NULL. Redirects are not followed. */
struct oidc_response oidc_send(const struct oidc_client *client, const char *method, const char *path, const char *body, const char *type,
                               const char *authorization);
void oidc_response_free(struct oidc_response *response);
/* A text of the answer's JSON; NULL: there is none. */
const char *oidc_text(const struct oidc_response *response, const char *name);

/* A form from "name", "value", ..., NULL; values are escaped, pairs whose value is NULL are left out. The caller's. */
char *oidc_form(const char *name, ...);
/* POST to the token endpoint; frees the form. */
struct oidc_response oidc_ask(const struct oidc_client *client, char *form, const char *authorization);
/* The same; the test fails unless a token is given, which is the caller's. */
char *oidc_token(const struct oidc_client *client, char *form, const char *authorization);
/* The same; the test fails unless it is refused with that code, and a description that holds `words`. */
void oidc_refused(const struct oidc_client *client, char *form, const char *authorization, const char *code, const char *words);

/* The status that a Thrift call with this token is answered. */
long oidc_access(const struct oidc_client *client, const char *token);
/* POST to /control/PATH; the test fails unless that works. The answer's JSON is the caller's. */
json_t *oidc_order(const struct oidc_client *client, const char *path, const char *json);
/* A token of the issuer elsewhere; `json` says what is special about it. The caller's. */
char *oidc_mint(const struct oidc_client *client, const char *json);
/* A counter in /control/stats under "oauth" ("issued.refresh_token" is one of those inside). */
long oidc_counter(const struct oidc_client *client, const char *name);

/* The claims of a token, unchecked. For json_decref(). */
json_t *oidc_claims(const char *token);

/* What U2M needs: verifier and challenge, and the way through the page. */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define REDIRECT "http://localhost:8030"
/* The query of a good request with one part replaced (NULL: left out). The caller's. */
char *oidc_authorize_query(const char *name, const char *value);
/* GET of the page, and the button that is pressed: "allow" or "deny". The answer is what the browser gets then. */
struct oidc_response oidc_consent(const struct oidc_client *client, const char *query, const char *decision);
/* A parameter of the address that the browser is sent to, unescaped; "": it is not there. */
void oidc_location_parameter(const struct oidc_response *response, const char *name, char *out, size_t size);
/* All of it: a code for the good request. The caller's. */
char *oidc_code(const struct oidc_client *client);

#endif
