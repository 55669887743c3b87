/* Discovery, client credentials, Entra ID and workload identity (auth.md 2.2, 2.3, 2.6 to 2.8, 2.12). */
#include "identity_provider.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/methods.h"
#include "base/host.h"
#include "base/text.h"

static struct identity_provider idp;
#define TOKEN_BODY "{\"access_token\":\"token-%d\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"scope\":\"all-apis\"}"

static int begin(void **state) {
  UNUSED(state);
  identity_provider_start(&idp);
  return 0;
}
static int end(void **state) {
  UNUSED(state);
  clock_test_end();
  identity_provider_stop(&idp);
  return 0;
}

/* ---- Discovery */

static dbsql_status discover(const struct discovery_settings *settings, struct discovery *found, dbsql_error **error) {
  struct call call;
  call_begin_internal(&call, 60000);
  struct token_request request = {idp.context, &call, NULL, DBSQL_TOKEN_INITIAL, false};
  return discovery_find(&request, settings, found, error);
}

/* The token endpoint that is found has this path at the provider's own address. */
static void finds(const struct discovery_settings *settings, const char *path) {
  struct discovery found;
  dbsql_error *error = NULL;
  static const struct discovery_settings none;
  if (discover(settings ? settings : &none, &found, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  assert_string_equal(found.token_endpoint, own_url(&idp, 3, path));
  discovery_free(&found);
}

static void does_not_find(const struct discovery_settings *settings, const char *part) {
  struct discovery found;
  dbsql_error *error = NULL;
  static const struct discovery_settings none;
  assert_int_not_equal(discover(settings ? settings : &none, &found, &error), DBSQL_OK);
  assert_contains(dbsql_error_message(error), part);
  error_clear(&error);
}

static void suffixes(void **state) {
  UNUSED(state);
  static const char *const ours[] = {"dbc-1234.cloud.databricks.com", "example.cloud.databricks.us", "foo.dev.databricks.com",
                                     "adb-1.2.azuredatabricks.net",   "x.databricks.azure.us",       "y.databricks.azure.cn",
                                     "ws.gcp.databricks.com"};
  static const char *const others[] = {"databricks.com", "notdatabricks.com",  "databricks.com.evil.example", "",
                                       "example.com",    "azuredatabricks.net"};
  for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) assert_true(host_is_databricks(ours[i]));
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) assert_false(host_is_databricks(others[i]));
  assert_true(host_is_azure("adb-1.2.azuredatabricks.net"));
  assert_false(host_is_azure("dbc-1234.cloud.databricks.com"));
}

/* The order: what the user names, the host's metadata, the two documents, the fixed paths. */
static void where_endpoints_come_from(void **state) {
  UNUSED(state);
  char body[4][1200];
  finds(NULL, "/oidc/v1/token"); /* nothing there: the fixed ones */

  snprintf(body[0], 1200, "{\"token_endpoint\":\"%s\"}", own_url(&idp, 0, "/by/openid"));
  on_path(&idp, "/oidc/.well-known/openid-configuration", 200, NULL, body[0]);
  finds(NULL, "/by/openid");
  snprintf(body[1], 1200, "{\"token_endpoint\":\"%s\",\"authorization_endpoint\":\"%s\",\"issuer\":\"%s\"}", own_url(&idp, 0, "/by/oauth"),
           own_url(&idp, 1, "/authorize"), own_url(&idp, 2, "/oidc"));
  on_path(&idp, "/oidc/.well-known/oauth-authorization-server", 200, NULL, body[1]);
  finds(NULL, "/by/oauth");

  snprintf(body[2], 1200, "{\"oidc_endpoint\":\"%s\",\"account_id\":\"abc-1\",\"token_federation_default_oidc_audiences\":[\"aud-1\"]}",
           own_url(&idp, 0, "/oidc/accounts/{account_id}"));
  on_path(&idp, "/.well-known/databricks-config", 200, NULL, body[2]);
  finds(NULL, "/oidc/accounts/abc-1/v1/token");
  struct discovery_settings account = {.account_id = "other"};
  finds(&account, "/oidc/accounts/other/v1/token");
  struct discovery found;
  assert_int_equal(discover(&account, &found, NULL), DBSQL_OK);
  assert_string_equal(found.audience, "aud-1");
  discovery_free(&found);

  struct discovery_settings given = {.token_endpoint = own_url(&idp, 1, "/given")};
  int before = http_server_requests(idp.server);
  finds(&given, "/given");
  assert_int_equal(http_server_requests(idp.server), before);
  snprintf(body[3], 1200, "{\"token_endpoint\":\"%s\"}", own_url(&idp, 0, "/by/url"));
  on_path(&idp, "/document", 200, NULL, body[3]);
  struct discovery_settings url = {.discovery_url = own_url(&idp, 2, "/document")};
  finds(&url, "/by/url");
  url.discovery_url = own_url(&idp, 2, "/missing");
  does_not_find(&url, "HTTP 404");
}

/* issuer resolution falls back for: empty account id, missing endpoint, http endpoint, foreign host, suffix spoof, 404, non-JSON (T4, T5)
 */
