/* The flags that the connector service hands out (telemetry.md 3): sets of them, for any client or workspace or for certain ones. */
#ifndef DBSQL_WAREHOUSE_FEATURE_FLAGS_H
#define DBSQL_WAREHOUSE_FEATURE_FLAGS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

enum { feature_flags_sets = 64, feature_flags_ttl_s = 900 };

struct feature_flags_set {
  char client[32]; /* "": any */
  char org[32];    /* "": any */
  json_t *flags;   /* [{"name": ..., "value": ...}] */
  json_t *ttl;     /* an integer, or NULL: not sent */
};

struct feature_flags {
  pthread_mutex_t lock;
  struct feature_flags_set sets[feature_flags_sets];
  int count;
};

void feature_flags_init(struct feature_flags *flags);
void feature_flags_destroy(struct feature_flags *flags);
/* {"flags": {name: value} or [{"name", "value"}], "ttl_seconds": N or null, "client": segment, "org": id}: all but the flags may be
 * missing. Takes the place of the set for the same client and org. False: `message` says why not. */
bool feature_flags_set(struct feature_flags *flags, const json_t *json, char *message, size_t size);
/* Back to the beginning: no flags, for a quarter of an hour. */
void feature_flags_clear(struct feature_flags *flags);
/* A new array of the sets. */
json_t *feature_flags_list(struct feature_flags *flags);
/* What this client is answered: a new object. The set that fits best: of client and org, of client, of org, of all. */
json_t *feature_flags_answer(struct feature_flags *flags, const char *client, const char *org);

/* True of paths of the endpoint, /api/2.0/connector-service/feature-flags/CLIENT/VERSION, or without /api as an old JDBC driver has it. */
bool feature_flags_is_path(const char *path);
/* Takes client and version out of it. False: they are not as they must be, and `message` says why. */
bool feature_flags_read_path(const char *path, char client[32], char *message, size_t size);

#endif
