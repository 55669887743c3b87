#include "session/sql_words.h"

#include <string.h>

#include "base/text.h"

struct sql_words sql_words_of(struct slice sql) {
  /* An empty slice may have no data. */
  const char *text = sql.size ? (const char *)sql.data : "";
  return (struct sql_words){text, text + sql.size};
}

bool sql_is_word_byte(char c) {
  return text_is_alpha(c) || text_is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool follows(const struct sql_words *in, const char *pair) {
  return in->end - in->at >= 2 && memcmp(in->at, pair, 2) == 0;
}

static bool skip_comment(struct sql_words *in) {
  size_t depth = 0;
  do {
    if (in->at >= in->end) return false;
    if (follows(in, "/*")) {
      depth++;
      in->at += 2;
    } else if (follows(in, "*/")) {
      depth--;
      in->at += 2;
    } else {
      in->at++;
    }
  } while (depth > 0);
  return true;
}

bool sql_skip_blanks(struct sql_words *in) {
  while (in->at < in->end) {
    bool is_hint = in->end - in->at >= 3 && in->at[2] == '+';
    if (text_is_space(*in->at)) {
      in->at++;
    } else if (follows(in, "--")) {
      /* A backslash at its end makes the comment go on in the next line. */
      while (in->at < in->end && *in->at != '\n' && *in->at != '\r') in->at += follows(in, "\\\n") ? 2 : 1;
    } else if (follows(in, "/*") && !is_hint) {
      if (!skip_comment(in)) return false;
    } else {
      return true;
    }
  }
  return true;
}

struct slice sql_next_word(struct sql_words *in) {
  sql_skip_blanks(in);
  const char *start = in->at;
  while (in->at < in->end && sql_is_word_byte(*in->at)) in->at++;
  return slice_of(start, (size_t)(in->at - start));
}

bool sql_word_is(struct slice word, const char *text) {
  return text_equal_nocase_n((const char *)word.data, word.size, text, strlen(text));
}

bool sql_accept_word(struct sql_words *in, const char *text) {
  struct sql_words before = *in;
  if (sql_word_is(sql_next_word(in), text)) return true;
  *in = before;
  return false;
}

bool sql_accept_symbol(struct sql_words *in, char symbol) {
  sql_skip_blanks(in);
  if (in->at >= in->end || *in->at != symbol) return false;
  in->at++;
  return true;
}

bool sql_at_end(struct sql_words *in) {
  while (sql_accept_symbol(in, ';')) {
  }
  return in->at >= in->end;
}
