#![cfg(unix)]

use std::os::unix::fs::{PermissionsExt, symlink};

use super::tests::{archive_bytes, names, packed, packed_with, write};
use super::*;

#[test]
fn links_within_the_archive_are_kept_and_others_rejected() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("d/f"), b"x");
    symlink("d/f", folder.path().join("l")).unwrap();
    symlink("..", folder.path().join("d/up")).unwrap();
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    let plan = packed(folder.path(), &[]).unwrap().plan;
    assert_eq!(names(&plan), ["d", "d/f", "d/up", "dangling", "l"]);
    assert!(plan.entries().iter().filter(|entry| matches!(entry.kind(), Kind::Link { .. })).count() == 3);
    for (name, target) in [("absolute", "/etc/passwd"), ("above", "../x"), ("winding", "d/../../x")] {
        symlink(target, folder.path().join(name)).unwrap();
    }
    let error = packed(folder.path(), &[]).unwrap_err();
    assert!(matches!(error, PackError::Link(_)));
    let (out, winding) =
        ("is a symlink that points outside the archive", "is a symlink with `..` after a directory name in its target");
    assert_eq!(error.to_string(), format!("above {out} (like absolute); winding {winding}"));
    assert!(packed(folder.path(), &["a*", "winding"]).is_ok());
}

#[test]
fn names_that_recipients_reject_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("keep"), b"x");
    write(&folder.path().join("line\nfeed"), b"x");
    let is_of = |reason: InvalidArchivePath| {
        let error = packed(folder.path(), &[]).unwrap_err();
        matches!(error, PackError::Name(_)) && error.to_string().ends_with(&reason.to_string())
    };
    assert!(is_of(InvalidArchivePath::Control));
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"latin-\xe9");
    fs::rename(folder.path().join("line\nfeed"), folder.path().join(name)).unwrap();
    assert!(is_of(InvalidArchivePath::NotUnicode));
    assert!(packed(folder.path(), &["latin*"]).is_ok());
}

#[test]
fn each_rejected_name_is_listed_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a\\b", "c\nd", "e\\f"] {
        write(&folder.path().join(name), b"x");
    }
    let message = packed(folder.path(), &[]).unwrap_err().to_string();
    let (backslash, control) = (InvalidArchivePath::Backslash, InvalidArchivePath::Control);
    assert_eq!(message, format!("a\\b {backslash} (like e\\f); c\nd {control}"));
}

#[test]
fn a_tree_without_remaining_entries_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("d/f"), b"x");
    assert!(matches!(packed(folder.path(), &["*"]), Err(PackError::Nothing)));
    assert_eq!(names(&packed(folder.path(), &["f"]).unwrap().plan), ["d"]);
}

#[test]
fn sockets_and_fifos_are_skipped_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("f"), b"x");
    let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let packed_all = packed(folder.path(), &[]).unwrap();
    assert_eq!(names(&packed_all.plan), ["f"]);
    let skipped: Vec<_> = packed_all.skipped.iter().map(|left| (left.path.as_str(), left.reason.as_str())).collect();
    assert_eq!(skipped, [("fifo", "is a fifo"), ("socket", "is a socket")]);
    let input = PackInput { name: "fifo".into(), path: fifo };
    assert!(matches!(pack(vec![input], &PackOptions::default()), Err(PackError::Special(_))));
}

#[test]
fn only_read_write_and_execute_permissions_are_packed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    write(&file, b"x");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o6751)).unwrap();
    let tar = archive_bytes(&packed(folder.path(), &[]).unwrap().plan);
    let header = tar::Header::from_byte_slice(&tar[..512]);
    assert_eq!(header.mode().unwrap(), 0o751);
    assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
    assert_eq!((header.username().unwrap(), header.groupname().unwrap()), (Some(""), Some("")));
}

