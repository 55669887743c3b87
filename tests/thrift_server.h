/* A Thrift server for tests on http_server.h: decodes each call, records it, and asks the test for the answer. */
#ifndef DBSQL_TESTS_THRIFT_SERVER_H
#define DBSQL_TESTS_THRIFT_SERVER_H

#include "base/arena.h"
#include "http_server.h"
#include "thrift/tcli.h"

struct thrift_exchange {
  struct http_exchange *http;
  struct tcli_call *call;
  enum tcli_method method;
  const void *request; /* struct T<method>Req */
  int number;          /* of this method's calls, from 0 */
  struct arena *arena; /* lives until the answer is sent */
  void *user;
};
/* Answers through one of the functions below, or through http_server.h. */
typedef void (*thrift_handler)(struct thrift_exchange *exchange);

void thrift_reply(struct thrift_exchange *exchange, const void *response);
/* Answers CloseOperation and CloseSession well, any other call with HTTP 500. */
void thrift_reply_closed(struct thrift_exchange *exchange);
void thrift_reply_exception(struct thrift_exchange *exchange, const char *text);

struct thrift_server;
struct thrift_server *thrift_server_start(thrift_handler handler, void *user);
int thrift_server_port(const struct thrift_server *server);
/* How often a method has been called. */
int thrift_server_calls(struct thrift_server *server, enum tcli_method method);
/* The names of all calls so far in order, separated by blanks, runs of the same one as "Name*3". For the caller to free. */
char *thrift_server_story(struct thrift_server *server);
void thrift_server_stop(struct thrift_server *server);

#endif
