//! Tests of the index of an archive.

use proptest::prelude::*;

use super::*;

const TAR: u64 = 8 * TAR_BLOCK;

fn parse(json: &str) -> Result<Option<ArchiveIndex>, InvalidIndex> {
    let bytes = [INDEX_MAGIC.as_slice(), json.as_bytes(), &(json.len() as u64).to_be_bytes()].concat();
    let position = IndexPosition { start: TAR, json_bytes: json.len() as u64 };
    ArchiveIndex::parse(&bytes, position)
}

/// Returns the JSON of an entry with one header block.
fn entry(path: &str, kind: &str, offset: u64, size: u64) -> String {
    let data = offset + TAR_BLOCK;
    let link = if kind == "symlink" { r#","link":"b""# } else { "" };
    format!(
        r#"{{"path":"{path}","kind":"{kind}","offset":{offset},"data":{data},"size":{size},"mode":420,"modified_ms":0{link}}}"#
    )
}

fn array(entries: &[String]) -> String {
    format!("[{}]", entries.join(","))
}

#[test]
fn an_index_is_found_from_the_end_of_the_content() {
    let find = |size: u64, length: u64| IndexPosition::find(size, length.to_be_bytes());
    assert_eq!(find(1_024 + 16 + 2, 2), Some(IndexPosition { start: 1_024, json_bytes: 2 }));
    let largest = find(10_240 + MAX_INDEX_BYTES + 16, MAX_INDEX_BYTES).unwrap();
    assert_eq!((largest.start, largest.bytes()), (10_240, MAX_INDEX_BYTES + 16));
    for (size, length) in [
        (10_240, 0),
        (10_240 + 17, 1),
        (1_024 + 16 + 1, 2),
        (1_025 + 16 + 2, 2),
        (512 + 16 + 2, 2),
        (10_240 + MAX_INDEX_BYTES + 17, MAX_INDEX_BYTES + 1),
        (u64::MAX, u64::MAX),
        (0, 2),
    ] {
        assert_eq!(find(size, length), None, "{size} {length}");
    }
}

#[test]
fn entries_are_read_in_the_order_of_the_archive() {
    let entries = [
        entry("d", "directory", 0, 0),
        entry("d/ü", "file", 512, 513).replace("420", "2541"),
        entry("l", "symlink", 2_048, 0).replace('}', r#","colour":1}"#),
    ];
    let index = parse(&array(&entries)).unwrap().unwrap();
    let [directory, file, link] = &index.entries[..] else { panic!("{index:?}") };
    assert_eq!((directory.kind, file.kind, link.kind), (IndexKind::Directory, IndexKind::File, IndexKind::Symlink));
    assert_eq!((file.path.as_str(), file.offset, file.data, file.end()), ("d/ü", 512, 1_024, Some(2_048)));
    assert_eq!((file.mode, index.tar_bytes), (0o755, TAR));
    assert_eq!(link.link.as_ref().unwrap().as_str(), "b");
    assert_eq!(parse("[]").unwrap().unwrap().entries, []);
}

#[test]
fn content_without_the_magic_has_no_index() {
    let position = IndexPosition { start: TAR, json_bytes: 2 };
    assert_eq!(ArchiveIndex::parse(&[0; 18], position).unwrap(), None);
    assert!(matches!(ArchiveIndex::parse(b"SGINDEX\0[", position), Err(InvalidIndex::Magic)));
}

#[test]
fn paths_that_leave_the_archive_are_rejected() {
    for path in ["../a", "/etc/passwd", "a/../../b", "C:/x", "a\\\\b", "a//b", "a\\u001bb", "a\\u202eb", ""] {
        let outcome = parse(&array(&[entry(path, "file", 0, 1)]));
        assert!(matches!(outcome, Err(InvalidIndex::Path(..))), "{path}: {outcome:?}");
    }
    let escaping = entry("a", "symlink", 0, 0).replace(r#":"b""#, r#":"../b""#);
    assert!(matches!(parse(&array(&[escaping])), Err(InvalidIndex::Link(..))));
}

#[test]
fn duplicates_and_entries_below_files_are_rejected() {
    for (one, other) in [("a", "a"), ("a", "a/b"), ("a/b", "a")] {
        let kinds = if one == "a/b" { ("file", "file") } else { ("file", "directory") };
        let outcome = parse(&array(&[entry(one, kinds.0, 0, 0), entry(other, kinds.1, 512, 0)]));
        assert!(matches!(outcome, Err(InvalidIndex::Duplicate(_))), "{one} {other}: {outcome:?}");
    }
    let siblings = [entry("a", "file", 0, 0), entry("a-b", "file", 512, 0), entry("a b/c", "file", 1_024, 0)];
    assert!(parse(&array(&siblings)).is_ok());
    let hidden = [entry("a", "file", 0, 0), entry("a-b", "file", 512, 0), entry("a/c", "file", 1_024, 0)];
    assert!(matches!(parse(&array(&hidden)), Err(InvalidIndex::Duplicate(_))));
}

#[test]
fn overlapping_entries_and_offsets_outside_the_tar_are_rejected() {
    for entries in [
        vec![entry("a", "file", 0, 1), entry("b", "file", 512, 1)],
        vec![entry("a", "file", 1_024, 1), entry("b", "file", 0, 1)],
        vec![entry("a", "file", 100, 1)],
        vec![entry("a", "file", 0, TAR)],
        vec![entry("a", "file", TAR - 1_024, 0)],
        vec![entry("a", "file", TAR, 0)],
        vec![entry("a", "file", 0, u64::MAX)],
        vec![entry("a", "file", 0, u64::MAX - 600)],
    ] {
        let outcome = parse(&array(&entries));
        assert!(matches!(outcome, Err(InvalidIndex::Range(_))), "{entries:?}: {outcome:?}");
    }
    assert!(parse(&array(&[entry("a", "file", 0, TAR - 1_024 - 512)])).is_ok());
}

#[test]
fn members_that_contradict_each_other_are_rejected() {
    let file = entry("a", "file", 512, 1);
    for (from, to) in [
        (r#""data":1024"#, r#""data":512"#),
        (r#""data":1024"#, r#""data":0"#),
        (r#""data":1024"#, r#""data":1100"#),
        (r#""data":1024"#, r#""data":1048576"#),
        (r#""kind":"file""#, r#""kind":"directory""#),
        (r#""kind":"file""#, r#""kind":"symlink""#),
        ("}", r#","link":"b"}"#),
    ] {
        let outcome = parse(&array(&[file.replace(from, to)]));
        assert!(matches!(outcome, Err(InvalidIndex::Members(_))), "{to}: {outcome:?}");
    }
    for json in ["", "{}", "[1]", "[{}]", "[] x", &array(&[entry("a", "fifo", 0, 0)])] {
        assert!(matches!(parse(json), Err(InvalidIndex::Json(_))), "{json}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(json in "[\\[\\]{}\":,a-z0-9]{0,60}", start in 0_u64..1 << 40) {
        let bytes = [INDEX_MAGIC.as_slice(), json.as_bytes()].concat();
        let position = IndexPosition { start: start.next_multiple_of(512) + 1_024, json_bytes: json.len() as u64 };
        let _ = ArchiveIndex::parse(&bytes, position);
    }

    #[test]
    fn checked_entries_are_disjoint(sizes in prop::collection::vec((0_u64..2_000, 0_u64..4), 1..6)) {
        let mut offset = 0;
        let entries: Vec<_> = sizes.iter().enumerate().map(|(at, (size, gap))| {
            let text = entry(&format!("f{at}"), "file", offset, *size);
            offset += gap * 512;
            text
        }).collect();
        let json = array(&entries);
        let bytes = [INDEX_MAGIC.as_slice(), json.as_bytes()].concat();
        let position = IndexPosition { start: 1 << 20, json_bytes: json.len() as u64 };
        if let Ok(Some(index)) = ArchiveIndex::parse(&bytes, position) {
            for pair in index.entries.windows(2) {
                prop_assert!(pair[0].end().unwrap() <= pair[1].offset);
            }
        }
    }
}
