# libdbsql as a shared library and as a static archive. Both show nothing but dbsql_*.

add_library(dbsql SHARED)
set_target_properties(dbsql PROPERTIES LINKER_LANGUAGE C VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
                                       LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
dbsql_objects(dbsql ${DBSQL_ALL_MODULES})
target_link_libraries(dbsql PRIVATE dbsql_flags ${DBSQL_LIBRARIES})
target_include_directories(dbsql INTERFACE ${PROJECT_SOURCE_DIR}/include)

# Everything is compiled hidden; the version script also keeps in what a linked archive or the compiler's own support code brings.
check_linker_flag(C "-Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/dbsql.map" DBSQL_HAVE_VERSION_SCRIPT)
if(DBSQL_HAVE_VERSION_SCRIPT)
  target_link_options(dbsql PRIVATE "-Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/dbsql.map")
  set_property(TARGET dbsql APPEND PROPERTY LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/dbsql.map)
endif()
check_linker_flag(C "-Wl,--gc-sections" DBSQL_HAVE_GC_SECTIONS)
if(DBSQL_HAVE_GC_SECTIONS)
  target_link_options(dbsql PRIVATE -Wl,--gc-sections)
endif()
# It stays mapped once a host has opened it: threads of ours may be running when it is closed, and a fork handler cannot be taken back.
check_linker_flag(C "-Wl,-z,nodelete" DBSQL_HAVE_Z_NODELETE)
if(DBSQL_HAVE_Z_NODELETE)
  target_link_options(dbsql PRIVATE -Wl,-z,nodelete)
endif()
# A sanitizer's runtime is in the program and not in the library, so its symbols are open there.
check_linker_flag(C "-Wl,-z,defs" DBSQL_HAVE_Z_DEFS)
if(DBSQL_HAVE_Z_DEFS AND NOT DBSQL_SANITIZE)
  target_link_options(dbsql PRIVATE -Wl,-z,defs -Wl,-z,relro -Wl,-z,now)
endif()

# The archive holds one relocatable object, in which all hidden symbols are local: a host's own `buf_free` does not meet ours.
# Linkers of macOS make hidden symbols local by themselves under -r.
set(DBSQL_ARCHIVE ${PROJECT_BINARY_DIR}/libdbsql.a)
get_property(modules GLOBAL PROPERTY DBSQL_MODULES)
set(objects)
foreach(name IN LISTS DBSQL_ALL_MODULES)
  if(name IN_LIST modules)
    list(APPEND objects $<TARGET_OBJECTS:dbsql_${name}>)
  endif()
endforeach()
set(whole ${PROJECT_BINARY_DIR}/libdbsql.o)
set(localise)
if(NOT APPLE)
  set(localise COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${whole})
endif()
add_custom_command(
  OUTPUT ${DBSQL_ARCHIVE}
  COMMAND ${CMAKE_LINKER} -r -o ${whole} ${objects}
  ${localise}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${DBSQL_ARCHIVE}
  COMMAND ${CMAKE_AR} rcs ${DBSQL_ARCHIVE} ${whole}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${whole}
  DEPENDS ${objects}
  COMMAND_EXPAND_LISTS
  VERBATIM
  COMMENT "Making libdbsql.a of one object")
# An archive with a sanitizer in it is of no use to anybody.
if(DBSQL_SANITIZE OR DBSQL_COVERAGE)
  add_custom_target(dbsql_archive DEPENDS ${DBSQL_ARCHIVE})
else()
  add_custom_target(dbsql_archive ALL DEPENDS ${DBSQL_ARCHIVE})
endif()
