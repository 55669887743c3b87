dbsql_test(thrift base thrift)
dbsql_test(thrift_recorded base thrift)
dbsql_test(thrift_hostile base thrift)