static void metadata_that_is_not_believed(void **state) {
  UNUSED(state);
  static const char *const bodies[] = {
      "{}",
      "{\"oidc_endpoint\":5}",
      "{\"oidc_endpoint\":\"https://evil.example/oidc\"}",
      "{\"oidc_endpoint\":\"https://databricks.com.evil.example/oidc\"}",
      "{\"oidc_endpoint\":\"http://x.cloud.databricks.com/oidc\"}",
      "{\"oidc_endpoint\":\"https://x.cloud.databricks.com:8443/oidc\"}",
      "{\"oidc_endpoint\":\"https://a:b@x.cloud.databricks.com/oidc\"}",
      "{\"oidc_endpoint\":\"https://databricks.com/oidc\"}",
      "{\"oidc_endpoint\":\"://bad\"}",
      "{\"oidc_endpoint\":\"\"}",
      "{\"oidc_endpoint\":\"https://x.cloud.databricks.com/{account_id}\"}",
      "{\"oidc_endpoint\":\"https://x.cloud.databricks.com/{account_id}\",\"account_id\":\"../x\"}",
      "{\"oidc_endpoint\":\"https://x.cloud.databricks.com/{other}\"}",
      "<html>login</html>",
      "",
  };
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
    on_path(&idp, "/.well-known/databricks-config", 200, NULL, bodies[i]);
    finds(NULL, "/oidc/v1/token");
  }
  on_path(&idp, "/.well-known/databricks-config", 500, "Retry-After: 0\r\n", "");
  finds(NULL, "/oidc/v1/token");
}

/* T4: a document that sends credentials elsewhere is an error, and no other way is guessed */
static void documents_that_are_not_believed(void **state) {
  UNUSED(state);
  static const char *const bodies[] = {
      "{\"token_endpoint\":\"https://evil.example/token\"}",
      "{\"token_endpoint\":\"http://x.cloud.databricks.com/token\"}",
      "{\"token_endpoint\":\"https://databricks.com.evil.example/token\"}",
      "{\"token_endpoint\":\"https://x.cloud.databricks.com:444/token\"}",
      "{\"token_endpoint\":\"file:///etc/passwd\"}",
      "{\"authorization_endpoint\":\"https://evil.example/authorize\"}",
      "{\"issuer\":\"https://evil.example\"}",
  };
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
    on_path(&idp, "/oidc/.well-known/oauth-authorization-server", 200, NULL, bodies[i]);
    does_not_find(NULL, "at another host");
  }
  /* a host of Databricks is believed */
  on_path(&idp, "/oidc/.well-known/oauth-authorization-server", 200, NULL,
          "{\"token_endpoint\":\"https://x.cloud.databricks.com/token\",\"authorization_endpoint\":\"https://y.azuredatabricks.net/a\"}");
  struct discovery found;
  static const struct discovery_settings none;
  assert_int_equal(discover(&none, &found, NULL), DBSQL_OK);
  assert_string_equal(found.token_endpoint, "https://x.cloud.databricks.com/token");
  discovery_free(&found);
  /* T1: a redirect is not followed; T29: nothing endless is read */
  on_path(&idp, "/oidc/.well-known/oauth-authorization-server", 302, "Location: https://evil.example/\r\n", "");
  does_not_find(NULL, "redirect to https://evil.example");
  char *huge = malloc(200000);
  memset(huge, ' ', 199999);
  huge[199999] = 0;
  on_path(&idp, "/oidc/.well-known/oauth-authorization-server", 200, NULL, huge);
  does_not_find(NULL, "larger than the limit of 65536");
  free(huge);
  struct discovery_settings plain = {.token_endpoint = "http://x.example/token"};
  does_not_find(&plain, "without TLS");
}

/* ---- Client credentials */

static struct secret *secret_of(const char *text) {
  return secret_new(text, strlen(text));
}

