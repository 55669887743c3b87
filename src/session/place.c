#include "session/place.h"

#include "base/error.h"
#include "base/mem.h"
#include "session/sql_words.h"

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

/* A word or a name in back-ticks. NULL: there is none, or there is no memory. */
static char *take_name(struct sql_words *in) {
  sql_skip_blanks(in);
  if (in->at >= in->end || *in->at != '`') {
    struct slice word = sql_next_word(in);
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

struct slice place_first_word(struct slice sql, bool *bracket) {
  struct sql_words in = sql_words_of(sql);
  *bracket = false;
  for (;;) {
    sql_skip_blanks(&in);
    if (in.at >= in.end || (*in.at != ';' && *in.at != '(')) break;
    if (*in.at == '(') *bracket = true;
    in.at++;
  }
  return sql_next_word(&in);
}

/* ---- statements ---- */

static void note_use(struct session_place *place, struct sql_words *in, bool plain) {
  bool of_catalog = sql_accept_word(in, "CATALOG");
  bool of_schema = !of_catalog && (sql_accept_word(in, "SCHEMA") || sql_accept_word(in, "DATABASE") || sql_accept_word(in, "NAMESPACE"));
  char *first = take_name(in), *second = NULL;
  if (sql_accept_symbol(in, '.')) second = take_name(in);
  bool good = first && sql_at_end(in);
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

static void note_set(struct session_place *place, struct sql_words *in) {
  if (sql_accept_word(in, "CATALOG")) {
    char *name = take_name(in);
    if (name && sql_at_end(in)) {
      set(&place->catalog, name, strlen(name));
      set(&place->schema, "default", 7);
    } else {
      forget(&place->catalog);
      forget(&place->schema);
    }
    mem_free(name);
    return;
  }
  if (sql_accept_word(in, "AUTOCOMMIT")) return;
  forget(&place->zone); /* it may have been this setting, under one of its names */
}

void place_note(struct session_place *place, struct slice sql, bool plain) {
  struct sql_words in = sql_words_of(sql);
  sql_at_end(&in);
  struct slice word = sql_next_word(&in);
  if (sql_word_is(word, "USE")) {
    note_use(place, &in, plain);
  } else if (sql_word_is(word, "SET")) {
    note_set(place, &in);
  } else if (sql_word_is(word, "RESET")) {
    forget(&place->zone);
  } else if (sql_word_is(word, "BEGIN") && (sql_accept_word(&in, "TRANSACTION") || sql_accept_word(&in, "WORK"))) {
    return;
  } else if (sql_word_is(word, "BEGIN") || sql_word_is(word, "EXECUTE") || sql_word_is(word, "DECLARE") || sql_word_is(word, "CALL")) {
    place_free(place); /* what such a text did nobody tells */
  }
}
