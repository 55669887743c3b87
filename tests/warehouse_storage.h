/* A storage of the local warehouse with one result in it, and downloads from there. */
#ifndef DBSQL_TESTS_WAREHOUSE_STORAGE_H
#define DBSQL_TESTS_WAREHOUSE_STORAGE_H

#include "test.h"

#include <curl/curl.h>

#include "links.h"
#include "storage.h"

enum { BATCHES = 5, BATCH_ROWS = 100, ROWS = BATCHES * BATCH_ROWS };

/* A result of ROWS rows in BATCHES batches: id, a BIGINT that counts from 0, and name, a STRING that is NULL in every seventh row. A large
 * one is kept in `spool_folder` if that is not NULL. */
bool read_result(struct result *result, bool lz4, const char *spool_folder, struct failure *failure);

struct place {
  struct faults faults;
  struct links *links;
  struct storage *storage;
  struct operation operation;
  bool closed;
};
void open_place(struct place *place, const struct links_options *options, bool lz4, const char *spool_folder);
/* As if its operation had been closed. */
void close_operation(struct place *place);
void close_place(struct place *place);
/* Files of at most 2000 bytes. */
struct links_options small_files(void);
void arm(struct place *place, const char *json);
int64_t statistic(struct place *place, const char *name);

/* The links of a page, copied. */
struct link_list {
  size_t count;
  struct {
    char *url;
    int64_t first, rows, bytes, expires;
    uint32_t headers;
  } items[512];
  int64_t covered;
};
void get_page(struct place *place, int64_t first, int64_t max_bytes, struct link_list *list);
void free_page(struct link_list *list);

struct download {
  CURLcode code;
  long status;
  struct buf body;
};
/* `header` and `range` may be NULL. The body is the caller's. */
struct download get(const char *url, const char *method, const char *header, const char *range);
struct download good_get(const char *url);
void assert_refused(const char *url, const char *method, const char *header, long status, const char *code);
/* Reads a file: how many rows, beginning with which; -1: it is damaged. `name` and `format` are of the first column; a name with a plus has
 * metadata. */
int64_t read_file(const struct buf *body, int64_t *first, int64_t *size, char name[32], char format[8]);
int64_t rows_of(const char *url, int64_t *first, int64_t *size);

#endif
