# shellcheck shell=bash
# shellcheck disable=SC2154 # `script` and `root` are set by the scripts that source this file
# Functions that install what the test scripts need, and start services. Sourced by them; each script sets `script` to its
# name for messages.

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
    "$venv/bin/python" -m pip install -q --no-compile --disable-pip-version-check -r "$wanted"
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

# test_binary TEST: builds an integration test with the feature lambda, and prints the path of its binary.
test_binary() {
  cargo test --locked --features lambda --no-run --test "$1" --message-format=json |
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

# use_temporary_home FOLDER: makes FOLDER the home, so that the user's configuration is neither read nor changed. Sets
# $admin_key, and names its file for the commands that follow.
use_temporary_home() {
  local name
  for name in $(compgen -e SGSEND_ | grep -v ^SGSEND_TEST_ || true); do unset "$name"; done
  unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME
  mkdir -p "$1"
  export HOME=$1 SGSEND_ADMIN_KEY_FILE=$1/admin-key
  admin_key=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
  (umask 077 && echo "$admin_key" >"$SGSEND_ADMIN_KEY_FILE")
}

# start_services SGSEND STORAGE LOG: starts both services in one process on free ports, and sets $server to the process
# and $public and $admin to the URLs.
start_services() {
  # The loop below may read this file before the server has created it.
  : >"$3"
  "$1" serve all --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --storage "$2" 2>"$3" &
  server=$!
  local _
  for _ in $(seq 300); do
    public=$(sed -n 's/^public listening on //p' "$3")
    admin=$(sed -n 's/^admin listening on //p' "$3")
    if [ -n "$public" ] && [ -n "$admin" ]; then return; fi
    if ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.1
  done
  cat "$3" >&2
  fail "the server did not start"
}

# stop_services: ends the process of start_services, if there is one.
stop_services() {
  if [ -n "${server:-}" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  server=''
}
