#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <dbsql/dbsql.h>

#include "auth.h"
#include "memory.h"

enum {
  OPT_LOCAL = 256,
  OPT_TOKEN_FILE,
  OPT_TOKEN_STDIN,
  OPT_TOKEN_PROMPT,
  OPT_NULL,
  OPT_NO_HEADER,
  OPT_TIMEOUT,
  OPT_TIMING,
  OPT_OUTPUT,
  OPT_ECHO,
  OPT_STOP_ON_ERROR,
  OPT_KEEP_GOING,
  OPT_OPTIONS,
  OPT_NO_BROWSER,
  OPT_REFUSED,
};

static const struct option long_options[] = {
    {"local", optional_argument, NULL, OPT_LOCAL},
    {"dsn", required_argument, NULL, 'd'},
    {"command", required_argument, NULL, 'c'},
    {"file", required_argument, NULL, 'f'},
    {"option", required_argument, NULL, 'o'},
    {"format", required_argument, NULL, 'F'},
    {"token-file", required_argument, NULL, OPT_TOKEN_FILE},
    {"token-stdin", no_argument, NULL, OPT_TOKEN_STDIN},
    {"token-prompt", no_argument, NULL, OPT_TOKEN_PROMPT},
    {"null", required_argument, NULL, OPT_NULL},
    {"no-header", no_argument, NULL, OPT_NO_HEADER},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"timing", no_argument, NULL, OPT_TIMING},
    {"output", required_argument, NULL, OPT_OUTPUT},
    {"echo", no_argument, NULL, OPT_ECHO},
    {"stop-on-error", no_argument, NULL, OPT_STOP_ON_ERROR},
    {"keep-going", no_argument, NULL, OPT_KEEP_GOING},
    {"options", no_argument, NULL, OPT_OPTIONS},
    {"no-browser", no_argument, NULL, OPT_NO_BROWSER},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    /* What people try: refused with the way that is right (auth.md T40), and the value wiped. */
    {"token", optional_argument, NULL, OPT_REFUSED},
    {"password", optional_argument, NULL, OPT_REFUSED},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "Usage: dbsql [OPTION]...\n"
    "       dbsql auth COMMAND [OPTION]...   (dbsql auth --help)\n"
    "Runs SQL on Databricks, or on a warehouse of its own.\n"
    "\n"
    "Where to:\n"
    "      --local[=DATABASE]   start a private dbsql-warehouse for this run (in memory, or on a database file)\n"
    "  -d, --dsn DSN            connection string; without it DBSQL_DSN, then the DATABRICKS_* variables\n"
    "  -o, --option KEY=VALUE   set one connection option, also session.NAME; may be repeated\n"
    "      --options            list all connection options\n"
    "      --token-file FILE    read the access token from a file\n"
    "      --token-stdin        read the access token from the first line of standard input\n"
    "      --token-prompt       ask for the access token on the terminal\n"
    "      --no-browser         print the address of a sign-in page instead of opening it\n"
    "\n"
    "What to run, in order; without any: interactive, or a script from standard input:\n"
    "  -c, --command SQL        run statements, separated by ';'\n"
    "  -f, --file FILE          run a file; '-' is standard input\n"
    "      --stop-on-error      stop at the first statement that fails (the default for -c, -f and scripts)\n"
    "      --keep-going         go on after a failure; the exit code still tells\n"
    "      --timeout MS         time limit for connecting and for each statement, in milliseconds\n"
    "\n"
    "How to show it:\n"
    "  -F, --format FORMAT      table, vertical, csv, json, ndjson or arrow\n"
    "      --null TEXT          what stands for NULL in table, vertical and csv\n"
    "      --no-header          rows only: no column names, no counts\n"
    "      --output FILE        write results to a file\n"
    "      --timing             tell how long each statement took (on standard error)\n"
    "      --echo               show each statement before it runs (on standard error)\n"
    "\n"
    "  -h, --help               show this\n"
    "  -V, --version            show the version\n"
    "\n"
    "Exit codes: 0 all went well, 1 a statement failed, 2 wrong usage, 3 cannot connect or not let in,\n"
    "4 output cannot be written, 130 interrupted.\n";

const char *args_help(void) {
  return help;
}

bool args_parse_milliseconds(const char *text, int64_t *value) {
  char *end;
  errno = 0;
  if (!isdigit((unsigned char)text[0])) return false;
  long long number = strtoll(text, &end, 10);
  if (errno != 0 || *end != '\0' || number < 1) return false;
  *value = number;
  return true;
}

static void set_text(char **slot, const char *value) {
  free(*slot);
  *slot = memory_copy(value);
}

