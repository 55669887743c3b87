# What dbsql.h promises, against a Thrift server whose answers the test writes.
set(api_modules base http auth thrift arrow result backend session telemetry api)
dbsql_test(api ${api_modules})
target_sources(test_api PRIVATE thrift_server.c http_server.c)
pkg_check_modules(TEST_TLS REQUIRED IMPORTED_TARGET openssl)
target_link_libraries(test_api PRIVATE PkgConfig::TEST_TLS)
set_tests_properties(api PROPERTIES LABELS threads)
