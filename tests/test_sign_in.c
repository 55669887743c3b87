/* Signing in without a connection: the public functions, and the shell's auth commands on the real library, against the warehouse's OAuth.
 */
#include "test.h"

#include <curl/curl.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "oidc_client.h"

static struct oidc_client client;
static char home[] = "/tmp/dbsql-home-XXXXXX";

static int set_up(void **state) {
  (void)state;
  static const char *const arguments[] = {"--oauth", "--oauth-client", "sp-1:s3cret", NULL};
  assert_non_null(mkdtemp(home));
  setenv("HOME", home, 1);
  static const char *const cleared[] = {"XDG_CACHE_HOME",
                                        "DBSQL_CACHE_DIR",
                                        "DISPLAY",
                                        "WAYLAND_DISPLAY",
                                        "DBSQL_DSN",
                                        "DATABRICKS_HOST",
                                        "DATABRICKS_TOKEN",
                                        "DATABRICKS_CLIENT_ID",
                                        "DATABRICKS_CLIENT_SECRET",
                                        "DATABRICKS_AUTH_TYPE",
                                        "DATABRICKS_CONFIG_PROFILE",
                                        "DATABRICKS_HTTP_PATH"};
  for (size_t i = 0; i < sizeof cleared / sizeof *cleared; i++) unsetenv(cleared[i]);
  if (warehouse_is_there()) oidc_client_init(&client, warehouse_start(arguments));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", home);
  if (system(command) != 0) return -1;
  return client.warehouse ? warehouse_stop(client.warehouse) : 0;
}

#define NEEDS_WAREHOUSE \
  (void)state;          \
  if (!client.warehouse) skip()

