#include "sql_macros.h"

#include <stddef.h>

#define MACRO "CREATE MACRO memory.main."
#define KEYS_VIEW "CREATE VIEW memory.keys."
#define KEYS_CATALOG "CASE database_name WHEN 'dbsql_main' THEN 'main' ELSE database_name END"

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
    /* What information_schema of a catalog says of keys (sql_translate.c puts the catalog's name in). */
    "CREATE SCHEMA memory.keys",
    KEYS_VIEW "table_constraints AS SELECT DISTINCT " KEYS_CATALOG
              " AS constraint_catalog, schema_name AS constraint_schema, constraint_name, " KEYS_CATALOG
              " AS table_catalog, schema_name AS table_schema, table_name, constraint_type FROM duckdb_constraints() WHERE "
              "constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')",
    KEYS_VIEW "key_column_usage AS WITH k AS (SELECT " KEYS_CATALOG
              " AS catalog, schema_name, table_name, constraint_name, constraint_type, "
              "referenced_table, unnest(constraint_column_names) AS name, CASE constraint_type WHEN 'FOREIGN KEY' THEN "
              "unnest(referenced_column_names) END AS referenced, CAST(unnest(range(1, len(constraint_column_names) + 1)) AS INTEGER) AS "
              "place FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')) SELECT k.catalog AS "
              "constraint_catalog, k.schema_name AS constraint_schema, k.constraint_name, k.catalog AS table_catalog, k.schema_name AS "
              "table_schema, k.table_name, k.name AS column_name, k.place AS ordinal_position, p.place AS position_in_unique_constraint "
              "FROM k LEFT JOIN k p ON p.constraint_type = 'PRIMARY KEY' AND k.constraint_type = 'FOREIGN KEY' AND p.catalog = k.catalog "
              "AND p.schema_name = k.schema_name AND p.table_name = k.referenced_table AND p.name = k.referenced",
    KEYS_VIEW
    "referential_constraints AS SELECT CASE f.database_name WHEN 'dbsql_main' THEN 'main' ELSE f.database_name END AS "
    "constraint_catalog, f.schema_name AS constraint_schema, f.constraint_name, constraint_catalog AS "
    "unique_constraint_catalog, p.schema_name AS unique_constraint_schema, p.constraint_name AS "
    "unique_constraint_name, 'FULL' AS match_option, 'NO ACTION' AS update_rule, 'NO ACTION' AS delete_rule FROM "
    "duckdb_constraints() f JOIN duckdb_constraints() p ON p.constraint_type = 'PRIMARY KEY' AND p.database_name = f.database_name "
    "AND p.schema_name = f.schema_name AND p.table_name = f.referenced_table WHERE f.constraint_type = 'FOREIGN KEY'",
    NULL,
};
