# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DSCRATCH=<folder> -P test_layers.cmake
#
# Builds small trees, one fault each, and demands that layers.cmake names it.

cmake_minimum_required(VERSION 3.24)

# tree(<complaint or empty> <header> <line> [<header> <line>]...): each header holds one line
function(tree complaint)
  file(REMOVE_RECURSE "${SCRATCH}")
  set(list "set(TPX_FLOORS core layout comm mesh kernel tensor io ops)\n")
  set(pairs ${ARGN})
  while(pairs)
    list(POP_FRONT pairs header line)
    file(WRITE "${SCRATCH}/include/${header}" "// SPDX\n${line}\n")
    if(NOT header MATCHES "unlisted")
      string(REGEX REPLACE "^tpx/([^/]*)/.*$" "\\1" floor "${header}")
      string(REPLACE "tpx/tpx.hpp" "entry" floor "${floor}")
      string(APPEND list "list(APPEND TPX_${floor}_HEADERS ${header})\n")
    endif()
  endwhile()
  file(WRITE "${SCRATCH}/headers.cmake" "${list}")
  execute_process(COMMAND "${CMAKE_COMMAND}" "-DINCLUDE=${SCRATCH}/include" "-DHEADERS=${SCRATCH}/headers.cmake" -P
                          "${CMAKE_CURRENT_LIST_DIR}/layers.cmake" RESULT_VARIABLE result ERROR_VARIABLE said)
  string(REGEX REPLACE "[ \n]+" " " said "${said}")
  if(complaint STREQUAL "")
    if(NOT result EQUAL 0)
      message(SEND_ERROR "refused a good tree: ${said}")
    endif()
  else()
    string(FIND "${said}" "${complaint}" at)
    if(result EQUAL 0 OR at EQUAL -1)
      message(SEND_ERROR "expected a failure with '${complaint}', got ${result}: ${said}")
    endif()
  endif()
endfunction()

tree("" tpx/core/a.hpp "#include <vector>" tpx/layout/b.hpp "#include <tpx/core/a.hpp>"
     tpx/comm/mpi.hpp "#include <mpi.h>" tpx/kernel/c.hpp "#include <Kokkos_Core.hpp>"
     tpx/tensor/d.hpp "#include <tpx/kernel/c.hpp>" tpx/tpx.hpp "#include <tpx/tensor/d.hpp>")
tree("" tpx/tensor/a.hpp "#include <vector>" tpx/io/b.hpp "#include <tpx/tensor/a.hpp>"
     tpx/io/c.hpp "#include <nlohmann/json.hpp>")
tree("there are no headers")
tree("tpx/core/unlisted.hpp is not in the list" tpx/core/a.hpp "//" tpx/core/unlisted.hpp "//")
tree("tpx/garden/a.hpp stands on no floor" tpx/garden/a.hpp "//")
tree("includes tpx/layout/b.hpp, which is above" tpx/core/a.hpp "#include <tpx/layout/b.hpp>" tpx/layout/b.hpp "//")
tree("which is above" tpx/core/a.hpp "  #  include <tpx/tensor/b.hpp>" tpx/tensor/b.hpp "//")
tree("includes the entry header" tpx/core/a.hpp "#include <tpx/tpx.hpp>" tpx/tpx.hpp "//")
tree("kernel does not see layout" tpx/kernel/a.hpp "#include <tpx/layout/b.hpp>" tpx/layout/b.hpp "//")
tree("kernel does not see comm" tpx/kernel/a.hpp "#include <tpx/comm/b.hpp>" tpx/comm/b.hpp "//")
tree("ops does not see io" tpx/ops/a.hpp "#include <tpx/io/b.hpp>" tpx/io/b.hpp "//")
tree("includes tpx/ops/b.hpp, which is above" tpx/io/a.hpp "#include <tpx/ops/b.hpp>" tpx/ops/b.hpp "//")
tree("entry does not see io" tpx/tpx.hpp "#include <tpx/io/b.hpp>" tpx/io/b.hpp "//")
tree("JSON is for files" tpx/tensor/a.hpp "#include <nlohmann/json.hpp>")
tree("includes mpi.h" tpx/mesh/a.hpp "#include <mpi.h>")
tree("layout does not see Kokkos" tpx/layout/a.hpp "#include <Kokkos_Core.hpp>")
tree("comm does not see Kokkos" tpx/comm/a.hpp "#include <Kokkos_Core.hpp>")
tree("core needs the C++ library only" tpx/core/a.hpp "#include <omp.h>")
tree("tpx/tensor/a.hpp waits for an execution space" tpx/tensor/a.hpp "void f() { Kokkos::fence()")
tree("tpx/ops/a.hpp waits for an execution space" tpx/ops/a.hpp "  instance.fence()")
tree("" tpx/kernel/fence.hpp "void f() { Kokkos::fence()" tpx/tensor/a.hpp "  mesh.context().fence()")
tree("includes are written" tpx/core/a.hpp "#include \"tpx/core/b.hpp\"" tpx/core/b.hpp "//")
