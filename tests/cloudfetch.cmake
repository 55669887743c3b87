# CloudFetch: the memory budget, the downloads, and the pipeline on top of them against a storage and a server of the test's own.
dbsql_test(budget base)
set_tests_properties(budget PROPERTIES LABELS threads)
dbsql_test(transfer base http)
target_sources(test_transfer PRIVATE http_server.c certificates.c)
pkg_check_modules(CLOUDFETCH_TLS REQUIRED IMPORTED_TARGET openssl)
target_link_libraries(test_transfer PRIVATE PkgConfig::CLOUDFETCH_TLS)
set_tests_properties(transfer PROPERTIES LABELS threads)
