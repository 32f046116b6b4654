# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(destination "${CMAKE_INSTALL_LIBDIR}/cmake/tpx")
install(TARGETS tpx tpx_io tpx_cblas tpx_onednn EXPORT tpxTargets FILE_SET HEADERS)
install(EXPORT tpxTargets NAMESPACE tpx:: DESTINATION "${destination}")
configure_package_config_file(cmake/tpxConfig.cmake.in "${PROJECT_BINARY_DIR}/tpxConfig.cmake"
                              INSTALL_DESTINATION "${destination}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/tpxConfigVersion.cmake" COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/tpxConfig.cmake" "${PROJECT_BINARY_DIR}/tpxConfigVersion.cmake"
              cmake/FindCBLAS.cmake cmake/FindPCRE2.cmake DESTINATION "${destination}")
