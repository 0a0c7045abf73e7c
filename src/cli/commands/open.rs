//! `sgsend open`: decrypts a payload that is already on this machine.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use tokio::task::spawn_blocking;

use super::download::{KeyArguments, link_secret, report, resolve_target};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::identity::{IdentityOptions, read_private, unwrap_keys};
use crate::cli::input::link_arg::{KeyOptions, reject_link};
use crate::cli::input::secret::claim_stdin;
use crate::cli::output::target::{OutputOptions, OutputTarget};
use crate::client::decrypt::{DecryptError, Decrypted, Decryption, Framing};
use crate::client::unpack::Watch;
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::sealed::{OpenError, OpenStream, SEGMENT_SIZE, plaintext_size};
use crate::domain::id::TokenId;
use crate::domain::people::recipient_keys::KeysBlob;

/// Arguments of `sgsend open`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Encrypted payload, or - for stdin
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    #[command(flatten)]
    target: OutputOptions,
    #[command(flatten)]
    key: KeyArguments,
    /// File with the keys of a transfer for recipients, which --identity opens: GET /transfers/id/ID/keys
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    identity: IdentityOptions,
    /// Write the plaintext unchanged, for payloads without an envelope [default output: stdout]
    #[arg(long, conflicts_with = "extract")]
    raw: bool,
}

/// Runs `sgsend open`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let options = KeyOptions { key: arguments.key.key.clone(), key_file: arguments.key.key_file.clone() };
    reject_link(&arguments.file)?;
    if arguments.file == Path::new("-") {
        claim_stdin("payload")?;
    }
    if arguments.raw && arguments.target.output.is_none() && context.printer.is_json() {
        let failure = Failure::usage("stdout cannot carry both the content and JSON");
        return Err(failure.hint("name a file with -o").into());
    }
    // Random digits for the name of the part file: a payload on disk does not contain its transfer id.
    let mark = TokenId::random().to_string()[..8].to_owned();
    let target = OutputTarget::new(&arguments.target, mark, &context.prompt, context.printer.clone());
    // Raw content goes to stdout unless -o names a file.
    let to_stdout = arguments.raw && arguments.target.output.is_none();
    let target = if to_stdout { target } else { resolve_target(target, size_of(&arguments.file)).await? };
    let key = match &arguments.keys {
        Some(file) => wrapped_key(file, options, &arguments.identity, context).await?,
        None => plain_key(options, &arguments, context).await?,
    };
    let framing = if arguments.raw { Framing::Raw } else { Framing::Envelope };
    let choose = target.into_choice();
    // Dropping `_stop` ends the unpacking.
    let (watch, _stop) = Watch::new(context.meter("open"));
    let open = move || {
        let decryption = Decryption::new(OpenStream::new(key), None, framing, choose).watched(watch);
        open(&arguments.file, decryption)
    };
    let decrypted = spawn_blocking(open).await.expect("decrypting does not panic")?;
    if decrypted.metadata.as_ref().is_some_and(|metadata| metadata.signed) {
        context.printer.warning("signature not checked: it is not in the payload, but with the transfer");
    }
    report(&decrypted, None, context)
}

/// Returns the key in a file with the keys of a transfer, opened with a private key of this user.
async fn wrapped_key(
    file: &Path,
    options: KeyOptions,
    identity: &IdentityOptions,
    context: &Context,
) -> Result<PayloadKey> {
    // The key of the link, if it is given, is compared with the unwrapped one.
    let commitment = if options.key.is_some() || options.key_file.is_some() {
        let link_key = options.read_without_link(context).await?;
        let missing = || Failure::usage("with --keys, the key is that of a link for recipients, and begins with to.");
        Some(link_key.commitment().ok_or_else(missing)?)
    } else {
        None
    };
    let bytes = read_private(file)?;
    let keys = KeysBlob::from_bytes(&bytes)
        .map_err(|error| Failure::new(Exit::WrongKey, "damaged_keys", format!("{}: {error}", file.display())))?;
    Ok(unwrap_keys(keys, identity.read(context).await?, commitment).await?.key)
}

/// Returns the key of the command line, derived with the passphrase if there is one.
async fn plain_key(options: KeyOptions, arguments: &Arguments, context: &Context) -> Result<PayloadKey> {
    let link_key = options.read_without_link(context).await?;
    if link_key.is_further() {
        let failure = Failure::usage("this key opens its payload only with what the server stores for its link");
        return Err(failure
            .hint("download with the link, or use the transfer's own key, which starts with v1.")
            .into());
    }
    if link_key.commitment().is_some() {
        let failure = Failure::usage("this key is that of a link for recipients, and opens nothing by itself");
        return Err(failure
            .hint("pass the keys of the transfer with --keys FILE, and your private key with -i")
            .into());
    }
    let (ask, file) = (arguments.key.passphrase, arguments.key.passphrase_file.clone());
    let secret = link_secret(link_key, ask, file, context).await?;
    Ok(secret.into_own().expect("the key is that of an own link"))
}

/// Returns the size of a regular file, which exceeds the size of its decrypted content by little.
fn size_of(path: &Path) -> Option<u64> {
    let size = path.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    plaintext_size(size)
}

/// Converts an early end of the input. If the input ends before the first complete segment, nothing was decrypted.
fn ended_early(path: &Path, error: DecryptError, fed: usize) -> anyhow::Error {
    if !matches!(error, DecryptError::Open(OpenError::Truncated)) || fed >= SEGMENT_SIZE {
        return error.into();
    }
    let name = if path == Path::new("-") { "stdin".into() } else { path.display().to_string() };
    let problem = if fed == 0 { "is empty" } else { "is too short for an encrypted payload" };
    let failure = Failure::new(Exit::WrongKey, "damaged_payload", format!("{name} {problem}"));
    failure.hint("download the payload again, and open that file").into()
}

fn open(path: &Path, mut decryption: Decryption) -> Result<Decrypted> {
    let failed = |error: io::Error| {
        let message = format!("{} cannot be read: {error}", path.display());
        Failure::new(Exit::LocalFile, "file_unreadable", message)
    };
    let mut input: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(File::open(path).map_err(failed)?) };
    let mut buffer = vec![0; SEGMENT_SIZE];
    let mut fed = 0;
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return decryption.finish().map_err(|error| ended_early(path, error, fed)),
            Ok(read) => {
                fed += read;
                decryption.feed(&buffer[..read])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error).into()),
        }
    }
}
