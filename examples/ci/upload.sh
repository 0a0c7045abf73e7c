#!/usr/bin/env bash
# Uploads a file from a CI job, and hands its link on to later steps. Both files beside this one call it.
#
#   upload.sh FILE [OPTION]...     options are those of `sgsend upload`, but for --json, --dry-run and --separate-key
#
# SGSEND_TOKEN (or SGSEND_TOKEN_FILE) comes from the job's secrets, SGSEND_SERVER from its variables. SGSEND_BIN names the
# binary, if it is not `sgsend`; SGSEND_ATTEMPTS is how often to try, and SGSEND_PAUSE how many seconds to wait before
# trying again.
#
# A link is a secret: who reads it reads the file. On GitHub it is masked in the log. GitLab cannot mask what a job makes,
# so it gets the link without its key; the key travels in the file KEY_FILE, or not at all with a passphrase.
set -euo pipefail

sgsend=${SGSEND_BIN:-sgsend}
attempts=${SGSEND_ATTEMPTS:-3}

usage() { echo "upload.sh: $*" >&2; exit 2; }
if ! [[ $attempts =~ ^[1-9][0-9]{0,3}$ ]]; then usage "SGSEND_ATTEMPTS must be a number from 1 to 9999, not '$attempts'"; fi
resume=--resume
for argument in "$@"; do
  case $argument in
    --) break ;;
    # What is printed is read below: the link on a line, and the key on the next.
    --json) usage "--json is not for this script, which reads what sgsend prints: call sgsend upload --json itself" ;;
    --dry-run) usage "--dry-run sends nothing, so there is no link to hand on: call sgsend upload --dry-run itself" ;;
    --separate-key) usage "--separate-key is what this script asks for anyway: leave it out" ;;
    # Each of them says what a further attempt does.
    --resume | --no-resume-state) resume='' ;;
    # What was read from a pipe cannot be read again.
    *) if [ "$argument" = - ] || [ -p "$argument" ]; then attempts=1; fi ;;
  esac
done

going_on=''
for ((attempt = 1; ; attempt++)); do
  exit=0
  said=$("$sgsend" upload ${going_on:+"$going_on"} --separate-key --no-input --quiet "$@") || exit=$?
  case $exit in
    0) break ;;
    # Network or server: the same call may succeed later. Everything else stays as it is.
    8 | 10) if [ "$attempt" -ge "$attempts" ]; then exit "$exit"; fi ;;
    *) exit "$exit" ;;
  esac
  # Some of it has arrived, and is not sent again.
  if [ "$exit" = 10 ]; then going_on=$resume; fi
  sleep "${SGSEND_PAUSE:-10}"
done

{ read -r link && read -r key; } <<<"$said" || { echo "upload.sh: sgsend has not printed a link and a key" >&2; exit 1; }

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
