#include "session/parameter_sets.h"

#include "arrow/column_text.h"
#include "base/error.h"
#include "base/text.h"

/* ---- Types --------------------------------------------------------------------------------------------------------------- */

static bool is_list(enum arrow_kind kind) {
  return kind == ARROW_LIST || kind == ARROW_LARGE_LIST || kind == ARROW_FIXED_LIST;
}

static bool is_binary(enum arrow_kind kind) {
  return kind == ARROW_BINARY || kind == ARROW_LARGE_BINARY || kind == ARROW_FIXED_BINARY;
}

/* NULL, or why values of the column cannot be sent. */
static const char *problem_of(const struct arrow_column *column, bool nested) {
  switch (column->kind) {
    case ARROW_STRUCT: return "the server takes no STRUCT as a parameter";
    case ARROW_INTERVAL_MONTH_DAY_NANO: return "months with days and nanoseconds are two kinds of intervals";
    case ARROW_UNSUPPORTED: return "the type is not supported";
    case ARROW_MAP: {
      const char *key = problem_of(&column->children[0].children[0], true);
      return key ? key : problem_of(&column->children[0].children[1], true);
    }
    default: break;
  }
  if (is_list(column->kind)) return problem_of(&column->children[0], true);
  return nested && is_binary(column->kind) ? "binary values cannot be sent within a list or map" : NULL;
}

dbsql_status parameter_sets_open(struct parameter_sets *sets, struct parameters *parameters, dbsql_error **error) {
  *sets = (struct parameter_sets){.parameters = parameters};
  dbsql_status status = arrow_column_bind(&sets->root, &parameters->schema, error);
  for (int64_t i = 0; status == DBSQL_OK && i < sets->root.child_count; i++) {
    const struct arrow_column *column = &sets->root.children[i];
    const char *problem = problem_of(column, false);
    if (problem) {
      status = error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "parameter column %lld (\"%s\"), Arrow type \"%s\": %s", (long long)i + 1,
                         column->name, column->format, problem);
    }
  }
  return status;
}

void parameter_sets_close(struct parameter_sets *sets) {
  arrow_column_free(&sets->root);
  if (sets->own.release) sets->own.release(&sets->own);
  /* A stream is used up. */
  if (sets->parameters && sets->parameters->stream.release) parameters_clear(sets->parameters);
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------------- */

/* The structs come from a stranger: what can be compared is. That the buffers are as long as they must be, nobody can tell. */
static bool array_fits(const struct arrow_column *column, const struct ArrowArray *array, int64_t length) {
  static const int8_t buffers[] = {[ARROW_NULL] = 0,         [ARROW_UTF8] = 3,       [ARROW_BINARY] = 3, [ARROW_LARGE_UTF8] = 3,
                                   [ARROW_LARGE_BINARY] = 3, [ARROW_FIXED_LIST] = 1, [ARROW_STRUCT] = 1, [ARROW_UNSUPPORTED] = 0};
  int64_t wanted = column->kind == ARROW_NULL ? 0 : buffers[column->kind] ? buffers[column->kind] : 2;
  if (!array || array->length < length || array->offset < 0 || array->dictionary || array->n_children != column->child_count) return false;
  if (array->n_buffers != wanted && !(column->kind == ARROW_NULL && array->n_buffers == 1)) return false;
  if (array->length > 0 && wanted >= 2 && (!array->buffers || !array->buffers[1])) return false;
  if (array->null_count != 0 && wanted >= 1 && array->null_count > 0 && !array->buffers[0]) return false;
  for (int64_t i = 0; i < column->child_count; i++) {
    /* Lists say by their offsets how long their child is; those cannot be trusted more than their buffers. */
    int64_t least = column->kind == ARROW_STRUCT ? array->length + array->offset : 0;
    if (!array_fits(&column->children[i], array->children[i], least)) return false;
  }
  return true;
}

static dbsql_status take_batch(struct parameter_sets *sets, bool *there, dbsql_error **error) {
  struct parameters *parameters = sets->parameters;
  *there = false;
  if (parameters->stream.release) {
    if (sets->own.release) sets->own.release(&sets->own);
    sets->own = (struct ArrowArray){0};
    int code = parameters->stream.get_next(&parameters->stream, &sets->own);
    if (code != 0) {
      const char *why = parameters->stream.get_last_error(&parameters->stream);
      sets->own.release = NULL;
      return error_set(error, DBSQL_ERROR_DRIVER, "HY000", "the stream of parameters failed: %s (%d)", why ? why : "it says not why", code);
    }
    if (!sets->own.release) return DBSQL_OK;
    sets->batch = &sets->own;
  } else {
    if (sets->taken) return DBSQL_OK;
    sets->taken = true;
    sets->batch = &parameters->batch;
  }
  if (!array_fits(&sets->root, sets->batch, 0) || sets->batch->length < 0) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY004", "a batch of parameters is not what its schema says");
  }
  arrow_column_attach(&sets->root, sets->batch);
  sets->row = 0;
  *there = true;
  /* The type of a column is the same for all of the batch: different ones could not share a statement. */
  for (int64_t i = 0; i < sets->root.child_count; i++) {
    const struct arrow_column *column = &sets->root.children[i];
    int64_t ignored;
    sets->as_decimal[i] = false;
    if (column->kind != ARROW_UINT64) continue;
    for (int64_t row = sets->root.offset; row < sets->root.offset + sets->root.length && !sets->as_decimal[i]; row++) {
      sets->as_decimal[i] = !arrow_column_is_null(column, row) && !arrow_column_int64(column, row, &ignored);
    }
  }
  return DBSQL_OK;
}

