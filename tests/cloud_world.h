/* A result of files for tests of CloudFetch: a storage and a source of links of the test's own, read through the pipeline alone. */
#ifndef DBSQL_TESTS_CLOUD_WORLD_H
#define DBSQL_TESTS_CLOUD_WORLD_H

#include "cloud_storage.h"
#include "result/cloudfetch.h"
#include "result/result_reader.h"

struct world {
  struct cloud cloud;
  struct cloudfetch_settings settings;
  int64_t max_memory;
  int64_t from; /* the row to begin at */
  /* Decides what the source answers to a question for links: DBSQL_OK and false: as usual. */
  dbsql_status (*answer)(struct world *world, int64_t row, int number, struct page *page, bool *answered, dbsql_error **error);
  void *user;
  int questions;
  struct transfer_profile *profile;
  struct budget *budget;
  struct result_schema *schema;
  struct cloudfetch *cf;
  int64_t row;                     /* that is expected next */
  struct cloudfetch_counts counts; /* at the end */
};

/* The settings that are 0 get defaults; starts the storage. */
void world_start(struct world *world);
void world_stop(struct world *world);
/* Begins with the result, as execute does. After a failure too world_end() is to be called. */
dbsql_status world_begin(struct world *world, dbsql_error **error);
void world_end(struct world *world);
/* The next batch, whose every value is compared. */
dbsql_status world_next(struct world *world, struct ArrowArray *batch, dbsql_error **error);
/* Reads on to the end. */
dbsql_status world_read_on(struct world *world, dbsql_error **error);
/* The whole result must come, every row once. */
void world_must_come(struct world *world);
/* It must fail after exactly `rows` rows; the parts must be in the message and the URL's secret not. */
void world_must_fail(struct world *world, int64_t rows, dbsql_status kind, const char *part, const char *other);

#endif
