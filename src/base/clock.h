/* Time. A test can put its own clock in place; then sleeping moves that clock and takes no time. */
#ifndef DBSQL_BASE_CLOCK_H
#define DBSQL_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds of a clock that never goes back. */
int64_t clock_now_ns(void);
/* Microseconds since 1970-01-01 UTC. */
int64_t clock_unix_us(void);

/* For tests. While a test clock is in place both clocks stand still except for clock_test_advance(). */
void clock_test_begin(int64_t now_ns, int64_t unix_us);
void clock_test_advance(int64_t ns);
void clock_test_end(void);
bool clock_is_test(void);

#endif
