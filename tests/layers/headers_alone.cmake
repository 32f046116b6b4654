# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DSYNTAX=<how to call the compiler> -DINCLUDE=<folder that holds tpx/> -DPRECOMPILED=<header>
#       -DSCRATCH=<folder> -DHEADERS=<header>,... -P headers_alone.cmake
#
# Compiles each header alone and included twice, with the warnings of the project as errors, but for -Wpedantic, which
# GCC takes no precompiled header with that was made without. PRECOMPILED includes Kokkos: before a header that includes
# it, too, it changes nothing but the time.

cmake_minimum_required(VERSION 3.24)
include("${SYNTAX}")

# Whether a header of tpx includes Kokkos, by itself or by others.
function(includes_kokkos header result)
  set(left "${header}")
  set(seen "")
  while(left)
    list(POP_FRONT left next)
    if(next IN_LIST seen)
      continue()
    endif()
    list(APPEND seen "${next}")
    if(next MATCHES "^tpx/")
      file(STRINGS "${INCLUDE}/${next}" lines REGEX "^#include <[^>]+>")
      list(TRANSFORM lines REPLACE "^#include <([^>]+)>.*" "\\1")
      list(APPEND left ${lines})
    endif()
  endwhile()
  if("Kokkos_Core.hpp" IN_LIST seen)
    set(${result} TRUE PARENT_SCOPE)
  else()
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

string(REPLACE "," ";" headers "${HEADERS}")
foreach(header IN LISTS headers)
  string(MAKE_C_IDENTIFIER "${header}" unit)
  set(unit "${SCRATCH}/${unit}.cpp")
  file(WRITE "${unit}" "#include <${header}>\n#include <${header}>\n")
  includes_kokkos("${header}" found)
  set(before "")
  if(found)
    set(before -include "${PRECOMPILED}")
  endif()
  execute_process(COMMAND ${TPX_SYNTAX} -Wall -Wextra -Wshadow -Wconversion -Werror ${before} "${unit}"
                  RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT result EQUAL 0)
    message("${said}")
    message(SEND_ERROR "${header} does not compile alone")
  endif()
endforeach()
