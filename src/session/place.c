#include "session/place.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

static void forget(char **slot) {
  mem_free(*slot);
  *slot = NULL;
}

static void set(char **slot, const char *text, size_t length) {
  forget(slot);
  *slot = mem_strndup(text, length);
}

dbsql_status place_open(struct session_place *place, const char *catalog, const char *schema, dbsql_error **error) {
  if (catalog && *catalog && !(place->catalog = mem_strdup(catalog))) return error_no_memory(error);
  if (schema && *schema && !(place->schema = mem_strdup(schema))) return error_no_memory(error);
  return DBSQL_OK;
}

void place_free(struct session_place *place) {
  forget(&place->catalog);
  forget(&place->schema);
  forget(&place->zone);
}

/* ---- the little of SQL that is needed ---- */

struct scan {
  const char *at, *end;
};

static void skip_blanks(struct scan *in) {
  for (;;) {
    while (in->at < in->end && text_is_space(*in->at)) in->at++;
    if (in->end - in->at >= 2 && in->at[0] == '-' && in->at[1] == '-') {
      while (in->at < in->end && *in->at != '\n') in->at++;
    } else if (in->end - in->at >= 2 && in->at[0] == '/' && in->at[1] == '*') {
      int depth = 0; /* comments nest */
      while (in->at < in->end) {
        bool pair = in->end - in->at >= 2;
        if (pair && in->at[0] == '/' && in->at[1] == '*') {
          depth++;
          in->at += 2;
        } else if (pair && in->at[0] == '*' && in->at[1] == '/') {
          in->at += 2;
          if (--depth == 0) break;
        } else {
          in->at++;
        }
      }
    } else {
      return;
    }
  }
}

static bool is_word_byte(char c) {
  return text_is_alpha(c) || text_is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

static struct slice next_word(struct scan *in) {
  skip_blanks(in);
  const char *start = in->at;
  while (in->at < in->end && is_word_byte(*in->at)) in->at++;
  return slice_of(start, (size_t)(in->at - start));
}

static bool is(struct slice word, const char *text) {
  return text_equal_nocase_n((const char *)word.data, word.size, text, strlen(text));
}

static bool accept(struct scan *in, const char *text) {
  struct scan before = *in;
  if (is(next_word(in), text)) return true;
  *in = before;
  return false;
}

/* A word or a name in back-ticks. NULL: there is none, or there is no memory. */
static char *take_name(struct scan *in) {
  skip_blanks(in);
  if (in->at >= in->end || *in->at != '`') {
    struct slice word = next_word(in);
    return word.size ? mem_strndup((const char *)word.data, word.size) : NULL;
  }
  struct buf name = BUF_INIT;
  for (in->at++; in->at < in->end; in->at++) {
    if (*in->at == '`' && (in->at + 1 == in->end || in->at[1] != '`')) break;
    if (*in->at == '`') in->at++;
    buf_append_byte(&name, (uint8_t)*in->at);
  }
  bool closed = in->at < in->end;
  if (closed) in->at++;
  if (closed) return buf_take_text(&name);
  buf_free(&name);
  return NULL;
}

static bool at_end(struct scan *in) {
  skip_blanks(in);
  while (in->at < in->end && *in->at == ';') {
    in->at++;
    skip_blanks(in);
  }
  return in->at == in->end;
}

struct slice place_first_word(struct slice sql, bool *bracket) {
  struct scan in = {(const char *)sql.data, (const char *)sql.data + sql.size};
  *bracket = false;
  for (;;) {
    skip_blanks(&in);
    if (in.at >= in.end || (*in.at != ';' && *in.at != '(')) break;
    if (*in.at == '(') *bracket = true;
    in.at++;
  }
  return next_word(&in);
}

/* ---- statements ---- */

static void note_use(struct session_place *place, struct scan *in, bool plain) {
  bool of_catalog = accept(in, "CATALOG");
  bool of_schema = !of_catalog && (accept(in, "SCHEMA") || accept(in, "DATABASE") || accept(in, "NAMESPACE"));
  char *first = take_name(in), *second = NULL;
  skip_blanks(in);
  if (in->at < in->end && *in->at == '.') {
    in->at++;
    second = take_name(in);
  }
  bool good = first && at_end(in);
  if (good && of_catalog && !second) {
    set(&place->catalog, first, strlen(first));
    set(&place->schema, "default", 7);
  } else if (good && second && !of_catalog) {
    set(&place->catalog, first, strlen(first));
    set(&place->schema, second, strlen(second));
  } else if (good && !second && !of_catalog && (of_schema || !plain)) {
    set(&place->schema, first, strlen(first));
  } else { /* IDENTIFIER(...), or a name that may be a catalog's or a schema's */
    forget(&place->catalog);
    forget(&place->schema);
  }
  mem_free(first);
  mem_free(second);
}

static void note_set(struct session_place *place, struct scan *in) {
  if (accept(in, "CATALOG")) {
    char *name = take_name(in);
    if (name && at_end(in)) {
      set(&place->catalog, name, strlen(name));
      set(&place->schema, "default", 7);
    } else {
      forget(&place->catalog);
      forget(&place->schema);
    }
    mem_free(name);
    return;
  }
  if (accept(in, "AUTOCOMMIT")) return;
  forget(&place->zone); /* it may have been this setting, under one of its names */
}

void place_note(struct session_place *place, struct slice sql, bool plain) {
  struct scan in = {(const char *)sql.data, (const char *)sql.data + sql.size};
  skip_blanks(&in);
  while (in.at < in.end && *in.at == ';') {
    in.at++;
    skip_blanks(&in);
  }
  struct slice word = next_word(&in);
  if (is(word, "USE")) {
    note_use(place, &in, plain);
  } else if (is(word, "SET")) {
    note_set(place, &in);
  } else if (is(word, "RESET")) {
    forget(&place->zone);
  } else if (is(word, "BEGIN") && (accept(&in, "TRANSACTION") || accept(&in, "WORK"))) {
    return;
  } else if (is(word, "BEGIN") || is(word, "EXECUTE") || is(word, "DECLARE") || is(word, "CALL")) {
    place_free(place); /* what such a text did nobody tells */
  }
}
