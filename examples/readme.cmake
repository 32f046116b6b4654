# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DREADME=<README.md> -DPROGRAMS=<examples> -DSYNTAX=<how to call the compiler> -DSCRATCH=<folder>
#       -P readme.cmake
#
# The README's programs are the marked parts of examples, word for word. Without its redistribute of x the first
# is refused by the compiler, which says what the README says it says.

file(READ "${README}" readme)

# between(<result> <text> <first> <last>): what stands between two marks, the first of each
function(between result text first last)
  string(FIND "${text}" "${first}" begin)
  if(begin EQUAL -1)
    message(FATAL_ERROR "'${first}' is nowhere to be found")
  endif()
  string(LENGTH "${first}" length)
  math(EXPR begin "${begin} + ${length}")
  string(SUBSTRING "${text}" ${begin} -1 text)
  string(FIND "${text}" "${last}" end)
  if(end EQUAL -1)
    message(FATAL_ERROR "'${last}' does not follow '${first}'")
  endif()
  string(SUBSTRING "${text}" 0 ${end} text)
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

# shown(<result> <name> <text>): the first program in the README's <text>, which is what <name>.cpp has marked
function(shown result name text)
  between(block "${text}" "```cpp\n" "```")
  file(READ "${PROGRAMS}/${name}.cpp" program)
  between(marked "${program}" "// README: begin\n" "// README: end")
  string(FIND "${marked}" "// README: skip" skips)
  if(NOT skips EQUAL -1)
    between(skipped "${marked}" "    // README: skip\n" "    // README: go on\n")
    string(REPLACE "    // README: skip\n${skipped}    // README: go on\n" "" marked "${marked}")
  endif()
  # A part of a program is shown without its indentation.
  string(REGEX REPLACE "^( *)[^ ].*" "\\1" indentation "${marked}")
  string(REPLACE "\n${indentation}" "\n" outdented "\n${marked}")
  string(SUBSTRING "${outdented}" 1 -1 outdented)
  if(NOT block STREQUAL marked AND NOT block STREQUAL outdented)
    message("the README shows\n\n${block}\n${name}.cpp has\n\n${marked}")
    message(FATAL_ERROR "a program in the README is not the one that is compiled")
  endif()
  set(${result} "${block}" PARENT_SCOPE)
endfunction()

shown(shown 00_readme "${readme}")
between(section "${readme}" "## Where backward starts\n" "\n## ")
shown(tape 05_autodiff "${section}")
between(section "${readme}" "## Data, tensor and pipeline parallelism in one program\n" "\n## ")
shown(trainer 09_train_3d "${section}")

string(REPLACE "redistribute<Replicate<tp>>(x)" "x" refused "${shown}")
if(refused STREQUAL shown)
  message(FATAL_ERROR "the README's program has no redistribute of x")
endif()
file(WRITE "${SCRATCH}/refused.cpp" "${refused}")
include("${SYNTAX}")
set(ENV{LC_ALL} C)
execute_process(COMMAND ${TPX_SYNTAX} "${SCRATCH}/refused.cpp" RESULT_VARIABLE result ERROR_VARIABLE said)
if(result EQUAL 0)
  message(FATAL_ERROR "the program that the README says is refused compiles")
endif()
between(sentence "${readme}" "static assertion failed: " "\n```")
string(REPLACE "\n  " " " sentence "${sentence}")
string(FIND "${said}" "${sentence}" at)
if(at EQUAL -1)
  message("${said}")
  message(FATAL_ERROR "the compiler does not say what the README shows: ${sentence}")
endif()
