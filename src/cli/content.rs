//! What is to be sent: a file, a stream, or several files as one archive.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::exit::Exit;
use super::failure::Failure;
use super::failure_table::hint_of_io;
use super::secret_input::claim_stdin;
use crate::client::pack::{Exclude, LeftOut, PackError, Top, pack};
use crate::client::upload::{Source, UploadError};
use crate::domain::file_name::safe_file_name;
use crate::domain::random;

/// The most that is kept of a stream, in bytes, whatever a server says that it takes: 16 GiB.
const MAX_SPOOL: u64 = 16 << 30;

/// What the command line names.
pub(super) struct Wanted {
    pub paths: Vec<PathBuf>,
    /// What recipients shall see.
    pub name: Option<String>,
    /// Globs of what is left out.
    pub exclude: Vec<String>,
    /// Bytes that the server takes.
    pub limit: u64,
}

/// What was found.
pub(super) struct Content {
    pub source: Source,
    pub name: String,
    /// Whether that is not what the sender calls it.
    pub is_renamed: bool,
    /// Whether it came from stdin.
    pub is_stream: bool,
    /// Whether it was kept from something that cannot be read again.
    pub is_spooled: bool,
    pub left_out: Vec<LeftOut>,
    /// Globs of what was to be left out and was not there.
    pub unused_globs: Vec<String>,
}

impl Wanted {
    /// Opens it. Blocks, and reads stdin to its end.
    pub(super) fn open(self) -> Result<Content> {
        let exclude = Exclude::parse(&self.exclude).map_err(|error| {
            Failure::usage(error.to_string()).hint("to match a [, a { or a * as it stands, write [[], [{] or [*]")
        })?;
        let name = self.name.clone();
        let content = self.find(name, &exclude)?;
        let name = safe_file_name(&content.name);
        Ok(Content {
            is_renamed: name != content.name || name.contains(char::REPLACEMENT_CHARACTER),
            name,
            unused_globs: exclude.unused(),
            ..content
        })
    }

    fn find(&self, name: Option<String>, exclude: &Exclude) -> Result<Content> {
        match &self.paths[..] {
            [path] if path == Path::new("-") => {
                claim_stdin("content")?;
                let source = spool(io::stdin().lock(), self.limit)?;
                let name = name.unwrap_or_else(|| "stdin".to_owned());
                Ok(Content { is_stream: true, ..Content::of(source, name, true, Vec::new()) })
            }
            [path] if path.is_dir() => one_directory(path, name, exclude),
            [path] => {
                let last = last_name(path);
                if last.as_ref().is_ok_and(|last| exclude.matches(last)) {
                    return Err(PackError::Nothing.into());
                }
                let (source, is_spooled) = open_one(path, self.limit)?;
                let name = name.map_or(last, Ok)?;
                Ok(Content::of(source, name, is_spooled, Vec::new()))
            }
            paths => several(paths, name, exclude),
        }
    }
}

impl Content {
    fn of(source: Source, name: String, is_spooled: bool, left_out: Vec<LeftOut>) -> Self {
        Self { source, name, is_renamed: false, is_stream: false, is_spooled, left_out, unused_globs: Vec::new() }
    }
}

/// The content of a directory becomes that of the archive.
fn one_directory(path: &Path, name: Option<String>, exclude: &Exclude) -> Result<Content> {
    let name = name.map_or_else(|| last_name(path), Ok)?;
    let modified = path.metadata().and_then(|metadata| metadata.modified()).ok();
    let packed = pack(vec![Top { name: String::new(), path: path.to_owned() }], exclude)?;
    let source = Source::archive(packed.plan, modified);
    Ok(Content::of(source, name, false, packed.left_out))
}

/// Each path becomes an entry under its last name.
fn several(paths: &[PathBuf], name: Option<String>, exclude: &Exclude) -> Result<Content> {
    let mut names = BTreeSet::new();
    let mut tops = Vec::with_capacity(paths.len());
    for path in paths {
        if path == Path::new("-") {
            return Err(Failure::usage("- is stdin, and is sent alone").hint("a file called - is ./-").into());
        }
        let name = last_name(path)?;
        if !names.insert(name.clone()) {
            let message = format!("two of the paths would both be called {name}");
            return Err(Failure::usage(message).hint("send them apart, or the directory that they are in").into());
        }
        tops.push(Top { name, path: path.clone() });
    }
    let packed = pack(tops, exclude)?;
    // The transfer's id is not known yet: the envelope is sealed before the server is asked for one.
    let name = name.unwrap_or_else(|| format!("sgsend-{:08x}", u32::from_le_bytes(random::bytes())));
    let source = Source::archive(packed.plan, None);
    Ok(Content::of(source, name, false, packed.left_out))
}

/// Refuses several paths if one is not there, without repeating it: where a passphrase is asked for it may be one that was
/// typed behind the flag.
pub(super) fn check_there(paths: &[PathBuf]) -> Result<(), Failure> {
    let there = |path: &PathBuf| path == Path::new("-") || path.symlink_metadata().is_ok();
    match paths.iter().position(|path| !there(path)) {
        Some(at) if paths.len() > 1 => Err(Failure::usage(format!("the path in place {} is not there", at + 1))
            .hint("--passphrase takes no value: it is asked for, or comes with --passphrase-file")),
        _ => Ok(()),
    }
}

