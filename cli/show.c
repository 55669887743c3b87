#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "memory.h"
#include "shell.h"

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct limit shell_limit(const struct shell *shell) {
  struct limit limit = {DBSQL_CALL_INIT, 0};
  limit.call.cancel = shell->cancel;
  if (shell->timeout_ms > 0) limit.until_ms = now_ms() > INT64_MAX - shell->timeout_ms ? INT64_MAX : now_ms() + shell->timeout_ms;
  return limit;
}

const dbsql_call *limit_call(struct limit *limit) {
  if (limit->until_ms > 0) {
    int64_t left = limit->until_ms - now_ms();
    limit->call.timeout_ms = left > 0 ? left : 1;
  }
  return &limit->call;
}

static bool is_number(dbsql_type type) {
  return type >= DBSQL_TYPE_TINYINT && type <= DBSQL_TYPE_DECIMAL;
}

/* What is shown of a result. */
struct view {
  size_t count;
  size_t *sources;
  struct format_column *columns;
  struct format_cell *cells;
};

static size_t find_column(const dbsql_result *result, const struct shown_column *wanted) {
  dbsql_column column;
  for (size_t i = 0; dbsql_result_column(result, i, &column); i++) {
    if (strcasecmp(column.name, wanted->source) == 0) return i;
  }
  return wanted->position < dbsql_result_column_count(result) ? wanted->position : SIZE_MAX;
}

static void view_open(struct view *view, const dbsql_result *result, const struct shown_column *wanted, size_t wanted_count) {
  size_t most = wanted == NULL ? dbsql_result_column_count(result) : wanted_count;
  view->count = 0;
  view->sources = memory_new((most + 1) * sizeof *view->sources);
  view->columns = memory_new((most + 1) * sizeof *view->columns);
  view->cells = memory_new((most + 1) * sizeof *view->cells);
  for (size_t i = 0; i < most; i++) {
    dbsql_column column;
    size_t source = wanted == NULL ? i : find_column(result, &wanted[i]);
    if (!dbsql_result_column(result, source, &column)) continue;
    view->sources[view->count] = source;
    view->columns[view->count].name = wanted == NULL ? column.name : wanted[i].title;
    view->columns[view->count].right = is_number(column.type);
    view->count++;
  }
}

static void view_close(struct view *view) {
  free(view->sources);
  free(view->columns);
  free(view->cells);
}

static dbsql_status read_cells(const struct view *view, dbsql_result *result, bool as_json, dbsql_error **error) {
  for (size_t i = 0; i < view->count; i++) {
    struct format_cell *cell = &view->cells[i];
    dbsql_status status = as_json ? dbsql_get_json(result, view->sources[i], &cell->text, &cell->length, error)
                                  : dbsql_get_text(result, view->sources[i], &cell->text, &cell->length, error);
    if (status != DBSQL_OK) return status;
  }
  return DBSQL_OK;
}

/* A statement without columns: people get an answer, programs nothing. */
static void show_done(struct shell *shell, const dbsql_result *result) {
  if (!format_is_for_people(shell->format.kind) || !shell->format.header) return;
  int64_t affected = dbsql_result_affected_rows(result);
  if (affected < 0) {
    output_text(&shell->output, "OK\n");
  } else {
    output_print(&shell->output, "OK, %lld row%s\n", (long long)affected, affected == 1 ? "" : "s");
  }
}

static struct outcome show_rows(struct shell *shell, dbsql_result *result, const struct shown_column *wanted, size_t wanted_count,
                                struct limit *limit, dbsql_error **error) {
  struct outcome outcome = {DBSQL_OK, 0};
  bool has_row = false;
  outcome.status = dbsql_row_next(result, limit_call(limit), &has_row, error);
  if (outcome.status != DBSQL_OK) return outcome;
  bool people = format_is_for_people(shell->format.kind);
  if (people && shell->result_shown) output_text(&shell->output, "\n");
  shell->result_shown = true;
  if (!has_row && dbsql_result_column_count(result) == 0) {
    show_done(shell, result);
    return outcome;
  }
  shell->format.terminal_columns = output_terminal_columns(&shell->output);
  struct view view;
  view_open(&view, result, wanted, wanted_count);
  struct format *format = format_new(&shell->format, &shell->output, view.columns, view.count);
  while (has_row && outcome.status == DBSQL_OK && !output_failed(&shell->output)) {
    outcome.status = read_cells(&view, result, format_wants_json(shell->format.kind), error);
    if (outcome.status != DBSQL_OK) break;
    format_row(format, view.cells);
    outcome.rows++;
    if (outcome.rows % 1024 == 0) progress_rows(shell->progress, outcome.rows);
    outcome.status = dbsql_row_next(result, limit_call(limit), &has_row, error);
  }
  format_end(format, outcome.status == DBSQL_OK);
  view_close(&view);
  return outcome;
}

