/* Names and patterns of the commands that look into the catalog: [[catalog.]schema.]name, parts in backquotes where needed. */
#ifndef DBSQL_CLI_NAMES_H
#define DBSQL_CLI_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum { NAME_PARTS = 3 };

struct names {
  char *parts[NAME_PARTS]; /* from the right: [0] is the name itself; NULL where not given */
  bool quoted[NAME_PARTS];
};

/* False if the text has too many parts, an empty one, or an open quote. To be freed in any case. */
bool names_parse(struct names *names, const char *text);
void names_free(struct names *names);
/* A part as a pattern of the metadata calls: `*` and `%` stand for anything, `?` for one character; the rest, also `_`, for itself. A part
 * in backquotes stands for itself altogether. NULL for a part that is not given. Freed by the caller. */
char *names_pattern(const struct names *names, size_t part);
/* The part has `*`, `%` or `?` outside of backquotes. */
bool names_is_wild(const struct names *names, size_t part);

/* The next word of a command line, cut at spaces outside of quotes; '..' and ".." around a word are taken off. NULL at the end. Freed by
 * the caller. */
char *names_next_word(const char **line);

#endif