/// The last name of a path; of `.`, `..` and the like that of the directory that they are.
fn last_name(path: &Path) -> Result<String, Failure> {
    let resolved = if path.file_name().is_none() { path.canonicalize().ok() } else { None };
    let name = resolved.as_deref().unwrap_or(path).file_name();
    let name = name.ok_or_else(|| {
        Failure::usage(format!("{} has no name to send it under", path.display())).hint("give it one with --name")
    })?;
    Ok(name.to_string_lossy().into_owned())
}

/// Opens a regular file; anything else that can be read is spooled, which is said. Blocks.
fn open_one(path: &Path, limit: u64) -> Result<(Source, bool)> {
    let failed = |error: io::Error| {
        let message = format!("{} cannot be read: {error}", path.display());
        Failure::new(Exit::LocalFile, "file_unreadable", message).hint(hint_of_io(&error))
    };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_file() && metadata.len() > 0 {
        return Ok((Source::open(path).map_err(failed)?, false));
    }
    // A length of 0 need not mean that a file is empty: those of /proc are not.
    let spooled = spool(File::open(path).map_err(failed)?, limit)?;
    let is_empty = metadata.is_file() && spooled.size() == 0;
    if is_empty { Ok((Source::open(path).map_err(failed)?, false)) } else { Ok((spooled, true)) }
}

/// Keeps a stream in a file without a name, up to what the server takes and never more than [`MAX_SPOOL`].
fn spool(input: impl Read, limit: u64) -> Result<Source> {
    let failed = |error: io::Error| {
        let message = format!("the input cannot be kept: {error}");
        Failure::new(Exit::LocalFile, "spool", message).hint(hint_of_io(&error))
    };
    let limit = limit.min(MAX_SPOOL);
    let mut file = tempfile::tempfile().map_err(failed)?;
    let size = io::copy(&mut input.take(limit.saturating_add(1)), &mut file).map_err(failed)?;
    if size > limit {
        return Err(UploadError::TooLarge { name: "the input".to_owned(), size: None, limit }.into());
    }
    file.flush().and_then(|()| file.rewind()).map_err(failed)?;
    Ok(Source::of(file).map_err(failed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_kept_up_to_the_limit() {
        assert_eq!(spool(&b"12345"[..], 5).unwrap().size(), 5);
        let error = spool(&b"123456"[..], 5).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(UploadError::TooLarge { limit: 5, .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_does_not_tell_its_length_is_read() {
        assert!(open_one(Path::new("/proc/self/status"), 1_000_000).unwrap().0.size() > 0);
        let empty = tempfile::NamedTempFile::new().unwrap();
        empty.as_file().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(open_one(empty.path(), 5).unwrap().0.modified_ms(), Some(0));
    }

    fn wanted(paths: &[&Path], exclude: &[&str]) -> Wanted {
        let paths = paths.iter().map(|path| path.to_path_buf()).collect();
        Wanted { paths, name: None, exclude: exclude.iter().map(ToString::to_string).collect(), limit: 1_000_000 }
    }

    fn refused(wanted: Wanted) -> Failure {
        Failure::of(&wanted.open().err().unwrap())
    }

    #[test]
    fn an_archive_is_called_as_its_directory() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("photos/inner");
        std::fs::create_dir_all(&inner).unwrap();
        let photos = folder.path().join("photos");
        for path in [photos.clone(), inner.join(".."), photos.join("."), inner.join("../../photos/")] {
            let content = wanted(&[&path], &[]).open().unwrap();
            assert_eq!(content.name, "photos", "{}", path.display());
            assert_eq!(content.source.plan().unwrap().entries()[0].path(), "inner");
        }
        let several = wanted(&[&photos, &inner], &[]).open().unwrap();
        assert_eq!((several.name.len(), several.name.starts_with("sgsend-")), (15, true));
    }

    #[test]
    fn what_cannot_be_sent_is_a_usage_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.log");
        std::fs::write(&file, "x").unwrap();
        std::fs::create_dir(folder.path().join("d")).unwrap();
        std::fs::write(folder.path().join("d/a.log"), "x").unwrap();
        for wanted in [
            wanted(&[&file, &folder.path().join("d/a.log")], &[]),
            wanted(&[&file, &file], &[]),
            wanted(&[&file, Path::new("-")], &[]),
            wanted(&[&file], &["*.log"]),
            wanted(&[&file, &folder.path().join("d")], &["*.log", "d"]),
            wanted(&[&file], &["a["]),
        ] {
            assert_eq!(refused(wanted).exit, Exit::Usage);
        }
        let typed = check_there(&[file.clone(), "open sesame".into()]).unwrap_err();
        assert_eq!((typed.exit, format!("{typed:?}").contains("sesame")), (Exit::Usage, false), "{typed:?}");
        let missing = refused(wanted(&[&file, &folder.path().join("nowhere")], &[]));
        assert_eq!((missing.exit, missing.message.contains("nowhere")), (Exit::LocalFile, true));
    }
}
