//! Verification of signatures of senders.

use ssh_key::{HashAlg, PublicKey, SshSig};

use super::sender_key::{NAMESPACE, SenderKey};
use super::statement::SignedStatement;
use crate::domain::crypto::sealed_signature::SenderSignature;
use crate::domain::people::recipient_keys::RecipientKey;
use crate::domain::timestamp::Timestamp;

/// Sender that a signature names before it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedSender {
    /// Key that is said to have signed.
    pub key: SenderKey,
    /// Time that the signature states.
    pub signed_at: Timestamp,
}

/// Sender whose signature over the whole payload is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSender {
    /// Key that has signed.
    pub key: SenderKey,
    /// Time that the sender states.
    pub signed_at: Timestamp,
    /// Whether the sender names no recipients: the transfer is for anyone with its link.
    pub for_anyone: bool,
}

/// Reason why a signature is not valid for a transfer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RejectedSignature {
    /// The payload says that it is signed, and the server has no signature.
    #[error("the payload was signed, but the server gave no signature")]
    Missing,
    /// The transfer has a signature, and its payload says nothing of one.
    #[error("the signature does not belong to this payload, which says that it is not signed")]
    Unexpected,
    /// The signature is no SSHSIG of an Ed25519 key in the namespace `sgsend`, with SHA-512.
    #[error("the signature has a form that is not accepted")]
    Form,
    /// The signature is sealed for another key, or was changed.
    #[error("the signature is damaged")]
    Damaged,
    /// The signature belongs to other content, another server or other recipients.
    #[error("the signature does not belong to this content, server and recipients")]
    Mismatch,
    /// The key that opened the transfer is not among the recipients that the sender has signed for.
    #[error("the transfer was signed for someone else")]
    SomeoneElse,
    /// A signature is required, and the transfer has none.
    #[error("the transfer is not signed")]
    Unsigned,
    /// A signature of a certain sender is required, and the key with this fingerprint has signed.
    #[error("the transfer is signed by another key than the required ones: {0}")]
    OtherSender(String),
}

/// Returns the sender that a signature names. Anybody can name anybody: only [`verify`] tells whether it is true.
///
/// # Errors
/// [`RejectedSignature::Form`].
pub fn claimed_sender(signature: &SenderSignature) -> Result<ClaimedSender, RejectedSignature> {
    let (key, _) = parse(&signature.sshsig)?;
    Ok(ClaimedSender { key, signed_at: signature.signed_at })
}

fn parse(pem: &str) -> Result<(SenderKey, SshSig), RejectedSignature> {
    let sshsig = SshSig::from_pem(pem).map_err(|_| RejectedSignature::Form)?;
    let is_accepted = sshsig.namespace() == NAMESPACE
        && sshsig.hash_alg() == HashAlg::Sha512
        && sshsig.reserved().is_empty()
        && sshsig.signature().algorithm() == ssh_key::Algorithm::Ed25519;
    let key = SenderKey::new(sshsig.public_key()).map_err(|_| RejectedSignature::Form)?;
    if is_accepted { Ok((key, sshsig)) } else { Err(RejectedSignature::Form) }
}

/// Verifies `signature` over `statement`, whose recipients and time are those of the signature.
///
/// `opener` is the recipient whose private key has opened the transfer; `None` if the link contains the key.
///
/// # Errors
/// [`RejectedSignature::Form`], [`RejectedSignature::Mismatch`], [`RejectedSignature::SomeoneElse`].
pub fn verify(
    signature: &SenderSignature,
    statement: SignedStatement<'_>,
    opener: Option<&RecipientKey>,
) -> Result<VerifiedSender, RejectedSignature> {
    let (key, sshsig) = parse(&signature.sshsig)?;
    let recipients = signature.recipients.as_deref();
    let statement = SignedStatement { recipients, signed_at: signature.signed_at, ..statement };
    let public_key = PublicKey::new(key.as_key_data().clone(), "");
    let verified = public_key.verify(NAMESPACE, statement.to_text().as_bytes(), &sshsig);
    verified.map_err(|_| RejectedSignature::Mismatch)?;
    match (recipients, opener) {
        (None, None) => {}
        (Some(recipients), Some(opener)) if recipients.contains(&opener.digest()) => {}
        _ => return Err(RejectedSignature::SomeoneElse),
    }
    Ok(VerifiedSender { key, signed_at: signature.signed_at, for_anyone: recipients.is_none() })
}

#[cfg(test)]
mod tests {
    use ssh_key::private::{Ed25519Keypair, KeypairData, PrivateKey};

    use super::*;
    use crate::domain::crypto::commitment::Commitment;
    use crate::domain::crypto::digest::Sha256;
    use crate::domain::crypto::info::SealedInfo;
    use crate::domain::crypto::key::PayloadKey;
    use crate::domain::crypto::random;
    use crate::domain::crypto::sealed::{Header, Sealer};
    use crate::domain::people::recipient_keys::{KeysBlob, NewIdentity};
    use crate::domain::people::sender_signature::{sign_with_key, sshsig_of, to_be_signed};

    struct Case {
        base_url: crate::domain::base_url::BaseUrl,
        header: Header,
        key: PayloadKey,
        info: SealedInfo,
        keys: KeysBlob,
        signer: PrivateKey,
    }

    impl Case {
        fn new() -> Self {
            let key = PayloadKey::random();
            Self {
                base_url: "https://Send.Example:443/base/".parse().unwrap(),
                header: Sealer::new(&key).header().clone(),
                key,
                info: SealedInfo::example(),
                keys: KeysBlob::from_bytes(b"age-encryption.org/v1\nkeys").unwrap(),
                signer: PrivateKey::new(KeypairData::from(Ed25519Keypair::from_seed(&random::bytes())), "").unwrap(),
            }
        }

