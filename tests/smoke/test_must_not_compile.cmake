# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DSYNTAX=<how to call the compiler> -DSCRATCH=<folder> -P test_must_not_compile.cmake
#
# Gives must_not_compile.cmake programs that are refused for the right reason and for wrong ones.

# program(<what the script says> <expect lines> <refused code>): the twin is an empty main, unless overridden
function(program verdict expected refused)
  set(twin "int main() {}")
  if(ARGC GREATER 3)
    set(twin "${ARGV3}")
  endif()
  file(WRITE "${SCRATCH}/program.cpp" "${expected}\n#ifdef TPX_MUST_NOT_COMPILE\n${refused}\n#else\n${twin}\n#endif\n")
  execute_process(COMMAND "${CMAKE_COMMAND}" "-DSYNTAX=${SYNTAX}" "-DFILE=${SCRATCH}/program.cpp" -P
                          "${CMAKE_CURRENT_LIST_DIR}/../../cmake/must_not_compile.cmake"
                  RESULT_VARIABLE result ERROR_VARIABLE said OUTPUT_VARIABLE said)
  set(good no)
  if(verdict STREQUAL "refused as expected")
    set(good yes)
  endif()
  string(REGEX REPLACE "[ \n]+" " " said "${said}")
  string(FIND "${said}" "${verdict}" at)
  if(at EQUAL -1 OR (good AND NOT result EQUAL 0) OR (NOT good AND result EQUAL 0))
    message(SEND_ERROR "expected '${verdict}', got exit code ${result}: ${said}")
  endif()
endfunction()

set(rule "static_assert(sizeof(int) == 1, \"f32[b,s@tp]: a rule; of \\\\ ours\");")
program("refused as expected" "// expect: a rule" "${rule}")
program("refused as expected" "// expect: f32[b,s@tp]: a rule; of" "${rule}")
program("refused as expected" "// expect: a rule\n// expect: program.cpp" "${rule}")
program("compiled, and should have been refused" "// expect: a rule" "int main() {}")
program("does not hold the expected text" "// expect: another rule" "${rule}")
program("does not hold the expected text" "// expect: a rule" "int x = nosuch;")
program("a further expected text is missing" "// expect: a rule\n// expect: nowhere to be found" "${rule}")
program("refused with 2 errors" "// expect: a rule" "${rule}\nint x = nosuch;")
program("the twin without TPX_MUST_NOT_COMPILE does not compile" "// expect: a rule" "${rule}" "int x = nosuch;")
program("no line '// expect: <text>'" "// a rule" "${rule}")
