/* Connection strings: the Go driver's DSN (auth.md 4.1 and its test list), databricks:// URLs, k=v pairs, JDBC URLs. */
#include "config_support.h"

#include <stdlib.h>

static const char *token_of(const dbsql_config *config) {
  return secret_text(config_secret(config, OPTION_access_token));
}

/* Parses, resolves and gives the endpoint into `out`. */
static void endpoint_of(dbsql_config *config, char out[200]) {
  dbsql_error *error = NULL;
  char *url = NULL;
  if (config_resolve(config, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  assert_int_equal(config_endpoint(config, &url, NULL), DBSQL_OK);
  snprintf(out, 200, "%s", url);
  mem_free(url);
}

static void endpoint_is(const char *text, const char *expected) {
  char url[200];
  dbsql_config *config = parse_ok(text);
  endpoint_of(config, url);
  assert_string_equal(url, expected);
  dbsql_config_free(config);
}

static void resolve_fails(const char *text, const char *part) {
  dbsql_config *config = parse_ok(text);
  dbsql_error *error = NULL;
  if (config_resolve(config, &error) == DBSQL_OK) fail_msg("%s should not resolve", text);
  assert_contains(message_of(&error), part);
  dbsql_config_free(config);
}

/* ---- The Go driver's own tests */

static void go_base(void **state) {
  (void)state;
  static const char *const forms[] = {"token:supersecret@example.cloud.databricks.com:443/sql/1.0/endpoints/12346a5b5b0e123a",
                                      "https://token:supersecret@example.cloud.databricks.com:443/sql/1.0/endpoints/12346a5b5b0e123a",
                                      "HTTPS://token:supersecret@example.cloud.databricks.com/sql/1.0/endpoints/12346a5b5b0e123a",
                                      "databricks://token:supersecret@example.cloud.databricks.com/sql/1.0/endpoints/12346a5b5b0e123a",
                                      " token:supersecret@example.cloud.databricks.com:443/sql/1.0/endpoints/12346a5b5b0e123a\n"};
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    char url[200];
    dbsql_config *config = parse_ok(forms[i]);
    assert_string_equal(token_of(config), "supersecret");
    assert_string_equal(config_text(config, OPTION_host), "example.cloud.databricks.com");
    assert_string_equal(config_text(config, OPTION_http_path), "/sql/1.0/endpoints/12346a5b5b0e123a");
    assert_int_equal(config->parameter_count, 0);
    endpoint_of(config, url);
    assert_string_equal(url, "https://example.cloud.databricks.com:443/sql/1.0/endpoints/12346a5b5b0e123a");
    assert_int_equal(config_int(config, OPTION_auth_type), AUTH_PAT);
    dbsql_config_free(config);
  }
}

static void go_http(void **state) {
  (void)state;
  endpoint_is("http://localhost:8080", "http://localhost:8080");
  endpoint_is("http://localhost:8080/", "http://localhost:8080");
  endpoint_is("http://localhost:8080/sql/1.0/endpoints/a", "http://localhost:8080/sql/1.0/endpoints/a");
  endpoint_is("http://127.8.9.1/x", "http://127.8.9.1:443/x");
  endpoint_is("http://[::1]:80/x", "http://[::1]:80/x");
  endpoint_is("http://far.com:80/x?allow_insecure_http=1", "http://far.com:80/x");
  static const char *const refused[] = {
      "http://far.com:80/x", "http://token:s@far.com:80/x", "http://127.evil.com/x", "http://localhost.evil.com/",
      "http://10.0.0.1/x",   "http://[2001:db8::1]:80/x",   "http://127.1/x",        "far.com/x?tls=0",
      "http://0.0.0.0/x"};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    dbsql_config *config = parse_ok(refused[i]);
    set_ok(config, "http_path", "/x");
    dbsql_error *error = NULL;
    assert_int_equal(config_resolve(config, &error), DBSQL_ERROR_DRIVER);
    assert_contains(message_of(&error), "allow_insecure_http");
    dbsql_config_free(config);
  }
}

