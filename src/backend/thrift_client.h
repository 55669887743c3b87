/* Thrift calls over HTTP: one POST each (thrift.md 1). */
#ifndef DBSQL_BACKEND_THRIFT_CLIENT_H
#define DBSQL_BACKEND_THRIFT_CLIENT_H

#include "auth/auth.h"
#include "http/http.h"
#include "thrift/tcli.h"

/* For one thread at a time. */
struct thrift_client {
  struct http_client *http;
  char *url;
  struct http_header *headers; /* owned, texts too */
  size_t header_count;
  const struct authenticator *authenticator; /* borrowed */
  const struct log *log;
  int32_t sequence_id;
};

dbsql_status thrift_client_new(const char *url, const struct http_settings *http, const struct http_header *headers, size_t header_count,
                               const struct authenticator *authenticator, const struct log *log, struct thrift_client **out,
                               dbsql_error **error);
/* NULL is allowed. */
void thrift_client_free(struct thrift_client *client);

/* A decoded answer: what its views point into. */
struct thrift_answer {
  struct chunk *body;
  struct arena arena;
};

/* Sends `request` and decodes the answer into `response`, whose views live as long as `answer`. `answer` is to be freed also after a
 * failure. */
dbsql_status thrift_call(struct thrift_client *client, enum tcli_method method, const void *request, enum http_retry retry,
                         const struct call *call, struct thrift_answer *answer, void *response, dbsql_error **error);
void thrift_answer_free(struct thrift_answer *answer);

#endif
