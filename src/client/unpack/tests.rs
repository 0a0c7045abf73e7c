use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use tar::{EntryType, Header};

use super::*;

/// Creates a header without the checks of a tar library.
fn raw(name: &[u8], kind: EntryType, target: &[u8], size: u64) -> Header {
    let mut header = Header::new_ustar();
    let fields = header.as_old_mut();
    fields.name[..name.len()].copy_from_slice(name);
    fields.linkname[..target.len()].copy_from_slice(target);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_mtime(7);
    header.set_size(size);
    header.set_cksum();
    header
}

/// Tar archive, built from headers and contents.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn entry(mut self, name: &str, kind: EntryType, target: &str, content: &[u8]) -> Self {
        let header = raw(name.as_bytes(), kind, target.as_bytes(), content.len() as u64);
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str) -> Self {
        self.entry(name, EntryType::Regular, "", b"content")
    }

    fn directory(self, name: &str) -> Self {
        self.entry(name, EntryType::Directory, "", b"")
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.entry(name, EntryType::Symlink, target, b"")
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }

    /// Unpacks the archive, and checks that nothing was created outside the target directory.
    fn unpack(self) -> (Result<Vec<UnpackedFile>, UnpackError>, tempfile::TempDir) {
        unpack_bytes(&self.end())
    }

    fn rejected(self, message: &str) {
        let (outcome, _) = self.unpack();
        let error = outcome.unwrap_err();
        assert!(error.is_unsafe() && error.to_string().contains(message), "{message:?} is not in {error}");
    }
}

fn unpack_bytes(bytes: &[u8]) -> (Result<Vec<UnpackedFile>, UnpackError>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    let outcome = unpack(bytes, &inside, &Watch::default());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a file was created outside the target directory");
    (outcome, folder)
}

fn damaged(bytes: &[u8], message: &str) {
    let error = unpack_bytes(bytes).0.unwrap_err();
    assert!(error.is_unsafe() && error.to_string().contains(message), "{message:?} is not in {error}");
}

fn pax(records: &str) -> Tar {
    Tar::default().entry("pax", EntryType::XHeader, "", records.as_bytes())
}

#[test]
fn files_directories_and_links_are_unpacked() {
    let tar = Tar::default().directory("./").directory("d/").file("d/f").file("no/parent/entry").link("l", "d/f");
    let (outcome, folder) = tar.unpack();
    let files = outcome.unwrap();
    let names: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.size)).collect();
    assert_eq!(names, [("d/f", 7), ("no/parent/entry", 7)]);
    let inside = folder.path().join("inside");
    assert_eq!(fs::read(inside.join("d/f")).unwrap(), b"content");
    for path in ["d/f", "d"] {
        let modified = fs::metadata(inside.join(path)).unwrap().modified().unwrap();
        assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(7), "{path}");
    }
    #[cfg(unix)]
    assert_eq!(fs::read_link(inside.join("l")).unwrap(), Path::new("d/f"));
}

#[test]
fn paths_outside_the_archive_are_rejected() {
    for name in
        ["/etc/passwd", "../x", "a/../../x", "a/..", "..", "a//b", "C:/x", "a\\b", "..\\x", "a\nb", "a\u{202e}b"]
    {
        Tar::default().file(name).rejected("unsafe");
        Tar::default().directory(&format!("{name}/")).rejected("unsafe");
        Tar::default().link(name, "x").rejected("unsafe");
    }
    Tar::default().directory("/").rejected("unsafe");
    Tar::default().file("a/").rejected("unsafe");
    let mut latin = Tar::default();
    latin.0.extend_from_slice(raw(b"latin-\xe9", EntryType::Regular, b"", 0).as_bytes());
    latin.rejected("UTF-8");
}

