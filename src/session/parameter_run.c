#include "session/parameter_run.h"

#include <stdio.h>

#include "arrow/builder.h"
#include "base/error.h"
#include "base/mem.h"
#include "session/parameter_sets.h"
#include "session/sql_markers.h"

enum { most_counts = 8, parameter_overhead = 64 /* of the message, for each parameter */ };

/* ---- One statement after the other --------------------------------------------------------------------------------------- */

struct run {
  dbsql_statement *statement;
  struct sql_markers markers;
  struct parameter_plan plan;
  struct parameter_sets sets;
  struct slice sql;
  /* The statement at hand. */
  struct buf text;
  struct arena values;
  struct backend_parameter *parameters; /* parameters_most of them */
  size_t count;
  size_t bytes;
  int64_t first, last;                /* its sets */
  const char *types[parameters_most]; /* of a repeated row's columns; NULL while they are not known */
  /* All so far. */
  int64_t done, affected;
  int64_t counts[most_counts];
  dbsql_result *result; /* of the last one */
};

static dbsql_status check_text(const struct run *run, dbsql_error **error) {
  static const char *const staging[] = {"PUT", "GET", "REMOVE"};
  for (size_t i = 0; i < sizeof staging / sizeof staging[0]; i++) {
    if (sql_markers_verb_is(&run->markers, staging[i])) {
      return error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "%s takes no parameters: the server does not support them there", staging[i]);
    }
  }
  return DBSQL_OK;
}

static dbsql_status refuse_rows(dbsql_error **error) {
  return error_set(error, DBSQL_ERROR_DRIVER, "HYC00",
                   "a statement that returns rows cannot run with several parameter sets: their rows would be mixed");
}

/* What is known before anything is sent. */
static bool returns_rows(const struct sql_markers *markers) {
  static const char *const verbs[] = {"SELECT", "VALUES", "FROM", "TABLE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "LIST"};
  for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
    if (sql_markers_verb_is(markers, verbs[i])) return true;
  }
  return false;
}

/* What is left of the call for the next statement. */
static dbsql_status call_for_next(const struct call *whole, const dbsql_call *user_call, dbsql_call *next, dbsql_error **error) {
  *next = (dbsql_call)DBSQL_CALL_INIT;
  dbsql_status status = call_check(whole, "running the parameter sets", error);
  if (user_call) {
    next->cancel = user_call->cancel;
    next->correlation_id = user_call->correlation_id;
  }
  next->timeout_ms = whole->deadline_ns == INT64_MAX ? -1 : call_remaining_ms(whole);
  if (next->timeout_ms == 0) next->timeout_ms = 1;
  return status;
}

static dbsql_status send(dbsql_statement *statement, struct slice sql, const struct backend_parameter *parameters, size_t count,
                         const dbsql_call *call, dbsql_result **result, dbsql_error **error) {
  statement->sent_parameters = parameters;
  statement->sent_parameter_count = count;
  dbsql_status status = statement_execute(statement, sql, call, result, error);
  statement->sent_parameters = NULL;
  statement->sent_parameter_count = 0;
  return status;
}

static size_t size_of(const struct backend_parameter *parameter) {
  size_t size = parameter_overhead + parameter->value.size + strlen(parameter->type);
  for (size_t i = 0; i < parameter->part_count; i++) size += size_of(&parameter->parts[i]);
  return size;
}

static size_t size_of_all(const struct backend_parameter *parameters, size_t count) {
  size_t size = 0;
  for (size_t i = 0; i < count; i++) size += size_of(&parameters[i]);
  return size;
}

static dbsql_status check_size(size_t text, size_t values, dbsql_error **error) {
  if (text + values <= parameters_request_most) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "54000", "a statement of %zu bytes with %zu bytes of parameters: the server takes at most %d",
                   text, values, (int)parameters_request_most);
}

/* ---- Single values ------------------------------------------------------------------------------------------------------- */

