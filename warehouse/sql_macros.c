#include "sql_macros.h"

#include <stddef.h>

#define MACRO "CREATE MACRO memory.main."

const char *const sql_macros[] = {
    MACRO "current_catalog() AS CASE current_database() WHEN 'dbsql_main' THEN 'main' ELSE current_database() END",
    /* The engine's operators divide by zero silently; Databricks' do not. */
    MACRO "\"/\"(a, b) AS CASE WHEN b = 0 THEN error('Division by zero') ELSE system.main.\"/\"(a, b) END",
    MACRO "\"%\"(a, b) AS CASE WHEN b = 0 THEN error('Division by zero') ELSE system.main.\"%\"(a, b) END",
    MACRO "\"//\"(a, b) AS CASE WHEN b = 0 THEN error('Division by zero') ELSE system.main.\"//\"(a, b) END",
    MACRO "nvl(a, b) AS coalesce(a, b)",
    MACRO "nvl2(a, b, c) AS CASE WHEN a IS NOT NULL THEN b ELSE c END",
    MACRO "try_divide(a, b) AS CASE WHEN b = 0 THEN NULL ELSE system.main.\"/\"(a, b) END",
    MACRO "raise_error(a) AS error(a)",
    MACRO "isnull(a) AS a IS NULL",
    MACRO "isnotnull(a) AS a IS NOT NULL",
    MACRO "collect_list(a) AS list(a) FILTER (WHERE a IS NOT NULL)",
    MACRO "size(a) AS len(a)",
    NULL,
};
