#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "connect.h"
#include "memory.h"
#include "shell.h"
#include "signals.h"
#include "splitter.h"
#include "width.h"

void run_begin(struct shell *shell) {
  if (shell->interactive) signals_clear();
  shell->progress = progress_start();
}

void run_end(struct shell *shell) {
  progress_stop(shell->progress);
  shell->progress = NULL;
}

/* The progress line must not stand in the way of what goes to the terminal. */
static void before_write(void *user) {
  struct shell *shell = user;
  if (shell->output.is_terminal) run_end(shell);
}

void run_attach_output(struct shell *shell) {
  shell->output.interrupted = signals_interrupted;
  shell->output.before_write = before_write;
  shell->output.user = shell;
}

int run_output_failure(struct shell *shell) {
  int failure = shell->output.failure;
  if (failure == ECANCELED) return 128 + signals_pending();
  /* A reader that went away is no news to anybody. */
  if (failure != EPIPE) report_message(NULL, "cannot write to %s: %s", shell->output.name, strerror(failure));
  if (shell->interactive && shell->output.owned) { /* \o to a full disk: the shell goes on at the terminal */
    output_close(&shell->output);
    output_open_stdout(&shell->output);
    run_attach_output(shell);
    report_note("results go to standard output again");
    return EXIT_STATEMENT;
  }
  shell->quit = true;
  return EXIT_OUTPUT;
}

int run_ensure_connection(struct shell *shell) {
  if (shell->connection != NULL && dbsql_connection_is_alive(shell->connection)) return EXIT_OK;
  if (shell->connection != NULL && !shell->interactive) return EXIT_OK; /* the statement fails and says why */
  if (shell->connection != NULL) {
    report_note("the session was lost: opening a new one; variables, temporary views and settings are gone");
    dbsql_connection_close(shell->connection, NULL, NULL);
    shell->connection = NULL;
  }
  if (shell->interactive) signals_clear();
  struct limit limit = shell_limit(shell);
  return connect_open(shell->args, shell->config, limit_call(&limit), &shell->connection);
}

static int code_of(const struct shell *shell, dbsql_status status) {
  if (status == DBSQL_OK) return EXIT_OK;
  if (!shell->interactive && signals_interrupted()) return 128 + signals_pending();
  return EXIT_STATEMENT;
}

int run_shown(struct shell *shell, dbsql_status status, dbsql_result *result, dbsql_error *error, const struct shown_column *columns,
              size_t column_count, struct limit *limit, uint64_t *rows) {
  struct outcome outcome = {status, 0};
  if (status == DBSQL_OK) outcome = show_result(shell, result, columns, column_count, limit, &error);
  dbsql_result_free(result);
  run_end(shell);
  int code = code_of(shell, outcome.status);
  if (output_failed(&shell->output)) {
    code = run_output_failure(shell);
  } else if (outcome.status != DBSQL_OK) {
    report_error(&shell->place, error);
  }
  dbsql_error_free(error);
  *rows = outcome.rows;
  return code;
}

static void report_time(const struct timespec *begin, uint64_t rows) {
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  double ms = (double)(end.tv_sec - begin->tv_sec) * 1e3 + (double)(end.tv_nsec - begin->tv_nsec) / 1e6;
  report_note("time: %.3f ms, %" PRIu64 " row%s", ms, rows, rows == 1 ? "" : "s");
}

int run_statement(struct shell *shell, const char *sql, size_t length) {
  if (shell->format.kind == FORMAT_ARROW && shell->output.is_terminal) {
    report_message(&shell->place, "an Arrow stream is not for a terminal: use --output FILE, \\o FILE, or a pipe");
    return EXIT_USAGE;
  }
  if (shell->echo) {
    fwrite(sql, 1, length, stderr);
    fputs(";\n", stderr);
  }
  int code = run_ensure_connection(shell);
  if (code != EXIT_OK) return code;
  struct timespec begin;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  dbsql_result *result = NULL;
  dbsql_error *error = NULL;
  uint64_t rows = 0;
  run_begin(shell);
  struct limit limit = shell_limit(shell);
  dbsql_status status = dbsql_execute(shell->connection, sql, length, limit_call(&limit), &result, &error);
  code = run_shown(shell, status, result, error, NULL, 0, &limit, &rows);
  if (shell->timing) report_time(&begin, rows);
  return code;
}

/* Whether to go on after that. */
static bool goes_on(const struct shell *shell, int code) {
  if (shell->quit || code >= 128 || code == EXIT_OUTPUT || code == EXIT_CONNECT) return false;
  if (code == EXIT_OK) return true;
  return !shell->stop_on_error && (shell->connection == NULL || dbsql_connection_is_alive(shell->connection));
}

