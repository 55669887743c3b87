/* Building arrays value by value: columnar pages, tests, the warehouse. */
#ifndef DBSQL_ARROW_BUILDER_H
#define DBSQL_ARROW_BUILDER_H

#include "base/buf.h"

/* Makes a schema: `format` as in the C data interface; `children` slots are allocated and zeroed, to be filled by the caller with
 * the same function. Released by its own release callback, children included. */
dbsql_status arrow_schema_make(struct ArrowSchema *schema, const char *format, const char *name, int64_t flags, int64_t n_children,
                               dbsql_error **error);
/* Sets the metadata of a schema made above: `pairs` are key, value, ..., NULL. */
dbsql_status arrow_schema_set_metadata(struct ArrowSchema *schema, const char *const *pairs, dbsql_error **error);

/* One column being built. */
struct arrow_builder {
  const struct ArrowSchema *schema; /* borrowed */
  int64_t length;
  int64_t null_count;
  struct buf validity; /* bits; empty while there is no null */
  struct buf offsets;
  struct buf data;
  int64_t child_count;
  struct arrow_builder *children; /* owned */
  bool failed; /* an allocation failed, or a string column passed 2 GiB */
};

/* Formats: n b c C s S i I l L f g z u d:P,S tdD tss: tsm: tsu: tsn: tts ttm ttu ttn tDs tDm tDu tDn tiM +l +s +m. */
dbsql_status arrow_builder_init(struct arrow_builder *builder, const struct ArrowSchema *schema, dbsql_error **error);
void arrow_builder_free(struct arrow_builder *builder);
void arrow_builder_append_null(struct arrow_builder *builder);
/* Every fixed-width type: `value` points to a value of the type's width, in the machine's byte order. */
void arrow_builder_append_fixed(struct arrow_builder *builder, const void *value);
void arrow_builder_append_bool(struct arrow_builder *builder, bool value);
void arrow_builder_append_bytes(struct arrow_builder *builder, struct slice value);
/* Lists, maps, structs: append to the children first, then close the entry. */
void arrow_builder_append_entry(struct arrow_builder *builder);
/* Moves the content into `array` (which then owns it) and makes the builder empty again. */
dbsql_status arrow_builder_finish(struct arrow_builder *builder, struct ArrowArray *array, dbsql_error **error);

#endif
