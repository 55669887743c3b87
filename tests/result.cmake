dbsql_test(result base http thrift arrow result)
