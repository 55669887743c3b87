#include "thrift_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct thrift_server {
  struct http_server *http;
  thrift_handler handler;
  void *user;
  pthread_mutex_t mutex;
  int calls[TCLI_METHOD_COUNT];
  enum tcli_method story[4096];
  size_t story_length;
};

static void handle(struct http_exchange *http, void *user) {
  struct thrift_server *server = user;
  struct arena arena = ARENA_INIT;
  struct tcli_call call;
  if (tcli_decode_call(slice_of(http->body, http->body_size), &arena, &call, NULL) != DBSQL_OK || call.method == TCLI_UNKNOWN_METHOD) {
    exchange_reply(http, 400, NULL, "not a call that this test server knows");
    arena_free(&arena);
    return;
  }
  pthread_mutex_lock(&server->mutex);
  int number = server->calls[call.method]++;
  if (server->story_length < sizeof server->story / sizeof server->story[0]) server->story[server->story_length++] = call.method;
  pthread_mutex_unlock(&server->mutex);
  struct thrift_exchange exchange = {http, &call, call.method, call.request, number, &arena, server->user};
  server->handler(&exchange);
  arena_free(&arena);
}

void thrift_reply(struct thrift_exchange *exchange, const void *response) {
  struct buf out = BUF_INIT;
  tcli_encode_reply(exchange->method, exchange->call->sequence_id, response, &out);
  exchange_reply_bytes(exchange->http, 200, "Content-Type: application/x-thrift\r\nx-request-id: r-1\r\n", out.data, out.size);
  buf_free(&out);
}

void thrift_reply_closed(struct thrift_exchange *exchange) {
  struct TStatus success = {.has_statusCode = true, .statusCode = TStatusCode_SUCCESS_STATUS};
  struct TCloseOperationResp operation = {.has_status = true, .status = &success};
  struct TCloseSessionResp session = {.has_status = true, .status = &success};
  switch (exchange->method) {
    case TCLI_CloseOperation: thrift_reply(exchange, &operation); break;
    case TCLI_CloseSession: thrift_reply(exchange, &session); break;
    default: exchange_reply(exchange->http, 500, NULL, "no such answer in this test");
  }
}

void thrift_reply_exception(struct thrift_exchange *exchange, const char *text) {
  struct buf out = BUF_INIT;
  tcli_encode_exception(exchange->call->name, exchange->call->sequence_id, TCLI_EXCEPTION_PROTOCOL_ERROR, text, &out);
  exchange_reply_bytes(exchange->http, 200, "Content-Type: application/x-thrift\r\n", out.data, out.size);
  buf_free(&out);
}

struct thrift_server *thrift_server_start(thrift_handler handler, void *user) {
  struct thrift_server *server = calloc(1, sizeof *server);
  server->handler = handler;
  server->user = user;
  pthread_mutex_init(&server->mutex, NULL);
  struct http_server_settings settings = {.handler = handle, .user = server};
  server->http = http_server_start(&settings);
  return server;
}

int thrift_server_port(const struct thrift_server *server) {
  return http_server_port(server->http);
}

int thrift_server_calls(struct thrift_server *server, enum tcli_method method) {
  pthread_mutex_lock(&server->mutex);
  int calls = server->calls[method];
  pthread_mutex_unlock(&server->mutex);
  return calls;
}

char *thrift_server_story(struct thrift_server *server) {
  struct buf text = BUF_INIT;
  pthread_mutex_lock(&server->mutex);
  for (size_t i = 0; i < server->story_length;) {
    size_t run = 1;
    while (i + run < server->story_length && server->story[i + run] == server->story[i]) run++;
    if (i != 0) buf_append_byte(&text, ' ');
    buf_append_text(&text, tcli_methods[server->story[i]].name);
    if (run > 1) buf_printf(&text, "*%zu", run);
    i += run;
  }
  pthread_mutex_unlock(&server->mutex);
  char *copy = strdup(buf_text(&text));
  buf_free(&text);
  return copy;
}

void thrift_server_stop(struct thrift_server *server) {
  http_server_stop(server->http);
  pthread_mutex_destroy(&server->mutex);
  free(server);
}
