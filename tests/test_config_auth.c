/* Ways to sign in: what the options say together, other drivers' words for it, profiles (auth.md 1.10, 2.14, 4.9). */
#include "config_support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *type_after(dbsql_config *config) {
  dbsql_error *error = NULL;
  if (config_resolve(config, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return config_text(config, OPTION_auth_type);
}

static void resolves(const char *settings, const char *type) {
  char text[1024];
  snprintf(text, sizeof text, "host=h.com;http_path=/x;%s", settings);
  dbsql_config *config = parse_ok(text);
  assert_string_equal(type_after(config), type);
  dbsql_config_free(config);
}

static void refuses(const char *settings, const char *part) {
  char text[1024];
  snprintf(text, sizeof text, "host=h.com;http_path=/x;%s", settings);
  dbsql_config *config = parse_ok(text);
  dbsql_error *error = NULL;
  if (config_resolve(config, &error) == DBSQL_OK) fail_msg("%s should not resolve", settings);
  assert_contains(message_of(&error), part);
  dbsql_config_free(config);
}

static void what_is_inferred(void **state) {
  (void)state;
  resolves("", "none");
  resolves("access_token=x", "pat");
  resolves("client_id=a;client_secret=b", "oauth-m2m");
  resolves("client_id=a;jwt_key_file=/k", "oauth-jwt");
  resolves("refresh_token=r", "refresh-token");
  resolves("refresh_token=r;client_id=a;client_secret=b", "refresh-token");
  resolves("azure_tenant_id=t;azure_client_id=a;azure_client_secret=b", "azure-client-secret");
  resolves("auth_type=oauth-u2m", "oauth-u2m");
  resolves("auth_type=azure-msi", "azure-msi");
  resolves("auth_type=env-oidc", "env-oidc");
  resolves("auth_type=file-oidc;oidc_token_file=/t", "file-oidc");
  resolves("auth_type=github-oidc", "github-oidc");
  /* conflict detection: with auth_type the others are ignored */
  refuses("access_token=x;client_id=a;client_secret=b", "more than one way to sign in is configured: access_token and client_secret");
  refuses("access_token=x;refresh_token=r", "more than one way");
  refuses("client_secret=x;client_id=a;jwt_key_file=k", "more than one way");
  resolves("access_token=x;client_id=a;client_secret=b;auth_type=oauth-m2m", "oauth-m2m");
  resolves("access_token=x;client_id=a;client_secret=b;auth_type=pat", "pat");
}

static void what_is_missing(void **state) {
  (void)state;
  refuses("auth_type=pat", "empty token");
  refuses("auth_type=external", "needs a token provider");
  refuses("auth_type=oauth-m2m;client_id=a", "clientId and clientSecret params required");
  refuses("client_secret=b", "clientId and clientSecret params required");
  refuses("auth_type=oauth-jwt;client_id=a", "jwt_key_file");
  refuses("auth_type=refresh-token", "needs a refresh_token");
  refuses("auth_type=azure-client-secret;azure_tenant_id=a", "azure_client_id and azure_client_secret");
  refuses("auth_type=file-oidc", "oidc_token_file");
  refuses("auth_type=none;client_id=a;client_secret=b", "auth_type=none and an client_secret contradict");
  refuses("federation=1", "federation is of no use without a token");
  refuses("access_token=x;federation_client_id=a", "of no use without federation=1");
  refuses("access_token=x;federation_fallback=0", "of no use without federation=1");
  resolves("access_token=x;federation=1;federation_client_id=a;federation_fallback=0", "pat");
  /* in whatever order */
  dbsql_config *config = parse_ok("federation_client_id=a;federation=1;access_token=x;http_path=/x;host=h.com");
  assert_string_equal(type_after(config), "pat");
  assert_true(config_bool(config, OPTION_federation));
  dbsql_config_free(config);
  /* empty ones are as if they were not set, and that is told where it leaves nothing to federate */
  refuses("access_token=;federation=1", "federation is of no use without a token");
  refuses("access_token=;auth_type=pat", "empty token");
  refuses("access_token=x;federation=;federation_client_id=a", "of no use without federation=1");
  resolves("access_token=x;federation=1;federation_client_id=;federation_fallback=", "pat");
}

/* 4.9: other drivers' words */
static void other_names(void **state) {
  (void)state;
  resolves("AuthMech=11;Auth_Flow=1;Auth_Client_ID=a;Auth_Client_Secret=b;Auth_Scope=all-apis", "oauth-m2m");
  resolves("AuthMech=11;Auth_Flow=2;OAuth2RedirectUrlPort=8020", "oauth-u2m");
  resolves("AuthMech=11;Auth_Flow=3", "azure-msi");
  resolves("AuthMech=11;Auth_Flow=0;Auth_AccessToken=x", "pat");
  resolves("AuthMech=11;Auth_Flow=1;UseJWTAssertion=1;OAuth2ClientId=a;Auth_JWT_Key_File=/k;Auth_KID=1;Auth_JWT_Alg=ES256", "oauth-m2m");
  resolves("databricks.oauth.client_id=a;databricks.oauth.client_secret=b", "oauth-m2m");
  resolves("databricks.auth.type=oauth_m2m;databricks.auth.client_id=a;databricks.auth.client_secret=b;databricks.auth.scopes=x",
           "oauth-m2m");
  resolves("adbc.databricks.oauth.grant_type=client_credentials;adbc.databricks.oauth.client_id=a;adbc.databricks.oauth.client_secret=b",
           "oauth-m2m");
  resolves("auth_type=databricks-oauth;oauth_redirect_port=8030", "oauth-u2m");
  resolves("authType=external-browser", "oauth-u2m");
  resolves("auth_type=azure-sp-m2m;azure_tenant_id=t;azure_client_id=a;azure_client_secret=b", "azure-client-secret");
  dbsql_config *config = parse_ok("h.com:443/x?authType=OauthM2M&clientId=a&clientSecret=b&catalog=c");
  assert_string_equal(type_after(config), "oauth-m2m");
  assert_int_equal(config->parameter_count, 0); /* T21: nothing of it becomes a session parameter */
  dbsql_config_free(config);
}

static void shapes(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  static const char *const bad[][2] = {
      {"oauth_redirect_port", "x"},
      {"oauth_redirect_port", "8030,"},
      {"oauth_redirect_port", "9-8"},
      {"oauth_redirect_port", "0-5"},
      {"oauth_redirect_port", "70000"},
      {"oauth_redirect_port", "-1"},
      {"oauth_redirect_port", ","},
      {"client_id", "a b"},
      {"client_id", "\xC3\xA4"},
      {"token_endpoint", "ftp://x"},
      {"token_endpoint", "https://a b"},
      {"discovery_url", "h.com"},
      {"account_id", "../x"},
      {"azure_tenant_id", "a/b"},
      {"azure_workspace_resource_id", "x"},
      {"oidc_token_env", "A B"},
      {"jwt_algorithm", "HS256"},
      {"federation_client_id", "a b"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) set_fails(config, bad[i][0], bad[i][1], bad[i][0]);
  static const char *const good[][2] = {{"oauth_redirect_port", "8030"},
                                        {"oauth_redirect_port", "0"},
                                        {"oauth_redirect_port", "8020-8040"},
                                        {"oauth_redirect_port", "8020,8025,9000-9001"},
                                        {"token_endpoint", "HTTPS://h.com/x"},
                                        {"token_endpoint", "http://127.0.0.1:1/x"},
                                        {"azure_workspace_resource_id", "/subscriptions/a-1/resourceGroups/b/x"},
                                        {"jwt_algorithm", "es256"}};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) set_ok(config, good[i][0], good[i][1]);
  static const char *const secrets[] = {"client_secret", "refresh_token", "jwt_key_passphrase", "azure_client_secret"};
  for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
    char *value;
    dbsql_error *error = NULL;
    set_ok(config, secrets[i], "CANARY");
    assert_int_equal(dbsql_config_get(config, secrets[i], &value, &error), DBSQL_ERROR_DRIVER); /* T19 */
    assert_lacks(message_of(&error), "CANARY");
  }
  dbsql_config_free(config);
}

