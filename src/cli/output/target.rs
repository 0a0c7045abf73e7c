//! Output target of decrypted content: the sender's file name, a chosen file or directory, or stdout.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use clap::Args;

use super::printer::Printer;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::prompt::Prompt;
use crate::cli::streams::require_stdout;
use crate::client::decrypt::{ChooseOutput, Conflict, DecryptError, Output, OutputError, Target, existing_part};
use crate::client::free_space::available;
use crate::domain::crypto::envelope::{Archive, Metadata, least_content_size};
use crate::domain::file_name::safe_file_name;

/// Output options.
#[derive(Args, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag on the command line")]
pub(crate) struct OutputOptions {
    /// Output file, existing directory for it, or - for stdout [default: the sender's name]
    ///
    /// For an archive, the directory to create or its parent. By default, the output is created in the current directory.
    #[arg(short, long, value_name = "PATH|DIR|-")]
    pub output: Option<PathBuf>,
    /// Overwrite an existing file
    #[arg(long, conflicts_with = "rename")]
    pub overwrite: bool,
    /// Choose another name if the file exists
    #[arg(long)]
    pub rename: bool,
    /// Unpack an archive into a new directory (the default); has no effect on a single file
    #[arg(long, conflicts_with = "no_extract")]
    pub extract: bool,
    /// Save an archive as NAME.tar instead of unpacking it
    #[arg(long)]
    pub no_extract: bool,
    /// Answer yes instead of asking: overwrite an existing file
    #[arg(short, long)]
    pub yes: bool,
}

impl OutputOptions {
    /// Returns whether the options name stdout for the content.
    pub(crate) fn writes_stdout(&self) -> bool {
        self.output.as_deref().is_some_and(is_stdout_name)
    }
}

/// Returns whether a path stands for stdout.
fn is_stdout_name(path: &Path) -> bool {
    const NAMES: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    NAMES.iter().any(|name| path == Path::new(name))
}

/// The output target chosen on the command line.
#[derive(Clone)]
pub(crate) struct OutputTarget {
    output: Option<PathBuf>,
    conflict: Option<Conflict>,
    extract: Extract,
    mark: String,
    prompt: Prompt,
    printer: Printer,
}

/// Whether to unpack an archive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extract {
    /// Unpacked unless the output is stdout.
    Default,
    Wanted,
    Never,
}

impl OutputTarget {
    /// Creates the target of `options`; names of part files beside it contain `mark`.
    pub(crate) fn new(options: &OutputOptions, mark: String, prompt: &Prompt, printer: Printer) -> Self {
        let conflict = match (options.overwrite, options.rename) {
            (true, _) => Some(Conflict::Overwrite),
            (_, true) => Some(Conflict::Rename),
            _ => None,
        };
        let extract = match (options.extract, options.no_extract) {
            (true, _) => Extract::Wanted,
            (_, true) => Extract::Never,
            _ => Extract::Default,
        };
        Self { output: options.output.clone(), conflict, extract, mark, prompt: prompt.answering(options.yes), printer }
    }

    /// Returns whether the content goes to stdout.
    pub(crate) fn is_stdout(&self) -> bool {
        self.output.as_deref().is_some_and(is_stdout_name)
    }

