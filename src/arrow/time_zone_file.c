/* Zoneinfo files (RFC 8536), versions 1 to 4. The content may be anything: each count is checked against the size before it is used. */
#include "arrow/time_zone.h"
#include "base/mem.h"

/* The counts of a header, in the order of the file. */
struct header {
  uint8_t version;
  uint32_t utc_marks, standard_marks, leap_seconds, transitions, types, letters;
};
enum { header_size = 44, type_size = 6, most_transitions = 10000 };

static uint64_t read_big(const uint8_t *bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) value = value << 8 | bytes[i];
  return value;
}

static bool read_header(struct slice file, size_t at, struct header *header) {
  if (at > file.size || file.size - at < header_size || memcmp(file.data + at, "TZif", 4) != 0) return false;
  const uint8_t *p = file.data + at;
  header->version = p[4];
  header->utc_marks = (uint32_t)read_big(p + 20, 4);
  header->standard_marks = (uint32_t)read_big(p + 24, 4);
  header->leap_seconds = (uint32_t)read_big(p + 28, 4);
  header->transitions = (uint32_t)read_big(p + 32, 4);
  header->types = (uint32_t)read_big(p + 36, 4);
  header->letters = (uint32_t)read_big(p + 40, 4);
  return true;
}

/* Bytes of the data block behind a header: fits 64 bits, since each count has 32. */
static uint64_t block_size(const struct header *header, uint64_t time_size) {
  return header->transitions * (time_size + 1) + header->types * UINT64_C(6) + header->letters + header->leap_seconds * (time_size + 4) +
         header->standard_marks + header->utc_marks;
}

static bool read_block(struct time_zone *zone, const uint8_t *block, const struct header *header, size_t time_size, const char **problem) {
  *problem = "its file is damaged";
  if (header->types == 0 || header->types > 256 || header->transitions > most_transitions) return false;
  if (header->leap_seconds != 0) {
    *problem = "its file counts leap seconds, which timestamps do not";
    return false;
  }
  size_t count = header->transitions;
  const uint8_t *types = block + count * time_size, *records = types + count;
  for (size_t i = 0; i < header->types; i++) {
    int32_t offset = (int32_t)(uint32_t)read_big(records + i * type_size, 4);
    /* RFC 8536 3.2 asks for less than 26 hours. */
    if (offset <= -26 * 3600 || offset >= 26 * 3600) return false;
    zone->offsets[i] = offset;
  }
  int64_t *times = mem_alloc(count * (sizeof *times + 1));
  if (!times) {
    *problem = NULL;
    return false;
  }
  mem_free(zone->times);
  zone->times = times;
  zone->types = (uint8_t *)(times + count);
  zone->count = (int32_t)count;
  for (size_t i = 0; i < count; i++) {
    uint64_t time = read_big(block + i * time_size, time_size);
    times[i] = time_size == 4 ? (int32_t)(uint32_t)time : (int64_t)time;
    zone->types[i] = types[i];
    if (types[i] >= header->types || (i > 0 && times[i] <= times[i - 1])) return false;
  }
  return true;
}

bool time_zone_read_file(struct time_zone *zone, struct slice file, const char **problem) {
  *problem = "its file is damaged";
  struct header header;
  if (!read_header(file, 0, &header)) return false;
  uint64_t size = block_size(&header, 4);
  if (size > file.size - header_size) return false;
  if (header.version == 0) return read_block(zone, file.data + header_size, &header, 4, problem);
  /* From version 2 on everything comes again with 64 bits, and a rule behind it. */
  size_t at = header_size + (size_t)size;
  if (!read_header(file, at, &header)) return false;
  at += header_size;
  size = block_size(&header, 8);
  if (size > file.size - at) return false;
  if (!read_block(zone, file.data + at, &header, 8, problem)) return false;
  *problem = "its file is damaged";
  at += (size_t)size;
  if (at == file.size || file.data[at] != '\n') return false;
  const uint8_t *rule = file.data + at + 1, *end = memchr(rule, '\n', file.size - at - 1);
  if (!end) return false;
  zone->has_rule = end != rule;
  return !zone->has_rule || zone_rule_parse(&zone->rule, (const char *)rule, (size_t)(end - rule));
}
