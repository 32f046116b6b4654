# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# MPI, Kokkos and a GEMM: targets that a surrounding project brings are taken as they are. Sets TPX_GEMM to
# "Kokkos Kernels" or "CBLAS".

list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")

if(NOT TARGET MPI::MPI_CXX)
  # MPI's deprecated C++ interface makes each inclusion of <mpi.h> cost over a second.
  set(MPI_CXX_SKIP_MPICXX ON)
  find_package(MPI REQUIRED COMPONENTS CXX)
endif()

if(NOT TARGET Kokkos::kokkos)
  # What an old Kokkos forces it to, with a warning.
  if(NOT DEFINED CMAKE_CXX_EXTENSIONS)
    set(CMAKE_CXX_EXTENSIONS OFF)
  endif()
  find_package(Kokkos 3.4 CONFIG)
  if(NOT TARGET Kokkos::kokkos)
    message(FATAL_ERROR "tpx needs Kokkos 3.4 or newer. Name an installed one in Kokkos_ROOT or CMAKE_PREFIX_PATH, "
                        "or let cmake/setup.sh build one: -DKokkos_ROOT=$(cmake/setup.sh --print-prefix)")
  endif()
endif()

if(TPX_USE_KOKKOS_KERNELS AND NOT TARGET Kokkos::kokkoskernels)
  # It stands beside its Kokkos, which alone may have been named.
  find_package(KokkosKernels CONFIG QUIET HINTS "${Kokkos_DIR}/..")
endif()
if(TPX_USE_KOKKOS_KERNELS AND TARGET Kokkos::kokkoskernels)
  set(TPX_GEMM "Kokkos Kernels")
else()
  set(TPX_GEMM "CBLAS")
  find_package(CBLAS REQUIRED)
endif()
message(STATUS "tpx: Kokkos ${Kokkos_VERSION} (${Kokkos_DEVICES}), GEMM from ${TPX_GEMM}")
