#include "session/parameters.h"

#include "api/api.h"
#include "base/mem.h"
#include "session/config.h"
#include "session/query_tags.h"
#include "session/sql_markers.h"
#include "session/statement.h"

/* ---- Values -------------------------------------------------------------------------------------------------------------- */

static dbsql_status set_text(dbsql_statement *statement, int32_t position, const char *name, const struct parameter_text *text,
                             dbsql_error **error) {
  return parameters_set(&statement->parameters, position, name, text->type, slice_of(text->text, text->length), false, error);
}

/* An error of the value itself, before its place was looked at. */
static dbsql_status bad_value(int32_t position, const char *name, dbsql_status status, dbsql_error **error) {
  if (name) {
    error_prefix(error, "parameter :%s", *name == ':' ? name + 1 : name);
  } else {
    error_prefix(error, "parameter %d", (int)position);
  }
  return status;
}

dbsql_status dbsql_bind_null(dbsql_statement *statement, int32_t position, const char *name, const char *type, dbsql_error **error) {
  API_REQUIRE(statement, error);
  return parameters_set(&statement->parameters, position, name, type ? type : "VOID", slice_of(NULL, 0), true, error);
}

dbsql_status dbsql_bind_bool(dbsql_statement *statement, int32_t position, const char *name, bool value, dbsql_error **error) {
  API_REQUIRE(statement, error);
  struct parameter_text text;
  parameter_write_bool(&text, value);
  return set_text(statement, position, name, &text, error);
}

dbsql_status dbsql_bind_int32(dbsql_statement *statement, int32_t position, const char *name, int32_t value, dbsql_error **error) {
  API_REQUIRE(statement, error);
  struct parameter_text text;
  parameter_write_int(&text, value, false);
  return set_text(statement, position, name, &text, error);
}

dbsql_status dbsql_bind_int64(dbsql_statement *statement, int32_t position, const char *name, int64_t value, dbsql_error **error) {
  API_REQUIRE(statement, error);
  struct parameter_text text;
  parameter_write_int(&text, value, true);
  return set_text(statement, position, name, &text, error);
}

dbsql_status dbsql_bind_uint64(dbsql_statement *statement, int32_t position, const char *name, uint64_t value, dbsql_error **error) {
  API_REQUIRE(statement, error);
  struct parameter_text text;
  parameter_write_uint64(&text, value, value > INT64_MAX);
  return set_text(statement, position, name, &text, error);
}

dbsql_status dbsql_bind_float(dbsql_statement *statement, int32_t position, const char *name, float value, dbsql_error **error) {
  API_REQUIRE(statement, error);
  struct parameter_text text;
  parameter_write_float(&text, value);
  return set_text(statement, position, name, &text, error);
}

dbsql_status dbsql_bind_double(dbsql_statement *statement, int32_t position, const char *name, double value, dbsql_error **error) {
  API_REQUIRE(statement, error);
  struct parameter_text text;
  parameter_write_double(&text, value);
  return set_text(statement, position, name, &text, error);
}

dbsql_status dbsql_bind_text(dbsql_statement *statement, int32_t position, const char *name, const char *value, size_t length,
                             dbsql_error **error) {
  return dbsql_bind_typed(statement, position, name, "STRING", value, length, error);
}

dbsql_status dbsql_bind_bytes(dbsql_statement *statement, int32_t position, const char *name, const void *value, size_t length,
                              dbsql_error **error) {
  API_REQUIRE(statement, error);
  if (!value) return parameters_set(&statement->parameters, position, name, "STRING", slice_of(NULL, 0), true, error);
  return parameters_set_binary(&statement->parameters, position, name, slice_of(value, length), error);
}

dbsql_status dbsql_bind_decimal(dbsql_statement *statement, int32_t position, const char *name, const struct dbsql_decimal *value,
                                dbsql_error **error) {
  API_REQUIRE(statement, error);
  API_REQUIRE(value, error);
  struct parameter_text text;
  dbsql_status status = DBSQL_OK;
  if (value->scale < 0) {
    status = error_set(error, DBSQL_ERROR_DRIVER, "22003", "a decimal with the negative scale %d", (int)value->scale);
  } else {
    status = parameter_write_decimal(&text, value->high, value->low, 0, value->scale, error);
  }
  return status == DBSQL_OK ? set_text(statement, position, name, &text, error) : bad_value(position, name, status, error);
}

dbsql_status dbsql_bind_date(dbsql_statement *statement, int32_t position, const char *name, int32_t days, dbsql_error **error) {
  API_REQUIRE(statement, error);
  struct parameter_text text;
  dbsql_status status = parameter_write_date(&text, days, error);
  return status == DBSQL_OK ? set_text(statement, position, name, &text, error) : bad_value(position, name, status, error);
}

dbsql_status dbsql_bind_timestamp(dbsql_statement *statement, int32_t position, const char *name, int64_t micros, dbsql_error **error) {
  API_REQUIRE(statement, error);
  struct parameter_text text;
  dbsql_status status = parameter_write_timestamp(&text, micros, 1000000, true, error);
  return status == DBSQL_OK ? set_text(statement, position, name, &text, error) : bad_value(position, name, status, error);
}

