/* The table of options, and setting and reading them one at a time. */
#include "config_support.h"

#include "base/text.h"

static void the_table_is_sound(void **state) {
  (void)state;
  assert_int_equal(dbsql_option_count(), OPTION_COUNT);
  dbsql_option_info info;
  assert_false(dbsql_option_describe(OPTION_COUNT, &info));
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    assert_true(dbsql_option_describe(i, &info));
    assert_true(*info.documentation);
    if (strcmp(info.type, "int") == 0) assert_contains(info.bounds, "..");
    if (strcmp(info.type, "enum") == 0) assert_contains(info.bounds, "|");
    if (info.secret) assert_string_equal(info.default_value, "");
    /* a default is a value that could be set */
    dbsql_config *config = new_config();
    if (*info.default_value) {
      set_ok(config, info.name, info.default_value);
      dbsql_config *other = new_config();
      assert_int_equal(config_int(config, (enum option_id)i), config_int(other, (enum option_id)i));
      dbsql_config_free(other);
    }
    dbsql_config_free(config);
  }
}

/* Every name leads to its own line: no alias hides another. */
static void names_are_unique(void **state) {
  (void)state;
  for (int id = 0; id < OPTION_COUNT; id++) {
    struct slice alias;
    for (size_t at = 0; text_next_piece(option_table[id].aliases, ',', &at, &alias);) {
      struct name_match match = config_find_name(alias);
      if (match.kind != NAME_OPTION || (int)match.option != id) {
        fail_msg("%.*s does not lead to %s", (int)alias.size, (const char *)alias.data, option_table[id].name);
      }
    }
    assert_int_equal(config_find_name(slice_text(option_table[id].name)).option, id);
  }
  for (size_t i = 0; i < foreign_count; i++) {
    struct name_match match = config_find_name(slice_text(foreign_table[i].name));
    if (match.kind != NAME_FOREIGN || match.foreign != &foreign_table[i]) fail_msg("%s is there twice", foreign_table[i].name);
  }
}

static void defaults_are_what_the_table_says(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  assert_int_equal(config_int(config, OPTION_port), 443);
  assert_int_equal(config_int(config, OPTION_max_rows_per_fetch), 2000000);
  assert_int_equal(config_int(config, OPTION_max_bytes_per_fetch), 419430400);
  assert_int_equal(config_int(config, OPTION_direct_results_max_rows), 100000);
  assert_int_equal(config_int(config, OPTION_direct_results_max_bytes), 104857600);
  assert_int_equal(config_int(config, OPTION_max_response_bytes), 1073741824);
  assert_int_equal(config_int(config, OPTION_retry_max), 4);
  assert_int_equal(config_int(config, OPTION_call_timeout_ms), 0);
  assert_int_equal(config_int(config, OPTION_server), SERVER_AUTO);
  assert_true(config_bool(config, OPTION_tls));
  assert_true(config_bool(config, OPTION_tls_verify));
  assert_false(config_bool(config, OPTION_allow_insecure_http));
  assert_string_equal(config_text(config, OPTION_tls_min_version), "1.2");
  assert_string_equal(config_text(config, OPTION_host), "");
  assert_null(config_secret(config, OPTION_access_token));
  char *value = (char *)1;
  assert_int_equal(dbsql_config_get(config, "port", &value, NULL), DBSQL_OK);
  assert_null(value);
  dbsql_config_free(config);
}

static void names_match_loosely(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  static const char *const names[] = {"http_path",       "HTTPPath",  "httpPath", "HTTP-PATH", "databricks.http_path",
                                      "adbc.spark.path", "_http_path"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char value[32];
    snprintf(value, sizeof value, "/sql/%zu", i);
    set_ok(config, names[i], value);
    assert_string_equal(config_text(config, OPTION_http_path), value);
  }
  set_ok(config, "adbc.connection.db_schema", "s");
  assert_string_equal(config_text(config, OPTION_schema), "s");
  dbsql_config_free(config);
}

