# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DRESULT=<exit code> -DTEXTS=<texts> -DUNSAID=<text> -P ends.cmake -- <command>...
#
# The command ends within ten seconds with the exit code, says every text, and does not say the other.

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

execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said TIMEOUT 10)
message(STATUS "exit code ${result}; it said:\n${said}")
if(NOT result STREQUAL RESULT)
  message(FATAL_ERROR "exit code ${result}, expected ${RESULT}")
endif()
foreach(text IN LISTS TEXTS)
  string(FIND "${said}" "${text}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "did not say: ${text}")
  endif()
endforeach()
if(NOT UNSAID STREQUAL "")
  string(FIND "${said}" "${UNSAID}" at)
  if(NOT at EQUAL -1)
    message(FATAL_ERROR "said: ${UNSAID}")
  endif()
endif()
