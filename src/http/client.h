/* The client's inside, shared by client.c (settings, connections) and send.c (requests). */
#ifndef DBSQL_HTTP_CLIENT_H
#define DBSQL_HTTP_CLIENT_H

#include <curl/curl.h>

#include "http/answer.h"
#include "http/http.h"
#include "http/proxy.h"
#include "http/retry.h"
#include "http/tls.h"

/* Starts libcurl, once in the process. */
dbsql_status http_global_start(dbsql_error **error);
/* CURLOPT_OPENSOCKETFUNCTION: a child that the host starts must not inherit our connections. */
curl_socket_t http_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address);

struct http_client {
  CURLM *multi;
  CURL *easy; /* one, reused: it holds the cookies */
  char *user_agent;
  struct http_tls tls;
  struct http_proxy_rules *proxies;
  int64_t connect_timeout_ms;
  int64_t request_timeout_ms;
  size_t max_response_bytes;
  struct retry_policy retry;
  uint64_t random;
  const struct log *log;
  char *url; /* the last one, taken apart in `target`: most requests go where the one before went */
  struct http_target target;
  /* The request under way. */
  struct http_answer answer;
  struct slice unsent; /* of the body */
  bool counts_begins;  /* libcurl says each time that it begins to send */
  bool once;           /* ... and may do so only once */
  int begun;           /* how often it has */
  bool no_memory;
  bool too_large;
  char curl_text[CURL_ERROR_SIZE];
};

#endif
