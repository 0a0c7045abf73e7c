//! Stored records as JSON.

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use sgsend::domain::id::{TokenId, TransferId};
use sgsend::domain::notification::NotificationChoice;
use sgsend::domain::timestamp::Timestamp;
use sgsend::domain::transfer::{Transfer, TransferTerms};

/// Returns the record of a transfer that was just created.
pub(crate) fn transfer() -> Transfer {
    let terms = TransferTerms {
        size_bytes: 1 << 30,
        lifetime: Duration::from_hours(24),
        max_downloads: Some(3),
        access_sha256: None,
        own_link_closed: false,
        access_from_passphrase: false,
        notify: NotificationChoice::default(),
    };
    Transfer::new(TransferId::random(), TokenId::random(), &terms, Timestamp::from_millis(1_767_268_800_000))
}

/// Encodes and decodes the record of a transfer.
pub(crate) fn records(criterion: &mut Criterion) {
    let transfer = transfer();
    let json = serde_json::to_vec(&transfer).expect("a transfer is valid JSON");
    let mut group = criterion.benchmark_group("record of a transfer");
    group.bench_function("encode", |bencher| bencher.iter(|| serde_json::to_vec(black_box(&transfer))));
    group.bench_function("decode", |bencher| bencher.iter(|| serde_json::from_slice::<Transfer>(black_box(&json))));
    group.finish();
}
