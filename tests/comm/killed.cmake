# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DTEXTS=<texts> -DFILES=<folder> -P killed.cmake -- <command>...
#
# The command ends within ten seconds as one of which a process was killed, says every text, and leaves neither a
# file in the folder, which is made for it, nor one of tpx in /dev/shm.

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

file(REMOVE_RECURSE "${FILES}")
file(MAKE_DIRECTORY "${FILES}")
execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said TIMEOUT 10)
message(STATUS "exit code ${result}; it said:\n${said}")
if(NOT result EQUAL 137)
  message(FATAL_ERROR "exit code ${result}, expected 137")
endif()
foreach(text IN LISTS TEXTS)
  string(FIND "${said}" "${text}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "did not say: ${text}")
  endif()
endforeach()
file(GLOB left "${FILES}/*" /dev/shm/*tpx*)
if(left)
  message(FATAL_ERROR "left behind: ${left}")
endif()
