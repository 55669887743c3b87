/* A local warehouse for tests: a process of its own on a port of its own. */
#ifndef DBSQL_TESTS_WAREHOUSE_PROCESS_H
#define DBSQL_TESTS_WAREHOUSE_PROCESS_H

#include <dbsql/dbsql.h>
#include <stdbool.h>

struct warehouse_process;
/* `arguments` end with NULL, or NULL for none; `--port 0 --exit-with-parent --control` are always given. The test ends if it does not
 * become ready. */
struct warehouse_process *warehouse_start(const char *const *arguments);
/* Its connection string, token and all; lives as long as the process. */
const char *warehouse_dsn(const struct warehouse_process *warehouse);
int warehouse_port(const struct warehouse_process *warehouse);
/* Arms a fault: the JSON that docs/warehouse.md describes. */
void warehouse_fault(struct warehouse_process *warehouse, const char *json);
/* What GET of such a path (`/control/stats`) answers; the caller's. */
char *warehouse_get(struct warehouse_process *warehouse, const char *path);
void warehouse_clear_faults(struct warehouse_process *warehouse);
/* Asks it to stop, and returns its exit code (-1: it was killed). Frees. */
int warehouse_stop(struct warehouse_process *warehouse);

/* A configuration for it, with short waits between retries. */
dbsql_config *warehouse_config(const struct warehouse_process *warehouse);
/* Connects; the test fails if that does. `config` is freed. */
dbsql_connection *warehouse_connect(dbsql_config *config);

/* False, once said why, where there is no engine: tests are then skipped. */
bool warehouse_is_there(void);

#endif
