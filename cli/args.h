/* The command line. */
#ifndef DBSQL_CLI_ARGS_H
#define DBSQL_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

/* The exit codes of the shell: docs/shell.md. */
enum exit_code {
  EXIT_OK = 0,
  EXIT_STATEMENT = 1,  /* a statement failed */
  EXIT_USAGE = 2,      /* the command line, an option or a file with SQL is wrong */
  EXIT_CONNECT = 3,    /* no connection, or not let in */
  EXIT_OUTPUT = 4,     /* what was asked for cannot be written */
  EXIT_INTERRUPT = 130 /* Ctrl-C; 128 + number for other signals */
};

struct action {
  bool is_file; /* otherwise SQL */
  char *text;   /* the SQL, or the file's name; "-" is standard input */
};

struct option_setting {
  char *name;
  char *value;
};

enum on_error { ON_ERROR_DEFAULT, ON_ERROR_STOP, ON_ERROR_KEEP_GOING };

struct args {
  bool help;
  bool version;
  bool list_options;
  char *auth; /* the command of `dbsql auth`; NULL: it is none */
  bool no_browser;
  bool local;
  char *local_database; /* NULL: in memory */
  char *dsn;
  char *token_file;
  bool token_stdin;
  bool token_prompt;
  struct option_setting *options;
  size_t option_count;
  struct action *actions;
  size_t action_count;
  enum format_kind format;
  char *null_text; /* NULL: the format's own */
  bool no_header;
  int64_t timeout_ms; /* 0: the connection's */
  bool timing;
  char *output;
  bool echo;
  enum on_error on_error;
};

/* Reads the command line into `args`, to be freed with args_free() in any case. What may hold a secret (the DSN, option values) is
 * overwritten in `argv`, so that it does not show in a list of processes. On failure `*message` says what was wrong, never with a value
 * that could be a secret; freed by the caller. */
bool args_parse(struct args *args, int argc, char **argv, char **message);
void args_free(struct args *args);
/* The text of --help. */
const char *args_help(void);
/* A number of milliseconds from 1 on. */
bool args_parse_milliseconds(const char *text, int64_t *value);

#endif