        fn statement(&self) -> SignedStatement<'_> {
            SignedStatement {
                base_url: &self.base_url,
                header: &self.header,
                tree_hash: [7; 32],
                sealed_bytes: 1234,
                commitment: Commitment::of(&self.key),
                info: Some(&self.info),
                keys: Some(&self.keys),
                recipients: None,
                signed_at: Timestamp::from_millis(1_764_500_000_000),
            }
        }

        fn sign(&self, statement: &SignedStatement<'_>) -> SenderSignature {
            SenderSignature {
                sshsig: sign_with_key(&self.signer, statement.to_text().as_bytes()).unwrap(),
                recipients: statement.recipients.map(<[Sha256]>::to_vec),
                signed_at: statement.signed_at,
            }
        }
    }

    #[test]
    fn the_signed_text_has_ten_lines() {
        let case = Case::new();
        let text = case.statement().to_text();
        let lines: Vec<_> = text.split('\n').collect();
        assert_eq!(lines.len(), 11);
        assert_eq!(lines[..2], ["sgsend-signature-v1", "https://send.example/base"]);
        assert_eq!((lines[2].len(), lines[3]), (80, "07".repeat(32).as_str()));
        assert_eq!((lines[4], lines[5].len()), ("1234", 64));
        assert_eq!(lines[7], Sha256::of(b"age-encryption.org/v1\nkeys").to_string());
        assert_eq!(lines[8..], ["*", "1764500000000", ""]);
        let bare = SignedStatement { info: None, keys: None, ..case.statement() }.to_text();
        assert_eq!(bare.split('\n').collect::<Vec<_>>()[6..8], ["-", "-"]);
    }

    #[test]
    fn a_signature_is_valid_for_its_statement_only() {
        let case = Case::new();
        let signature = case.sign(&case.statement());
        let claimed = claimed_sender(&signature).unwrap();
        let verified = verify(&signature, case.statement(), None).unwrap();
        assert_eq!(verified.key, claimed.key);
        assert_eq!(verified.key.to_string(), case.signer.public_key().to_openssh().unwrap());
        assert!(verified.for_anyone && verified.key.fingerprint().starts_with("SHA256:"));
        let other = Case::new();
        for changed in [
            SignedStatement { base_url: &"https://evil.example".parse().unwrap(), ..case.statement() },
            SignedStatement { header: &other.header, ..case.statement() },
            SignedStatement { tree_hash: [8; 32], ..case.statement() },
            SignedStatement { sealed_bytes: 1235, ..case.statement() },
            SignedStatement { commitment: Commitment::of(&other.key), ..case.statement() },
            SignedStatement { info: None, ..case.statement() },
            SignedStatement { keys: None, ..case.statement() },
        ] {
            assert_eq!(verify(&signature, changed, None), Err(RejectedSignature::Mismatch));
        }
        let later = SenderSignature { signed_at: Timestamp::from_millis(1), ..signature.clone() };
        assert_eq!(verify(&later, case.statement(), None), Err(RejectedSignature::Mismatch));
        let narrowed = SenderSignature { recipients: Some(Vec::new()), ..signature };
        assert_eq!(verify(&narrowed, case.statement(), None), Err(RejectedSignature::Mismatch));
    }

    #[test]
    fn a_transfer_signed_for_others_is_rejected() {
        let case = Case::new();
        let new = || NewIdentity::generate(Timestamp::from_millis(0)).recipient;
        let (ada, bob) = (new(), new());
        let recipients = [ada.digest()];
        let signature = case.sign(&SignedStatement { recipients: Some(&recipients), ..case.statement() });
        assert!(!verify(&signature, case.statement(), Some(&ada)).unwrap().for_anyone);
        for opener in [None, Some(&bob)] {
            assert_eq!(verify(&signature, case.statement(), opener), Err(RejectedSignature::SomeoneElse));
        }
        let for_anyone = case.sign(&case.statement());
        assert_eq!(verify(&for_anyone, case.statement(), Some(&ada)), Err(RejectedSignature::SomeoneElse));
    }

    #[test]
    fn other_forms_are_rejected() {
        let case = Case::new();
        let text = case.statement().to_text();
        let with = |sshsig: String| SenderSignature { sshsig, ..case.sign(&case.statement()) };
        let pem = |namespace: &str, hash| {
            case.signer.sign(namespace, hash, text.as_bytes()).unwrap().to_pem(ssh_key::LineEnding::LF).unwrap()
        };
        for other in [
            pem("file", HashAlg::Sha512),
            pem(NAMESPACE, HashAlg::Sha256),
            String::new(),
            "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n".to_owned(),
        ] {
            assert_eq!(verify(&with(other), case.statement(), None), Err(RejectedSignature::Form));
        }
        // An agent makes the same signature as the key itself.
        let data = to_be_signed(text.as_bytes()).unwrap();
        let signed = ssh_key::SshSig::sign(&case.signer, NAMESPACE, HashAlg::Sha512, text.as_bytes()).unwrap();
        let key = SenderKey::new(case.signer.public_key().key_data()).unwrap();
        let sshsig = sshsig_of(&key, signed.signature().clone()).unwrap();
        assert_eq!(sshsig, pem(NAMESPACE, HashAlg::Sha512));
        assert!(data.starts_with(b"SSHSIG"));
    }
}