static void bounds_hold(void **state) {
  (void)state;
  for (int id = 0; id < OPTION_COUNT; id++) {
    const struct option *option = &option_table[id];
    if (option->type != OPTION_INT) continue;
    dbsql_config *config = new_config();
    char text[40];
    const int64_t good[] = {option->min, option->max};
    for (size_t i = 0; i < 2; i++) {
      snprintf(text, sizeof text, "%lld", (long long)good[i]);
      set_ok(config, option->name, text);
      assert_int_equal(config_int(config, (enum option_id)id), good[i]);
    }
    snprintf(text, sizeof text, "%lld", (long long)option->min - 1);
    set_fails(config, option->name, text, option->name);
    snprintf(text, sizeof text, "%lld", (long long)option->max + 1);
    set_fails(config, option->name, text, "must be from");
    set_fails(config, option->name, "99999999999999999999", "not of type int");
    set_fails(config, option->name, "1 ", "not of type int");
    set_fails(config, option->name, "0x10", "not of type int");
    set_fails(config, option->name, "1_0", "not of type int");
    /* a refused value changes nothing */
    assert_int_equal(config_int(config, (enum option_id)id), option->max);
    dbsql_config_free(config);
  }
}

static void bools_are_gos_and_yes_and_no(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True", "yes"}, *const no[] = {"0",     "f",     "F", "FALSE",
                                                                                                  "false", "False", "no"};
  for (size_t i = 0; i < 7; i++) {
    set_ok(config, "arrow", no[i]);
    assert_false(config_bool(config, OPTION_arrow));
    set_ok(config, "arrow", yes[i]);
    assert_true(config_bool(config, OPTION_arrow));
  }
  set_fails(config, "arrow", "2", "arrow is not of type bool");
  set_fails(config, "arrow", "on", "arrow is not of type bool");
  dbsql_config_free(config);
}

static void words_are_refused_by_name(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  set_ok(config, "server", "HIVE");
  assert_int_equal(config_int(config, OPTION_server), SERVER_HIVE);
  assert_string_equal(config_text(config, OPTION_server), "hive");
  set_fails(config, "server", "spark", "server must be one of auto|databricks|hive");
  set_fails(config, "tls_min_version", "1.1", "1.2|1.3");
  set_ok(config, "authType", "Pat");
  set_ok(config, "auth_type", "access-token");
  assert_int_equal(config_int(config, OPTION_auth_type), AUTH_PAT);
  set_fails(config, "authType", "azure-cli", "authType: this way to sign in is not supported by this version");
  dbsql_config_free(config);
}

static void unknown_names_say_what_was_meant(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  set_fails(config, "htpp_path", "/x", "did you mean http_path?");
  set_fails(config, "catalogue", "x", "did you mean catalog?");
  set_fails(config, "UserAgentEntri", "x", "did you mean user_agent_entry?");
  set_fails(config, "completely different", "x", "is not the name of an option");
  set_fails(config, "", "x", "is not the name of an option");
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_config_set(config, "polling_interval_of_the_moon", "x", &error), DBSQL_ERROR_DRIVER);
  assert_string_equal(dbsql_error_sqlstate(error), "HY092");
  assert_lacks(message_of(&error), "did you mean");
  /* two of three letters are another word, not a typo */
  assert_int_equal(dbsql_config_set(config, "xyd", "x", &error), DBSQL_ERROR_DRIVER);
  assert_lacks(message_of(&error), "did you mean");
  dbsql_config_free(config);
}

