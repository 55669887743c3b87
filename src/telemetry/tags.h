/*
 * What telemetry can say: the structs that hold it and the table that decides where it may go, all made from tags.def. There is no
 * way to add a tag at run time, so nothing leaves that the table does not name.
 */
#ifndef DBSQL_TELEMETRY_TAGS_H
#define DBSQL_TELEMETRY_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tag_scope { SCOPE_NONE = 0, SCOPE_LOCAL = 1, SCOPE_DATABRICKS = 2, SCOPE_ALL = 3 };
/* Kinds of records; bits of tag.kinds. */
enum tag_kind { KIND_CONNECTION = 1, KIND_OPERATION = 2, KIND_STATEMENT = 4, KIND_ERROR = 8 };
enum tag_type { TAG_TEXT, TAG_GUID, TAG_TEXT8, TAG_COUNT, TAG_COUNT32, TAG_NUMBER, TAG_FLAG, TAG_ENUM };
enum tag_source { SOURCE_EVENT, SOURCE_CONNECTION, SOURCE_PROCESS, SOURCE_NEVER };
/* A FLAG: absent unless somebody has set it. */
enum tag_flag { FLAG_ABSENT = 0, FLAG_FALSE = 1, FLAG_TRUE = 2 };
static inline uint8_t tag_flag(bool value) {
  return value ? FLAG_TRUE : FLAG_FALSE;
}

/* ---- The closed enums: mode_THRIFT, operation_type_CREATE_SESSION ..., and their names ------------------------------------- */

#define ENUM(name) enum tag_##name {
#define VALUE(name, value) name##_##value,
#define END(name) \
  name##_COUNT    \
  }               \
  ;
#include "telemetry/enums.def"
#undef ENUM
#undef VALUE
#undef END

struct tag_names {
  const char *name;
  uint8_t count;
  const char *const *texts;
};
#define ENUM(name) extern const struct tag_names tag_names_##name;
#define VALUE(name, value)
#define END(name)
#include "telemetry/enums.def"
#undef ENUM
#undef VALUE
#undef END
/* The value of a spelling; 0 (unspecified) if it is none. */
uint8_t tag_enum_value(const struct tag_names *names, const char *text);

/* ---- The structs --------------------------------------------------------------------------------------------------------- */

#define TAG_C_TEXT(id) const char *id;
#define TAG_C_GUID(id) uint8_t id[16];
#define TAG_C_TEXT8(id) char id[8];
#define TAG_C_COUNT(id) int64_t id;
#define TAG_C_COUNT32(id) int32_t id;
#define TAG_C_NUMBER(id) int64_t id;
#define TAG_C_FLAG(id) uint8_t id;
#define TAG_C_ENUM(id) uint8_t id;
#define TAG_IN_EVENT_EVENT(id, type) TAG_C_##type(id)
#define TAG_IN_EVENT_CONNECTION(id, type)
#define TAG_IN_EVENT_PROCESS(id, type)
#define TAG_IN_EVENT_NEVER(id, type)
#define TAG_IN_CONNECTION_EVENT(id, type)
#define TAG_IN_CONNECTION_CONNECTION(id, type) TAG_C_##type(id)
#define TAG_IN_CONNECTION_PROCESS(id, type)
#define TAG_IN_CONNECTION_NEVER(id, type)
#define TAG_IN_PROCESS_EVENT(id, type)
#define TAG_IN_PROCESS_CONNECTION(id, type)
#define TAG_IN_PROCESS_PROCESS(id, type) TAG_C_##type(id)
#define TAG_IN_PROCESS_NEVER(id, type)

/* What differs from record to record. */
struct tag_event {
#define TAG(source, id, type, ...) TAG_IN_EVENT_##source(id, type)
#include "telemetry/tags.def"
#undef TAG
};
/* What a connection's records share. Texts are borrowed. */
struct tag_connection {
#define TAG(source, id, type, ...) TAG_IN_CONNECTION_##source(id, type)
#include "telemetry/tags.def"
#undef TAG
};
/* What a process's records share. */
struct tag_process {
#define TAG(source, id, type, ...) TAG_IN_PROCESS_##source(id, type)
#include "telemetry/tags.def"
#undef TAG
};

/* A record with everything that belongs to it. */
struct tag_record {
  unsigned kind; /* one of enum tag_kind */
  const struct tag_event *event;
  const struct tag_connection *connection;
  const struct tag_process *process;
};

/* ---- The table ------------------------------------------------------------------------------------------------------------ */

struct tag {
  const char *id;
  const char *name;
  enum tag_source source;
  enum tag_type type;
  enum tag_scope scope;
  const struct tag_names *names; /* of an ENUM */
  unsigned kinds;
  bool unauth;
  bool required;
  size_t offset; /* in its struct */
  const char *unit;
  const char *number;
  const char *wire;
  const char *otlp;
  const char *documentation;
};
extern const struct tag tag_table[];
extern const size_t tag_count;

/* Where a record goes; decides which tags go with it. */
enum tag_destination { TO_LOCAL, TO_DATABRICKS, TO_DATABRICKS_UNAUTH };
bool tag_may_go(const struct tag *tag, unsigned kind, enum tag_destination destination);

/* One value of a record, or that it is absent. */
struct tag_value {
  bool present;
  const char *text; /* TEXT, TEXT8, ENUM, GUID (then in `room`) */
  int64_t number;   /* COUNT, COUNT32, NUMBER; FLAG as 0 or 1 */
  char room[40];
};
void tag_read(const struct tag *tag, const struct tag_record *record, struct tag_value *value);

#endif
