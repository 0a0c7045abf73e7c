//! The input of an upload: a file, a stream, or several files as one archive.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::secret::claim_stdin;
use super::spool::{MAX_SPOOL, open_or_spool, spool_stream};
use crate::cli::failure::Failure;
use crate::client::pack::{PackError, PackInput, PackOptions, PathGlobs, SkippedEntry, pack};
use crate::client::upload::UploadSource;
use crate::domain::crypto::random;
use crate::domain::file_name::safe_file_name;

/// Options about the files to send.
#[derive(Args, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag on the command line")]
pub(crate) struct ContentOptions {
    /// Exclude entries whose name, or path below the directory, matches this glob; can be repeated
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<OsString>,
    /// Follow symbolic links, and send the files and directories that they point to
    #[arg(short = 'L', long)]
    pub dereference: bool,
    /// Skip entries that cannot be sent: links that lead out, unreadable entries, and unsupported names. Each is named
    #[arg(long)]
    pub skip_unsendable: bool,
    /// Send growing files, such as logs, with the size that they have at the start
    #[arg(long)]
    pub snapshot: bool,
    /// Accept an empty stdin or pipe
    #[arg(long)]
    pub allow_empty: bool,
}

/// The paths and options of the command line.
pub(crate) struct Input {
    pub paths: Vec<PathBuf>,
    /// Name shown to recipients.
    pub name: Option<String>,
    pub options: ContentOptions,
    /// Maximum content size of the server, in bytes.
    pub limit: u64,
}

/// The opened input.
pub(crate) struct Content {
    pub source: UploadSource,
    pub name: String,
    /// Whether the name had to be changed to a safe file name.
    pub is_renamed: bool,
    /// Whether the content comes from stdin.
    pub is_stream: bool,
    /// Whether the content is a spooled copy of an input that cannot be read twice.
    pub is_spooled: bool,
    /// Skipped entries of an archive.
    pub skipped: Vec<SkippedEntry>,
    /// Exclude globs without a match.
    pub unused_globs: Vec<OsString>,
}

impl Input {
    /// Opens the input. Blocks, and reads stdin to its end.
    pub(crate) fn open(self) -> Result<Content> {
        let exclude = PathGlobs::parse(&self.options.exclude).map_err(|error| {
            Failure::usage(error.to_string()).hint("to match a literal [, { or *, write [[], [{] or [*]")
        })?;
        let name = self.name.clone();
        let ContentOptions { dereference, skip_unsendable, snapshot, .. } = self.options;
        let spool_limit = self.limit.min(MAX_SPOOL);
        let options = PackOptions { exclude, dereference, skip_unsendable, snapshot, spool_limit };
        let content = self.open_paths(name, &options)?;
        let name = safe_file_name(&content.name);
        Ok(Content {
            is_renamed: name != content.name || name.contains(char::REPLACEMENT_CHARACTER),
            name,
            unused_globs: options.exclude.unused(),
            ..content
        })
    }

    fn open_paths(&self, name: Option<String>, options: &PackOptions) -> Result<Content> {
        match &self.paths[..] {
            [path] if path == Path::new("-") => {
                claim_stdin("content")?;
                let source = spool_stream(io::stdin().lock(), "stdin", self.limit, self.options.allow_empty)?;
                let name = name.unwrap_or_else(|| "stdin".to_owned());
                Ok(Content { is_stream: true, ..Content::of(source, name, true, Vec::new()) })
            }
            [path] if path.is_dir() => pack_directory(path, name, options),
            [path] => {
                let last = last_name(path);
                if path.file_name().is_some_and(|name| options.exclude.matches(Path::new(name))) {
                    return Err(PackError::Nothing.into());
                }
                let (source, is_spooled) = open_or_spool(path, self.limit, self.options.allow_empty)?;
                let source = if options.snapshot { source.snapshot() } else { source };
                let name = name.map_or(last, Ok)?;
                Ok(Content::of(source, name, is_spooled, Vec::new()))
            }
            paths => pack_paths(paths, name, options),
        }
    }
}

impl Content {
    fn of(source: UploadSource, name: String, is_spooled: bool, skipped: Vec<SkippedEntry>) -> Self {
        Self { source, name, is_renamed: false, is_stream: false, is_spooled, skipped, unused_globs: Vec::new() }
    }
}

/// Packs the entries of a directory; the directory itself is not an entry.
fn pack_directory(path: &Path, name: Option<String>, options: &PackOptions) -> Result<Content> {
    let name = name.map_or_else(|| last_name(path), Ok)?;
    let metadata = path.metadata().ok();
    let packed = pack(vec![PackInput { name: String::new(), path: path.to_owned() }], options)?;
    let source = UploadSource::archive(packed.plan, metadata.as_ref());
    Ok(Content::of(source, name, false, packed.skipped))
}

