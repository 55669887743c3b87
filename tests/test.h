/* What every test file includes: cmocka, with its prerequisites in order. */
#ifndef DBSQL_TESTS_TEST_H
#define DBSQL_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#endif
