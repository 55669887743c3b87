/* Fields as forms and queries carry them (application/x-www-form-urlencoded). */
#ifndef DBSQL_WAREHOUSE_FORM_H
#define DBSQL_WAREHOUSE_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { form_limit = 40 };

struct form {
  struct form_field {
    char *name;
    char *value;
  } fields[form_limit];
  size_t count;
};

void form_free(struct form *form);
/* Copies. False: too many fields, or a zero byte in one. */
bool form_add(struct form *form, struct slice name, struct slice value);
/* Reads "a=b&c=d". False: too many fields, a bad escape, or a zero byte. */
bool form_read(struct form *form, struct slice text);
/* The value of a field; NULL if it is missing. */
const char *form_get(const struct form *form, const char *name);
/* A name that stands there twice (RFC 6749 3.1 forbids it), or NULL. */
const char *form_duplicate(const struct form *form);

/* Undoes "%41" and "+". NULL at a bad escape or a zero byte. The caller's. */
char *form_decode(struct slice text);
/* Appends `text` escaped for a query. */
void form_encode(struct buf *out, const char *text);
/* Appends `text` escaped for HTML. */
void form_escape_html(struct buf *out, const char *text);

#endif