static dbsql_status run_values(struct run *run, const dbsql_call *user_call, dbsql_result **result, dbsql_error **error) {
  const struct parameters *bound = &run->statement->parameters;
  for (size_t i = 0; i < run->plan.count; i++) {
    const struct parameter *item = &bound->items[run->plan.sources[i]];
    if (item->is_binary && !run->plan.in_unhex[i] && !run->markers.is_unclosed) {
      dbsql_status status =
          error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "binary values are sent as hexadecimal digits: write unhex(%s%s) for them",
                    item->name ? ":" : "?", item->name ? item->name : "");
      error_prefix(error, "parameter %zu", i + 1);
      return status;
    }
    run->parameters[i] = (struct backend_parameter){
        .name = item->name, .type = item->type, .value = slice_of(item->value, item->size), .is_null = item->value == NULL};
  }
  dbsql_status status = check_size(run->sql.size, size_of_all(run->parameters, run->plan.count), error);
  if (status != DBSQL_OK) return status;
  status = send(run->statement, run->sql, run->parameters, run->plan.count, user_call, result, error);
  if (status == DBSQL_OK) run->statement->parameters.sets_done = 1;
  return status;
}

/* ---- Several sets -------------------------------------------------------------------------------------------------------- */

/* One more row in the text. Markers are written as `?`: a name could have one value only. */
static void append_row(struct run *run, bool is_first) {
  size_t at = run->markers.row_start;
  if (is_first) {
    buf_append(&run->text, run->sql.data, at);
  } else {
    buf_append_text(&run->text, ", ");
  }
  for (size_t i = 0; i < run->markers.count; i++) {
    const struct sql_marker *marker = &run->markers.items[i];
    if (marker->is_doubtful) continue;
    buf_append(&run->text, run->sql.data + at, marker->start - at);
    buf_append_byte(&run->text, '?');
    at = marker->end;
  }
  buf_append(&run->text, run->sql.data + at, run->markers.row_end - at);
}

/* Whether the row may stand in one statement with those before: the server brings the values of a column to one type, which could change
 * them, so that they must have one. */
static bool has_same_types(struct run *run, const struct backend_parameter *row) {
  size_t columns = run->plan.row_markers;
  for (size_t i = 0; i < columns; i++) {
    if (run->types[i] && strcmp(row[i].type, "VOID") != 0 && strcmp(run->types[i], row[i].type) != 0) return false;
  }
  for (size_t i = 0; i < columns; i++) {
    if (!run->types[i] && strcmp(row[i].type, "VOID") != 0) run->types[i] = row[i].type;
  }
  return true;
}

static void begin_statement(struct run *run) {
  buf_reset(&run->text);
  arena_free(&run->values);
  memset(run->types, 0, sizeof run->types);
  run->count = 0;
  run->bytes = 0;
  run->first = run->sets.number;
}

/* Takes the set at hand, and as many of the following as fit into one statement. `*has_set`: there is another one after them. */
static dbsql_status gather(struct run *run, bool repeat, bool *has_set, dbsql_error **error) {
  size_t each = repeat ? run->plan.row_markers : run->plan.count;
  begin_statement(run);
  for (;;) {
    struct backend_parameter *row = run->parameters + run->count;
    dbsql_status status = parameter_sets_read(&run->sets, &run->plan, repeat, &run->values, row, error);
    run->last = run->sets.number;
    if (status != DBSQL_OK) return status;
    size_t bytes = size_of_all(row, each) + (repeat ? run->markers.row_end - run->markers.row_start + 2 : 0);
    bool is_first = run->count == 0;
    if (!is_first && (run->bytes + bytes > parameters_request_comfortable || run->sql.size + run->bytes + bytes > parameters_request_most ||
                      !has_same_types(run, row))) {
      run->last--;
      *has_set = true;
      break;
    }
    if (is_first && repeat) has_same_types(run, row);
    run->bytes += bytes;
    run->count += each;
    if (repeat) append_row(run, is_first);
    status = parameter_sets_next(&run->sets, has_set, error);
    if (status != DBSQL_OK) {
      run->last = run->sets.number;
      return status;
    }
    if (!*has_set || !repeat || run->count + each > parameters_most) break;
  }
  if (repeat) buf_append(&run->text, run->sql.data + run->markers.row_end, run->sql.size - run->markers.row_end);
  if (buf_failed(&run->text)) return error_no_memory(error);
  return check_size(run->sql.size, run->bytes, error);
}

