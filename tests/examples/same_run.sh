#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   same_run.sh TEXT PROGRAM LAUNCHER NP-FLAG
#
# gpt_train on one rank and on every kind of mesh, schedule, ZeRO stage and recomputation: the losses of the result line
# agree to 1e-10 and the samples to the character, in float the losses to 1e-4, and each mesh communicated what was
# predicted, and held at its peak what was predicted to 10 %.
set -euo pipefail
text=$1 program=$2 launcher=$3 np_flag=$4

# train RANKS MESH [OPTION...]: the output
train() {
  "$launcher" "$np_flag" "$1" "$program" --mesh "$2" --text "$text" --layers 2 --hidden 48 --heads 12 --context 16 \
    --batch 12 --steps 30 --precision double "${@:3}" < /dev/null  # or the launcher reads the list of meshes
}
# number KEY OUTPUT: from the last line
number() { tail -n 1 <<< "$2" | sed -n "s/^result {.*\"$1\":\([0-9.e+-]*\)[,}].*/\1/p"; }
sample() { sed -n '/^held-out loss/,/^Communication/p' <<< "$1" | sed '1d;$d'; }

alone=$(train 1 tp=1) alone_float=$(train 1 tp=1 --precision float)
[ "$(sample "$alone" | wc -c)" -ge 300 ] || { echo "no sample of 300 characters:"; echo "$alone"; exit 1; }
failures=0 runs=0
while IFS='|' read -r ranks mesh calls options; do
  read -ra extra <<< "$options"
  here=$(train "$ranks" "$mesh" "${extra[@]}")
  expected=$alone within=1e-10
  if [[ $options == *float* ]]; then expected=$alone_float within=1e-4; fi
  for key in loss_first loss_final loss_heldout; do
    one=$(number $key "$expected") many=$(number $key "$here")
    awk -v a="$one" -v b="$many" -v w=$within 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a > 0 && d <= w * a) }' ||
      { echo "$mesh $options: $key is '$many', on one rank '$one'"; failures=$((failures + 1)); }
  done
  awk -v a="$(number predicted "$here")" -v b="$(number peak "$here")" \
    'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a > 0 && d <= 0.1 * a) }' ||
    { echo "$mesh $options: the memory at its peak is not the predicted"; tail -n 1 <<< "$here"; failures=$((failures + 1)); }
  [[ $options == *float* || "$(sample "$here")" = "$(sample "$alone")" ]] ||
    { echo "$mesh: another sample"; failures=$((failures + 1)); }
  for part in "\"example\":\"gpt_train\",\"mesh\":\"$mesh\",\"steps\":30," '"as_predicted":true' "$calls"; do
    tail -n 1 <<< "$here" | grep -qF "$part" || { echo "$mesh: no $part in the result"; failures=$((failures + 1)); }
  done
  runs=$((runs + 1))
done << 'MESHES'
2|tp=2|{"tp":{"all_reduce":{"calls":13,|
3|tp=3|{"tp":{"all_reduce":{"calls":13,|
4|tp=4|{"tp":{"all_reduce":{"calls":13,|
2|dp=2,tp=1|{"dp":{"all_reduce":{"calls":6,|
4|dp=2,tp=2|{"dp":{"all_reduce":{"calls":5,|--nodes 2
2|dp=2,tp=1|"reduce_scatter":{"calls":4,|--zero 2 --micro-batches 5 --recompute attention
2|pp=2,tp=1|"send":{"calls":3,"elements":9216,|--schedule gpipe --micro-batches 3 --placement measured
3|dp=3,tp=1|"all_gather":{"calls":4,|--zero 1 --precision float
2|dp=2,tp=1|"reduce_scatter":{"calls":2,|--zero 2 --precision float --micro-batches 2 --bucket-bytes 130000
2|dp=2,tp=1|"reduce_scatter":{"calls":4,|--zero 3 --precision float --recompute block
8|dp=2,pp=2,tp=2|"send":{"calls":8,"elements":6144,|--zero 1 --schedule 1f1b --micro-batches 8 --recompute block
MESHES
[ "$runs" = 11 ] || { echo "of 11 meshes $runs were run"; exit 1; }
exit $((failures > 0))
