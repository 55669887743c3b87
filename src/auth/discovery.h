/* Where a workspace's OAuth endpoints are (auth.md 2.2). What a document names is checked before anything is sent there (T4, T5). */
#ifndef DBSQL_AUTH_DISCOVERY_H
#define DBSQL_AUTH_DISCOVERY_H

#include <pthread.h>

#include "auth/oauth.h"

/* What the user has said; NULL or "" where nothing. */
struct discovery_settings {
  const char *token_endpoint;
  const char *authorization_endpoint;
  const char *discovery_url; /* of a document with both */
  const char *account_id;
};

struct discovery {
  char *token_endpoint;
  char *authorization_endpoint;
  char *issuer;   /* that the browser's way back must name (RFC 9207); NULL: the server does not promise to */
  char *audience; /* that the host wants in the tokens it exchanges; NULL: it says none */
  bool post_only; /* the endpoint takes no HTTP Basic: the secret goes into the form */
};
void discovery_free(struct discovery *found);

/* Looks, for at most 10 s. */
dbsql_status discovery_find(const struct token_request *request, const struct discovery_settings *settings, struct discovery *found,
                            dbsql_error **error);

/* A copy of what was found, kept for an hour. Zeroed to begin with, but for its lock. */
struct discovery_cache {
  pthread_mutex_t lock;
  struct discovery_settings settings; /* owned */
  struct discovery found;
  int64_t until_ns;
};
/* Copies the settings; false if out of memory. */
bool discovery_cache_init(struct discovery_cache *cache, const struct discovery_settings *settings);
void discovery_cache_free(struct discovery_cache *cache);
dbsql_status discovery_cache_get(struct discovery_cache *cache, const struct token_request *request, struct discovery *found,
                                 dbsql_error **error);

#endif
