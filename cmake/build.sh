#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   cmake/build.sh [--hip] TARGET...
#   cmake/build.sh --preset NAME
#
# Sets up what is missing and builds targets in build/release, with HIP's compiler in build/hip, or what a preset of
# CMakePresets.json names in the folder of its name.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
setup=()
build=$root/build/release
options=(-DCMAKE_BUILD_TYPE=Release)
if [ "${1:-}" = --hip ]; then
  shift
  setup=(--hip)
  build=$root/build/hip
  export ROCM_PATH=/usr HIP_PLATFORM=amd
  options+=(-DCMAKE_CXX_COMPILER=hipcc -DTPX_BUILD_TESTS=OFF -DTPX_BUILD_HEADERS=ON)
elif [ "${1:-}" = --preset ]; then
  preset=$2
  build=$root/build/$preset
  options=(--preset "$preset")
  # A Kokkos of the same compiler: their OpenMPs differ.
  if [ "$preset" = clang ]; then export CXX=clang++-16; fi
fi

prefix=$("$root/cmake/setup.sh" --print-prefix "${setup[@]}")
if [ -n "$prefix" ]; then options+=(-DKokkos_ROOT="$prefix"); fi
mkdir -p "$build"

# The places are sought anew each time: what was found once may have moved.
if ! cmake -S "$root" -B "$build" -U 'Kokkos*_DIR' -U 'Kokkos*_ROOT' "${options[@]}" \
  > "$build/configure.log" 2>&1; then
  cat "$build/configure.log" >&2
  exit 1
fi
if [ -n "${preset:-}" ]; then
  cd "$root"
  cmake --build --preset "$preset" --parallel "$(env -u OMP_NUM_THREADS nproc)"
else
  cmake --build "$build" --parallel "$(env -u OMP_NUM_THREADS nproc)" --target "$@"
fi
