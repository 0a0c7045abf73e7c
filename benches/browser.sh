#!/usr/bin/env bash
# 100 MiB in a page beside the command: seconds both ways, and the most memory that the page's process had.
#
#   benches/browser.sh
#
# Gets a browser as tests/browsers.sh does, and builds everything as it is released.
set -euo pipefail

cd "$(dirname "$0")/.."
exec tests/browsers.sh run cargo test --locked --release --test browser -- --ignored --nocapture measure
