/* Through a proxy: what it gets to see, its credentials, and its failures under its own name. The server has a name that only the
 * proxy knows, so that nothing can go past it. */
#include "http_test.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "certificates.h"

static struct certificate *ca, *server_cert, *proxy_cert;
static char *ca_file;

static int make_certificates(void **state) {
  (void)state;
  struct certificate_settings settings = {.name = "Test CA", .is_ca = true};
  ca = certificate_make(&settings);
  settings = (struct certificate_settings){.name = "server", .names = "DNS:warehouse.test", .issuer = ca};
  server_cert = certificate_make(&settings);
  settings.name = "proxy";
  settings.names = "IP:127.0.0.1";
  proxy_cert = certificate_make(&settings);
  ca_file = test_file_write(ca->pem, NULL);
  return 0;
}

static int drop_certificates(void **state) {
  (void)state;
  certificate_free(ca);
  certificate_free(server_cert);
  certificate_free(proxy_cert);
  free(ca_file);
  test_files_remove();
  return 0;
}

/* No test asks a name server: this definition takes the place of the C library's, and no name exists. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                                                       struct addrinfo **result) {
  (void)name;
  (void)service;
  (void)hints;
  (void)result;
  return EAI_NONAME;
}

/* A proxy that opens tunnels to one port and answers plain requests itself. */
struct proxy_plan {
  int port;
  const char *credentials; /* of Proxy-Authorization; NULL: none wanted */
  const char *raw;         /* answers every CONNECT with these bytes and closes */
};

static void act_as_proxy(struct http_exchange *exchange, void *user) {
  const struct proxy_plan *plan = user;
  if (plan->credentials) {
    char *got = exchange_header(exchange, "Proxy-Authorization");
    bool good = got && strcmp(got, plan->credentials) == 0;
    free(got);
    if (!good) {
      exchange_reply(exchange, 407, "Proxy-Authenticate: Basic realm=\"p\"\r\n", "<html>who are you?</html>");
      return;
    }
  }
  if (strcmp(exchange->method, "CONNECT") != 0) {
    exchange_reply(exchange, 200, NULL, "through the proxy");
  } else if (plan->raw) {
    exchange_write_text(exchange, plan->raw);
    exchange_close(exchange);
  } else {
    exchange_tunnel(exchange, plan->port);
  }
}

static void answer(struct http_exchange *exchange, void *user) {
  (void)user;
  exchange_reply(exchange, 200, NULL, "fine");
}

struct fixture {
  struct proxy_plan plan;
  struct http_server *server, *proxy;
  struct http_settings settings;
  char proxy_url[100];
};

static void begin(struct fixture *fixture, bool tls_proxy) {
  memset(fixture, 0, sizeof *fixture);
  struct http_server_settings server_settings = {.handler = answer, .certificate = server_cert->pem, .key = server_cert->key_pem};
  fixture->server = http_server_start(&server_settings);
  fixture->plan.port = http_server_port(fixture->server);
  struct http_server_settings proxy_settings = {.handler = act_as_proxy,
                                                .user = &fixture->plan,
                                                .certificate = tls_proxy ? proxy_cert->pem : NULL,
                                                .key = tls_proxy ? proxy_cert->key_pem : NULL};
  fixture->proxy = http_server_start(&proxy_settings);
  snprintf(fixture->proxy_url, sizeof fixture->proxy_url, "%s", http_server_url(fixture->proxy));
  fixture->settings = plain_settings();
  fixture->settings.tls_system_store = false;
  fixture->settings.tls_ca_file = ca_file;
  fixture->settings.proxy_url = fixture->proxy_url;
}

static void end(struct fixture *fixture) {
  http_server_stop(fixture->proxy);
  http_server_stop(fixture->server);
}

static void assert_header(const struct http_exchange *exchange, const char *name, const char *value) {
  char *got = exchange_header(exchange, name);
  if (!value) {
    if (got) fail_msg("unexpected header %s: %s", name, got);
    return;
  }
  if (!got) fail_msg("no header %s in %s", name, exchange->head);
  assert_string_equal(got, value);
  free(got);
}

