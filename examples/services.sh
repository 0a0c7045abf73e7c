# Sourced by the examples: starts both services of a store of their own, on free ports of this machine.
#
# Sets $sgsend (the binary), $work (a temporary folder), $public and $admin (URLs). Everything is stopped and removed
# when the shell ends. Builds sgsend first, unless SGSEND_BIN names the binary to use. SERVE_OPTIONS are further options
# of `sgsend serve`, SERVE_STORAGE another place for the store.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -z "${SGSEND_BIN:-}" ]; then
  cargo build --release --locked --manifest-path "$root/Cargo.toml"
  SGSEND_BIN=${CARGO_TARGET_DIR:-$root/target}/release/sgsend
fi
sgsend=$(realpath "$SGSEND_BIN")

work=$(mktemp -d)
pids=()
if [ -z "${SERVE_OPTIONS+set}" ]; then SERVE_OPTIONS=(); fi
stop_services() {
  # An empty array is unbound to the Bash of macOS.
  for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
  for pid in ${pids[@]+"${pids[@]}"}; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop_services EXIT

# A home of its own: nothing of this user's configuration is read or changed.
for name in $(compgen -e SGSEND_ || true); do unset "$name"; done
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME
mkdir "$work/home"
export HOME=$work/home
if [ -n "${SERVE_STORAGE:-}" ]; then
  # No key is made for a store that others may reach.
  (umask 077 && od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"$work/admin-key")
  export SGSEND_ADMIN_KEY_FILE=$work/admin-key
fi

# start_service NAME: starts a service and waits until it says where it listens; its URL is in $url.
start_service() {
  # The service may make this file later than it is first looked at.
  : >"$work/$1.log"
  "$sgsend" serve "$1" --listen 127.0.0.1:0 --storage "${SERVE_STORAGE:-file:$work/store}" ${SERVE_OPTIONS[@]+"${SERVE_OPTIONS[@]}"} 2>"$work/$1.log" &
  pids+=($!)
  for _ in $(seq 100); do
    url=$(sed -n "s/^$1 listening on //p" "$work/$1.log")
    if [ -n "$url" ]; then return; fi
    kill -0 "$!" 2>/dev/null || break
    sleep 0.1
  done
  cat "$work/$1.log" >&2
  exit 1
}

start_service public
public=$url
start_service admin
admin=$url
