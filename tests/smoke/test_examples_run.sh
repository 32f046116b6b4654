#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   test_examples_run.sh SOURCE SCRATCH
#
# examples/run.sh in a tree where the build does nothing, the examples print their arguments, and mpiexec prints
# the number of ranks before it runs one.
set -euo pipefail
source_tree=$1
scratch=$2

rm -rf "$scratch"
mkdir -p "$scratch"/{bin,cmake,examples,build/release/examples}
cp "$source_tree/examples/run.sh" "$scratch/examples/"
cp "$source_tree/cmake/launch.sh" "$scratch/cmake/"
printf 'tpx_add_example(gpt_train NP 1)\ntpx_add_example(other)\ntpx_add_example(single ALONE ARGUMENTS 1)\n' > "$scratch/examples/CMakeLists.txt"
printf '#!/bin/sh\necho "built $*"\n' > "$scratch/cmake/build.sh"
printf '#!/bin/sh\nprintf "%%s ranks; " "$2"\nshift 2\nexec "$@"\n' > "$scratch/bin/mpiexec"
for name in gpt_train other single; do
  printf '#!/bin/sh\nprintf "%s"\nprintf " <%%s>" "$@"\nexit 3\n' $name > "$scratch/build/release/examples/$name"
done
chmod +x "$scratch"/bin/* "$scratch"/cmake/build.sh "$scratch"/build/release/examples/*

failures=0
# prints EXPECTED ARGUMENTS...: the output, and the program's own exit code
prints() {
  local expected=$1 said code=0
  shift
  said=$(PATH=$scratch/bin:$PATH "$scratch/examples/run.sh" "$@" 2> /dev/null) || code=$?
  if [ "$said" != "$expected" ] || [ "$code" != 3 ]; then
    echo "run.sh $*: expected '$expected' and exit code 3, got '$said' and $code"
    failures=$((failures + 1))
  fi
}

prints "2 ranks; gpt_train <>"
prints "2 ranks; other <>" other
prints "4 ranks; gpt_train <>" --ranks 4
prints "3 ranks; other <--steps> <5>" other --steps --ranks 3 5
prints "3 ranks; other <--steps> <5>" --ranks=3 other --steps 5
prints "2 ranks; gpt_train <--text> <a file> <>" --text "a file" ""
prints "2 ranks; other <--ranks> <7> <-->" other -- --ranks 7 --
prints "single <--mesh> <tp=2>" single --mesh tp=2
if PATH=$scratch/bin:$PATH "$scratch/examples/run.sh" single --ranks 2 > /dev/null 2>&1; then
  echo "run.sh single --ranks 2: what runs alone takes no ranks"
  failures=$((failures + 1))
fi
exit $((failures > 0))
