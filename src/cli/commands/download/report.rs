//! The result of a download or decryption, for people and scripts.

use std::io;
use std::path::Path;

use anyhow::Result;
use bytesize::ByteSize;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::output::plural::with_number;
use crate::cli::output::sender::SignerOutput;
use crate::cli::output::target::name_of;
use crate::client::decrypt::Decrypted;
use crate::client::unpack::UnpackedFile;
use crate::domain::id::TransferId;
use crate::domain::wire::Flow;

#[derive(Serialize)]
struct Output {
    v: u8,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_id: Option<TransferId>,
    files: Vec<FileOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Flow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<SignerOutput>,
}

#[derive(Serialize)]
struct FileOutput {
    name: Option<String>,
    path: Option<String>,
    size: u64,
}

impl FileOutput {
    /// Describes a single file, or content written to stdout.
    fn of(decrypted: &Decrypted) -> Self {
        let name = decrypted.metadata.as_ref().map(name_of);
        let path = decrypted.path.as_ref().map(|path| path.display().to_string());
        Self { name, path, size: decrypted.size }
    }

    /// Describes a file unpacked into `directory`.
    fn unpacked_in(directory: &Path, file: &UnpackedFile) -> Self {
        let path = directory.join(&file.name).display().to_string();
        Self { name: Some(file.name.clone()), path: Some(path), size: file.size }
    }
}

/// Converts the error of printing the result of a download or decryption, which has succeeded.
fn unreported(decrypted: &Decrypted, error: io::Error) -> anyhow::Error {
    match &decrypted.path {
        Some(path) if error.kind() != io::ErrorKind::BrokenPipe => {
            let message = format!("{} was saved, but stdout cannot be written: {error}", path.display());
            let failure = Failure::new(Exit::Unreported, "result_unprinted", message);
            failure.hint("the content is complete; check the target of stdout").into()
        }
        _ => error.into(),
    }
}

/// Prints the path of the content.
pub(crate) fn report(decrypted: &Decrypted, transfer: Option<(TransferId, Flow)>, context: &Context) -> Result<()> {
    let printer = &context.printer;
    for warning in &decrypted.warnings {
        printer.warning(&warning.to_string());
    }
    if printer.is_json() {
        let files = match (&decrypted.unpacked, &decrypted.path) {
            (Some(unpacked), Some(directory)) => {
                unpacked.iter().map(|file| FileOutput::unpacked_in(directory, file)).collect()
            }
            _ => vec![FileOutput::of(decrypted)],
        };
        let (transfer_id, mode) = transfer.unzip();
        let outcome = printer.json(&Output {
            v: 1,
            ok: true,
            transfer_id,
            files,
            mode,
            signed_by: decrypted.sender.as_ref().map(SignerOutput::of),
        });
        outcome.map_err(|error| unreported(decrypted, error))?;
    } else if let Some(path) = &decrypted.path {
        printer.path(path).map_err(|error| unreported(decrypted, error))?;
        if printer.is_interactive() {
            let size = ByteSize(decrypted.size);
            match &decrypted.unpacked {
                None => printer.note(&format!("{size}, authenticity verified")),
                Some(files) => {
                    let files = with_number(files.len(), "file");
                    printer.note(&format!("{files}, {size}, authenticity verified"));
                }
            }
            let is_archive = decrypted.metadata.as_ref().is_some_and(|metadata| metadata.archive.is_some());
            if is_archive && decrypted.unpacked.is_none() {
                printer.note("the file is an archive; list it with: tar -tf FILE");
            }
        }
    }
    Ok(())
}
