#!/usr/bin/env bash
# Uploads a file from a CI job, and passes its link on to later steps. Used by github.yml and gitlab.yml in this folder.
#
#   upload.sh FILE [OPTION]...     options of `sgsend upload`, except --json, --dry-run and --separate-key
#
# SGSEND_TOKEN (or SGSEND_TOKEN_FILE) comes from the job's secrets, SGSEND_SERVER from its variables. SGSEND_BIN names
# the binary (default: sgsend), SGSEND_ATTEMPTS is the maximum number of attempts (default: 3), and SGSEND_PAUSE the
# pause between attempts in seconds (default: 10).
#
# A link is a secret: it gives access to the file. On GitHub the link is masked in the log. GitLab can't mask values
# that a job generates, so its log and variables get the link without the key. The key is written to the file KEY_FILE;
# with a passphrase, the key alone does not decrypt the file.
set -euo pipefail

sgsend=${SGSEND_BIN:-sgsend}
attempts=${SGSEND_ATTEMPTS:-3}

usage() { echo "upload.sh: $*" >&2; exit 2; }
if ! [[ $attempts =~ ^[1-9][0-9]{0,3}$ ]]; then usage "SGSEND_ATTEMPTS must be a number from 1 to 9999, not '$attempts'"; fi
resume=--resume
for argument in "$@"; do
  case $argument in
    --) break ;;
    # The script reads the output below: the link on the first line, the key on the second.
    --json) usage "--json is not for this script, which reads what sgsend prints: call sgsend upload --json itself" ;;
    --dry-run) usage "--dry-run sends nothing, so there is no link to hand on: call sgsend upload --dry-run itself" ;;
    --separate-key) usage "--separate-key is what this script asks for anyway: leave it out" ;;
    # The caller chooses how further attempts resume.
    --resume | --no-resume-state) resume='' ;;
    # Input from a pipe can't be read again.
    *) if [ "$argument" = - ] || [ -p "$argument" ]; then attempts=1; fi ;;
  esac
done

going_on=''
for ((attempt = 1; ; attempt++)); do
  exit=0
  said=$("$sgsend" upload ${going_on:+"$going_on"} --separate-key --no-input --quiet "$@") || exit=$?
  case $exit in
    0) break ;;
    # Network and server errors: a retry may succeed. Other errors are permanent.
    8 | 10) if [ "$attempt" -ge "$attempts" ]; then exit "$exit"; fi ;;
    *) exit "$exit" ;;
  esac
  # The upload is incomplete: the next attempt resumes it.
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
  # A file of an earlier job would keep its mode. A link, such as /dev/stdout, stays.
  if [ -f "$KEY_FILE" ] && [ ! -L "$KEY_FILE" ]; then rm -- "$KEY_FILE"; fi
  (umask 077 && printf '%s\n' "$key" >"$KEY_FILE")
fi
echo "$link"
