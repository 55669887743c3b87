# Metadata: the calls as they are promised, on every way to them; the texts of types.
dbsql_test(type_text base http auth thrift arrow result)
dbsql_test(metadata_rows base http auth thrift arrow result backend session telemetry)
if(TARGET dbsql_warehouse)
  dbsql_test(metadata base http auth thrift arrow result backend session telemetry api)
  target_sources(test_metadata PRIVATE warehouse_process.c)
  target_compile_definitions(test_metadata PRIVATE WAREHOUSE="$<TARGET_FILE:dbsql_warehouse>" METADATA_DOCS="${PROJECT_SOURCE_DIR}/docs/metadata.md")
  add_dependencies(test_metadata dbsql_warehouse)
endif()
