#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Brings a Debian-like machine to where tpx builds. Does what is missing, says so, and nothing else.
#
#   cmake/setup.sh [--hip] [--print-prefix]
#   cmake/setup.sh --pip
#
# CXX names the compiler (g++): one of the distribution's, clang++-16 say, is installed where it is missing.
#
#   --hip            also the compiler, the Kokkos and the Kokkos Kernels that HIP code is compiled with
#   --print-prefix   the folder that Kokkos was built into is the only line on standard output; empty when
#                    CMake finds an installed Kokkos by itself (CMAKE_PREFIX_PATH, Kokkos_ROOT)
#   --pip            only pip, which published models are fetched with
#
# TPX_CACHE is the folder for what is built once (default: $XDG_CACHE_HOME/tpx or ~/.cache/tpx). With HIP,
# KOKKOS_HIP_ROOT names an installed Kokkos to take instead.
set -euo pipefail

hip=no
pip=no
print_prefix=no
for option in "$@"; do
  case $option in
    --hip) hip=yes ;;
    --pip) pip=yes ;;
    --print-prefix) print_prefix=yes ;;
    -h | --help) sed -n '4,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "setup.sh: unknown option '$option' (known: --hip --pip --print-prefix)" >&2; exit 2 ;;
  esac
done

exec 3>&1  # the prefix goes here; everything else is talk
if [ "$print_prefix" = yes ]; then exec 1>&2; fi

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }

cache=${TPX_CACHE:-${XDG_CACHE_HOME:-${HOME:?neither TPX_CACHE nor HOME is set}/.cache}/tpx}
mkdir -p "$cache" || die "cannot make the cache folder $cache; name another one in TPX_CACHE"
cache=$(cd "$cache" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tpx-setup.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
jobs=$(nproc)

# ---- packages ---------------------------------------------------------------------------------------------

missing=()

need_command() { command -v "$1" > /dev/null || missing+=("$2"); }
need_file() { [ -e "$1" ] || missing+=("$2"); }

# Asks the compiler rather than the package manager: a header from anywhere it looks will do.
need_headers() {
  local header package question=""
  while read -r header package; do
    question+="#if !__has_include(<$header>)"$'\n'"$package"$'\n#endif\n'
  done
  if command -v "$compiler" > /dev/null; then
    mapfile -t -O "${#missing[@]}" missing < <(printf '%b' "$question" | "$compiler" -E -P -x c++ - | sed '/^ *$/d')
  else
    mapfile -t -O "${#missing[@]}" missing < <(printf '%b' "$question" | grep -v '^#')
  fi
}

# Whether the compiler there is has an OpenMP to link.
openmp_links() {
  echo 'int main() {}' | "$compiler" -fopenmp -x c++ - -o "$scratch/openmp" 2> /dev/null
}

# In which package a compiler is; Clang has its OpenMP in another.
compiler=${CXX:-g++}
case $compiler in
  clang++-[0-9]*) compiler_packages=("clang-${compiler#clang++-}" "libomp-${compiler#clang++-}-dev") ;;
  clang++) compiler_packages=(clang libomp-dev) ;;
  g++-[0-9]*) compiler_packages=("$compiler") ;;
  *) compiler_packages=(g++) ;;
esac

