# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DSYNTAX=<how to call the compiler> [-DPRECOMPILED=<header>] -DFILE=<program> -P must_not_compile.cmake
#
# The program must compile as it stands; with TPX_MUST_NOT_COMPILE it must be refused with exactly one error,
# whose line holds the first `// expect:` text of the file; each further `// expect:` text may stand anywhere
# in what the compiler says, which has fewer than 60 lines.

include("${SYNTAX}")
if(PRECOMPILED)
  list(APPEND TPX_SYNTAX -include "${PRECOMPILED}")
endif()
set(ENV{LC_ALL} C)

# Text of the compiler and of the file becomes lists of lines: what means something in a list is set aside.
macro(lines_of text)
  foreach(code_and_character IN ITEMS "1[" "2]" "3;" "4\\")
    string(SUBSTRING "${code_and_character}" 0 1 code)
    string(SUBSTRING "${code_and_character}" 1 1 character)
    string(ASCII ${code} stand_in)
    string(REPLACE "${character}" "${stand_in}" ${text} "${${text}}")
  endforeach()
  string(REPLACE "\n" ";" ${text} "${${text}}")
endmacro()

file(READ "${FILE}" source)
lines_of(source)
set(expected ${source})
list(FILTER expected INCLUDE REGEX "^// expect: .")
list(TRANSFORM expected REPLACE "^// expect: " "")
if(NOT expected)
  message(FATAL_ERROR "${FILE}: no line '// expect: <text>' says what the compiler is to print")
endif()

# What the compiler said goes out as it is; an error message of CMake would be filled anew.
function(wrong sentence)
  message("${said}")
  message(FATAL_ERROR "${FILE}: ${sentence}")
endfunction()

execute_process(COMMAND ${TPX_SYNTAX} "${FILE}" RESULT_VARIABLE twin ERROR_VARIABLE said OUTPUT_VARIABLE said)
if(NOT twin EQUAL 0)
  wrong("the twin without TPX_MUST_NOT_COMPILE does not compile")
endif()

execute_process(COMMAND ${TPX_SYNTAX} -DTPX_MUST_NOT_COMPILE "${FILE}" RESULT_VARIABLE result
                ERROR_VARIABLE said OUTPUT_VARIABLE said)
if(result EQUAL 0)
  wrong("compiled, and should have been refused")
endif()
set(lines "${said}")
lines_of(lines)
set(errors ${lines})
list(FILTER errors INCLUDE REGEX ": (fatal )?error: ")  # the name of a function may end so, too
list(LENGTH errors count)
if(NOT count EQUAL 1)
  wrong("refused with ${count} errors instead of one")
endif()
list(LENGTH lines length)
if(length GREATER_EQUAL 60)
  wrong("refused in ${length} lines; a reader should get fewer than 60")
endif()
list(GET expected 0 first)
string(FIND "${errors}" "${first}" at)
if(at EQUAL -1)
  wrong("failed to compile, but the error does not hold the expected text")
endif()
foreach(text IN LISTS expected)
  string(FIND "${lines}" "${text}" at)
  if(at EQUAL -1)
    wrong("failed to compile, but a further expected text is missing")
  endif()
endforeach()
message("refused as expected:\n${said}")
