/* The scanner of parameter markers: any text, and what it says of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "session/sql_markers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct sql_markers found;
  /* Not zero-terminated, so that a read past the end is seen. */
  char *text = malloc(size ? size : 1);
  if (!text) abort();
  memcpy(text, data, size);
  if (sql_markers_scan(slice_of(text, size), &found, NULL) != DBSQL_OK) abort();
  size_t end = 0;
  for (size_t i = 0; i < found.count; i++) {
    const struct sql_marker *marker = &found.items[i];
    /* In order, apart, and what they should look like. */
    if (marker->start < end || marker->end <= marker->start || marker->end > size) abort();
    if (text[marker->start] != (marker->name ? ':' : '?')) abort();
    if (marker->name && (marker->name_size == 0 || strlen(marker->name) > marker->name_size)) abort();
    if (!marker->name && marker->is_doubtful) abort();
    end = marker->is_doubtful ? marker->start + 1 : marker->end;
  }
  if (found.positional + found.named + found.doubtful != found.count) abort();
  if (found.row_end) {
    if (found.row_start >= found.row_end || found.row_end > size) abort();
    if (text[found.row_start] != '(' || text[found.row_end - 1] != ')') abort();
    for (size_t i = 0; i < found.count; i++) {
      const struct sql_marker *marker = &found.items[i];
      bool inside = marker->start > found.row_start && marker->end < found.row_end;
      if (!inside && !marker->is_doubtful) abort();
    }
  }
  sql_markers_free(&found);
  free(text);
  return 0;
}