static void add_action(struct args *args, bool is_file, const char *text) {
  args->actions = memory_resize(args->actions, args->action_count + 1, sizeof *args->actions);
  args->actions[args->action_count++] = (struct action){is_file, memory_copy(text)};
}

/* Option names are compared as the library does: without case, '_' and '-'. */
static bool same_name(const char *a, size_t a_length, const char *b, size_t b_length) {
  size_t i = 0;
  size_t k = 0;
  for (;;) {
    while (i < a_length && (a[i] == '_' || a[i] == '-')) i++;
    while (k < b_length && (b[k] == '_' || b[k] == '-')) k++;
    if (i == a_length || k == b_length) return i == a_length && k == b_length;
    if (tolower((unsigned char)a[i++]) != tolower((unsigned char)b[k++])) return false;
  }
}

static bool is_named(const dbsql_option_info *info, const char *name, size_t length) {
  if (same_name(info->name, strlen(info->name), name, length)) return true;
  for (const char *alias = info->aliases; *alias != '\0';) {
    alias += strspn(alias, ", ");
    size_t alias_length = strcspn(alias, ", ");
    if (alias_length > 0 && same_name(alias, alias_length, name, length)) return true;
    alias += alias_length;
  }
  return false;
}

static bool is_secret(const char *name, size_t length) {
  dbsql_option_info info;
  for (size_t i = 0; dbsql_option_describe(i, &info); i++) {
    if (info.secret && is_named(&info, name, length)) return true;
  }
  return false;
}

static bool add_option(struct args *args, char *text, char **message) {
  const char *equals = strchr(text, '=');
  if (equals == NULL || equals == text) {
    *message = memory_copy("-o takes KEY=VALUE");
  } else if (is_secret(text, (size_t)(equals - text))) {
    *message = memory_print(
        "%.*s is a secret and not taken on the command line: use --token-file, --token-stdin, --token-prompt, "
        "DBSQL_DSN or a DATABRICKS_* variable",
        (int)(equals - text), text);
  } else {
    args->options = memory_resize(args->options, args->option_count + 1, sizeof *args->options);
    args->options[args->option_count++] = (struct option_setting){memory_copy_n(text, (size_t)(equals - text)), memory_copy(equals + 1)};
  }
  char *value = strchr(text, '=');
  memory_wipe(value == NULL ? text : value + 1, strlen(value == NULL ? text : value + 1));
  return *message == NULL;
}

static bool set_format(struct args *args, const char *name, char **message) {
  if (format_kind_parse(name, &args->format)) return true;
  *message = memory_print("unknown format '%s': there are " FORMAT_NAMES, name);
  return false;
}

static bool refuse_secret(char *value, char **message) {
  if (value != NULL) memory_wipe(value, strlen(value));
  *message = memory_copy(
      "secrets are not taken on the command line: use --token-file, --token-stdin, --token-prompt, DBSQL_DSN or "
      "DATABRICKS_TOKEN");
  return false;
}

static bool unknown_option(int code, char **argv, char **message) {
  char *word = argv[optind > 0 ? optind - 1 : 0];
  size_t name_length = strcspn(word, "=");
  if (word[name_length] == '=') memory_wipe(word + name_length + 1, strlen(word + name_length + 1)); /* it may be a secret */
  bool is_long = strncmp(word, "--", 2) == 0;
  if (code == ':') {
    *message =
        is_long ? memory_print("option %.*s needs a value", (int)name_length, word) : memory_print("option -%c needs a value", optopt);
  } else if (optopt == 0) {
    *message = memory_print("unknown or ambiguous option %.*s; see --help", (int)name_length, word);
  } else if (is_long && word[name_length] == '=') {
    *message = memory_print("option %.*s takes no value", (int)name_length, word);
  } else {
    *message = memory_print("unknown option -%c; see --help", optopt);
  }
  return false;
}

