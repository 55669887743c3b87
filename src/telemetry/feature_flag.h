/*
 * What the server says about features: one answer per host and workspace, kept for as long as it says (15 minutes if it does not;
 * telemetry.md 3). A lookup answers at once from what is known and never fetches; whoever has found `flag_wants_fetch()` true and got
 * `flag_begin_fetch()` fetches, alone, on a thread of the library's.
 *
 * Plain data without a lock: the owner has one.
 */
#ifndef DBSQL_TELEMETRY_FEATURE_FLAG_H
#define DBSQL_TELEMETRY_FEATURE_FLAG_H

#include "base/buf.h"

enum { flag_most = 64, flag_name_size = 128, flag_value_size = 256 };

struct flag {
  char name[flag_name_size];
  char value[flag_value_size];
};

struct flag_list {
  struct flag *flags; /* freed with flag_list_free() */
  size_t count;
  int64_t ttl_s; /* 0: the server did not say */
};
/* Reads an answer. Unknown keys are ignored; so are flags without a name or a text (or true, false) as value, and those that do not fit. */
dbsql_status flag_list_parse(struct slice body, struct flag_list *list, dbsql_error **error);
void flag_list_free(struct flag_list *list);
/* NULL if it is not in the list. */
const char *flag_list_find(const struct flag_list *list, const char *name);

enum flag_state {
  FLAG_STATE_PENDING, /* nothing is known yet */
  FLAG_STATE_TRUE,
  FLAG_STATE_FALSE,
  FLAG_STATE_MISSING, /* the server knows no such flag */
  FLAG_STATE_ERROR    /* it could not be asked */
};

struct flag_entry {
  struct flag_list list;
  bool known; /* there is a list, perhaps an old one */
  bool fetching;
  int failures;        /* since the last success */
  int64_t answered_ns; /* when the last attempt ended */
  int64_t fresh_ns;    /* how long what it brought counts */
};

void flag_entry_free(struct flag_entry *entry);
/* The flag is on if its value is "true", in any case. */
enum flag_state flag_lookup(const struct flag_entry *entry, const char *name);
/* Whether it is time to ask (again), and nobody is about to. */
bool flag_wants_fetch(const struct flag_entry *entry, int64_t now_ns);
/* When it will be: INT64_MAX while somebody asks. */
int64_t flag_next_fetch_ns(const struct flag_entry *entry, int64_t now_ns);
/* True: the caller is the one that asks, and must end it with one of the next two. */
bool flag_begin_fetch(struct flag_entry *entry, int64_t now_ns);
/* Takes the list over. */
void flag_end_fetch(struct flag_entry *entry, struct flag_list *list, int64_t now_ns);
/* What was known stays. A refusal (401, 403, 404) counts as long as an answer; anything else a minute, twice as long each time, up to 15.
 */
void flag_fail_fetch(struct flag_entry *entry, int http_status, int64_t now_ns);

#endif
