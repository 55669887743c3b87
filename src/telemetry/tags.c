#include "telemetry/tags.h"

#include <string.h>

#include "base/text.h"

#define ENUM(name) static const char *const texts_##name[] = {
#define VALUE(name, value) #value,
#define END(name) \
  }               \
  ;               \
  const struct tag_names tag_names_##name = {#name, name##_COUNT, texts_##name};
#include "telemetry/enums.def"
#undef ENUM
#undef VALUE
#undef END

uint8_t tag_enum_value(const struct tag_names *names, const char *text) {
  for (uint8_t i = 0; i < names->count; i++) {
    if (strcmp(names->texts[i], text) == 0) return i;
  }
  return 0;
}

#define TAG_NAMES_TEXT(names) NULL
#define TAG_NAMES_GUID(names) NULL
#define TAG_NAMES_TEXT8(names) NULL
#define TAG_NAMES_COUNT(names) NULL
#define TAG_NAMES_COUNT32(names) NULL
#define TAG_NAMES_NUMBER(names) NULL
#define TAG_NAMES_FLAG(names) NULL
#define TAG_NAMES_ENUM(names) &tag_names_##names
#define TAG_OFFSET_EVENT(id) offsetof(struct tag_event, id)
#define TAG_OFFSET_CONNECTION(id) offsetof(struct tag_connection, id)
#define TAG_OFFSET_PROCESS(id) offsetof(struct tag_process, id)
#define TAG_OFFSET_NEVER(id) 0

const struct tag tag_table[] = {
#define TAG(source, id, type, names, name, scope, kinds, unauth, required, unit, number, wire, otlp, documentation) \
  {#id,                                                                                                             \
   name,                                                                                                            \
   SOURCE_##source,                                                                                                 \
   TAG_##type,                                                                                                      \
   SCOPE_##scope,                                                                                                   \
   TAG_NAMES_##type(names),                                                                                         \
   kinds,                                                                                                           \
   unauth,                                                                                                          \
   required,                                                                                                        \
   TAG_OFFSET_##source(id),                                                                                         \
   unit,                                                                                                            \
   number,                                                                                                          \
   wire,                                                                                                            \
   otlp,                                                                                                            \
   documentation},
#include "telemetry/tags.def"
#undef TAG
};
const size_t tag_count = sizeof tag_table / sizeof tag_table[0];

bool tag_may_go(const struct tag *tag, unsigned kind, enum tag_destination destination) {
  if (tag->source == SOURCE_NEVER || (tag->kinds & kind) == 0) return false;
  if (destination == TO_LOCAL) return (tag->scope & SCOPE_LOCAL) != 0;
  if ((tag->scope & SCOPE_DATABRICKS) == 0 || !tag->wire[0]) return false;
  return destination == TO_DATABRICKS || tag->unauth;
}

void tag_read(const struct tag *tag, const struct tag_record *record, struct tag_value *value) {
  static const uint8_t no_guid[16];
  const char *base = NULL;
  switch (tag->source) {
    case SOURCE_EVENT: base = (const char *)record->event; break;
    case SOURCE_CONNECTION: base = (const char *)record->connection; break;
    case SOURCE_PROCESS: base = (const char *)record->process; break;
    case SOURCE_NEVER: break;
  }
  value->present = false;
  value->text = NULL;
  value->number = 0;
  if (!base) return;
  const void *at = base + tag->offset;
  switch (tag->type) {
    case TAG_TEXT:
      value->text = *(const char *const *)at;
      value->present = value->text && value->text[0];
      break;
    case TAG_TEXT8:
      value->text = at;
      value->present = value->text[0] != 0;
      break;
    case TAG_GUID:
      value->present = memcmp(at, no_guid, sizeof no_guid) != 0;
      if (value->present) guid_format(at, sizeof no_guid, value->room);
      value->text = value->room;
      break;
    case TAG_COUNT:
      value->number = *(const int64_t *)at;
      value->present = value->number != 0;
      break;
    case TAG_COUNT32:
      value->number = *(const int32_t *)at;
      value->present = value->number != 0;
      break;
    case TAG_NUMBER:
      value->number = *(const int64_t *)at;
      value->present = true;
      break;
    case TAG_FLAG:
      value->number = *(const uint8_t *)at == FLAG_TRUE;
      value->present = *(const uint8_t *)at != FLAG_ABSENT;
      break;
    case TAG_ENUM:
      value->number = *(const uint8_t *)at;
      value->present = value->number != 0 && value->number < tag->names->count;
      value->text = value->present ? tag->names->texts[value->number] : NULL;
      break;
  }
}