dbsql_status dbsql_bind_timestamp_ntz(dbsql_statement *statement, int32_t position, const char *name, int64_t micros, dbsql_error **error) {
  API_REQUIRE(statement, error);
  struct parameter_text text;
  dbsql_status status = parameter_write_timestamp(&text, micros, 1000000, false, error);
  return status == DBSQL_OK ? set_text(statement, position, name, &text, error) : bad_value(position, name, status, error);
}

dbsql_status dbsql_bind_interval_months(dbsql_statement *statement, int32_t position, const char *name, int32_t months,
                                        dbsql_error **error) {
  API_REQUIRE(statement, error);
  struct parameter_text text;
  parameter_write_months(&text, months);
  return set_text(statement, position, name, &text, error);
}

dbsql_status dbsql_bind_interval_micros(dbsql_statement *statement, int32_t position, const char *name, int64_t micros,
                                        dbsql_error **error) {
  API_REQUIRE(statement, error);
  struct parameter_text text;
  parameter_write_micros(&text, micros);
  return set_text(statement, position, name, &text, error);
}

dbsql_status dbsql_bind_typed(dbsql_statement *statement, int32_t position, const char *name, const char *type, const char *value,
                              size_t length, dbsql_error **error) {
  API_REQUIRE(statement, error);
  API_REQUIRE(type, error);
  struct slice text = value ? slice_of(value, length == SIZE_MAX ? strlen(value) : length) : slice_of(NULL, 0);
  return parameters_set(&statement->parameters, position, name, type, text, value == NULL, error);
}

void dbsql_statement_clear_parameters(dbsql_statement *statement) {
  if (statement) parameters_clear(&statement->parameters);
}

/* ---- Arrow --------------------------------------------------------------------------------------------------------------- */

dbsql_status dbsql_statement_bind(dbsql_statement *statement, struct ArrowArray *array, struct ArrowSchema *schema, dbsql_error **error) {
  API_REQUIRE(statement, error);
  API_REQUIRE(array, error);
  API_REQUIRE(schema, error);
  if (!array->release || !schema->release) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "%s: the %s has been released", __func__, array->release ? "schema" : "array");
  }
  return parameters_bind_batch(&statement->parameters, array, schema, error);
}

dbsql_status dbsql_statement_bind_stream(dbsql_statement *statement, struct ArrowArrayStream *stream, dbsql_error **error) {
  API_REQUIRE(statement, error);
  API_REQUIRE(stream, error);
  if (!stream->release) return error_set(error, DBSQL_ERROR_DRIVER, "HY009", "%s: the stream has been released", __func__);
  return parameters_bind_stream(&statement->parameters, stream, error);
}

int64_t dbsql_statement_sets_done(const dbsql_statement *statement) {
  return statement ? statement->parameters.sets_done : 0;
}

/* ---- Markers ------------------------------------------------------------------------------------------------------------- */

struct dbsql_markers {
  struct sql_markers found;
  size_t count;
  const struct sql_marker **items; /* those that are no doubt */
};

dbsql_status dbsql_markers_new(const char *sql, size_t length, dbsql_markers **markers, dbsql_error **error) {
  API_REQUIRE(markers, error);
  *markers = NULL;
  API_REQUIRE(sql, error);
  dbsql_markers *made = mem_alloc_zero(1, sizeof *made);
  if (!made) return error_no_memory(error);
  dbsql_status status = sql_markers_scan(slice_of(sql, length == SIZE_MAX ? strlen(sql) : length), &made->found, error);
  if (status == DBSQL_OK) {
    made->items = mem_alloc_zero(made->found.count + 1, sizeof *made->items);
    if (!made->items) status = error_no_memory(error);
  }
  if (status != DBSQL_OK) {
    dbsql_markers_free(made);
    return status;
  }
  for (size_t i = 0; i < made->found.count; i++) {
    if (!made->found.items[i].is_doubtful) made->items[made->count++] = &made->found.items[i];
  }
  *markers = made;
  return DBSQL_OK;
}

void dbsql_markers_free(dbsql_markers *markers) {
  if (!markers) return;
  sql_markers_free(&markers->found);
  mem_free(markers->items);
  mem_free(markers);
}

size_t dbsql_markers_count(const dbsql_markers *markers) {
  return markers ? markers->count : 0;
}

const char *dbsql_markers_name(const dbsql_markers *markers, size_t index) {
  return markers && index < markers->count ? markers->items[index]->name : NULL;
}

size_t dbsql_markers_offset(const dbsql_markers *markers, size_t index) {
  return markers && index < markers->count ? markers->items[index]->start : SIZE_MAX;
}

/* ---- Query tags ---------------------------------------------------------------------------------------------------------- */

dbsql_status dbsql_statement_set_tag(dbsql_statement *statement, const char *key, const char *value, dbsql_error **error) {
  API_REQUIRE(statement, error);
  API_REQUIRE(key, error);
  return query_tags_set(&statement->tags, key, value, error);
}

dbsql_status dbsql_config_set_tag(dbsql_config *config, const char *key, const char *value, dbsql_error **error) {
  API_REQUIRE(config, error);
  API_REQUIRE(key, error);
  struct query_tags tags = {0};
  dbsql_status status = query_tags_parse(&tags, config_text(config, OPTION_query_tags), error);
  if (status == DBSQL_OK) status = query_tags_set(&tags, key, value, error);
  if (status == DBSQL_OK) status = dbsql_config_set(config, "query_tags", query_tags_text(&tags), error);
  query_tags_free(&tags);
  return status;
}
