#!/usr/bin/env bash
# Checks the types of the page scripts: `tsc` reads their JSDoc comments, and generates nothing.
#
#   tests/scripts.sh            installs TypeScript, and runs the check
#   tests/scripts.sh install    only installs TypeScript
#
# TypeScript comes from npm and is installed into SGSEND_SCRIPTS_CACHE (default: target/scripts).
set -euo pipefail

typescript=7.0.2

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SGSEND_SCRIPTS_CACHE:-$root/target/scripts}

script=scripts.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

# install: installs this version into the cache, unless it is present.
install() {
  mkdir -p "$cache"
  (
    flock 9
    cd "$cache"
    install_npm typescript "$typescript"
  ) 9>"$cache/install.lock"
}

need_packages "npm:nodejs npm"
case ${1:-} in
  '')
    install
    # The service worker has other globals than the pages, hence its own project.
    for project in scripts save; do
      "$cache/node_modules/.bin/tsc" --project "$root/src/server/web/$project/jsconfig.json"
    done
    ;;
  install) install ;;
  *) fail "unknown command '$1'; use install" ;;
esac
