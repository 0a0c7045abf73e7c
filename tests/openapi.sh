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
trap 'stop_services; rm -rf "$work"' EXIT
use_temporary_home "$work/home"
export PATH=$cache/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
start_services "$sgsend" memory: "$work/log"

for service in public admin; do
  curl -sSf -o "$work/$service.json" "${!service}/openapi.json"
  openapi-spec-validator "$work/$service.json" >&2
  openapi-python-client generate --path "$work/$service.json" --output-path "$work/${service}_client" --meta none \
    --config "$root/tests/openapi/generator.yml" --fail-on-warning >&2
done
PYTHONPATH=$work python3 "$root/tests/openapi/flow.py" "$public" "$admin" "$admin_key" "$root/tests/vectors/hello.sealed"
say "openapi.sh: both documents are valid, and the generated clients work"
