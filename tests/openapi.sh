#!/usr/bin/env bash
# Validates both OpenAPI documents, generates a Python client from each, and runs a whole transfer with the clients.
#
#   tests/openapi.sh             against a server on free ports, with a store in memory
#   tests/openapi.sh install     only installs the validator and the generator
#
# openapi-spec-validator and openapi-python-client are installed from PyPI on first use, below SGSEND_OPENAPI_CACHE
# (default: target/openapi). Builds sgsend first, unless SGSEND_BIN names the binary to test.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SGSEND_OPENAPI_CACHE:-$root/target/openapi}

script=openapi.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

case ${1:-} in '' | install) ;; *) fail "unknown argument '$1'; use install" ;; esac
need_packages "curl:curl ca-certificates"
need_python
install_python "$root/tests/openapi/requirements.txt" "$cache/venv"
if [ "${1:-}" = install ]; then exit; fi
sgsend=$(binary_to_test)

work=$(mktemp -d)
server=''
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi; rm -rf "$work"' EXIT

# Uses a temporary home: the user's configuration is neither read nor changed.
for name in $(compgen -e SGSEND_ || true); do unset "$name"; done
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME
export HOME=$work PATH=$cache/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
key=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
(umask 077 && echo "$key" >"$work/admin-key")

: >"$work/log"
"$sgsend" serve all --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --storage memory: \
  --admin-key-file "$work/admin-key" 2>"$work/log" &
server=$!
for _ in $(seq 300); do
  public=$(sed -n 's/^public listening on //p' "$work/log")
  admin=$(sed -n 's/^admin listening on //p' "$work/log")
  if [ -n "$public" ] && [ -n "$admin" ]; then break; fi
  if ! kill -0 "$server" 2>/dev/null; then cat "$work/log" >&2; fail "the server did not start"; fi
  sleep 0.1
done

for service in public admin; do
  curl -sSf -o "$work/$service.json" "${!service}/openapi.json"
  openapi-spec-validator "$work/$service.json" >&2
  openapi-python-client generate --path "$work/$service.json" --output-path "$work/${service}_client" --meta none \
    --config "$root/tests/openapi/generator.yml" --fail-on-warning >&2
done
PYTHONPATH=$work python3 "$root/tests/openapi/flow.py" "$public" "$admin" "$key" "$root/tests/vectors/hello.sealed"
say "openapi.sh: both documents are valid, and the generated clients work"
