/* The cloud's storage: a second HTTP listener, which serves what links lead to (links.h), as S3 would. */
#ifndef DBSQL_WAREHOUSE_STORAGE_H
#define DBSQL_WAREHOUSE_STORAGE_H

#include <stdio.h>

#include "faults.h"
#include "links.h"

struct storage_options {
  const char *host;        /* an IPv4 or IPv6 address */
  uint16_t port;           /* 0: any */
  const char *url;         /* how clients reach it; NULL: by that address */
  const char *certificate; /* PEM; NULL: no TLS */
  const char *key;
  unsigned connections;
  FILE *access_log; /* NULL: none */
};

struct storage;

/* Listens from here on, and tells `links` its address. `links` and `faults` must outlive it. NULL: `*message` (the caller's) says why. */
struct storage *storage_start(const struct storage_options *options, struct links *links, struct faults *faults, char **message);
/* Ends what is under way, and waits for it. NULL is allowed. */
void storage_stop(struct storage *storage);
uint16_t storage_port(const struct storage *storage);
/* A new object: what has been asked for and sent. */
json_t *storage_stats(struct storage *storage);

#endif
