# CloudFetch: the memory budget, the downloads, and the pipeline on top of them against a storage and a server of the test's own.
dbsql_test(budget base)
set_tests_properties(budget PROPERTIES LABELS threads)
