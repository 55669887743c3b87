#include "parameters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "base/error.h"
#include "memory.h"

void parameters_free(struct parameter *parameters, size_t count) {
  for (size_t i = 0; i < count; i++) {
    free(parameters[i].name);
    free(parameters[i].type);
    free(parameters[i].value);
    parameters_free(parameters[i].parts, parameters[i].part_count);
  }
  free(parameters);
}

static void read_parts(struct parameter *parent, const struct TSparkParameterValueArg *items, uint32_t count) {
  parent->parts = wh_new(count, sizeof *parent->parts);
  parent->part_count = count;
  for (uint32_t i = 0; i < count; i++) {
    struct parameter *part = &parent->parts[i];
    if (items[i].has_type) part->type = wh_copy_slice(items[i].type);
    if (items[i].has_value) part->value = wh_copy_slice(items[i].value);
    if (items[i].has_arguments && items[i].arguments.count) read_parts(part, items[i].arguments.items, items[i].arguments.count);
  }
}

/* A text with a zero byte cannot go through a C string, and would be cut. */
static bool has_zero(struct slice text) {
  return text.size && memchr(text.data, 0, text.size) != NULL;
}

bool parameters_read(const struct TExecuteStatementReq *request, struct parameter **parameters, size_t *count, struct failure *failure) {
  bool named = false, positional = false;
  *count = request->has_parameters ? request->parameters.count : 0;
  *parameters = wh_new(*count, sizeof **parameters);
  for (size_t i = 0; i < *count; i++) {
    const struct TSparkParameter *from = &request->parameters.items[i];
    struct parameter *to = &(*parameters)[i];
    if (from->has_name && from->name.size) to->name = wh_copy_slice(from->name);
    named = named || to->name;
    positional = positional || !to->name;
    if (from->has_type) to->type = wh_copy_slice(from->type);
    const struct TSparkParameterValue *value = from->has_value ? from->value : NULL;
    if (value && value->has_stringValue) {
      if (has_zero(value->stringValue))
        return failure_set(failure, "INVALID_PARAMETER_VALUE", "22023",
                           "A parameter holds a zero byte, which this warehouse's engine cannot take.");
      to->value = wh_copy_slice(value->stringValue);
    } else if (value && value->has_doubleValue) {
      to->value = wh_print("%.17g", value->doubleValue);
      if (!to->type) to->type = wh_copy("DOUBLE");
    } else if (value && value->has_booleanValue) {
      to->value = wh_copy(value->booleanValue ? "true" : "false");
      if (!to->type) to->type = wh_copy("BOOLEAN");
    }
    if (from->has_arguments && from->arguments.count) read_parts(to, from->arguments.items, from->arguments.count);
  }
  if (named && positional)
    return failure_set(failure, "INVALID_PARAMETER_VALUE", "22023", "Named and positional parameters cannot be used in one statement.");
  return true;
}

bool parameters_bind(const char *const *values, size_t count, struct ArrowArray *array, struct ArrowSchema *schema,
                     struct failure *failure) {
  dbsql_error *error = NULL;
  struct arrow_builder builder = {0};
  dbsql_status status = arrow_schema_make(schema, "+s", "", 0, (int64_t)count, &error);
  for (size_t i = 0; status == DBSQL_OK && i < count; i++) {
    char name[32];
    snprintf(name, sizeof name, "%zu", i + 1);
    status = arrow_schema_make(schema->children[i], "u", name, ARROW_FLAG_NULLABLE, 0, &error);
  }
  if (status == DBSQL_OK) status = arrow_builder_init(&builder, schema, &error);
  for (size_t i = 0; status == DBSQL_OK && i < count; i++) {
    if (values[i]) {
      arrow_builder_append_bytes(&builder.children[i], slice_text(values[i]));
    } else {
      arrow_builder_append_null(&builder.children[i]);
    }
  }
  if (status == DBSQL_OK) {
    arrow_builder_append_entry(&builder);
    status = arrow_builder_finish(&builder, array, &error);
  }
  arrow_builder_free(&builder);
  if (status == DBSQL_OK) return true;
  if (schema->release) schema->release(schema);
  return failure_from_library(failure, &error);
}