static void go_parameters(void **state) {
  (void)state;
  dbsql_config *config = parse_ok(
      "token:supersecret@example.cloud.databricks.com:8000/sql/1.0/endpoints/12346a5b5b0e123a?catalog=default&schema=system&"
      "userAgentEntry=partner-name&timeout=100&maxRows=1000&ANSI_MODE=true&timezone=America%2FVancouver&QUERY_TAGS=team%3Ax%2Cb&"
      "useCloudFetch=false&useArrowNativeDecimal=false&enableMetricViewMetadata=true&useKernel=f&spark.sql.x=1+2");
  assert_int_equal(config_int(config, OPTION_port), 8000);
  assert_string_equal(config_text(config, OPTION_catalog), "default");
  assert_string_equal(config_text(config, OPTION_schema), "system");
  assert_string_equal(config_text(config, OPTION_user_agent_entry), "partner-name");
  assert_int_equal(config_int(config, OPTION_query_timeout_s), 100);
  assert_int_equal(config_int(config, OPTION_max_rows_per_fetch), 1000);
  assert_false(config_bool(config, OPTION_native_decimal));
  assert_string_equal(parameter(config, "ANSI_MODE"), "true");
  assert_string_equal(parameter(config, "spark.sql.x"), "1 2");
  assert_int_equal(config->parameter_count, 2);
  assert_ok(config_resolve(config, error));
  assert_string_equal(parameter(config, "timezone"), "America/Vancouver");
  assert_string_equal(parameter(config, "QUERY_TAGS"), "team:x,b");
  assert_string_equal(parameter(config, "spark.sql.thriftserver.metadata.metricview.enabled"), "true");
  assert_int_equal(config->parameter_count, 5);
  dbsql_config_free(config);
}

static void go_credentials(void **state) {
  (void)state;
  /* none at all */
  dbsql_config *config = parse_ok("example.cloud.databricks.com:443/sql/1.0/endpoints/12346a5b5b0e123a");
  assert_null(config_secret(config, OPTION_access_token));
  assert_ok(config_resolve(config, error));
  assert_int_equal(config_int(config, OPTION_auth_type), AUTH_NONE);
  dbsql_config_free(config);
  config = parse_ok(":@h.com:443/x");
  assert_null(config_secret(config, OPTION_access_token));
  dbsql_config_free(config);
  /* as a parameter */
  config = parse_ok("h.com:443/x?accessToken=supersecret2&authType=pat");
  assert_string_equal(token_of(config), "supersecret2");
  assert_int_equal(config->parameter_count, 0);
  dbsql_config_free(config);
  parse_fails("token@h.com:443/x", "invalid DSN: empty token");
  parse_fails("token:@h.com:443/x", "invalid DSN: empty token");
  parse_fails("jim:secret@h.com:443/x", "invalid DSN: basic auth not enabled");
  parse_fails(":secret@h.com:443/x", "password without a user");
  parse_fails("token:a@h.com:443/x?accessToken=a", "the token is given twice");
  resolve_fails("token:a@h.com:443/x?clientSecret=b", "more than one way to sign in is configured: access_token and client_secret");
  resolve_fails("h.com:443/x?clientID=b&accessToken=x&clientSecret=c", "more than one way to sign in");
  resolve_fails("h.com:443/x?clientSecret=b", "clientId and clientSecret params required");
  resolve_fails("h.com:443/x?authType=OauthM2M&clientId=x", "clientId and clientSecret params required");
  resolve_fails("h.com:443/x?authType=OauthM2M&accessToken=x", "clientId and clientSecret params required");
  parse_fails("h.com:443/x?authType=azure-cli", "authType: this way to sign in is not supported");
  parse_fails("h.com:443/x?authType=unknown&accessToken=x", "authType");
  resolve_fails("h.com:443/x?authType=Pat", "empty token");
  resolve_fails("token:x@h.com:443/x?authType=none", "contradict");
}