/* T3: what only looks like a host of Databricks gets nothing, where that is asked for */
static void hosts_of_databricks(void **state) {
  (void)state;
  static const char *const good[] = {"dbc-1.cloud.databricks.com", "ADB-1.azuredatabricks.net", "x.gcp.databricks.com",
                                     "a.cloud.databricks.us",      "a.databricks.azure.us",     "a.databricks.azure.cn"};
  static const char *const bad[] = {
      "databricks.com", "notdatabricks.com", "x.databricks.com.evil.example", "evil.example", "127.0.0.1", "localhost", "x.databricks.co",
      "[::1]"};
  char text[256];
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    snprintf(text, sizeof text, "host=%s;http_path=/x;access_token=t;require_databricks_host=1", good[i]);
    dbsql_config *config = parse_ok(text);
    assert_string_equal(type_after(config), "pat");
    dbsql_config_free(config);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    for (int required = 0; required < 2; required++) {
      snprintf(text, sizeof text, "host=%s;http_path=/x;access_token=CANARY%s", bad[i], required ? ";require_databricks_host=1" : "");
      dbsql_config *config = parse_ok(text);
      dbsql_error *error = NULL;
      dbsql_status status = config_resolve(config, &error);
      assert_int_equal(status, required ? DBSQL_ERROR_DRIVER : DBSQL_OK);
      if (required) assert_contains(message_of(&error), "is no host of Databricks");
      dbsql_config_free(config);
    }
  }
}

