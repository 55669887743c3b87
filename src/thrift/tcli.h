/*
 * TCLIService: the structs, enums and methods of HiveServer2's Thrift interface with the extensions of Databricks (thrift.md 2 to 4),
 * and its messages. All of it is made from tcli.def.
 *
 * The C structs, for `struct S`, field `name`:
 *   - `bool has_name` beside the value, also where the field is required: the decoder sets it, the encoder writes a field if it is set.
 *     Whether a required field is there is for the caller to check, except where a message makes no sense without it.
 *   - numbers and bools by value, enums as int32_t (unknown numbers are kept);
 *   - strings and binaries as `struct slice`: views into the message, which must outlive the struct;
 *   - a nested struct as a POINTER, always (`struct TStatus *status`): from the arena when decoded; NULL, and has_ false, when absent;
 *   - lists as { uint32_t count; T *items; }, where items of lists and maps lie in the array BY VALUE: struct T, struct slice, int32_t;
 *   - maps as { uint32_t count; struct { key; value; } *items; } in the order of the message;
 *   - the values of a column as `struct thrift_raw_list`: the bytes of the message (codec.h has the accessors).
 *   - A union is such a struct with one has_ set; more than one are refused when decoded; none means NULL or a variant that is not known.
 *   - `unknown` (first in every struct) holds fields that the tables do not know; a struct that is built has none. They are written
 *     back: whoever sends a decoded struct on, such as a handle, and must not send internal fields (thrift.md 1.2), copies guid and
 *     secret into a struct of its own.
 * So a struct that is filled with zeros is the empty one. Nothing in these structs owns memory.
 */
#ifndef DBSQL_THRIFT_TCLI_H
#define DBSQL_THRIFT_TCLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "thrift/codec.h"

/* enum TStatusCode { TStatusCode_SUCCESS_STATUS = 0, ... }, and so on. Names that begin with "__" in the IDL go without it here. */
#define TCLI_ENUM_BEGIN(E) enum E {
#define TCLI_VALUE(E, name, number) E##_##name = number,
#define TCLI_ENUM_END(E) \
  }                      \
  ;
#include "thrift/tcli.def"

/* TStatusCode_name(3) is "ERROR_STATUS"; NULL for a number without a name. TStatusCode_names describes the enum. */
#define TCLI_ENUM_BEGIN(E) extern const struct thrift_enum E##_names;
#define TCLI_VALUE(E, name, number)
#define TCLI_ENUM_END(E)                               \
  static inline const char *E##_name(int32_t number) { \
    return thrift_enum_name(&E##_names, number);       \
  }
#include "thrift/tcli.def"

/* struct TStatus { struct thrift_unknown *unknown; bool has_statusCode; int32_t statusCode; ... }, and so on. */
#define TCLI_STRUCT_BEGIN(S) \
  struct S {                 \
    struct thrift_unknown *unknown;
#define TCLI_STRUCT_END(S) \
  }                        \
  ;
#define TCLI_UNION_BEGIN(S) TCLI_STRUCT_BEGIN(S)
#define TCLI_UNION_END(S) TCLI_STRUCT_END(S)
#define TCLI_FIELD(S, id, name, flags, c_type, kind, ...) \
  bool has_##name;                                        \
  c_type name;
#include "thrift/tcli.def"

/* The descriptors: TStatus_type, and so on. */
#define TCLI_STRUCT_BEGIN(S) extern const struct thrift_struct S##_type;
#define TCLI_STRUCT_END(S)
#define TCLI_UNION_BEGIN(S) extern const struct thrift_struct S##_type;
#define TCLI_UNION_END(S)
#define TCLI_FIELD(S, id, name, flags, c_type, kind, ...)
#include "thrift/tcli.def"

/* Sets a field and its has_: TCLI_SET(request, queryTimeout, 30). Evaluates the pointer twice. */
#define TCLI_SET(pointer, field, field_value) ((pointer)->has_##field = true, (pointer)->field = (field_value))

/* TCLI_OpenSession and so on. */
enum tcli_method {
#define TCLI_METHOD(name) TCLI_##name,
#include "thrift/tcli.def"
  TCLI_METHOD_COUNT,
  TCLI_UNKNOWN_METHOD = TCLI_METHOD_COUNT
};

struct tcli_method_info {
  const char *name;
  const struct thrift_struct *request;
  const struct thrift_struct *response;
};
extern const struct tcli_method_info tcli_methods[TCLI_METHOD_COUNT];
/* TCLI_UNKNOWN_METHOD if there is none of that name. */
enum tcli_method tcli_method_by_name(struct slice name);

/* ---- The client's side --------------------------------------------------------------------------------------------------- */

/* Appends the whole CALL message. `request` is the method's struct T<method>Req. Failure: buf_failed(out). */
void tcli_encode_call(enum tcli_method method, int32_t sequence_id, const void *request, struct buf *out);
/* Decodes the whole answer into `response`, the method's struct T<method>Resp. Name and sequence id must be those of the call, and the
 * struct must be there and be all. An EXCEPTION message becomes DBSQL_ERROR_REQUEST, SQLSTATE 08P01, with its text; the error's vendor
 * code is its type (enum tcli_exception_type). Bytes that are no such message become DBSQL_ERROR_DRIVER, SQLSTATE 08P01.
 * `bytes` must outlive `response`; nested parts are in the arena, also on failure. */
dbsql_status tcli_decode_reply(enum tcli_method method, int32_t sequence_id, struct slice bytes, struct arena *arena, void *response,
                               dbsql_error **error);

/* ---- The server's side --------------------------------------------------------------------------------------------------- */

enum tcli_exception_type {
  TCLI_EXCEPTION_UNKNOWN = 0,
  TCLI_EXCEPTION_UNKNOWN_METHOD = 1,
  TCLI_EXCEPTION_INVALID_MESSAGE_TYPE = 2,
  TCLI_EXCEPTION_WRONG_METHOD_NAME = 3,
  TCLI_EXCEPTION_BAD_SEQUENCE_ID = 4,
  TCLI_EXCEPTION_MISSING_RESULT = 5,
  TCLI_EXCEPTION_INTERNAL_ERROR = 6,
  TCLI_EXCEPTION_PROTOCOL_ERROR = 7
};

struct tcli_call {
  struct slice name; /* into the message */
  int32_t sequence_id;
  uint8_t message_type;
  enum tcli_method method; /* TCLI_UNKNOWN_METHOD: then `request` is NULL, and the call is to be answered with that exception */
  void *request;           /* struct T<method>Req, in the arena */
};
/* Decodes a whole CALL message. On failure, `out` has the name and sequence id if the header could be read (else it is zeros, with no
 * name), so that an exception can be answered. */
dbsql_status tcli_decode_call(struct slice bytes, struct arena *arena, struct tcli_call *out, dbsql_error **error);
/* Appends the whole REPLY message. Failure: buf_failed(out). */
void tcli_encode_reply(enum tcli_method method, int32_t sequence_id, const void *response, struct buf *out);
/* Appends the whole EXCEPTION message. */
void tcli_encode_exception(struct slice name, int32_t sequence_id, enum tcli_exception_type type, const char *text, struct buf *out);

/* ---- For logs ------------------------------------------------------------------------------------------------------------ */

/* Appends one line: TStatus{statusCode: SUCCESS_STATUS}. Never a secret: see thrift_print(). */
static inline void tcli_print(const struct thrift_struct *type, const void *value, struct buf *out) {
  thrift_print(type, value, out);
}

#endif