dbsql_status parameter_sets_next(struct parameter_sets *sets, bool *has_set, dbsql_error **error) {
  *has_set = false;
  if (sets->batch) sets->row++;
  while (!sets->batch || sets->row >= sets->batch->length) {
    bool there;
    sets->batch = NULL;
    dbsql_status status = take_batch(sets, &there, error);
    if (status != DBSQL_OK || !there) return status;
  }
  sets->number++;
  *has_set = true;
  if (!arrow_column_is_null(&sets->root, sets->row)) return DBSQL_OK;
  return error_set(error, DBSQL_ERROR_DRIVER, "22004", "the row is null as a whole, not its columns");
}

/* ---- Values -------------------------------------------------------------------------------------------------------------- */

static bool set_text(struct backend_parameter *out, struct arena *arena, const char *type, const void *text, size_t size) {
  char *kept_type = arena_strndup(arena, type, strlen(type));
  char *kept = arena_strndup(arena, text, size);
  out->type = kept_type;
  out->value = slice_of(kept, size);
  return kept_type && kept;
}

/* The types of NULLs: that of the column, so that one kind of request serves all rows. */
static dbsql_status make_null(const struct arrow_column *column, bool as_decimal, struct arena *arena, struct backend_parameter *out,
                              dbsql_error **error) {
  out->is_null = true;
  switch (column->kind) {
    case ARROW_BOOL: out->type = "BOOLEAN"; break;
    case ARROW_INT8:
    case ARROW_INT16:
    case ARROW_INT32:
    case ARROW_UINT8:
    case ARROW_UINT16: out->type = "INT"; break;
    case ARROW_UINT32:
    case ARROW_INT64: out->type = "BIGINT"; break;
    case ARROW_UINT64: out->type = as_decimal ? "DECIMAL(20,0)" : "BIGINT"; break;
    case ARROW_HALF:
    case ARROW_FLOAT: out->type = "FLOAT"; break;
    case ARROW_DOUBLE: out->type = "DOUBLE"; break;
    case ARROW_DATE_DAY:
    case ARROW_DATE_MILLI: out->type = "DATE"; break;
    case ARROW_TIMESTAMP: out->type = column->has_zone ? "TIMESTAMP" : "TIMESTAMP_NTZ"; break;
    case ARROW_DURATION:
    case ARROW_INTERVAL_DAY_TIME: out->type = "INTERVAL DAY TO SECOND"; break;
    case ARROW_INTERVAL_MONTH: out->type = "INTERVAL YEAR TO MONTH"; break;
    case ARROW_DECIMAL: {
      struct parameter_text text;
      dbsql_status status = parameter_write_decimal(&text, 0, 0, column->precision, column->scale, error);
      if (status != DBSQL_OK) return status;
      out->type = arena_strndup(arena, text.type, strlen(text.type));
      return out->type ? DBSQL_OK : error_no_memory(error);
    }
    case ARROW_NULL:
    case ARROW_LIST:
    case ARROW_LARGE_LIST:
    case ARROW_FIXED_LIST:
    case ARROW_MAP: out->type = "VOID"; break;
    default: out->type = "STRING"; break;
  }
  return DBSQL_OK;
}

