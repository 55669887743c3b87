/* TCLIService's messages: a header around one struct (thrift.md 1.2). */
#include "base/error.h"
#include "base/log.h"
#include "thrift/tcli.h"

enum { request_field = 1, response_field = 0, longest_exception_text = 4096 };

static void encode_message(enum thrift_message_type message_type, enum tcli_method method, int32_t sequence_id, int16_t field,
                           const struct thrift_struct *type, const void *value, struct buf *out) {
  thrift_write_message(out, (uint8_t)message_type, slice_text(tcli_methods[method].name), sequence_id);
  thrift_write_field(out, THRIFT_STRUCT, field);
  thrift_encode(type, value, out);
  thrift_write_stop(out);
}

void tcli_encode_call(enum tcli_method method, int32_t sequence_id, const void *request, struct buf *out) {
  encode_message(THRIFT_CALL, method, sequence_id, request_field, tcli_methods[method].request, request, out);
}

void tcli_encode_reply(enum tcli_method method, int32_t sequence_id, const void *response, struct buf *out) {
  encode_message(THRIFT_REPLY, method, sequence_id, response_field, tcli_methods[method].response, response, out);
}

void tcli_encode_exception(struct slice name, int32_t sequence_id, enum tcli_exception_type type, const char *text, struct buf *out) {
  struct TApplicationException exception = {0};
  TCLI_SET(&exception, message, slice_text(text));
  TCLI_SET(&exception, type, (int32_t)type);
  thrift_write_message(out, THRIFT_EXCEPTION, name, sequence_id);
  thrift_encode(&TApplicationException_type, &exception, out);
}

static dbsql_status expect_end(const struct thrift_reader *reader, dbsql_error **error) {
  if (thrift_reader_left(reader) == 0) return DBSQL_OK;
  return thrift_malformed(reader, error, "%zu bytes follow after the message", thrift_reader_left(reader));
}

/* The struct around the request or response: one field of a struct type; others are skipped. Then the message must end. */
static dbsql_status read_body(struct thrift_reader *reader, int16_t wanted, const struct thrift_struct *type, struct arena *arena,
                              void *value, dbsql_error **error) {
  bool found = false;
  for (;;) {
    uint8_t wire_type;
    int16_t id;
    dbsql_status status = thrift_read_field(reader, &wire_type, &id, error);
    if (status != DBSQL_OK) return status;
    if (wire_type == THRIFT_STOP) break;
    if (id != wanted || wire_type != THRIFT_STRUCT) {
      status = thrift_skip(reader, wire_type, thrift_max_depth, error);
    } else if (found) {
      status = thrift_malformed(reader, error, "%s is there twice", type->name);
    } else {
      status = thrift_read_struct(reader, type, arena, value, error);
      found = true;
    }
    if (status != DBSQL_OK) return status;
  }
  if (!found) return thrift_malformed(reader, error, "%s is missing", type->name);
  return expect_end(reader, error);
}

static const char *exception_type_name(int32_t type) {
  switch (type) {
    case TCLI_EXCEPTION_UNKNOWN_METHOD: return "unknown method";
    case TCLI_EXCEPTION_INVALID_MESSAGE_TYPE: return "invalid message type";
    case TCLI_EXCEPTION_WRONG_METHOD_NAME: return "wrong method name";
    case TCLI_EXCEPTION_BAD_SEQUENCE_ID: return "bad sequence id";
    case TCLI_EXCEPTION_MISSING_RESULT: return "missing result";
    case TCLI_EXCEPTION_INTERNAL_ERROR: return "internal error";
    case TCLI_EXCEPTION_PROTOCOL_ERROR: return "protocol error";
    default: return "unknown";
  }
}