static dbsql_token_provider *client_of_settings(struct client_credentials settings) {
  dbsql_token_provider *provider = NULL;
  dbsql_error *error = NULL;
  if (provider_client_credentials(&settings, &provider, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return provider;
}

static dbsql_token_provider *m2m(const char *id, const char *secret_text_, const char *scopes) {
  struct secret *secret = secret_of(secret_text_);
  dbsql_token_provider *provider = client_of_settings((struct client_credentials){.client_id = id, .secret = secret, .scopes = scopes});
  secret_free(secret);
  return provider;
}

/* the request on the wire; default scope; discovery once; cached by 100 threads -> one POST */
static void a_secret(void **state) {
  UNUSED(state);
  on_path(&idp, "/oidc/v1/token", 200, NULL, TOKEN_BODY);
  dbsql_token_provider *provider = m2m("robot", "s3cret", NULL);
  assert_true(provider->needs_cache && provider->can_renew);
  assert_gives(provider, idp.context, "Bearer token-1");
  const struct http_exchange *seen = last_request(&idp, "/oidc/v1/token");
  assert_string_equal(seen->method, "POST");
  assert_string_equal(seen->body, "grant_type=client_credentials&scope=all-apis");
  assert_header_is(seen, "Authorization", "Basic cm9ib3Q6czNjcmV0");
  assert_header_is(seen, "Content-Type", "application/x-www-form-urlencoded");
  assert_header_is(seen, "Accept", "application/json");
  int before = http_server_requests(idp.server);
  assert_gives(provider, idp.context, "Bearer token-2");
  assert_int_equal(http_server_requests(idp.server), before + 1);
  provider_drop(provider);
}

/* secret with `:` `+` `%` non-ASCII is encoded (RFC 6749 2.3.1); scopes: list forms, order kept, replaceable */
static void odd_secrets_and_scopes(void **state) {
  UNUSED(state);
  on_path(&idp, "/oidc/v1/token", 200, NULL, TOKEN_BODY);
  dbsql_token_provider *provider = m2m("a:b", "c:+% \xC3\xA4", "sql, all-apis  x");
  assert_gives(provider, idp.context, "Bearer token-1");
  struct buf expected = BUF_INIT;
  static const char plain[] = "a%3Ab:c%3A%2B%25%20%C3%A4";
  buf_append_text(&expected, "Basic ");
  base64_append(&expected, plain, sizeof plain - 1);
  const struct http_exchange *seen = last_request(&idp, "/oidc/v1/token");
  assert_header_is(seen, "Authorization", buf_text(&expected));
  assert_string_equal(seen->body, "grant_type=client_credentials&scope=sql%20all-apis%20x");
  buf_free(&expected);
  provider_drop(provider);
}

/* a server that wants the secret in the form says so */
static void secret_in_the_form(void **state) {
  UNUSED(state);
  on_path(&idp, "/oidc/v1/token", 200, NULL, TOKEN_BODY);
  on_path(&idp, "/oidc/.well-known/oauth-authorization-server", 200, NULL,
          "{\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]}");
  dbsql_token_provider *provider = m2m("robot", "s3cret", NULL);
  assert_gives(provider, idp.context, "Bearer token-1");
  const struct http_exchange *seen = last_request(&idp, "/oidc/v1/token");
  assert_header_is(seen, "Authorization", NULL);
  assert_contains(seen->body, "client_id=robot&client_secret=s3cret");
  provider_drop(provider);
}

/* invalid_client -> not authenticated, no retry; errorCode/errorSummary; 429 and 503 with Retry-After are retried; redirect refused;
 * the secret is in no error even if the server echoes it */
static void refusals(void **state) {
  UNUSED(state);
  dbsql_token_provider *provider = m2m("robot", "CANARY-s3cret", NULL);
  on_path(&idp, "/oidc/v1/token", 401, NULL, "{\"error\":\"invalid_client\",\"error_description\":\"no CANARY-s3cret\\u0007 here\"}");
  struct token *token = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(ask_for_token(provider, idp.context, &token, &error), DBSQL_ERROR_REQUEST);
  assert_string_equal(dbsql_error_sqlstate(error), "28000");
  assert_string_equal(dbsql_error_class(error), "invalid_client");
  assert_int_equal(dbsql_error_http_status(error), 401);
  assert_false(dbsql_error_is_retryable(error));
  assert_contains(dbsql_error_message(error), "oauth-m2m: invalid_client: token request: no *** ");
  assert_lacks(dbsql_error_message(error), "CANARY");
  error_clear(&error);
  assert_int_equal(requests_to(&idp, "/oidc/v1/token"), 1);
  /* T20: as the class, and as it stands in the form */
  on_path(&idp, "/oidc/v1/token", 400, NULL, "{\"error\":\"CANARY-s3cret\",\"error_description\":\"x\"}");
  assert_int_equal(ask_for_token(provider, idp.context, &token, &error), DBSQL_ERROR_REQUEST);
  assert_lacks(dbsql_error_message(error), "CANARY");
  assert_lacks(dbsql_error_class(error), "CANARY");
  error_clear(&error);
  dbsql_token_provider *special = m2m("robot", "s3cret/CANARY+x", NULL);
  on_path(&idp, "/oidc/v1/token", 400, NULL, "{\"error\":\"invalid_client\",\"error_description\":\"you sent s3cret%2FCANARY%2Bx\"}");
  assert_lacks(refusal_of(special, idp.context), "CANARY");
  provider_drop(special);
  on_path(&idp, "/oidc/v1/token", 400, NULL, "{\"errorCode\":\"invalid_scope\",\"errorSummary\":\"no such scope\"}");
  assert_contains(refusal_of(provider, idp.context), "invalid_scope: token request: no such scope");
  on_path(&idp, "/oidc/v1/token", 307, "Location: http://127.0.0.1:1/x\r\n", "");
  assert_contains(refusal_of(provider, idp.context), "redirect to http://127.0.0.1:1");
  on_path(&idp, "/oidc/v1/token", 200, NULL, "{\"access_token\":\"x y\"}");
  assert_contains(refusal_of(provider, idp.context), "cannot have");
  provider_drop(provider);

  int statuses[] = {429, 503};
  for (int i = 0; i < 2; i++) {
    struct http_step steps[] = {{HTTP_STEP_REPLY, statuses[i], "Retry-After: 0\r\n", ""},
                                {HTTP_STEP_REPLY, 200, NULL, "{\"access_token\":\"late\",\"expires_in\":60}"}};
    struct http_script script = {steps, 2};
    struct http_server *server = http_server_start(&(struct http_server_settings){.handler = http_script_handler, .user = &script});
    struct http_settings http = plain_settings();
    http.retry_max = 3;
    http.retry_min_wait_ms = http.retry_max_wait_ms = 1;
    struct auth_context *context;
    assert_int_equal(auth_context_new(http_server_url(server), "127.0.0.1", false, &http, &context, NULL), DBSQL_OK);
    struct secret *secret = secret_of("x");
    provider = client_of_settings(
        (struct client_credentials){.client_id = "robot", .secret = secret, .endpoints = {.token_endpoint = http_server_url(server)}});
    secret_free(secret);
    assert_gives(provider, context, "Bearer late");
    assert_int_equal(http_server_requests(server), 2);
    provider_drop(provider);
    auth_context_drop(context);
    http_server_stop(server);
  }
}

/* ---- Private keys */

static EVP_PKEY *new_rsa(int bits) {
  EVP_PKEY *key = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
  assert_true(context && EVP_PKEY_keygen_init(context) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits) == 1 &&
              EVP_PKEY_keygen(context, &key) == 1);
  EVP_PKEY_CTX_free(context);
  return key;
}

static EVP_PKEY *new_ec(int curve) {
  EVP_PKEY *key = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
  assert_true(context && EVP_PKEY_keygen_init(context) == 1 && EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, curve) == 1 &&
              EVP_PKEY_CTX_set_ec_param_enc(context, OPENSSL_EC_NAMED_CURVE) == 1 && EVP_PKEY_keygen(context, &key) == 1);
  EVP_PKEY_CTX_free(context);
  return key;
}

