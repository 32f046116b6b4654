#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   tests/benchmarks/run.sh [NAME...]
#
# Sets up what is missing, builds the benchmarks and runs those named (all) on 2 ranks of one thread each.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

"$root/cmake/build.sh" tpx_benchmarks >&2

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
source "$root/cmake/launch.sh"
launch 2 "$root/build/release/tests/benchmarks/tpx_benchmarks" "$@"