static dbsql_config *config_of(const char *const *settings) {
  dbsql_config *config = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_config_new(&config, NULL), DBSQL_OK);
  for (; *settings; settings += 2) {
    if (dbsql_config_set(config, settings[0], settings[1], &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  }
  return config;
}

/* ---- What follows from a configuration ----------------------------------------------------------------------------------------------- */

static void effective(void **state) {
  (void)state;
  static const struct {
    const char *settings[9], *type;
  } cases[] = {{{"host", "h.cloud.databricks.com"}, "none"},
               {{"host", "h.cloud.databricks.com", "access_token", "x"}, "pat"},
               {{"host", "h.cloud.databricks.com", "client_id", "i", "client_secret", "x"}, "oauth-m2m"},
               {{"host", "h.cloud.databricks.com", "auth_type", "oauth-u2m"}, "oauth-u2m"},
               {{"host", "h.cloud.databricks.com", "refresh_token", "x"}, "refresh-token"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    dbsql_config *config = config_of(cases[i].settings), *seen = NULL;
    dbsql_error *error = NULL;
    char *type = NULL;
    if (dbsql_config_effective(config, &seen, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    assert_int_equal(dbsql_config_get(seen, "auth_type", &type, NULL), DBSQL_OK);
    assert_string_equal(type, cases[i].type);
    dbsql_free(type);
    dbsql_config_free(config);
    dbsql_config_free(seen);
  }
  static const char *const both[] = {"host", "h", "access_token", "x", "client_id", "i", "client_secret", "y", NULL};
  dbsql_config *config = config_of(both), *seen = config;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_config_effective(config, &seen, &error), DBSQL_ERROR_DRIVER);
  assert_null(seen);
  assert_non_null(strstr(dbsql_error_message(error), "more than one way"));
  dbsql_error_free(error);
  assert_int_equal(dbsql_config_effective(NULL, &seen, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_config_effective(config, NULL, NULL), DBSQL_ERROR_DRIVER);
  dbsql_config_free(config);
}

static void sources(void **state) {
  (void)state;
  static const char *const settings[] = {"access_token", "x", "port", "1", NULL};
  char path[128];
  snprintf(path, sizeof path, "%s/.databrickscfg", home);
  FILE *file = fopen(path, "w");
  fputs("[DEFAULT]\nhost = https://profile.example.com\n[other]\nhost = https://other.example.com\nclient_id = c\n", file);
  fclose(file);
  chmod(path, 0600);
  setenv("DATABRICKS_HTTP_PATH", "/sql/1.0/warehouses/e", 1);
  dbsql_config *config = config_of(settings), *seen = NULL;
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_config_set(config, "profile", "other", NULL), DBSQL_OK);
  assert_int_equal(dbsql_config_load_environment(config, NULL), DBSQL_OK);
  if (dbsql_config_effective(config, &seen, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  assert_string_equal(dbsql_config_source(seen, "access_token"), "option");
  assert_string_equal(dbsql_config_source(seen, "http_path"), "environment");
  assert_string_equal(dbsql_config_source(seen, "Server-Hostname"), "profile");
  assert_string_equal(dbsql_config_source(seen, "client_id"), "profile");
  assert_string_equal(dbsql_config_source(seen, "client_secret"), "default");
  assert_string_equal(dbsql_config_source(config, "host"), "default");
  assert_string_equal(dbsql_config_source(seen, "no_such_option"), "");
  assert_string_equal(dbsql_config_source(NULL, "host"), "");
  assert_string_equal(dbsql_config_source(seen, NULL), "");
  dbsql_config_free(config);
  dbsql_config_free(seen);
  unsetenv("DATABRICKS_HTTP_PATH");
  unlink(path);
}

/* ---- Tokens ------------------------------------------------------------------------------------------------------------------------- */

static dbsql_config *warehouse_without_token(const char *const *settings) {
  dbsql_config *config = config_of(settings);
  char port[16];
  snprintf(port, sizeof port, "%d", warehouse_port(client.warehouse));
  static const char *const where[] = {"host", "127.0.0.1", "tls", "false", "retry_min_wait_ms", "1", "port", NULL, NULL};
  for (size_t i = 0; where[i]; i += 2) {
    assert_int_equal(dbsql_config_set(config, where[i], where[i + 1] ? where[i + 1] : port, NULL), DBSQL_OK);
  }
  return config;
}

static void token_of_a_program(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const settings[] = {"client_id", "sp-1", "client_secret", "s3cret", NULL};
  dbsql_config *config = warehouse_without_token(settings);
  dbsql_error *error = NULL;
  char *token = NULL;
  int64_t expires_at_ms = 0;
  if (dbsql_sign_in(config, NULL, &token, &expires_at_ms, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  json_t *claims = oidc_claims(token);
  assert_string_equal(json_string_value(json_object_get(claims, "sub")), "sp-1");
  int64_t late = expires_at_ms - json_integer_value(json_object_get(claims, "exp")) * 1000;
  assert_true(late > -10000 && late < 10000);
  json_decref(claims);
  assert_int_equal(oidc_access(&client, token), 200);
  dbsql_free(token);
  assert_int_equal(dbsql_sign_in(config, NULL, &token, NULL, NULL), DBSQL_OK);
  dbsql_free(token);
  assert_int_equal(dbsql_sign_in(config, NULL, NULL, NULL, NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_sign_in(NULL, NULL, &token, NULL, NULL), DBSQL_ERROR_DRIVER);
  assert_null(token);
  /* Only people's tokens are kept. */
  assert_int_equal(dbsql_sign_out(config, NULL, NULL, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "oauth-u2m"));
  dbsql_error_free(error);
  assert_int_equal(dbsql_sign_out(NULL, NULL, NULL, NULL), DBSQL_ERROR_DRIVER);
  dbsql_config_free(config);
}

static void token_refused(void **state) {
  NEEDS_WAREHOUSE;
  static const char *const wrong[] = {"client_id", "sp-1", "client_secret", "canary-secret", NULL}, *const none[] = {NULL};
  dbsql_config *config = warehouse_without_token(wrong);
  dbsql_error *error = NULL;
  char *token = NULL;
  assert_int_equal(dbsql_sign_in(config, NULL, &token, NULL, &error), DBSQL_ERROR_REQUEST);
  assert_string_equal(dbsql_error_sqlstate(error), "28000");
  assert_non_null(strstr(dbsql_error_message(error), "invalid_client"));
  assert_null(strstr(dbsql_error_message(error), "canary"));
  dbsql_error_free(error);
  error = NULL;
  warehouse_fault(client.warehouse, "{\"name\": \"oidc-echo\", \"count\": 1}"); /* the server tells all it was sent */
  assert_int_equal(dbsql_sign_in(config, NULL, &token, NULL, &error), DBSQL_ERROR_REQUEST);
  assert_null(strstr(dbsql_error_message(error), "canary"));
  assert_null(strstr(dbsql_error_message(error), "Y2FuYXJ5")); /* the same in base64 */
  dbsql_error_free(error);
  error = NULL;
  dbsql_config_free(config);
  config = warehouse_without_token(none);
  assert_int_equal(dbsql_sign_in(config, NULL, &token, NULL, &error), DBSQL_ERROR_DRIVER);
  assert_string_equal(dbsql_error_sqlstate(error), "28000");
  assert_null(token);
  dbsql_error_free(error);
  dbsql_config_free(config);
}

/* Every allocation fails once: of the whole way of a token that needs no request. */
static void out_of_memory(void **state) {
  (void)state;
  static const char *const settings[] = {"host", "h.cloud.databricks.com", "access_token", "x", NULL};
  for (uint64_t n = 1;; n++) {
    int64_t before = mem_test_live_blocks();
    dbsql_config *config = config_of(settings), *seen = NULL;
    dbsql_error *error = NULL;
    char *token = NULL;
    mem_test_fail_at(n);
    dbsql_status status = dbsql_sign_in(config, NULL, &token, NULL, &error);
    if (status == DBSQL_OK) status = dbsql_config_effective(config, &seen, &error);
    bool failed = mem_test_failed();
    mem_test_fail_at(0);
    assert_true(status == DBSQL_OK || (failed && status == DBSQL_ERROR_NO_MEMORY));
    dbsql_free(token);
    dbsql_config_free(seen);
    dbsql_error_free(error);
    dbsql_config_free(config);
    assert_int_equal(mem_test_live_blocks(), before);
    if (!failed) break;
  }
}

/* ---- The shell ------------------------------------------------------------------------------------------------------------------------
 */

static char out[65536];
static char err[65536];

/* What a browser does that is asked to open the page: it follows the redirects. */
static void visit(const char *url) {
  CURL *curl = curl_easy_init();
  long status = 0;
  FILE *sink = fopen("/dev/null", "w");
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, sink);
  CURLcode code = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_cleanup(curl);
  fclose(sink);
  if (code != CURLE_OK || status != 200) fail_msg("%s: %s, HTTP %ld", url, curl_easy_strerror(code), status);
}

static void read_all(FILE *file, char *text, size_t size) {
  size_t used = strlen(text);
  text[used + fread(text + used, 1, size - used - 1, file)] = '\0';
  fclose(file);
}

/* Runs a line of words; with `browse`, visits the page that is asked for. */
static int shell(const char *line, bool browse) {
  static const char mark[] = "open this page to sign in: ";
  char command[2048], err_path[128];
  out[0] = err[0] = '\0';
  snprintf(err_path, sizeof err_path, "%s/err", home);
  unlink(err_path);
  assert_int_equal(mkfifo(err_path, 0600), 0);
  snprintf(command, sizeof command, "exec '%s' %s -d http://127.0.0.1:%d/sql/1.0/warehouses/local 2>'%s' </dev/null", SHELL, line,
           warehouse_port(client.warehouse), err_path);
  FILE *pipe = popen(command, "r");
  FILE *errors = fopen(err_path, "r");
  if (browse && fgets(err, sizeof err, errors) && strstr(err, mark)) {
    char *url = strstr(err, mark) + sizeof mark - 1;
    url[strcspn(url, "\n")] = '\0';
    visit(url);
  }
  read_all(errors, err, sizeof err);
  out[fread(out, 1, sizeof out - 1, pipe)] = '\0';
  int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int kept(void) {
  char path[128];
  int count = 0;
  snprintf(path, sizeof path, "%s/.cache/dbsql/oauth", home);
  DIR *folder = opendir(path);
  struct dirent *entry;
  while (folder && (entry = readdir(folder)) != NULL) {
    size_t length = strlen(entry->d_name);
    count += length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
  }
  if (folder) closedir(folder);
  return count;
}

/* As if the kept token had been got long ago. */
static void expire_kept(void) {
  char path[512], text[16384] = "", folder_path[128];
  snprintf(folder_path, sizeof folder_path, "%s/.cache/dbsql/oauth", home);
  DIR *folder = opendir(folder_path);
  struct dirent *entry;
  while ((entry = readdir(folder)) != NULL) {
    if (!strstr(entry->d_name, ".json") || strstr(entry->d_name, ".lock")) continue;
    snprintf(path, sizeof path, "%s/%s", folder_path, entry->d_name);
    read_all(fopen(path, "r"), text, sizeof text);
    char *at = strstr(text, "\"expires_at\": ");
    assert_non_null(at);
    for (at += strlen("\"expires_at\": "); *at >= '0' && *at <= '9'; at++) *at = at[1] >= '0' && at[1] <= '9' ? ' ' : '1';
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
  }
  closedir(folder);
}

static void shell_of_a_person(void **state) {
  NEEDS_WAREHOUSE;
  static const char login[] = "auth login --no-browser -o oauth_redirect_port=0";
  json_decref(oidc_order(&client, "oauth", "{\"auto_consent\": true}"));
  assert_int_equal(shell("auth token", false), 3);
  assert_non_null(strstr(err, "dbsql auth login"));
  int code = shell(login, true);
  if (code != 0) fail_msg("%d: %s", code, err);
  assert_memory_equal(out, "signed in to 127.0.0.1 (oauth-u2m), with a token that is good until ", 68);
  assert_int_equal(kept(), 1);
  assert_int_equal(shell("auth token", false), 0);
  out[strcspn(out, "\n")] = '\0';
  assert_int_equal(oidc_access(&client, out), 200);
  assert_int_equal(shell("-o auth_type=oauth-u2m -o token_cache=true -F csv --no-header -c 'SELECT 41 + 1'", false), 0);
  assert_string_equal(out, "42\r\n");
  /* It expires: the refresh token gets another one. */
  long before = oidc_counter(&client, "issued.refresh_token");
  expire_kept();
  assert_int_equal(shell("auth token", false), 0);
  assert_int_equal(oidc_counter(&client, "issued.refresh_token"), before + 1);
  assert_int_equal(shell("auth logout", false), 0);
  assert_string_equal(out, "the tokens are removed\n");
  assert_int_equal(kept(), 0);
  assert_int_equal(shell("auth logout", false), 0);
  assert_string_equal(out, "there were no tokens\n");
  json_decref(oidc_order(&client, "oauth", "{\"auto_consent\": false}"));
}

static void shell_of_a_program(void **state) {
  NEEDS_WAREHOUSE;
  setenv("DATABRICKS_CLIENT_ID", "sp-1", 1);
  setenv("DATABRICKS_CLIENT_SECRET", "s3cret", 1);
  assert_int_equal(shell("auth describe", false), 0);
  assert_non_null(strstr(out, "auth_type: oauth-m2m\nbecause: client_secret is set (environment)\n"));
  assert_non_null(strstr(out, "client_id: sp-1 (environment)\nclient_secret: (hidden) (environment)\n"));
  assert_null(strstr(out, "s3cret"));
  assert_int_equal(shell("auth login", false), 0);
  assert_non_null(strstr(out, "(oauth-m2m)"));
  assert_int_equal(shell("auth env", false), 0);
  char *token = strstr(out, "DATABRICKS_TOKEN='");
  assert_non_null(token);
  token += strlen("DATABRICKS_TOKEN='");
  token[strcspn(token, "'")] = '\0';
  assert_int_equal(oidc_access(&client, token), 200);
  assert_int_equal(shell("auth logout", false), 2);
  setenv("DATABRICKS_CLIENT_SECRET", "wrong-secret", 1);
  assert_int_equal(shell("auth token", false), 3);
  assert_string_equal(out, "");
  assert_non_null(strstr(err, "invalid_client"));
  assert_null(strstr(err, "wrong-secret"));
  unsetenv("DATABRICKS_CLIENT_ID");
  unsetenv("DATABRICKS_CLIENT_SECRET");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(effective),          cmocka_unit_test(sources),       cmocka_unit_test(token_of_a_program),
      cmocka_unit_test(token_refused),      cmocka_unit_test(out_of_memory), cmocka_unit_test(shell_of_a_person),
      cmocka_unit_test(shell_of_a_program),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
