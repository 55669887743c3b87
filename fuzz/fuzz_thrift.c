/* Thrift messages: as a call, and as the answer to every method. What decodes must encode, and decode again to the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "thrift/tcli.h"

/* `input_size` is that of the message that `first` was made of. */
static void check_call(const struct buf *first, size_t input_size) {
  struct arena arena = ARENA_INIT;
  struct buf second = BUF_INIT, line = BUF_INIT;
  struct tcli_call call;
  if (buf_failed(first)) abort();
  if (tcli_decode_call(buf_slice(first), &arena, &call, NULL) == DBSQL_OK) {
    tcli_encode_call(call.method, call.sequence_id, call.request, &second);
    if (!slice_equal(buf_slice(first), buf_slice(&second))) abort();
    tcli_print(tcli_methods[call.method].request, call.request, &line);
    if (buf_failed(&line)) abort();
  } else if (first->size >= input_size) {
    /* A shorter one, without what was skipped, may not be worth as much memory. */
    abort();
  }
  buf_free(&second);
  buf_free(&line);
  arena_free(&arena);
}

static void check_reply(enum tcli_method method, int32_t sequence_id, const struct buf *first, size_t input_size) {
  struct arena arena = ARENA_INIT;
  struct buf second = BUF_INIT, line = BUF_INIT;
  const struct thrift_struct *type = tcli_methods[method].response;
  void *response = arena_alloc(&arena, 1, type->size);
  if (!response || buf_failed(first)) abort();
  if (tcli_decode_reply(method, sequence_id, buf_slice(first), &arena, response, NULL) == DBSQL_OK) {
    tcli_encode_reply(method, sequence_id, response, &second);
    if (!slice_equal(buf_slice(first), buf_slice(&second))) abort();
    tcli_print(type, response, &line);
    if (buf_failed(&line)) abort();
  } else if (first->size >= input_size) {
    abort();
  }
  buf_free(&second);
  buf_free(&line);
  arena_free(&arena);
}

static void try_call(struct slice bytes) {
  struct arena arena = ARENA_INIT;
  struct buf first = BUF_INIT;
  struct tcli_call call;
  dbsql_error *error = NULL;
  dbsql_status status = tcli_decode_call(bytes, &arena, &call, &error);
  if ((status == DBSQL_OK) != (error == NULL)) abort();
  if (status == DBSQL_OK && call.method != TCLI_UNKNOWN_METHOD) {
    tcli_encode_call(call.method, call.sequence_id, call.request, &first);
    check_call(&first, bytes.size);
  }
  dbsql_error_free(error);
  buf_free(&first);
  arena_free(&arena);
}

static void try_reply(enum tcli_method method, int32_t sequence_id, struct slice bytes) {
  struct arena arena = ARENA_INIT;
  struct buf first = BUF_INIT;
  const struct thrift_struct *type = tcli_methods[method].response;
  dbsql_error *error = NULL;
  void *response = arena_alloc(&arena, 1, type->size);
  if (!response) abort();
  dbsql_status status = tcli_decode_reply(method, sequence_id, bytes, &arena, response, &error);
  if ((status == DBSQL_OK) != (error == NULL)) abort();
  if (status == DBSQL_OK) {
    tcli_encode_reply(method, sequence_id, response, &first);
    check_reply(method, sequence_id, &first, bytes.size);
  }
  dbsql_error_free(error);
  buf_free(&first);
  arena_free(&arena);
}

/* The body alone, as what each method would answer, whatever the header says: so that every struct is reached. */
static void try_body(enum tcli_method method, struct slice body) {
  struct buf message = BUF_INIT;
  thrift_write_message(&message, THRIFT_REPLY, slice_text(tcli_methods[method].name), 1);
  buf_append_slice(&message, body);
  if (buf_failed(&message)) abort();
  try_reply(method, 1, buf_slice(&message));
  buf_free(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int64_t live = mem_test_live_blocks();
  /* Of exactly that size, so that a read past the end is seen. */
  uint8_t *copy = malloc(size ? size : 1);
  if (!copy) abort();
  if (size != 0) memcpy(copy, data, size);
  struct slice bytes = slice_of(copy, size);

  try_call(bytes);
  struct thrift_reader reader = thrift_reader_of(bytes);
  struct thrift_message header;
  struct slice body = bytes;
  if (thrift_read_message(&reader, &header, NULL) == DBSQL_OK) {
    enum tcli_method method = tcli_method_by_name(header.name);
    if (method != TCLI_UNKNOWN_METHOD) try_reply(method, header.sequence_id, bytes);
    body = slice_of(reader.at, thrift_reader_left(&reader));
  }
  for (int method = 0; method < TCLI_METHOD_COUNT; method++) try_body((enum tcli_method)method, body);

  free(copy);
  if (mem_test_live_blocks() != live) abort();
  return 0;
}
