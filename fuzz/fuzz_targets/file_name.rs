//! Sanitiser for file names from strangers.

#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use sgsend::domain::file_name::safe_file_name;

/// Characters that change the direction of text or separate lines.
const INVISIBLE: [char; 15] = [
    '\u{61c}', '\u{200b}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202b}', '\u{202c}',
    '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "COM1", "LPT9"];

fn check(safe: &str) {
    assert!(!safe.is_empty() && safe.len() <= 255, "{safe:?}");
    assert!(!safe.contains(|c: char| c.is_control() || c == '/' || c == '\\'), "{safe:?}");
    assert!(!safe.contains(INVISIBLE), "{safe:?}");
    assert!(Path::new(safe).components().eq([Component::Normal(safe.as_ref())]), "{safe:?} is a path");
    let (first, last) = (safe.chars().next().unwrap_or(' '), safe.chars().next_back().unwrap_or(' '));
    assert!(!first.is_whitespace() && first != '.' && first != '-', "{safe:?}");
    assert!(!last.is_whitespace() && last != '.', "{safe:?}");
    let stem = safe.split('.').next().unwrap_or_default().trim_end();
    assert!(!DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)), "{safe:?} is a device");
    assert_eq!(safe_file_name(safe), safe, "a safe name changed");
}

fuzz_target!(|name: &str| {
    let safe = safe_file_name(name);
    check(&safe);
    // Name of an archive.
    check(&safe_file_name(&format!("{safe}.tar")));
});
