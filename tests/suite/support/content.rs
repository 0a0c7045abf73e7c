//! Test content.

use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Size of a block of content in bytes.
const BLOCK: usize = 64 << 10;

/// Returns content in which no two parts of more than two blocks are alike. Only the number at the start of a block
/// differs between blocks, because computing each byte takes seconds for hundreds of megabytes in a debug build.
pub(crate) fn content(length: u32) -> Vec<u8> {
    let length = usize::try_from(length).unwrap();
    let numbers = 0..u32::try_from(BLOCK).unwrap();
    let mut block: Vec<u8> = numbers.map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let mut content = Vec::with_capacity(length.next_multiple_of(BLOCK));
    for number in 0..length.div_ceil(BLOCK) as u64 {
        block[..8].copy_from_slice(&number.to_be_bytes());
        content.extend_from_slice(&block);
    }
    content.truncate(length);
    content
}

/// Overwrites the start of a file in place, so that no reader finds the file shorter meanwhile.
pub(crate) fn overwrite(path: &Path, bytes: &[u8]) {
    let mut file = File::options().write(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}