#[test]
fn unreadable_files_are_listed() {
    if rustix::process::geteuid().is_root() {
        // Root can read every file, so a missing path is used instead.
        let error = pack(vec![PackInput { name: "x".into(), path: "/nonexistent/x".into() }], &PackOptions::default());
        assert!(error.unwrap_err().to_string().contains("/nonexistent/x"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("closed");
    write(&file, b"x");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    assert_eq!(
        packed(folder.path(), &[]).unwrap_err().to_string(),
        "closed cannot be read: Permission denied (os error 13)"
    );
}

fn skipped_with(path: &Path, options: &PackOptions) -> (Vec<String>, Vec<String>) {
    let Packed { plan, skipped } = packed_with(path, options).unwrap();
    let skipped = skipped.iter().map(|entry| format!("{} {}", entry.path, entry.reason)).collect();
    (names(&plan).into_iter().map(str::to_owned).collect(), skipped)
}

#[test]
fn unsendable_entries_are_skipped_once_with_what_is_below_them() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("keep"), b"x");
    write(&folder.path().join("back\\slash/inner"), b"x");
    let latin = folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    write(&latin.join("inner"), b"x");
    symlink("/etc/passwd", folder.path().join("out")).unwrap();
    let error = packed(folder.path(), &[]).unwrap_err().to_string();
    assert_eq!(error, "back\\slash contains a backslash; caf\\xe9 is not valid UTF-8");
    let options = PackOptions { skip_unsendable: true, ..PackOptions::default() };
    let (sent, skipped) = skipped_with(folder.path(), &options);
    assert_eq!(sent, ["keep"]);
    let expected = [
        "back\\slash contains a backslash",
        "caf\\xe9 is not valid UTF-8",
        "out is a symlink that points outside the archive",
    ];
    assert_eq!(skipped, expected);
    fs::remove_file(folder.path().join("keep")).unwrap();
    assert!(matches!(packed_with(folder.path(), &options), Err(PackError::NothingSendable(all)) if all.len() == 3));
}

#[test]
fn followed_links_are_packed_as_their_targets() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&outside.path().join("d/f"), b"outside");
    write(&folder.path().join("keep"), b"x");
    symlink(outside.path().join("d"), folder.path().join("d")).unwrap();
    symlink(outside.path().join("d/f"), folder.path().join("f")).unwrap();
    let options = PackOptions { dereference: true, ..PackOptions::default() };
    let plan = packed_with(folder.path(), &options).unwrap().plan;
    assert_eq!(names(&plan), ["d", "d/f", "f", "keep"]);
    assert!(plan.entries().iter().all(|entry| !matches!(entry.kind(), Kind::Link { .. })));
    assert!(archive_bytes(&plan)[1_024..].starts_with(b"outside"));
    assert_eq!(plan.doubtful_ranges().unwrap(), []);

    symlink("..", outside.path().join("d/loop")).unwrap();
    symlink(outside.path(), outside.path().join("d/up")).unwrap();
    symlink("nowhere", folder.path().join("broken")).unwrap();
    let error = packed_with(folder.path(), &options).unwrap_err().to_string();
    let looped = "is a symlink to a directory that contains it";
    let broken = "broken is a symlink to a file that does not exist";
    assert!(error.contains(broken) && error.contains(looped), "{error}");
    let options = PackOptions { skip_unsendable: true, ..options };
    let (sent, skipped) = skipped_with(folder.path(), &options);
    assert!(sent.contains(&"d/f".to_owned()) && !skipped.is_empty(), "{skipped:?}");
    let without = PathGlobs::parse(&["broken".into(), "loop".into(), "up".into()]).unwrap();
    let options = PackOptions { exclude: without, skip_unsendable: false, ..options };
    assert_eq!(names(&packed_with(folder.path(), &options).unwrap().plan), ["d", "d/f", "f", "keep"]);
}

#[cfg(target_os = "linux")]
#[test]
fn generated_files_are_packed_with_their_content() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("empty"), b"");
    fs::File::create(folder.path().join("sparse")).unwrap().set_len(1 << 33).unwrap();
    symlink("/proc/version", folder.path().join("version")).unwrap();
    symlink("/proc/filesystems", folder.path().join("filesystems")).unwrap();
    let options = PackOptions { dereference: true, spool_limit: 100_000, ..PackOptions::default() };
    let plan = packed_with(folder.path(), &options).unwrap().plan;
    assert_eq!(names(&plan), ["empty", "filesystems", "sparse", "version"]);
    let entry = &plan.entries()[3];
    let expected = fs::read("/proc/version").unwrap();
    assert_eq!(entry.size(), expected.len() as u64);
    let mut content = vec![0; expected.len()];
    plan.read_exact_at(&mut content, entry.content_offset()).unwrap();
    assert!(content == expected);
    assert_eq!(plan.doubtful_ranges().unwrap(), []);
    let options = PackOptions { spool_limit: 10, ..options };
    assert!(matches!(packed_with(folder.path(), &options), Err(PackError::TooLarge { limit: 10, .. })));
}
