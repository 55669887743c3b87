/* No secret gets out: every way to sign in, against a server that answers everything with what it was sent (auth.md 3.5, T19, T20). */
#include "auth_support.h"

#include <unistd.h>

/* How the server answers. */
struct echo {
  pthread_mutex_t lock;
  int status;
  int form; /* JSON, text, HTML, reason header, the credential alone */
};

static void append_json(struct buf *out, const char *text) {
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') buf_append_byte(out, '\\');
    buf_append_byte(out, (unsigned char)*text < 0x20 ? ' ' : (uint8_t)*text);
  }
}

static void echo_answer(struct http_exchange *exchange, void *user) {
  struct echo *echo = user;
  pthread_mutex_lock(&echo->lock);
  int status = echo->status, form = echo->form;
  pthread_mutex_unlock(&echo->lock);
  struct buf body = BUF_INIT, headers = BUF_INIT;
  static const char *const types[] = {"application/json", "text/plain", "text/html", "application/json", "text/plain"};
  char *authorization = exchange_header(exchange, "Authorization");
  buf_printf(&headers, "Content-Type: %s\r\n", types[form]);
  if (form == 0) {
    buf_append_text(&body, "{\"error\":\"invalid_client\",\"error_description\":\"you sent ");
    append_json(&body, exchange->head);
    append_json(&body, exchange->body);
    buf_append_text(&body, "\"}");
  } else if (form == 3) {
    buf_printf(&headers, "x-thriftserver-error-message: %.400s\r\nx-databricks-reason-phrase: %.400s\r\n",
               authorization ? authorization : "", exchange->body_size < 400 && !strpbrk(exchange->body, "\r\n") ? exchange->body : "");
    buf_append_text(&body, "{}");
  } else if (form == 4) { /* alone, so that no pattern knows it */
    const char *space = authorization ? strchr(authorization, ' ') : NULL;
    buf_printf(&headers, "x-request-id: %.70s\r\n", space ? space + 1 : "none");
    buf_printf(&body, "nobody is called %s here", space ? space + 1 : "nobody");
  } else {
    buf_printf(&body, "%s%s%s", form == 2 ? "<html>" : "", exchange->head, exchange->body);
  }
  exchange_reply(exchange, status, buf_text(&headers), buf_text(&body));
  free(authorization);
  buf_free(&body);
  buf_free(&headers);
}

static void assert_no_secret(const char *text, const char *what) {
  /* as it is, and as HTTP Basic has it with the client id and with the proxy's user */
  static const char *const shapes[] = {"CANARY", "cm9ib3Q6Q0FOQVJZ", "dXNlcjpDQU5BUlk"};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    const char *found = strstr(text, shapes[i]);
    if (found) fail_msg("%s lets a secret out: ...%.80s", what, found > text + 40 ? found - 40 : text);
  }
}

static int refuse_with_secret(void *user, const dbsql_token_request *request, dbsql_token *token) {
  (void)user, (void)request;
  token->error_message = "the vault says Authorization: Bearer CANARY-from-the-vault";
  return 1;
}

static void nothing_gets_out(void **state) {
  UNUSED(state);
  struct echo echo = {.lock = PTHREAD_MUTEX_INITIALIZER};
  struct http_server *server = http_server_start(&(struct http_server_settings){.handler = echo_answer, .user = &echo});
  char file[] = "/tmp/dbsql-oidc-XXXXXX";
  int fd = mkstemp(file);
  char *identity = jwt_of("{\"sub\":\"identity\"}");
  assert_int_equal(write(fd, identity, strlen(identity)), (ssize_t)strlen(identity));
  close(fd);
  char *foreign = jwt_of("{\"iss\":\"https://accounts.google.com\",\"x\":\"y\"}");
  char ways[11][1024];
  const char *url = http_server_url(server);
  snprintf(ways[0], 1024, "access_token=CANARY-pat");
  snprintf(ways[1], 1024, "client_id=robot;client_secret=CANARY-secret");
  snprintf(ways[2], 1024, "client_id=robot;client_secret=CANARY-secret;token_endpoint=%s/t", url);
  snprintf(ways[3], 1024, "client_id=robot;refresh_token=CANARY-refresh;token_endpoint=%s/t", url);
  snprintf(ways[4], 1024, "azure_client_id=robot;azure_client_secret=CANARY-azure;azure_tenant_id=t;token_endpoint=%s/t", url);
  snprintf(ways[5], 1024, "auth_type=file-oidc;oidc_token_file=%s;token_endpoint=%s/t", file, url);
  snprintf(ways[6], 1024, "access_token=%s;federation=1", foreign);
  snprintf(ways[7], 1024, "access_token=%s;federation=1;federation_fallback=0", foreign);
  snprintf(ways[8], 1024, "catalog=c");
  snprintf(ways[9], 1024, "access_token=CANARY-pat;http_header.X-Vault=CANARY-header");
  snprintf(ways[10], 1024,
           "host=h.test;allow_insecure_http=1;proxy_url=%s;proxy_user=user;proxy_password=CANARY-proxy;access_token=CANARY-pat", url);
  static const int statuses[] = {200, 302, 400, 401, 403, 404, 407, 500};
  for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
      for (int form = 0; form < 5; form++) {
        pthread_mutex_lock(&echo.lock);
        echo.status = statuses[i];
        echo.form = form;
        pthread_mutex_unlock(&echo.lock);
        struct lines lines = {.lock = PTHREAD_MUTEX_INITIALIZER, .text = BUF_INIT};
        char text[1400], what[64];
        snprintf(text, sizeof text, "%sport=%d;tls=0;http_path=/x;ignore_environment=1;retry_max=0;%s",
                 strstr(ways[way], "host=") ? "" : "host=127.0.0.1;", http_server_port(server), ways[way]);
        snprintf(what, sizeof what, "way %d, status %d, form %d", (int)way, statuses[i], form);
        dbsql_config *config;
        dbsql_connection *connection = NULL;
        dbsql_error *error = NULL;
        assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
        if (dbsql_config_parse(config, text, SIZE_MAX, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
        if (way == 8) {
          dbsql_token_source source = {.struct_size = sizeof source, .get_token = refuse_with_secret};
          dbsql_token_provider *provider;
          assert_int_equal(dbsql_token_provider_external(&source, &provider, NULL), DBSQL_OK);
          assert_int_equal(dbsql_config_set_token_provider(config, provider, NULL), DBSQL_OK);
          dbsql_token_provider_free(provider);
        }
        dbsql_config_set_log(config, DBSQL_LOG_TRACE, keep_line, &lines);
        assert_int_not_equal(dbsql_connect(config, NULL, &connection, &error), DBSQL_OK);
        assert_no_secret(dbsql_error_message(error), what);
        assert_no_secret(dbsql_error_class(error), what);
        assert_no_secret(dbsql_error_request_id(error), what);
        assert_lacks(dbsql_error_message(error), foreign);
        assert_lacks(dbsql_error_message(error), identity);
        assert_no_secret(lines.text.size ? buf_text(&lines.text) : "", what);
        if (lines.text.size) {
          assert_lacks(buf_text(&lines.text), foreign);
          assert_lacks(buf_text(&lines.text), identity);
        }
        error_clear(&error);
        buf_free(&lines.text);
        dbsql_config_free(config);
      }
    }
  }
  unlink(file);
  mem_free(foreign);
  mem_free(identity);
  http_server_stop(server);
}

