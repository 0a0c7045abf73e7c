# shellcheck shell=bash
# Functions of the benchmarks for the times of several rounds: one number per line and round. Source this file.

# note_seconds FILE COMMAND…: runs COMMAND, and adds the seconds that it took to FILE if it succeeds.
note_seconds() {
  local file=$1 start end
  shift
  start=$(date +%s%N)
  "$@" || return
  end=$(date +%s%N)
  awk "BEGIN { printf \"%.6f\n\", ($end - $start) / 1e9 }" >>"$file"
}

# ratios FILE OTHER…: the numbers of FILE, each divided by the least number of the OTHER files in the same round.
ratios() { paste "$@" | awk '{ least = $2; for (i = 3; i <= NF; i++) if ($i < least) least = $i; print $1 / least }'; }

# median: median of the numbers on stdin, with two decimals.
median() { sort -n | awk '{ value[NR] = $1 } END { printf "%.2f", value[int((NR + 1) / 2)] }'; }

# spread [DIGITS] [FACTOR]: median of the numbers on stdin, with the least and the largest: `1.20 (1.10 to 1.30)`.
spread() {
  sort -n | awk -v digits="${1:-2}" -v factor="${2:-1}" '
    { value[NR] = $1 * factor }
    END { f = "%." digits "f"; printf f " (" f " to " f ")", value[int((NR + 1) / 2)], value[1], value[NR] }'
}
