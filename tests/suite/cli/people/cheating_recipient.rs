//! Recipients with the key of a transfer, who help the server to pass off other content.

use std::fs;

use aws_lc_rs::cipher::{AES_256, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use sgsend::domain::crypto::commitment::Commitment;
use sgsend::domain::crypto::info::SealedInfo;
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::sealed::{HEADER_SIZE, Header, SEGMENT_SIZE};
use sgsend::domain::crypto::sealed_signature::SenderSignature;
use sgsend::domain::people::sender_signature::{LeafHash, SignedStatement, sign_with_key, tree_hash};
use sgsend::domain::timestamp::Timestamp;
use ssh_key::private::PrivateKey;

use super::SshKey;
use super::cheating_server::{Cheater, key_of};
use crate::support::Home;

/// Returns the signature of `signer` over the stored transfer of a link, in its stored form.
fn signature_by(cheater: &Cheater, link: &str, signer: &SshKey) -> serde_json::Value {
    let (payload, key) = (fs::read(cheater.payload(link)).unwrap(), key_of(link));
    let info: SealedInfo = serde_json::from_value(cheater.record(link)["info"].clone()).unwrap();
    let leaves: Vec<_> = payload.chunks(SEGMENT_SIZE).map(LeafHash::of).collect();
    let header = Header::parse(&payload[..HEADER_SIZE]).unwrap();
    let statement = SignedStatement {
        base_url: &cheater.serving.public.parse().unwrap(),
        header: &header,
        tree_hash: tree_hash(&leaves),
        sealed_bytes: payload.len() as u64,
        commitment: Commitment::of(&key),
        info: Some(&info),
        keys: None,
        recipients: None,
        signed_at: Timestamp::from_millis(1_764_500_000_000),
    };
    let private = PrivateKey::from_openssh(fs::read(&signer.private).unwrap()).unwrap();
    let sshsig = sign_with_key(&private, statement.to_text().as_bytes()).unwrap();
    let signature = SenderSignature { sshsig, recipients: None, signed_at: statement.signed_at };
    serde_json::to_value(signature.seal(&key)).unwrap()
}

#[test]
fn a_recipient_who_signs_again_is_not_taken_for_the_sender() {
    let (cheater, recipient) = (Cheater::start(), Home::new());
    let (link, evil) = (cheater.signed(b"the report", &[]), SshKey::new(&cheater.home, 51));
    recipient.run(&["contact", "add", "ada", &cheater.key.text]).text();
    // The same statement by the same key is valid: the test signs what the sender signs.
    let own = signature_by(&cheater, &link, &cheater.key);
    cheater.change(&link, |record| record["signature"] = own);
    recipient.run(&["download", &link, "--require-signature=ada"]).text();
    let again = signature_by(&cheater, &link, &evil);
    cheater.change(&link, |record| record["signature"] = again);
    let refused = recipient.run(&["download", &link, "--require-signature=ada", "-o", "received"]);
    refused.expect_failure(6, "another key");
    assert!(refused.stderr.contains(&evil.fingerprint) && !recipient.path().join("received").exists());
    let named = recipient.run(&["download", &link, "--rename"]);
    assert!(named.exit == 0 && named.stderr.contains("a key without a contact"), "{}", named.stderr);
    assert!(!named.stderr.contains("ada"), "{}", named.stderr);
}

#[test]
fn payloads_that_are_swapped_between_transfers_are_refused() {
    let cheater = Cheater::start();
    for extra in [&[][..], &["--message", "hello"]] {
        let (one, other) = (cheater.upload(b"the report", extra), cheater.upload(b"the letter", extra));
        let (signed, second) = (cheater.signed(b"the report", extra), cheater.signed(b"the letter", extra));
        for (first, second) in [(one, other), (signed, second)] {
            let (path, foreign) = (cheater.payload(&first), fs::read(cheater.payload(&second)).unwrap());
            let genuine = fs::read(&path).unwrap();
            assert_eq!(genuine.len(), foreign.len());
            fs::write(&path, foreign).unwrap();
            Cheater::expect_refusal(&Home::new(), &first, "key");
            fs::write(&path, genuine).unwrap();
            Home::new().run(&["download", &first]).text();
        }
    }
}

/// Length of keys of AES-256, in bytes.
struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        32
    }
}

/// Returns the key of GHASH, the encryption of a zero block, for the payload with this header.
fn ghash_key(key: &PayloadKey, header: &[u8]) -> u128 {
    let mut segment_key = [0; 32];
    let derived = Salt::new(HKDF_SHA256, &header[1..33]).extract(key.as_bytes());
    derived.expand(&[b"sgsend/v1".as_slice()], KeyLength).unwrap().fill(&mut segment_key).unwrap();
    let mut block = [0; 16];
    let cipher = EncryptingKey::ecb(UnboundCipherKey::new(&AES_256, &segment_key).unwrap()).unwrap();
    cipher.encrypt(&mut block).unwrap();
    u128::from_be_bytes(block)
}

/// Multiplies in the field of GCM (NIST SP 800-38D, section 6.3).
fn product(one: u128, other: u128) -> u128 {
    let (mut sum, mut shifted) = (0, other);
    for bit in (0..128).rev() {
        if (one >> bit) & 1 == 1 {
            sum ^= shifted;
        }
        let reduction = if shifted & 1 == 1 { 0xe1 << 120 } else { 0 };
        shifted = (shifted >> 1) ^ reduction;
    }
    sum
}

/// Changes two neighbouring blocks of the first segment so that its tag stays valid.
fn with_the_same_tag(key: &PayloadKey, segment: &mut [u8], block: usize) {
    let hash_key = ghash_key(key, &segment[..HEADER_SIZE]);
    let change = u128::from_be_bytes(*b"another content!");
    // A change of one block is undone by a change of the next, which is multiplied by the key once less.
    for (block, change) in [(block, change), (block + 1, product(change, hash_key))] {
        let start = HEADER_SIZE + 16 * block;
        for (byte, change) in segment[start..start + 16].iter_mut().zip(change.to_be_bytes()) {
            *byte ^= change;
        }
    }
}

#[test]
fn content_under_the_same_tag_is_refused_if_it_was_signed() {
    let cheater = Cheater::start();
    let content = vec![b'R'; 1_000];
    let (unsigned, signed) = (cheater.upload(&content, &[]), cheater.signed(&content, &[]));
    for link in [&unsigned, &signed] {
        let path = cheater.payload(link);
        let genuine = fs::read(&path).unwrap();
        let mut altered = genuine.clone();
        with_the_same_tag(&key_of(link), &mut altered, 30);
        assert_eq!(altered[altered.len() - 16..], genuine[genuine.len() - 16..]);
        fs::write(path, altered).unwrap();
    }
    // GCM alone cannot tell: whoever has the key of a transfer can change what others receive.
    let recipient = Home::new();
    recipient.run(&["download", &unsigned, "-o", "received.txt"]).text();
    let received = fs::read(recipient.path().join("received.txt")).unwrap();
    assert!(received.len() == content.len() && received != content);
    Cheater::expect_refusal(&recipient, &signed, "does not belong");
}
