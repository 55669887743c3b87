#include "splitter.h"

#include <string.h>

enum state { PLAIN, SINGLE, DOUBLE, RAW_SINGLE, RAW_DOUBLE, BACKQUOTE, DOLLAR, LINE_COMMENT, BLOCK_COMMENT, COMMAND };

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

void splitter_feed(struct splitter *splitter, const char *text, size_t length) {
  if (splitter->start > 0 && splitter->start >= splitter->text.size / 2) { /* move what is left to the front, seldom enough to be cheap */
    size_t left = splitter->text.size - splitter->start;
    memmove(splitter->text.data, splitter->text.data + splitter->start, left);
    splitter->text.size = left;
    splitter->scanned -= splitter->start;
    if (splitter->tag_start >= splitter->start) splitter->tag_start -= splitter->start;
    splitter->start = 0;
  }
  text_append(&splitter->text, text, length);
}

static void fill_piece(const struct splitter *splitter, size_t end, bool is_command, struct piece *piece) {
  const char *from = splitter->text.data + splitter->start;
  const char *to = splitter->text.data + end;
  while (from < to && is_space(*from)) from++;
  while (to > from && is_space(to[-1])) to--;
  piece->is_command = is_command;
  piece->text = from;
  piece->length = (size_t)(to - from);
  piece->line = splitter->start_line;
}

static void begin_piece(struct splitter *splitter, size_t start) {
  splitter->start = start;
  splitter->scanned = start;
  splitter->state = PLAIN;
  splitter->has_content = false;
}

static void mark_content(struct splitter *splitter) {
  if (!splitter->has_content) splitter->start_line = splitter->line;
  splitter->has_content = true;
}

/* The quote at `at` follows an r or R that is a word of its own: a raw string. */
static bool is_raw(const struct splitter *splitter, size_t at) {
  const char *data = splitter->text.data;
  if (at <= splitter->start || (data[at - 1] != 'r' && data[at - 1] != 'R')) return false;
  return at - 1 == splitter->start || !is_word(data[at - 2]);
}

/* The size of the dollar quote's mark at `at` ("$$" or "$tag$"); 0 if it is none, SIZE_MAX if more text is needed to tell. */
static size_t dollar_mark(const struct splitter *splitter, size_t at, bool at_end) {
  const char *data = splitter->text.data;
  if (at > splitter->start && (is_word(data[at - 1]) || data[at - 1] == '$')) return 0;
  for (size_t i = at + 1; i < splitter->text.size; i++) {
    if (data[i] == '$') return i - at + 1;
    if (!is_word(data[i]) || (i == at + 1 && data[i] >= '0' && data[i] <= '9')) return 0;
  }
  return at_end ? 0 : SIZE_MAX;
}

/* Looks at one character outside of quotes. Answers how far to go on, 0 if more text is needed, and sets `*ends` at a `;`. */
static size_t scan_plain(struct splitter *splitter, size_t at, bool at_end, bool *ends) {
  const char *data = splitter->text.data;
  char c = data[at];
  bool has_next = at + 1 < splitter->text.size;
  if (is_space(c)) return 1;
  if (c == '-' || c == '/') {
    if (!has_next && !at_end) return 0;
    if (has_next && c == '-' && data[at + 1] == '-') {
      splitter->state = LINE_COMMENT;
      return 2;
    }
    if (has_next && c == '/' && data[at + 1] == '*') {
      splitter->state = BLOCK_COMMENT;
      splitter->depth = 1;
      return 2;
    }
  }
  if (c == ';') {
    *ends = true;
    return 1;
  }
  if (c == '\\' && !splitter->has_content) {
    mark_content(splitter);
    splitter->start = at; /* comments before a command are not part of it */
    splitter->state = COMMAND;
    return 1;
  }
  if (c == '$') {
    size_t size = dollar_mark(splitter, at, at_end);
    if (size == SIZE_MAX) return 0;
    mark_content(splitter);
    if (size == 0) return 1;
    splitter->state = DOLLAR;
    splitter->tag_start = at;
    splitter->tag_size = size;
    return size;
  }
  mark_content(splitter);
  if (c == '\'') splitter->state = is_raw(splitter, at) ? RAW_SINGLE : SINGLE;
  if (c == '"') splitter->state = is_raw(splitter, at) ? RAW_DOUBLE : DOUBLE;
  if (c == '`') splitter->state = BACKQUOTE;
  return 1;
}

