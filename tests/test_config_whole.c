/* What only the whole of a configuration shows, and what the environment adds to it. */
#include "config_support.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void resolve_ok(dbsql_config *config) {
  dbsql_error *error = NULL;
  if (config_resolve(config, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
}

/* `settings` is "name=value" as in odbc.ini, on top of a host and a path. */
static void whole_fails(const char *settings, const char *part) {
  dbsql_config *config = parse_ok("host=h.com;http_path=/x");
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_config_parse(config, settings, strlen(settings), NULL), DBSQL_OK);
  if (config_resolve(config, &error) == DBSQL_OK) fail_msg("%s should not resolve", settings);
  assert_int_equal(dbsql_error_kind(error), DBSQL_ERROR_DRIVER);
  assert_contains(message_of(&error), part);
  dbsql_config_free(config);
}
static dbsql_config *whole_ok(const char *settings) {
  dbsql_config *config = parse_ok("host=h.com;http_path=/x");
  if (*settings) assert_int_equal(dbsql_config_parse(config, settings, strlen(settings), NULL), DBSQL_OK);
  resolve_ok(config);
  return config;
}

static void what_contradicts_is_refused(void **state) {
  (void)state;
  static const char *const bad[][2] = {
      {"warehouse_id=a", "http_path and warehouse_id name different things"},
      {"auth_type=pat", "empty token"},
      {"auth_type=none;access_token=x", "contradict"},
      {"tls=0", "http:// is for loopback hosts"},
      {"tls_client_cert=c", "only of use together"},
      {"tls_client_key=c", "only of use together"},
      {"tls_client_key_password=c", "of no use without tls_client_key"},
      {"tls_client_key=c;tls_client_cert=c;tls=0;allow_insecure_http=1", "of no use over http://"},
      {"tls_system_store=0", "tls_ca_file must be set"},
      {"proxy_host=p", "only of use together"},
      {"proxy_port=1", "only of use together"},
      {"proxy_url=http://p:1;proxy_host=p;proxy_port=1", "two ways to say the same"},
      {"use_proxy=0;proxy_url=http://p:1", "contradict"},
      {"use_proxy=0;proxy_host=p;proxy_port=1", "contradict"},
      {"proxy_password=x;proxy_url=http://p:1", "of no use without proxy_user"},
      {"proxy_user=x", "of no use without proxy_url"},
      {"retry_min_wait_ms=5;retry_max_wait_ms=4", "retry_min_wait_ms is more"},
      {"poll_min_ms=5;poll_max_ms=4", "poll_min_ms is more"},
      {"http_path=/x?o=5;org_id=6", "org_id is not the workspace"},
      {"http_path=/sql/protocolv1/o/5/c;org_id=6", "org_id is not the workspace"},
      {"metric_view_metadata=1;session.spark.sql.thriftserver.metadata.metricview.enabled=false", "metric_view_metadata"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) whole_fails(bad[i][0], bad[i][1]);
}

static void what_follows_is_filled_in(void **state) {
  (void)state;
  dbsql_config *config = parse_ok("host=h.com;warehouse_id=abc;proxy_host=::1;proxy_port=3128;timezone=UTC;query_tags=a:b");
  resolve_ok(config);
  assert_string_equal(config_text(config, OPTION_http_path), "/sql/1.0/warehouses/abc");
  assert_string_equal(config_text(config, OPTION_proxy_url), "http://[::1]:3128");
  assert_int_equal(config_int(config, OPTION_server), SERVER_DATABRICKS);
  assert_string_equal(config_text(config, OPTION_server), "databricks");
  assert_string_equal(config_text(config, OPTION_auth_type), "none");
  assert_string_equal(parameter(config, "timezone"), "UTC");
  assert_string_equal(parameter(config, "QUERY_TAGS"), "a:b");
  assert_false(config_is_set(config, OPTION_org_id));
  assert_int_equal(config->parameter_count, 2);
  /* once more changes nothing */
  resolve_ok(config);
  assert_int_equal(config->parameter_count, 2);
  dbsql_config_free(config);

  dbsql_config_free(whole_ok("tls_system_store=0;tls_ca_file=f"));
  dbsql_config_free(whole_ok("tls_system_store=0;tls_verify=0"));
  dbsql_config_free(whole_ok("tls_client_cert=a;tls_client_key=b;tls_client_key_password=c"));
  dbsql_config_free(whole_ok("http_path=/sql/protocolv1/o/5/c;org_id=5"));
}

static void servers_and_workspaces_from_paths(void **state) {
  (void)state;
  static const struct {
    const char *path, *org;
    bool plain;
  } paths[] = {
      {"/cliservice", "", true},
      {"/cliservice/", "", true},
      {"cliservice?x=1", "", true},
      {"/cliservices", "", false},
      {"/sql/cliservice", "", false},
      {"/sql/protocolv1/o/1234/0819-204509-hill72", "1234", false},
      {"sql/protocolv1/o/1234/0819-204509-hill72", "1234", false},
      {"/x/sql/protocolv1/o/1234/c", "", false},
      {"/sql/protocolv1/o/12a/c", "", false},
      {"/sql/protocolv1/o/12", "", false},
      {"/sql/1.0/warehouses/a?o=99", "99", false},
      {"/sql/1.0/warehouses/a?x=1&o=99&y=2", "99", false},
      {"/sql/1.0/warehouses/a?xo=99", "", false},
      {"/sql/1.0/warehouses/a?o=9x", "", false},
      {"/sql/protocolv1/o/1234/c?o=99", "99", false},
  };
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    dbsql_config *config = parse_ok("host=h.com");
    set_ok(config, "http_path", paths[i].path);
    resolve_ok(config);
    assert_string_equal(config_text(config, OPTION_org_id), paths[i].org);
    assert_true(config_is_plain(config) == paths[i].plain);
    dbsql_config_free(config);
  }
  dbsql_config *config = whole_ok("server=hive");
  assert_true(config_is_plain(config));
  dbsql_config_free(config);
  config = whole_ok("http_path=/cliservice;server=databricks");
  assert_false(config_is_plain(config));
  dbsql_config_free(config);
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

static dbsql_config *with_environment(const char *settings, struct variable *variables) {
  dbsql_config *config = *settings ? parse_ok(settings) : new_config();
  dbsql_error *error = NULL;
  if (config_load_from(config, from_list, variables, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  return config;
}

static struct variable usual[] = {{"DATABRICKS_HOST", "https://env.com:444/"},
                                  {"DATABRICKS_HTTP_PATH", "/env"},
                                  {"DATABRICKS_TOKEN", "CANARY"},
                                  {"DATABRICKS_CATALOG", "envcat"},
                                  {"DATABRICKS_SCHEMA", ""},
                                  {NULL, NULL}};

static void the_environment_fills_what_is_not_set(void **state) {
  (void)state;
  dbsql_config *config = with_environment("", usual);
  resolve_ok(config);
  char *url = NULL;
  assert_int_equal(config_endpoint(config, &url, NULL), DBSQL_OK);
  assert_string_equal(url, "https://env.com:444/env");
  mem_free(url);
  assert_string_equal(secret_text(config_secret(config, OPTION_access_token)), "CANARY");
  assert_string_equal(config_text(config, OPTION_catalog), "envcat");
  assert_false(config_is_set(config, OPTION_schema));
  dbsql_config_free(config);

  config = with_environment("catalog=mine;http_path=/mine;pwd=own;port=1", usual);
  assert_string_equal(config_text(config, OPTION_catalog), "mine");
  assert_string_equal(config_text(config, OPTION_http_path), "/mine");
  assert_string_equal(config_text(config, OPTION_host), "env.com");
  assert_int_equal(config_int(config, OPTION_port), 1);
  assert_string_equal(secret_text(config_secret(config, OPTION_access_token)), "own");
  dbsql_config_free(config);

  config = with_environment("ignore_environment=1", usual);
  assert_false(config_is_set(config, OPTION_host));
  dbsql_config_free(config);

  struct variable warehouse[] = {{"DATABRICKS_SERVER_HOSTNAME", "env.com"}, {"DATABRICKS_WAREHOUSE_ID", "abc"}, {NULL, NULL}};
  config = with_environment("", warehouse);
  resolve_ok(config);
  assert_string_equal(config_text(config, OPTION_http_path), "/sql/1.0/warehouses/abc");
  dbsql_config_free(config);
  config = with_environment("host=h.com;warehouse_id=mine;pwd=own", usual);
  resolve_ok(config);
  assert_string_equal(config_text(config, OPTION_http_path), "/sql/1.0/warehouses/mine");
  dbsql_config_free(config);
  config = with_environment("http_path=/mine", warehouse);
  resolve_ok(config);
  assert_string_equal(config_text(config, OPTION_http_path), "/mine");
  dbsql_config_free(config);
}

/* auth.md 6, T3 */
static void the_environments_token_goes_to_its_own_host(void **state) {
  (void)state;
  dbsql_error *error = NULL;
  dbsql_config *config = with_environment("host=other.com;http_path=/x", usual);
  assert_int_equal(config_int(config, OPTION_port), 443); /* the port is the environment's host's, too */
  assert_int_equal(config_resolve(config, &error), DBSQL_ERROR_DRIVER);
  const char *message = message_of(&error);
  assert_contains(message, "(env.com) and is not sent to other.com");
  assert_lacks(message, "CANARY");
  dbsql_config_free(config);

  /* also if the host is set afterwards, and in a copy */
  config = with_environment("", usual);
  set_ok(config, "host", "other.com");
  dbsql_config *copy = NULL;
  assert_int_equal(config_copy(config, &copy, NULL), DBSQL_OK);
  assert_int_equal(config_resolve(copy, NULL), DBSQL_ERROR_DRIVER);
  dbsql_config_free(copy);
  /* a token of one's own goes where one says */
  set_ok(config, "access_token", "own");
  resolve_ok(config);
  dbsql_config_free(config);

  /* no token is wanted */
  config = with_environment("host=other.com;http_path=/x;auth_type=none", usual);
  resolve_ok(config);
  assert_null(config_secret(config, OPTION_access_token));
  dbsql_config_free(config);

  /* the same host, written otherwise */
  config = with_environment("host=ENV.com;port=444;http_path=/x", usual);
  resolve_ok(config);
  assert_string_equal(secret_text(config_secret(config, OPTION_access_token)), "CANARY");
  dbsql_config_free(config);

  /* the same host, but another port or no TLS: another program may listen there, or anybody on the way */
  static const char *const elsewhere[][2] = {
      {"host=env.com;http_path=/x", "(https://env.com:444) and is not sent to https://env.com:443"},
      {"host=env.com;port=445;http_path=/x", "is not sent to https://env.com:445"},
      {"host=env.com;port=444;tls=0;allow_insecure_http=1;http_path=/x", "is not sent to http://env.com:444"},
  };
  for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
    config = with_environment(elsewhere[i][0], usual);
    assert_int_equal(config_resolve(config, &error), DBSQL_ERROR_DRIVER);
    message = message_of(&error);
    assert_contains(message, elsewhere[i][1]);
    assert_lacks(message, "CANARY");
    dbsql_config_free(config);
  }
  /* also if that is set afterwards */
  config = with_environment("", usual);
  set_ok(config, "port", "445");
  assert_int_equal(config_resolve(config, NULL), DBSQL_ERROR_DRIVER);
  dbsql_config_free(config);

  /* no host in the environment: nothing to bind it to */
  struct variable alone[] = {{"DATABRICKS_TOKEN", "CANARY"}, {NULL, NULL}};
  config = with_environment("host=other.com;http_path=/x", alone);
  resolve_ok(config);
  assert_int_equal(config_int(config, OPTION_auth_type), AUTH_PAT);
  dbsql_config_free(config);
}

static void bad_variables_are_named(void **state) {
  (void)state;
  static const struct {
    struct variable variables[3];
    const char *part;
  } bad[] = {
      {{{"DATABRICKS_HOST", "a b"}}, "invalid environment: DATABRICKS_HOST has a character"},
      {{{"DATABRICKS_HOST", "https://a.com/path"}}, "DATABRICKS_HOST"},
      {{{"DATABRICKS_HTTP_PATH", "/a\nb"}}, "DATABRICKS_HTTP_PATH has a control character"},
      {{{"DATABRICKS_CATALOG", "\xff"}}, "DATABRICKS_CATALOG is not valid UTF-8"},
      {{{"DATABRICKS_TOKEN", "CANARY x"}}, "DATABRICKS_TOKEN has a space"},
      {{{"DATABRICKS_TOKEN", "CANARY"}, {"DATABRICKS_ACCESS_TOKEN", "CANARY2"}},
       "DATABRICKS_TOKEN and DATABRICKS_ACCESS_TOKEN give different values for access_token"},
      {{{"DATABRICKS_HOST", "a.com"}, {"DATABRICKS_SERVER_HOSTNAME", "b.com"}}, "DATABRICKS_HOST and DATABRICKS_SERVER_HOSTNAME"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    dbsql_config *config = new_config();
    dbsql_error *error = NULL;
    struct variable variables[3];
    memcpy(variables, bad[i].variables, sizeof variables);
    assert_int_equal(config_load_from(config, from_list, variables, &error), DBSQL_ERROR_DRIVER);
    const char *message = message_of(&error);
    assert_contains(message, bad[i].part);
    assert_lacks(message, "CANARY");
    for (int id = 0; id < OPTION_COUNT; id++) assert_false(config->values[id].is_set);
    dbsql_config_free(config);
  }
}

static void the_process_environment_is_read(void **state) {
  (void)state;
  /* In a child, whose environment is its own. */
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    setenv("DATABRICKS_HOST", "process.com", 1);
    unsetenv("DATABRICKS_SERVER_HOSTNAME");
    dbsql_config *config = NULL;
    bool ok = dbsql_config_new(&config, NULL) == DBSQL_OK && dbsql_config_load_environment(config, NULL) == DBSQL_OK &&
              strcmp(config_text(config, OPTION_host), "process.com") == 0;
    dbsql_config_free(config);
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void the_environment_without_memory(void **state) {
  (void)state;
  int64_t before = mem_test_live_blocks();
  for (uint64_t n = 1;; n++) {
    dbsql_config *config = NULL;
    dbsql_error *error = NULL;
    mem_test_fail_at(n);
    dbsql_status status = dbsql_config_new(&config, &error);
    if (status == DBSQL_OK) status = config_load_from(config, from_list, usual, &error);
    if (status == DBSQL_OK) status = config_resolve(config, &error);
    bool struck = mem_test_failed();
    mem_test_fail_at(0);
    assert_int_equal(status, struck ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
    error_clear(&error);
    dbsql_config_free(config);
    assert_int_equal(mem_test_live_blocks(), before);
    if (!struck) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_contradicts_is_refused),
      cmocka_unit_test(what_follows_is_filled_in),
      cmocka_unit_test(servers_and_workspaces_from_paths),
      cmocka_unit_test(the_environment_fills_what_is_not_set),
      cmocka_unit_test(the_environments_token_goes_to_its_own_host),
      cmocka_unit_test(bad_variables_are_named),
      cmocka_unit_test(the_process_environment_is_read),
      cmocka_unit_test(the_environment_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
