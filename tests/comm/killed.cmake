# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DBY=<communicator> -DCALL=<call> -DSAID=<regular expression> -DFILES=<folder> -P killed.cmake -- <command>...
#
# The command, of three ranks, is run twice, each time with another rank to be killed. It ends within ten seconds as one
# of which a process was killed, each other rank says in what it was, and it leaves neither a file in the folder, which
# is made for it, nor one of tpx in /dev/shm.

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

# How a rank that waits for MPI, or for one that shares memory with it, says in what it was.
function(expect_survivor rank victim by said)
  if(by STREQUAL "mpi")
    set(text "tpx: told to end, rank ${rank} of [0-9] was in ${SAID} over tp\n")
  else()
    string(CONCAT text "tpx::comm::SharedMemory: ${SAID} over tp was given up on rank ${rank} of [0-9]: "
                  "rank ${victim} is dead: its process [0-9]+ has ended")
  endif()
  if(NOT said MATCHES "${text}")
    message(FATAL_ERROR "did not say: ${text}")
  endif()
endfunction()

string(RANDOM LENGTH 1 ALPHABET 012 victim)
foreach(attempt RANGE 1)
  if(BY STREQUAL "nodes")
    set(victim ${attempt})  # one of the two that share memory
  endif()
  file(REMOVE_RECURSE "${FILES}")
  file(MAKE_DIRECTORY "${FILES}")
  execute_process(
    COMMAND ${command} ${BY} ${CALL} ${victim}
    RESULT_VARIABLE result
    OUTPUT_VARIABLE said
    ERROR_VARIABLE said
    TIMEOUT 10)
  message(STATUS "without rank ${victim}: exit code ${result}; it said:\n${said}")
  if(NOT result EQUAL 137)
    message(FATAL_ERROR "exit code ${result}, expected 137")
  endif()
  if(BY STREQUAL "nodes")
    math(EXPR other "1 - ${victim}")
    expect_survivor(${other} ${victim} window "${said}")
    expect_survivor("[0-9]" ${victim} mpi "${said}")
  else()
    foreach(rank RANGE 2)
      if(NOT rank EQUAL victim)
        expect_survivor(${rank} ${victim} ${BY} "${said}")
      endif()
    endforeach()
  endif()
  file(GLOB left "${FILES}/*" /dev/shm/*tpx*)
  if(left)
    message(FATAL_ERROR "left behind: ${left}")
  endif()
  math(EXPR victim "(${victim} + 1) % 3")
endforeach()
