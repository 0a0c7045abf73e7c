#!/usr/bin/env bash
# Compares a transfer in Chromium with the command, and with pages that only encrypt, send, receive or save: seconds or
# rates, and peak memory of the page. Then measures when the page of a link is painted and ready.
#
#   benches/browser.sh [MIB]   MIB: size of the transfer (default: 100)
#
# Downloads a browser as tests/browsers.sh does, and builds in release mode.
set -euo pipefail

cd "$(dirname "$0")/.."
export SGSEND_BENCH_MIB=${1:-100}
exec tests/browsers.sh run cargo test --locked --release --test browser -- --ignored --nocapture benchmark
