/* Tokens: what a provider gives, checked and never changed afterwards, with a count of owners. */
#ifndef DBSQL_AUTH_TOKEN_H
#define DBSQL_AUTH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/shared.h"

enum {
  token_unusable_ms = 30000,       /* before it expires (auth.md D2) */
  token_unusable_entra_ms = 40000, /* Azure Databricks refuses tokens with 30 s left (auth.md 1.16) */
  token_refresh_ahead_ms = 20 * 60 * 1000,
  token_unknown_lifetime_ms = 60000, /* of an external token whose expiry nobody knows (auth.md 1.6) */
  token_fingerprint_size = 32,
  token_longest = 64 * 1024
};

struct token_header {
  const char *name;
  const char *value;
};

/* What a token is made from. Everything is copied. */
struct token_parts {
  struct slice value;
  const char *type;                   /* NULL or "": Bearer */
  int64_t expires_unix_ms;            /* 0: unknown */
  int64_t lifetime_ms;                /* without `expires_unix_ms`: it counts for so long, with no margin; 0: until it is rejected */
  int64_t margin_ms;                  /* it is not used within this time before it expires; 0: token_unusable_ms */
  const char *scopes;                 /* separated by spaces; may be NULL */
  const struct token_header *headers; /* that go with the token */
  size_t header_count;
  const char *note; /* for the error if the server refuses it; may be NULL */
};

struct token {
  struct shared shared;
  struct secret *header; /* "TYPE VALUE" */
  size_t value_at;       /* of VALUE in it */
  struct secret *more;   /* further headers, "NAME\0VALUE\0" each; NULL if there are none */
  int64_t expires_unix_ms;
  /* Two clocks, since one of them can be set: whichever is past counts. INT64_MAX: never. */
  int64_t stale_ns, stale_unix_us;       /* a new one is due */
  int64_t unusable_ns, unusable_unix_us; /* this one is not to be used */
  uint8_t fingerprint[token_fingerprint_size];
  char *scopes;
  char *note;
};

/* One owner. A value that is empty or has a byte that no header has, or a type that is no RFC 7230 token, is refused (T8). `who` is the
 * name of the provider, for the error. */
dbsql_status token_new(const struct token_parts *parts, const char *who, struct token **token, dbsql_error **error);
static inline struct token *token_keep(struct token *token) {
  if (token) shared_keep(&token->shared);
  return token;
}
static inline void token_drop(struct token *token) {
  if (token) shared_drop(&token->shared);
}
static inline struct slice token_value(const struct token *token) {
  return slice_of(secret_text(token->header) + token->value_at, secret_length(token->header) - token->value_at);
}
bool token_equal(const struct token *a, const struct token *b);

enum token_state { TOKEN_FRESH, TOKEN_STALE, TOKEN_EXPIRED };
enum token_state token_state_now(const struct token *token);
/* The state with another refresh-ahead than the usual; never more than half of what was left when the token was made (D2, C5). */
void token_set_refresh_ahead(struct token *token, int64_t ahead_ms);

/* Three parts, of which the first two are objects and the first has an `alg`. */
bool jwt_is_one(struct slice token);
/* The `exp` claim of a JWT in milliseconds, 0 if it is no JWT or has none. A hint: nothing is verified (T30). */
int64_t jwt_expiry_ms(struct slice token);
/* The `iss` claim, to be freed with mem_free(). False if it is no JWT, or has no `iss` that is a text; NULL then, or if out of memory. */
bool jwt_issuer(struct slice token, char **issuer);

#endif
