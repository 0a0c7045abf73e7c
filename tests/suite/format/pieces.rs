//! Payloads that arrive in pieces.

use proptest::prelude::*;
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::sealed::{HEADER_SIZE, Header, Layout, OpenError, OpenStream, Opener, SEGMENT_SIZE};

use super::{SIZES, content, open_all, open_pieces, seal_all};

#[test]
fn of_every_boundary_size() {
    for size in SIZES {
        let (key, plaintext) = (PayloadKey::random(), content(size));
        let sealed = seal_all(&key, &plaintext);
        let layout = Layout::of_sealed(sealed.len() as u64).unwrap();
        for piece in [777, 65_536, SEGMENT_SIZE, usize::MAX] {
            for stream in [OpenStream::new(key.clone()), OpenStream::with_layout(key.clone(), layout)] {
                let (opened, result) = open_pieces(stream, sealed.chunks(piece));
                assert_eq!(result, Ok(()), "{size} bytes in pieces of {piece}");
                assert!(opened == plaintext);
            }
        }
    }
}

#[test]
fn of_known_size_release_the_last_segment_at_once() {
    let key = PayloadKey::random();
    let sealed = seal_all(&key, b"content");
    let layout = Layout::of_sealed(sealed.len() as u64).unwrap();
    let mut stream = OpenStream::with_layout(key, layout);
    for mut byte in sealed[..sealed.len() - 1].chunks(1) {
        assert_eq!(stream.push(&mut byte), Ok(None));
    }
    assert_eq!(stream.push(&mut &sealed[sealed.len() - 1..]), Ok(Some(b"content".as_slice())));
    assert_eq!(stream.opened_segments(), 1);
    assert_eq!(stream.header().unwrap().as_bytes(), &sealed[..HEADER_SIZE]);
    assert_eq!(stream.push(&mut [].as_slice()), Ok(None));
    assert_eq!(stream.finish(), Ok([].as_slice()));
    assert_eq!(stream.push(&mut [0].as_slice()), Err(OpenError::Extended));
    assert_eq!(stream.finish(), Err(OpenError::Extended));
}

#[test]
fn resume_where_they_were_interrupted() {
    let (key, plaintext) = (PayloadKey::random(), content(2_097_081));
    let sealed = seal_all(&key, &plaintext);
    let layout = Layout::of_sealed(sealed.len() as u64).unwrap();
    for opened in 0..=layout.segments() {
        let header = Header::parse(&sealed[..HEADER_SIZE]).unwrap();
        let stream = OpenStream::resume(Opener::new(&key, header), layout, opened);
        let index = u32::try_from(opened).unwrap();
        let from = usize::try_from(layout.sealed_range(index).start).unwrap();
        let (rest, result) = open_pieces(stream, sealed[from..].chunks(100_000));
        assert_eq!(result, Ok(()), "after {opened} segments");
        assert!(rest == plaintext[usize::try_from(layout.plaintext_range(index).start).unwrap()..]);
    }
}

proptest! {
    #[test]
    fn of_any_cut(size in 0..2_000usize, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8), known: bool) {
        let (key, plaintext) = (PayloadKey::random(), content(size));
        let sealed = seal_all(&key, &plaintext);
        let layout = Layout::of_sealed(sealed.len() as u64).unwrap();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(sealed.len() + 1)).collect();
        cuts.extend([0, sealed.len()]);
        cuts.sort_unstable();
        let stream = if known { OpenStream::with_layout(key, layout) } else { OpenStream::new(key) };
        let (opened, result) = open_pieces(stream, cuts.windows(2).map(|cut| &sealed[cut[0]..cut[1]]));
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(opened, plaintext);
    }

    #[test]
    fn of_foreign_bytes_release_nothing(bytes: Vec<u8>, with_header: bool) {
        let mut sealed = if with_header { Header::random().as_bytes().to_vec() } else { Vec::new() };
        sealed.extend_from_slice(&bytes);
        let (released, result) = open_all(&PayloadKey::random(), &sealed);
        prop_assert!(released.is_empty() && result.is_err());
    }
}
