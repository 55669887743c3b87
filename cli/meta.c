/* The commands that begin with a backslash. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "memory.h"
#include "names.h"
#include "shell.h"

struct command {
  const char *name;
  int (*run)(struct shell *shell, const char *argument);
  bool takes_argument;
  const char *usage;
  const char *help;
};

static int bad_argument(const struct shell *shell, const char *what, const char *value) {
  report_message(&shell->place, "%s, not '%s'", what, value);
  return EXIT_USAGE;
}

/* "on", "off", or nothing to turn it over. */
static int set_switch(const struct shell *shell, const char *name, const char *value, bool *slot) {
  if (value == NULL) {
    *slot = !*slot;
  } else if (strcmp(value, "on") == 0 || strcmp(value, "off") == 0) {
    *slot = strcmp(value, "on") == 0;
  } else {
    char *what = memory_print("%s takes on or off", name);
    int code = bad_argument(shell, what, value);
    free(what);
    return code;
  }
  if (shell->interactive) report_note("%s is %s", name, *slot ? "on" : "off");
  return EXIT_OK;
}

static int meta_quit(struct shell *shell, const char *argument) {
  (void)argument;
  shell->quit = true;
  return EXIT_OK;
}

static int meta_timing(struct shell *shell, const char *argument) {
  return set_switch(shell, "timing", argument, &shell->timing);
}

static void set_kind(struct shell *shell, enum format_kind kind) {
  if (shell->format.kind != FORMAT_VERTICAL) shell->format_before_x = shell->format.kind;
  shell->format.kind = kind;
}

static int meta_vertical(struct shell *shell, const char *argument) {
  bool vertical = shell->format.kind == FORMAT_VERTICAL;
  int code = set_switch(shell, "vertical", argument, &vertical);
  if (code == EXIT_OK) set_kind(shell, vertical ? FORMAT_VERTICAL : shell->format_before_x);
  return code;
}

static int meta_format(struct shell *shell, const char *argument) {
  enum format_kind kind;
  if (argument == NULL) {
    output_print(&shell->output, "%s\n", format_kind_name(shell->format.kind));
    return EXIT_OK;
  }
  if (!format_kind_parse(argument, &kind)) return bad_argument(shell, "the format is one of " FORMAT_NAMES, argument);
  set_kind(shell, kind);
  return EXIT_OK;
}

static int meta_output(struct shell *shell, const char *argument) {
  struct output next;
  if (argument == NULL) {
    output_open_stdout(&next);
  } else if (!output_open_file(&next, argument)) {
    report_message(&shell->place, "cannot write to '%s': %s", argument, strerror(next.failure));
    output_close(&next);
    return shell->interactive ? EXIT_STATEMENT : EXIT_OUTPUT;
  }
  char *name = memory_copy(shell->output.name);
  int failure = output_close(&shell->output);
  shell->output = next;
  run_attach_output(shell);
  shell->result_shown = false;
  if (failure != 0) report_message(&shell->place, "cannot write to %s: %s", name, strerror(failure));
  free(name);
  return failure == 0 ? EXIT_OK : shell->interactive ? EXIT_STATEMENT : EXIT_OUTPUT;
}

static int meta_include(struct shell *shell, const char *argument) {
  if (argument == NULL) {
    report_message(&shell->place, "\\i needs a file");
    return EXIT_USAGE;
  }
  return run_file(shell, argument);
}

static void show_info(struct shell *shell, const char *name, int32_t info_type, struct limit *limit) {
  char *value = NULL;
  if (dbsql_connection_get_info(shell->connection, info_type, limit_call(limit), &value, NULL) != DBSQL_OK || value == NULL) return;
  output_print(&shell->output, "%-10s %s\n", name, value);
  dbsql_free(value);
}

static void show_option(struct shell *shell, const char *name, const char *option) {
  char *value = NULL;
  if (dbsql_config_get(shell->config, option, &value, NULL) == DBSQL_OK && value != NULL) {
    output_print(&shell->output, "%-10s %s\n", name, value);
  }
  dbsql_free(value);
}

static int meta_conninfo(struct shell *shell, const char *argument) {
  enum { INFO_PRODUCT = 17, INFO_VERSION = 18 };
  (void)argument;
  int code = run_ensure_connection(shell);
  if (code != EXIT_OK) return code;
  show_option(shell, "host", "host");
  show_option(shell, "port", "port");
  show_option(shell, "path", "http_path");
  output_print(&shell->output, "%-10s %s\n", "session", dbsql_connection_id(shell->connection));
  output_print(&shell->output, "%-10s %" PRId32 "\n", "protocol", dbsql_connection_protocol_version(shell->connection));
  run_begin(shell);
  struct limit limit = shell_limit(shell);
  show_info(shell, "server", INFO_PRODUCT, &limit);
  show_info(shell, "version", INFO_VERSION, &limit);
  run_end(shell);
  output_print(&shell->output, "%-10s dbsql %s\n", "library", dbsql_version());
  return EXIT_OK;
}

static void show_settings(struct shell *shell) {
  struct output *output = &shell->output;
  output_print(output, "echo           %s\n", shell->echo ? "on" : "off");
  output_print(output, "format         %s\n", format_kind_name(shell->format.kind));
  output_print(output, "header         %s\n", shell->format.header ? "on" : "off");
  output_print(output, "null           '%s'\n",
               shell->null_text != NULL                   ? shell->null_text
               : format_is_for_people(shell->format.kind) ? "NULL"
                                                          : "");
  output_print(output, "output         %s\n", output->name);
  output_print(output, "stop_on_error  %s\n", shell->stop_on_error ? "on" : "off");
  if (shell->timeout_ms > 0) {
    output_print(output, "timeout        %" PRId64 " ms\n", shell->timeout_ms);
  } else {
    output_text(output, "timeout        none\n");
  }
  output_print(output, "timing         %s\n", shell->timing ? "on" : "off");
}

