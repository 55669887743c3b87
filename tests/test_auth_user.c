/* People who sign in: the listener, the flow, refresh tokens, tokens on disk (auth.md 2.4, 2.5). */
#include "identity_provider.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/listener.h"
#include "auth/methods.h"
#include "auth/token_store.h"

static struct identity_provider idp;
#define TOKEN_PATH "/oidc/v1/token"

static int begin(void **state) {
  UNUSED(state);
  identity_provider_start(&idp);
  on_path(&idp, TOKEN_PATH, 200, NULL, "{\"access_token\":\"token-%d\",\"expires_in\":3600,\"refresh_token\":\"refresh-A\"}");
  return 0;
}
static int end(void **state) {
  UNUSED(state);
  clock_test_end();
  identity_provider_stop(&idp);
  return 0;
}

/* ---- A browser, as far as we need one */

static int connect_to_port(int family, int port) {
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
static int talk_over(int family, int port, const char *request, char *answer, size_t size) {
  int fd = connect_to_port(family, port);
  if (fd < 0) return -1;
  size_t used = 0;
  ssize_t got = send(fd, request, strlen(request), MSG_NOSIGNAL);
  while ((got = recv(fd, answer + used, size - 1 - used, 0)) > 0) used += (size_t)got;
  answer[used] = 0;
  close(fd);
  return used > 12 ? atoi(answer + 9) : 0;
}
static int talk(int port, const char *request, char *answer, size_t size) {
  return talk_over(AF_INET, port, request, answer, size);
}
static int get(int port, const char *target) {
  char request[1024], answer[4096];
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", target, port);
  return talk(port, request, answer, sizeof answer);
}

/* ---- The listener */

struct waiting {
  struct listener *listener;
  struct call call;
  struct listener_answer answer;
  dbsql_error *error;
  dbsql_status status;
  pthread_t thread;
  int port;
};
static void *wait_there(void *user) {
  struct waiting *waiting = user;
  waiting->status = listener_wait(waiting->listener, "the-state", &waiting->call, &waiting->answer, &waiting->error);
  return NULL;
}
static void start_waiting(struct waiting *waiting, dbsql_cancel *cancel) {
  memset(waiting, 0, sizeof *waiting);
  assert_int_equal(listener_open("0", &waiting->listener, NULL), DBSQL_OK);
  waiting->port = listener_port(waiting->listener);
  call_begin_internal(&waiting->call, 60000);
  waiting->call.cancel = cancel;
  assert_int_equal(pthread_create(&waiting->thread, NULL, wait_there, waiting), 0);
}
static void stop_waiting(struct waiting *waiting) {
  pthread_join(waiting->thread, NULL);
  listener_close(waiting->listener);
}

/* wrong state, no state, favicon, POST, error without state, duplicate code, other hosts, malformed and oversize requests: refused, and
 * the wait goes on (T10 to T12); then the right one */
static void what_is_refused(void **state) {
  UNUSED(state);
  struct waiting waiting;
  start_waiting(&waiting, NULL);
  int port = waiting.port;
  static const struct {
    const char *target;
    int status;
  } targets[] = {
      {"/?code=evil&state=wrong", 400},
      {"/?code=evil", 400},
      {"/?code=evil&state=", 400},
      {"/?code=evil&state=the-stat", 400},
      {"/?code=evil&state=the-state2", 400},
      {"/?error=access_denied", 400},
      {"/?error=access_denied&state=wrong", 400},
      {"/?code=a&code=b&state=the-state", 400},
      {"/?code=a&state=the-state&state=the-state", 400},
      {"/?code=&state=the-state", 400},
      {"/?state=the-state", 400},
      {"/?code=a&error=b&state=the-state", 400},
      {"/?code=%0&state=the-state", 400},
      {"/?code=a%00b&state=the-state", 400},
      {"/", 400},
      {"/favicon.ico", 404},
      {"/callback?code=a&state=the-state", 404},
      {"//?code=a&state=the-state", 404},
  };
  for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
    int status = get(port, targets[i].target);
    if (status != targets[i].status) fail_msg("%s: %d", targets[i].target, status);
  }
  char answer[4096], request[16000];
  static const char *const heads[][2] = {{"POST /?code=a&state=the-state HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", "405"},
                                         {"GET /?code=a&state=the-state HTTP/1.1\r\nHost: evil.example\r\n\r\n", "400"},
                                         {"GET /?code=a&state=the-state HTTP/1.1\r\nHost: localhost:1\r\n\r\n", "400"},
                                         {"GET /?code=a&state=the-state HTTP/1.1\r\n\r\n", "400"},
                                         {"GET /?code=a&state=the-state HTTP/1.1\r\nHost: localhost:%d\r\nHost: evil\r\n\r\n", "400"},
                                         {"GET /?code=a&state=the-state\r\n\r\n", "400"},
                                         {"nonsense\r\n\r\n", "400"}};
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
    const char *mark = strstr(heads[i][0], "%d");
    if (mark) {
      snprintf(request, sizeof request, "%.*s%d%s", (int)(mark - heads[i][0]), heads[i][0], port, mark + 2);
    } else {
      snprintf(request, sizeof request, "%s", heads[i][0]);
    }
    int status = talk(port, request, answer, sizeof answer);
    if (status != atoi(heads[i][1])) fail_msg("%s: %d", heads[i][0], status);
  }
  memset(request, 'x', sizeof request);
  memcpy(request, "GET /?code=", 11);
  request[9000] = 0;
  int status = talk(port, request, answer, sizeof answer);
  assert_true(status == 431 || status == 0); /* what was not read may cut the answer off */
  assert_int_equal(get(port, "/?code=the%20code&state=the-state"), 200);
  stop_waiting(&waiting);
  assert_int_equal(waiting.status, DBSQL_OK);
  assert_string_equal(waiting.answer.code, "the code");
  assert_null(waiting.answer.error);
  listener_answer_free(&waiting.answer);
}

