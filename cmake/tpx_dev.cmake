# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# What tests, examples and benchmarks are compiled with, and users of tpx are not.

add_library(tpx_dev INTERFACE)
target_compile_options(tpx_dev INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(TPX_WARNINGS_AS_ERRORS)
  target_compile_options(tpx_dev INTERFACE -Werror)
endif()
# A compiler for two kinds of processor would pass the flag to both.
if(TPX_NATIVE AND NOT "${Kokkos_DEVICES}" MATCHES "HIP|CUDA|SYCL")
  include(CheckCXXCompilerFlag)
  check_cxx_compiler_flag(-march=native TPX_KNOWS_MARCH_NATIVE)
  if(TPX_KNOWS_MARCH_NATIVE)
    target_compile_options(tpx_dev INTERFACE -march=native)
  endif()
endif()

# Launches under any account and with more ranks than cores, one thread a rank, unbound: two tests that run
# side by side would be bound to the same cores.
set(TPX_LAUNCH_ENVIRONMENT
    OMPI_ALLOW_RUN_AS_ROOT=1
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    OMPI_MCA_rmaps_base_oversubscribe=1
    OMPI_MCA_hwloc_base_binding_policy=none
    OMP_NUM_THREADS=1
    OMP_PROC_BIND=false
    OPENBLAS_NUM_THREADS=1)

# tpx_add_launch(<test> <target> <ranks> [<argument>...]): one ctest that runs a target under MPI
function(tpx_add_launch name target ranks)
  add_test(NAME ${name} COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} ${MPIEXEC_PREFLAGS}
                                $<TARGET_FILE:${target}> ${MPIEXEC_POSTFLAGS} ${ARGN})
  set_tests_properties(${name} PROPERTIES PROCESSORS ${ranks} TIMEOUT ${TPX_TEST_TIMEOUT}
                                          LABELS "mpi;np${ranks}" ENVIRONMENT "${TPX_LAUNCH_ENVIRONMENT}")
endfunction()

if(TPX_BUILD_HEADERS)
  # One unit a floor: every header, and each with all that stand beside it.
  set(units "")
  if(CMAKE_CXX_COMPILER MATCHES "hipcc" AND TARGET nlohmann_json::nlohmann_json)
    # Debian 12's hipcc crashes on nlohmann-json as HIP in C++20, with nothing of tpx in the file. What includes it
    # reads files on the host and needs no Kokkos: the same compiler takes it as C++.
    list(REMOVE_ITEM TPX_io_HEADERS ${TPX_JSON_HEADERS})
    list(TRANSFORM TPX_JSON_HEADERS REPLACE "(.+)" "#include <\\1>" OUTPUT_VARIABLE lines)
    list(JOIN lines "\n" lines)
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/headers/json.cpp" CONTENT "@lines@\n" @ONLY)
    add_library(tpx_headers_on_host OBJECT "${PROJECT_BINARY_DIR}/headers/json.cpp")
    target_include_directories(tpx_headers_on_host PRIVATE "${PROJECT_SOURCE_DIR}/include")
    target_compile_features(tpx_headers_on_host PRIVATE cxx_std_20)
    target_compile_options(tpx_headers_on_host PRIVATE -x c++)
    target_link_libraries(tpx_headers_on_host PRIVATE tpx_dev nlohmann_json::nlohmann_json
                                                      $<TARGET_NAME_IF_EXISTS:PCRE2::8BIT>)
  endif()
  foreach(floor IN LISTS TPX_FLOORS ITEMS entry)
    if(TPX_${floor}_HEADERS)
      list(TRANSFORM TPX_${floor}_HEADERS REPLACE "(.+)" "#include <\\1>" OUTPUT_VARIABLE lines)
      list(JOIN lines "\n" lines)
      file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/headers/${floor}.cpp" CONTENT "@lines@\n" @ONLY)
      list(APPEND units "${PROJECT_BINARY_DIR}/headers/${floor}.cpp")
    endif()
  endforeach()
  add_library(tpx_headers OBJECT ${units})
  target_link_libraries(tpx_headers PRIVATE tpx::io tpx_dev)
endif()
