use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use tar::{EntryType, Header};

use super::*;

/// An entry as nobody's library would write it.
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

/// A tar that is put together from headers and contents.
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

    /// Unpacks it, and checks that nothing has appeared anywhere else.
    fn unpack(self) -> (Result<Vec<UnpackedFile>, UnpackError>, tempfile::TempDir) {
        unpack_bytes(&self.end())
    }

    fn refused(self, words: &str) {
        let (outcome, _) = self.unpack();
        let error = outcome.unwrap_err();
        assert!(error.is_unsafe() && error.to_string().contains(words), "{words:?} is not in {error}");
    }
}

fn unpack_bytes(bytes: &[u8]) -> (Result<Vec<UnpackedFile>, UnpackError>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    let outcome = unpack(bytes, &inside, &Watch::default());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was made outside");
    (outcome, folder)
}

fn damaged(bytes: &[u8], words: &str) {
    let error = unpack_bytes(bytes).0.unwrap_err();
    assert!(error.is_unsafe() && error.to_string().contains(words), "{words:?} is not in {error}");
}

fn pax(records: &str) -> Tar {
    Tar::default().entry("pax", EntryType::XHeader, "", records.as_bytes())
}

#[test]
fn files_directories_and_links_come_out() {
    let tar = Tar::default().directory("./").directory("d/").file("d/f").file("no/parent/told").link("l", "d/f");
    let (outcome, folder) = tar.unpack();
    let files = outcome.unwrap();
    let names: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.size)).collect();
    assert_eq!(names, [("d/f", 7), ("no/parent/told", 7)]);
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
fn paths_that_lead_out_are_refused() {
    for name in
        ["/etc/passwd", "../x", "a/../../x", "a/..", "..", "a//b", "C:/x", "a\\b", "..\\x", "a\nb", "a\u{202e}b"]
    {
        Tar::default().file(name).refused("unsafe");
        Tar::default().directory(&format!("{name}/")).refused("unsafe");
        Tar::default().link(name, "x").refused("unsafe");
    }
    Tar::default().directory("/").refused("unsafe");
    Tar::default().file("a/").refused("unsafe");
    let mut latin = Tar::default();
    latin.0.extend_from_slice(raw(b"latin-\xe9", EntryType::Regular, b"", 0).as_bytes());
    latin.refused("UTF-8");
}

