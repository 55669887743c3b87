#include "auth.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth_describe.h"
#include "connect.h"
#include "memory.h"
#include "signals.h"

static const char help[] =
    "Usage: dbsql auth COMMAND [OPTION]...\n"
    "Signs in, and shows how.\n"
    "\n"
    "  login      sign in anew; people do so with a browser, and their tokens are kept on disk\n"
    "  token      print an access token\n"
    "  env        print the variables with which other programs sign in: eval \"$(dbsql auth env)\"\n"
    "  describe   print which way to sign in is used, and why; connects to nothing\n"
    "  logout     remove the tokens that login kept\n"
    "\n"
    "Options, as without auth: -d, -o, --token-file, --token-stdin, --token-prompt, --timeout, --output, and\n"
    "      --no-browser         print the address of the sign-in page instead of opening it\n"
    "\n"
    "Where nothing says how to sign in, it is as a person (auth_type=oauth-u2m, token_cache=true).\n"
    "Only login shows a sign-in page.\n";

const char *auth_help(void) {
  return help;
}

static const char *const commands[] = {"login", "token", "logout", "env", "describe"};

bool auth_is_command(const char *name) {
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    if (strcmp(commands[i], name) == 0) return true;
  }
  return false;
}

static int report(dbsql_status status, dbsql_error *error) {
  int code = EXIT_CONNECT;
  if (status == DBSQL_OK) return EXIT_OK;
  if (status == DBSQL_ERROR_CANCELLED && signals_interrupted()) {
    code = 128 + signals_pending();
  } else {
    report_error(NULL, error);
    if (status == DBSQL_ERROR_DRIVER) code = EXIT_USAGE;
  }
  dbsql_error_free(error);
  return code;
}

/* Somebody who only wants a token is not sent to a browser. */
static bool refuse_page(void *user, const char *url) {
  (void)url;
  *(bool *)user = true;
  return false;
}

static void print_time(struct output *output, int64_t unix_ms) {
  char text[40] = "";
  time_t seconds = (time_t)(unix_ms / 1000);
  struct tm parts;
  if (gmtime_r(&seconds, &parts) != NULL) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (unix_ms > 0) output_print(output, ", with a token that is good until %s", text);
}

static int login(struct shell *shell, struct limit *limit) {
  char *token = NULL, *host = NULL, *type = NULL;
  dbsql_config *effective = NULL;
  dbsql_error *error = NULL;
  int64_t expires_at_ms = 0;
  dbsql_status status = dbsql_config_effective(shell->config, &effective, &error);
  if (status == DBSQL_OK) status = dbsql_config_get(effective, "auth_type", &type, &error);
  if (status == DBSQL_OK) status = dbsql_config_get(effective, "host", &host, &error);
  /* Anew means anew: what was kept would be taken otherwise. */
  if (status == DBSQL_OK && type != NULL && strcmp(type, "oauth-u2m") == 0) {
    dbsql_sign_out(shell->config, limit_call(limit), NULL, NULL); /* without a place for tokens there is nothing to remove */
  }
  if (status == DBSQL_OK) status = dbsql_sign_in(shell->config, limit_call(limit), &token, &expires_at_ms, &error);
  int code = report(status, error);
  if (code == EXIT_OK) {
    output_print(&shell->output, "signed in to %s (%s)", host == NULL ? "" : host, type == NULL ? "" : type);
    print_time(&shell->output, expires_at_ms);
    output_text(&shell->output, "\n");
  }
  if (token != NULL) memory_wipe(token, strlen(token));
  dbsql_free(token);
  dbsql_free(host);
  dbsql_free(type);
  dbsql_config_free(effective);
  return code;
}

static int get_token(struct shell *shell, struct limit *limit, char **token) {
  dbsql_error *error = NULL;
  bool page_refused = false;
  dbsql_config_set_browser(shell->config, refuse_page, &page_refused);
  dbsql_status status = dbsql_sign_in(shell->config, limit_call(limit), token, NULL, &error);
  if (status != DBSQL_OK && page_refused) {
    report_message(NULL, "there is no token that is still good: run dbsql auth login");
    dbsql_error_free(error);
    return EXIT_CONNECT;
  }
  return report(status, error);
}

static int token(struct shell *shell, struct limit *limit) {
  char *value = NULL;
  int code = get_token(shell, limit, &value);
  if (code == EXIT_OK) {
    output_text(&shell->output, value);
    output_text(&shell->output, "\n");
    memory_wipe(value, strlen(value));
  }
  dbsql_free(value);
  return code;
}