static void write_key(char path[], EVP_PKEY *key, const char *passphrase) {
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  FILE *file = fdopen(fd, "w");
  assert_int_equal(PEM_write_PrivateKey(file, key, passphrase ? EVP_aes_256_cbc() : NULL, NULL, 0, NULL, (void *)(uintptr_t)passphrase), 1);
  fclose(file);
}

/* The signature of "HEADER.CLAIMS.SIGNATURE" in the form, checked by libcrypto itself. */
static void assert_signed(const char *jwt, EVP_PKEY *key, const char *algorithm) {
  size_t length = strcspn(jwt, "&");
  const char *last = jwt + length;
  while (*last != '.') last--;
  struct buf signature = BUF_INIT;
  assert_true(base64url_decode(slice_of(last + 1, (size_t)(jwt + length - last) - 1), &signature));
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_PKEY_CTX *options;
  const EVP_MD *digest = strstr(algorithm, "512") ? EVP_sha512() : strstr(algorithm, "384") ? EVP_sha384() : EVP_sha256();
  assert_int_equal(EVP_DigestVerifyInit(context, &options, digest, NULL, key), 1);
  unsigned char *der = NULL;
  int size = (int)signature.size;
  if (algorithm[0] == 'P') assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING), 1);
  if (algorithm[0] == 'E') {
    int half = size / 2;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair, BN_bin2bn(signature.data, half, NULL), BN_bin2bn(signature.data + half, half, NULL));
    size = i2d_ECDSA_SIG(pair, &der);
    ECDSA_SIG_free(pair);
  }
  assert_int_equal(EVP_DigestVerify(context, der ? der : signature.data, (size_t)size, (const unsigned char *)jwt, (size_t)(last - jwt)),
                   1);
  OPENSSL_free(der);
  EVP_MD_CTX_free(context);
  buf_free(&signature);
}

