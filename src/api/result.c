#include <errno.h>

#include "api/api.h"
#include "base/mem.h"
#include "session/result.h"

void dbsql_result_free(dbsql_result *result) {
  result_free(result);
}

size_t dbsql_result_column_count(const dbsql_result *result) {
  return result ? result->schema->column_count : 0;
}

bool dbsql_result_column(const dbsql_result *result, size_t index, dbsql_column *column) {
  if (!result || !column || index >= result->schema->column_count) return false;
  *column = result->schema->columns[index];
  return true;
}

const char *dbsql_result_query_id(const dbsql_result *result) {
  return result ? result->query_id : "";
}

int64_t dbsql_result_affected_rows(const dbsql_result *result) {
  return result ? result->affected_rows : -1;
}

int64_t dbsql_result_rows_read(const dbsql_result *result) {
  return result ? result_rows_read(result) : 0;
}

dbsql_status dbsql_result_schema(dbsql_result *result, struct ArrowSchema *schema, dbsql_error **error) {
  API_REQUIRE(schema, error);
  schema->release = NULL;
  API_REQUIRE(result, error);
  return arrow_schema_copy(ipc_schema_arrow(result->schema->arrow), schema, error);
}

dbsql_status dbsql_result_next_batch(dbsql_result *result, const dbsql_call *call, struct ArrowArray *batch, dbsql_error **error) {
  API_REQUIRE(batch, error);
  batch->release = NULL;
  API_REQUIRE(result, error);
  if (result->columns) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY010", "the result is being read row by row; batches cannot be taken from it any more");
  }
  API_BEGIN(error);
  API_END(result_next(result, call, batch, error));
}

/* ---- as a stream ---- */

struct result_stream {
  dbsql_result *result;
  dbsql_call call;
  char *correlation_id;
  dbsql_error *error; /* of the last call that failed */
};

static int errno_of(dbsql_status status) {
  switch (status) {
    case DBSQL_OK: return 0;
    case DBSQL_ERROR_NO_MEMORY: return ENOMEM;
    case DBSQL_ERROR_CANCELLED: return ECANCELED;
    case DBSQL_ERROR_TIMEOUT: return ETIMEDOUT;
    case DBSQL_ERROR_DRIVER: return EINVAL;
    default: return EIO;
  }
}

static int stream_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  struct result_stream *self = stream->private_data;
  error_clear(&self->error);
  return errno_of(dbsql_result_schema(self->result, out, &self->error));
}

static int stream_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  struct result_stream *self = stream->private_data;
  error_clear(&self->error);
  return errno_of(dbsql_result_next_batch(self->result, &self->call, out, &self->error));
}

static const char *stream_get_last_error(struct ArrowArrayStream *stream) {
  struct result_stream *self = stream->private_data;
  return self->error ? dbsql_error_message(self->error) : NULL;
}

static void stream_release(struct ArrowArrayStream *stream) {
  struct result_stream *self = stream->private_data;
  dbsql_result_free(self->result);
  error_clear(&self->error);
  mem_free(self->correlation_id);
  mem_free(self);
  stream->release = NULL;
}

dbsql_status dbsql_result_stream(dbsql_result *result, const dbsql_call *call, struct ArrowArrayStream *stream, dbsql_error **error) {
  API_REQUIRE(stream, error);
  stream->release = NULL;
  API_REQUIRE(result, error);
  if (result->columns) {
    return error_set(error, DBSQL_ERROR_DRIVER, "HY010", "the result is being read row by row; it cannot become a stream any more");
  }
  dbsql_status valid = call_validate(call, error);
  if (valid != DBSQL_OK) return valid;
  struct result_stream *self = mem_alloc_zero(1, sizeof *self);
  if (!self) return error_no_memory(error);
  self->call = (dbsql_call)DBSQL_CALL_INIT;
  if (call) {
    self->call = *call;
    if (call->correlation_id) {
      self->correlation_id = mem_strdup(call->correlation_id);
      if (!self->correlation_id) {
        mem_free(self);
        return error_no_memory(error);
      }
      self->call.correlation_id = self->correlation_id;
    }
  }
  self->result = result;
  stream->get_schema = stream_get_schema;
  stream->get_next = stream_get_next;
  stream->get_last_error = stream_get_last_error;
  stream->release = stream_release;
  stream->private_data = self;
  return DBSQL_OK;
}
