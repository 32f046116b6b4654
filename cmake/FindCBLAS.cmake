# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# CBLAS::CBLAS, the C interface of the BLAS that find_package(BLAS) finds; some BLAS keep it in a library of its own.

include(FindPackageHandleStandardArgs)
find_package(BLAS QUIET)
find_path(CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas cblas)

if(BLAS_FOUND AND CBLAS_INCLUDE_DIR)
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_INCLUDES ${CBLAS_INCLUDE_DIR})
  set(CMAKE_REQUIRED_LIBRARIES BLAS::BLAS)
  set(CMAKE_REQUIRED_QUIET ON)
  check_cxx_source_compiles("#include <cblas.h>\nint main() { return static_cast<int>(cblas_dasum(0, nullptr, 1)); }"
                            CBLAS_IN_BLAS)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
  unset(CMAKE_REQUIRED_QUIET)
  if(CBLAS_IN_BLAS)
    set(CBLAS_LINK BLAS::BLAS)
  else()
    find_library(CBLAS_LIBRARY cblas)
    if(CBLAS_LIBRARY)
      set(CBLAS_LINK "${CBLAS_LIBRARY}" BLAS::BLAS)
    endif()
  endif()
endif()

find_package_handle_standard_args(CBLAS REQUIRED_VARS CBLAS_INCLUDE_DIR CBLAS_LINK)
if(CBLAS_FOUND AND NOT TARGET CBLAS::CBLAS)
  add_library(CBLAS::CBLAS INTERFACE IMPORTED)
  target_include_directories(CBLAS::CBLAS INTERFACE "${CBLAS_INCLUDE_DIR}")
  target_link_libraries(CBLAS::CBLAS INTERFACE ${CBLAS_LINK})
endif()
