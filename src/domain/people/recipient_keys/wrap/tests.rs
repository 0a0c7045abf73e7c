//! Tests of wrapping, with identities of all kinds.

use ssh_key::LineEnding;
use ssh_key::private::{Ed25519Keypair, KeypairData, PrivateKey};

use super::*;
use crate::domain::people::recipient_keys::{IdentityFile, InvalidIdentity, NewIdentity, protect};
use crate::domain::timestamp::Timestamp;

/// Returns a new private key of SSH.
fn ssh_key() -> PrivateKey {
    let pair = Ed25519Keypair::from_seed(&random::bytes());
    PrivateKey::new(KeypairData::from(pair), "comment").unwrap()
}

fn open(file: &[u8]) -> Vec<IdentityKey> {
    match IdentityFile::parse(file, None).unwrap() {
        IdentityFile::Open(keys) => keys,
        _ => panic!("the identity needs a passphrase"),
    }
}

fn x25519() -> Vec<IdentityKey> {
    open(NewIdentity::generate(Timestamp::from_millis(0)).file.as_bytes())
}

fn ssh() -> Vec<IdentityKey> {
    open(ssh_key().to_openssh(LineEnding::LF).unwrap().as_bytes())
}

#[test]
fn each_recipient_unwraps_and_nobody_else() {
    let (ada, bob, carol) = (x25519(), ssh(), x25519());
    let recipients = [ada[0].recipient().clone(), bob[0].recipient().clone()];
    let wrapped = wrap(b"v1.secret", &recipients).unwrap();
    assert_ne!(wrap(b"v1.secret", &recipients).unwrap(), wrapped);
    for identities in [&ada, &bob] {
        let (plaintext, recipient) = unwrap(&wrapped, identities).unwrap();
        assert_eq!((plaintext.as_slice(), &recipient), (&b"v1.secret"[..], identities[0].recipient()));
    }
    let entries = KeysEntries { x25519: 3, ssh_ed25519: 1, other: 0 };
    assert_eq!(unwrap(&wrapped, &carol).err(), Some(UnwrapKeysError::NoMatch(entries)));
    assert_eq!(unwrap(&wrapped, &[]).err(), Some(UnwrapKeysError::NoMatch(entries)));
    let several: Vec<IdentityKey> = carol.into_iter().chain(bob).collect();
    assert_eq!(unwrap(&wrapped, &several).unwrap().1, *several[1].recipient());
}

#[test]
fn the_number_of_entries_is_a_power_of_two() {
    let keys: Vec<RecipientKey> = (0..=MAX_RECIPIENTS).map(|_| x25519().remove(0).recipient().clone()).collect();
    for (recipients, entries) in [(1, 4), (4, 4), (5, 8), (8, 8), (9, 16), (MAX_RECIPIENTS, 128)] {
        let blob = wrap(b"v1.secret", &keys[..recipients]).unwrap();
        assert_eq!(blob.entries(), KeysEntries { x25519: entries, ssh_ed25519: 0, other: 0 });
    }
    assert_eq!(wrap(b"", &keys), Err(WrapKeysError::TooMany));
    assert_eq!(wrap(b"", &[]), Err(WrapKeysError::NoRecipient));
    let twice = [keys[0].clone(), keys[0].clone()];
    assert_eq!(wrap(b"", &twice).unwrap().entries().x25519, 4);
}

#[test]
fn as_many_ssh_recipients_as_possible_fit_into_a_blob() {
    let keys: Vec<RecipientKey> = (0..MAX_RECIPIENTS).map(|_| ssh().remove(0).recipient().clone()).collect();
    let blob = wrap(&[b'x'; 100], &keys).unwrap();
    assert_eq!(blob.entries(), KeysEntries { x25519: 28, ssh_ed25519: MAX_RECIPIENTS, other: 0 });
}

#[test]
fn a_changed_blob_is_rejected() {
    let ada = x25519();
    let blob = wrap(b"v1.secret", &[ada[0].recipient().clone()]).unwrap().to_bytes();
    let end = blob.len() - 1;
    for at in [30, blob.len() / 2, end - 30, end] {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        let Ok(changed) = KeysBlob::from_bytes(&changed) else { continue };
        assert!(unwrap(&changed, &ada).is_err(), "byte {at}");
    }
    let cut = KeysBlob::from_bytes(&blob[..end]).unwrap();
    assert_eq!(unwrap(&cut, &ada).err(), Some(UnwrapKeysError::Damaged));
    let no_file = KeysBlob::from_bytes(b"age-encryption.org/v1\nother").unwrap();
    assert_eq!(unwrap(&no_file, &[]).err(), Some(UnwrapKeysError::Damaged));
}

#[test]
fn a_new_identity_has_the_format_of_age() {
    let new = NewIdentity::generate(Timestamp::from_millis(1_764_500_000_000));
    let lines: Vec<&str> = new.file.lines().collect();
    assert!(lines[0].starts_with("# created: 2025-11-30 "), "{}", lines[0]);
    assert_eq!(lines[1], format!("# public key: {}", new.recipient));
    assert!(lines[2].starts_with("AGE-SECRET-KEY-1") && lines.len() == 3);
    assert_eq!(open(new.file.as_bytes())[0].recipient(), &new.recipient);
}

#[test]
fn protected_identities_open_with_their_passphrase_only() {
    let new = NewIdentity::generate(Timestamp::from_millis(0));
    let key = ssh_key();
    let encrypted = key.encrypt(&mut rand_for_tests(), "secret").unwrap().to_openssh(LineEnding::LF).unwrap();
    let expected = crate::domain::people::recipient_keys::recipient::RecipientKey::of_ssh(key.public_key()).unwrap();
    for (file, recipient) in [(protect(&new.file, "secret"), new.recipient), (encrypted.as_bytes().to_vec(), expected)]
    {
        let parse = || IdentityFile::parse(&file, None).unwrap();
        assert!(parse().needs_passphrase());
        assert_eq!(parse().unlock("secret").unwrap()[0].recipient(), &recipient);
        assert_eq!(parse().unlock("other").err(), Some(InvalidIdentity::Passphrase));
    }
}

#[test]
fn other_files_are_rejected_with_their_reason() {
    let recipient = x25519().remove(0).recipient().to_string();
    for (file, error) in [
        (String::new(), InvalidIdentity::Malformed),
        ("# only a comment\n".to_owned(), InvalidIdentity::Malformed),
        ("hello".to_owned(), InvalidIdentity::Malformed),
        (recipient, InvalidIdentity::Public),
        (ssh_key().public_key().to_openssh().unwrap(), InvalidIdentity::Public),
        ("AGE-PLUGIN-YUBIKEY-1QQQQ".to_owned(), InvalidIdentity::Unsupported("AGE-PLUGIN-YUBIKEY".to_owned())),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n".to_owned(), InvalidIdentity::Malformed),
    ] {
        assert_eq!(IdentityFile::parse(file.as_bytes(), None).err(), Some(error), "{file}");
    }
}

/// Returns the random number generator that `ssh-key` takes.
fn rand_for_tests() -> impl ssh_key::rand_core::CryptoRngCore {
    ssh_key::rand_core::OsRng
}