static void names_of_other_drivers(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  set_ok(config, "AllowSelfSignedServerCert", "1");
  assert_false(config_bool(config, OPTION_tls_verify));
  set_ok(config, "_tls_no_verify", "False");
  assert_true(config_bool(config, OPTION_tls_verify));
  set_ok(config, "AllowHostNameCNMismatch", "1");
  assert_false(config_bool(config, OPTION_tls_verify_hostname));
  set_ok(config, "SocketTimeout", "15");
  assert_int_equal(config_int(config, OPTION_request_timeout_ms), 15000);
  set_fails(config, "SocketTimeout", "9223372036854775807", "SocketTimeout must be from 0 to 86400 seconds");
  set_fails(config, "SocketTimeout", "-1", "SocketTimeout must be from");
  set_ok(config, "ssl_mode", "insecure");
  assert_false(config_bool(config, OPTION_tls_verify));
  set_ok(config, "scheme", "http");
  assert_false(config_bool(config, OPTION_tls));
  set_ok(config, "SSL", "1");
  assert_true(config_bool(config, OPTION_tls));
  set_ok(config, "AuthMech", "3");
  assert_int_equal(config_int(config, OPTION_auth_type), AUTH_PAT);
  set_ok(config, "UID", "token");
  set_ok(config, "PWD", "abc");
  assert_string_equal(secret_text(config_secret(config, OPTION_access_token)), "abc");
  set_fails(config, "UID", "scott", "basic auth not enabled");
  set_ok(config, "EnableQueryResultDownload", "0");
  assert_false(config_bool(config, OPTION_cloudfetch));
  set_ok(config, "useCloudFetch", "true");
  assert_true(config_bool(config, OPTION_cloudfetch));
  set_ok(config, "maxDownloadThreads", "7");
  assert_int_equal(config_int(config, OPTION_cloudfetch_threads), 7);
  set_fails(config, "cloudFetchThreadPoolSize", "129", "128");
  static const char *const accepted[][2] = {{"UseCFProxy", "0"},
                                            {"useKernel", "0"},
                                            {"ThriftTransport", "2"},
                                            {"transportMode", "http"},
                                            {"Driver", "Simba"},
                                            {"telemetry_retry_count", "3"},
                                            {"telemetry_retry_delay", "100ms"},
                                            {"UseThriftClient", "1"},
                                            {"SparkServerType", "3"},
                                            {"Description", "x"}};
  for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) set_ok(config, accepted[i][0], accepted[i][1]);
  static const char *const refused[][2] = {{"AuthMech", "12"},
                                           {"UseCFProxy", "1"},
                                           {"ThriftTransport", "0"},
                                           {"Auth_Flow", "4"},
                                           {"GoogleServiceAccount", "x"},
                                           {"MaxConsecutiveResultFileDownloadRetries", "10"},
                                           {"TokenCachePassPhrase", "1"},
                                           {"CheckCertRevocation", "1"}};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    set_fails(config, refused[i][0], refused[i][1], "not supported by this version");
    set_fails(config, refused[i][0], refused[i][1], refused[i][0]);
  }
  dbsql_config_free(config);
}

