#include "arrow/time_zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/environment.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

/* ---- Names ---- */

/* Java's short names (java.time.ZoneId.SHORT_IDS), which a Spark session may be set to. */
static const char *const short_names[][2] = {
    {"ACT", "Australia/Darwin"},
    {"AET", "Australia/Sydney"},
    {"AGT", "America/Argentina/Buenos_Aires"},
    {"ART", "Africa/Cairo"},
    {"AST", "America/Anchorage"},
    {"BET", "America/Sao_Paulo"},
    {"BST", "Asia/Dhaka"},
    {"CAT", "Africa/Harare"},
    {"CNT", "America/St_Johns"},
    {"CST", "America/Chicago"},
    {"CTT", "Asia/Shanghai"},
    {"EAT", "Africa/Addis_Ababa"},
    {"ECT", "Europe/Paris"},
    {"EST", "-05:00"},
    {"HST", "-10:00"},
    {"IET", "America/Indiana/Indianapolis"},
    {"IST", "Asia/Kolkata"},
    {"JST", "Asia/Tokyo"},
    {"MIT", "Pacific/Apia"},
    {"MST", "-07:00"},
    {"NET", "Asia/Yerevan"},
    {"NST", "Pacific/Auckland"},
    {"PLT", "Asia/Karachi"},
    {"PNT", "America/Phoenix"},
    {"PRT", "America/Puerto_Rico"},
    {"PST", "America/Los_Angeles"},
    {"SST", "Pacific/Guadalcanal"},
    {"VST", "Asia/Ho_Chi_Minh"},
};

static bool read_digits(const char **at, int most, int32_t *value) {
  int digits = 0;
  *value = 0;
  while (digits < most && text_is_digit(**at)) {
    *value = *value * 10 + (*(*at)++ - '0');
    digits++;
  }
  return digits > 0;
}

bool zone_offset_parse(const char *text, int32_t *offset) {
  if (*text != '+' && *text != '-') return false;
  bool negative = *text++ == '-';
  const char *start = text;
  int32_t hours, minutes = 0, seconds = 0;
  if (!read_digits(&text, 2, &hours)) return false;
  if (*text == ':') {
    text++;
    start = text;
    if (!read_digits(&text, 2, &minutes) || text - start != 2) return false;
    if (*text == ':') {
      text++;
      start = text;
      if (!read_digits(&text, 2, &seconds) || text - start != 2) return false;
    }
  } else if (text - start == 2 && *text) { /* hhmm */
    start = text;
    if (!read_digits(&text, 2, &minutes) || text - start != 2) return false;
  }
  if (*text || minutes > 59 || seconds > 59) return false;
  int32_t total = hours * 3600 + minutes * 60 + seconds;
  if (total > 18 * 3600) return false;
  *offset = negative ? -total : total;
  return true;
}

/* Names for which no file is needed: UTC under its names, and offsets from it. */
static bool fixed_offset(const char *name, int32_t *offset) {
  static const char *const utc[] = {"UTC",  "Etc/UTC",  "Z",         "GMT",           "UT",        "Etc/GMT",      "UCT", "Etc/UCT",
                                    "Zulu", "Etc/Zulu", "Universal", "Etc/Universal", "Greenwich", "Etc/Greenwich"};
  static const char *const prefixes[] = {"UTC", "GMT", "UT"};
  for (size_t i = 0; i < sizeof utc / sizeof utc[0]; i++) {
    if (text_equal_nocase(name, utc[i])) {
      *offset = 0;
      return true;
    }
  }
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
    size_t length = strlen(prefixes[i]);
    if (strncmp(name, prefixes[i], length) == 0 && zone_offset_parse(name + length, offset)) return true;
  }
  return zone_offset_parse(name, offset);
}

/* The server names a file of ours: it may lead nowhere but into the folder. */
static bool is_safe_name(const char *name) {
  enum { longest = 128 };
  size_t length = strlen(name);
  if (length == 0 || length > longest) return false;
  bool part_begins = true;
  for (const char *p = name; *p; p++) {
    if (*p == '/') {
      if (part_begins) return false;
      part_begins = true;
    } else if (text_is_alpha(*p) || text_is_digit(*p) || *p == '_' || ((*p == '-' || *p == '+') && !part_begins)) {
      part_begins = false;
    } else {
      return false; /* dots, too */
    }
  }
  return !part_begins;
}

