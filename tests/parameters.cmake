# Parameters: markers, what is sent, and what comes back.
set(parameter_modules base http auth thrift arrow result backend session telemetry api)
dbsql_test(markers base http auth thrift arrow result backend telemetry session api)
if(TARGET dbsql_warehouse)
  dbsql_test(e2e_parameters ${parameter_modules})
  target_sources(test_e2e_parameters PRIVATE warehouse_process.c)
  target_compile_definitions(test_e2e_parameters PRIVATE WAREHOUSE="$<TARGET_FILE:dbsql_warehouse>")
  add_dependencies(test_e2e_parameters dbsql_warehouse)
endif()
