# cmake --install puts the program, the shipped models and the C++ library in place, with a package
# for find_package(millrace).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS millrace RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS millrace_library EXPORT millrace-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET millrace_parquet)
  # The module and, where they are a wheel's, the libraries that it needs.
  install(TARGETS millrace_parquet LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/millrace)
  install(FILES ${MILLRACE_ARROW_FILES} DESTINATION ${CMAKE_INSTALL_LIBDIR}/millrace)
endif()
install(DIRECTORY include/millrace DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# What runs the code of models that have some.
install(DIRECTORY python/ DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace/python
        PATTERN __pycache__ EXCLUDE)
install(DIRECTORY models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace/models)
# The unit names the program where it is put, which only the installation knows.
install(CODE "
  set(bindir \"${CMAKE_INSTALL_BINDIR}\")
  cmake_path(ABSOLUTE_PATH bindir BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\")
  configure_file(\"${CMAKE_SOURCE_DIR}/contrib/systemd/millrace.service.in\"
                 \"${CMAKE_BINARY_DIR}/millrace.service\" @ONLY)")
install(FILES ${CMAKE_BINARY_DIR}/millrace.service DESTINATION lib/systemd/system)
install(FILES contrib/systemd/millrace.conf DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace)
install(FILES LICENSE NOTICE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)

set(millrace_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/millrace)
install(EXPORT millrace-targets NAMESPACE millrace:: DESTINATION ${millrace_package_dir}
        FILE millrace-targets.cmake)
configure_package_config_file(cmake/millrace-config.cmake.in
                              ${CMAKE_BINARY_DIR}/millrace-config.cmake
                              INSTALL_DESTINATION ${millrace_package_dir})
# Before 1.0 each minor version may change the interface.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/millrace-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/millrace-config.cmake
              ${CMAKE_BINARY_DIR}/millrace-config-version.cmake
        DESTINATION ${millrace_package_dir})