/* ---- The environment */

struct variable {
  const char *name, *value;
};
static const char *from_list(void *user, const char *name) {
  for (const struct variable *variable = user; variable->name; variable++) {
    if (strcmp(variable->name, name) == 0) return variable->value;
  }
  return NULL;
}
static struct variable machine[] = {{"DATABRICKS_HOST", "env.com"},
                                    {"DATABRICKS_CLIENT_ID", "id"},
                                    {"DATABRICKS_CLIENT_SECRET", "CANARY"},
                                    {"DATABRICKS_HTTP_PATH", "/env"},
                                    {NULL, NULL}};

/* T3, T23: credentials of the environment are for its own host, and never stand beside explicit ones */
static void credentials_of_the_environment(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  assert_int_equal(config_load_from(config, from_list, machine, NULL), DBSQL_OK);
  assert_string_equal(type_after(config), "oauth-m2m");
  dbsql_config_free(config);

  config = parse_ok("host=other.com;http_path=/x");
  assert_int_equal(config_load_from(config, from_list, machine, NULL), DBSQL_OK);
  dbsql_error *error = NULL;
  assert_int_equal(config_resolve(config, &error), DBSQL_ERROR_DRIVER);
  const char *message = message_of(&error);
  assert_contains(message, "the client_secret of the environment is for its own host (env.com) and is not sent to other.com");
  assert_lacks(message, "CANARY");
  dbsql_config_free(config);

  /* its own host, but tokens are asked for where somebody else says */
  config = parse_ok("host=env.com;http_path=/x;token_endpoint=https://evil.com/t");
  assert_int_equal(config_load_from(config, from_list, machine, NULL), DBSQL_OK);
  assert_int_equal(config_resolve(config, &error), DBSQL_ERROR_DRIVER);
  assert_contains(message_of(&error), "the client_secret of the environment is not sent to a token_endpoint that was set elsewhere");
  dbsql_config_free(config);
  config = parse_ok("host=env.com;http_path=/x;discovery_url=https://evil.com/d");
  assert_int_equal(config_load_from(config, from_list, machine, NULL), DBSQL_OK);
  assert_int_equal(config_resolve(config, &error), DBSQL_ERROR_DRIVER);
  assert_contains(message_of(&error), "is not sent to a discovery_url");
  dbsql_config_free(config);

  /* the identity token of the environment is for its host, too */
  static struct variable job[] = {{"DATABRICKS_HOST", "https://env.com"}, {NULL, NULL}};
  static const char *const ways[] = {"env-oidc", "github-oidc"};
  for (size_t i = 0; i < 2; i++) {
    char text[128];
    snprintf(text, sizeof text, "host=other.com;http_path=/x;auth_type=%s", ways[i]);
    config = parse_ok(text);
    assert_int_equal(config_load_from(config, from_list, job, NULL), DBSQL_OK);
    assert_int_equal(config_resolve(config, &error), DBSQL_ERROR_DRIVER);
    assert_contains(message_of(&error), "the identity token of the environment is for its own host (env.com)");
    dbsql_config_free(config);
    snprintf(text, sizeof text, "host=env.com;http_path=/x;auth_type=%s", ways[i]);
    config = parse_ok(text);
    assert_int_equal(config_load_from(config, from_list, job, NULL), DBSQL_OK);
    assert_string_equal(type_after(config), ways[i]);
    dbsql_config_free(config);
  }

  config = parse_ok("host=env.com;port=1;http_path=/x;auth_type=env-oidc");
  assert_int_equal(config_load_from(config, from_list, job, NULL), DBSQL_OK);
  assert_int_equal(config_resolve(config, &error), DBSQL_ERROR_DRIVER);
  assert_contains(message_of(&error), "(https://env.com:443) and is not sent to https://env.com:1");
  dbsql_config_free(config);

  config = parse_ok("host=env.com;http_path=/x;access_token=mine");
  assert_int_equal(config_load_from(config, from_list, machine, NULL), DBSQL_OK);
  assert_string_equal(type_after(config), "pat");
  assert_false(config_is_set(config, OPTION_client_secret));
  dbsql_config_free(config);
}

