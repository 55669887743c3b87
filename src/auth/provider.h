/*
 * Token providers: the one abstraction for all credentials. They compose: a provider may stand on another one.
 *
 * A provider has a count of owners and may be used by any number of threads.
 */
#ifndef DBSQL_AUTH_PROVIDER_H
#define DBSQL_AUTH_PROVIDER_H

#include "auth/context.h"
#include "auth/token.h"
#include "base/call.h"
#include "base/log.h"

/* One question for a token. */
struct token_request {
  struct auth_context *context; /* who asks needs it until the call returns; keep it to have it longer */
  const struct call *call;
  const struct log *log; /* may be NULL; valid during the call only */
  dbsql_token_reason reason;
  bool in_background; /* nobody waits: no one is to be bothered */
};

struct provider_ops {
  /* One owner of a token that is not expired. May wait within the call. */
  dbsql_status (*get)(dbsql_token_provider *self, const struct token_request *request, struct token **token, dbsql_error **error);
  /* The server has refused this token; may be NULL. */
  void (*reject)(dbsql_token_provider *self, const struct token *token);
  /* Frees the provider; nobody uses it any more. */
  void (*destroy)(dbsql_token_provider *self);
};

enum { provider_name_size = 96, provider_fetch_ms = 30000 };

struct dbsql_token_provider {
  struct shared shared;
  const struct provider_ops *ops;
  char name[provider_name_size]; /* for errors and logs; no secrets */
  /* A number that changes whenever get() may have another answer; 0: always ask. Read without a lock on the way of every request. */
  atomic_uint_fast64_t generation;
  bool can_renew;     /* another token may come when the last one was refused */
  bool needs_cache;   /* get() is dear: a connection puts a cache around it */
  bool in_foreground; /* its get() must run on the thread that asks */
  int64_t fetch_ms;   /* how long get() may take when a cache asks; 0: provider_fetch_ms */
};

void provider_init(dbsql_token_provider *provider, const struct provider_ops *ops, const char *format, ...) DBSQL_PRINTF(3, 4);
static inline dbsql_token_provider *provider_keep(dbsql_token_provider *provider) {
  if (provider) shared_keep(&provider->shared);
  return provider;
}
static inline void provider_drop(dbsql_token_provider *provider) {
  if (provider) shared_drop(&provider->shared);
}
static inline dbsql_status provider_get(dbsql_token_provider *provider, const struct token_request *request, struct token **token,
                                        dbsql_error **error) {
  return provider->ops->get(provider, request, token, error);
}
static inline void provider_reject(dbsql_token_provider *provider, const struct token *token) {
  if (provider->ops->reject) provider->ops->reject(provider, token);
}

/* Each makes a provider with one owner; an inner one is kept. */
dbsql_status provider_static(const struct token_parts *parts, dbsql_token_provider **provider, dbsql_error **error);
dbsql_status provider_external(const dbsql_token_source *source, dbsql_token_provider **provider, dbsql_error **error);
/* `ahead_ms`: due for refresh this long before it expires; 0: the usual (auth.md D2). */
dbsql_status provider_cached(dbsql_token_provider *inner, int64_t ahead_ms, dbsql_token_provider **provider, dbsql_error **error);
/* Exchanges the inner one's tokens where they come from another issuer (auth.md 1.9). `client_id` and `scope` may be NULL. */
struct federation_settings {
  const char *client_id;
  const char *scope; /* NULL: "sql" */
  bool strict;       /* a failed exchange is an error; otherwise the original token is used */
};
dbsql_status provider_federated(dbsql_token_provider *inner, const struct federation_settings *settings, dbsql_token_provider **provider,
                                dbsql_error **error);

/* Whether the issuer of a token is another host than `host` ("HOST" or "HOST:PORT"): the exchange is for those only (D5). */
bool federation_is_foreign(const char *issuer, const char *host);

/* Errors can be told to several: a copy of everything but the call's own ids and times. */
void error_copy(const dbsql_error *from, dbsql_error **to);
/* Who serves whom: a provider that hands tokens on serves one origin, the first that asked (T3). `*bound` begins as NULL and is the
 * provider's to free; the caller holds the provider's lock. */
dbsql_status provider_bind(char **bound, const dbsql_token_provider *provider, const struct auth_context *context, dbsql_error **error);

#endif
