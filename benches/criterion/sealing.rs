//! Encryption of payloads and of their metadata.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use sgsend::domain::crypto::envelope::{self, Metadata};
use sgsend::domain::crypto::info::ContentInfo;
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::sealed::{Opener, SEGMENT_PLAINTEXT_SIZE, SEGMENT_SIZE, Sealer};

/// Encrypts and decrypts the second segment of a payload, as client and server do with each of them.
pub(crate) fn payload(criterion: &mut Criterion) {
    let key = PayloadKey::random();
    let sealer = Sealer::new(&key);
    let opener = Opener::new(&key, sealer.header().clone());
    let plaintext = vec![7; SEGMENT_PLAINTEXT_SIZE];
    let buffer = || {
        let mut segment = Vec::with_capacity(SEGMENT_SIZE);
        segment.extend_from_slice(&plaintext);
        segment
    };
    let mut sealed = buffer();
    sealer.seal(1, false, &mut sealed);

    let mut group = criterion.benchmark_group("payload");
    group.throughput(Throughput::Bytes(SEGMENT_PLAINTEXT_SIZE as u64));
    group.bench_function("seal a segment", |bencher| {
        bencher.iter_batched_ref(buffer, |segment| sealer.seal(1, false, segment), BatchSize::LargeInput);
    });
    group.bench_function("open a segment", |bencher| {
        let open = |segment: &mut Vec<u8>| opener.open(1, false, segment).expect("it was just sealed").len();
        bencher.iter_batched_ref(|| sealed.clone(), open, BatchSize::LargeInput);
    });
    group.finish();
}

/// Encodes and decodes the envelope, and encrypts and decrypts the info block.
pub(crate) fn metadata(criterion: &mut Criterion) {
    let key = PayloadKey::random();
    let metadata = Metadata {
        filename: "Quarterly report.pdf".to_owned(),
        size: 1 << 30,
        content_type: Some("application/pdf".to_owned()),
        modified_ms: Some(1_767_268_800_000),
        archive: None,
        mode: None,
        signed: false,
    };
    let encoded = envelope::encode(&metadata).expect("the name is short");
    let info = ContentInfo::of(&metadata, None, Some("As discussed".to_owned()));
    let sealed = info.seal(&key);

    let mut group = criterion.benchmark_group("metadata");
    group.bench_function("encode an envelope", |bencher| bencher.iter(|| envelope::encode(black_box(&metadata))));
    group.bench_function("decode an envelope", |bencher| bencher.iter(|| envelope::decode(black_box(&encoded))));
    group.bench_function("seal an info block", |bencher| bencher.iter(|| black_box(&info).seal(&key)));
    group.bench_function("open an info block", |bencher| bencher.iter(|| black_box(&sealed).open(&key)));
    group.finish();
}
