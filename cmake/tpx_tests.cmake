# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# The kinds of tests. Each makes an executable tpx_<name>, or none, and the ctest <name>:
#
#   tpx_add_test(<name> <source>...)               one process, the C++ library only: floors core and layout
#   tpx_add_kokkos_test(<name> <source>...)        one process, Kokkos initialised
#   tpx_add_mpi_test(<name> <source>... [NP n...]) <name>.np1, .np2, ...: ranks that run every case together
#   tpx_add_must_not_compile(<name> <file>)        a program that the compiler refuses, in the words we chose

find_package(doctest REQUIRED)

add_library(tpx_doctest_main OBJECT "${PROJECT_SOURCE_DIR}/tests/doctest_main.cpp")
target_compile_features(tpx_doctest_main PUBLIC cxx_std_20)
target_link_libraries(tpx_doctest_main PUBLIC doctest::doctest)

add_library(tpx_kokkos_main OBJECT "${PROJECT_SOURCE_DIR}/tests/kokkos_main.cpp")
target_link_libraries(tpx_kokkos_main PUBLIC tpx::tpx doctest::doctest PRIVATE tpx_dev)

add_library(tpx_mpi_main OBJECT "${PROJECT_SOURCE_DIR}/tests/mpi_main.cpp")
target_include_directories(tpx_mpi_main PUBLIC "${PROJECT_SOURCE_DIR}/tests")
target_link_libraries(tpx_mpi_main PUBLIC tpx::tpx doctest::doctest PRIVATE tpx_dev)

function(tpx_add_test name)
  add_executable(tpx_${name} ${ARGN})
  target_include_directories(tpx_${name} PRIVATE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(tpx_${name} PRIVATE tpx_doctest_main tpx_dev)
  target_compile_options(tpx_${name} PRIVATE ${TPX_CONSTEXPR_STEPS})
  add_test(NAME ${name} COMMAND tpx_${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${TPX_TEST_TIMEOUT} LABELS serial)
endfunction()

function(tpx_add_kokkos_test name)
  add_executable(tpx_${name} ${ARGN})
  target_include_directories(tpx_${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(tpx_${name} PRIVATE tpx_kokkos_main tpx_dev)
  add_test(NAME ${name} COMMAND tpx_${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${TPX_TEST_TIMEOUT} LABELS kokkos
                                          ENVIRONMENT "${TPX_LAUNCH_ENVIRONMENT}")
endfunction()

function(tpx_add_mpi_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" NP)
  if(NOT arg_NP)
    set(arg_NP ${TPX_TEST_NP})
  endif()
  add_executable(tpx_${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(tpx_${name} PRIVATE tpx_mpi_main tpx_dev)
  foreach(ranks IN LISTS arg_NP)
    tpx_add_launch(${name}.np${ranks} tpx_${name} ${ranks})
  endforeach()
endfunction()

# How the compiler is called for a file that includes tpx, written down for scripts: -fsyntax-only needs no
# build tree, so such tests run side by side.
add_library(tpx_syntax OBJECT "${PROJECT_SOURCE_DIR}/tests/doctest_main.cpp")
target_link_libraries(tpx_syntax PRIVATE tpx::io doctest::doctest)
set(TPX_SYNTAX_FILE "${PROJECT_BINARY_DIR}/tests/syntax_$<CONFIG>.cmake")
set(own "${PROJECT_SOURCE_DIR}/include")
set(includes "$<REMOVE_DUPLICATES:$<TARGET_PROPERTY:tpx_syntax,INCLUDE_DIRECTORIES>>")
# Its own folder is where warnings count; the compiler knows /usr/include, and must not be told of it.
set(includes "$<FILTER:${includes},EXCLUDE,^(${own}|/usr/include)$>")
set(definitions "$<REMOVE_DUPLICATES:$<TARGET_PROPERTY:tpx_syntax,COMPILE_DEFINITIONS>>")
string(
  CONCAT call
         "${CMAKE_CXX_COMPILER};${CMAKE_CXX20_STANDARD_COMPILE_OPTION};-fsyntax-only"
         ";$<TARGET_PROPERTY:tpx_syntax,COMPILE_OPTIONS>;-I${own}"
         "$<$<BOOL:${includes}>:;-isystem;$<JOIN:${includes},;-isystem;>>"
         "$<$<BOOL:${definitions}>:;-D$<JOIN:${definitions},;-D>>")
file(
  GENERATE
  OUTPUT "${TPX_SYNTAX_FILE}"
  CONTENT "set(TPX_SYNTAX \"${call}\")\n"
  TARGET tpx_syntax)

# Kokkos, precompiled for these.
set(TPX_PRECOMPILED "${PROJECT_BINARY_DIR}/tests/precompiled.hpp")
add_test(NAME precompile COMMAND "${CMAKE_COMMAND}" "-DSYNTAX=${TPX_SYNTAX_FILE}" "-DHEADER=${TPX_PRECOMPILED}" -P
                                 "${PROJECT_SOURCE_DIR}/cmake/precompile.cmake")
set_tests_properties(precompile PROPERTIES TIMEOUT ${TPX_TEST_TIMEOUT} LABELS source FIXTURES_SETUP tpx_precompiled)

function(tpx_add_must_not_compile name file)
  get_filename_component(file "${file}" ABSOLUTE)
  add_test(NAME ${name} COMMAND "${CMAKE_COMMAND}" "-DSYNTAX=${TPX_SYNTAX_FILE}" "-DPRECOMPILED=${TPX_PRECOMPILED}"
                                "-DFILE=${file}" -P "${PROJECT_SOURCE_DIR}/cmake/must_not_compile.cmake")
  set_tests_properties(${name} PROPERTIES TIMEOUT ${TPX_TEST_TIMEOUT} LABELS must_not_compile FIXTURES_REQUIRED
                                          tpx_precompiled)
endfunction()
