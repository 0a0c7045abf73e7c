//! Test vectors.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use sgsend::domain::archive::{ArchiveIndex, IndexPosition, IndexRecord};
use sgsend::domain::base_url::BaseUrl;
use sgsend::domain::crypto::commitment::Commitment;
use sgsend::domain::crypto::digest::Sha256;
use sgsend::domain::crypto::envelope;
use sgsend::domain::crypto::info::SealedInfo;
use sgsend::domain::crypto::key::{LinkKey, LinkSecret};
use sgsend::domain::crypto::label::LinkName;
use sgsend::domain::crypto::link_text::{SealedLabel, WrappedKey};
use sgsend::domain::crypto::padding::Padding;
use sgsend::domain::crypto::passphrase::Passphrase;
use sgsend::domain::crypto::proof::AccessProof;
use sgsend::domain::crypto::sealed::{HEADER_SIZE, Header, Layout, OpenStream, Sealer};
use sgsend::domain::crypto::sealed_signature::SealedSignature;
use sgsend::domain::id::LinkId;
use sgsend::domain::link::Link;
use sgsend::domain::people::recipient_keys::{IdentityFile, IdentityKey, KeysBlob, KeysPlaintext, unwrap};
use sgsend::domain::people::sender_signature::{LeafHash, SignedStatement, tree_hash, verify};

use super::{open_all, open_pieces, part, payload_key};

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the file")]
struct Vectors {
    vectors: Vec<Payload>,
    links: Vec<SharedLink>,
    padded_sizes: Vec<(u64, u64)>,
    info_blocks: Vec<InfoBlock>,
    further_links: Vec<FurtherLink>,
    archives: Vec<IndexedArchive>,
    recipients: Vec<WrappedTransfer>,
    signatures: Vec<SignedPayload>,
}

/// Transfer whose key stock age has wrapped.
#[derive(Deserialize)]
struct WrappedTransfer {
    link: String,
    key: String,
    commitment: String,
    identity: String,
    recipient: String,
    keys: KeysBlob,
}

/// Payload with a signature that `ssh-keygen -Y sign` has made.
#[derive(Deserialize)]
struct SignedPayload {
    key: String,
    sealed: String,
    root: String,
    keys: KeysBlob,
    identity: String,
    signature: SealedSignature,
    statement: String,
    signer: String,
}

#[derive(Deserialize)]
struct Payload {
    file: String,
    key: String,
    plaintext_length: u64,
    plaintext_sha256: String,
}

#[derive(Deserialize)]
struct SharedLink {
    link: String,
    root: String,
    transfer_id: String,
    key: String,
    passphrase: Option<String>,
    payload_key: Option<String>,
    sealed: String,
    filename: Option<String>,
    content: Option<String>,
    #[serde(default)]
    mode: Option<u32>,
    access_proof: String,
    access_sha256: String,
}

#[derive(Deserialize)]
struct InfoBlock {
    key: String,
    block: SealedInfo,
    info: serde_json::Value,
}

/// Further link of the transfer whose payload is `sealed`.
#[derive(Deserialize)]
struct FurtherLink {
    link: String,
    link_id: LinkId,
    key: String,
    passphrase: Option<String>,
    link_secret: String,
    payload_key: String,
    wrapped_key: WrappedKey,
    access_proof: String,
    access_sha256: String,
    name: LinkName,
    label: SealedLabel,
    sealed: String,
}

#[derive(Deserialize)]
struct IndexedArchive {
    key: String,
    sealed: String,
    filename: String,
    index: serde_json::Value,
    files: BTreeMap<String, String>,
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)).unwrap()
}

fn vectors() -> Vectors {
    serde_json::from_slice(&file("vectors.json")).unwrap()
}

#[test]
fn payloads_open() {
    for vector in vectors().vectors {
        let sealed = file(&vector.file);
        let layout = Layout::of_sealed(sealed.len() as u64).unwrap();
        assert_eq!(layout.plaintext_size(), vector.plaintext_length, "{}", vector.file);
        let key = payload_key(&vector.key);
        for stream in [OpenStream::new(key.clone()), OpenStream::with_layout(key, layout)] {
            let (plaintext, result) = open_pieces(stream, [sealed.as_slice()]);
            assert_eq!(result, Ok(()), "{}", vector.file);
            assert_eq!(plaintext.len() as u64, vector.plaintext_length);
            assert_eq!(Sha256::of(&plaintext).to_string(), vector.plaintext_sha256, "{}", vector.file);
        }
    }
}

