# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DSYNTAX=<how to call the compiler> -DSCRATCH=<folder> -DHEADERS=<header>,... -P headers_alone.cmake
#
# Compiles each header alone and included twice, with the warnings of the project as errors.

include("${SYNTAX}")
string(REPLACE "," ";" headers "${HEADERS}")
foreach(header IN LISTS headers)
  string(MAKE_C_IDENTIFIER "${header}" unit)
  set(unit "${SCRATCH}/${unit}.cpp")
  file(WRITE "${unit}" "#include <${header}>\n#include <${header}>\n")
  execute_process(COMMAND ${TPX_SYNTAX} -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror "${unit}"
                  RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT result EQUAL 0)
    message("${said}")
    message(SEND_ERROR "${header} does not compile alone")
  endif()
endforeach()