static bool take(struct args *args, int code, char **argv, char **message) {
  switch (code) {
    case OPT_LOCAL:
      args->local = true;
      if (optarg != NULL) set_text(&args->local_database, optarg);
      return true;
    case 'd':
      memory_wipe_free(args->dsn);
      args->dsn = memory_copy(optarg);
      memory_wipe(optarg, strlen(optarg));
      return true;
    case 'c': add_action(args, false, optarg); return true;
    case 'f': add_action(args, true, optarg); return true;
    case 'o': return add_option(args, optarg, message);
    case 'F': return set_format(args, optarg, message);
    case OPT_TOKEN_FILE: set_text(&args->token_file, optarg); return true;
    case OPT_TOKEN_STDIN: args->token_stdin = true; return true;
    case OPT_TOKEN_PROMPT: args->token_prompt = true; return true;
    case OPT_NULL: set_text(&args->null_text, optarg); return true;
    case OPT_NO_HEADER: args->no_header = true; return true;
    case OPT_TIMEOUT:
      if (args_parse_milliseconds(optarg, &args->timeout_ms)) return true;
      *message = memory_print("--timeout takes a number of milliseconds from 1 on, not '%s'", optarg);
      return false;
    case OPT_TIMING: args->timing = true; return true;
    case OPT_OUTPUT: set_text(&args->output, optarg); return true;
    case OPT_ECHO: args->echo = true; return true;
    case OPT_STOP_ON_ERROR: args->on_error = ON_ERROR_STOP; return true;
    case OPT_KEEP_GOING: args->on_error = ON_ERROR_KEEP_GOING; return true;
    case OPT_NO_BROWSER: args->no_browser = true; return true;
    case OPT_OPTIONS: args->list_options = true; return true;
    case OPT_REFUSED: return refuse_secret(optarg != NULL ? optarg : argv[optind], message);
    case 'V': args->version = true; return true;
    case 'h': args->help = true; return true;
    default: return unknown_option(code, argv, message);
  }
}

static bool check_together(const struct args *args, char **message) {
  size_t from_stdin = 0;
  for (size_t i = 0; i < args->action_count; i++) {
    if (args->actions[i].is_file && strcmp(args->actions[i].text, "-") == 0) from_stdin++;
  }
  int tokens = (args->token_file != NULL) + args->token_stdin + args->token_prompt;
  if (args->local && args->dsn != NULL) *message = memory_copy("--local and --dsn exclude each other");
  if (args->local && tokens > 0) *message = memory_copy("--local needs no token");
  if (args->auth != NULL && (args->local || args->action_count > 0 || args->list_options)) {
    *message = memory_copy("dbsql auth takes no --local, --command, --file and --options");
  }
  if (tokens > 1) *message = memory_copy("--token-file, --token-stdin and --token-prompt exclude each other");
  if (from_stdin > 1) *message = memory_copy("standard input ('-f -') can be read only once");
  return *message == NULL;
}

/* What is no option: "auth" and its command, wherever the options stand. */
static bool take_word(struct args *args, const char *word, int number, char **message) {
  if (number == 0 && strcmp(word, "auth") == 0) {
    args->auth = memory_copy("");
  } else if (args->auth == NULL) {
    *message = memory_print("'%s' is no option; SQL is given with -c", word);
  } else if (number > 1) {
    *message = memory_print("'%s' is no option of dbsql auth", word);
  } else if (auth_is_command(word)) {
    set_text(&args->auth, word);
  } else {
    *message = memory_print("there is no dbsql auth %s: there are " AUTH_COMMANDS, word);
  }
  return *message == NULL;
}

bool args_parse(struct args *args, int argc, char **argv, char **message) {
  memset(args, 0, sizeof *args);
  *message = NULL;
  opterr = 0;
  optind = 1;
  int code;
  bool good = true;
  int words = 0;
  /* "-": words come in their place, as code 1. */
  while ((code = getopt_long(argc, argv, "-:d:c:f:o:F:hV", long_options, NULL)) != -1) {
    /* The rest is read also after a failure: what must be wiped is wiped. */
    if (code == 1)
      good = good && take_word(args, optarg, words++, message);
    else if (good && !take(args, code, argv, message))
      good = false;
    else if (!good && optarg != NULL && (code == 'd' || code == 'o' || code == OPT_REFUSED))
      memory_wipe(optarg, strlen(optarg));
  }
  for (int i = optind; i < argc && good; i++) good = take_word(args, argv[i], words++, message); /* behind "--" */
  if (!good) return false;
  if (args->auth != NULL && args->auth[0] == '\0' && !args->help && !args->version) {
    *message = memory_copy("dbsql auth needs a command: " AUTH_COMMANDS);
    return false;
  }
  return check_together(args, message);
}

void args_free(struct args *args) {
  memory_wipe_free(args->dsn);
  for (size_t i = 0; i < args->option_count; i++) {
    free(args->options[i].name);
    memory_wipe_free(args->options[i].value);
  }
  for (size_t i = 0; i < args->action_count; i++) free(args->actions[i].text);
  free(args->options);
  free(args->actions);
  free(args->local_database);
  free(args->auth);
  free(args->token_file);
  free(args->null_text);
  free(args->output);
  memset(args, 0, sizeof *args);
}
