#include "session/parameters.h"

#include "arrow/column.h"
#include "arrow/column_text.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "session/sql_markers.h"

static void free_item(struct parameter *item) {
  mem_free(item->name);
  mem_free(item->type);
  mem_free(item->value);
  *item = (struct parameter){0};
}

void parameters_clear(struct parameters *parameters) {
  for (size_t i = 0; i < parameters->count; i++) free_item(&parameters->items[i]);
  mem_free(parameters->items);
  if (parameters->batch.release) parameters->batch.release(&parameters->batch);
  if (parameters->schema.release) parameters->schema.release(&parameters->schema);
  if (parameters->stream.release) parameters->stream.release(&parameters->stream);
  *parameters = (struct parameters){0};
}

/* ---- Single values ------------------------------------------------------------------------------------------------------- */

static dbsql_status check_place(const struct parameters *parameters, int32_t position, const char *name, dbsql_error **error) {
  size_t bad_at;
  if (!name && (position < 1 || position > parameters_most)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "07009", "parameter %d: positions are from 1 to %d, and a name must be given for 0",
                     (int)position, (int)parameters_most);
  }
  if (name && position != 0) {
    return error_set(error, DBSQL_ERROR_DRIVER, "07009", "parameter :%s is bound by name: its position must be 0, not %d", name,
                     (int)position);
  }
  if (parameters->source == PARAMETERS_VALUES && parameters->count > 0 && parameters->is_named != (name != NULL)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "07002",
                     "named and positional parameters cannot be used simultaneously: those that are bound are %s",
                     parameters->is_named ? "named" : "positional");
  }
  if (!name) return DBSQL_OK;
  size_t length = strlen(name);
  if (length == 0 || length > parameter_name_most) {
    return error_set(error, DBSQL_ERROR_DRIVER, "07009", "the name of a parameter must have 1 to %d bytes, not %zu",
                     (int)parameter_name_most, length);
  }
  if (!utf8_is_valid(name, length, &bad_at)) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22021", "the name of a parameter is not valid UTF-8 at byte %zu", bad_at);
  }
  return DBSQL_OK;
}

/* The place of the parameter, made if there is none; NULL if out of memory. */
static struct parameter *place_for(struct parameters *parameters, int32_t position, const char *name) {
  size_t index = parameters->count;
  for (size_t i = 0; name && i < parameters->count; i++) {
    if (strcmp(parameters->items[i].name, name) == 0) return &parameters->items[i];
  }
  if (!name) index = (size_t)position - 1;
  if (index < parameters->count) return &parameters->items[index];
  struct parameter *grown = mem_realloc_array(parameters->items, index + 1, sizeof *grown);
  if (!grown) return NULL;
  parameters->items = grown;
  char *copy = name ? mem_strdup(name) : NULL;
  if (name && !copy) return NULL;
  memset(grown + parameters->count, 0, (index + 1 - parameters->count) * sizeof *grown);
  parameters->count = index + 1;
  parameters->source = PARAMETERS_VALUES;
  parameters->is_named = name != NULL;
  grown[index].name = copy;
  return &grown[index];
}

static void say_which(dbsql_error **error, int32_t position, const char *name) {
  if (name) {
    error_prefix(error, "parameter :%s", name);
  } else {
    error_prefix(error, "parameter %d", (int)position);
  }
}

/* `type` and `value` are taken over, also on failure. */
static dbsql_status put(struct parameters *parameters, int32_t position, const char *name, char *type, char *value, size_t size,
                        bool is_binary, dbsql_error **error) {
  if (parameters->source == PARAMETERS_ARROW) parameters_clear(parameters);
  struct parameter *item = type ? place_for(parameters, position, name) : NULL;
  if (!item) {
    mem_free(type);
    mem_free(value);
    return error_no_memory(error);
  }
  mem_free(item->type);
  mem_free(item->value);
  item->type = type;
  item->value = value;
  item->size = size;
  item->is_bound = true;
  item->is_binary = is_binary;
  return DBSQL_OK;
}

dbsql_status parameters_set(struct parameters *parameters, int32_t position, const char *name, const char *type, struct slice value,
                            bool is_null, dbsql_error **error) {
  char decimal[parameter_type_size];
  size_t bad_at, type_length = strlen(type);
  if (name && *name == ':') name++;
  dbsql_status status = check_place(parameters, position, name, error);
  if (status != DBSQL_OK) return status;
  if (type_length == 0 || !utf8_is_valid(type, type_length, &bad_at)) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "HY004", "the name of its type is %s", type_length ? "not valid UTF-8" : "empty");
  } else if (!is_null && !utf8_is_valid(value.data, value.size, &bad_at)) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "22021", "the text is not valid UTF-8 at byte %zu", bad_at);
  } else if (!is_null && value.size > parameters_request_most) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "22001", "a value of %zu bytes: a statement may have %d with all of its values",
                       value.size, (int)parameters_request_most);
  } else if (!is_null && text_equal_nocase(type, "DECIMAL")) {
    status = parameter_decimal_type(value, decimal, error);
    type = decimal;
  }
  if (status != DBSQL_OK) {
    say_which(error, position, name);
    return status;
  }
  char *copy = is_null ? NULL : mem_strndup((const char *)value.data, value.size);
  if (!is_null && !copy) return error_no_memory(error);
  return put(parameters, position, name, mem_strdup(type), copy, value.size, false, error);
}

