#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   tests/benchmarks/run.sh [NAME...] [--pairs N] [--smoke]
#
# Sets up what is missing, builds the benchmarks and runs those named (all) on 2 ranks of one thread each. They
# want two cores for themselves: `twin_over_itself` says what the machine can resolve at the moment.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
known=$(sed -n 's/^ *{"\([a-z0-9_]*\)", [0-9.]*,.*/\1/p' "$root/tests/benchmarks/main.cpp" | tr '\n' ' ')
usage() { echo "run.sh: $*; known benchmarks: $known" >&2; exit 2; }

number=no
for argument in "$@"; do
  if [ $number = yes ]; then
    [[ $argument =~ ^[1-9][0-9]{0,4}$ ]] || usage "--pairs is '$argument'; it must be a number of 1 to 99999"
    number=no
  elif [ "$argument" = --pairs ]; then
    number=yes
  elif [ "$argument" != --smoke ]; then
    [[ " $known" == *" $argument "* ]] || usage "there is no benchmark '$argument'"
  fi
done
[ $number = no ] || usage "--pairs needs a number"

"$root/cmake/build.sh" tpx_benchmarks >&2

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
source "$root/cmake/launch.sh"
launch 2 "$root/build/release/tests/benchmarks/tpx_benchmarks" "$@"
