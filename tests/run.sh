#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   tests/run.sh                 sets up what is missing, fetches two published models, builds, runs every test
#   tests/run.sh --preset NAME   the same with clang (Clang 16), asan (the address and undefined-behaviour sanitizers,
#                                one and two ranks), tsan (the thread sanitizer, where ranks are threads) or dev
#   tests/run.sh --hip           only: every header and example compiles as HIP
#
# CTEST_PARALLEL_LEVEL tests run side by side (2).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

case "$#:${1:-}" in
  0:)
    # Tests of published models look for them in the cache. Without a network they use small ones of random weights.
    for model in smollm2 minilm; do
      "$root/examples/fetch_model.sh" "$model" > /dev/null ||
        echo "run.sh: without $model its tests use a small model with random weights" >&2
    done
    "$root/cmake/build.sh" all
    exec ctest --test-dir "$root/build/release" --output-on-failure --no-tests=error \
      --parallel "${CTEST_PARALLEL_LEVEL:-2}"
    ;;
  2:--preset)
    case $2 in
      clang | asan | tsan | dev) ;;
      *) echo "run.sh: unknown preset '$2' (known: clang asan tsan dev)" >&2; exit 2 ;;
    esac
    "$root/cmake/build.sh" --preset "$2"
    cd "$root"
    exec ctest --preset "$2" --parallel "${CTEST_PARALLEL_LEVEL:-2}"
    ;;
  1:--hip)
    "$root/cmake/build.sh" --hip all
    echo "every header and example compiles as HIP (two that read JSON, on the host alone, as C++)"
    ;;
  *)
    echo "run.sh: unknown options '$*' (known: --hip, --preset NAME)" >&2
    exit 2
    ;;
esac
