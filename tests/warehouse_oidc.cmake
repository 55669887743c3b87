# The warehouse's side of authentication. Its JWTs are also checked on the examples of RFC 7515.
if(TARGET dbsql_warehouse)
  set(folder ${PROJECT_SOURCE_DIR}/warehouse)
  foreach(name warehouse_jwt warehouse_oidc warehouse_oidc_code warehouse_oidc_bad)
    dbsql_test(${name} base http auth thrift arrow result backend session telemetry api)
    target_sources(test_${name} PRIVATE oidc_client.c warehouse_process.c ${folder}/form.c ${folder}/jwks.c ${folder}/jwt.c
                                        ${folder}/memory.c ${folder}/tls.c)
    target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_definitions(test_${name} PRIVATE WAREHOUSE="$<TARGET_FILE:dbsql_warehouse>")
    add_dependencies(test_${name} dbsql_warehouse)
  endforeach()
endif()
