use std::io::Write;

use super::*;

fn target(path: &Path, conflict: Conflict) -> Target {
    Target { path: path.to_owned(), conflict, mark: "00000000".into() }
}

fn finish(path: &Path, conflict: Conflict) -> Result<PathBuf, OutputError> {
    let mut part = PartFile::create(target(path, conflict))?;
    part.file().write_all(b"new").unwrap();
    publish(part)
}

fn publish(part: PartFile) -> Result<PathBuf, OutputError> {
    part.complete(Attributes::default(), &Watch::default()).unwrap();
    part.publish()
}

#[test]
fn no_file_is_overwritten_by_default() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.txt");
    fs::write(&path, "old").unwrap();
    assert!(matches!(finish(&path, Conflict::Fail), Err(OutputError::Exists(_))));
    assert_eq!(finish(&path, Conflict::Rename).unwrap(), directory.path().join("a (1).txt"));
    assert_eq!(finish(&path, Conflict::Rename).unwrap(), directory.path().join("a (2).txt"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(finish(&path, Conflict::Overwrite).unwrap(), path);
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[test]
fn a_file_created_meanwhile_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.txt");
    let part = PartFile::create(target(&path, Conflict::Fail)).unwrap();
    fs::write(&path, "old").unwrap();
    assert!(matches!(publish(part), Err(OutputError::Exists(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "the part file was not removed");
}

#[test]
fn one_process_replaces_an_abandoned_part_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.txt");
    fs::write(directory.path().join(".sgsend-00000000.part"), "abandoned").unwrap();
    let part = PartFile::create(target(&path, Conflict::Fail)).unwrap();
    assert!(matches!(PartFile::create(target(&path, Conflict::Fail)), Err(OutputError::Busy(_))));
    assert_eq!(publish(part).unwrap(), path);
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[cfg(unix)]
#[test]
fn existing_symlinks_are_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let victim = directory.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, directory.path().join(".sgsend-00000000.part")).unwrap();
    assert!(finish(&directory.path().join("a.txt"), Conflict::Fail).is_ok());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    std::os::unix::fs::symlink(directory.path().join("nowhere"), directory.path().join("b.txt")).unwrap();
    assert!(matches!(finish(&directory.path().join("b.txt"), Conflict::Fail), Err(OutputError::Exists(_))));
    std::os::unix::fs::symlink(&victim, directory.path().join("c.txt")).unwrap();
    assert!(matches!(finish(&directory.path().join("c.txt"), Conflict::Overwrite), Err(OutputError::Rejected(_))));
    assert!(directory.path().join("c.txt").is_symlink());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_replaced_part_file_is_not_published() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.txt");
    let part = PartFile::create(target(&path, Conflict::Fail)).unwrap();
    let other = directory.path().join(".sgsend-00000000.part");
    fs::remove_file(&other).unwrap();
    fs::write(&other, "half of something").unwrap();
    assert!(matches!(publish(part), Err(OutputError::Busy(_))));
    assert!(!path.exists());
    assert_eq!(fs::read_to_string(&other).unwrap(), "half of something");
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.txt");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    finish(&path, Conflict::Overwrite).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    fs::set_permissions(&path, Permissions::from_mode(0o6755)).unwrap();
    finish(&path, Conflict::Overwrite).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o755);
    let null = Target { path: "/dev/null".into(), ..target(&path, Conflict::Overwrite) };
    assert!(matches!(PartFile::create(null), Err(OutputError::Rejected(_))));
}

#[cfg(unix)]
#[test]
fn an_unfinished_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let directory = tempfile::tempdir().unwrap();
    let ordinary = directory.path().join("ordinary");
    fs::write(&ordinary, "").unwrap();
    let path = directory.path().join("a.txt");
    let part = PartFile::create(target(&path, Conflict::Fail)).unwrap();
    assert_eq!(mode(&part.path), 0o600);
    publish(part).unwrap();
    assert_eq!(mode(&path), mode(&ordinary));
}