#[test]
fn payloads_are_sealed_again_to_the_same_bytes() {
    for vector in vectors().vectors {
        let payload = file(&vector.file);
        let key = payload_key(&vector.key);
        let (plaintext, _) = open_all(&key, &payload);
        let layout = Layout::of_sealed(payload.len() as u64).unwrap();
        let sealer = Sealer::from_header(&key, Header::parse(&payload[..HEADER_SIZE]).unwrap());
        for index in 0..=layout.last_index() {
            let mut segment = Sealer::buffer(index);
            segment.extend_from_slice(part(&plaintext, layout.plaintext_range(index)));
            sealer.seal(index, layout.is_last(index), &mut segment);
            assert!(segment == part(&payload, layout.sealed_range(index)), "{} segment {index}", vector.file);
        }
    }
}

#[test]
fn info_blocks_open() {
    for vector in vectors().info_blocks {
        let key = vector.key.parse::<LinkKey>().unwrap().unlock(None).unwrap().into_own().unwrap();
        let info = vector.block.open(&key).unwrap();
        assert_eq!(serde_json::to_value(&info).unwrap(), vector.info);
    }
}

fn identities(text: &str) -> Vec<IdentityKey> {
    IdentityFile::parse(text.as_bytes(), None).unwrap().unlock("").unwrap()
}

#[test]
fn keys_wrapped_by_age_open_and_their_link_binds_them() {
    for vector in vectors().recipients {
        let link: Link = vector.link.parse().unwrap();
        assert_eq!(*link.to_text(), vector.link);
        assert_eq!(
            link.key.unwrap().commitment().map(|commitment| commitment.to_string()),
            Some(vector.commitment.clone())
        );
        let (plaintext, opener) = unwrap(&vector.keys, &identities(&vector.identity)).unwrap();
        assert_eq!((opener.as_str(), plaintext.as_slice()), (&*vector.recipient, vector.key.as_bytes()));
        let key = KeysPlaintext::parse(&plaintext).unwrap().key;
        assert_eq!(Commitment::of(&key).to_string(), vector.commitment);
    }
}

#[test]
fn signatures_made_by_openssh_are_verified() {
    for vector in vectors().signatures {
        let key = vector.key.parse::<LinkKey>().unwrap().unlock(None).unwrap().into_own().unwrap();
        let (payload, signature) = (file(&vector.sealed), vector.signature.open(&key).unwrap());
        let root: BaseUrl = vector.root.parse().unwrap();
        assert_eq!(signature.seal(&key), vector.signature, "the same signature is sealed to other bytes");
        let header = Header::parse(&payload[..HEADER_SIZE]).unwrap();
        let leaves: Vec<_> = payload.chunks(1 << 20).map(LeafHash::of).collect();
        let statement = || SignedStatement {
            base_url: &root,
            header: &header,
            tree_hash: tree_hash(&leaves),
            sealed_bytes: payload.len() as u64,
            commitment: Commitment::of(&key),
            info: None,
            keys: Some(&vector.keys),
            recipients: signature.recipients.as_deref(),
            signed_at: signature.signed_at,
        };
        assert_eq!(statement().to_text(), vector.statement);
        let identities = identities(&vector.identity);
        let verified = verify(&signature, statement(), Some(identities[0].recipient())).unwrap();
        assert_eq!((verified.key.to_string(), verified.for_anyone), (vector.signer, false));
    }
}

#[test]
fn archives_are_read_by_their_index() {
    for vector in vectors().archives {
        let key = vector.key.parse::<LinkKey>().unwrap().unlock(None).unwrap().into_own().unwrap();
        let (plaintext, result) = open_all(&key, &file(&vector.sealed));
        assert_eq!(result, Ok(()));
        let envelope = envelope::decode(&plaintext).unwrap().unwrap();
        assert_eq!(envelope.metadata.filename, vector.filename);
        let size = usize::try_from(envelope.metadata.size).unwrap();
        let content = &plaintext[envelope.length..envelope.length + size];
        let last = content[size - 8..].try_into().unwrap();
        let position = IndexPosition::find(size as u64, last).unwrap();
        let start = usize::try_from(position.start).unwrap();
        let index = ArchiveIndex::parse(&content[start..], position).unwrap().unwrap();
        let records: Vec<IndexRecord<'_>> = serde_json::from_value(vector.index.clone()).unwrap();
        assert_eq!(serde_json::to_value(&records).unwrap(), vector.index);
        assert_eq!(index.entries.len(), records.len());
        for (entry, record) in index.entries.iter().zip(&records) {
            assert_eq!((entry.path.as_str(), entry.kind, entry.mode), (&*record.path, record.kind, record.mode));
            assert_eq!((entry.offset, entry.data, entry.size), (record.offset, record.data, record.size));
            if entry.is_file() {
                let text = part(content, entry.data..entry.data + entry.size);
                assert_eq!(text, vector.files[entry.path.as_str()].as_bytes());
            }
        }
    }
}

