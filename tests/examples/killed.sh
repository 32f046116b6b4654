#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   killed.sh TEXT PROGRAM LAUNCHER NP-FLAG [TIMES]
#
# gpt_train stores a checkpoint after every step and is killed at a random moment, TIMES times (TPX_KILLS, or 20), by
# turns on two ranks and on one. Each time it goes on from the newest complete checkpoint, no older than the one before,
# and in the end the loss is that of an uninterrupted run. Of the kills at least one comes while a checkpoint is stored.
set -euo pipefail
text=$1 program=$2 launcher=$3 np_flag=$4 times=${5:-${TPX_KILLS:-20}}
folder=$(mktemp -d "${TMPDIR:-/tmp}/tpx-killed.XXXXXX")
trap 'rm -rf "$folder"' EXIT
export OMPI_MCA_odls_base_sigkill_timeout=0  # or Open MPI is busy for a second with those that are dead

options=(--text "$text" --layers 1 --hidden 24 --heads 12 --context 16 --batch 4 --steps 1000 --warm-up 10
  --progress lines --precision double)
# number KEY OUTPUT: from the last line
number() { tail -n 1 <<< "$2" | sed -n "s/^result {.*\"$1\":\([0-9.e+-]*\)[,}].*/\1/p"; }
# newest: the step of the newest complete checkpoint; 0 where there is none
newest() {
  local last=step-0
  for path in "$folder"/checkpoints/step-*[0-9]; do [ -e "$path/manifest" ] && last=${path##*/}; done
  echo $((10#${last#step-}))
}

whole=$(number loss_final "$("$launcher" "$np_flag" 1 "$program" "${options[@]}")")
kills=0 halves=0 before=0
# A few more where no kill has met a store yet.
while [ "$kills" -lt "$times" ] || { [ "$halves" = 0 ] && [ "$kills" -lt $((times + 20)) ]; }; do
  resume=()
  if [ "$before" -gt 0 ]; then resume=(--resume "$folder/checkpoints"); fi
  "$launcher" "$np_flag" $((2 - kills % 2)) "$program" "${options[@]}" "${resume[@]}" --save "$folder/checkpoints" \
    --every 1 > "$folder/log" 2>&1 &
  job=$!
  for _ in $(seq 3000); do
    if [ "$(newest)" -gt "$before" ] || ! kill -0 "$job" 2> /dev/null; then break; fi
    sleep 0.01
  done
  sleep "$(awk -v r=$RANDOM 'BEGIN { print r / 32768 * 0.2 }')"
  mapfile -t ranks < <(ps -o pid= --ppid "$job")
  kill -KILL "${ranks[@]}" 2> /dev/null || true
  if wait "$job" 2> /dev/null || grep -q "^result" "$folder/log"; then
    echo "all steps were made before kill $((kills + 1)): too few of them"; exit 1
  fi
  after=$(newest)
  if [ "$after" -le "$before" ]; then
    echo "kill $kills: the checkpoint of step $before was not gone on from:"; cat "$folder/log"; ls "$folder/checkpoints"
    exit 1
  fi
  kills=$((kills + 1)) before=$after
  if compgen -G "$folder/checkpoints/*.writing" > /dev/null; then halves=$((halves + 1)); fi
done

loss=$(number loss_final "$("$launcher" "$np_flag" 1 "$program" "${options[@]}" --resume "$folder/checkpoints")")
echo "$kills kills, $halves of them while a checkpoint was being stored, the last after step $before"
awk -v a="$whole" -v b="$loss" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a > 0 && d <= 1e-10 * a) }' ||
  { echo "the loss is '$loss', uninterrupted '$whole'"; exit 1; }
[ "$halves" -gt 0 ] || { echo "no kill came while a checkpoint was being stored"; exit 1; }
