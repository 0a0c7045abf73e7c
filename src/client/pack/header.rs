//! Tar headers: a ustar header per entry, preceded by a pax header for values that do not fit.

use std::time::{SystemTime, UNIX_EPOCH};

use tar::{EntryType, Header};

use super::plan::{Entry, Kind};
use crate::domain::archive::TAR_BLOCK;

/// Block size of tar in bytes.
pub(super) const BLOCK: u64 = TAR_BLOCK;
/// Maximum length of a name or link target in a ustar header, in bytes.
const FIELD: usize = 100;
/// Maximum number in a ustar header (11 octal digits); larger sizes are stored in a pax header.
const MAX_SIZE: u64 = 0o777_7777_7777;

/// Encodes the headers of an entry, padded to whole blocks.
pub(super) fn head(entry: &Entry) -> Vec<u8> {
    let path = if entry.is_directory() { format!("{}/", entry.path()) } else { entry.path().to_owned() };
    let (kind, size, target) = match &entry.kind {
        Kind::Directory => (EntryType::Directory, 0, ""),
        Kind::File { size, .. } => (EntryType::Regular, *size, ""),
        Kind::Link { target } => (EntryType::Symlink, 0, target.as_str()),
    };
    let seconds = seconds(entry.modified);
    let mut records = Vec::new();
    if !fits(&path) {
        record(&mut records, "path", &path);
    }
    if !fits(target) {
        record(&mut records, "linkpath", target);
    }
    if size > MAX_SIZE {
        record(&mut records, "size", &size.to_string());
    }
    if seconds < 0 {
        record(&mut records, "mtime", &seconds.to_string());
    }
    let mut head = Vec::new();
    if !records.is_empty() {
        // Programs without support for pax unpack the header as a file with this name.
        let fields = Fields { name: "pax-header", target: "", mode: 0o644, seconds, size: records.len() as u64 };
        head.extend_from_slice(header(EntryType::XHeader, &fields).as_bytes());
        head.append(&mut records);
        head.resize(head.len().next_multiple_of(512), 0);
    }
    let fields = Fields { name: &path, target, mode: entry.mode, seconds, size: size.min(MAX_SIZE) };
    head.extend_from_slice(header(kind, &fields).as_bytes());
    head
}

struct Fields<'a> {
    name: &'a str,
    target: &'a str,
    mode: u32,
    seconds: i64,
    size: u64,
}

/// Creates a ustar header without the file's owner.
fn header(kind: EntryType, fields: &Fields<'_>) -> Header {
    let mut header = Header::new_ustar();
    let raw = header.as_old_mut();
    copy(&mut raw.name, fields.name);
    copy(&mut raw.linkname, fields.target);
    header.set_entry_type(kind);
    header.set_mode(fields.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(fields.size);
    // 11 octal digits suffice until the year 2242.
    header.set_mtime(u64::try_from(fields.seconds).unwrap_or(0).min(MAX_SIZE));
    header.set_cksum();
    header
}

/// Copies `text` into a field, truncated and with non-ASCII bytes replaced. The pax header has the complete text.
fn copy(field: &mut [u8; FIELD], text: &str) {
    for (target, byte) in field.iter_mut().zip(text.bytes()) {
        *target = if byte.is_ascii() { byte } else { b'_' };
    }
}

fn fits(text: &str) -> bool {
    text.is_ascii() && text.len() <= FIELD
}

/// Appends the pax record `LENGTH KEY=VALUE\n`; the length includes its own digits.
fn record(records: &mut Vec<u8>, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() > length {
        length += 1;
    }
    records.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
}

/// Returns the whole seconds since the Unix epoch (UTC), rounded down; 0 without a time.
pub(super) fn seconds(time: Option<SystemTime>) -> i64 {
    let seconds = |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match time.map(|time| time.duration_since(UNIX_EPOCH)) {
        None => 0,
        Some(Ok(after)) => seconds(after),
        Some(Err(before)) => {
            let before = before.duration();
            -seconds(before) - i64::from(before.subsec_nanos() > 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_record_includes_its_own_digits() {
        for length in [0, 1, 87, 88, 89, 90, 91, 985, 986, 987, 988, 4_000] {
            let mut records = Vec::new();
            record(&mut records, "path", &"x".repeat(length));
            let text = String::from_utf8(records).unwrap();
            let (stated, _) = text.split_once(' ').unwrap();
            assert_eq!(stated.parse::<usize>().unwrap(), text.len(), "{length}");
        }
    }
}
