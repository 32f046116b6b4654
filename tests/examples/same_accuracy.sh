#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   same_accuracy.sh PROGRAM LAUNCHER NP-FLAG
#
# fashion_mnist, once through the pictures: the accuracy is the same on every mesh, to the picture.
set -euo pipefail
program=$1 launcher=$2 np_flag=$3

# accuracy RANKS OPTIONS...: of the result line
accuracy() {
  local ranks=$1
  shift
  "$launcher" "$np_flag" "$ranks" "$program" --hidden 48 --epochs 1 --at-least 0.8 "$@" |
    sed -n 's/^result {.*"ok":true,"accuracy":\([0-9.]*\),.*/\1/p'
}

alone=$(accuracy 1)
[ -n "$alone" ] || { echo "on one rank there is no accuracy of 0.8 or more"; exit 1; }
failures=0
for mesh in "2 --dp 1" "2 --dp 2" "4 --dp 2"; do
  read -r -a words <<< "$mesh"
  here=$(accuracy "${words[@]}")
  [ "$here" = "$alone" ] || { echo "$mesh: the accuracy is '$here', on one rank '$alone'"; failures=$((failures + 1)); }
done
exit $((failures > 0))