#[test]
fn links_outside_the_archive_are_rejected() {
    for (name, target) in
        [("l", "/etc"), ("l", ".."), ("d/l", "../.."), ("l", "d/../.."), ("l", ""), ("l", "C:\\x"), ("l", "a\\..\\..")]
    {
        Tar::default().link(name, target).rejected("unsafe");
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let outside = tempfile::tempdir().unwrap();
    // The link precedes the file in the archive, but is created after the file.
    let tar = Tar::default().directory("d/").link("l", "d").file("l/f");
    tar.rejected("duplicate");
    Tar::default().link("l", "d").file("l").rejected("duplicate");
    Tar::default().file("f").link("f", "d").rejected("duplicate");
    let target = outside.path().to_str().unwrap();
    Tar::default().link("l", target).file("l/f").rejected("points outside");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_chain_of_links_cannot_point_outside() {
    // `up` points to the top level, so `..` after it would be outside.
    Tar::default()
        .directory("x/")
        .directory("x/y/")
        .link("x/y/up", "../..")
        .link("l", "x/y/up/../..")
        .rejected("`..` after a directory");
}

#[test]
fn special_files_are_rejected() {
    for (kind, message) in [
        (EntryType::Link, "hard link"),
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "FIFO"),
        (EntryType::GNUSparse, "sparse"),
        (EntryType::new(b'V'), "neither"),
        (EntryType::new(b'M'), "neither"),
        (EntryType::new(0xff), "neither"),
    ] {
        Tar::default().entry("x", kind, "y", b"").rejected(message);
    }
    Tar::default().entry("d/", EntryType::Directory, "", b"x").rejected("has content");
    Tar::default().entry("l", EntryType::Symlink, "x", b"x").rejected("has content");
    pax("22 GNU.sparse.major=1\n").file("x").rejected("sparse");
}

#[test]
fn duplicates_are_rejected() {
    Tar::default().file("a").file("a").rejected("duplicate");
    Tar::default().file("a").file("a/b").rejected("duplicate");
    Tar::default().file("a/b").file("a").rejected("duplicate");
    Tar::default().directory("a/").directory("a/").rejected("duplicate");
    Tar::default().directory("a/").file("a").rejected("duplicate");
    Tar::default().link("a", "b").link("a", "c").rejected("duplicate");
    // An implicit directory may have an entry later.
    assert!(Tar::default().file("a/b").directory("a/").unpack().0.is_ok());
}

#[test]
fn the_entry_limit_includes_implicit_directories() {
    let unpack_three = |tar: Tar| {
        let folder = tempfile::tempdir().unwrap();
        unpack_up_to(3, &tar.end()[..], folder.path(), &Watch::default())
    };
    assert!(unpack_three(Tar::default().file("a").file("b").link("c", "a")).is_ok());
    assert!(unpack_three(Tar::default().file("a/b/c")).is_ok());
    for tar in [
        Tar::default().file("a").file("b").file("c").file("d"),
        Tar::default().file("a/b/c/d"),
        Tar::default().directory("a/").directory("b/").directory("c/").directory("d/"),
        Tar::default().link("a", "x").link("b", "x").link("c", "x").link("d", "x"),
    ] {
        assert!(matches!(unpack_three(tar), Err(UnpackError::TooMany { limit: 3 })));
    }
}

#[test]
fn implicit_directories_need_bounded_memory() {
    let mut tar = Tar::default();
    // Few levels of long names: the time to create a directory grows with its depth.
    let levels = format!("{}/", "d".repeat(250)).repeat(15);
    for number in 0..600 {
        let path = format!("{number:0250}/{levels}f");
        let gnu = tar.entry("././@LongLink", EntryType::GNULongName, "", path.as_bytes());
        tar = gnu.file("x");
    }
    tar.rejected("too many directories");
}

#[test]
fn wrong_sizes_are_rejected() {
    for size in [8, 512, 1 << 40, u64::MAX] {
        let mut tar = Tar::default();
        tar.0.extend_from_slice(raw(b"a", EntryType::Regular, b"", size).as_bytes());
        tar.0.extend_from_slice(b"content");
        damaged(&tar.0, "incomplete");
    }
    // The size in a pax header takes precedence, as in tar.
    pax("20 size=99999999999\n").file("a").rejected("incomplete");
    // With size 0, the content is parsed as a header.
    pax("9 size=0\n").file("a").rejected("checksum");
}

#[test]
fn names_have_a_maximum_length() {
    for kind in [EntryType::XHeader, EntryType::XGlobalHeader, EntryType::GNULongName, EntryType::GNULongLink] {
        for size in [64 * 1024 + 1, 4 << 30, u64::MAX] {
            damaged(raw(b"x", kind, b"", size).as_bytes(), "64 KiB");
        }
    }
    let long = format!("{}/{}", "d".repeat(255), "f".repeat(255));
    let record = format!("{} path={long}\n", long.len() + 10);
    let (outcome, _folder) = pax(&record).file("x").unpack();
    assert_eq!(outcome.unwrap()[0].name, long);
    let gnu = Tar::default().entry("././@LongLink", EntryType::GNULongName, "", format!("{long}\0").as_bytes());
    assert_eq!(gnu.file("x").unpack().0.unwrap()[0].name, long);
    Tar::default().entry("x", EntryType::GNULongName, "", "x".repeat(256).as_bytes()).file("y").rejected("255");
    Tar::default().entry("x", EntryType::GNULongName, "", b"../../x").file("y").rejected("path component");
    pax("15 path=/etc/x\n").file("y").rejected("absolute");
    pax("18 linkpath=/etc/\n").link("y", "z").rejected("points outside");
    Tar::default().entry("x", EntryType::XGlobalHeader, "", b"10 path=a\n").file("y").rejected("all entries");
    // `git archive` writes a global header with a comment.
    let git = Tar::default().entry("x", EntryType::XGlobalHeader, "", b"13 comment=x\n").file("y");
    assert_eq!(git.unpack().0.unwrap().len(), 1);
}

#[test]
fn incomplete_archives_are_rejected() {
    let whole = Tar::default().directory("d/").file("d/f").end();
    assert!(unpack_bytes(&whole).0.is_ok());
    for length in (0..whole.len()).step_by(101).chain([whole.len() - 1, whole.len() - 512, whole.len() - 1024]) {
        damaged(&whole[..length], "incomplete");
    }
    // tar pads archives with zeros; any other data would be hidden.
    assert!(unpack_bytes(&[&whole[..], &[0; 9_000]].concat()).0.is_ok());
    damaged(&[&whole[..], b"x"].concat(), "after its end");
    damaged(&[&whole[..], &Tar::default().file("hidden").end()].concat(), "after its end");
    let extended = pax("10 path=a\n").end();
    damaged(&extended, "within an entry");
}

#[test]
fn changed_headers_are_rejected() {
    let whole = Tar::default().file("f").end();
    for at in [0, 100, 124, 148, 156, 257, 345] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        damaged(&changed, "checksum");
    }
    damaged(&[7; 2048], "checksum");
}

