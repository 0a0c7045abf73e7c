//! `sgsend man`: writes the manual pages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Command};

use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::output::printer::Printer;
use crate::cli::reference;

/// Arguments of `sgsend man`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Directory for the pages of all commands [default: print the page of sgsend to stdout]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Runs `sgsend man`.
pub(crate) fn run(arguments: &Arguments, command_line: Command, printer: &Printer) -> Result<()> {
    let pages = reference::pages(command_line)?;
    let Some(directory) = &arguments.directory else {
        if let Some(first) = pages.first() {
            printer.text(&String::from_utf8_lossy(&first.text))?;
        }
        return Ok(());
    };
    if is_command(directory, &pages) {
        let name = directory.display().to_string().replace('-', " ");
        let message = format!("{} is a command, but `sgsend man` takes a directory for the pages", directory.display());
        return Err(Failure::usage(message)
            .hint(format!("see `sgsend help {name}`; to use a directory of this name, write ./{}", directory.display()))
            .into());
    }
    let write = || {
        fs::create_dir_all(directory)?;
        pages.iter().try_for_each(|page| fs::write(directory.join(&page.file), &page.text))
    };
    write().map_err(|error| {
        let message = format!("cannot write the pages to {}: {error}", directory.display());
        Failure::new(Exit::LocalFile, "pages_unwritable", message).hint("use a writable directory")
    })?;
    if printer.is_json() {
        return Ok(printer.json_of(&serde_json::json!({ "files": names(&pages) }))?);
    }
    printer.note(&format!("{} pages written to {}", pages.len(), directory.display()));
    Ok(())
}

/// Returns whether the argument is a command name, as for `man`, rather than a directory.
fn is_command(directory: &Path, pages: &[reference::ManualPage]) -> bool {
    let page = format!("sgsend-{}.1", directory.display());
    pages.iter().any(|other| other.file == page)
}

fn names(pages: &[reference::ManualPage]) -> Vec<&str> {
    pages.iter().map(|page| page.file.as_str()).collect()
}