dbsql_status parameters_set_binary(struct parameters *parameters, int32_t position, const char *name, struct slice bytes,
                                   dbsql_error **error) {
  if (name && *name == ':') name++;
  dbsql_status status = check_place(parameters, position, name, error);
  if (status != DBSQL_OK) return status;
  if (bytes.size > parameters_request_most / 2) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "22001", "%zu bytes become twice as many digits: a statement may have %d with all values",
                       bytes.size, (int)parameters_request_most);
    say_which(error, position, name);
    return status;
  }
  struct buf hex = BUF_INIT;
  column_append_hex(&hex, bytes);
  size_t size = hex.size;
  char *value = buf_take_text(&hex);
  if (!value) return error_no_memory(error);
  return put(parameters, position, name, mem_strdup("STRING"), value, size, true, error);
}

/* ---- Arrow --------------------------------------------------------------------------------------------------------------- */

static dbsql_status check_schema(const struct ArrowSchema *schema, dbsql_error **error) {
  if (!schema->format || strcmp(schema->format, "+s") != 0) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY004", "parameters must be a struct array with a column for each of them, not \"%s\"",
                     schema->format ? schema->format : "");
  }
  if (schema->n_children > parameters_most) {
    return error_set(error, DBSQL_ERROR_DRIVER, "07002", "%lld columns: a statement takes at most %d parameters",
                     (long long)schema->n_children, (int)parameters_most);
  }
  return DBSQL_OK;
}

dbsql_status parameters_bind_batch(struct parameters *parameters, struct ArrowArray *batch, struct ArrowSchema *schema,
                                   dbsql_error **error) {
  dbsql_status status = check_schema(schema, error);
  if (status != DBSQL_OK) return status;
  if (batch->n_children != schema->n_children || batch->length < 0 || batch->offset < 0) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY004", "the array has %lld columns and %lld rows, its schema %lld columns",
                     (long long)batch->n_children, (long long)batch->length, (long long)schema->n_children);
  }
  parameters_clear(parameters);
  parameters->source = PARAMETERS_ARROW;
  parameters->batch = *batch;
  parameters->schema = *schema;
  batch->release = NULL;
  schema->release = NULL;
  return DBSQL_OK;
}

dbsql_status parameters_bind_stream(struct parameters *parameters, struct ArrowArrayStream *stream, dbsql_error **error) {
  struct ArrowSchema schema = {0};
  int code = stream->get_schema(stream, &schema);
  if (code != 0) {
    const char *why = stream->get_last_error(stream);
    return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the stream of parameters has no schema: %s (%d)", why ? why : "it says not why",
                     code);
  }
  dbsql_status status = check_schema(&schema, error);
  if (status != DBSQL_OK) {
    schema.release(&schema);
    return status;
  }
  parameters_clear(parameters);
  parameters->source = PARAMETERS_ARROW;
  parameters->schema = schema;
  parameters->stream = *stream;
  stream->release = NULL;
  return DBSQL_OK;
}

/* ---- Plan ---------------------------------------------------------------------------------------------------------------- */

static size_t bound_count(const struct parameters *parameters, const struct arrow_column *columns) {
  return columns ? (size_t)columns->child_count : parameters->count;
}

static const char *bound_name(const struct parameters *parameters, const struct arrow_column *columns, size_t i) {
  return columns ? columns->children[i].name : parameters->items[i].name;
}

/* SIZE_MAX: nothing of that name is bound. */
static size_t find_bound(const struct parameters *parameters, const struct arrow_column *columns, const struct sql_marker *marker) {
  for (size_t i = 0; i < bound_count(parameters, columns); i++) {
    if (sql_marker_is(marker, bound_name(parameters, columns, i))) return i;
  }
  return SIZE_MAX;
}

static dbsql_status too_many(size_t count, dbsql_error **error) {
  return error_set(error, DBSQL_ERROR_DRIVER, "07002", "the statement has %zu parameter markers: the server takes at most %d", count,
                   (int)parameters_most);
}

