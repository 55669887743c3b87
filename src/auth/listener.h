/* Where the browser comes back to after a sign-in: a loopback HTTP server for one answer (auth.md 2.4, T10 to T14). */
#ifndef DBSQL_AUTH_LISTENER_H
#define DBSQL_AUTH_LISTENER_H

#include "base/buf.h"
#include "base/call.h"

struct listener;
/* Listens at the first port of `ports` ("8030", "8020-8040", "8020,8025"; 0 for any free one) that is free on 127.0.0.1 and, if there is
 * IPv6, on ::1: nobody else can get what the browser sends to "localhost". */
dbsql_status listener_open(const char *ports, struct listener **listener, dbsql_error **error);
void listener_close(struct listener *listener);
int listener_port(const struct listener *listener);

struct listener_answer {
  char *code;   /* or */
  char *error;  /* what the authorization server calls it, with its description; cleaned */
  char *issuer; /* who says that it answers (RFC 9207); NULL if nobody does */
};
void listener_answer_free(struct listener_answer *answer);
/* Waits for the answer with this state. Everything else that comes is refused, and ends nothing. */
dbsql_status listener_wait(struct listener *listener, const char *state, const struct call *call, struct listener_answer *answer,
                           dbsql_error **error);

#endif
