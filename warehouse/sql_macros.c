#include "sql_macros.h"

#include <stddef.h>

#define MACRO "CREATE MACRO memory.main."

const char *const sql_macros[] = {
    MACRO "current_catalog() AS CASE current_database() WHEN 'dbsql_main' THEN 'main' ELSE current_database() END",
    NULL,
};
