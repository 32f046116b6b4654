# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DSYNTAX=<how to call the compiler> -DHEADER=<file> -P precompile.cmake
#
# Writes a header that includes Kokkos and its precompiled form beside it, which a compiler finds by itself: tests that
# call one a few hundred times would spend most of their time there. Where the form does not fit, the header is read.

include("${SYNTAX}")
file(WRITE "${HEADER}" "#include <Kokkos_Core.hpp>\n")
list(REMOVE_ITEM TPX_SYNTAX -fsyntax-only)
execute_process(COMMAND ${TPX_SYNTAX} --version OUTPUT_VARIABLE version ERROR_QUIET)
if(version MATCHES "clang")
  set(form "${HEADER}.pch")
else()
  set(form "${HEADER}.gch")
endif()
execute_process(COMMAND ${TPX_SYNTAX} -x c++-header "${HEADER}" -o "${form}" COMMAND_ERROR_IS_FATAL ANY)
