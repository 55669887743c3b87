dbsql_test(builder base arrow)
dbsql_test(column_number base arrow)
dbsql_test(column_time base arrow)
dbsql_test(column base arrow)
