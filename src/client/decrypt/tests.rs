use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::domain::crypto::envelope;
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::sealed::{SEGMENT_SIZE, Sealer};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn sealed(key: &PayloadKey, plaintext: &[u8]) -> Vec<u8> {
    let layout = Layout::of_plaintext(plaintext.len() as u64).unwrap();
    let sealer = Sealer::new(key);
    let mut payload = Vec::new();
    for index in 0..=layout.last_index() {
        let range = layout.plaintext_range(index);
        let mut segment = Sealer::buffer(index);
        segment
            .extend_from_slice(&plaintext[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]);
        sealer.seal(index, layout.is_last(index), &mut segment);
        payload.extend(segment);
    }
    payload
}

fn enveloped(content: &[u8], size: u64) -> Vec<u8> {
    let metadata = Metadata {
        filename: "n".into(),
        size,
        content_type: None,
        modified_ms: Some(-5),
        archive: None,
        mode: None,
        signed: false,
    };
    [envelope::encode(&metadata).unwrap().as_slice(), content].concat()
}

fn open(
    payload: &[u8],
    key: &PayloadKey,
    known_size: bool,
    framing: Framing,
) -> (Result<Decrypted, DecryptError>, Vec<u8>) {
    let written = Written::default();
    let output = written.clone();
    let choose: ChooseOutput = Box::new(move |_| Ok(Output::Stream(Box::new(output))));
    let size = known_size.then_some(payload.len() as u64);
    let stream = match size.map(Layout::of_sealed) {
        Some(layout) => OpenStream::with_layout(key.clone(), layout.unwrap()),
        None => OpenStream::new(key.clone()),
    };
    let mut decryption = Decryption::new(stream, size, framing, choose);
    let outcome = payload.chunks(300_000).try_for_each(|piece| decryption.feed(piece));
    let outcome = outcome.and_then(|()| decryption.finish());
    let written = written.0.lock().unwrap().clone();
    (outcome, written)
}

#[test]
fn decrypted_content_equals_the_original() {
    let key = PayloadKey::random();
    for size in [0, 1, 1_048_000, 3_000_000] {
        let content = vec![7; size];
        let payload = sealed(&key, &enveloped(&content, size as u64));
        for known_size in [true, false] {
            let (outcome, written) = open(&payload, &key, known_size, Framing::Envelope);
            assert_eq!(outcome.unwrap().size, size as u64);
            assert!(written == content);
        }
    }
    let (outcome, written) = open(&sealed(&key, b""), &key, false, Framing::Raw);
    assert_eq!((outcome.unwrap().metadata, written), (None, vec![]));
}

#[test]
fn content_of_another_length_than_stated_is_rejected() {
    let key = PayloadKey::random();
    for stated in [0, 2_999_999, 3_000_001] {
        let payload = sealed(&key, &enveloped(&vec![7; 3_000_000], stated));
        for known_size in [true, false] {
            let (outcome, written) = open(&payload, &key, known_size, Framing::Envelope);
            let error = outcome.unwrap_err();
            if stated > 3_000_000 {
                assert!(matches!(error, DecryptError::Envelope(EnvelopeError::Size { .. })), "{error:?}");
            } else {
                assert!(matches!(error, DecryptError::Envelope(EnvelopeError::Padding)), "{error:?}");
            }
            assert!(written.len() as u64 <= stated);
        }
    }
}

