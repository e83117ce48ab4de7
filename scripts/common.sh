# For sourcing: where things are, and how the scripts speak. Everything that is downloaded or can be
# made again lies outside the clone, so that a fresh clone on a warm machine is quick.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/millrace-dev"
mkdir -p "$cache/bin"

# Objects of another clone at another path are found too.
export CCACHE_DIR="$cache/ccache" CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1
# Precompiled headers are cached like objects.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
# Two compilers at a time on two cores; a machine with more may use them all.
jobs=$(nproc)

say() { echo "$(basename "$0"): $*" >&2; }
die() {
  say "$*"
  exit 1
}

# Configures (once) and builds: build PRESET [TARGET...]
build() {
  local preset=$1
  shift
  say "building $preset"
  if [ ! -e "$root/build/$preset/build.ninja" ]; then
    (cd "$root" && cmake --preset "$preset" >"$cache/cmake-$preset.log" 2>&1) ||
      { cat "$cache/cmake-$preset.log" >&2; die "cmake --preset $preset failed"; }
  fi
  cmake --build "$root/build/$preset" -j "$jobs" ${1+--target "$@"}
}