/* ---- Profiles */

static const char file[] =
    "; a comment\n"
    "host = https://default.com/\n"
    "token = \"default#token\" # a comment\n"
    "\n"
    "[dev]\r\n"
    "host: https://dev.com\r\n"
    "client_id = id\n"
    "client_secret = se#cret;x\n"
    "warehouse_id=abc\n"
    "nonsense = 5\n"
    "catalog = not_a_key_of_profiles\n"
    "empty =\n"
    "[percent]\n"
    "host = p.com\n"
    "token = a%(b)s%\n"
    "[hostless]\n"
    "token = CANARY\n"
    "[cli]\n"
    "host = c.com\n"
    "auth_type = databricks-cli\n"
    "[nothing]\n"
    "[__settings__]\n"
    "default_profile = dev\n";

static dbsql_config *with_profile(const char *settings, const char *profile) {
  dbsql_config *config = *settings ? parse_ok(settings) : new_config();
  dbsql_error *error = NULL;
  if (config_parse_profile(config, slice_text(file), "FILE", profile, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return config;
}

static void profiles(void **state) {
  (void)state;
  dbsql_config *config = with_profile("", "dev");
  assert_string_equal(config_text(config, OPTION_host), "dev.com");
  assert_string_equal(secret_text(config_secret(config, OPTION_client_secret)), "se#cret;x");
  assert_false(config_is_set(config, OPTION_catalog));
  assert_string_equal(type_after(config), "oauth-m2m");
  assert_string_equal(config_text(config, OPTION_http_path), "/sql/1.0/warehouses/abc");
  dbsql_config_free(config);

  config = with_profile("", NULL); /* default_profile of [__settings__] */
  assert_string_equal(config_text(config, OPTION_host), "dev.com");
  dbsql_config_free(config);

  config = with_profile("http_path=/x", "DEFAULT"); /* values outside a section belong to it */
  assert_string_equal(secret_text(config_secret(config, OPTION_access_token)), "default#token");
  assert_string_equal(type_after(config), "pat");
  dbsql_config_free(config);

  config = with_profile("", "percent"); /* no interpolation */
  assert_string_equal(secret_text(config_secret(config, OPTION_access_token)), "a%(b)s%");
  dbsql_config_free(config);

  /* what is set already wins, and DEFAULT is not inherited */
  config = with_profile("http_path=/mine;catalog=c", "dev");
  assert_string_equal(config_text(config, OPTION_http_path), "/mine");
  assert_false(config_is_set(config, OPTION_warehouse_id));
  assert_false(config_is_set(config, OPTION_access_token));
  dbsql_config_free(config);

  config = with_profile("access_token=mine;http_path=/x", "dev");
  assert_string_equal(type_after(config), "pat");
  assert_false(config_is_set(config, OPTION_client_secret));
  dbsql_config_free(config);
}

static void profile_fails(const char *settings, const char *profile, const char *part) {
  dbsql_config *config = *settings ? parse_ok(settings) : new_config();
  dbsql_error *error = NULL;
  dbsql_status status = config_parse_profile(config, slice_text(file), "FILE", profile, &error);
  if (status == DBSQL_OK) status = config_resolve(config, &error);
  assert_int_equal(status, DBSQL_ERROR_DRIVER);
  const char *message = message_of(&error);
  assert_contains(message, part);
  assert_lacks(message, "CANARY");
  assert_lacks(message, "se#cret");
  dbsql_config_free(config);
}

static void profiles_that_do_not_fit(void **state) {
  (void)state;
  profile_fails("", "missing", "FILE has no missing profile configured");
  profile_fails("", "nothing", "FILE has no nothing profile configured");
  profile_fails("", "__settings__", "__settings__ is no profile");
  profile_fails("", "cli", "auth_type: this way to sign in is not supported");
  /* T3 */
  profile_fails("host=other.com;http_path=/x", "dev",
                "the client_secret of the profile is for its own host (dev.com) and is not sent to other.com");
  profile_fails("host=dev.com;port=8443;http_path=/x", "dev", "(https://dev.com:443) and is not sent to https://dev.com:8443");
  profile_fails("host=dev.com;tls=0;allow_insecure_http=1;http_path=/x", "dev", "is not sent to http://dev.com:443");
  profile_fails("host=other.com;http_path=/x", "hostless", "has a access token but no host");
  dbsql_config *config = new_config();
  dbsql_error *error = NULL;
  assert_int_equal(config_parse_profile(config, slice_text("[a]\nhost = x\x01y\n"), "FILE", "a", &error), DBSQL_ERROR_DRIVER);
  assert_contains(message_of(&error), "line 2: the value of host has a control character");
  assert_int_equal(config_parse_profile(config, slice_text("token=x"), "FILE", NULL, NULL), DBSQL_OK);
  dbsql_config_free(config);
}

/* T23: a file that everybody can write is not used; a missing one is an error only if it was named */
static void profile_files(void **state) {
  (void)state;
  char path[] = "/tmp/dbsql-profile-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, file, sizeof file - 1), (ssize_t)(sizeof file - 1));
  close(fd);
  dbsql_config *config = new_config();
  set_ok(config, "profile", "dev");
  set_ok(config, "config_file", path);
  assert_string_equal(type_after(config), "oauth-m2m");
  dbsql_config_free(config);

  chmod(path, 0666);
  config = new_config();
  dbsql_error *error = NULL;
  set_ok(config, "profile", "dev");
  set_ok(config, "config_file", path);
  assert_int_equal(config_resolve(config, &error), DBSQL_ERROR_DRIVER);
  assert_contains(message_of(&error), "can be written by everybody");
  unlink(path);
  assert_int_equal(config_resolve(config, &error), DBSQL_ERROR_DRIVER);
  assert_contains(message_of(&error), "cannot be opened");
  dbsql_config_free(config);

  /* auth_type=default without anything */
  config = parse_ok("host=h.com;http_path=/x;auth_type=default;ignore_environment=1");
  assert_int_equal(config_resolve(config, &error), DBSQL_ERROR_DRIVER);
  assert_contains(message_of(&error), "auth_type=default finds no credentials");
  dbsql_config_free(config);
  config = parse_ok("host=h.com;http_path=/x;auth_type=default;ignore_environment=1;client_id=a;client_secret=b");
  assert_string_equal(type_after(config), "oauth-m2m");
  dbsql_config_free(config);
  config = parse_ok("host=h.com;http_path=/x;auth_type=default;ignore_environment=1;oidc_token_file=/t");
  assert_string_equal(type_after(config), "file-oidc");
  dbsql_config_free(config);
}

/* every allocation fails once */
static void without_memory(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    int64_t before = mem_test_live_blocks();
    mem_test_fail_at(n);
    dbsql_config *config = NULL, *copy = NULL;
    dbsql_error *error = NULL;
    dbsql_status status = dbsql_config_new(&config, &error);
    if (status == DBSQL_OK) status = config_parse_profile(config, slice_text(file), "FILE", "dev", &error);
    if (status == DBSQL_OK) status = config_resolve(config, &error);
    if (status == DBSQL_OK) status = config_copy(config, &copy, &error);
    bool failed = mem_test_failed();
    mem_test_fail_at(0);
    if (status != DBSQL_OK) assert_int_equal(status, DBSQL_ERROR_NO_MEMORY);
    error_clear(&error);
    dbsql_config_free(config);
    dbsql_config_free(copy);
    assert_int_equal(mem_test_live_blocks(), before);
    if (!failed) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_inferred), cmocka_unit_test(what_is_missing),          cmocka_unit_test(other_names),
      cmocka_unit_test(shapes),           cmocka_unit_test(hosts_of_databricks),      cmocka_unit_test(credentials_of_the_environment),
      cmocka_unit_test(profiles),         cmocka_unit_test(profiles_that_do_not_fit), cmocka_unit_test(profile_files),
      cmocka_unit_test(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
