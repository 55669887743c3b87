/* Messages that are right, and written as no generator writes them: to test that readers go by the ids of fields. */
#include <string.h>

#include "base/error.h"
#include "memory.h"
#include "service_internal.h"

enum { most_fields = 64 };

/* Copies one value, structs within it reversed. False: the message is not whole. */
static bool reverse_value(struct thrift_reader *in, uint8_t type, int depth, struct buf *out) {
  dbsql_error *error = NULL;
  const uint8_t *start = in->at;
  if (type == THRIFT_STRUCT && depth > 0) {
    struct buf fields[most_fields];
    size_t count = 0;
    bool good = true;
    for (;;) {
      const uint8_t *head = in->at;
      uint8_t field_type = THRIFT_STOP;
      int16_t id = 0;
      good = count < most_fields && thrift_read_field(in, &field_type, &id, &error) == DBSQL_OK;
      if (!good || field_type == THRIFT_STOP) break;
      struct buf *field = &fields[count++];
      *field = (struct buf)BUF_INIT;
      buf_append(field, head, (size_t)(in->at - head));
      good = reverse_value(in, field_type, depth - 1, field);
      if (!good) break;
    }
    while (count) {
      buf_append_slice(out, buf_slice(&fields[--count]));
      buf_free(&fields[count]);
    }
    thrift_write_stop(out);
    error_clear(&error);
    return good;
  }
  if (type == THRIFT_LIST) {
    uint8_t element = 0;
    uint32_t items = 0;
    bool good = thrift_read_list(in, &element, &items, &error) == DBSQL_OK;
    buf_append(out, start, (size_t)(in->at - start));
    if (good && element == THRIFT_STRUCT) {
      for (uint32_t i = 0; good && i < items; i++) good = reverse_value(in, element, depth - 1, out);
      return good;
    }
    start = in->at;
    good = good && thrift_skip_elements(in, element, items, depth, &error) == DBSQL_OK;
    buf_append(out, start, (size_t)(in->at - start));
    error_clear(&error);
    return good;
  }
  bool good = thrift_skip(in, type, depth, &error) == DBSQL_OK;
  buf_append(out, start, (size_t)(in->at - start));
  error_clear(&error);
  return good;
}

void service_reverse_fields(struct buf *message) {
  struct thrift_reader in = thrift_reader_of(buf_slice(message));
  struct thrift_message header;
  dbsql_error *error = NULL;
  struct buf out = BUF_INIT;
  if (thrift_read_message(&in, &header, &error) == DBSQL_OK) {
    buf_append(&out, in.start, (size_t)(in.at - in.start));
    if (reverse_value(&in, THRIFT_STRUCT, 32, &out)) {
      wh_check(&out);
      struct buf old = *message;
      *message = out;
      out = old;
    }
  }
  error_clear(&error);
  buf_free(&out);
}
