#!/usr/bin/env bash
# Checks notifications with independent programs: webhooks by the library `standardwebhooks`, e-mail with the mail server
# `aiosmtpd`, by TLS and STARTTLS, and the examples of docs/notifications.md against a local listener.
#
#   tests/notifications.sh [install]    install: only installs its packages
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
script=notifications.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

need_python
install_python "$root/tests/notifications/requirements.txt" "$root/target/notifications/python"
python=$root/target/notifications/python/bin/python
if [ "${1:-}" = install ]; then exit; fi
SGSEND_BIN=$(binary_to_test)
export SGSEND_BIN
exec "$python" "$root/tests/notifications/check.py" "$root"