/* the page: static, no reflected input, nothing loaded, nothing kept (T14); both address families */
static void the_page(void **state) {
  UNUSED(state);
  char answer[4096], request[512];
  for (int family = 0; family < 2; family++) {
    struct waiting waiting;
    start_waiting(&waiting, NULL);
    snprintf(request, sizeof request, "GET /?state=the-state&code=REFLECT HTTP/1.1\r\nhost: %s:%d\r\n\r\n", family ? "[::1]" : "127.0.0.1",
             waiting.port);
    int status = talk_over(family ? AF_INET6 : AF_INET, waiting.port, request, answer, sizeof answer);
    if (status < 0) { /* no IPv6 here */
      assert_int_equal(family, 1);
      assert_int_equal(get(waiting.port, "/?state=the-state&code=x"), 200);
      stop_waiting(&waiting);
      listener_answer_free(&waiting.answer);
      continue;
    }
    stop_waiting(&waiting);
    assert_int_equal(status, 200);
    assert_string_equal(waiting.answer.code, "REFLECT");
    listener_answer_free(&waiting.answer);
    static const char *const parts[] = {"Cache-Control: no-store\r\n",         "Content-Security-Policy: default-src 'none';",
                                        "Referrer-Policy: no-referrer\r\n",    "Connection: close\r\n",
                                        "X-Content-Type-Options: nosniff\r\n", "<h1>Signed in</h1>"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) assert_contains(answer, parts[i]);
    assert_lacks(answer, "REFLECT");
    assert_lacks(answer, "http:");
    assert_lacks(answer, "https:");
    /* the style is the one that the policy lets through */
    const char *style = strstr(answer, "<style>") + 7;
    uint8_t hash[sha256_size];
    struct buf allowed = BUF_INIT;
    assert_true(crypto_sha256(style, (size_t)(strstr(style, "</style>") - style), hash));
    buf_append_text(&allowed, "style-src 'sha256-");
    base64_append(&allowed, hash, sizeof hash);
    assert_contains(answer, buf_text(&allowed));
    buf_free(&allowed);
  }
}

