/* An identity provider for tests: answers paths as the test says, 404 for all others. */
#ifndef DBSQL_TESTS_IDENTITY_PROVIDER_H
#define DBSQL_TESTS_IDENTITY_PROVIDER_H

#include "auth_support.h"

struct route {
  const char *path; /* of the target, up to '?' */
  int status;
  const char *headers;
  const char *body; /* "%d" once in it becomes the number of the request to this path, from 1 */
  int requests;
};
enum { most_routes = 12 };
struct identity_provider {
  pthread_mutex_t lock;
  struct route routes[most_routes];
  struct http_server *server;
  struct auth_context *context;
  char url[4][256]; /* texts for the test's own use */
};

static inline struct route *route_of(struct identity_provider *provider, const char *path) {
  for (int i = 0; i < most_routes && provider->routes[i].path; i++) {
    if (strcmp(provider->routes[i].path, path) == 0) return &provider->routes[i];
  }
  return NULL;
}

static inline void identity_provider_answer(struct http_exchange *exchange, void *user) {
  struct identity_provider *provider = user;
  char path[256], body[2048];
  snprintf(path, sizeof path, "%.*s", (int)strcspn(exchange->target, "?"), exchange->target);
  pthread_mutex_lock(&provider->lock);
  struct route *route = route_of(provider, path);
  struct route found = {.status = 404, .body = "{}"};
  if (route) {
    route->requests++;
    found = *route;
  }
  pthread_mutex_unlock(&provider->lock);
  const char *mark = strstr(found.body, "%d");
  if (mark) {
    snprintf(body, sizeof body, "%.*s%d%s", (int)(mark - found.body), found.body, found.requests, mark + 2);
    found.body = body;
  }
  exchange_reply(exchange, found.status, found.headers, found.body);
}

static inline void identity_provider_start(struct identity_provider *provider) {
  memset(provider, 0, sizeof *provider);
  pthread_mutex_init(&provider->lock, NULL);
  provider->server = http_server_start(&(struct http_server_settings){.handler = identity_provider_answer, .user = provider});
  provider->context = new_context(http_server_url(provider->server), "127.0.0.1");
}

static inline void identity_provider_stop(struct identity_provider *provider) {
  auth_context_drop(provider->context);
  http_server_stop(provider->server);
  pthread_mutex_destroy(&provider->lock);
}

/* Sets what a path is answered with. */
static inline void on_path(struct identity_provider *provider, const char *path, int status, const char *headers, const char *body) {
  pthread_mutex_lock(&provider->lock);
  struct route *route = route_of(provider, path);
  for (int i = 0; i < most_routes && !route; i++) {
    if (!provider->routes[i].path) route = &provider->routes[i];
  }
  assert_non_null(route);
  int requests = route->requests;
  *route = (struct route){path, status, headers, body, requests};
  pthread_mutex_unlock(&provider->lock);
}

static inline int requests_to(struct identity_provider *provider, const char *path) {
  pthread_mutex_lock(&provider->lock);
  struct route *route = route_of(provider, path);
  int requests = route ? route->requests : 0;
  pthread_mutex_unlock(&provider->lock);
  return requests;
}

/* The last request to a path. */
static inline const struct http_exchange *last_request(struct identity_provider *provider, const char *path) {
  const struct http_exchange *last = NULL;
  size_t length = strlen(path);
  int count = http_server_requests(provider->server);
  for (int i = 0; i < count; i++) {
    const struct http_exchange *exchange = http_server_request(provider->server, i);
    if (strncmp(exchange->target, path, length) == 0 && (exchange->target[length] == 0 || exchange->target[length] == '?')) last = exchange;
  }
  assert_non_null(last);
  return last;
}

/* URL number `i` under the provider's own address. */
static inline const char *own_url(struct identity_provider *provider, int i, const char *path) {
  snprintf(provider->url[i], sizeof provider->url[i], "%s%s", http_server_url(provider->server), path);
  return provider->url[i];
}

static inline void assert_header_is(const struct http_exchange *exchange, const char *name, const char *value) {
  char *header = exchange_header(exchange, name);
  if (!value) {
    assert_null(header);
    return;
  }
  assert_non_null(header);
  assert_string_equal(header, value);
  free(header);
}

#endif
