# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for the scripts that source this file
# Sourced by the examples: starts both services over a new store, on free ports of this machine.
#
# Sets $sgsend (the binary), $work (a temporary folder), $public and $admin (URLs). Everything is stopped and removed
# when the shell exits. Builds sgsend first, unless SGSEND_BIN names the binary to use. SERVE_OPTIONS holds additional
# options of `sgsend serve`, and SERVE_STORAGE another location of the store.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -z "${SGSEND_BIN:-}" ]; then
  # Built for a quick first try: not optimised, and without stores in buckets unless they are asked for.
  features=(--no-default-features)
  case ${SERVE_STORAGE:-} in s3:*) features=() ;; esac
  cargo build --locked ${features[@]+"${features[@]}"} --manifest-path "$root/Cargo.toml"
  SGSEND_BIN=${CARGO_TARGET_DIR:-$root/target}/debug/sgsend
fi
sgsend=$(realpath "$SGSEND_BIN")

work=$(mktemp -d)
pids=()
if [ -z "${SERVE_OPTIONS+set}" ]; then SERVE_OPTIONS=(); fi
stop_services() {
  # Bash 3.2 (macOS) treats an empty array as unbound.
  for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
  for pid in ${pids[@]+"${pids[@]}"}; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop_services EXIT

# Uses a temporary home: the user's configuration is neither read nor changed.
for name in $(compgen -e SGSEND_ || true); do unset "$name"; done
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME
mkdir "$work/home"
export HOME=$work/home
if [ -n "${SERVE_STORAGE:-}" ]; then
  # sgsend generates no admin key for a store that other machines may reach.
  (umask 077 && od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"$work/admin-key")
  export SGSEND_ADMIN_KEY_FILE=$work/admin-key
fi

# start_service NAME: starts a service, waits until it listens, and sets $url to its URL.
start_service() {
  # The loop below may read this file before the service has created it.
  : >"$work/$1.log"
  "$sgsend" serve "$1" --listen 127.0.0.1:0 --storage "${SERVE_STORAGE:-file:$work/store}" ${SERVE_OPTIONS[@]+"${SERVE_OPTIONS[@]}"} 2>"$work/$1.log" &
  pids+=($!)
  for _ in $(seq 500); do
    url=$(sed -n "s/^$1 listening on //p" "$work/$1.log")
    if [ -n "$url" ]; then return; fi
    kill -0 "$!" 2>/dev/null || break
    sleep 0.02
  done
  cat "$work/$1.log" >&2
  exit 1
}

start_service public
public=$url
start_service admin
admin=$url