/* error with state: reaches the program cleaned, and not the page */
static void a_refusal(void **state) {
  UNUSED(state);
  struct waiting waiting;
  start_waiting(&waiting, NULL);
  char request[512], answer[4096];
  snprintf(request, sizeof request,
           "GET /?error=access_denied&error_description=you+may%%0Anot&state=the-state HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
           waiting.port);
  assert_int_equal(talk(waiting.port, request, answer, sizeof answer), 200);
  stop_waiting(&waiting);
  assert_string_equal(waiting.answer.error, "access_denied: you may not");
  assert_null(waiting.answer.code);
  assert_lacks(answer, "access_denied");
  listener_answer_free(&waiting.answer);
}

/* slow-loris connections next to a good one; more guests than there are seats */
static void crowds(void **state) {
  UNUSED(state);
  struct waiting waiting;
  start_waiting(&waiting, NULL);
  int fds[40];
  for (int i = 0; i < 40; i++) {
    fds[i] = connect_to_port(AF_INET, waiting.port);
    assert_true(fds[i] >= 0);
    if (i % 2) assert_int_equal(send(fds[i], "GET /", 5, MSG_NOSIGNAL), 5);
  }
  assert_int_equal(get(waiting.port, "/?state=the-state&code=x"), 200);
  stop_waiting(&waiting);
  for (int i = 0; i < 40; i++) close(fds[i]);
  listener_answer_free(&waiting.answer);
}

/* port list with the first busy; both families are taken; none free is an error; T13: a port that somebody has is not shared */
static void ports(void **state) {
  UNUSED(state);
  struct listener *first, *second, *third;
  char list[64];
  dbsql_error *error = NULL;
  assert_int_equal(listener_open("0", &first, NULL), DBSQL_OK);
  snprintf(list, sizeof list, "%d", listener_port(first));
  assert_int_equal(listener_open(list, &third, &error), DBSQL_ERROR_REQUEST);
  assert_contains(dbsql_error_message(error), "none of the ports");
  error_clear(&error);
  assert_int_equal(listener_open("0", &second, NULL), DBSQL_OK);
  int free_port = listener_port(second);
  listener_close(second);
  snprintf(list, sizeof list, "%d,%d", listener_port(first), free_port);
  assert_int_equal(listener_open(list, &second, NULL), DBSQL_OK);
  assert_int_equal(listener_port(second), free_port);
  listener_close(second);
  snprintf(list, sizeof list, "%d-%d", listener_port(first), listener_port(first) < 65500 ? listener_port(first) + 35 : 65535);
  assert_int_equal(listener_open(list, &second, NULL), DBSQL_OK);
  assert_true(listener_port(second) > listener_port(first));
  listener_close(second);
  listener_close(first);
  /* T10: not on the other addresses of the machine */
  assert_int_equal(listener_open("0", &first, NULL), DBSQL_OK);
  struct sockaddr_in other = {.sin_family = AF_INET, .sin_port = htons((uint16_t)listener_port(first)), .sin_addr = {htonl(0x7F000002)}};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_not_equal(connect(fd, (struct sockaddr *)(void *)&other, sizeof other), 0);
  close(fd);
  listener_close(first);
}