static void go_mistakes(void **state) {
  (void)state;
  resolve_fails("token:s@h.com:443", "missing HTTP path");
  resolve_fails("token:s@h.com:443?catalog=x", "missing HTTP path");
  resolve_fails("token:s@h.com:443/", "missing HTTP path");
  resolve_fails("token:s@:443/x", "missing hostname");
  resolve_fails("token:s@/x", "missing hostname");
  parse_fails("token:s@h.com:foo/x", "invalid port");
  parse_fails("token:s@h.com:/x", "invalid port");
  parse_fails("token:s@h.com:0/x", "invalid port");
  parse_fails("token:s@h.com:65536/x", "invalid port");
  parse_fails("token:s@h.com:99999999999999999999/x", "invalid port");
  parse_fails("token:s@h.com:443/x?maxRows=foo", "maxRows is not of type int");
  parse_fails("token:s@h.com:443/x?maxRows=0", "maxRows must be from 1");
  parse_fails("token:s@h.com:443/x?timeout=foo", "timeout is not of type int");
  parse_fails("token:s@h.com:443/x?timeout=-1", "timeout must be from 0");
  parse_fails("token:s@h.com:443/x?useArrowNativeDecimal=maybe", "useArrowNativeDecimal is not of type bool");
  parse_fails("token:s@h.com:443/x?useCloudFetch=maybe", "useCloudFetch is not of type bool");
  parse_fails("token:s@h.com:443/x?useKernel=true", "useKernel: this value is not supported by this version");
  parse_fails("token:s@h.com:443/x?maxDownloadThreads=129", "maxDownloadThreads must be from 1");
  parse_fails("token:s@h.com:443/x?telemetry_flush_interval=soon", "telemetry_flush_interval is not a time");
  parse_fails("token:s@h.com:443/x?telemetry_flush_interval=5ms", "telemetry_flush_interval must be from 100 to 3600000 milliseconds");
  parse_fails("token:s@h.com:443/x?enableTelemetry=perhaps", "enableTelemetry");
  parse_fails("token:s@h.com:443/x?telemetry_batch_size=0", "telemetry_batch_size");
}

/* ---- What we add to them */

static void percent_encoding(void **state) {
  (void)state;
  dbsql_config *config = parse_ok("token:a%40%3A%2F%3F%23%25b@h.com/a%2Fb?catalog=%26%2B%23%25%3B%3D+x&s%65ssion.p=1&schema=a=b");
  assert_string_equal(token_of(config), "a@:/?#%b");
  assert_string_equal(config_text(config, OPTION_http_path), "/a/b");
  assert_string_equal(config_text(config, OPTION_catalog), "&+#%;= x");
  assert_string_equal(config_text(config, OPTION_schema), "a=b");
  assert_string_equal(parameter(config, "p"), "1");
  dbsql_config_free(config);
  /* '+' is a plus in the token, and '@' needs no escape there */
  config = parse_ok("token:a+b@c@h.com/x");
  assert_string_equal(token_of(config), "a+b@c");
  dbsql_config_free(config);
  parse_fails("token:a%4@h.com/x", "malformed '%' escape in the token (at position 8)");
  parse_fails("token:a%zz@h.com/x", "malformed '%' escape");
  parse_fails("%ztoken:a@h.com/x", "malformed '%' escape in the user");
  parse_fails("h.com/x%", "malformed '%' escape in the path");
  parse_fails("h.com/x?catalog=%", "malformed '%' escape in the value");
  parse_fails("h.com/x?cat%gg=1", "malformed '%' escape in the name");
  parse_fails("token:a[b@h.com/x", "must be percent-encoded");
  parse_fails("token:a b@h.com/x", "must be percent-encoded");
  parse_fails("h.com/x?catalog=%00", "control character");
  parse_fails("h.com/x?catalog=%0a", "control character");
  parse_fails("h.com/x%0d%0aX:y", "control character");
  parse_fails("h.com/x%20y", "http_path has a character");
  parse_fails("h.com/x%3Fo=1", "character that is not allowed in a path");
  parse_fails("h.com/x y", "http_path has a character");
  parse_fails("h.com/x?catalog=%ff", "not valid UTF-8");
  parse_fails("token:%0a@h.com/x", "control character");
}

static void hosts(void **state) {
  (void)state;
  endpoint_is("token:s@[2001:db8::1]/x", "https://[2001:db8::1]:443/x");
  endpoint_is("token:s@[::1]:8443/x", "https://[::1]:8443/x");
  endpoint_is("https://h.com/x", "https://h.com:443/x");
  parse_fails("token:s@[::1/x", "without its ']'");
  parse_fails("token:s@[::1]443/x", "after its brackets");
  parse_fails("token:s@[x]/x", "no IPv6 address");
  parse_fails("token:s@::1/x", "the host");
  parse_fails("a b.com/x", "the host has a character");
  parse_fails("h%41.com/x", "the host has a character");
  parse_fails("h\xC3\xA9.com/x", "the host has a character");
  parse_fails("ftp://h.com/x", "the scheme must be");
  parse_fails("databricks:h.com/x", "the host has an invalid port");
  parse_fails("jdbc:mysql://h.com/x", "the scheme must be");
}

