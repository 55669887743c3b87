# Configuration stands on base alone: its tests take just its own sources out of src/session.
file(GLOB config_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/session/config*.c)

# config_test(name): tests/test_NAME.c with the configuration.
function(config_test name)
  dbsql_test(${name} base)
  target_sources(test_${name} PRIVATE ${config_sources})
endfunction()

config_test(config)
config_test(config_strings)
config_test(config_whole)
config_test(config_auth)

# docs/options.md is made from the tables: `gen_options > docs/options.md`. The test fails where the page differs.
add_executable(gen_options EXCLUDE_FROM_ALL gen_options.c ${config_sources})
set_property(GLOBAL APPEND PROPERTY DBSQL_TESTS gen_options)
target_link_libraries(gen_options PRIVATE dbsql_flags)
dbsql_objects(gen_options base)
add_test(NAME config_options_page COMMAND gen_options --check ${PROJECT_SOURCE_DIR}/docs/options.md)
