//! Sender who has signed a transfer, by the name that this user knows the key by.

use serde::Serialize;

use super::printer::Printer;
use super::time;
use crate::cli::config::contacts::{Contacts, KeyOwner};
use crate::cli::config::known_senders::KnownSenders;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::people::sender_signature::{ClaimedSender, SenderKey, VerifiedSender};
use crate::domain::timestamp::Timestamp;

/// Sender whose signature was verified, in JSON output.
#[derive(Serialize)]
pub(crate) struct SignerOutput {
    fingerprint: String,
    /// Name that this user has given to the key.
    contact: Option<String>,
    /// Name of the contact that had the key, if this user has replaced it.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_contact: Option<String>,
    signed_at: Timestamp,
    for_anyone: bool,
}

impl SignerOutput {
    /// Describes a verified sender.
    pub(crate) fn of(sender: &VerifiedSender) -> Self {
        let owner = owner_of(&sender.key);
        let is_current = owner.as_ref().is_some_and(|owner| owner.replaced_at.is_none());
        let (contact, former_contact) = match owner {
            Some(owner) if is_current => (Some(owner.name), None),
            owner => (None, owner.map(|owner| owner.name)),
        };
        let fingerprint = sender.key.fingerprint();
        Self { fingerprint, contact, former_contact, signed_at: sender.signed_at, for_anyone: sender.for_anyone }
    }
}

/// Returns the contact of a key. A name never comes from a transfer.
fn owner_of(key: &SenderKey) -> Option<KeyOwner> {
    Contacts::of_user().ok()?.owner_of(key)
}

/// Describes a key: the name that this user has given to it, and its fingerprint.
pub(crate) fn describe(key: &SenderKey) -> String {
    let fingerprint = key.fingerprint();
    match owner_of(key) {
        Some(KeyOwner { name, replaced_at: None }) => format!("{name} ({fingerprint})"),
        Some(KeyOwner { name, replaced_at: Some(at) }) => {
            format!("a FORMER key of {name} ({fingerprint}), which you replaced on {}", time::local(at))
        }
        None => format!("a key without a contact ({fingerprint})"),
    }
}

/// Returns the name of a key for tables: that of its contact, or its fingerprint.
pub(crate) fn short_name(key: &SenderKey) -> String {
    match owner_of(key) {
        Some(KeyOwner { name, replaced_at: None }) => name,
        Some(KeyOwner { name, replaced_at: Some(_) }) => format!("FORMER key of {name}"),
        None => key.fingerprint(),
    }
}

/// Prints who is said to have signed, before anything is verified. Warns, in scripts too, of a key that was replaced.
pub(crate) fn print_claim(sender: &ClaimedSender, printer: &Printer) {
    let claim = format!("claims to be signed by {}", describe(&sender.key));
    if owner_of(&sender.key).is_some_and(|owner| owner.replaced_at.is_some()) {
        printer.warning(&claim);
    } else if printer.is_interactive() {
        printer.note(&claim);
    }
}

/// Warns that the signature of a transfer was not checked.
pub(crate) fn warn_unchecked(printer: &Printer) {
    printer.warning("signature not checked: that needs a download of the complete content to a file");
}

/// Prints who has signed a verified transfer, and remembers the key. Warns if the key of a contact has changed.
pub(crate) fn print_verified(sender: &VerifiedSender, printer: &Printer) {
    let known = KnownSenders::of_user();
    let known_since = known.known_since(&sender.key);
    let since = known_since
        .map_or_else(|| "seen for the first time".to_owned(), |since| format!("known since {}", time::local(since)));
    let (who, on) = (describe(&sender.key), time::local(sender.signed_at));
    let whom = if sender.for_anyone { ", for anyone" } else { ", for you" };
    printer.note(&format!("signed by {who}, {since}; signed on {on}{whom}"));
    match owner_of(&sender.key) {
        Some(KeyOwner { name, replaced_at: Some(_) }) => printer.warning(&format!(
            "{name} no longer uses the key that has signed: whoever got hold of it can sign with it. Ask {name} whether \
             the transfer is genuine"
        )),
        Some(KeyOwner { name, replaced_at: None }) if known_since.is_none() => warn_of_change(&name, &known, printer),
        _ => {}
    }
    known.remember(&sender.key, SystemClock.now());
}

/// Warns if earlier transfers of a contact were signed with a key that this user has replaced since.
fn warn_of_change(name: &str, known: &KnownSenders, printer: &Printer) {
    let Ok(contacts) = Contacts::of_user() else { return };
    let former = contacts.former_sender_keys_of(name);
    let used = former.iter().filter_map(|(key, at)| Some((key, known.known_since(key)?, at))).max_by_key(|used| used.1);
    if let Some((key, since, replaced_at)) = used {
        printer.warning(&format!(
            "the key of {name} HAS CHANGED: earlier transfers were signed with {} (known since {}), this one with the key \
             that you added on {}. If {name} has not told you of the new key in person, do not trust this transfer",
            key.fingerprint(),
            time::local(since),
            time::local(*replaced_at)
        ));
    }
}