find_missing() {
  missing=()
  if [ "$pip" = yes ]; then
    python3 -m pip --version > /dev/null 2>&1 || missing+=(python3-pip)
    return
  fi
  need_command "$compiler" "${compiler_packages[0]}"
  if [ ${#compiler_packages[@]} -gt 1 ] && ! openmp_links; then missing+=("${compiler_packages[1]}"); fi
  need_command cmake cmake
  need_command make make
  need_command xz xz-utils
  need_command mpicxx libopenmpi-dev
  need_command mpiexec openmpi-bin
  need_command bible bible-kjv
  need_file /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz dataset-fashion-mnist
  need_headers << 'HEADERS'
cblas.h libopenblas-dev
oneapi/dnnl/dnnl.h libdnnl-dev
doctest/doctest.h doctest-dev
CLI/CLI.hpp libcli11-dev
nlohmann/json.hpp nlohmann-json3-dev
pcre2.h libpcre2-dev
HEADERS
  if [ "$hip" = yes ]; then need_command hipcc hipcc; fi
}

PATH=$PATH:/usr/games
find_missing
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get > /dev/null ||
    die "missing, and there is no apt-get to install it with (names as in Debian): ${missing[*]}"
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    as_root=(sudo)
    # A password can be asked for on a terminal only.
    if ! command -v sudo > /dev/null || { ! [ -t 0 ] && ! sudo -n true 2> /dev/null; }; then
      die "missing packages, and neither root nor sudo to install them. Ask an administrator for
    apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    fi
  fi
  root() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "$@"; }
  install() { root apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" > "$scratch/apt.log" 2>&1; }
  say "installing ${missing[*]}"
  fresh=no
  if ! apt-get install -s -qq --no-install-recommends "${missing[@]}" > /dev/null 2>&1; then
    say "updating the package lists first"
    root apt-get update -qq || say "apt-get update complained; going on with what it has"
    fresh=yes
  fi
  if ! install; then
    # The lists may name versions that the archive has replaced since.
    if [ "$fresh" = no ] && root apt-get update -qq && install; then :; else
      cat "$scratch/apt.log" >&2
      die "apt-get could not install ${missing[*]}"
    fi
  fi
  find_missing
  [ ${#missing[@]} -eq 0 ] || die "installed, but still not to be found: ${missing[*]}"
fi

if [ "$pip" = yes ]; then exit 0; fi

# ---- Kokkos -----------------------------------------------------------------------------------------------

# True when find_package gives Kokkos::kokkos, as some binary packages of it do not.
installed_kokkos() {
  mkdir -p "$scratch/seek" "$scratch/probe"
  # No version fits, so configuration files are listed without being loaded: quick when there is none.
  cat > "$scratch/seek/CMakeLists.txt" << 'CMAKE'
cmake_minimum_required(VERSION 3.24)
project(seek NONE)
find_package(Kokkos 9999 QUIET CONFIG)
if(NOT Kokkos_CONSIDERED_CONFIGS)
  message(FATAL_ERROR "none")
endif()
CMAKE
  cmake -S "$scratch/seek" -B "$scratch/seek/build" > /dev/null 2>&1 || return 1
  cat > "$scratch/probe/CMakeLists.txt" << 'CMAKE'
cmake_minimum_required(VERSION 3.24)
project(probe CXX)
find_package(Kokkos QUIET CONFIG)
if(NOT TARGET Kokkos::kokkos)
  message(FATAL_ERROR "none")
endif()
file(WRITE "${CMAKE_BINARY_DIR}/found" "${Kokkos_VERSION} in ${Kokkos_DIR}")
CMAKE
  cmake -S "$scratch/probe" -B "$scratch/probe/build" > /dev/null 2>&1 || return 1
  say "Kokkos $(cat "$scratch/probe/build/found")"
}

# The distribution's source package, through a private list made of the machine's own entries, so that
# neither the machine's configuration nor its package lists change.
fetch_sources() {
  sources=$cache/sources
  if [ -f "$sources/complete" ]; then return; fi
  command -v apt-get > /dev/null ||
    die "no Kokkos found, and no apt-get to fetch its sources with; install Kokkos and name it in Kokkos_ROOT"
  say "fetching the source package trilinos"
  local private=$scratch/apt entry
  mkdir -p "$private/lists/partial" "$private/archives/partial" "$private/parts" "$private/download"
  for entry in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if [ -f "$entry" ]; then
      sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$entry" > "$private/parts/$(basename "$entry" .list).list"
    fi
  done
  for entry in /etc/apt/sources.list.d/*.sources; do
    if [ -f "$entry" ]; then sed 's/^Types:.*/Types: deb-src/' "$entry" > "$private/parts/$(basename "$entry")"; fi
  done
  local options=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$private/parts"
    -o Dir::State::Lists="$private/lists" -o Dir::Cache="$private" -o Dir::Cache::Archives="$private/archives")
  if [ "$(id -u)" = 0 ]; then options+=(-o APT::Sandbox::User=root); fi
  # An entry without sources makes the update complain; what counts is whether the package then comes.
  apt-get -qq "${options[@]}" update > "$scratch/fetch.log" 2>&1 || true
  (cd "$private/download" && apt-get -qq "${options[@]}" source --download-only trilinos) >> "$scratch/fetch.log" 2>&1 ||
    { cat "$scratch/fetch.log" >&2; die "the source package trilinos could not be fetched; install Kokkos and name it in Kokkos_ROOT"; }
  rm -rf "$sources"
  mkdir -p "$sources"
  tar -xf "$private"/download/trilinos_*.orig.tar.* -C "$sources" --strip-components=2 --wildcards \
    '*/packages/kokkos/*' '*/packages/kokkos-kernels/*'
  touch "$sources/complete"
}

# build_one NAME SOURCE PREFIX CMAKE-OPTIONS...
build_one() {
  local name=$1 source=$2 to=$3 log=$cache/build-$1.log
  shift 3
  say "building $name (log: $log)"
  if ! { cmake -S "$source" -B "$scratch/$name" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$to" \
    -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_CXX_EXTENSIONS=OFF "$@" &&
    cmake --build "$scratch/$name" --parallel "$jobs" && cmake --install "$scratch/$name"; } > "$log" 2>&1; then
    tail -n 40 "$log" >&2
    die "$name did not build; the whole log is $log"
  fi
}

# ensure PREFIX RECIPE: builds into PREFIX under a lock. The stamp is written last: a folder without it is
# what an interrupted build left, and is built anew.
ensure() {
  local to=$1 recipe=$2
  if [ -f "$to/complete" ]; then return; fi
  exec 9> "$cache/lock"
  if ! flock -n 9; then
    say "waiting for another set-up that is building in $cache"
    flock 9
  fi
  if ! [ -f "$to/complete" ]; then
    local start=$SECONDS
    fetch_sources
    rm -rf "$to"
    "$recipe" "$to"
    touch "$to/complete"
    say "built $to in $((SECONDS - start)) s"
  fi
  exec 9>&-
}

kernels_options=(-DKokkosKernels_INST_FLOAT=ON -DKokkosKernels_INST_DOUBLE=ON -DKokkosKernels_INST_LAYOUTRIGHT=ON
  -DKokkosKernels_ADD_DEFAULT_ETI=OFF)

# How the BLAS names its functions is said rather than found out, which would take a Fortran compiler.
build_host() {
  build_one kokkos "$sources/kokkos" "$1" -DKokkos_CXX_STANDARD=17 -DKokkos_ENABLE_SERIAL=ON -DKokkos_ENABLE_OPENMP=ON
  build_one kokkos-kernels "$sources/kokkos-kernels" "$1" -DKokkos_ROOT="$1" "${kernels_options[@]}" \
    -DKokkosKernels_ENABLE_TPL_BLAS=ON -DBLAS_LIBRARIES=openblas -DKokkosKernels_ENABLE_TPL_LAPACK=OFF \
    "-DF77_BLAS_MANGLE=(name,NAME) name ## _"
}

build_hip() {
  build_one kokkos-hip "$sources/kokkos" "$1" -DCMAKE_CXX_COMPILER=hipcc -DKokkos_CXX_STANDARD=17 \
    -DKokkos_ENABLE_SERIAL=ON -DKokkos_ENABLE_HIP=ON -DKokkos_ARCH_VEGA908=ON
  build_one kokkos-kernels-hip "$sources/kokkos-kernels" "$1" -DCMAKE_CXX_COMPILER=hipcc -DKokkos_ROOT="$1" \
    "${kernels_options[@]}"
}

prefix=
if [ "$hip" = yes ]; then
  export ROCM_PATH=/usr HIP_PLATFORM=amd
  if [ -n "${KOKKOS_HIP_ROOT:-}" ]; then
    prefix=$KOKKOS_HIP_ROOT
  else
    prefix=$cache/kokkos-hip-$(uname -m)
    ensure "$prefix" build_hip
  fi
elif ! installed_kokkos; then
  # Objects of one compiler need not link with those of another.
  prefix=$cache/kokkos-$(uname -m)-$(basename "$compiler")-$("$compiler" -dumpversion)
  ensure "$prefix" build_host
fi

say "ready${prefix:+: Kokkos in $prefix}"
if [ "$print_prefix" = yes ]; then echo "$prefix" >&3; fi
