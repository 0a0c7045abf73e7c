#!/usr/bin/env bash
# The pages in real browsers: Chromium and Firefox without windows, on loopback.
#
#   tests/browsers.sh                   gets what is needed, and runs the tests
#   tests/browsers.sh install           only gets what is needed
#   tests/browsers.sh paint             paints the pictures in docs/ anew
#   tests/browsers.sh run COMMAND...    gets what is needed, and runs any command with it
#
# Browsers and ChromeDriver come from the system. geckodriver is built from crates.io and axe-core comes from npm, into
# SGSEND_BROWSERS_CACHE (target/browsers).
set -euo pipefail

geckodriver=0.37.1 axe=4.14.1

root=$(cd "$(dirname "$0")/.." && pwd)
export SGSEND_BROWSERS_CACHE=${SGSEND_BROWSERS_CACHE:-$root/target/browsers}

say() { echo "$*" >&2; }
fail() { say "browsers.sh: $*"; exit 2; }

# any PROGRAM...: whether one of them is there.
any() { command -v "$@" >/dev/null; }

# need_tools: what comes from the system. CI installs what is missing; people are told.
need_tools() {
  local missing=()
  any chromium chromium-browser || missing+=(chromium)
  any chromedriver || missing+=(chromium-driver)
  any firefox-esr firefox || missing+=(firefox-esr)
  any npm || missing+=(nodejs npm)
  if [ ${#missing[@]} = 0 ]; then return; fi
  if [ "${CI:-}" != true ]; then fail "needs ${missing[*]}; on Debian: apt-get install ${missing[*]}"; fi
  apt-get update -q
  apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# install: fills the cache with these versions, unless they are there.
install() {
  mkdir -p "$SGSEND_BROWSERS_CACHE"
  (
    flock 9
    cd "$SGSEND_BROWSERS_CACHE"
    if [ "$(bin/geckodriver --version 2>/dev/null | sed -n '1s/geckodriver \([^ ]*\).*/\1/p')" != "$geckodriver" ]; then
      say "== Building geckodriver $geckodriver"
      cargo install geckodriver --quiet --debug --locked --version "$geckodriver" --root . --force
    fi
    if ! grep -qs "\"version\": \"$axe\"" node_modules/axe-core/package.json; then
      say "== Installing axe-core $axe"
      npm install --silent --no-audit --no-fund --prefix . "axe-core@$axe"
    fi
  ) 9>"$SGSEND_BROWSERS_CACHE/install.lock"
}

need_tools
install
case ${1:-} in
  '')
    cd "$root"
    # Each test has a browser of its own, and a machine has room for few.
    cargo test --locked --test browser -- --include-ignored --skip s3::
    # Payloads that go by signed URLs: straight between pages and a bucket.
    tests/s3.sh run localstack -- cargo test --locked --test browser -- --include-ignored s3:: receive:: send:: large::
    ;;
  install) ;;
  paint)
    cd "$root"
    exec cargo test --locked --test browser -- --ignored screenshots
    ;;
  run)
    shift
    if [ $# = 0 ]; then fail "usage: tests/browsers.sh run COMMAND..."; fi
    exec "$@"
    ;;
  *) fail "there is no '$1': install, paint, run" ;;
esac