/// Packs several paths, each under its last component.
fn pack_paths(paths: &[PathBuf], name: Option<String>, options: &PackOptions) -> Result<Content> {
    let mut names = BTreeSet::new();
    let mut inputs = Vec::with_capacity(paths.len());
    for path in paths {
        if path == Path::new("-") {
            return Err(Failure::usage("- is stdin and cannot be combined with other paths")
                .hint("write ./- for a file named -")
                .into());
        }
        let name = last_name(path)?;
        if !names.insert(name.clone()) {
            let message = format!("two paths have the same name {name}");
            return Err(Failure::usage(message).hint("upload them separately, or upload their directory").into());
        }
        inputs.push(PackInput { name, path: path.clone() });
    }
    let packed = pack(inputs, options)?;
    // Random digits, since the envelope is encrypted before the server assigns the transfer id.
    let name = name.unwrap_or_else(|| format!("sgsend-{:08x}", u32::from_le_bytes(random::bytes())));
    let source = UploadSource::archive(packed.plan, None);
    Ok(Content::of(source, name, false, packed.skipped))
}

/// Rejects a missing path among several; the message does not quote the path.
///
/// With `--passphrase`, a missing path may be a passphrase that was typed behind the flag.
pub(crate) fn check_paths_exist(paths: &[PathBuf]) -> Result<(), Failure> {
    let exists = |path: &PathBuf| path == Path::new("-") || path.symlink_metadata().is_ok();
    match paths.iter().position(|path| !exists(path)) {
        Some(at) if paths.len() > 1 => Err(Failure::usage(format!("path number {} does not exist", at + 1))
            .hint("--passphrase takes no value: it asks for the passphrase; --passphrase-file reads it from a file")),
        _ => Ok(()),
    }
}

/// Returns the last component of a path; resolves `.` and `..` to the name of their directory.
fn last_name(path: &Path) -> Result<String, Failure> {
    let resolved = if path.file_name().is_none() { path.canonicalize().ok() } else { None };
    let name = resolved.as_deref().unwrap_or(path).file_name();
    let name = name
        .ok_or_else(|| Failure::usage(format!("{} has no file name", path.display())).hint("set a name with --name"))?;
    Ok(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::exit::Exit;

    fn input(paths: &[&Path], exclude: &[&str]) -> Input {
        let paths = paths.iter().map(|path| path.to_path_buf()).collect();
        let exclude = exclude.iter().map(OsString::from).collect();
        let options = ContentOptions { exclude, ..ContentOptions::default() };
        Input { paths, name: None, options, limit: 1_000_000 }
    }

    fn failure_of(input: Input) -> Failure {
        Failure::of(&input.open().err().unwrap())
    }

    #[test]
    fn archives_take_the_name_of_their_directory() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("photos/inner");
        std::fs::create_dir_all(&inner).unwrap();
        let photos = folder.path().join("photos");
        for path in [photos.clone(), inner.join(".."), photos.join("."), inner.join("../../photos/")] {
            let content = input(&[&path], &[]).open().unwrap();
            assert_eq!(content.name, "photos", "{}", path.display());
            assert_eq!(content.source.plan().unwrap().entries()[0].path(), "inner");
        }
        let pack_paths = input(&[&photos, &inner], &[]).open().unwrap();
        assert_eq!((pack_paths.name.len(), pack_paths.name.starts_with("sgsend-")), (15, true));
    }

    #[test]
    fn invalid_inputs_are_usage_errors() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.log");
        std::fs::write(&file, "x").unwrap();
        std::fs::create_dir(folder.path().join("d")).unwrap();
        std::fs::write(folder.path().join("d/a.log"), "x").unwrap();
        for input in [
            input(&[&file, &folder.path().join("d/a.log")], &[]),
            input(&[&file, &file], &[]),
            input(&[&file, Path::new("-")], &[]),
            input(&[&file], &["*.log"]),
            input(&[&file, &folder.path().join("d")], &["*.log", "d"]),
            input(&[&file], &["a["]),
        ] {
            assert_eq!(failure_of(input).exit, Exit::Usage);
        }
        let typed = check_paths_exist(&[file.clone(), "open sesame".into()]).unwrap_err();
        assert_eq!((typed.exit, format!("{typed:?}").contains("sesame")), (Exit::Usage, false), "{typed:?}");
        let missing = failure_of(input(&[&file, &folder.path().join("nowhere")], &[]));
        assert_eq!((missing.exit, missing.message.contains("nowhere")), (Exit::LocalFile, true));
    }
}
