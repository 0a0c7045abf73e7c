#!/usr/bin/env bash
# Checks keys for recipients against stock age, and signatures against OpenSSH: both agree with sgsend on what they accept
# and on what they refuse. What was signed is built by tests/format/example.py, from docs/format.md alone.
#
#   tests/people.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
script=people.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

need_packages age:age age-keygen:age ssh-keygen:openssh-client "curl:curl ca-certificates"
need_python
install_python "$root/tests/format/requirements.txt" "$root/target/format/python"
python=$root/target/format/python/bin/python
example() { "$python" "$root/tests/format/example.py" "$@"; }
refuses() { if "$@" >"$work/refused" 2>&1; then fail "this succeeds: $*"; fi; }
work=$(mktemp -d)
trap 'stop_services; rm -rf "$work"' EXIT

sgsend=$(binary_to_test)
use_temporary_home "$work/home"
start_services "$sgsend" "file:$work/store" "$work/log"
export SGSEND_SERVER=$public SGSEND_ADMIN_SERVER=$admin
"$sgsend" --quiet token create people --login >/dev/null
head -c 3000001 /dev/urandom >"$work/large.bin"
age-keygen -o "$work/ada" 2>/dev/null
ada=$(age-keygen -y "$work/ada")
age-keygen -o "$work/other" 2>/dev/null
for name in bob signer stranger; do ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$work/$name"; done
ssh-keygen -q -t ed25519 -N 'a passphrase' -C protected -f "$work/protected"

say "== Keys of sgsend, opened by age"
link=$("$sgsend" --quiet upload "$work/large.bin" --to "$ada" --to "$work/bob.pub" --to "$work/protected.pub" \
  "--sign=$work/signer")
id=$(sed 's|.*/d/\([0-9a-f]*\)#.*|\1|' <<<"$link") fragment=${link#*#}
curl -sf -o "$work/keys" "$public/transfers/id/$id/keys"
key=$(age -d -i "$work/ada" "$work/keys")
[ "$(age -d -i "$work/bob" "$work/keys")" = "$key" ] || fail "the recipients have different keys"
refuses age -d -i "$work/other" "$work/keys"
[ "to.$(example commitment "$key")" = "$fragment" ] || fail "the link does not bind the key"
refuses curl -sf "$public/transfers/id/$id/payload/download-bytes"
proof=(-H "x-sgsend-access: $(example proof "$key" | cut -d' ' -f1)")
curl -sf "${proof[@]}" -o "$work/payload" "$public/transfers/id/$id/payload/download-bytes"
example open "$key" "$work/payload" "$work/content" >/dev/null
cmp "$work/large.bin" "$work/content"
for identity in ada bob; do
  "$sgsend" download "$link" -i "$work/$identity" -o "$work/received" --overwrite --require-signature >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
  cmp "$work/large.bin" "$work/received"
done

say "== Keys of age, opened by sgsend"
for recipients in "-r $ada" "-R $work/bob.pub -r $ada"; do
  # shellcheck disable=SC2086 # options are words
  printf %s "$key" | age $recipients -o "$work/foreign" 2>/dev/null
  "$sgsend" open "$work/payload" --keys "$work/foreign" -i "$work/ada" -o "$work/received" --overwrite >/dev/null 2>&1
  cmp "$work/large.bin" "$work/received"
  refuses "$sgsend" open "$work/payload" --keys "$work/foreign" -i "$work/other" -o "$work/received" --overwrite
  rm "$work/foreign"
done

say "== An identity of sgsend, used by age"
public_key=$("$sgsend" key new)
printf 'hello\n' | age -r "$public_key" | age -d -i "$HOME/.config/sgsend/identity" | grep -qx hello

say "== Signatures of sgsend, verified by OpenSSH"
status=$(curl -sf "${proof[@]}" "$public/transfers/id/$id/status")
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$status"; }
example signature "$key" "$(member signature)" "$work/sshsig" | grep -q '"recipients": \["'
example statement "$key" "$work/payload" "$public" "$(member info)" "$work/keys" "$(member signature)" >"$work/statement"
[ "$(wc -l <"$work/statement")" = 10 ] || fail "the statement has other lines"
printf 'ada %s\n' "$(cut -d' ' -f1,2 "$work/signer.pub")" >"$work/allowed"
printf 'ada %s\n' "$(cut -d' ' -f1,2 "$work/stranger.pub")" >"$work/others"
verify() { ssh-keygen -Y verify -f "$1" -I ada -n "$2" -s "$work/sshsig" <"$3"; }
verify "$work/allowed" sgsend "$work/statement" >/dev/null
refuses verify "$work/others" sgsend "$work/statement"
refuses verify "$work/allowed" file "$work/statement"
for line in $(seq 10); do
  # Any other line is refused: the last character of each one is changed.
  sed "${line}s/.\$/_/" "$work/statement" >"$work/changed"
  cmp -s "$work/statement" "$work/changed" && fail "line $line was not changed"
  refuses verify "$work/allowed" sgsend "$work/changed"
done
say "== age and OpenSSH agree with sgsend"
