# Authentication. The identity provider is the test server.
# auth_test(name): tests/test_NAME.c with the auth module and what it stands on; it runs under ThreadSanitizer too.
function(auth_test name)
  dbsql_test(${name} base http auth)
  target_link_libraries(test_${name} PRIVATE test_http_server)
  set_tests_properties(${name} PROPERTIES LABELS threads)
endfunction()

auth_test(auth_token)
auth_test(auth_cached)
auth_test(auth_federation)
auth_test(auth_oauth)
auth_test(auth_user)
auth_test(auth_store)

# Through the public functions, with a whole library.
dbsql_test(auth_connection base http auth thrift arrow result backend session telemetry api)
target_sources(test_auth_connection PRIVATE thrift_server.c)
target_link_libraries(test_auth_connection PRIVATE test_http_server)
set_tests_properties(auth_connection PROPERTIES LABELS threads)

dbsql_test(auth_secrets base http auth thrift arrow result backend session telemetry api)
target_link_libraries(test_auth_secrets PRIVATE test_http_server)

dbsql_test(auth_wiped base http auth thrift arrow result backend session telemetry api)
target_link_libraries(test_auth_wiped PRIVATE test_http_server)

dbsql_test(privileged base http auth thrift arrow result backend session telemetry api)

# What a core dump would show.
if(TARGET dbsql_warehouse)
  dbsql_test(auth_memory base http auth thrift arrow result backend session telemetry api)
  target_sources(test_auth_memory PRIVATE warehouse_process.c)
  target_compile_definitions(test_auth_memory PRIVATE WAREHOUSE="$<TARGET_FILE:dbsql_warehouse>")
  add_dependencies(test_auth_memory dbsql_warehouse)
endif()
