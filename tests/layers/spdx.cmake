# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DROOT=<source tree> -P spdx.cmake
#
# Each source file names its licence on its first line, or on the second after a #! line.

cmake_minimum_required(VERSION 3.24)

set(files "${ROOT}/CMakeLists.txt" "${ROOT}/.clang-format" "${ROOT}/.ci/run")
foreach(folder IN ITEMS include tests examples cmake)
  file(GLOB_RECURSE found "${ROOT}/${folder}/*.hpp" "${ROOT}/${folder}/*.cpp" "${ROOT}/${folder}/*.h"
       "${ROOT}/${folder}/*.c" "${ROOT}/${folder}/*.cmake" "${ROOT}/${folder}/*.cmake.in" "${ROOT}/${folder}/*.sh"
       "${ROOT}/${folder}/*.py" "${ROOT}/${folder}/CMakeLists.txt")
  list(APPEND files ${found})
endforeach()
list(LENGTH files count)
if(count LESS 10)
  message(FATAL_ERROR "only ${count} files in ${ROOT}: is that the source tree?")
endif()

foreach(file IN LISTS files)
  file(STRINGS "${file}" lines LIMIT_COUNT 2)
  list(GET lines 0 first)
  if(first MATCHES "^#!")
    list(GET lines 1 first)
  endif()
  if(NOT first MATCHES "^(//|#) SPDX-License-Identifier: Apache-2\\.0 WITH LLVM-exception$")
    message(SEND_ERROR "${file} does not begin with its SPDX line")
  endif()
endforeach()
