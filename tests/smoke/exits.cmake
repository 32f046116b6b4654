# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DRESULT=<zero, nonzero or the exit code> -DTEXT=<text> -P exits.cmake -- <command>...
#
# The command must exit as said, and print the text.

set(command "")
set(after no)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  if(after)
    list(APPEND command "${CMAKE_ARGV${i}}")
  elseif(CMAKE_ARGV${i} STREQUAL "--")
    set(after yes)
  endif()
endforeach()

execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
message(STATUS "exit code ${result}; it said:\n${said}")
if(NOT result MATCHES "^[0-9]+$")
  message(FATAL_ERROR "it did not exit: ${result}")
endif()
if((RESULT STREQUAL "zero" AND NOT result EQUAL 0) OR (RESULT STREQUAL "nonzero" AND result EQUAL 0)
   OR (RESULT MATCHES "^[0-9]+$" AND NOT result EQUAL RESULT))
  message(FATAL_ERROR "exit code ${result}, expected ${RESULT}")
endif()
string(FIND "${said}" "${TEXT}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "did not say: ${TEXT}")
endif()
