/* TLS: whom the client trusts, what it says when it does not, and its own certificate. */
#include "http_test.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "certificates.h"
#include "http/client.h"

static struct certificate *ca, *other_ca, *server_cert, *client_cert;
static char *ca_file, *other_ca_file, *client_cert_file, *client_key_file;

static struct certificate *issued(const char *name, const char *names, const struct certificate *issuer) {
  struct certificate_settings settings = {.name = name, .names = names, .issuer = issuer};
  return certificate_make(&settings);
}

static int make_certificates(void **state) {
  (void)state;
  struct certificate_settings ca_settings = {.name = "Test CA", .is_ca = true};
  ca = certificate_make(&ca_settings);
  ca_settings.name = "Other CA";
  other_ca = certificate_make(&ca_settings);
  server_cert = issued("server", "DNS:localhost,IP:127.0.0.1", ca);
  client_cert = issued("client", NULL, ca);
  ca_file = test_file_write(ca->pem, NULL);
  other_ca_file = test_file_write("a comment before\n", other_ca->pem, NULL);
  client_cert_file = test_file_write(client_cert->pem, NULL);
  client_key_file = test_file_write(client_cert->key_pem, NULL);
  unsetenv("SSL_CERT_FILE");
  unsetenv("SSL_CERT_DIR");
  return 0;
}

static int drop_certificates(void **state) {
  (void)state;
  certificate_free(ca);
  certificate_free(other_ca);
  certificate_free(server_cert);
  certificate_free(client_cert);
  free(ca_file);
  free(other_ca_file);
  free(client_cert_file);
  free(client_key_file);
  test_files_remove();
  return 0;
}

static void answer(struct http_exchange *exchange, void *user) {
  (void)user;
  exchange_reply(exchange, 200, NULL, "fine");
}

static struct http_server *serve(const struct certificate *certificate) {
  struct http_server_settings settings = {.handler = answer, .certificate = certificate->pem, .key = certificate->key_pem};
  return http_server_start(&settings);
}

/* Trusts the test CA and nothing else; tries again whatever may be tried again. */
static struct http_settings tls_settings(void) {
  struct http_settings settings = plain_settings();
  settings.tls_system_store = false;
  settings.tls_ca_file = ca_file;
  settings.retry_max = 2;
  return settings;
}

static void assert_reaches(const struct http_settings *settings, const char *url) {
  struct http_client *client = client_of(settings);
  assert_answers(client, url, HTTP_RETRY_REFUSED, "fine");
  http_client_free(client);
}

/* The request fails at once: what is wrong with a certificate is not tried again. */
static void assert_distrusts(const struct http_settings *settings, const char *url, const char *part) {
  struct http_client *client = client_of(settings);
  dbsql_error *error = failure_of(client, url, HTTP_RETRY_IDEMPOTENT);
  assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_REQUEST);
  assert_string_equal(dbsql_error_sqlstate(error), "08001");
  assert_in_message(error, part);
  assert_in_message(error, dbsql_error_host(error));
  assert_int_equal(dbsql_error_attempts(error), 1);
  assert_false(dbsql_error_is_retryable(error));
  error_clear(&error);
  http_client_free(client);
}

static void a_trusted_server_is_reached(void **state) {
  (void)state;
  struct http_server *server = serve(server_cert);
  struct http_settings settings = tls_settings();
  assert_reaches(&settings, http_server_url(server));
  char url[100];
  snprintf(url, sizeof url, "https://localhost:%d/", http_server_port(server));
  assert_reaches(&settings, url);
  http_server_stop(server);
}

