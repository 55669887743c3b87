/* Tokens of people on disk, so that not every program start is a sign-in (auth.md 2.5, T16 to T18). Whatever is wrong with the file, the
 * folder or their owner makes it as if there was none. */
#ifndef DBSQL_AUTH_TOKEN_STORE_H
#define DBSQL_AUTH_TOKEN_STORE_H

#include "auth/oauth.h"

/* Whose tokens. */
struct token_identity {
  const char *origin;
  const char *client_id;
  const char *scopes;
  const char *account_id; /* "" if none */
  const char *profile;    /* "" if none */
  const char *endpoint;   /* that the user has set instead of the origin's own; "" if none */
};

struct token_store;
/* The entry of an identity, with its lock, for which it waits at most 10 s: a refresh token that is used up by one process must not be
 * used by another. `folder` NULL: the usual place. NULL if there is no place or it is not to be trusted; `*why` says so then. */
struct token_store *token_store_open(const char *folder, const struct token_identity *identity, const struct call *call, const char **why);
/* Gives up the lock. NULL is allowed. */
void token_store_close(struct token_store *store);
/* False if there is none. */
bool token_store_load(struct token_store *store, struct oauth_answer *answer);
bool token_store_save(struct token_store *store, const struct oauth_answer *answer);
void token_store_remove(struct token_store *store);

#endif
