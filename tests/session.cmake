# The session and its backend, against a Thrift server whose answers the test writes.
set(session_modules base http auth thrift arrow result backend session telemetry api)
dbsql_test(session ${session_modules})
target_sources(test_session PRIVATE thrift_server.c http_server.c)
pkg_check_modules(TEST_TLS REQUIRED IMPORTED_TARGET openssl)
target_link_libraries(test_session PRIVATE PkgConfig::TEST_TLS)
set_tests_properties(session PROPERTIES LABELS threads)

# The whole client on what real servers answered.
dbsql_test(replay ${session_modules})
target_sources(test_replay PRIVATE thrift_server.c)
target_link_libraries(test_replay PRIVATE test_http_server)
set_tests_properties(replay PROPERTIES SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\] every_recorded")