static int set_timeout(struct shell *shell, const char *value) {
  if (value == NULL || strcmp(value, "none") == 0 || strcmp(value, "0") == 0) {
    shell->timeout_ms = 0;
  } else if (!args_parse_milliseconds(value, &shell->timeout_ms)) {
    return bad_argument(shell, "the timeout is a number of milliseconds, or none", value);
  }
  return EXIT_OK;
}

static int set_null(struct shell *shell, const char *value) {
  free(shell->null_text);
  shell->null_text = value == NULL ? NULL : memory_copy(value);
  shell->format.null_text = shell->null_text;
  return EXIT_OK;
}

/* Its argument is the rest of the line. */
static int meta_set(struct shell *shell, const char *argument) {
  const char *rest = argument == NULL ? "" : argument;
  char *name = names_next_word(&rest);
  char *value = names_next_word(&rest);
  int code = EXIT_OK;
  if (name == NULL) {
    show_settings(shell);
  } else if (strcmp(name, "format") == 0) {
    code = meta_format(shell, value);
  } else if (strcmp(name, "null") == 0) {
    code = set_null(shell, value);
  } else if (strcmp(name, "timeout") == 0) {
    code = set_timeout(shell, value);
  } else if (strcmp(name, "header") == 0) {
    code = set_switch(shell, name, value, &shell->format.header);
  } else if (strcmp(name, "timing") == 0) {
    code = set_switch(shell, name, value, &shell->timing);
  } else if (strcmp(name, "echo") == 0) {
    code = set_switch(shell, name, value, &shell->echo);
  } else if (strcmp(name, "stop_on_error") == 0) {
    code = set_switch(shell, name, value, &shell->stop_on_error);
  } else if (strcmp(name, "output") == 0) {
    code = meta_output(shell, value);
  } else {
    code = bad_argument(shell, "there are the settings echo, format, header, null, output, stop_on_error, timeout and timing", name);
  }
  free(name);
  free(value);
  return code;
}

static int meta_help(struct shell *shell, const char *argument);

static const struct command commands[] = {
    {"?", meta_help, false, "\\?", "this list"},
    {"conninfo", meta_conninfo, false, "\\conninfo", "where the session is"},
    {"d", catalog_describe, true, "\\d [NAME]", "columns of a table or view; without a name: tables and views"},
    {"dT", catalog_types, false, "\\dT", "types"},
    {"df", catalog_functions, true, "\\df [PATTERN]", "functions"},
    {"dn", catalog_schemas, true, "\\dn [PATTERN]", "schemas"},
    {"dt", catalog_tables, true, "\\dt [PATTERN]", "tables"},
    {"dv", catalog_views, true, "\\dv [PATTERN]", "views"},
    {"f", meta_format, true, "\\f [FORMAT]", FORMAT_NAMES},
    {"i", meta_include, true, "\\i FILE", "run a file"},
    {"l", catalog_catalogs, false, "\\l", "catalogs"},
    {"o", meta_output, true, "\\o [FILE]", "results go to a file; without one: to standard output"},
    {"q", meta_quit, false, "\\q", "leave (also Ctrl-D)"},
    {"set", meta_set, true, "\\set [NAME [VALUE]]", "show or change the settings"},
    {"timing", meta_timing, true, "\\timing [on|off]", "tell how long statements take"},
    {"x", meta_vertical, true, "\\x [on|off]", "one line for each column"},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static int meta_help(struct shell *shell, const char *argument) {
  (void)argument;
  output_text(&shell->output, "A statement ends with ';' and may have several lines. Ctrl-C cancels it, or clears the line.\n");
  for (size_t i = 0; i < COMMAND_COUNT; i++) output_print(&shell->output, "  %-21s %s\n", commands[i].usage, commands[i].help);
  output_text(&shell->output, "PATTERN is [[catalog.]schema.]name, where * and ? stand for any characters and any one.\n");
  return EXIT_OK;
}

static const struct command *find_command(const char *name) {
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  }
  return NULL;
}

/* Takes the argument off the line: one word, and nothing behind it. */
static int run_command(struct shell *shell, const struct command *command, const char *rest) {
  if (command->run == meta_set) return meta_set(shell, rest);
  char *argument = names_next_word(&rest);
  char *extra = names_next_word(&rest);
  int code = EXIT_USAGE;
  if (extra != NULL || (argument != NULL && !command->takes_argument)) {
    report_message(&shell->place, "too many words; write %s", command->usage);
  } else {
    code = command->run(shell, command->takes_argument ? argument : NULL);
  }
  free(argument);
  free(extra);
  return code;
}

int meta_run(struct shell *shell, const char *line, size_t length) {
  char *copy = memory_copy_n(line, length);
  while (length > 0 && (copy[length - 1] == ';' || copy[length - 1] == ' ')) copy[--length] = '\0'; /* a habit of the hand */
  const char *rest = copy + 1;
  char *name = names_next_word(&rest);
  const struct command *command = name == NULL ? NULL : find_command(name);
  int code = EXIT_USAGE;
  if (command != NULL) {
    code = run_command(shell, command, rest);
    if (!output_flush(&shell->output) && code == EXIT_OK) code = run_output_failure(shell);
  } else {
    report_message(&shell->place, "unknown command \\%s; \\? lists them", name == NULL ? "" : name);
  }
  free(name);
  free(copy);
  return code;
}
