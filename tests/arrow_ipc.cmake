dbsql_test(flatbuf base arrow)
dbsql_test(lz4 base arrow)
dbsql_test(ipc base arrow)
dbsql_test(ipc_hostile base arrow)
# The public functions alone, without the rest of the library.
dbsql_test(ipc_api base arrow)
target_sources(test_ipc_api PRIVATE ${PROJECT_SOURCE_DIR}/src/api/ipc.c)
dbsql_test(ipc_recorded base arrow thrift)
target_sources(test_ipc_recorded PRIVATE ${PROJECT_SOURCE_DIR}/src/api/ipc.c)
