#!/usr/bin/env bash
# Tests the pages in real browsers: headless Chromium and Firefox, on loopback.
#
#   tests/browsers.sh                   installs the requirements, and runs the tests
#   tests/browsers.sh install           only installs the requirements
#   tests/browsers.sh paint             regenerates the screenshots in docs/pictures/
#   tests/browsers.sh run COMMAND...    installs the requirements, and runs a command with them
#
# Browsers and ChromeDriver come from the system. geckodriver (built from crates.io) and axe-core (from npm) are
# installed into SGSEND_BROWSERS_CACHE (default: target/browsers).
set -euo pipefail

geckodriver=0.37.1 axe=4.14.1

root=$(cd "$(dirname "$0")/.." && pwd)
export SGSEND_BROWSERS_CACHE=${SGSEND_BROWSERS_CACHE:-$root/target/browsers}

script=browsers.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

# install: installs these versions into the cache, unless they are present.
install() {
  mkdir -p "$SGSEND_BROWSERS_CACHE"
  (
    flock 9
    cd "$SGSEND_BROWSERS_CACHE"
    if [ "$(bin/geckodriver --version 2>/dev/null | sed -n '1s/geckodriver \([^ ]*\).*/\1/p')" != "$geckodriver" ]; then
      say "== Building geckodriver $geckodriver"
      env -u CARGO_TARGET_DIR -u RUSTC_WORKSPACE_WRAPPER CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
        cargo install geckodriver --quiet --debug --locked --version "$geckodriver" --root . --force
    fi
    install_npm axe-core "$axe"
  ) 9>"$SGSEND_BROWSERS_CACHE/install.lock"
}

need_packages "chromium chromium-browser:chromium" chromedriver:chromium-driver "firefox-esr firefox:firefox-esr" \
  "npm:nodejs npm" /usr/sbin/nginx:nginx-light
install
case ${1:-} in
  '')
    cd "$root"
    # The test support limits the number of concurrent browsers.
    cargo test --locked --features lambda --test browser -- --include-ignored --skip s3::
    # Presigned flow: payloads go directly between pages and a bucket.
    tests/s3.sh run localstack -- cargo test --locked --features lambda --test browser -- --include-ignored s3:: receive:: send:: flows::large::
    ;;
  install) ;;
  paint)
    cd "$root"
    exec cargo test --locked --features lambda --test browser -- --ignored screenshots
    ;;
  run)
    shift
    if [ $# = 0 ]; then fail "usage: tests/browsers.sh run COMMAND..."; fi
    exec "$@"
    ;;
  *) fail "unknown command '$1'; use install, paint or run" ;;
esac
