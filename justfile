# Short names for the common commands; `just --list` shows them. Each recipe calls an existing script or cargo command.

# Builds the release binary
build:
    cargo build --release --locked

# Compiles everything without running it
check:
    cargo check --locked --all-targets

# Formatting and lints, as in CI
lint:
    cargo fmt --check --all && cargo clippy --locked --all-targets --features lambda -- -D warnings && cargo clippy --locked --all-targets --no-default-features -- -D warnings

# Tests that need nothing beyond this machine; arguments go to cargo test
test *arguments:
    cargo test --locked --features lambda {{arguments}}

# Tests over buckets, on LocalStack and SeaweedFS
test-s3 *servers:
    tests/s3.sh {{servers}}

# Tests of the pages in Chromium and Firefox
test-browsers:
    tests/browsers.sh

# Types of the page scripts, with TypeScript
check-scripts:
    tests/scripts.sh

# Licences and sources of the dependencies, or advisories
check-dependencies *checks:
    tests/deny.sh {{checks}}

# Fuzzes every parser, or the named targets
fuzz seconds="30" *targets:
    fuzz/run.sh {{seconds}} {{targets}}

# Mixed load at a fixed rate; the other benchmarks are in benches/
bench seconds="30" rate="300":
    benches/load.sh {{seconds}} {{rate}}

# Single operations, by criterion
bench-operations *filter:
    cargo bench --locked --package sgsend-benches -- {{filter}}

# Documentation of all items, with warnings as errors
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --features lambda --no-deps --document-private-items

# Everything that must hold before a change lands
ci:
    .ci/run
