# The storage of the local warehouse: files, links and faults, without an engine behind them.
if(TARGET dbsql_warehouse_parts)
  pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
  dbsql_test(warehouse_storage base thrift arrow)
  target_sources(test_warehouse_storage PRIVATE $<TARGET_OBJECTS:dbsql_warehouse_parts>)
  target_include_directories(test_warehouse_storage PRIVATE ${PROJECT_SOURCE_DIR}/warehouse)
  target_link_libraries(test_warehouse_storage PRIVATE PkgConfig::MICROHTTPD ${CMAKE_DL_LIBS})
endif()
