/* Requests to token endpoints, and what they answer (RFC 6749 5, RFC 8693). */
#ifndef DBSQL_AUTH_OAUTH_H
#define DBSQL_AUTH_OAUTH_H

#include "auth/json.h"
#include "auth/provider.h"
#include "http/url.h"

enum { oauth_longest_answer = 1024 * 1024, oauth_longest_document = 64 * 1024, oauth_retry_total_ms = 60000 };

/* Appends `text` percent-encoded: fit for a form, a query and the user and password of HTTP Basic (RFC 6749 2.3.1). */
void oauth_encode(struct buf *out, const char *text);
/* Appends "&NAME=VALUE", without the "&" at the start of `out`; nothing if `value` is NULL or "". */
void oauth_field(struct buf *out, const char *name, const char *value);

/* Whether a URL may be sent credentials: https, or http to a loopback host or where the connection allows it; no userinfo (D12, T2). */
dbsql_status oauth_check_url(const struct auth_context *context, const char *url, const char *what, struct http_target *target,
                             dbsql_error **error);

struct oauth_post {
  const char *what; /* for messages: "token request" */
  const char *url;
  struct slice form;
  const char *basic_id; /* HTTP Basic with `basic_secret`; NULL: without */
  const struct secret *basic_secret;
  const struct http_header *headers;
  size_t header_count;
  bool single_use; /* what is sent is spent by it (codes, refresh tokens): never sent twice */
  /* What must not stand in an error, even if the server echoes it. */
  const char *const *secrets;
  size_t secret_count;
};

struct oauth_answer {
  char *access_token;
  char *token_type; /* NULL if it said none */
  char *refresh_token;
  char *scope;
  int64_t expires_unix_ms; /* 0: unknown */
};
void oauth_answer_free(struct oauth_answer *answer);

/* Posts the form and reads the answer. A refusal becomes an error with the server's code as class; 28000 unless it was the network. */
dbsql_status oauth_token_request(const struct token_request *request, const struct oauth_post *post, struct oauth_answer *answer,
                                 dbsql_error **error);
/* The answer in an object; `who` for errors. */
dbsql_status oauth_answer_from(const json_t *json, const char *who, struct oauth_answer *answer, dbsql_error **error);
/* A token from an answer: its expiry is what the answer says, or the JWT does, or after `unknown_ms` (0: never). Its type must be Bearer
 * (T8). */
dbsql_status oauth_make_token(const struct oauth_answer *answer, const char *who, int64_t margin_ms, int64_t unknown_ms,
                              struct token **token, dbsql_error **error);

/* GET of a document or a token, of at most `longest` bytes. The result is for json_drop_secret(). */
struct oauth_get {
  const char *url;
  const char *what;
  size_t longest;
  const struct http_header *headers;
  size_t header_count;
  dbsql_status (*authorize)(void *user, const struct call *call, struct buf *value, dbsql_error **error);
  void *authorize_user;
  const struct http_settings *settings; /* NULL: the connection's */
  char *location;                       /* as in http_request */
  size_t location_size;
};
dbsql_status oauth_get(const struct token_request *request, const struct oauth_get *get, json_t **json, dbsql_error **error);

/* RFC 8693: a JWT for a token of the workspace. `client_id` may be NULL. */
struct oauth_exchange {
  const char *url;
  const char *subject;
  const char *client_id;
  const char *scope;
  bool original_if_accepted; /* the server may answer with the same token if it takes that anyway */
};
dbsql_status oauth_exchange_token(const struct token_request *request, const struct oauth_exchange *exchange, struct oauth_answer *answer,
                                  dbsql_error **error);

#endif
