//! Sender who has signed a transfer, by the name that this user knows the key by.

use super::printer::Printer;
use super::time;
use crate::cli::config::contacts::Contacts;
use crate::cli::config::known_senders::KnownSenders;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::people::sender_signature::{ClaimedSender, SenderKey, VerifiedSender};

/// Returns the name that this user has given to a key. A name never comes from a transfer.
pub(crate) fn contact_of(key: &SenderKey) -> Option<String> {
    Contacts::of_user().ok()?.name_of(key).map(str::to_owned)
}

/// Describes who is said to have signed, before anything is verified.
pub(crate) fn claim(sender: &ClaimedSender) -> String {
    let fingerprint = sender.key.fingerprint();
    match contact_of(&sender.key) {
        Some(name) => format!("claims to be signed by {name} ({fingerprint})"),
        None => format!("claims to be signed by a key without a contact ({fingerprint})"),
    }
}

/// Prints who has signed a verified transfer, and remembers the key.
pub(crate) fn print_verified(sender: &VerifiedSender, printer: &Printer) {
    let (known, fingerprint) = (KnownSenders::of_user(), sender.key.fingerprint());
    let since = known
        .known_since(&sender.key)
        .map_or_else(|| "seen for the first time".to_owned(), |since| format!("known since {}", time::local(since)));
    let who = match contact_of(&sender.key) {
        Some(name) => format!("{name} ({fingerprint})"),
        None => format!("a key without a contact ({fingerprint})"),
    };
    let on = time::local(sender.signed_at);
    let whom = if sender.for_anyone { ", for anyone" } else { ", for you" };
    printer.note(&format!("signed by {who}, {since}; signed on {on}{whom}"));
    known.remember(&sender.key, SystemClock.now());
}