/* For the shells of POSIX, whatever is in the value. */
static void print_variable(struct output *output, const char *name, const char *value) {
  output_print(output, "export %s='", name);
  for (const char *at = value; *at != '\0'; at++) {
    if (*at == '\'') {
      output_text(output, "'\\''");
    } else {
      output_write(output, at, 1);
    }
  }
  output_text(output, "'\n");
}

/* DATABRICKS_HOST is an origin: without TLS or with a port of its own the host alone would not do. */
static char *origin_of(const dbsql_config *config, const char *host) {
  char *tls = NULL, *port = NULL;
  dbsql_config_get(config, "tls", &tls, NULL);
  dbsql_config_get(config, "port", &port, NULL);
  bool plain = tls != NULL && strcmp(tls, "false") == 0;
  bool v6 = strchr(host, ':') != NULL;
  bool own_port = port != NULL && strcmp(port, plain ? "80" : "443") != 0;
  char *origin = memory_print("%s://%s%s%s%s%s", plain ? "http" : "https", v6 ? "[" : "", host, v6 ? "]" : "", own_port ? ":" : "",
                              own_port ? port : "");
  dbsql_free(tls);
  dbsql_free(port);
  return origin;
}

static int env(struct shell *shell, struct limit *limit) {
  char *value = NULL, *host = NULL, *path = NULL;
  dbsql_config *effective = NULL;
  dbsql_error *error = NULL;
  dbsql_status status = dbsql_config_effective(shell->config, &effective, &error);
  int code = report(status, error);
  if (code == EXIT_OK) code = get_token(shell, limit, &value);
  if (code == EXIT_OK) {
    dbsql_config_get(effective, "host", &host, NULL);
    dbsql_config_get(effective, "http_path", &path, NULL);
    char *origin = origin_of(effective, host == NULL ? "" : host);
    print_variable(&shell->output, "DATABRICKS_HOST", origin);
    if (path != NULL) print_variable(&shell->output, "DATABRICKS_HTTP_PATH", path);
    print_variable(&shell->output, "DATABRICKS_AUTH_TYPE", "pat");
    print_variable(&shell->output, "DATABRICKS_TOKEN", value);
    memory_wipe(value, strlen(value));
    free(origin);
  }
  dbsql_free(value);
  dbsql_free(host);
  dbsql_free(path);
  dbsql_config_free(effective);
  return code;
}

static int logout(struct shell *shell, struct limit *limit) {
  dbsql_error *error = NULL;
  bool was_there = false;
  dbsql_status status = dbsql_sign_out(shell->config, limit_call(limit), &was_there, &error);
  int code = report(status, error);
  if (code == EXIT_OK) output_text(&shell->output, was_there ? "the tokens are removed\n" : "there were no tokens\n");
  return code;
}

/* Where nothing says how to sign in, a person does. */
static int assume_person(dbsql_config *config) {
  dbsql_config *effective = NULL;
  dbsql_error *error = NULL;
  char *type = NULL;
  dbsql_status status = dbsql_config_effective(config, &effective, &error);
  if (status == DBSQL_OK) status = dbsql_config_get(effective, "auth_type", &type, &error);
  bool said = strcmp(dbsql_config_source(config, "auth_type"), "default") != 0;
  if (status == DBSQL_OK && type != NULL && strcmp(type, "none") == 0 && !said) {
    status = dbsql_config_set(config, "auth_type", "oauth-u2m", &error);
    dbsql_free(type);
    type = memory_copy("oauth-u2m");
  }
  if (status == DBSQL_OK && type != NULL && strcmp(type, "oauth-u2m") == 0 &&
      strcmp(dbsql_config_source(config, "token_cache"), "default") == 0) {
    status = dbsql_config_set(config, "token_cache", "true", &error);
  }
  dbsql_config_free(effective);
  dbsql_free(type);
  return report(status, error);
}

int auth_run(struct shell *shell) {
  const char *command = shell->args->auth;
  struct limit limit = shell_limit(shell);
  if (strcmp(command, "describe") == 0) return auth_describe(shell);
  int code = assume_person(shell->config);
  if (code != EXIT_OK) return code;
  if (strcmp(command, "login") == 0) return login(shell, &limit);
  if (strcmp(command, "token") == 0) return token(shell, &limit);
  if (strcmp(command, "env") == 0) return env(shell, &limit);
  return logout(shell, &limit);
}