#[test]
fn sizes_are_padded_as_documented() {
    for (size, padded) in vectors().padded_sizes {
        assert_eq!(Padding::Padme.padded_size(size), padded, "{size}");
    }
}

#[test]
fn links_are_read_and_open_their_payloads() {
    for vector in vectors().links {
        let link: Link = vector.link.parse().unwrap();
        assert_eq!(link.base_url.to_string(), vector.root);
        assert_eq!(link.transfer_id.to_string(), vector.transfer_id);
        assert_eq!(*link.to_text(), vector.link);
        assert_eq!(link.without_key(), format!("{}/d/{}", vector.root, vector.transfer_id));

        let key = link.key.unwrap();
        assert_eq!(key.needs_passphrase(), vector.passphrase.is_some());
        let passphrase = vector.passphrase.map(|text| Passphrase::from_file_text(&format!("{text}\n")).unwrap());
        let key = key.unlock(passphrase.as_ref()).unwrap().into_own().unwrap();
        assert_eq!(key.as_bytes(), payload_key(&vector.payload_key.unwrap_or(vector.key)).as_bytes());

        let proof = AccessProof::of(&key);
        assert_eq!(*proof.to_text(), vector.access_proof);
        assert_eq!(proof.digest().to_string(), vector.access_sha256);

        let (plaintext, result) = open_all(&key, &file(&vector.sealed));
        assert_eq!(result, Ok(()));
        let envelope = envelope::decode(&plaintext).unwrap().unwrap();
        envelope.check_plaintext_size(plaintext.len() as u64).unwrap();
        assert_eq!(envelope.metadata.mode, vector.mode, "{}", vector.sealed);
        if let (Some(filename), Some(content)) = (vector.filename, vector.content) {
            assert_eq!(envelope.metadata.filename, filename);
            let (found, padding) = plaintext[envelope.length..].split_at(content.len());
            assert_eq!(found, content.as_bytes());
            assert_eq!(envelope.metadata.size, content.len() as u64);
            assert!(padding.iter().all(|byte| *byte == 0));
            let is_padded = vector.sealed == "padded.sealed";
            assert_eq!(padding.len(), if is_padded { 9 } else { 0 }, "{}", vector.sealed);
        }
    }
}

#[test]
fn further_links_are_read_and_unwrap_the_key_of_their_payload() {
    let vectors = vectors().further_links;
    for vector in &vectors {
        let link: Link = vector.link.parse().unwrap();
        let link_id = LinkId::from(link.transfer_id);
        assert_eq!((link_id, &*link.to_text()), (vector.link_id, &vector.link));
        let key = link.key.unwrap();
        assert_eq!(*key.to_text(), vector.key);
        assert!(key.is_further());
        assert_eq!(key.needs_passphrase(), vector.passphrase.is_some());

        let passphrase = vector.passphrase.as_ref().map(|text| Passphrase::new(text).unwrap());
        let secret = key.unlock(passphrase.as_ref()).unwrap();
        let LinkSecret::Further(wrapping_key) = &secret else { panic!("{} is an own link", vector.link) };
        assert_eq!(wrapping_key.as_bytes(), payload_key(&vector.link_secret).as_bytes());
        let proof = secret.access_proof();
        assert_eq!(*proof.to_text(), vector.access_proof);
        assert_eq!(proof.digest().to_string(), vector.access_sha256);

        let key = secret.payload_key(link_id, Some(&vector.wrapped_key)).unwrap();
        assert_eq!(key.as_bytes(), payload_key(&vector.payload_key).as_bytes());
        assert_eq!(vector.label.open(&key, link_id).as_ref(), Ok(&vector.name));
        assert_eq!(open_all(&key, &file(&vector.sealed)).1, Ok(()));
        for other in vectors.iter().filter(|other| other.link_id != vector.link_id) {
            assert!(other.wrapped_key.unwrap(wrapping_key, other.link_id).is_err());
            assert!(other.label.open(&key, link_id).is_err());
        }
    }
}
