/* Thrift calls over HTTP: one POST each (thrift.md 1). */
#ifndef DBSQL_BACKEND_THRIFT_CLIENT_H
#define DBSQL_BACKEND_THRIFT_CLIENT_H

#include <sys/types.h>

#include "auth/auth.h"
#include "http/http.h"
#include "thrift/tcli.h"

/* For one thread at a time, and only for the process that made it: a forked child shares the sockets with its parent, so it may neither
 * send on them nor shut down TLS on them. */
struct thrift_client {
  pid_t owner;
  struct http_client *http;
  char *url;
  struct http_header *headers; /* owned, texts too */
  size_t header_count;
  struct authenticator *authenticator; /* borrowed */
  const struct log *log;
  int32_t sequence_id;
};

dbsql_status thrift_client_new(const char *url, const struct http_settings *http, const struct http_header *headers, size_t header_count,
                               struct authenticator *authenticator, const struct log *log, struct thrift_client **out, dbsql_error **error);
/* True in a process that was forked after the client had been made. */
bool thrift_client_is_foreign(const struct thrift_client *client);
/* NULL is allowed. In a forked child the HTTP client is left alone, and so are its sockets. */
void thrift_client_free(struct thrift_client *client);

/* A decoded answer: what its views point into. */
struct thrift_answer {
  struct chunk *body;
  struct arena arena;
  char request_id[80]; /* and the next: for errors that are found in the answer */
  int attempts;
};

/* Sends `request` and decodes the answer into `response`, whose views live as long as `answer`. `answer` is to be freed also after a
 * failure. `query_id` (may be NULL) is for the log. */
dbsql_status thrift_call(struct thrift_client *client, enum tcli_method method, const void *request, enum http_retry retry,
                         const char *query_id, const struct call *call, struct thrift_answer *answer, void *response, dbsql_error **error);
/* Says in an error that was found in the answer which request it answers. */
void thrift_answer_annotate(const struct thrift_answer *answer, dbsql_error **error);
void thrift_answer_free(struct thrift_answer *answer);

#endif
