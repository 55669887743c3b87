/* Query tags (thrift.md 6.4) and settings of one statement (thrift.md 6.3). */
#ifndef DBSQL_SESSION_QUERY_TAGS_H
#define DBSQL_SESSION_QUERY_TAGS_H

#include "backend/backend.h"

struct query_tag {
  char *key;
  char *value; /* NULL: none, which is not the same as an empty one */
};

struct query_tags {
  struct query_tag *items; /* by key */
  size_t count;
  char *text; /* as they are sent; NULL if there are none */
};

void query_tags_free(struct query_tags *tags);
/* Sets one, in place of one with that key. `value` NULL: without a value. */
dbsql_status query_tags_set(struct query_tags *tags, const char *key, const char *value, dbsql_error **error);
/* `key:value,key` with a backslash before backslashes (and in values before `:` and `,`), in place of all that are there. */
dbsql_status query_tags_parse(struct query_tags *tags, const char *text, dbsql_error **error);
/* What is sent; NULL if there are none. */
static inline const char *query_tags_text(const struct query_tags *tags) {
  return tags->text;
}

/* The settings of a statement, by name. */
struct statement_conf {
  struct text_pair *items; /* owned, with their texts */
  size_t count;
};

void statement_conf_free(struct statement_conf *conf);
/* "" takes it away again. */
dbsql_status statement_conf_set(struct statement_conf *conf, const char *name, const char *value, dbsql_error **error);

#endif
