#include "report.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "width.h"

static bool wants_color(void) {
  const char *no_color = getenv("NO_COLOR");
  const char *terminal = getenv("TERM");
  if (no_color != NULL && no_color[0] != '\0') return false;
  return isatty(STDERR_FILENO) == 1 && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

/* Nothing that came from elsewhere may steer the terminal. */
static void append_shown(struct text *out, const char *text) {
  while (*text != '\0') {
    size_t line = strcspn(text, "\n");
    display_append(out, text, line, 0);
    text += line;
    if (*text == '\n') {
      text_append_text(out, "\n");
      text++;
    }
  }
}

static void append_beginning(struct text *out, const struct place *place) {
  if (place != NULL && place->file != NULL) {
    append_shown(out, place->file);
    if (place->line > 0) text_print(out, ":%zu", place->line);
    text_append_text(out, ": ");
  }
  text_append_text(out, wants_color() ? "\033[1;31merror:\033[0m " : "error: ");
}

static void put(struct text *out) {
  text_append_text(out, "\n");
  fwrite(out->data, 1, out->size, stderr);
  fflush(stderr);
  text_free(out);
}

static char *print_args(const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  char *text = memory_new((length < 0 ? 0 : (size_t)length) + 1);
  vsnprintf(text, (length < 0 ? 0 : (size_t)length) + 1, format, args);
  return text;
}

void report_message(const struct place *place, const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *message = print_args(format, args);
  va_end(args);
  struct text out = TEXT_INIT;
  append_beginning(&out, place);
  append_shown(&out, message);
  put(&out);
  free(message);
}

void report_note(const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *message = print_args(format, args);
  va_end(args);
  struct text out = TEXT_INIT;
  append_shown(&out, message);
  put(&out);
  free(message);
}

struct hint {
  const char *key; /* an error class, or a SQLSTATE */
  const char *text;
};

static const struct hint hints[] = {
    {"TABLE_OR_VIEW_NOT_FOUND", "\\dt lists the tables of the current schema, \\dt catalog.schema.* those of another"},
    {"SCHEMA_NOT_FOUND", "\\dn lists the schemas"},
    {"UNRESOLVED_COLUMN", "\\d TABLE lists the columns of a table"},
    {"UNRESOLVED_ROUTINE", "\\df lists the functions"},
    {"28000", "check the access token (--token-file, --token-prompt, DATABRICKS_TOKEN) and that it belongs to this host"},
    {"42501", "the user of the token may not do this; an owner of the object can grant it"},
    {"08001", "check host, port and path of the DSN, and the proxy settings (see --options)"},
    {"HYT00", "a longer time limit is given with --timeout, or \\set timeout"},
    {"08S01", "the connection is gone; what was set in the session is lost with it"},
};

const char *report_hint(const dbsql_error *error) {
  const char *class = dbsql_error_class(error);
  const char *state = dbsql_error_sqlstate(error);
  if (dbsql_error_http_status(error) >= 500) {
    return "the server, or a gateway before it, has failed; try again, and first look whether a statement that writes was carried out";
  }
  for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
    size_t length = strlen(hints[i].key);
    bool is_class = strncmp(class, hints[i].key, length) == 0 && (class[length] == '\0' || class[length] == '.');
    if (is_class || strcmp(state, hints[i].key) == 0) return hints[i].text;
  }
  return NULL;
}

void report_error(const struct place *place, const dbsql_error *error) {
  struct text out = TEXT_INIT;
  append_beginning(&out, place);
  append_shown(&out, dbsql_error_message(error));
  text_print(&out, "\n  SQLSTATE %s", dbsql_error_sqlstate(error));
  if (dbsql_error_query_id(error)[0] != '\0') {
    text_append_text(&out, ", query id ");
    append_shown(&out, dbsql_error_query_id(error));
  }
  if (dbsql_error_request_id(error)[0] != '\0') {
    text_append_text(&out, ", request id ");
    append_shown(&out, dbsql_error_request_id(error));
  }
  if (dbsql_error_attempts(error) > 1) text_print(&out, ", %d attempts", dbsql_error_attempts(error));
  const char *hint = report_hint(error);
  if (hint != NULL) text_print(&out, "\n  hint: %s", hint);
  put(&out);
}