    /// Returns the pipe or device that the content is written to, such as `/dev/null`.
    fn device(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| is_pipe_or_device(path))
    }

    /// Checks the target for content of `size` bytes before the download, and asks about an existing file. Blocks.
    pub(crate) fn resolve(&mut self, size: Option<u64>) -> Result<(), Failure> {
        if self.is_stdout() && self.printer.is_json() {
            return Err(Failure::usage("stdout cannot carry both the content and JSON").hint("name a file with -o"));
        }
        if let (Some(output), Extract::Wanted) = (&self.output, self.extract)
            && (self.is_stdout() || is_pipe_or_device(output))
        {
            let output = if self.is_stdout() { "stdout".to_owned() } else { output.display().to_string() };
            let failure = Failure::usage(format!("cannot unpack an archive to {output}"));
            return Err(failure.hint("omit --extract, or choose a directory with -o"));
        }
        if self.is_stdout() {
            return require_stdout("the content");
        }
        if self.device().is_some() {
            return Ok(());
        }
        let file = self.output.clone().filter(|path| !is_directory(path));
        let directory = match &file {
            None => self.output.as_deref(),
            Some(file) => file.parent(),
        };
        let directory = directory.filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
        check_directory(directory)?;
        if let Some(size) = size {
            // The sizes of envelope and padding are not known yet.
            let size = least_content_size(size).saturating_sub(existing_part(directory, &self.mark));
            check_free_space(directory, size)?;
        }
        let Some(path) = file else { return Ok(()) };
        let failed = |error: OutputError| Failure::of(&DecryptError::from(error).into());
        self.conflict = self.resolve_conflict(&path).map_err(failed)?.or(self.conflict);
        let is_replaced = self.conflict == Some(Conflict::Overwrite) && path.exists();
        if is_replaced && !path.is_file() {
            let message = format!("{} is not a regular file and cannot be overwritten", path.display());
            return Err(failed(OutputError::Rejected(message)));
        }
        Ok(())
    }

    /// Returns the callback that chooses the output once the envelope is decrypted.
    pub(crate) fn into_choice(self) -> ChooseOutput {
        Box::new(move |metadata| self.choose(metadata))
    }

    fn choose(self, metadata: Option<&Metadata>) -> Result<Output, OutputError> {
        // Content without an envelope has no file name, so it goes to stdout unless -o names a file.
        if self.is_stdout() || (self.output.is_none() && metadata.is_none()) {
            if self.output.is_none() && std::io::stdout().is_terminal() {
                return Err(OutputError::Rejected("content is not written to a terminal by default".to_owned()));
            }
            return Ok(Output::Stream(self.printer.content()));
        }
        if let Some(path) = self.device() {
            let opened = OpenOptions::new().write(true).open(path);
            let stream = opened.map_err(|source| OutputError::Create { path: path.to_owned(), source })?;
            return Ok(Output::Stream(Box::new(stream)));
        }
        let extracts = metadata.is_some_and(|metadata| metadata.archive.is_some()) && self.extract != Extract::Never;
        let name = || match metadata {
            None => "file".to_owned(),
            Some(metadata) if extracts => safe_file_name(&metadata.filename),
            Some(metadata) => name_of(metadata),
        };
        let path = match &self.output {
            None => PathBuf::from(name()),
            Some(directory) if is_directory(directory) => directory.join(name()),
            Some(path) => path.clone(),
        };
        if extracts {
            let conflict = self.resolve_for_directory(&path)?;
            return Ok(Output::Directory(Target { path, conflict, mark: self.mark }));
        }
        let conflict = self.resolve_conflict(&path)?.unwrap_or(Conflict::Fail);
        Ok(Output::File(Target { path, conflict, mark: self.mark }))
    }

    /// Resolves a conflict with an existing directory, which is neither merged nor replaced.
    fn resolve_for_directory(&self, path: &Path) -> Result<Conflict, OutputError> {
        match self.conflict {
            Some(Conflict::Rename) => Ok(Conflict::Rename),
            _ if path.symlink_metadata().is_err() => Ok(Conflict::Fail),
            None if self.prompt.rename(path).map_err(|_| OutputError::Interrupted)? => Ok(Conflict::Rename),
            _ => Err(OutputError::DirectoryExists(path.to_owned())),
        }
    }

    /// Resolves a conflict with an existing file, by option or by asking.
    fn resolve_conflict(&self, path: &Path) -> Result<Option<Conflict>, OutputError> {
        match self.conflict {
            None if path.symlink_metadata().is_ok() => match self.prompt.conflict(path) {
                Err(_) => Err(OutputError::Interrupted),
                Ok(Some(conflict)) => Ok(Some(conflict)),
                Ok(None) => Err(OutputError::Exists(path.to_owned())),
            },
            conflict => Ok(conflict),
        }
    }
}

/// Rejects a directory that does not exist or is not writable.
fn check_directory(directory: &Path) -> Result<(), Failure> {
    let failure = |code, message: String| Failure::new(Exit::LocalFile, code, message);
    if !directory.is_dir() {
        let message = format!("directory {} does not exist", directory.display());
        return Err(failure("no_directory", message).hint("create the directory, or choose another with -o"));
    }
    // Creates an anonymous file, since permission bits do not cover all users and file systems.
    tempfile::tempfile_in(directory).map(drop).map_err(|error| {
        let message = format!("cannot write to directory {}: {error}", directory.display());
        failure("file_unwritable", message).hint("choose another directory with -o")
    })
}