/* A result that only counts: one row of num_affected_rows and its like (thrift.md 5.7). */
static bool is_count(const dbsql_result *result) {
  const struct ArrowSchema *schema = ipc_schema_arrow(result->schema->arrow);
  if (result->schema->column_count == 0 || result->schema->column_count > most_counts ||
      (size_t)schema->n_children != result->schema->column_count) {
    return false;
  }
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (strncmp(schema->children[i]->name, "num_", 4) != 0 || strcmp(schema->children[i]->format, "l") != 0) return false;
  }
  return true;
}

/* DDL answers a column without rows. */
static bool is_empty(const dbsql_result *result) {
  return result->schema->column_count == 0 || (result->schema->column_count == 1 && strcmp(result->schema->columns[0].name, "Result") == 0);
}

/* Reads the answer to one statement to its end and adds up what it counts. */
static dbsql_status absorb(struct run *run, dbsql_result *result, const dbsql_call *call, dbsql_error **error) {
  bool counts = is_count(result);
  if (!counts && !is_empty(result)) return refuse_rows(error);
  run->affected = result->affected_rows < 0 || run->affected < 0 ? -1 : run->affected + result->affected_rows;
  for (;;) {
    struct ArrowArray batch;
    dbsql_status status = result_next(result, call, &batch, error);
    if (status != DBSQL_OK || !batch.release) return status;
    for (int64_t i = 0; counts && i < batch.n_children; i++) {
      struct arrow_column column;
      status = arrow_column_bind(&column, ipc_schema_arrow(result->schema->arrow)->children[i], error);
      if (status != DBSQL_OK) break;
      arrow_column_attach(&column, batch.children[i]);
      for (int64_t row = 0; row < batch.length; row++) {
        int64_t value = 0;
        if (!arrow_column_is_null(&column, row) && arrow_column_int64(&column, row, &value)) run->counts[i] += value;
      }
      arrow_column_free(&column);
    }
    bool rows = !counts && batch.length > 0;
    batch.release(&batch);
    if (status != DBSQL_OK) return status;
    if (rows) return refuse_rows(error);
  }
}

/* The last result becomes that of all: with the sums in its row. */
static dbsql_status finish(struct run *run, dbsql_error **error) {
  dbsql_result *result = run->result;
  result->affected_rows = run->affected;
  result->rows_handed_out = 0;
  if (!is_count(result)) return DBSQL_OK;
  const struct ArrowSchema *schema = ipc_schema_arrow(result->schema->arrow);
  struct arrow_builder builder;
  dbsql_status status = arrow_builder_init(&builder, schema, error);
  if (status != DBSQL_OK) return status;
  for (int64_t i = 0; i < schema->n_children; i++) arrow_builder_append_fixed(&builder.children[i], &run->counts[i]);
  arrow_builder_append_entry(&builder);
  status = arrow_builder_finish(&builder, &result->ahead, error);
  arrow_builder_free(&builder);
  return status;
}

/* No set at all: nothing is sent, and nothing was changed. */
static dbsql_status make_empty(dbsql_connection *connection, dbsql_result **out, dbsql_error **error) {
  dbsql_result *result = mem_alloc_zero(1, sizeof *result);
  if (!result) return error_no_memory(error);
  result->connection = connection_ref(connection);
  result->row = -1;
  result->at_end = true;
  dbsql_status status = result_schema_empty(&result->schema, error);
  if (status == DBSQL_OK) {
    *out = result;
  } else {
    result_free(result);
  }
  return status;
}

enum stage { NOT_SENT, SENT, EXECUTED };

/* Says which sets it was, what became of them, and what has been done before. */
static void explain(const struct run *run, dbsql_status status, enum stage stage, dbsql_error **error) {
  char which[96];
  /* A statement does all that it is to do, or nothing. */
  const char *outcome = "whether it was done is not known";
  if (stage == EXECUTED) {
    outcome = "it was executed";
  } else if (stage == NOT_SENT || dbsql_error_attempts(*error) == 0) {
    outcome = "it was not sent";
  }
  if (stage == SENT && status == DBSQL_ERROR_EXECUTION) outcome = "nothing of it was done";
  if (run->first >= run->last || stage == NOT_SENT) {
    snprintf(which, sizeof which, "parameter set %lld", (long long)run->last);
  } else {
    snprintf(which, sizeof which, "parameter sets %lld to %lld, one statement", (long long)run->first, (long long)run->last);
  }
  if (run->done == 0) {
    error_prefix(error, "%s (%s; none was done before)", which, outcome);
  } else if (run->affected < 0) {
    error_prefix(error, "%s (%s; done before: %lld)", which, outcome, (long long)run->done);
  } else {
    error_prefix(error, "%s (%s; done before: %lld, rows changed: %lld)", which, outcome, (long long)run->done, (long long)run->affected);
  }
}

