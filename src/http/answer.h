/* What a server has answered so far, and the error that a refusing answer becomes (thrift.md 1.6, 1.7). */
#ifndef DBSQL_HTTP_ANSWER_H
#define DBSQL_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/chunk.h"
#include "http/url.h"

/* The headers that mean something to us, cut if longer; a later header of the same name wins. */
struct http_answer {
  int status; /* 0 until a status line has come */
  char reason[128];
  char content_type[80]; /* lower case, without parameters */
  char request_id[80];
  char org_id[32];
  char retry_after[64];
  char date[64];
  char location[2048];
  char thrift_message[1024];
  char redirect_message[1024];
  char reason_phrase[1024];
  int64_t content_length; /* -1 unless known */
  struct chunk *body;     /* of a success; NULL until its first byte */
  struct buf error_body;  /* of anything else: at most answer_error_body_max bytes */
};
enum { answer_error_body_max = 64 * 1024 };

/* Empties it, keeping nothing but memory. */
void answer_reset(struct http_answer *answer);
void answer_free(struct http_answer *answer);
/* One line of the head as it came, line end and all. A status line begins a new answer: what a 1xx said is forgotten. */
void answer_header_line(struct http_answer *answer, const char *line, size_t length);
static inline bool answer_is_success(const struct http_answer *answer) {
  return answer->status >= 200 && answer->status <= 299;
}

/* The error for a status that is no success. `url` is for resolving a redirect; `proxy` names the proxy that may have answered in
 * the server's place (407), or is NULL. */
dbsql_status answer_error(const struct http_answer *answer, const struct http_target *target, const char *url, const char *proxy,
                          const char *what, dbsql_error **error);

#endif
