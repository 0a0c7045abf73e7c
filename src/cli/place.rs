//! Where plaintext is put: a file with the sender's name, a file or directory of the recipient's choice, or stdout.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::printer::Printer;
use super::prompt::Prompt;
use crate::client::unseal::{Choose, Conflict, Output, OutputError, Target};
use crate::domain::envelope::{Archive, Metadata};
use crate::domain::file_name::safe_file_name;

/// What can be said about the output.
#[derive(Args, Clone)]
pub(super) struct PlaceOptions {
    /// A file or directory to write to, or - for stdout [default: the sender's name, in this directory]
    #[arg(short, long, value_name = "PATH|DIR|-")]
    pub output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long, conflicts_with = "rename")]
    pub overwrite: bool,
    /// Take another name where a file exists
    #[arg(long)]
    pub rename: bool,
}

/// A place that was chosen.
#[derive(Clone)]
pub(super) struct Place {
    output: Option<PathBuf>,
    conflict: Option<Conflict>,
    mark: String,
    prompt: Prompt,
    printer: Printer,
}

impl Place {
    /// The place that `options` describe; unfinished files beside it carry `mark`.
    pub(super) fn new(options: &PlaceOptions, mark: String, prompt: Prompt, printer: Printer) -> Self {
        let conflict = match (options.overwrite, options.rename) {
            (true, _) => Some(Conflict::Overwrite),
            (_, true) => Some(Conflict::Rename),
            _ => None,
        };
        Self { output: options.output.clone(), conflict, mark, prompt, printer }
    }

    /// Whether the content goes to stdout.
    pub(super) fn is_stdout(&self) -> bool {
        self.output.as_deref().is_some_and(|output| output == Path::new("-"))
    }

    /// Settles what can be settled before anything is fetched: a file that exists is asked about now. Blocks.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        if self.is_stdout() && self.printer.is_json() {
            return Err(Failure::usage("stdout cannot take both the content and JSON").hint("write to a file"));
        }
        let Some(path) = self.output.clone().filter(|path| !self.is_stdout() && !is_directory(path)) else {
            return Ok(());
        };
        match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) if !parent.is_dir() => {
                let message = format!("there is no directory {}", parent.display());
                return Err(Failure::new(super::Exit::LocalFile, "no_directory", message)
                    .hint("make it, or choose another with -o"));
            }
            _ => {}
        }
        match self.resolve_conflict(&path) {
            Ok(conflict) => {
                self.conflict = conflict.or(self.conflict);
                Ok(())
            }
            Err(error) => Err(Failure::of(&crate::client::unseal::UnsealError::from(error).into())),
        }
    }

    /// Chooses the output when the envelope is known.
    pub(super) fn into_choice(self) -> Choose {
        Box::new(move |metadata| self.choose(metadata))
    }

    fn choose(self, metadata: Option<&Metadata>) -> Result<Output, OutputError> {
        // Without a name and without an envelope there is no other way.
        if self.is_stdout() || (self.output.is_none() && metadata.is_none()) {
            if self.output.is_none() && std::io::stdout().is_terminal() {
                return Err(OutputError::Refused("the content may not be fit for a terminal".to_owned()));
            }
            return Ok(Output::Stream(self.printer.content()));
        }
        let name = || metadata.map_or_else(|| "file".to_owned(), name_of);
        let path = match &self.output {
            None => PathBuf::from(name()),
            Some(directory) if is_directory(directory) => directory.join(name()),
            Some(path) => path.clone(),
        };
        let conflict = self.resolve_conflict(&path)?.unwrap_or(Conflict::Refuse);
        Ok(Output::File(Target { path, conflict, mark: self.mark }))
    }

    fn resolve_conflict(&self, path: &Path) -> Result<Option<Conflict>, OutputError> {
        match self.conflict {
            None if path.symlink_metadata().is_ok() => match self.prompt.conflict(&self.printer, path) {
                Some(conflict) => Ok(Some(conflict)),
                None => Err(OutputError::Exists(path.to_owned())),
            },
            conflict => Ok(conflict),
        }
    }
}

fn is_directory(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().to_string_lossy().ends_with(std::path::is_separator)
}

/// The sender's name for the content, reduced to a safe one.
pub(super) fn name_of(metadata: &Metadata) -> String {
    match metadata.archive {
        None => safe_file_name(&metadata.filename),
        Some(Archive::Tar) => safe_file_name(&format!("{}.tar", safe_file_name(&metadata.filename))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::When;

    fn choose(output: Option<&Path>, rename: bool, metadata: &Metadata) -> Result<(PathBuf, Conflict), OutputError> {
        let options = PlaceOptions { output: output.map(ToOwned::to_owned), overwrite: false, rename };
        let place = Place::new(&options, "0".into(), Prompt::new(true, false), Printer::bare(false, When::Never));
        match place.choose(Some(metadata))? {
            Output::File(target) => Ok((target.path, target.conflict)),
            Output::Stream(_) => panic!("a file was asked for"),
        }
    }

    fn metadata(filename: &str, archive: Option<Archive>) -> Metadata {
        Metadata { filename: filename.into(), size: 0, content_type: None, modified_ms: None, archive }
    }

    #[test]
    fn the_senders_name_is_reduced_and_put_into_the_chosen_directory() {
        let directory = tempfile::tempdir().unwrap();
        let (path, conflict) = choose(Some(directory.path()), false, &metadata("../../etc/passwd", None)).unwrap();
        assert_eq!((path, conflict), (directory.path().join("passwd"), Conflict::Refuse));
        let (path, _) = choose(None, false, &metadata("photos", Some(Archive::Tar))).unwrap();
        assert_eq!(path, Path::new("photos.tar"));
        let file = directory.path().join("mine");
        assert_eq!(choose(Some(&file), false, &metadata("theirs", None)).unwrap().0, file);
    }

    #[test]
    fn a_file_that_exists_is_left_alone_unless_told_otherwise() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let metadata = metadata("x", None);
        assert!(matches!(choose(Some(file.path()), false, &metadata), Err(OutputError::Exists(_))));
        assert_eq!(choose(Some(file.path()), true, &metadata).unwrap().1, Conflict::Rename);
    }
}