#[test]
fn a_dropped_guard_cancels_unpacking() {
    let folder = tempfile::tempdir().unwrap();
    let (watch, stop) = Watch::new(std::sync::Arc::new(crate::client::NoProgress));
    drop(stop);
    let outcome = unpack(&Tar::default().file("f").end()[..], folder.path(), &watch);
    assert!(matches!(outcome, Err(UnpackError::Stopped)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn permissions_are_those_of_the_sender_under_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let mut tar = Tar::default();
    for (name, kind, mode) in [
        ("f", EntryType::Regular, 0o6777),
        ("secret", EntryType::Regular, 0o400),
        ("d/", EntryType::Directory, 0o1777),
        ("closed/", EntryType::Directory, 0o500),
        ("closed/f", EntryType::Regular, 0o755),
    ] {
        let mut header = raw(name.as_bytes(), kind, b"", 0);
        header.set_mode(mode);
        header.set_cksum();
        tar.0.extend_from_slice(header.as_bytes());
    }
    let (outcome, folder) = tar.unpack();
    outcome.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let allowed = mode(&{
        let probe = folder.path().join("probe");
        fs::create_dir(&probe).unwrap();
        probe
    });
    for (path, wanted) in [("f", 0o777), ("secret", 0o400), ("d", 0o777), ("closed", 0o500), ("closed/f", 0o755)] {
        assert_eq!(mode(&folder.path().join("inside").join(path)), wanted & allowed, "{path}");
    }
}
