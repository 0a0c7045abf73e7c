//! Commands for keys: this user's own, and those of contacts.

pub(in crate::cli) mod contact;
pub(in crate::cli) mod key;
