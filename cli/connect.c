#include "connect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "memory.h"
#include "report.h"
#include "signals.h"

enum { LONGEST_TOKEN = 64 * 1024 };

/* Reads one line, byte by byte: what follows belongs to somebody else. NULL on failure or an interrupt; wiped and freed by the caller. */
static char *read_line(int fd) {
  char *line = memory_new(LONGEST_TOKEN + 1);
  size_t size = 0;
  for (;;) {
    ssize_t got = signals_wait_readable(fd, -1) ? read(fd, line + size, 1) : -1;
    if (got < 0 && errno == EINTR && !signals_interrupted()) continue;
    if (got < 0 || size == LONGEST_TOKEN) {
      memory_wipe(line, size);
      free(line);
      return NULL;
    }
    if (got == 0 || line[size] == '\n') break;
    size++;
  }
  while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == ' ' || line[size - 1] == '\t')) size--;
  line[size] = '\0';
  return line;
}

/* Asks on the terminal, without echo. */
static char *prompt_token(void) {
  int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return NULL;
  struct termios before;
  char *token = NULL;
  if (tcgetattr(fd, &before) == 0) {
    struct termios silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    silent.c_lflag |= ICANON | ISIG;
    if (tcsetattr(fd, TCSAFLUSH, &silent) == 0) {
      static const char question[] = "Access token: ";
      if (write(fd, question, sizeof question - 1) > 0) token = read_line(fd);
      tcsetattr(fd, TCSAFLUSH, &before);
      if (write(fd, "\n", 1) < 0) errno = 0; /* only looks */
    }
  }
  close(fd);
  return token;
}

static int set_token(dbsql_config *config, char *token, const char *source) {
  dbsql_error *error = NULL;
  int code = EXIT_USAGE;
  if (token == NULL && signals_interrupted()) {
    code = 128 + signals_pending();
  } else if (token == NULL) {
    report_message(NULL, "cannot read the access token from %s", source);
  } else if (token[0] == '\0') {
    report_message(NULL, "the access token from %s is empty", source);
  } else if (dbsql_config_set(config, "access_token", token, &error) != DBSQL_OK) {
    report_error(NULL, error);
  } else {
    code = EXIT_OK;
  }
  dbsql_error_free(error);
  memory_wipe_free(token);
  return code;
}

static int take_token(const struct args *args, dbsql_config *config) {
  if (args->token_stdin) return set_token(config, read_line(STDIN_FILENO), "standard input");
  if (args->token_prompt) return set_token(config, prompt_token(), "the terminal");
  if (args->token_file == NULL) return EXIT_OK;
  int fd = open(args->token_file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    report_message(NULL, "cannot open the token file '%s': %s", args->token_file, strerror(errno));
    return EXIT_USAGE;
  }
  int code = set_token(config, read_line(fd), args->token_file);
  close(fd);
  return code;
}

/* The host in a text such as "https://host:443/": where it begins, and its length. */
static const char *host_part(const char *text, size_t *length) {
  const char *scheme = strstr(text, "://");
  if (scheme != NULL) text = scheme + 3;
  *length = text[0] == '[' ? strcspn(text, "]") : strcspn(text, ":/?");
  return text;
}

/* A token in the environment belongs to the host that is named beside it: it is not sent to another one (auth.md T3). */
static bool environment_fits(const dbsql_config *config) {
  const char *theirs = getenv("DATABRICKS_HOST");
  if (theirs == NULL || theirs[0] == '\0') theirs = getenv("DATABRICKS_SERVER_HOSTNAME");
  char *ours = NULL;
  if (theirs == NULL || theirs[0] == '\0' || dbsql_config_get(config, "host", &ours, NULL) != DBSQL_OK || ours == NULL) return true;
  size_t their_length;
  size_t our_length;
  const char *their_host = host_part(theirs, &their_length);
  const char *our_host = host_part(ours, &our_length);
  bool same = their_length == our_length && strncasecmp(their_host, our_host, our_length) == 0;
  dbsql_free(ours);
  return same;
}