static dbsql_status plan_positional(const struct parameters *parameters, const struct arrow_column *columns,
                                    const struct sql_markers *markers, struct parameter_plan *plan, dbsql_error **error) {
  size_t bound = bound_count(parameters, columns);
  if (markers->positional > parameters_most) return too_many(markers->positional, error);
  if (markers->positional != bound && !markers->is_unclosed) {
    return error_set(error, DBSQL_ERROR_DRIVER, "07002", "the statement has %zu parameter marker%s, but %zu parameter%s %s bound",
                     markers->positional, markers->positional == 1 ? "" : "s", bound, bound == 1 ? "" : "s", bound == 1 ? "is" : "are");
  }
  for (size_t i = 0; i < bound; i++) {
    if (!columns && !parameters->items[i].is_bound) {
      return error_set(error, DBSQL_ERROR_DRIVER, "07002", "parameter %zu is not bound", i + 1);
    }
    plan->sources[i] = (uint32_t)i;
  }
  plan->count = bound;
  size_t place = 0;
  for (size_t i = 0; i < markers->count && place < bound; i++) {
    if (!markers->items[i].name) plan->in_unhex[place++] = markers->items[i].in_unhex;
  }
  return DBSQL_OK;
}

static dbsql_status plan_named(const struct parameters *parameters, const struct arrow_column *columns, const struct sql_markers *markers,
                               struct parameter_plan *plan, dbsql_error **error) {
  bool used[parameters_most] = {false}, raw[parameters_most] = {false};
  size_t bound = bound_count(parameters, columns);
  for (size_t i = 0; i < bound; i++) {
    const char *name = bound_name(parameters, columns, i);
    for (size_t j = 0; j < i && columns; j++) {
      if (strcmp(name, bound_name(parameters, columns, j)) == 0)
        return error_set(error, DBSQL_ERROR_DRIVER, "07002", "two columns are called \"%s\": which of them is :%s?", name, name);
    }
  }
  for (size_t i = 0; i < markers->count; i++) {
    const struct sql_marker *marker = &markers->items[i];
    size_t source = find_bound(parameters, columns, marker);
    if (source != SIZE_MAX) {
      used[source] = true;
      raw[source] = raw[source] || !marker->in_unhex;
    } else if (!marker->is_doubtful) {
      return error_set(error, DBSQL_ERROR_DRIVER, "07002", "the parameter :%.*s is not bound", (int)marker->name_size, marker->name);
    }
  }
  for (size_t i = 0; i < bound; i++) {
    if (!used[i] && !markers->is_unclosed) {
      return error_set(error, DBSQL_ERROR_DRIVER, "07002", "the statement has no parameter :%s", bound_name(parameters, columns, i));
    }
    plan->sources[i] = (uint32_t)i;
    plan->names[i] = bound_name(parameters, columns, i);
    plan->in_unhex[i] = !raw[i];
  }
  plan->count = bound;
  return DBSQL_OK;
}

/* Rows are repeated with `?`, since a name can have one value only. */
static void plan_rows(const struct parameters *parameters, const struct arrow_column *columns, const struct sql_markers *markers,
                      struct parameter_plan *plan) {
  if (markers->row_end == 0 || markers->count == 0 || markers->count > parameters_most) return;
  for (size_t i = 0; i < markers->count; i++) {
    const struct sql_marker *marker = &markers->items[i];
    size_t source = marker->name ? find_bound(parameters, columns, marker) : plan->row_markers;
    if (marker->is_doubtful) {
      if (source != SIZE_MAX) return; /* the server has to say what it is */
      continue;
    }
    plan->row_sources[plan->row_markers] = (uint32_t)source;
    plan->row_in_unhex[plan->row_markers++] = marker->in_unhex;
  }
  plan->may_repeat_row = plan->row_markers > 0;
}

dbsql_status parameters_plan(const struct parameters *parameters, const struct arrow_column *columns, const struct sql_markers *markers,
                             struct parameter_plan *plan, dbsql_error **error) {
  *plan = (struct parameter_plan){0};
  if (markers->positional && markers->named) {
    return error_set(error, DBSQL_ERROR_DRIVER, "07002",
                     "named and positional parameters cannot be used simultaneously: the statement has %zu `?` and %zu of the form `:name`",
                     markers->positional, markers->named);
  }
  /* Columns of a batch serve either style. */
  plan->is_named = columns ? markers->positional == 0 && markers->named + markers->doubtful > 0 : parameters->is_named;
  if (plan->is_named && markers->positional) {
    return error_set(error, DBSQL_ERROR_DRIVER, "07002",
                     "named and positional parameters cannot be used simultaneously: the statement has `?`, but names are bound");
  }
  if (!plan->is_named && markers->named) {
    return error_set(error, DBSQL_ERROR_DRIVER, "07002",
                     "named and positional parameters cannot be used simultaneously: the statement has `:name`, but positions are bound");
  }
  dbsql_status status =
      plan->is_named ? plan_named(parameters, columns, markers, plan, error) : plan_positional(parameters, columns, markers, plan, error);
  if (status == DBSQL_OK) plan_rows(parameters, columns, markers, plan);
  return status;
}
