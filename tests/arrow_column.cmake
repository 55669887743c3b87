dbsql_test(builder base arrow)