#[test]
fn links_that_lead_out_are_refused() {
    for (name, target) in
        [("l", "/etc"), ("l", ".."), ("d/l", "../.."), ("l", "d/../.."), ("l", ""), ("l", "C:\\x"), ("l", "a\\..\\..")]
    {
        Tar::default().link(name, target).refused("unsafe");
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let outside = tempfile::tempdir().unwrap();
    // The link comes before what would go through it, and is made after it.
    let tar = Tar::default().directory("d/").link("l", "d").file("l/f");
    tar.refused("twice");
    Tar::default().link("l", "d").file("l").refused("twice");
    Tar::default().file("f").link("f", "d").refused("twice");
    let target = outside.path().to_str().unwrap();
    Tar::default().link("l", target).file("l/f").refused("points outside");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_chain_of_links_cannot_lead_out() {
    // `up` leads to the top, so that `..` behind it would leave.
    Tar::default()
        .directory("x/")
        .directory("x/y/")
        .link("x/y/up", "../..")
        .link("l", "x/y/up/../..")
        .refused("`..` after a directory");
}

#[test]
fn what_is_no_plain_file_is_refused() {
    for (kind, words) in [
        (EntryType::Link, "hard link"),
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "fifo"),
        (EntryType::GNUSparse, "holes"),
        (EntryType::new(b'V'), "neither"),
        (EntryType::new(b'M'), "neither"),
        (EntryType::new(0xff), "neither"),
    ] {
        Tar::default().entry("x", kind, "y", b"").refused(words);
    }
    Tar::default().entry("d/", EntryType::Directory, "", b"x").refused("has content");
    Tar::default().entry("l", EntryType::Symlink, "x", b"x").refused("has content");
    pax("22 GNU.sparse.major=1\n").file("x").refused("holes");
}

#[test]
fn what_is_there_twice_is_refused() {
    Tar::default().file("a").file("a").refused("twice");
    Tar::default().file("a").file("a/b").refused("twice");
    Tar::default().file("a/b").file("a").refused("twice");
    Tar::default().directory("a/").directory("a/").refused("twice");
    Tar::default().directory("a/").file("a").refused("twice");
    Tar::default().link("a", "b").link("a", "c").refused("twice");
    // Only what a file brings along may be told of later.
    assert!(Tar::default().file("a/b").directory("a/").unpack().0.is_ok());
}

#[test]
fn entries_are_counted_and_so_are_directories_that_nobody_tells_of() {
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
fn directories_that_nobody_tells_of_take_little_memory() {
    let mut tar = Tar::default();
    for number in 0..70 {
        let path = format!("{}{number}/f", "0123456789abcd/".repeat(200));
        let path = path.replacen("01", &format!("{number:02}"), 1);
        let gnu = tar.entry("././@LongLink", EntryType::GNULongName, "", path.as_bytes());
        tar = gnu.file("x");
    }
    tar.refused("does not tell of");
}

#[test]
fn sizes_that_lie_end_in_nothing() {
    for size in [8, 512, 1 << 40, u64::MAX] {
        let mut tar = Tar::default();
        tar.0.extend_from_slice(raw(b"a", EntryType::Regular, b"", size).as_bytes());
        tar.0.extend_from_slice(b"content");
        damaged(&tar.0, "ends before its end");
    }
    // Where a pax header says another size, that counts, as it does for tar.
    pax("20 size=99999999999\n").file("a").refused("ends before its end");
    // What would be content is no header then.
    pax("9 size=0\n").file("a").refused("sum");
}

#[test]
fn names_are_bounded() {
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
    Tar::default().entry("x", EntryType::GNULongName, "", "x".repeat(256).as_bytes()).file("y").refused("255");
    Tar::default().entry("x", EntryType::GNULongName, "", b"../../x").file("y").refused("path component");
    pax("15 path=/etc/x\n").file("y").refused("absolute");
    pax("18 linkpath=/etc/\n").link("y", "z").refused("points outside");
    Tar::default().entry("x", EntryType::XGlobalHeader, "", b"10 path=a\n").file("y").refused("all entries");
    // As git writes it.
    let git = Tar::default().entry("x", EntryType::XGlobalHeader, "", b"13 comment=x\n").file("y");
    assert_eq!(git.unpack().0.unwrap().len(), 1);
}

#[test]
fn an_archive_without_its_end_is_refused() {
    let whole = Tar::default().directory("d/").file("d/f").end();
    assert!(unpack_bytes(&whole).0.is_ok());
    for length in (0..whole.len()).step_by(101).chain([whole.len() - 1, whole.len() - 512, whole.len() - 1024]) {
        damaged(&whole[..length], "ends before its end");
    }
    // Padding is what tar writes; anything else would be hidden.
    assert!(unpack_bytes(&[&whole[..], &[0; 9_000]].concat()).0.is_ok());
    damaged(&[&whole[..], b"x"].concat(), "behind its end");
    damaged(&[&whole[..], &Tar::default().file("hidden").end()].concat(), "behind its end");
    let extended = pax("10 path=a\n").end();
    damaged(&extended, "within an entry");
}

#[test]
fn a_header_that_was_changed_is_refused() {
    let whole = Tar::default().file("f").end();
    for at in [0, 100, 124, 148, 156, 257, 345] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        damaged(&changed, "sum");
    }
    damaged(&[7; 2048], "sum");
}

#[test]
fn it_stops_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let (watch, stop) = Watch::new(std::sync::Arc::new(crate::client::Silent));
    drop(stop);
    let outcome = unpack(&Tar::default().file("f").end()[..], folder.path(), &watch);
    assert!(matches!(outcome, Err(UnpackError::Stopped)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn permissions_are_those_of_the_sender_as_far_as_this_user_grants_them() {
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
