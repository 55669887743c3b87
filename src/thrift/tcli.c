/* The tables of tcli.def as descriptors. */
#include "thrift/tcli.h"

#define TCLI_ENUM_BEGIN(E) static const struct thrift_enum_value E##_values[] = {
#define TCLI_VALUE(E, name, number) {number, #name},
#define TCLI_ENUM_END(E) \
  }                      \
  ;                      \
  const struct thrift_enum E##_names = {#E, sizeof E##_values / sizeof E##_values[0], E##_values};
#include "thrift/tcli.def"

enum { REQUIRED = THRIFT_REQUIRED, OPTIONAL = 0, HIDDEN = THRIFT_HIDDEN, GUID = THRIFT_GUID, LINK = THRIFT_LINK };

#define TCLI_STRUCT_BEGIN(S) static const struct thrift_field S##_fields[] = {
#define TCLI_STRUCT_END(S) \
  }                        \
  ;                        \
  const struct thrift_struct S##_type = {#S, sizeof(struct S), false, sizeof S##_fields / sizeof S##_fields[0], S##_fields};
#define TCLI_UNION_BEGIN(S) TCLI_STRUCT_BEGIN(S)
#define TCLI_UNION_END(S) \
  }                       \
  ;                       \
  const struct thrift_struct S##_type = {#S, sizeof(struct S), true, sizeof S##_fields / sizeof S##_fields[0], S##_fields};
#define TCLI_FIELD(S, number, field_name, field_flags, c_type, field_kind, ...) \
  {.id = number,                                                                \
   .kind = field_kind,                                                          \
   .flags = field_flags,                                                        \
   .has_offset = offsetof(struct S, has_##field_name),                          \
   .offset = offsetof(struct S, field_name),                                    \
   .name = #field_name,                                                         \
   TCLI_DETAIL(__VA_ARGS__)},
#define TCLI_DETAIL(...) __VA_ARGS__
#include "thrift/tcli.def"

const struct tcli_method_info tcli_methods[TCLI_METHOD_COUNT] = {
#define TCLI_METHOD(method) {#method, &T##method##Req_type, &T##method##Resp_type},
#include "thrift/tcli.def"
};

enum tcli_method tcli_method_by_name(struct slice name) {
  for (int i = 0; i < TCLI_METHOD_COUNT; i++) {
    if (slice_equal(name, slice_text(tcli_methods[i].name))) return (enum tcli_method)i;
  }
  return TCLI_UNKNOWN_METHOD;
}
