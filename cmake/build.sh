#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   cmake/build.sh [--hip] TARGET...
#
# Sets up what is missing and builds targets in build/release, or with HIP's compiler in build/hip.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
setup=()
build=$root/build/release
options=()
if [ "${1:-}" = --hip ]; then
  shift
  setup=(--hip)
  build=$root/build/hip
  export ROCM_PATH=/usr HIP_PLATFORM=amd
  options=(-DCMAKE_CXX_COMPILER=hipcc -DTPX_BUILD_TESTS=OFF -DTPX_BUILD_HEADERS=ON)
fi

prefix=$("$root/cmake/setup.sh" --print-prefix "${setup[@]}")
if [ -n "$prefix" ]; then options+=(-DKokkos_ROOT="$prefix"); fi
mkdir -p "$build"

# The places are sought anew each time: what was found once may have moved.
if ! cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -U 'Kokkos*_DIR' -U 'Kokkos*_ROOT' "${options[@]}" \
  > "$build/configure.log" 2>&1; then
  cat "$build/configure.log" >&2
  exit 1
fi
cmake --build "$build" --parallel "$(nproc)" --target "$@"
