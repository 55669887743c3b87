/* Running a statement: the worker's side of ExecuteStatement. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "commands.h"
#include "links.h"
#include "memory.h"
#include "page.h"
#include "parameters.h"
#include "sql.h"
#include "thrift/tcli.h"
#include "transaction.h"
#include "warehouse.h"

static bool is_stopped(void *user) {
  const struct operation *operation = user;
  return operation->cancelled || operation->timed_out;
}

/* ---- Parameters --------------------------------------------------------------------------------------------------------------------- */

/* Every marker becomes an expression of casts, and the texts in it are bound in the order of their places. */
struct binding {
  struct buf text;
  const char **values;
  size_t count;
  char **owned; /* values that were made here */
  size_t owned_count;
};

static void append_value(struct binding *binding, const char *value, const char *type) {
  binding->values = wh_grow(binding->values, binding->count + 1, sizeof *binding->values);
  binding->values[binding->count++] = value;
  buf_printf(&binding->text, "CAST($%zu AS %s)", binding->count, type);
}

static void append_number(struct binding *binding, int64_t number) {
  char *text = wh_print("%lld", (long long)number);
  binding->owned = wh_grow(binding->owned, binding->owned_count + 1, sizeof *binding->owned);
  binding->owned[binding->owned_count++] = text;
  append_value(binding, text, "BIGINT");
}

/* The engine reads intervals in its own way only. */
static bool append_interval(struct binding *binding, const struct parameter *parameter, struct failure *failure) {
  const int64_t day = INT64_C(86400000000);
  bool months;
  int64_t number;
  if (!parameters_interval(parameter->type, parameter->value, &months, &number, failure)) return false;
  /* It would make months of many microseconds. */
  buf_append_text(&binding->text, months ? "to_months(" : "(to_days(");
  append_number(binding, months ? number : number / day);
  if (!months) {
    buf_append_text(&binding->text, ") + to_microseconds(");
    append_number(binding, number % day);
    buf_append_byte(&binding->text, ')');
  }
  buf_append_byte(&binding->text, ')');
  return true;
}

static bool append_parameter(struct binding *binding, const struct parameter *parameter, int depth, struct failure *failure) {
  if (!parameter->parts) {
    char *type = NULL;
    if (!parameter->value && (!parameter->type || text_equal_nocase(parameter->type, "VOID"))) {
      buf_append_text(&binding->text, "NULL");
      return true;
    }
    if (!sql_type(parameter->type ? parameter->type : "STRING", &type, failure)) return false;
    if (strcmp(type, "INTERVAL") == 0 && parameter->value) {
      free(type);
      return append_interval(binding, parameter, failure);
    }
    append_value(binding, parameter->value, type);
    free(type);
    return true;
  }
  if (depth > 32) return failure_set(failure, "INVALID_PARAMETER_VALUE", "22023", "A parameter is nested too deeply.");
  const char *type = parameter->type ? parameter->type : "";
  bool map = text_has_prefix_nocase(type, "MAP"), structure = text_has_prefix_nocase(type, "STRUCT");
  if (!map && !structure && !text_has_prefix_nocase(type, "ARRAY"))
    return failure_set(failure, "INVALID_PARAMETER_VALUE", "22023", "A parameter of the type %s cannot have arguments.", type);
  if (structure || (map && parameter->part_count % 2))
    return failure_set(failure, "UNSUPPORTED_FEATURE", "0A000", "Parameters of the type %s are not supported by this warehouse.", type);
  buf_append_text(&binding->text, map ? "MAP([" : "[");
  size_t step = map ? 2 : 1;
  for (size_t turn = 0; turn < step; turn++) {
    for (size_t i = turn; i < parameter->part_count; i += step) {
      if (i > turn) buf_append_text(&binding->text, ", ");
      if (!append_parameter(binding, &parameter->parts[i], depth + 1, failure)) return false;
    }
    buf_append_text(&binding->text, turn + 1 < step ? "], [" : "]");
  }
  if (map) buf_append_text(&binding->text, ")");
  return true;
}

static const struct parameter *find_parameter(const struct operation_request *request, const char *name, size_t *positional) {
  size_t place = 0;
  for (size_t i = 0; i < request->parameter_count; i++) {
    const struct parameter *parameter = &request->parameters[i];
    if (name ? parameter->name && text_equal_nocase(parameter->name, name) : !parameter->name && place++ == *positional) {
      if (!name) ++*positional;
      return parameter;
    }
  }
  return NULL;
}

