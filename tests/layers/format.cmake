# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DROOT=<source tree> -DFORMAT=<clang-format> -P format.cmake
file(GLOB_RECURSE files "${ROOT}/include/*.hpp" "${ROOT}/tests/*.hpp" "${ROOT}/tests/*.cpp" "${ROOT}/examples/*.hpp"
     "${ROOT}/examples/*.cpp")
execute_process(COMMAND "${FORMAT}" --style=file --dry-run --Werror ${files} RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "clang-format would change these files")
endif()
