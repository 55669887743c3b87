/*
 * Time zones: how far local time is from UTC at an instant.
 *
 * Names as warehouses send them (results.md 5.2): names of the IANA data base, read from the system's zoneinfo files; offsets such as
 * "+5:30", "UTC+08:00", "GMT-3"; "UTC", "Z" and their like, for which no file is needed; and the short names that Java knows ("PST").
 */
#ifndef DBSQL_ARROW_TIME_ZONE_H
#define DBSQL_ARROW_TIME_ZONE_H

#include "base/buf.h"

/* The time zone of a POSIX rule, such as "CET-1CEST,M3.5.0,M10.5.0/3": what holds after the last transition of a file. */
struct zone_rule {
  int32_t standard; /* seconds east of UTC */
  int32_t summer;
  bool has_summer;
  struct zone_rule_date {
    enum { ZONE_RULE_JULIAN, ZONE_RULE_DAY, ZONE_RULE_WEEKDAY } form; /* Jn, n, Mm.w.d */
    int32_t month, week, day;
    int32_t seconds; /* after local midnight; may be negative, and more than a day */
  } begin, end;
};

/* What holds at an instant, and for which instants (from <= t < until). */
struct zone_span {
  int64_t from;
  int64_t until;
  int32_t offset;
};

struct time_zone {
  const char *problem; /* static; not NULL: the zone is not known, and why */
  int32_t count;       /* transitions */
  int64_t *times;      /* owned; seconds since 1970, ascending */
  uint8_t *types;      /* behind the times, in the same block: what holds from that transition on */
  int32_t offsets[256];
  bool has_rule;
  struct zone_rule rule;
  struct zone_span last; /* the answer of the last question: values of a column often lie close */
};

/* Fails only when out of memory: a zone that is not known has `problem` set. Freed with time_zone_free(). */
dbsql_status time_zone_new(const char *name, struct time_zone **zone, dbsql_error **error);
/* NULL is allowed. */
void time_zone_free(struct time_zone *zone);
/* Seconds east of UTC at an instant (seconds since 1970). Not to be called for a zone with a problem. */
int32_t time_zone_offset(struct time_zone *zone, int64_t instant);

/* The parts, for tests and fuzzing. */

/* Reads the content of a zoneinfo file. On failure (false) `*problem` says why; NULL means out of memory. */
bool time_zone_read_file(struct time_zone *zone, struct slice file, const char **problem);
/* A rule, all of the text. False if it is malformed. */
bool zone_rule_parse(struct zone_rule *rule, const char *text, size_t length);
struct zone_span zone_rule_at(const struct zone_rule *rule, int64_t instant);
/* "±h", "±hh", "±h:mm", "±hh:mm", "±hhmm", "±hh:mm:ss", at most 18 hours. */
bool zone_offset_parse(const char *text, int32_t *offset);

#endif
