#!/usr/bin/env bash
# Uploads a file from a CI job, and hands its link on to later steps. Both files beside this one call it.
#
#   upload.sh FILE [OPTION]...     options are those of `sgsend upload`
#
# SGSEND_SERVER and SGSEND_TOKEN (or SGSEND_TOKEN_FILE) come from the job's secrets. SGSEND_BIN names the binary, if it
# is not `sgsend`; SGSEND_ATTEMPTS is how often to try, and SGSEND_PAUSE how many seconds to wait before trying again.
#
# A link is a secret: who reads it reads the file. On GitHub it is masked in the log. GitLab cannot mask what a job makes,
# so it gets the link without its key; the key travels in the file KEY_FILE, or not at all with a passphrase.
set -euo pipefail

sgsend=${SGSEND_BIN:-sgsend}
attempts=${SGSEND_ATTEMPTS:-3}

for attempt in $(seq "$attempts"); do
  exit=0
  said=$("$sgsend" upload "$@" --separate-key --no-input --quiet) || exit=$?
  case $exit in
    0) break ;;
    # Network or server: the same call may succeed later. Everything else stays as it is.
    8 | 10) if [ "$attempt" = "$attempts" ]; then exit "$exit"; fi ;;
    *) exit "$exit" ;;
  esac
  sleep "${SGSEND_PAUSE:-10}"
done

{ read -r link; read -r key; } <<<"$said"

if [ -n "${GITHUB_OUTPUT:-}" ]; then
  echo "::add-mask::$key"
  echo "::add-mask::$link#$key"
  printf 'link=%s\nkey=%s\n' "$link" "$key" >>"$GITHUB_OUTPUT"
fi
if [ -n "${DOTENV_FILE:-}" ]; then
  printf 'SGSEND_LINK=%s\n' "$link" >>"$DOTENV_FILE"
fi
if [ -n "${KEY_FILE:-}" ]; then
  (umask 077 && printf '%s\n' "$key" >"$KEY_FILE")
fi
echo "$link"
