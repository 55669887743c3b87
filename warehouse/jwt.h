/* JSON Web Tokens: signed and checked, by RS, PS and ES with 256, 384 and 512 (RFC 7515, 7518, 7519). */
#ifndef DBSQL_WAREHOUSE_JWT_H
#define DBSQL_WAREHOUSE_JWT_H

#include "jwks.h"

enum { jwt_longest = 16384 };

/* A token with `claims`; `header` (may be NULL) adds to the header or replaces what is there. NULL: the key cannot sign that way. The
 * algorithm "none" leaves the signature empty. The caller's. */
char *jwt_sign(const struct jwk *key, const char *algorithm, const json_t *header, const json_t *claims);
/* The claims of a token that one of the keys has signed; NULL: `*reason` (static) says why not. Times and issuers are not looked at.
 * For json_decref(). */
json_t *jwt_verify(const struct jwks *keys, const char *token, const char **reason);
/* The claims, of whoever they are. NULL if it is no JWT. */
json_t *jwt_peek(const char *token);
/* Whether a claim is this text, or a list that holds it. */
bool jwt_claim_is(const json_t *claims, const char *name, const char *text);

#endif
