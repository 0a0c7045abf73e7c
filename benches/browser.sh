#!/usr/bin/env bash
# Compares a transfer of 100 MiB in a browser with the command: seconds in both directions, and peak memory of the page.
# Then measures when the page of a link is painted and ready.
#
#   benches/browser.sh
#
# Downloads a browser as tests/browsers.sh does, and builds in release mode.
set -euo pipefail

cd "$(dirname "$0")/.."
exec tests/browsers.sh run cargo test --locked --release --test browser -- --ignored --nocapture benchmark
