/* The keys of a telemetry entry (telemetry.md 7), as tables. What is not in them is refused. */
#ifndef DBSQL_WAREHOUSE_TELEMETRY_SCHEMA_H
#define DBSQL_WAREHOUSE_TELEMETRY_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

enum schema_type { SCHEMA_TEXT, SCHEMA_BOOL, SCHEMA_INT32, SCHEMA_INT64, SCHEMA_ENUM, SCHEMA_TEXTS, SCHEMA_OBJECT };

struct schema_object;

struct schema_field {
  const char *name;
  enum schema_type type;
  const char *const *values;          /* of an enum, ended with NULL; in the order of their numbers */
  const struct schema_object *object; /* of an object */
  bool private;                       /* in the schema, but it tells about people or their machines: warned about */
};

struct schema_object {
  const char *name;
  const struct schema_field *fields; /* ended with a name of NULL */
};

extern const struct schema_object schema_entry;
/* Every object, ended with NULL, for hints where a key belongs. */
extern const struct schema_object *const schema_objects[];
/* Keys that some driver sends and the public schema does not know: who sends it, or NULL. */
const char *schema_stray(const char *object, const char *key);

#endif
