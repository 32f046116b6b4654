# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DINCLUDE=<folder that holds tpx/> -DHEADERS=<cmake/headers.cmake> -P layers.cmake
#
# Fails on a header that is not listed, is in no floor, or includes what its floor may not.

cmake_minimum_required(VERSION 3.24)
include("${HEADERS}")

# What a floor must not see although it stands below.
set(kernel_must_not_see layout comm mesh)
# Files stand beside gradients and ops. Models that are read from files and checkpoints use them, and tpx.hpp needs
# nothing for them that a user would have to install: JSON stays in io.
foreach(floor IN ITEMS autodiff ops entry)
  set(${floor}_must_not_see io)
endforeach()
# The C++ library only.
set(floors_of_standard_c++ core layout)
# Pointers, counts and an element type: the name of an execution space is opaque there.
set(floors_without_kokkos core layout comm mesh)
# One backend each, or the owner of MPI.
set(headers_with_mpi "^tpx/comm/mpi(_[a-z_]+)?.hpp$|^tpx/tensor/environment.hpp$")

set(complaints "")
function(complain text)
  set(complaints "${complaints}\n  ${text}" PARENT_SCOPE)
endfunction()

set(listed "")
foreach(floor IN LISTS TPX_FLOORS ITEMS entry)
  list(APPEND listed ${TPX_${floor}_HEADERS})
endforeach()
file(GLOB_RECURSE headers RELATIVE "${INCLUDE}" "${INCLUDE}/*")
if(NOT headers)
  complain("there are no headers in ${INCLUDE}")
endif()
foreach(header IN LISTS listed)
  if(NOT header IN_LIST headers)
    complain("${header} is listed, and not there")
  endif()
endforeach()

foreach(header IN LISTS headers)
  if(NOT header IN_LIST listed)
    complain("${header} is not in the list of headers")
  endif()
  file(STRINGS "${INCLUDE}/${header}" lines REGEX "^[ \t]*#[ \t]*include")

  if(header STREQUAL "tpx/tpx.hpp")
    set(floor entry)
    list(LENGTH TPX_FLOORS height)
  else()
    string(REGEX REPLACE "^tpx/([^/]*)/.*$" "\\1" floor "${header}")
    list(FIND TPX_FLOORS "${floor}" height)
  endif()
  if(height EQUAL -1)
    complain("${header} stands on no floor")
    continue()
  endif()

  foreach(line IN LISTS lines)
    if(NOT line MATCHES "include[ \t]*<([^>]+)>")
      complain("${header}: includes are written <...>: ${line}")
      continue()
    endif()
    set(included "${CMAKE_MATCH_1}")
    if(included STREQUAL "tpx/tpx.hpp")
      complain("${header} includes the entry header")
    elseif(included MATCHES "^tpx/([^/]*)/")
      set(other "${CMAKE_MATCH_1}")
      list(FIND TPX_FLOORS "${other}" other_height)
      if(other_height EQUAL -1)
        complain("${header} includes ${included}, which stands on no floor")
      elseif(other_height GREATER height)
        complain("${header} includes ${included}, which is above")
      elseif(other IN_LIST ${floor}_must_not_see)
        complain("${header} includes ${included}; ${floor} does not see ${other}")
      endif()
    elseif(included MATCHES "^nlohmann/")
      if(NOT floor STREQUAL "io")
        complain("${header} includes ${included}; JSON is for files, in io")
      endif()
    elseif(included STREQUAL "mpi.h")
      if(NOT header MATCHES "${headers_with_mpi}")
        complain("${header} includes mpi.h")
      endif()
    elseif(included MATCHES "^Kokkos")
      if(floor IN_LIST floors_without_kokkos)
        complain("${header} includes ${included}; ${floor} does not see Kokkos")
      endif()
    elseif(included MATCHES "[./]" AND floor IN_LIST floors_of_standard_c++)
      complain("${header} includes ${included}; ${floor} needs the C++ library only")
    endif()
  endforeach()
endforeach()

if(complaints)
  message(FATAL_ERROR "the floors:${complaints}")
endif()
