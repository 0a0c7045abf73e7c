#!/usr/bin/env bash
# Checks tests/format/example.py, an implementation written from docs/format.md alone, against the test vectors and
# against sgsend, in both directions.
#
#   tests/format.sh [install | vectors]    install: only installs its package; vectors: writes the vectors made here again
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
script=format.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

need_python
install_python "$root/tests/format/requirements.txt" "$root/target/format/python"
python=$root/target/format/python/bin/python
if [ "${1:-}" = install ]; then exit; fi
example() { "$python" "$root/tests/format/example.py" "$@"; }
work=$(mktemp -d)
trap 'stop_services; rm -rf "$work"' EXIT

# The file, key, salt and nonce prefix of padded.sealed.
padded_vector() {
  printf 'padding %.0s' {1..117} >"$work/padded.txt"
  example seal "$work/padded.txt" "$1" "$(printf '%064x' 305419896)" "$(printf 'ab%.0s' {1..32})" 01020304050607
}
# The folder, key, salt and nonce prefix of archive.sealed.
archive_vector() {
  local folder=$work/holiday
  rm -rf "$folder"
  mkdir -p "$folder/photos"
  printf 'not a picture\n' >"$folder/photos/gr$(printf '\xc3\xbc\xc3\x9f')e.txt"
  printf 'x%.0s' {1..700} >"$folder/photos/$(printf 'long%.0s' {1..30}).bin"
  printf 'read me\n' >"$folder/readme.txt"
  find "$folder" -exec touch -d 2026-03-01T12:00:00Z {} +
  example archive "$folder" "$1" "$(printf '%064x' 2596069104)" "$(printf 'cd%.0s' {1..32})" 07060504030201
}
if [ "${1:-}" = vectors ]; then
  padded_vector "$root/tests/vectors/padded.sealed"
  archive_vector "$root/tests/vectors/archive.sealed"
  exit
fi

say "== Test vectors"
padded_vector "$work/padded.sealed" >/dev/null
cmp "$work/padded.sealed" "$root/tests/vectors/padded.sealed"
archive_vector "$work/archive.sealed" >/dev/null
cmp "$work/archive.sealed" "$root/tests/vectors/archive.sealed"
"$python" - "$root/tests" "$work" <<'PYTHON'
import base64, hashlib, json, subprocess, sys

tests, work = sys.argv[1:]
vectors = json.load(open(f"{tests}/vectors/vectors.json"))

def example(*arguments, given=None):
    command = [sys.executable, f"{tests}/format/example.py", *arguments]
    return subprocess.run(command, input=given, check=True, capture_output=True, text=True).stdout

for vector in vectors["links"]:
    key, passphrase = vector["link"].split("#")[1], [vector["passphrase"]] if "passphrase" in vector else []
    metadata = json.loads(example("open", key, f"{tests}/vectors/{vector['sealed']}", f"{work}/content", *passphrase))
    content = open(f"{work}/content", "rb").read()
    assert metadata["size"] == len(content), vector["sealed"]
    assert metadata.get("mode") == vector.get("mode"), vector["sealed"]
    for name, actual in (("filename", metadata["filename"]), ("content", content.decode(errors="replace"))):
        assert vector.get(name, actual) == actual, vector["sealed"]
    assert example("proof", key, *passphrase).split() == [vector["access_proof"], vector["access_sha256"]]
for vector in vectors["archives"]:
    sealed = f"{tests}/vectors/{vector['sealed']}"
    assert json.loads(example("list", vector["key"], sealed)) == vector["index"]
    for path, content in vector["files"].items():
        example("extract", vector["key"], sealed, path, f"{work}/content")
        assert open(f"{work}/content", "rb").read().decode() == content, path
for vector in vectors["info_blocks"]:
    assert json.loads(example("info", vector["key"], vector["block"])) == vector["info"]
for vector in vectors["further_links"]:
    link_id, key = vector["link_id"], vector["key"]
    passphrase = [vector["passphrase"]] if "passphrase" in vector else []
    own = f"v1.{vector['payload_key']}"
    assert vector["link"].endswith(f"/d/{link_id}#{key}")
    assert example("link", link_id, key, vector["wrapped_key"], *passphrase).strip() == own
    assert example("label", link_id, own, vector["label"]).rstrip("\n") == vector["name"]
    made = example("add", link_id, key, own, vector["name"], vector["nonces"], *passphrase).split()
    assert made == [vector["wrapped_key"], vector["label"]]
    assert example("proof", key, *passphrase).split() == [vector["access_proof"], vector["access_sha256"]]
