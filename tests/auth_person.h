/* What the tests of people's sign-ins share: a browser as far as we need one, and the person in front of it. */
#ifndef DBSQL_TESTS_AUTH_PERSON_H
#define DBSQL_TESTS_AUTH_PERSON_H

#include "identity_provider.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/methods.h"

/* ---- A browser, as far as we need one */

static inline int connect_to_port(int family, int port) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0) return -1;
  struct sockaddr *address = family == AF_INET ? (struct sockaddr *)(void *)&v4 : (struct sockaddr *)(void *)&v6;
  if (connect(fd, address, family == AF_INET ? sizeof v4 : sizeof v6) == 0) return fd;
  close(fd);
  return -1;
}

/* Sends the text and reads all of the answer. Returns its status, 0 if there is none. */
static inline int talk_over(int family, int port, const char *request, char *answer, size_t size) {
  int fd = connect_to_port(family, port);
  if (fd < 0) return -1;
  size_t used = 0;
  ssize_t got = send(fd, request, strlen(request), MSG_NOSIGNAL);
  while ((got = recv(fd, answer + used, size - 1 - used, 0)) > 0) used += (size_t)got;
  answer[used] = 0;
  close(fd);
  return used > 12 ? atoi(answer + 9) : 0;
}
static inline int talk(int port, const char *request, char *answer, size_t size) {
  return talk_over(AF_INET, port, request, answer, size);
}
static inline int get(int port, const char *target) {
  char request[1024], answer[4096];
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", target, port);
  return talk(port, request, answer, sizeof answer);
}

/* ---- The flow */

/* The user: opens the page, and sends the browser back as the authorization server would. */
struct person {
  pthread_mutex_t lock;
  int opened;
  bool cannot_open;
  bool goes_away;      /* opens the page and does nothing */
  const char *answers; /* instead of a code, such as "error=access_denied" */
  char url[2048];
  char redirect[256], state[128], challenge[128];
  pthread_t thread;
  bool has_thread;
};

static inline void parameter_of(const char *url, const char *name, char *out, size_t size) {
  char mark[64];
  snprintf(mark, sizeof mark, "%s=", name);
  const char *at = strstr(url, mark);
  while (at && at[-1] != '?' && at[-1] != '&') at = strstr(at + 1, mark);
  size_t length = at ? strcspn(at + strlen(mark), "&") : 0;
  snprintf(out, size, "%.*s", (int)length, at ? at + strlen(mark) : "");
}

static inline void *browse(void *user) {
  struct person *person = user;
  char target[512];
  int port = atoi(strstr(person->redirect, "localhost%3A") + 12);
  assert_int_equal(get(port, "/favicon.ico"), 404);
  assert_int_equal(get(port, "/?code=injected&state=wrong"), 400);
  snprintf(target, sizeof target, "/?%s&state=%s", person->answers ? person->answers : "code=the-code", person->state);
  assert_int_equal(get(port, target), 200);
  return NULL;
}

static inline bool open_page(void *user, const char *url) {
  struct person *person = user;
  pthread_mutex_lock(&person->lock);
  person->opened++;
  bool can = !person->cannot_open, goes = person->goes_away;
  snprintf(person->url, sizeof person->url, "%s", url);
  parameter_of(url, "redirect_uri", person->redirect, sizeof person->redirect);
  parameter_of(url, "state", person->state, sizeof person->state);
  parameter_of(url, "code_challenge", person->challenge, sizeof person->challenge);
  if (person->has_thread) pthread_join(person->thread, NULL);
  person->has_thread = can && !goes;
  if (person->has_thread) assert_int_equal(pthread_create(&person->thread, NULL, browse, person), 0);
  pthread_mutex_unlock(&person->lock);
  return can;
}

static inline dbsql_token_provider *sign_in_of(struct person *person, struct user_sign_in settings) {
  settings.client_id = settings.client_id ? settings.client_id : "databricks-sql-connector";
  settings.ports = "0";
  settings.open = person ? open_page : NULL;
  settings.open_user = person;
  dbsql_token_provider *provider = NULL;
  assert_int_equal(provider_user_sign_in(&settings, &provider, NULL), DBSQL_OK);
  return provider;
}
static inline void person_end(struct person *person) {
  if (person->has_thread) pthread_join(person->thread, NULL);
}
#define PERSON_INIT \
  { .lock = PTHREAD_MUTEX_INITIALIZER }

#endif
