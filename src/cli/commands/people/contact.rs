//! `sgsend contact`: names of this user for the public keys of people.

use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use url::Url;

use crate::cli::config::contacts::{Contacts, KeyChange, contact_name};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::plugin_dialogue::plugins;
use crate::cli::input::recipients::{parse_list, read_list};
use crate::client::fetch_key_list;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::people::recipient_keys::{InvalidRecipient, RecipientKey};
use crate::domain::people::sender_signature::SenderKey;

/// Arguments of `sgsend contact`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: ContactCommand,
}

#[derive(Subcommand)]
enum ContactCommand {
    /// Give a name to the public keys of a person
    Add(AddArguments),
    /// List the contacts
    List,
    /// Remove a contact
    Remove(RemoveArguments),
}

#[derive(Args)]
struct AddArguments {
    /// Name of the contact
    #[arg(value_name = "NAME", value_parser = contact_name)]
    name: String,
    /// Public key, file with public keys, or URL of a list, as GitHub has one at `/NAME.keys`
    ///
    /// An ssh-ed25519 key is also the key by which signatures of the person are recognised.
    #[arg(value_name = "KEY|FILE|URL", required = true)]
    keys: Vec<String>,
    /// Replace the keys of a contact of the same name; the removed ones are remembered as its former keys
    #[arg(long)]
    replace: bool,
}

#[derive(Args)]
struct RemoveArguments {
    /// Name of the contact
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Serialize)]
struct Output<'a> {
    v: u8,
    ok: bool,
    items: Vec<Item<'a>>,
    next: Option<()>,
}

#[derive(Serialize)]
struct Item<'a> {
    name: &'a str,
    keys: &'a [String],
}

/// Runs `sgsend contact`.
pub(crate) async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let mut contacts = Contacts::of_user()?;
    match arguments.command {
        ContactCommand::Add(add) => {
            let mut keys = Vec::new();
            for value in &add.keys {
                keys.extend(keys_of(value, context).await?);
            }
            if let Some(change) = contacts.change_of(&add.name, &keys) {
                if !add.replace {
                    return Err(changed(&add.name, &change).into());
                }
                context.printer.warning(&format!(
                    "the keys of {} were replaced ({}); signatures with a removed key are no longer those of {0}",
                    add.name,
                    in_words(&change)
                ));
            }
            contacts.put(&add.name, &keys, SystemClock.now());
            contacts.write()?;
            print(&contacts, Some(&add.name), context)
        }
        ContactCommand::List => print(&contacts, None, context),
        ContactCommand::Remove(RemoveArguments { name }) => {
            if !contacts.remove(&name) {
                let failure = Failure::new(Exit::NotFound, "no_contact", format!("there is no contact {name}"));
                return Err(failure.hint("`sgsend contact list` shows the contacts").into());
            }
            contacts.write()?;
            print(&contacts, Some(&name), context)
        }
    }
}

/// Returns the failure of keys that are not those of the contact.
fn changed(name: &str, change: &KeyChange) -> Failure {
    let message = format!(
        "there is a contact {name} already, and the KEY OF {name} IS NOT THE SAME: {}; nothing was changed",
        in_words(change)
    );
    Failure::new(Exit::LocalFile, "contact_key_changed", message).hint(format!(
        "somebody may pretend to be {name}: ask {name} in person or by phone; if the new key is right, use --replace"
    ))
}

/// Describes a change of keys: those of SSH by their fingerprints.
fn in_words(change: &KeyChange) -> String {
    let names = |keys: &[String]| {
        let name = |key: &String| key.parse::<SenderKey>().map_or_else(|_| key.clone(), |key| key.fingerprint());
        keys.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    let parts = [("removed", &change.removed), ("added", &change.added)];
    let parts = parts.iter().filter(|(_, keys)| !keys.is_empty());
    parts.map(|(what, keys)| format!("{what} {}", names(keys))).collect::<Vec<_>>().join("; ")
}

/// Returns the keys of a value: a key, a URL, or a file.
async fn keys_of(value: &str, context: &Context) -> Result<Vec<RecipientKey>> {
    let plugins = plugins(context);
    let malformed = match RecipientKey::parse_with(value, &plugins) {
        Ok(key) => return Ok(vec![key]),
        Err(error) => error,
    };
    if let Ok(url) = Url::parse(value)
        && matches!(url.scheme(), "http" | "https")
    {
        let options = context.transport_options()?;
        let list = context.first_call(|| fetch_key_list(&url, &options)).await?;
        return Ok(parse_list(&list, value, None)?);
    }
    if malformed == InvalidRecipient::Malformed && Path::new(value).is_file() {
        return Ok(read_list(Path::new(value), &plugins)?);
    }
    Err(Failure { code: "invalid_recipient".into(), ..Failure::usage(format!("{value}: {malformed}")) }.into())
}

/// Prints all contacts, or the one with this name.
fn print(contacts: &Contacts, name: Option<&str>, context: &Context) -> Result<()> {
    let printer = &context.printer;
    let shown: Vec<_> = contacts.iter().filter(|(contact, _)| name.is_none_or(|name| name == *contact)).collect();
    if printer.is_json() {
        let items = shown.iter().map(|(name, keys)| Item { name, keys }).collect();
        return Ok(printer.json(&Output { v: 1, ok: true, items, next: None })?);
    }
    if shown.is_empty() && name.is_none() {
        printer.note("no contacts; add one with `sgsend contact add NAME KEY`");
    }
    for (name, keys) in shown {
        for key in keys {
            printer.fields(&[vec![name, key.as_str()]])?;
        }
    }
    Ok(())
}