/* 2.8: form, claims, a signature of each algorithm that verifies; `exp` is 300 s ahead */
static void a_private_key(void **state) {
  UNUSED(state);
  on_path(&idp, "/oidc/v1/token", 200, NULL, TOKEN_BODY);
  EVP_PKEY *rsa = new_rsa(2048);
  static const char *const algorithms[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"};
  static const int curves[] = {NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1};
  for (size_t i = 0; i < 9; i++) {
    EVP_PKEY *key = i < 6 ? rsa : new_ec(curves[i - 6]);
    char path[] = "/tmp/dbsql-key-XXXXXX";
    const char *passphrase = i % 2 ? "CANARY" : NULL;
    struct secret *secret = passphrase ? secret_of(passphrase) : NULL;
    write_key(path, key, passphrase);
    dbsql_token_provider *provider = client_of_settings((struct client_credentials){
        .client_id = "robot", .key_file = path, .passphrase = secret, .algorithm = algorithms[i], .key_id = "kid-1"});
    secret_free(secret);
    unlink(path);
    assert_string_equal(provider->name, "oauth-jwt");
    token_drop(token_of(provider, idp.context));
    const struct http_exchange *seen = last_request(&idp, "/oidc/v1/token");
    assert_contains(
        seen->body,
        "grant_type=client_credentials&scope=all-apis&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3A"
        "jwt-bearer&client_assertion=eyJ");
    assert_header_is(seen, "Authorization", NULL);
    const char *jwt = strstr(seen->body, "client_assertion=eyJ") + strlen("client_assertion=");
    assert_signed(jwt, key, algorithms[i]);
    const char *claims_at = strchr(jwt, '.') + 1;
    struct buf header = BUF_INIT, claims = BUF_INIT;
    assert_true(base64url_decode(slice_of(jwt, (size_t)(claims_at - jwt) - 1), &header));
    assert_true(base64url_decode(slice_of(claims_at, strcspn(claims_at, ".")), &claims));
    json_t *head = json_read(buf_slice(&header), 4096), *json = json_read(buf_slice(&claims), 4096);
    assert_string_equal(json_text(head, "alg"), algorithms[i]);
    assert_string_equal(json_text(head, "kid"), "kid-1");
    assert_string_equal(json_text(json, "iss"), "robot");
    assert_string_equal(json_text(json, "sub"), "robot");
    assert_string_equal(json_text(json, "aud"), own_url(&idp, 0, "/oidc/v1/token"));
    assert_int_equal(strlen(json_text(json, "jti")), 32);
    double iat = 0, exp = 0, nbf = 0;
    assert_true(json_number(json, "iat", &iat) && json_number(json, "exp", &exp) && json_number(json, "nbf", &nbf));
    assert_true(exp - iat == 300 && iat - nbf == 30);
    json_decref(head);
    json_decref(json);
    buf_free(&header);
    buf_free(&claims);
    provider_drop(provider);
    if (i >= 6) EVP_PKEY_free(key);
  }
  EVP_PKEY_free(rsa);
}

/* unknown algorithm, key that does not fit it, wrong passphrase, no file, no key: errors, and no secret in them */
static void keys_that_do_not_fit(void **state) {
  UNUSED(state);
  EVP_PKEY *key = new_ec(NID_X9_62_prime256v1);
  char path[] = "/tmp/dbsql-key-XXXXXX", other[] = "/tmp/dbsql-key-XXXXXX";
  write_key(path, key, "CANARY");
  EVP_PKEY *small = new_rsa(1024);
  write_key(other, small, NULL);
  EVP_PKEY_free(small);
  EVP_PKEY_free(key);
  const struct {
    const char *file, *passphrase, *algorithm, *part;
  } cases[] = {{path, "CANARY", "HS256", "there is no signature algorithm HS256"},
               {path, "CANARY", NULL, "RS256 needs an RSA key"},
               {path, "CANARY", "ES384", "ES384 needs a key on the curve P-384"},
               {path, "wrong", "ES256", "the passphrase is not its"},
               {path, NULL, "ES256", "needs a passphrase"},
               {"/nonexistent", NULL, "ES256", "cannot be read"},
               {"/dev/null", NULL, "ES256", "is no file with a private key"},
               {other, NULL, "RS256", "at least 2048 bits"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct secret *secret = cases[i].passphrase ? secret_of(cases[i].passphrase) : NULL;
    struct client_credentials settings = {
        .client_id = "robot", .key_file = cases[i].file, .passphrase = secret, .algorithm = cases[i].algorithm};
    dbsql_token_provider *provider = NULL;
    dbsql_error *error = NULL;
    assert_int_equal(provider_client_credentials(&settings, &provider, &error), DBSQL_ERROR_DRIVER);
    assert_contains(dbsql_error_message(error), cases[i].part);
    assert_lacks(dbsql_error_message(error), "CANARY");
    error_clear(&error);
    secret_free(secret);
  }
  unlink(path);
  unlink(other);
}

/* ---- Entra ID */

/* 2.6: the form; the token is unusable 40 s early; with a resource id a second token and two headers */
static void service_principals(void **state) {
  UNUSED(state);
  clock_test_begin(clock_now_ns(), INT64_C(1700000000000000));
  on_path(&idp, "/tenant/token", 200, NULL, "{\"access_token\":\"entra-%d\",\"expires_in\":\"3600\",\"token_type\":\"Bearer\"}");
  struct secret *secret = secret_of("s3cret");
  struct azure_settings settings = {.client_id = "app", .client_secret = secret, .token_endpoint = own_url(&idp, 0, "/tenant/token")};
  dbsql_token_provider *provider;
  assert_int_equal(provider_azure(&settings, &provider, NULL), DBSQL_OK);
  struct token *token = token_of(provider, idp.context);
  assert_header(token, "Bearer entra-1");
  assert_null(token->more);
  assert_int_equal(token->unusable_unix_us, clock_unix_us() + INT64_C(3560000000));
  token_drop(token);
  assert_contains(last_request(&idp, "/tenant/token")->body,
                  "grant_type=client_credentials&client_id=app&client_secret=s3cret&scope=2ff814a6-3304-4ab8-85cb-cd0e6f879c1d%2F.default");
  provider_drop(provider);

  settings.resource_id = "/subscriptions/s/workspaces/w";
  assert_int_equal(provider_azure(&settings, &provider, NULL), DBSQL_OK);
  token = token_of(provider, idp.context);
  assert_header(token, "Bearer entra-2");
  static const char more[] =
      "X-Databricks-Azure-SP-Management-Token\0entra-3\0X-Databricks-Azure-Workspace-Resource-Id\0/subscriptions/s/workspaces/w";
  assert_int_equal(secret_length(token->more), sizeof more);
  assert_memory_equal(secret_text(token->more), more, sizeof more);
  token_drop(token);
  assert_contains(last_request(&idp, "/tenant/token")->body, "scope=https%3A%2F%2Fmanagement.core.windows.net%2F%2F.default");
  on_path(&idp, "/tenant/token", 401, NULL, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: s3cret. Trace ID: x\"}");
  const char *message = refusal_of(provider, idp.context);
  assert_contains(message, "azure-client-secret: invalid_client: Entra ID token request: AADSTS7000215");
  assert_lacks(message, "s3cret");
  provider_drop(provider);

  settings.token_endpoint = NULL;
  static const char *const tenants[] = {"a/b", "..", "a?b", "a b"}; /* T5 */
  for (size_t i = 0; i < sizeof tenants / sizeof tenants[0]; i++) {
    settings.tenant_id = tenants[i];
    assert_int_equal(provider_azure(&settings, &provider, NULL), DBSQL_ERROR_DRIVER);
  }
  secret_free(secret);
}

/* T6: only a login host of the workspace's own cloud tells a tenant */
static void tenants(void **state) {
  UNUSED(state);
  static const struct {
    const char *location, *host, *tenant;
  } cases[] = {
      {"https://login.microsoftonline.com/6b5a2d1c-aaaa/oauth2/authorize?x=y", "adb-1.2.azuredatabricks.net", "6b5a2d1c-aaaa"},
      {"https://login.microsoftonline.com/contoso.onmicrosoft.com", "adb-1.2.azuredatabricks.net", "contoso.onmicrosoft.com"},
      {"https://login.microsoftonline.us/t-1/x", "x.databricks.azure.us", "t-1"},
      {"https://login.microsoftonline.us/t-1/x", "adb-1.2.azuredatabricks.net", NULL},
      {"https://login.microsoftonline.com.evil.example/t/x", "adb-1.2.azuredatabricks.net", NULL},
      {"https://evil.example/t/x", "adb-1.2.azuredatabricks.net", NULL},
      {"http://login.microsoftonline.com/t/x", "adb-1.2.azuredatabricks.net", NULL},
      {"https://login.microsoftonline.com:444/t/x", "adb-1.2.azuredatabricks.net", NULL},
      {"https://a@login.microsoftonline.com/t/x", "adb-1.2.azuredatabricks.net", NULL},
      {"https://login.microsoftonline.com/../x", "adb-1.2.azuredatabricks.net", NULL},
      {"https://login.microsoftonline.com/%2e/x", "adb-1.2.azuredatabricks.net", NULL},
      {"https://login.microsoftonline.com/", "adb-1.2.azuredatabricks.net", NULL},
      {"/t/x", "adb-1.2.azuredatabricks.net", NULL},
      {"", "adb-1.2.azuredatabricks.net", NULL},
  };
  char tenant[256];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bool found = azure_tenant_of(cases[i].location, cases[i].host, tenant, sizeof tenant);
    if (found != (cases[i].tenant != NULL)) fail_msg("%s", cases[i].location);
    if (found) assert_string_equal(tenant, cases[i].tenant);
  }
  struct secret *secret = secret_of("s3cret");
  struct azure_settings settings = {.client_id = "app", .client_secret = secret};
  dbsql_token_provider *provider;
  assert_int_equal(provider_azure(&settings, &provider, NULL), DBSQL_OK);
  on_path(&idp, "/aad/auth", 302, "Location: https://evil.example/tenant/x\r\n", "");
  assert_contains(refusal_of(provider, idp.context), "set azure_tenant_id");
  on_path(&idp, "/aad/auth", 200, NULL, "{}");
  assert_contains(refusal_of(provider, idp.context), "set azure_tenant_id");
  on_path(&idp, "/aad/auth", 404, NULL, "{}");
  assert_contains(refusal_of(provider, idp.context), "azure_tenant_id is not set, and the workspace cannot be asked for it");
  assert_int_equal(http_server_requests(idp.server), 3);
  provider_drop(provider);
  secret_free(secret);
}

/* 2.7: header, parameters, texts as numbers; T26: never through a proxy */
static void managed_identities(void **state) {
  UNUSED(state);
  clock_test_begin(clock_now_ns(), INT64_C(1700000000000000));
  on_path(&idp, "/identity", 200, NULL, "{\"access_token\":\"machine-%d\",\"expires_on\":\"1700003600\",\"token_type\":\"Bearer\"}");
  struct http_settings http = plain_settings();
  http.proxy_url = "http://127.0.0.1:1"; /* nobody there */
  struct auth_context *context;
  assert_int_equal(auth_context_new("https://adb-1.2.azuredatabricks.net", "adb-1.2.azuredatabricks.net", false, &http, &context, NULL),
                   DBSQL_OK);
  struct azure_settings settings = {.client_id = "user-assigned", .identity_url = own_url(&idp, 0, "/identity")};
  dbsql_token_provider *provider;
  assert_int_equal(provider_azure(&settings, &provider, NULL), DBSQL_OK);
  assert_string_equal(provider->name, "azure-msi");
  struct token *token = token_of(provider, context);
  assert_header(token, "Bearer machine-1");
  assert_int_equal(token->expires_unix_ms, INT64_C(1700003600000));
  token_drop(token);
  const struct http_exchange *seen = last_request(&idp, "/identity");
  assert_header_is(seen, "Metadata", "true");
  assert_string_equal(seen->target,
                      "/identity?api-version=2018-02-01&resource=2ff814a6-3304-4ab8-85cb-cd0e6f879c1d&client_id=user-assigned");
  provider_drop(provider);
  auth_context_drop(context);
}

/* ---- Workload identity */

static dbsql_token_provider *workload_of(struct workload_settings settings) {
  dbsql_token_provider *provider = NULL;
  assert_int_equal(provider_workload(&settings, &provider, NULL), DBSQL_OK);
  return provider;
}

static struct auth_context *context_with_environment(void) {
  struct http_settings http = plain_settings();
  http.ignore_environment = false;
  http.use_proxy = false;
  struct auth_context *context;
  assert_int_equal(auth_context_new(http_server_url(idp.server), "127.0.0.1", false, &http, &context, NULL), DBSQL_OK);
  return context;
}

#define JWT_ONE "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvbmUifQ.x"
#define JWT_TWO "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0d28ifQ.x"

/* 2.12: file read anew for each exchange, trailing newline cut; the form of the SDKs: all-apis, client id, no original in return */
static void tokens_in_files(void **state) {
  UNUSED(state);
  on_path(&idp, "/oidc/v1/token", 200, NULL, TOKEN_BODY);
  char path[] = "/tmp/dbsql-oidc-XXXXXX";
  int fd = mkstemp(path);
  assert_int_equal(write(fd, JWT_ONE "\n", sizeof JWT_ONE), sizeof JWT_ONE);
  dbsql_token_provider *provider = workload_of((struct workload_settings){.source = WORKLOAD_FILE, .file = path, .client_id = "sp"});
  assert_gives(provider, idp.context, "Bearer token-1");
  assert_string_equal(last_request(&idp, "/oidc/v1/token")->body,
                      "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=" JWT_ONE
                      "&subject_token_type="
                      "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&scope=all-apis&client_id=sp");
  assert_int_equal(pwrite(fd, JWT_TWO "\n", sizeof JWT_TWO, 0), sizeof JWT_TWO);
  assert_gives(provider, idp.context, "Bearer token-2");
  assert_contains(last_request(&idp, "/oidc/v1/token")->body, "subject_token=" JWT_TWO "&");
  assert_int_equal(ftruncate(fd, 0), 0);
  assert_contains(refusal_of(provider, idp.context), "file-oidc: the identity token is empty");
  /* T3: no other secret of this machine */
  assert_int_equal(pwrite(fd, "-----BEGIN PRIVATE KEY-----\n", 28, 0), 28);
  int before = requests_to(&idp, "/oidc/v1/token");
  assert_contains(refusal_of(provider, idp.context), "file-oidc: the identity token is no JWT");
  assert_int_equal(requests_to(&idp, "/oidc/v1/token"), before);
  assert_int_equal(ftruncate(fd, 0), 0);
  /* no fallback */
  assert_int_equal(pwrite(fd, JWT_TWO "\n", sizeof JWT_TWO, 0), sizeof JWT_TWO);
  on_path(&idp, "/oidc/v1/token", 400, NULL, "{\"error\":\"invalid_request\",\"error_description\":\"" JWT_TWO "\"}");
  const char *message = refusal_of(provider, idp.context);
  assert_contains(message, "file-oidc: invalid_request: token exchange: ***");
  unlink(path);
  close(fd);
  assert_contains(refusal_of(provider, idp.context), "cannot be read");
  provider_drop(provider);
  provider = workload_of((struct workload_settings){.source = WORKLOAD_FILE, .file = "/tmp"});
  assert_contains(refusal_of(provider, idp.context), "is no file");
  provider_drop(provider);
}

static void tokens_in_variables(void **state) {
  UNUSED(state);
  on_path(&idp, "/oidc/v1/token", 200, NULL, TOKEN_BODY);
  struct auth_context *context = context_with_environment();
  dbsql_token_provider *provider = workload_of((struct workload_settings){.source = WORKLOAD_ENVIRONMENT, .variable = "DBSQL_TEST_OIDC"});
  assert_contains(refusal_of(provider, context), "the variable DBSQL_TEST_OIDC with the identity token is not set");
  setenv("DBSQL_TEST_OIDC", JWT_ONE, 1);
  assert_gives(provider, context, "Bearer token-1");
  assert_contains(last_request(&idp, "/oidc/v1/token")->body, "subject_token=" JWT_ONE "&");
  assert_contains(refusal_of(provider, idp.context), "ignore_environment");
  provider_drop(provider);
  unsetenv("DBSQL_TEST_OIDC");
  auth_context_drop(context);
}

/* GitHub: bearer, audience escaped, from the option, the host's metadata, or the token endpoint; T27: no key over plain http */
static void tokens_of_github(void **state) {
  UNUSED(state);
  on_path(&idp, "/oidc/v1/token", 200, NULL, TOKEN_BODY);
  on_path(&idp, "/actions", 200, NULL, "{\"value\":\"" JWT_TWO "\"}");
  struct auth_context *context = context_with_environment();
  dbsql_token_provider *provider = workload_of((struct workload_settings){.source = WORKLOAD_GITHUB});
  assert_contains(refusal_of(provider, context), "id-token: write");
  setenv("ACTIONS_ID_TOKEN_REQUEST_URL", own_url(&idp, 0, "/actions?api=1"), 1);
  setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "CANARY-key", 1);
  assert_gives(provider, context, "Bearer token-1");
  const struct http_exchange *seen = last_request(&idp, "/actions");
  assert_header_is(seen, "Authorization", "Bearer CANARY-key");
  assert_contains(seen->target, "/actions?api=1&audience=http%3A%2F%2F127.0.0.1%3A");
  assert_contains(last_request(&idp, "/oidc/v1/token")->body, "subject_token=" JWT_TWO "&");
  on_path(&idp, "/actions", 403, "Content-Type: text/plain\r\n", "bad CANARY-key");
  assert_lacks(refusal_of(provider, context), "CANARY");
  on_path(&idp, "/actions", 200, NULL, "{}");
  assert_contains(refusal_of(provider, context), "has no token");
  setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "http://github.example/x", 1);
  assert_contains(refusal_of(provider, context), "without TLS");
  provider_drop(provider);
  provider = workload_of((struct workload_settings){.source = WORKLOAD_GITHUB, .audience = "a b"});
  setenv("ACTIONS_ID_TOKEN_REQUEST_URL", own_url(&idp, 0, "/actions"), 1);
  on_path(&idp, "/actions", 200, NULL, "{\"value\":\"" JWT_TWO "\"}");
  token_drop(token_of(provider, context));
  assert_string_equal(last_request(&idp, "/actions")->target, "/actions?audience=a%20b");
  provider_drop(provider);
  unsetenv("ACTIONS_ID_TOKEN_REQUEST_URL");
  unsetenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
  auth_context_drop(context);
}