/* cancel; time-out */
static void waits_that_end(void **state) {
  UNUSED(state);
  dbsql_cancel *cancel;
  assert_int_equal(dbsql_cancel_new(&cancel, NULL), DBSQL_OK);
  struct waiting waiting;
  start_waiting(&waiting, cancel);
  dbsql_cancel_trigger(cancel);
  stop_waiting(&waiting);
  assert_int_equal(waiting.status, DBSQL_ERROR_CANCELLED);
  error_clear(&waiting.error);
  dbsql_cancel_free(cancel);
  assert_int_equal(listener_open("0", &waiting.listener, NULL), DBSQL_OK);
  call_begin_internal(&waiting.call, 20);
  wait_there(&waiting);
  listener_close(waiting.listener);
  assert_int_equal(waiting.status, DBSQL_ERROR_TIMEOUT);
  assert_contains(dbsql_error_message(waiting.error), "waiting for the sign-in in the browser");
  error_clear(&waiting.error);
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

static void parameter_of(const char *url, const char *name, char *out, size_t size) {
  char mark[64];
  snprintf(mark, sizeof mark, "%s=", name);
  const char *at = strstr(url, mark);
  while (at && at[-1] != '?' && at[-1] != '&') at = strstr(at + 1, mark);
  size_t length = at ? strcspn(at + strlen(mark), "&") : 0;
  snprintf(out, size, "%.*s", (int)length, at ? at + strlen(mark) : "");
}

static void *browse(void *user) {
  struct person *person = user;
  char target[512];
  int port = atoi(strstr(person->redirect, "localhost%3A") + 12);
  assert_int_equal(get(port, "/favicon.ico"), 404);
  assert_int_equal(get(port, "/?code=injected&state=wrong"), 400);
  snprintf(target, sizeof target, "/?%s&state=%s", person->answers ? person->answers : "code=the-code", person->state);
  assert_int_equal(get(port, target), 200);
  return NULL;
}

static bool open_page(void *user, const char *url) {
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

static dbsql_token_provider *sign_in_of(struct person *person, struct user_sign_in settings) {
  settings.client_id = settings.client_id ? settings.client_id : "databricks-sql-connector";
  settings.ports = "0";
  settings.open = person ? open_page : NULL;
  settings.open_user = person;
  dbsql_token_provider *provider = NULL;
  assert_int_equal(provider_user_sign_in(&settings, &provider, NULL), DBSQL_OK);
  return provider;
}
static void person_end(struct person *person) {
  if (person->has_thread) pthread_join(person->thread, NULL);
}
#define PERSON_INIT \
  { .lock = PTHREAD_MUTEX_INITIALIZER }

/* full flow against the test server: authorize query, PKCE, the token request, then the refresh token, rotated and not */
static void the_whole_flow(void **state) {
  UNUSED(state);
  struct person person = PERSON_INIT;
  dbsql_token_provider *provider = sign_in_of(&person, (struct user_sign_in){.interactive = true});
  assert_string_equal(provider->name, "oauth-u2m");
  assert_gives(provider, idp.context, "Bearer token-1");
  assert_int_equal(person.opened, 1);
  char expected[256];
  snprintf(expected, sizeof expected,
           "%s/oidc/v1/authorize?response_type=code&client_id=databricks-sql-connector&redirect_uri=", http_server_url(idp.server));
  assert_memory_equal(person.url, expected, strlen(expected));
  assert_contains(person.url, "&scope=sql%20offline_access&");
  assert_contains(person.url, "&code_challenge_method=S256");
  assert_int_equal(strlen(person.state), 22); /* 16 random bytes */
  const struct http_exchange *seen = last_request(&idp, TOKEN_PATH);
  assert_contains(seen->body, "grant_type=authorization_code&code=the-code&code_verifier=");
  assert_contains(seen->body, "&redirect_uri=http%3A%2F%2Flocalhost%3A");
  assert_contains(seen->body, "&client_id=databricks-sql-connector");
  assert_header_is(seen, "Authorization", NULL);
  /* the verifier is the one of the challenge */
  const char *verifier = strstr(seen->body, "code_verifier=") + 14;
  uint8_t hash[sha256_size];
  struct buf challenge = BUF_INIT;
  assert_true(crypto_sha256(verifier, strcspn(verifier, "&"), hash));
  base64url_append(&challenge, hash, sizeof hash);
  assert_string_equal(buf_text(&challenge), person.challenge);
  buf_free(&challenge);

  on_path(&idp, TOKEN_PATH, 200, NULL, "{\"access_token\":\"token-%d\",\"expires_in\":3600,\"refresh_token\":\"refresh-B\"}");
  assert_gives(provider, idp.context, "Bearer token-2");
  assert_string_equal(last_request(&idp, TOKEN_PATH)->body,
                      "grant_type=refresh_token&refresh_token=refresh-A&client_id=databricks-sql-connector");
  on_path(&idp, TOKEN_PATH, 200, NULL, "{\"access_token\":\"token-%d\",\"expires_in\":3600}"); /* no new one: the old one stays */
  assert_gives(provider, idp.context, "Bearer token-3");
  assert_contains(last_request(&idp, TOKEN_PATH)->body, "refresh_token=refresh-B&");
  assert_gives(provider, idp.context, "Bearer token-4");
  assert_contains(last_request(&idp, TOKEN_PATH)->body, "refresh_token=refresh-B&");
  assert_int_equal(person.opened, 1);
  provider_drop(provider);
  person_end(&person);
}

/* invalid_grant: the refresh token is dropped and the person asked again, but never in the background; other failures keep it */
static void spent_refresh_tokens(void **state) {
  UNUSED(state);
  struct person person = PERSON_INIT;
  dbsql_token_provider *provider = sign_in_of(&person, (struct user_sign_in){.interactive = true});
  assert_gives(provider, idp.context, "Bearer token-1");
  on_path(&idp, TOKEN_PATH, 500, NULL, "{}");
  assert_contains(refusal_of(provider, idp.context), "HTTP 500");
  assert_int_equal(person.opened, 1);
  on_path(&idp, TOKEN_PATH, 400, NULL, "{\"error\":\"invalid_grant\",\"error_description\":\"refresh-A is gone\"}");
  struct call call;
  call_begin_internal(&call, 60000);
  struct token_request request = {idp.context, &call, NULL, DBSQL_TOKEN_REFRESH, true};
  struct token *token = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(provider_get(provider, &request, &token, &error), DBSQL_ERROR_REQUEST);
  assert_contains(dbsql_error_message(error), "no longer good: sign in again: invalid_grant");
  assert_lacks(dbsql_error_message(error), "refresh-A");
  error_clear(&error);
  assert_int_equal(provider_get(provider, &request, &token, &error), DBSQL_ERROR_REQUEST);
  assert_contains(dbsql_error_message(error), "a person must sign in again");
  error_clear(&error);
  assert_int_equal(person.opened, 1);
  on_path(&idp, TOKEN_PATH, 200, NULL, "{\"access_token\":\"new\",\"expires_in\":3600}");
  assert_gives(provider, idp.context, "Bearer new");
  assert_int_equal(person.opened, 2);
  provider_drop(provider);
  person_end(&person);
}

/* declined; the hook cannot open; the person goes away (deadline, cancel by it); headless without a hook */
static void sign_ins_that_fail(void **state) {
  UNUSED(state);
  struct person person = PERSON_INIT;
  person.answers = "error=access_denied&error_description=no";
  dbsql_token_provider *provider = sign_in_of(&person, (struct user_sign_in){.interactive = true});
  assert_contains(refusal_of(provider, idp.context), "oauth-u2m: the sign-in was refused: access_denied: no");
  person.cannot_open = true;
  assert_contains(refusal_of(provider, idp.context), "did not open the sign-in page");
  person.cannot_open = false;
  person.goes_away = true;
  struct call call;
  struct token *token = NULL;
  dbsql_error *error = NULL;
  call_begin_internal(&call, 50);
  assert_int_equal(ask_within(provider, idp.context, &call, &token, &error), DBSQL_ERROR_TIMEOUT);
  assert_string_equal(dbsql_error_sqlstate(error), "HYT00");
  assert_lacks(dbsql_error_message(error), person.state);
  error_clear(&error);
  assert_int_equal(requests_to(&idp, TOKEN_PATH), 0);
  provider_drop(provider);
  person_end(&person);

  unsetenv("DISPLAY");
  unsetenv("WAYLAND_DISPLAY");
  provider = sign_in_of(NULL, (struct user_sign_in){.interactive = true});
  assert_contains(refusal_of(provider, idp.context), "cannot open a browser to sign in");
  provider_drop(provider);

  struct user_sign_in given = {.interactive = true, .endpoints = {.token_endpoint = own_url(&idp, 0, TOKEN_PATH)}};
  provider = sign_in_of(NULL, given);
  assert_contains(refusal_of(provider, idp.context), "authorization_endpoint must be set");
  provider_drop(provider);
}

/* 2.9: a refresh token from elsewhere, of a client with a secret; never a browser */
static void refresh_tokens_of_the_user(void **state) {
  UNUSED(state);
  struct secret *token = secret_new("mine", 4), *secret = secret_new("s3cret", 6);
  dbsql_token_provider *provider =
      sign_in_of(NULL, (struct user_sign_in){.client_id = "app", .refresh_token = token, .client_secret = secret});
  assert_string_equal(provider->name, "refresh-token");
  assert_gives(provider, idp.context, "Bearer token-1");
  const struct http_exchange *seen = last_request(&idp, TOKEN_PATH);
  assert_contains(seen->body, "grant_type=refresh_token&refresh_token=mine&");
  assert_header_is(seen, "Authorization", "Basic YXBwOnMzY3JldA==");
  on_path(&idp, TOKEN_PATH, 400, NULL, "{\"error\":\"invalid_grant\"}");
  assert_contains(refusal_of(provider, idp.context), "refresh-token: the refresh token is no longer good");
  provider_drop(provider);
  secret_free(token);
  secret_free(secret);
}

/* one browser window for many threads */
static void *ask_once(void *user) {
  token_drop(token_of(user, idp.context));
  return NULL;
}
static void one_window(void **state) {
  UNUSED(state);
  struct person person = PERSON_INIT;
  dbsql_token_provider *provider = cached_of(sign_in_of(&person, (struct user_sign_in){.interactive = true}), 0);
  pthread_t threads[20];
  for (int i = 0; i < 20; i++) assert_int_equal(pthread_create(&threads[i], NULL, ask_once, provider), 0);
  for (int i = 0; i < 20; i++) pthread_join(threads[i], NULL);
  assert_int_equal(person.opened, 1);
  provider_drop(provider);
  person_end(&person);
}

/* ---- Tokens on disk */

struct folder {
  char path[64];
  char cache[96];
};
static void folder_make(struct folder *folder) {
  snprintf(folder->path, sizeof folder->path, "/tmp/dbsql-cache-XXXXXX");
  assert_non_null(mkdtemp(folder->path));
  snprintf(folder->cache, sizeof folder->cache, "%s/a/b", folder->path);
}
/* The one file ending in .json, as a path. */
static bool folder_file(const struct folder *folder, char out[512]) {
  DIR *dir = opendir(folder->cache);
  bool found = false;
  for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
    size_t length = strlen(entry->d_name);
    assert_null(strstr(entry->d_name, ".tmp"));
    if (length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0) {
      snprintf(out, 512, "%s/%s", folder->cache, entry->d_name);
      found = true;
    }
  }
  if (dir) closedir(dir);
  return found;
}
static void folder_remove(struct folder *folder) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", folder->path);
  assert_int_equal(system(command), 0);
}

