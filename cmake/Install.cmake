# What `cmake --install` puts under the prefix.

include(CMakePackageConfigHelpers)
set(DBSQL_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/dbsql)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/dbsql DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS dbsql LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(NOT DBSQL_SANITIZE AND NOT DBSQL_COVERAGE)
  install(FILES ${DBSQL_ARCHIVE} DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

# The programs, whichever were built: every executable of those folders that is part of `all`.
get_property(folders DIRECTORY ${PROJECT_SOURCE_DIR} PROPERTY SUBDIRECTORIES)
foreach(folder IN ITEMS cli warehouse)
  set(targets)
  if(${PROJECT_SOURCE_DIR}/${folder} IN_LIST folders)
    get_property(known DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} PROPERTY BUILDSYSTEM_TARGETS)
    foreach(target IN LISTS known)
      get_target_property(type ${target} TYPE)
      get_target_property(left_out ${target} EXCLUDE_FROM_ALL)
      if(type STREQUAL "EXECUTABLE" AND NOT left_out)
        list(APPEND targets ${target})
      endif()
    endforeach()
  endif()
  if(targets)
    install(TARGETS ${targets} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

# Paths in dbsql.pc start from where the file lies, so that the installed tree can be moved.
file(RELATIVE_PATH DBSQL_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" DBSQL_PC_PREFIX "${DBSQL_PC_PREFIX}")
configure_file(${PROJECT_SOURCE_DIR}/packaging/dbsql.pc.in ${PROJECT_BINARY_DIR}/dbsql.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/dbsql.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(APPLE)
  set(DBSQL_SONAME "@rpath/libdbsql.${PROJECT_VERSION_MAJOR}.dylib")
else()
  set(DBSQL_SONAME "libdbsql.so.${PROJECT_VERSION_MAJOR}")
endif()
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/packaging/dbsqlConfig.cmake.in ${PROJECT_BINARY_DIR}/dbsqlConfig.cmake INSTALL_DESTINATION ${DBSQL_CMAKE_DIR}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/dbsqlConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/dbsqlConfig.cmake ${PROJECT_BINARY_DIR}/dbsqlConfigVersion.cmake DESTINATION ${DBSQL_CMAKE_DIR})

file(GLOB pages1 CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/packaging/*.1 ${PROJECT_SOURCE_DIR}/cli/*.1 ${PROJECT_SOURCE_DIR}/docs/*.1)
file(GLOB pages3 CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/packaging/*.3)
install(FILES ${pages1} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${pages3} DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