/* 100 threads on one cached provider make one POST, counted by the server */
static void *ask_once(void *user) {
  token_drop(token_of(user, idp.context));
  return NULL;
}
static void one_post_for_many_threads(void **state) {
  UNUSED(state);
  on_path(&idp, "/oidc/v1/token", 200, NULL, TOKEN_BODY);
  dbsql_token_provider *provider = cached_of(m2m("robot", "s3cret", NULL), 0);
  pthread_t threads[100];
  for (int i = 0; i < 100; i++) assert_int_equal(pthread_create(&threads[i], NULL, ask_once, provider), 0);
  for (int i = 0; i < 100; i++) pthread_join(threads[i], NULL);
  assert_int_equal(requests_to(&idp, "/oidc/v1/token"), 1);
  provider_drop(provider);
}

/* every allocation of discovery and request fails once */
static void without_memory(void **state) {
  UNUSED(state);
  on_path(&idp, "/oidc/v1/token", 200, NULL, TOKEN_BODY);
  on_path(&idp, "/.well-known/databricks-config", 200, NULL, "{\"token_federation_default_oidc_audiences\":[\"a\"]}");
  struct secret *secret = secret_of("s3cret");
  for (uint64_t n = 1;; n++) {
    int64_t before = mem_test_live_blocks();
    mem_test_fail_at(n);
    struct client_credentials settings = {.client_id = "robot", .secret = secret};
    dbsql_token_provider *provider = NULL;
    struct token *token = NULL;
    dbsql_error *error = NULL;
    dbsql_status status = provider_client_credentials(&settings, &provider, &error);
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
  secret_free(secret);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(suffixes),
      TEST(where_endpoints_come_from),
      TEST(metadata_that_is_not_believed),
      TEST(documents_that_are_not_believed),
      TEST(a_secret),
      TEST(odd_secrets_and_scopes),
      TEST(secret_in_the_form),
      TEST(refusals),
      TEST(a_private_key),
      TEST(keys_that_do_not_fit),
      TEST(service_principals),
      TEST(managed_identities),
      TEST(tenants),
      TEST(tokens_in_files),
      TEST(tokens_in_variables),
      TEST(tokens_of_github),
      TEST(one_post_for_many_threads),
      TEST(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
