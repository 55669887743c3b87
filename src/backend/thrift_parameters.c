/* What a statement brings along besides its text: parameters (thrift.md 2.3) and settings of its own (thrift.md 6.3). */
#include "backend/thrift_backend.h"

#include "base/error.h"

/* Elements of ARRAY and MAP parameters, as Python's connector sends them. */
static struct TSparkParameterValueArg *make_parts(const struct backend_parameter *parts, size_t count, struct arena *arena) {
  struct TSparkParameterValueArg *items = arena_alloc(arena, count + 1, sizeof *items);
  for (size_t i = 0; items && i < count; i++) {
    TCLI_SET(&items[i], type, slice_text(parts[i].type));
    if (parts[i].has_parts) {
      items[i].has_arguments = true;
      items[i].arguments.count = (uint32_t)parts[i].part_count;
      items[i].arguments.items = make_parts(parts[i].parts, parts[i].part_count, arena);
      if (!items[i].arguments.items) return NULL;
    } else if (!parts[i].is_null) {
      TCLI_SET(&items[i], value, parts[i].value);
    }
  }
  return items;
}

dbsql_status thrift_add_parameters(int32_t version, const struct backend_statement *statement, struct arena *arena,
                                   struct TExecuteStatementReq *request, dbsql_error **error) {
  if (statement->parameter_count == 0) return DBSQL_OK;
  if (version < parameters_since) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "query parameters are not supported by this server (protocol %d)", (int)version);
  }
  size_t count = statement->parameter_count;
  struct TSparkParameter *items = arena_alloc(arena, count, sizeof *items);
  struct TSparkParameterValue *values = arena_alloc(arena, count, sizeof *values);
  if (!items || !values) return error_no_memory(error);
  for (size_t i = 0; i < count; i++) {
    const struct backend_parameter *from = &statement->parameters[i];
    if (from->name) {
      TCLI_SET(&items[i], name, slice_text(from->name));
    } else {
      TCLI_SET(&items[i], ordinal, (int32_t)i + 1);
    }
    TCLI_SET(&items[i], type, slice_text(from->type));
    if (from->has_parts) {
      items[i].has_arguments = true;
      items[i].arguments.count = (uint32_t)from->part_count;
      items[i].arguments.items = make_parts(from->parts, from->part_count, arena);
      if (!items[i].arguments.items) return error_no_memory(error);
    } else if (!from->is_null) { /* NULL: no value (as recorded) */
      TCLI_SET(&values[i], stringValue, from->value);
      TCLI_SET(&items[i], value, &values[i]);
    }
  }
  request->has_parameters = true;
  request->parameters.count = (uint32_t)count;
  request->parameters.items = items;
  return DBSQL_OK;
}

/* Nothing of the session's own is in it: what is here counts for this statement. */
dbsql_status thrift_add_overlay(int32_t version, const struct backend_statement *statement, struct arena *arena,
                                struct TExecuteStatementReq *request, dbsql_error **error) {
  size_t count = statement->conf_count + (statement->query_tags ? 1 : 0);
  if (count == 0) return DBSQL_OK;
  if (statement->query_tags && version <= last_hive_protocol) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "query_tags: a plain HiveServer2 does not know them");
  }
  struct thrift_pair *items = arena_alloc(arena, count, sizeof *items);
  if (!items) return error_no_memory(error);
  for (size_t i = 0; i < statement->conf_count; i++) {
    items[i] = (struct thrift_pair){slice_text(statement->conf[i].key), slice_text(statement->conf[i].value)};
  }
  if (statement->query_tags) items[count - 1] = (struct thrift_pair){slice_text("query_tags"), slice_text(statement->query_tags)};
  request->has_confOverlay = true;
  request->confOverlay.count = (uint32_t)count;
  request->confOverlay.items = items;
  return DBSQL_OK;
}
