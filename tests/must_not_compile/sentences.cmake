# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# cmake -DTESTS=<tests> -DLEAST=<n> -P sentences.cmake
#
# The refused programs are told at least n different things: no sentence that one of them expects is, or begins,
# another's.
file(GLOB_RECURSE programs "${TESTS}/*.cpp")
set(sentences "")
foreach(program IN LISTS programs)
  file(STRINGS "${program}" first REGEX "^// expect: ." LIMIT_COUNT 1)
  if(first)
    string(REPLACE ";" "," first "${first}")
    list(APPEND sentences "${first}")
  endif()
endforeach()
list(SORT sentences)
list(REMOVE_DUPLICATES sentences)
set(different "")
set(last "none")
foreach(sentence IN LISTS sentences)
  string(FIND "${sentence}" "${last}" at)
  if(NOT at EQUAL 0)
    list(APPEND different "${sentence}")
    set(last "${sentence}")
  endif()
endforeach()
list(LENGTH different count)
list(JOIN different "\n" text)
message("${count} different sentences:\n${text}")
if(count LESS LEAST)
  message(FATAL_ERROR "the refused programs read ${count} different sentences, not ${LEAST}")
endif()
