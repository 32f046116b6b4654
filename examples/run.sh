#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   examples/run.sh [NAME] [--ranks N] [OPTIONS]
#
# Sets up what is missing, builds the example (gpt_train without a NAME) and runs it split over N ranks (2);
# `explain` runs alone, in one process; `generate` and `embed` take the model that fetch_model.sh fetches unless
# --model names another. Options go to the program as they are; so does everything after `--`. The
# exit code is the program's.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
usage() { echo "run.sh: $*" >&2; exit 2; }

unset ranks
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --ranks) [ $# -gt 1 ] || usage "--ranks needs a number"; ranks=$2; shift ;;
    --ranks=*) ranks=${1#*=} ;;
    --) shift; arguments+=("$@"); break ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
[[ ${ranks-2} =~ ^[1-9][0-9]{0,3}$ ]] || usage "--ranks is '$ranks'; it must be a number of 1 to 9999"

name=gpt_train
if [ ${#arguments[@]} -gt 0 ] && [[ ${arguments[0]} != -* ]]; then
  name=${arguments[0]}
  arguments=("${arguments[@]:1}")
fi
known=$(sed -n 's/^tpx_add_example(\([A-Za-z0-9_]*\).*/\1/p' "$root/examples/CMakeLists.txt" | tr '\n' ' ')
[[ " $known" == *" $name "* ]] || usage "there is no example '$name'; known: $known"

alone=$(sed -n 's/^tpx_add_example(\([A-Za-z0-9_]*\) ALONE.*/\1/p' "$root/examples/CMakeLists.txt" | tr '\n' ' ')
if [[ " $alone" == *" $name "* ]] && [ -n "${ranks-}" ]; then usage "$name runs without ranks: leave --ranks out"; fi

# The published models that these are about.
model=
case $name in
  generate) model=smollm2 ;;
  embed) model=minilm ;;
esac
if [ -n "$model" ] && [[ " ${arguments[*]-} " != *" --model"[\ =]* && " ${arguments[*]-} " != *" --help "* ]]; then
  arguments=(--model "$("$root/examples/fetch_model.sh" "$model")" ${arguments[@]+"${arguments[@]}"})
fi

# The program's output is all there is on standard output.
"$root/cmake/build.sh" "tpx_example_$name" >&2

if [[ " $alone" == *" $name "* ]]; then exec "$root/build/release/examples/$name" "${arguments[@]}"; fi
source "$root/cmake/launch.sh"
launch "${ranks-2}" "$root/build/release/examples/$name" "${arguments[@]}"
