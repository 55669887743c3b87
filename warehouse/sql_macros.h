/* Functions that Databricks has and the engine lacks, as statements that make them in the hidden catalog. NULL ends the list. */
#ifndef DBSQL_WAREHOUSE_SQL_MACROS_H
#define DBSQL_WAREHOUSE_SQL_MACROS_H

extern const char *const sql_macros[];

#endif
