use std::io::Write;

use super::*;

/// Returns a tar with the file `d/f`, or with a path outside the archive.
fn tar(is_sound: bool) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    let name: &[u8] = if is_sound { b"d/f" } else { b"../f" };
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(0);
    header.set_mtime(0);
    header.set_cksum();
    [header.as_bytes() as &[u8], &[0; 1024]].concat()
}

fn target(folder: &Path, conflict: Conflict) -> Target {
    Target { path: folder.join("photos.d"), conflict, mark: "00000000".into() }
}

fn run(folder: &Path, conflict: Conflict, tar: &[u8]) -> Result<PathBuf, OutputError> {
    let mut part = PartFile::create(target(folder, conflict))?;
    part.file().write_all(tar).unwrap();
    finish(part, &target(folder, conflict), Attributes::default(), &Watch::default()).map(|(path, _)| path)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_directory_gets_an_unused_name() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), Conflict::Fail, &tar(true)).unwrap(), folder.path().join("photos.d"));
    assert_eq!(run(folder.path(), Conflict::Rename, &tar(true)).unwrap(), folder.path().join("photos.d (1)"));
    assert_eq!(names(folder.path()), ["photos.d", "photos.d (1)"]);
    assert!(folder.path().join("photos.d (1)/d/f").is_file());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let usual = folder.path().join("usual");
        fs::create_dir(&usual).unwrap();
        assert_eq!(mode(&folder.path().join("photos.d")), mode(&usual));
    }
}

#[test]
fn a_directory_created_meanwhile_is_not_replaced_and_the_archive_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut part = PartFile::create(target(folder.path(), Conflict::Fail)).unwrap();
    part.file().write_all(&tar(true)).unwrap();
    fs::create_dir(folder.path().join("photos.d")).unwrap();
    let outcome = finish(part, &target(folder.path(), Conflict::Fail), Attributes::default(), &Watch::default());
    assert!(matches!(outcome, Err(OutputError::DirectoryExists(_))));
    assert_eq!(names(folder.path()), ["photos.d", "photos.d.tar"]);
    assert_eq!(fs::read_dir(folder.path().join("photos.d")).unwrap().count(), 0);
}

#[test]
fn an_unsafe_archive_is_kept_under_an_unused_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("photos.d.tar"), "mine").unwrap();
    let Err(OutputError::Unpack(failed)) = run(folder.path(), Conflict::Fail, &tar(false)) else {
        panic!("the unsafe archive was unpacked");
    };
    assert!(failed.error.is_unsafe());
    let archive = folder.path().join("photos.d (1).tar");
    assert_eq!(failed.kept.as_ref(), Some(&archive));
    assert_eq!(fs::read(&archive).unwrap(), tar(false));
    assert_eq!(fs::read(folder.path().join("photos.d.tar")).unwrap(), b"mine");
    assert_eq!(names(folder.path()).len(), 2, "{:?}", names(folder.path()));
}

#[test]
fn an_archive_with_a_name_of_maximum_length_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target { path: folder.path().join("x".repeat(255)), ..target(folder.path(), Conflict::Fail) };
    let mut part = PartFile::create(target.clone()).unwrap();
    part.file().write_all(&tar(false)).unwrap();
    let Err(OutputError::Unpack(failed)) = finish(part, &target, Attributes::default(), &Watch::default()) else {
        panic!("the unsafe archive was unpacked");
    };
    assert_eq!(fs::read(failed.kept.unwrap()).unwrap(), tar(false));
}

#[test]
fn a_cancellation_keeps_only_the_part_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut part = PartFile::create(target(folder.path(), Conflict::Fail)).unwrap();
    part.file().write_all(&tar(true)).unwrap();
    let (watch, stop) = Watch::new(std::sync::Arc::new(crate::client::NoProgress));
    drop(stop);
    let outcome = finish(part, &target(folder.path(), Conflict::Fail), Attributes::default(), &watch);
    assert!(matches!(outcome, Err(OutputError::Unpack(_))));
    assert_eq!(names(folder.path()), [".sgsend-00000000.part"]);
}

#[cfg(unix)]
#[test]
fn leftovers_are_replaced_and_symlinks_not_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let unfinished = folder.path().join(".sgsend-00000000.d");
    fs::create_dir_all(unfinished.join("closed/deeper")).unwrap();
    fs::set_permissions(unfinished.join("closed"), fs::Permissions::from_mode(0o500)).unwrap();
    assert!(run(folder.path(), Conflict::Fail, &tar(true)).is_ok());

    let victim = tempfile::tempdir().unwrap();
    fs::write(victim.path().join("precious"), "x").unwrap();
    symlink(victim.path(), &unfinished).unwrap();
    assert!(run(folder.path(), Conflict::Rename, &tar(true)).is_ok());
    assert_eq!(names(victim.path()), ["precious"]);
    assert_eq!(names(folder.path()), ["photos.d", "photos.d (1)"]);
}

#[cfg(unix)]
#[test]
fn renaming_without_kernel_support_replaces_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    fs::create_dir(&from).unwrap();
    fs::write(&to, "mine").unwrap();
    assert_eq!(rename_to_new(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    fs::remove_file(&to).unwrap();
    fs::create_dir(&to).unwrap();
    assert_eq!(rename_to_new(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    fs::remove_dir(&to).unwrap();
    rename_to_new(&from, &to).unwrap();
    assert!(to.is_dir() && !from.exists());
}
