# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# PCRE2::8BIT, for UTF-8. Distributions package PCRE2 without the files that CMake would find it by.

include(FindPackageHandleStandardArgs)
find_path(PCRE2_INCLUDE_DIR pcre2.h)
find_library(PCRE2_LIBRARY pcre2-8)
mark_as_advanced(PCRE2_INCLUDE_DIR PCRE2_LIBRARY)

find_package_handle_standard_args(PCRE2 REQUIRED_VARS PCRE2_LIBRARY PCRE2_INCLUDE_DIR)
if(PCRE2_FOUND AND NOT TARGET PCRE2::8BIT)
  add_library(PCRE2::8BIT INTERFACE IMPORTED)
  target_include_directories(PCRE2::8BIT INTERFACE "${PCRE2_INCLUDE_DIR}")
  target_link_libraries(PCRE2::8BIT INTERFACE "${PCRE2_LIBRARY}")
endif()
