use std::io::Read;

use super::*;
use crate::client::upload::{Source, SourceError};

fn packed(path: &Path, exclude: &[&str]) -> Result<Packed, PackError> {
    let globs: Vec<_> = exclude.iter().map(std::ffi::OsString::from).collect();
    pack(vec![PackInput { name: String::new(), path: path.to_owned() }], &Exclude::parse(&globs).unwrap())
}

fn whole(plan: &Plan) -> Vec<u8> {
    let mut bytes = vec![1; usize::try_from(plan.size()).unwrap()];
    plan.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.entries().iter().map(Entry::path).collect()
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn reads_at_any_offset_return_the_same_archive() {
    let folder = tempfile::tempdir().unwrap();
    for (name, size) in [("a", 0), ("b/c", 1), ("b/d", 511), ("b/e", 512), ("b/f", 513), ("z", 70_000)] {
        let content: Vec<u8> = (0..size).map(|at: u32| at.to_le_bytes()[0]).collect();
        write(&folder.path().join(name), &content);
    }
    write(&folder.path().join("ü".repeat(100)), b"long");
    let plan = packed(folder.path(), &[]).unwrap().plan;
    let tar = whole(&plan);
    assert!(tar.len().is_multiple_of(512) && tar.ends_with(&[0; 1024]));
    for length in [1, 7, 512, 1_000, 40_000] {
        for offset in (0..tar.len() - length).step_by(331) {
            let mut buffer = vec![1; length];
            plan.read_exact_at(&mut buffer, offset as u64).unwrap();
            assert!(buffer == tar[offset..offset + length], "{length} bytes at {offset}");
        }
    }
    let files = plan.entries().iter().filter(|entry| entry.size() > 0);
    let contents: Vec<_> = files.map(|entry| (entry.path().to_owned(), entry.size())).collect();
    let mut archive = tar::Archive::new(&tar[..]);
    let mut read = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if entry.header().entry_type().is_file() {
            assert!(content == fs::read(folder.path().join(&path)).unwrap(), "{path}");
        }
        if !content.is_empty() {
            read.push((path, content.len() as u64));
        }
    }
    assert_eq!(read, contents);
}

#[test]
fn threads_read_a_large_file_in_parallel() {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[at as usize % 3]).collect();
    write(&folder.path().join("large"), &content);
    write(&folder.path().join("small"), b"small");
    let plan = packed(folder.path(), &[]).unwrap().plan;
    let tar = whole(&plan);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (plan, tar) = (&plan, &tar);
            scope.spawn(move || {
                for offset in (0..tar.len() - 50_000).step_by(50_000).skip(thread) {
                    let mut buffer = vec![1; 50_000];
                    plan.read_exact_at(&mut buffer, offset as u64).unwrap();
                    assert!(buffer == tar[offset..offset + 50_000]);
                }
            });
        }
    });
    assert!(tar[512..].starts_with(&content));
}

#[test]
fn order_and_identity_do_not_depend_on_creation_order() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = ["b/2", "b/1", "a", "c/d/e", "empty/x"];
    for (folder, files) in [(&one, files.to_vec()), (&other, files.iter().rev().copied().collect())] {
        for file in files {
            write(&folder.path().join(file), b"x");
        }
        fs::remove_file(folder.path().join("empty/x")).unwrap();
        for entry in WalkDir::new(folder.path()).contents_first(true) {
            let file = fs::File::open(entry.unwrap().path()).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(7)).unwrap();
        }
    }
    let plan = |folder: &tempfile::TempDir| packed(folder.path(), &[]).unwrap().plan;
    assert_eq!(names(&plan(&one)), ["a", "b", "b/1", "b/2", "c", "c/d", "c/d/e", "empty"]);
    assert_eq!(plan(&one).identity(), plan(&other).identity());
    assert!(whole(&plan(&one)) == whole(&plan(&other)));
    for change in [|path: &Path| fs::write(path, "xy").unwrap(), |path: &Path| fs::remove_file(path).unwrap()] {
        let before = plan(&one).identity();
        change(&one.path().join("a"));
        assert_ne!(plan(&one).identity(), before);
    }
}