#[test]
fn padding_of_any_length_is_removed() {
    let key = PayloadKey::random();
    // The last two have a whole segment of padding, and one that begins with the last segment.
    for (size, padding) in [(0, 0), (0, 500), (3, 9), (1_000_000, 90_000), (100, 3_000_000), (1_048_456, 1_000)] {
        let content = vec![7; size];
        let plaintext = [enveloped(&content, size as u64), vec![0; padding]].concat();
        for known_size in [true, false] {
            let (outcome, written) = open(&sealed(&key, &plaintext), &key, known_size, Framing::Envelope);
            assert_eq!(outcome.unwrap().size, size as u64);
            assert!(written == content, "{size} bytes and {padding} of padding");
        }
        for at in [plaintext.len() - padding, plaintext.len() - 1].into_iter().filter(|_| padding > 0) {
            let mut changed = plaintext.clone();
            changed[at] = 1;
            let (outcome, _) = open(&sealed(&key, &changed), &key, true, Framing::Envelope);
            assert!(matches!(outcome, Err(DecryptError::Envelope(EnvelopeError::Padding))), "{outcome:?}");
        }
    }
}

#[test]
fn a_download_resumes_within_its_padding() {
    let key = PayloadKey::random();
    let content = vec![7; 1_500_000];
    let plaintext = [enveloped(&content, 1_500_000), vec![0; 4_000_000]].concat();
    let payload = sealed(&key, &plaintext);
    let layout = Layout::of_sealed(payload.len() as u64).unwrap();
    for segments in 1..layout.segments() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n.txt");
        let choose = || -> ChooseOutput {
            let target = Target { path: path.clone(), conflict: Conflict::Fail, mark: "0123abcd".into() };
            Box::new(move |_| Ok(Output::File(target)))
        };
        let location = PartRecordLocation { path: folder.path().join("record"), server: "http://server".into() };
        let mut first = Decryption::of_layout(key.clone(), layout, choose()).with_record_at(layout, location.clone());
        let cut = usize::try_from(segments).unwrap() * SEGMENT_SIZE;
        first.feed(&payload[..=cut]).unwrap();
        drop(first);
        let (mut second, offset) = Decryption::resume(key.clone(), layout, choose(), location, false).unwrap();
        assert_eq!(offset, cut as u64, "not resumed");
        second.feed(&payload[cut..]).unwrap();
        assert_eq!(second.finish().unwrap().size, 1_500_000);
        assert!(std::fs::read(&path).unwrap() == content, "after {segments} segments");
    }
}

#[test]
fn unauthentic_payloads_and_invalid_envelopes_are_rejected() {
    let key = PayloadKey::random();
    let payload = sealed(&key, &enveloped(b"abc", 3));
    let open_error = |payload: &[u8], key: &PayloadKey| {
        let (outcome, written) = open(payload, key, false, Framing::Envelope);
        assert_eq!(written, b"");
        outcome.unwrap_err()
    };
    assert!(matches!(
        open_error(&payload, &PayloadKey::random()),
        DecryptError::Open(OpenError::Unauthentic { index: 0 })
    ));
    assert!(matches!(open_error(&payload[..payload.len() - 1], &key), DecryptError::Open(_)));
    assert!(matches!(open_error(&payload[..20], &key), DecryptError::Open(OpenError::Truncated)));
    assert!(matches!(open_error(&sealed(&key, b"plain"), &key), DecryptError::Envelope(EnvelopeError::NotAnEnvelope)));
}

#[test]
fn a_file_gets_its_name_and_time_when_it_is_complete() {
    let key = PayloadKey::random();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.txt");
    let payload = sealed(&key, &enveloped(&vec![7; 3_000_000], 3_000_000));
    let target = Target { path: path.clone(), conflict: Conflict::Fail, mark: "0123abcd".into() };
    let choose: ChooseOutput = Box::new(move |_| Ok(Output::File(target)));
    let mut decryption = Decryption::of_layout(key, Layout::of_sealed(payload.len() as u64).unwrap(), choose);
    decryption.feed(&payload[..2_000_000]).unwrap();
    assert!(!path.exists());
    assert!(directory.path().join(".sgsend-0123abcd.part").exists());
    decryption.feed(&payload[2_000_000..]).unwrap();
    assert_eq!(decryption.finish().unwrap().path, Some(path.clone()));
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), UNIX_EPOCH - Duration::from_millis(5));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}