static dbsql_status make_bytes(const struct arrow_column *column, int64_t row, struct arena *arena, struct backend_parameter *out,
                               dbsql_error **error) {
  struct slice bytes = arrow_column_bytes(column, row);
  size_t bad_at;
  if (bytes.size > parameters_request_most) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22001", "a value of %zu bytes: a statement may have %d with all of its values", bytes.size,
                     (int)parameters_request_most);
  }
  if (!is_binary(column->kind)) {
    if (!utf8_is_valid(bytes.data, bytes.size, &bad_at)) {
      return error_set(error, DBSQL_ERROR_DRIVER, "22021", "the text is not valid UTF-8 at byte %zu", bad_at);
    }
    return set_text(out, arena, "STRING", bytes.data, bytes.size) ? DBSQL_OK : error_no_memory(error);
  }
  struct buf hex = BUF_INIT;
  column_append_hex(&hex, bytes);
  bool kept = !buf_failed(&hex) && set_text(out, arena, "STRING", hex.data, hex.size);
  buf_free(&hex);
  return kept ? DBSQL_OK : error_no_memory(error);
}

static dbsql_status make_value(const struct arrow_column *column, int64_t row, bool as_decimal, struct arena *arena,
                               struct backend_parameter *out, dbsql_error **error);

/* Elements first to end - 1 of a list; of a map the keys and values in turn. */
static dbsql_status make_parts(const struct arrow_column *column, int64_t row, struct arena *arena, struct backend_parameter *out,
                               dbsql_error **error) {
  int64_t first, end;
  bool map = column->kind == ARROW_MAP;
  arrow_column_entries(column, row, &first, &end);
  if (first < 0 || end < first || end - first > parameters_request_most / 16) {
    return error_set(error, DBSQL_ERROR_DRIVER, "22001", "a list of %lld elements is too long to be a parameter", (long long)(end - first));
  }
  size_t count = (size_t)(end - first) * (map ? 2 : 1);
  struct backend_parameter *parts = arena_alloc(arena, count + 1, sizeof *parts);
  if (!parts) return error_no_memory(error);
  out->type = map ? "MAP" : "ARRAY";
  out->has_parts = true;
  out->part_count = count;
  out->parts = parts;
  const struct arrow_column *child = &column->children[0];
  dbsql_status status = DBSQL_OK;
  for (int64_t i = first; i < end && status == DBSQL_OK; i++) {
    if (map) {
      status = make_value(&child->children[0], i + child->offset, true, arena, parts++, error);
      if (status == DBSQL_OK) status = make_value(&child->children[1], i + child->offset, true, arena, parts++, error);
    } else {
      status = make_value(child, i, true, arena, parts++, error);
    }
  }
  return status;
}

