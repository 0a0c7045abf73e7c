#!/usr/bin/env bash
# Sends a file through services of its own on this machine, fetches it again, and shows what became of it.
#
#   examples/quickstart.sh [FILE]      (the README if none is given)
#
# Builds sgsend first, unless SGSEND_BIN names the binary to use.
set -euo pipefail

file=$(realpath "${1:-$(dirname "$0")/../README.md}")
[ -f "$file" ] || { echo "there is no file $file" >&2; exit 2; }

echo "== Starting both services"
. "$(dirname "$0")/services.sh"
echo "public  $public"
echo "admin   $admin"

echo; echo "== Making a sender token, kept for this user's uploads"
"$sgsend" --server "$public" --admin-server "$admin" --quiet token create quickstart --login >/dev/null

echo; echo "== Sending $file"
link=$("$sgsend" --server "$public" upload "$file" --downloads 1)
echo "$link"

echo; echo "== Fetching it by its link"
mkdir "$work/inbox"
"$sgsend" download "$link" -o "$work/inbox/" >/dev/null
cmp "$file" "$work/inbox/$(ls "$work/inbox")"
echo "the same, byte for byte"

id=${link##*/d/}
id=${id%%#*}
echo; echo "== What happened to the transfer"
"$sgsend" --admin-server "$admin" audit show "$id"

echo; echo "== What the server stored"
(cd "$work/store" && ls -lR)
echo "the payload begins with:"
od -A d -t x1 -N 64 "$(find "$work/store/payloads" -name "$id*")"
if grep -qaF "$(basename "$file")" -r "$work/store"; then
  echo "the file's name is in the store" >&2
  exit 1
fi
echo "the file's name is nowhere in it"