for vector in vectors["recipients"]:
    assert example("commitment", vector["key"]).strip() == vector["commitment"]
    assert vector["link"].endswith(f"#to.{vector['commitment']}")
for vector in vectors["signatures"]:
    keys = vector["keys"]
    with open(f"{work}/keys", "wb") as file:
        file.write(base64.urlsafe_b64decode(keys + "=" * (-len(keys) % 4)))
    made = example(
        "statement", vector["key"], f"{tests}/vectors/{vector['sealed']}", vector["root"], "-", f"{work}/keys",
        vector["signature"],
    )
    assert made == vector["statement"]
sizes = vectors["padded_sizes"]
given = "".join(f"{size}\n" for size, _ in sizes)
assert [int(line) for line in example("sizes", given=given).split()] == [padded for _, padded in sizes]
PYTHON

say "== Transfers of sgsend"
sgsend=$(binary_to_test)
use_temporary_home "$work/home"
start_services "$sgsend" "file:$work/store" "$work/log"
export SGSEND_SERVER=$public SGSEND_ADMIN_SERVER=$admin
"$sgsend" --quiet token create example --login >/dev/null
head -c 3000001 /dev/urandom >"$work/large.bin"
printf 'gr%b\n' '\xc3\xbc\xc3\x9fe' >"$work/small.txt"
printf 'a pass phrase\n' >"$work/passphrase"
for options in "" "--no-padding" "--passphrase-file $work/passphrase --downloads 2"; do
  for file in large.bin small.txt; do
    # shellcheck disable=SC2086 # options are words
    link=$("$sgsend" upload $options --message "for you: $file" "$work/$file")
    id=$(sed 's|.*/d/\([0-9a-f]*\)#.*|\1|' <<<"$link") key=${link#*#}
    passphrase=()
    case $options in *passphrase*) passphrase=("a pass phrase") ;; esac
    # An id alone gives no ciphertext.
    proof=(-H "x-sgsend-access: $(example proof "$key" ${passphrase[@]+"${passphrase[@]}"} | cut -d' ' -f1)")
    if curl -sf -o "$work/payload" "$public/transfers/id/$id/payload/download-bytes"; then
      fail "a download without its proof succeeds"
    fi
    curl -sf "${proof[@]}" -o "$work/payload" "$public/transfers/id/$id/payload/download-bytes"
    example open "$key" "$work/payload" "$work/content" ${passphrase[@]+"${passphrase[@]}"} >"$work/metadata"
    cmp "$work/$file" "$work/content"
    grep -qF "\"filename\": \"$file\"" "$work/metadata"
    block=$(curl -sf "${proof[@]}" "$public/transfers/id/$id/status" | sed -n 's/.*"info":"\([^"]*\)".*/\1/p')
    example info "$key" "$block" ${passphrase[@]+"${passphrase[@]}"} >"$work/info"
    grep -qF "\"filename\": \"$file\", \"size\": $(stat -c %s "$work/$file")," "$work/info"
    grep -qF "\"message\": \"for you: $file\"" "$work/info"
    if curl -sf "$public/transfers/id/$id/status" | grep -q '"info"'; then
      fail "the info block of a protected transfer is given out without its proof"
    fi
    size=$(stat -c %s "$work/payload")
    case "$options $file" in
      "--no-padding large.bin") [ "$size" -lt 3000300 ] || fail "a payload without padding has $size bytes" ;;
      *large.bin) [ "$size" = $((3014656 + 40 + 3 * 16)) ] || fail "a padded payload has $size bytes" ;;
    esac
  done
done

# Without a message, limits and notifications, an id is enough for the ciphertext.
link=$("$sgsend" upload --notify never "$work/small.txt")
curl -sf -o "$work/payload" "$public/transfers/id/$(sed 's|.*/d/\([0-9a-f]*\)#.*|\1|' <<<"$link")/payload/download-bytes"
example open "${link#*#}" "$work/payload" "$work/content" >/dev/null
cmp "$work/small.txt" "$work/content"