/* ---- Redirects */

struct redirect {
  pthread_mutex_t lock;
  int status;
  char location[256];
};

static void send_elsewhere(struct http_exchange *exchange, void *user) {
  struct redirect *redirect = user;
  char headers[320];
  pthread_mutex_lock(&redirect->lock);
  int status = redirect->status;
  snprintf(headers, sizeof headers, "Location: %s\r\n", redirect->location);
  pthread_mutex_unlock(&redirect->lock);
  bool discovery = strstr(exchange->target, ".well-known") != NULL;
  exchange_reply(exchange, discovery ? 404 : status, discovery ? NULL : headers, "");
}

static void catch_all(struct http_exchange *exchange, void *user) {
  UNUSED(user);
  exchange_reply(exchange, 200, "Content-Type: application/json\r\n", "{\"access_token\":\"trapped\",\"expires_in\":3600}");
}

/* T1: 301, 302, 303, 307 and 308 to another host, port, scheme or path: nobody follows with credentials, neither with the token nor with
 * what it is asked for with, and the error names where it would have gone */
static void redirects_are_not_followed(void **state) {
  UNUSED(state);
  struct redirect redirect = {.lock = PTHREAD_MUTEX_INITIALIZER};
  struct http_server *server = http_server_start(&(struct http_server_settings){.handler = send_elsewhere, .user = &redirect});
  struct http_server *trap = http_server_start(&(struct http_server_settings){.handler = catch_all});
  static const int statuses[] = {301, 302, 303, 307, 308};
  static const char *const places[] = {"http://127.0.0.1:%d/x", "http://localhost:%d/x", "https://127.0.0.1:%d/x", "//127.0.0.1:%d/x"};
  char *foreign = jwt_of("{\"iss\":\"https://accounts.google.com\"}"), ways[3][512];
  snprintf(ways[0], 512, "access_token=CANARY-pat");
  snprintf(ways[1], 512, "client_id=robot;client_secret=CANARY-secret");
  snprintf(ways[2], 512, "access_token=%s;federation=1", foreign);
  for (size_t i = 0; i < 5; i++) {
    for (size_t place = 0; place < 4; place++) {
      for (int way = 0; way < 3; way++) {
        pthread_mutex_lock(&redirect.lock);
        redirect.status = statuses[i];
        const char *mark = strstr(places[place], "%d");
        snprintf(redirect.location, sizeof redirect.location, "%.*s%d%s", (int)(mark - places[place]), places[place],
                 http_server_port(trap), mark + 2);
        pthread_mutex_unlock(&redirect.lock);
        char text[1024];
        snprintf(text, sizeof text, "host=127.0.0.1;port=%d;tls=0;http_path=/x;ignore_environment=1;retry_max=0;%s",
                 http_server_port(server), ways[way]);
        dbsql_config *config;
        dbsql_connection *connection = NULL;
        dbsql_error *error = NULL;
        assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
        assert_int_equal(dbsql_config_parse(config, text, SIZE_MAX, NULL), DBSQL_OK);
        assert_int_not_equal(dbsql_connect(config, NULL, &connection, &error), DBSQL_OK);
        assert_contains(dbsql_error_message(error), "redirect");
        assert_no_secret(dbsql_error_message(error), ways[way]);
        error_clear(&error);
        dbsql_config_free(config);
      }
    }
  }
  assert_true(http_server_requests(server) >= 60);
  assert_int_equal(http_server_requests(trap), 0);
  mem_free(foreign);
  http_server_stop(trap);
  http_server_stop(server);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_gets_out), cmocka_unit_test(redirects_are_not_followed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
