#!/usr/bin/env bash
# Creates, uploads, completes and downloads a transfer with curl alone: all that other software needs.
#
#   examples/curl.sh SEALED_FILE                                        through services of its own
#   SERVER=https://… TOKEN=sgs_… examples/curl.sh SEALED_FILE           through yours
#
# The payload is sealed before it comes here; a server takes any bytes and looks at none.
set -euo pipefail

sealed=$(realpath "${1:?usage: curl.sh SEALED_FILE}")
[ -f "$sealed" ] || { echo "there is no file $sealed" >&2; exit 2; }
if [ -z "${SERVER:-}" ]; then
  . "$(dirname "$0")/services.sh"
  SERVER=$public
  TOKEN=$("$sgsend" --admin-server "$admin" --quiet token create curl)
fi
: "${TOKEN:?is the sender token for $SERVER}"

call() { curl --silent --show-error --fail-with-body "$@"; }
# The token comes to curl by a pipe: everybody on this machine can read what its arguments are.
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
echo "downloaded  the same bytes"

as_sender -d '{}' "$transfer/delete" >/dev/null
echo "deleted     $(call "$transfer/events/list" | grep -o '"kind":"[a-z_]*"' | cut -d'"' -f4 | tr '\n' ' ')"