/// Rejects a directory whose file system is known to lack space for `size` more bytes.
fn check_free_space(directory: &Path, size: u64) -> Result<(), Failure> {
    match available(directory) {
        Some(free) if free < size => {
            let (needed, free, missing) = (ByteSize(size), ByteSize(free), ByteSize(size - free));
            let message =
                format!("not enough space in {}: the content needs {needed}, but {free} is free", directory.display());
            let failure = Failure::new(Exit::LocalFile, "disk_full", message);
            Err(failure.hint(format!("free {missing}, or choose another directory with -o; nothing was downloaded")))
        }
        _ => Ok(()),
    }
}

/// Returns whether a path names a pipe or a character device. Examples are `/dev/null` and the `>(command)` of a shell.
#[cfg(unix)]
fn is_pipe_or_device(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.metadata().is_ok_and(|found| found.file_type().is_fifo() || found.file_type().is_char_device())
}

#[cfg(not(unix))]
fn is_pipe_or_device(_: &Path) -> bool {
    false
}

fn is_directory(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().to_string_lossy().ends_with(std::path::is_separator)
}

/// Returns a safe form of the sender's file name; `.tar` is appended for an archive.
pub(crate) fn name_of(metadata: &Metadata) -> String {
    match metadata.archive {
        None => safe_file_name(&metadata.filename),
        Some(Archive::Tar) => safe_file_name(&format!("{}.tar", safe_file_name(&metadata.filename))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::style::ColorChoice;
    use crate::client::Interrupt;

    /// Archives of this size are saved with `--no-extract` in these tests.
    const NOT_EXTRACTED: u64 = 1;

    fn choose(output: Option<&Path>, rename: bool, metadata: &Metadata) -> Result<(PathBuf, Conflict), OutputError> {
        let options = OutputOptions {
            output: output.map(ToOwned::to_owned),
            overwrite: false,
            rename,
            extract: false,
            no_extract: metadata.size == NOT_EXTRACTED,
            yes: false,
        };
        let printer = Printer::before_parsing(false, ColorChoice::Never);
        let prompt = Prompt::new(true, printer.clone(), Interrupt::new().1);
        let target = OutputTarget::new(&options, "0".into(), &prompt, printer);
        match target.choose(Some(metadata))? {
            Output::File(target) | Output::Directory(target) => Ok((target.path, target.conflict)),
            Output::Stream(_) => panic!("expected a file, not a stream"),
        }
    }

    fn metadata(filename: &str) -> Metadata {
        Metadata {
            filename: filename.into(),
            size: 0,
            content_type: None,
            modified_ms: None,
            archive: None,
            mode: None,
            signed: false,
        }
    }

    #[test]
    fn existing_directories_are_not_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let archive = Metadata { archive: Some(Archive::Tar), ..metadata("x") };
        std::fs::create_dir(parent.path().join("x")).unwrap();
        assert!(matches!(choose(Some(parent.path()), false, &archive), Err(OutputError::DirectoryExists(_))));
        assert_eq!(choose(Some(parent.path()), true, &archive).unwrap().1, Conflict::Rename);
    }

    #[test]
    fn the_senders_name_is_made_safe_and_placed_in_the_chosen_directory() {
        let directory = tempfile::tempdir().unwrap();
        let (path, conflict) = choose(Some(directory.path()), false, &metadata("../../etc/passwd")).unwrap();
        assert_eq!((path, conflict), (directory.path().join("passwd"), Conflict::Fail));
        let archive = Metadata { archive: Some(Archive::Tar), ..metadata("photos") };
        let kept = Metadata { size: NOT_EXTRACTED, ..archive.clone() };
        assert_eq!(choose(None, false, &archive).unwrap().0, Path::new("photos"));
        assert_eq!(choose(None, false, &kept).unwrap().0, Path::new("photos.tar"));
        assert_eq!(choose(Some(directory.path()), false, &archive).unwrap().0, directory.path().join("photos"));
        assert_eq!(
            choose(Some(&directory.path().join("mine")), false, &archive).unwrap().0,
            directory.path().join("mine")
        );
        let file = directory.path().join("mine");
        assert_eq!(choose(Some(&file), false, &metadata("theirs")).unwrap().0, file);
    }

    #[test]
    fn existing_files_are_kept_unless_an_option_allows_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let metadata = metadata("x");
        assert!(matches!(choose(Some(file.path()), false, &metadata), Err(OutputError::Exists(_))));
        assert_eq!(choose(Some(file.path()), true, &metadata).unwrap().1, Conflict::Rename);
    }
}
