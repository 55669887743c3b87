/* JSON from the other side: bounded in size and depth before a parser sees it. */
#ifndef DBSQL_AUTH_JSON_H
#define DBSQL_AUTH_JSON_H

#include <jansson.h>

#include "base/buf.h"

/* An object, or NULL: too long, nested too deeply, no JSON, or no object. For json_decref(). */
json_t *json_read(struct slice text, size_t longest);
/* A member that is a text without zero bytes, or NULL. */
const char *json_text(const json_t *object, const char *name);
/* A member that is a number, or a text that is one (Azure writes "3599"). False if it is missing or something else. */
bool json_number(const json_t *object, const char *name, double *value);
/* Overwrites the texts of an object's members before dropping it. */
void json_drop_secret(json_t *object);

#endif