/* Always an error: the server's, or that what it sent cannot be read. */
static dbsql_status read_exception(struct thrift_reader *reader, struct arena *arena, dbsql_error **error) {
  struct TApplicationException exception;
  struct buf text = BUF_INIT;
  dbsql_status status = thrift_read_struct(reader, &TApplicationException_type, arena, &exception, error);
  if (status == DBSQL_OK) status = expect_end(reader, error);
  if (status != DBSQL_OK) goto cleanup;

  redact_append(&text, (const char *)exception.message.data, exception.message.size);
  if (text.size > longest_exception_text) {
    text.size = longest_exception_text;
    while (text.size > 0 && (text.data[text.size] & 0xC0) == 0x80) text.size--;
  }
  if (text.size == 0) buf_append_text(&text, "(no text)");
  const char *printable = buf_text(&text);
  if (!printable) {
    status = error_no_memory(error);
    goto cleanup;
  }
  status = error_set(error, DBSQL_ERROR_REQUEST, "08P01", "the server answered with an exception: %s (type %d, %s)", printable,
                     (int)exception.type, exception_type_name(exception.type));
  if (status == DBSQL_ERROR_REQUEST && error && *error) (*error)->vendor_code = exception.type;
cleanup:
  buf_free(&text);
  return status;
}

/* Foreign bytes in an error text: what of a name is printable. */
struct name_text {
  char text[64];
};
static struct name_text printable_name(struct slice name) {
  struct name_text result;
  size_t size = 0;
  for (; size < name.size && size < sizeof result.text - 1; size++) {
    uint8_t byte = name.data[size];
    result.text[size] = byte >= 0x20 && byte < 0x7F ? (char)byte : '?';
  }
  result.text[size] = 0;
  return result;
}

dbsql_status tcli_decode_reply(enum tcli_method method, int32_t sequence_id, struct slice bytes, struct arena *arena, void *response,
                               dbsql_error **error) {
  const struct tcli_method_info *info = &tcli_methods[method];
  struct thrift_reader reader = thrift_reader_of(bytes);
  struct thrift_message message = {0};
  dbsql_status status = thrift_read_message(&reader, &message, error);
  if (status != DBSQL_OK) goto cleanup;
  if (message.type == THRIFT_EXCEPTION) {
    status = read_exception(&reader, arena, error);
  } else if (message.type != THRIFT_REPLY) {
    status = thrift_malformed(&reader, error, "message type %u is no reply", (unsigned)message.type);
  } else if (!slice_equal(message.name, slice_text(info->name))) {
    status = thrift_malformed(&reader, error, "it answers the method \"%s\"", printable_name(message.name).text);
  } else if (message.sequence_id != sequence_id) {
    status = thrift_malformed(&reader, error, "it answers call %d, not %d", (int)message.sequence_id, (int)sequence_id);
  } else {
    status = read_body(&reader, response_field, info->response, arena, response, error);
  }
cleanup:
  if (status != DBSQL_OK) error_prefix(error, "answer to %s", info->name);
  return status;
}

dbsql_status tcli_decode_call(struct slice bytes, struct arena *arena, struct tcli_call *out, dbsql_error **error) {
  struct thrift_reader reader = thrift_reader_of(bytes);
  struct thrift_message message = {0};
  *out = (struct tcli_call){.method = TCLI_UNKNOWN_METHOD};
  dbsql_status status = thrift_read_message(&reader, &message, error);
  if (status != DBSQL_OK) return status;
  out->name = message.name;
  out->sequence_id = message.sequence_id;
  out->message_type = message.type;
  out->method = tcli_method_by_name(message.name);
  if (message.type != THRIFT_CALL) return thrift_malformed(&reader, error, "message type %u is no call", (unsigned)message.type);
  if (out->method == TCLI_UNKNOWN_METHOD) {
    status = thrift_skip(&reader, THRIFT_STRUCT, thrift_max_depth, error);
    if (status == DBSQL_OK) status = expect_end(&reader, error);
    return status;
  }
  const struct thrift_struct *type = tcli_methods[out->method].request;
  void *request = arena_alloc(arena, 1, type->size);
  if (!request) return error_no_memory(error);
  status = read_body(&reader, request_field, type, arena, request, error);
  if (status == DBSQL_OK) out->request = request;
  return status;
}
