dbsql_test(result base thrift arrow result)
