# shellcheck shell=bash
# shellcheck disable=SC2154 # `script` and `root` are set by the scripts that source this file
# Functions that install what the test scripts need. Sourced by them; each script sets `script` to its name for messages.

say() { echo "$*" >&2; }
fail() { say "$script: $*"; exit 2; }

# need_packages "PROGRAM...:PACKAGE..." ...: where none of the programs of an argument is installed, installs its Debian
# packages in CI; elsewhere it names them and fails.
need_packages() {
  local missing=() pair programs packages
  for pair in "$@"; do
    read -ra programs <<<"${pair%%:*}"
    read -ra packages <<<"${pair#*:}"
    # `command -v` succeeds if it finds any of them.
    command -v "${programs[@]}" >/dev/null || missing+=("${packages[@]}")
  done
  if [ ${#missing[@]} = 0 ]; then return; fi
  if [ "${CI:-}" != true ]; then fail "needs ${missing[*]}; on Debian: apt-get install ${missing[*]}"; fi
  apt-get update -q
  apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# need_python: the same for Python with venv.
need_python() {
  if python3 -c 'import venv, ensurepip' 2>/dev/null; then return; fi
  if [ "${CI:-}" != true ]; then fail "needs python3 with venv; on Debian: apt-get install python3-venv"; fi
  apt-get update -q
  apt-get install -q -y --no-install-recommends python3 python3-venv
}

# install_python REQUIREMENTS FOLDER: fills FOLDER with a virtual environment of these packages. A copy of the list is
# written last: an interrupted installation, another list or a Python that is gone lead to a new installation.
install_python() {
  local wanted=$1 venv=$2
  mkdir -p "$(dirname "$venv")"
  (
    flock 9
    if cmp -s "$wanted" "$venv/installed" && "$venv/bin/python" -c ''; then exit; fi
    say "== Installing $(basename "$wanted" .txt) into $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$venv/installing"
    mv "$venv/installing" "$venv/installed"
  ) 9>"$venv.lock"
}

# install_npm PACKAGE VERSION: installs a package from npm into this folder, unless this version is present.
install_npm() {
  if grep -qs "\"version\": \"$2\"" "node_modules/$1/package.json"; then return; fi
  say "== Installing $1 $2"
  npm install --silent --no-audit --no-fund --prefix . "$1@$2"
}

# test_binary TEST: builds an integration test, and prints the path of its binary.
test_binary() {
  cargo test --locked --no-run --test "$1" --message-format=json |
    sed -n 's/.*"kind":\["test"\].*"executable":"\([^"]*\)".*/\1/p'
}

# binary_to_test: prints the path of the sgsend to test: SGSEND_BIN, or a debug build of this tree.
binary_to_test() {
  if [ -z "${SGSEND_BIN:-}" ]; then
    cargo build --locked --manifest-path "$root/Cargo.toml"
    SGSEND_BIN=${CARGO_TARGET_DIR:-$root/target}/debug/sgsend
  fi
  realpath "$SGSEND_BIN"
}