static struct user_sign_in stored_in(const struct folder *folder) {
  return (struct user_sign_in){.interactive = true, .store = true, .store_folder = folder->cache};
}

/* the next program start needs no sign-in; modes; the name is the hash of whose they are; another identity has another file */
static void tokens_stay_on_disk(void **state) {
  UNUSED(state);
  struct folder folder;
  folder_make(&folder);
  struct person person = PERSON_INIT;
  dbsql_token_provider *provider = sign_in_of(&person, stored_in(&folder));
  assert_gives(provider, idp.context, "Bearer token-1");
  provider_drop(provider);
  char path[512];
  struct stat info;
  assert_true(folder_file(&folder, path));
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0600);
  assert_int_equal(stat(folder.cache, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0700);
  assert_int_equal(strlen(strrchr(path, '/') + 1), 64 + 5);

  provider = sign_in_of(&person, stored_in(&folder));
  assert_gives(provider, idp.context, "Bearer token-1");
  assert_int_equal(person.opened, 1);
  assert_int_equal(requests_to(&idp, TOKEN_PATH), 1);
  /* refused by the server: not taken from the disk again, but refreshed, and that is stored */
  struct token *token = token_of(provider, idp.context);
  provider_reject(provider, token);
  token_drop(token);
  assert_gives(provider, idp.context, "Bearer token-2");
  assert_contains(last_request(&idp, TOKEN_PATH)->body, "refresh_token=refresh-A");
  provider_drop(provider);
  struct user_sign_in other = stored_in(&folder);
  other.client_id = "other";
  provider = sign_in_of(&person, other);
  assert_gives(provider, idp.context, "Bearer token-3");
  assert_int_equal(person.opened, 2);
  provider_drop(provider);
  person_end(&person);
  folder_remove(&folder);
}

