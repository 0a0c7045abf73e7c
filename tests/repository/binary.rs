//! Checks of the built binary.

/// The symbols of aws-lc's entropy source from timing jitter. The source would take most of the processor time of a
/// small upload; `.cargo/config.toml` builds aws-lc without it.
const JITTER_SYMBOLS: &[u8] = b"jent_";

#[test]
fn no_entropy_comes_from_timing_jitter() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_sgsend")).unwrap();
    let contains = |text: &[u8]| memchr::memmem::find(&binary, text).is_some();
    // Symbol names are present, so their absence says something.
    assert!(contains(b"aws_lc_"), "the binary has no symbol names");
    assert!(!contains(JITTER_SYMBOLS), "aws-lc was built with its jitter entropy source");
}