static void values_with_a_shape_are_checked(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  static const char *const bad[][3] = {
      {"host", "a b", "host has a character"},
      {"host", "a.com/path", "host has a character"},
      {"host", "token:x@a.com", "host has"},
      {"host", "[::1", "without its ']'"},
      {"host", "[1.2.3.4]", "no IPv6 address"},
      {"host", "[::1]x", "after its brackets"},
      {"host", "a.com:0", "invalid port"},
      {"host", "a.com:", "invalid port"},
      {"host", "a:1:2", "more than one colon"},
      {"host", "https://", "has no host"},
      {"http_path", "/a b", "http_path has a character"},
      {"http_path", "/a\r\nX: y", "control character"},
      {"http_path", "/a%0d%0aX", "escaped control character"},
      {"http_path", "/a%4", "malformed '%' escape"},
      {"http_path", "/a#b", "http_path has a character"},
      {"http_path", "/a?x=1?y=\"", "http_path has a character"},
      {"warehouse_id", "abc/../d", "warehouse_id has a character"},
      {"org_id", "12a", "org_id must be a number"},
      {"access_token", "a b", "access_token has a space"},
      {"access_token", "a\xC3\xA9", "access_token has a space"},
      {"user_agent_entry", "caf\xC3\xA9", "user_agent_entry has a character"},
      {"catalog", "a\nb", "control character"},
      {"catalog", "\xff", "not valid UTF-8"},
      {"timezone", "Europe/Berlin;", "timezone has a character"},
      {"proxy_url", "ftp://h:1", "must begin with"},
      {"cloudfetch_proxy_url", "ftp://h:1", "must begin with"},
      {"proxy_url", "h:3128", "must begin with"},
      {"proxy_url", "http://", "has no host"},
      {"proxy_url", "http://h:99999", "invalid port"},
      {"proxy_url", "http://u:%zz@h:1", "malformed '%' escape"},
      {"proxy_user", "a:b", "must not have a ':'"},
      {"proxy_host", "a b", "proxy_host has a character"},
      {"session.a b", "1", "the name of a session parameter"},
      {"session.", "1", "the name of a session parameter is empty"},
      {"session.a;b", "1", "the name of a session parameter"},
      {"SSP_a\nb", "1", "the name of a session parameter"},
      {"http_header.Authorization", "x", "set by the library"},
      {"http_header.content-length", "x", "set by the library"},
      {"http_header.Proxy-Authorization", "x", "set by the library"},
      {"http_header.HOST", "x", "set by the library"},
      {"http_header.Transfer-Encoding", "x", "set by the library"},
      {"http_header.X Y", "x", "no name for a header"},
      {"http_header.X:", "x", "no name for a header"},
      {"http_header.", "x", "no name for a header"},
      {"http_header.X", "a\r\nb", "control character"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) set_fails(config, bad[i][0], bad[i][1], bad[i][2]);
  assert_int_equal(config->parameter_count, 0);
  assert_int_equal(config->header_count, 0);
  dbsql_config_free(config);
}

static void host_is_taken_apart(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  set_ok(config, "host", "https://a.com:8443/");
  assert_string_equal(config_text(config, OPTION_host), "a.com");
  assert_int_equal(config_int(config, OPTION_port), 8443);
  assert_true(config_is_set(config, OPTION_tls));
  set_ok(config, "host", "http://[::1]:81");
  assert_string_equal(config_text(config, OPTION_host), "::1");
  assert_int_equal(config_int(config, OPTION_port), 81);
  assert_false(config_bool(config, OPTION_tls));
  set_ok(config, "host", "fe80::1");
  assert_string_equal(config_text(config, OPTION_host), "fe80::1");
  dbsql_config_free(config);
}

static void proxy_credentials_leave_the_url(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  set_ok(config, "proxy_url", "http://us%40er:p%3Aw@proxy:3128");
  assert_string_equal(config_text(config, OPTION_proxy_url), "http://proxy:3128");
  assert_string_equal(secret_text(config_secret(config, OPTION_proxy_user)), "us@er");
  assert_string_equal(secret_text(config_secret(config, OPTION_proxy_password)), "p:w");
  /* and do not go to another proxy */
  set_ok(config, "proxy_url", "http://other:3128");
  assert_null(config_secret(config, OPTION_proxy_user));
  assert_null(config_secret(config, OPTION_proxy_password));
  dbsql_config_free(config);
}

static void parameters_and_headers(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  set_ok(config, "session.ANSI_MODE", "true");
  set_ok(config, "SSP_spark.sql.x:y", "1");
  set_ok(config, "adbc.databricks.ssp_use_cached_result", "false");
  set_ok(config, "session.ansi_mode", "false");
  assert_int_equal(config->parameter_count, 3);
  assert_string_equal(parameter(config, "ANSI_MODE"), "false");
  assert_string_equal(parameter(config, "spark.sql.x:y"), "1");
  assert_string_equal(parameter(config, "use_cached_result"), "false");
  set_ok(config, "http_header.X-One", "1");
  set_ok(config, "http.header.x-one", "2");
  assert_int_equal(config->header_count, 1);
  assert_string_equal(config->headers[0].value, "2");
  char *value = NULL;
  assert_ok(dbsql_config_get(config, "session.Ansi_Mode", &value, error));
  assert_string_equal(value, "false");
  mem_free(value);
  /* options that are parameters are options, whatever way they are written */
  set_ok(config, "session.TimeZone", "UTC");
  set_ok(config, "ssp_query_tags", "a:b");
  assert_string_equal(config_text(config, OPTION_timezone), "UTC");
  assert_string_equal(config_text(config, OPTION_query_tags), "a:b");
  assert_int_equal(config->parameter_count, 3);
  for (int i = 0; i < 1000; i++) {
    char name[32];
    snprintf(name, sizeof name, "session.p%d", i);
    set_ok(config, name, "1");
  }
  dbsql_config_free(config);
}

static void secrets_cannot_be_read(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  for (int id = 0; id < OPTION_COUNT; id++) {
    if (!option_table[id].secret) continue;
    set_ok(config, option_table[id].name, "CANARY");
    dbsql_error *error = NULL;
    char *value = (char *)1;
    assert_int_equal(dbsql_config_get(config, option_table[id].name, &value, &error), DBSQL_ERROR_DRIVER);
    assert_null(value);
    const char *message = message_of(&error);
    assert_contains(message, "write-only");
    assert_lacks(message, "CANARY");
    assert_string_equal(config_text(config, (enum option_id)id), "");
  }
  set_ok(config, "http_header.X-Key", "CANARY");
  char *value = NULL;
  assert_int_equal(dbsql_config_get(config, "http_header.X-Key", &value, NULL), DBSQL_ERROR_DRIVER);
  assert_null(value);
  dbsql_config_free(config);
}

static void values_can_be_read_and_taken_back(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  static const char *const pairs[][2] = {{"port", "81"}, {"arrow", "false"}, {"server", "hive"}, {"catalog", "m\xC3\xA4in"}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    char *value = NULL;
    set_ok(config, pairs[i][0], pairs[i][1]);
    assert_ok(dbsql_config_get(config, pairs[i][0], &value, error));
    assert_string_equal(value, pairs[i][1]);
    mem_free(value);
    set_ok(config, pairs[i][0], "");
    assert_ok(dbsql_config_get(config, pairs[i][0], &value, error));
    assert_null(value);
  }
  set_ok(config, "access_token", "x");
  assert_ok(dbsql_config_set(config, "access_token", NULL, error));
  assert_null(config_secret(config, OPTION_access_token));
  dbsql_error *error = NULL;
  char *value = NULL;
  assert_int_equal(dbsql_config_get(config, "catalogg", &value, &error), DBSQL_ERROR_DRIVER);
  assert_contains(message_of(&error), "catalog");
  assert_int_equal(dbsql_config_get(config, "uid", &value, &error), DBSQL_ERROR_DRIVER);
  assert_contains(message_of(&error), "UID can only be set");
  assert_int_equal(dbsql_config_set(NULL, "port", "1", NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_config_set(config, NULL, "1", NULL), DBSQL_ERROR_DRIVER);
  assert_int_equal(dbsql_config_get(config, "port", NULL, NULL), DBSQL_ERROR_DRIVER);
  dbsql_config_free(config);
  dbsql_config_free(NULL);
}

static void a_copy_is_whole_and_apart(void **state) {
  (void)state;
  dbsql_config *config = parse_ok("databricks://token:CANARY@h.com:444/sql/1.0/warehouses/a?o=7&catalog=c&ANSI_MODE=true&arrow=0");
  set_ok(config, "http_header.X", "y");
  dbsql_config *copy = NULL;
  assert_ok(config_copy(config, &copy, error));
  dbsql_config_free(config);
  assert_string_equal(config_text(copy, OPTION_host), "h.com");
  assert_string_equal(config_text(copy, OPTION_http_path), "/sql/1.0/warehouses/a?o=7");
  assert_int_equal(config_int(copy, OPTION_port), 444);
  assert_false(config_bool(copy, OPTION_arrow));
  assert_string_equal(secret_text(config_secret(copy, OPTION_access_token)), "CANARY");
  assert_string_equal(parameter(copy, "ansi_mode"), "true");
  assert_string_equal(copy->headers[0].name, "X");
  dbsql_config_free(copy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_table_is_sound),
      cmocka_unit_test(names_are_unique),
      cmocka_unit_test(defaults_are_what_the_table_says),
      cmocka_unit_test(names_match_loosely),
      cmocka_unit_test(bounds_hold),
      cmocka_unit_test(bools_are_gos_and_yes_and_no),
      cmocka_unit_test(words_are_refused_by_name),
      cmocka_unit_test(unknown_names_say_what_was_meant),
      cmocka_unit_test(names_of_other_drivers),
      cmocka_unit_test(values_with_a_shape_are_checked),
      cmocka_unit_test(host_is_taken_apart),
      cmocka_unit_test(proxy_credentials_leave_the_url),
      cmocka_unit_test(parameters_and_headers),
      cmocka_unit_test(secrets_cannot_be_read),
      cmocka_unit_test(values_can_be_read_and_taken_back),
      cmocka_unit_test(a_copy_is_whole_and_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