static void pieces_that_mean_little(void **state) {
  (void)state;
  dbsql_config *config = parse_ok("token:s@h.com/x?catalog=&&maxRows=&ANSI_MODE&schema=a&schema=a#fragment?schema=b");
  assert_false(config_is_set(config, OPTION_catalog));
  assert_false(config_is_set(config, OPTION_max_rows_per_fetch));
  assert_string_equal(parameter(config, "ANSI_MODE"), "");
  assert_string_equal(config_text(config, OPTION_schema), "a");
  assert_int_equal(config->parameter_count, 1);
  dbsql_config_free(config);
  parse_fails("h.com/x?catalog=a;schema=b", "must be written %3B");
  parse_fails("h.com/x?=b", "a parameter has no name");
  parse_fails("", "it is empty");
  parse_fails(" \n", "it is empty");
}

static void contradictions(void **state) {
  (void)state;
  parse_fails("h.com/x?catalog=a&catalog=b", "catalog is given twice with different values");
  parse_fails("h.com/x?p1=a&p1=b", "p1 is given twice with different values");
  parse_fails("h.com/x?maxRows=5&RowsFetchedPerBlock=6", "maxRows and RowsFetchedPerBlock give different values for max_rows_per_fetch");
  parse_fails("https://h.com/x?tls=0", "scheme and tls give different values for tls");
  parse_fails("h.com/x?http_path=/y", "http_path");
  parse_fails("h.com/x?host=other.com", "host is given twice");
  parse_fails("PWD=a;Auth_AccessToken=b", "PWD and Auth_AccessToken give different values for access_token");
  parse_fails("PWD=a;pwd=b", "pwd is given twice with different values");
  parse_fails("AllowSelfSignedServerCert=1;tls_verify=1", "AllowSelfSignedServerCert and tls_verify give different values for tls_verify");
  parse_fails("SocketTimeout=1;request_timeout_ms=999", "SocketTimeout and request_timeout_ms");
  parse_fails("SSP_a=1;session.A=2", "given twice");
  dbsql_config_free(parse_ok("PWD=a;Auth_AccessToken=a;SocketTimeout=1;request_timeout_ms=1000;AllowSelfSignedServerCert=1;tls_verify=0"));
}

static void leftovers(void **state) {
  (void)state;
  static const char *const typos[][2] = {{"catalgo", "catalog"},  {"catalogs", "catalog"},  {"maxRow", "maxRows"},
                                         {"maxRwos", "max_rows"}, {"acessToken", "access"}, {"useCloudFetsh", "CloudFet"},
                                         {"tlss", "tls"}};
  for (size_t i = 0; i < sizeof typos / sizeof typos[0]; i++) {
    char text[100];
    snprintf(text, sizeof text, "h.com/x?%s=1", typos[i][0]);
    parse_fails(text, "did you mean");
    parse_fails(text, typos[i][0]);
  }
  static const char *const secrets[] = {"my_token", "db.secret", "userPassword", "dbPwd", "fs.azure.account.key.x", "apiKey"};
  for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
    char text[100];
    snprintf(text, sizeof text, "h.com/x?%s=CANARY", secrets[i]);
    parse_fails(text, "session.NAME");
  }
  parse_fails("h.com/x?a%20b=1", "the name of a session parameter");
  dbsql_config *config = parse_ok("h.com/x?session.my_token=1&STATEMENT_TIMEOUT=5&Case_Kept=1");
  assert_string_equal(parameter(config, "my_token"), "1");
  assert_string_equal(config->parameters[1].name, "STATEMENT_TIMEOUT");
  assert_string_equal(config->parameters[2].name, "Case_Kept");
  dbsql_config_free(config);
  /* there is an end to them */
  size_t size = 1 << 16;
  char *text = malloc(size);
  size_t length = (size_t)snprintf(text, size, "h.com/x?");
  for (int i = 0; i < 1001; i++) length += (size_t)snprintf(text + length, size - length, "&q%dz=1", i);
  parse_fails(text, "more than 1000");
  length = (size_t)snprintf(text, size, "h.com/x?");
  for (int i = 0; i < 4001; i++) length += (size_t)snprintf(text + length, size - length, "&q");
  parse_fails(text, "more than 4000 settings");
  free(text);
}

static void workspace_in_the_path(void **state) {
  (void)state;
  dbsql_config *config = parse_ok("token:s@h.com/sql/1.0/warehouses/a?catalog=c&o=123456&ANSI_MODE=true");
  assert_string_equal(config_text(config, OPTION_http_path), "/sql/1.0/warehouses/a?o=123456");
  assert_ok(config_resolve(config, error));
  assert_string_equal(config_text(config, OPTION_org_id), "123456");
  assert_int_equal(config->parameter_count, 1);
  dbsql_config_free(config);
  endpoint_is("h.com/sql/1.0/warehouses/a?o=5", "https://h.com:443/sql/1.0/warehouses/a?o=5");
  parse_fails("h.com/x?o=5&o=6", "o is given twice with different values");
  parse_fails("h.com/x?o=5a", "o must be a number");
  parse_fails("h.com?o=5", "o belongs to a path");
}

