/* dbsql, the shell: docs/shell.md. */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "args.h"
#include "auth.h"
#include "connect.h"
#include "local.h"
#include "memory.h"
#include "shell.h"
#include "signals.h"

/* A file that is opened must not become standard output or error because the caller closed those. */
static void guard_standard_files(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
      /* The wrong way round, so that using it stays an error. */
      int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
      if (opened != fd && opened >= 0) close(opened);
    }
  }
}

/* For line editing: what is typed is UTF-8. */
static void use_utf8(void) {
  setlocale(LC_CTYPE, "");
  if (strcasecmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

static bool shell_open(struct shell *shell, const struct args *args) {
  shell->args = args;
  shell->null_text = args->null_text == NULL ? NULL : memory_copy(args->null_text);
  shell->format = (struct format_settings){args->format, !args->no_header, shell->null_text, 0};
  shell->format_before_x = args->format == FORMAT_VERTICAL ? FORMAT_TABLE : args->format;
  shell->timeout_ms = args->timeout_ms;
  shell->timing = args->timing;
  shell->echo = args->echo;
  shell->stop_on_error = args->on_error != ON_ERROR_KEEP_GOING;
  bool good = true;
  if (args->output == NULL) {
    output_open_stdout(&shell->output);
  } else if (!output_open_file(&shell->output, args->output)) {
    report_message(NULL, "cannot write to '%s': %s", args->output, strerror(shell->output.failure));
    good = false;
  }
  run_attach_output(shell);
  return good;
}

static int print_and_end(struct shell *shell, const char *text) {
  output_text(&shell->output, text);
  return output_flush(&shell->output) ? EXIT_OK : run_output_failure(shell);
}

static int run_options(struct shell *shell) {
  if (!show_options(shell)) {
    report_message(NULL, "--options has no arrow format");
    return EXIT_USAGE;
  }
  return output_flush(&shell->output) ? EXIT_OK : run_output_failure(shell);
}

static int run_action(struct shell *shell, const struct action *action) {
  return action->is_file ? run_file(shell, action->text) : run_text(shell, action->text, strlen(action->text));
}

static int run_all(struct shell *shell) {
  const struct args *args = shell->args;
  if (args->action_count == 0) {
    shell->interactive = isatty(STDIN_FILENO) == 1;
    return shell->interactive ? repl_run(shell) : run_file(shell, "-");
  }
  int worst = EXIT_OK;
  for (size_t i = 0; i < args->action_count && !shell->quit; i++) {
    int code = run_action(shell, &args->actions[i]);
    if (code == EXIT_OK) continue;
    bool ends = shell->stop_on_error || code >= 128 || code == EXIT_OUTPUT || code == EXIT_CONNECT;
    if (worst == EXIT_OK || ends) worst = code;
    if (ends) break;
  }
  return worst;
}

static int run_connected(struct shell *shell, const char *program) {
  struct local local = LOCAL_INIT;
  int code = EXIT_OK;
  if (shell->args->local) {
    char *message = NULL;
    if (!local_start(&local, program, shell->args->local_database, &message)) {
      if (!signals_interrupted()) report_message(NULL, "%s", message);
      free(message);
      return signals_interrupted() ? 128 + signals_pending() : EXIT_CONNECT;
    }
  }
  code = connect_configure(shell->args, local.dsn, &shell->config);
  if (code == EXIT_OK) {
    struct limit limit = shell_limit(shell);
    code = connect_open(shell->args, shell->config, limit_call(&limit), &shell->connection);
  }
  if (code == EXIT_OK) code = run_all(shell);
  /* A Ctrl-C must not keep the session from being closed. */
  dbsql_call goodbye = DBSQL_CALL_INIT;
  goodbye.timeout_ms = 5000;
  dbsql_connection_close(shell->connection, &goodbye, NULL);
  dbsql_config_free(shell->config);
  local_stop(&local);
  return code;
}

static int run_auth(struct shell *shell) {
  int code = connect_configure(shell->args, NULL, &shell->config);
  if (code == EXIT_OK) code = auth_run(shell);
  dbsql_config_free(shell->config);
  if (!output_flush(&shell->output) && code == EXIT_OK) code = run_output_failure(shell);
  return code;
}

static int run(struct shell *shell, const char *program) {
  const struct args *args = shell->args;
  if (args->help) return print_and_end(shell, args->auth != NULL ? auth_help() : args_help());
  if (args->version) {
    char *text = memory_print("dbsql %s (library %s)\n", DBSQL_VERSION, dbsql_version());
    int code = print_and_end(shell, text);
    free(text);
    return code;
  }
  if (args->list_options) return run_options(shell);
  return args->auth != NULL ? run_auth(shell) : run_connected(shell, program);
}

int main(int argc, char **argv) {
  struct args args;
  struct shell shell;
  char *message = NULL;
  dbsql_error *error = NULL;
  int code = EXIT_USAGE;
  memset(&shell, 0, sizeof shell);
  guard_standard_files();
  use_utf8();
  if (!args_parse(&args, argc, argv, &message)) {
    report_message(NULL, "%s", message);
    free(message);
    args_free(&args);
    return EXIT_USAGE;
  }
  if (dbsql_cancel_new(&shell.cancel, &error) != DBSQL_OK) {
    report_error(NULL, error);
    dbsql_error_free(error);
    args_free(&args);
    return EXIT_CONNECT;
  }
  signals_install(shell.cancel);
  code = shell_open(&shell, &args) ? run(&shell, argv[0]) : EXIT_OUTPUT;
  bool reported = output_failed(&shell.output);
  char *name = memory_copy(shell.output.name);
  int failure = output_close(&shell.output);
  if (failure != 0 && !reported) {
    report_message(NULL, "cannot write to %s: %s", name, strerror(failure));
    if (code == EXIT_OK) code = EXIT_OUTPUT;
  }
  free(name);
  free(shell.null_text);
  signals_remove();
  dbsql_cancel_free(shell.cancel);
  args_free(&args);
  return code;
}
