#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   compile.sh SYNTAX ROUNDS NAME...
#
# What a program pays the compiler for tpx, in CPU seconds beyond those of including Kokkos and MPI:
#
#   compile_layout           for including the layout floor
#   compile_include          for including tpx.hpp
#   compile_block            for one transformer block, forward and backward, tpx.hpp included
#   compile_block_optimised  for the same, its kernels optimised
#
# Each round compiles the base and then the others; the median of the differences counts. SYNTAX is the file that
# the build leaves of how it calls the compiler; programs are compiled to objects, without optimisation but for the
# last, so that what templates and their code cost is told apart from what the optimiser makes of the kernels.
set -euo pipefail
syntax=$1 rounds=$2
shift 2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
goal_of() {
  case $1 in
    compile_layout) echo 0.3 ;;
    compile_include) echo 1 ;;
    compile_block | compile_block_optimised) echo 6 ;;
    *) echo "compile.sh: there is no benchmark '$1'" >&2; return 2 ;;
  esac
}
for name in "$@"; do goal_of "$name" > /dev/null; done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
IFS=';' read -r -a call < <(sed -n 's/^set(TPX_SYNTAX "\(.*\)")$/\1/p' "$syntax")
for i in "${!call[@]}"; do
  if [ "${call[i]}" = -fsyntax-only ]; then call[i]=-c; fi
done
call+=(-o "$scratch/object.o")

# seconds PROGRAM: of the compiler, in user and system mode; block_optimised is block, optimised
seconds() {
  local TIMEFORMAT='%U %S' of level=-O0
  if [ "$1" != "${1%_optimised}" ]; then level=-O3; fi
  of=$({ time "${call[@]}" "$level" "$here/compile/${1%_optimised}.cpp" > "$scratch/log" 2>&1; } 2>&1) ||
    { cat "$scratch/log" >&2; echo "compile.sh: $1.cpp does not compile" >&2; return 1; }
  awk '{ print $1 + $2 }' <<< "$of"
}

seconds base > /dev/null  # what is read from the disk once
for ((round = 0; round < rounds; ++round)); do
  base=$(seconds base)
  echo "$base" >> "$scratch/base"
  for name in "$@"; do
    all=$(seconds "${name#compile_}")
    awk -v all="$all" -v base="$base" 'BEGIN { print all - base }' >> "$scratch/$name"
  done
done

# median, least and most of a file of numbers
of_numbers() { sort -g "$1" | awk '{ v[NR] = $1 } END { printf "%.4f %.4f %.4f\n", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[1], v[NR] }'; }

read -r base _ < <(of_numbers "$scratch/base")
printf 'CPU seconds of the compiler beyond %s s for Kokkos and MPI: median of %s rounds, [least, most]\n' "$base" "$rounds"
lines=()
for name in "$@"; do
  read -r median least most < <(of_numbers "$scratch/$name")
  goal=$(goal_of "$name")
  holds=$(awk -v v="$median" -v g="$goal" 'BEGIN { print v <= g ? "true" : "false" }')
  printf '%-24s %8s [%8s,%8s]  goal %s\n' "$name" "$median" "$least" "$most" "$goal"
  lines+=("bench {\"name\":\"$name\",\"value\":$median,\"low\":$least,\"high\":$most,\"goal\":$goal,\"holds\":$holds}")
done
printf '%s\n' "${lines[@]}"
