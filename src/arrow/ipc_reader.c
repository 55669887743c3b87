#include "arrow/ipc_reader.h"

#include "arrow/ipc_message.h"
#include "base/error.h"

dbsql_status ipc_schema_read(struct slice bytes, struct ipc_schema **schema, dbsql_error **error) {
  struct ipc_message message;
  size_t at = 0;
  bool ended;
  *schema = NULL;
  dbsql_status status = ipc_message_take(bytes, &at, &message, &ended, error);
  if (status != DBSQL_OK) return status;
  if (ended) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "Arrow schema message: there is none in %zu bytes", bytes.size);
  if (message.type != IPC_HEADER_SCHEMA) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "Arrow schema message: a record batch instead");
  if ((status = ipc_schema_decode(&message, schema, error)) != DBSQL_OK) return status;
  /* One message; an end mark may follow. */
  size_t behind = at;
  struct ipc_message next;
  status = ipc_message_take(bytes, &at, &next, &ended, error);
  if (status == DBSQL_OK && (!ended || at != bytes.size))
    status = error_set(error, DBSQL_ERROR_DRIVER, NULL, "Arrow schema message: %zu bytes follow it", bytes.size - behind);
  if (status == DBSQL_OK) return status;
  ipc_schema_unref(*schema);
  *schema = NULL;
  return status;
}

void ipc_reader_init(struct ipc_reader *reader, struct chunk *owner, struct slice bytes, struct ipc_schema *schema) {
  *reader = (struct ipc_reader){.owner = chunk_ref(owner), .bytes = bytes, .decoded_limit = IPC_READER_DECODED_LIMIT};
  if (schema) reader->schema = ipc_schema_ref(schema);
}

void ipc_reader_close(struct ipc_reader *reader) {
  ipc_schema_unref(reader->schema);
  chunk_unref(reader->owner);
  *reader = (struct ipc_reader){.ended = true};
}

/* A schema message: the stream's own, or one that must agree with the schema that is known. */
static dbsql_status take_schema(struct ipc_reader *reader, struct ipc_message *message, dbsql_error **error) {
  struct ipc_schema *schema;
  const struct ipc_field *different;
  if (reader->seen_schema || reader->seen_batch)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the Arrow stream has a second schema message");
  dbsql_status status = ipc_schema_decode(message, &schema, error);
  if (status != DBSQL_OK) return status;
  reader->seen_schema = true;
  if (!reader->schema) {
    reader->schema = schema;
    return DBSQL_OK;
  }
  if (!ipc_schema_same_structure(reader->schema, schema, &different)) {
    if (different && different != reader->schema->fields)
      status = ipc_field_error(reader->schema, different, error, "the Arrow stream has another type than the schema of the result");
    else
      status = error_set(error, DBSQL_ERROR_DRIVER, NULL, "the Arrow stream has %lld columns, the schema of the result has %lld",
                         (long long)schema->arrow.n_children, (long long)reader->schema->arrow.n_children);
  }
  ipc_schema_unref(schema);
  return status;
}

dbsql_status ipc_reader_schema(struct ipc_reader *reader, dbsql_error **error) {
  struct ipc_message message;
  bool ended;
  if (reader->schema) return DBSQL_OK;
  dbsql_status status = ipc_message_take(reader->bytes, &reader->at, &message, &ended, error);
  if (status != DBSQL_OK) return status;
  if (ended) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the Arrow stream has no schema");
  if (message.type != IPC_HEADER_SCHEMA)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the Arrow stream begins with a record batch, and its schema is not known");
  return take_schema(reader, &message, error);
}

dbsql_status ipc_reader_next(struct ipc_reader *reader, struct ArrowArray *out, dbsql_error **error) {
  out->release = NULL;
  dbsql_status status = ipc_reader_schema(reader, error);
  while (status == DBSQL_OK && !reader->ended) {
    struct ipc_message message;
    if ((status = ipc_message_take(reader->bytes, &reader->at, &message, &reader->ended, error)) != DBSQL_OK) break;
    if (reader->ended) {
      /* Whatever follows an end mark would be lost silently. */
      if (reader->at != reader->bytes.size)
        status = error_set(error, DBSQL_ERROR_DRIVER, NULL, "%zu bytes follow the end mark of the Arrow stream",
                           reader->bytes.size - reader->at);
      break;
    }
    if (message.type == IPC_HEADER_BATCH) {
      reader->seen_batch = true;
      return ipc_batch_decode(reader->schema, reader->owner, &message, reader->decoded_limit, out, error);
    }
    status = take_schema(reader, &message, error);
  }
  return status;
}
