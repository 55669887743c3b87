/* The shell's state, and what runs in it: statements (run.c), their results (show.c), commands (meta.c) and the prompt (repl.c). */
#ifndef DBSQL_CLI_SHELL_H
#define DBSQL_CLI_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbsql/dbsql.h>

#include "args.h"
#include "format.h"
#include "output.h"
#include "progress.h"
#include "report.h"

enum { DEEPEST_INCLUDE = 16 };

struct shell {
  const struct args *args;
  dbsql_config *config;
  dbsql_connection *connection;
  dbsql_cancel *cancel;
  struct output output;
  struct progress *progress; /* while a statement runs */
  struct format_settings format;
  enum format_kind format_before_x; /* where \x goes back to */
  char *null_text;
  int64_t timeout_ms;
  bool timing;
  bool echo;
  bool stop_on_error;
  bool interactive; /* there is somebody at a prompt */
  bool quit;
  bool result_shown; /* an empty line stands before the next one */
  unsigned depth;    /* of \i */
  struct place place;
};

/* Time that is left of a statement's limit, for each library call of it. */
struct limit {
  dbsql_call call;
  int64_t until_ms; /* 0: no limit of ours */
};
struct limit shell_limit(const struct shell *shell);
/* The call to make now, with what is left of the time. */
const dbsql_call *limit_call(struct limit *limit);

/* ---- show.c ---- */

/* Which columns of a result are shown, and under which names; the columns are found by name, or by position if there is no such name. */
struct shown_column {
  const char *source;
  size_t position;
  const char *title;
};

struct outcome {
  dbsql_status status; /* of the library */
  uint64_t rows;
};
/* Shows a whole result. `columns` NULL shows all as they are. Write failures are in shell->output. */
struct outcome show_result(struct shell *shell, dbsql_result *result, const struct shown_column *columns, size_t column_count,
                           struct limit *limit, dbsql_error **error);
/* The table of --options. False if the format cannot show it. */
bool show_options(struct shell *shell);

/* ---- run.c: each answers an exit code ---- */

int run_statement(struct shell *shell, const char *sql, size_t length);
/* A text with statements and commands. */
int run_text(struct shell *shell, const char *text, size_t length);
/* A file, or standard input for "-". */
int run_file(struct shell *shell, const char *path);
/* Shows a result that a metadata call gave, and frees it; or reports the error. */
int run_shown(struct shell *shell, dbsql_status status, dbsql_result *result, dbsql_error *error, const struct shown_column *columns,
              size_t column_count, struct limit *limit, uint64_t *rows);
/* What a closed pipe, a full disk ... leads to: reports it, unless nobody reads any more. */
int run_output_failure(struct shell *shell);
/* Hangs the shell's interrupt and progress handling on shell->output, after it was opened. */
void run_attach_output(struct shell *shell);
/* To be called around what may take long: clears an old interrupt, shows progress. */
void run_begin(struct shell *shell);
void run_end(struct shell *shell);
/* Connects again if the session was lost and somebody is at a prompt. */
int run_ensure_connection(struct shell *shell);

/* ---- meta.c ---- */

/* Runs a command line that begins with a backslash. */
int meta_run(struct shell *shell, const char *line, size_t length);

/* ---- repl.c ---- */

int repl_run(struct shell *shell);

#endif