say "== Further links of sgsend, and of the example"
for options in "" "--passphrase-file $work/passphrase"; do
  # shellcheck disable=SC2086 # options are words
  line=$("$sgsend" upload $options --link 'Ada & Zoe' --link Bob --keep-key "$work/small.txt" | head -n 1)
  link=${line#*$'\t'}
  id=$(sed 's|.*/d/\([0-9a-f]*\)#.*|\1|' <<<"$link") key=${link#*#}
  passphrase=()
  case $options in *passphrase*) passphrase=("a pass phrase") ;; esac
  proof=(-H "x-sgsend-access: $(example proof "$key" ${passphrase[@]+"${passphrase[@]}"} | cut -d' ' -f1)")
  if curl -sf "$public/transfers/id/$id/status" | grep -q 'wrapped_key\|size_bytes'; then
    fail "the id of a further link gives more than its state"
  fi
  status=$(curl -sf "${proof[@]}" "$public/transfers/id/$id/status")
  wrapped=$(sed -n 's/.*"wrapped_key":"\([^"]*\)".*/\1/p' <<<"$status")
  own=$(example link "$id" "$key" "$wrapped" ${passphrase[@]+"${passphrase[@]}"})
  curl -sf "${proof[@]}" -o "$work/payload" "$public/transfers/id/$id/payload/download-bytes"
  example open "$own" "$work/payload" "$work/content" >/dev/null
  cmp "$work/small.txt" "$work/content"
done
token=$(sed -n 's/^token = "\(.*\)"/\1/p' "$HOME/.config/sgsend/config.toml")
transfer=$("$sgsend" history --json | sed 's/.*"transfer_id":"\([0-9a-f]*\)".*/\1/')
read -r id key <<<"$(example newlink passphrase)"
{ read -r wrapped; read -r label; } <<<"$(example add "$id" "$key" "$own" "Carol" "" "a pass phrase")"
digest=$(example proof "$key" "a pass phrase" | cut -d' ' -f2)
curl -sf -H "authorization: Bearer $token" -H 'content-type: application/json' -o /dev/null \
  -d "{\"link_id\":\"$id\",\"wrapped_key\":\"$wrapped\",\"access_sha256\":\"$digest\",\"label\":\"$label\"}" \
  "$public/transfers/id/$transfer/links/create"
"$sgsend" download "$public/d/$id#$key" --passphrase-file "$work/passphrase" -o "$work/opened" --overwrite >/dev/null
cmp "$work/small.txt" "$work/opened"
"$sgsend" link list "$public/d/$id#$key" --json | grep -q '"link_id":"'"$id"'"'
say "== Archives of sgsend"
mkdir -p "$work/tree/deep/er" "$work/tree/empty"
printf 'one\n' >"$work/tree/one.txt"
head -c 1500000 /dev/urandom >"$work/tree/deep/er/large.bin"
printf 'gr%b\n' '\xc3\xbc' >"$work/tree/deep/gr$(printf '\xc3\xbc').txt"
link=$("$sgsend" upload --notify never "$work/tree")
id=$(sed 's|.*/d/\([0-9a-f]*\)#.*|\1|' <<<"$link") key=${link#*#}
curl -sf -o "$work/payload" "$public/transfers/id/$id/payload/download-bytes"
example list "$key" "$work/payload" >"$work/index"
for path in one.txt deep/er/large.bin "deep/gr$(printf '\xc3\xbc').txt"; do
  example extract "$key" "$work/payload" "$path" "$work/content"
  cmp "$work/tree/$path" "$work/content"
done

say "== Payloads of the example"
key=$(example archive "$work/tree" "$work/payload")
printf %s "$key" >"$work/key"
"$sgsend" open "$work/payload" --key-file "$work/key" -o "$work/unpacked" >/dev/null
diff -r "$work/tree" "$work/unpacked"
for file in large.bin small.txt; do
  key=$(example seal "$work/$file" "$work/payload")
  printf %s "$key" >"$work/key"
  "$sgsend" open "$work/payload" --key-file "$work/key" -o "$work/opened" --overwrite >/dev/null
  cmp "$work/$file" "$work/opened"
done
say "== The format is that of its documentation"
