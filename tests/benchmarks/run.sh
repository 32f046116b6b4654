#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   tests/benchmarks/run.sh [NAME...] [--pairs N] [--smoke]
#
# Sets up what is missing, builds the benchmarks and runs those named (all) on 2 ranks of one thread each, or on
# as many as a benchmark's table says. They want two cores for themselves: `twin_over_itself` says what the machine
# can resolve at the moment. compile_... are CPU seconds of the compiler, in as many rounds (5) as --pairs says.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/benchmarks
twins=$(cd "$here" && sed -n 's/^ *{"\([a-z0-9_]*\)", [0-9.]*,.*/\1/p' twins.cpp kernels.cpp scaling.cpp decode.cpp elements.cpp | tr '\n' ' ')
of_ranks() { sed -n "s/^ *{\"\([a-z0-9_]*\)\", [0-9.]*, $1,.*/\1/p" "$here/collectives.cpp" | tr '\n' ' '; }
on2=$(of_ranks 2)
on4=$(of_ranks 4)
compiles="compile_layout compile_include compile_block compile_block_optimised "
known="$twins$on2$on4$compiles"
usage() { echo "run.sh: $*; known benchmarks: $known" >&2; exit 2; }

names=() options=() rounds=5
number=no
for argument in "$@"; do
  if [ $number = yes ]; then
    [[ $argument =~ ^[1-9][0-9]{0,4}$ ]] || usage "--pairs is '$argument'; it must be a number of 1 to 99999"
    number=no
    rounds=$argument
    options+=("$argument")
  elif [ "$argument" = --pairs ]; then
    number=yes
    options+=("$argument")
  elif [ "$argument" = --smoke ]; then
    rounds=1
    options+=("$argument")
  else
    [[ " $known" == *" $argument "* ]] || usage "there is no benchmark '$argument'"
    names+=("$argument")
  fi
done
[ $number = no ] || usage "--pairs needs a number"

# Those of the names given that were asked for: all where none was named.
choose() {
  local name
  chosen=()
  for name in "$@"; do
    if [ ${#names[@]} -eq 0 ] || [[ " ${names[*]} " == *" $name "* ]]; then chosen+=("$name"); fi
  done
}
# shellcheck disable=SC2086  # lists of names
choose $twins$on2$on4
targets=(tpx_syntax)
if [ ${#chosen[@]} -gt 0 ]; then targets+=(tpx_benchmarks tpx_benchmark_collectives); fi
"$root/cmake/build.sh" "${targets[@]}" >&2

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
source "$root/cmake/launch.sh"

# Runs those of a program's benchmarks that were asked for.
run() {  # RANKS PROGRAM NAME...
  local ranks=$1 program=$2
  shift 2
  choose "$@"
  [ ${#chosen[@]} -gt 0 ] || return 0
  (launch "$ranks" "$root/build/release/tests/benchmarks/$program" "${chosen[@]}" "${options[@]}")  # it does not return
}
# shellcheck disable=SC2086  # lists of names
run 2 tpx_benchmarks $twins
run 2 tpx_benchmark_collectives $on2
run 4 tpx_benchmark_collectives $on4
choose $compiles
if [ ${#chosen[@]} -gt 0 ]; then
  "$here/compile.sh" "$root/build/release/tests/syntax_Release.cmake" "$rounds" "${chosen[@]}"
fi