#[test]
fn excluded_entries_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.txt", "a.log", "target/x", "d/target/y", "d/b.txt", "build/z"] {
        write(&folder.path().join(name), b"x");
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc", folder.path().join("target/out")).unwrap();
    let packed = packed(folder.path(), &["*.log", "target/", "build/*"]).unwrap();
    assert_eq!(names(&packed.plan), ["a.txt", "build", "d", "d/b.txt"]);
}

#[test]
fn several_paths_are_packed_under_their_names() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("x/b/1"), b"one");
    write(&folder.path().join("y/a"), b"two");
    let input = |name: &str, path: &str| PackInput { name: name.into(), path: folder.path().join(path) };
    let inputs = || vec![input("b", "x/b"), input("a", "y/a")];
    let plan = pack(inputs(), &Exclude::default()).unwrap().plan;
    assert_eq!(names(&plan), ["a", "b", "b/1"]);
    assert!(whole(&plan)[512..].starts_with(b"two"));
    let exclude = |glob: &str| Exclude::parse(&[glob.into()]).unwrap();
    assert_eq!(names(&pack(inputs(), &exclude("b/1")).unwrap().plan), ["a", "b"]);
    assert_eq!(names(&pack(inputs(), &exclude("b")).unwrap().plan), ["a"]);
    assert!(matches!(pack(inputs(), &exclude("?")), Err(PackError::Nothing)));
}

#[test]
fn an_error_names_a_changed_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("d/f");
    for change in [
        |path: &Path| fs::write(path, vec![1; 3_000]).unwrap(),
        |path: &Path| fs::write(path, vec![1; 1_000]).unwrap(),
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
    ] {
        let _ = fs::remove_dir_all(folder.path().join("d"));
        write(&file, &[0; 2_000]);
        let source = Source::archive(packed(folder.path(), &[]).unwrap().plan, None);
        assert!(source.check_unchanged().is_ok());
        change(&file);
        let is_named = |outcome| matches!(outcome, Err(SourceError::ChangedIn { name }) if name == "d/f");
        assert!(is_named(source.check_unchanged()));
        let mut buffer = vec![0; usize::try_from(source.size()).unwrap()];
        assert!(is_named(source.read_exact_at(&mut buffer, 0)));
    }
}

#[test]
fn an_empty_directory_is_an_archive_without_entries() {
    let folder = tempfile::tempdir().unwrap();
    let plan = packed(folder.path(), &[]).unwrap().plan;
    assert!(plan.entries().is_empty() && plan.at(0).is_none());
    assert_eq!(whole(&plan), vec![0; 1024]);
}

#[cfg(unix)]
mod on_unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

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
        let (out, winding) = (
            "is a symlink that points outside the archive",
            "is a symlink with `..` after a directory name in its target",
        );
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
        let skipped: Vec<_> = packed_all.skipped.iter().map(|left| (left.path.as_str(), left.kind)).collect();
        assert_eq!(skipped, [("fifo", "a fifo"), ("socket", "a socket")]);
        let input = PackInput { name: "fifo".into(), path: fifo };
        assert!(matches!(pack(vec![input], &Exclude::default()), Err(PackError::Special(_))));
    }

    #[test]
    fn only_read_write_and_execute_permissions_are_packed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        write(&file, b"x");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o6751)).unwrap();
        let tar = whole(&packed(folder.path(), &[]).unwrap().plan);
        let header = tar::Header::from_byte_slice(&tar[..512]);
        assert_eq!(header.mode().unwrap(), 0o751);
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!((header.username().unwrap(), header.groupname().unwrap()), (Some(""), Some("")));
    }

    #[test]
    fn unreadable_files_are_listed() {
        if rustix::process::geteuid().is_root() {
            // Root can read every file, so a missing path is used instead.
            let error = pack(vec![PackInput { name: "x".into(), path: "/nonexistent/x".into() }], &Exclude::default());
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
}
