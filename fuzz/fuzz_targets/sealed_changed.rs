//! Decryption of tampered payloads: no plaintext other than the original is ever released.
//!
//! The input is a program. Four bytes determine the size of the plaintext and of the pieces in which the payload
//! arrives. Each further four bytes are a change: its kind (3 bits), the bit to flip (3 bits) and three bytes of
//! arguments.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::sealed::{
    HEADER_SIZE, Header, Layout, OpenError, OpenStream, SEGMENT_PLAINTEXT_SIZE, SEGMENT_SIZE, Sealer,
};
use zeroize::Zeroizing;

/// Piece sizes in bytes.
const PIECES: [usize; 6] = [usize::MAX, SEGMENT_SIZE, SEGMENT_SIZE - 1, 65_537, 4_099, 61];
/// Maximum encrypted size of a changed payload in bytes.
const MAX_PAYLOAD: usize = 4 * SEGMENT_SIZE;

fn key() -> PayloadKey {
    PayloadKey::from_bytes(Zeroizing::new([7; 32]))
}

fn header(fill: u8) -> Header {
    let mut bytes = [fill; HEADER_SIZE];
    bytes[0] = 0x28;
    Header::parse(&bytes).expect("the header starts with its length")
}

/// Returns a plaintext, mostly a small one. Sizes around one and two full segments take 1 000 times as long.
fn plaintext(kind: u8, size: u16) -> &'static [u8] {
    static PATTERN: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..2 * SEGMENT_SIZE + 256).map(|at| (at ^ (at >> 8)).to_le_bytes()[0]).collect());
    let full = SEGMENT_PLAINTEXT_SIZE - HEADER_SIZE;
    let size = match kind {
        0..=199 => usize::from(size) % 1_024,
        200..=251 => usize::from(size),
        252 | 253 => full - 128 + usize::from(size) % 256,
        _ => full + SEGMENT_PLAINTEXT_SIZE - 128 + usize::from(size) % 256,
    };
    &PATTERN[..size]
}

fn seal(plaintext: &[u8], header: Header) -> Vec<u8> {
    let sealer = Sealer::from_header(&key(), header);
    let layout = Layout::of_plaintext(plaintext.len() as u64).expect("the plaintext is small enough");
    let mut rest = plaintext;
    let mut payload = Vec::new();
    for index in 0..=layout.last_index() {
        let range = layout.plaintext_range(index);
        let (part, remaining) = rest.split_at(usize::try_from(range.end - range.start).unwrap());
        let mut segment = Sealer::buffer(index);
        segment.extend_from_slice(part);
        sealer.seal(index, layout.is_last(index), &mut segment);
        payload.extend_from_slice(&segment);
        rest = remaining;
    }
    payload
}

/// Applies one change. `other` is another payload encrypted with the same key.
fn change(payload: &mut Vec<u8>, other: &[u8], [kind, a, b, c]: [u8; 4]) {
    let offset = u32::from_be_bytes([0, a, b, c]) as usize % (payload.len() + 1);
    let count = payload.len().div_ceil(SEGMENT_SIZE).max(1);
    let segment = |number: u8| {
        let start = usize::from(number) % count * SEGMENT_SIZE;
        start..(start + SEGMENT_SIZE).min(payload.len())
    };
    match kind % 8 {
        0 => {
            if let Some(byte) = payload.get_mut(offset) {
                *byte ^= 1 << (kind >> 3 & 7);
            }
        }
        1 => payload.truncate(offset),
        2 => payload.extend(std::iter::repeat_n(c, 1 + usize::from(a) + 256 * usize::from(b))),
        3 => {
            let (first, second) = (segment(a), segment(b));
            let swapped: Vec<u8> = (0..count)
                .flat_map(|at| {
                    let own = segment(u8::try_from(at).unwrap());
                    let source = match &own {
                        own if *own == first => second.clone(),
                        own if *own == second => first.clone(),
                        _ => own.clone(),
                    };
                    payload[source].to_vec()
                })
                .collect();
            *payload = swapped;
        }
        4 => {
            let copy = payload[segment(a)].to_vec();
            let at = segment(b).start;
            payload.splice(at..at, copy);
        }
        5 => drop(payload.drain(segment(a))),
        6 => payload.iter_mut().zip(other).take(HEADER_SIZE).for_each(|(byte, other)| *byte = *other),
        _ => {
            let range = segment(a);
            let end = range.end.min(other.len());
            if let Some(foreign) = other.get(range.start..end) {
                payload[range.start..end].copy_from_slice(foreign);
            }
        }
    }
    payload.truncate(MAX_PAYLOAD);
}

/// Decrypts a payload in pieces; returns the released plaintext and the outcome.
fn open(mut stream: OpenStream, payload: &[u8], piece: usize) -> (Vec<u8>, Result<(), OpenError>) {
    let mut released = Vec::new();
    let mut push_all = || {
        for mut piece in payload.chunks(piece) {
            while let Some(opened) = stream.push(&mut piece)? {
                released.extend_from_slice(opened);
            }
        }
        released.extend_from_slice(stream.finish()?);
        Ok(())
    };
    let outcome = push_all();
    if let Err(error) = outcome {
        assert_eq!(stream.push(&mut &[1][..]), Err(error), "a stream continued after an error");
        assert_eq!(stream.finish(), Err(error), "a stream finished successfully after an error");
    }
    (released, outcome)
}

fuzz_target!(|program: &[u8]| {
    let Some(([kind, high, low, piece], changes)) = program.split_first_chunk() else { return };
    let plaintext = plaintext(*kind, u16::from_be_bytes([*high, *low]));
    let sealed = seal(plaintext, header(1));
    let (changes, _) = changes.as_chunks::<4>();
    let changes = &changes[..changes.len().min(8)];
    let mixes = changes.iter().any(|[kind, ..]| kind % 8 > 5);
    let other = if mixes { seal(plaintext, header(2)) } else { Vec::new() };
    let mut payload = sealed.clone();
    for at in changes {
        change(&mut payload, &other, *at);
    }
    let mut sizes = vec![sealed.len(), payload.len()];
    sizes.dedup();
    let layouts = sizes.into_iter().filter_map(|size| Layout::of_sealed(size as u64).ok());
    let known = layouts.map(|layout| OpenStream::with_layout(key(), layout));
    for stream in std::iter::once(OpenStream::new(key())).chain(known) {
        let (released, outcome) = open(stream, &payload, PIECES[usize::from(*piece) % PIECES.len()]);
        if mixes && payload == other {
            // The changes have produced another valid payload.
            assert!(outcome.is_ok() && released == plaintext);
            continue;
        }
        assert!(plaintext.starts_with(&released), "plaintext that was never encrypted was released");
        assert_eq!(outcome.is_ok(), payload == sealed, "a changed payload was accepted, or the original was rejected");
        assert!(outcome.is_err() || released == plaintext, "plaintext is missing after a successful end");
    }
});
