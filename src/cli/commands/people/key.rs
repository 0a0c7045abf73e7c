//! `sgsend key`: this user's key pair for transfers.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::cli::config::paths;
use crate::cli::config::private_file::{self, Existing};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::identity::{read_identity, read_private};
use crate::cli::input::plugin_dialogue::plugins;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::people::recipient_keys::{IdentityFile, IdentityKey, NewIdentity, RecipientKey, protect};

/// Arguments of `sgsend key`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Make a key pair, and print the public key
    New(NewArguments),
    /// Print the public key, for people who send to this user
    Show,
    /// Take an existing age identity or ssh-ed25519 private key as this user's key
    Import(ImportArguments),
}

#[derive(Args)]
struct NewArguments {
    /// Protect the private key with a passphrase, which is asked for
    #[arg(short, long)]
    passphrase: bool,
}

#[derive(Args)]
struct ImportArguments {
    /// File with the private key
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    public_keys: Vec<&'a str>,
    file: String,
}

/// Runs `sgsend key`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let file = paths::identity_file()
        .ok_or_else(|| Failure::usage("no home directory to keep the private key in").hint("set HOME"))?;
    match arguments.command {
        KeyCommand::New(new) => {
            if file.exists() {
                return Err(exists(&file).into());
            }
            let NewIdentity { file: text, recipient } = NewIdentity::generate(SystemClock.now());
            let contents = if new.passphrase {
                let passphrase = new_passphrase(context).await?;
                let protect = move || protect(&text, &passphrase);
                spawn_blocking(protect).await.expect("encrypting a key does not panic")
            } else {
                text.as_bytes().to_vec()
            };
            save(&file, &contents, context)?;
            print(&[&recipient], &file, context)?;
            note_backup(&file, context);
        }
        KeyCommand::Show => {
            if !file.exists() {
                let failure =
                    Failure::new(Exit::NotFound, "identity_missing", "there is no private key of this user yet");
                return Err(failure.hint("make one with `sgsend key new`").into());
            }
            let keys = read_identity(&file, context).await?;
            print(&keys.iter().map(IdentityKey::recipient).collect::<Vec<_>>(), &file, context)?;
        }
        KeyCommand::Import(import) => {
            if file.exists() {
                return Err(exists(&file).into());
            }
            let keys = read_identity(&import.file, context).await?;
            // As it is: a private key that is protected by a passphrase stays so.
            save(&file, &read_private(&import.file)?, context)?;
            print(&keys.iter().map(IdentityKey::recipient).collect::<Vec<_>>(), &file, context)?;
            note_backup(&file, context);
        }
    }
    Ok(())
}

/// Asks for a new passphrase.
async fn new_passphrase(context: &Context) -> Result<zeroize::Zeroizing<String>> {
    let missing = || Failure::usage("the passphrase cannot be asked for").hint("run the command in a terminal");
    let first = context.prompt.secret("New passphrase").await?.ok_or_else(missing)?;
    let second = context.prompt.secret("The same again").await?.ok_or_else(missing)?;
    if first.is_empty() {
        return Err(Failure::usage("the passphrase is empty").into());
    }
    if *first != *second {
        return Err(Failure::usage("the two passphrases differ").hint("run the command again").into());
    }
    Ok(first)
}

fn exists(file: &std::path::Path) -> Failure {
    Failure::new(Exit::LocalFile, "identity_exists", format!("this user has a private key already: {}", file.display()))
        .hint("use it, or move it away first: what was sent to it opens with it only; other keys work with --identity")
}

fn save(file: &std::path::Path, contents: &[u8], context: &Context) -> Result<(), Failure> {
    // Only what can be read again.
    IdentityFile::parse(contents, Some(&plugins(context))).map_err(|error| Failure::usage(error.to_string()))?;
    private_file::write(file, contents, Existing::Kept).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            return exists(file);
        }
        let message = format!("the private key cannot be written to {}: {error}", file.display());
        Failure::new(Exit::LocalFile, "identity_unwritable", message)
    })
}

fn print(recipients: &[&RecipientKey], file: &std::path::Path, context: &Context) -> Result<()> {
    let printer = &context.printer;
    if printer.is_json() {
        let public_keys = recipients.iter().map(|recipient| recipient.as_str()).collect();
        return Ok(printer.json(&Output { v: 1, ok: true, public_keys, file: file.display().to_string() })?);
    }
    for recipient in recipients {
        printer.result(recipient.as_str())?;
    }
    Ok(())
}

fn note_backup(file: &std::path::Path, context: &Context) {
    if context.printer.is_interactive() {
        context.printer.note(&format!(
            "the private key is in {}; keep a copy in a safe place: nothing else opens what is sent to this key",
            file.display()
        ));
    }
}
