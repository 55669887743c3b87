#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* Reads one part; `*at` is left behind it. */
static bool parse_part(const char **at, char **part, bool *quoted) {
  struct text text = TEXT_INIT;
  const char *c = *at;
  bool good = true;
  *quoted = *c == '`';
  text_append_text(&text, "");
  if (*quoted) {
    for (c++;; c++) {
      if (*c == '`' && c[1] == '`') {
        c++;
      } else if (*c == '`' || *c == '\0') {
        break;
      }
      text_append(&text, c, 1);
    }
    good = *c == '`';
    if (good) c++;
    good = good && (*c == '.' || *c == '\0');
  } else {
    size_t length = strcspn(c, ".`");
    text_append(&text, c, length);
    c += length;
    good = *c != '`';
  }
  *at = c;
  if (good && text.size > 0) {
    *part = text.data;
    return true;
  }
  text_free(&text);
  return false;
}

bool names_parse(struct names *names, const char *text) {
  memset(names, 0, sizeof *names);
  for (size_t count = 0; count < NAME_PARTS; count++) {
    for (size_t i = NAME_PARTS - 1; i > 0; i--) { /* what was read moves to the left */
      names->parts[i] = names->parts[i - 1];
      names->quoted[i] = names->quoted[i - 1];
    }
    names->parts[0] = NULL;
    if (!parse_part(&text, &names->parts[0], &names->quoted[0])) return false;
    if (*text == '\0') return true;
    text++; /* the dot */
  }
  return false;
}

void names_free(struct names *names) {
  for (size_t i = 0; i < NAME_PARTS; i++) free(names->parts[i]);
  memset(names, 0, sizeof *names);
}

char *names_pattern(const struct names *names, size_t part) {
  if (names->parts[part] == NULL) return NULL;
  struct text pattern = TEXT_INIT;
  text_append_text(&pattern, "");
  for (const char *c = names->parts[part]; *c != '\0'; c++) {
    if (!names->quoted[part] && (*c == '*' || *c == '%')) {
      text_append_text(&pattern, "%");
    } else if (!names->quoted[part] && *c == '?') {
      text_append_text(&pattern, "_");
    } else {
      if (*c == '_' || *c == '%' || *c == '\\') text_append_text(&pattern, "\\");
      text_append(&pattern, c, 1);
    }
  }
  return pattern.data;
}

bool names_is_wild(const struct names *names, size_t part) {
  return names->parts[part] != NULL && !names->quoted[part] && strpbrk(names->parts[part], "*%?") != NULL;
}

char *names_next_word(const char **line) {
  const char *c = *line + strspn(*line, " \t\r\n");
  if (*c == '\0') {
    *line = c;
    return NULL;
  }
  struct text word = TEXT_INIT;
  text_append_text(&word, "");
  char quote = '\0';
  for (; *c != '\0' && (quote != '\0' || strchr(" \t\r\n", *c) == NULL); c++) {
    if (quote == '\0' && (*c == '\'' || *c == '"' || *c == '`')) {
      quote = *c;
      if (quote == '`') text_append(&word, c, 1); /* belongs to the name */
    } else if (*c == quote) {
      quote = '\0';
      if (*c == '`') text_append(&word, c, 1);
    } else {
      text_append(&word, c, 1);
    }
  }
  *line = c;
  return word.data;
}
