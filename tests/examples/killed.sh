#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   killed.sh TEXT PROGRAM LAUNCHER NP-FLAG [TIMES]
#
# gpt_train stores a checkpoint after every step and is killed at a random moment, TIMES times (TPX_KILLS, or 3). Each
# time the newest complete checkpoint loads, on another number of ranks, and the run ends where an uninterrupted one does.
set -euo pipefail
text=$1 program=$2 launcher=$3 np_flag=$4 times=${5:-${TPX_KILLS:-3}}
folder=$(mktemp -d "${TMPDIR:-/tmp}/tpx-killed.XXXXXX")
trap 'rm -rf "$folder"' EXIT

options=(--text "$text" --layers 1 --hidden 24 --heads 12 --context 16 --batch 4 --steps 300 --warm-up 10
  --progress lines --precision double)
# number KEY OUTPUT: from the last line
number() { tail -n 1 <<< "$2" | sed -n "s/^result {.*\"$1\":\([0-9.e+-]*\)[,}].*/\1/p"; }

whole=$(number loss_final "$("$launcher" "$np_flag" 1 "$program" "${options[@]}")")
failures=0 halves=0
for round in $(seq "$times"); do
  checkpoints=$folder/$round
  "$launcher" "$np_flag" 2 "$program" "${options[@]}" --save "$checkpoints" --every 1 > "$folder/log" 2>&1 &
  job=$!
  for _ in $(seq 600); do
    if compgen -G "$checkpoints/step-*/manifest" > /dev/null; then break; fi
    sleep 0.05
  done
  sleep "$(awk -v r=$RANDOM 'BEGIN { print r / 32768 * 0.4 }')"
  mapfile -t ranks < <(ps -o pid= --ppid "$job")
  kill -KILL "${ranks[@]}" 2> /dev/null || true
  wait "$job" 2> /dev/null || true
  if compgen -G "$checkpoints/*.writing" > /dev/null; then halves=$((halves + 1)); fi

  if ! resumed=$("$launcher" "$np_flag" 1 "$program" "${options[@]}" --resume "$checkpoints" 2>&1); then
    # Whoever had made all steps by then has nothing left to do, and says so.
    grep -q "nothing is left to do" <<< "$resumed" && continue
    echo "round $round: the newest checkpoint does not load:"; echo "$resumed"; ls "$checkpoints"
    failures=$((failures + 1))
    continue
  fi
  loss=$(number loss_final "$resumed")
  awk -v a="$whole" -v b="$loss" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a > 0 && d <= 1e-10 * a) }' ||
    { echo "round $round: the loss is '$loss', uninterrupted '$whole'"; failures=$((failures + 1)); }
done
echo "$times kills, $halves of them while a checkpoint was being stored"
exit $((failures > 0))