/* For who must not or cannot open a browser. */
static bool show_address(void *user, const char *url) {
  (void)user;
  report_note("open this page to sign in: %s", url);
  return true;
}

static bool has_display(void) {
#if defined(__APPLE__)
  return true;
#else
  const char *x11 = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
  return (x11 != NULL && *x11 != '\0') || (wayland != NULL && *wayland != '\0');
#endif
}

static dbsql_status configure(const struct args *args, const char *dsn, dbsql_config *config, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  if (dsn != NULL) status = dbsql_config_parse(config, dsn, strlen(dsn), error);
  for (size_t i = 0; i < args->option_count && status == DBSQL_OK; i++) {
    status = dbsql_config_set(config, args->options[i].name, args->options[i].value, error);
  }
  return status;
}

int connect_configure(const struct args *args, const char *local_dsn, dbsql_config **config) {
  dbsql_error *error = NULL;
  int code = EXIT_USAGE;
  const char *dsn = local_dsn != NULL ? local_dsn : args->dsn != NULL ? args->dsn : getenv("DBSQL_DSN");
  if (dsn != NULL && dsn[0] == '\0') dsn = NULL;
  *config = NULL;
  if (dbsql_config_new(config, &error) != DBSQL_OK || configure(args, dsn, *config, &error) != DBSQL_OK) {
    report_error(NULL, error);
    goto cleanup;
  }
  if (args->no_browser || !has_display()) dbsql_config_set_browser(*config, show_address, NULL);
  code = take_token(args, *config);
  if (code != EXIT_OK) goto cleanup;
  if (local_dsn == NULL) {
    if (!environment_fits(*config)) {
      report_note("note: DATABRICKS_HOST names another host, so the DATABRICKS_* variables are not used");
    } else if (dbsql_config_load_environment(*config, &error) != DBSQL_OK) {
      report_error(NULL, error);
      code = EXIT_USAGE;
      goto cleanup;
    }
  }
  char *host = NULL, *profile = NULL;
  dbsql_config_get(*config, "profile", &profile, NULL);
  if (profile == NULL && dbsql_config_get(*config, "host", &host, NULL) == DBSQL_OK && host == NULL) {
    report_message(NULL, "no server is named: give --dsn, DBSQL_DSN, DATABRICKS_HOST with DATABRICKS_HTTP_PATH, or --local");
    code = EXIT_USAGE;
  }
  dbsql_free(host);
  dbsql_free(profile);
cleanup:
  if (code != EXIT_OK) {
    dbsql_config_free(*config);
    *config = NULL;
  }
  dbsql_error_free(error);
  return code;
}

static bool may_ask(const struct args *args, const dbsql_error *error) {
  if (args->local || args->token_file != NULL || args->token_stdin || args->token_prompt) return false;
  if (dbsql_error_http_status(error) != 401 && strcmp(dbsql_error_sqlstate(error), "28000") != 0) return false;
  return isatty(STDERR_FILENO) == 1 && isatty(STDIN_FILENO) == 1;
}

int connect_open(const struct args *args, dbsql_config *config, const dbsql_call *call, dbsql_connection **connection) {
  dbsql_error *error = NULL;
  int code = EXIT_OK;
  *connection = NULL;
  dbsql_status status = dbsql_connect(config, call, connection, &error);
  if (status != DBSQL_OK && may_ask(args, error)) {
    report_error(NULL, error);
    dbsql_error_free(error);
    error = NULL;
    code = set_token(config, prompt_token(), "the terminal");
    if (code != EXIT_OK) return code;
    status = dbsql_connect(config, call, connection, &error);
  }
  if (status == DBSQL_ERROR_CANCELLED && signals_interrupted()) {
    code = 128 + signals_pending();
  } else if (status != DBSQL_OK) {
    report_error(NULL, error);
    code = EXIT_CONNECT;
  }
  dbsql_error_free(error);
  return code;
}