static dbsql_status make_value(const struct arrow_column *column, int64_t row, bool as_decimal, struct arena *arena,
                               struct backend_parameter *out, dbsql_error **error) {
  if (arrow_column_is_null(column, row)) return make_null(column, as_decimal, arena, out, error);
  struct parameter_text text;
  dbsql_status status = DBSQL_OK;
  int64_t value = 0;
  switch (column->kind) {
    case ARROW_LIST:
    case ARROW_LARGE_LIST:
    case ARROW_FIXED_LIST:
    case ARROW_MAP: return make_parts(column, row, arena, out, error);
    case ARROW_UTF8:
    case ARROW_LARGE_UTF8:
    case ARROW_BINARY:
    case ARROW_LARGE_BINARY:
    case ARROW_FIXED_BINARY: return make_bytes(column, row, arena, out, error);
    case ARROW_BOOL: parameter_write_bool(&text, arrow_column_bool(column, row)); break;
    case ARROW_INT8:
    case ARROW_INT16:
    case ARROW_INT32:
    case ARROW_UINT8:
    case ARROW_UINT16:
    case ARROW_UINT32:
    case ARROW_INT64:
      arrow_column_int64(column, row, &value);
      parameter_write_int(&text, value, column->kind == ARROW_UINT32 || column->kind == ARROW_INT64);
      break;
    case ARROW_UINT64: {
      uint64_t large;
      memcpy(&large, (const uint8_t *)column->data + (size_t)(row + column->offset) * sizeof large, sizeof large);
      parameter_write_uint64(&text, large, as_decimal);
      break;
    }
    case ARROW_HALF:
    case ARROW_FLOAT:
    case ARROW_DOUBLE: {
      double real = 0;
      arrow_column_double(column, row, &real);
      if (column->kind == ARROW_DOUBLE) {
        parameter_write_double(&text, real);
      } else {
        parameter_write_float(&text, (float)real);
      }
      break;
    }
    case ARROW_DECIMAL: {
      int64_t high;
      uint64_t low;
      arrow_column_decimal(column, row, &high, &low);
      status = parameter_write_decimal(&text, high, low, column->precision, column->scale, error);
      break;
    }
    case ARROW_DATE_DAY:
      arrow_column_int64(column, row, &value);
      status = parameter_write_date(&text, value, error);
      break;
    case ARROW_DATE_MILLI:
      arrow_column_int64(column, row, &value);
      if (value % (seconds_in_day * INT64_C(1000)) != 0) {
        return error_set(error, DBSQL_ERROR_DRIVER, "22008", "a date of %lld ms is no whole number of days", (long long)value);
      }
      status = parameter_write_date(&text, value / (seconds_in_day * INT64_C(1000)), error);
      break;
    case ARROW_TIMESTAMP:
      arrow_column_int64(column, row, &value);
      status = parameter_write_timestamp(&text, value, column->unit, column->has_zone, error);
      break;
    case ARROW_DURATION:
    case ARROW_INTERVAL_DAY_TIME:
      if (!arrow_column_micros(column, row, &value)) {
        return error_set(error, DBSQL_ERROR_DRIVER, "22015", "an interval that microseconds in 64 bits cannot tell");
      }
      parameter_write_micros(&text, value);
      break;
    case ARROW_INTERVAL_MONTH:
      arrow_column_int64(column, row, &value);
      parameter_write_months(&text, value);
      break;
    default: { /* times of day: the server has no type for them that a parameter could have */
      struct buf plain = BUF_INIT;
      status = arrow_column_text(column, row, &plain, error);
      if (status == DBSQL_OK && !set_text(out, arena, "STRING", plain.data, plain.size)) status = error_no_memory(error);
      buf_free(&plain);
      return status;
    }
  }
  if (status != DBSQL_OK) return status;
  return set_text(out, arena, text.type, text.text, text.length) ? DBSQL_OK : error_no_memory(error);
}

dbsql_status parameter_sets_read(struct parameter_sets *sets, const struct parameter_plan *plan, bool row, struct arena *arena,
                                 struct backend_parameter *out, dbsql_error **error) {
  size_t count = row ? plan->row_markers : plan->count;
  const uint32_t *sources = row ? plan->row_sources : plan->sources;
  const bool *in_unhex = row ? plan->row_in_unhex : plan->in_unhex;
  for (size_t i = 0; i < count; i++) {
    const struct arrow_column *column = &sets->root.children[sources[i]];
    out[i] = (struct backend_parameter){.name = row ? NULL : plan->names[i]};
    dbsql_status status = DBSQL_OK;
    if (is_binary(column->kind) && !in_unhex[i]) {
      status = error_set(error, DBSQL_ERROR_DRIVER, "HYC00", "binary values are sent as hexadecimal digits: write unhex(?) for them");
    } else {
      status = make_value(column, sets->row + sets->root.offset, sets->as_decimal[sources[i]], arena, &out[i], error);
    }
    if (status != DBSQL_OK) {
      error_prefix(error, "parameter column %u (\"%s\")", (unsigned)sources[i] + 1, column->name);
      return status;
    }
  }
  return DBSQL_OK;
}
