#!/bin/sh
# Compiles a crate of this workspace with libFuzzer's instrumentation: run.sh names it to cargo as RUSTC_WORKSPACE_WRAPPER.
#
# The flags are those of cargo-fuzz. No address sanitizer: the crate forbids unsafe code, so the possible findings are
# panics and violated invariants, and the targets run faster without it. Warnings are errors: this is the build of the
# crate without default features.
exec "$@" -Dwarnings --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
