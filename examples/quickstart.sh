#!/usr/bin/env bash
# Starts services on this machine, sends a file, downloads it, and shows the audit records and the stored data.
#
#   examples/quickstart.sh [FILE]      (default: the README)
#
# Builds sgsend first, unless SGSEND_BIN names the binary to use.
set -euo pipefail

file=$(realpath "${1:-$(dirname "$0")/../README.md}")
[ -f "$file" ] || { echo "file not found: $file" >&2; exit 2; }

echo "== Starting both services"
# shellcheck source=examples/services.sh
. "$(dirname "$0")/services.sh"
echo "public  $public"
echo "admin   $admin"

echo; echo "== Creating a sender token, saved for this user's uploads"
"$sgsend" --server "$public" --admin-server "$admin" --quiet token create quickstart --login >/dev/null

echo; echo "== Sending $file"
link=$("$sgsend" --server "$public" upload "$file" --downloads 1)
echo "$link"

echo; echo "== Downloading it by its link"
mkdir "$work/inbox"
"$sgsend" download "$link" -o "$work/inbox/" >/dev/null
cmp "$file" "$work/inbox/$(ls "$work/inbox")"
echo "identical to the original"

id=${link##*/d/}
id=${id%%#*}
echo; echo "== Audit records of the transfer"
"$sgsend" --admin-server "$admin" audit show "$id"

echo; echo "== Files stored by the server"
(cd "$work/store" && ls -lR)
echo "the encrypted payload starts with:"
od -A d -t x1 -N 64 "$(find "$work/store/payloads" -name '*.enc')"
if grep -qaF "$(basename "$file")" -r "$work/store"; then
  echo "the store contains the file's name" >&2
  exit 1
fi
echo "the store does not contain the file's name"