/* Replaces the markers of the statement by what is bound. */
static bool bind(const struct operation_request *request, const struct sql_statement *statement, struct binding *binding,
                 struct failure *failure) {
  size_t positional = 0, marker = 0;
  for (const char *at = statement->text; *at; at++) {
    if (*at != SQL_MARKER) {
      buf_append_byte(&binding->text, (uint8_t)*at);
      continue;
    }
    const char *name = statement->markers[marker++];
    const struct parameter *parameter = find_parameter(request, name, &positional);
    if (!parameter) {
      if (name)
        return failure_set(
            failure, "UNBOUND_SQL_PARAMETER", "42P02",
            "Found the unbound parameter: %s. Please, fix `args` and provide a mapping of the parameter to either a SQL literal "
            "or collection constructor functions such as `map()`, `array()`, `struct()`.",
            name);
      return failure_set(
          failure, "UNBOUND_SQL_PARAMETER", "42P02",
          "Found the unbound parameter: number %zu in order. Please, fix `args` and provide a mapping of the parameter to either "
          "a SQL literal or collection constructor functions such as `map()`, `array()`, `struct()`.",
          positional + 1);
    }
    if (!append_parameter(binding, parameter, 0, failure)) return false;
  }
  wh_check(&binding->text);
  return true;
}

/* ---- The engine's answer --------------------------------------------------------------------------------------------------------------
 */

/* The number in the first row of a result that has one column of it. */
static bool count_of(const struct result *result, int64_t *count) {
  if (result->rows == 0 || result->column_count != 1 || strcmp(result->schema.children[0]->format, "l") != 0) return false;
  const struct ArrowArray *array = result->batches[0].children[0];
  memcpy(count, (const int64_t *)array->buffers[1] + array->offset, sizeof *count);
  return true;
}

/* What a MERGE did with each row: the engine tells, when it is asked to return that. */
static void count_merge(const struct result *result, int64_t counts[3]) {
  for (int64_t b = 0; b < result->batch_count; b++) {
    const struct ArrowArray *array = result->batches[b].children[0];
    const int32_t *offsets = (const int32_t *)array->buffers[1] + array->offset;
    for (int64_t row = 0; row < array->length; row++) {
      char first = ((const char *)array->buffers[2])[offsets[row]];
      counts[first == 'U' ? 0 : first == 'D' ? 1 : 2]++;
    }
  }
}

static bool change_result(struct operation *operation, const struct sql_statement *statement, struct failure *failure) {
  static const char *const insert_columns[] = {"num_affected_rows", "l", "", "num_inserted_rows", "l", "", NULL};
  static const char *const change_columns[] = {"num_affected_rows", "l", "", NULL};
  static const char *const merge_columns[] = {
      "num_affected_rows", "l", "", "num_updated_rows", "l", "", "num_deleted_rows", "l", "", "num_inserted_rows", "l", "", NULL};
  int64_t count = 0, counts[3] = {0, 0, 0};
  bool merge = statement->verb == SQL_MERGE;
  if (merge) {
    count_merge(&operation->result, counts);
    count = counts[0] + counts[1] + counts[2];
  } else if (!count_of(&operation->result, &count)) {
    return failure_set(failure, "INTERNAL_ERROR", "XX000", "The engine did not tell how many rows were changed.");
  }
  result_free(&operation->result);
  operation->has_result = false;
  bool insert = statement->verb == SQL_INSERT;
  struct table *table = table_new(merge ? merge_columns : insert ? insert_columns : change_columns);
  table_int(table, count);
  if (insert) table_int(table, count);
  for (int i = 0; merge && i < 3; i++) table_int(table, counts[i]);
  table_row(table);
  operation->modified_rows = count;
  operation->has_result = table_finish(table, &operation->result, &operation->request.shape, failure);
  return operation->has_result;
}

static bool make_voids(struct operation *operation, const struct sql_statement *statement, struct failure *failure) {
  bool good = true;
  for (size_t i = 0; good && i < statement->null_count; i++)
    good = result_make_void(&operation->result, (int64_t)statement->nulls[i], failure);
  return good;
}

