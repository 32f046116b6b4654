# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DINCLUDE=<folder that holds tpx/> -DCOUNTED=<tests/support/count_mpi_calls.cpp> -P mpi_calls.cmake
#
# Fails on a function of MPI that a header calls and the tests do not count.

cmake_minimum_required(VERSION 3.24)

file(READ "${COUNTED}" counted)
file(GLOB_RECURSE headers "${INCLUDE}/tpx/*.hpp")
set(called "")
foreach(header IN LISTS headers)
  file(READ "${header}" text)
  string(REGEX MATCHALL "MPI_[A-Z][a-z_]+\\(" calls "${text}")
  list(APPEND called ${calls})
endforeach()
list(REMOVE_DUPLICATES called)
list(LENGTH called count)
if(count LESS 10)
  message(FATAL_ERROR "only ${count} functions of MPI are called in ${INCLUDE}")
endif()
set(missing "")
foreach(call IN LISTS called)
  string(REGEX REPLACE "^MPI_(.*)\\($" "COUNTED(\\1," entry "${call}")
  string(FIND "${counted}" "${entry}" at)
  if(at EQUAL -1)
    string(APPEND missing "\n  ${entry} ...)")
  endif()
endforeach()
if(missing)
  message(FATAL_ERROR "${COUNTED} lacks${missing}")
endif()
