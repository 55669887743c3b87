/* People who sign in: the listener, the flow, refresh tokens (auth.md 2.4). */
#include "auth_person.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "auth/browser.h"
#include "auth/listener.h"

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

/* T11: a server that says so names itself on the way back (RFC 9207): another name, or none, ends the sign-in and no code is sent */
static void servers_that_name_themselves(void **state) {
  UNUSED(state);
  static const char metadata[] = "/oidc/.well-known/oauth-authorization-server";
  char body[512], right[256];
  const char *url = http_server_url(idp.server);
  snprintf(right, sizeof right, "code=the-code&iss=%s/oidc", url);
  const struct {
    bool promised;
    const char *answers;
    bool good;
  } cases[] = {
      {true, right, true},
      {true, "code=the-code&iss=https://evil.example/oidc", false},
      {true, "code=the-code", false},
      {true, "error=access_denied&iss=https://evil.example/oidc", false},
      {false, "code=the-code&iss=https://evil.example/oidc", true},
      {false, "code=the-code", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    snprintf(body, sizeof body,
             "{\"issuer\":\"%s/oidc\",\"token_endpoint\":\"%s/oidc/v1/token\",\"authorization_endpoint\":\"%s/oidc/v1/authorize\","
             "\"authorization_response_iss_parameter_supported\":%s}",
             url, url, url, cases[i].promised ? "true" : "false");
    on_path(&idp, metadata, 200, NULL, body);
    struct person person = PERSON_INIT;
    person.answers = cases[i].answers;
    dbsql_token_provider *provider = sign_in_of(&person, (struct user_sign_in){.interactive = true});
    int before = requests_to(&idp, TOKEN_PATH);
    if (cases[i].good) {
      token_drop(token_of(provider, idp.context));
    } else {
      const char *message = refusal_of(provider, idp.context);
      assert_contains(message, "came back from another authorization server");
      assert_lacks(message, "evil");
      assert_lacks(message, "the-code");
    }
    assert_int_equal(requests_to(&idp, TOKEN_PATH), before + (cases[i].good ? 1 : 0));
    provider_drop(provider);
    person_end(&person);
  }
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

/* T15: the page's address, state, code, verifier and challenge are in no log line and no error, whether the sign-in succeeds, is refused,
 * or its code is not accepted by a server that sends everything back */
static void nothing_of_a_sign_in_is_told(void **state) {
  UNUSED(state);
  for (int way = 0; way < 4; way++) {
    struct lines lines = {.lock = PTHREAD_MUTEX_INITIALIZER, .text = BUF_INIT};
    struct log log = {.level = DBSQL_LOG_TRACE, .function = keep_line, .user = &lines};
    struct person person = PERSON_INIT;
    char body[512];
    person.answers = way == 1 ? "error=access_denied&error_description=SECRETCODE" : "code=SECRETCODE";
    person.goes_away = way == 3;
    snprintf(body, sizeof body, "{\"error\":\"invalid_grant\",\"error_description\":\"the code SECRETCODE is spent\"}");
    if (way == 2) on_path(&idp, TOKEN_PATH, 400, NULL, body);
    dbsql_token_provider *provider = sign_in_of(&person, (struct user_sign_in){.interactive = true});
    struct call call;
    call_begin_internal(&call, way == 3 ? 50 : 60000);
    struct token_request request = {idp.context, &call, &log, DBSQL_TOKEN_INITIAL, false};
    struct token *token = NULL;
    dbsql_error *error = NULL;
    assert_int_equal(provider_get(provider, &request, &token, &error) == DBSQL_OK, way == 0);
    assert_true(lines.text.size > 0);
    char verifier[128] = "no verifier";
    if (way == 0 || way == 2) parameter_of(last_request(&idp, TOKEN_PATH)->body, "code_verifier", verifier, sizeof verifier);
    const char *const secrets[] = {"SECRETCODE", person.state, person.challenge, verifier, "response_type"};
    for (size_t i = way == 1 ? 1 : 0; i < sizeof secrets / sizeof secrets[0]; i++) { /* the description is the server's word for people */
      assert_true(secrets[i][0] != 0);
      assert_lacks(buf_text(&lines.text), secrets[i]);
      if (error) assert_lacks(dbsql_error_message(error), secrets[i]);
    }
    error_clear(&error);
    token_drop(token);
    provider_drop(provider);
    person_end(&person);
    buf_free(&lines.text);
  }
}

/* T44: the sockets that wait for the browser are not inherited by programs that the host starts */
static void sockets_are_not_inherited(void **state) {
  UNUSED(state);
  struct listener *listener;
  assert_int_equal(listener_open("0", &listener, NULL), DBSQL_OK);
  int found = 0;
  for (int fd = 0; fd < 1024; fd++) {
    struct sockaddr_in6 own; /* has room for the other family */
    socklen_t length = sizeof own;
    memset(&own, 0, sizeof own);
    if (getsockname(fd, (struct sockaddr *)(void *)&own, &length) != 0) continue;
    /* the port is at the same place in both */
    if ((own.sin6_family != AF_INET && own.sin6_family != AF_INET6) || ntohs(own.sin6_port) != listener_port(listener)) continue;
    found++;
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  }
  assert_true(found >= 1);
  listener_close(listener);
}

/* T25: the browser is started without a shell, from an absolute folder of PATH, and not waited for */
static void the_browser(void **state) {
  UNUSED(state);
  char folder[] = "/tmp/dbsql-path-XXXXXX", program[64], out[64], path[128], seen[256] = "";
  assert_non_null(mkdtemp(folder));
  snprintf(program, sizeof program, "%s/xdg-open", folder);
  snprintf(out, sizeof out, "%s/out", folder);
  dbsql_error *error = NULL;
  char *old = strdup(getenv("PATH"));
  setenv("DISPLAY", ":99", 1);
  setenv("PATH", ".:relative", 1);
  assert_int_equal(browser_open("https://h.example/", &error), DBSQL_ERROR_REQUEST);
  assert_contains(dbsql_error_message(error), "xdg-open is not in PATH");
  error_clear(&error);
  FILE *file = fopen(program, "w");
  fprintf(file, "#!/bin/sh\nprintf '%%s|%%s' $# \"$1\" >%s.new\nmv %s.new %s\n", out, out, out);
  fclose(file);
  assert_int_equal(chmod(program, 0700), 0);
  snprintf(path, sizeof path, ".:%s:/usr/bin:/bin", folder);
  setenv("PATH", path, 1);
  assert_int_equal(browser_open("file:///etc/passwd", &error), DBSQL_ERROR_REQUEST);
  error_clear(&error);
  static const char url[] = "https://h.example/?a=$(touch x);b&c='d'";
  assert_int_equal(browser_open(url, &error), DBSQL_OK);
  while (!(file = fopen(out, "r"))) sched_yield();
  assert_true(fread(seen, 1, sizeof seen - 1, file) > 0);
  fclose(file);
  assert_string_equal(seen, "1|https://h.example/?a=$(touch x);b&c='d'");
  /* a program that cannot be run is told */
  assert_int_equal(chmod(program, 0700), 0);
  file = fopen(program, "w");
  fprintf(file, "#!/nonexistent/interpreter\n");
  fclose(file);
  assert_int_equal(browser_open(url, &error), DBSQL_ERROR_REQUEST);
  assert_contains(dbsql_error_message(error), "cannot be started");
  error_clear(&error);
  setenv("PATH", old, 1);
  free(old);
  unsetenv("DISPLAY");
  unlink(program);
  unlink(out);
  rmdir(folder);
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
      TEST(servers_that_name_themselves),
      TEST(refresh_tokens_of_the_user),
      TEST(one_window),
      TEST(nothing_of_a_sign_in_is_told),
      TEST(sockets_are_not_inherited),
      TEST(the_browser),
      TEST(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
