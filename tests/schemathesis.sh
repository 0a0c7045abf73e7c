#!/usr/bin/env bash
# Fuzzes both services with Schemathesis: valid and invalid requests, checked against the OpenAPI document.
#
#   tests/schemathesis.sh [memory|file|s3]...      over each of these stores in turn (default: memory file)
#   tests/schemathesis.sh install                  only installs Schemathesis
#
# FUZZ_SEED repeats a run; FUZZ_EXAMPLES is the number of random cases per operation (default: 20), in addition to the
# boundary cases. s3 uses a running S3 server, as in `tests/s3.sh run SERVER -- tests/schemathesis.sh s3`, or starts
# LocalStack. Schemathesis is installed from PyPI on first use, below SGSEND_FUZZ_CACHE (default: target/schemathesis).
# Builds sgsend first, unless SGSEND_BIN names the binary to test.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SGSEND_FUZZ_CACHE:-$root/target/schemathesis}
wanted=$root/tests/schemathesis/requirements.txt
examples=${FUZZ_EXAMPLES:-20}
export FUZZ_SEED=${FUZZ_SEED:-$RANDOM$RANDOM}

script=schemathesis.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

stores=("$@")
if [ ${#stores[@]} = 0 ]; then stores=(memory file); fi
for store in "${stores[@]}"; do
  case $store in memory | file | s3 | install) ;; *) fail "unknown store '$store'; use memory, file or s3" ;; esac
done
if [[ " ${stores[*]} " == *" s3 "* && -z "${SGSEND_TEST_S3_ENDPOINT:-}" ]]; then
  exec "$root/tests/s3.sh" run localstack -- "$0" "${stores[@]}"
fi

need_packages "curl:curl ca-certificates"
need_python
install_python "$wanted" "$cache/venv"
if [ "${stores[0]}" = install ]; then exit; fi
sgsend=$(binary_to_test)

work=$(mktemp -d)
trap 'stop_services; rm -rf "$work"' EXIT
use_temporary_home "$work/home"
export FUZZ_KEY=$admin_key
metrics_key=a-metrics-key-for-fuzzing-long-enough
export SGSEND_METRICS_KEY=$metrics_key

# storage STORE: prints the storage location.
storage() {
  case $1 in
    memory) echo memory: ;;
    file) echo "file:$work/store" ;;
    s3)
      local bucket=sgsend-fuzz-$RANDOM$RANDOM
      curl -sSf -o /dev/null -m 10 --aws-sigv4 aws:amz:us-east-1:s3 --user test:test \
        -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -X PUT "$SGSEND_TEST_S3_ENDPOINT/$bucket"
      echo "s3://$bucket/fuzz?endpoint=$SGSEND_TEST_S3_ENDPOINT&path_style=1"
      ;;
  esac
}

# start STORE: starts both services, and exports their URLs and a token for the hooks.
start() {
  local location
  location=$(storage "$1")
  start_services "$sgsend" "$location" "$work/log"
  export FUZZ_PUBLIC=$public FUZZ_ADMIN=$admin FUZZ_TOKEN
  FUZZ_TOKEN=$("$sgsend" --admin-server "$admin" --quiet token create fuzz)
}

# fuzz NAME URL EXAMPLES [SCHEME KIND=VALUE]…: fuzzes one service, with a credential for each security scheme given.
# Prints the full output of a failed run, and otherwise the summary.
failed=()
fuzz() {
  local name=$1 url=$2 number=$3
  cp "$root/tests/schemathesis/schemathesis.toml" "$work"
  shift 3
  while [ $# -gt 0 ]; do
    printf '[auth.openapi.%s]\n%s = "%s"\n' "$1" "${2%%=*}" "${2#*=}" >>"$work/schemathesis.toml"
    shift 2
  done
  say "== $name"
  export FUZZ_ANSWERS=$work/answers.json
  curl -sSf -o "$work/document.json" "$url/openapi.json"
  local status=0
  (
    cd "$work"
    PYTHONPATH=$root/tests/schemathesis PYTHONDONTWRITEBYTECODE=1 "$cache/venv/bin/schemathesis" run "$url/openapi.json" --checks all --exclude-operation-id stream_events --seed "$FUZZ_SEED" --max-examples "$number" --continue-on-failure \
      --generation-database none --request-timeout 30 --no-color
  ) >"$work/said" 2>&1 || status=$?
  if [ "$status" = 0 ]; then sed -n '/^=* SUMMARY/,$p' "$work/said" >&2; else cat "$work/said" >&2; failed+=("$name"); fi
}

# reached NAME OPERATION...: checks that all other operations succeeded at least once in the last run.
reached() {
  local name=$1
  shift
  if ! python3 "$root/tests/schemathesis/reached.py" "$work/answers.json" "$work/document.json" "$@" >&2; then
    failed+=("$name: some operations never succeeded")
  fi
}

say "== Seed: $FUZZ_SEED"
for store in "${stores[@]}"; do
  start "$store"
  # A stream of events does not end.
  not_here=("GET /events/stream")
  # These stores use the bytes flow, which has no presigned URLs.
  if [ "$store" != s3 ]; then not_here+=("POST /transfers/id/{transfer_id}/upload/create-presign-urls"); fi
  fuzz "$store: public" "$FUZZ_PUBLIC" "$examples" sender_token "bearer=$FUZZ_TOKEN" metrics_key "bearer=$metrics_key"
  reached "$store: public" "${not_here[@]}"
  # Requests without a credential that a route needs are refused before they reach the store.
  if [ "$store" != s3 ]; then fuzz "$store: public, without a token" "$FUZZ_PUBLIC" "$((examples / 2))"; fi
  fuzz "$store: admin" "$FUZZ_ADMIN" "$examples" admin_key "api_key=$FUZZ_KEY"
  # Proofs are given of a generated key only.
  reached "$store: admin" "POST /auth/prove"
  if [ "$store" != s3 ]; then fuzz "$store: admin, without a key" "$FUZZ_ADMIN" "$((examples / 2))"; fi
  if grep -E 'ERROR|panicked' "$work/log" >&2; then failed+=("$store: the server's log"); fi
  stop_services
  rm -rf "$work/store"
done
if [ ${#failed[@]} -gt 0 ]; then
  printf 'schemathesis.sh: failed with FUZZ_SEED=%s: %s\n' "$FUZZ_SEED" "$(IFS=';'; echo "${failed[*]}")" >&2
  exit 1
fi