static int write_arrow(void *user, const void *data, size_t length) {
  struct output *output = user;
  output_write(output, data, length);
  return output->failure;
}

static struct outcome show_arrow(struct shell *shell, dbsql_result *result, struct limit *limit, dbsql_error **error) {
  struct outcome outcome = {DBSQL_OK, 0};
  struct ArrowSchema schema = {.release = NULL};
  struct ArrowArray batch = {.release = NULL};
  dbsql_ipc_writer *writer = NULL;
  if (dbsql_result_column_count(result) == 0) return outcome;
  outcome.status = dbsql_result_schema(result, &schema, error);
  if (outcome.status == DBSQL_OK) outcome.status = dbsql_ipc_writer_new(&schema, write_arrow, &shell->output, &writer, error);
  while (outcome.status == DBSQL_OK) {
    outcome.status = dbsql_result_next_batch(result, limit_call(limit), &batch, error);
    if (outcome.status != DBSQL_OK || batch.release == NULL) break;
    outcome.rows += (uint64_t)batch.length;
    progress_rows(shell->progress, outcome.rows);
    outcome.status = dbsql_ipc_writer_write(writer, &batch, error);
    batch.release(&batch);
    batch.release = NULL;
  }
  if (outcome.status == DBSQL_OK) outcome.status = dbsql_ipc_writer_finish(writer, error);
  dbsql_ipc_writer_free(writer);
  if (schema.release != NULL) schema.release(&schema);
  return outcome;
}

struct outcome show_result(struct shell *shell, dbsql_result *result, const struct shown_column *columns, size_t column_count,
                           struct limit *limit, dbsql_error **error) {
  struct outcome outcome = shell->format.kind == FORMAT_ARROW ? show_arrow(shell, result, limit, error)
                                                              : show_rows(shell, result, columns, column_count, limit, error);
  output_flush(&shell->output);
  return outcome;
}

static char *json_text(const char *text) {
  struct text out = TEXT_INIT;
  text_append_text(&out, "\"");
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '\\') text_append_text(&out, "\\");
    text_append(&out, text, 1);
  }
  text_append_text(&out, "\"");
  return out.data;
}

bool show_options(struct shell *shell) {
  static const struct format_column columns[] = {{"name", false},    {"aliases", false}, {"type", false},   {"unit", false},
                                                 {"default", false}, {"bounds", false},  {"secret", false}, {"documentation", false}};
  enum { COUNT = sizeof columns / sizeof columns[0] };
  if (shell->format.kind == FORMAT_ARROW) return false;
  shell->format.terminal_columns = 0; /* the documentation is long, and wanted whole */
  bool as_json = format_wants_json(shell->format.kind);
  struct format *format = format_new(&shell->format, &shell->output, columns, COUNT);
  dbsql_option_info info;
  for (size_t i = 0; dbsql_option_describe(i, &info); i++) {
    const char *texts[COUNT] = {
        info.name, info.aliases, info.type, info.unit, info.default_value, info.bounds, info.secret ? "yes" : "no", info.documentation};
    struct format_cell cells[COUNT];
    char *owned[COUNT];
    for (size_t k = 0; k < COUNT; k++) {
      owned[k] = as_json ? json_text(texts[k]) : memory_copy(texts[k]);
      cells[k] = (struct format_cell){owned[k], strlen(owned[k])};
    }
    format_row(format, cells);
    for (size_t k = 0; k < COUNT; k++) free(owned[k]);
  }
  format_end(format, true);
  return true;
}