/* The same within quotes and comments. A doubled quote closes and opens again, which comes to the same. */
static size_t scan_quoted(struct splitter *splitter, size_t at, bool at_end) {
  const char *data = splitter->text.data;
  size_t left = splitter->text.size - at;
  char c = data[at];
  switch ((enum state)splitter->state) {
    case SINGLE:
    case DOUBLE:
      if (c == '\\') {
        if (left < 2 && !at_end) return 0;
        if (left >= 2 && data[at + 1] != '\n') return 2;
        return 1;
      }
      if (c == (splitter->state == SINGLE ? '\'' : '"')) splitter->state = PLAIN;
      return 1;
    case RAW_SINGLE:
    case RAW_DOUBLE:
      if (c == (splitter->state == RAW_SINGLE ? '\'' : '"')) splitter->state = PLAIN;
      return 1;
    case BACKQUOTE:
      if (c == '`') splitter->state = PLAIN;
      return 1;
    case DOLLAR:
      if (c != '$') return 1;
      if (left < splitter->tag_size && !at_end) return 0;
      if (left < splitter->tag_size || memcmp(data + at, data + splitter->tag_start, splitter->tag_size) != 0) return 1;
      splitter->state = PLAIN;
      return splitter->tag_size;
    case LINE_COMMENT:
      if (c == '\n' && data[at - 1] != '\\') splitter->state = PLAIN;
      return 1;
    case BLOCK_COMMENT:
      if (c != '*' && c != '/') return 1;
      if (left < 2) return at_end ? 1 : 0;
      if (c == '*' && data[at + 1] == '/') {
        if (--splitter->depth == 0) splitter->state = PLAIN;
        return 2;
      }
      if (c == '/' && data[at + 1] == '*') {
        splitter->depth++;
        return 2;
      }
      return 1;
    case PLAIN:
    case COMMAND: break;
  }
  return 1;
}

static bool splitter_scan(struct splitter *splitter, struct piece *piece, bool at_end) {
  while (splitter->scanned < splitter->text.size) {
    size_t at = splitter->scanned;
    if (splitter->state == COMMAND) {
      const char *end = memchr(splitter->text.data + at, '\n', splitter->text.size - at);
      if (end == NULL) {
        splitter->scanned = splitter->text.size;
        return false;
      }
      size_t stop = (size_t)(end - splitter->text.data);
      fill_piece(splitter, stop, true, piece);
      splitter->line++;
      begin_piece(splitter, stop + 1);
      return true;
    }
    bool ends = false;
    size_t step = splitter->state == PLAIN ? scan_plain(splitter, at, at_end, &ends) : scan_quoted(splitter, at, at_end);
    if (step == 0) return false;
    if (splitter->text.data[at] == '\n') splitter->line++;
    splitter->scanned = at + step;
    if (!ends) continue;
    bool has_content = splitter->has_content;
    if (has_content) fill_piece(splitter, at, false, piece);
    begin_piece(splitter, at + 1);
    if (has_content) return true;
  }
  return false;
}

bool splitter_next(struct splitter *splitter, struct piece *piece) {
  return splitter_scan(splitter, piece, false);
}

static const char *open_name(int state) {
  switch ((enum state)state) {
    case SINGLE:
    case RAW_SINGLE: return "a '...' string";
    case DOUBLE:
    case RAW_DOUBLE: return "a \"...\" string";
    case BACKQUOTE: return "a `...` name";
    case DOLLAR: return "a $...$ string";
    case BLOCK_COMMENT: return "a /* comment";
    case PLAIN:
    case LINE_COMMENT:
    case COMMAND: break;
  }
  return NULL;
}

bool splitter_finish(struct splitter *splitter, struct piece *piece, const char **open) {
  if (open != NULL) *open = NULL;
  if (splitter_scan(splitter, piece, true)) return true;
  if (open != NULL) *open = open_name(splitter->state);
  bool is_command = splitter->state == COMMAND;
  bool has_content = splitter->has_content;
  if (has_content) fill_piece(splitter, splitter->text.size, is_command, piece);
  begin_piece(splitter, splitter->text.size);
  return has_content;
}

bool splitter_is_idle(const struct splitter *splitter) {
  if (splitter->state != PLAIN || splitter->has_content) return false;
  for (size_t i = splitter->start; i < splitter->text.size; i++) {
    if (!is_space(splitter->text.data[i])) return false;
  }
  return true;
}

char splitter_mark(const struct splitter *splitter) {
  switch ((enum state)splitter->state) {
    case SINGLE:
    case RAW_SINGLE: return '\'';
    case DOUBLE:
    case RAW_DOUBLE: return '"';
    case BACKQUOTE: return '`';
    case DOLLAR: return '$';
    case BLOCK_COMMENT: return '*';
    case PLAIN:
    case LINE_COMMENT:
    case COMMAND: break;
  }
  return splitter_is_idle(splitter) ? '=' : '-';
}

void splitter_reset(struct splitter *splitter) {
  text_clear(&splitter->text);
  splitter->line = 1;
  splitter->depth = 0;
  begin_piece(splitter, 0);
}

void splitter_free(struct splitter *splitter) {
  text_free(&splitter->text);
  *splitter = (struct splitter)SPLITTER_INIT;
}
