/*
 * A small HTTP server for tests: loopback, a port of its own, a thread for each connection, no sleeping. A handler answers each
 * request; it may wait for an event of the test, cut an answer, reset the connection, or act as a proxy. TLS if it is given a
 * certificate. Everything that goes wrong in the server itself ends the test at once.
 */
#ifndef DBSQL_TESTS_HTTP_SERVER_H
#define DBSQL_TESTS_HTTP_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* ---- Events: a handler waits for the test, or the test for a handler ----------------------------------------------------- */

struct test_event {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool set;
};
#define TEST_EVENT_INIT \
  { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false }
void test_event_set(struct test_event *event);
void test_event_wait(struct test_event *event);

/* ---- Requests ------------------------------------------------------------------------------------------------------------ */

struct http_exchange {
  const char *method;
  const char *target; /* as in the request line: a path, an absolute URL, or HOST:PORT of CONNECT */
  const char *head;   /* the header lines, each with CR LF */
  const char *body;   /* zero-terminated */
  size_t body_size;
  int number;            /* of the request at this server, from 0 */
  int connection_number; /* from 0 */
  struct http_connection *connection;
};
typedef void (*http_server_handler)(struct http_exchange *exchange, void *user);

/* The value of a header (any case of the name), or NULL. For the caller to free. */
char *exchange_header(const struct http_exchange *exchange, const char *name);

/* A whole answer. `headers` are lines, each ended by CR LF, or NULL; Content-Length is added. */
void exchange_reply(struct http_exchange *exchange, int status, const char *headers, const char *body);
void exchange_reply_bytes(struct http_exchange *exchange, int status, const char *headers, const void *body, size_t size);
/* Bytes as they are; false once the client has gone. */
bool exchange_write(struct http_exchange *exchange, const void *bytes, size_t size);
void exchange_write_text(struct http_exchange *exchange, const char *text);
/* Ends the connection after the handler; with reset the client sees ECONNRESET. */
void exchange_close(struct http_exchange *exchange);
void exchange_reset(struct http_exchange *exchange);
/* Waits for the client to close the connection, or to send more. */
void exchange_wait_for_client(struct http_exchange *exchange);
/* Answers a CONNECT with 200 and passes bytes to and from 127.0.0.1:port until either side ends. */
void exchange_tunnel(struct http_exchange *exchange, int port);

/* ---- The server ---------------------------------------------------------------------------------------------------------- */

struct http_server_settings {
  http_server_handler handler;
  void *user;
  /* TLS if there is a certificate. All in PEM. */
  const char *certificate; /* chain, the server's own first */
  const char *key;
  const char *client_ca; /* then a client certificate of that CA is required */
  bool only_tls12;
  bool close_after_handshake; /* the TCP connection, without a word */
};
struct http_server;
struct http_server *http_server_start(const struct http_server_settings *settings);
int http_server_port(const struct http_server *server);
/* "http://127.0.0.1:PORT" or "https://..."; lives as long as the server. */
const char *http_server_url(const struct http_server *server);
/* How many requests and connections there have been. */
int http_server_requests(struct http_server *server);
int http_server_connections(struct http_server *server);
/* Waits until that many connections have been ended by the server. */
void http_server_wait_ended(struct http_server *server, int count);
/* A recorded request, to be read until the server stops. */
const struct http_exchange *http_server_request(struct http_server *server, int number);
/* Ends all connections and waits for their threads: no handler may wait for an event that is not set. */
void http_server_stop(struct http_server *server);

/* ---- Scripts: the simple handler ------------------------------------------------------------------------------------------ */

enum http_step_action {
  HTTP_STEP_REPLY,    /* status, headers, body */
  HTTP_STEP_CLOSE,    /* close without an answer */
  HTTP_STEP_RESET,    /* reset without an answer */
  HTTP_STEP_TRUNCATE, /* declare the body's length and more, send the body, close */
  HTTP_STEP_RAW       /* the body as it is, then close */
};
struct http_step {
  enum http_step_action action;
  int status;
  const char *headers;
  const char *body;
};
/* Answers the n-th request by the n-th step; the last one repeats. */
struct http_script {
  const struct http_step *steps;
  int count;
};
void http_script_handler(struct http_exchange *exchange, void *script);

#endif
