dbsql_test(base base)
