/* The statements that came last, with what they brought along: for GET /control/history. */
#ifndef DBSQL_WAREHOUSE_HISTORY_H
#define DBSQL_WAREHOUSE_HISTORY_H

#include <jansson.h>
#include <pthread.h>

struct session;
struct operation_request;

enum { history_length = 200, history_text = 2000 };

struct history {
  pthread_mutex_t lock;
  json_t *entries[history_length]; /* a ring */
  size_t next;
};

void history_init(struct history *history);
void history_free(struct history *history);
/* Notes a statement that was accepted. */
void history_add(struct history *history, const struct session *session, const struct operation_request *request);
/* An array, the newest first. */
json_t *history_list(struct history *history);

#endif
