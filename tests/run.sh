#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   tests/run.sh          sets up what is missing, builds, runs every test
#   tests/run.sh --hip    only: every header and example compiles as HIP
#
# CTEST_PARALLEL_LEVEL tests run side by side (2).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

case "$#:${1:-}" in
  0:)
    "$root/cmake/build.sh" all
    exec ctest --test-dir "$root/build/release" --output-on-failure --no-tests=error \
      --parallel "${CTEST_PARALLEL_LEVEL:-2}"
    ;;
  1:--hip)
    "$root/cmake/build.sh" --hip all
    echo "every header and example compiles as HIP (two that read JSON, on the host alone, as C++)"
    ;;
  *)
    echo "run.sh: unknown options '$*' (known: --hip)" >&2
    exit 2
    ;;
esac