/* ---- Files ---- */

/* False if there is no such file, or if it cannot be read (content->failed tells memory apart). */
static bool read_whole(const char *path, struct buf *content) {
  enum { largest = 1 << 18 }; /* the largest of the data base has 4 KiB */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return false;
  bool ok = false;
  struct stat info;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    for (;;) {
      if (content->size > largest || !buf_reserve(content, 4096)) break;
      ssize_t got = read(fd, content->data + content->size, 4096);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        ok = got == 0;
        break;
      }
      content->size += (size_t)got;
    }
  }
  close(fd);
  return ok;
}

/* Searches the folders of the systems. */
static bool find_file(const char *name, struct buf *content) {
  static const char *const folders[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};
  const char *own = environment_get("TZDIR");
  bool found = false;
  struct buf path = BUF_INIT;
  for (size_t i = 0; i <= sizeof folders / sizeof folders[0] && !found && !content->failed; i++) {
    const char *folder = i == 0 ? own : folders[i - 1];
    if (!folder || !*folder) continue;
    buf_reset(&path);
    buf_append_text(&path, folder);
    buf_append_byte(&path, '/');
    buf_append_text(&path, name);
    if (!buf_text(&path)) {
      content->failed = true;
      break;
    }
    content->size = 0;
    found = read_whole((const char *)path.data, content);
  }
  buf_free(&path);
  return found;
}

/* ---- Zones ---- */

static bool load(struct time_zone *zone, const char *name, const char **problem) {
  for (size_t i = 0; i < sizeof short_names / sizeof short_names[0]; i++) {
    if (strcmp(name, short_names[i][0]) == 0) name = short_names[i][1];
  }
  int32_t offset;
  if (fixed_offset(name, &offset)) {
    zone->offsets[0] = offset;
    return true;
  }
  *problem = "it is not the name of a time zone";
  if (!is_safe_name(name)) return false;
  struct buf content = BUF_INIT;
  bool ok = find_file(name, &content);
  if (ok) {
    ok = time_zone_read_file(zone, buf_slice(&content), problem);
  } else {
    *problem = content.failed
                   ? NULL
                   : "the system has no zoneinfo file of it: install the time zone data (package tzdata) or let TZDIR name their folder";
  }
  buf_free(&content);
  return ok;
}

dbsql_status time_zone_new(const char *name, struct time_zone **zone, dbsql_error **error) {
  *zone = mem_alloc_zero(1, sizeof **zone);
  if (!*zone) return error_no_memory(error);
  const char *problem = NULL;
  if (!load(*zone, name, &problem)) {
    (*zone)->problem = problem;
    if (!problem) {
      time_zone_free(*zone);
      *zone = NULL;
      return error_no_memory(error);
    }
  }
  return DBSQL_OK;
}

void time_zone_free(struct time_zone *zone) {
  if (!zone) return;
  mem_free(zone->times);
  mem_free(zone);
}

static struct zone_span span_at(const struct time_zone *zone, int64_t instant) {
  struct zone_span span = {INT64_MIN, INT64_MAX, zone->offsets[0]};
  if (zone->count == 0) return zone->has_rule ? zone_rule_at(&zone->rule, instant) : span;
  if (instant < zone->times[0]) {
    span.until = zone->times[0];
    return span;
  }
  int32_t low = 0, high = zone->count; /* times[low] <= instant < times[high] */
  while (high - low > 1) {
    int32_t middle = low + (high - low) / 2;
    if (zone->times[middle] <= instant) {
      low = middle;
    } else {
      high = middle;
    }
  }
  if (high == zone->count && zone->has_rule) {
    span = zone_rule_at(&zone->rule, instant);
    if (span.from < zone->times[low]) span.from = zone->times[low];
    return span;
  }
  span.from = zone->times[low];
  if (high < zone->count) span.until = zone->times[high];
  span.offset = zone->offsets[zone->types[low]];
  return span;
}

int32_t time_zone_offset(struct time_zone *zone, int64_t instant) {
  if (instant < zone->last.from || instant >= zone->last.until) zone->last = span_at(zone, instant);
  return zone->last.offset;
}
