# For sourcing: the Python environment of bench/ and the release build that it measures. Both lie
# outside the clone or in build/, are made by the first run and found by the next.
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/common.sh"

# Makes an environment once for each content of the requirement files; sets $python. The first file
# is needed; what cannot be installed of the others is written to missing-NAME.txt in the
# environment, where the row of that engine finds its reason, and is tried again by the next run.
make_environment() {
  local stamp venv file name
  stamp=$(cat "$@" | sha256sum | cut -c1-16)
  venv="$cache/venv-bench-$stamp"
  python="$venv/bin/python"
  exec 8>"$venv.lock"
  flock 8
  if [ ! -e "$venv/ready" ]; then
    say "making the Python environment $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r "$1" >&2
    touch "$venv/ready"
  fi
  for file in "${@:2}"; do
    name=$(basename "$file" .txt)
    name=${name#requirements-}
    [ ! -e "$venv/installed-$name" ] || continue
    say "installing the baseline $name"
    if "$venv/bin/pip" install --quiet -r "$1" -r "$file" >"$venv/pip-$name.log" 2>&1; then
      touch "$venv/installed-$name"
      rm -f "$venv/missing-$name.txt"
    else
      grep -E '^ERROR' "$venv/pip-$name.log" | tail -1 >"$venv/missing-$name.txt" || true
      say "no $name: $(cat "$venv/missing-$name.txt")"
    fi
  done
  exec 8>&-
}

# Builds targets of the release preset, unless MILLRACE_BIN names a program to measure instead.
build_release() {
  "$root/scripts/setup" --build
  build release "$@" >&2
}
