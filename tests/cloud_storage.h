/*
 * A storage for CloudFetch tests: a result of `rows` rows as files, made when they are asked for. Column n is the row's number, column
 * s a text made from it or NULL; so whoever reads can check every value. A fault of the test's may answer in the files' place.
 */
#ifndef DBSQL_TESTS_CLOUD_STORAGE_H
#define DBSQL_TESTS_CLOUD_STORAGE_H

#include "test.h"

#include <pthread.h>

#include <dbsql/arrow.h>

#include "base/buf.h"
#include "base/chunk.h"
#include "http_server.h"
#include "result/page.h"

enum cloud_format {
  CLOUD_PLAIN,
  CLOUD_LZ4,          /* one frame */
  CLOUD_LZ4_MESSAGES, /* one for each message */
  CLOUD_LZ4_CHECKED   /* those of the second writer, results.md 1.7 */
};

struct cloud_prepared {
  int64_t start, count;
  void *bytes;
  size_t size;
  size_t plain_size;
};

struct cloud {
  int64_t rows;
  int64_t rows_per_file;
  int64_t rows_per_batch;
  enum cloud_format format;
  int64_t padding; /* rows that each file has too many */
  int64_t links_per_page;
  int64_t life_ms;    /* of links; 0: an hour */
  bool bytes_unknown; /* links say 0 */
  /* Answers request number `attempt` (from 0) for the file that begins at row `start`; false: as usual. On the server's threads. */
  bool (*fault)(struct cloud *cloud, struct http_exchange *exchange, int64_t start, int attempt);
  void *user;
  /* Changes the links of page number `page` (from 0) before they are given out. */
  void (*page_fault)(struct cloud *cloud, struct TRowSet *rows, int page, bool *more);
  const struct thrift_string_map *headers;
  /* Read by tests. */
  struct cloud_prepared *files;
  struct http_server *server;
  pthread_mutex_t mutex;
  int attempts[4096]; /* for each file */
  int pages;
  int64_t asked[4096]; /* the row of each page */
  bool signature_seen; /* an Authorization, a cookie or an org id came */
};

/* Defaults: 1000 rows in files of 100 and batches of 30, 4 links a page. */
void cloud_start(struct cloud *cloud);
void cloud_stop(struct cloud *cloud);
/* The file of `count` rows from `start` on. */
void cloud_file(const struct cloud *cloud, int64_t start, int64_t count, struct buf *out);
void cloud_reply_file(const struct cloud *cloud, struct http_exchange *exchange, int64_t start, int64_t count);
/* The links from row `start` on, in the arena; `*more` as the server says it. NULL if out of memory. */
struct TRowSet *cloud_links(struct cloud *cloud, int64_t start, struct arena *arena, bool *more);
/* A message with the schema that the metadata has. */
void cloud_schema(struct buf *out);
int cloud_attempts(struct cloud *cloud, int64_t start);
int cloud_all_attempts(struct cloud *cloud);
/* Every value of the batch, whose first row is `first`. */
void cloud_check_batch(const struct ArrowArray *batch, int64_t first);

#endif