/* T16: symlink, hard link, wrong mode, wrong content, other identity, too large: as if there was no file, and it is replaced safely */
static void files_that_are_not_trusted(void **state) {
  UNUSED(state);
  for (int what = 0; what < 7; what++) {
    struct folder folder;
    folder_make(&folder);
    struct token_identity identity = {"https://h.example", "id", "sql", "", ""};
    struct call call;
    const char *why;
    call_begin_internal(&call, 60000);
    struct oauth_answer answer = {.access_token = (char *)(uintptr_t) "one",
                                  .refresh_token = (char *)(uintptr_t) "r",
                                  .expires_unix_ms = 5},
                        loaded;
    struct token_store *store = token_store_open(folder.cache, &identity, &call, &why);
    assert_non_null(store);
    assert_true(token_store_save(store, &answer));
    assert_true(token_store_load(store, &loaded));
    assert_string_equal(loaded.access_token, "one");
    assert_string_equal(loaded.refresh_token, "r");
    assert_int_equal(loaded.expires_unix_ms, 5);
    oauth_answer_free(&loaded);
    char path[512], other[96];
    assert_true(folder_file(&folder, path));
    snprintf(other, sizeof other, "%.63s/elsewhere", folder.path);
    FILE *file = NULL;
    switch (what) {
      case 0: assert_int_equal(rename(path, other) | symlink(other, path), 0); break;
      case 1: assert_int_equal(link(path, other), 0); break;
      case 2: assert_int_equal(chmod(path, 0640), 0); break;
      case 3:
        file = fopen(path, "w");
        fprintf(file, "{\"version\":2}");
        break;
      case 4:
        file = fopen(path, "w");
        fprintf(file, "nonsense");
        break;
      case 5:
        file = fopen(path, "a");
        for (int i = 0; i < 70000; i++) fputc(' ', file);
        break;
      default: {
        /* another identity's file under this name */
        struct token_identity foreign = identity;
        foreign.origin = "https://evil.example";
        struct token_store *second = token_store_open(other, &foreign, &call, &why);
        assert_true(second && token_store_save(second, &answer));
        token_store_close(second);
        struct folder place = {.path = ""};
        memcpy(place.cache, other, sizeof place.cache);
        char theirs[512];
        assert_true(folder_file(&place, theirs));
        assert_int_equal(rename(theirs, path), 0);
      }
    }
    if (file) fclose(file);
    assert_false(token_store_load(store, &loaded));
    answer.access_token = (char *)(uintptr_t) "two";
    assert_true(token_store_save(store, &answer));
    assert_true(token_store_load(store, &loaded));
    assert_string_equal(loaded.access_token, "two");
    oauth_answer_free(&loaded);
    if (what == 0) { /* the link was replaced, what it pointed to was not written */
      struct stat info;
      assert_int_equal(lstat(path, &info), 0);
      assert_true(S_ISREG(info.st_mode));
      char text[512] = "";
      file = fopen(other, "r");
      assert_true(fread(text, 1, sizeof text - 1, file) > 0);
      fclose(file);
      assert_contains(text, "one");
    }
    token_store_remove(store);
    assert_false(token_store_load(store, &loaded));
    token_store_close(store);
    folder_remove(&folder);
  }
}

