/* Building arrays value by value: columnar pages, tests, the warehouse. */
#ifndef DBSQL_ARROW_BUILDER_H
#define DBSQL_ARROW_BUILDER_H

#include "arrow/column_format.h"
#include "base/buf.h"

/* Makes a schema: `format` as in the C data interface; `children` slots are allocated and zeroed, to be filled by the caller with
 * the same function. `name` may be NULL. Released by its own release callback, which releases the children that were filled and not
 * moved out. On failure `schema->release` is NULL. */
dbsql_status arrow_schema_make(struct ArrowSchema *schema, const char *format, const char *name, int64_t flags, int64_t n_children,
                               dbsql_error **error);
/* Sets the metadata of a schema made above, in place of what it had: `pairs` are key, value, ..., NULL. NULL or no pair: none. */
dbsql_status arrow_schema_set_metadata(struct ArrowSchema *schema, const char *const *pairs, dbsql_error **error);

/*
 * One column being built. Appending cannot fail: the first thing that goes wrong is kept (`failed`), further appends change nothing
 * that counts, and arrow_builder_finish() reports it.
 */
struct arrow_builder {
  const struct ArrowSchema *schema; /* borrowed */
  enum arrow_kind kind;
  int32_t width; /* as in struct arrow_format */
  int64_t length;
  int64_t null_count;
  struct buf validity; /* bits; empty while there is no null */
  struct buf offsets;  /* the first, 0, comes with the first value */
  struct buf data;
  int64_t child_count;
  struct arrow_builder *children; /* owned */
  bool failed;
  const char *why; /* static; NULL: an allocation failed */
};

/* Formats: all of struct arrow_format, and so n b c C s S i I l L e f g u z U Z w:N d:P,S tdD tdm tt? ts?: tD? tiM tiD tin +l +L +w:N +s
 * +m. `schema` must outlive the builder. A builder that was not made, or that is all zeros, may be freed. */
dbsql_status arrow_builder_init(struct arrow_builder *builder, const struct ArrowSchema *schema, dbsql_error **error);
void arrow_builder_free(struct arrow_builder *builder);
/* In a struct (and a fixed-size list) the children get their nulls too. */
void arrow_builder_append_null(struct arrow_builder *builder);
/* Every fixed-width type but BOOLEAN: `value` points to a value of the type's width, in the machine's byte order. */
void arrow_builder_append_fixed(struct arrow_builder *builder, const void *value);
void arrow_builder_append_bool(struct arrow_builder *builder, bool value);
/* Texts and binaries. */
void arrow_builder_append_bytes(struct arrow_builder *builder, struct slice value);
/* Lists, maps, structs: append to the children first, then close the entry. A map's child is the struct of its entries: append a key, a
 * value and close that struct for each. */
void arrow_builder_append_entry(struct arrow_builder *builder);
/* Whole columns at once, for a builder that is still empty: each makes `count` values that are not null and says where the caller writes
 * their content. NULL or false if there is nothing to write: no values, no memory, or a column of another type (the builder knows it). */
/* Every fixed-width type; of BOOLEAN the bits, all of them 0. */
void *arrow_builder_fill_fixed(struct arrow_builder *builder, int64_t count);
/* Texts and binaries with 32-bit offsets: `count` + 1 of them (the first, 0, is there), and room for `size` bytes. */
bool arrow_builder_fill_bytes(struct arrow_builder *builder, int64_t count, size_t size, int32_t **offsets, uint8_t **data);
/* Structs: the children are filled by themselves. */
void arrow_builder_fill_entries(struct arrow_builder *builder, int64_t count);
/* Makes those of the values null whose bit is set. `nulls` may be shorter than the column, and longer. */
void arrow_builder_mark_nulls(struct arrow_builder *builder, struct slice nulls);
/* Moves the content into `array` (which then owns it) and makes the builder empty again. On failure `array->release` is NULL, and the
 * builder can only be freed. The error names the column: out of memory, a column of texts or lists past 2 GiB (its offsets have 32
 * bits), children that do not fit their parent, a value of a kind that the column does not take. */
dbsql_status arrow_builder_finish(struct arrow_builder *builder, struct ArrowArray *array, dbsql_error **error);

#endif
