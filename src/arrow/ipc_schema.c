/* Schemas: nodes of the C data interface, copies, and the counted schema. */
#include "arrow/ipc_reader.h"
#include "arrow/ipc_types.h"
#include "base/error.h"
#include "base/mem.h"

/* Everything that a node owns lies in one block: child pointers, child structs, metadata, format, name. */
static void release_node(struct ArrowSchema *node) {
  for (int64_t i = 0; i < node->n_children; i++)
    if (node->children[i]->release) node->children[i]->release(node->children[i]);
  if (node->dictionary && node->dictionary->release) node->dictionary->release(node->dictionary);
  mem_free(node->private_data);
  node->release = NULL;
}

dbsql_status ipc_schema_node(struct ArrowSchema *node, struct slice format, struct slice name, struct slice metadata, int64_t flags,
                             int64_t n_children, dbsql_error **error) {
  memset(node, 0, sizeof *node);
  size_t count = (size_t)n_children;
  size_t pointers = count * sizeof(struct ArrowSchema *), structs = count * sizeof(struct ArrowSchema);
  uint8_t *block = mem_alloc_zero(1, pointers + structs + metadata.size + format.size + 1 + name.size + 1);
  if (!block) return error_no_memory(error);
  struct ArrowSchema *child = (struct ArrowSchema *)(void *)(block + pointers);
  uint8_t *at = block + pointers + structs;
  node->private_data = block;
  node->release = release_node;
  node->flags = flags;
  node->n_children = n_children;
  node->children = n_children ? (struct ArrowSchema **)(void *)block : NULL;
  for (size_t i = 0; i < count; i++) node->children[i] = child + i;
  if (metadata.data) {
    memcpy(at, metadata.data, metadata.size);
    node->metadata = (char *)at;
    at += metadata.size;
  }
  memcpy(at, format.data, format.size);
  node->format = (char *)at;
  at += format.size + 1;
  if (name.data) {
    if (name.size != 0) memcpy(at, name.data, name.size);
    node->name = (char *)at;
  }
  return DBSQL_OK;
}

size_t ipc_metadata_size(const char *metadata) {
  if (!metadata) return 0;
  int32_t pairs, length;
  memcpy(&pairs, metadata, 4);
  size_t at = 4;
  for (int64_t i = 0; i < 2 * (int64_t)pairs; i++) {
    memcpy(&length, metadata + at, 4);
    at += 4 + (size_t)length;
  }
  return at;
}

static dbsql_status copy_node(const struct ArrowSchema *from, struct ArrowSchema *to, int depth, dbsql_error **error) {
  memset(to, 0, sizeof *to);
  if (depth > IPC_MAX_DEPTH || from->n_children < 0 || from->n_children > IPC_MAX_FIELDS)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the schema has more than %d fields, or nests deeper than %d", IPC_MAX_FIELDS,
                     IPC_MAX_DEPTH);
  if (!from->format) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "a field of the schema has no format");
  dbsql_status status = ipc_schema_node(to, slice_text(from->format), slice_text(from->name),
                                        slice_of(from->metadata, ipc_metadata_size(from->metadata)), from->flags, from->n_children, error);
  for (int64_t i = 0; i < from->n_children && status == DBSQL_OK; i++)
    status = copy_node(from->children[i], to->children[i], depth + 1, error);
  if (status == DBSQL_OK && from->dictionary)
    status =
        error_set(error, DBSQL_ERROR_DRIVER, NULL, "field \"%.100s\": unsupported Arrow type Dictionary", from->name ? from->name : "");
  if (status != DBSQL_OK && to->release) to->release(to);
  return status;
}

dbsql_status arrow_schema_copy(const struct ArrowSchema *from, struct ArrowSchema *to, dbsql_error **error) {
  return copy_node(from, to, 0, error);
}

dbsql_status ipc_schema_from_arrow(const struct ArrowSchema *arrow, struct ipc_schema **schema, dbsql_error **error) {
  struct ArrowSchema copy;
  *schema = NULL;
  dbsql_status status = arrow_schema_copy(arrow, &copy, error);
  return status == DBSQL_OK ? ipc_schema_take(&copy, schema, error) : status;
}

struct ipc_schema *ipc_schema_ref(struct ipc_schema *schema) {
  atomic_fetch_add_explicit(&schema->refs, 1, memory_order_relaxed);
  return schema;
}

void ipc_schema_unref(struct ipc_schema *schema) {
  if (!schema || atomic_fetch_sub_explicit(&schema->refs, 1, memory_order_acq_rel) != 1) return;
  schema->arrow.release(&schema->arrow);
  mem_free(schema->fields);
  mem_free(schema);
}

const struct ArrowSchema *ipc_schema_arrow(const struct ipc_schema *schema) {
  return &schema->arrow;
}
