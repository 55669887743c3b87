/* HTTP: the front of the warehouse. One thread for each connection, so that a slow statement holds up nobody else. */
#ifndef DBSQL_WAREHOUSE_SERVER_H
#define DBSQL_WAREHOUSE_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "faults.h"
#include "oidc.h"
#include "warehouse.h"

struct server_options {
  const char *host; /* an IPv4 or IPv6 address */
  uint16_t port;    /* 0: any */
  const char *token;
  const char *certificate; /* PEM; NULL: no TLS */
  const char *key;
  size_t request_bytes;
  unsigned connections;
  struct oidc *oidc;           /* NULL: no OAuth. Borrowed. */
  bool control;                /* the control endpoint is there */
  const char *control_token;   /* NULL: for whoever connects from this machine */
  FILE *access_log;            /* NULL: none */
  struct faults *faults;       /* must outlive the server */
  struct storage *storage;     /* to tell its statistics; NULL: none */
  struct telemetry *telemetry; /* must outlive the server */
};

struct storage;
struct server;

/* Listens and answers from here on. NULL: `*message` (the caller's) says why. */
struct server *server_start(struct warehouse *warehouse, const struct server_options *options, char **message);
/* A socket that listens at the address; `*port` 0 becomes what it got. -1: `*message` (the caller's) says why. */
int server_listen(const char *host, uint16_t *port, char **message);
uint16_t server_port(const struct server *server);
/* Ends what is under way, and waits for it. */
void server_stop(struct server *server);

#endif
