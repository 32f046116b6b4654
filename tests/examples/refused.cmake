# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DRESULT=<exit code> -DTEXT=<text> -DTIMES=<n> -P refused.cmake -- <command>...
#
# The command must exit by itself with the code and print the text exactly n times: once for each rank, or once
# for all. Nobody is stopped from outside, by a signal or by an abort of the job.

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
if(NOT result STREQUAL RESULT)
  message(FATAL_ERROR "exit code ${result}, expected ${RESULT}")
endif()
string(LENGTH "${said}" with)
string(REPLACE "${TEXT}" "" without "${said}")
string(LENGTH "${without}" left)
string(LENGTH "${TEXT}" each)
math(EXPR times "(${with} - ${left}) / ${each}")
if(NOT times EQUAL TIMES)
  message(FATAL_ERROR "said ${times} times, expected ${TIMES}: ${TEXT}")
endif()
foreach(word IN ITEMS "MPI_ABORT" "MPI_Abort" "on signal" "terminate called")
  string(FIND "${said}" "${word}" at)
  if(NOT at EQUAL -1)
    message(FATAL_ERROR "it did not end in order: ${word}")
  endif()
endforeach()