static dbsql_status run_sets(struct run *run, const dbsql_call *user_call, dbsql_error **error) {
  dbsql_statement *statement = run->statement;
  bool has_set, repeat = run->plan.may_repeat_row;
  struct call whole;
  call_begin(&whole, user_call, statement->connection->call_timeout_ms);
  dbsql_status status = parameter_sets_next(&run->sets, &has_set, error);
  if (status != DBSQL_OK) {
    run->first = run->last = run->sets.number > 0 ? run->sets.number : 1;
    explain(run, status, NOT_SENT, error);
    return status;
  }
  if (!has_set) return make_empty(statement->connection, &run->result, error);
  for (bool first = true; has_set; first = false) {
    enum stage stage = NOT_SENT;
    dbsql_call call;
    dbsql_result *result = NULL;
    status = gather(run, repeat, &has_set, error);
    if (status == DBSQL_OK && first && has_set && returns_rows(&run->markers)) return refuse_rows(error);
    if (status == DBSQL_OK) status = call_for_next(&whole, user_call, &call, error);
    if (status == DBSQL_OK) {
      stage = SENT;
      status = send(statement, repeat ? buf_slice(&run->text) : run->sql, run->parameters, run->count, &call, &result, error);
    }
    if (status == DBSQL_OK && first && !has_set) { /* the only statement: its result as it is */
      run->result = result;
      run->done = run->last - run->first + 1;
      return DBSQL_OK;
    }
    if (status == DBSQL_OK) {
      stage = EXECUTED;
      status = absorb(run, result, &call, error);
      result_free(run->result);
      run->result = result;
    }
    if (status != DBSQL_OK) {
      explain(run, status, stage, error);
      return status;
    }
    run->done += run->last - run->first + 1;
  }
  return finish(run, error);
}

dbsql_status statement_execute_bound(dbsql_statement *statement, struct slice sql, const dbsql_call *user_call, dbsql_result **result,
                                     dbsql_error **error) {
  struct parameters *bound = &statement->parameters;
  bool arrow = bound->source == PARAMETERS_ARROW;
  bound->sets_done = 0;
  dbsql_status status = call_validate(user_call, error);
  if (status != DBSQL_OK) return status;
  struct run *run = mem_alloc_zero(1, sizeof *run);
  if (!run) return error_no_memory(error);
  run->statement = statement;
  run->sql = sql;
  run->parameters = mem_alloc_zero(parameters_most, sizeof *run->parameters);
  status = run->parameters ? sql_markers_scan(sql, &run->markers, error) : error_no_memory(error);
  if (status == DBSQL_OK) status = check_text(run, error);
  if (status == DBSQL_OK && arrow) status = parameter_sets_open(&run->sets, bound, error);
  if (status == DBSQL_OK) status = parameters_plan(bound, arrow ? &run->sets.root : NULL, &run->markers, &run->plan, error);
  if (status != DBSQL_OK) {
    error_set_category(error, CATEGORY_INVALID_REQUEST);
  } else if (arrow) {
    status = run_sets(run, user_call, error);
  } else {
    status = run_values(run, user_call, result, error);
  }
  int64_t done = run->done;
  if (status == DBSQL_OK && arrow) {
    *result = run->result;
    run->result = NULL;
  }
  result_free(run->result);
  parameter_sets_close(&run->sets); /* forgets a stream */
  if (arrow) statement->parameters.sets_done = done;
  sql_markers_free(&run->markers);
  buf_free(&run->text);
  arena_free(&run->values);
  mem_free(run->parameters);
  mem_free(run);
  return status;
}
