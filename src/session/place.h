/* Where a session stands, as far as it is known without asking: from the opening of the session and from the statements that it ran. */
#ifndef DBSQL_SESSION_PLACE_H
#define DBSQL_SESSION_PLACE_H

#include "base/buf.h"

struct session_place {
  char *catalog; /* NULL: not known */
  char *schema;
  char *zone; /* as Arrow schemas name it; NULL: not known */
};

/* `catalog` and `schema` may be NULL or "". */
dbsql_status place_open(struct session_place *place, const char *catalog, const char *schema, dbsql_error **error);
void place_free(struct session_place *place);
/* A statement has succeeded. Running out of memory makes a name unknown. `plain`: of a plain Spark, where USE may name a catalog too. */
void place_note(struct session_place *place, struct slice sql, bool plain);
/* The first word of a statement, behind blanks, comments, semicolons and opening brackets. */
struct slice place_first_word(struct slice sql, bool *bracket);

#endif