static void nul_and_size(void **state) {
  (void)state;
  dbsql_config *config = new_config();
  dbsql_error *error = NULL;
  assert_int_equal(dbsql_config_parse(config, "token:CANARY@h\0.com/x", 21, &error), DBSQL_ERROR_DRIVER);
  const char *message = message_of(&error);
  assert_contains(message, "there is a NUL in it (at position 15)");
  assert_lacks(message, "CANARY");
  assert_int_equal(dbsql_config_parse(config, NULL, 0, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  /* only `length` bytes count */
  assert_int_equal(dbsql_config_parse(config, "h.com/xyz", 7, NULL), DBSQL_OK);
  assert_string_equal(config_text(config, OPTION_http_path), "/x");
  dbsql_config_free(config);
  /* 64 KiB and more of everything */
  static const char *const heads[] = {
      "token:", "h.com/", "h.com/x?catalog=", "h.com/x?p=", "Catalog=", "Catalog={", "jdbc:databricks://h;ConnCatalog=", "h",
      "[",      "token",  "h.com/x?"};
  size_t size = 70000;
  char *text = malloc(size + 100);
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
    size_t length = strlen(heads[i]);
    memcpy(text, heads[i], length);
    memset(text + length, 'a', size - length);
    config = new_config();
    dbsql_status status = dbsql_config_parse(config, text, size, &error);
    assert_true((status == DBSQL_OK) == (error == NULL));
    if (i == 1 || i == 2 || i == 3 || i == 4 || i == 6) {
      if (status != DBSQL_OK) fail_msg("%s: %s", heads[i], dbsql_error_message(error));
    } else if (status != DBSQL_OK) {
      assert_true(strlen(dbsql_error_message(error)) < 600);
    }
    error_clear(&error);
    dbsql_config_free(config);
  }
  memset(text, 'h', size);
  free(text);
  size = 2 << 20;
  text = calloc(1, size + 1);
  memset(text, 'a', size);
  parse_fails(text, "it is longer than");
  free(text);
}

/* ---- k=v */

static void pairs(void **state) {
  (void)state;
  dbsql_config *config = parse_ok(
      "Driver={Simba Spark ODBC Driver};DSN=x;Host=h.com;Port=443;HTTPPath=/sql/1.0/warehouses/a;SSL=1;ThriftTransport=2;AuthMech=3;"
      "UID=token;PWD={a;b}}c};Catalog = main ;Schema=; SSP_ansi_mode={true};UserAgentEntry=me;RowsFetchedPerBlock=10;"
      "EnableQueryResultDownload=0;SocketTimeout=60;AllowSelfSignedServerCert=0;;");
  assert_string_equal(token_of(config), "a;b}c");
  assert_string_equal(config_text(config, OPTION_catalog), "main");
  assert_false(config_is_set(config, OPTION_schema));
  assert_string_equal(parameter(config, "ansi_mode"), "true");
  assert_int_equal(config_int(config, OPTION_max_rows_per_fetch), 10);
  assert_int_equal(config_int(config, OPTION_request_timeout_ms), 60000);
  assert_true(config_bool(config, OPTION_tls_verify));
  char url[200];
  endpoint_of(config, url);
  assert_string_equal(url, "https://h.com:443/sql/1.0/warehouses/a");
  assert_int_equal(config_int(config, OPTION_auth_type), AUTH_PAT);
  dbsql_config_free(config);
  config = parse_ok("host=localhost;tls=0;http_path=/cliservice;pwd={};catalog={ a };schema={}}};");
  assert_false(config_is_set(config, OPTION_access_token));
  assert_string_equal(config_text(config, OPTION_catalog), " a ");
  assert_string_equal(config_text(config, OPTION_schema), "}");
  assert_ok(config_resolve(config, error));
  assert_true(config_is_plain(config));
  dbsql_config_free(config);
  parse_fails("Host=h;PWD={abc", "a '{' without its '}' (at position 12)");
  parse_fails("Host=h;PWD={abc}d;", "only ';' may follow");
  parse_fails("Host=h;PWD=ab;CANARY;", "a part without '=' (a value with ';' in it needs braces) (at position 15)");
  parse_fails("Host=h;=x", "a value without a name (at position 8)");
  parse_fails("Host=h;Hots=x", "did you mean");
  parse_fails("Host=h;ANSI_MODE=true", "invalid connection string: ANSI_MODE is not the name of an option");
  parse_fails("Host=h;AuthMech=12", "AuthMech: this value is not supported by this version (only 3, 0, 11)");
  parse_fails("Host=h;AuthMech=3;Auth_Flow=1", "give different values for auth_type");
  parse_fails("Host=h;UID=scott;PWD=tiger", "UID: basic auth not enabled");
  parse_fails("Host=h;UseCFProxy=1", "UseCFProxy: this value is not supported");
  parse_fails("Host=h;Port=x", "Port is not of type int (at position 8)");
  parse_fails("Host=h;Catalog=a\nb", "control character");
}

static void jdbc(void **state) {
  (void)state;
  dbsql_config *config = parse_ok(
      "jdbc:databricks://h.com:443/default;transportMode=http;ssl=1;AuthMech=3;httpPath=/sql/1.0/warehouses/a;UID=token;PWD=ab==;"
      "ConnCatalog=main;http.header.X-One=a=b;ANSI_MODE=false;EnableTelemetry=0;UseThriftClient=1;TIMEZONE=UTC;");
  assert_string_equal(token_of(config), "ab==");
  assert_string_equal(config_text(config, OPTION_schema), "default");
  assert_string_equal(config_text(config, OPTION_catalog), "main");
  assert_string_equal(config->headers[0].name, "X-One");
  assert_string_equal(config->headers[0].value, "a=b");
  assert_string_equal(parameter(config, "ANSI_MODE"), "false");
  assert_string_equal(config_text(config, OPTION_timezone), "UTC");
  char url[200];
  endpoint_of(config, url);
  assert_string_equal(url, "https://h.com:443/sql/1.0/warehouses/a");
  dbsql_config_free(config);
  endpoint_is("jdbc:databricks://[::1]:81;httpPath=x", "https://[::1]:81/x");
  endpoint_is("JDBC:Spark://h.com;httpPath=/x", "https://h.com:443/x");
  endpoint_is("jdbc:databricks://h.com;httpPath=/sql/protocolv1/o/12/0819-204509-hill72",
              "https://h.com:443/sql/protocolv1/o/12/0819-204509-hill72");
  parse_fails("jdbc:databricks://h.com/sql/1.0;PWD=x", "the path belongs into httpPath");
  parse_fails("jdbc:databricks://h.com;port=81;port=82", "port is given twice");
  parse_fails("jdbc:databricks://h.com:80;port=81", "port is given twice");
  parse_fails("jdbc:databricks://h.com;foo", "a part without '='");
  parse_fails("jdbc:databricks://h.com;foo=1", "invalid JDBC URL: foo is not the name of an option");
  parse_fails("jdbc:databricks://h.com;AuthMech=12", "AuthMech");
  parse_fails("jdbc:databricks://h.com;UseThriftClient=0", "UseThriftClient");
  parse_fails("jdbc:databricks://a:b:c;", "more than one colon");
}

/* ---- Every option, by every name, in every grammar */

static const char *sample(enum option_id id) {
  const struct option *option = &option_table[id];
  static char number[32];
  switch (option->type) {
    case OPTION_BOOL: return strcmp(option->default_text, "true") == 0 ? "false" : "true";
    case OPTION_INT: snprintf(number, sizeof number, "%lld", (long long)option->max); return number;
    case OPTION_ENUM: return strrchr(option->words, '|') + 1;
    case OPTION_STRING: break;
  }
  if (id == OPTION_http_path) return "/p";
  if (id == OPTION_org_id) return "12";
  if (id == OPTION_proxy_url || id == OPTION_cloudfetch_proxy_url) return "http://p:1";
  if (id == OPTION_token_endpoint || id == OPTION_authorization_endpoint || id == OPTION_discovery_url) return "https://p/q";
  if (id == OPTION_oauth_redirect_port) return "8020-8040";
  if (id == OPTION_azure_workspace_resource_id) return "/subscriptions/x";
  return "value";
}

static void every_name_in_every_grammar(void **state) {
  (void)state;
  for (int i = 0; i < OPTION_COUNT; i++) {
    enum option_id id = (enum option_id)i;
    struct slice name = slice_text(option_table[id].name);
    size_t at = 0;
    do {
      char text[4][300];
      const char *value = sample(id);
      int length = (int)name.size;
      snprintf(text[0], 300, "databricks://?%.*s=%s", length, (const char *)name.data, value);
      snprintf(text[1], 300, "%.*s=%s", length, (const char *)name.data, value);
      snprintf(text[2], 300, "jdbc:databricks://;%.*s=%s", length, (const char *)name.data, value);
      snprintf(text[3], 300, "%.*s={%s};", length, (const char *)name.data, value);
      for (size_t j = 0; j < 4; j++) {
        dbsql_config *config = parse_ok(text[j]);
        if (!config_is_set(config, id)) fail_msg("%s does not set %s", text[j], option_table[id].name);
        if (option_table[id].secret) {
          assert_string_equal(secret_text(config_secret(config, id)), value);
        } else {
          char *read = NULL;
          assert_int_equal(dbsql_config_get(config, option_table[id].name, &read, NULL), DBSQL_OK);
          assert_string_equal(read, value);
          mem_free(read);
        }
        dbsql_config_free(config);
      }
    } while (text_next_piece(option_table[id].aliases, ',', &at, &name));
  }
}

static void parsing_adds(void **state) {
  (void)state;
  dbsql_config *config = parse_ok("token:one@h.com/x?catalog=a&schema=b&p=1");
  const char *second = "catalog=c;session.p=2;session.q=3;PWD=two";
  assert_int_equal(dbsql_config_parse(config, second, strlen(second), NULL), DBSQL_OK);
  assert_string_equal(config_text(config, OPTION_catalog), "c");
  assert_string_equal(config_text(config, OPTION_schema), "b");
  assert_string_equal(token_of(config), "two");
  assert_string_equal(parameter(config, "p"), "2");
  assert_int_equal(config->parameter_count, 2);
  /* and what fails changes nothing */
  const char *bad = "catalog=d;PWD=three;session.p=4;nonsense=1";
  assert_int_equal(dbsql_config_parse(config, bad, strlen(bad), NULL), DBSQL_ERROR_DRIVER);
  assert_string_equal(config_text(config, OPTION_catalog), "c");
  assert_string_equal(token_of(config), "two");
  assert_string_equal(parameter(config, "p"), "2");
  dbsql_config_free(config);
}

/* A secret is in no error, wherever it stands and whatever else is wrong. */
static void no_error_shows_a_secret(void **state) {
  (void)state;
  static const char *const texts[] = {
      "token:CANARY@h.com:x/y",
      "token:CANARY@h.com:443:1/x",
      "token:CANARY/CANARY@h.com/x",
      "token:CANARY?CANARY@h.com/x",
      "token:CANARY#CANARY@h.com/x",
      "token:CANARY%@h.com/x",
      "token:CANARY%zz@h.com",
      "token:CAN ARY@h.com",
      "token:CANARY[@h.com/x",
      "CANARY:token@h.com/x",
      "CANARY@h.com/x",
      ":CANARY@h.com/x",
      "ftp://token:CANARY@h.com/x",
      "token:CANARY@h.com/x?maxRows=CANARY",
      "h.com/x?accessToken=CANARY%",
      "h.com/x?accessToken=CANARY;x",
      "h.com/x?accessToken=CANARY%20x",
      "h.com/x?accessToken=CANARY%0a",
      "h.com/x?my_token=CANARY",
      "h.com/x?accesToken=CANARY",
      "h.com/x?arrow=CANARY",
      "h.com/x?authType=CANARY",
      "h.com/x?accessToken=CANARY&accessToken=CANARY2",
      "token:CANARY@h.com/x?accessToken=CANARY",
      "h.com/x?clientSecret=CANARY",
      "h.com/x?p=CANARY&p=CANARY2",
      "h.com/x?server=CANARY",
      "h.com/x?o=CANARY",
      "h.com/x?tls_min_version=CANARY",
      "h.com/x?useCloudFetch=CANARY",
      "h.com/x?proxy_url=http://u:CANARY@",
      "h.com/x?proxy_url=CANARY://x",
      "h.com/x?proxy_url=http://CANARY%25@h:1",
      "h.com/x?warehouse_id=CANARY%2F",
      "PWD=CANARY;PWD=CANARY2",
      "PWD=CANARY;CANARY",
      "PWD=a;CANARY=b",
      "PWD={CANARY",
      "PWD={CANARY}CANARY",
      "PWD=CANARY;Auth_AccessToken=CANARY3",
      "PWD=CAN ARY CANARY",
      "UID=CANARY;PWD=CANARY",
      "AuthMech=CANARY",
      "Port=CANARY",
      "SocketTimeout=CANARY",
      "AllowSelfSignedServerCert=CANARY",
      "ssl_mode=CANARY",
      "Host=CANARY:CANARY",
      "Host=CANARY@x",
      "HTTPPath=CANARY CANARY",
      "http_header.X=CANARY\x01",
      "http_header.X=CANARY;http_header.X=b",
      "ProxyUID=CANARY:b",
      "ProxyPWD=CANARY;ProxyPWD=x",
      "PWD=a;CANARY=\x01",
      "PWD=a;CANARY=\xff",
      "session.p=CANARY\x7f",
      "org_id=CANARY",
      "timezone=CANARY%",
      "PWD=CANARY\xff",
      "jdbc:databricks://CANARY@h;PWD=x",
      "jdbc:databricks://h;PWD=CANARY;PWD=b",
      "jdbc:databricks://h;PWD=a;CANARY",
      "jdbc:databricks://h;PWD=a;CANARY=1",
      "jdbc:mysql://CANARY@h",
      "dapiCANARY=x",
      "a1b2c3d4e5f6CANARY=x",
      "dapi0123456789CANARY=x",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    dbsql_config *config = new_config();
    dbsql_error *error = NULL;
    if (dbsql_config_parse(config, texts[i], strlen(texts[i]), &error) == DBSQL_OK && config_resolve(config, &error) == DBSQL_OK) {
      fail_msg("%s should fail", texts[i]);
    }
    const char *message = message_of(&error);
    if (strstr(message, "CANARY") || strstr(message, "CAN ARY")) fail_msg("%s: %s", texts[i], message);
    dbsql_config_free(config);
  }
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  static const char *const texts[] = {
      "token:a%40b@h.com:444/sql/1.0/warehouses/a?o=7&catalog=c&ANSI_MODE=true&arrow=0&timezone=UTC&proxy_url=http://u:p@h:1&x=2",
      "Host=h.com;HTTPPath=sql;PWD={a;b};Catalog=c;SSP_a=1;http_header.X=y;server=hive",
      "jdbc:databricks://h.com/s;httpPath=/x;UID=token;PWD=a;ANSI_MODE=true",
      "h.com/x?catalog=a&catalog=b",
      "h.com?warehouse_id=a&proxy_host=p&proxy_port=3&query_tags=a",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    int64_t before = mem_test_live_blocks();
    for (uint64_t n = 1;; n++) {
      dbsql_config *config = NULL, *copy = NULL;
      dbsql_error *error = NULL;
      char *url = NULL, *value = NULL;
      mem_test_fail_at(n);
      dbsql_status status = dbsql_config_new(&config, &error);
      if (status == DBSQL_OK) status = dbsql_config_parse(config, texts[i], strlen(texts[i]), &error);
      if (status == DBSQL_OK) status = dbsql_config_set(config, "session.z", "1", &error);
      if (status == DBSQL_OK) status = config_copy(config, &copy, &error);
      if (status == DBSQL_OK) status = config_resolve(copy, &error);
      if (status == DBSQL_OK) status = config_endpoint(copy, &url, &error);
      if (status == DBSQL_OK) status = dbsql_config_get(copy, "http_path", &value, &error);
      bool struck = mem_test_failed();
      mem_test_fail_at(0);
      if (struck) assert_int_equal(status, DBSQL_ERROR_NO_MEMORY);
      error_clear(&error);
      mem_free(url);
      mem_free(value);
      dbsql_config_free(config);
      dbsql_config_free(copy);
      assert_int_equal(mem_test_live_blocks(), before);
      if (!struck) {
        assert_int_equal(status, i == 3 ? DBSQL_ERROR_DRIVER : DBSQL_OK);
        break;
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(go_base),
      cmocka_unit_test(go_http),
      cmocka_unit_test(go_parameters),
      cmocka_unit_test(go_credentials),
      cmocka_unit_test(go_mistakes),
      cmocka_unit_test(percent_encoding),
      cmocka_unit_test(hosts),
      cmocka_unit_test(pieces_that_mean_little),
      cmocka_unit_test(contradictions),
      cmocka_unit_test(leftovers),
      cmocka_unit_test(workspace_in_the_path),
      cmocka_unit_test(nul_and_size),
      cmocka_unit_test(pairs),
      cmocka_unit_test(jdbc),
      cmocka_unit_test(every_name_in_every_grammar),
      cmocka_unit_test(parsing_adds),
      cmocka_unit_test(no_error_shows_a_secret),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