static bool run_on_engine(struct operation *operation, const struct sql_statement *statement, struct failure *failure) {
  struct session *session = operation->session;
  const struct operation_request *request = &operation->request;
  struct engine_error error = {0};
  struct ArrowArrayStream stream = {0};
  struct ArrowArray array = {0};
  struct ArrowSchema schema = {0};
  struct binding binding = {.text = BUF_INIT};
  bool good = bind(request, statement, &binding, failure);
  if (good && binding.count) good = parameters_bind(binding.values, binding.count, &array, &schema, failure);
  const char *sql = good ? buf_text(&binding.text) : NULL;
  if (good && !engine_execute(session->connection, sql, binding.count ? &array : NULL, binding.count ? &schema : NULL, &stream, &error)) {
    good = failure_from_engine(failure, &error, request->sql);
    engine_error_clear(&error);
  }
  if (good && stream.release) {
    bool rows = statement->kind == SQL_ROWS || statement->returning;
    struct result_shape inner = {.arrow = false}; /* of a count, which is read here */
    struct result_limits limits = {rows ? request->row_limit : 0,           session->warehouse->limits.result_bytes, is_stopped, operation,
                                   session->warehouse->limits.spool_folder, session->warehouse->limits.spool_bytes};
    good = result_read(&operation->result, session->connection, &stream, rows ? &request->shape : &inner, session->zone, &limits,
                       request->sql, failure);
    operation->has_result = good;
    engine_finish(session->connection);
    if (good && rows) good = make_voids(operation, statement, failure);
    if (good && statement->kind == SQL_CHANGE && !statement->returning) good = change_result(operation, statement, failure);
  } else {
    engine_finish(session->connection);
  }
  if (good && statement->kind == SQL_CHANGE && statement->returning) operation->modified_rows = operation->result.rows;
  for (size_t i = 0; good && i < statement->after_count; i++) {
    good = engine_execute(session->connection, statement->after[i], NULL, NULL, NULL, &error) ||
           failure_from_engine(failure, &error, request->sql);
    engine_error_clear(&error);
  }
  if (good && statement->kind == SQL_PLAIN) {
    if (operation->has_result) result_free(&operation->result);
    operation->has_result = good = command_empty_result(&operation->result, &request->shape, failure);
  }
  for (size_t i = 0; i < binding.owned_count; i++) free(binding.owned[i]);
  free(binding.owned);
  buf_free(&binding.text);
  free(binding.values);
  return good;
}

/* Settings for this statement alone (thrift.md 6.3). */
static bool apply_overlay(struct operation *operation, char **old_zone, struct failure *failure) {
  struct session *session = operation->session;
  const char *timeout = session_setting(session, "statement_timeout");
  for (size_t i = 0; i < operation->request.overlay_count; i++) {
    const struct setting *setting = &operation->request.overlay[i];
    if (text_equal_nocase(setting->key, "spark.thriftserver.arrowBasedRowSet.timestampAsString") &&
        text_equal_nocase(setting->value, "true"))
      operation->request.shape.timestamp_native = false;
    if (text_equal_nocase(setting->key, "statement_timeout")) timeout = setting->value;
    if (text_equal_nocase(setting->key, "timezone") || text_equal_nocase(setting->key, "spark.sql.session.timeZone")) {
      char *before = wh_copy(session->zone);
      if (!session_set_zone(session, setting->value, failure)) {
        free(before);
        return false;
      }
      if (*old_zone) {
        free(before);
      } else {
        *old_zone = before;
      }
    }
  }
  int64_t seconds = 0;
  if (!timeout || !text_parse_int64(timeout, strlen(timeout), &seconds) || seconds <= 0 || seconds > INT32_MAX) return true;
  pthread_mutex_lock(&session->lock); /* the reaper reads it */
  int64_t deadline = clock_now_ns() + seconds * INT64_C(1000000000);
  if (!operation->deadline_ns || deadline < operation->deadline_ns) {
    operation->deadline_ns = deadline;
    operation->request.timeout_ms = seconds * 1000;
  }
  pthread_mutex_unlock(&session->lock);
  return true;
}

bool execute_operation(struct operation *operation, struct failure *failure) {
  struct session *session = operation->session;
  struct sql_statement statement = {0};
  struct failure in_vain = {0};
  char *old_zone = NULL;
  history_add(&session->warehouse->history, session, &operation->request);
  bool good = apply_overlay(operation, &old_zone, failure) && sql_translate(operation->request.sql, &statement, failure);
  const struct sql_statement *read = good ? &statement : NULL;
  if (!transaction_before(session, read, good ? failure : &in_vain) && good) good = false;
  if (!good && in_vain.set) { /* of an aborted transaction nothing else is said */
    failure_clear(failure);
    *failure = in_vain;
  }
  if (good && operation->request.fails_with) good = transaction_fails_with(operation->request.fails_with, failure);
  if (good && statement.kind <= SQL_PLAIN) {
    good = run_on_engine(operation, &statement, failure);
  } else if (good) {
    good = statement.kind >= SQL_BEGIN ? transaction_run(session, &statement, &operation->request.shape, &operation->result, failure)
                                       : command_run(session, &statement, &operation->request.shape, &operation->result, failure);
    operation->has_result = good;
  }
  if (good) good = page_prepare(&operation->result, failure);
  if (good) good = links_settle(session->warehouse->links, operation, failure);
  transaction_after(session, read, good);
  if (old_zone) {
    struct failure ignored = {0};
    session_set_zone(session, old_zone, &ignored);
    failure_clear(&ignored);
    free(old_zone);
  }
  sql_statement_free(&statement);
  return good;
}