/* a folder that is open to others or a link is not used, and the sign-in works without */
static void folders_that_are_not_trusted(void **state) {
  UNUSED(state);
  struct folder folder;
  struct token_identity identity = {"https://h.example", "id", "sql", "", ""};
  struct call call;
  const char *why;
  char other[128];
  call_begin_internal(&call, 60000);
  folder_make(&folder);
  snprintf(other, sizeof other, "%s/link", folder.path);
  assert_int_equal(chmod(folder.path, 0755), 0);
  assert_null(token_store_open(folder.path, &identity, &call, &why));
  assert_contains(why, "open to others");
  assert_int_equal(chmod(folder.path, 0700), 0);
  assert_int_equal(symlink(folder.path, other), 0);
  assert_null(token_store_open(other, &identity, &call, &why));
  assert_contains(why, "cannot be opened");
  assert_null(token_store_open("relative", &identity, &call, &why));
  struct person person = PERSON_INIT;
  struct user_sign_in settings = stored_in(&folder);
  settings.store_folder = other;
  dbsql_token_provider *provider = sign_in_of(&person, settings);
  assert_gives(provider, idp.context, "Bearer token-1");
  provider_drop(provider);
  person_end(&person);
  folder_remove(&folder);
}

/* T18: a refresh token is for one at a time: who waits for the lock then finds the other's newer tokens */
static void one_refresh_at_a_time(void **state) {
  UNUSED(state);
  struct folder folder;
  folder_make(&folder);
  struct person person = PERSON_INIT;
  dbsql_token_provider *first = sign_in_of(&person, stored_in(&folder)), *second = sign_in_of(&person, stored_in(&folder));
  pthread_t threads[2];
  assert_int_equal(pthread_create(&threads[0], NULL, ask_once, first), 0);
  assert_int_equal(pthread_create(&threads[1], NULL, ask_once, second), 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  assert_int_equal(person.opened, 1);
  assert_int_equal(requests_to(&idp, TOKEN_PATH), 1);
  provider_drop(first);
  provider_drop(second);
  person_end(&person);
  folder_remove(&folder);
}

/* every allocation of a refresh fails once */
static void without_memory(void **state) {
  UNUSED(state);
  struct secret *seed = secret_new("mine", 4);
  for (uint64_t n = 1;; n++) {
    int64_t before = mem_test_live_blocks();
    mem_test_fail_at(n);
    struct user_sign_in settings = {.client_id = "app", .refresh_token = seed};
    dbsql_token_provider *provider = NULL;
    struct token *token = NULL;
    dbsql_error *error = NULL;
    dbsql_status status = provider_user_sign_in(&settings, &provider, &error);
    if (status == DBSQL_OK) status = ask_for_token(provider, idp.context, &token, &error);
    bool failed = mem_test_failed();
    mem_test_fail_at(0);
    if (status != DBSQL_OK && status != DBSQL_ERROR_NO_MEMORY) fail_msg("%d: %s", (int)n, dbsql_error_message(error));
    error_clear(&error);
    token_drop(token);
    provider_drop(provider);
    assert_int_equal(mem_test_live_blocks(), before);
    if (!failed) break;
  }
  secret_free(seed);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(what_is_refused),
      TEST(the_page),
      TEST(a_refusal),
      TEST(crowds),
      TEST(ports),
      TEST(waits_that_end),
      TEST(the_whole_flow),
      TEST(spent_refresh_tokens),
      TEST(sign_ins_that_fail),
      TEST(refresh_tokens_of_the_user),
      TEST(one_window),
      TEST(tokens_stay_on_disk),
      TEST(files_that_are_not_trusted),
      TEST(folders_that_are_not_trusted),
      TEST(one_refresh_at_a_time),
      TEST(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