static int run_piece(struct shell *shell, const struct piece *piece) {
  if (!shell->interactive && signals_interrupted()) return 128 + signals_pending();
  shell->place.line = piece->line;
  return piece->is_command ? meta_run(shell, piece->text, piece->length) : run_statement(shell, piece->text, piece->length);
}

/* Runs what is whole; at the end also the rest. `*worst` keeps the first failure. False: stop. */
static bool run_pieces(struct shell *shell, struct splitter *splitter, bool at_end, int *worst) {
  struct piece piece;
  const char *open = NULL;
  while (splitter_next(splitter, &piece) || (at_end && splitter_finish(splitter, &piece, &open))) {
    int code;
    if (open != NULL) {
      shell->place.line = piece.line;
      report_message(&shell->place, "the text ends within %s", open);
      code = EXIT_USAGE;
    } else {
      code = run_piece(shell, &piece);
    }
    if (code != EXIT_OK && (*worst == EXIT_OK || !goes_on(shell, code))) *worst = code;
    if (!goes_on(shell, code)) return false;
  }
  return true;
}

static int report_bad_text(const char *name, enum utf8_verdict verdict, uint64_t position) {
  report_message(NULL, "%s: byte %" PRIu64 " is %s", name, position + 1,
                 verdict == UTF8_NUL ? "a NUL, which SQL cannot hold" : "not valid UTF-8");
  return EXIT_USAGE;
}

int run_text(struct shell *shell, const char *text, size_t length) {
  struct utf8_check check = {{0}, 0, 0};
  enum utf8_verdict verdict = utf8_check_piece(&check, text, length);
  if (verdict == UTF8_RIGHT) verdict = utf8_check_end(&check);
  if (verdict != UTF8_RIGHT) return report_bad_text("-c", verdict, check.position);
  struct splitter splitter = SPLITTER_INIT;
  int worst = EXIT_OK;
  splitter_feed(&splitter, text, length);
  run_pieces(shell, &splitter, true, &worst);
  splitter_free(&splitter);
  return worst;
}

/* What comes from a file on its way to the splitter. */
struct source {
  struct splitter splitter;
  struct utf8_check check;
  const char *name;
  bool begun;
};

/* Checks and feeds one chunk. */
static int source_take(struct source *source, const char *chunk, size_t size) {
  enum utf8_verdict verdict = utf8_check_piece(&source->check, chunk, size);
  if (verdict != UTF8_RIGHT) return report_bad_text(source->name, verdict, source->check.position);
  if (!source->begun && size >= 3 && memcmp(chunk, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark */
    chunk += 3;
    size -= 3;
  }
  source->begun = true;
  splitter_feed(&source->splitter, chunk, size);
  return EXIT_OK;
}

/* A regular file is read and checked whole before anything of it runs; of a pipe each statement runs as soon as it is there. */
static int run_source(struct shell *shell, int fd, struct source *source) {
  struct stat status;
  bool whole = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  char *chunk = memory_new(64 * 1024);
  int worst = EXIT_OK;
  bool stopped = false;
  while (!stopped) {
    ssize_t got = signals_wait_readable(fd, -1) ? read(fd, chunk, 64 * 1024) : -1;
    if (got < 0 && errno == EINTR && !signals_interrupted()) continue;
    if (got < 0) {
      worst = signals_interrupted() ? 128 + signals_pending() : EXIT_USAGE;
      if (!signals_interrupted()) report_message(NULL, "cannot read %s: %s", source->name, strerror(errno));
      stopped = true;
    } else if (got == 0) {
      break;
    } else {
      int code = source_take(source, chunk, (size_t)got);
      if (code != EXIT_OK) worst = code;
      stopped = code != EXIT_OK || (!whole && !run_pieces(shell, &source->splitter, false, &worst));
    }
  }
  if (!stopped && utf8_check_end(&source->check) != UTF8_RIGHT) {
    worst = report_bad_text(source->name, UTF8_WRONG, source->check.position);
    stopped = true;
  }
  if (!stopped) run_pieces(shell, &source->splitter, true, &worst);
  free(chunk);
  return worst;
}

int run_file(struct shell *shell, const char *path) {
  bool is_stdin = strcmp(path, "-") == 0;
  if (shell->depth >= DEEPEST_INCLUDE) {
    report_message(&shell->place, "files include each other more than %d levels deep", DEEPEST_INCLUDE);
    return EXIT_USAGE;
  }
  int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    report_message(&shell->place, "cannot open '%s': %s", path, strerror(errno));
    return EXIT_USAGE;
  }
  struct source source = {.splitter = SPLITTER_INIT, .name = is_stdin ? "standard input" : path};
  struct place before = shell->place;
  shell->place = (struct place){source.name, 0};
  shell->depth++;
  int code = run_source(shell, fd, &source);
  shell->depth--;
  shell->place = before;
  splitter_free(&source.splitter);
  if (!is_stdin) close(fd);
  return code;
}
