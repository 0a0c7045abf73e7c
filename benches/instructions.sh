#!/usr/bin/env bash
# Counts the instructions of common work by callgrind, and compares them with the recorded counts.
#
#   benches/instructions.sh          (prints the differences, and fails if a count grew by more than 5 %)
#   benches/instructions.sh bless    (records the counts in benches/instructions/counts.txt)
#
# Counts are those of the debug build with the toolchain of rust-toolchain.toml, which CI has anyway, of client and services
# in one process with one runtime thread over a store in memory. The processor's features are masked, so that machines
# agree. Needs valgrind. Builds the program, unless INSTRUCTIONS_BIN names it; INSTRUCTIONS_KEEP names a folder for
# callgrind's files, to be read by callgrind_annotate.
set -euo pipefail
cd "$(dirname "$0")/.."

action=${1:-check}
names=(upload seal status create)
counts=benches/instructions/counts.txt
case $action in
  check | bless) ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
if [ -z "${INSTRUCTIONS_BIN:-}" ]; then
  cargo build --locked --features lambda --example instructions
  INSTRUCTIONS_BIN=${CARGO_TARGET_DIR:-target}/debug/examples/instructions
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each function of `measured` is one dump of callgrind: from its first instruction to its return.
options=(--tool=callgrind --dump-line=no --callgrind-out-file="$work/out")
for name in "${names[@]}"; do
  for event in before after; do
    options+=("--dump-$event=instructions::measured::$name" "--dump-$event=instructions::measured::$name::h*")
  done
done
# Neither AVX nor anything newer, in aws-lc and in glibc; and no settings of this machine.
env -i HOME="$work" PATH="$PATH" TMPDIR="$work" \
  OPENSSL_ia32cap='~0x1000000000000000:0' \
  GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM,-AVX_Fast_Unaligned_Load \
  valgrind "${options[@]}" "$INSTRUCTIONS_BIN" >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  exit 1
}
if [ -n "${INSTRUCTIONS_KEEP:-}" ]; then cp "$work"/out* "$INSTRUCTIONS_KEEP"; fi

for name in "${names[@]}"; do
  dump=$(grep -lE "^desc: Trigger: --dump-after=instructions::measured::$name(::h.*)?$" "$work"/out* || true)
  if [ "$(wc -w <<<"$dump")" != 1 ]; then
    echo "callgrind has not measured instructions::measured::$name" >&2
    exit 1
  fi
  awk -v name="$name" '/^summary:/ { print name, $2; exit }' "$dump"
done >"$work/counts"

if [ "$action" = bless ]; then
  cp "$work/counts" "$counts"
  cat "$counts"
  exit
fi
if [ ! -s "$counts" ]; then
  cat "$work/counts"
  echo "no counts are recorded: run \`benches/instructions.sh bless\`" >&2
  exit 1
fi
join <(sort "$counts") <(sort "$work/counts") | awk '
  { change = 100 * ($3 - $2) / $2; printf "%-8s %14d instructions, recorded %14d, %+6.2f %%\n", $1, $3, $2, change }
  change > 5 { grown = 1 }
  change < -5 { shrunk = 1 }
  END {
    if (NR != 4) { print "the recorded counts are not those of this script"; exit 1 }
    if (shrunk) print "a count has shrunk by more than 5 %: record it with `benches/instructions.sh bless`"
    if (grown) { print "a count has grown by more than 5 %"; exit 1 }
  }'
