# Telemetry, part by part and then as a whole; the lines that each test stands for are listed in docs/telemetry.md.
foreach(name telemetry_parts telemetry_breaker telemetry_flags)
  dbsql_test(${name} base http telemetry)
endforeach()
foreach(name telemetry_export)
  dbsql_test(${name} base http telemetry)
  target_sources(test_${name} PRIVATE telemetry_endpoint.c)
  target_link_libraries(test_${name} PRIVATE test_http_server)
endforeach()
