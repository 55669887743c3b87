/* The tables as data, and names: which option a name means, which one was meant. */
#include <string.h>

#include "base/text.h"
#include "session/config_internal.h"

#define OPTION(id, type, aliases, unit, min, max, words, default_text, secret, environment, documentation) \
  [OPTION_##id] = {OPTION_##type, #id, aliases, unit, min, max, words, default_text, secret, environment, documentation},
const struct option option_table[OPTION_COUNT] = {
#include "session/options.def"
};
#undef OPTION

#define FOREIGN(name, rule, option, values) {name, FOREIGN_##rule, OPTION_##option, values},
const struct foreign foreign_table[] = {
#include "session/foreign.def"
};
#undef FOREIGN
const size_t foreign_count = sizeof foreign_table / sizeof foreign_table[0];

/* Families of names of the ADBC drivers: what follows is looked up (auth.md 4.4 to 4.6). */
static const char *const families[] = {
    "databricks.",         "adbc.databricks.",       "adbc.spark.", "adbc.connection.", "adbc.http_options.",
    "adbc.proxy_options.", "adbc.apache.statement.",
};

bool text_next_piece(const char *text, char separator, size_t *at, struct slice *piece) {
  const char *start = text + *at;
  if (*start == 0) return false;
  const char *end = strchr(start, separator);
  size_t length = end ? (size_t)(end - start) : strlen(start);
  *piece = slice_of(start, length);
  *at += length + (end != NULL);
  return true;
}

static bool is_filler(uint8_t byte) {
  return byte == '_' || byte == '-';
}

bool config_names_equal(struct slice a, struct slice b) {
  size_t i = 0, j = 0;
  for (;;) {
    while (i < a.size && is_filler(a.data[i])) i++;
    while (j < b.size && is_filler(b.data[j])) j++;
    if (i == a.size || j == b.size) return i == a.size && j == b.size;
    if (text_lower((char)a.data[i++]) != text_lower((char)b.data[j++])) return false;
  }
}

static bool take_prefix(struct slice name, const char *prefix, struct slice *rest) {
  size_t length = strlen(prefix);
  if (name.size < length || !text_equal_nocase_n((const char *)name.data, length, prefix, length)) return false;
  *rest = slice_of(name.data + length, name.size - length);
  return true;
}

struct name_match config_find_name(struct slice name) {
  struct name_match match = {.kind = NAME_UNKNOWN};
  if (name.size == 0) return match;
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
    if (take_prefix(name, families[i], &name)) break;
  }
  if (take_prefix(name, "session.", &match.rest) || take_prefix(name, "ssp_", &match.rest)) {
    /* These two have checks of their own, whatever way they are written. */
    if (config_names_equal(match.rest, slice_text("query_tags"))) {
      match = (struct name_match){.kind = NAME_OPTION, .option = OPTION_query_tags};
    } else if (config_names_equal(match.rest, slice_text("timezone"))) {
      match = (struct name_match){.kind = NAME_OPTION, .option = OPTION_timezone};
    } else {
      match.kind = NAME_PARAMETER;
    }
    return match;
  }
  if (take_prefix(name, "http_header.", &match.rest) || take_prefix(name, "http.header.", &match.rest)) {
    match.kind = NAME_HEADER;
    return match;
  }
  for (int id = 0; id < OPTION_COUNT; id++) {
    bool found = config_names_equal(name, slice_text(option_table[id].name));
    struct slice alias;
    for (size_t at = 0; !found && text_next_piece(option_table[id].aliases, ',', &at, &alias);) found = config_names_equal(name, alias);
    if (found) {
      match.kind = NAME_OPTION;
      match.option = (enum option_id)id;
      return match;
    }
  }
  for (size_t i = 0; i < foreign_count; i++) {
    if (config_names_equal(name, slice_text(foreign_table[i].name))) {
      match.kind = NAME_FOREIGN;
      match.foreign = &foreign_table[i];
      return match;
    }
  }
  return match;
}

/* Copies without '_' and '-', so that only letters count as edits. False if it does not fit. */
static bool squeeze(struct slice name, char out[nearest_size]) {
  size_t length = 0;
  for (size_t i = 0; i < name.size; i++) {
    if (is_filler(name.data[i])) continue;
    if (length + 1 == nearest_size || name.data[i] == 0) return false;
    out[length++] = (char)name.data[i];
  }
  out[length] = 0;
  return true;
}

/* Takes `candidate` if it is nearer than `*best`. */
static void consider(const char *wanted, struct slice candidate, size_t reach, size_t *best, char out[nearest_size]) {
  char squeezed[nearest_size];
  if (*best == 0 || candidate.size >= nearest_size || !squeeze(candidate, squeezed)) return;
  size_t limit = reach < *best - 1 ? reach : *best - 1;
  size_t length = strlen(squeezed), wanted_length = strlen(wanted);
  if (length > wanted_length + limit || wanted_length > length + limit) return;
  size_t distance = text_distance(wanted, squeezed, limit);
  /* A name must keep most of its letters to be the same word. */
  if (distance > limit || distance * 3 > length) return;
  memcpy(out, candidate.data, candidate.size);
  out[candidate.size] = 0;
  *best = distance;
}

void config_nearest_name(struct slice name, size_t limit, char out[nearest_size]) {
  out[0] = 0;
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
    if (take_prefix(name, families[i], &name)) break;
  }
  char wanted[nearest_size];
  if (!squeeze(name, wanted)) return;
  size_t best = limit + 1;
  for (int id = 0; id < OPTION_COUNT; id++) {
    consider(wanted, slice_text(option_table[id].name), limit, &best, out);
    struct slice alias;
    for (size_t at = 0; text_next_piece(option_table[id].aliases, ',', &at, &alias);) consider(wanted, alias, limit, &best, out);
  }
  for (size_t i = 0; i < foreign_count; i++) {
    /* Nobody wants to be sent to a name that is refused, unless it is plainly that one. */
    size_t reach = foreign_table[i].rule == FOREIGN_UNSUPPORTED && limit > 1 ? 1 : limit;
    consider(wanted, slice_text(foreign_table[i].name), reach, &best, out);
  }
}

bool config_parse_bool(struct slice text, bool *value) {
  /* Go's ParseBool and the `yes` and `no` of the ADBC drivers. */
  static const char *const words[2][4] = {{"0", "f", "false", "no"}, {"1", "t", "true", "yes"}};
  for (int i = 0; i < 8; i++) {
    const char *word = words[i & 1][i / 2];
    if (text_equal_nocase_n((const char *)text.data, text.size, word, strlen(word))) {
      *value = i & 1;
      return true;
    }
  }
  return false;
}
