use std::io::Read;

use walkdir::WalkDir;

use super::*;
use crate::client::upload::{SourceChange, SourceError, UploadSource};
use crate::domain::archive::IndexPosition;

pub(super) fn packed(path: &Path, exclude: &[&str]) -> Result<Packed, PackError> {
    let globs: Vec<_> = exclude.iter().map(std::ffi::OsString::from).collect();
    let options = PackOptions { exclude: PathGlobs::parse(&globs).unwrap(), ..PackOptions::default() };
    packed_with(path, &options)
}

pub(super) fn packed_with(path: &Path, options: &PackOptions) -> Result<Packed, PackError> {
    pack(vec![PackInput { name: String::new(), path: path.to_owned() }], options)
}

pub(super) fn archive_bytes(plan: &Plan) -> Vec<u8> {
    let mut bytes = vec![1; usize::try_from(plan.size()).unwrap()];
    plan.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

pub(super) fn names(plan: &Plan) -> Vec<&str> {
    plan.entries().iter().map(Entry::path).collect()
}

pub(super) fn write(path: &Path, content: &[u8]) {
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
    let tar = archive_bytes(&plan);
    let index = IndexPosition::find(plan.size(), tar[tar.len() - 8..].try_into().unwrap()).unwrap();
    assert!(tar[..usize::try_from(index.start).unwrap()].ends_with(&[0; 1024]));
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
    let tar = archive_bytes(&plan);
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
fn the_order_does_not_depend_on_creation_order() {
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
    assert!(archive_bytes(&plan(&one)) == archive_bytes(&plan(&other)));
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
    let plan = pack(inputs(), &PackOptions::default()).unwrap().plan;
    assert_eq!(names(&plan), ["a", "b", "b/1"]);
    assert!(archive_bytes(&plan)[512..].starts_with(b"two"));
    let exclude =
        |glob: &str| PackOptions { exclude: PathGlobs::parse(&[glob.into()]).unwrap(), ..PackOptions::default() };
    assert_eq!(names(&pack(inputs(), &exclude("b/1")).unwrap().plan), ["a", "b"]);
    assert_eq!(names(&pack(inputs(), &exclude("b")).unwrap().plan), ["a"]);
    assert!(matches!(pack(inputs(), &exclude("?")), Err(PackError::Nothing)));
}

/// Returns the change that `outcome` reports of `d/f`.
fn change_of<T>(outcome: Result<T, SourceError>) -> Option<SourceChange> {
    match outcome {
        Err(SourceError::Changed { name: Some(name), change }) if name == "d/f" => Some(change),
        _ => None,
    }
}

#[test]
fn an_error_names_a_changed_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("d/f");
    let grow: fn(&Path) = |path| fs::write(path, vec![1; 3_000]).unwrap();
    let cut: fn(&Path) = |path| fs::write(path, vec![1; 1_000]).unwrap();
    let replace: fn(&Path) = |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    };
    for (change, expected) in
        [(grow, SourceChange::Grown), (cut, SourceChange::Shrunk), (replace, SourceChange::Content)]
    {
        let _ = fs::remove_dir_all(folder.path().join("d"));
        write(&file, &[0; 2_000]);
        let source = UploadSource::archive(packed(folder.path(), &[]).unwrap().plan, None);
        assert_eq!(source.doubtful_ranges().unwrap(), []);
        change(&file);
        assert_eq!(change_of(source.doubtful_ranges()), Some(expected));
        let mut buffer = vec![0; usize::try_from(source.size()).unwrap()];
        assert_eq!(change_of(source.read_exact_at(&mut buffer, 0)), Some(expected));
    }
}

#[test]
fn a_file_may_be_moved_after_it_was_read_but_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("d/f");
    write(&file, &[0; 2_000]);
    let source = UploadSource::archive(packed(folder.path(), &[]).unwrap().plan, None);
    let mut buffer = vec![0; usize::try_from(source.size()).unwrap()];
    source.read_exact_at(&mut buffer, 0).unwrap();
    fs::rename(&file, folder.path().join("moved")).unwrap();
    assert_eq!(source.doubtful_ranges().unwrap(), []);
    assert_eq!(change_of(source.read_exact_at(&mut buffer, 0)), Some(SourceChange::Gone));
}

#[cfg(unix)]
#[test]
fn a_moved_directory_is_still_read() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("one/d/f"), &[7; 2_000]);
    let plan = packed(&folder.path().join("one"), &[]).unwrap().plan;
    fs::rename(folder.path().join("one"), folder.path().join("other")).unwrap();
    assert!(archive_bytes(&plan)[1_024..].starts_with(&[7; 2_000]));
    assert_eq!(plan.doubtful_ranges().unwrap(), []);
}

#[test]
fn only_files_with_new_metadata_are_doubtful() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "d/f", "z"] {
        write(&folder.path().join(name), &[0; 2_000]);
    }
    let plan = packed(folder.path(), &[]).unwrap().plan;
    let file = fs::File::options().write(true).open(folder.path().join("d/f")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let ranges = plan.doubtful_ranges().unwrap();
    assert_eq!(ranges.len(), 1);
    assert_eq!((plan.at(ranges[0].start).unwrap().path(), ranges[0].end - ranges[0].start), ("d/f", 2_000));
}

#[test]
fn an_empty_directory_is_an_archive_without_entries() {
    let folder = tempfile::tempdir().unwrap();
    let plan = packed(folder.path(), &[]).unwrap().plan;
    assert!(plan.entries().is_empty() && plan.at(0).is_none());
    assert_eq!(archive_bytes(&plan), [&[0; 1024], &b"SGINDEX\0[]"[..], &2_u64.to_be_bytes()].concat());
}
