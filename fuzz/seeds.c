/*
 * First inputs for the fuzz targets, cut out of recorded traffic:
 *
 *    fuzz_seeds TARGET FOLDER < LIST
 *
 * LIST names recorded bodies, one a line. What each of them is, its first bytes tell.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/lz4_frames.h"
#include "base/arena.h"
#include "thrift/tcli.h"

/* The fuzzer is told not to go beyond this size, and a seed that it would cut is of no use. */
enum { largest = 65536, longest_path = 4096 };

static const char *target;
static const char *folder;
static size_t written;

static bool wants(const char *name) {
  return strcmp(target, name) == 0;
}

static bool starts_with(struct slice bytes, const char *magic) {
  return bytes.size >= 4 && memcmp(bytes.data, magic, 4) == 0;
}

/* Writes the parts, one after the other, as one seed. */
static void write_seed(struct slice first, struct slice second) {
  char path[longest_path];
  if (first.size + second.size == 0 || first.size + second.size > largest) return;
  snprintf(path, sizeof path, "%s/recorded-%zu", folder, written);
  FILE *file = fopen(path, "wb");
  if (file == NULL) return;
  if (first.size > 0) fwrite(first.data, 1, first.size, file);
  if (second.size > 0) fwrite(second.data, 1, second.size, file);
  if (fclose(file) == 0) written++;
}

/* A schema message, which may be missing, and what follows it, which may be compressed. */
static void take_stream(struct slice schema, struct slice bytes) {
  if (!lz4_frames_look_like(bytes)) {
    if (wants("ipc") && starts_with(bytes, "\xff\xff\xff\xff")) write_seed(schema, bytes);
    return;
  }
  if (wants("lz4")) write_seed(bytes, slice_of(NULL, 0));
  if (!wants("ipc")) return;
  struct chunk *chunk;
  if (lz4_frames_decode(bytes, 0, largest, &chunk, NULL) != DBSQL_OK) return;
  write_seed(schema, slice_of(chunk->data, chunk->size));
  chunk_unref(chunk);
}

static void take_page(const struct TGetResultSetMetadataResp *metadata, const struct TRowSet *rows) {
  if (metadata == NULL || rows == NULL || !metadata->has_arrowSchema) return;
  for (uint32_t i = 0; i < rows->arrowBatches.count; i++) take_stream(metadata->arrowSchema, rows->arrowBatches.items[i].batch);
}

/* Replies that bring batches together with their schema. */
static void take_batches(struct slice message) {
  if (message.size < 12) return;
  size_t length = thrift_load32(message.data + 4);
  if (length > message.size - 12) return;
  int32_t sequence_id = (int32_t)thrift_load32(message.data + 8 + length);
  enum tcli_method method = tcli_method_by_name(slice_of(message.data + 8, length));
  struct arena arena = ARENA_INIT;
  if (method == TCLI_ExecuteStatement) {
    struct TExecuteStatementResp response = {0};
    if (tcli_decode_reply(method, sequence_id, message, &arena, &response, NULL) == DBSQL_OK && response.directResults &&
        response.directResults->resultSet)
      take_page(response.directResults->resultSetMetadata, response.directResults->resultSet->results);
  } else if (method == TCLI_FetchResults) {
    struct TFetchResultsResp response = {0};
    if (tcli_decode_reply(method, sequence_id, message, &arena, &response, NULL) == DBSQL_OK)
      take_page(response.resultSetMetadata, response.results);
  }
  arena_free(&arena);
}

static void take(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return;
  uint8_t *data = NULL;
  long end = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
  if (end > 0 && fseek(file, 0, SEEK_SET) == 0 && (data = malloc((size_t)end)) != NULL &&
      fread(data, 1, (size_t)end, file) == (size_t)end) {
    struct slice bytes = slice_of(data, (size_t)end);
    if (bytes.size >= 2 && memcmp(bytes.data, "\x80\x01", 2) == 0) {
      if (wants("ipc") || wants("lz4")) {
        take_batches(bytes);
      } else {
        write_seed(bytes, slice_of(NULL, 0));
      }
    } else {
      take_stream(slice_of(NULL, 0), bytes);
    }
  }
  free(data);
  fclose(file);
}

int main(int argc, char **argv) {
  char path[longest_path];
  if (argc != 3) {
    fprintf(stderr, "usage: fuzz_seeds TARGET FOLDER < LIST\n");
    return 2;
  }
  target = argv[1];
  folder = argv[2];
  while (fgets(path, sizeof path, stdin) != NULL) {
    path[strcspn(path, "\n")] = '\0';
    take(path);
  }
  return 0;
}