static void what_is_wrong_with_a_certificate_is_said(void **state) {
  (void)state;
  struct http_settings settings = tls_settings();
  struct certificate_settings dated = {
      .name = "server", .names = "IP:127.0.0.1", .issuer = ca, .valid_from_days = -20, .valid_to_days = -10};
  struct certificate *expired = certificate_make(&dated);
  dated.valid_from_days = 10;
  dated.valid_to_days = 20;
  struct certificate *future = certificate_make(&dated);
  struct certificate *foreign = issued("server", "IP:127.0.0.1", other_ca);
  struct certificate *self_signed = issued("server", "IP:127.0.0.1", NULL);
  struct certificate *misnamed = issued("server", "DNS:warehouse.example,DNS:*.other.example", ca);
  struct certificate chained = {NULL, foreign->key_pem}; /* the server sends its root too */
  size_t size = strlen(foreign->pem) + strlen(other_ca->pem) + 1;
  chained.pem = malloc(size);
  snprintf(chained.pem, size, "%s%s", foreign->pem, other_ca->pem);
  const struct {
    const struct certificate *certificate;
    const char *part;
  } cases[] = {{expired, "it has expired"},
               {future, "it is not valid yet"},
               {foreign, "its issuer is unknown"},
               {&chained, "the root of its chain is not among the trusted ones"},
               {self_signed, "it is self-signed"},
               {misnamed, "it is for another name; the certificate is for DNS:warehouse.example, DNS:*.other.example"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct http_server *server = serve(cases[i].certificate);
    assert_distrusts(&settings, http_server_url(server), cases[i].part);
    assert_int_equal(http_server_requests(server), 0);
    assert_int_equal(http_server_connections(server), 1);
    /* and none of it matters without verification, in so many words */
    struct http_settings blind = settings;
    blind.tls_verify = false;
    assert_reaches(&blind, http_server_url(server));
    /* the name alone can be left out, and then only the name is */
    struct http_settings nameless = settings;
    nameless.tls_verify_hostname = false;
    if (cases[i].certificate == misnamed) {
      assert_reaches(&nameless, http_server_url(server));
    } else {
      assert_distrusts(&nameless, http_server_url(server), cases[i].part);
    }
    http_server_stop(server);
  }
  certificate_free(expired);
  certificate_free(future);
  certificate_free(foreign);
  certificate_free(self_signed);
  certificate_free(misnamed);
  free(chained.pem);
}

static void the_ca_file_adds_to_the_system_store(void **state) {
  (void)state;
  struct certificate *other_cert = issued("server", "IP:127.0.0.1", other_ca);
  struct http_server *ours = serve(server_cert), *theirs = serve(other_cert);
  /* the environment's file stands for the system's */
  setenv("SSL_CERT_FILE", other_ca_file, 1);
  struct http_settings settings = tls_settings();
  settings.ignore_environment = false;
  settings.use_proxy = false;
  settings.tls_system_store = true;
  assert_reaches(&settings, http_server_url(ours));
  assert_reaches(&settings, http_server_url(theirs));
  settings.tls_ca_file = NULL;
  assert_distrusts(&settings, http_server_url(ours), "its issuer is unknown");
  assert_reaches(&settings, http_server_url(theirs));
  settings.tls_ca_file = ca_file;
  settings.tls_system_store = false;
  assert_reaches(&settings, http_server_url(ours));
  assert_distrusts(&settings, http_server_url(theirs), "its issuer is unknown");
  /* an ignored environment: the machine's own store, in which our CA is not */
  settings.tls_system_store = true;
  settings.ignore_environment = true;
  assert_reaches(&settings, http_server_url(ours));
  assert_distrusts(&settings, http_server_url(theirs), "its issuer is unknown");
  unsetenv("SSL_CERT_FILE");
  http_server_stop(ours);
  http_server_stop(theirs);
  certificate_free(other_cert);
}

/* Certificates that were put together are held once for all who trust the same ones, and as long as one does. */
static void equal_certificates_are_held_once(void **state) {
  (void)state;
  struct http_server *server = serve(server_cert);
  struct http_settings settings = tls_settings(), both = tls_settings();
  char *copy = test_file_write(ca->pem, NULL);
  setenv("SSL_CERT_FILE", other_ca_file, 1);
  both.ignore_environment = false;
  both.use_proxy = false;
  both.tls_system_store = true;
  struct http_client *one = client_of(&settings), *with_system = client_of(&both);
  settings.tls_ca_file = copy;
  struct http_client *same = client_of(&settings);
  settings.tls_ca_file = other_ca_file;
  struct http_client *other = client_of(&settings);
  both.tls_ca_file = NULL;
  struct http_client *system_alone = client_of(&both);
  assert_non_null(one->tls.bundle);
  assert_ptr_equal(same->tls.bundle, one->tls.bundle);
  assert_ptr_not_equal(other->tls.bundle, one->tls.bundle);
  assert_ptr_not_equal(with_system->tls.bundle, one->tls.bundle);
  assert_null(system_alone->tls.bundle); /* nothing is put together */
  http_client_free(one);
  http_client_free(other);
  http_client_free(system_alone);
  assert_answers(same, http_server_url(server), HTTP_RETRY_REFUSED, "fine");
  assert_answers(with_system, http_server_url(server), HTTP_RETRY_REFUSED, "fine");
  http_client_free(same);
  http_client_free(with_system);
  unsetenv("SSL_CERT_FILE");
  free(copy);
  http_server_stop(server);
}

/* A directory as OpenSSL wants it: each certificate under the hash of its name. */
static void a_directory_of_the_environment_counts(void **state) {
  (void)state;
  struct certificate *other_cert = issued("server", "IP:127.0.0.1", other_ca);
  struct http_server *ours = serve(server_cert), *theirs = serve(other_cert);
  BIO *bio = BIO_new_mem_buf(other_ca->pem, -1);
  X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  char directory[200], link[240];
  snprintf(directory, sizeof directory, "%s.d", other_ca_file);
  snprintf(link, sizeof link, "%s/%08lx.0", directory, X509_NAME_hash(X509_get_subject_name(certificate)));
  X509_free(certificate);
  BIO_free(bio);
  assert_int_equal(mkdir(directory, 0700), 0);
  assert_int_equal(symlink(other_ca_file, link), 0);
  setenv("SSL_CERT_DIR", directory, 1);
  struct http_settings settings = tls_settings();
  settings.ignore_environment = false;
  settings.use_proxy = false;
  settings.tls_system_store = true;
  assert_reaches(&settings, http_server_url(ours));
  assert_reaches(&settings, http_server_url(theirs));
  settings.tls_system_store = false;
  assert_distrusts(&settings, http_server_url(theirs), "its issuer is unknown");
  settings.tls_system_store = true;
  settings.ignore_environment = true;
  assert_distrusts(&settings, http_server_url(theirs), "its issuer is unknown");
  unsetenv("SSL_CERT_DIR");
  assert_int_equal(unlink(link), 0);
  assert_int_equal(rmdir(directory), 0);
  http_server_stop(ours);
  http_server_stop(theirs);
  certificate_free(other_cert);
}

static void assert_refused(const struct http_settings *settings, const char *part) {
  struct http_client *client = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(http_client_new(settings, &client, &error), DBSQL_ERROR_DRIVER);
  assert_null(client);
  assert_in_message(error, part);
  error_clear(&error);
  assert_int_equal(ERR_peek_error(), 0); /* nothing is left in the host's error queue */
}

static void bad_files_are_told_at_once(void **state) {
  (void)state;
  char *empty = test_file_write("", NULL), *text = test_file_write("no certificate\n", NULL);
  char *damaged = test_file_write(ca->pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", NULL);
  struct certificate_settings encrypted_settings = {.name = "client", .issuer = ca, .key_password = "right"};
  struct certificate *encrypted = certificate_make(&encrypted_settings);
  char *encrypted_cert = test_file_write(encrypted->pem, NULL), *encrypted_key = test_file_write(encrypted->key_pem, NULL);
  struct secret *wrong = secret_new("wrongword", 9);

  struct http_settings settings = tls_settings();
  settings.tls_ca_file = "/nowhere/ca.pem";
  assert_refused(&settings, "tls_ca_file: /nowhere/ca.pem: there is no such file");
  settings.tls_ca_file = "/";
  assert_refused(&settings, "tls_ca_file: /: it is a directory");
  settings.tls_ca_file = empty;
  assert_refused(&settings, "the file is empty");
  settings.tls_ca_file = text;
  assert_refused(&settings, "the file holds no certificate in PEM form");
  settings.tls_ca_file = damaged;
  assert_refused(&settings, "certificate 2 is damaged");
  if (geteuid() != 0) { /* root may read everything */
    char *unreadable = test_file_write(ca->pem, NULL);
    assert_int_equal(chmod(unreadable, 0), 0);
    settings.tls_ca_file = unreadable;
    assert_refused(&settings, "it may not be read");
    free(unreadable);
  }
  settings.tls_ca_file = NULL;
  assert_refused(&settings, "tls_system_store is off and tls_ca_file is not set");

  settings = tls_settings();
  settings.tls_client_cert = client_cert_file;
  assert_refused(&settings, "tls_client_cert is set without tls_client_key");
  settings.tls_client_cert = NULL;
  settings.tls_client_key = client_key_file;
  assert_refused(&settings, "tls_client_key is set without tls_client_cert");
  settings.tls_client_cert = client_cert_file;
  settings.tls_client_key = encrypted_key;
  assert_refused(&settings, "the key is encrypted and tls_client_key_password is not set");
  settings.tls_client_key_password = wrong;
  assert_refused(&settings, "cannot be decrypted with tls_client_key_password");
  settings.tls_client_key_password = NULL;
  settings.tls_client_cert = encrypted_cert;
  settings.tls_client_key = client_key_file;
  assert_refused(&settings, "the key does not belong to the certificate in ");
  settings.tls_client_key = text;
  assert_refused(&settings, "the file holds no private key in PEM form");
  settings.tls_client_cert = text;
  settings.tls_client_key = client_key_file;
  assert_refused(&settings, "tls_client_cert: ");
  settings.tls_client_cert = client_cert_file;
  settings.tls_client_key = "/nowhere/key.pem";
  assert_refused(&settings, "tls_client_key: /nowhere/key.pem: there is no such file");

  settings = tls_settings();
  settings.tls_min_version = "1.1";
  assert_refused(&settings, "tls_min_version must be 1.2 or 1.3");

  setenv("SSL_CERT_FILE", "/nowhere/system.pem", 1);
  settings = tls_settings();
  settings.tls_system_store = true;
  settings.ignore_environment = false;
  assert_refused(&settings, "SSL_CERT_FILE: /nowhere/system.pem: there is no such file");
  unsetenv("SSL_CERT_FILE");

  secret_free(wrong);
  certificate_free(encrypted);
  free(empty);
  free(text);
  free(damaged);
  free(encrypted_cert);
  free(encrypted_key);
}

static void a_client_certificate_is_shown_when_asked(void **state) {
  (void)state;
  struct http_server_settings server_settings = {
      .handler = answer, .certificate = server_cert->pem, .key = server_cert->key_pem, .client_ca = ca->pem};
  for (int tls12 = 0; tls12 < 2; tls12++) {
    server_settings.only_tls12 = tls12 == 1;
    struct http_server *server = http_server_start(&server_settings);
    struct http_settings settings = tls_settings();
    struct http_client *client = client_of(&settings);
    dbsql_error *error = failure_of(client, http_server_url(server), HTTP_RETRY_IDEMPOTENT);
    if (!tls12) assert_in_message(error, "requires a client certificate (see tls_client_cert)");
    assert_int_equal(dbsql_error_attempts(error), 1);
    error_clear(&error);
    http_client_free(client);

    settings.tls_client_cert = client_cert_file;
    settings.tls_client_key = client_key_file;
    assert_reaches(&settings, http_server_url(server));

    struct certificate_settings encrypted_settings = {.name = "client", .issuer = ca, .key_password = "pass word"};
    struct certificate *encrypted = certificate_make(&encrypted_settings);
    char *cert_file = test_file_write(encrypted->pem, NULL), *key_file = test_file_write(encrypted->key_pem, NULL);
    struct secret *password = secret_new("pass word", 9);
    settings.tls_client_cert = cert_file;
    settings.tls_client_key = key_file;
    settings.tls_client_key_password = password;
    assert_reaches(&settings, http_server_url(server));
    secret_free(password);
    certificate_free(encrypted);

    struct certificate *foreign = issued("client", NULL, other_ca);
    char *foreign_cert = test_file_write(foreign->pem, NULL), *foreign_key = test_file_write(foreign->key_pem, NULL);
    settings.tls_client_cert = foreign_cert;
    settings.tls_client_key = foreign_key;
    settings.tls_client_key_password = NULL;
    client = client_of(&settings);
    error = failure_of(client, http_server_url(server), HTTP_RETRY_IDEMPOTENT);
    assert_in_message(error, "refused the client certificate");
    assert_int_equal(dbsql_error_attempts(error), 1);
    error_clear(&error);
    http_client_free(client);
    certificate_free(foreign);
    free(cert_file);
    free(key_file);
    free(foreign_cert);
    free(foreign_key);
    http_server_stop(server);
  }
}

static void the_least_version_is_kept(void **state) {
  (void)state;
  struct http_server_settings server_settings = {
      .handler = answer, .certificate = server_cert->pem, .key = server_cert->key_pem, .only_tls12 = true};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = tls_settings();
  assert_reaches(&settings, http_server_url(server));
  settings.tls_min_version = "1.3";
  assert_distrusts(&settings, http_server_url(server), "allows no TLS version that is allowed here (see tls_min_version)");
  http_server_stop(server);
}

static void the_wrong_protocol_on_a_port_is_told(void **state) {
  (void)state;
  struct http_server_settings plain = {.handler = answer};
  struct http_server *server = http_server_start(&plain);
  struct http_settings settings = tls_settings();
  char url[100];
  snprintf(url, sizeof url, "https://127.0.0.1:%d/", http_server_port(server));
  assert_distrusts(&settings, url, "does not speak TLS on that port");
  http_server_stop(server);
}

/* ---- SIGPIPE -------------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t pipes;
static void count_pipe(int number) {
  (void)number;
  pipes = pipes + 1;
}

/* The server closes the connection under TLS while a large body is on its way: writing on raises SIGPIPE, which the host must
 * not see. */
static void a_server_that_closes_raises_no_signal(void **state) {
  (void)state;
  struct sigaction counting = {.sa_handler = count_pipe}, old;
  assert_int_equal(sigaction(SIGPIPE, &counting, &old), 0);
  pipes = 0;
  struct http_server_settings server_settings = {
      .handler = answer, .certificate = server_cert->pem, .key = server_cert->key_pem, .close_after_handshake = true};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = tls_settings();
  size_t size = 4 << 20;
  char *body = calloc(1, size);
  for (int i = 0; i < 20; i++) {
    struct http_client *client = client_of(&settings);
    struct http_request request = {
        .method = "POST", .url = http_server_url(server), .what = "Test", .body = slice_of(body, size), .retry = HTTP_RETRY_REFUSED};
    struct http_response response;
    dbsql_error *error = NULL;
    assert_int_equal(send_request(client, &request, &response, &error), DBSQL_ERROR_REQUEST);
    error_clear(&error);
    http_client_free(client);
  }
  assert_int_equal(pipes, 0);
  free(body);
  http_server_stop(server);
  sigaction(SIGPIPE, &old, NULL);
}

static void answer_and_reset(struct http_exchange *exchange, void *user) {
  (void)user;
  exchange_reply(exchange, 200, NULL, "fine");
  exchange_reset(exchange);
}

/* A kept connection that has been reset meanwhile: libcurl notices when it wants to use it, and says goodbye on it. */
static void a_reset_idle_connection_raises_no_signal(void **state) {
  (void)state;
  struct sigaction counting = {.sa_handler = count_pipe}, old;
  assert_int_equal(sigaction(SIGPIPE, &counting, &old), 0);
  pipes = 0;
  struct http_server_settings server_settings = {.handler = answer_and_reset, .certificate = server_cert->pem, .key = server_cert->key_pem};
  struct http_server *server = http_server_start(&server_settings);
  struct http_settings settings = tls_settings();
  struct http_client *client = client_of(&settings);
  for (int i = 0; i < 5; i++) {
    assert_answers(client, http_server_url(server), HTTP_RETRY_IDEMPOTENT, "fine");
    http_server_wait_ended(server, i + 1);
  }
  http_client_free(client);
  assert_int_equal(pipes, 0);
  http_server_stop(server);
  sigaction(SIGPIPE, &old, NULL);
}

static void tls_settings_survive_failing_allocations(void **state) {
  (void)state;
  struct http_settings settings = tls_settings();
  settings.tls_client_cert = client_cert_file;
  settings.tls_client_key = client_key_file;
  int64_t before = mem_test_live_blocks();
  for (uint64_t n = 1;; n++) {
    struct http_client *client;
    dbsql_error *error = NULL;
    mem_test_fail_at(n);
    dbsql_status status = http_client_new(&settings, &client, &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    assert_int_equal(status, struck ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
    http_client_free(client);
    error_clear(&error);
    assert_int_equal(mem_test_live_blocks(), before);
    if (!struck) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_trusted_server_is_reached),
      cmocka_unit_test(what_is_wrong_with_a_certificate_is_said),
      cmocka_unit_test(the_ca_file_adds_to_the_system_store),
      cmocka_unit_test(equal_certificates_are_held_once),
      cmocka_unit_test(a_directory_of_the_environment_counts),
      cmocka_unit_test(bad_files_are_told_at_once),
      cmocka_unit_test(a_client_certificate_is_shown_when_asked),
      cmocka_unit_test(the_least_version_is_kept),
      cmocka_unit_test(the_wrong_protocol_on_a_port_is_told),
      cmocka_unit_test(a_server_that_closes_raises_no_signal),
      cmocka_unit_test(a_reset_idle_connection_raises_no_signal),
      cmocka_unit_test(tls_settings_survive_failing_allocations),
  };
  return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
