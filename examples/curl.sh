#!/usr/bin/env bash
# Creates, uploads, completes and downloads a transfer with curl alone, as a template for other API clients.
#
#   examples/curl.sh SEALED_FILE                                        starts services on this machine
#   SERVER=https://… TOKEN=sgs_… examples/curl.sh SEALED_FILE           uses your server
#
# SEALED_FILE is encrypted already; servers accept any bytes and never interpret them.
set -euo pipefail

sealed=$(realpath "${1:?usage: curl.sh SEALED_FILE}")
[ -f "$sealed" ] || { echo "file not found: $sealed" >&2; exit 2; }
if [ -z "${SERVER:-}" ]; then
  # shellcheck source=examples/services.sh
  . "$(dirname "$0")/services.sh"
  SERVER=$public
  TOKEN=$("$sgsend" --admin-server "$admin" --quiet token create curl)
fi
: "${TOKEN:?must be the sender token for $SERVER}"

call() { curl --silent --show-error --fail-with-body "$@"; }
# Passes the token through a pipe, because all users of this machine can read curl's arguments.
as_sender() { call -H @<(printf 'authorization: Bearer %s\n' "$TOKEN") "$@"; }
output=$(mktemp)

size=$(($(wc -c <"$sealed")))
created=$(as_sender -d "{\"size_bytes\":$size,\"expires_in_s\":3600}" "$SERVER/transfers/create")
id=$(sed 's/.*"transfer_id":"\([0-9a-f]*\)".*/\1/' <<<"$created")
transfer=$SERVER/transfers/id/$id
echo "created     $id"

as_sender -H "content-type: application/octet-stream" --data-binary "@$sealed" "$transfer/payload/upload-bytes" >/dev/null
echo "uploaded    $size bytes"

as_sender -d '{}' "$transfer/upload/complete" >/dev/null
echo "completed   $(call "$transfer/status")"

call -o "$output" "$transfer/payload/download-bytes"
cmp "$sealed" "$output"
rm "$output"
echo "downloaded  identical bytes"

as_sender -d '{}' "$transfer/delete" >/dev/null
echo "deleted     $(call "$transfer/events/list" | grep -o '"kind":"[a-z_]*"' | cut -d'"' -f4 | tr '\n' ' ')"
