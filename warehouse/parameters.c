#include "parameters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "base/error.h"
#include "base/text.h"
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
  parent->parts = wh_new(count + 1, sizeof *parent->parts); /* not NULL for an empty one either */
  parent->part_count = count;
  for (uint32_t i = 0; i < count; i++) {
    struct parameter *part = &parent->parts[i];
    if (items[i].has_type) part->type = wh_copy_slice(items[i].type);
    if (items[i].has_value) part->value = wh_copy_slice(items[i].value);
    if (items[i].has_arguments) read_parts(part, items[i].arguments.items, items[i].arguments.count);
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
    if (from->has_arguments) read_parts(to, from->arguments.items, from->arguments.count);
  }
  if (*count > parameters_most)
    return failure_set(failure, "INVALID_PARAMETER_VALUE", "22023", "The statement has %zu parameters; at most %d are supported.", *count,
                       (int)parameters_most);
  if (named && positional)
    return failure_set(failure, "INVALID_QUERY_MIXED_QUERY_PARAMETERS", "42613",
                       "Parameterized query must either use positional, or named parameters, but not both.");
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

/* ---- Intervals ---------------------------------------------------------------------------------------------------------------------- */

static bool read_number(const char **at, int64_t *value, int64_t most) {
  *value = 0;
  const char *start = *at;
  for (; text_is_digit(**at); ++*at) {
    if (*value > most / 10) return false;
    *value = *value * 10 + (**at - '0');
  }
  return *at > start && *value <= most;
}

/* ".123" in microseconds; further digits must be zeros. */
static bool read_fraction(const char **at, int64_t *micros) {
  int64_t place = 100000;
  *micros = 0;
  if (**at != '.') return true;
  for (++*at; text_is_digit(**at); ++*at, place /= 10) {
    if (place == 0 && **at != '0') return false;
    *micros += (**at - '0') * place;
  }
  return true;
}

/* D HH:MM:SS.f; the sign has been read. Counts towards negative infinity, whose end is one further away. */
static bool read_day_time(const char **at, int64_t *micros) {
  int64_t days, hours, minutes, seconds, fraction;
  if (!read_number(at, &days, INT32_MAX) || *(*at)++ != ' ' || !read_number(at, &hours, 23) || *(*at)++ != ':' ||
      !read_number(at, &minutes, 59) || *(*at)++ != ':' || !read_number(at, &seconds, 59) || !read_fraction(at, &fraction))
    return false;
  int64_t rest = ((hours * 60 + minutes) * 60 + seconds) * 1000000 + fraction;
  return !__builtin_mul_overflow(-days, INT64_C(86400000000), micros) && !__builtin_sub_overflow(*micros, rest, micros);
}

bool parameters_interval(const char *type, const char *value, bool *months, int64_t *number_out, struct failure *failure) {
  static const struct {
    const char *name;
    bool months;
    int64_t unit; /* of a single number */
  } units[] = {{"INTERVAL YEAR", true, 12},
               {"INTERVAL MONTH", true, 1},
               {"INTERVAL DAY", false, INT64_C(86400000000)},
               {"INTERVAL HOUR", false, INT64_C(3600000000)},
               {"INTERVAL MINUTE", false, 60000000},
               {"INTERVAL SECOND", false, 1000000}};
  const char *at = value;
  bool negative = *at == '-', good = false;
  if (*at == '-' || *at == '+') at++;
  int64_t below = 0, number = 0, fraction = 0; /* the negated magnitude */
  if (text_equal_nocase(type, "INTERVAL YEAR TO MONTH")) {
    *months = true;
    good = read_number(&at, &number, INT32_MAX / 12) && *at++ == '-' && read_number(&at, &fraction, 11);
    below = -(number * 12 + fraction);
  } else if (text_equal_nocase(type, "INTERVAL DAY TO SECOND")) {
    *months = false;
    good = read_day_time(&at, &below);
  } else {
    for (size_t i = 0; i < sizeof units / sizeof units[0] && !good; i++) {
      if (!text_equal_nocase(type, units[i].name)) continue;
      *months = units[i].months;
      good = read_number(&at, &number, INT32_MAX) && (units[i].unit != 1000000 || read_fraction(&at, &fraction)) &&
             !__builtin_mul_overflow(-number, units[i].unit, &below);
      below -= fraction;
    }
  }
  if (good) good = !*at && (negative || below != INT64_MIN);
  if (!good) {
    return failure_set(failure, "CAST_INVALID_INPUT", "22018",
                       "The value '%.100s' of the type \"STRING\" cannot be cast to \"%.100s\" because it is malformed.", value, type);
  }
  *number_out = negative ? below : -below;
  return true;
}