static dbsql_status bearer(void *user, const struct call *call, struct buf *value, dbsql_error **error) {
  (void)user;
  (void)call;
  (void)error;
  buf_append_text(value, "Bearer for-the-server-only");
  return DBSQL_OK;
}

static dbsql_status send_through(struct fixture *fixture, const char *url, dbsql_error **error) {
  struct http_client *client = client_of(&fixture->settings);
  static const struct http_header headers[] = {{"x-databricks-org-id", "12"}};
  struct http_request request = {.method = "POST",
                                 .url = url,
                                 .what = "Test",
                                 .headers = headers,
                                 .header_count = 1,
                                 .body = slice_text("ping"),
                                 .retry = HTTP_RETRY_IDEMPOTENT,
                                 .authorize = bearer};
  struct http_response response;
  dbsql_status status = send_request(client, &request, &response, error);
  http_response_free(&response);
  http_client_free(client);
  return status;
}

static void tunnels_hide_everything_from_the_proxy(void **state) {
  (void)state;
  for (int tls_proxy = 0; tls_proxy < 2; tls_proxy++) {
    struct fixture fixture;
    begin(&fixture, tls_proxy == 1);
    /* "us%er" and "p@:%/w", encoded in the URL */
    fixture.plan.credentials = "Basic dXMlZXI6cEA6JS93";
    snprintf(fixture.proxy_url, sizeof fixture.proxy_url, "%s://us%%25er:p%%40%%3A%%25%%2Fw@127.0.0.1:%d", tls_proxy ? "https" : "http",
             http_server_port(fixture.proxy));
    dbsql_error *error = NULL;
    if (send_through(&fixture, "https://warehouse.test/sql?o=1", &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    assert_int_equal(http_server_requests(fixture.proxy), 1);
    const struct http_exchange *seen = http_server_request(fixture.proxy, 0);
    assert_string_equal(seen->method, "CONNECT");
    assert_string_equal(seen->target, "warehouse.test:443");
    assert_header(seen, "Proxy-Authorization", "Basic dXMlZXI6cEA6JS93");
    assert_header(seen, "Authorization", NULL);
    assert_header(seen, "x-databricks-org-id", NULL);
    seen = http_server_request(fixture.server, 0);
    assert_string_equal(seen->target, "/sql?o=1");
    assert_string_equal(seen->body, "ping");
    assert_header(seen, "Authorization", "Bearer for-the-server-only");
    assert_header(seen, "Proxy-Authorization", NULL);
    assert_header(seen, "Host", "warehouse.test");
    end(&fixture);
  }
}

static void credentials_can_stand_apart(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture, false);
  fixture.plan.credentials = "Basic dXMlZXI6cEA6JS93";
  struct secret *user = secret_new("us%er", 5), *password = secret_new("p@:%/w", 6);
  fixture.settings.proxy_user = user;
  fixture.settings.proxy_password = password;
  dbsql_error *error = NULL;
  if (send_through(&fixture, "https://warehouse.test/", &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  secret_free(user);
  secret_free(password);
  end(&fixture);
}

static void plain_requests_go_through_too(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture, false);
  dbsql_error *error = NULL;
  if (send_through(&fixture, "http://warehouse.test:8080/x", &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  const struct http_exchange *seen = http_server_request(fixture.proxy, 0);
  assert_string_equal(seen->method, "POST");
  assert_string_equal(seen->target, "http://warehouse.test:8080/x");
  assert_header(seen, "Host", "warehouse.test:8080");
  end(&fixture);
}

static void loopback_and_listed_hosts_go_past(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture, false);
  struct http_server_settings server_settings = {.handler = answer};
  struct http_server *plain = http_server_start(&server_settings);
  dbsql_error *error = NULL;
  if (send_through(&fixture, http_server_url(plain), &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  fixture.settings.no_proxy = "*.test";
  assert_int_equal(send_through(&fixture, "https://warehouse.test/", &error), DBSQL_ERROR_REQUEST); /* nobody else knows the name */
  assert_in_message(error, "the name warehouse.test cannot be resolved");
  error_clear(&error);
  fixture.settings.no_proxy = NULL;
  fixture.settings.use_proxy = false;
  assert_int_equal(send_through(&fixture, "https://warehouse.test/", &error), DBSQL_ERROR_REQUEST);
  error_clear(&error);
  assert_int_equal(http_server_requests(fixture.proxy), 0);
  http_server_stop(plain);
  end(&fixture);
}

static void the_environment_names_a_proxy(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture, false);
  fixture.settings.proxy_url = NULL;
  fixture.settings.ignore_environment = false;
  setenv("HTTPS_PROXY", fixture.proxy_url, 1);
  setenv("NO_PROXY", "other.test", 1);
  dbsql_error *error = NULL;
  if (send_through(&fixture, "https://warehouse.test/", &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  assert_int_equal(http_server_requests(fixture.proxy), 1);
  /* direct means direct, also for libcurl, which reads the environment by itself */
  setenv("NO_PROXY", "warehouse.test", 1);
  assert_int_equal(send_through(&fixture, "https://warehouse.test/", &error), DBSQL_ERROR_REQUEST);
  error_clear(&error);
  fixture.settings.ignore_environment = true;
  setenv("NO_PROXY", "", 1);
  assert_int_equal(send_through(&fixture, "https://warehouse.test/", &error), DBSQL_ERROR_REQUEST);
  error_clear(&error);
  assert_int_equal(http_server_requests(fixture.proxy), 1);
  /* and an explicit one is used even where the environment would exclude it */
  setenv("NO_PROXY", "*", 1);
  fixture.settings.proxy_url = fixture.proxy_url;
  if (send_through(&fixture, "https://warehouse.test/", &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  unsetenv("HTTPS_PROXY");
  unsetenv("NO_PROXY");
  end(&fixture);
}

static void failures_are_the_proxys(void **state) {
  (void)state;
  static const struct {
    const char *raw, *credentials, *url, *part;
    bool again;
  } cases[] = {
      {NULL, "Basic x", "https://warehouse.test/", "refuses the connection to warehouse.test: it wants other credentials", false},
      {NULL, "Basic x", "http://warehouse.test/", "refuses to pass requests on: it wants other credentials", false},
      {"HTTP/1.1 403 Forbidden\r\nContent-Length: 28\r\n\r\n<html>secret policy</html>\r\n", NULL, "https://warehouse.test/",
       "refuses the connection to warehouse.test with HTTP 403", false},
      {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", NULL, "https://warehouse.test/",
       "refuses the connection to warehouse.test with HTTP 502", true},
      {"HTTP/1.1 302 Found\r\nLocation: https://evil.test/\r\nContent-Length: 0\r\n\r\n", NULL, "https://warehouse.test/",
       "refuses the connection to warehouse.test with HTTP 302", false},
      {"", NULL, "https://warehouse.test/", "the proxy ", true},
      {"garbage\r\n\r\n", NULL, "https://warehouse.test/", "the proxy ", true},
      /* 200 and then no TLS: an answer of the proxy must not be taken for one of the server */
      {"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake", NULL, "https://warehouse.test/", "warehouse.test", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int tls_proxy = 0; tls_proxy < 2; tls_proxy++) {
      struct fixture fixture;
      begin(&fixture, tls_proxy == 1);
      fixture.plan.raw = cases[i].raw;
      fixture.plan.credentials = cases[i].credentials;
      fixture.settings.retry_max = 1;
      dbsql_error *error = NULL;
      assert_int_equal(send_through(&fixture, cases[i].url, &error), DBSQL_ERROR_REQUEST);
      assert_string_equal(dbsql_error_sqlstate(error), "08001");
      assert_in_message(error, cases[i].part);
      char proxy_name[40];
      snprintf(proxy_name, sizeof proxy_name, "127.0.0.1:%d", http_server_port(fixture.proxy));
      if (i != 7) assert_in_message(error, proxy_name);
      assert_not_in_message(error, "secret policy");
      assert_string_equal(dbsql_error_host(error), "warehouse.test");
      if (dbsql_error_attempts(error) != (cases[i].again ? 2 : 1)) fail_msg("case %d: %s", (int)i, dbsql_error_message(error));
      assert_int_equal(http_server_connections(fixture.server), 0);
      error_clear(&error);
      end(&fixture);
    }
  }
}

/* ---- SOCKS: one connection, with user and password (RFC 1928, RFC 1929) ----------------------------------------------------- */

struct socks {
  int listener, port; /* port: where every tunnel leads */
  bool refuse;
  char user[64], password[64], host[300];
  int host_port;
};

static bool read_exactly(int fd, void *out, size_t size) {
  return recv(fd, out, size, MSG_WAITALL) == (ssize_t)size;
}

/* A length and that many bytes, as text. */
static bool read_counted(int fd, char *out, size_t size) {
  uint8_t length;
  if (!read_exactly(fd, &length, 1) || length >= size || (length && !read_exactly(fd, out, length))) return false;
  out[length] = 0;
  return true;
}

static bool pass_on(int from, int to) {
  char part[8192];
  ssize_t got = recv(from, part, sizeof part, 0);
  return got > 0 && send(to, part, (size_t)got, MSG_NOSIGNAL) == got;
}

static void *serve_socks(void *user) {
  struct socks *socks = user;
  int fd = accept(socks->listener, NULL, NULL);
  int other = -1;
  char methods[256];
  uint8_t head[4], port[2];
  bool good = read_exactly(fd, head, 1) && read_counted(fd, methods, sizeof methods) && send(fd, "\5\2", 2, MSG_NOSIGNAL) == 2 &&
              read_exactly(fd, head, 1) && read_counted(fd, socks->user, sizeof socks->user) &&
              read_counted(fd, socks->password, sizeof socks->password) && send(fd, "\1\0", 2, MSG_NOSIGNAL) == 2 &&
              read_exactly(fd, head, 4) && head[3] == 3 && read_counted(fd, socks->host, sizeof socks->host) && read_exactly(fd, port, 2);
  if (good) {
    socks->host_port = port[0] << 8 | port[1];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)socks->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    good = connect(other, (struct sockaddr *)&address, sizeof address) == 0;
    good = send(fd, socks->refuse ? "\5\2\0\1\0\0\0\0\0\0" : "\5\0\0\1\0\0\0\0\0\0", 10, MSG_NOSIGNAL) == 10 && good && !socks->refuse;
  }
  while (good) {
    struct pollfd fds[2] = {{fd, POLLIN, 0}, {other, POLLIN, 0}};
    good = poll(fds, 2, -1) > 0 && (fds[0].revents ? pass_on(fd, other) : pass_on(other, fd));
  }
  close(fd);
  if (other >= 0) close(other);
  return NULL;
}

static void socks_proxies_resolve_the_name(void **state) {
  (void)state;
  for (int refuse = 0; refuse < 2; refuse++) {
    struct fixture fixture;
    begin(&fixture, false);
    struct socks socks = {.port = http_server_port(fixture.server), .refuse = refuse == 1};
    socks.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    assert_int_equal(bind(socks.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(socks.listener, 1), 0);
    assert_int_equal(getsockname(socks.listener, (struct sockaddr *)&address, &length), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, serve_socks, &socks), 0);
    snprintf(fixture.proxy_url, sizeof fixture.proxy_url, "socks5h://me:pa%%40ss@127.0.0.1:%d", ntohs(address.sin_port));
    dbsql_error *error = NULL;
    dbsql_status status = send_through(&fixture, "https://warehouse.test/", &error);
    pthread_join(thread, NULL);
    if (refuse) {
      assert_int_equal(status, DBSQL_ERROR_REQUEST);
      assert_string_equal(dbsql_error_sqlstate(error), "08001");
      assert_in_message(error, "the proxy 127.0.0.1:");
      assert_not_in_message(error, "pa@ss");
      error_clear(&error);
    } else if (status != DBSQL_OK) {
      fail_msg("%s", dbsql_error_message(error));
    }
    assert_string_equal(socks.user, "me");
    assert_string_equal(socks.password, "pa@ss");
    assert_string_equal(socks.host, "warehouse.test");
    assert_int_equal(socks.host_port, 443);
    close(socks.listener);
    end(&fixture);
  }
}

static void a_proxy_that_is_not_there_is_no_reason_to_go_past_it(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture, false);
  struct http_server_settings server_settings = {.handler = answer};
  struct http_server *gone = http_server_start(&server_settings);
  snprintf(fixture.proxy_url, sizeof fixture.proxy_url, "http://user:secretword@127.0.0.1:%d", http_server_port(gone));
  http_server_stop(gone);
  dbsql_error *error = NULL;
  assert_int_equal(send_through(&fixture, "https://warehouse.test/", &error), DBSQL_ERROR_REQUEST);
  assert_in_message(error, "cannot connect to the proxy 127.0.0.1:");
  assert_in_message(error, "connection refused");
  assert_not_in_message(error, "secretword");
  error_clear(&error);
  snprintf(fixture.proxy_url, sizeof fixture.proxy_url, "http://nowhere.test:1");
  assert_int_equal(send_through(&fixture, "https://warehouse.test/", &error), DBSQL_ERROR_REQUEST);
  assert_in_message(error, "the name of the proxy nowhere.test:1 cannot be resolved");
  error_clear(&error);
  end(&fixture);
}

static void an_https_proxy_must_be_trusted(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture, true);
  struct certificate_settings settings = {.name = "Other CA", .is_ca = true};
  struct certificate *other = certificate_make(&settings);
  char *other_file = test_file_write(other->pem, NULL);
  fixture.settings.tls_ca_file = other_file;
  fixture.settings.retry_max = 2;
  dbsql_error *error = NULL;
  assert_int_equal(send_through(&fixture, "https://warehouse.test/", &error), DBSQL_ERROR_REQUEST);
  assert_in_message(error, "the certificate of the proxy 127.0.0.1:");
  assert_in_message(error, "its issuer is unknown");
  assert_int_equal(dbsql_error_attempts(error), 1);
  error_clear(&error);
  assert_int_equal(http_server_requests(fixture.proxy), 0);
  certificate_free(other);
  free(other_file);
  end(&fixture);
}

static void a_wrong_server_behind_a_proxy_is_the_servers_fault(void **state) {
  (void)state;
  for (int tls_proxy = 0; tls_proxy < 2; tls_proxy++) {
    struct fixture fixture;
    begin(&fixture, tls_proxy == 1);
    dbsql_error *error = NULL;
    assert_int_equal(send_through(&fixture, "https://other.test/", &error), DBSQL_ERROR_REQUEST);
    assert_in_message(error, "the certificate of other.test is not accepted: it is for another name");
    error_clear(&error);
    end(&fixture);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tunnels_hide_everything_from_the_proxy), cmocka_unit_test(credentials_can_stand_apart),
      cmocka_unit_test(plain_requests_go_through_too),          cmocka_unit_test(loopback_and_listed_hosts_go_past),
      cmocka_unit_test(the_environment_names_a_proxy),          cmocka_unit_test(failures_are_the_proxys),
      cmocka_unit_test(socks_proxies_resolve_the_name),         cmocka_unit_test(a_proxy_that_is_not_there_is_no_reason_to_go_past_it),
      cmocka_unit_test(an_https_proxy_must_be_trusted),         cmocka_unit_test(a_wrong_server_behind_a_proxy_is_the_servers_fault),
  };
  return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
